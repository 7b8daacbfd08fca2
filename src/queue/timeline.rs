//! The activity of a worker in the last half minute. A timeline is bounded however many tasks there
//! were, because spans that are too short to be distinguished on a screen are merged.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;

/// The period that a timeline covers.
pub const WINDOW: Duration = Duration::from_secs(30);
/// Tasks that follow each other within this time are merged into one span.
const RESOLUTION: Duration = Duration::from_millis(100);
/// The maximum number of spans of one timeline: all of them at the minimum length, and one more.
const MAX_SPANS: usize = 512;

/// A period in which a worker was busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// The busy time in it.
    pub busy: Duration,
    /// The number of tasks that ended in it.
    pub tasks: u32,
    /// True if one of them failed.
    pub failed: bool,
    /// True if one of them was cancelled.
    pub cancelled: bool,
}

/// Spans in chronological order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Packed", into = "Packed")]
pub struct ActivityTimeline {
    spans: VecDeque<Span>,
    /// The number of spans that have been removed.
    removed: u64,
}

impl ActivityTimeline {
    /// Adds a finished task. It is merged into the last span if the two together are shorter than the
    /// resolution.
    pub fn push(&mut self, new: Span) {
        match self.spans.back_mut() {
            Some(last) if new.end.since(last.start) < RESOLUTION => {
                last.end = new.end;
                last.busy += new.busy;
                last.tasks += new.tasks;
                last.failed |= new.failed;
                last.cancelled |= new.cancelled;
            }
            _ => {
                self.remove_expired(new.end);
                self.spans.push_back(new);
            }
        }
    }

    /// Removes all but the newest spans.
    pub fn truncate_oldest(&mut self, limit: usize) {
        let surplus = self.spans.len().saturating_sub(limit);
        self.spans.drain(..surplus);
        self.removed += surplus as u64;
    }

    /// The spans, oldest first. The oldest may have ended before the period of the timeline.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Span> {
        self.spans.iter()
    }

    /// The spans with their numbers, oldest first. The number of a span never changes, so that it can
    /// keep its colour.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &Span)> {
        (self.removed..).zip(&self.spans)
    }

    /// Returns the busy share of the time from `from` to `now`, 0 to 1.
    #[must_use]
    pub fn busy_share(&self, from: Timestamp, now: Timestamp) -> f64 {
        let window = now.since(from).as_secs_f64();
        if window <= 0.0 {
            return 0.0;
        }
        let busy: f64 = self.spans.iter().map(|s| s.busy_within(from, now)).sum();
        (busy / window).min(1.0)
    }

    /// Returns true if a part of it is visible at this time.
    #[must_use]
    pub fn is_visible(&self, now: Timestamp) -> bool {
        self.spans
            .back()
            .is_some_and(|last| now.since(last.end) < WINDOW)
    }

    fn remove_expired(&mut self, now: Timestamp) {
        while self.spans.len() >= MAX_SPANS
            || self
                .spans
                .front()
                .is_some_and(|old| now.since(old.end) > WINDOW)
        {
            self.spans.pop_front();
            self.removed += 1;
        }
    }
}

/// The serialized form of a timeline: spans are many and small, so they are packed into bytes, each
/// relative to the one before.
#[derive(Serialize, Deserialize)]
struct Packed {
    removed: u64,
    #[serde(with = "bytes")]
    spans: Vec<u8>,
}

/// Gap, length and busy time in microseconds, tasks, failed, cancelled.
type PackedSpan = (u64, u64, u64, u32, bool, bool);

impl From<ActivityTimeline> for Packed {
    fn from(timeline: ActivityTimeline) -> Self {
        let mut at = Timestamp::default();
        let mut spans = Vec::new();
        for s in &timeline.spans {
            let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            let short: PackedSpan = (
                micros(s.start.since(at)),
                micros(s.end.since(s.start)),
                micros(s.busy),
                s.tasks,
                s.failed,
                s.cancelled,
            );
            at = s.start;
            // Writing to memory does not fail.
            spans = postcard::to_extend(&short, spans).unwrap_or_default();
        }
        Self {
            removed: timeline.removed,
            spans,
        }
    }
}

