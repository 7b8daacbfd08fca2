//! The recovery report of a started engine.

use serde::{Deserialize, Serialize};

use super::core::CrashVerdict;
use crate::queue::{
    embedded::store::{Damage, OpenReport},
    task::TaskId,
};

/// The tasks of the previous process, and the problems found with them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recovery {
    /// Unfinished tasks, which continue.
    pub waiting: usize,
    /// Tasks that were running when the process crashed, and run again.
    pub requeued: Vec<TaskId>,
    /// Tasks that have crashed the process too often, and failed.
    pub crashed: Vec<TaskId>,
    /// Acknowledged tasks that are missing: the first and the last id.
    pub missing: Option<(TaskId, TaskId)>,
    /// The damaged task file that was moved aside.
    pub damage: Option<Damage>,
}

impl Recovery {
    pub(super) fn new(waiting: usize, verdicts: Vec<CrashVerdict>, opened: OpenReport) -> Self {
        let mut recovery = Self {
            waiting,
            missing: opened
                .missing
                .map(|(from, to)| (TaskId(from.into()), TaskId(to.into()))),
            damage: opened.damage,
            ..Self::default()
        };
        for verdict in verdicts {
            match verdict {
                CrashVerdict::Requeue(id) => recovery.requeued.push(id),
                CrashVerdict::Fail(id) => recovery.crashed.push(id),
            }
        }
        recovery.waiting -= recovery.crashed.len();
        recovery
    }

    /// Returns true if there is nothing to report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
