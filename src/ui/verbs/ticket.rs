//! `ticket`: makes a ticket for others to join with.

use super::{Action, ActionSpec, Impact, Scope, details, log};
use crate::{
    net::{admission::TicketOptions, trust::role::Role},
    node::NodeHandle,
    ui::{
        effect::{Effect, EffectDone},
        model::{
            Model,
            events::{Kind, Tone},
            layer::DetailsOf,
        },
    },
    units,
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Ticket,
    name: "ticket",
    keys: &[(&[Scope::Panes], &[]), (&[Scope::Members], &["t"])],
    hint: "ticket",
    text: "make a ticket for others to join with: read, member or admin; once; 1h",
    argument: "[ROLE] [once] [TIME]",
    impact: Impact::Changes(Role::Admin),
    kind: Kind::Name,
    press: ticket,
    succeeded,
    ..ActionSpec::BASE
};

/// `ticket`, `ticket read`, `ticket admin once 1h`
fn ticket(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let (mut role, mut options) = (Role::Member, TicketOptions::default());
    for word in argument.unwrap_or_default().split_whitespace() {
        match (word, word.parse(), units::duration(word)) {
            ("once", ..) => options.once = true,
            (_, Ok(named), _) => role = named,
            (.., Ok(span)) => options.expires = Some(span.as_secs()),
            _ => {
                let text =
                    format!("`{word}` is not a role, a time or `once`; try ticket read once 1h");
                model.toast(Tone::Warn, text);
                return vec![];
            }
        }
    }
    vec![Effect::Ticket { role, options }]
}

pub(crate) async fn run(node: &NodeHandle, role: Role, options: TicketOptions) -> EffectDone {
    let made = node.members(|admission| async move { admission.issue_ticket(role, options).await });
    let what = format!("ticket for the role {role}");
    EffectDone::new(Action::Ticket, what, made.await)
}

/// A ticket lets its bearer in: it is shown, and written nowhere.
fn succeeded(model: &mut Model, done: &EffectDone, ticket: &str) {
    log(model, done, Tone::Plain, "made");
    let copy = model.keymap.text(Action::Copy);
    let subject = DetailsOf::Result {
        title: format!("Ticket: paste it on the joining node; {copy} copies it"),
        text: ticket.to_owned(),
    };
    details::open(model, subject);
}
