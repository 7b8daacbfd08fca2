//! The delay between two attempts of a task.

use std::time::Duration;

use crate::retry;

/// The limits of the delay between two attempts: of the first one, and of all.
pub(super) const MIN_BACKOFF: Duration = Duration::from_secs(1);
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// The delay before the attempt that follows the `attempts`-th one; `share` is a random number from 0 to
/// 1. With full jitter, many tasks that failed together are not retried together.
pub(super) fn retry_delay(attempts: u8, share: f64) -> Duration {
    let attempt = u32::from(attempts.saturating_sub(1));
    retry::exponential(MIN_BACKOFF, MAX_BACKOFF, attempt).mul_f64(share)
}

/// A pseudorandom series (splitmix64): the same seed gives the same series.
#[derive(Debug)]
pub(super) struct Rng(pub(super) u64);

impl Rng {
    /// The next number, 0 to 1.
    pub(super) fn next_f64(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_the_longest_and_is_shortened_by_jitter() {
        assert_eq!(retry_delay(1, 1.0), MIN_BACKOFF);
        assert_eq!(retry_delay(3, 1.0), MIN_BACKOFF * 4);
        assert_eq!(retry_delay(u8::MAX, 1.0), MAX_BACKOFF);
        assert_eq!(retry_delay(3, 0.5), MIN_BACKOFF * 2);
        assert_eq!(retry_delay(3, 0.0), Duration::ZERO);
    }

    #[test]
    fn random_numbers_lie_between_0_and_1_and_repeat_with_their_seed() {
        let series = |seed| {
            let mut rng = Rng(seed);
            std::array::from_fn::<_, 100, _>(|_| rng.next_f64())
        };
        assert!(series(1).into_iter().all(|n| (0.0..1.0).contains(&n)));
        assert_eq!(series(1), series(1));
        assert_ne!(series(1), series(2));
    }
}
