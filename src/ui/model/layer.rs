//! The layers over the panes. The top one has the keyboard; esc closes it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tui_input::Input;

use crate::{
    net::{admission::MemberStatus, naming::Record},
    node::UpstreamStatus,
    queue::{broker::BulkAction, error::FailureGroup, id::WorkerId, query::Filter, task::Task},
    ui::{
        pane::Pane,
        scope::{self, Scopes},
    },
    value::signature::Signature,
};

#[derive(Debug)]
pub(crate) enum Layer {
    Help { scroll: usize },
    Palette(Palette),
    Prompt(Prompt),
    Confirm(Confirm),
    Details(Details),
    DeadLetters(DeadLetters),
    Latency { scroll: usize },
    Members(MembersView),
}

/// The members of a node, and its upstreams: the nodes it has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    pub(crate) members: Vec<MemberStatus>,
    pub(crate) upstreams: Vec<UpstreamStatus>,
}

/// The members overlay.
#[derive(Debug, Default)]
pub(crate) struct MembersView {
    /// `None` while they are being fetched.
    pub(crate) loaded: Option<Result<Membership, String>>,
    pub(crate) selected: usize,
}

impl MembersView {
    pub(crate) fn members(&self) -> &[MemberStatus] {
        match &self.loaded {
            Some(Ok(loaded)) => &loaded.members,
            _ => &[],
        }
    }

    pub(crate) fn upstreams(&self) -> &[UpstreamStatus] {
        match &self.loaded {
            Some(Ok(loaded)) => &loaded.upstreams,
            _ => &[],
        }
    }
}

/// The dead letters overlay.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters {
    /// `None` while they are being fetched.
    pub(crate) groups: Option<Result<Vec<FailureGroup>, String>>,
    pub(crate) selected: usize,
    /// The number of failed tasks at the last fetch.
    pub(crate) failed: usize,
}

impl DeadLetters {
    pub(crate) fn selected(&self) -> Option<&FailureGroup> {
        match &self.groups {
            Some(Ok(groups)) => groups.get(self.selected),
            _ => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.groups {
            Some(Ok(groups)) => groups.len(),
            _ => 0,
        }
    }
}

/// A line to type, and the error in the typed text.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) kind: PromptKind,
    pub(crate) input: Input,
    pub(crate) error: Option<String>,
}

/// The purpose of a prompt.
#[derive(Debug, Clone)]
pub(crate) enum PromptKind {
    Add,
    Filter(Pane),
    Export(Pane),
    Call(Arc<Record>),
    Join,
}

impl Prompt {
    pub(crate) fn new(kind: PromptKind, text: String) -> Self {
        Self {
            kind,
            input: Input::new(text),
            error: None,
        }
    }

    pub(crate) fn title(&self) -> String {
        match &self.kind {
            PromptKind::Add => "Add".to_owned(),
            PromptKind::Filter(pane) => format!("Filter {}", pane.title()),
            PromptKind::Export(pane) => format!("Export {}", pane.title()),
            PromptKind::Call(record) => format!("Call {}", record.name),
            PromptKind::Join => "Join".to_owned(),
        }
    }

    /// Describes the expected text.
    pub(crate) fn help(&self) -> &'static str {
        match self.kind {
            PromptKind::Add => {
                "2 3, 2 + 3, or 2 + 3, 4 with seconds; then options: key:K unique|serial queue:Q \
                 priority:9 delay:30s at:15:30 expires:5m attempts:3 limit:10s fails:2"
            }
            PromptKind::Filter(Pane::Tasks) => {
                "words, !word, state:failed,running, name:add, key:K, queue:Q, worker:w2"
            }
            PromptKind::Filter(_) => "words, !word; empty shows all",
            PromptKind::Export(_) => "a file that ends in .json or .csv",
            PromptKind::Join => {
                "a ticket from another node; create it there with `:ticket` or `distro-tui ticket`"
            }
            PromptKind::Call(_) => {
                "a method and its arguments: words, numbers, \"text\", true, null"
            }
        }
    }
}

/// A question before an action on many tasks, or one that cannot be taken back. It has the keyboard from the
/// moment it is opened, so that no key that is meant for it does anything else.
#[derive(Debug)]
pub(crate) struct Confirm {
    pub(crate) question: ConfirmText,
    pub(crate) yes: ConfirmAction,
}

/// The state of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfirmText {
    /// Its tasks are being counted: it cannot be answered with yes.
    Counting {
        /// The question so far.
        text: String,
        /// The end of the complete question: `that match /x`.
        which: String,
    },
    /// It can be answered.
    Complete(String),
}

impl ConfirmText {
    /// Returns true once it can be answered with yes.
    pub(crate) const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete(_))
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Counting { text, .. } | Self::Complete(text) => text,
        }
    }
}

/// The action to perform on yes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ConfirmAction {
    Tasks { action: BulkAction, filter: Filter },
    Revoke(String),
    Quit,
}

#[derive(Debug, Default)]
pub(crate) struct Palette {
    pub(crate) input: Input,
    /// The row that was selected by key; `None` while the typed text decides.
    pub(crate) selected: Option<usize>,
    pub(crate) error: Option<String>,
}

/// The details overlay.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) subject: DetailsOf,
    pub(crate) scroll: usize,
}

#[derive(Debug)]
pub(crate) enum DetailsOf {
    Task(Box<Task>),
    Worker(WorkerId),
    /// The doctor report.
    Doctor,
    Name {
        record: Arc<Record>,
        methods: Option<Result<Vec<Signature>, String>>,
    },
    /// The result of a call, or a ticket.
    Result {
        title: String,
        text: String,
        /// A warning about it.
        warning: Option<String>,
    },
}

impl Layer {
    /// The scopes that are active while this overlay is on top.
    pub(crate) const fn scopes(&self) -> Scopes {
        match self {
            Self::Help { .. } => scope::SCROLL,
            Self::Latency { .. } => scope::LATENCY,
            Self::Details(details) => details.subject.scopes(),
            Self::DeadLetters(_) => scope::DEAD_LETTERS,
            Self::Members(_) => scope::MEMBERS,
            Self::Palette(_) => scope::PALETTE,
            Self::Prompt(_) => scope::PROMPT,
            Self::Confirm(_) => scope::CONFIRM,
        }
    }
}

impl DetailsOf {
    /// The scopes that are active while these details are on top.
    pub(crate) const fn scopes(&self) -> Scopes {
        match self {
            Self::Task(_) => scope::TASK_DETAILS,
            Self::Name { .. } => scope::NAME_DETAILS,
            Self::Worker(_) | Self::Doctor | Self::Result { .. } => scope::DETAILS,
        }
    }
}
