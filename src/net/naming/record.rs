//! What the phone book holds.

use serde::{Deserialize, Serialize};

use crate::net::{rpc::error::RemoteError, trust::key::PublicKey, uri::MAX_URI};

/// Milliseconds on a clock that never goes back; where it starts does not matter.
pub type Millis = u64;

/// The longest name, in bytes.
pub const MAX_NAME: usize = 256;
/// The most tags of one record, and the longest tag in bytes.
const MAX_TAGS: usize = 32;
const MAX_TAG: usize = 128;
/// The lease of a registration that asks for none in particular.
const LEASE: Millis = 15_000;
const SHORTEST_LEASE: Millis = 1_000;
const LONGEST_LEASE: Millis = 24 * 3_600_000;

/// Whether a server still renews its registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Renewed in time.
    Live,
    /// Two renewals were missed; the lease still runs.
    Suspect,
}

impl Health {
    /// The word for it.
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
    /// Where the object is.
    pub uri: String,
    /// The key that registered it, and that its server must hold.
    pub owner: PublicKey,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// How long a registration lives without renewal; `None` is for ever.
    pub lease_ms: Option<Millis>,
    /// Whether its server still renews it.
    pub health: Health,
    /// Whether no other key may join under this name.
    pub exclusive: bool,
}

/// What a server asks for when it registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterRequest {
    /// The name to register under; see [`check_name`].
    pub name: String,
    /// Where the object is, at most [`MAX_URI`] bytes.
    pub uri: String,
    /// Tags: at most 32 of at most 128 bytes.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The lease in milliseconds: 0 is for ever, `None` the default of 15 s.
    #[serde(default)]
    pub lease_ms: Option<Millis>,
    /// Refuse to share the name with other keys.
    #[serde(default)]
    pub exclusive: bool,
}

impl RegisterRequest {
    /// A registration with the default lease and no tags.
    pub fn new(name: impl Into<String>, uri: impl ToString) -> Self {
        Self {
            name: name.into(),
            uri: uri.to_string(),
            tags: Vec::new(),
            lease_ms: None,
            exclusive: false,
        }
    }

    /// Checks every part and puts the tags in order. `None` is a lease for ever.
    pub(super) fn checked(mut self) -> Result<(Self, Option<Millis>), RemoteError> {
        check_name(&self.name)?;
        check_text("the URI", &self.uri, MAX_URI)?;
        if !self.uri.contains(':') {
            return Err(RemoteError::bad_arguments(
                "the URI has no scheme; write for example distro:server@127.0.0.1:4433",
            ));
        }
        self.tags = check_tags(self.tags)?;
        let lease = match self.lease_ms.unwrap_or(LEASE) {
            0 => None,
            ms if (SHORTEST_LEASE..=LONGEST_LEASE).contains(&ms) => Some(ms),
            ms => {
                return Err(RemoteError::bad_arguments(format!(
                    "a lease of {ms} ms is outside {SHORTEST_LEASE} ms to {LONGEST_LEASE} ms; 0 is for ever"
                )));
            }
        };
        Ok((self, lease))
    }
}

/// Whether a text may be a name: not empty, at most [`MAX_NAME`] bytes, no control characters.
///
/// # Errors
/// A [`RemoteError`] that says which of them it breaks.
pub fn check_name(name: &str) -> Result<(), RemoteError> {
    check_text("a name", name, MAX_NAME)
}

/// Checks, sorts and deduplicates tags.
pub(super) fn check_tags(mut tags: Vec<String>) -> Result<Vec<String>, RemoteError> {
    if tags.len() > MAX_TAGS {
        return Err(RemoteError::bad_arguments(format!(
            "{} tags are over the limit of {MAX_TAGS}",
            tags.len()
        )));
    }
    for tag in &tags {
        check_text("a tag", tag, MAX_TAG)?;
    }
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

fn check_text(what: &str, text: &str, most: usize) -> Result<(), RemoteError> {
    if text.is_empty() {
        return Err(RemoteError::bad_arguments(format!("{what} is empty")));
    }
    if text.len() > most {
        return Err(RemoteError::bad_arguments(format!(
            "{what} of {} bytes is over the limit of {most}",
            text.len()
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(RemoteError::bad_arguments(format!(
            "{what} has a control character in it"
        )));
    }
    Ok(())
}
