//! The kinds of findings, with everything that is the same for all findings of a kind.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The node works, with less than it should have.
    Warning,
    /// Something was lost, or does not work.
    Error,
}

impl Severity {
    /// Returns the severity in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The time for which a finding is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Until the reporter resolves it: a condition.
    WhileTrue,
    /// For [`RECENT`] after the last report: an event.
    Recent,
    /// Until a person acknowledges it, also after a restart: a loss.
    UntilAcknowledged,
    /// Until a node is started on the data folder.
    UntilNextStart,
}

impl Lifetime {
    /// Returns true if findings are stored in the data folder.
    pub(crate) const fn is_stored(self) -> bool {
        matches!(self, Self::UntilAcknowledged | Self::UntilNextStart)
    }
}

/// The time for which an event is listed.
pub(crate) const RECENT: Duration = Duration::from_secs(3_600);

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The last start on this data folder failed.
    StartFailed,
    /// The task file was damaged; the tasks that could be read are in a new one.
    TasksSalvaged,
    /// Acknowledged tasks are missing.
    TasksLost,
    /// Tasks have crashed the process too often and were failed.
    TasksCrashed,
    /// A check found damage in the task file in use.
    TaskFileDamaged,
    /// The task file was deleted or replaced under the process.
    TaskFileGone,
    /// Changes to tasks cannot be stored.
    TasksNotPersisted,
    /// The names journal was damaged; what could be read is in a new one.
    NamesSalvaged,
    /// The names journal was deleted or replaced under the process.
    NamesFileGone,
    /// Changes to names cannot be stored.
    NamesNotPersisted,
    /// The file of members or of joined nodes was deleted or replaced under the process.
    TrustFileGone,
    /// An upstream refuses this node: it was revoked there, or has too small a role.
    UpstreamRefused,
    /// An upstream cannot be reached.
    UpstreamUnreachable,
    /// Connections or joins were refused because a limit was reached.
    ConnectionsRefused,
    /// Something ran so long on the network thread that calls were delayed.
    NetworkDelayed,
    /// A service of the node is not registered with its own naming server.
    NotRegistered,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::StartFailed,
        Self::TasksSalvaged,
        Self::TasksLost,
        Self::TasksCrashed,
        Self::TaskFileDamaged,
        Self::TaskFileGone,
        Self::TasksNotPersisted,
        Self::NamesSalvaged,
        Self::NamesFileGone,
        Self::NamesNotPersisted,
        Self::TrustFileGone,
        Self::UpstreamRefused,
        Self::UpstreamUnreachable,
        Self::ConnectionsRefused,
        Self::NetworkDelayed,
        Self::NotRegistered,
    ];

    /// Returns the name in metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.spec().0
    }

    /// Returns the severity of every finding of this kind.
    #[must_use]
    pub const fn severity(self) -> Severity {
        self.spec().1
    }

    /// Returns the time for which a finding is listed.
    pub(crate) const fn lifetime(self) -> Lifetime {
        self.spec().2
    }

    /// Returns what a person can do about it.
    #[must_use]
    pub const fn next_step(self) -> &'static str {
        self.spec().3
    }

    const fn spec(self) -> (&'static str, Severity, Lifetime, &'static str) {
        use Lifetime::{Recent, UntilAcknowledged, UntilNextStart, WhileTrue};
        use Severity::{Error, Warning};
        const ACKNOWLEDGE: &str =
            "look at the file that was moved aside, then run distro-tui doctor --acknowledge";
        const RESTART: &str =
            "stop the node, put the file back or restore a backup, and start the node";
        match self {
            Self::StartFailed => (
                "start_failed",
                Error,
                UntilNextStart,
                "correct the cause and start the node again",
            ),
            Self::TasksSalvaged => ("tasks_salvaged", Error, UntilAcknowledged, ACKNOWLEDGE),
            Self::TasksLost => (
                "tasks_lost",
                Error,
                UntilAcknowledged,
                "submit them again or restore a backup, then run distro-tui doctor --acknowledge",
            ),
            Self::TasksCrashed => (
                "tasks_crashed",
                Warning,
                UntilAcknowledged,
                "look at them with distro-tui tasks list state:failed, then run distro-tui doctor --acknowledge",
            ),
            Self::TaskFileDamaged => (
                "task_file_damaged",
                Error,
                WhileTrue,
                "restart the node: it salvages what can be read, and the damaged file stays beside the new one",
            ),
            Self::TaskFileGone => ("task_file_gone", Error, WhileTrue, RESTART),
            Self::TasksNotPersisted => (
                "tasks_not_persisted",
                Error,
                WhileTrue,
                "make room on the disk, or repair it; the node tries again by itself",
            ),
            Self::NamesSalvaged => ("names_salvaged", Error, UntilAcknowledged, ACKNOWLEDGE),
            Self::NamesFileGone => ("names_file_gone", Error, WhileTrue, RESTART),
            Self::NamesNotPersisted => (
                "names_not_persisted",
                Error,
                WhileTrue,
                "make room on the disk, or repair it; the node tries again by itself",
            ),
            Self::TrustFileGone => ("trust_file_gone", Error, WhileTrue, RESTART),
            Self::UpstreamRefused => (
                "upstream_refused",
                Error,
                WhileTrue,
                "join it again with a new ticket, or remove it with distro-tui leave KEY",
            ),
            Self::UpstreamUnreachable => (
                "upstream_unreachable",
                Warning,
                WhileTrue,
                "start that node or check the network; this node tries again by itself",
            ),
            Self::ConnectionsRefused => (
                "connections_refused",
                Warning,
                Recent,
                "if the addresses are not yours, block them in the firewall",
            ),
            Self::NetworkDelayed => (
                "network_delayed",
                Warning,
                Recent,
                "look at the load of the machine and of this node's members",
            ),
            Self::NotRegistered => (
                "not_registered",
                Error,
                WhileTrue,
                "correct the cause; the node tries again by itself",
            ),
        }
    }
}
