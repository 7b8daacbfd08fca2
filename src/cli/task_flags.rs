//! Task options as flags, one for each row of the table in `input::options`.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::input::options::{OptionSpec, PartialOptions, TABLE};

/// The task options given as flags: `--priority 9 --key acme --serial`.
#[derive(Debug, Clone, Default)]
pub struct TaskFlags {
    /// Name and value; a flag without a value has none.
    given: Vec<(&'static str, Option<String>)>,
}

impl TaskFlags {
    /// Parses the values. An absent flag leaves its option absent.
    pub(crate) fn options(&self, now: &jiff::ZonedDateTime) -> Result<PartialOptions, String> {
        let mut options = PartialOptions::default();
        for (name, value) in &self.given {
            let Some(option) = TABLE.iter().find(|option| option.name == *name) else {
                continue;
            };
            option
                .set(&mut options, value.as_deref(), now)
                .map_err(|why| format!("--{name}: {why}"))?;
        }
        Ok(options)
    }
}

impl TaskFlags {
    /// The same options as words after a task: `priority:9`, `unique`.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |(name, value): &(&str, Option<String>)| match value {
            Some(value) => format!("{name}:{value}"),
            None => (*name).to_owned(),
        };
        self.given.iter().map(word).collect()
    }
}

/// The table of the guide begins its cells in lower case, `--help` its texts in upper case.
fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

fn flag(option: &OptionSpec) -> Arg {
    let arg = Arg::new(option.name)
        .long(option.name)
        .visible_aliases(option.aliases.iter().copied())
        .help(capitalize(option.meaning))
        .help_heading("Task options");
    match option.value {
        Some(value) => arg.value_name(value),
        None => arg
            .action(ArgAction::SetTrue)
            .conflicts_with_all(TABLE.iter().filter_map(|other| {
                (other.value.is_none() && other.name != option.name).then_some(other.name)
            })),
    }
}

impl Args for TaskFlags {
    fn augment_args(command: Command) -> Command {
        command.args(TABLE.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for TaskFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let given = TABLE.iter().filter_map(|option| match option.value {
            Some(_) => {
                let value = matches.get_one::<String>(option.name)?;
                Some((option.name, Some(value.clone())))
            }
            None => matches.get_flag(option.name).then_some((option.name, None)),
        });
        self.given = given.collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::{
        cli::{Cli, Command},
        input::options::{self, PartialOptions, TABLE},
    };

    fn now() -> jiff::ZonedDateTime {
        "2026-03-01T12:00:00[UTC]".parse().expect("a time")
    }

    fn flags(args: &[String]) -> Result<PartialOptions, String> {
        let args = ["distro-tui", "add"]
            .map(str::to_owned)
            .into_iter()
            .chain(args.to_vec());
        let cli = Cli::try_parse_from(args).map_err(|error| error.to_string())?;
        match cli.command {
            Some(Command::Add(add)) => add.submit.flags.options(&now()),
            other => panic!("{other:?}"),
        }
    }

    /// `key:acme unique` is `--key acme --unique`.
    fn as_flags(words: &str) -> Vec<String> {
        let flag = |word: &str| match word.split_once(':') {
            Some((name, value)) => vec![format!("--{name}"), value.to_owned()],
            None => vec![format!("--{word}")],
        };
        words.split(' ').flat_map(flag).collect()
    }

    #[test]
    fn every_option_is_a_flag_of_the_same_name_and_value() {
        for option in &TABLE {
            let names = [option.name]
                .into_iter()
                .chain(option.aliases.iter().copied());
            for name in names {
                let words = option.example.replace(option.name, name);
                let words = match name {
                    "unique" | "serial" | "key" => option.example,
                    _ => &words,
                };
                let base = PartialOptions::default();
                let expected = options::parse(words, &base, &now()).expect(words);
                assert_eq!(flags(&as_flags(words)), Ok(expected), "{words}");
            }
        }
        assert_eq!(flags(&[]), Ok(PartialOptions::default()));
    }

    #[test]
    fn a_wrong_value_names_its_flag() {
        let error = flags(&as_flags("priority:12")).expect_err("too high");
        assert_eq!(error, "--priority: `12` is not a number from 0 to 9");
        assert!(flags(&as_flags("key:a unique serial")).is_err());
    }
}
