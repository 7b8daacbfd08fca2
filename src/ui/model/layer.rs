//! What lies over the panes: a stack of layers. The top one has the keyboard; esc takes it away.

use std::sync::Arc;

use tui_input::Input;

use crate::{
    net::{admission::MemberStatus, naming::Record, rpc::object::Signature},
    node::UpstreamStatus,
    queue::{broker::BulkAction, error::FailureGroup, id::WorkerId, query::Filter, task::Task},
    ui::{effect::Members, pane::Pane},
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
    Peers(MembersView),
}

/// Who has joined, and what was joined.
#[derive(Debug, Default)]
pub(crate) struct MembersView {
    /// Nothing while it is being asked for.
    pub(crate) peers: Option<Result<Members, String>>,
    pub(crate) selected: usize,
}

impl MembersView {
    pub(crate) fn here(&self) -> &[MemberStatus] {
        match &self.peers {
            Some(Ok(peers)) => &peers.members,
            _ => &[],
        }
    }

    pub(crate) fn there(&self) -> &[UpstreamStatus] {
        match &self.peers {
            Some(Ok(peers)) => &peers.upstreams,
            _ => &[],
        }
    }
}

/// Why tasks have failed for good.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters {
    /// Nothing while they are being asked for.
    pub(crate) reasons: Option<Result<Vec<FailureGroup>, String>>,
    pub(crate) selected: usize,
    /// How many had failed when it was asked.
    pub(crate) failed: usize,
}

impl DeadLetters {
    pub(crate) fn selected(&self) -> Option<&FailureGroup> {
        match &self.reasons {
            Some(Ok(reasons)) => reasons.get(self.selected),
            _ => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.reasons {
            Some(Ok(reasons)) => reasons.len(),
            _ => 0,
        }
    }
}

/// A line to type on, and what is wrong with what was typed.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) purpose: PromptKind,
    pub(crate) input: Input,
    pub(crate) error: Option<String>,
}

/// What a prompt is for.
#[derive(Debug, Clone)]
pub(crate) enum PromptKind {
    Add,
    Filter(Pane),
    Export(Pane),
    Call(Arc<Record>),
    Join,
}

impl Prompt {
    pub(crate) fn new(purpose: PromptKind, text: String) -> Self {
        Self {
            purpose,
            input: Input::new(text),
            error: None,
        }
    }

    pub(crate) fn title(&self) -> String {
        match &self.purpose {
            PromptKind::Add => "Add".to_owned(),
            PromptKind::Filter(pane) => format!("Filter {}", pane.title()),
            PromptKind::Export(pane) => format!("Export {}", pane.title()),
            PromptKind::Call(record) => format!("Call {}", record.name),
            PromptKind::Join => "Join".to_owned(),
        }
    }

    /// What to type.
    pub(crate) fn help(&self) -> &'static str {
        match self.purpose {
            PromptKind::Add => {
                "two numbers, seconds to work if you like:  2 3   2 + 3   -1 2.5   2 + 3, 4   and \
                 wishes: key:K unique|serial, queue:Q, priority:9, in:30s, at:15:30, expires:5m, \
                 attempts:3, limit:10s, fails:2"
            }
            PromptKind::Filter(Pane::Tasks) => {
                "words, !word, state:failed,running, name:add, key:K, queue:Q, worker:w2"
            }
            PromptKind::Filter(_) => "words, !word; empty shows everything",
            PromptKind::Export(_) => "a file that ends in .json or .csv",
            PromptKind::Join => "a ticket of another node: there, `:ticket` or `distro-tui ticket`",
            PromptKind::Call(_) => {
                "a method and its arguments: words, numbers, \"text\", true, null"
            }
        }
    }
}

/// A question before something is done to many, or destroyed.
#[derive(Debug)]
pub(crate) struct Confirm {
    pub(crate) question: String,
    pub(crate) yes: ConfirmAction,
}

/// What is done on yes.
#[derive(Debug, Clone)]
pub(crate) enum ConfirmAction {
    Tasks { action: BulkAction, filter: Filter },
    Peer(String),
}

#[derive(Debug, Default)]
pub(crate) struct Palette {
    pub(crate) input: Input,
    pub(crate) selected: usize,
    pub(crate) error: Option<String>,
}

/// Everything about one thing.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) subject: DetailsOf,
    pub(crate) scroll: usize,
}

#[derive(Debug)]
pub(crate) enum DetailsOf {
    Task(Box<Task>),
    Worker(WorkerId),
    /// How tasks are kept, and whether all is well.
    Doctor,
    Name {
        record: Arc<Record>,
        methods: Option<Result<Vec<Signature>, String>>,
    },
    Answer {
        title: String,
        text: String,
    },
}
