//! The reasons why a verb cannot be performed: on this screen at all, or right now.

use crate::ui::{action::Action, model::Model};

impl Model {
    /// Returns why this screen must not perform a verb, or its broker cannot, if so.
    pub(crate) fn denied_reason(&self, action: Action) -> Option<String> {
        let spec = action.spec();
        if let Some(needed) = spec.impact.role() {
            if self.header.read_only {
                return Some("this screen is read-only; start it without --read-only".to_owned());
            }
            let role = self.header.role;
            if role < needed {
                return Some(format!(
                    "this requires the role {needed}, and this key has {role}; ask for a {needed} ticket"
                ));
            }
        }
        let missing = spec.needs?;
        let (engine, capabilities) = (&self.header.engine, self.header.capabilities);
        let text = || format!("{engine}: cannot {}", missing.description());
        (!capabilities.supports(missing)).then(text)
    }

    /// Returns why a verb cannot be performed right now, if so.
    pub(crate) fn disabled_reason(&self, action: Action) -> Option<String> {
        self.denied_reason(action)
            .or_else(|| (action.spec().unavailable)(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        queue::capabilities::{Capabilities, Operation},
        ui::tests::fixture::busy,
    };

    #[test]
    fn what_the_broker_cannot_do_is_off_and_says_why() {
        let mut model = busy();
        assert_eq!(model.denied_reason(Action::Scale), None);
        model.header.capabilities = Capabilities::all().without(Operation::Scale);
        let reason = model.denied_reason(Action::Scale);
        let expected = "embedded: cannot change the number of workers";
        assert_eq!(reason.as_deref(), Some(expected));
        assert_eq!(model.denied_reason(Action::Add), None);
    }
}
