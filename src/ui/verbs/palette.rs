//! `palette`: finds a verb by a part of its name or text, and runs typed commands.

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};
use tui_input::Input;

use super::{Action, ActionSpec, Scope, TABLE, perform};
use crate::{
    net::trust::ticket::mask,
    ui::{
        effect::Effect,
        model::{
            Model,
            events::Tone,
            layer::{Layer, Palette},
        },
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Palette,
    name: "palette",
    keys: &[(&[Scope::Panes], &[":"])],
    hint: "palette",
    text: "find a command by name and run it",
    press: |model, _| {
        model.layers.push(Layer::Palette(Palette::default()));
        vec![]
    },
    ..ActionSpec::BASE
};
pub(super) const COMPLETE: ActionSpec = ActionSpec {
    action: Action::Complete,
    name: "complete",
    keys: &[(&[Scope::Palette], &["tab"])],
    hint: "complete",
    text: "complete the selected command",
    is_command: false,
    press: |model, _| complete(model),
    ..ActionSpec::BASE
};

/// A verb by the name that was typed, and its argument.
type Command<'a> = (&'static ActionSpec, Option<&'a str>);

fn commands() -> impl Iterator<Item = &'static ActionSpec> {
    TABLE.iter().filter(|spec| spec.is_command)
}

/// The verbs that match what was typed, the best first; all of them while nothing is typed.
pub(crate) fn matches(palette: &Palette) -> Vec<&'static ActionSpec> {
    let typed = palette.input.value().trim();
    if let Some((spec, _)) = parse(typed) {
        return vec![spec];
    }
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, &ActionSpec)> = commands()
        .filter_map(|spec| {
            // A match in the name counts more than one in the text.
            let mut score =
                |text: &str| pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher);
            let name = score(spec.name).map(|score| score * 2 + 20);
            name.max(score(spec.text)).map(|score| (score, spec))
        })
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, spec)| spec).collect()
}

/// Reads a whole command: a name, and its argument after a space.
fn parse(typed: &str) -> Option<Command<'_>> {
    let (name, rest) = cli_alias(typed)
        .unwrap_or_else(|| typed.split_once(char::is_whitespace).unwrap_or((typed, "")));
    let spec = commands().find(|spec| spec.name == name)?;
    Some((spec, Some(rest.trim()).filter(|rest| !rest.is_empty())))
}

/// Commands of the command line, and the verbs that do the same here.
const CLI_ALIASES: [(&str, &str); 17] = [
    ("keys", "help"),
    ("names list", "names"),
    ("names lookup", "methods"),
    ("names watch", "names"),
    ("tasks list", "filter"),
    ("tasks show", "details"),
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
    ("ticket invalidate", "invalidate-tickets"),
];

/// Splits a command of the command line into the name that it has here, and the rest.
fn cli_alias(typed: &str) -> Option<(&'static str, &str)> {
    let fits = |(words, name): &(&'static str, &'static str)| {
        let rest = typed.strip_prefix(words)?;
        (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some((*name, rest))
    };
    CLI_ALIASES.iter().find_map(fits)
}

/// Runs a command that was typed as a line, without the palette.
pub(crate) fn run_line(model: &mut Model, typed: &str) -> Vec<Effect> {
    let result = match parse(typed) {
        None => Err(format!(
            "`{}` is not a command; help lists them",
            mask(typed)
        )),
        Some(command) => checked(command),
    };
    match result {
        Ok((spec, argument)) => perform(model, spec.action, argument),
        Err(why) => {
            model.toast(Tone::Warn, why);
            vec![]
        }
    }
}

/// Runs what was typed, or the selected verb.
pub(super) fn run_selected(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Palette(palette)) = model.layers.last_mut() else {
        return vec![];
    };
    let typed = palette.input.value().trim().to_owned();
    let command = match parse(&typed) {
        Some(command) => checked(command),
        None => match matches(palette).get(palette.selected) {
            Some(spec) => Ok((*spec, None)),
            None => Err("no command matches".to_owned()),
        },
    };
    match command {
        Ok((spec, argument)) => {
            model.layers.pop();
            perform(model, spec.action, argument)
        }
        Err(why) => {
            palette.error = Some(why);
            vec![]
        }
    }
}

fn checked(command: Command<'_>) -> Result<Command<'_>, String> {
    match command {
        (spec, Some(_)) if spec.argument.is_empty() => {
            Err(format!("{} takes no argument", spec.name))
        }
        command => Ok(command),
    }
}

/// Writes the selected verb out, ready for its argument.
fn complete(model: &mut Model) -> Vec<Effect> {
    if let Some(Layer::Palette(palette)) = model.layers.last_mut()
        && let Some(spec) = matches(palette).get(palette.selected)
    {
        let space = if spec.argument.is_empty() { "" } else { " " };
        palette.input = Input::new(format!("{}{space}", spec.name));
        palette.selected = 0;
    }
    vec![]
}
