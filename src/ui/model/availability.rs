//! The reasons why a verb cannot be performed: on this screen at all, or right now.

use super::Model;
use crate::ui::verbs::Action;

impl Model {
    /// Returns why this screen or this key must not perform a verb, if so.
    pub(crate) fn denied_reason(&self, action: Action) -> Option<String> {
        let needed = action.spec().impact.role()?;
        if self.about.read_only {
            return Some("this screen is read-only; start it without --read-only".to_owned());
        }
        let role = self.about.role;
        (role < needed).then(|| {
            format!(
                "this needs the role {needed}, and this key has {role}; ask for a {needed} ticket"
            )
        })
    }

    /// Returns why a verb cannot be performed right now, if so.
    pub(crate) fn disabled_reason(&self, action: Action) -> Option<String> {
        self.denied_reason(action)
            .or_else(|| (action.spec().unavailable)(self))
    }
}
