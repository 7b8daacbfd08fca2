//! Effects, which the screen asks for, and messages, which it receives: both as data.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    action::Action,
    key::Key,
    model::{Header, layer::Membership, tasks::Fetch},
    pane::Pane,
};
use crate::{
    export::ExportTable,
    health::Finding,
    net::{
        admission::TicketOptions,
        naming::Record,
        trust::{role::Role, ticket::Ticket},
    },
    node::NamesEvent,
    queue::{
        broker::BulkAction,
        error::FailureGroup,
        event::EventBatch,
        id::TaskId,
        query::{Filter, Order, Page},
        stats::{Count, Stats},
        storage::Recovery,
        task::{NewTask, Task},
        worker::WorkerStatus,
    },
    value::{Value, signature::Signature},
};

/// Something to be done outside of the model. The verb that asks for it also carries it out.
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
        /// A description for the log: `2 + 3`, or `load of 100`.
        what: String,
    },
    Cancel(TaskId),
    Retry(TaskId),
    UndoCancel(TaskId),
    /// Applies an action to all matching tasks.
    Bulk {
        action: BulkAction,
        filter: Filter,
    },
    /// Counts the matching tasks, to ask for confirmation.
    Count {
        action: BulkAction,
        filter: Filter,
    },
    /// Finds out which of the marked tasks still exist.
    CheckMarks(BTreeSet<TaskId>),
    /// Finds out what would be lost with the node of this process.
    CheckQuit,
    DeadLetters,
    /// Reads the report of the recovery from the previous process.
    Recovery,
    Members,
    Ticket {
        role: Role,
        options: TicketOptions,
    },
    InvalidateTickets,
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
    /// Findings about the node, and its upstreams.
    Health,
    /// Looks whether a process uses the data folder.
    LookForNode,
    /// Starts a node on the data folder in this process, or attaches to the one that runs there.
    StartNode,
    Tasks(Fetch),
    /// Opens the details of a task.
    Details(TaskId),
    /// Refreshes details that are open.
    RefreshDetails(TaskId),
    Export(Export),
    /// Copies a text to the clipboard.
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
    pub(crate) rows: ExportRows,
}

/// The rows to write: those in memory, or tasks to fetch from the broker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExportRows {
    Table(ExportTable),
    Tasks { filter: Filter, order: Order },
}

/// Something that the screen receives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Msg {
    Key(Key),
    Paste(String),
    Mouse(Mouse),
    Resize(u16, u16),
    /// The deadline of the model has passed.
    Tick,
    /// The first frame has been drawn.
    Started,
    /// A signal asks the program to end.
    Terminate,
    Names(NamesEvent),
    Broker(EventBatch),
    Greeted {
        number: u64,
        reply: Result<Greeted, String>,
    },
    Methods {
        name: String,
        methods: Result<Vec<Signature>, String>,
    },
    /// The replies that the broker sent.
    Overview {
        stats: Option<Box<Stats>>,
        workers: Option<Vec<WorkerStatus>>,
        /// The reason why the broker cannot be reached, if it cannot.
        unreachable: Option<String>,
    },
    /// The findings of the node, and the number of its upstreams; `None` if it did not reply, or not to
    /// this role.
    Health(Option<(Vec<Finding>, usize)>),
    /// True if a process uses the data folder.
    NodeFound(bool),
    /// The node that the screen shows from now on, or why none could be started.
    NodeOpened(Result<Header, String>),
    Tasks {
        number: u64,
        page: Option<Page>,
    },
    Counted {
        action: BulkAction,
        filter: Filter,
        count: Result<Count, String>,
    },
    /// The marked tasks that do not exist any more.
    MarksGone(Vec<TaskId>),
    /// The loss that quitting would cause.
    QuitChecked(QuitLoss),
    DeadLetters(Result<Vec<FailureGroup>, String>),
    Recovery(Recovery),
    Members(Result<Membership, String>),
    /// A task whose details were asked for.
    Details {
        id: TaskId,
        task: Result<Option<Task>, String>,
    },
    RefreshedDetails(Option<Task>),
    /// An effect has been carried out.
    EffectDone(EffectDone),
}

/// The work that ends with the node of this process, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct QuitLoss {
    /// Counts and storage; `None` if the broker did not reply in time.
    pub(crate) stats: Option<Box<Stats>>,
    /// Members that are connected.
    pub(crate) members: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Greeted {
    pub(crate) text: String,
    pub(crate) lookup: Duration,
    pub(crate) call: Duration,
}

/// The result of an effect, for the log and a toast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EffectDone {
    /// The verb that asked for the effect.
    pub(crate) action: Action,
    /// The action in words, for the log: `cancel #5`.
    pub(crate) what: String,
    pub(crate) result: Result<String, String>,
    /// A task whose cancellation can be undone now.
    pub(crate) cancelled: Option<TaskId>,
    pub(crate) took: Duration,
}

impl EffectDone {
    /// A result whose duration is not known yet.
    pub(crate) fn new(
        action: Action,
        what: impl Into<String>,
        result: Result<String, impl ToString>,
    ) -> Self {
        Self {
            action,
            what: what.into(),
            result: result.map_err(|e| e.to_string()),
            cancelled: None,
            took: Duration::ZERO,
        }
    }
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
