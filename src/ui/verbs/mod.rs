//! The verbs of the screen: everything that a person can do, one verb a file.
//!
//! A file holds the whole of a verb: its [`ActionSpec`] (names, keys and texts), `press`, which changes
//! the model and returns effects, `run`, which carries an effect out against the node, and what the
//! model makes of the result. [`TABLE`] lists the specs; it feeds the keymap, the footer, the help, the
//! palette, the mouse and the documentation, so that they cannot disagree.

pub(crate) mod add;
mod availability;
pub(crate) mod bulk;
pub(crate) mod call;
pub(crate) mod cancel;
mod cancel_all;
mod command_line;
mod confirm;
pub(crate) mod copy;
pub(crate) mod dead_letters;
pub(crate) mod details;
mod doctor;
pub(crate) mod export;
mod filter;
pub(crate) mod greet;
mod help;
pub(crate) mod invalidate_tickets;
pub(crate) mod join;
pub(crate) mod keys;
mod latency;
pub(crate) mod leave;
mod load;
pub(crate) mod mark;
pub(crate) mod members;
pub(crate) mod methods;
pub(crate) mod navigation;
pub(crate) mod palette;
pub(crate) mod pause;
pub(crate) mod prompt;
mod purge;
pub(crate) mod quit;
mod replay;
pub(crate) mod retry;
mod retry_all;
pub(crate) mod revoke;
pub(crate) mod scale;
mod screen;
mod sort;
pub(crate) mod start_node;
pub(crate) mod submit;
mod table;
pub(crate) mod ticket;
pub(crate) mod undo;

pub(crate) use self::table::TABLE;
use super::{
    action::Action,
    effect::{Effect, EffectDone},
    model::{
        Model,
        events::{Kind, Tone},
    },
    pane::Pane,
    scope::{self, Scope, Scopes},
};
use crate::{net::trust::role::Role, queue::capabilities::Operation, text::fmt_duration};

/// The effect of a verb on the node, and the role that it needs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Impact {
    /// It changes nothing.
    None,
    /// It changes something that can be changed back.
    Changes(Role),
    /// It removes something for good; it asks for confirmation first.
    Destroys(Role),
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct ActionSpec {
    pub(crate) action: Action,
    /// The name in the palette and in the table `[keys]` of the configuration.
    pub(crate) name: &'static str,
    /// The default keys by scope; a configured key acts in all of these scopes. A scope without a key
    /// still says where the verb belongs.
    pub(crate) keys: &'static [(&'static [Scope], &'static [&'static str])],
    /// The text in help and documentation.
    pub(crate) text: &'static str,
    /// Other texts, for scopes in which it acts on something else.
    pub(crate) other_texts: &'static [(Scope, &'static str)],
    /// One or two words for the footer and overlays; empty to leave it out there.
    pub(crate) hint: &'static str,
    /// The argument that the palette accepts after the name; empty for none.
    pub(crate) argument: &'static str,
    pub(crate) impact: Impact,
    /// The operations of the broker that it needs here, with this argument.
    pub(crate) needs: fn(&Model, Option<&str>) -> &'static [Operation],
    /// True if the palette offers it, not only a key.
    pub(crate) is_command: bool,
    /// The kind of its lines in the log.
    pub(crate) kind: Kind,
    /// Changes the model and returns what is to be done outside of it.
    pub(crate) press: fn(&mut Model, Option<&str>) -> Vec<Effect>,
    /// Returns why it cannot be done right now, if so.
    pub(crate) unavailable: fn(&Model) -> Option<String>,
    /// Shows the result of its effect.
    pub(crate) succeeded: fn(&mut Model, &EffectDone, &str),
}

impl ActionSpec {
    /// The values of a verb that changes nothing; each verb replaces those that differ.
    const BASE: Self = Self {
        action: Action::Close,
        name: "",
        keys: &[],
        text: "",
        other_texts: &[],
        hint: "",
        argument: "",
        impact: Impact::None,
        needs: |_, _| &[],
        is_command: true,
        kind: Kind::Task,
        press: |_, _| vec![],
        unavailable: |_| None,
        succeeded: log_and_toast,
    };

