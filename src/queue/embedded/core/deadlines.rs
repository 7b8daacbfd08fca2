//! Running tasks and their time limits.

use std::time::Duration;

use super::{Core, live_task::LiveTask, task_id};
use crate::queue::{
    clock::{ClockStep, Timestamp},
    event::Event,
    executor::control::{Signal, StopReason},
    id::WorkerNumber,
    index::row::{LastRun, RunningInfo},
    options::TimeLimits,
    state::State,
};

/// A run whose start was reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActiveRun {
    pub(super) run: u64,
    pub(super) worker: WorkerNumber,
    pub(super) started_at: Timestamp,
    pub(super) wait_time: Duration,
    soft_at: Option<Timestamp>,
    hard_at: Option<Timestamp>,
    /// The time at which its worker is abandoned.
    abandon_at: Option<Timestamp>,
}

impl ActiveRun {
    pub(super) fn new(
        run: u64,
        worker: WorkerNumber,
        started_at: Timestamp,
        wait_time: Duration,
        limits: TimeLimits,
    ) -> Self {
        Self {
            run,
            worker,
            started_at,
            wait_time,
            soft_at: limits.soft.map(|limit| started_at.after(limit)),
            hard_at: limits.hard.map(|limit| started_at.after(limit)),
            abandon_at: None,
        }
    }

    pub(super) const fn info(&self, task: &LiveTask) -> RunningInfo {
        RunningInfo {
            worker: self.worker,
            started_at: self.started_at,
            wait_time: self.wait_time,
            attempts: task.attempts,
            cancelling: task.cancelling,
            progress: None,
        }
    }

    pub(super) fn last_run(&self, run_time: Duration) -> LastRun {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        LastRun {
            started_at: self.started_at,
            wait_micros: micros(self.wait_time),
            run_micros: micros(run_time),
            worker: self.worker,
        }
    }

    pub(super) fn apply_clock_step(&mut self, step: ClockStep) {
        self.started_at = step.apply(self.started_at);
        for at in [&mut self.soft_at, &mut self.hard_at, &mut self.abandon_at] {
            *at = at.map(|at| step.apply(at));
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        [self.soft_at, self.hard_at, self.abandon_at]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Clears a deadline that has passed; returns whether it had.
fn passed(deadline: &mut Option<Timestamp>, now: Timestamp) -> bool {
    deadline.take_if(|at| *at <= now).is_some()
}

impl Core {
    /// Adds a run whose start was reported.
    pub(super) fn track_run(&mut self, id: u64, run: ActiveRun) {
        self.next_run_deadline = [self.next_run_deadline, run.next_deadline()]
            .into_iter()
            .flatten()
            .min();
        self.running.insert(id, run);
    }

    /// Signals the worker of a cancelled task to stop its run.
    pub(super) fn request_stop(&mut self, now: Timestamp, id: u64) {
        let abandon_at = now.after(self.limits.stop_grace);
        let Some(run) = self.running.get_mut(&id) else {
            return;
        };
        run.abandon_at.get_or_insert(abandon_at);
        self.signals.push(Signal::Stop {
            worker: run.worker,
            run: run.run,
            reason: StopReason::Cancelled,
        });
        self.update_next_run_deadline();
    }

    pub(super) fn update_next_run_deadline(&mut self) {
        self.next_run_deadline = self
            .running
            .values()
            .filter_map(ActiveRun::next_deadline)
            .min();
    }

    pub(super) fn enforce_limits(&mut self, now: Timestamp) {
        if self.next_run_deadline.is_none_or(|at| at > now) {
            return;
        }
        let mut stuck = Vec::new();
        for (id, run) in &mut self.running {
            let mut signal_stop = |reason| {
                self.signals.push(Signal::Stop {
                    worker: run.worker,
                    run: run.run,
                    reason,
                });
            };
            if passed(&mut run.soft_at, now) {
                signal_stop(StopReason::SoftLimit);
            }
            if passed(&mut run.hard_at, now) {
                signal_stop(StopReason::HardLimit);
                run.abandon_at
                    .get_or_insert(now.after(self.limits.stop_grace));
            }
            if passed(&mut run.abandon_at, now) {
                stuck.push(*id);
            }
        }
        for id in stuck {
            self.abandon_run(now, id);
        }
        self.update_next_run_deadline();
    }

    /// Finishes a task whose run did not stop in time. A later report of that run is stale.
    fn abandon_run(&mut self, now: Timestamp, id: u64) {
        let cancelling = self.tasks.get(&id).map(|task| task.cancelling);
        let (Some(run), Some(cancelling)) = (self.running.get(&id).copied(), cancelling) else {
            return;
        };
        let run_time = now.since(run.started_at);
        let last_run = Some(run.last_run(run_time));
        self.signals.push(Signal::Abandon { worker: run.worker });
        self.emit(Event::Stuck {
            id: task_id(id),
            worker: run.worker.into(),
        });
        if cancelling {
            self.finish_task(now, id, State::Cancelled, None, last_run, None);
            return;
        }
        let why = format!(
            "did not stop within {:?} of its time limit; its worker was abandoned",
            self.limits.stop_grace
        );
        self.record_attempt(id, Some(&run), run_time, &why);
        self.finish_task(now, id, State::Failed, Some(why.into()), last_run, None);
    }
}
