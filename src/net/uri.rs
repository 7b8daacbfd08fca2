//! Where an object is: `distro:OBJECT@ADDRESS:PORT`, in the shape that Pyro made familiar.
//!
//! A URI says where, never who: the key to expect there travels beside it, in the naming server's
//! answer.

use std::{fmt, net::SocketAddr, str::FromStr};

/// The longest URI, in bytes.
pub const MAX_URI: usize = 512;

const SCHEME: &str = "distro:";

/// An object at an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    /// The object's name at its server, which need not be the name it is registered under.
    pub object: String,
    /// Where its server listens.
    pub addr: SocketAddr,
}

/// A text that is not a URI of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address of this protocol: write distro:OBJECT@ADDRESS:PORT")]
pub struct ParseUriError(String);

impl FromStr for Uri {
    type Err = ParseUriError;

    fn from_str(text: &str) -> Result<Self, ParseUriError> {
        text.strip_prefix(SCHEME)
            .and_then(|rest| rest.rsplit_once('@'))
            .filter(|(object, _)| !object.is_empty() && text.len() <= MAX_URI)
            .and_then(|(object, addr)| {
                Some(Self {
                    object: object.to_owned(),
                    addr: addr.parse().ok()?,
                })
            })
            .ok_or_else(|| ParseUriError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}@{}", self.object, self.addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_survives_the_trip_through_text() {
        for text in ["distro:server@127.0.0.1:80", "distro:a@b@[::1]:9"] {
            let uri: Uri = text.parse().expect("a URI");
            assert_eq!(uri.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_uri_is_refused_by_name() {
        for text in [
            "",
            "server",
            "distro:@127.0.0.1:1",
            "distro:a@somewhere",
            "PYRO:a@127.0.0.1:1",
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
