//! Control of one worker from outside: it is asked to stop here, its task reports progress here, and
//! its status is read here.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::queue::{
    clock::Timestamp,
    id::{TaskId, WorkerNumber},
    task::Progress,
    timeline::{ActivityTimeline, Span},
    worker::{RunningTask, WorkerState, WorkerStatus},
};

/// The outcome of a run as the status of its worker counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum RunEnd {
    Succeeded,
    Failed,
    Cancelled,
}

/// Why a run is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum StopReason {
    /// Its soft time limit is over: the task may finish in its own way.
    SoftLimit,
    /// Its hard time limit is over: it is dropped at its next `await`.
    HardLimit,
    /// It was cancelled: it is dropped at its next `await`.
    Cancelled,
}

/// A message to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Signal {
    /// Stop this run.
    Stop {
        worker: WorkerNumber,
        run: u64,
        reason: StopReason,
    },
    /// It did not stop: replace the worker.
    Abandon { worker: WorkerNumber },
}

/// The control block of one worker. Runs are numbered, so a request to stop one never reaches another.
#[derive(Debug)]
pub(in crate::queue) struct WorkerControl {
    status: Mutex<WorkerStatus>,
    /// The run to which each [`StopReason`] applies.
    soft_limit: AtomicU64,
    hard_limit: AtomicU64,
    cancelled: AtomicU64,
    stop_requested: Notify,
    /// The run that has reported progress, and its progress.
    progress_run: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    stuck: AtomicBool,
    pub(in crate::queue) retire: CancellationToken,
}

impl WorkerControl {
    pub(in crate::queue) fn new(id: WorkerNumber, now: Timestamp) -> Self {
        Self {
            status: Mutex::new(WorkerStatus {
                id: id.into(),
                state: WorkerState::Idle,
                current: None,
                done: 0,
                failed: 0,
                cancelled: 0,
                started_at: now,
                timeline: ActivityTimeline::default(),
            }),
            soft_limit: AtomicU64::new(0),
            hard_limit: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            stop_requested: Notify::new(),
            progress_run: AtomicU64::new(0),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            stuck: AtomicBool::new(false),
            retire: CancellationToken::new(),
        }
    }

    pub(in crate::queue) fn status(&self) -> WorkerStatus {
        let mut status = self.lock().clone();
        let progress = self.progress();
        if let Some(current) = &mut status.current {
            current.progress = progress;
        }
        if self.is_stuck() {
            status.state = WorkerState::Stuck;
        } else if self.retire.is_cancelled() {
            status.state = WorkerState::Stopping;
        }
        status
    }

    /// Requests that the worker stop this run; has no effect on any other run.
    pub(in crate::queue) fn request_stop(&self, run: u64, reason: StopReason) {
        self.stopped_run(reason).store(run, Ordering::Release);
        self.stop_requested.notify_waiters();
    }

    /// Returns true if this run was asked to stop for any reason.
    pub(in crate::queue) fn is_stop_requested(&self, run: u64) -> bool {
        [
            StopReason::SoftLimit,
            StopReason::HardLimit,
            StopReason::Cancelled,
        ]
        .into_iter()
        .any(|reason| self.stopped_run(reason).load(Ordering::Acquire) == run)
    }

    /// Waits until this run has to be dropped, and returns the reason.
    pub(in crate::queue) async fn forced_stop(&self, run: u64) -> StopReason {
        loop {
            let requested = self.stop_requested.notified();
            for reason in [StopReason::Cancelled, StopReason::HardLimit] {
                if self.stopped_run(reason).load(Ordering::Acquire) == run {
                    return reason;
                }
            }
            requested.await;
        }
    }

    /// Waits until this run is asked to stop for any reason.
    pub(in crate::queue) async fn stop_requested(&self, run: u64) {
        loop {
            let requested = self.stop_requested.notified();
            if self.is_stop_requested(run) {
                return;
            }
            requested.await;
        }
    }

    const fn stopped_run(&self, reason: StopReason) -> &AtomicU64 {
        match reason {
            StopReason::SoftLimit => &self.soft_limit,
            StopReason::HardLimit => &self.hard_limit,
            StopReason::Cancelled => &self.cancelled,
        }
    }

    pub(in crate::queue) fn report_progress(&self, run: u64, progress: Progress) {
        // Three plain stores: a reader between them sees the old share for a moment.
        self.done.store(progress.done, Ordering::Relaxed);
        self.total.store(progress.total, Ordering::Relaxed);
        self.progress_run.store(run, Ordering::Release);
    }

    /// The progress of the current run, if its task reports any.
    pub(in crate::queue) fn progress(&self) -> Option<Progress> {
        if self.progress_run.load(Ordering::Acquire) == 0 {
            return None;
        }
        let total = self.total.load(Ordering::Relaxed);
        Some(Progress {
            done: self.done.load(Ordering::Relaxed).min(total),
            total,
        })
    }

    /// Marks the worker as stuck and retires it.
    pub(in crate::queue) fn abandon(&self) {
        self.stuck.store(true, Ordering::Release);
        self.retire.cancel();
    }

    pub(in crate::queue) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, WorkerStatus> {
        // Every change is a few plain assignments, so a poisoned status is still consistent.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::queue) fn start_run(&self, id: TaskId, name: &Arc<str>, now: Timestamp) {
        if self.progress_run.load(Ordering::Relaxed) != 0 {
            self.progress_run.store(0, Ordering::Release);
        }
        let mut status = self.lock();
        status.state = WorkerState::Busy;
        status.current = Some(RunningTask {
            id,
            name: Arc::clone(name),
            since: now,
            progress: None,
        });
    }

    /// Counts a finished run and returns its run time.
    pub(in crate::queue) fn end_run(&self, now: Timestamp, end: RunEnd) -> Duration {
        let mut status = self.lock();
        let started = status.current.take().map_or(now, |current| current.since);
        let mut span = Span::of_task(started, now);
        match end {
            RunEnd::Succeeded => status.done += 1,
            RunEnd::Failed => {
                status.failed += 1;
                span.failed = true;
            }
            RunEnd::Cancelled => {
                status.cancelled += 1;
                span.cancelled = true;
            }
        }
        status.timeline.push(span);
        status.state = WorkerState::Idle;
        now.since(started)
    }
}
