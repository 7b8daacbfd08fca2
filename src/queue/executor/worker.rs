//! One worker: it takes one task at a time from the short channel in front of it, and survives
//! whatever the task does.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;

use crate::queue::{
    clock::Clock,
    context::Context,
    embedded::store::slots::InFlightFile,
    executor::control::{RunEnd, Stop, WorkerControl},
    registry::{TaskError, TaskFunction},
    task::{MAX_PAYLOAD, TaskId, Timestamp, WorkerId},
};

// Workers survive the panics of their tasks by unwinding.
#[cfg(panic = "abort")]
compile_error!(
    "distro-tui must be built with `panic = \"unwind\"`: a panicking task fails, not the process"
);

/// A task on its way to a worker.
#[derive(Debug)]
pub(in crate::queue) struct Job {
    pub(in crate::queue) id: u64,
    /// The number of this run among all runs of all tasks: a report about another is late.
    pub(in crate::queue) run: u64,
    pub(in crate::queue) attempt: u8,
    pub(in crate::queue) function: Arc<TaskFunction>,
    pub(in crate::queue) args: Arc<str>,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) enum RunOutcome {
    Succeeded(Box<str>),
    Failed { error: Box<str>, again: bool },
    Cancelled,
    Overdue,
}

/// What a worker tells the dispatcher. In a steady stream it is one message a task: the end of one and
/// the start of the next.
#[derive(Debug)]
pub(in crate::queue) struct WorkerReport {
    pub(in crate::queue) worker: WorkerId,
    pub(in crate::queue) ended: Option<RunEnded>,
    pub(in crate::queue) started: Option<Started>,
    pub(in crate::queue) left: bool,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::queue) struct Started {
    pub(in crate::queue) id: u64,
    pub(in crate::queue) run: u64,
    pub(in crate::queue) at: Timestamp,
}

#[derive(Debug)]
pub(in crate::queue) struct RunEnded {
    pub(in crate::queue) id: u64,
    pub(in crate::queue) run: u64,
    pub(in crate::queue) at: Timestamp,
    pub(in crate::queue) ran: Duration,
    pub(in crate::queue) outcome: RunOutcome,
}

/// What a worker works with.
#[derive(Clone)]
pub(in crate::queue) struct Worker {
    pub(in crate::queue) id: WorkerId,
    pub(in crate::queue) desk: Arc<WorkerControl>,
    pub(in crate::queue) clock: Clock,
    /// Where it notes which task it runs, if crashes are to be blamed on somebody.
    pub(in crate::queue) slots: Option<Arc<InFlightFile>>,
    pub(in crate::queue) jobs: async_channel::Receiver<Job>,
    pub(in crate::queue) reports: async_channel::Sender<WorkerReport>,
}

impl Worker {
    /// Works until it is retired or there is nobody left to work for.
    pub(in crate::queue) async fn work(self) {
        let mut next = None;
        loop {
            let job = match next.take() {
                Some(job) => job,
                None => {
                    let Some(job) = self.wait().await else { break };
                    let started = Some(self.begin(&job, self.clock.now()));
                    if !self.report(None, started).await {
                        break;
                    }
                    job
                }
            };
            let ended = self.run(&job).await;
            // A stream of short tasks would never wait and so never let another worker have the
            // thread.
            tokio::task::coop::consume_budget().await;
            if !self.desk.retire.is_cancelled() {
                next = self.jobs.try_recv().ok();
            }
            let started = next.as_ref().map(|job| self.begin(job, ended.at));
            if started.is_none() {
                self.note(0);
            }
            if !self.report(Some(ended), started).await {
                break;
            }
        }
        let goodbye = WorkerReport {
            worker: self.id,
            ended: None,
            started: None,
            left: true,
        };
        self.reports.send(goodbye).await.ok();
    }

    async fn wait(&self) -> Option<Job> {
        tokio::select! {
            biased;
            () = self.desk.retire.cancelled() => None,
            job = self.jobs.recv() => job.ok(),
        }
    }

    /// Answers whether anybody hears it.
    async fn report(&self, ended: Option<RunEnded>, started: Option<Started>) -> bool {
        let report = WorkerReport {
            worker: self.id,
            ended,
            started,
            left: false,
        };
        self.reports.send(report).await.is_ok()
    }

    fn begin(&self, job: &Job, at: Timestamp) -> Started {
        self.note(job.id);
        self.desk
            .begin(TaskId(job.id.into()), &job.function.name, at);
        Started {
            id: job.id,
            run: job.run,
            at,
        }
    }

    fn note(&self, task: u64) {
        if let Some(slots) = &self.slots {
            slots.put(self.id, task);
        }
    }

    async fn run(&self, job: &Job) -> RunEnded {
        let context = Context::new(
            TaskId(job.id.into()),
            job.run,
            job.attempt,
            Arc::clone(&self.desk),
        );
        let work = AssertUnwindSafe(async {
            match job.function.start(&job.args, context) {
                Ok(run) => run.await,
                Err(why) => Err(TaskError::Permanent(why)),
            }
        });
        let outcome = tokio::select! {
            biased;
            done = work.catch_unwind() => match done {
                Ok(result) => judge(result),
                Err(panic) => RunOutcome::Failed { error: panicked(panic.as_ref()), again: false },
            },
            why = self.desk.must_stop(job.run) => match why {
                Stop::Overdue => RunOutcome::Overdue,
                Stop::Cancelled | Stop::Softly => RunOutcome::Cancelled,
            },
        };
        let ending = match &outcome {
            RunOutcome::Succeeded(_) => RunEnd::Succeeded,
            RunOutcome::Failed { .. } | RunOutcome::Overdue => RunEnd::Failed,
            RunOutcome::Cancelled => RunEnd::Cancelled,
        };
        let at = self.clock.now();
        let ran = self.desk.end(at, ending);
        RunEnded {
            id: job.id,
            run: job.run,
            at,
            ran,
            outcome,
        }
    }
}

fn judge(result: Result<String, TaskError>) -> RunOutcome {
    match result {
        Ok(result) if result.len() > MAX_PAYLOAD => RunOutcome::Failed {
            error: format!(
                "a result of {} bytes is over the limit of {MAX_PAYLOAD}",
                result.len()
            )
            .into(),
            again: false,
        },
        Ok(result) => RunOutcome::Succeeded(result.into()),
        Err(TaskError::Permanent(why)) => RunOutcome::Failed {
            error: clip(&why),
            again: false,
        },
        Err(TaskError::Retryable(why)) => RunOutcome::Failed {
            error: clip(&why),
            again: true,
        },
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Box<str> {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("something that is no text");
    clip(&format!("panicked: {said}"))
}

/// Errors are kept for every attempt, so each is short.
fn clip(text: &str) -> Box<str> {
    const MOST: usize = 4 << 10;
    text.get(..text.floor_char_boundary(MOST))
        .unwrap_or_default()
        .into()
}

/// How long a steady worker takes to be noticed as gone when it is told to end.
pub(in crate::queue) const LEAVE: Duration = Duration::from_millis(200);
