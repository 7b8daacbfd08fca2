//! Commands of the command line, typed on the screen: the same grammar, and the verbs that do the same.
//!
//! `tasks cancel 5`, `workers scale 4` and `add 2 3 --priority 9` are read by the command line's own
//! parser. A line with neither a subcommand nor a flag is read by the verb of that name, if there is one.

use std::sync::LazyLock;

use clap::{Arg, ArgAction, FromArgMatches, Subcommand};

use super::{Action, TABLE};
use crate::{
    cli::{
        Command, DoctorArgs, NamesCommand, QueueCommand, Selection, TaskSelector, TasksCommand,
        TicketArgs, TicketCommand, WorkersCommand, error_line,
    },
    queue::query::Order,
    ui::pane::Pane,
};

/// A verb and its argument.
pub(super) type VerbCall = (Action, Option<String>);

static GRAMMAR: LazyLock<clap::Command> = LazyLock::new(|| {
    let grammar = clap::Command::new("distro-tui")
        .no_binary_name(true)
        .disable_help_subcommand(true)
        // The screen prints nothing, so the flag has no effect.
        .arg(
            Arg::new("json")
                .long("json")
                .global(true)
                .action(ArgAction::SetTrue),
        );
    Command::augment_subcommands(grammar)
});

/// The names of the commands, without their aliases.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    GRAMMAR.get_subcommands().map(clap::Command::get_name)
}

/// Returns the name of the command that has this name or alias.
pub(super) fn name_of(word: &str) -> Option<&'static str> {
    GRAMMAR.find_subcommand(word).map(clap::Command::get_name)
}

/// Reads a line that is a command of the command line; other lines are left to the verbs.
///
/// # Errors
/// A sentence that explains the mistake, or that the command has no verb on the screen.
pub(super) fn parse(line: &str) -> Option<Result<Vec<VerbCall>, String>> {
    let words = words(line);
    let (first, rest) = words.split_first()?;
    let command = GRAMMAR.find_subcommand(first)?;
    let has_subcommand = rest
        .first()
        .is_some_and(|word| command.find_subcommand(word).is_some());
    let has_flag = rest.iter().any(|word| word.starts_with("--"));
    let is_verb = TABLE.iter().any(|spec| spec.name == *first);
    if is_verb && !has_subcommand && !has_flag {
        return None;
    }
    let matches = GRAMMAR.clone().try_get_matches_from(&words);
    let command = matches.and_then(|matches| Command::from_arg_matches(&matches));
    Some(match command {
        Ok(command) => steps(command),
        Err(error) => Err(error_line(&error)),
    })
}

/// Words are separated by spaces, except for spaces in double quotes; quotes stay, for JSON.
fn words(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let is_separator = |c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    };
    let words = line.split(is_separator);
    words.filter(|word| !word.is_empty()).collect()
}

/// The verbs that do what a command does. What only concerns output is left out: `--json`, `--wait`.
fn steps(command: Command) -> Result<Vec<VerbCall>, String> {
    let step = |action, argument: &str| Ok(vec![(action, some(argument))]);
    match command {
        Command::Names(NamesCommand::List { .. } | NamesCommand::Watch { .. }) => {
            step(Action::Focus(Pane::Names), "")
        }
        Command::Names(NamesCommand::Lookup { name, .. }) => step(Action::Methods, &name),
        Command::Methods(methods) => step(Action::Methods, &methods.name),
        Command::Greet(greet) => step(Action::Greet, &greet.names.join(" ")),
        Command::Call(call) if call.named.is_empty() => {
            let words = [vec![call.name, call.method], call.args].concat();
            step(Action::Call, &words.join(" "))
        }
        Command::Add(add) => {
            let seconds = add.seconds.map(|seconds| seconds.to_string());
            let flags = add.submit.flags.words();
            let words = [add.numbers, seconds.into_iter().collect(), flags].concat();
            step(Action::Add, &words.join(" "))
        }
        Command::Submit(submit) => {
            let words = [submit.task, submit.submit.flags.words()].concat();
            step(Action::Submit, &words.join(" "))
        }
        Command::Tasks(tasks) => task_steps(tasks),
        Command::Workers(WorkersCommand::List) => step(Action::Focus(Pane::Workers), ""),
        Command::Workers(WorkersCommand::Scale { count, .. }) => {
            step(Action::Scale, &count.to_string())
        }
        Command::Queue(QueueCommand::Pause { queue, .. }) => Ok(vec![(Action::Pause, queue)]),
        Command::Queue(QueueCommand::Resume { queue, .. }) => Ok(vec![(Action::Resume, queue)]),
        Command::Queue(QueueCommand::Stats)
        | Command::Doctor(DoctorArgs { acknowledge: false }) => step(Action::Doctor, ""),
        Command::Members => step(Action::Members, ""),
        Command::Revoke(revoke) => step(Action::Revoke, &revoke.member),
        Command::Leave(leave) => step(Action::Leave, &leave.node),
        Command::Join(join) => Ok(vec![(Action::Join, join.ticket)]),
        Command::Ticket(TicketArgs {
            command: Some(TicketCommand::Invalidate { role: None, .. }),
            ..
        }) => step(Action::InvalidateTickets, ""),
        Command::Ticket(ticket) if ticket.command.is_none() => {
            let once = if ticket.once { " once" } else { "" };
            let expires = ticket.expires.unwrap_or_default();
            step(Action::Ticket, &format!("{}{once} {expires}", ticket.role))
        }
        Command::Keys => step(Action::Help, ""),
        _ => Err("this is available on the command line only".to_owned()),
    }
}

