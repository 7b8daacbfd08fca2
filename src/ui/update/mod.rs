//! Applies messages to the model: a message and the model go in, the changed model and a list of
//! effects come out. Nothing here waits, and nothing here fails.

mod responses;

use tui_input::{Input, InputRequest};

use super::{
    effect::{Click, Effect, Mouse, Msg},
    key::{Key, KeyCode},
    model::{Model, layer::Layer, list::Motion},
    pane::Pane,
    verbs::{self, navigation, palette, quit},
};
use crate::queue::clock::Timestamp;

/// The longest text that a line accepts, in bytes; a longer paste is cut.
pub(crate) const MAX_INPUT: usize = 64 << 10;
/// The rows that a turn of the mouse wheel moves.
const WHEEL: usize = 3;

/// Applies a message to the model, and returns what is to be done outside of it.
pub(crate) fn update(model: &mut Model, msg: Msg, now: Timestamp) -> Vec<Effect> {
    model.now = model.now.max(now);
    model.touch();
    match msg {
        Msg::Key(key) => press(model, key),
        Msg::Paste(text) => {
            paste(model, &text);
            vec![]
        }
        Msg::Mouse(mouse) => point(model, mouse),
        Msg::Resize(width, height) => {
            model.size = (width, height);
            vec![]
        }
        Msg::Tick => tick(model),
        Msg::Started => {
            let mut effects = vec![Effect::Recovery, Effect::Health];
            effects.extend(model.refresh());
            effects
        }
        Msg::Terminate => quit::leave(model),
        other => responses::receive(model, other),
    }
}

/// Runs a command that was typed as a line.
pub(crate) fn run_line(model: &mut Model, line: &str, now: Timestamp) -> Vec<Effect> {
    model.now = model.now.max(now);
    model.touch();
    palette::run_line(model, line)
}

fn tick(model: &mut Model) -> Vec<Effect> {
    model.toasts.expire(model.now);
    let mut effects = model.check_health();
    effects.extend(refresh_if_due(model));
    effects
}

fn refresh_if_due(model: &mut Model) -> Vec<Effect> {
    match model.refresh_at {
        Some(at) if at <= model.now => model.refresh(),
        // A lost broker is asked at its own times.
        _ if model.broker_link.lost().is_some() => vec![],
        // Progress causes no event, so it is asked for.
        _ if model.tasks.shows_running() && !model.refreshing && !model.is_frozen() => {
            model.refresh()
        }
        // A second is over, and its count can be shown.
        _ if model.data().overview.rate_changes(model.now) && !model.refreshing => model.refresh(),
        _ => vec![],
    }
}

fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    // The person goes on: a prompt that fails now must not come back in between.
    model.submitted = None;
    if let Some(action) = model.keymap.action(model.scopes(), key) {
        return verbs::perform(model, action, None);
    }
    match model.layers.last_mut() {
        Some(Layer::Prompt(prompt)) => {
            let edited = edit(&mut prompt.input, key);
            prompt.error.take_if(|_| edited);
        }
        Some(Layer::Palette(palette)) => {
            let edited = edit(&mut palette.input, key);
            if edited {
                palette.selected = None;
                palette.error = None;
            }
        }
        Some(_) => {}
        None if model.focus == Pane::Greeter => {
            // On an empty line the number of a pane goes there: after a greeting, 3 is Tasks.
            let empty = model.greeter.input.value().is_empty();
            if let Some(action) = model.keymap.pane(key).filter(|_| empty) {
                return verbs::perform(model, action, None);
            }
            edit(&mut model.greeter.input, key);
            model.greeter.hint = None;
        }
        None => {}
    }
    vec![]
}

/// A paste is text, whatever is in it: it goes where text goes, and never acts.
fn paste(model: &mut Model, text: &str) {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = line.trim_end();
    match model.layers.last_mut() {
        Some(Layer::Prompt(prompt)) => {
            prompt.error = None;
            insert(&mut prompt.input, line);
        }
        Some(Layer::Palette(palette)) => {
            palette.selected = None;
            palette.error = None;
            insert(&mut palette.input, line);
        }
        Some(_) => {}
        None if model.focus == Pane::Greeter => insert(&mut model.greeter.input, line),
        None => {}
    }
}

fn insert(input: &mut Input, text: &str) {
    let room = MAX_INPUT.saturating_sub(input.value().len());
    let text = text
        .get(..text.floor_char_boundary(room))
        .unwrap_or_default();
    let at = input.cursor();
    let before: String = input.value().chars().take(at).collect();
    let after: String = input.value().chars().skip(at).collect();
    let cursor = at + text.chars().count();
    *input = Input::new(format!("{before}{text}{after}")).with_cursor(cursor);
}

/// Edits a line with a key, and returns whether the key did anything.
fn edit(input: &mut Input, key: Key) -> bool {
    let request = match (key.code, key.ctrl, key.alt) {
        (KeyCode::Char('a'), true, false) | (KeyCode::Home, ..) => InputRequest::GoToStart,
        (KeyCode::Char('e'), true, false) | (KeyCode::End, ..) => InputRequest::GoToEnd,
        (KeyCode::Char('w'), true, false) => InputRequest::DeletePrevWord,
        (KeyCode::Char('u'), true, false) => InputRequest::DeleteLine,
        (KeyCode::Char('k'), true, false) => InputRequest::DeleteTillEnd,
        (KeyCode::Left, true, _) | (KeyCode::Left, _, true) => InputRequest::GoToPrevWord,
        (KeyCode::Right, true, _) | (KeyCode::Right, _, true) => InputRequest::GoToNextWord,
        (KeyCode::Left, ..) => InputRequest::GoToPrevChar,
        (KeyCode::Right, ..) => InputRequest::GoToNextChar,
        (KeyCode::Backspace, ..) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, ..) => InputRequest::DeleteNextChar,
        _ => match key.typed() {
            Some(c) if input.value().len() + c.len_utf8() <= MAX_INPUT => {
                InputRequest::InsertChar(c)
            }
            _ => return false,
        },
    };
    input.handle(request);
    true
}

fn point(model: &mut Model, mouse: Mouse) -> Vec<Effect> {
    let Mouse { x, y, what } = mouse;
    let wheel = match what {
        Click::Left => None,
        Click::WheelUp => Some(Motion::Up(WHEEL)),
        Click::WheelDown => Some(Motion::Down(WHEEL)),
    };
    if let Some(layer) = model.layers.last_mut() {
        if let Some(motion) = wheel {
            navigation::move_in(layer, motion);
        }
        return vec![];
    }
    match wheel {
        Some(motion) => match model.regions.pane(x, y) {
            Some(pane) => navigation::move_selection(model, pane, motion),
            None => vec![],
        },
        None => click(model, x, y),
    }
}

fn click(model: &mut Model, x: u16, y: u16) -> Vec<Effect> {
    if let Some(action) = model.regions.button(x, y) {
        return verbs::perform(model, action, None);
    }
    if let Some(pane) = model.regions.pane(x, y) {
        model.focus(pane);
    }
    match model.regions.row(x, y) {
        Some((pane, row)) => navigation::select(model, pane, row),
        None => vec![],
    }
}
