//! The tables, and how older files become newer ones.

use rusqlite::Connection;

/// Marks the file as ours: "dtui".
const APPLICATION: i64 = 0x6474_7569;
/// The version of the tables; each has a step in [`MIGRATIONS`].
pub(super) const VERSION: i64 = 2;

const MIGRATIONS: [&str; 2] = [FIRST, SUBMITS];

/// Tasks that wait are apart from tasks that have ended. To take a task writes one row at the end of
/// `waiting`, which has no index that every row is in; to start reads `waiting` and nothing else.
///
/// Times are microseconds since 1970, durations microseconds. That a task runs is not kept: it is
/// `queued` until it has ended. A check with `IN` would build a table of its own for every row that is
/// written, so there is none.
const FIRST: &str = "
CREATE TABLE waiting (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state = 'queued' OR state = 'scheduled' OR state = 'retrying'),
    name TEXT NOT NULL,
    args TEXT NOT NULL,
    queue TEXT,
    key TEXT,
    rule TEXT,
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
    keep INTEGER,
    error TEXT,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX waiting_not_queued ON waiting (state, id) WHERE state <> 'queued';
CREATE UNIQUE INDEX waiting_unique ON waiting (name, key) WHERE rule = 'unique';

CREATE TABLE ended (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (
        state = 'succeeded' OR state = 'failed' OR state = 'cancelled' OR state = 'expired'
    ),
    name TEXT NOT NULL,
    args TEXT NOT NULL,
    queue TEXT,
    key TEXT,
    rule TEXT,
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
    keep INTEGER,
    error TEXT,
    checksum INTEGER NOT NULL,
    started_at INTEGER,
    waited INTEGER,
    ran INTEGER,
    worker INTEGER,
    finished_at INTEGER NOT NULL,
    forget_at INTEGER NOT NULL,
    result TEXT,
    result_checksum INTEGER
) STRICT;
CREATE INDEX ended_forget ON ended (forget_at);
CREATE INDEX ended_not_succeeded ON ended (state, id) WHERE state <> 'succeeded';
CREATE INDEX ended_slow ON ended (ran, id) WHERE ran >= 1000;

CREATE TABLE attempts (
    task INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    worker INTEGER,
    waited INTEGER NOT NULL,
    ran INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (task, started_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('last_id', 0);

CREATE VIEW tasks AS
    SELECT id, state, name, args, queue, key, rule, priority, attempts, max_attempts, crashes,
           submitted_at, ready_at, due_at, expires_at, NULL AS started_at, NULL AS waited, NULL AS ran,
           NULL AS worker, NULL AS finished_at, NULL AS result, error
    FROM waiting
    UNION ALL
    SELECT id, state, name, args, queue, key, rule, priority, attempts, max_attempts, crashes,
           submitted_at, ready_at, due_at, expires_at, started_at, waited, ran,
           'w' || worker, finished_at, result, error
    FROM ended;
";

/// Submits that have a name, and what they were answered: `[first id, how many, there before]`.
const SUBMITS: &str = "
CREATE TABLE submits (
    id BLOB PRIMARY KEY,
    at INTEGER NOT NULL,
    answer TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX submits_at ON submits (at);
";

/// What the columns of both tables are, in the order in which they are read.
pub(super) const COLUMNS: &str = "id, state, name, args, queue, key, rule, priority, attempts, \
    max_attempts, crashes, submitted_at, ready_at, due_at, wall_clock, expires_at, soft_limit, \
    hard_limit, keep, error, checksum";

/// The columns that only ended tasks have.
pub(super) const END_COLUMNS: &str =
    "started_at, waited, ran, worker, finished_at, forget_at, result, result_checksum";

/// Brings the tables up to date.
///
/// # Errors
/// A sentence when the file is another program's or a newer version's.
pub(super) fn migrate(db: &mut Connection) -> Result<(), MigrateError> {
    let pragma = |db: &Connection, name: &str| -> rusqlite::Result<i64> {
        db.pragma_query_value(None, name, |row| row.get(0))
    };
    let (application, version) = (pragma(db, "application_id")?, pragma(db, "user_version")?);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    if application != APPLICATION && (application != 0 || tables > 0) {
        return Err(MigrateError::Foreign);
    }
    if version > VERSION {
        return Err(MigrateError::Newer(version));
    }
    let tx = db.transaction()?;
    let done = usize::try_from(version).unwrap_or_default();
    for migration in MIGRATIONS.iter().skip(done) {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(())
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrateError {
    #[error("it was made by another program; choose another folder with --data-dir")]
    Foreign,
    #[error("it is of version {0}, and this program knows {VERSION}; use a newer distro-tui")]
    Newer(i64),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}
