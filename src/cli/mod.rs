//! The command line as types. [`command`](crate::command) carries the commands out.

mod add;
mod calls;
mod members;
mod names;
mod node;

mod program;
mod serve;
mod task_flags;
mod tasks;
mod words;
mod workers;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use self::words::word_of;
pub use self::{
    add::*, calls::*, members::*, names::*, node::NodeArgs, program::*, serve::*,
    task_flags::TaskFlags, tasks::*, workers::*,
};

const ABOUT: &str =
    "One terminal for a small distributed system: names, remote calls and background tasks";

const LONG_ABOUT: &str = "\
One terminal for a small distributed system.

Without arguments, everything runs in one process: a naming server over QUIC, a greeter that is
registered there as `server`, a task broker and its workers. If a node already runs on the same data
folder, the dashboard attaches to it. The commands control a running node from a shell.

  names    servers register objects under a name; clients find them by name, never by address
  calls    the greeter, or any other object, is looked up, dialled and called
  tasks    additions, one or a hundred at a time, are queued, and workers run them";

const AFTER_HELP: &str = "\
`distro-tui keys` lists the keys of the dashboard, which [keys] in the configuration file changes.

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
  members        $XDG_DATA_HOME/distro-tui/members.json       (known.json: joined nodes)
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

/// The arguments of the program. Options take precedence over the environment and the configuration file.
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
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,

    /// Options of the dashboard.
    #[command(flatten)]
    pub screen: ScreenArgs,

    /// Options of the node that the dashboard starts.
    #[command(flatten)]
    pub node: NodeArgs,

    /// The command; the dashboard by default.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Checks that options of the dashboard and of its node precede no other command.
    ///
    /// # Errors
    /// The error to print; it says where the option belongs.
    pub fn checked(self) -> Result<Self, clap::Error> {
        let command = match &self.command {
            None | Some(Command::Record(_)) => return Ok(self),
            Some(command) => command,
        };
        let screen = match command {
            Command::Replay(_) => None,
            _ => self.screen.first(),
        };
        let Some(flag) = screen.or_else(|| self.node.first()) else {
            return Ok(self);
        };
        let why = match command {
            Command::Serve(_) => {
                format!("--{flag} goes after `serve`, or belongs to the dashboard")
            }
            _ => format!("--{flag} is an option of the dashboard and of `serve` only"),
        };
        Err(Self::command().error(clap::error::ErrorKind::ArgumentConflict, why))
    }

    /// Returns the settings given as flags, by name.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.global.settings();
        settings.extend(self.screen.settings());
        settings.extend(match &self.command {
            Some(Command::Serve(serve)) => serve.node.settings(),
            _ => self.node.settings(),
        });
        settings
    }
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// Folder for the key, names, tasks and members of this node, instead of the user's data folder
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// Read settings from this file, which must exist
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Use another node: a ticket, or the key prefix of a joined node; `-` reads it from stdin, `@FILE`
    /// from a file
    #[arg(
        long,
        value_name = "TICKET|KEY",
        global = true,
        env = "DISTRO_TUI_CONNECT",
        hide_env_values = true
    )]
    pub connect: Option<String>,

    /// Find joined nodes that moved, and announce this one, on the local network by mDNS
    #[arg(long, global = true)]
    pub discover: bool,

    /// Log file, instead of the one in the user's state folder
    #[arg(long, value_name = "FILE", global = true)]
    pub log_file: Option<PathBuf>,
}

impl GlobalArgs {
    fn settings(&self) -> Vec<(&'static str, String)> {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        given([
            ("data-dir", self.data_dir.as_ref().map(text)),
            ("discover", self.discover.then(|| "true".to_owned())),
            ("log-file", self.log_file.as_ref().map(text)),
        ])
    }
}

/// Options of the dashboard.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Dashboard")]
pub struct ScreenArgs {
    /// Disable every action that changes something
    #[arg(long)]
    pub read_only: bool,

    /// Print lines instead of a screen, and read commands from stdin
    #[arg(long)]
    pub plain: bool,

    /// Colours: dark, light, high-contrast or colour-blind [default: dark]
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,

    /// Crash after the first frame, to test that the terminal is restored
    #[arg(long, hide = true)]
    pub crash_test: bool,
}

impl ScreenArgs {
    fn settings(&self) -> Vec<(&'static str, String)> {
        given([("theme", self.theme.clone())])
    }

    /// Returns the name of the first option given.
    fn first(&self) -> Option<&'static str> {
        let flags = [
            ("read-only", self.read_only),
            ("plain", self.plain),
            ("theme", self.theme.is_some()),
            ("crash-test", self.crash_test),
        ];
        flags
            .into_iter()
            .find_map(|(name, given)| given.then_some(name))
    }
}

fn given<const N: usize>(
    flags: [(&'static str, Option<String>); N],
) -> Vec<(&'static str, String)> {
    let given = flags.into_iter();
    given
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
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
    /// Greet people, or one per line from stdin
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
    #[command(subcommand)]
    Queue(QueueCommand),
    /// List members, and the nodes that this one has joined
    Members,
    /// Remove a member, close its connections and remove its names
    Revoke(RevokeArgs),
    /// Print a ticket with which others can join
    #[command(args_conflicts_with_subcommands = true)]
    Ticket(TicketArgs),
    /// Join another node with its ticket
    Join(JoinArgs),
    /// Leave a joined node
    Leave(LeaveArgs),
    /// Check that everything works, and suggest fixes
    Doctor(DoctorArgs),
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
