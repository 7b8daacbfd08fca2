//! The command line: what can be said, as types. What is done with it is the business of `command`.

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

Start it without arguments and everything runs in this one process: a naming server over QUIC, a
greeter that is registered there as `server`, a task broker and its workers. When a node runs on the
same data folder already, the screen attaches to that one. The commands drive a running node from a
shell.

  names    servers register objects under a name; clients find them by name, never by address
  calls    press 2, type a name, press enter: the greeter is looked up, dialled and called
  tasks    press 3, then a to add two numbers or b to queue a hundred additions, and watch
           workers run them";

const AFTER_HELP: &str = "\
Keys:
  1 2 3 4 5, tab   go to a pane        a b x r p   add, burst, cancel, retry, pause (Tasks)
  arrows, j k g G  move in a list      + -         more or fewer workers (Workers)
  enter            details             c           call a method (Names)
  /  :  ?          filter, palette, help with every key
  z f y e          zoom, freeze, copy, export
  q, ctrl-c        quit; ctrl-z goes to the shell and fg comes back

Settings come from, the later over the earlier: defaults, the configuration file, the environment
(DISTRO_TUI_THEME, DISTRO_TUI_WORKERS and so on), these options.

Exit codes:
  0    done                            4    not allowed: the role does not reach so far
  1    it failed                       5    there is no such name, task or peer
  2    an option or argument is wrong  6    it ran, and a task failed or a call was refused
  3    no node was reached             101  it crashed and wrote a report
  129, 130, 143    ended by SIGHUP, SIGINT, SIGTERM

Files, unless told otherwise:
  configuration  $XDG_CONFIG_HOME/distro-tui/config.toml      (~/.config)
  key            $XDG_DATA_HOME/distro-tui/identity.pem       (~/.local/share)
  tasks          $XDG_DATA_HOME/distro-tui/tasks.db           (sqlite3 opens it)
  names          $XDG_DATA_HOME/distro-tui/names.journal
  peers          $XDG_DATA_HOME/distro-tui/members.json       (who has joined; known.json: what was)
  log, crashes   $XDG_STATE_HOME/distro-tui/                  (~/.local/state)

Examples:
  distro-tui                                  a screen, with a node or attached to the one that runs
  distro-tui serve --listen 0.0.0.0:9090      a node without a screen, for others to join
  distro-tui ticket                           what others paste to join it
  distro-tui join distro1...                  done there
  distro-tui --connect distro1...             a screen on a node elsewhere
  distro-tui greet Ali
  distro-tui add 2 3 --wait
  seq 1 100 | sed 's/$/ 1/' | distro-tui add --wait
  distro-tui tasks list state:failed --json
  distro-tui completions bash > ~/.local/share/bash-completion/completions/distro-tui";

/// What can be said on the command line. Every option wins over the environment and the file.
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
    /// What every command has.
    #[command(flatten)]
    pub options: GlobalArgs,

    /// What to do; the screen, unless told otherwise.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of the program as a whole.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct GlobalArgs {
    /// Keep the key of this process, its tasks and its peers here instead of the data folder of the user
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// Read settings from this file; it must exist
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Use a node elsewhere: a ticket, or the beginning of the key of a node that was joined before; `-`
    /// reads it from standard input, `@FILE` from a file
    #[arg(
        long,
        value_name = "TICKET|PEER",
        global = true,
        env = "DISTRO_TUI_CONNECT",
        hide_env_values = true
    )]
    pub connect: Option<String>,

    /// Change nothing from this screen
    #[arg(long)]
    pub read_only: bool,

    /// Print what the screen would show as lines, and take commands from standard input
    #[arg(long)]
    pub plain: bool,

    /// Colours: dark, light, high-contrast or colour-blind
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,

    /// Workers at the start, 1 to 256; one a processor and at least two unless told otherwise
    #[arg(long, value_name = "COUNT", global = true)]
    pub workers: Option<String>,

    /// What a task that was taken survives: power (a power cut), process (a crash of the program, but
    /// a power cut may take the last moments) or memory (nothing; there is no file); `:doctor` shows it
    #[arg(long, value_name = "WORD", global = true)]
    pub durability: Option<String>,

    /// UDP address to listen on; port 0 takes a free one, that of last time if it still is
    #[arg(long, value_name = "ADDR:PORT", global = true)]
    pub listen: Option<String>,

    /// Addresses that lead to this node from elsewhere, in place of those that it finds
    #[arg(long, value_name = "ADDR:PORT,...", global = true)]
    pub advertise: Option<String>,

    /// Tell nodes on the local network where this one is, and find those that moved, by mDNS
    #[arg(long, global = true)]
    pub discover: bool,

    /// Serve numbers for Prometheus at /metrics on this TCP address; a port alone is on loopback
    #[arg(long, value_name = "[ADDR:]PORT", global = true)]
    pub metrics: Option<String>,

    /// Write the log here instead of the state folder of the user
    #[arg(long, value_name = "FILE", global = true)]
    pub log_file: Option<PathBuf>,

    /// Crash after the first frame, to see that the terminal is given back
    #[arg(long, hide = true)]
    pub crash_test: bool,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run a node without a screen
    Serve(Serve),
    /// List, look up, register and watch names
    #[command(subcommand, visible_alias = "name")]
    Names(Names),
    /// Call a method of whatever is registered under a name
    Call(Call),
    /// List what may be called on a name
    Methods(Methods),
    /// Greet somebody, or everybody on standard input
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
    /// Pause and resume queues; counts and rates
    #[command(subcommand)]
    Queue(Queue),
    /// List who has joined the node, and which nodes it has joined
    Peers(OutputArgs),
    /// Throw a peer out: its connections end and its names go
    Revoke(Revoke),
    /// Print a ticket for others to join with
    #[command(args_conflicts_with_subcommands = true)]
    Ticket(Ticket),
    /// Join another node with its ticket
    Join(Join),
    /// Leave a node that was joined
    Leave(Leave),
    /// Check that everything works, and say what to do where it does not
    Doctor(OutputArgs),
    /// Show the settings and where they come from, or write a file with all of them
    #[command(subcommand)]
    Config(Config),
    /// List every key of the screen
    Keys(OutputArgs),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page
    Man,
    /// Show the screen and record what it receives
    Record(Record),
    /// Show a recorded screen again
    Replay(Replay),
}
