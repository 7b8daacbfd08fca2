//! The connections to the sources of what is shown. What a lost source reported last stays on the screen, marked with its
//! time, and the clocks that are computed from it stand still.

use std::time::Duration;

use super::Model;
use crate::{node::Locality, queue::clock::Timestamp, ui::pane::Pane};

/// A refresh without a reply for this long makes the clocks stand still until the reply comes.
const LATE: Duration = Duration::from_secs(1);
/// The time until a broker that does not reply is asked again.
pub(crate) const RETRY: Duration = Duration::from_secs(2);

/// The connection to a source: the naming server, or the broker.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceLink(Option<LostSource>);

/// The loss of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LostSource {
    /// The time of what is shown of it.
    pub(crate) as_of: Timestamp,
    /// The time of the next attempt.
    pub(crate) retry_at: Timestamp,
    pub(crate) why: String,
}

impl SourceLink {
    /// Records an attempt that failed; returns true if the source was not lost before.
    pub(crate) fn lose(&mut self, as_of: Timestamp, retry_at: Timestamp, why: String) -> bool {
        let before = self.0.as_ref().map(|lost| lost.as_of);
        self.0 = Some(LostSource {
            as_of: before.unwrap_or(as_of),
            retry_at,
            why,
        });
        before.is_none()
    }

    /// Records a reply; returns true if the source was lost before.
    pub(crate) fn confirm(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// The loss, while the source is lost.
    pub(crate) const fn lost(&self) -> Option<&LostSource> {
        self.0.as_ref()
    }
}

/// The node of this data folder, for a screen that is attached to the process in which it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LocalNode {
    /// A process uses the folder.
    #[default]
    Running,
    /// No process uses the folder, so this one can start a node there.
    Gone,
    /// This process is starting a node there.
    Starting,
}

impl Model {
    /// Returns the time of what is shown of the broker: now, or when it was frozen, or when the broker last replied.
    pub(crate) fn shown_at(&self) -> Timestamp {
        self.frozen_at().unwrap_or_else(|| self.known_at())
    }

    /// Returns the time of what is known of the broker, also while the screen is frozen.
    pub(crate) fn known_at(&self) -> Timestamp {
        if let Some(lost) = self.broker_link.lost() {
            return lost.as_of;
        }
        match self.refreshing {
            true => self.now.min(self.refreshed_at.after(LATE)),
            false => self.now,
        }
    }

    /// Reports whether clocks move.
    pub(crate) fn is_live(&self) -> bool {
        self.shown_at() == self.now
    }

    /// The loss of the source of a pane, while it is lost. The greeter and the events are this screen's own.
    pub(crate) fn stale(&self, pane: Pane) -> Option<&LostSource> {
        match pane {
            Pane::Names => self.names_link.lost(),
            Pane::Tasks | Pane::Workers => self.broker_link.lost(),
            Pane::Greeter | Pane::Events => None,
        }
    }

    /// The loss that the status bar shows: the broker's before the naming server's.
    pub(crate) fn loss(&self) -> Option<&LostSource> {
        self.broker_link.lost().or_else(|| self.names_link.lost())
    }

    /// The time of the next attempt to reach a lost source.
    pub(crate) fn retry_at(&self) -> Option<Timestamp> {
        let links = [&self.broker_link, &self.names_link];
        let times = links.into_iter().filter_map(SourceLink::lost);
        times.map(|lost| lost.retry_at).min()
    }

    /// Reports whether this process can start a node in place of the lost one.
    pub(crate) fn can_start_node(&self) -> bool {
        self.header.locality == Locality::LocalProcess
            && self.local_node == LocalNode::Gone
            && self.loss().is_some()
    }
}
