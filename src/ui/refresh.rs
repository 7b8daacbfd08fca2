//! Refreshing what the broker knows: counts, workers, and the tasks on the screen.

use super::{
    effect::Effect,
    model::{Model, REFRESH},
};

impl Model {
    /// Asks the broker for its current state, unless a request is pending or the screen is frozen.
    pub(crate) fn refresh(&mut self) -> Vec<Effect> {
        for line in self.event_summary.take_lines(self.now) {
            self.live_mut().log.push(line);
        }
        if self.is_frozen() || self.refreshing {
            return vec![];
        }
        self.refresh_at = None;
        self.refreshing = true;
        self.refreshed_at = self.now;
        let tasks = self.tasks.refresh().map(Effect::Tasks);
        [Effect::Overview].into_iter().chain(tasks).collect()
    }

    /// Asks the node for its findings, if it is time.
    pub(crate) fn check_health(&mut self) -> Vec<Effect> {
        let due = self.health.take_due(self.now);
        due.then_some(Effect::Health).into_iter().collect()
    }

    /// Refreshes soon after a change, not more often than an eye can follow.
    pub(crate) fn refresh_soon(&mut self) -> Vec<Effect> {
        let due = self.refreshed_at.after(REFRESH);
        if due <= self.now && !self.refreshing {
            return self.refresh();
        }
        self.refresh_at.get_or_insert(due.max(self.now));
        vec![]
    }
}
