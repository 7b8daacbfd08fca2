//! Events with revisions. The newest are stored, so that a reader continues after an interruption;
//! after a long one it gets the number of missed events.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::frame::fit_event;
use crate::{
    net::revision_log::RevisionLog,
    queue::{
        broker::Broker,
        clock::Timestamp,
        event::{Event, EventBatch, SubscriptionEnd},
    },
};

/// The maximum number of stored events.
const CAPACITY: usize = 16_384;
/// The maximum number of events in one frame.
pub(super) const MAX_PER_PAGE: usize = 1_000;

/// The pause before another subscription to a busy broker.
const RESUBSCRIBE_DELAY: Duration = Duration::from_millis(100);

/// A position in the events of one epoch of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventCursor {
    /// The epoch: a restarted broker counts from zero.
    pub(super) epoch: u64,
    /// The number of events before it.
    pub(super) revision: u64,
}

/// Events after a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventPage {
    /// The cursor after them.
    pub(super) next: EventCursor,
    /// The events.
    pub(super) batch: EventBatch,
}

/// The newest events of a broker.
#[derive(Clone)]
pub(super) struct EventLog(Arc<EventLogState>);

struct EventLogState {
    state: Mutex<EventBuffer>,
    /// The number of events so far; readers wait for its change.
    revision: watch::Sender<u64>,
}

struct EventBuffer {
    epoch: u64,
    events: RevisionLog<(Timestamp, Event)>,
    listening: bool,
    /// The broker has stopped: there will be no other event.
    ended: bool,
}

