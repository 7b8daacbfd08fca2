//! `names`

use clap::Subcommand;

/// `names`
#[derive(Debug, Clone, Subcommand)]
pub enum NamesCommand {
    /// List names
    #[command(visible_alias = "ls")]
    List {
        /// Only names with this prefix
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// Only names that match this regex (linear-time engine)
        #[arg(long, value_name = "PATTERN")]
        regex: Option<String>,
        /// Only names with this tag; repeat it for names that have all of several tags
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
        /// Only names with at least one of these tags
        #[arg(long, value_name = "TAG")]
        any_tag: Vec<String>,
        /// Maximum number of names
        #[arg(long, value_name = "COUNT")]
        limit: Option<usize>,
    },
    /// Show the servers that are registered under a name
    Lookup {
        /// The name
        name: String,
    },
    /// Register an object under a name until ctrl-c
    Register {
        /// The name
        name: String,
        /// URI of the object, such as distro:server@127.0.0.1:4433
        uri: String,
        /// A tag; can be repeated
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
        /// Register for this long and return at once: 30s, 5m, 1h
        #[arg(long, value_name = "TIME", conflicts_with = "forever")]
        lease: Option<String>,
        /// Register without an expiry and return at once
        #[arg(long)]
        forever: bool,
        /// Do not share the name with other keys
        #[arg(long)]
        exclusive: bool,
    },
    /// Remove a registration of your own key
    #[command(visible_alias = "rm")]
    Unregister {
        /// The name
        name: String,
        /// Remove the registrations of every key (role admin)
        #[arg(long)]
        all: bool,
    },
    /// Replace the tags of a registration of your own key
    SetTags {
        /// The name
        name: String,
        /// The new tags; without any, all tags are removed
        tags: Vec<String>,
    },
    /// Print changes as they happen
    Watch {
        /// Only names with this prefix
        #[arg(long, value_name = "TEXT", default_value = "")]
        prefix: String,
    },
}
