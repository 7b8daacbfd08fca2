//! Peers: the list of them, tickets, and throwing somebody out.

use super::{close, toast};
use crate::{
    net::{admission::TicketOptions, rpc::wire::Role},
    ui::{
        action::Action,
        effect::{Effect, Peers},
        key::{Code, Key},
        model::{
            Model,
            events::Tone,
            layer::{Confirm, ConfirmAction, Layer},
        },
    },
    units,
};

/// Answers what is asked for by the key, if it asks for something.
pub(super) fn press(model: &mut Model, key: Key) -> Option<(Action, Option<String>)> {
    let Some(Layer::Peers(view)) = model.layers.last_mut() else {
        return None;
    };
    let last = view.here().len().saturating_sub(1);
    match key.code {
        Code::Up | Code::Char('k') => view.selected = view.selected.saturating_sub(1),
        Code::Down | Code::Char('j') => view.selected = (view.selected + 1).min(last),
        Code::Home | Code::Char('g') => view.selected = 0,
        Code::End | Code::Char('G') => view.selected = last,
        Code::Char('q' | 'n') | Code::Enter => drop(close(model)),
        Code::Char('t') => return Some((Action::Ticket, None)),
        Code::Char('c') => return Some((Action::Join, None)),
        Code::Char('D') => {
            let selected = view.here().get(view.selected);
            let Some(who) = selected.map(|info| info.peer.key.to_string()) else {
                toast(model, Tone::Warn, "nobody is selected");
                return None;
            };
            return Some((Action::Revoke, Some(who)));
        }
        _ => {}
    }
    None
}

pub(super) fn take(model: &mut Model, peers: &Result<Peers, String>) {
    for layer in &mut model.layers {
        if let Layer::Peers(view) = layer {
            view.peers = Some(peers.clone());
            view.selected = view.selected.min(view.here().len().saturating_sub(1));
        }
    }
}

/// Asks whether it is meant.
pub(super) fn ask_to_revoke(model: &mut Model, who: &str) -> Vec<Effect> {
    let short: String = who.chars().take(16).collect();
    model.layers.push(Layer::Confirm(Confirm {
        question: format!("Throw {short} out? Its connections end and its names go."),
        yes: ConfirmAction::Peer(who.to_owned()),
    }));
    vec![]
}

/// `ticket`, `ticket read`, `ticket admin once 1h`
pub(super) fn ticket(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let (mut role, mut wish) = (Role::Member, TicketOptions::default());
    for word in argument.unwrap_or_default().split_whitespace() {
        match (word, word.parse(), units::duration(word)) {
            ("once", ..) => wish.once = true,
            (_, Ok(named), _) => role = named,
            (.., Ok(span)) => wish.expires = Some(span.as_secs()),
            _ => {
                let text =
                    format!("`{word}` is no role, no time and not once: ticket read once 1h");
                toast(model, Tone::Warn, text);
                return vec![];
            }
        }
    }
    vec![Effect::Ticket { role, wish }]
}
