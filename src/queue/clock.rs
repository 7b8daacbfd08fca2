//! The clock of an engine: wall-clock time that is measured on a monotonic clock.
//!
//! Due times are stored in wall-clock time, because they must mean the same after a restart.
//! Durations are measured on the monotonic clock, because the wall clock can be set. An offset joins
//! the two. It changes only in [`Clock::detect_step`], so that between two calls time never goes
//! back; the caller gets the distance that the wall clock was moved.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Microseconds since 1970 by the engine's [`Clock`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the time this much later, saturating.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(wait))
    }

    /// Returns the time this much earlier, saturating.
    #[must_use]
    pub fn before(self, wait: Duration) -> Self {
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(wait))
    }

    /// Returns the time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A source of time.
pub trait TimeSource: Send + Sync {
    /// The wall-clock time; it may jump.
    fn wall_clock(&self) -> Timestamp;

    /// A monotonic count that continues while the machine sleeps.
    fn monotonic(&self) -> Duration;
}

/// The clocks of the machine.
#[derive(Debug, Clone, Copy)]
struct Machine;

impl TimeSource for Machine {
    fn wall_clock(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::default().after(since)
    }

    fn monotonic(&self) -> Duration {
        use rustix::time::{ClockId, clock_gettime};
        // On Linux the plain monotonic clock stops while the machine sleeps; elsewhere it does not,
        // or there is no other.
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        Duration::try_from(clock_gettime(clock)).unwrap_or_default()
    }
}

/// The drift between the two clocks that counts as a step, in microseconds.
const MIN_STEP: u64 = 500_000;

/// A change of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockStep {
    /// It was set to a later time.
    Forward(Duration),
    /// It was set to an earlier time.
    Back(Duration),
}

impl ClockStep {
    /// Returns the same moment after the step.
    #[must_use]
    pub fn apply(self, at: Timestamp) -> Timestamp {
        match self {
            Self::Forward(by) => at.after(by),
            Self::Back(by) => at.before(by),
        }
    }
}

/// A clock. Clones show the same time.
#[derive(Clone)]
pub struct Clock(Arc<ClockState>);

struct ClockState {
    source: Box<dyn TimeSource>,
    /// The wall-clock time at which the monotonic clock was zero, in microseconds since 1970.
    offset: AtomicU64,
}

impl Clock {
    /// Returns the clock of the machine.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Machine)
    }

    /// Returns a clock with an injected source of time.
    pub fn with(source: impl TimeSource + 'static) -> Self {
        let offset = AtomicU64::new(offset(&source));
        Self(Arc::new(ClockState {
            source: Box::new(source),
            offset,
        }))
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let offset = self.0.offset.load(Ordering::Relaxed);
        Timestamp(offset).after(self.0.source.monotonic())
    }

    /// Returns the step of the wall clock since the last call, and follows it from now on.
    #[must_use]
    pub fn detect_step(&self) -> Option<ClockStep> {
        let (new, old) = (
            offset(&*self.0.source),
            self.0.offset.load(Ordering::Relaxed),
        );
        if new.abs_diff(old) < MIN_STEP {
            return None;
        }
        self.0.offset.store(new, Ordering::Relaxed);
        let by = Duration::from_micros(new.abs_diff(old));
        Some(if new > old {
            ClockStep::Forward(by)
        } else {
            ClockStep::Back(by)
        })
    }

    /// Converts a time to an instant for a timer.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        Instant::now() + at.since(self.now())
    }
}

fn offset(source: &dyn TimeSource) -> u64 {
    source.wall_clock().before(source.monotonic()).0
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now().0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone)]
    struct FakeTime(Arc<Mutex<(u64, u64)>>);

    impl TimeSource for FakeTime {
        fn wall_clock(&self) -> Timestamp {
            Timestamp(self.0.lock().expect("whole").0)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_micros(self.0.lock().expect("whole").1)
        }
    }

    #[test]
    fn it_follows_the_monotonic_clock_until_a_step_is_detected() {
        let hour = 3_600_000_000;
        let time = FakeTime(Arc::new(Mutex::new((10 * hour, 5))));
        let clock = Clock::with(time.clone());
        assert_eq!(clock.now(), Timestamp(10 * hour));
        *time.0.lock().expect("whole") = (9 * hour, 1_000_005);
        assert_eq!(clock.now(), Timestamp(10 * hour + 1_000_000));
        let back = Duration::from_micros(hour + 1_000_000);
        assert_eq!(clock.detect_step(), Some(ClockStep::Back(back)));
        assert_eq!(clock.now(), Timestamp(9 * hour));
        assert_eq!(clock.detect_step(), None);
        *time.0.lock().expect("whole") = (9 * hour + 100_000, 1_000_005);
        assert_eq!(clock.detect_step(), None, "a tenth of a second is drift");
    }

    #[test]
    fn the_machine_has_a_wall_clock_and_a_monotonic_clock() {
        let clock = Clock::start();
        let before = clock.now();
        assert!(before.0 > 1_700_000_000_000_000, "after 2023");
        assert!(clock.now() >= before);
    }
}
