//! Principals: the owners of registrations.

use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::key::{ParseKeyError, PublicKey};

/// The owner of a registration: the key that a caller proved, or the address of a gateway that acts for
/// callers without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// A process with a key.
    Key(PublicKey),
    /// A gateway of this node, by the address on which it listens.
    Gateway(SocketAddr),
}

/// The prefix of a gateway's text.
const GATEWAY: &str = "gateway:";

impl Principal {
    /// Returns the key, if the principal has one.
    #[must_use]
    pub const fn key(&self) -> Option<PublicKey> {
        match self {
            Self::Key(key) => Some(*key),
            Self::Gateway(_) => None,
        }
    }

    /// Returns a short text that tells principals apart on one screen.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Key(key) => key.fingerprint(),
            Self::Gateway(addr) => addr.to_string(),
        }
    }
}

impl From<PublicKey> for Principal {
    fn from(key: PublicKey) -> Self {
        Self::Key(key)
    }
}

impl PartialEq<PublicKey> for Principal {
    fn eq(&self, key: &PublicKey) -> bool {
        self.key() == Some(*key)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Gateway(addr) => write!(f, "{GATEWAY}{addr}"),
        }
    }
}

impl FromStr for Principal {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let addr = text
            .strip_prefix(GATEWAY)
            .and_then(|addr| addr.parse().ok());
        match addr {
            Some(addr) => Ok(Self::Gateway(addr)),
            None => text.parse().map(Self::Key),
        }
    }
}

/// A key is serialized as its bytes, a gateway as text; both as text where the format does not
/// describe itself.
impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(key) if s.is_human_readable() => key.serialize(s),
            Self::Key(_) | Self::Gateway(_) => s.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Principal {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct PrincipalVisitor;
        impl<'de> de::Visitor<'de> for PrincipalVisitor {
            type Value = Principal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key of 32 bytes or a gateway")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Principal, E> {
                let key = bytes
                    .try_into()
                    .map_err(|_wrong_length| E::invalid_length(bytes.len(), &self))?;
                Ok(Principal::Key(PublicKey::from_bytes(key)))
            }

            // JSON has no bytes: it writes a list of numbers.
            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Principal, A::Error> {
                let bytes = <[u8; 32]>::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
                Ok(Principal::Key(PublicKey::from_bytes(bytes)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Principal, E> {
                text.parse().map_err(E::custom)
            }
        }
        if d.is_human_readable() {
            d.deserialize_any(PrincipalVisitor)
        } else {
            d.deserialize_str(PrincipalVisitor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Encoded;

    #[test]
    fn a_principal_survives_the_trip_through_text_and_values() {
        let key = PublicKey::from_bytes([7; 32]);
        for principal in [
            Principal::Key(key),
            Principal::Gateway(SocketAddr::from(([127, 0, 0, 1], 9090))),
        ] {
            assert_eq!(principal.to_string().parse(), Ok(principal));
            let encoded = Encoded::from_typed(&principal).expect("encodes");
            assert_eq!(encoded.to_typed(), Ok(principal));
            let bytes = postcard::to_stdvec(&principal).expect("encodes");
            assert_eq!(postcard::from_bytes(&bytes), Ok(principal));
        }
        let (as_owner, as_key) = (Principal::Key(key), key);
        assert_eq!(Encoded::from_typed(&as_owner), Encoded::from_typed(&as_key));
        assert!("gateway:nowhere".parse::<Principal>().is_err());
    }
}
