//! Records and registration requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::share::ShareRule;
use crate::{
    net::{rpc::error::RemoteError, trust::principal::Principal, uri::Uri},
    spoofing::{find_invisible, has_mixed_scripts},
    text::fmt_duration,
};

/// Milliseconds on a monotonic clock with any origin.
pub type Millis = u64;

/// Limit of a name, in bytes.
pub const MAX_NAME: usize = 256;
/// Limit of the tags of one record, and of each list of tags in a query.
pub const MAX_TAGS: usize = 32;
/// Limit of a tag, in bytes.
pub const MAX_TAG: usize = 128;
/// The default lease.
const DEFAULT_LEASE: Millis = 15_000;
const SHORTEST_LEASE: Millis = 1_000;
const LONGEST_LEASE: Millis = 24 * 3_600_000;

/// The health of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// The lease was renewed in time.
    Live,
    /// Two renewals were missed; the lease has not expired yet.
    Suspect,
}

impl Health {
    /// Returns the state's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Suspect => "suspect",
        }
    }
}

/// One registered object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The name that clients look up.
    pub name: String,
    /// The object's URI.
    pub uri: Uri,
    /// The principal that registered it. If it is a key, the object's server must hold it.
    pub owner: Principal,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// The time that it stays registered without renewal; `None` is for ever.
    pub lease_ms: Option<Millis>,
    /// The state of its lease.
    pub health: Health,
    /// The rule for others that register under this name, if this is the registration of its owner.
    pub share: ShareRule,
}

impl Record {
    /// Reports whether its lease was renewed in time.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.health, Health::Live)
    }

    /// Reports whether the name mixes scripts that are not written together, so that it may be mistaken for
    /// another name.
    #[must_use]
    pub fn has_mixed_scripts(&self) -> bool {
        has_mixed_scripts(&self.name)
    }

    /// Returns the name, with a mark if it may be mistaken for another one.
    #[must_use]
    pub fn marked_name(&self) -> String {
        match self.has_mixed_scripts() {
            true => format!("{} (mixed scripts)", self.name),
            false => self.name.clone(),
        }
    }

    /// Returns a bound of its size as encoded, in bytes.
    pub(super) fn encoded_len(&self) -> usize {
        encoded_len(&self.name, &self.uri, self.tags.iter().map(String::len))
    }
}

/// Bytes of an encoded record beside its texts: the names of its fields, the owner and the lease.
pub(super) const RECORD_OVERHEAD: usize = 256;
/// Bytes of an encoded text beside the text: its type and its length.
const TEXT_OVERHEAD: usize = 4;

/// Returns a bound of the size of a record as encoded, in bytes.
pub(super) fn encoded_len(name: &str, uri: &Uri, tags: impl Iterator<Item = usize>) -> usize {
    let tags: usize = tags.map(|tag| tag + TEXT_OVERHEAD).sum();
    RECORD_OVERHEAD + name.len() + uri.len_bound() + tags
}

/// A request to register an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// The name to register under; see [`check_name`].
    pub name: String,
    /// The object's URI.
    pub uri: Uri,
    /// Tags: at most [`MAX_TAGS`] of at most [`MAX_TAG`] bytes.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The lease in milliseconds: 0 is for ever, `None` the default of 15 s.
    #[serde(default)]
    pub lease_ms: Option<Millis>,
    /// The rule for others that register under this name. `None` keeps the rule of the caller's own
    /// registration before, or takes that of the owner that shares the name; otherwise nobody may.
    #[serde(default)]
    pub share: Option<ShareRule>,
}

impl RegisterRequest {
    /// Creates a request with the default lease and no tags.
    pub fn new(name: impl Into<String>, uri: Uri) -> Self {
        Self {
            name: name.into(),
            uri,
            tags: Vec::new(),
            lease_ms: None,
            share: None,
        }
    }

    /// Validates every part and sorts the tags; also returns the lease, `None` for ever.
    pub(super) fn validate(mut self) -> Result<(Self, Option<Millis>), RemoteError> {
        check_name(&self.name)?;
        self.tags = check_tags(self.tags)?;
        let lease = match self.lease_ms.unwrap_or(DEFAULT_LEASE) {
            0 => None,
            ms if (SHORTEST_LEASE..=LONGEST_LEASE).contains(&ms) => Some(ms),
            ms => {
                let [lease, shortest, longest] = [ms, SHORTEST_LEASE, LONGEST_LEASE]
                    .map(|lease| fmt_duration(Duration::from_millis(lease)));
                return Err(RemoteError::bad_arguments(format!(
                    "a lease of {lease} is outside {shortest} to {longest}; 0 is for ever"
                )));
            }
        };
        Ok((self, lease))
    }
}

/// Checks that a text can be a name: not empty, at most [`MAX_NAME`] bytes, no character that cannot be
/// seen, and no space at its ends.
///
/// # Errors
/// [`crate::net::rpc::error::Code::BadArguments`] with the rule that is violated.
pub fn check_name(name: &str) -> Result<(), RemoteError> {
    check_text("a name", name, MAX_NAME)
}

/// Validates, sorts and deduplicates tags.
pub(super) fn check_tags(mut tags: Vec<String>) -> Result<Vec<String>, RemoteError> {
    check_tag_count(&tags)?;
    for tag in &tags {
        check_text("a tag", tag, MAX_TAG)?;
    }
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

/// Checks the length of a list of tags.
pub(super) fn check_tag_count(tags: &[String]) -> Result<(), RemoteError> {
    match tags.len() {
        0..=MAX_TAGS => Ok(()),
        count => Err(RemoteError::bad_arguments(format!(
            "{count} tags are over the limit of {MAX_TAGS}"
        ))),
    }
}

/// Checks the length of a text, if there is one, in bytes.
pub(super) fn check_text_len(
    subject: &str,
    text: Option<&str>,
    max: usize,
) -> Result<(), RemoteError> {
    match text.map_or(0, str::len) {
        len if len > max => Err(RemoteError::bad_arguments(format!(
            "{subject} of {len} bytes is over the limit of {max}"
        ))),
        _ => Ok(()),
    }
}

fn check_text(subject: &str, text: &str, max: usize) -> Result<(), RemoteError> {
    if text.is_empty() {
        return Err(RemoteError::bad_arguments(format!("{subject} is empty")));
    }
    check_text_len(subject, Some(text), max)?;
    if text.chars().any(char::is_control) {
        return Err(RemoteError::bad_arguments(format!(
            "{subject} contains a control character"
        )));
    }
    if let Some(hidden) = find_invisible(text) {
        return Err(RemoteError::bad_arguments(format!(
            "{subject} contains a character that cannot be seen, U+{:04X}",
            u32::from(hidden)
        )));
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(RemoteError::bad_arguments(format!(
            "{subject} begins or ends with a space"
        )));
    }
    Ok(())
}