fn task_steps(tasks: TasksCommand) -> Result<Vec<VerbCall>, String> {
    let pane = (Action::Focus(Pane::Tasks), None);
    let show = |filter: Vec<String>, sort: Order| {
        vec![
            pane.clone(),
            (Action::Filter, Some(filter.join(" "))),
            (Action::Sort, Some(sort.as_str().to_owned())),
        ]
    };
    match tasks {
        TasksCommand::List { filter, sort, .. } => Ok(show(filter, sort)),
        TasksCommand::Show { id, .. } => Ok(vec![(Action::Details, Some(id.to_string()))]),
        TasksCommand::Cancel(selector) => {
            selected(selector, Some(Action::Cancel), Action::CancelAll)
        }
        TasksCommand::Retry(selector) => selected(selector, Some(Action::Retry), Action::RetryAll),
        TasksCommand::Purge(selector) => selected(selector, None, Action::Purge),
        TasksCommand::Watch => Ok(vec![(Action::Focus(Pane::Events), None)]),
        TasksCommand::Export {
            file, filter, sort, ..
        } => {
            let file = file.display().to_string();
            let export = (Action::Export, Some(file));
            Ok([show(filter, sort), vec![export]].concat())
        }
    }
}

/// Acts on the named tasks one by one, or shows those that match and asks about all of them.
fn selected(
    selector: TaskSelector,
    one: Option<Action>,
    all: Action,
) -> Result<Vec<VerbCall>, String> {
    match (selector.selection()?, one) {
        (Selection::Ids(ids), Some(one)) => {
            let ids = ids.iter();
            Ok(ids.map(|id| (one, Some(id.to_string()))).collect())
        }
        (Selection::Ids(_), None) => Err("give a filter, or --all".to_owned()),
        (Selection::Filter(_), _) => Ok(vec![
            (Action::Focus(Pane::Tasks), None),
            (Action::Filter, Some(selector.tasks.join(" "))),
            (all, None),
        ]),
    }
}

fn some(argument: &str) -> Option<String> {
    let argument = argument.trim();
    (!argument.is_empty()).then(|| argument.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Vec<(Action, String)> {
        let steps = parse(line).expect("a command").expect("readable");
        let text = |(action, argument): VerbCall| (action, argument.unwrap_or_default());
        steps.into_iter().map(text).collect()
    }

    #[test]
    fn commands_of_the_command_line_become_verbs() {
        for (line, action, argument) in [
            ("workers scale 4", Action::Scale, "4"),
            ("worker ls", Action::Focus(Pane::Workers), ""),
            ("queue pause mail", Action::Pause, "mail"),
            ("tasks show 5 --json", Action::Details, "#5"),
            (
                "tasks show 01234567-89ab-cdef-0123-456789abcdef",
                Action::Details,
                "01234567-89ab-cdef-0123-456789abcdef",
            ),
            ("add 2 3 --priority 9", Action::Add, "2 3 priority:9"),
            (
                "add -1 2 --seconds 0.5 --key a --serial",
                Action::Add,
                "-1 2 0.5 key:a serial",
            ),
            (
                "submit shout {\"text\": \"a  b\"} --queue mail",
                Action::Submit,
                "shout {\"text\": \"a  b\"} queue:mail",
            ),
            ("ticket --role read --once", Action::Ticket, "read once"),
            ("keys", Action::Help, ""),
        ] {
            assert_eq!(read(line), [(action, argument.to_owned())], "{line}");
        }
        let both = [
            (Action::Cancel, "#5".to_owned()),
            (Action::Cancel, "#7".to_owned()),
        ];
        assert_eq!(read("tasks cancel 5 7"), both);
        let actions = |line| {
            read(line)
                .into_iter()
                .map(|(action, _)| action)
                .collect::<Vec<_>>()
        };
        let focus = Action::Focus(Pane::Tasks);
        let filtered = [focus, Action::Filter, Action::CancelAll];
        assert_eq!(actions("tasks cancel state:queued"), filtered);
        assert_eq!(actions("tasks cancel worker:w2"), filtered);
        let listed = [focus, Action::Filter, Action::Sort];
        assert_eq!(actions("tasks list --sort slowest"), listed);
    }

    #[test]
    fn the_rest_is_left_to_the_verbs_or_explained() {
        for line in [
            "",
            "add 2 3",
            "sort slowest",
            "greet Ada",
            "call server count",
            "tasks",
        ] {
            assert!(parse(line).is_none(), "{line}");
        }
        for (line, why) in [
            ("workers scale many", "invalid value 'many'"),
            (
                "workers scale",
                "required arguments were not provided: <COUNT>",
            ),
            ("add 2 3 --priorty 9", "unexpected argument '--priorty'"),
            ("tasks purge 5", "give a filter"),
            (
                "tasks show 99999999999999999999999",
                "is too large for a task id",
            ),
            (
                "tasks cancel 99999999999999999999999",
                "is too large for a task id",
            ),
            ("config show", "command line only"),
        ] {
            let error = parse(line).expect("a command").expect_err("wrong");
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