impl EventBuffer {
    fn page(&self, revision: u64, at: Timestamp, events: Vec<Event>, dropped: u64) -> EventPage {
        EventPage {
            next: EventCursor {
                epoch: self.epoch,
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
    pub(super) fn new(epoch: u64) -> Self {
        Self(Arc::new(EventLogState {
            state: Mutex::new(EventBuffer {
                epoch,
                events: RevisionLog::new(CAPACITY),
                listening: false,
                ended: false,
            }),
            revision: watch::Sender::new(0),
        }))
    }

    fn state(&self) -> MutexGuard<'_, EventBuffer> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to the broker with the first reader; until then events cost nothing.
    fn start_listening(&self, broker: &Arc<dyn Broker>) {
        if std::mem::replace(&mut self.state().listening, true) {
            return;
        }
        let (events, log, broker) = (broker.subscribe(), self.clone(), Arc::clone(broker));
        tokio::spawn(async move {
            let mut events = events;
            loop {
                while let Some(batch) = events.next().await {
                    log.append(batch);
                }
                match events.end() {
                    SubscriptionEnd::Stopped => return log.end_events(),
                    SubscriptionEnd::Busy => tokio::time::sleep(RESUBSCRIBE_DELAY).await,
                }
                events = broker.subscribe();
            }
        });
    }

    fn append(&self, batch: EventBatch) {
        let mut state = self.state();
        state.events.skip(batch.dropped);
        for mut event in batch.events.iter().cloned() {
            fit_event(&mut event);
            state.events.push((batch.at, event));
        }
        let revision = state.events.revision();
        drop(state);
        self.0.revision.send_replace(revision);
    }

    /// Ends the streams of all readers, which have read everything then.
    fn end_events(&self) {
        self.state().ended = true;
        self.0.revision.send_modify(|_unchanged| {});
    }

    /// Returns the cursor after the last event.
    fn end(&self) -> EventCursor {
        let state = self.state();
        EventCursor {
            epoch: state.epoch,
            revision: state.events.revision(),
        }
    }

    /// Returns the events after a cursor, if there are any.
    fn since(&self, cursor: EventCursor) -> Option<EventPage> {
        let state = self.state();
        // After a restart every stored event is new.
        let from = match cursor.epoch == state.epoch {
            true => cursor.revision,
            false => 0,
        };
        let mut rest = state.events.after(from).peekable();
        let Some((number, (at, _))) = rest.peek().copied() else {
            let revision = state.events.revision();
            let dropped = revision.checked_sub(from).filter(|n| *n > 0)?;
            return Some(state.page(revision, Timestamp::default(), vec![], dropped));
        };
        let (mut next, mut events) = (number, Vec::new());
        // Events with a common time are one batch; a gap begins another.
        while let Some((number, (_, event))) =
            rest.next_if(|(n, (t, _))| *n == next && t == at && events.len() < MAX_PER_PAGE)
        {
            events.push(event.clone());
            next = number + 1;
        }
        Some(state.page(next - 1, *at, events, number - 1 - from))
    }

    /// Returns a reader from a cursor on, or from now.
    pub(super) fn follow(&self, broker: &Arc<dyn Broker>, from: Option<EventCursor>) -> Reader {
        self.start_listening(broker);
        Reader {
            wake: self.0.revision.subscribe(),
            at: from.unwrap_or_else(|| self.end()),
            log: self.clone(),
            started: false,
        }
    }
}

/// A reader of events. It pulls, so there is no buffer that could overflow.
pub(super) struct Reader {
    log: EventLog,
    wake: watch::Receiver<u64>,
    at: EventCursor,
    started: bool,
}

impl Reader {
    /// Returns the next events. The first page is returned at once, empty if necessary, with the
    /// current cursor; `None` after the broker has stopped.
    pub(super) async fn next(&mut self) -> Option<EventPage> {
        loop {
            self.wake.borrow_and_update();
            if let Some(page) = self.log.since(self.at) {
                self.at = page.next;
                self.started = true;
                return Some(page);
            }
            if !std::mem::replace(&mut self.started, true) {
                return Some(EventPage {
                    next: self.log.end(),
                    batch: EventBatch::default(),
                });
            }
            if self.log.state().ended {
                return None;
            }
            self.wake.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::queue::{
        broker::{Control, Engine, Inspect, Submit},
        capabilities::Capabilities,
        event::Subscription,
        id::TaskId,
    };

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

    fn read(log: &EventLog, mut at: EventCursor) -> (Vec<Event>, u64, EventCursor) {
        let (mut events, mut dropped) = (Vec::new(), 0);
        while let Some(page) = log.since(at) {
            assert_ne!(page.next, at, "it goes on");
            events.extend(page.batch.events.iter().cloned());
            dropped += page.batch.dropped;
            at = page.next;
        }
        (events, dropped, at)
    }

    const START: EventCursor = EventCursor {
        epoch: 1,
        revision: 0,
    };

    #[test]
    fn a_reader_continues_after_an_interruption() {
        let log = EventLog::new(1);
        log.append(batch(1, 0..3, 0));
        let (events, dropped, at) = read(&log, START);
        assert_eq!((events.len(), dropped), (3, 0));
        log.append(batch(2, 3..5, 0));
        log.append(batch(3, 5..6, 4));
        let (events, dropped, _) = read(&log, at);
        assert_eq!(events, [event(3), event(4), event(5)]);
        assert_eq!(dropped, 4, "what the broker left out");
    }

    #[test]
    fn a_late_reader_gets_the_number_of_missed_events() {
        let log = EventLog::new(1);
        let many = CAPACITY as u64 + 100;
        for n in 0..many {
            log.append(batch(n, n..n + 1, 0));
        }
        let (events, dropped, at) = read(&log, START);
        assert_eq!((events.len(), dropped), (CAPACITY, 100));
        assert_eq!(at.revision, many);
    }

    /// An engine without statistics, whose events end when the test says so.
    struct EventsOnly(async_channel::Receiver<EventBatch>);

    impl Engine for EventsOnly {
        fn engine(&self) -> &'static str {
            "events only"
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::NONE
        }
    }

    impl Submit for EventsOnly {}

    impl Inspect for EventsOnly {
        fn subscribe(&self) -> Subscription {
            Subscription::new(self.0.clone())
        }
    }

    impl Control for EventsOnly {}

    impl Broker for EventsOnly {}

    #[tokio::test]
    async fn the_stream_ends_with_the_events_of_the_broker() {
        let (batches, events) = async_channel::bounded(4);
        let broker: Arc<dyn Broker> = Arc::new(EventsOnly(events));
        let log = EventLog::new(1);
        let mut reader = log.follow(&broker, None);
        let first = reader.next().await.expect("the current cursor");
        assert!(first.batch.events.is_empty());
        batches.send(batch(1, 0..2, 0)).await.expect("room");
        let page = reader.next().await.expect("events");
        assert_eq!(page.batch.events.len(), 2);
        drop(batches);
        assert_eq!(reader.next().await, None);
        let mut late = log.follow(&broker, Some(START));
        assert!(late.next().await.is_some(), "what is stored can be read");
        assert_eq!(late.next().await, None);
    }

    #[test]
    fn another_epoch_is_read_from_its_beginning() {
        let log = EventLog::new(2);
        log.append(batch(1, 0..3, 0));
        let before = EventCursor {
            epoch: 1,
            revision: 999,
        };
        assert_eq!(read(&log, before).0.len(), 3);
    }

    proptest! {
        /// Read and missed events together are all events, from any cursor.
        #[test]
        fn nothing_is_lost_without_being_counted(
            batches in prop::collection::vec((0_u64..4, 0_u64..5, 0_u64..3), 0..40),
            from in 0_u64..60,
        ) {
            let log = EventLog::new(1);
            let mut n = 0;
            for (at, count, dropped) in batches {
                let dropped = if count == 0 { 0 } else { dropped };
                log.append(batch(at, n..n + count, dropped));
                n += count;
            }
            let end = log.end().revision;
            let from = from.min(end);
            let (events, dropped, at) = read(&log, EventCursor { epoch: 1, revision: from });
            prop_assert_eq!(events.len() as u64 + dropped, end - from);
            prop_assert_eq!(at.revision, end);
        }
    }
}
