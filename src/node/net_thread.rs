//! The network's thread.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// The thread that runs the network, with a current-thread runtime of its own: measured, that is two to
/// three times as fast as sharing a multi-thread one, and no task of a worker can delay it.
pub(super) struct NetThread {
    cancelled: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl NetThread {
    /// Starts the thread and returns its runtime.
    pub(super) fn start() -> io::Result<(Handle, Self)> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let cancelled = CancellationToken::new();
        let until = cancelled.clone();
        let thread = std::thread::Builder::new()
            .name("net".into())
            .spawn(move || runtime.block_on(until.cancelled()))?;
        let thread = Mutex::new(Some(thread));
        Ok((handle, Self { cancelled, thread }))
    }

    /// Ends the thread and waits for it.
    pub(super) fn join(&self) {
        self.cancelled.cancel();
        let thread = self.thread.lock();
        if let Some(thread) = thread.unwrap_or_else(PoisonError::into_inner).take() {
            // A panic has been logged where it happened.
            thread.join().ok();
        }
    }
}

impl Drop for NetThread {
    /// A node that did not start leaves nothing running: its thread ends by itself.
    fn drop(&mut self) {
        self.cancelled.cancel();
    }
}
