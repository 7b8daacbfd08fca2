//! `names`

use clap::Subcommand;

use super::OutputArgs;

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
    Register {
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
