//! The time by which finished tasks and keys of submits are deleted.

use std::time::Duration;

use crate::queue::clock::{ClockStep, Timestamp};

/// A clock that does not follow a wall clock that is set forward while the program runs, so that nothing
/// is deleted before it has really been stored for its time. What is stored after such a step is kept
/// for longer by as much, until the next start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RetentionClock {
    /// Its distance behind the wall clock.
    behind: Duration,
}

impl RetentionClock {
    /// Follows a step of the wall clock: falls behind by a step forward, and catches up by a step back.
    pub(super) fn apply_step(&mut self, step: ClockStep) {
        self.behind = match step {
            ClockStep::Forward(by) => self.behind.saturating_add(by),
            ClockStep::Back(by) => self.behind.saturating_sub(by),
        };
    }

    /// The time of this clock at a time of the wall clock.
    pub(super) fn at(self, wall_clock: Timestamp) -> Timestamp {
        wall_clock.before(self.behind)
    }

    /// The time of the wall clock at a time of this clock.
    pub(super) fn wall_clock(self, at: Timestamp) -> Timestamp {
        at.after(self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    #[test]
    fn it_stays_behind_a_clock_that_is_set_forward_and_is_never_before_it() {
        let now = Timestamp::default().after(HOUR * 1_000);
        let mut clock = RetentionClock::default();
        assert_eq!(clock.at(now), now);
        clock.apply_step(ClockStep::Forward(HOUR * 24));
        assert_eq!(clock.at(now), now.before(HOUR * 24));
        assert_eq!(clock.wall_clock(clock.at(now)), now);
        clock.apply_step(ClockStep::Back(HOUR * 20));
        assert_eq!(clock.at(now), now.before(HOUR * 4));
        clock.apply_step(ClockStep::Back(HOUR * 9));
        assert_eq!(clock.at(now), now);
    }
}
