//! Keys while something lies over the panes: only the top layer hears them.

use tui_input::Input;

use super::{act, close, command, dead_letters, edit, members, prompts};
use crate::ui::{
    action::{Action, TABLE},
    effect::Effect,
    key::{Code, Key},
    model::{
        Model,
        layer::{Confirm, ConfirmAction, Layer},
        list::Motion,
    },
};

pub(super) fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    if key == Key::plain(Code::Esc) {
        close(model);
        return vec![];
    }
    let suspend = model.keymap.keys(Action::Suspend).contains(&key);
    if suspend {
        return vec![Effect::Suspend];
    }
    match model.layers.last_mut() {
        Some(Layer::Prompt(prompt)) => match key.code {
            Code::Enter => prompts::submit(model),
            _ => {
                if edit(&mut prompt.input, key) {
                    prompt.error = None;
                }
                vec![]
            }
        },
        Some(Layer::Palette(palette)) => match key.code {
            Code::Enter => command::run_palette(model),
            Code::Up => {
                palette.selected = palette.selected.saturating_sub(1);
                vec![]
            }
            Code::Down => {
                palette.selected = (palette.selected + 1).min(TABLE.len() - 1);
                vec![]
            }
            Code::Tab => {
                command::complete(model);
                vec![]
            }
            _ => {
                if edit(&mut palette.input, key) {
                    palette.selected = 0;
                    palette.error = None;
                }
                vec![]
            }
        },
        Some(Layer::Confirm(_)) => confirm(model, key),
        Some(Layer::DeadLetters(_)) => dead_letters::press(model, key),
        Some(Layer::Peers(_)) => match members::press(model, key) {
            Some((action, about)) => act::ask(model, action, about.as_deref()),
            None => vec![],
        },
        Some(layer @ (Layer::Help { .. } | Layer::Details(_) | Layer::Latency { .. })) => {
            match key.code {
                Code::Up | Code::Char('k') => scroll(layer, Motion::Up(1)),
                Code::Down | Code::Char('j') => scroll(layer, Motion::Down(1)),
                Code::PageUp => scroll(layer, Motion::PageUp),
                Code::PageDown | Code::Char(' ') => scroll(layer, Motion::PageDown),
                Code::Home | Code::Char('g') => scroll(layer, Motion::Top),
                Code::End | Code::Char('G') => scroll(layer, Motion::Bottom),
                Code::Enter | Code::Char('q' | '?') => drop(close(model)),
                Code::Char('l') if matches!(layer, Layer::Latency { .. }) => drop(close(model)),
                Code::Char('c') => return command::call_from_details(model),
                Code::Char('y') => return command::copy_details(model),
                Code::Char('x') => return command::on_detailed_task(model, Action::Cancel),
                Code::Char('r') => return command::on_detailed_task(model, Action::Retry),
                _ => {}
            }
            vec![]
        }
        None => vec![],
    }
}

/// Yes must be said with y; anything else but a stray key is no.
fn confirm(model: &mut Model, key: Key) -> Vec<Effect> {
    match key.code {
        Code::Char('y' | 'Y') => match close(model) {
            Some(Layer::Confirm(Confirm {
                yes: ConfirmAction::Tasks { deed, filter },
                ..
            })) => {
                model.tasks.marked.clear();
                vec![Effect::Bulk { deed, filter }]
            }
            Some(Layer::Confirm(Confirm {
                yes: ConfirmAction::Peer(who),
                ..
            })) => vec![Effect::Revoke(who)],
            _ => vec![],
        },
        Code::Char('n' | 'N' | 'q') | Code::Enter => {
            close(model);
            vec![]
        }
        _ => vec![],
    }
}

/// The line that a layer is typed on, if it has one.
pub(super) fn input(layer: &mut Layer) -> Option<&mut Input> {
    match layer {
        Layer::Prompt(prompt) => {
            prompt.error = None;
            Some(&mut prompt.input)
        }
        Layer::Palette(palette) => {
            palette.selected = 0;
            Some(&mut palette.input)
        }
        Layer::Help { .. }
        | Layer::Confirm(_)
        | Layer::Details(_)
        | Layer::DeadLetters(_)
        | Layer::Peers(_)
        | Layer::Latency { .. } => None,
    }
}

/// Rows that a page key moves in a layer.
const PAGE: usize = 10;
/// Beyond every end; drawing stops at the real one.
const END: usize = 100_000;

pub(super) fn scroll(layer: &mut Layer, motion: Motion) {
    let (Layer::Help { scroll }
    | Layer::Latency { scroll }
    | Layer::Details(crate::ui::model::layer::Details { scroll, .. })) = layer
    else {
        return;
    };
    *scroll = match motion {
        Motion::Up(n) => scroll.saturating_sub(n),
        Motion::Down(n) => scroll.saturating_add(n),
        Motion::PageUp => scroll.saturating_sub(PAGE),
        Motion::PageDown => scroll.saturating_add(PAGE),
        Motion::Top => 0,
        Motion::Bottom => END,
    }
    .min(END);
}
