//! The state of the screen as plain data: no runtime, no sockets, no terminal.

pub(crate) mod events;
pub(crate) mod freshness;
pub(crate) mod greeter;
pub(crate) mod health;
pub(crate) mod layer;
pub(crate) mod list;
pub(crate) mod names;
pub(crate) mod overview;
pub(crate) mod tasks;
pub(crate) mod toast;

use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;
use serde::{Deserialize, Serialize};

use self::{
    event_summary::EventSummary,
    events::Log,
    freshness::{LocalNode, SourceLink},
    greeter::Greeter,
    health::Health,
    layer::Layer,
    names::Names,
    overview::Overview,
    tasks::Tasks,
    toast::Toasts,
};
use super::{
    keymap::Keymap,
    layout::{self, Regions},
    pane::Pane,
    scope::{self, Scopes},
    theme::Theme,
};
use crate::{
    net::trust::role::Role,
    node::{Locality, NodeHandle},
    queue::{capabilities::Capabilities, clock::Timestamp, id::TaskId},
};

/// The node that the screen shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) fingerprint: String,
    pub(crate) addr: String,
    pub(crate) engine: String,
    /// The role of this key at the node.
    pub(crate) role: Role,
    pub(crate) locality: Locality,
    /// The operations of its broker.
    pub(crate) capabilities: Capabilities,
    /// The screen must not change anything, whatever the role.
    pub(crate) read_only: bool,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            fingerprint: String::new(),
            addr: String::new(),
            engine: String::new(),
            role: Role::Admin,
            locality: Locality::InProcess,
            capabilities: Capabilities::all(),
            read_only: false,
        }
    }
}

impl Header {
    pub(crate) fn from_handle(node: &NodeHandle) -> Self {
        let (info, broker) = (node.info(), node.broker());
        Self {
            fingerprint: info.key.fingerprint(),
            addr: info.addr.to_string(),
            engine: broker.engine().to_owned(),
            capabilities: broker.capabilities(),
            role: info.role,
            locality: info.locality,
            read_only: false,
        }
    }
}

/// The state of a replay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Replay {
    /// The position.
    pub(crate) at: Duration,
    /// The duration of the recording.
    pub(crate) length: Duration,
    pub(crate) speed: f64,
    pub(crate) paused: bool,
}

/// The data that freezing holds still.
#[derive(Debug, Clone, Default)]
pub(crate) struct Data {
    pub(crate) overview: Overview,
    pub(crate) log: Log,
}

/// The data as they were when the screen was frozen.
#[derive(Debug)]
struct Frozen {
    at: Timestamp,
    data: Data,
}

/// The whole state of the screen.
#[derive(Debug)]
pub(crate) struct Model {
    /// Increases with every change; a frame is drawn when it differs from the last one.
    pub(crate) version: u64,
    pub(crate) now: Timestamp,
    pub(crate) size: (u16, u16),
    pub(crate) header: Header,
    pub(crate) focus: Pane,
    /// The pane that had the focus before.
    pub(crate) previous_focus: Pane,
    pub(crate) zoomed: bool,
    pub(crate) mouse: bool,
    pub(crate) names: Names,
    pub(crate) greeter: Greeter,
    pub(crate) tasks: Tasks,
    pub(crate) workers: list::Selection,
    pub(crate) events: events::View,
    live: Data,
    frozen: Option<Box<Frozen>>,
    pub(crate) toasts: Toasts,
    pub(crate) layers: Vec<Layer>,
    /// The prompt that was submitted last; it opens again with its text if that fails.
    pub(crate) submitted: Option<layer::Prompt>,
    pub(crate) keymap: Keymap,
    pub(crate) theme: Theme,
    pub(crate) zone: TimeZone,
    /// The positions in the last frame, for the mouse.
    pub(crate) regions: Regions,
    /// The time of the next refresh of counts, workers and tasks.
    pub(crate) refresh_at: Option<Timestamp>,
    pub(crate) refreshing: bool,
    pub(crate) refreshed_at: Timestamp,
    /// Events since the last refresh.
    pub(crate) event_summary: EventSummary,
    pub(crate) leaving: bool,
    /// The connection to the naming server.
    pub(crate) names_link: SourceLink,
    /// The connection to the broker.
    pub(crate) broker_link: SourceLink,
    pub(crate) local_node: LocalNode,
    pub(crate) health: Health,
    /// Set while a recording is shown.
    pub(crate) replay: Option<Replay>,
    /// The last cancelled task, and the time until which that can be undone.
    pub(crate) undo: Option<(TaskId, Timestamp)>,
}

/// The time in which a cancellation can be undone.
pub(crate) const UNDO: Duration = Duration::from_secs(5);

/// The minimum time between two refreshes: fast enough for the eye, and it bounds the cost under load.
pub(crate) const REFRESH: Duration = Duration::from_millis(60);
/// The redraw interval of what changes with time: running times and timelines.
const ANIMATION: Duration = Duration::from_millis(250);
/// The redraw interval of the throughput and of countdowns.
const SECOND: Duration = Duration::from_secs(1);

/// The scroll positions of the lists: the first visible row and the number of visible rows of each.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scroll([(usize, usize); 4]);

