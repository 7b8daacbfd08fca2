//! Workers: each takes one task at a time from the short channel in front of it, and survives
//! whatever the task does.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    lane::{Lane, SPAN, Stretch},
    registry::{Context, TaskError, TaskFunction},
    task::{MAX_TEXT, TaskId, Timestamp, WorkerId},
};

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    /// It waits for a task.
    Idle,
    /// It runs one.
    Busy,
    /// It runs its last one.
    Stopping,
}

impl WorkerState {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
        }
    }
}

/// The task that a worker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Which task.
    pub id: TaskId,
    /// What it runs.
    pub name: Arc<str>,
    /// Since when.
    pub since: Timestamp,
}

/// A worker as its broker shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerStatus {
    /// Which worker.
    pub id: WorkerId,
    /// What it is doing.
    pub state: WorkerState,
    /// What it runs.
    pub current: Option<Current>,
    /// Tasks that succeeded on it.
    pub done: u64,
    /// Attempts that failed on it.
    pub failed: u64,
    /// Tasks that were stopped on it.
    pub cancelled: u64,
    /// When it started.
    pub started_at: Timestamp,
    /// The last half minute.
    pub lane: Lane,
}

impl WorkerStatus {
    /// The share of the last half minute, or of its life if that is shorter, that it worked: 0 to 1.
    #[must_use]
    pub fn busy_share(&self, now: Timestamp) -> f64 {
        let half_minute = u64::try_from(SPAN.as_micros()).unwrap_or(u64::MAX);
        let from = Timestamp(now.0.saturating_sub(half_minute)).max(self.started_at);
        let window = now.since(from).as_secs_f64();
        let current = self.current.as_ref().map_or(0.0, |current| {
            now.since(current.since.max(from)).as_secs_f64() / window.max(f64::MIN_POSITIVE)
        });
        (self.lane.busy_share(from, now) + current).min(1.0)
    }
}

/// Time for tasks: wall-clock at the start, and from then on a clock that never goes back.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: Timestamp,
    origin: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            wall: Timestamp::default().after(wall),
            origin: Instant::now(),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.wall.after(self.origin.elapsed())
    }

    /// When it will be a certain time.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.origin + at.since(self.wall)
    }
}

/// A task on its way to a worker.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    /// The number of this run among all runs of all tasks: a report about another is late.
    pub(super) run: u64,
    pub(super) attempt: u8,
    pub(super) function: Arc<TaskFunction>,
    pub(super) args: Arc<str>,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded(Box<str>),
    Failed { error: Box<str>, again: bool },
    Cancelled,
}

