//! The tables and their migrations.

use rusqlite::Connection;

/// The application id of our files: "dtui".
const APPLICATION_ID: i64 = 0x6474_7569;
/// The version of the tables; each has a migration in [`MIGRATIONS`].
pub(super) const VERSION: i64 = 3;

const MIGRATIONS: [&str; 3] = [TASKS, SUBMITS, FAILURES];

/// Unfinished and finished tasks live in separate tables. Accepting a task appends one row to
/// `unfinished`, which has no index that contains every row; a start reads only `unfinished`.
///
/// Times are microseconds since 1970, durations microseconds. The running state is not stored: a task
/// is `queued` until it has finished. A check with `IN` would build a temporary table for every row
/// that is written, so there is none.
const TASKS: &str = "
CREATE TABLE unfinished (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state = 'queued' OR state = 'scheduled' OR state = 'retrying'),
    name TEXT NOT NULL,
    args TEXT NOT NULL,
    queue TEXT,
    key TEXT,
    key_policy TEXT,
    priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    due_at INTEGER,
    wall_clock INTEGER NOT NULL,
    expires_at INTEGER,
    soft_limit INTEGER,
    hard_limit INTEGER,
    result_ttl INTEGER,
    error TEXT,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX unfinished_not_queued ON unfinished (state, id) WHERE state <> 'queued';
CREATE UNIQUE INDEX unfinished_unique ON unfinished (name, key) WHERE key_policy = 'unique';

CREATE TABLE finished (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (
        state = 'succeeded' OR state = 'failed' OR state = 'cancelled' OR state = 'expired'
    ),
    name TEXT NOT NULL,
    args TEXT NOT NULL,
    queue TEXT,
    key TEXT,
    key_policy TEXT,
    priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    due_at INTEGER,
    wall_clock INTEGER NOT NULL,
    expires_at INTEGER,
    soft_limit INTEGER,
    hard_limit INTEGER,
    result_ttl INTEGER,
    error TEXT,
    checksum INTEGER NOT NULL,
    started_at INTEGER,
    wait_time INTEGER,
    run_time INTEGER,
    worker INTEGER,
    finished_at INTEGER NOT NULL,
    evict_at INTEGER NOT NULL,
    result TEXT,
    result_checksum INTEGER
) STRICT;
CREATE INDEX finished_evict_at ON finished (evict_at);
CREATE INDEX finished_not_succeeded ON finished (state, id) WHERE state <> 'succeeded';
CREATE INDEX finished_run_time ON finished (run_time, id) WHERE run_time >= 1000;

