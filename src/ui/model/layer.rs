//! What lies over the panes: a stack of layers. The top one has the keyboard; esc takes it away.

use std::sync::Arc;

use tui_input::Input;

use crate::{
    net::{naming::Record, object::Signature},
    queue::{
        query::Filter,
        task::{Task, WorkerId},
    },
    ui::pane::Pane,
};

#[derive(Debug)]
pub(crate) enum Layer {
    Help { scroll: usize },
    Palette(Palette),
    Prompt(Prompt),
    Confirm(Confirm),
    Details(Details),
}

/// A line to type on, and what is wrong with what was typed.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) purpose: Purpose,
    pub(crate) input: Input,
    pub(crate) error: Option<String>,
}

/// What a prompt is for.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    Add,
    Filter(Pane),
    Export(Pane),
    Call(Arc<Record>),
}

impl Prompt {
    pub(crate) fn new(purpose: Purpose, text: String) -> Self {
        Self {
            purpose,
            input: Input::new(text),
            error: None,
        }
    }

    pub(crate) fn title(&self) -> String {
        match &self.purpose {
            Purpose::Add => "Add".to_owned(),
            Purpose::Filter(pane) => format!("Filter {}", pane.title()),
            Purpose::Export(pane) => format!("Export {}", pane.title()),
            Purpose::Call(record) => format!("Call {}", record.name),
        }
    }

    /// What to type.
    pub(crate) fn help(&self) -> &'static str {
        match self.purpose {
            Purpose::Add => {
                "two numbers, and seconds to work if you like:  2 3   2 + 3   -1 2.5   2 + 3, 4"
            }
            Purpose::Filter(Pane::Tasks) => "words, !word, state:failed,running, worker:w2",
            Purpose::Filter(_) => "words, !word; empty shows everything",
            Purpose::Export(_) => "a file that ends in .json or .csv",
            Purpose::Call(_) => "a method and its arguments: words, numbers, \"text\", true, null",
        }
    }
}

/// A question before something is destroyed.
#[derive(Debug)]
pub(crate) struct Confirm {
    pub(crate) question: String,
    pub(crate) yes: Destroy,
}

/// What is destroyed on yes.
#[derive(Debug, Clone)]
pub(crate) enum Destroy {
    Purge(Filter),
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
    pub(crate) subject: Subject,
    pub(crate) scroll: usize,
}

#[derive(Debug)]
pub(crate) enum Subject {
    Task(Box<Task>),
    Worker(WorkerId),
    Name {
        record: Arc<Record>,
        methods: Option<Result<Vec<Signature>, String>>,
    },
    Answer {
        title: String,
        text: String,
    },
}
