//! Opens the task file: takes its lock, sets it up, migrates it, and salvages a damaged one.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hdrhistogram::Histogram;
use rusqlite::Connection;

use super::{
    Sqlite,
    check::Checker,
    damage::{self, DamageReporter},
    pragmas::{WriterSetupError, set_up_writer},
    present::OpenFiles,
    read::select_unfinished,
    read_connection, replace, salvage,
    schema::migrate,
    write::save_last_id,
};
use crate::{
    cause::Cause,
    files::{self, LockError, LockedFile},
    health::{FindingKind, Findings},
    queue::{
        embedded::store::{ArmedFailPoint, OpenReport},
        executor::in_flight::InFlightFile,
        index::rows::StorageError,
        state::State,
        storage::{Damage, StorageConfig},
    },
};

/// The files in the data folder.
pub(super) const DATABASE: &str = "tasks.db";
const LOCK: &str = "tasks.lock";
pub(super) const IN_FLIGHT: &str = "tasks.in-flight";
/// The longest wait for the first check of the structure at a start.
const FIRST_CHECK: Duration = Duration::from_millis(100);

/// An error that prevents the store from opening.
#[derive(Debug, thiserror::Error)]
pub(in crate::queue) enum OpenError {
    #[error(
        "{folder} is in use by process {holder}; end that one, or choose another folder with --data-dir"
    )]
    InUse { folder: String, holder: String },
    #[error("cannot use {path}: {why}")]
    Unusable {
        path: String,
        #[source]
        why: Cause,
    },
}

pub(super) fn open(
    config: &StorageConfig,
    findings: &Findings,
    fail_point: Option<ArmedFailPoint>,
) -> Result<(Sqlite, OpenReport), OpenError> {
    let folder = config.folder.clone().unwrap_or_else(|| PathBuf::from("."));
    let io_error = |path: &Path, e: io::Error| unusable(path, Cause::from_error(e));
    files::create_folder(&folder).map_err(|e| io_error(&folder, e))?;
    let lock = lock(&folder)?;
    let path = folder.join(DATABASE);
    let in_flight_path = folder.join(IN_FLIGHT);
    let (in_flight, recorded) =
        InFlightFile::open(&in_flight_path).map_err(|e| io_error(&in_flight_path, e))?;
    replace::complete(&path).map_err(|e| io_error(&path, e))?;
    // SQLite would create a file that others can read.
    files::open(&path).map_err(|e| io_error(&path, e))?;
    let acknowledged = recorded.last_acknowledged;
    let (opened, damage) = open_or_salvage(&path, config, findings, acknowledged)
        .map_err(|why| unusable(&path, why.into_cause()))?;
    let OpenFile {
        database,
        checker,
        reporter,
    } = opened;
    // Files that SQLite has removed must not come back after a power cut.
    files::sync_folder(&folder).map_err(|e| io_error(&folder, e))?;
    let reader = read_connection::start(&path, reporter.clone())
        .map_err(|StorageError(why)| unusable(&path, why))?;
    let stored = database.last_id;
    let missing = (acknowledged > stored).then_some((stored + 1, acknowledged));
    if let Some(missing) = missing {
        report_missing(&database.db, findings, missing)
            .map_err(|e| unusable(&path, WriterSetupError::from(e).into_cause()))?;
    }
    let last_id = stored.max(acknowledged);
    let report = OpenReport {
        last_id,
        running: recorded.running,
        missing,
        damage,
    };
    let mut store = Sqlite {
        db: database.db,
        reader: Some(reader),
        checker: Some(checker),
        damage: reporter,
        config: config.clone(),
        files: OpenFiles::of(&path, findings),
        in_flight: Arc::new(in_flight),
        finished_counts: database.finished_counts,
        args_cache: HashMap::new(),
        args_cache_bytes: 0,
        last_id,
        bytes: 0,
        commits_since_check: 0,
        // The bounds are constants that the crate accepts.
        commit_micros: Histogram::new_with_bounds(1, 60_000_000, 2)
            .expect("valid histogram bounds"),
        fail_point,
        _lock: lock,
    };
    store.check_size();
    Ok((store, report))
}

fn unusable(path: &Path, why: Cause) -> OpenError {
    OpenError::Unusable {
        path: path.display().to_string(),
        why,
    }
}

/// A file that is open, with the thread that checks it.
struct OpenFile {
    database: Database,
    checker: Checker,
    reporter: DamageReporter,
}

/// Opens the file. One that is damaged, by an earlier mark or by what is found now, is salvaged first.
fn open_or_salvage(
    path: &Path,
    config: &StorageConfig,
    findings: &Findings,
    acknowledged: u64,
) -> Result<(OpenFile, Option<Damage>), WriterSetupError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let error = match damage::marked(folder) {
        Some(error) => error,
        None => match open_checked(path, config, findings, acknowledged) {
            Ok(Ok(opened)) => return Ok((opened, None)),
            Ok(Err(damage)) => damage,
            Err(why) => why.damage(path).ok_or(why)?,
        },
    };
    let damage = salvage::salvage(path, error, acknowledged, findings)
        .map_err(|why| WriterSetupError::Salvage(why.into_cause()))?;
    let cleared = damage::clear(folder);
    cleared.map_err(|e| WriterSetupError::Salvage(Cause::from_error(e)))?;
    findings.resolve(FindingKind::TaskFileDamaged, "");
    match open_checked(path, config, findings, acknowledged)? {
        Ok(opened) => Ok((opened, Some(damage))),
        Err(why) => Err(WriterSetupError::Salvage(Cause::from_message(format!(
            "its new copy is damaged, too ({why}); check the disk"
        )))),
    }
}

