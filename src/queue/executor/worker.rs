//! One worker: it takes one task at a time from the short channel of jobs, and survives whatever the
//! task does.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;

use crate::queue::{
    clock::{Clock, Timestamp},
    context::Context,
    control::{RunEnd, StopReason, WorkerControl},
    executor::{
        in_flight::InFlightFile,
        job::{Job, JobExpired, RunEnded, RunOutcome, RunStarted, WorkerReport},
    },
    id::{TaskId, WorkerNumber},
    limits::MAX_PAYLOAD,
    registry::TaskError,
    task::TaskFailure,
};

// Workers survive the panics of their tasks by unwinding.
#[cfg(panic = "abort")]
compile_error!(
    "distro-tui must be built with `panic = \"unwind\"`: a panicking task fails, not the process"
);

/// A worker and its ends of the channels.
#[derive(Clone)]
pub(in crate::queue) struct Worker {
    pub(in crate::queue) id: WorkerNumber,
    pub(in crate::queue) control: Arc<WorkerControl>,
    pub(in crate::queue) clock: Clock,
    /// Records which task it runs, if a crash is to be attributed to tasks.
    pub(in crate::queue) in_flight: Option<Arc<InFlightFile>>,
    pub(in crate::queue) jobs: async_channel::Receiver<Job>,
    pub(in crate::queue) reports: async_channel::Sender<WorkerReport>,
}

impl Worker {
    /// Runs jobs until it is retired or the engine has stopped.
    pub(in crate::queue) async fn run(self) {
        let mut next = None;
        loop {
            let job = match next.take() {
                Some(job) => job,
                None => {
                    let Some(job) = self.next_job().await else {
                        break;
                    };
                    let started = Some(self.start_job(&job, self.clock.now()));
                    if !self.report(None, None, started).await {
                        break;
                    }
                    job
                }
            };
            let ended = self.run_job(&job).await;
            // A stream of short tasks would never wait, and so never yield the thread to another
            // worker.
            tokio::task::coop::consume_budget().await;
            let mut expired = None;
            if !self.control.retire.is_cancelled() {
                next = self.jobs.try_recv().ok();
                expired = next.take_if(|job| job.is_expired(ended.at));
            }
            let started = next.as_ref().map(|job| self.start_job(job, ended.at));
            if started.is_none() {
                self.record_in_flight(None);
            }
            if !self.report(Some(ended), expired, started).await {
                break;
            }
        }
        let last = WorkerReport {
            worker: self.id,
            ended: None,
            expired: None,
            started: None,
            stopped: true,
        };
        self.reports.send(last).await.ok();
    }

    /// The next job that has not expired: one may have waited here for long.
    async fn next_job(&self) -> Option<Job> {
        loop {
            let job = tokio::select! {
                biased;
                () = self.control.retire.cancelled() => return None,
                job = self.jobs.recv() => job.ok()?,
            };
            if !job.is_expired(self.clock.now()) {
                return Some(job);
            }
            if !self.report(None, Some(job), None).await {
                return None;
            }
        }
    }

    /// Sends a report; returns false when the engine has stopped.
    async fn report(
        &self,
        ended: Option<RunEnded>,
        expired: Option<Job>,
        started: Option<RunStarted>,
    ) -> bool {
        let report = WorkerReport {
            worker: self.id,
            ended,
            expired: expired.map(|job| JobExpired {
                id: job.id,
                run: job.run,
                at: self.clock.now(),
            }),
            started,
            stopped: false,
        };
        self.reports.send(report).await.is_ok()
    }

    fn start_job(&self, job: &Job, at: Timestamp) -> RunStarted {
        self.record_in_flight(Some(&job.id));
        self.control
            .start_run(job.id.clone(), &job.function.name, at);
        RunStarted {
            id: job.id.clone(),
            run: job.run,
            at,
        }
    }

    fn record_in_flight(&self, task: Option<&TaskId>) {
        if let Some(file) = &self.in_flight {
            file.record(self.id, task);
        }
    }

