//! Questions are answered on a thread of their own, from a connection that can only read: a search
//! through a million tasks holds up neither those who submit nor those who work.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{explain, pragmas::set_up_reader, read::StoreReader};
use crate::queue::{
    broker::BrokerError,
    embedded::store::{StoreError, reads::ReadRequest, rows::Running},
};

/// Questions that wait for an answer; beyond it they are refused.
const MAX_QUESTIONS: usize = 1_024;

/// The thread, and the way to it.
#[derive(Debug)]
pub(super) struct Pages {
    questions: Option<mpsc::SyncSender<(Arc<Running>, ReadRequest)>>,
    thread: Option<JoinHandle<()>>,
}

impl Pages {
    pub(super) fn start(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(explain)?;
        set_up_reader(&db).map_err(explain)?;
        let (questions, inbox) = mpsc::sync_channel(MAX_QUESTIONS);
        let thread = std::thread::Builder::new()
            .name("pages".into())
            .spawn(move || answer_all(db, &inbox))
            .map_err(|e| StoreError(format!("there is no thread to read with: {e}")))?;
        Ok(Self {
            questions: Some(questions),
            thread: Some(thread),
        })
    }

    pub(super) fn ask(&self, running: Arc<Running>, question: ReadRequest) {
        let Some(questions) = &self.questions else {
            return question.refuse(BrokerError::Closed);
        };
        match questions.try_send((running, question)) {
            Ok(()) => {}
            Err(mpsc::TrySendError::Full((_, question))) => question.refuse(BrokerError::Busy),
            Err(mpsc::TrySendError::Disconnected((_, question))) => {
                question.refuse(BrokerError::Closed);
            }
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            // It answers what was asked, and then there is nobody left to ask.
            thread.join().ok();
        }
    }
}

fn answer_all(mut db: Connection, inbox: &mpsc::Receiver<(Arc<Running>, ReadRequest)>) {
    while let Ok((running, question)) = inbox.recv() {
        // One transaction, so that a task on its way from one table to the other is seen once.
        match db.transaction_with_behavior(TransactionBehavior::Deferred) {
            Ok(tx) => question.answer(&StoreReader::new(&tx), &running),
            Err(error) => {
                let StoreError(why) = explain(error);
                question.refuse(BrokerError::Storage(why));
            }
        }
    }
}
