//! A new life after an old one: what waited goes on, and what took the process down is counted.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Core, task_id, transitions::LONGEST_RETRY};
use crate::queue::{
    embedded::store::{StoreChange, row::Row},
    registry::TaskFunction,
    task::{State, TaskId, Timestamp},
};

/// So often a task may be running when its process crashes before it is not run again.
pub(super) const MOST_CRASHES: u8 = 3;

/// What a crash did to a task that was running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue::embedded) enum CrashVerdict {
    /// It runs again.
    Requeue(TaskId),
    /// It has crashed the process too often.
    ForGood(TaskId),
}

impl Core {
    /// Takes up a task that was waiting.
    pub(in crate::queue::embedded) fn recover(
        &mut self,
        now: Timestamp,
        mut row: Row,
        function: Option<Arc<TaskFunction>>,
    ) {
        // The clock may have been set while nobody was looking: no span becomes longer than it was.
        let (state, since) = (row.state, row.submitted_at);
        let no_later = |at: Timestamp, span: Duration| at.min(now.after(span));
        row.change_rare(|rare| {
            rare.due_at = rare.due_at.map(|due| match state {
                _ if rare.wall_clock => due,
                State::Retrying => no_later(due, LONGEST_RETRY),
                _ => no_later(due, due.since(since)),
            });
            rare.expires_at = rare.expires_at.map(|at| no_later(at, at.since(since)));
        });
        row.ready_at = row.ready_at.min(now);
        self.admit(&row, function);
    }

    /// The process before ended while these ran.
    pub(in crate::queue::embedded) fn blame(
        &mut self,
        now: Timestamp,
        running: &BTreeSet<u64>,
    ) -> Vec<CrashVerdict> {
        let mut blamed = Vec::new();
        for id in running {
            let Some(entry) = self.entries.get_mut(id) else {
                // It had ended, and only its worker's note had not been wiped out.
                continue;
            };
            entry.crashes = entry.crashes.saturating_add(1);
            let crashes = entry.crashes;
            self.log_crash(now, *id);
            if crashes < MOST_CRASHES {
                if let Some(entry) = self.entries.get(id) {
                    self.changes.push(StoreChange::Reschedule(entry.waits(*id)));
                }
                blamed.push(CrashVerdict::Requeue(task_id(*id)));
                continue;
            }
            let why = format!("crashed the process {crashes} times while it ran");
            self.end(now, *id, State::Failed, Some(why.into()), None, None);
            blamed.push(CrashVerdict::ForGood(task_id(*id)));
        }
        blamed
    }

    fn log_crash(&mut self, now: Timestamp, id: u64) {
        let attempt = crate::queue::task::Attempt {
            worker: None,
            waited: Duration::ZERO,
            started_at: now,
            ran: Duration::ZERO,
            error: "the process ended while it ran".into(),
        };
        self.changes.push(StoreChange::Attempt(id, attempt));
    }
}
