//! What is on the screen, as plain data: no runtime, no sockets, no terminal.

pub(crate) mod events;
pub(crate) mod greeter;
pub(crate) mod layer;
pub(crate) mod list;
pub(crate) mod names;
pub(crate) mod overview;
pub(crate) mod tasks;
pub(crate) mod toast;

use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use self::{
    event_summary::EventSummary, events::Log, greeter::Greeter, layer::Layer, names::Names,
    overview::Overview, tasks::Tasks, toast::Toasts,
};
use super::{
    keymap::Keymap,
    layout::{self, Regions},
    pane::Pane,
    theme::Theme,
};
use crate::{
    net::rpc::wire::Role,
    node::{Locality, NodeHandle},
    queue::task::{TaskId, Timestamp},
};

/// What is known of the node on the screen.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) fingerprint: String,
    pub(crate) addr: String,
    pub(crate) engine: String,
    /// What may be done there.
    pub(crate) role: Role,
    pub(crate) place: Locality,
    /// Nothing is to be changed from this screen, whatever the role.
    pub(crate) read_only: bool,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            fingerprint: String::new(),
            addr: String::new(),
            engine: String::new(),
            role: Role::Admin,
            place: Locality::InProcess,
            read_only: false,
        }
    }
}

impl Header {
    pub(crate) fn of(access: &NodeHandle) -> Self {
        let about = access.about();
        Self {
            fingerprint: about.key.fingerprint(),
            addr: about.addr.to_string(),
            engine: access.broker().engine().to_owned(),
            role: about.role,
            place: about.place,
            read_only: false,
        }
    }
}

/// A node that cannot be reached.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    /// When it is tried again.
    pub(crate) again_at: Timestamp,
    pub(crate) why: String,
}

/// How a recording is being shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Replay {
    /// How far it is, and how long it is.
    pub(crate) at: Duration,
    pub(crate) length: Duration,
    pub(crate) speed: f64,
    pub(crate) paused: bool,
}

/// What comes from outside and is held still by freezing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Data {
    pub(crate) overview: Overview,
    pub(crate) log: Log,
}

/// Everything that is on the screen.
#[derive(Debug)]
pub(crate) struct Model {
    /// Counts changes: a frame is drawn when it has moved.
    pub(crate) version: u64,
    pub(crate) now: Timestamp,
    pub(crate) size: (u16, u16),
    pub(crate) about: Header,
    pub(crate) focus: Pane,
    pub(crate) before: Pane,
    pub(crate) zoomed: bool,
    pub(crate) mouse: bool,
    pub(crate) names: Names,
    pub(crate) greeter: Greeter,
    pub(crate) tasks: Tasks,
    /// Workers and events are lists like any other.
    pub(crate) workers: list::Selection,
    pub(crate) events: events::View,
    live: Data,
    frozen: Option<Box<Data>>,
    pub(crate) toasts: Toasts,
    pub(crate) layers: Vec<Layer>,
    /// The prompt whose text is being carried out: it comes back with the text if that fails.
    pub(crate) submitted: Option<layer::Prompt>,
    pub(crate) keymap: Keymap,
    pub(crate) theme: Theme,
    pub(crate) zone: TimeZone,
    /// Where things were drawn last, for the mouse.
    pub(crate) regions: Regions,
    /// When the counts, the workers and the tasks are to be asked for again.
    pub(crate) refresh_at: Option<Timestamp>,
    pub(crate) refreshing: bool,
    pub(crate) refreshed_at: Timestamp,
    /// What tasks did since the last refresh.
    pub(crate) tally: EventSummary,
    pub(crate) leaving: bool,
    /// The node cannot be reached.
    pub(crate) lost: Option<Lost>,
    /// What is shown was recorded.
    pub(crate) replay: Option<Replay>,
    /// A cancellation that can be taken back, and until when.
    pub(crate) undo: Option<(TaskId, Timestamp)>,
}

/// How long a cancellation can be taken back.
pub(crate) const UNDO: Duration = Duration::from_secs(5);

/// Between two looks at the broker there is at least this much time: fast enough for an eye, and a
/// hundred thousand tasks a second cost no more than ten.
pub(crate) const REFRESH: Duration = Duration::from_millis(60);
/// How often what moves with time alone is drawn: running times and lanes.
const MOTION: Duration = Duration::from_millis(250);
/// How often the throughput moves on while nothing ends.
const SECOND: Duration = Duration::from_secs(1);

