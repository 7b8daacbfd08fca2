//! What an engine found when it started, to be told.

use serde::{Deserialize, Serialize};

use super::core::CrashVerdict;
use crate::queue::{
    embedded::store::{Damage, OpenReport},
    task::TaskId,
};

/// What was left by the process before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recovery {
    /// Tasks that had not ended, and go on.
    pub waiting: usize,
    /// Tasks that were running when the process ended without a word, and run again.
    pub again: Vec<TaskId>,
    /// Tasks that have crashed the process too often, and do not run again.
    pub crashed: Vec<TaskId>,
    /// Tasks that were acknowledged and are missing, the first and the last.
    pub missing: Option<(TaskId, TaskId)>,
    /// A damaged file that was put aside.
    pub damage: Option<Damage>,
}

impl Recovery {
    pub(super) fn new(waiting: usize, blamed: Vec<CrashVerdict>, opened: OpenReport) -> Self {
        let mut recovery = Self {
            waiting,
            missing: opened
                .missing
                .map(|(from, to)| (TaskId(from.into()), TaskId(to.into()))),
            damage: opened.damage,
            ..Self::default()
        };
        for crashed in blamed {
            match crashed {
                CrashVerdict::Requeue(id) => recovery.again.push(id),
                CrashVerdict::ForGood(id) => recovery.crashed.push(id),
            }
        }
        recovery.waiting -= recovery.crashed.len();
        recovery
    }

    /// Whether there was nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
