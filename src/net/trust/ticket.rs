//! Tickets: one pasted string that lets another process or machine join. A ticket holds the server's
//! addresses and key, the role of the bearer, and the secret that proves possession.
//!
//! The text is `distro1` and lower-case base32 of a postcard message and the first four bytes of its
//! SHA-256, so that a typing error is noticed before any connection is made. The prefix never changes, so
//! that secret scanners find a leaked ticket.

use std::{borrow::Cow, fmt, net::SocketAddr, str::FromStr};

use data_encoding::BASE32_NOPAD;
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};

use super::{key::PublicKey, peer_addr::PeerAddr, role::Role};

/// The prefix of every ticket.
pub const PREFIX: &str = "distro1";
/// Limit of addresses in one ticket.
pub const MAX_ADDRS: usize = 8;
/// Limit of a ticket's text, in characters.
const MAX_TEXT: usize = 1_024;
/// Length of the checksum, in bytes.
const CHECKSUM_LEN: usize = 4;

/// The secret of a ticket. [`fmt::Debug`] hides it; only the text of a [`Ticket`] contains it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(pub(super) [u8; 16]);

impl Secret {
    /// Returns the proof of this secret for one TLS session. It is invalid in any other session, for
    /// any other role and to any eavesdropper.
    pub(in crate::net) fn prove(&self, session: &[u8; 32]) -> [u8; 32] {
        let mut proof = [0; 32];
        proof.copy_from_slice(hmac::sign(&self.key(), session).as_ref());
        proof
    }

    /// Verifies a proof of this secret, in constant time.
    pub(in crate::net) fn verify(&self, session: &[u8; 32], proof: &[u8; 32]) -> bool {
        hmac::verify(&self.key(), session, proof).is_ok()
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// An invitation to join a server. [`fmt::Display`] includes the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The role with which the bearer joins.
    pub role: Role,
    /// The serial number at the server that issued it.
    pub serial: u32,
    /// The server's addresses, the likeliest first; at most [`MAX_ADDRS`].
    pub addrs: Vec<SocketAddr>,
    /// The key that the server must prove to hold.
    pub key: PublicKey,
    /// The secret that the bearer proves to know.
    pub secret: Secret,
}

impl Ticket {
    /// Returns a ticket that admits nobody, to replace one that must not be shown.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            role: Role::Read,
            serial: 0,
            addrs: vec![SocketAddr::from(([0, 0, 0, 0], 0))],
            key: PublicKey::from_bytes([0; 32]),
            secret: Secret([0; 16]),
        }
    }

    /// Returns the server at each of its addresses.
    pub fn peers(&self) -> impl Iterator<Item = PeerAddr> {
        let key = self.key;
        self.addrs
            .iter()
            .map(move |addr| PeerAddr { addr: *addr, key })
    }
}

/// Reports whether a text may contain a ticket, or a part of one.
#[must_use]
pub fn contains_ticket(text: &str) -> bool {
    split(text).is_some()
}

/// Masks everything after a ticket's prefix with stars, for a screen that others may see. Whitespace and
/// length are preserved, because a ticket may have been broken into words.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let Some((clear, secret)) = split(text) else {
        return Cow::Borrowed(text);
    };
    let stars = secret.chars();
    let stars = stars.map(|c| if c.is_whitespace() { c } else { '*' });
    Cow::Owned(clear.chars().chain(stars).collect())
}

/// Replaces the ticket in a text by [`Ticket::blank`], for a file that others may see.
#[must_use]
pub fn redact(text: &str) -> String {
    let Some((clear, secret)) = split(text) else {
        return text.to_owned();
    };
    let before = clear.get(..clear.len() - PREFIX.len()).unwrap_or_default();
    // An invalid ticket stays invalid.
    match format!("{PREFIX}{}", secret.trim_end()).parse::<Ticket>() {
        Ok(_) => format!("{before}{}", Ticket::blank()),
        Err(_) => format!("{before}{PREFIX}-mistyped"),
    }
}

/// Splits a text after the prefix of the first ticket in it.
fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.to_ascii_lowercase().find(PREFIX)?;
    text.split_at_checked(at + PREFIX.len())
}

/// The encoded content. Append-only: a second version is a second variant.
#[derive(Serialize, Deserialize)]
enum Wire {
    V1 {
        role: Role,
        serial: u32,
        addrs: Vec<SocketAddr>,
        key: [u8; 32],
        secret: Secret,
    },
}

/// A text that is not a ticket. The error never repeats the text, which may contain a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseTicketError {
    /// The prefix is missing.
    #[error("this is not a ticket: a ticket is one word that begins with {PREFIX}")]
    Other,
    /// A character is wrong or missing.
    #[error("this ticket is mistyped or cut off; paste it again, whole")]
    Mistyped,
    /// The ticket is intact, but of an unknown version.
    #[error("this ticket was issued by a newer distro-tui; update this one")]
    Newer,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wire = Wire::V1 {
            role: self.role,
            serial: self.serial,
            addrs: self.addrs.iter().take(MAX_ADDRS).copied().collect(),
            key: *self.key.as_bytes(),
            secret: self.secret.clone(),
        };
        let mut bytes = postcard::to_stdvec(&wire).map_err(|_never| fmt::Error)?;
        bytes.extend(checksum(&bytes));
        f.write_str(PREFIX)?;
        f.write_str(&BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
    }
}

