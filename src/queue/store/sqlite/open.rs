//! Opening the file: who else has it, is it whole, and does it keep what it is told to keep.

use std::{
    collections::HashMap,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hdrhistogram::Histogram;
use rusqlite::Connection;

use super::{
    Sqlite, count_ended, explain, is_damage,
    pages::Pages,
    salvage,
    schema::{MigrateError, migrate},
};
use crate::queue::store::{Config, Damage, Durability, Opened, StoreError, slots::Slots};

/// The files, by what follows `tasks.` in their names.
const DATABASE: &str = "tasks.db";
const LOCK: &str = "tasks.lock";
const SLOTS: &str = "tasks.slots";

/// How long to wait for somebody's `sqlite3` shell.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pages in the log before they are moved into the file: 16 MiB.
const CHECKPOINT: i64 = 4_096;
/// The log is cut to this size when it is empty, in bytes.
const MAX_LOG: i64 = 64 << 20;
/// Memory for pages, in KiB.
const CACHE: i64 = 16 << 10;
/// Statements that are kept prepared.
const STATEMENTS: usize = 64;

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub(in crate::queue) enum OpenError {
    #[error(
        "{folder} is in use by process {holder}; end that one, or choose another folder with --data-dir"
    )]
    InUse { folder: String, holder: String },
    #[error("cannot use {path}: {why}")]
    Unusable { path: String, why: String },
}

pub(super) fn open(config: &Config) -> Result<(Sqlite, Opened), OpenError> {
    let folder = config.folder.clone().unwrap_or_else(|| PathBuf::from("."));
    let unusable = |path: &Path, why: String| OpenError::Unusable {
        path: path.display().to_string(),
        why,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|e| unusable(&folder, e.to_string()))?;
    let lock = lock(&folder)?;
    let path = folder.join(DATABASE);
    let slots_path = folder.join(SLOTS);
    let (slots, noted) =
        Slots::open(&slots_path).map_err(|e| unusable(&slots_path, e.to_string()))?;
    let fail = |why: Trouble| unusable(&path, why.words());
    private(&path).map_err(|e| unusable(&path, e.to_string()))?;
    let (opening, damage) = match Opening::of(&path, config) {
        Ok(opening) => (opening, None),
        Err(why) if why.is_damage() => {
            let (opening, damage) = anew(&path, config, &why).map_err(fail)?;
            (opening, Some(damage))
        }
        Err(why) => return Err(fail(why)),
    };
    // What SQLite has removed on its way is not to come back after a power cut.
    File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| unusable(&folder, e.to_string()))?;
    let pages = Pages::start(&path).map_err(|StoreError(why)| unusable(&path, why))?;
    let known = opening.last_id;
    let missing = (noted.acknowledged > known).then_some((known + 1, noted.acknowledged));
    let last_id = known.max(noted.acknowledged);
    let opened = Opened {
        last_id,
        running: noted.running,
        missing,
        damage,
    };
    let mut store = Sqlite {
        db: opening.db,
        pages: Some(pages),
        config: config.clone(),
        slots: Arc::new(slots),
        ended: opening.ended,
        warm: HashMap::new(),
        warm_bytes: 0,
        last_id,
        bytes: 0,
        unlooked: 0,
        // The bounds are constants that the crate accepts.
        commits: Histogram::new_with_bounds(1, 60_000_000, 2).expect("valid histogram bounds"),
        crash: config.crash,
        _lock: lock,
    };
    store.look_at_size();
    Ok((store, opened))
}

/// One process has the folder at a time. The file stays, because to remove it would let two in.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let unusable = |e: std::io::Error| OpenError::Unusable {
        path: path.display().to_string(),
        why: e.to_string(),
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).ok();
            let holder = match holder.trim() {
                "" => "somebody".to_owned(),
                pid => pid.chars().filter(char::is_ascii_digit).take(20).collect(),
            };
            return Err(OpenError::InUse {
                folder: folder.display().to_string(),
                holder,
            });
        }
        Err(TryLockError::Error(e)) => return Err(unusable(e)),
    }
    let note = || -> std::io::Result<()> {
        let mut file = &file;
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    note().map_err(unusable)?;
    file.rewind().map_err(unusable)?;
    Ok(file)
}

