//! The table of actions, in the order in which people are shown them.

use super::{
    Action, ActionSpec,
    Scope::{self, Everywhere, In},
};
use crate::ui::pane::Pane;

const fn entry(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    hint: &'static str,
    text: &'static str,
    at: Scope,
) -> ActionSpec {
    ActionSpec {
        action,
        name,
        keys,
        text,
        hint,
        at,
        destructive: false,
        changes: false,
        argument: "",
    }
}

impl ActionSpec {
    const fn taking(mut self, argument: &'static str) -> Self {
        self.argument = argument;
        self
    }

    const fn changing(mut self) -> Self {
        self.changes = true;
        self
    }

    const fn destroying(mut self) -> Self {
        self.destructive = true;
        self
    }
}

const TABLES: Scope = In(&[Pane::Names, Pane::Tasks, Pane::Workers, Pane::Events]);
const TASKS: Scope = In(&[Pane::Tasks]);
const WORKERS: Scope = In(&[Pane::Workers]);
const NAMES: Scope = In(&[Pane::Names]);
const GREETER: Scope = In(&[Pane::Greeter]);
const ROWS: Scope = In(&[Pane::Names, Pane::Tasks, Pane::Workers]);

/// The table.
pub(crate) const TABLE: &[ActionSpec] = &[
    entry(
        Action::Focus(Pane::Names),
        "names",
        &["1"],
        "",
        "go to Names",
        Everywhere,
    ),
    entry(
        Action::Focus(Pane::Greeter),
        "greeter",
        &["2"],
        "",
        "go to Greeter",
        Everywhere,
    ),
    entry(
        Action::Focus(Pane::Tasks),
        "tasks",
        &["3"],
        "",
        "go to Tasks",
        Everywhere,
    ),
    entry(
        Action::Focus(Pane::Workers),
        "workers",
        &["4"],
        "",
        "go to Workers",
        Everywhere,
    ),
    entry(
        Action::Focus(Pane::Events),
        "events",
        &["5"],
        "",
        "go to Events",
        Everywhere,
    ),
    entry(
        Action::NextPane,
        "next",
        &["tab"],
        "",
        "go to the next pane",
        Everywhere,
    ),
    entry(
        Action::PreviousPane,
        "previous",
        &["shift-tab"],
        "",
        "go to the previous pane",
        Everywhere,
    ),
    entry(
        Action::Greet,
        "greet",
        &["enter"],
        "greet",
        "call the greeter with the name you typed",
        GREETER,
    )
    .taking("NAME"),
    entry(
        Action::HistoryBack,
        "history-back",
        &["up"],
        "history",
        "take an earlier name",
        GREETER,
    ),
    entry(
        Action::HistoryForward,
        "history-forward",
        &["down"],
        "",
        "take a later name",
        GREETER,
    ),
    entry(
        Action::LeaveGreeter,
        "back",
        &["esc"],
        "leave",
        "go back to the pane before",
        GREETER,
    ),
    entry(
        Action::Add,
        "add",
        &["a"],
        "add",
        "queue an addition: 2 3, or 2 + 3, and seconds and wishes if you like",
        TASKS,
    )
    .taking("X Y [SECONDS] [WISHES]")
    .changing(),
    entry(
        Action::Load,
        "burst",
        &["b"],
        "burst",
        "queue a hundred additions that take a moment each",
        TASKS,
    )
    .taking("[COUNT]")
    .changing(),
    entry(
        Action::CallMethod,
        "call",
        &["c"],
        "call",
        "call a method of the object under this name",
        NAMES,
    )
    .taking("[NAME] METHOD [ARGUMENT ...]"),
    entry(
        Action::Methods,
        "methods",
        &[],
        "",
        "show everything about a name, and what may be called on it",
        NAMES,
    )
    .taking("NAME"),
    entry(
        Action::Show,
        "show",
        &[],
        "",
        "show everything about a task, by its number",
        TASKS,
    )
    .taking("NUMBER"),
    entry(
        Action::ScaleUp,
        "scale-up",
        &["+"],
        "more",
        "one worker more",
        WORKERS,
    )
    .changing(),
    entry(
        Action::ScaleDown,
        "scale-down",
        &["-"],
        "fewer",
        "one worker fewer; it ends what it runs",
        WORKERS,
    )
    .changing(),
    entry(
        Action::Open,
        "details",
        &["enter"],
        "details",
        "show everything about the selected row",
        ROWS,
    ),
    entry(
        Action::Cancel,
        "cancel",
        &["x"],
        "cancel",
        "cancel the selected task, or the marked ones",
        TASKS,
    )
    .taking("[ID]")
    .changing(),
    entry(
        Action::Undo,
        "undo",
        &["u"],
        "",
        "take the cancellation of a moment ago back",
        TASKS,
    )
    .changing(),
    entry(
        Action::Retry,
        "retry",
        &["r"],
        "retry",
        "run the selected task again with its own arguments, or the marked ones",
        TASKS,
    )
    .taking("[ID]")
    .changing(),
    entry(
        Action::Mark,
        "mark",
        &["space"],
        "mark",
        "mark the selected task, or take its mark away",
        TASKS,
    ),
    entry(
        Action::DeadLetters,
        "dead",
        &["d"],
        "dead",
        "show why tasks have failed for good, by reason",
        TASKS,
    ),
    entry(
        Action::Latency,
        "latency",
        &["l"],
        "",
        "show how long each kind of task waits and runs",
        TASKS,
    ),
    entry(
        Action::RetryAll,
        "retry-all",
        &["R"],
        "",
        "run all again that failed, were cancelled or expired and that the filter shows",
        TASKS,
    )
    .changing(),
    entry(
        Action::CancelAll,
        "cancel-all",
        &["X"],
        "",
        "cancel all that have not ended and that the filter shows",
        TASKS,
    )
    .destroying()
    .changing(),
    entry(
        Action::Pause,
        "pause",
        &["p"],
        "pause",
        "pause or resume everything, or one queue",
        TASKS,
    )
    .taking("[QUEUE]")
    .changing(),
    entry(
        Action::Resume,
        "resume",
        &[],
        "",
        "hand out tasks again, of every queue or of one",
        TASKS,
    )
    .taking("[QUEUE]")
    .changing(),
    entry(
        Action::Sort,
        "sort",
        &["s"],
        "sort",
        "sort by newest, oldest, state or slowest",
        TASKS,
    )
    .taking("[ORDER]"),
    entry(
        Action::Purge,
        "purge",
        &["D"],
        "purge",
        "forget the finished tasks that the filter shows",
        TASKS,
    )
    .destroying()
    .changing(),
    entry(Action::Up, "up", &["up", "k"], "", "one row up", TABLES),
    entry(
        Action::Down,
        "down",
        &["down", "j"],
        "",
        "one row down",
        TABLES,
    ),
    entry(
        Action::PageUp,
        "page-up",
        &["pgup"],
        "",
        "one page up",
        TABLES,
    ),
    entry(
        Action::PageDown,
        "page-down",
        &["pgdn"],
        "",
        "one page down",
        TABLES,
    ),
    entry(
        Action::Top,
        "top",
        &["g", "home"],
        "",
        "the first row",
        TABLES,
    ),
    entry(
        Action::Bottom,
        "bottom",
        &["G", "end"],
        "",
        "the last row",
        TABLES,
    ),
    entry(
        Action::Zoom,
        "zoom",
        &["z"],
        "zoom",
        "give this pane the whole screen, or take it back",
        Everywhere,
    ),
    entry(
        Action::Filter,
        "filter",
        &["/"],
        "filter",
        "show only what matches: words, !word, state:failed, name:add, key:K, worker:w2",
        TABLES,
    )
    .taking("[FILTER]"),
    entry(
        Action::Copy,
        "copy",
        &["y"],
        "copy",
        "copy the selected row to the clipboard, over SSH too",
        Everywhere,
    ),
    entry(
        Action::Export,
        "export",
        &["e"],
        "export",
        "write this pane to a .json or .csv file",
        Everywhere,
    )
    .taking("[FILE]"),
    entry(
        Action::Freeze,
        "freeze",
        &["f"],
        "freeze",
        "hold the screen still while everything goes on, or let it go",
        Everywhere,
    ),
    entry(
        Action::Mouse,
        "mouse",
        &[],
        "",
        "let the terminal have the mouse, to select text, or take it back",
        Everywhere,
    ),
    entry(
        Action::Theme,
        "theme",
        &[],
        "",
        "change the colours: dark, light, high-contrast, colour-blind",
        Everywhere,
    )
    .taking("NAME"),
    entry(
        Action::Run,
        "run",
        &[],
        "",
        "queue any task that this program knows",
        Everywhere,
    )
    .taking("NAME JSON [WISHES]")
    .changing(),
    entry(
        Action::Doctor,
        "doctor",
        &[],
        "",
        "show how tasks are kept, what that risks, and whether all is well",
        Everywhere,
    ),
    entry(
        Action::Peers,
        "peers",
        &["n"],
        "",
        "show who has joined this node, and which nodes it has joined",
        Everywhere,
    ),
    entry(
        Action::Ticket,
        "ticket",
        &[],
        "",
        "make a ticket for others to join with: read, member or admin; once; 1h",
        Everywhere,
    )
    .taking("[ROLE] [once] [TIME]")
    .changing(),
    entry(
        Action::Rotate,
        "rotate",
        &[],
        "",
        "make every ticket worthless that is out; who has joined stays",
        Everywhere,
    )
    .changing(),
    entry(
        Action::Join,
        "join",
        &[],
        "",
        "join another node with its ticket",
        Everywhere,
    )
    .taking("[TICKET]")
    .changing(),
    entry(
        Action::Leave,
        "leave",
        &[],
        "",
        "leave a node that was joined: the beginning of its key",
        Everywhere,
    )
    .taking("KEY")
    .changing(),
    entry(
        Action::Revoke,
        "revoke",
        &[],
        "",
        "throw a peer out: the beginning of its key, or its label",
        Everywhere,
    )
    .taking("KEY")
    .destroying()
    .changing(),
    entry(
        Action::Scale,
        "scale",
        &[],
        "",
        "ask for this many workers",
        Everywhere,
    )
    .taking("COUNT")
    .changing(),
    entry(
        Action::Palette,
        "palette",
        &[":"],
        "palette",
        "find any of these by name",
        Everywhere,
    ),
    entry(
        Action::Help,
        "help",
        &["?"],
        "help",
        "show all keys",
        Everywhere,
    ),
    entry(
        Action::Suspend,
        "suspend",
        &["ctrl-z"],
        "",
        "back to the shell; fg brings it back",
        Everywhere,
    ),
    entry(
        Action::Quit,
        "quit",
        &["q", "ctrl-c"],
        "quit",
        "end everything in order",
        Everywhere,
    ),
];
