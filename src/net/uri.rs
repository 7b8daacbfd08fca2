//! URIs of objects: `distro:OBJECT@ADDRESS:PORT` and `PYRO:OBJECT@LOCATION`.
//!
//! A URI names a place, not an owner: the key to expect there is in the naming server's record.

use std::{fmt, net::SocketAddr, str::FromStr};

/// Limit of a URI, in bytes.
pub const MAX_URI: usize = 512;

const DISTRO: &str = "distro:";
const PYRO: &str = "PYRO:";

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
}

impl Uri {
    /// Creates the URI of an object of this system.
    pub fn distro(object: impl Into<String>, addr: SocketAddr) -> Self {
        Self::Distro {
            object: object.into(),
            addr,
        }
    }
}

/// A text that is not a URI of a known scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a URI: use distro:OBJECT@ADDRESS:PORT or PYRO:OBJECT@HOST:PORT")]
pub struct ParseUriError(String);

impl FromStr for Uri {
    type Err = ParseUriError;

    fn from_str(text: &str) -> Result<Self, ParseUriError> {
        let parsed = match text.len() <= MAX_URI {
            true => parse_distro(text).or_else(|| parse_pyro(text)),
            false => None,
        };
        parsed.ok_or_else(|| ParseUriError(text.chars().take(80).collect()))
    }
}

fn parse_distro(text: &str) -> Option<Uri> {
    let (object, addr) = text.strip_prefix(DISTRO)?.rsplit_once('@')?;
    let addr = addr.parse().ok()?;
    (!object.is_empty()).then(|| Uri::distro(object, addr))
}

fn parse_pyro(text: &str) -> Option<Uri> {
    let (object, location) = text.strip_prefix(PYRO)?.split_once('@')?;
    let valid = match location.strip_prefix("./u:") {
        Some(path) => !path.is_empty(),
        None => location
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()),
    };
    (valid && !object.is_empty()).then(|| Uri::Pyro {
        object: object.to_owned(),
        location: location.to_owned(),
    })
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distro { object, addr } => write!(f, "{DISTRO}{object}@{addr}"),
            Self::Pyro { object, location } => write!(f, "{PYRO}{object}@{location}"),
        }
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
            "PYRONAME:a@localhost:1",
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