/// What is submitted may be nobody else's business.
fn private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// Why the file is not open.
pub(super) enum Trouble {
    Sqlite(rusqlite::Error),
    Migrate(MigrateError),
    Setting(String),
    Salvage(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<MigrateError> for Trouble {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Sqlite(error) => Self::Sqlite(error),
            error => Self::Migrate(error),
        }
    }
}

impl Trouble {
    fn is_damage(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_damage(error))
    }

    pub(super) fn words(self) -> String {
        match self {
            Self::Sqlite(error) => {
                let StoreError(why) = explain(error);
                why
            }
            Self::Migrate(error) => error.to_string(),
            Self::Setting(why) | Self::Salvage(why) => why,
        }
    }
}

/// An open file that keeps what it is told to keep.
pub(super) struct Opening {
    pub(super) db: Connection,
    ended: [usize; 8],
    last_id: u64,
}

impl Opening {
    pub(super) fn of(path: &Path, config: &Config) -> Result<Self, Trouble> {
        let mut db = Connection::open(path)?;
        set_up_writer(&db, config)?;
        migrate(&mut db)?;
        // Everything that waits is read when the engine starts; what cannot be is found here, while
        // something can still be done about it.
        db.query_row("SELECT total(ready_at) FROM waiting", (), |_| Ok(()))?;

        let ended = count_ended(&db)?;
        let last_id: i64 = db.query_row(
            "SELECT max(coalesce((SELECT max(id) FROM waiting), 0), \
                        coalesce((SELECT max(id) FROM ended), 0), \
                        (SELECT value FROM meta WHERE name = 'last_id'))",
            (),
            |row| row.get(0),
        )?;
        Ok(Self {
            db,
            ended,
            last_id: u64::try_from(last_id).unwrap_or_default(),
        })
    }
}

/// Puts a damaged file aside and starts a new one with what is whole in it.
fn anew(path: &Path, config: &Config, why: &Trouble) -> Result<(Opening, Damage), Trouble> {
    let what = match why {
        Trouble::Sqlite(error) => error.to_string(),
        _ => String::new(),
    };
    let kept_at = salvage::put_aside(path).map_err(Trouble::Salvage)?;
    private(path).map_err(|e| Trouble::Salvage(e.to_string()))?;
    let mut opening = Opening::of(path, config)?;
    let (salvaged, lost) = salvage::take_over(&kept_at, &mut opening.db)?;
    drop(opening);
    let opening = Opening::of(path, config)?;
    let damage = Damage {
        what,
        kept_at,
        salvaged,
        lost,
    };
    Ok((opening, damage))
}

fn set_up_writer(db: &Connection, config: &Config) -> Result<(), Trouble> {
    // The others are sizes; these two are promises.
    let synchronous = match config.durability {
        Durability::Power => 2,
        Durability::Process | Durability::Memory => 1,
    };
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", synchronous)?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    db.pragma_update(None, "journal_size_limit", MAX_LOG)?;
    db.pragma_update(None, "cache_size", -CACHE)?;
    db.pragma_update(None, "temp_store", 2)?;
    db.pragma_update(None, "trusted_schema", false)?;
    // SQLite passes over what it does not understand, so everything is read back.
    let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Trouble::Setting(format!(
            "SQLite keeps its journal as `{mode}` there and not as a log; choose a folder on another \
             file system with --data-dir"
        )));
    }
    let expected = [
        ("synchronous", synchronous),
        ("wal_autocheckpoint", CHECKPOINT),
        ("journal_size_limit", MAX_LOG),
        ("cache_size", -CACHE),
        ("temp_store", 2),
        ("trusted_schema", 0),
    ];
    for (name, wanted) in expected {
        let found: i64 = db.pragma_query_value(None, name, |row| row.get(0))?;
        if found != wanted {
            return Err(Trouble::Setting(format!(
                "SQLite has set `{name}` to {found} and not to {wanted}"
            )));
        }
    }
    Ok(())
}

pub(super) fn set_up_reader(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "trusted_schema", false)
}
