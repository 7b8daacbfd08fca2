//! `quit`, `interrupt` and `suspend`: leave the screen.

use super::{Action, ActionSpec, Scope};
use crate::ui::{effect::Effect, model::Model};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Quit,
    name: "quit",
    keys: &[(&[Scope::Panes], &["q"])],
    hint: "quit",
    text: "quit",
    press: |model, _| quit(model),
    ..ActionSpec::BASE
};
pub(super) const INTERRUPT: ActionSpec = ActionSpec {
    action: Action::Interrupt,
    name: "interrupt",
    keys: &[(&[Scope::Always], &["ctrl-c"])],
    hint: "",
    text: "quit, also while typing",
    is_command: false,
    ..SPEC
};
pub(super) const SUSPEND: ActionSpec = ActionSpec {
    action: Action::Suspend,
    name: "suspend",
    keys: &[(&[Scope::Always], &["ctrl-z"])],
    text: "return to the shell; `fg` comes back",
    press: |_, _| vec![Effect::Suspend],
    ..ActionSpec::BASE
};

/// Quits gracefully: running tasks get a moment to finish. Asked for twice, it quits at once.
pub(crate) fn quit(model: &mut Model) -> Vec<Effect> {
    model.leaving = true;
    vec![Effect::Quit]
}