    async fn run_job(&self, job: &Job) -> RunEnded {
        let context = Context::new(
            job.id.clone(),
            job.run,
            job.attempt,
            Arc::clone(&self.control),
        );
        let work = AssertUnwindSafe(async {
            match job.function.start(&job.args, context) {
                Ok(run) => run.await,
                Err(why) => Err(TaskError::permanent(why)),
            }
        });
        let outcome = tokio::select! {
            biased;
            done = work.catch_unwind() => match done {
                Ok(result) => outcome_of(result),
                Err(panic) => failed(panic_failure(panic.as_ref()), false),
            },
            reason = self.control.forced_stop(job.run) => match reason {
                StopReason::HardLimit => RunOutcome::TimedOut,
                StopReason::Cancelled | StopReason::SoftLimit => RunOutcome::Cancelled,
            },
        };
        let end = match &outcome {
            RunOutcome::Succeeded(_) => RunEnd::Succeeded,
            RunOutcome::Failed { .. } | RunOutcome::TimedOut => RunEnd::Failed,
            RunOutcome::Cancelled => RunEnd::Cancelled,
        };
        let at = self.clock.now();
        let run_time = self.control.end_run(at, end);
        RunEnded {
            id: job.id.clone(),
            run: job.run,
            at,
            run_time,
            outcome,
        }
    }
}

fn outcome_of(result: Result<String, TaskError>) -> RunOutcome {
    match result {
        Ok(result) if result.len() > MAX_PAYLOAD => {
            let why = format!(
                "a result of {} bytes is over the limit of {MAX_PAYLOAD}",
                result.len()
            );
            failed(TaskFailure::new(TaskFailure::RESULT_TOO_LARGE, why), false)
        }
        Ok(result) => RunOutcome::Succeeded(result.into()),
        Err(TaskError::Permanent(error)) => failed(error, false),
        Err(TaskError::Retryable(error)) => failed(error, true),
    }
}

fn failed(mut error: TaskFailure, retryable: bool) -> RunOutcome {
    error.truncate();
    RunOutcome::Failed { error, retryable }
}

fn panic_failure(panic: &(dyn Any + Send)) -> TaskFailure {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is not text");
    TaskFailure::new(TaskFailure::PANIC, message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::queue::{add, clock::TimeSource, registry::Registry};

    /// A time that stands still.
    struct StoppedTime(u64);

    impl TimeSource for StoppedTime {
        fn wall_clock(&self) -> Timestamp {
            Timestamp(self.0)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_micros(self.0)
        }
    }

    const NOW: u64 = 5_000_000;

    fn job(run: u64, expires_at: Option<u64>) -> Job {
        let mut registry = Registry::new();
        add::register(&mut registry);
        let function = registry.get("add").expect("registered");
        Job {
            id: TaskId::Sequence(run),
            run,
            attempt: 1,
            function: Arc::clone(function),
            args: "[2,3]".into(),
            expires_at: expires_at.map(Timestamp),
        }
    }

    #[tokio::test]
    async fn a_task_that_expired_behind_a_busy_worker_is_not_started() {
        let (jobs, inbox) = async_channel::unbounded();
        let (outbox, reports) = async_channel::unbounded();
        let clock = Clock::with(StoppedTime(NOW));
        let worker = Worker {
            id: WorkerNumber(1),
            control: Arc::new(WorkerControl::new(WorkerNumber(1), clock.now())),
            clock,
            in_flight: None,
            jobs: inbox,
            reports: outbox,
        };
        // The first is received by an idle worker, the fourth by one that has just ended a run.
        let expiries = [Some(NOW), None, Some(NOW + 1), Some(NOW - 1), None];
        for (run, expires_at) in (1..).zip(expiries) {
            jobs.try_send(job(run, expires_at)).expect("room");
        }
        jobs.close();
        worker.run().await;
        let (mut started, mut ended, mut expired) = (Vec::new(), Vec::new(), Vec::new());
        while let Ok(report) = reports.try_recv() {
            started.extend(report.started.map(|started| started.run));
            ended.extend(report.ended.map(|ended| ended.run));
            expired.extend(report.expired.map(|expired| (expired.run, expired.at.0)));
        }
        assert_eq!(expired, [(1, NOW), (4, NOW)]);
        assert_eq!((started, ended), (vec![2, 3, 5], vec![2, 3, 5]));
    }
}
