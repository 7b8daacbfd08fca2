//! The place where a worker can be spoken to: the dispatcher asks it to stop there, its task tells
//! how far it is, and whoever shows workers looks on.

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
    task::{Progress, TaskId, Timestamp, WorkerId},
    timeline::{ActivityTimeline, Span},
    worker::{RunningTask, WorkerState, WorkerStatus},
};

/// How a run ended, as far as a worker's record is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum RunEnd {
    Succeeded,
    Failed,
    Cancelled,
}

/// How urgently a run is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It may end in order: its soft time limit is over.
    Softly,
    /// It is ended at its next `await`: its hard time limit is over.
    Overdue,
    /// It is ended at its next `await`: somebody cancelled it.
    Cancelled,
}

/// One worker's place. Runs are numbered, so that a word to one never reaches another.
#[derive(Debug)]
pub(in crate::queue) struct WorkerControl {
    status: Mutex<WorkerStatus>,
    softly: AtomicU64,
    overdue: AtomicU64,
    cancelled: AtomicU64,
    asked: Notify,
    /// The run that tells its progress, and how far it is.
    telling: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    stuck: AtomicBool,
    pub(in crate::queue) retire: CancellationToken,
}

impl WorkerControl {
    pub(in crate::queue) fn new(id: WorkerId, now: Timestamp) -> Self {
        Self {
            status: Mutex::new(WorkerStatus {
                id,
                state: WorkerState::Idle,
                current: None,
                done: 0,
                failed: 0,
                cancelled: 0,
                started_at: now,
                lane: ActivityTimeline::default(),
            }),
            softly: AtomicU64::new(0),
            overdue: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            asked: Notify::new(),
            telling: AtomicU64::new(0),
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

    /// Asks the worker to stop this run. It does nothing to any other run.
    pub(in crate::queue) fn ask(&self, run: u64, how: Stop) {
        self.slot(how).store(run, Ordering::Release);
        self.asked.notify_waiters();
    }

    /// Whether this run was asked to stop, in whatever way.
    pub(in crate::queue) fn was_asked(&self, run: u64) -> bool {
        [Stop::Softly, Stop::Overdue, Stop::Cancelled]
            .into_iter()
            .any(|how| self.slot(how).load(Ordering::Acquire) == run)
    }

    /// Waits until this run is to be ended, and answers why.
    pub(in crate::queue) async fn must_stop(&self, run: u64) -> Stop {
        loop {
            let asked = self.asked.notified();
            for how in [Stop::Cancelled, Stop::Overdue] {
                if self.slot(how).load(Ordering::Acquire) == run {
                    return how;
                }
            }
            asked.await;
        }
    }

    /// Waits until this run is asked to stop, in whatever way.
    pub(in crate::queue) async fn stop_requested(&self, run: u64) {
        loop {
            let asked = self.asked.notified();
            if self.was_asked(run) {
                return;
            }
            asked.await;
        }
    }

    const fn slot(&self, how: Stop) -> &AtomicU64 {
        match how {
            Stop::Softly => &self.softly,
            Stop::Overdue => &self.overdue,
            Stop::Cancelled => &self.cancelled,
        }
    }

    pub(in crate::queue) fn tell(&self, run: u64, progress: Progress) {
        // Three plain stores: somebody who looks between them sees the old share for a moment.
        self.done.store(progress.done, Ordering::Relaxed);
        self.total.store(progress.total, Ordering::Relaxed);
        self.telling.store(run, Ordering::Release);
    }

    /// How far the task is that is telling.
    pub(in crate::queue) fn progress(&self) -> Option<Progress> {
        if self.telling.load(Ordering::Acquire) == 0 {
            return None;
        }
        let total = self.total.load(Ordering::Relaxed);
        Some(Progress {
            done: self.done.load(Ordering::Relaxed).min(total),
            total,
        })
    }

    pub(in crate::queue) fn give_up(&self) {
        self.stuck.store(true, Ordering::Release);
        self.retire.cancel();
    }

    pub(in crate::queue) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, WorkerStatus> {
        // Every change is a few plain assignments; a poisoned status is a whole one.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::queue) fn begin(&self, id: TaskId, name: &Arc<str>, now: Timestamp) {
        if self.telling.load(Ordering::Relaxed) != 0 {
            self.telling.store(0, Ordering::Release);
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

    /// The run is over; answers how long it took.
    pub(in crate::queue) fn end(&self, now: Timestamp, ending: RunEnd) -> Duration {
        let mut status = self.lock();
        let started = status.current.take().map_or(now, |current| current.since);
        let mut stretch = Span::of_task(started, now);
        match ending {
            RunEnd::Succeeded => status.done += 1,
            RunEnd::Failed => {
                status.failed += 1;
                stretch.failed = true;
            }
            RunEnd::Cancelled => {
                status.cancelled += 1;
                stretch.cancelled = true;
            }
        }
        status.lane.push(stretch);
        status.state = WorkerState::Idle;
        now.since(started)
    }
}
