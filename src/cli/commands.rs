//! The commands, a noun at a time.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::net::rpc::wire::Role;

/// Output for programs.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct OutputArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `serve`
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Do without a part: naming, greeter, broker or workers
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub without: Vec<String>,

    /// Join this node first; `-` reads the ticket from standard input, `@FILE` from a file
    #[arg(
        long,
        value_name = "TICKET",
        env = "DISTRO_TUI_TICKET",
        hide_env_values = true
    )]
    pub join: Option<String>,

    /// Print the ready line as JSON
    #[arg(long)]
    pub json: bool,
}

/// `names`
#[derive(Debug, Clone, Subcommand)]
pub enum Names {
    /// List names
    #[command(visible_alias = "ls")]
    List {
        /// Only names that begin so
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// Only names in which this is found; it takes linear time, whatever it is
        #[arg(long, value_name = "PATTERN")]
        regex: Option<String>,
        /// Only names that have all of these tags
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
        /// Only names that have one of these tags
        #[arg(long, value_name = "TAG")]
        any_tag: Vec<String>,
        /// At most so many
        #[arg(long, value_name = "COUNT")]
        limit: Option<usize>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Tell who serves a name
    Lookup {
        /// The name
        name: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Register an object, and keep it registered until ctrl-c
    RegisterRequest {
        /// The name
        name: String,
        /// Where the object is, for example distro:server@127.0.0.1:4433
        uri: String,
        /// A tag; may be given again
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
        /// Register once, for this time, and return: 30s, 5m, 1h
        #[arg(long, value_name = "TIME", conflicts_with = "forever")]
        lease: Option<String>,
        /// Register once, for ever, and return
        #[arg(long)]
        forever: bool,
        /// Refuse to share the name with other keys
        #[arg(long)]
        exclusive: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Take a name back that this key has registered
    #[command(visible_alias = "rm")]
    Unregister {
        /// The name
        name: String,
        /// Take it from everybody; for admins
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Replace the tags of a name that this key has registered
    SetMetadata {
        /// The name
        name: String,
        /// The tags; none takes them all away
        tags: Vec<String>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Print every change as it happens
    Watch {
        /// Only names that begin so
        #[arg(long, value_name = "TEXT", default_value = "")]
        prefix: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// `call`
#[derive(Debug, Clone, Args)]
pub struct Call {
    /// The name that the object is registered under
    pub name: String,
    /// The method
    pub method: String,
    /// Arguments: JSON, or plain words
    #[arg(allow_negative_numbers = true)]
    pub args: Vec<String>,
    /// An argument by name; comes before the method's own
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    pub named: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `methods`
#[derive(Debug, Clone, Args)]
pub struct Methods {
    /// The name that the object is registered under
    pub name: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `greet`
#[derive(Debug, Clone, Args)]
pub struct Greet {
    /// Whom; nobody reads a name a line from standard input
    pub names: Vec<String>,
    /// Print answers as they come, not in the order of the names
    #[arg(long)]
    pub unordered: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `add`
#[derive(Debug, Clone, Args)]
pub struct Add {
    /// Two numbers: integers of any size, or floats; none reads `X Y` a line from standard input
    #[arg(value_name = "X Y", num_args = 0..=3, allow_negative_numbers = true)]
    pub numbers: Vec<String>,
    /// Wait for the result and print it
    #[arg(long)]
    pub wait: bool,
    /// Give up waiting after this time: 30s, 5m
    #[arg(long, value_name = "TIME", requires = "wait")]
    pub timeout: Option<String>,
    /// Seconds of simulated work
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<f64>,
    /// Do not start before this time has passed: 30s, 5m
    #[arg(long, value_name = "TIME")]
    pub countdown: Option<String>,
    /// What it is about
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// While a task with the key is alive, take no other
    #[arg(long, requires = "key", conflicts_with = "serial")]
    pub unique: bool,
    /// Of all tasks with the key run one at a time
    #[arg(long, requires = "key")]
    pub serial: bool,
    /// 0 to 9, usually 5; the higher goes first
    #[arg(long, value_name = "0-9")]
    pub priority: Option<u8>,
    /// The queue
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Print results as they come, with the number of their line, not in order
    #[arg(long, requires = "wait")]
    pub unordered: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `tasks`
#[derive(Debug, Clone, Subcommand)]
pub enum Tasks {
    /// List tasks
    #[command(visible_alias = "ls")]
    List {
        /// Words, !word, state:failed,running, name:add, key:K, queue:Q, worker:w2
        filter: Vec<String>,
        /// newest, oldest, state or slowest
        #[arg(long, value_name = "ORDER", default_value = "newest")]
        sort: String,
        /// At most so many
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Show everything about a task
    Show {
        /// Its number
        id: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Cancel tasks, by number or by filter
    Cancel(TaskSelector),
    /// Run tasks again that failed, were cancelled or expired
    Retry(TaskSelector),
    /// Forget finished tasks
    Purge(TaskSelector),
    /// Print what happens to tasks as it happens
    Watch(OutputArgs),
    /// Write tasks to a new .json or .csv file
    Export {
        /// The file
        file: PathBuf,
        /// As for list
        filter: Vec<String>,
        /// newest, oldest, state or slowest
        #[arg(long, value_name = "ORDER", default_value = "newest")]
        sort: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// Which tasks.
#[derive(Debug, Clone, Args)]
pub struct TaskSelector {
    /// Numbers, or a filter as for list
    #[arg(required_unless_present = "all")]
    pub which: Vec<String>,
    /// All that it can be done to
    #[arg(long, conflicts_with = "which")]
    pub all: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `workers`
#[derive(Debug, Clone, Subcommand)]
pub enum Workers {
    /// List workers, and what they run
    #[command(visible_alias = "ls")]
    List(OutputArgs),
    /// Ask for so many
    Scale {
        /// How many
        count: usize,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// `queue`
#[derive(Debug, Clone, Subcommand)]
pub enum Queue {
    /// Hand out no further task, of one queue or of any
    Pause {
        /// The queue; all unless one is named
        queue: Option<String>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Hand out tasks again
    Resume {
        /// The queue; all unless one is named
        queue: Option<String>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Counts, rates and times
    Stats(OutputArgs),
}

/// `revoke`
#[derive(Debug, Clone, Args)]
pub struct Revoke {
    /// The beginning of its key, or its label
    pub who: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `ticket`
#[derive(Debug, Clone, Args)]
pub struct Ticket {
    /// What to do with tickets, if not to print one.
    #[command(subcommand)]
    pub command: Option<TicketCommand>,
    /// What whoever joins with it may do: read, member or admin
    #[arg(long, value_name = "ROLE", default_value = "member")]
    pub role: Role,
    /// Good for one
    #[arg(long)]
    pub once: bool,
    /// Good for so long: 1h, 7d
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `ticket rotate`
#[derive(Debug, Clone, Subcommand)]
pub enum TicketCommand {
    /// Make every ticket worthless that is out; who has joined stays
    Rotate {
        /// Only those of one role
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// `join`
#[derive(Debug, Clone, Args)]
pub struct Join {
    /// The ticket; `-` or nothing reads it from standard input, `@FILE` from a file. An argument is
    /// seen by every user of this machine and stays in the history of the shell
    #[arg(env = "DISTRO_TUI_TICKET", hide_env_values = true)]
    pub ticket: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `leave`
#[derive(Debug, Clone, Args)]
pub struct Leave {
    /// The beginning of its key
    pub who: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `config`
#[derive(Debug, Clone, Subcommand)]
pub enum Config {
    /// Print every setting as it is now, and where it comes from
    Show(OutputArgs),
    /// Write the default configuration, with every setting explained, where it is looked for
    Init {
        /// Print it instead
        #[arg(long, conflicts_with = "json")]
        print: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// `completions`
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `record`
#[derive(Debug, Clone, Args)]
pub struct Record {
    /// The file to write; it must not exist
    pub file: PathBuf,
}

/// `replay`
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// The file that was recorded
    pub file: PathBuf,
    /// How fast: 1 as it was, 10 ten times as fast
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub speed: f64,
    /// Begin paused
    #[arg(long)]
    pub paused: bool,
}
