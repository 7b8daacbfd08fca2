//! The network's thread.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::net::watchdog::Watchdog;

/// The thread that runs the network, with a current-thread runtime of its own: measured, that is two to
/// three times as fast as sharing a multi-thread one, and no task of a worker can delay it.
pub(super) struct NetThread {
    cancelled: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl NetThread {
    /// Starts the thread and returns its runtime.
    pub(super) fn start(watchdog: &Watchdog) -> io::Result<(Handle, Self)> {
        let (asleep, awake) = (watchdog.clone(), watchdog.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_park(move || asleep.progress())
            .on_thread_unpark(move || awake.wake())
            .build()?;
        let handle = runtime.handle().clone();
        let cancelled = CancellationToken::new();
        let (until, watchdog) = (cancelled.clone(), watchdog.clone());
        let thread = std::thread::Builder::new()
            .name("net".into())
            .spawn(move || {
                watchdog.install();
                watchdog.wake();
                runtime.block_on(until.cancelled());
            })?;
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
