//! The command line as types. [`command`](crate::command) carries the commands out.

mod add;
mod calls;
mod members;
mod names;
mod options;
mod program;
mod serve;
mod task_flags;
mod tasks;
#[cfg(test)]
mod tests;
mod words;
mod workers;

use std::path::PathBuf;

use clap::{
    ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind,
};

pub use self::{
    add::*, calls::*, members::*, names::*, program::*, serve::*, task_flags::TaskFlags, tasks::*,
    workers::*,
};
use self::{options::GivenOptions, words::word_of};
use crate::net::trust::ticket::mask;

const ABOUT: &str =
    "One terminal for a small distributed system: names, remote calls and background tasks";

const LONG_ABOUT: &str = "\
One terminal for a small distributed system.

Without arguments, the program starts a node and opens the dashboard on it. A node is one process with a naming
server, a greeter that is registered there as `server`, a task broker and its workers. If a node
already runs on the same data folder, the dashboard attaches to it. Commands use the running node.

  names    servers register objects under a name; clients find them by name, never by address
  calls    methods of a registered object, such as the greeter, are called by its name
  tasks    functions such as additions are queued, and workers run them
  members  nodes on other machines join with a ticket, and are members from then on";

const AFTER_HELP: &str = "\
`distro-tui keys` lists the keys of the dashboard; [keys] in the configuration file changes them.

Settings come from these sources, in increasing precedence: defaults, the configuration file, the
environment (DISTRO_TUI_THEME, DISTRO_TUI_WORKERS and so on), command-line options.

Exit codes:
  0    success                          4    insufficient role
  1    the command failed               5    no such name, task or member
  2    invalid option or argument       6    a task failed, or a call returned an error
  3    no node could be reached         101  the program crashed and wrote a report
  129, 130, 143    ended by SIGHUP, SIGINT, SIGTERM

Files (defaults):
  configuration  $XDG_CONFIG_HOME/distro-tui/config.toml      (~/.config)
  key            $XDG_DATA_HOME/distro-tui/identity.pem       (~/.local/share)
  tasks          $XDG_DATA_HOME/distro-tui/tasks.db           (SQLite)
  names          $XDG_DATA_HOME/distro-tui/names.journal
  members        $XDG_DATA_HOME/distro-tui/members.json       (known.json: upstreams)
  log, crashes   $XDG_STATE_HOME/distro-tui/                  (~/.local/state)

Examples:
  distro-tui                                  the dashboard, on a new or on the running node
  distro-tui serve --listen 0.0.0.0:9090      a node without a dashboard, which others can join
  distro-tui ticket                           a ticket for joining it
  distro-tui join distro1...                  joins it, on another machine
  distro-tui --connect distro1...             the dashboard of a node on another machine
  distro-tui greet Ali
  distro-tui add 2 3 --wait
  seq 1 100 | sed 's/$/ 1/' | distro-tui add --wait
  distro-tui tasks list state:failed --json
  distro-tui completions bash > ~/.local/share/bash-completion/completions/distro-tui";

/// Heading in `--help` of the options of most commands.
const COMMON: &str = "Common options";
/// Heading in `--help` of the options of the dashboard.
const DASHBOARD: &str = "Dashboard";

/// The arguments of the program.
#[derive(Debug, Clone, Default)]
pub struct Cli {
    /// Options of most commands.
    pub global: GlobalArgs,
    /// Options of the dashboard.
    pub screen: ScreenArgs,
    /// The settings given as flags: their names and texts.
    pub settings: Vec<(&'static str, String)>,
    /// The command; the dashboard by default.
    pub command: Option<Command>,
}

/// The arguments of the program without the flags of the settings, which come from their table.
#[derive(Debug, Clone, Default, Parser)]
#[command(
    name = "distro-tui",
    version,
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_help = "Try --help for settings, files, exit codes and examples.",
    after_long_help = AFTER_HELP,
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    args_conflicts_with_subcommands = false
)]
struct Program {
    #[command(flatten)]
    global: GlobalArgs,

    #[command(flatten)]
    screen: ScreenArgs,

    #[command(subcommand)]
    command: Option<Command>,
}

impl Parser for Cli {}

impl CommandFactory for Cli {
    fn command() -> clap::Command {
        options::attach(Program::command())
    }

    fn command_for_update() -> clap::Command {
        Self::command()
    }
}

