//! What runs, and for how long it may.

use std::time::Duration;

use super::{Core, Signal, live_task::LiveTask, task_id};
use crate::queue::{
    broker::Event,
    clock::ClockStep,
    embedded::store::row::{LastRun, RunningInfo},
    executor::control::Stop,
    task::{State, TimeLimits, Timestamp, WorkerId},
};

/// A run that a worker has reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActiveRun {
    pub(super) run: u64,
    pub(super) worker: WorkerId,
    pub(super) started_at: Timestamp,
    pub(super) waited: Duration,
    soft_at: Option<Timestamp>,
    hard_at: Option<Timestamp>,
    /// When its worker is given up.
    stuck_at: Option<Timestamp>,
}

impl ActiveRun {
    pub(super) fn new(
        run: u64,
        worker: WorkerId,
        started_at: Timestamp,
        waited: Duration,
        limits: TimeLimits,
    ) -> Self {
        Self {
            run,
            worker,
            started_at,
            waited,
            soft_at: limits.soft.map(|limit| started_at.after(limit)),
            hard_at: limits.hard.map(|limit| started_at.after(limit)),
            stuck_at: None,
        }
    }

    pub(super) const fn live(&self, entry: &LiveTask) -> RunningInfo {
        RunningInfo {
            worker: self.worker,
            started_at: self.started_at,
            waited: self.waited,
            attempts: entry.attempts,
            cancelling: entry.cancelling,
            progress: None,
        }
    }

    pub(super) fn last(&self, ran: Duration) -> LastRun {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        LastRun {
            started_at: self.started_at,
            waited: micros(self.waited),
            ran: micros(ran),
            worker: self.worker,
        }
    }

    pub(super) fn jump(&mut self, jump: ClockStep) {
        self.started_at = jump.apply(self.started_at);
        for at in [&mut self.soft_at, &mut self.hard_at, &mut self.stuck_at] {
            *at = at.map(|at| jump.apply(at));
        }
    }

    pub(super) fn next_limit(&self) -> Option<Timestamp> {
        [self.soft_at, self.hard_at, self.stuck_at]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Takes a limit away when it is reached.
fn reached(limit: &mut Option<Timestamp>, now: Timestamp) -> bool {
    limit.take_if(|at| *at <= now).is_some()
}

impl Core {
    /// A worker has it from now on.
    pub(super) fn watch(&mut self, id: u64, run: ActiveRun) {
        self.next_limit = [self.next_limit, run.next_limit()]
            .into_iter()
            .flatten()
            .min();
        self.running.insert(id, run);
    }

    /// A person wants a running task to stop.
    pub(super) fn stop_running(&mut self, now: Timestamp, id: u64) {
        let stuck_at = now.after(self.limits.patience);
        let Some(run) = self.running.get_mut(&id) else {
            return;
        };
        run.stuck_at.get_or_insert(stuck_at);
        self.signals.push(Signal::Ask {
            worker: run.worker,
            run: run.run,
            how: Stop::Cancelled,
        });
        self.find_next_limit();
    }

    pub(super) fn find_next_limit(&mut self) {
        self.next_limit = self
            .running
            .values()
            .filter_map(ActiveRun::next_limit)
            .min();
    }

    pub(super) fn check_limits(&mut self, now: Timestamp) {
        if self.next_limit.is_none_or(|at| at > now) {
            return;
        }
        let mut stuck = Vec::new();
        for (id, run) in &mut self.running {
            let mut ask = |how| {
                self.signals.push(Signal::Ask {
                    worker: run.worker,
                    run: run.run,
                    how,
                });
            };
            if reached(&mut run.soft_at, now) {
                ask(Stop::Softly);
            }
            if reached(&mut run.hard_at, now) {
                ask(Stop::Overdue);
                run.stuck_at.get_or_insert(now.after(self.limits.patience));
            }
            if reached(&mut run.stuck_at, now) {
                stuck.push(*id);
            }
        }
        for id in stuck {
            self.give_up(now, id);
        }
        self.find_next_limit();
    }

    /// It had to stop and did not: its life is over, whatever its worker still does. What that comes to
    /// in the end is late.
    fn give_up(&mut self, now: Timestamp, id: u64) {
        let cancelling = self.entries.get(&id).map(|entry| entry.cancelling);
        let (Some(run), Some(cancelling)) = (self.running.get(&id).copied(), cancelling) else {
            return;
        };
        let ran = now.since(run.started_at);
        self.signals.push(Signal::GiveUp { worker: run.worker });
        self.note(Event::Stuck {
            id: task_id(id),
            worker: run.worker,
        });
        if cancelling {
            self.end(now, id, State::Cancelled, None, Some(run.last(ran)), None);
            return;
        }
        let why = format!(
            "did not stop within {:?} of its time limit; its worker is given up",
            self.limits.patience
        );
        self.log_attempt(id, Some(&run), ran, &why);
        self.end(
            now,
            id,
            State::Failed,
            Some(why.into()),
            Some(run.last(ran)),
            None,
        );
    }
}
