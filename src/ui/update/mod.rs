//! What happens when something happens: a message and the model go in, the changed model and a list
//! of effects come out. Nothing here waits, and nothing here fails.

mod act;
mod command;
mod layers;
mod prompts;
mod rows;

pub(crate) use command::found;
use tui_input::{Input, InputRequest};

use super::{
    effect::{Click, Effect, Mouse, Msg},
    key::{Code, Key},
    model::{
        Model, REFRESH,
        events::{Kind, LogLine, Tone},
        layer::Layer,
        list::Motion,
    },
};
use crate::queue::task::Timestamp;
use crate::ui::pane::Pane;

/// The longest text that a line takes, in bytes; a paste beyond it is cut.
pub(crate) const MAX_INPUT: usize = 64 << 10;

/// Takes a message at a time.
pub(crate) fn update(model: &mut Model, msg: Msg, now: Timestamp) -> Vec<Effect> {
    model.now = model.now.max(now);
    model.touch();
    match msg {
        Msg::Key(key) => press(model, key),
        Msg::Paste(text) => paste(model, &text),
        Msg::Mouse(mouse) => point(model, mouse),
        Msg::Resize(width, height) => {
            model.size = (width, height);
            vec![]
        }
        Msg::Tick => tick(model),
        Msg::Started => {
            let mut effects = vec![Effect::Recovery];
            effects.extend(refresh(model));
            effects
        }
        Msg::Terminate => {
            model.leaving = true;
            vec![Effect::Quit]
        }
        other => responses::take(model, other),
    }
}

/// Carries out a command that was typed as a whole.
pub(crate) fn say_command(model: &mut Model, typed: &str, now: Timestamp) -> Vec<Effect> {
    model.now = model.now.max(now);
    model.touch();
    command::say_command(model, typed)
}

fn tick(model: &mut Model) -> Vec<Effect> {
    model.toasts.expire(model.now);
    match model.refresh_at {
        Some(at) if at <= model.now => refresh(model),
        // The second that was not over is over now, and its count can be shown.
        // What is told of its progress by no event is looked at now and then.
        _ if model.tasks.shows_running() && !model.refreshing && !model.is_frozen() => {
            refresh(model)
        }
        _ if model.data().overview.rate_changes(model.now) && !model.refreshing => refresh(model),
        _ => vec![],
    }
}

/// Asks for what the broker has now, unless that is under way or the screen is frozen.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    let lines = model.tally.take_lines(model.now);
    for line in lines {
        model.live_mut().log.push(line);
    }
    if model.is_frozen() || model.refreshing {
        return vec![];
    }
    model.refresh_at = None;
    model.refreshing = true;
    model.refreshed_at = model.now;
    let tasks = model.tasks.refresh().map(Effect::Tasks);
    [Effect::Overview].into_iter().chain(tasks).collect()
}

/// Something changed at the broker: look at it soon, and not more often than an eye can follow.
pub(super) fn refresh_soon(model: &mut Model) -> Vec<Effect> {
    let due = model.refreshed_at.after(REFRESH);
    if due <= model.now && !model.refreshing {
        return refresh(model);
    }
    model.refresh_at.get_or_insert(due.max(model.now));
    vec![]
}

fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    // Who goes on to something else gets no prompt back in between.
    model.submitted = None;
    if key == Key::ctrl('c') {
        return act::quit(model);
    }
    if !model.layers.is_empty() {
        return layers::press(model, key);
    }
    if let Some(action) = model.keymap.action(model.focus, key) {
        return act::ask(model, action, None);
    }
    if model.focus == Pane::Greeter {
        // On an empty line a pane's number still goes to the pane: after a greeting, 3 is Tasks.
        let empty = model.greeter.input.value().is_empty();
        if let Some(action) = model.keymap.pane(key).filter(|_| empty) {
            return act::ask(model, action, None);
        }
        edit(&mut model.greeter.input, key);
        model.greeter.hint = None;
    } else if key == Key::plain(Code::Esc) {
        return act::escape(model);
    }
    vec![]
}

/// A paste is text, whatever is in it: it goes where text goes, and never acts.
fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = line.trim_end();
    if let Some(layer) = model.layers.last_mut() {
        if let Some(input) = layers::input(layer) {
            insert(input, line);
        }
    } else if model.focus == Pane::Greeter {
        insert(&mut model.greeter.input, line);
    }
    vec![]
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

/// Types, deletes and moves on a line; answers whether the key meant anything there.
pub(super) fn edit(input: &mut Input, key: Key) -> bool {
    let request = match (key.code, key.ctrl, key.alt) {
        (Code::Char('a'), true, false) | (Code::Home, ..) => InputRequest::GoToStart,
        (Code::Char('e'), true, false) | (Code::End, ..) => InputRequest::GoToEnd,
        (Code::Char('w'), true, false) => InputRequest::DeletePrevWord,
        (Code::Char('u'), true, false) => InputRequest::DeleteLine,
        (Code::Char('k'), true, false) => InputRequest::DeleteTillEnd,
        (Code::Left, true, _) | (Code::Left, _, true) => InputRequest::GoToPrevWord,
        (Code::Right, true, _) | (Code::Right, _, true) => InputRequest::GoToNextWord,
        (Code::Left, ..) => InputRequest::GoToPrevChar,
        (Code::Right, ..) => InputRequest::GoToNextChar,
        (Code::Backspace, ..) => InputRequest::DeletePrevChar,
        (Code::Delete, ..) => InputRequest::DeleteNextChar,
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
        Click::WheelUp => Some(Motion::Up(3)),
        Click::WheelDown => Some(Motion::Down(3)),
    };
    if let Some(layer) = model.layers.last_mut() {
        if let Some(motion) = wheel {
            layers::scroll(layer, motion);
        }
        return vec![];
    }
    match wheel {
        Some(motion) => match model.regions.pane(x, y) {
            Some(pane) => rows::go(model, pane, motion),
            None => vec![],
        },
        None => click(model, x, y),
    }
}

fn click(model: &mut Model, x: u16, y: u16) -> Vec<Effect> {
    if let Some(action) = model.regions.button(x, y) {
        return act::ask(model, action, None);
    }
    if let Some(pane) = model.regions.pane(x, y) {
        model.focus(pane);
    }
    match model.regions.row(x, y) {
        Some((pane, row)) => rows::select(model, pane, row),
        None => vec![],
    }
}

/// Writes a line into the log.
pub(super) fn log(model: &mut Model, kind: Kind, tone: Tone, text: impl Into<String>) {
    let line = LogLine {
        at: model.now,
        kind,
        tone,
        text: text.into(),
    };
    model.live_mut().log.push(line);
}

/// Says something for a moment.
pub(super) fn toast(model: &mut Model, tone: Tone, text: impl Into<String>) {
    let now = model.now;
    model.toasts.push(now, tone, text);
}

/// Takes the top layer away.
pub(super) fn close(model: &mut Model) -> Option<Layer> {
    model.layers.pop()
}
mod dead_letters;
mod members;
mod responses;