impl FromStr for Ticket {
    type Err = ParseTicketError;

    fn from_str(text: &str) -> Result<Self, ParseTicketError> {
        let text = text.trim();
        let head = text.get(..PREFIX.len()).unwrap_or_default();
        if !head.eq_ignore_ascii_case(PREFIX) {
            return Err(ParseTicketError::Other);
        }
        let body = text.get(PREFIX.len()..).unwrap_or_default();
        if text.len() > MAX_TEXT {
            return Err(ParseTicketError::Mistyped);
        }
        let bytes = BASE32_NOPAD
            .decode(body.to_ascii_uppercase().as_bytes())
            .map_err(|_typo| ParseTicketError::Mistyped)?;
        let (message, sum) = bytes
            .split_last_chunk::<CHECKSUM_LEN>()
            .ok_or(ParseTicketError::Mistyped)?;
        if checksum(message) != *sum {
            return Err(ParseTicketError::Mistyped);
        }
        // The checksum is right, so a newer version wrote what cannot be decoded.
        match postcard::take_from_bytes::<Wire>(message) {
            Ok((
                Wire::V1 {
                    role,
                    serial,
                    addrs,
                    key,
                    secret,
                },
                [],
            )) if (1..=MAX_ADDRS).contains(&addrs.len()) => Ok(Self {
                role,
                serial,
                addrs,
                key: PublicKey::from_bytes(key),
                secret,
            }),
            _ => Err(ParseTicketError::Newer),
        }
    }
}

fn checksum(message: &[u8]) -> [u8; CHECKSUM_LEN] {
    let sum = digest::digest(&digest::SHA256, message);
    sum.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> Ticket {
        let addr = |text: &str| text.parse().expect("an address");
        Ticket {
            role: Role::Member,
            serial: 1,
            addrs: vec![addr("192.168.1.20:4433"), addr("127.0.0.1:4433")],
            key: PublicKey::from_bytes([7; 32]),
            secret: Secret([9; 16]),
        }
    }

    /// Tickets in scripts of users must stay valid.
    #[test]
    fn golden_text() {
        let text = ticket().to_string();
        assert_eq!(
            text,
            "distro1aaaqcaqaycuacfgreiah6aaaahisebyha4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dqobyhbeeqscijbeeqscijbeeqscijbg5sok4r"
        );
        assert!(text.len() < 140, "{} characters", text.len());
        assert_eq!(text.parse(), Ok(ticket()));
        assert_eq!(format!("  {}\n", text.to_uppercase()).parse(), Ok(ticket()));
    }

    #[test]
    fn its_secret_shows_nowhere_else() {
        let shown = format!("{:?}", ticket());
        assert!(
            !shown.contains("9, 9") && shown.contains("Secret"),
            "{shown}"
        );
    }

    #[test]
    fn a_mask_hides_the_ticket_and_nothing_before_it() {
        assert_eq!(mask("join distro1abc def"), "join distro1*** ***");
        assert_eq!(mask("distro-tui é Distro1é"), "distro-tui é Distro1*");
        assert_eq!(mask("2 + 3"), "2 + 3");
        let blank = Ticket::blank().to_string();
        assert_eq!(
            redact(&format!("join  {}", ticket())),
            format!("join  {blank}")
        );
        assert_eq!(redact("join distro1abc"), "join distro1-mistyped");
    }

    #[test]
    fn a_proof_is_good_for_one_session_only() {
        let (secret, other) = (Secret([1; 16]), Secret([2; 16]));
        let proof = secret.prove(&[3; 32]);
        assert!(secret.verify(&[3; 32], &proof));
        assert!(!secret.verify(&[4; 32], &proof));
        assert!(!other.verify(&[3; 32], &proof));
    }

    #[test]
    fn other_text_is_distinguished_from_a_mistyped_ticket() {
        let text = ticket().to_string();
        let cut: String = text.chars().take(text.len() - 3).collect();
        for (text, why) in [
            ("", ParseTicketError::Other),
            ("é", ParseTicketError::Other),
            ("hello", ParseTicketError::Other),
            ("distro1", ParseTicketError::Mistyped),
            ("distro1!!", ParseTicketError::Mistyped),
            (&cut, ParseTicketError::Mistyped),
            (&"distro1a".repeat(999), ParseTicketError::Mistyped),
        ] {
            assert_eq!(text.parse::<Ticket>(), Err(why), "{text}");
        }
        let mut bytes = vec![9, 9, 9];
        bytes.extend(checksum(&bytes));
        let newer = format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes));
        assert_eq!(newer.parse::<Ticket>(), Err(ParseTicketError::Newer));
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_noticed(at in 0_usize..130, with in "[a-z2-7]") {
            let text = ticket().to_string();
            let mut chars: Vec<char> = text.chars().collect();
            let at = at % chars.len();
            chars[at] = with.chars().next().expect("one");
            let changed: String = chars.into_iter().collect();
            prop_assert_eq!(changed.parse::<Ticket>().is_ok(), changed == text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(distro1)?.{0,200}") {
            text.parse::<Ticket>().ok();
        }
    }
}
