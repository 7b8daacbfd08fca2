//! The life of one task: every step that it takes, with its timers and its places in the indexes.

use std::{collections::BTreeSet, time::Duration};

use super::{Core, Signal, Timer, index::Index, rank, record::Record, task_id};
use crate::queue::{
    broker::{BrokerError, Event},
    task::{Attempt, State, Step, TaskId, Timestamp, WorkerId},
    worker::{Ended, Outcome, Started},
};

/// The first and the longest pause between attempts.
pub(super) const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

impl Core {
    /// A worker has begun. A signal comes back when it should stop at once.
    pub(in crate::queue::embedded) fn started(
        &mut self,
        worker: WorkerId,
        started: Started,
    ) -> Option<Signal> {
        let Started { id, run, at } = started;
        let record = self.tasks.get_mut(&id).filter(|record| record.run == run)?;
        self.handed -= 1;
        record.worker = Some(worker);
        record.started_at = Some(at);
        record.finished_at = None;
        record.attempts = record.attempts.saturating_add(1);
        self.meter.wait(at.since(record.ready_at));
        let stop = record.cancelling;
        disarm(&mut self.timers, id, record);
        take_step(&mut self.index, id, record, Step::Start);
        self.note(Event::Started {
            id: task_id(id),
            worker,
        });
        stop.then_some(Signal { worker, run })
    }

    /// A worker has ended a run.
    pub(in crate::queue::embedded) fn ended(&mut self, worker: WorkerId, ended: Ended) {
        let Ended {
            id,
            run,
            at,
            outcome,
        } = ended;
        let Some(record) = self
            .tasks
            .get_mut(&id)
            .filter(|record| record.run == run && record.state == State::Running)
        else {
            self.meter.late += 1;
            return;
        };
        let ran = record
            .started_at
            .map_or(Duration::ZERO, |start| at.since(start));
        let step = match outcome {
            Outcome::Succeeded(result) => {
                record.result = Some(result);
                Step::Succeed
            }
            Outcome::Cancelled => Step::Cancel,
            Outcome::Failed { error, again } => {
                record.errors.push(Attempt { at, error });
                if again && record.attempts < record.max_attempts && !record.cancelling {
                    Step::FailForNow
                } else {
                    Step::FailForGood
                }
            }
        };
        self.meter.run(ran);
        let state = if step == Step::FailForNow {
            self.schedule_retry(id, at);
            self.step(id, step);
            State::Retrying
        } else {
            disarm(&mut self.timers, id, record);
            record.end(at);
            take_step(&mut self.index, id, record, step);
            self.meter.ended(at);
            record.state
        };
        self.note(Event::Ended {
            id: task_id(id),
            state,
            worker: Some(worker),
            ran,
        });
        self.forget_surplus();
    }

    /// Cancels a task. The caller has taken back what was handed over, so a task that is neither
    /// waiting nor running is in a worker's hands.
    pub(in crate::queue::embedded) fn cancel(
        &mut self,
        now: Timestamp,
        id: TaskId,
    ) -> Result<(State, Option<Signal>), BrokerError> {
        let (key, record) = self.find(id)?;
        let in_hands = record.state == State::Queued && record.run != 0;
        if record.state == State::Running || in_hands {
            record.cancelling = true;
            let signal = record.worker.filter(|_| !in_hands).map(|worker| Signal {
                worker,
                run: record.run,
            });
            return Ok((State::Running, signal));
        }
        if let Err(why) = record.state.after(Step::Cancel) {
            return Err(BrokerError::Illegal { id, why });
        }
        let rank = record.rank;
        self.ready.remove((rank, key));
        self.finish(key, now, Step::Cancel);
        self.note(Event::Ended {
            id,
            state: State::Cancelled,
            worker: None,
            ran: Duration::ZERO,
        });
        self.forget_surplus();
        Ok((State::Cancelled, None))
    }

