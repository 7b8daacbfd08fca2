//! Changes as statements. Every statement is prepared once.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{
    Completion, Reschedule, StoreChange,
    row::{ExecOverrides, Row},
};
use crate::queue::task::{Attempt, State, Timestamp};

/// How the numbers of ended tasks by state change with a transaction.
pub(super) type Tally = [isize; 8];

const NEW: &str = "INSERT INTO waiting VALUES \
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)";

const WAITS: &str = "UPDATE waiting SET state = ?2, ready_at = ?3, due_at = ?4, wall_clock = ?5, \
    expires_at = ?6, attempts = ?7, crashes = ?8, error = coalesce(?9, error) WHERE id = ?1";

const ENDED: &str = "INSERT INTO ended \
    SELECT id, ?2, name, args, queue, key, rule, priority, ?3, max_attempts, ?4, submitted_at, \
           ready_at, due_at, wall_clock, expires_at, soft_limit, hard_limit, keep, \
           coalesce(?5, error), checksum, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 \
    FROM waiting WHERE id = ?1";

const AGAIN: &str = "INSERT INTO waiting \
    SELECT id, ?2, name, args, queue, key, rule, priority, ?7, max_attempts, ?8, submitted_at, \
           ?3, ?4, ?5, ?6, soft_limit, hard_limit, keep, coalesce(?9, error), checksum \
    FROM ended WHERE id = ?1";

const FORGET: &str = "DELETE FROM ended WHERE id = ?1 RETURNING state";

/// Does one change.
pub(super) fn apply(
    db: &Connection,
    change: &StoreChange,
    tally: &mut Tally,
) -> rusqlite::Result<()> {
    match change {
        StoreChange::New(row) => insert(db, row),
        StoreChange::Reschedule(waits) => wait(db, WAITS, waits),
        StoreChange::Attempt(id, attempt) => log(db, *id, attempt),
        StoreChange::Completion(id, ended) => end(db, *id, ended, tally),
        StoreChange::Requeue(waits) => {
            wait(db, AGAIN, waits)?;
            forget(db, waits.id, tally).map(drop)
        }
        StoreChange::Delete(ids) => {
            for id in ids {
                if forget(db, *id, tally)? {
                    db.prepare_cached("DELETE FROM attempts WHERE task = ?1")?
                        .execute([number(*id)])?;
                }
            }
            Ok(())
        }
        StoreChange::Submit(row) => {
            let answer = serde_json::to_string(&row.runs).unwrap_or_default();
            db.prepare_cached("INSERT OR REPLACE INTO submits VALUES (?1, ?2, ?3)")?
                .execute(params![row.id.0.to_be_bytes(), time(row.at), answer])?;
            Ok(())
        }
        StoreChange::ExpireKeys(before) => {
            db.prepare_cached("DELETE FROM submits WHERE at < ?1")?
                .execute([time(*before)])?;
            Ok(())
        }
    }
}

fn insert(db: &Connection, row: &Row) -> rusqlite::Result<()> {
    let rare = row.rare();
    let terms = rare.terms.as_deref().copied().unwrap_or_default();
    let ExecOverrides { limits, keep } = terms;
    db.prepare_cached(NEW)?.execute(params![
        number(row.id),
        row.state.word(),
        &*row.name,
        &*row.args,
        rare.queue.as_deref(),
        rare.key.as_deref().map(|key| &*key.text),
        rare.key.as_deref().map(|key| key.rule.word()),
        row.priority,
        row.attempts,
        row.max_attempts,
        row.crashes,
        time(row.submitted_at),
        time(row.ready_at),
        rare.due_at.map(time),
        rare.wall_clock,
        rare.expires_at.map(time),
        limits.soft.map(micros),
        limits.hard.map(micros),
        keep.map(micros),
        rare.error.as_deref(),
        checksum(row),
    ])?;
    Ok(())
}

fn wait(db: &Connection, sql: &str, waits: &Reschedule) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute(params![
        number(waits.id),
        waits.state.word(),
        time(waits.ready_at),
        waits.due_at.map(time),
        waits.wall_clock,
        waits.expires_at.map(time),
        waits.attempts,
        waits.crashes,
        waits.error.as_deref(),
    ])?;
    Ok(())
}

fn end(db: &Connection, id: u64, ended: &Completion, tally: &mut Tally) -> rusqlite::Result<()> {
    let (end, last) = (&ended.end, ended.end.last);
    let result = end.result.as_deref();
    db.prepare_cached(ENDED)?.execute(params![
        number(id),
        ended.state.word(),
        ended.attempts,
        ended.crashes,
        ended.error.as_deref(),
        last.map(|run| time(run.started_at)),
        last.map(|run| number(run.waited)),
        last.map(|run| number(run.ran)),
        last.map(|run| run.worker.0),
        time(end.finished_at),
        time(end.forget_at),
        result,
        result.map(|text| result_checksum(id, text)),
    ])?;
    db.prepare_cached("DELETE FROM waiting WHERE id = ?1")?
        .execute([number(id)])?;
    count(tally, ended.state, 1);
    Ok(())
}

fn log(db: &Connection, id: u64, attempt: &Attempt) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            number(id),
            time(attempt.started_at),
            attempt.worker.map(|worker| worker.0),
            micros(attempt.waited),
            micros(attempt.ran),
            &*attempt.error,
        ])?;
    Ok(())
}

/// Answers whether it was there.
pub(super) fn forget(db: &Connection, id: u64, tally: &mut Tally) -> rusqlite::Result<bool> {
    let state: Option<String> = db
        .prepare_cached(FORGET)?
        .query_row([number(id)], |row| row.get(0))
        .optional()?;
    if let Some(state) = state.as_ref().and_then(|word| word.parse().ok()) {
        count(tally, state, -1);
    }
    Ok(state.is_some())
}

/// Remembers the highest id: it is not to be given again when its task has been forgotten.
pub(super) fn remember(db: &Connection, last_id: u64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE name = 'last_id'")?
        .execute([number(last_id)])?;
    Ok(())
}

fn count(tally: &mut Tally, state: State, by: isize) {
    if let Some(count) = tally.get_mut(state.index()) {
        *count += by;
    }
}

/// Over everything that a task was submitted with: a bit that a disk has turned must not run.
pub(super) fn checksum(row: &Row) -> i64 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&row.id.to_le_bytes());
    let key = row.rare().key.as_deref().map_or("", |key| &*key.text);
    for text in [&*row.name, &*row.args, key] {
        hash.update(&text.len().to_le_bytes());
        hash.update(text.as_bytes());
    }
    i64::from(hash.finalize())
}

/// Over what came of a task.
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
