//! The thread that executes reads on a read-only connection: a search through a million tasks delays
//! neither submits nor workers.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{error::explain, pragmas::set_up_reader, read::StoreReader};
use crate::{
    cause::Cause,
    queue::{
        embedded::store::reads::ReadRequest,
        error::BrokerError,
        index::rows::{Running, StorageError},
    },
};

/// The most reads that wait for the thread; further ones are rejected.
const MAX_REQUESTS: usize = 1_024;

/// The reader thread and its request channel.
#[derive(Debug)]
pub(super) struct ReaderThread {
    requests: Option<mpsc::SyncSender<(Arc<Running>, ReadRequest)>>,
    thread: Option<JoinHandle<()>>,
}

impl ReaderThread {
    pub(super) fn start(path: &Path) -> Result<Self, StorageError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(explain)?;
        set_up_reader(&db).map_err(explain)?;
        let (requests, inbox) = mpsc::sync_channel(MAX_REQUESTS);
        let thread = std::thread::Builder::new()
            .name("reader".into())
            .spawn(move || execute_all(db, &inbox))
            .map_err(|e| StorageError(Cause::in_context("cannot start the reader thread", e)))?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Executes a read on the thread; rejects it when too many wait.
    pub(super) fn read(&self, running: Arc<Running>, request: ReadRequest) {
        let Some(requests) = &self.requests else {
            return request.reject(BrokerError::Closed);
        };
        match requests.try_send((running, request)) {
            Ok(()) => {}
            Err(mpsc::TrySendError::Full((_, request))) => request.reject(BrokerError::Busy),
            Err(mpsc::TrySendError::Disconnected((_, request))) => {
                request.reject(BrokerError::Closed);
            }
        }
    }
}

impl Drop for ReaderThread {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // It executes the requests that wait, and then the channel is closed.
            thread.join().ok();
        }
    }
}

fn execute_all(mut db: Connection, inbox: &mpsc::Receiver<(Arc<Running>, ReadRequest)>) {
    while let Ok((running, request)) = inbox.recv() {
        // One transaction, so that a task that moves from one table to the other is seen once.
        match db.transaction_with_behavior(TransactionBehavior::Deferred) {
            Ok(tx) => request.execute(&StoreReader::new(&tx), &running),
            Err(error) => {
                let StorageError(why) = explain(error);
                request.reject(BrokerError::Storage(why));
            }
        }
    }
}
