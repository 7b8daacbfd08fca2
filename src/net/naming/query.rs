//! Queries for records: by prefix, pattern or tags, a page at a time.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::record::{MAX_NAME, Record, check_tag_count, check_text_len};
use crate::net::rpc::error::RemoteError;

/// Limit of records on one page.
pub const MAX_PAGE: usize = 1_000;
/// Limit of registrations that one call scans, so that a rare pattern among many names delays nobody: the
/// page is returned early, with a cursor.
pub(super) const SCAN_LIMIT: usize = 5_000;
/// Limits of a pattern and of its compiled form, in bytes. The second bounds the time of a match too.
const MAX_PATTERN: usize = 1_024;
const MAX_COMPILED_PATTERN: usize = 128 << 10;

/// The conditions of a listing; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameQuery {
    /// A prefix of the name.
    #[serde(default)]
    pub prefix: Option<String>,
    /// A regular expression that matches somewhere in the name; the engine takes linear time.
    #[serde(default)]
    pub regex: Option<String>,
    /// Tags that the record must all have, at most [`super::MAX_TAGS`].
    #[serde(default)]
    pub tags_all: Vec<String>,
    /// Tags of which the record must have at least one, at most [`super::MAX_TAGS`]; an empty list is no condition.
    #[serde(default)]
    pub tags_any: Vec<String>,
    /// The cursor: `next` of the previous page.
    #[serde(default)]
    pub after: Option<String>,
    /// Limit of records; at most, and by default, [`MAX_PAGE`].
    #[serde(default)]
    pub limit: Option<usize>,
}

/// One page of records, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamePage {
    /// The records.
    pub records: Vec<Record>,
    /// The cursor of the next page; `None` at the end. A page that is short or empty may have one.
    pub next: Option<String>,
    /// The registry's revision at the time of the listing.
    pub revision: u64,
}

impl NameQuery {
    /// Reports whether every name with the prefix matches, so that a page takes no search.
    pub(super) const fn matches_all(&self) -> bool {
        self.regex.is_none() && self.tags_all.is_empty() && self.tags_any.is_empty()
    }
}

/// A compiled [`NameQuery`].
#[derive(Debug)]
pub(super) struct CompiledQuery {
    regex: Option<Regex>,
    all: Vec<String>,
    any: Vec<String>,
}

impl CompiledQuery {
    pub(super) fn new(query: &NameQuery) -> Result<Self, RemoteError> {
        check_text_len("a prefix", query.prefix.as_deref(), MAX_NAME)?;
        check_text_len("a cursor", query.after.as_deref(), MAX_NAME)?;
        check_tag_count(&query.tags_all)?;
        check_tag_count(&query.tags_any)?;
        let regex = query.regex.as_deref().map(compile).transpose()?;
        Ok(Self {
            regex,
            all: query.tags_all.clone(),
            any: query.tags_any.clone(),
        })
    }

    pub(super) fn matches_name(&self, name: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(name))
    }

    /// Reports whether a record's tags, which are sorted, match.
    pub(super) fn matches_tags(&self, tags: &[Box<str>]) -> bool {
        let has = |tag: &String| tags.binary_search_by(|other| (**other).cmp(tag)).is_ok();
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has))
    }
}

fn compile(pattern: &str) -> Result<Regex, RemoteError> {
    check_text_len("a pattern", Some(pattern), MAX_PATTERN)?;
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_PATTERN)
        .build()
        .map_err(|error| {
            // The text draws the position; its last line is the message.
            let text = error.to_string();
            let message = text.lines().last().unwrap_or_default();
            let message = message.trim_start_matches("error: ");
            RemoteError::bad_arguments(format!("invalid pattern: {message}"))
        })
}
