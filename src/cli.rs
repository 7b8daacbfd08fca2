//! The command line.

use std::path::PathBuf;

use clap::Parser;

const ABOUT: &str =
    "One terminal for a small distributed system: names, remote calls and background tasks";

const LONG_ABOUT: &str = "\
One terminal for a small distributed system.

Start it without arguments and everything runs in this one process: a naming server over QUIC, a
greeter that is registered there as `server`, a task broker and its workers.

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
  0    left by a person                2    an option, variable or setting is wrong
  1    it could not start or go on     101  it crashed and wrote a report
  129, 130, 143    ended by SIGHUP, SIGINT, SIGTERM

Files, unless told otherwise:
  configuration  $XDG_CONFIG_HOME/distro-tui/config.toml      (~/.config)
  key            $XDG_DATA_HOME/distro-tui/identity.pem       (~/.local/share)
  tasks, names   $XDG_DATA_HOME/distro-tui/tasks.db           (sqlite3 opens it)
  log, crashes   $XDG_STATE_HOME/distro-tui/                  (~/.local/state)

Examples:
  distro-tui
  distro-tui --workers 8 --theme light
  distro-tui --data-dir /tmp/try --listen 127.0.0.1:4433
  NO_COLOR=1 distro-tui";

/// What can be said on the command line. Every option wins over the environment and the file.
#[derive(Debug, Clone, Default, Parser)]
#[command(
    name = "distro-tui",
    version,
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_help = "Try --help for keys, files and examples.",
    after_long_help = AFTER_HELP,
    max_term_width = 100
)]
pub struct Cli {
    /// Keep the key of this process here instead of the data folder of the user
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Read settings from this file; it must exist
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Colours: dark, light, high-contrast or colour-blind
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,

    /// Workers at the start, 1 to 256; one a processor and at least two unless told otherwise
    #[arg(long, value_name = "COUNT")]
    pub workers: Option<String>,

    /// What a task that was taken survives: power (a power cut), process (a crash of the program, but
    /// a power cut may take the last moments) or memory (nothing; there is no file); `:doctor` shows it
    #[arg(long, value_name = "WORD")]
    pub durability: Option<String>,

    /// UDP address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,

    /// Serve numbers for Prometheus at /metrics on this TCP address; a port alone is on loopback
    #[arg(long, value_name = "[ADDR:]PORT")]
    pub metrics: Option<String>,

    /// Write the log here instead of the state folder of the user
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// Print the default configuration, with every setting explained, and end
    #[arg(long)]
    pub print_config: bool,

    /// Crash after the first frame, to see that the terminal is given back
    #[arg(long, hide = true)]
    pub crash_test: bool,
}