    /// The text in help and documentation for a scope.
    pub(crate) fn text_in(&self, scope: Scope) -> &'static str {
        let other = self.other_texts.iter().find(|(at, _)| *at == scope);
        other.map_or(self.text, |(_, text)| text)
    }

    /// The scopes in which it acts.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.keys
            .iter()
            .flat_map(|(scopes, _)| scopes.iter().copied())
    }

    /// Returns true if it acts in one of these scopes.
    pub(crate) fn acts_in(&self, active: Scopes) -> bool {
        self.scopes().any(|scope| active.contains(&scope))
    }

    /// The pane to go to when it is asked for where it does not act.
    fn pane(&self) -> Option<Pane> {
        self.scopes().find_map(|scope| match scope {
            Scope::Pane(pane) => Some(pane),
            Scope::Lists => Some(Pane::Names),
            _ => None,
        })
    }
}

impl Action {
    /// The row of the table.
    pub(crate) fn spec(self) -> &'static ActionSpec {
        TABLE
            .iter()
            .find(|spec| spec.action == self)
            .unwrap_or(&TABLE[0])
    }
}

impl Impact {
    /// The role that is needed to change something, if it changes something.
    pub(crate) const fn role(self) -> Option<Role> {
        match self {
            Self::None => None,
            Self::Changes(role) | Self::Destroys(role) => Some(role),
        }
    }
}

/// Performs a verb if it is available; otherwise shows the reason.
pub(crate) fn perform(model: &mut Model, action: Action, argument: Option<&str>) -> Vec<Effect> {
    let spec = action.spec();
    // From the palette, a verb of one pane goes to that pane first.
    if model.layers.is_empty()
        && !spec.acts_in(scope::pane(model.focus))
        && let Some(pane) = spec.pane()
    {
        model.focus(pane);
    }
    let reason = match argument {
        None => model.disabled_reason(action),
        // An argument replaces the selection.
        Some(_) => model.denied_reason(action, argument),
    };
    match reason {
        None => (spec.press)(model, argument),
        Some(why) if action == Action::Greet => {
            model.greeter.hint = Some(why);
            vec![]
        }
        Some(why) => {
            model.toast(Tone::Warn, why);
            vec![]
        }
    }
}

/// Shows the result of an effect, successful or not.
pub(crate) fn completed(model: &mut Model, done: &EffectDone) -> Vec<Effect> {
    let spec = done.action.spec();
    let submitted = prompt::take_submitted(model, done.action);
    match &done.result {
        Ok(text) => (spec.succeeded)(model, done, text),
        Err(why) => {
            log(model, done, Tone::Bad, why);
            match submitted.filter(|_| model.layers.is_empty()) {
                Some(submitted) => prompt::reopen(model, submitted, why),
                None => model.toast(Tone::Bad, why),
            }
        }
    }
    if matches!(done.action, Action::Join | Action::Leave) {
        model.health.ask_at(model.now);
    }
    let mut effects = model.refresh_soon();
    effects.extend(members::refresh(model));
    effects
}

fn log_and_toast(model: &mut Model, done: &EffectDone, text: &str) {
    log(model, done, Tone::Plain, text);
    model.toast(Tone::Good, text);
}

fn log(model: &mut Model, done: &EffectDone, tone: Tone, text: &str) {
    let line = format!("{}: {text} ({})", done.what, fmt_duration(done.took));
    model.log(done.action.spec().kind, tone, line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{model::layer::Layer, tests::fixture::busy};

    #[test]
    fn what_destroys_something_asks_first() {
        for spec in TABLE {
            if !matches!(spec.impact, Impact::Destroys(_)) {
                continue;
            }
            let mut model = busy();
            let argument = (!spec.argument.is_empty()).then_some("k3yk3yk3");
            let effects = perform(&mut model, spec.action, argument);
            let counts = |effect: &Effect| matches!(effect, Effect::Count { .. });
            assert!(effects.iter().all(counts), "{}: {effects:?}", spec.name);
            let asks = matches!(model.layers.last(), Some(Layer::Confirm(_)));
            assert!(asks || !effects.is_empty(), "{}", spec.name);
        }
    }

    #[test]
    fn a_read_only_screen_changes_nothing() {
        for spec in TABLE {
            let mut model = busy();
            model.header.read_only = true;
            if spec.impact.role().is_some() {
                let effects = perform(&mut model, spec.action, Some("1"));
                assert!(effects.is_empty(), "{}: {effects:?}", spec.name);
                assert!(model.layers.is_empty(), "{}", spec.name);
            }
        }
    }
}