/// Opens the file and waits a moment for the first check of its structure; returns the damage that is
/// found so far, if there is any.
fn open_checked(
    path: &Path,
    config: &StorageConfig,
    findings: &Findings,
    acknowledged: u64,
) -> Result<Result<OpenFile, String>, WriterSetupError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let log_damage = salvage::log_damage(path, acknowledged);
    let log_damage = log_damage.map_err(|e| WriterSetupError::Salvage(Cause::from_error(e)))?;
    if let Some(damage) = log_damage {
        return Ok(Err(damage));
    }
    let database = Database::open(path, config)?;
    let reporter = DamageReporter::new(folder, findings);
    let (checker, first) = Checker::start(path, reporter.clone(), findings)
        .map_err(|StorageError(why)| WriterSetupError::Salvage(why))?;
    // A longer check goes on while the engine runs, and what it finds is salvaged by the next start.
    match first.recv_timeout(FIRST_CHECK) {
        Ok(Some(damage)) => Ok(Err(damage)),
        _ => Ok(Ok(OpenFile {
            database,
            checker,
            reporter,
        })),
    }
}

/// Reports acknowledged tasks that are missing, and stores that they were reported.
fn report_missing(
    db: &Connection,
    findings: &Findings,
    (first, last): (u64, u64),
) -> rusqlite::Result<()> {
    let text = format!("acknowledged tasks are missing: #{first} to #{last}");
    findings.report(FindingKind::TasksLost, &format!("{first}-{last}"), &text);
    save_last_id(db, last)
}

/// Locks the folder for this process. The lock file stays, because removing it would let two processes
/// in.
pub(super) fn lock(folder: &Path) -> Result<LockedFile, OpenError> {
    let path = folder.join(LOCK);
    let unusable = |e: io::Error| OpenError::Unusable {
        path: path.display().to_string(),
        why: Cause::from_error(e),
    };
    let mut lock = LockedFile::try_lock(&path).map_err(|e| match e {
        LockError::Held(holder) => OpenError::InUse {
            folder: folder.display().to_string(),
            holder: match holder.trim() {
                "" => "unknown".to_owned(),
                pid => pid.chars().filter(char::is_ascii_digit).take(20).collect(),
            },
        },
        LockError::Io(e) => unusable(e),
    })?;
    let pid = format!(
        "{}
",
        std::process::id()
    );
    lock.write_note(&pid).map_err(unusable)?;
    Ok(lock)
}

/// A task file that is set up and migrated.
pub(super) struct Database {
    pub(super) db: Connection,
    finished_counts: [usize; State::COUNT],
    last_id: u64,
}

impl Database {
    pub(super) fn open(path: &Path, config: &StorageConfig) -> Result<Self, WriterSetupError> {
        let mut db = Connection::open(path)?;
        set_up_writer(&db, config)?;
        migrate(&mut db)?;
        // All unfinished tasks are read when the engine starts. Damage among them is found here, where the
        // file can still be salvaged.
        let mut unfinished = db.prepare(&select_unfinished())?;
        let mut rows = unfinished.query(())?;
        while rows.next()?.is_some() {}
        drop(rows);
        drop(unfinished);

        let finished_counts = count_finished(&db)?;
        let last_id: i64 = db.query_row(
            "SELECT max(coalesce((SELECT max(id) FROM unfinished), 0), \
                        coalesce((SELECT max(id) FROM finished), 0), \
                        (SELECT value FROM meta WHERE name = 'last_id'))",
            (),
            |row| row.get(0),
        )?;
        Ok(Self {
            db,
            finished_counts,
            last_id: u64::try_from(last_id).unwrap_or_default(),
        })
    }
}

/// The number of finished tasks by state.
fn count_finished(db: &Connection) -> rusqlite::Result<[usize; State::COUNT]> {
    let mut counts = [0; State::COUNT];
    let mut set = |state: State, count: i64| {
        if let Some(entry) = counts.get_mut(state.index()) {
            *entry = usize::try_from(count).unwrap_or_default();
        }
    };
    // Every row is in the index by time, and all but the successes are in the index by state.
    let all: i64 = db.query_row(
        "SELECT count(*) FROM finished INDEXED BY finished_evict_at",
        (),
        |row| row.get(0),
    )?;
    let sql = "SELECT state, count(*) FROM finished WHERE state <> 'succeeded' GROUP BY state";
    let mut statement = db.prepare(sql)?;
    let mut others = 0;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let count: i64 = row.get(1)?;
        others += count;
        if let Ok(state) = row.get_ref(0)?.as_str()?.parse() {
            set(state, count);
        }
    }
    set(State::Succeeded, all - others);
    Ok(counts)
}