impl FromArgMatches for Cli {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = GivenOptions::find(matches)?;
        let Program {
            mut global,
            mut screen,
            command,
        } = Program::from_arg_matches(matches)?;
        let connect = given.value::<String>("connect").cloned();
        if connect.as_ref().is_some_and(|text| text.trim().is_empty()) {
            // Without it the command would act on the node of this machine.
            let why =
                "--connect is empty; if it comes from a shell variable, the variable is not set";
            return Err(clap::Error::raw(ErrorKind::InvalidValue, why));
        }
        global.connect = connect.or(global.connect);
        global.config = given.value("config").cloned().or(global.config);
        screen.read_only |= given.flag("read_only");
        let connects = global.connect.as_ref().is_some_and(|text| !text.is_empty())
            && matches!(command, None | Some(Command::Record(_)));
        if let Some(flag) = given.node_flag().filter(|_| connects) {
            let why = format!(
                "--{flag} has no effect with --connect: it is an option of a node that starts here"
            );
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, why));
        }
        Ok(Self {
            settings: given.settings(),
            global,
            screen,
            command,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Options of most commands.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = COMMON)]
pub struct GlobalArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// Read settings from this file, which must exist
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Use another node: a ticket, or the beginning of an upstream's key; `-` reads it from stdin, `@FILE`
    /// from a file
    #[arg(
        long,
        value_name = "TICKET|KEY",
        env = "DISTRO_TUI_CONNECT",
        hide_env_values = true
    )]
    pub connect: Option<String>,
}

/// Options of the dashboard.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = DASHBOARD)]
pub struct ScreenArgs {
    /// Disable every action that changes something
    #[arg(long)]
    pub read_only: bool,

    /// Print lines instead of a screen, and read commands from stdin
    #[arg(long)]
    pub plain: bool,

    /// Crash after the first frame, to test that the terminal is restored
    #[arg(long, hide = true)]
    pub crash_test: bool,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run a node without a dashboard
    Serve(ServeArgs),
    /// List, look up, register and watch names
    #[command(subcommand, visible_alias = "name")]
    Names(NamesCommand),
    /// Call a method of a registered object
    Call(CallArgs),
    /// List the methods of a registered object
    Methods(MethodsArgs),
    /// Greet people by calling the object `server`
    Greet(GreetArgs),
    /// Submit an addition, or one per line from stdin
    Add(AddArgs),
    /// Submit any registered task, or one per line from stdin
    Submit(SubmitArgs),
    /// List, show, cancel, retry, purge, watch and export tasks
    #[command(subcommand, visible_alias = "task")]
    Tasks(TasksCommand),
    /// List and scale workers
    #[command(subcommand, visible_alias = "worker")]
    Workers(WorkersCommand),
    /// List, pause and resume queues, and show statistics
    #[command(subcommand, visible_alias = "queues")]
    Queue(QueueCommand),
    /// List members, and upstreams: the nodes that this one has joined
    Members,
    /// Remove a member, close its connections and remove its names
    Revoke(RevokeArgs),
    /// Print a ticket with which others can join
    #[command(args_conflicts_with_subcommands = true)]
    Ticket(TicketArgs),
    /// Join another node with its ticket
    Join(JoinArgs),
    /// Leave an upstream: a node that this one has joined
    Leave(LeaveArgs),
    /// Check that everything works, and suggest fixes
    Doctor(DoctorArgs),
    /// Copy the tasks to a file, also while the node runs
    Backup(BackupArgs),
    /// Replace the tasks by a backup, while no node runs
    Restore(RestoreArgs),
    /// Show the settings and their sources, or write a configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List every key of the dashboard
    Keys,
    /// Print shell completions
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
    /// Open the dashboard and record what it receives
    Record(RecordArgs),
    /// Replay a recording
    Replay(ReplayArgs),
}

impl Command {
    /// Returns true for a command that also runs with a configuration file that cannot be used.
    #[must_use]
    pub const fn needs_no_settings(&self) -> bool {
        matches!(
            self,
            Self::Config(ConfigCommand::Init { .. }) | Self::Completions(_) | Self::Man
        )
    }
}

/// Returns the error of a command line on one line, without the usage. Tickets in it are masked.
#[must_use]
pub fn error_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let line = match first.strip_suffix(':') {
        // The names of missing arguments follow on the next line.
        Some(first) => format!("{first}: {}", lines.next().unwrap_or_default()),
        None => first.to_owned(),
    };
    mask(&line).into_owned()
}
