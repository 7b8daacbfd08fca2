//! `names`

use std::time::Duration;

use clap::Subcommand;

use super::words::{duration, non_blank, number, word_of};
use crate::net::{naming::ShareRule, uri::Uri};

/// `names`
#[derive(Debug, Clone, Subcommand)]
pub enum NamesCommand {
    /// List names
    #[command(visible_alias = "ls")]
    List {
        /// Only names with this prefix
        #[arg(long, value_name = "TEXT", value_parser = non_blank)]
        prefix: Option<String>,
        /// Only names that match this regular expression
        #[arg(long, value_name = "PATTERN", value_parser = non_blank)]
        regex: Option<String>,
        /// Only names with this tag; repeat it for names that have all of several tags
        #[arg(long, value_name = "TAG", value_parser = non_blank)]
        tag: Vec<String>,
        /// Only names with at least one of these tags
        #[arg(long, value_name = "TAG", value_parser = non_blank)]
        any_tag: Vec<String>,
        /// Maximum number of names
        #[arg(long, value_name = "COUNT", value_parser = number(1..=usize::MAX))]
        limit: Option<usize>,
    },
    /// Show the servers that are registered under a name
    Lookup {
        /// The name
        #[arg(value_parser = non_blank)]
        name: String,
    },
    /// Register an object under a name until ctrl-c
    Register {
        /// The name
        #[arg(value_parser = non_blank)]
        name: String,
        /// URI of the object, such as distro:server@127.0.0.1:4433
        uri: Uri,
        /// A tag; can be repeated
        #[arg(long, value_name = "TAG", value_parser = non_blank)]
        tag: Vec<String>,
        /// Register for this long and return at once: 30s, 5m, 1h
        #[arg(long, value_name = "TIME", conflicts_with = "forever", value_parser = duration)]
        lease: Option<Duration>,
        /// Register without an expiry and return at once
        #[arg(long)]
        forever: bool,
        /// Rule for others that register under the name [default: owner, or as before]
        #[arg(long, value_name = "RULE", value_parser = word_of(ShareRule::ALL, ShareRule::as_str))]
        share: Option<ShareRule>,
    },
    /// Change who else may register under a name of your own key
    Share {
        /// The name
        #[arg(value_parser = non_blank)]
        name: String,
        /// Rule for others that register under it
        #[arg(value_name = "RULE", value_parser = word_of(ShareRule::ALL, ShareRule::as_str))]
        with: ShareRule,
    },
    /// Remove a registration of your own key
    #[command(visible_alias = "rm")]
    Unregister {
        /// The name
        #[arg(value_parser = non_blank)]
        name: String,
        /// Remove the registrations of every key (role admin)
        #[arg(long)]
        all: bool,
    },
    /// Replace the tags of a registration of your own key
    SetTags {
        /// The name
        #[arg(value_parser = non_blank)]
        name: String,
        /// The new tags; without any, all tags are removed
        #[arg(value_parser = non_blank)]
        tags: Vec<String>,
    },
    /// Print changes as they happen
    Watch {
        /// Only names with this prefix
        #[arg(long, value_name = "TEXT", value_parser = non_blank)]
        prefix: Option<String>,
    },
}
