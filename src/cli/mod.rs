//! The command line as types. [`command`](crate::command) carries the commands out.

mod add;
mod calls;
mod members;
mod names;
mod output;
mod program;
mod serve;
mod task_flags;
mod tasks;
mod workers;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use self::{
    add::*, calls::*, members::*, names::*, output::*, program::*, serve::*, task_flags::TaskFlags,
    tasks::*, workers::*,
};

const ABOUT: &str =
    "One terminal for a small distributed system: names, remote calls and background tasks";

const LONG_ABOUT: &str = "\
One terminal for a small distributed system.

Without arguments, everything runs in one process: a naming server over QUIC, a greeter that is
registered there as `server`, a task broker and its workers. If a node already runs on the same data
folder, the dashboard attaches to it. The commands control a running node from a shell.

  names    servers register objects under a name; clients find them by name, never by address
  calls    press 2, type a name, press enter: the greeter is looked up, dialled and called
  tasks    press 3, then a to add two numbers or b to submit a hundred additions, and watch
           workers run them";

const AFTER_HELP: &str = "\
Keys:
  1 2 3 4 5, tab   go to a pane        a b x r p   add, load, cancel, retry, pause (Tasks)
  arrows, j k g G  move in a list      + -         more or fewer workers (Workers)
  enter            details             c           call a method (Names)
  /  :  ?          filter, palette, help with every key
  z f y e          zoom, freeze, copy, export
  q, ctrl-c        quit; ctrl-z suspends, fg resumes

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
    after_help = "Try --help for keys, files, exit codes and examples.",
    after_long_help = AFTER_HELP,
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    args_conflicts_with_subcommands = false
)]
pub struct Cli {
    /// The options of the program as a whole.
    #[command(flatten)]
    pub options: GlobalArgs,

    /// The command; the dashboard by default.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of the program as a whole.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct GlobalArgs {
    /// Folder for the key, tasks and members of this node, instead of the user's data folder
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// Read settings from this file; it must exist
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

    /// Disable every action that changes something
    #[arg(long)]
    pub read_only: bool,

    /// Print lines instead of a screen, and read commands from stdin
    #[arg(long)]
    pub plain: bool,

    /// Colours: dark, light, high-contrast or colour-blind
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,

    /// Number of workers at the start, 1 to 256 [default: one per CPU, at least 2]
    #[arg(long, value_name = "COUNT", global = true)]
    pub workers: Option<String>,

    /// What an acknowledged task survives: power (power loss), process (a crash of the program) or
    /// memory (nothing: there is no file) [default: power]
    #[arg(long, value_name = "WORD", global = true)]
    pub durability: Option<String>,

    /// UDP address to listen on; port 0 picks a free port, reusing the last one if possible
    #[arg(long, value_name = "ADDR:PORT", global = true)]
    pub listen: Option<String>,

    /// Addresses at which other machines reach this node, instead of the detected ones
    #[arg(long, value_name = "ADDR:PORT,...", global = true)]
    pub advertise: Option<String>,

    /// Announce this node on the local network and find joined nodes that moved, by mDNS
    #[arg(long, global = true)]
    pub discover: bool,

    /// Serve Prometheus metrics at /metrics on this TCP address; a port alone is on loopback
    #[arg(long, value_name = "[ADDR:]PORT", global = true)]
    pub metrics: Option<String>,

    /// Log file, instead of the one in the user's state folder
    #[arg(long, value_name = "FILE", global = true)]
    pub log_file: Option<PathBuf>,

    /// Crash after the first frame, to test that the terminal is restored
    #[arg(long, hide = true)]
    pub crash_test: bool,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run a node without a dashboard
    Serve(Serve),
    /// List, look up, register and watch names
    #[command(subcommand, visible_alias = "name")]
    Names(Names),
    /// Call a method of a registered object
    Call(Call),
    /// List the methods of a registered object
    Methods(Methods),
    /// Greet people, or one per line from stdin
    Greet(Greet),
    /// Submit an addition, or one per line from stdin
    Add(Add),
    /// Submit any registered task, or one per line from stdin
    Submit(Submit),
    /// List, show, cancel, retry, purge, watch and export tasks
    #[command(subcommand, visible_alias = "task")]
    Tasks(Tasks),
    /// List and scale workers
    #[command(subcommand, visible_alias = "worker")]
    Workers(Workers),
    /// Pause and resume queues, and show statistics
    #[command(subcommand)]
    Queue(Queue),
    /// List members, and the nodes that this one has joined
    Members(OutputArgs),
    /// Remove a member, close its connections and remove its names
    Revoke(Revoke),
    /// Print a ticket with which others can join
    #[command(args_conflicts_with_subcommands = true)]
    Ticket(Ticket),
    /// Join another node with its ticket
    Join(Join),
    /// Leave a joined node
    Leave(Leave),
    /// Check that everything works, and suggest fixes
    Doctor(OutputArgs),
    /// Show the settings and their sources, or write a configuration file
    #[command(subcommand)]
    Config(Config),
    /// List every key of the dashboard
    Keys(OutputArgs),
    /// Print shell completions
    Completions(Completions),
    /// Print the manual page
    Man,
    /// Open the dashboard and record what it receives
    Record(Record),
    /// Replay a recording
    Replay(Replay),
}
