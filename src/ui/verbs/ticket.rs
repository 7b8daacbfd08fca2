//! `ticket`: makes a ticket for others to join with.

use super::{Action, ActionSpec, Impact, Scope, details, log};
use crate::{
    net::{
        admission::TicketOptions,
        trust::{role::Role, ticket::Ticket as ParsedTicket},
    },
    node::{self, NodeHandle},
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
    let parsed = ticket.parse::<ParsedTicket>().ok();
    let subject = DetailsOf::Result {
        title: format!("Ticket: paste it on the joining node; {copy} copies it"),
        text: ticket.to_owned(),
        warning: parsed.and_then(|ticket| node::loopback_warning(&ticket.addrs)),
    };
    details::open(model, subject);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{details, model::layer::Layer, tests::fixture::busy};

    /// The details that are shown for a ticket with this address, and what is copied of them.
    fn shown(addr: &str) -> (String, String) {
        let ticket = ParsedTicket {
            addrs: vec![addr.parse().expect("an address")],
            ..ParsedTicket::blank()
        };
        let mut model = busy();
        let done = EffectDone::new(Action::Ticket, "ticket", Ok::<_, String>(String::new()));
        succeeded(&mut model, &done, &ticket.to_string());
        let Some(Layer::Details(open)) = model.layers.last() else {
            panic!("no details");
        };
        let rows = details::rows(&model, &open.subject);
        let rows: Vec<_> = rows.into_iter().map(|(_, text, _)| text).collect();
        (rows.join("\n"), details::text(&model, &open.subject))
    }

    #[test]
    fn a_ticket_that_only_this_machine_can_use_says_so() {
        let (text, copied) = shown("127.0.0.1:4433");
        assert!(text.contains("only this machine can reach"), "{text}");
        assert!(
            copied.starts_with("distro1") && !copied.contains("only this"),
            "{copied}"
        );
        let (text, copied) = shown("192.168.1.20:4433");
        assert_eq!(text, copied);
    }
}
