//! Exponential backoff with jitter.

use std::time::Duration;

/// The first and the longest delay between attempts to reach another process.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

/// Returns the delay before jitter of an attempt, counted from 0: `first`, doubled each time, up to
/// `longest`.
pub(crate) fn exponential(first: Duration, longest: Duration, attempt: u32) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(longest)
}

/// Delays between attempts. Each lies between half of the exponential delay and all of it (equal
/// jitter), so that clients that failed together do not come back together, and none comes back at once.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    longest: Duration,
    attempt: u32,
    random: fastrand::Rng,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::up_to(LONGEST)
    }
}

impl Backoff {
    /// Creates a backoff with another longest delay.
    pub(crate) fn up_to(longest: Duration) -> Self {
        Self {
            longest,
            attempt: 0,
            // It follows from the thread's generator: a test that seeds that one is deterministic.
            random: fastrand::Rng::new(),
        }
    }

    /// Returns the delay before the next attempt.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let most = exponential(FIRST, self.longest, self.attempt);
        self.attempt = self.attempt.saturating_add(1);
        most.mul_f64(0.5 + self.random.f64() / 2.0)
    }

    /// Starts from the first delay again, after a success.
    pub(crate) const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let most = |attempt| exponential(FIRST, LONGEST, attempt).as_millis();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, u32::MAX].map(most),
            [200, 400, 800, 1600, 3200, 5000, 5000]
        );
    }

    #[test]
    fn jitter_takes_at_most_half_of_a_delay() {
        let mut backoff = Backoff::default();
        for attempt in 0..1000 {
            let most = exponential(FIRST, LONGEST, attempt);
            let delay = backoff.next_delay();
            assert!(delay >= most / 2 && delay <= most, "{attempt}: {delay:?}");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= FIRST);
        let short = Duration::from_millis(50);
        assert!(Backoff::up_to(short).next_delay() <= short);
    }

    #[test]
    fn a_seeded_thread_repeats_its_delays() {
        let delays = |seed| {
            fastrand::seed(seed);
            let mut backoff = Backoff::default();
            std::array::from_fn::<_, 8, _>(|_| backoff.next_delay())
        };
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }
}