/// What a worker tells its broker. In a steady stream it is one message a task: the end of one and
/// the start of the next.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) worker: WorkerId,
    pub(super) ended: Option<Ended>,
    pub(super) started: Option<Started>,
    pub(super) left: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Started {
    pub(super) id: u64,
    pub(super) run: u64,
    pub(super) at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Ended {
    pub(super) id: u64,
    pub(super) run: u64,
    pub(super) at: Timestamp,
    pub(super) outcome: Outcome,
}

/// What a worker and its broker both see.
#[derive(Debug)]
pub(super) struct Desk {
    status: Mutex<WorkerStatus>,
    /// The run that is to stop; runs are counted from 1.
    cancel: AtomicU64,
    cancelled: Notify,
    /// Cancelled when the worker is to end after what it runs.
    pub(super) retire: CancellationToken,
}

impl Desk {
    pub(super) fn new(id: WorkerId, now: Timestamp) -> Self {
        Self {
            status: Mutex::new(WorkerStatus {
                id,
                state: WorkerState::Idle,
                current: None,
                done: 0,
                failed: 0,
                cancelled: 0,
                started_at: now,
                lane: Lane::default(),
            }),
            cancel: AtomicU64::new(0),
            cancelled: Notify::new(),
            retire: CancellationToken::new(),
        }
    }

    pub(super) fn status(&self) -> WorkerStatus {
        let mut status = self.lock().clone();
        if self.retire.is_cancelled() {
            status.state = WorkerState::Stopping;
        }
        status
    }

    /// Asks the worker to stop this run. It does nothing to any other run.
    pub(super) fn cancel(&self, run: u64) {
        self.cancel.store(run, Ordering::Release);
        self.cancelled.notify_waiters();
    }

    async fn asked_to_stop(&self, run: u64) {
        loop {
            let notified = self.cancelled.notified();
            if self.cancel.load(Ordering::Acquire) == run {
                return;
            }
            notified.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, WorkerStatus> {
        // Every change is a few plain assignments; a poisoned status is a whole one.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, job: &Job, now: Timestamp) {
        let mut status = self.lock();
        status.state = WorkerState::Busy;
        status.current = Some(Current {
            id: TaskId(job.id.into()),
            name: Arc::clone(&job.function.name),
            since: now,
        });
    }

    fn end(&self, started: Timestamp, now: Timestamp, outcome: &Outcome) {
        let mut status = self.lock();
        let mut stretch = Stretch::of_task(started, now);
        match outcome {
            Outcome::Succeeded(_) => status.done += 1,
            Outcome::Failed { .. } => {
                status.failed += 1;
                stretch.failed = true;
            }
            Outcome::Cancelled => {
                status.cancelled += 1;
                stretch.cancelled = true;
            }
        }
        status.lane.push(stretch);
        status.current = None;
        status.state = WorkerState::Idle;
    }
}

/// One worker's loop: until it is retired or the channel closes.
pub(super) async fn work(
    id: WorkerId,
    desk: Arc<Desk>,
    clock: Clock,
    jobs: async_channel::Receiver<Job>,
    reports: async_channel::Sender<Report>,
) {
    let mut next = None;
    loop {
        let job = match next.take() {
            Some(job) => job,
            None => {
                let job = tokio::select! {
                    biased;
                    () = desk.retire.cancelled() => break,
                    job = jobs.recv() => job,
                };
                let Ok(job) = job else { break };
                let report = Report {
                    worker: id,
                    ended: None,
                    started: Some(begin(&desk, &job, clock.now())),
                    left: false,
                };
                if reports.send(report).await.is_err() {
                    break;
                }
                job
            }
        };
        let ended = run(&desk, clock, &job).await;
        // A stream of short tasks would never wait and so never let another worker have the thread.
        tokio::task::coop::consume_budget().await;
        if !desk.retire.is_cancelled() {
            next = jobs.try_recv().ok();
        }
        let report = Report {
            worker: id,
            started: next.as_ref().map(|job| begin(&desk, job, ended.at)),
            ended: Some(ended),
            left: false,
        };
        if reports.send(report).await.is_err() {
            break;
        }
    }
    let goodbye = Report {
        worker: id,
        ended: None,
        started: None,
        left: true,
    };
    reports.send(goodbye).await.ok();
}

fn begin(desk: &Desk, job: &Job, at: Timestamp) -> Started {
    desk.begin(job, at);
    Started {
        id: job.id,
        run: job.run,
        at,
    }
}

async fn run(desk: &Desk, clock: Clock, job: &Job) -> Ended {
    let context = Context {
        id: TaskId(job.id.into()),
        attempt: job.attempt,
    };
    let work = AssertUnwindSafe(async {
        match job.function.start(&job.args, context) {
            Ok(run) => run.await,
            Err(why) => Err(TaskError::Fatal(why)),
        }
    });
    let outcome = tokio::select! {
        biased;
        done = work.catch_unwind() => match done {
            Ok(result) => judge(result),
            Err(panic) => Outcome::Failed { error: panicked(panic.as_ref()), again: false },
        },
        () = desk.asked_to_stop(job.run) => Outcome::Cancelled,
    };
    let at = clock.now();
    let started = desk
        .lock()
        .current
        .as_ref()
        .map_or(at, |current| current.since);
    desk.end(started, at, &outcome);
    Ended {
        id: job.id,
        run: job.run,
        at,
        outcome,
    }
}

fn judge(result: Result<String, TaskError>) -> Outcome {
    match result {
        Ok(result) if result.len() > MAX_TEXT => Outcome::Failed {
            error: format!(
                "a result of {} bytes is over the limit of {MAX_TEXT}",
                result.len()
            )
            .into(),
            again: false,
        },
        Ok(result) => Outcome::Succeeded(result.into()),
        Err(TaskError::Fatal(why)) => Outcome::Failed {
            error: clip(&why),
            again: false,
        },
        Err(TaskError::Passing(why)) => Outcome::Failed {
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
pub(super) const LEAVE: Duration = Duration::from_millis(200);