CREATE TABLE attempts (
    task INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    worker INTEGER,
    wait_time INTEGER NOT NULL,
    run_time INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (task, started_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('last_id', 0);

CREATE VIEW tasks AS
    SELECT id, state, name, args, queue, key, key_policy, priority, attempts, max_attempts, crashes,
           submitted_at, ready_at, due_at, expires_at, NULL AS started_at, NULL AS wait_time, NULL AS run_time,
           NULL AS worker, NULL AS finished_at, NULL AS result, error
    FROM unfinished
    UNION ALL
    SELECT id, state, name, args, queue, key, key_policy, priority, attempts, max_attempts, crashes,
           submitted_at, ready_at, due_at, expires_at, started_at, wait_time, run_time,
           'w' || worker, finished_at, result, error
    FROM finished;
";

/// Idempotency keys with the receipts of their submits, as JSON ranges of ids.
const SUBMITS: &str = "
CREATE TABLE submits (
    key BLOB PRIMARY KEY,
    at INTEGER NOT NULL,
    receipts TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX submits_at ON submits (at);
";

/// The kind and the traceback of errors, which most tasks do not have.
const FAILURES: &str = "
ALTER TABLE unfinished ADD COLUMN error_kind TEXT;
ALTER TABLE unfinished ADD COLUMN traceback TEXT;
ALTER TABLE finished ADD COLUMN error_kind TEXT;
ALTER TABLE finished ADD COLUMN traceback TEXT;
ALTER TABLE attempts ADD COLUMN error_kind TEXT;
ALTER TABLE attempts ADD COLUMN traceback TEXT;
DROP VIEW tasks;
CREATE VIEW tasks AS
    SELECT id, state, name, args, queue, key, key_policy, priority, attempts, max_attempts, crashes,
           submitted_at, ready_at, due_at, expires_at, NULL AS started_at, NULL AS wait_time, NULL AS run_time,
           NULL AS worker, NULL AS finished_at, NULL AS result, error, error_kind, traceback
    FROM unfinished
    UNION ALL
    SELECT id, state, name, args, queue, key, key_policy, priority, attempts, max_attempts, crashes,
           submitted_at, ready_at, due_at, expires_at, started_at, wait_time, run_time,
           'w' || worker, finished_at, result, error, error_kind, traceback
    FROM finished;
";

/// The columns of both tables, in the order in which they are read.
pub(super) const COLUMNS: &str = "id, state, name, args, queue, key, key_policy, priority, attempts, \
    max_attempts, crashes, submitted_at, ready_at, due_at, wall_clock, expires_at, soft_limit, \
    hard_limit, result_ttl, error, checksum, error_kind, traceback";

/// The columns of finished tasks only.
pub(super) const END_COLUMNS: &str =
    "started_at, wait_time, run_time, worker, finished_at, evict_at, result, result_checksum";

/// Migrates the tables to [`VERSION`].
///
/// # Errors
/// [`MigrateError`] when the file belongs to another program or a newer version.
pub(super) fn migrate(db: &mut Connection) -> Result<(), MigrateError> {
    let version = check(db)?;
    if version == VERSION {
        return Ok(());
    }
    let tx = db.transaction()?;
    let done = usize::try_from(version).unwrap_or_default();
    for migration in MIGRATIONS.iter().skip(done) {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(())
}

/// Returns the version of the tables, if they are those of this program and not newer.
pub(super) fn check(db: &Connection) -> Result<i64, MigrateError> {
    let pragma = |name: &str| -> rusqlite::Result<i64> {
        db.pragma_query_value(None, name, |row| row.get(0))
    };
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(MigrateError::Foreign);
    }
    match version > VERSION {
        true => Err(MigrateError::Newer(version)),
        false => Ok(version),
    }
}

/// An error of a migration.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrateError {
    #[error("it belongs to another program; choose another folder with --data-dir")]
    Foreign,
    #[error("its version is {0} and this program supports {VERSION}; use a newer distro-tui")]
    Newer(i64),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as version 2 wrote it: with the tables before the last migration.
    fn version_2() -> Connection {
        let db = Connection::open_in_memory().expect("opens");
        for migration in [TASKS, SUBMITS] {
            db.execute_batch(migration).expect("valid");
        }
        db.pragma_update(None, "application_id", APPLICATION_ID)
            .expect("writes");
        db.pragma_update(None, "user_version", 2).expect("writes");
        db
    }

    #[test]
    fn tasks_of_an_older_version_are_kept() {
        let mut db = version_2();
        db.execute_batch(
            "INSERT INTO unfinished VALUES (1, 'retrying', 'add', '[]', NULL, NULL, NULL, 5, 1, 5, 0, \
             1, 1, NULL, 0, NULL, NULL, NULL, NULL, 'refused', 7); \
             INSERT INTO attempts VALUES (1, 1, 2, 3, 4, 'refused');",
        )
        .expect("valid");
        migrate(&mut db).expect("migrates");
        let sql = "SELECT tasks.error, tasks.error_kind, attempts.error, attempts.traceback \
                   FROM tasks JOIN attempts ON task = id";
        let texts: [Option<String>; 4] = db
            .query_row(sql, (), |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
            })
            .expect("one task");
        let refused = || Some("refused".to_owned());
        assert_eq!(texts, [refused(), None, refused(), None]);
        migrate(&mut db).expect("it is migrated once");
    }
}
