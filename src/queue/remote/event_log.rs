//! Events with revisions: the newest are kept for a while, so that whoever was away for a moment can go
//! on where it was, and whoever was away for too long is told how much it missed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::net::revision_log::RevisionLog;
use crate::queue::{
    broker::Broker,
    clock::Timestamp,
    error::BrokerError,
    event::{Event, EventBatch},
};

/// Events that are kept.
const KEPT: usize = 16_384;
/// The most events in one frame.
const BITE: usize = 1_000;

/// Before a broker that was too busy is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// Where somebody is in the events of one life of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventCursor {
    /// Which life: another one begins to count anew.
    pub(super) life: u64,
    /// How many events came before.
    pub(super) revision: u64,
}

/// Events from a place on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventPage {
    /// The place behind them.
    pub(super) next: EventCursor,
    /// The events.
    pub(super) batch: EventBatch,
}

/// The newest events of a broker.
#[derive(Clone)]
pub(super) struct EventLog(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// How many events there have been; readers sleep on it.
    revision: watch::Sender<u64>,
}

struct State {
    life: u64,
    events: RevisionLog<(Timestamp, Event)>,
    listening: bool,
}

impl State {
    fn news(&self, revision: u64, at: Timestamp, events: Vec<Event>, dropped: u64) -> EventPage {
        EventPage {
            next: EventCursor {
                life: self.life,
                revision,
            },
            batch: EventBatch {
                at,
                events: events.into(),
                dropped,
            },
        }
    }
}

impl EventLog {
    pub(super) fn new(life: u64) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                life,
                events: RevisionLog::new(KEPT),
                listening: false,
            }),
            revision: watch::Sender::new(0),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens to the broker from the first reader on: until then nobody pays for events.
    fn listen(&self, broker: &Arc<dyn Broker>) {
        if std::mem::replace(&mut self.state().listening, true) {
            return;
        }
        let (events, feed, broker) = (broker.subscribe(), self.clone(), Arc::clone(broker));
        tokio::spawn(async move {
            let mut events = events;
            loop {
                while let Some(batch) = events.next().await {
                    feed.put(batch);
                }
                // It has stopped, or was too busy to hear that somebody wants to listen.
                if broker.stats().await == Err(BrokerError::Closed) {
                    return;
                }
                tokio::time::sleep(AGAIN).await;
                events = broker.subscribe();
            }
        });
    }

    fn put(&self, batch: EventBatch) {
        let mut state = self.state();
        state.events.skip(batch.dropped);
        for event in batch.events.iter().cloned() {
            state.events.push((batch.at, event));
        }
        let revision = state.events.revision();
        drop(state);
        self.0.revision.send_replace(revision);
    }

    /// Where the events end now.
    fn end(&self) -> EventCursor {
        let state = self.state();
        EventCursor {
            life: state.life,
            revision: state.events.revision(),
        }
    }

    /// What came after a place; nothing when that is all.
    fn since(&self, place: EventCursor) -> Option<EventPage> {
        let state = self.state();
        // After a restart everything is new, as far back as it goes.
        let from = match place.life == state.life {
            true => place.revision,
            false => 0,
        };
        let mut rest = state.events.after(from).peekable();
        let Some((number, (at, _))) = rest.peek().copied() else {
            let revision = state.events.revision();
            let dropped = revision.checked_sub(from).filter(|n| *n > 0)?;
            return Some(state.news(revision, Timestamp::default(), vec![], dropped));
        };
        let (mut next, mut events) = (number, Vec::new());
        // Those that happened together stay together; a gap begins a batch.
        while let Some((number, (_, event))) =
            rest.next_if(|(n, (t, _))| *n == next && t == at && events.len() < BITE)
        {
            events.push(event.clone());
            next = number + 1;
        }
        Some(state.news(next - 1, *at, events, number - 1 - from))
    }

    /// Follows the broker from a place on, or from now.
    pub(super) fn follow(&self, broker: &Arc<dyn Broker>, from: Option<EventCursor>) -> Reader {
        self.listen(broker);
        Reader {
            wake: self.0.revision.subscribe(),
            at: from.unwrap_or_else(|| self.end()),
            feed: self.clone(),
            greeted: false,
        }
    }
}

