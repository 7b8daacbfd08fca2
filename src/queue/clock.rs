//! The one clock of an engine: the time of the wall, measured with something that never jumps.
//!
//! Due times are written in wall time, because they must mean the same after a restart. Durations are
//! measured on a steady count, because a wall clock is set back and forth. The two are joined by an
//! offset that changes only in [`Clock::check`], so between two checks time never goes back, and
//! whoever calls it hears by how much the wall clock was moved.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::task::Timestamp;

/// Where time comes from.
pub trait TimeSource: Send + Sync {
    /// What a clock on the wall shows; it may jump.
    fn wall(&self) -> Timestamp;

    /// A count that never jumps and goes on while the machine sleeps.
    fn steady(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
struct Machine;

impl TimeSource for Machine {
    fn wall(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::default().after(since)
    }

    fn steady(&self) -> Duration {
        use rustix::time::{ClockId, clock_gettime};
        // On Linux the plain monotonic clock stands still while the machine sleeps; elsewhere it does
        // not, or there is no other.
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        Duration::try_from(clock_gettime(clock)).unwrap_or_default()
    }
}

/// How far apart wall and count may drift before it counts as a jump.
const JUMP: u64 = 500_000;

/// By how much a wall clock was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockStep {
    /// It shows a later time now.
    Forward(Duration),
    /// It shows an earlier time now.
    Back(Duration),
}

impl ClockStep {
    /// The same moment after the jump.
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
pub struct Clock(Arc<Inner>);

struct Inner {
    source: Box<dyn TimeSource>,
    /// The wall time at which the count was zero, in microseconds since 1970.
    offset: AtomicU64,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Machine)
    }

    /// A clock that takes its time from somewhere else.
    pub fn with(source: impl TimeSource + 'static) -> Self {
        let offset = AtomicU64::new(offset(&source));
        Self(Arc::new(Inner {
            source: Box::new(source),
            offset,
        }))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let offset = self.0.offset.load(Ordering::Relaxed);
        Timestamp(offset).after(self.0.source.steady())
    }

    /// Looks whether the wall clock was moved; from then on [`Clock::now`] goes by it.
    #[must_use]
    pub fn check(&self) -> Option<ClockStep> {
        let (new, old) = (
            offset(&*self.0.source),
            self.0.offset.load(Ordering::Relaxed),
        );
        if new.abs_diff(old) < JUMP {
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

    /// When it will be a certain time, for a timer.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        Instant::now() + at.since(self.now())
    }
}

fn offset(source: &dyn TimeSource) -> u64 {
    source.wall().before(source.steady()).0
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
    struct Hands(Arc<Mutex<(u64, u64)>>);

    impl TimeSource for Hands {
        fn wall(&self) -> Timestamp {
            Timestamp(self.0.lock().expect("whole").0)
        }

        fn steady(&self) -> Duration {
            Duration::from_micros(self.0.lock().expect("whole").1)
        }
    }

    #[test]
    fn it_goes_by_the_count_until_somebody_looks_at_the_wall() {
        let hour = 3_600_000_000;
        let hands = Hands(Arc::new(Mutex::new((10 * hour, 5))));
        let clock = Clock::with(hands.clone());
        assert_eq!(clock.now(), Timestamp(10 * hour));
        *hands.0.lock().expect("whole") = (9 * hour, 1_000_005);
        assert_eq!(clock.now(), Timestamp(10 * hour + 1_000_000));
        let back = Duration::from_micros(hour + 1_000_000);
        assert_eq!(clock.check(), Some(ClockStep::Back(back)));
        assert_eq!(clock.now(), Timestamp(9 * hour));
        assert_eq!(clock.check(), None);
        *hands.0.lock().expect("whole") = (9 * hour + 100_000, 1_000_005);
        assert_eq!(clock.check(), None, "a tenth of a second is drift");
    }

    #[test]
    fn the_machine_has_a_wall_and_a_count() {
        let clock = Clock::start();
        let before = clock.now();
        assert!(before.0 > 1_700_000_000_000_000, "after 2023");
        assert!(clock.now() >= before);
    }
}
