//! The read-only connection on which the reader thread executes its reads.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{damage::DamageReporter, error::explain, pragmas::set_up_reader, read::StoreReader};
use crate::queue::{
    embedded::store::reader::{Reader, RowSource},
    index::rows::{Rows, StorageError},
};

/// A read-only connection.
#[derive(Debug)]
struct ReadConnection {
    db: Connection,
    damage: DamageReporter,
}

impl RowSource for ReadConnection {
    fn with_rows(&mut self, read: &mut dyn FnMut(&dyn Rows)) -> Result<(), StorageError> {
        // One transaction, so that a task that moves from one table to the other is seen once.
        let tx = self
            .db
            .transaction_with_behavior(TransactionBehavior::Deferred)
            .map_err(|error| self.damage.explain("the tasks", error))?;
        read(&StoreReader::new(&tx, &self.damage));
        Ok(())
    }
}

/// Starts the thread.
pub(super) fn start(path: &Path, damage: DamageReporter) -> Result<Reader, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(explain)?;
    set_up_reader(&db).map_err(explain)?;
    Reader::start(ReadConnection { db, damage })
}
