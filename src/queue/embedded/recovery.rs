//! The recovery report of a started engine.

use super::core::CrashVerdict;
use crate::queue::{embedded::store::OpenReport, id::TaskId, storage::Recovery};

/// Returns the report for `waiting` unfinished tasks and the verdicts on those that were running.
pub(super) fn recovery(
    waiting: usize,
    verdicts: Vec<CrashVerdict>,
    opened: OpenReport,
) -> Recovery {
    let mut recovery = Recovery {
        waiting,
        missing: opened
            .missing
            .map(|(from, to)| (TaskId::Sequence(from), TaskId::Sequence(to))),
        damage: opened.damage,
        ..Recovery::default()
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
