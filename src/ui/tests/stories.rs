//! Stories in keys, on the real program: a real process with its network and its workers, the real
//! effects, and a terminal in memory.

mod load;
mod program;
mod tasks;
mod typing;

use std::{sync::Arc, time::Duration};

use crate::{
    node::{Node, NodeConfig, Session},
    queue::id::TaskId,
    ui::{Headless, UiOptions},
};

/// The program without its terminal, and its data folder.
struct App {
    screen: Headless,
    home: tempfile::TempDir,
}

impl App {
    fn start() -> Self {
        Self::at(tempfile::tempdir().expect("a folder"))
    }

    /// The program with configured keys.
    fn with_keys(keys: &[(&str, &str)]) -> Self {
        let keys = keys.iter();
        let keys = keys.map(|(name, key)| ((*name).to_owned(), vec![(*key).to_owned()]));
        let options = UiOptions {
            keys: keys.collect(),
            ..UiOptions::default()
        };
        Self::with(tempfile::tempdir().expect("a folder"), &options)
    }

    /// The program on an existing data folder.
    fn at(home: tempfile::TempDir) -> Self {
        Self::with(home, &UiOptions::default())
    }

    fn with(home: tempfile::TempDir, options: &UiOptions) -> Self {
        let mut config = NodeConfig::at(home.path());
        config.broker.workers = Some(2);
        let node = Node::start(&config).expect("starts");
        let session = Arc::new(Session::from(node));
        let screen = Headless::start(options, session, (140, 40)).expect("a theme of ours");
        Self { screen, home }
    }

    fn press(&mut self, keys: &str) -> &mut Self {
        self.screen.press(keys).expect("keys");
        self
    }

    fn type_text(&mut self, text: &str) -> &mut Self {
        self.screen.type_text(text);
        self
    }

    fn shown(&mut self) -> String {
        self.screen.shown()
    }

    fn selected(&self) -> u64 {
        let selected = self.screen.model.tasks.selected();
        selected
            .and_then(|task| task.id.sequence())
            .unwrap_or_default()
    }

    async fn until(&mut self, wanted: &str) -> String {
        self.wait(wanted, |screen| screen.shown().contains(wanted))
            .await;
        self.shown()
    }

    /// Waits for a toast with this text.
    async fn sees_toast(&mut self, wanted: &str) {
        let shown = |screen: &mut Headless| {
            let mut toasts = screen.model.toasts.iter();
            toasts.any(|toast| toast.text.contains(wanted))
        };
        self.wait(wanted, shown).await;
    }

    /// Waits until this task is selected.
    async fn at_task(&mut self, id: u64) {
        let selected = |screen: &mut Headless| {
            let task = screen.model.tasks.selected();
            task.is_some_and(|task| task.id == TaskId::Sequence(id))
        };
        self.wait(&format!("task {id}"), selected).await;
    }

    /// Receives messages until a condition holds.
    async fn wait(&mut self, what: &str, so: impl Fn(&mut Headless) -> bool) {
        let story = async {
            while !so(&mut self.screen) {
                self.screen.next().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(30), story)
            .await
            .is_err()
        {
            panic!("{what}: never came:\n{}", self.shown());
        }
    }

    async fn end(self) {
        self.end_for_restart().await;
    }

    /// Ends the program, and returns its data folder.
    async fn end_for_restart(self) -> tempfile::TempDir {
        self.screen.session().end(Duration::ZERO).await;
        self.home
    }
}
