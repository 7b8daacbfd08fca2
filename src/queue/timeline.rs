//! A worker's last half minute: which stretches it worked, and how that ended. A lane is bounded
//! however many tasks there were, because stretches that no eye could tell apart are one.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::task::Timestamp;

/// How far back a lane reaches.
pub const WINDOW: Duration = Duration::from_secs(30);
/// Tasks that follow each other within this time are drawn as one stretch.
const RESOLUTION: Duration = Duration::from_millis(100);
/// The most stretches of one lane: all of them at the least length, and one more.
const MAX_STRETCHES: usize = 512;

/// A time in which a worker worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// How much of it was work.
    pub busy: Duration,
    /// How many tasks ended in it.
    pub tasks: u32,
    /// Whether one of them failed.
    pub failed: bool,
    /// Whether one of them was cancelled.
    pub cancelled: bool,
}

/// Stretches in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Packed", into = "Packed")]
pub struct ActivityTimeline {
    stretches: VecDeque<Span>,
    /// Stretches that have been forgotten.
    gone: u64,
}

impl ActivityTimeline {
    /// Adds a task that ended. It joins the last stretch when the two together are shorter than an
    /// eye can tell.
    pub fn push(&mut self, new: Span) {
        match self.stretches.back_mut() {
            Some(last) if new.end.since(last.start) < RESOLUTION => {
                last.end = new.end;
                last.busy += new.busy;
                last.tasks += new.tasks;
                last.failed |= new.failed;
                last.cancelled |= new.cancelled;
            }
            _ => {
                self.forget(new.end);
                self.stretches.push_back(new);
            }
        }
    }

    /// Forgets all but the newest stretches.
    pub fn keep_newest(&mut self, most: usize) {
        let surplus = self.stretches.len().saturating_sub(most);
        self.stretches.drain(..surplus);
        self.gone += surplus as u64;
    }

    /// The stretches, oldest first. The oldest may have ended before the lane's time.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Span> {
        self.stretches.iter()
    }

    /// The stretches with their numbers, oldest first. A stretch keeps its number for as long as it
    /// is there, so that it can keep its colour.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &Span)> {
        (self.gone..).zip(&self.stretches)
    }

    /// The share of the time from `from` to `now` that was work, 0 to 1.
    #[must_use]
    pub fn busy_share(&self, from: Timestamp, now: Timestamp) -> f64 {
        let window = now.since(from).as_secs_f64();
        if window <= 0.0 {
            return 0.0;
        }
        let busy: f64 = self
            .stretches
            .iter()
            .map(|s| s.busy_within(from, now))
            .sum();
        (busy / window).min(1.0)
    }

    /// Whether anything of it would be seen at this time.
    #[must_use]
    pub fn is_visible(&self, now: Timestamp) -> bool {
        self.stretches
            .back()
            .is_some_and(|last| now.since(last.end) < WINDOW)
    }

    fn forget(&mut self, now: Timestamp) {
        while self.stretches.len() >= MAX_STRETCHES
            || self
                .stretches
                .front()
                .is_some_and(|old| now.since(old.end) > WINDOW)
        {
            self.stretches.pop_front();
            self.gone += 1;
        }
    }
}

/// A lane as it travels: stretches are many and small, so they go as bytes, each with its distance from
/// the one before.
#[derive(Serialize, Deserialize)]
struct Packed {
    gone: u64,
    #[serde(with = "bytes")]
    stretches: Vec<u8>,
}

/// Gap, length and work in microseconds, tasks, and what went wrong.
type Short = (u64, u64, u64, u32, bool, bool);

impl From<ActivityTimeline> for Packed {
    fn from(lane: ActivityTimeline) -> Self {
        let mut at = Timestamp::default();
        let mut stretches = Vec::new();
        for s in &lane.stretches {
            let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            let short: Short = (
                micros(s.start.since(at)),
                micros(s.end.since(s.start)),
                micros(s.busy),
                s.tasks,
                s.failed,
                s.cancelled,
            );
            at = s.start;
            // Writing to memory does not fail.
            stretches = postcard::to_extend(&short, stretches).unwrap_or_default();
        }
        Self {
            gone: lane.gone,
            stretches,
        }
    }
}

impl TryFrom<Packed> for ActivityTimeline {
    type Error = postcard::Error;

    fn try_from(packed: Packed) -> Result<Self, postcard::Error> {
        let mut lane = Self {
            gone: packed.gone,
            ..Self::default()
        };
        let (mut rest, mut at) = (packed.stretches.as_slice(), Timestamp::default());
        while !rest.is_empty() && lane.stretches.len() < MAX_STRETCHES {
            let (short, behind): (Short, _) = postcard::take_from_bytes(rest)?;
            let (gap, length, busy, tasks, failed, cancelled) = short;
            let start = at.after(Duration::from_micros(gap));
            lane.stretches.push_back(Span {
                start,
                end: start.after(Duration::from_micros(length)),
                busy: Duration::from_micros(busy),
                tasks,
                failed,
                cancelled,
            });
            (rest, at) = (behind, start);
        }
        Ok(lane)
    }
}

/// Bytes as bytes: serde would make a list of numbers of them.
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
    /// A single task's time.
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

    /// Seconds of work between two times, taking it as spread evenly over the stretch.
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
    fn long_tasks_stay_apart_and_short_ones_join() {
        let mut lane = ActivityTimeline::default();
        lane.push(Span::of_task(ms(0), ms(500)));
        lane.push(Span::of_task(ms(500), ms(900)));
        assert_eq!(lane.iter().count(), 2);
        for n in 0..50 {
            lane.push(Span::of_task(ms(1_000 + n), ms(1_001 + n)));
        }
        let last = lane.iter().last().expect("there");
        assert_eq!((last.tasks, last.busy), (50, Duration::from_millis(50)));
        assert_eq!(lane.iter().count(), 3);
    }

    #[test]
    fn half_the_time_busy_is_half() {
        let mut lane = ActivityTimeline::default();
        lane.push(Span::of_task(ms(0), ms(5_000)));
        let share = lane.busy_share(ms(0), ms(10_000));
        assert!((share - 0.5).abs() < 1e-9, "{share}");
        assert!(lane.is_visible(ms(34_999)));
        assert!(!lane.is_visible(ms(35_000)));
    }

    proptest! {
        #[test]
        fn a_lane_is_bounded_and_its_share_is_one(tasks in proptest::collection::vec((0u64..300, 0u64..300), 0..2_000)) {
            let (mut lane, mut now) = (ActivityTimeline::default(), 0);
            for (pause, length) in tasks {
                let start = ms(now + pause);
                now += pause + length;
                lane.push(Span::of_task(start, ms(now)));
            }
            prop_assert!(lane.iter().count() <= MAX_STRETCHES);
            prop_assert!(lane.iter().zip(lane.iter().skip(1)).all(|(a, b)| a.end <= b.start));
            let share = lane.busy_share(ms(now.saturating_sub(30_000)), ms(now));
            prop_assert!((0.0..=1.0).contains(&share));
        }
    }
}