    pub(in crate::queue::embedded) fn retry(
        &mut self,
        now: Timestamp,
        id: TaskId,
    ) -> Result<State, BrokerError> {
        let backlog = self.index.unfinished();
        let limit = self.limits.backlog;
        let (key, record) = self.find(id)?;
        if let Err(why) = record.state.after(Step::Retry) {
            return Err(BrokerError::Illegal { id, why });
        }
        if backlog >= limit {
            return Err(BrokerError::Overloaded { backlog, limit });
        }
        record.attempts = 0;
        record.expires_at = None;
        record.result = None;
        self.make_ready(now, key, Step::Retry);
        self.note(Event::Requeued { id });
        Ok(State::Queued)
    }

    /// What was running when the engine stopped.
    pub(in crate::queue::embedded) fn abandon(&mut self, now: Timestamp) -> usize {
        let running: Vec<u64> = self.index.of(State::Running).collect();
        for id in &running {
            self.finish(*id, now, Step::Cancel);
        }
        running.len()
    }

    /// [`take_step`] for a task that is not at hand.
    fn step(&mut self, id: u64, step: Step) {
        if let Some(record) = self.tasks.get_mut(&id) {
            take_step(&mut self.index, id, record, step);
        }
    }

    pub(super) fn make_ready(&mut self, now: Timestamp, id: u64, step: Step) {
        let Some(record) = self.tasks.get_mut(&id) else {
            return;
        };
        record.rank = rank(now, record.priority);
        record.ready_at = now;
        record.run = 0;
        record.due_at = None;
        record.cancelling = false;
        record.worker = None;
        let (before, rank) = (record.state, record.rank);
        // The slowest are listed by how long they ran; a task that runs again leaves that list.
        self.index.leave_slowest(id, record);
        record.started_at = None;
        record.finished_at = None;
        debug_assert!(before.after(step).is_ok());
        self.step(id, step);
        self.ready.insert((rank, id));
    }

    fn schedule_retry(&mut self, id: u64, now: Timestamp) {
        let Some(record) = self.tasks.get_mut(&id) else {
            return;
        };
        let doublings = u32::from(record.attempts.saturating_sub(1)).min(16);
        let most = (FIRST_RETRY * 2u32.pow(doublings)).min(LONGEST_RETRY);
        // Full jitter: many that failed together do not come back together.
        self.dice = splitmix(self.dice);
        let share = (self.dice >> 11) as f64 / (1u64 << 53) as f64;
        let due = now.after(most.mul_f64(share));
        record.due_at = Some(due);
        record.run = 0;
        self.timers.insert((due, id, Timer::Due));
        if let Some(expires) = record.expires_at {
            self.timers.insert((expires, id, Timer::Expire));
        }
    }

    pub(super) fn expire(&mut self, now: Timestamp, id: u64) {
        let Some(record) = self.tasks.get(&id) else {
            return;
        };
        let waits = record.run == 0 && record.state.after(Step::Expire).is_ok();
        if waits {
            let rank = record.rank;
            self.ready.remove((rank, id));
            self.finish(id, now, Step::Expire);
            self.note(Event::Ended {
                id: task_id(id),
                state: State::Expired,
                worker: None,
                ran: Duration::ZERO,
            });
            self.forget_surplus();
        }
    }

    fn finish(&mut self, id: u64, now: Timestamp, step: Step) {
        if let Some(record) = self.tasks.get_mut(&id) {
            disarm(&mut self.timers, id, record);
            record.end(now);
            take_step(&mut self.index, id, record, step);
        }
        self.meter.ended(now);
    }
}

/// Takes a step that the caller knows to be legal, and keeps the index in step. These two are no
/// methods so that a task is looked for once and not once for each thing that is done to it.
fn take_step(index: &mut Index, id: u64, record: &mut Record, step: Step) {
    match record.state.after(step) {
        Ok(state) => {
            let before = record.state;
            record.state = state;
            index.moved(id, before, record);
        }
        Err(why) => debug_assert!(false, "#{id}: {why}"),
    }
}

/// Takes a task's timers away.
fn disarm(timers: &mut BTreeSet<(Timestamp, u64, Timer)>, id: u64, record: &Record) {
    if let Some(due) = record.due_at {
        timers.remove(&(due, id, Timer::Due));
    }
    if let Some(expires) = record.expires_at {
        timers.remove(&(expires, id, Timer::Expire));
    }
}

/// A well-mixed next number (splitmix64).
fn splitmix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
