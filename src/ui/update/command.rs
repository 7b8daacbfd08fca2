//! What is typed: prompts, and commands of the palette.

use nucleo_matcher::{
    Config, Matcher,
    pattern::{CaseMatching, Normalization, Pattern},
};

use super::{act, close, toast};
use crate::{
    net::trust::ticket::mask,
    ui::{
        action::{Action, ActionSpec, TABLE},
        effect::Effect,
        model::{
            Model,
            events::Tone,
            layer::{DetailsOf, Layer, Palette, Prompt, PromptKind},
        },
    },
};

/// The entries that fit what was typed, the best first; everything while nothing is typed.
pub(crate) fn found(palette: &Palette) -> Vec<&'static ActionSpec> {
    let typed = palette.input.value().trim();
    if let Some((entry, _)) = exact(typed) {
        return vec![entry];
    }
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, &ActionSpec)> = TABLE
        .iter()
        .filter_map(|entry| {
            // A hit in the name is worth more than one in the text.
            let mut score = |text: &str| {
                pattern.score(
                    nucleo_matcher::Utf32Str::new(text, &mut buffer),
                    &mut matcher,
                )
            };
            let name = score(entry.name).map(|score| score * 2 + 20);
            name.max(score(entry.text)).map(|score| (score, entry))
        })
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, entry)| entry).collect()
}

/// A whole command: a name, and its argument behind a space.
fn exact(typed: &str) -> Option<(&'static ActionSpec, Option<&str>)> {
    if let Some((name, rest)) = as_on_the_command_line(typed) {
        let entry = TABLE.iter().find(|entry| entry.name == name)?;
        return Some((entry, Some(rest.trim()).filter(|rest| !rest.is_empty())));
    }
    let (name, argument) = match typed.split_once(char::is_whitespace) {
        Some((name, argument)) => (name, Some(argument.trim()).filter(|a| !a.is_empty())),
        None => (typed, None),
    };
    let entry = TABLE.iter().find(|entry| entry.name == name)?;
    Some((entry, argument))
}

/// Words of the command line, and what they are called here.
const CLI_ALIASES: [(&str, &str); 17] = [
    ("keys", "help"),
    ("names list", "names"),
    ("names lookup", "methods"),
    ("names watch", "names"),
    ("tasks list", "filter"),
    ("tasks show", "show"),
    ("tasks watch", "events"),
    ("tasks cancel", "cancel"),
    ("tasks retry", "retry"),
    ("tasks purge", "purge"),
    ("tasks export", "export"),
    ("workers list", "workers"),
    ("workers scale", "scale"),
    ("queue pause", "pause"),
    ("queue resume", "resume"),
    ("queue stats", "doctor"),
    ("ticket rotate", "rotate"),
];

/// What is typed as a command of the command line: the name that it has here, and the rest.
fn as_on_the_command_line(typed: &str) -> Option<(&'static str, &str)> {
    let fits = |(words, name): &(&'static str, &'static str)| {
        let rest = typed.strip_prefix(words)?;
        (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some((*name, rest))
    };
    CLI_ALIASES.iter().find_map(fits)
}

/// Carries out a whole command, as the palette does.
pub(super) fn say_command(model: &mut Model, typed: &str) -> Vec<Effect> {
    match exact(typed) {
        None => {
            toast(
                model,
                Tone::Warn,
                format!("`{}` is no command; help lists them", mask(typed)),
            );
            vec![]
        }
        Some((entry, Some(_))) if entry.argument.is_empty() => {
            toast(
                model,
                Tone::Warn,
                format!("{} takes nothing after it", entry.name),
            );
            vec![]
        }
        Some((entry, argument)) => act::ask(model, entry.action, argument),
    }
}

pub(super) fn run_palette(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Palette(palette)) = model.layers.last_mut() else {
        return vec![];
    };
    let typed = palette.input.value().trim().to_owned();
    let chosen = match exact(&typed) {
        Some(command) => Some(command),
        None => found(palette)
            .get(palette.selected)
            .map(|entry| (*entry, None)),
    };
    match chosen {
        None => {
            palette.error = Some("no command fits; esc closes".into());
            vec![]
        }
        Some((entry, Some(_))) if entry.argument.is_empty() => {
            palette.error = Some(format!("{} takes nothing after it", entry.name));
            vec![]
        }
        Some((entry, argument)) => {
            close(model);
            act::ask(model, entry.action, argument)
        }
    }
}

/// Writes the selected command out, ready for its argument.
pub(super) fn complete(model: &mut Model) {
    if let Some(Layer::Palette(palette)) = model.layers.last_mut()
        && let Some(entry) = found(palette).get(palette.selected)
    {
        let space = if entry.argument.is_empty() { "" } else { " " };
        palette.input = tui_input::Input::new(format!("{}{space}", entry.name));
        palette.selected = 0;
    }
}

/// `c` in the details of a name.
pub(super) fn call_from_details(model: &mut Model) -> Vec<Effect> {
    if let Some(Layer::Details(details)) = model.layers.last()
        && let DetailsOf::Name { record, .. } = &details.subject
    {
        let prompt = Prompt::new(PromptKind::Call(record.clone()), String::new());
        model.layers.push(Layer::Prompt(prompt));
    }
    vec![]
}

/// `y` in details: the whole of them.
pub(super) fn copy_details(model: &mut Model) -> Vec<Effect> {
    match model.layers.last() {
        Some(Layer::Details(details)) => {
            let text = crate::ui::overlay::details::text(model, &details.subject);
            vec![Effect::Copy(text)]
        }
        _ => vec![],
    }
}

/// `x` and `r` in the details of a task.
pub(super) fn on_detailed_task(model: &mut Model, action: Action) -> Vec<Effect> {
    let Some(Layer::Details(details)) = model.layers.last() else {
        return vec![];
    };
    let DetailsOf::Task(task) = &details.subject else {
        return vec![];
    };
    let id = task.id;
    let step = match action {
        Action::Cancel => crate::queue::task::Transition::Cancel,
        _ => crate::queue::task::Transition::Retry,
    };
    match task.state.apply(step) {
        Ok(_) if action == Action::Cancel => vec![Effect::Cancel(id)],
        Ok(_) => vec![Effect::Retry(id)],
        Err(why) => {
            toast(model, Tone::Warn, format!("{id}: {why}"));
            vec![]
        }
    }
}
