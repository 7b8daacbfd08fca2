//! Store changes as SQL statements, each prepared once.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Statement, params};

use super::super::StoreChange;
use crate::queue::{
    clock::Timestamp,
    id::WorkerId,
    index::row::{Completion, ExecOverrides, Reschedule, Row},
    state::State,
    task::{Attempt, TaskFailure},
};

/// The changes that a transaction makes to the numbers of finished tasks by state.
pub(super) type CountChanges = [isize; State::COUNT];

const INSERT: &str = "INSERT INTO unfinished VALUES \
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)";

const RESCHEDULE: &str = "UPDATE unfinished SET state = ?2, ready_at = ?3, due_at = ?4, wall_clock = ?5, \
    expires_at = ?6, attempts = ?7, crashes = ?8, error = coalesce(?9, error), \
    error_kind = iif(?9 IS NULL, error_kind, ?10), traceback = iif(?9 IS NULL, traceback, ?11) WHERE id = ?1";

const COMPLETE: &str = "INSERT INTO finished \
    SELECT id, ?2, name, args, queue, key, key_policy, priority, ?3, max_attempts, ?4, submitted_at, \
           ready_at, due_at, wall_clock, expires_at, soft_limit, hard_limit, result_ttl, \
           coalesce(?5, error), checksum, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, \
           iif(?5 IS NULL, error_kind, ?14), iif(?5 IS NULL, traceback, ?15) \
    FROM unfinished WHERE id = ?1";

const REQUEUE: &str = "INSERT INTO unfinished \
    SELECT id, ?2, name, args, queue, key, key_policy, priority, ?7, max_attempts, ?8, submitted_at, \
           ?3, ?4, ?5, ?6, soft_limit, hard_limit, result_ttl, coalesce(?9, error), checksum, \
           iif(?9 IS NULL, error_kind, ?10), iif(?9 IS NULL, traceback, ?11) \
    FROM finished WHERE id = ?1";

const DELETE: &str = "DELETE FROM finished WHERE id = ?1 RETURNING state";

/// Executes changes in order.
pub(super) fn apply(
    db: &Connection,
    changes: &[StoreChange],
    counts: &mut CountChanges,
) -> rusqlite::Result<()> {
    // Most commits insert many tasks: the statement is looked up once.
    let mut insertion = db.prepare_cached(INSERT)?;
    for change in changes {
        apply_change(db, &mut insertion, change, counts)?;
    }
    Ok(())
}

fn apply_change(
    db: &Connection,
    insertion: &mut Statement<'_>,
    change: &StoreChange,
    counts: &mut CountChanges,
) -> rusqlite::Result<()> {
    match change {
        StoreChange::New(row) => insert(insertion, row),
        StoreChange::Reschedule(change) => reschedule(db, RESCHEDULE, change),
        StoreChange::Attempt(id, attempt) => insert_attempt(db, *id, attempt),
        StoreChange::Completion(id, completion) => complete(db, *id, completion, counts),
        StoreChange::Requeue(change) => {
            reschedule(db, REQUEUE, change)?;
            delete_row(db, change.id, counts).map(drop)
        }
        StoreChange::Delete(ids) => delete(db, ids, counts),
        StoreChange::Submit(row) => {
            let receipts = serde_json::to_string(&row.ids).unwrap_or_default();
            db.prepare_cached("INSERT OR REPLACE INTO submits VALUES (?1, ?2, ?3)")?
                .execute(params![row.key.0.to_be_bytes(), time(row.at), receipts])?;
            Ok(())
        }
        StoreChange::ExpireKeys(before) => {
            db.prepare_cached("DELETE FROM submits WHERE at < ?1")?
                .execute([time(*before)])?;
            Ok(())
        }
    }
}

fn insert(insertion: &mut Statement<'_>, row: &Row) -> rusqlite::Result<()> {
    let cold = row.cold();
    let overrides = cold.overrides.as_deref().copied().unwrap_or_default();
    let ExecOverrides { limits, result_ttl } = overrides;
    insertion.execute(params![
        number(row.id),
        row.state.as_str(),
        &*row.name,
        &*row.args,
        cold.queue.as_deref(),
        cold.key.as_deref().map(|key| &*key.text),
        cold.key.as_deref().map(|key| key.policy.as_str()),
        row.priority,
        row.attempts,
        row.max_attempts,
        row.crashes,
        time(row.submitted_at),
        time(row.ready_at),
        cold.due_at.map(time),
        cold.wall_clock,
        cold.expires_at.map(time),
        limits.soft.map(micros),
        limits.hard.map(micros),
        result_ttl.map(micros),
        message(&cold.error),
        checksum(row),
        kind(&cold.error),
        traceback(&cold.error),
    ])?;
    Ok(())
}

