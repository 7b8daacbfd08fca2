//! The network's thread.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Networking has a thread and a current-thread runtime of its own: measured, that is two to three
/// times as fast as sharing a multi-thread one, and no task of a worker can delay it.
pub(super) fn network_thread() -> io::Result<(Handle, NetThread)> {
    let over = CancellationToken::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    let until = over.clone();
    let thread = std::thread::Builder::new()
        .name("net".into())
        .spawn(move || runtime.block_on(until.cancelled()))?;
    let thread = Mutex::new(Some(thread));
    Ok((handle, NetThread { over, thread }))
}

/// What ends the network's thread.
pub(super) struct NetThread {
    over: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for NetThread {
    /// A node that did not start leaves nothing running. Its thread ends by itself.
    fn drop(&mut self) {
        self.over.cancel();
    }
}

impl NetThread {
    pub(super) fn end(&self) {
        self.over.cancel();
        let thread = self.thread.lock();
        if let Some(thread) = thread.unwrap_or_else(PoisonError::into_inner).take() {
            // It has nothing left to do but to end.
            thread.join().ok();
        }
    }
}
