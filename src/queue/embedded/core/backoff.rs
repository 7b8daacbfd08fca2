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
}
