//! URIs of objects: `distro:OBJECT@ADDRESS:PORT`, `PYRO:OBJECT@LOCATION` and those of other schemes.
//!
//! A URI names a place, not an owner: the key to expect there is in the naming server's record.

use std::{
    borrow::Cow,
    fmt,
    net::{Ipv6Addr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{spoofing::find_invisible, value::excerpt};

/// Limit of a URI, in bytes.
pub const MAX_URI: usize = 512;

/// A bound of the text of a socket address with a scheme before it, in bytes.
const MAX_ADDR: usize = 80;

const DISTRO: &str = "distro";
const PYRO: &str = "PYRO";

/// The place of an object, by scheme.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uri {
    /// An object of this system.
    Distro {
        /// The object's name at its server, which may differ from the name it is registered under.
        object: String,
        /// The server's address.
        addr: SocketAddr,
    },
    /// An object of Pyro, which cannot be called yet.
    Pyro {
        /// The object's id at its daemon.
        object: String,
        /// The daemon's location: `host:port`, or `./u:path` for a Unix socket.
        location: String,
    },
    /// An object of another system, which can be registered but not called.
    Other {
        /// The scheme, without its colon.
        scheme: String,
        /// The text after the colon.
        rest: String,
    },
}

impl Uri {
    /// Creates the URI of an object of this system.
    pub fn distro(object: impl Into<String>, addr: SocketAddr) -> Self {
        Self::Distro {
            object: object.into(),
            addr,
        }
    }

    /// Returns a bound of the length of its text, in bytes, without formatting it.
    pub(in crate::net) const fn len_bound(&self) -> usize {
        match self {
            Self::Distro { object, .. } => object.len() + MAX_ADDR,
            Self::Pyro { object, location } => object.len() + location.len() + PYRO.len() + 2,
            Self::Other { scheme, rest } => scheme.len() + rest.len() + 1,
        }
    }

    /// Returns the address as text, or for another scheme the whole URI.
    #[must_use]
    pub fn location(&self) -> Cow<'_, str> {
        match self {
            Self::Distro { addr, .. } => Cow::Owned(addr.to_string()),
            Self::Pyro { location, .. } => Cow::Borrowed(location),
            Self::Other { .. } => Cow::Owned(self.to_string()),
        }
    }
}

/// A text that is not a URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseUriError {
    /// It is longer than [`MAX_URI`].
    #[error("the URI is over the limit of {MAX_URI} bytes")]
    TooLong,
    /// It has a control character.
    #[error("the URI contains a control character")]
    ControlCharacter,
    /// It has a character that cannot be seen.
    #[error("the URI contains a character that cannot be seen, U+{:04X}", u32::from(*.0))]
    Invisible(char),
    /// It does not begin with a scheme.
    #[error("the URI `{0}` has no scheme; an example is distro:server@127.0.0.1:4433")]
    NoScheme(String),
    /// It is not what its scheme requires.
    #[error("the URI `{text}` is not of the form {form}; an example is {example}")]
    Malformed {
        /// The beginning of the text.
        text: String,
        /// The form of the scheme.
        form: &'static str,
        /// A URI of the scheme.
        example: &'static str,
    },
}

impl FromStr for Uri {
    type Err = ParseUriError;

    fn from_str(text: &str) -> Result<Self, ParseUriError> {
        if text.len() > MAX_URI {
            return Err(ParseUriError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ParseUriError::ControlCharacter);
        }
        if let Some(hidden) = find_invisible(text) {
            return Err(ParseUriError::Invisible(hidden));
        }
        let malformed = |form, example| ParseUriError::Malformed {
            text: excerpt(text),
            form,
            example,
        };
        match text.split_once(':') {
            Some((DISTRO, rest)) => parse_distro(rest).ok_or_else(|| {
                malformed("distro:OBJECT@ADDRESS:PORT", "distro:server@127.0.0.1:4433")
            }),
            Some((PYRO, rest)) => parse_pyro(rest)
                .ok_or_else(|| malformed("PYRO:OBJECT@HOST:PORT", "PYRO:obj_1@localhost:9090")),
            Some((scheme, rest)) if is_scheme(scheme) => parse_other(scheme, rest)
                .ok_or_else(|| malformed("SCHEME://HOST:PORT/PATH", "https://example.org/orders")),
            _ => Err(ParseUriError::NoScheme(excerpt(text))),
        }
    }
}