fn reschedule(db: &Connection, sql: &str, change: &Reschedule) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute(params![
        number(change.id),
        change.state.as_str(),
        time(change.ready_at),
        change.due_at.map(time),
        change.wall_clock,
        change.expires_at.map(time),
        change.attempts,
        change.crashes,
        message(&change.error),
        kind(&change.error),
        traceback(&change.error),
    ])?;
    Ok(())
}

fn complete(
    db: &Connection,
    id: u64,
    completion: &Completion,
    counts: &mut CountChanges,
) -> rusqlite::Result<()> {
    let (end, last_run) = (&completion.end, completion.end.last_run);
    let result = end.result.as_deref();
    db.prepare_cached(COMPLETE)?.execute(params![
        number(id),
        completion.state.as_str(),
        completion.attempts,
        completion.crashes,
        message(&completion.error),
        last_run.map(|run| time(run.started_at)),
        last_run.map(|run| number(run.wait_micros)),
        last_run.map(|run| number(run.run_micros)),
        last_run.map(|run| run.worker.0),
        time(end.finished_at),
        time(end.evict_at),
        result,
        result.map(|text| result_checksum(id, text)),
        kind(&completion.error),
        traceback(&completion.error),
    ])?;
    db.prepare_cached("DELETE FROM unfinished WHERE id = ?1")?
        .execute([number(id)])?;
    adjust(counts, completion.state, 1);
    Ok(())
}

fn insert_attempt(db: &Connection, id: u64, attempt: &Attempt) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            number(id),
            time(attempt.started_at),
            local(attempt.worker.as_ref()),
            micros(attempt.wait_time),
            micros(attempt.run_time),
            &*attempt.error.message,
            attempt.error.kind.as_deref(),
            attempt.error.traceback.as_deref(),
        ])?;
    Ok(())
}

/// Deletes finished tasks with their attempts.
pub(super) fn delete(
    db: &Connection,
    ids: &[u64],
    counts: &mut CountChanges,
) -> rusqlite::Result<()> {
    for id in ids {
        if delete_row(db, *id, counts)? {
            db.prepare_cached("DELETE FROM attempts WHERE task = ?1")?
                .execute([number(*id)])?;
        }
    }
    Ok(())
}

/// Deletes the row of a finished task; returns false when there is none.
fn delete_row(db: &Connection, id: u64, counts: &mut CountChanges) -> rusqlite::Result<bool> {
    let state: Option<String> = db
        .prepare_cached(DELETE)?
        .query_row([number(id)], |row| row.get(0))
        .optional()?;
    if let Some(state) = state.as_ref().and_then(|word| word.parse().ok()) {
        adjust(counts, state, -1);
    }
    Ok(state.is_some())
}

/// Stores the highest id, which is not used again when its task has been deleted.
pub(super) fn save_last_id(db: &Connection, last_id: u64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE name = 'last_id'")?
        .execute([number(last_id)])?;
    Ok(())
}

fn adjust(counts: &mut CountChanges, state: State, by: isize) {
    if let Some(count) = counts.get_mut(state.index()) {
        *count += by;
    }
}

/// The checksum of everything that a task was submitted with: a corrupted task must not run.
pub(super) fn checksum(row: &Row) -> i64 {
    let key = row.cold().key.as_deref().map_or("", |key| &*key.text);
    checksum_of(row.id, &row.name, &row.args, key)
}

/// The checksum of a task by its parts; the key is empty when there is none.
pub(super) fn checksum_of(id: u64, name: &str, args: &str, key: &str) -> i64 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&id.to_le_bytes());
    for text in [name, args, key] {
        hash.update(&text.len().to_le_bytes());
        hash.update(text.as_bytes());
    }
    i64::from(hash.finalize())
}

/// The checksum of a result.
pub(super) fn result_checksum(id: u64, result: &str) -> i64 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&id.to_le_bytes());
    hash.update(result.as_bytes());
    i64::from(hash.finalize())
}

pub(super) fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn time(at: Timestamp) -> i64 {
    number(at.0)
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

type StoredError = Option<Box<TaskFailure>>;

fn message(error: &StoredError) -> Option<&str> {
    error.as_ref().map(|error| &*error.message)
}

fn kind(error: &StoredError) -> Option<&str> {
    error.as_ref().and_then(|error| error.kind.as_deref())
}

fn traceback(error: &StoredError) -> Option<&str> {
    error.as_ref().and_then(|error| error.traceback.as_deref())
}

/// The number of a worker of this engine.
const fn local(worker: Option<&WorkerId>) -> Option<u16> {
    match worker {
        Some(WorkerId::Local(number)) => Some(*number),
        _ => None,
    }
}
