//! The reasons why a verb cannot be performed: on this screen at all, or right now.

use crate::ui::{action::Action, model::Model};

impl Model {
    /// Returns why this screen must not perform a verb with this argument, or its broker cannot, if so.
    pub(crate) fn denied_reason(&self, action: Action, argument: Option<&str>) -> Option<String> {
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
        let (engine, capabilities) = (&self.header.engine, self.header.capabilities);
        let mut needed = (spec.needs)(self, argument).iter();
        let missing = needed.find(|operation| !capabilities.supports(**operation))?;
        Some(format!("{engine}: cannot {}", missing.description()))
    }

    /// Returns why a verb cannot be performed right now, if so.
    pub(crate) fn disabled_reason(&self, action: Action) -> Option<String> {
        self.denied_reason(action, None)
            .or_else(|| (action.spec().unavailable)(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        queue::{
            capabilities::{Capabilities, Operation},
            id::TaskId,
        },
        ui::{
            model::layer::{DeadLetters, Layer},
            tests::fixture::{busy, press},
        },
    };

    #[test]
    fn actions_on_many_tasks_need_what_they_use() {
        let mut model = busy();
        press(&mut model, &["3", "j"]);
        let lacking = |operation| Capabilities::all().without(operation);
        let reason = |model: &Model, action, argument| {
            let reason = model.denied_reason(action, argument);
            reason.map(|why| why.replace("embedded: cannot ", ""))
        };

        let bulk = Some("change many tasks at once".to_owned());
        model.header.capabilities = lacking(Operation::Bulk);
        for action in [Action::CancelAll, Action::RetryAll, Action::Purge] {
            assert_eq!(reason(&model, action, None), bulk, "{action:?}");
        }
        for action in [Action::Cancel, Action::Retry] {
            assert_eq!(reason(&model, action, None), None, "{action:?}");
        }
        model.tasks.marked.insert(TaskId::Sequence(1));
        for action in [Action::Cancel, Action::Retry] {
            assert_eq!(reason(&model, action, None), bulk, "{action:?}");
            assert_eq!(reason(&model, action, Some("1")), None, "{action:?}");
        }

        let count = Some("count tasks".to_owned());
        model.header.capabilities = lacking(Operation::Count);
        for action in [Action::CancelAll, Action::RetryAll, Action::Purge] {
            assert_eq!(reason(&model, action, None), count, "{action:?}");
        }
        assert_eq!(reason(&model, Action::Retry, None), None);
        model
            .layers
            .push(Layer::DeadLetters(DeadLetters::default()));
        assert_eq!(reason(&model, Action::Retry, None), count);
    }

    #[test]
    fn what_the_broker_cannot_do_is_off_and_says_why() {
        let mut model = busy();
        assert_eq!(model.denied_reason(Action::Scale, None), None);
        model.header.capabilities = Capabilities::all().without(Operation::Scale);
        let reason = model.denied_reason(Action::Scale, None);
        let expected = "embedded: cannot change the number of workers";
        assert_eq!(reason.as_deref(), Some(expected));
        assert_eq!(model.denied_reason(Action::Add, None), None);
    }
}