/// Reports whether a text can be a scheme: a letter, then letters, digits, `+`, `-` and `.`.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn parse_distro(rest: &str) -> Option<Uri> {
    let (object, addr) = rest.rsplit_once('@')?;
    let addr: SocketAddr = addr.parse().ok()?;
    // Nothing can be reached at port 0 or at the unspecified address.
    let valid = !object.is_empty() && addr.port() != 0 && !addr.ip().is_unspecified();
    valid.then(|| Uri::distro(object, addr))
}

fn parse_pyro(rest: &str) -> Option<Uri> {
    let (object, location) = rest.split_once('@')?;
    let valid = match location.strip_prefix("./u:") {
        Some(path) => !path.is_empty(),
        None => location
            .rsplit_once(':')
            .is_some_and(|(host, port)| is_host(host) && is_port(port)),
    };
    (valid && !object.is_empty()).then(|| Uri::Pyro {
        object: object.to_owned(),
        location: location.to_owned(),
    })
}

/// Parses a URI of another scheme. Where it names a host after `//`, the host and the port must be possible.
fn parse_other(scheme: &str, rest: &str) -> Option<Uri> {
    let valid = match rest.strip_prefix("//") {
        Some(hierarchy) => {
            let end = hierarchy.find(['/', '?', '#']).unwrap_or(hierarchy.len());
            is_authority(hierarchy.get(..end)?)
        }
        None => !rest.is_empty(),
    };
    valid.then(|| Uri::Other {
        scheme: scheme.to_owned(),
        rest: rest.to_owned(),
    })
}

/// Reports whether a text is `USER@HOST:PORT`, with or without the user and the port.
fn is_authority(text: &str) -> bool {
    let location = text.rsplit_once('@').map_or(text, |(_user, rest)| rest);
    let end_of_host = location.rfind(']').map_or(0, |end| end + 1);
    match location.get(end_of_host..).and_then(|rest| rest.rfind(':')) {
        Some(colon) => {
            let (host, port) = location.split_at(end_of_host + colon);
            is_host(host) && is_port(port.trim_start_matches(':'))
        }
        None => is_host(location),
    }
}

/// Reports whether a text can be a host: a name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|addr| addr.parse::<Ipv6Addr>().is_ok()),
        None => !text.is_empty() && !text.contains([':', '[', ']', '@', '/', '?', '#', ' ', '\\']),
    }
}

/// Reports whether a text is a port at which something can be reached.
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port != 0)
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distro { object, addr } => write!(f, "{DISTRO}:{object}@{addr}"),
            Self::Pyro { object, location } => write!(f, "{PYRO}:{object}@{location}"),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl Serialize for Uri {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uri {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(d)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_survives_the_trip_through_text() {
        for text in [
            "distro:server@127.0.0.1:80",
            "distro:a@b@[::1]:9",
            "PYRO:Pyro.NameServer@localhost:9090",
            "PYRO:obj_1@[::1]:9090",
            "PYRO:obj@./u:/tmp/sock",
            "PYRONAME:a@localhost:1",
            "https://example.org/a",
            "https://example.org",
            "https://me@example.org:8443/a?b=c@d:0",
            "ftp://[::1]:21/",
            "redis://[::1]/0",
            "mailto:ali@example.org",
        ] {
            let uri: Uri = text.parse().expect("a URI");
            assert_eq!(uri.to_string(), text);
        }
    }

    #[test]
    fn other_text_is_refused_by_name() {
        for text in [
            "",
            "server",
            "distro:@127.0.0.1:1",
            "distro:a@somewhere",
            "PYRO:a",
            "PYRO:a@somewhere",
            "PYRO:@localhost:1",
            "PYRO:a@./u:",
            ":a@localhost:1",
            "a b:c",
            "x:\u{1b}[2J",
            // Nothing can be there.
            "distro:a@127.0.0.1:0",
            "distro:a@127.0.0.1:99999",
            "distro:a@127.0.0.1",
            "distro:a@0.0.0.0:80",
            "distro:a@[::]:80",
            "distro:a@:80",
            "PYRO:a@:9090",
            "PYRO:a@localhost:0",
            "PYRO:a@localhost:99999",
            "PYRO:a@local host:9090",
            "PYRO:a@[::1:9090",
            "https://",
            "https:///a",
            "https://:443/a",
            "https://example.org:0",
            "https://example.org:99999/a",
            "https://example.org:/a",
            "https://[::g]/a",
            "https:",
            // It looks like another one.
            "distro:ser\u{200b}ver@127.0.0.1:80",
        ] {
            assert!(text.parse::<Uri>().is_err(), "{text}");
        }
        assert!(
            format!("distro:{}@127.0.0.1:1", "a".repeat(MAX_URI))
                .parse::<Uri>()
                .is_err()
        );
    }
}
