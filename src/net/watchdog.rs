//! The watchdog of the network thread: the longest time for which something kept every other call waiting.
//!
//! The thread reports when it wakes up, when it completes a call, and when it goes to sleep. No step of one
//! call can be longer than the time between two of these reports. It costs a look at the clock each.

use std::{
    cell::OnceCell,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The time between two reports after which a delay is reported.
pub(crate) const DELAY: Duration = Duration::from_millis(250);

thread_local! {
    static INSTALLED: OnceCell<Watchdog> = const { OnceCell::new() };
}

/// Measures one thread. Clones share the measurement.
#[derive(Clone)]
pub(crate) struct Watchdog(Arc<Measurement>);

struct Measurement {
    origin: Instant,
    /// The time of the last report, in microseconds after the origin.
    last: AtomicU64,
    /// The longest time between two reports, in microseconds.
    longest: AtomicU64,
    on_delay: Box<dyn Fn(Duration) + Send + Sync>,
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watchdog({:?})", self.longest())
    }
}

impl Watchdog {
    /// Creates a watchdog that calls `on_delay` for each time over [`DELAY`].
    pub(crate) fn new(on_delay: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Measurement {
            origin: Instant::now(),
            last: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            on_delay: Box::new(on_delay),
        }))
    }

    /// Makes [`report_progress`] on this thread report to this watchdog.
    pub(crate) fn install(&self) {
        INSTALLED.with(|installed| installed.set(self.clone()).ok());
    }

    /// Reports that the thread has slept until now.
    pub(crate) fn wake(&self) {
        self.0.wake_at(self.now());
    }

    /// Reports that the thread goes on now, or goes to sleep.
    pub(crate) fn progress(&self) {
        self.0.progress_at(self.now());
    }

    /// Returns the longest time between two reports so far.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.0.longest.load(Ordering::Relaxed))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Measurement {
    fn wake_at(&self, now: u64) {
        self.last.store(now, Ordering::Relaxed);
    }

    fn progress_at(&self, now: u64) {
        let ran = now.saturating_sub(self.last.swap(now, Ordering::Relaxed));
        self.longest.fetch_max(ran, Ordering::Relaxed);
        let ran = Duration::from_micros(ran);
        if ran > DELAY {
            (self.on_delay)(ran);
        }
    }
}

/// Reports that the present thread goes on, if it has a watchdog.
pub(in crate::net) fn report_progress() {
    INSTALLED.with(|installed| {
        if let Some(watchdog) = installed.get() {
            watchdog.progress();
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn work_is_measured_and_sleep_is_not() {
        let delays = Arc::<Mutex<Vec<Duration>>>::default();
        let reported = Arc::clone(&delays);
        let watchdog = Watchdog::new(move |ran| reported.lock().expect("whole").push(ran));
        let at = &watchdog.0;
        at.wake_at(1_000_000);
        at.progress_at(1_000_300);
        at.progress_at(1_000_400);
        // Asleep until here.
        at.wake_at(90_000_000);
        at.progress_at(90_000_200);
        assert_eq!(watchdog.longest(), Duration::from_micros(300));
        assert!(delays.lock().expect("whole").is_empty());
        at.progress_at(90_400_200);
        assert_eq!(watchdog.longest(), Duration::from_millis(400));
        assert_eq!(*delays.lock().expect("whole"), [Duration::from_millis(400)]);
    }

    #[test]
    fn a_thread_reports_to_the_watchdog_that_it_installed() {
        let watchdog = Watchdog::new(|_delay| {});
        report_progress();
        let before = watchdog.0.last.load(Ordering::Relaxed);
        assert_eq!(before, 0);
        watchdog.install();
        watchdog.0.wake_at(u64::MAX);
        report_progress();
        assert_ne!(watchdog.0.last.load(Ordering::Relaxed), u64::MAX);
    }
}
