//! Options that several commands have. Each command has those that affect it, and rejects the others.

use clap::{
    Arg, ArgMatches, Command, Error, builder::Resettable, error::ErrorKind, parser::ValueSource,
};

use crate::config::{SettingGroup, SettingSpec, TABLE};

/// The options of the program that are not settings.
pub(super) const PROGRAM: [&str; 5] = ["config", "connect", "read_only", "plain", "crash_test"];

/// The path of a command: `["names", "list"]`; empty for the dashboard.
type CommandPath<'a> = [&'a str];

/// Adds the flags of the settings to the program, and to each command its options.
pub(super) fn attach(program: Command) -> Command {
    let program = program.args(TABLE.iter().map(flag));
    // Clap adds an option of every command by itself.
    let local = |option: &&Arg| !option.is_global_set();
    let options: Vec<Arg> = program.get_arguments().filter(local).cloned().collect();
    attach_below(program, &[], &options)
}

fn attach_below(command: Command, path: &CommandPath<'_>, options: &[Arg]) -> Command {
    let subcommands = command.get_subcommands();
    let names: Vec<String> = subcommands.map(|sub| sub.get_name().to_owned()).collect();
    names.iter().fold(command, |command, name| {
        command.mut_subcommand(name, |sub| {
            let path = [path, &[name.as_str()]].concat();
            // The help of `names` lists its commands; their help lists the options.
            let hidden = sub.is_subcommand_required_set() || path == ["config", "show"];
            let own = options
                .iter()
                .filter(|option| has(&path, option.get_id().as_str()));
            let own = own.map(|option| {
                let option = option.clone().hide(hidden || option.is_hide_set());
                // Where only common options follow, a summary of each is enough.
                match is_client(&path) {
                    true => option.long_help(Resettable::Reset),
                    false => option,
                }
            });
            attach_below(sub.args(own), &path, options)
        })
    })
}

/// The flag of a setting.
fn flag(spec: &'static SettingSpec) -> Arg {
    let with_default = |text: String| format!("{text} [default: {}]", spec.default);
    let heading = match spec.group {
        SettingGroup::Common => super::COMMON,
        SettingGroup::Log => "Log",
        SettingGroup::Node => "Node",
        SettingGroup::Limits => "Limits of the node",
        SettingGroup::Dashboard => super::DASHBOARD,
    };
    let flag = Arg::new(spec.name)
        .long(spec.name)
        .value_name(spec.placeholder)
        .help(with_default(spec.summary()))
        .long_help(with_default(spec.documentation()))
        .help_heading(heading)
        .hide_short_help(spec.group == SettingGroup::Limits);
    match spec.is_switch() {
        true => flag
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        false => flag,
    }
}

/// Returns true for a command that starts no node and draws no screen.
fn is_client(path: &CommandPath<'_>) -> bool {
    !matches!(path, [] | ["record" | "replay" | "serve"])
}

/// Returns true if a command has an option: if the option affects it.
fn has(path: &CommandPath<'_>, id: &str) -> bool {
    let spec = TABLE.iter().find(|spec| spec.name == id);
    let group = spec.map(|spec| spec.group);
    match (path, group) {
        ([], _) => true,
        (["record"], _) => id != "plain",
        (["config", "show"], Some(_)) => true,
        (["config", "show" | "init"] | ["keys"], _) => id == "config",
        (["config" | "completions" | "man"], _) => false,
        (["replay"], Some(group)) => group == SettingGroup::Dashboard,
        (["serve"], Some(group)) => group != SettingGroup::Dashboard,
        (_, Some(group)) => group == SettingGroup::Common,
        (["serve" | "join" | "replay"], None) => id == "config",
        (_, None) => id == "config" || id == "connect",
    }
}

/// The options given on the command line, before the command or after it.
pub(super) struct GivenOptions<'a> {
    /// The program first, then the command and its subcommands.
    levels: Vec<&'a ArgMatches>,
}

impl<'a> GivenOptions<'a> {
    /// Finds the options.
    ///
    /// # Errors
    /// The error to print if an option of the program does not affect the command.
    pub(super) fn find(matches: &'a ArgMatches) -> Result<Self, Error> {
        let (mut levels, mut path) = (vec![matches], Vec::new());
        while let Some((name, below)) = levels.last().and_then(|level| level.subcommand()) {
            path.push(name);
            levels.push(below);
        }
        let names = TABLE.iter().map(|spec| spec.name);
        let mut given = names.chain(PROGRAM).filter(|id| is_given(matches, id));
        match given.find(|id| !has(&path, id)) {
            None => Ok(Self { levels }),
            Some(id) => {
                let (flag, path) = (id.replace('_', "-"), path.join(" "));
                let why = format!("--{flag} has no effect on `{path}`: {}", owners(id));
                Err(Error::raw(ErrorKind::ArgumentConflict, why))
            }
        }
    }

    /// Returns the value of an option; that after the command takes precedence.
    pub(super) fn value<T: Clone + Send + Sync + 'static>(&self, id: &str) -> Option<&'a T> {
        let levels = self.levels.iter().rev();
        let mut given = levels.filter(|level| is_given(level, id));
        given.find_map(|level| level.try_get_one(id).ok().flatten())
    }

    /// Returns true if an option is given.
    pub(super) fn flag(&self, id: &str) -> bool {
        self.levels.iter().any(|level| is_given(level, id))
    }

    /// Returns the first flag given that has no effect without a node that this process starts.
    pub(super) fn node_flag(&self) -> Option<&'static str> {
        let mut specs = TABLE.iter().filter(|spec| spec.group.is_of_node());
        let spec = specs.find(|spec| self.flag(spec.name))?;
        Some(spec.name)
    }

    /// Returns the names of the settings that are given, with their texts.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let given =
            |spec: &SettingSpec| Some((spec.name, self.value::<String>(spec.name)?.clone()));
        TABLE.iter().filter_map(given).collect()
    }
}

fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches!(matches.try_contains_id(id), Ok(true))
        && matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// The commands that an option affects, as a sentence.
fn owners(id: &str) -> &'static str {
    let spec = TABLE.iter().find(|spec| spec.name == id);
    match spec.map(|spec| spec.group) {
        Some(SettingGroup::Log | SettingGroup::Node | SettingGroup::Limits) => {
            "it is an option of `serve` and of the dashboard"
        }
        Some(SettingGroup::Dashboard) => "it is an option of the dashboard and of `replay`",
        Some(SettingGroup::Common) => "it is an option of commands that use a node",
        None if id == "connect" => "it is an option of commands that use a running node",
        None if id == "config" => "it is an option of commands that read settings",
        None => "it is an option of the dashboard",
    }
}
