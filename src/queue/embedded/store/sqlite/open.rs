//! Opening the file: who else has it, is it whole, and does it keep what it is told to keep.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use hdrhistogram::Histogram;
use rusqlite::Connection;

use super::{
    Sqlite, count_ended,
    pragmas::{Trouble, set_up_writer},
    reader_thread::Pages,
    salvage,
    schema::migrate,
};
use crate::{
    files::{self, LockError, LockedFile},
    queue::embedded::store::{Damage, OpenReport, StoreConfig, StoreError, slots::InFlightFile},
};

/// The files, by what follows `tasks.` in their names.
const DATABASE: &str = "tasks.db";
const LOCK: &str = "tasks.lock";
const SLOTS: &str = "tasks.slots";

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

pub(super) fn open(config: &StoreConfig) -> Result<(Sqlite, OpenReport), OpenError> {
    let folder = config.folder.clone().unwrap_or_else(|| PathBuf::from("."));
    let unusable = |path: &Path, why: String| OpenError::Unusable {
        path: path.display().to_string(),
        why,
    };
    files::create_folder(&folder).map_err(|e| unusable(&folder, e.to_string()))?;
    let lock = lock(&folder)?;
    let path = folder.join(DATABASE);
    let slots_path = folder.join(SLOTS);
    let (slots, noted) =
        InFlightFile::open(&slots_path).map_err(|e| unusable(&slots_path, e.to_string()))?;
    let fail = |why: Trouble| unusable(&path, why.words());
    // SQLite would create a file that others can read.
    files::open(&path).map_err(|e| unusable(&path, e.to_string()))?;
    let (opening, damage) = match Opening::of(&path, config) {
        Ok(opening) => (opening, None),
        Err(why) if why.is_damage() => {
            let (opening, damage) = anew(&path, config, &why).map_err(fail)?;
            (opening, Some(damage))
        }
        Err(why) => return Err(fail(why)),
    };
    // What SQLite has removed on its way is not to come back after a power cut.
    files::sync_folder(&folder).map_err(|e| unusable(&folder, e.to_string()))?;
    let pages = Pages::start(&path).map_err(|StoreError(why)| unusable(&path, why))?;
    let known = opening.last_id;
    let missing = (noted.acknowledged > known).then_some((known + 1, noted.acknowledged));
    let last_id = known.max(noted.acknowledged);
    let opened = OpenReport {
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
fn lock(folder: &Path) -> Result<LockedFile, OpenError> {
    let path = folder.join(LOCK);
    let unusable = |e: std::io::Error| OpenError::Unusable {
        path: path.display().to_string(),
        why: e.to_string(),
    };
    let mut lock = LockedFile::try_lock(&path).map_err(|e| match e {
        LockError::Held(holder) => OpenError::InUse {
            folder: folder.display().to_string(),
            holder: match holder.trim() {
                "" => "somebody".to_owned(),
                pid => pid.chars().filter(char::is_ascii_digit).take(20).collect(),
            },
        },
        LockError::Io(e) => unusable(e),
    })?;
    let note = format!("{}\n", std::process::id());
    lock.write_note(&note).map_err(unusable)?;
    Ok(lock)
}

/// An open file that keeps what it is told to keep.
pub(super) struct Opening {
    pub(super) db: Connection,
    ended: [usize; 8],
    last_id: u64,
}

impl Opening {
    pub(super) fn of(path: &Path, config: &StoreConfig) -> Result<Self, Trouble> {
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
fn anew(path: &Path, config: &StoreConfig, why: &Trouble) -> Result<(Opening, Damage), Trouble> {
    let what = match why {
        Trouble::Sqlite(error) => error.to_string(),
        _ => String::new(),
    };
    let kept_at = salvage::put_aside(path).map_err(Trouble::Salvage)?;
    files::open(path).map_err(|e| Trouble::Salvage(e.to_string()))?;
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
