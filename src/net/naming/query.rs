//! Listing: by prefix, pattern or tags, a page at a time.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::net::rpc::error::RemoteError;

/// The most records on one page.
pub const MAX_PAGE: usize = 1_000;
/// The most names one call looks at, so that a rare pattern among many names holds up nobody: the
/// page comes back early, with a cursor to go on from.
pub(super) const SCAN_LIMIT: usize = 5_000;
/// The longest pattern in bytes, and the most memory it may compile to.
const MAX_PATTERN: usize = 1_024;
const PATTERN_MEMORY: usize = 1 << 20;

/// Which records to list. Every condition that is there must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameQuery {
    /// Names that start so.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Names in which this regular expression is found. It takes linear time, whatever it is.
    #[serde(default)]
    pub regex: Option<String>,
    /// Records that have all these tags.
    #[serde(default)]
    pub tags_all: Vec<String>,
    /// Records that have at least one of these tags; an empty list asks for nothing.
    #[serde(default)]
    pub tags_any: Vec<String>,
    /// Go on after this name: the `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
    /// How many records at most; at most, and by default, [`MAX_PAGE`].
    #[serde(default)]
    pub limit: Option<usize>,
}

/// One page of records, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamePage {
    /// The records.
    pub records: Vec<Record>,
    /// Where to go on, or `None` at the end. A page may be short, or empty, and still go on.
    pub next: Option<String>,
    /// The registry's revision when this was listed.
    pub revision: u64,
}

/// A [`NameQuery`] made ready to be asked.
pub(super) struct CompiledQuery {
    regex: Option<Regex>,
    all: Vec<String>,
    any: Vec<String>,
}

impl CompiledQuery {
    pub(super) fn new(query: &NameQuery) -> Result<Self, RemoteError> {
        let regex = query.regex.as_deref().map(compile).transpose()?;
        Ok(Self {
            regex,
            all: query.tags_all.clone(),
            any: query.tags_any.clone(),
        })
    }

    pub(super) fn name(&self, name: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(name))
    }

    pub(super) fn tags(&self, tags: &[Box<str>]) -> bool {
        let has = |request: &String| tags.iter().any(|tag| **tag == **request);
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has))
    }
}

fn compile(pattern: &str) -> Result<Regex, RemoteError> {
    if pattern.len() > MAX_PATTERN {
        return Err(RemoteError::bad_arguments(format!(
            "a pattern of {} bytes is over the limit of {MAX_PATTERN}",
            pattern.len()
        )));
    }
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_MEMORY)
        .build()
        .map_err(|error| {
            // It draws where the error is; its last line says what it is.
            let error = error.to_string();
            let what = error.lines().last().unwrap_or_default();
            let what = what.trim_start_matches("error: ");
            RemoteError::bad_arguments(format!("the pattern cannot be used: {what}"))
        })
}