impl TryFrom<Packed> for ActivityTimeline {
    type Error = postcard::Error;

    fn try_from(packed: Packed) -> Result<Self, postcard::Error> {
        let mut timeline = Self {
            removed: packed.removed,
            ..Self::default()
        };
        let (mut rest, mut at) = (packed.spans.as_slice(), Timestamp::default());
        while !rest.is_empty() && timeline.spans.len() < MAX_SPANS {
            let (short, behind): (PackedSpan, _) = postcard::take_from_bytes(rest)?;
            let (gap, length, busy, tasks, failed, cancelled) = short;
            let start = at.after(Duration::from_micros(gap));
            timeline.spans.push_back(Span {
                start,
                end: start.after(Duration::from_micros(length)),
                busy: Duration::from_micros(busy),
                tasks,
                failed,
                cancelled,
            });
            (rest, at) = (behind, start);
        }
        Ok(timeline)
    }
}

/// Serializes bytes as bytes: serde would produce a list of numbers.
mod bytes {
    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        d.deserialize_byte_buf(Bytes)
    }
}

impl Span {
    /// Returns the span of a single task.
    #[must_use]
    pub const fn of_task(start: Timestamp, end: Timestamp) -> Self {
        Self {
            start,
            end,
            busy: end.since(start),
            tasks: 1,
            failed: false,
            cancelled: false,
        }
    }

    /// Returns the busy seconds between two times, spread evenly over the span.
    #[must_use]
    pub fn busy_within(&self, from: Timestamp, to: Timestamp) -> f64 {
        let overlap = self.end.min(to).since(self.start.max(from)).as_secs_f64();
        let length = self.end.since(self.start).as_secs_f64();
        if length <= 0.0 {
            return 0.0;
        }
        overlap * (self.busy.as_secs_f64() / length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Timestamp {
        Timestamp(n * 1_000)
    }

    #[test]
    fn long_tasks_stay_separate_and_short_ones_are_merged() {
        let mut timeline = ActivityTimeline::default();
        timeline.push(Span::of_task(ms(0), ms(500)));
        timeline.push(Span::of_task(ms(500), ms(900)));
        assert_eq!(timeline.iter().count(), 2);
        for n in 0..50 {
            timeline.push(Span::of_task(ms(1_000 + n), ms(1_001 + n)));
        }
        let last = timeline.iter().last().expect("there");
        assert_eq!((last.tasks, last.busy), (50, Duration::from_millis(50)));
        assert_eq!(timeline.iter().count(), 3);
    }

    #[test]
    fn half_the_time_busy_is_half() {
        let mut timeline = ActivityTimeline::default();
        timeline.push(Span::of_task(ms(0), ms(5_000)));
        let share = timeline.busy_share(ms(0), ms(10_000));
        assert!((share - 0.5).abs() < 1e-9, "{share}");
        assert!(timeline.is_visible(ms(34_999)));
        assert!(!timeline.is_visible(ms(35_000)));
    }

    proptest! {
        #[test]
        fn a_timeline_is_bounded_and_its_share_is_at_most_one(tasks in proptest::collection::vec((0u64..300, 0u64..300), 0..2_000)) {
            let (mut timeline, mut now) = (ActivityTimeline::default(), 0);
            for (pause, length) in tasks {
                let start = ms(now + pause);
                now += pause + length;
                timeline.push(Span::of_task(start, ms(now)));
            }
            prop_assert!(timeline.iter().count() <= MAX_SPANS);
            prop_assert!(timeline.iter().zip(timeline.iter().skip(1)).all(|(a, b)| a.end <= b.start));
            let share = timeline.busy_share(ms(now.saturating_sub(30_000)), ms(now));
            prop_assert!((0.0..=1.0).contains(&share));
        }
    }
}
