//! Recovery after a restart: unfinished tasks continue, and a crash is attributed to the tasks that
//! were running.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Core, backoff::MAX_BACKOFF, task_id};
use crate::queue::{
    clock::Timestamp,
    embedded::store::StoreChange,
    id::TaskId,
    index::row::Row,
    registry::TaskFunction,
    state::State,
    task::{Attempt, TaskFailure},
};

/// The number of crashes of the process while a task runs after which the task fails.
pub(super) const MAX_CRASHES: u8 = 3;

/// The consequence of a crash for a task that was running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue::embedded) enum CrashVerdict {
    /// It runs again.
    Requeue(TaskId),
    /// It has crashed the process too often.
    Fail(TaskId),
}

impl Core {
    /// Adds an unfinished task of the previous process.
    pub(in crate::queue::embedded) fn recover(
        &mut self,
        now: Timestamp,
        mut row: Row,
        function: Option<Arc<TaskFunction>>,
    ) {
        // The clock may have been set between two processes: no span becomes longer than it was.
        let (state, since) = (row.state, row.submitted_at);
        let no_later = |at: Timestamp, span: Duration| at.min(now.after(span));
        row.update_cold(|cold| {
            cold.due_at = cold.due_at.map(|due| match state {
                _ if cold.wall_clock => due,
                State::Retrying => no_later(due, MAX_BACKOFF),
                _ => no_later(due, due.since(since)),
            });
            cold.expires_at = cold.expires_at.map(|at| no_later(at, at.since(since)));
        });
        row.ready_at = row.ready_at.min(now);
        self.insert_task(&row, function);
    }

    /// Counts a crash of the previous process for each task that was running.
    pub(in crate::queue::embedded) fn attribute_crash(
        &mut self,
        now: Timestamp,
        running: &BTreeSet<u64>,
    ) -> Vec<CrashVerdict> {
        let mut verdicts = Vec::new();
        for id in running {
            let Some(task) = self.tasks.get_mut(id) else {
                // It had finished, and its worker had not cleared its record yet.
                continue;
            };
            task.crashes = task.crashes.saturating_add(1);
            let crashes = task.crashes;
            self.record_crash(now, *id);
            if crashes < MAX_CRASHES {
                if let Some(task) = self.tasks.get(id) {
                    self.changes
                        .push(StoreChange::Reschedule(task.reschedule(*id)));
                }
                verdicts.push(CrashVerdict::Requeue(task_id(*id)));
                continue;
            }
            let why = format!("crashed the process {crashes} times while it ran");
            let why = TaskFailure::new(TaskFailure::WORKER_LOST, why);
            self.finish_task(now, *id, State::Failed, Some(why), None, None);
            verdicts.push(CrashVerdict::Fail(task_id(*id)));
        }
        verdicts
    }

    fn record_crash(&mut self, now: Timestamp, id: u64) {
        let attempt = Attempt {
            worker: None,
            wait_time: Duration::ZERO,
            started_at: now,
            run_time: Duration::ZERO,
            error: TaskFailure::new(TaskFailure::WORKER_LOST, "the process ended while it ran"),
        };
        self.changes.push(StoreChange::Attempt(id, attempt));
    }
}