impl Model {
    pub(crate) fn new(theme: Theme, keymap: Keymap, zone: TimeZone) -> Self {
        Self {
            version: 1,
            now: Timestamp::default(),
            size: (80, 24),
            about: Header::default(),
            focus: Pane::Names,
            before: Pane::Names,
            zoomed: false,
            mouse: true,
            names: Names::default(),
            greeter: Greeter::default(),
            tasks: Tasks::default(),
            workers: list::Selection::default(),
            events: events::View::default(),
            live: Data::default(),
            frozen: None,
            toasts: Toasts::default(),
            layers: Vec::new(),
            submitted: None,
            keymap,
            theme,
            zone,
            regions: Regions::default(),
            refresh_at: None,
            refreshing: false,
            refreshed_at: Timestamp::default(),
            tally: EventSummary::default(),
            leaving: false,
            lost: None,
            replay: None,
            undo: None,
        }
    }

    /// What is shown: the newest, or what was there when the screen was frozen.
    pub(crate) fn data(&self) -> &Data {
        self.frozen.as_deref().unwrap_or(&self.live)
    }

    /// What is coming in.
    pub(crate) fn live_mut(&mut self) -> &mut Data {
        &mut self.live
    }

    /// Workers that have been asked for, also while the screen stands still.
    pub(crate) fn wanted_workers(&self) -> usize {
        self.live.overview.wanted
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    pub(crate) fn freeze(&mut self, on: bool) {
        self.frozen = on.then(|| Box::new(self.live.clone()));
        self.names.freeze(on);
        if !on {
            self.refresh_at = Some(self.now);
        }
    }

    /// A frame has been drawn: lists know now how much of them is seen.
    pub(crate) fn drawn(&mut self, regions: Regions) {
        for (pane, area, top) in &regions.rows {
            let selection = match pane {
                Pane::Names => &mut self.names.selection,
                Pane::Tasks => &mut self.tasks.selection,
                Pane::Workers => &mut self.workers,
                Pane::Events => &mut self.events.selection,
                Pane::Greeter => continue,
            };
            selection.height = area.height.into();
            selection.top = *top;
        }
        self.regions = regions;
    }

    /// Notes that something on the screen is different now.
    pub(crate) fn touch(&mut self) {
        self.version += 1;
    }

    /// The line that is being typed on, if there is one.
    pub(crate) fn line(&self) -> Option<&str> {
        match self.layers.last() {
            Some(Layer::Prompt(prompt)) => Some(prompt.input.value()),
            Some(Layer::Palette(palette)) => Some(palette.input.value()),
            Some(_) => None,
            None => (self.focus == Pane::Greeter).then(|| self.greeter.input.value()),
        }
    }

    pub(crate) fn focus(&mut self, pane: Pane) {
        if pane != self.focus {
            self.before = self.focus;
            self.focus = pane;
        }
    }

    pub(crate) fn selected_worker(&self) -> Option<&crate::queue::worker::WorkerStatus> {
        self.data().overview.workers.get(self.workers.at)
    }

    /// A time where the person is.
    pub(crate) fn local(&self, time: Timestamp) -> jiff::Zoned {
        let micros = i64::try_from(time.0).unwrap_or_default();
        jiff::Timestamp::from_microsecond(micros)
            .unwrap_or_default()
            .to_zoned(self.zone.clone())
    }

    /// Whether a pane is on the screen.
    pub(crate) fn shows(&self, pane: Pane) -> bool {
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let workers = self.data().overview.workers.len();
        layout::plan(area, self.focus, self.zoomed, workers)
            .is_some_and(|plan| plan.panes.iter().any(|(shown, _)| *shown == pane))
    }

    /// When the screen changes by itself, if it does. Without this nothing ticks.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let motion = (self.is_moving() && !self.is_frozen()).then(|| self.now.after(MOTION));
        let overview = &self.data().overview;
        let rate = (overview.rate_moves(self.now) && !self.is_frozen() && self.shows(Pane::Tasks))
            .then(|| self.now.after(SECOND));
        let counts = self.tasks.counts_down() && !self.is_frozen() && self.shows(Pane::Tasks);
        let count = counts.then(|| self.now.after(SECOND));
        let again = self.lost.is_some().then(|| self.now.after(SECOND));
        let asked = self.refresh_at.filter(|_| !self.refreshing);
        [self.toasts.deadline(), motion, rate, count, again, asked]
            .into_iter()
            .flatten()
            .min()
    }

    fn is_moving(&self) -> bool {
        let overview = &self.data().overview;
        (self.shows(Pane::Workers) && overview.lanes_move(self.now))
            || (self.shows(Pane::Tasks) && overview.has_running())
    }
}
mod availability;
pub(crate) mod event_summary;
