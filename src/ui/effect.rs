//! What the screen wants from the world, and what the world tells the screen: both as data.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{key::Key, model::tasks::Fetch};
use crate::ui::pane::Pane;
use crate::{
    export::Table,
    net::{
        admission::{MemberStatus, TicketOptions},
        naming::Record,
        rpc::{object::Signature, wire::Role},
        trust::ticket::Ticket,
    },
    node::{NamesEvent, UpstreamStatus},
    queue::{
        broker::{BulkAction, EventBatch, FailureGroup, Stats},
        embedded::Recovery,
        query::{Filter, Order, Page},
        task::{NewTask, State, Task, TaskId},
        worker::WorkerStatus,
    },
    value::Value,
};

/// Something to be done outside of the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    Greet {
        number: u64,
        name: String,
    },
    Methods(Arc<Record>),
    Call {
        record: Arc<Record>,
        method: String,
        args: Vec<Value>,
    },
    Submit {
        tasks: Vec<NewTask>,
        /// What it is, for the log: `2 + 3`, or a burst.
        what: String,
    },
    Cancel(TaskId),
    Retry(TaskId),
    /// Take a cancellation back.
    Restore(TaskId),
    /// Do one thing to all tasks that match.
    Bulk {
        deed: BulkAction,
        filter: Filter,
    },
    /// Count them first, to ask whether it is meant.
    Count {
        deed: BulkAction,
        filter: Filter,
        /// Which they are, for the question: `that match /x`.
        which: String,
    },
    /// Why tasks have failed.
    DeadLetters,
    /// What the process before had left.
    Recovery,
    /// Who has joined, and what was joined.
    Peers,
    Ticket {
        role: Role,
        wish: TicketOptions,
    },
    Rotate,
    Join(Ticket),
    Leave(String),
    Revoke(String),
    Pause {
        queue: Option<String>,
        on: bool,
    },
    Scale(usize),
    /// Counts and workers.
    Overview,
    Tasks(Fetch),
    /// One task for its details.
    Task(TaskId),
    /// The same to open them.
    Show(TaskId),
    Export(Export),
    /// Put this on the clipboard.
    Copy(String),
    Mouse(bool),
    Suspend,
    Quit,
}

/// Rows to be written to a new file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Export {
    pub(crate) pane: Pane,
    pub(crate) path: PathBuf,
    pub(crate) rows: Rows,
}

/// The rows to write: those in memory, or tasks to fetch from the broker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rows {
    Table(Table),
    Tasks { filter: Filter, order: Order },
}

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Msg {
    Key(Key),
    Paste(String),
    Mouse(Mouse),
    Resize(u16, u16),
    /// Time has passed that the model asked for.
    Tick,
    /// The first frame has been drawn.
    Started,
    /// Somebody outside asks the program to end.
    Terminate,
    Names(NamesEvent),
    Broker(EventBatch),
    Greeted {
        number: u64,
        answer: Result<Greeted, String>,
    },
    Methods {
        name: String,
        methods: Result<Vec<Signature>, String>,
    },
    Overview(Option<(Box<Stats>, Vec<WorkerStatus>)>),
    Tasks {
        number: u64,
        page: Option<Page>,
    },
    Task(Option<Task>),
    Counted {
        deed: BulkAction,
        filter: Filter,
        which: String,
        count: Result<usize, String>,
    },
    DeadLetters(Result<Vec<FailureGroup>, String>),
    Recovery(Recovery),
    Peers(Result<Peers, String>),
    /// An effect has been carried out.
    EffectDone(EffectDone),
    /// A task that was asked for by its number.
    Shown {
        id: TaskId,
        task: Result<Option<Task>, String>,
    },
}

/// Who has joined a node, and which nodes it has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peers {
    pub(crate) here: Vec<MemberStatus>,
    pub(crate) there: Vec<UpstreamStatus>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Greeted {
    pub(crate) text: String,
    pub(crate) lookup: Duration,
    pub(crate) call: Duration,
}

/// What was done, for the log and a toast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EffectDone {
    pub(crate) what: What,
    pub(crate) result: Result<String, String>,
    pub(crate) took: Duration,
}

/// Which effect was carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum What {
    Submit(String),
    Cancel(TaskId, Option<State>),
    Retry(TaskId),
    Restore(TaskId),
    Bulk(BulkAction),
    Pause(bool),
    Scale,
    Call(String),
    /// The text is a secret.
    Ticket(Role),
    Rotate,
    Join,
    Leave,
    Revoke,
    Export,
    Copy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mouse {
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) what: Click,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Click {
    Left,
    WheelUp,
    WheelDown,
}
