//! Checks the task file on a thread of its own, after the start and once a day: its structure by SQLite,
//! and every task by its checksum.

use std::{
    ops::Bound,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, TryRecvError},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, InterruptHandle, OpenFlags};

use super::{
    damage::DamageReporter,
    error::{explain, is_damage},
    pragmas::set_up_reader,
    read::{StoreReader, is_corrupt},
    scan::{RowSource, TaskTable},
};
use crate::{
    cause::Cause,
    health::{FindingKind, Findings},
    queue::{
        clock::Timestamp,
        index::{row::Row, rows::StorageError},
        storage::StorageCheck,
    },
    text::pluralize,
};

/// The interval between two checks.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// The pause after each chunk of tasks, so that a check takes a small part of one core.
const PAUSE: Duration = Duration::from_millis(1);
/// The interval in which a check that is to stop is interrupted again.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(5);
/// The subject of findings about changed tasks.
const CHANGED: &str = "changed tasks";
/// The most ids of changed tasks in a finding.
const MAX_IDS: usize = 5;

/// The result of a check of the structure: the damage, if there is any.
pub(super) type StructureDamage = Option<String>;

/// The thread that checks the file. It stops when this is dropped.
pub(super) struct Checker {
    stop: Option<mpsc::Sender<()>>,
    interrupt: InterruptHandle,
    thread: Option<JoinHandle<()>>,
    last: Arc<Mutex<Option<StorageCheck>>>,
}

impl Checker {
    /// Starts the thread. The receiver gets the result of the first check of the structure.
    pub(super) fn start(
        path: &Path,
        damage: DamageReporter,
        findings: &Findings,
    ) -> Result<(Self, mpsc::Receiver<StructureDamage>), StorageError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(explain)?;
        set_up_reader(&db).map_err(explain)?;
        let interrupt = db.get_interrupt_handle();
        let (stop, stopped) = mpsc::channel();
        let (damage_found, first) = mpsc::channel();
        let last = Arc::new(Mutex::new(None));
        let checks = Checks {
            db,
            damage,
            findings: findings.clone(),
            stopped,
            last: Arc::clone(&last),
        };
        let thread = thread::Builder::new()
            .name("checker".into())
            .spawn(move || checks.run(&damage_found))
            .map_err(|e| StorageError(Cause::in_context("cannot start the checker thread", e)))?;
        let checker = Self {
            stop: Some(stop),
            interrupt,
            thread: Some(thread),
            last,
        };
        Ok((checker, first))
    }

    /// The result of the last complete check.
    pub(super) fn last(&self) -> Option<StorageCheck> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.stop = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        // An interrupt that comes before a statement has begun is lost.
        while !thread.is_finished() {
            self.interrupt.interrupt();
            thread::park_timeout(INTERRUPT_INTERVAL);
        }
        thread.join().ok();
    }
}

impl std::fmt::Debug for Checker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checker")
    }
}

/// The work of the thread.
struct Checks {
    db: Connection,
    damage: DamageReporter,
    findings: Findings,
    stopped: mpsc::Receiver<()>,
    last: Arc<Mutex<Option<StorageCheck>>>,
}

impl Checks {
    fn run(self, first: &mpsc::Sender<StructureDamage>) {
        loop {
            let Some(damage_found) = self.check_structure() else {
                return;
            };
            if let Some(error) = &damage_found {
                self.damage.report("a check of its structure failed", error);
            }
            let damaged = damage_found.is_some();
            // Only a start waits for it, and not for long.
            first.send(damage_found).ok();
            let Some(changed) = self.check_tasks() else {
                return;
            };
            let check = StorageCheck {
                at: now(),
                damaged,
                changed,
            };
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(check);
            match self.stopped.recv_timeout(INTERVAL) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Checks the structure of the file and returns its damage; `None` when the thread is to stop.
    fn check_structure(&self) -> Option<StructureDamage> {
        if self.is_stopped() {
            return None;
        }
        let found = self
            .db
            .query_row("PRAGMA quick_check(1)", (), |row| row.get::<_, String>(0));
        match found {
            _ if self.is_stopped() => None,
            Ok(found) if found == "ok" => Some(None),
            Ok(found) => Some(Some(found)),
            Err(error) if is_damage(&error) => Some(Some(error.to_string())),
            Err(error) => {
                tracing::warn!(%error, "the task file could not be checked");
                Some(None)
            }
        }
    }

    /// Verifies the checksum of every task; returns the number of changed ones, or `None` when the thread
    /// is to stop.
    fn check_tasks(&self) -> Option<usize> {
        let (mut changed, mut count) = (Vec::new(), 0);
        for table in [TaskTable::Unfinished, TaskTable::Finished] {
            // Tasks that are stored from now on belong to the next check: while many are submitted, this
            // one would never come to its end.
            let Some(newest) = self.newest(table) else {
                continue;
            };
            let (mut from, to) = (Bound::Unbounded, Bound::Included((0, newest)));
            loop {
                if self.is_stopped() {
                    return None;
                }
                let reader = StoreReader::new(&self.db, &self.damage);
                let range = (from, to);
                // Damage of the structure is reported by the reader.
                let Ok(rows) = reader.chunk(RowSource::All(table), range, false) else {
                    break;
                };
                let is_changed = |row: &Row| row.cold().error.as_deref().is_some_and(is_corrupt);
                let found = rows.rows.iter().filter(|(_, row)| is_changed(row));
                let before = count;
                count += found.clone().count();
                let room = MAX_IDS.saturating_sub(before);
                changed.extend(found.map(|(_, row)| row.id).take(room));
                let Some((key, row)) = rows.rows.back() else {
                    break;
                };
                from = Bound::Excluded((*key, row.id));
                thread::sleep(PAUSE);
            }
        }
        self.report_changed(count, &changed);
        Some(count)
    }

    /// Returns the highest id in a table; `None` if it is empty. If that cannot be read, every task is
    /// checked, and the reader reports the damage.
    fn newest(&self, table: TaskTable) -> Option<u64> {
        let sql = match table {
            TaskTable::Unfinished => "SELECT max(id) FROM unfinished",
            TaskTable::Finished => "SELECT max(id) FROM finished",
        };
        let newest = self
            .db
            .query_row(sql, (), |row| row.get::<_, Option<i64>>(0));
        let newest = newest.unwrap_or(Some(i64::MAX))?;
        u64::try_from(newest).ok()
    }

    fn report_changed(&self, count: usize, some: &[u64]) {
        let kind = FindingKind::TaskFileDamaged;
        if count == 0 {
            self.findings.resolve(kind, CHANGED);
            return;
        }
        let ids: Vec<String> = some.iter().map(|id| format!("#{id}")).collect();
        let etc = if count > some.len() { ", …" } else { "" };
        let text = format!(
            "the stored data of {} has changed on disk: {}{etc}",
            pluralize(count, "task"),
            ids.join(", ")
        );
        self.findings.report(kind, CHANGED, &text);
    }
}

/// Returns the time on the wall clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::default().after(since.unwrap_or_default())
}
