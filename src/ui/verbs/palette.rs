//! `palette`: finds a verb by a part of its name or text, and runs typed commands.

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};
use tui_input::Input;

use super::{
    Action, ActionSpec, Scope, TABLE,
    command_line::{self, VerbCall},
    perform,
};
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

fn commands() -> impl Iterator<Item = &'static ActionSpec> {
    TABLE.iter().filter(|spec| spec.is_command)
}

/// The verbs that match what was typed, the best first; all of them while nothing is typed.
pub(crate) fn matches(palette: &Palette) -> Vec<&'static ActionSpec> {
    let typed = palette.input.value().trim();
    if let Some(Ok(steps)) = parse(typed) {
        return steps
            .last()
            .map(|(action, _)| action.spec())
            .into_iter()
            .collect();
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

/// Reads a whole command: one of the command line, or a verb with its argument after a space.
///
/// # Errors
/// A sentence that explains the mistake.
fn parse(typed: &str) -> Option<Result<Vec<VerbCall>, String>> {
    if let Some(command) = command_line::parse(typed) {
        return Some(command);
    }
    let (name, argument) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let spec = commands().find(|spec| spec.name == name)?;
    let argument = Some(argument.trim()).filter(|argument| !argument.is_empty());
    Some(match argument {
        Some(_) if spec.argument.is_empty() => Err(format!("{name} takes no argument")),
        _ => Ok(vec![(spec.action, argument.map(str::to_owned))]),
    })
}

fn run(model: &mut Model, steps: Vec<VerbCall>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for (action, argument) in steps {
        effects.extend(perform(model, action, argument.as_deref()));
    }
    effects
}

/// Runs a command that was typed as a line, without the palette.
pub(crate) fn run_line(model: &mut Model, typed: &str) -> Vec<Effect> {
    let unknown = || format!("`{}` is not a command; help lists them", mask(typed));
    match parse(typed).unwrap_or_else(|| Err(unknown())) {
        Ok(steps) => run(model, steps),
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
    let command = parse(palette.input.value().trim()).unwrap_or_else(|| {
        let found = matches(palette);
        let spec = found.get(palette.selected).ok_or("no command matches")?;
        Ok(vec![(spec.action, None)])
    });
    match command {
        Ok(steps) => {
            model.layers.pop();
            run(model, steps)
        }
        Err(why) => {
            palette.error = Some(why);
            vec![]
        }
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
