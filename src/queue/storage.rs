//! The durability and retention of stored tasks, and the state of the storage when an engine starts.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{clock::Timestamp, id::TaskId};
use crate::text::{fmt_count, pluralize};

/// The failure that an acknowledged task survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A power loss: the data is on disk before a task is acknowledged.
    #[default]
    Power,
    /// A crash of the process. A power loss or a crash of the system may lose the last moments.
    Process,
    /// None: there is no file.
    Memory,
}

impl Durability {
    /// Every level, the safest first.
    pub const ALL: [Self; 3] = [Self::Power, Self::Process, Self::Memory];

    /// The name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Process => "process",
            Self::Memory => "memory",
        }
    }

    /// A description of what acknowledged tasks survive.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Power => "acknowledged tasks survive a power loss",
            Self::Process => {
                "acknowledged tasks survive a crash of the program; a power loss may lose the last moments"
            }
            Self::Memory => "tasks are lost when the program ends",
        }
    }

    /// Returns true if acknowledged tasks survive the end of the process.
    #[must_use]
    pub const fn is_durable(self) -> bool {
        !matches!(self, Self::Memory)
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The retention of finished tasks. Beyond any of the limits the oldest are deleted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The age of tasks that succeeded, were cancelled or expired.
    pub age: Duration,
    /// The age of tasks that failed.
    pub failed_age: Duration,
    /// The most bytes of tasks and results.
    pub bytes: u64,
    /// The most finished tasks.
    pub count: usize,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            age: DAY * 7,
            failed_age: DAY * 30,
            bytes: 512 << 20,
            count: 1_000_000,
        }
    }
}

/// The configuration of the storage of an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageConfig {
    /// The durability; [`Durability::Memory`] needs no folder.
    pub durability: Durability,
    /// The folder of the task file; without one tasks are only in memory.
    pub folder: Option<PathBuf>,
    /// The retention of finished tasks.
    pub retention: Retention,
    /// The size in bytes at which the file accepts no new tasks; those it has continue.
    pub max_file_bytes: Option<u64>,
}

/// The state in which the previous process left the storage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recovery {
    /// The number of unfinished tasks that go on.
    pub waiting: usize,
    /// The tasks that were running when the process died and are requeued.
    pub requeued: Vec<TaskId>,
    /// The tasks that have crashed the process too often and have failed.
    pub crashed: Vec<TaskId>,
    /// The range of acknowledged tasks that are missing: the first and the last id.
    pub missing: Option<(TaskId, TaskId)>,
    /// A damaged file that was moved aside.
    pub damage: Option<Damage>,
}

impl Recovery {
    /// Returns true if there is nothing to report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A damaged file and what was salvaged from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The error that was reported.
    pub error: String,
    /// The path to which the file was moved.
    pub moved_to: PathBuf,
    /// The number of intact tasks that were salvaged.
    pub salvaged: usize,
    /// The number of tasks that are missing or changed, at most.
    pub lost: usize,
    /// The range of ids among which tasks are missing: the first and the last id.
    pub range: Option<(TaskId, TaskId)>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let salvaged = pluralize(self.salvaged, "task");
        write!(
            f,
            "the task file was damaged ({}): {salvaged} salvaged, ",
            self.error
        )?;
        match (self.lost, &self.range) {
            (0, _) => f.write_str("none lost")?,
            (lost, None) => write!(f, "at most {} lost or changed", fmt_count(lost))?,
            (lost, Some((first, last))) => write!(
                f,
                "at most {} lost or changed, from {first} to {last}",
                fmt_count(lost)
            )?,
        }
        write!(f, "; the old file is at {}", self.moved_to.display())
    }
}

/// A check of the structure and of every task of a task file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageCheck {
    /// The end of the check.
    pub at: Timestamp,
    /// The structure is damaged.
    pub damaged: bool,
    /// The number of tasks whose stored data has changed.
    pub changed: usize,
}
