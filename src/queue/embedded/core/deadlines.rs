//! Running tasks and their time limits.

use std::time::Duration;

use super::{Core, live_task::LiveTask, task_id};
use crate::queue::{
    clock::{ClockStep, Timestamp},
    control::{Signal, StopReason},
    event::Event,
    id::WorkerNumber,
    index::row::{Run, RunningInfo},
    options::TimeLimits,
    state::State,
    task::TaskFailure,
};

/// A run whose start was reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActiveRun {
    /// The number of the run among all runs.
    pub(super) number: u64,
    pub(super) run: Run,
    soft_at: Option<Timestamp>,
    hard_at: Option<Timestamp>,
    /// The time at which its worker is abandoned.
    abandon_at: Option<Timestamp>,
}

impl ActiveRun {
    pub(super) fn new(
        number: u64,
        worker: WorkerNumber,
        started_at: Timestamp,
        wait_time: Duration,
        limits: TimeLimits,
    ) -> Self {
        Self {
            number,
            run: Run {
                worker,
                started_at,
                wait_micros: micros(wait_time),
                run_micros: 0,
            },
            soft_at: limits.soft.map(|limit| started_at.after(limit)),
            hard_at: limits.hard.map(|limit| started_at.after(limit)),
            abandon_at: None,
        }
    }

    pub(super) const fn info(&self, task: &LiveTask) -> RunningInfo {
        RunningInfo {
            run: self.run,
            attempts: task.attempts,
            cancelling: task.cancelling,
            progress: None,
        }
    }

    /// The run after it has ended.
    pub(super) fn ended(&self, run_time: Duration) -> Run {
        Run {
            run_micros: micros(run_time),
            ..self.run
        }
    }

    pub(super) fn apply_clock_step(&mut self, step: ClockStep) {
        self.run.started_at = step.apply(self.run.started_at);
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

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
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
        let Some(active) = self.running.get_mut(&id) else {
            return;
        };
        active.abandon_at.get_or_insert(abandon_at);
        self.signals.push(Signal::Stop {
            worker: active.run.worker,
            run: active.number,
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
        for (id, active) in &mut self.running {
            let mut signal_stop = |reason| {
                self.signals.push(Signal::Stop {
                    worker: active.run.worker,
                    run: active.number,
                    reason,
                });
            };
            if passed(&mut active.soft_at, now) {
                signal_stop(StopReason::SoftLimit);
            }
            if passed(&mut active.hard_at, now) {
                signal_stop(StopReason::HardLimit);
                active
                    .abandon_at
                    .get_or_insert(now.after(self.limits.stop_grace));
            }
            if passed(&mut active.abandon_at, now) {
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
        let (Some(active), Some(cancelling)) = (self.running.get(&id).copied(), cancelling) else {
            return;
        };
        let worker = active.run.worker;
        let last_run = Some(active.ended(now.since(active.run.started_at)));
        self.signals.push(Signal::Abandon { worker });
        self.emit(Event::Stuck {
            id: task_id(id),
            worker: worker.into(),
        });
        if cancelling {
            self.finish_task(now, id, State::Cancelled, None, last_run, None);
            return;
        }
        let why = format!(
            "did not stop within {:?} of its time limit; its worker was abandoned",
            self.limits.stop_grace
        );
        let why = TaskFailure::new(TaskFailure::TIME_LIMIT, why);
        self.record_attempt(id, last_run, &why);
        self.finish_task(now, id, State::Failed, Some(why), last_run, None);
    }
}
