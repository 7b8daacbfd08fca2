//! Keys in the list of why tasks have failed.

use super::{close, rows};
use crate::{
    queue::{
        broker::{BulkAction, FailureGroup},
        query::{FILTER_WORDS, Filter},
    },
    ui::{
        effect::Effect,
        key::{Code, Key},
        model::{Model, layer::Layer},
        pane::Pane,
    },
};

/// Words of an error that a filter looks for; the first of them tell it from others.
const MOST_WORDS: usize = 12;

pub(super) fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(Layer::DeadLetters(view)) = model.layers.last_mut() else {
        return vec![];
    };
    let last = view.len().saturating_sub(1);
    match key.code {
        Code::Up | Code::Char('k') => view.selected = view.selected.saturating_sub(1),
        Code::Down | Code::Char('j') => view.selected = (view.selected + 1).min(last),
        Code::Home | Code::Char('g') => view.selected = 0,
        Code::End | Code::Char('G') => view.selected = last,
        Code::Char('q' | 'd') => drop(close(model)),
        Code::Enter => return show(model),
        Code::Char('R' | 'r') => return ask(model, BulkAction::Retry),
        Code::Char('D') => return ask(model, BulkAction::Purge),
        _ => {}
    }
    vec![]
}

/// Shows the tasks that failed for the selected reason.
fn show(model: &mut Model) -> Vec<Effect> {
    let Some(text) = selected(model).map(filter_text) else {
        return vec![];
    };
    close(model);
    model.focus(Pane::Tasks);
    rows::set_filter(model, Pane::Tasks, &text).unwrap_or_default()
}

/// Asks whether to do something to all that failed for the selected reason.
fn ask(model: &Model, deed: BulkAction) -> Vec<Effect> {
    let Some(reason) = selected(model) else {
        return vec![];
    };
    match Filter::parse(&filter_text(reason)) {
        Ok(filter) => vec![Effect::Count {
            deed,
            filter,
            which: format!("that failed with `{}`", reason.error),
        }],
        // The text is made of words that a filter reads.
        Err(_) => vec![],
    }
}

fn selected(model: &Model) -> Option<&FailureGroup> {
    match model.layers.last() {
        Some(Layer::DeadLetters(view)) => view.selected(),
        _ => None,
    }
}

/// The filter that finds these failures, as a person would type it.
pub(super) fn filter_text(reason: &FailureGroup) -> String {
    let means_something = |word: &&str| {
        let before = word.split(':').next().unwrap_or_default();
        word.starts_with('!') || (word.contains(':') && FILTER_WORDS.contains(&before))
    };
    let words = reason.error.split_whitespace();
    let words: Vec<&str> = words
        .filter(|word| !means_something(word))
        .take(MOST_WORDS)
        .collect();
    format!("state:failed name:{} {}", reason.name, words.join(" "))
}