impl Model {
    pub(crate) fn new(theme: Theme, keymap: Keymap, zone: TimeZone) -> Self {
        Self {
            version: 1,
            now: Timestamp::default(),
            size: (80, 24),
            header: Header::default(),
            focus: Pane::Names,
            previous_focus: Pane::Names,
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
            event_summary: EventSummary::default(),
            leaving: false,
            names_link: SourceLink::default(),
            broker_link: SourceLink::default(),
            local_node: LocalNode::default(),
            health: Health::default(),
            replay: None,
            undo: None,
        }
    }

    /// Returns the data to show: live, or frozen.
    pub(crate) fn data(&self) -> &Data {
        self.frozen
            .as_ref()
            .map_or(&self.live, |frozen| &frozen.data)
    }

    /// The scopes that are active now: those of the top overlay, or of the focused pane.
    pub(crate) fn scopes(&self) -> Scopes {
        self.layers
            .last()
            .map_or(scope::pane(self.focus), Layer::scopes)
    }

    /// Returns the live data, also while the screen is frozen.
    pub(crate) fn live_mut(&mut self) -> &mut Data {
        &mut self.live
    }

    /// Returns the desired number of workers, also while the screen is frozen.
    pub(crate) fn desired_workers(&self) -> usize {
        self.live.overview.desired_workers()
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// The time at which the screen was frozen.
    fn frozen_at(&self) -> Option<Timestamp> {
        self.frozen.as_ref().map(|frozen| frozen.at)
    }

    pub(crate) fn freeze(&mut self, on: bool) {
        self.frozen = on.then(|| {
            Box::new(Frozen {
                at: self.known_at(),
                data: self.live.clone(),
            })
        });
        self.names.freeze(on);
        if !on {
            self.refresh_at = Some(self.now);
        }
    }

    /// Takes the positions of a drawn frame: the lists learn their heights.
    pub(crate) fn set_regions(&mut self, regions: Regions) {
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

    /// Returns the scroll position of every list.
    pub(crate) fn scroll(&self) -> Scroll {
        let lists = [
            self.names.selection,
            self.tasks.selection,
            self.workers,
            self.events.selection,
        ];
        Scroll(lists.map(|list| (list.top, list.height)))
    }

    /// Scrolls every list to a position that [`Model::scroll`] has returned.
    pub(crate) fn set_scroll(&mut self, scroll: Scroll) {
        let lists = [
            &mut self.names.selection,
            &mut self.tasks.selection,
            &mut self.workers,
            &mut self.events.selection,
        ];
        for (list, (top, height)) in lists.into_iter().zip(scroll.0) {
            (list.top, list.height) = (top, height);
        }
    }

    /// Marks the screen as changed, so that a frame is drawn.
    pub(crate) fn touch(&mut self) {
        self.version += 1;
    }

    /// Returns the text that is being typed, if any.
    pub(crate) fn typed_text(&self) -> Option<&str> {
        match self.layers.last() {
            Some(Layer::Prompt(prompt)) => Some(prompt.input.value()),
            Some(Layer::Palette(palette)) => Some(palette.input.value()),
            Some(_) => None,
            None => (self.focus == Pane::Greeter).then(|| self.greeter.input.value()),
        }
    }

    pub(crate) fn focus(&mut self, pane: Pane) {
        if pane != self.focus {
            self.previous_focus = self.focus;
            self.focus = pane;
        }
    }

    pub(crate) fn selected_worker(&self) -> Option<&crate::queue::worker::WorkerStatus> {
        self.data().overview.workers.get(self.workers.at)
    }

    /// Converts a timestamp to local time.
    pub(crate) fn local(&self, time: Timestamp) -> jiff::ZonedDateTime {
        let micros = i64::try_from(time.0).unwrap_or_default();
        jiff::Timestamp::from_microsecond(micros)
            .unwrap_or_default()
            .to_zoned_datetime(self.zone.clone())
    }

    /// Formats a due time: soon in seconds, later by the clock.
    pub(crate) fn due_text(&self, at: Timestamp) -> String {
        let left = at.since(self.shown_at());
        if left.as_secs() < 60 {
            return format!("in {} s", left.as_secs() + 1);
        }
        format!("at {}", self.local(at).strftime("%H:%M:%S"))
    }

    /// Reports whether a pane is visible.
    pub(crate) fn shows(&self, pane: Pane) -> bool {
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let workers = self.data().overview.workers.len();
        layout::plan(area, self.focus, self.zoomed, workers)
            .is_some_and(|plan| plan.panes.iter().any(|(shown, _)| *shown == pane))
    }

    /// Returns the time when the screen next changes by itself; there is no other timer.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let is_live = self.is_live();
        let animation = (self.is_animated() && is_live).then(|| self.now.after(ANIMATION));
        let overview = &self.data().overview;
        let rate = (overview.rate_changes(self.now) && is_live && self.shows(Pane::Tasks))
            .then(|| self.now.after(SECOND));
        let counts = self.tasks.counts_down() && is_live && self.shows(Pane::Tasks);
        let count = counts.then(|| self.now.after(SECOND));
        let again = self.loss().is_some().then(|| self.now.after(SECOND));
        let asked = self
            .refresh_at
            .filter(|_| !self.refreshing && !self.is_frozen());
        let health = self.health.deadline();
        [
            self.toasts.deadline(),
            animation,
            rate,
            count,
            again,
            asked,
            health,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn is_animated(&self) -> bool {
        let overview = &self.data().overview;
        (self.shows(Pane::Workers) && overview.timelines_change(self.shown_at()))
            || (self.shows(Pane::Tasks) && overview.has_running())
    }
}
pub(crate) mod event_summary;
mod notices;
