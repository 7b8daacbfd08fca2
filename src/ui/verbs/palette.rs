//! `palette`: finds a verb by a part of its name or text, and runs the one that is named or selected.

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
    suggest::did_you_mean,
    ui::{
        effect::Effect,
        model::{
            Model,
            events::Tone,
            layer::{Layer, Palette},
            list::Motion,
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

/// The verbs that match what was typed: the one that it names first, then the best; all of them while
/// nothing is typed.
pub(crate) fn matches(palette: &Palette) -> Vec<&'static ActionSpec> {
    let typed = palette.input.value().trim();
    let named = named(palette);
    if typed.contains(char::is_whitespace) {
        return named.into_iter().collect();
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
    let others = scored.into_iter().map(|(_, spec)| spec);
    let others = others.filter(|spec| named.is_none_or(|named| named.action != spec.action));
    named.into_iter().chain(others).collect()
}

/// The verb that the typed text names, if it can be run as it is.
fn named(palette: &Palette) -> Option<&'static ActionSpec> {
    let steps = parse(palette.input.value()).ok()?;
    steps.last().map(|(action, _)| action.spec())
}

/// The row that enter runs: the one selected by key, or the one that the typed text names.
pub(crate) fn selected(palette: &Palette) -> Option<usize> {
    palette.selected.or_else(|| named(palette).map(|_| 0))
}

/// Moves the selection; from no row, down goes to the first.
pub(super) fn select(palette: &mut Palette, motion: Motion) {
    let last = matches(palette).len().saturating_sub(1);
    let next = match (selected(palette), motion) {
        (None, Motion::Up(_) | Motion::Bottom) => last,
        (None, _) | (_, Motion::Top) => 0,
        (Some(at), Motion::Down(n)) => at.saturating_add(n),
        (Some(at), Motion::Up(n)) => at.saturating_sub(n),
        (Some(at), Motion::PageUp | Motion::PageDown) => at,
        (Some(_), Motion::Bottom) => last,
    };
    palette.selected = Some(next.min(last));
}

/// Reads a whole command: one of the command line, or a verb with its argument after a space. The first word
/// is a name, an alias, or the beginning of exactly one name; nothing else is run.
///
/// # Errors
/// A sentence that explains the mistake.
fn parse(typed: &str) -> Result<Vec<VerbCall>, String> {
    let typed = typed.trim();
    let (word, argument) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let name = command_line::name_of(word).unwrap_or(word);
    if let Some(command) = parse_exact(name, argument) {
        return command;
    }
    let mut names: Vec<&str> = commands().map(|spec| spec.name).collect();
    names.extend(command_line::names());
    names.sort_unstable();
    names.dedup();
    let begin: Vec<&str> = names
        .iter()
        .copied()
        .filter(|known| !name.is_empty() && known.starts_with(name))
        .collect();
    match begin[..] {
        [only] => parse_exact(only, argument).unwrap_or_else(|| Err(unknown(name, &names))),
        [] => Err(unknown(name, &names)),
        _ => Err(format!("`{name}` could be {}", begin.join(", "))),
    }
}

/// Reads a command with this name.
fn parse_exact(name: &str, argument: &str) -> Option<Result<Vec<VerbCall>, String>> {
    if let Some(command) = command_line::parse(&format!("{name} {argument}")) {
        return Some(command);
    }
    let spec = commands().find(|spec| spec.name == name)?;
    let argument = Some(argument.trim()).filter(|argument| !argument.is_empty());
    Some(match argument {
        Some(_) if spec.argument.is_empty() => Err(format!("{name} takes no argument")),
        _ => Ok(vec![(spec.action, argument.map(str::to_owned))]),
    })
}

fn unknown(name: &str, names: &[&str]) -> String {
    let near = did_you_mean(name, names.iter().copied());
    format!("no such command: `{}`{near}", mask(name))
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
    match parse(typed) {
        Ok(steps) => run(model, steps),
        Err(why) => {
            model.toast(Tone::Warn, format!("{why}; help lists the commands"));
            vec![]
        }
    }
}

/// Runs the row that was selected by key, or what was typed.
pub(super) fn run_selected(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Palette(palette)) = model.layers.last_mut() else {
        return vec![];
    };
    let command = match palette.selected {
        Some(row) => match matches(palette).get(row) {
            // The row of a typed command has its argument.
            Some(spec) if named(palette).is_none_or(|named| named.action != spec.action) => {
                Ok(vec![(spec.action, None)])
            }
            _ => parse(palette.input.value()),
        },
        None if palette.input.value().trim().is_empty() => {
            Err("type a command, or select one".to_owned())
        }
        None => parse(palette.input.value()),
    };
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

/// Writes the selected verb out, ready for its argument; without a selection the best match.
fn complete(model: &mut Model) -> Vec<Effect> {
    if let Some(Layer::Palette(palette)) = model.layers.last_mut()
        && let Some(spec) = matches(palette).get(selected(palette).unwrap_or_default())
    {
        let space = if spec.argument.is_empty() { "" } else { " " };
        palette.input = Input::new(format!("{}{space}", spec.name));
        palette.selected = None;
        palette.error = None;
    }
    vec![]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{
        pane::Pane,
        tests::fixture::{busy, press, type_text},
    };

    /// The model and the effects after a line was typed into the palette.
    fn run_typed(typed: &str) -> (Model, Vec<Effect>) {
        let mut model = busy();
        press(&mut model, &["1", ":"]);
        type_text(&mut model, typed);
        let effects = press(&mut model, &["enter"]);
        (model, effects)
    }

    fn error(typed: &str) -> String {
        let (model, effects) = run_typed(typed);
        assert_eq!(effects, [], "{typed}");
        match model.layers.last() {
            Some(Layer::Palette(palette)) => palette.error.clone().expect(typed),
            other => panic!("{typed}: {other:?}"),
        }
    }

    #[test]
    fn a_command_runs_by_its_name_its_alias_or_the_beginning_of_one_name() {
        for typed in ["tasks", "task", "  tasks "] {
            assert_eq!(run_typed(typed).0.focus, Pane::Tasks, "{typed}");
        }
        for typed in ["doctor", "doct", "inval", "greet Ada", "pau mail"] {
            let (model, effects) = run_typed(typed);
            let is_run =
                !effects.is_empty() || matches!(model.layers.last(), Some(Layer::Details(_)));
            assert!(is_run, "{typed}: {effects:?}");
        }
    }

    #[test]
    fn nothing_runs_that_was_not_named() {
        for typed in ["foo", "reset", "exit", "zzz 1 2", "purgeall"] {
            let why = error(typed);
            assert!(why.starts_with("no such command: `"), "{typed}: {why}");
        }
        assert_eq!(
            error("purgd"),
            "no such command: `purgd`; did you mean `purge`?"
        );
        let several = error("ret");
        assert_eq!(several, "`ret` could be retry, retry-all");
        assert_eq!(error(""), "type a command, or select one");
    }

    #[test]
    fn a_row_runs_only_when_it_was_selected_by_key() {
        let mut model = busy();
        press(&mut model, &["1", ":"]);
        type_text(&mut model, "remove");
        assert!(matches!(model.layers.last(), Some(Layer::Palette(p)) if selected(p).is_none()));
        let Some(Layer::Palette(palette)) = model.layers.last() else {
            panic!("no palette");
        };
        let first = matches(palette).first().expect("a match").action;
        press(&mut model, &["down"]);
        assert!(matches!(model.layers.last(), Some(Layer::Palette(p)) if selected(p) == Some(0)));
        let effects = press(&mut model, &["enter"]);
        let done = !effects.is_empty() || !matches!(model.layers.last(), Some(Layer::Palette(_)));
        assert!(done, "{first:?}");
    }
}