/// Somebody who reads. It pulls, and so has no buffer that could overflow.
pub(super) struct Reader {
    feed: EventLog,
    wake: watch::Receiver<u64>,
    at: EventCursor,
    greeted: bool,
}

impl Reader {
    /// The next events. The first answer comes at once, with none if there are none: it tells the
    /// reader where it is.
    pub(super) async fn next(&mut self) -> Option<EventPage> {
        loop {
            self.wake.borrow_and_update();
            if let Some(news) = self.feed.since(self.at) {
                self.at = news.next;
                self.greeted = true;
                return Some(news);
            }
            if !std::mem::replace(&mut self.greeted, true) {
                return Some(EventPage {
                    next: self.feed.end(),
                    batch: EventBatch::default(),
                });
            }
            self.wake.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::queue::id::TaskId;

    fn event(n: u64) -> Event {
        Event::Requeued {
            id: TaskId::Sequence(n),
        }
    }

    fn batch(at: u64, numbers: std::ops::Range<u64>, dropped: u64) -> EventBatch {
        EventBatch {
            at: Timestamp(at),
            events: numbers.map(event).collect(),
            dropped,
        }
    }

    fn read(feed: &EventLog, mut at: EventCursor) -> (Vec<Event>, u64, EventCursor) {
        let (mut events, mut dropped) = (Vec::new(), 0);
        while let Some(news) = feed.since(at) {
            assert_ne!(news.next, at, "it goes on");
            events.extend(news.batch.events.iter().cloned());
            dropped += news.batch.dropped;
            at = news.next;
        }
        (events, dropped, at)
    }

    const START: EventCursor = EventCursor {
        life: 1,
        revision: 0,
    };

    #[test]
    fn whoever_was_away_goes_on_where_it_was() {
        let feed = EventLog::new(1);
        feed.put(batch(1, 0..3, 0));
        let (events, dropped, at) = read(&feed, START);
        assert_eq!((events.len(), dropped), (3, 0));
        feed.put(batch(2, 3..5, 0));
        feed.put(batch(3, 5..6, 4));
        let (events, dropped, _) = read(&feed, at);
        assert_eq!(events, [event(3), event(4), event(5)]);
        assert_eq!(dropped, 4, "what the broker left out");
    }

    #[test]
    fn whoever_was_away_for_too_long_is_told_how_much_it_missed() {
        let feed = EventLog::new(1);
        let many = KEPT as u64 + 100;
        for n in 0..many {
            feed.put(batch(n, n..n + 1, 0));
        }
        let (events, dropped, at) = read(&feed, START);
        assert_eq!((events.len(), dropped), (KEPT, 100));
        assert_eq!(at.revision, many);
    }

    #[test]
    fn another_life_is_read_from_its_beginning() {
        let feed = EventLog::new(2);
        feed.put(batch(1, 0..3, 0));
        let before = EventCursor {
            life: 1,
            revision: 999,
        };
        assert_eq!(read(&feed, before).0.len(), 3);
    }

    proptest! {
        /// Whatever was put in, and wherever one begins: seen and missed together are all of it.
        #[test]
        fn nothing_is_lost_without_being_counted(
            batches in prop::collection::vec((0_u64..4, 0_u64..5, 0_u64..3), 0..40),
            from in 0_u64..60,
        ) {
            let feed = EventLog::new(1);
            let mut n = 0;
            for (at, count, dropped) in batches {
                let dropped = if count == 0 { 0 } else { dropped };
                feed.put(batch(at, n..n + count, dropped));
                n += count;
            }
            let end = feed.end().revision;
            let from = from.min(end);
            let (events, dropped, at) = read(&feed, EventCursor { life: 1, revision: from });
            prop_assert_eq!(events.len() as u64 + dropped, end - from);
            prop_assert_eq!(at.revision, end);
        }
    }
}
