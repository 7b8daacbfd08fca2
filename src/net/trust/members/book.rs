//! Who has joined and which tickets are out, as a pure state machine: time and secrets are arguments.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::net::{
    rpc::{
        error::{Code, RemoteError},
        wire::Role,
    },
    trust::key::PublicKey,
};

/// Seconds since 1970 on the wall: tickets and revocations outlive processes.
pub type Seconds = u64;

/// The most peers that one server knows.
pub const MAX_PEERS: usize = 4_096;
/// The most tickets that are out at once.
pub const MAX_TICKETS: usize = 256;
/// Tickets and keys that are no longer good are remembered, so that it can be said why; the oldest go.
const MAX_SPENT: usize = 256;
const MAX_REVOKED: usize = 10_000;
/// The longest label of a peer, in bytes.
pub const MAX_LABEL: usize = 64;

/// Somebody who has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who: the key that it must prove to hold.
    pub key: PublicKey,
    /// What it may do here.
    pub role: Role,
    /// What it calls itself, for people.
    pub label: String,
    /// When it joined.
    pub joined_at: Seconds,
}

/// A ticket that is out. Its secret is derived from the server's key and its number, and kept nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRecord {
    /// Its number.
    pub serial: u32,
    /// As what its bearer joins.
    pub role: Role,
    /// Only the first bearer joins.
    pub once: bool,
    /// Nobody joins with it after this.
    pub expires_at: Option<Seconds>,
}

impl TicketRecord {
    /// A standing ticket: the same one is given out until it is rotated.
    const fn stands(&self) -> bool {
        !self.once && self.expires_at.is_none()
    }
}

/// Why a ticket is no longer good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TicketEnd {
    Used,
    Rotated,
}

/// A key that was thrown out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Revoked {
    /// Tickets up to this number do not bring it back.
    serial: u32,
    at: Seconds,
}

/// Peers, tickets and revocations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberList {
    peers: BTreeMap<PublicKey, Member>,
    last_serial: u32,
    tickets: BTreeMap<u32, TicketRecord>,
    spent: BTreeMap<u32, TicketEnd>,
    revoked: BTreeMap<PublicKey, Revoked>,
}

impl MemberList {
    /// Nobody, and tickets with numbers above this one.
    pub(crate) fn numbered_from(now: Seconds) -> Self {
        Self {
            last_serial: u32::try_from(now).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Somebody who has joined.
    #[must_use]
    pub fn peer(&self, key: &PublicKey) -> Option<&Member> {
        self.peers.get(key)
    }

    /// Everybody, in the order in which they joined.
    #[must_use]
    pub fn peers(&self) -> Vec<Member> {
        let mut peers: Vec<_> = self.peers.values().cloned().collect();
        peers.sort_by_key(|peer| (peer.joined_at, peer.key));
        peers
    }

    /// Whether a key was thrown out.
    #[must_use]
    pub fn is_revoked(&self, key: &PublicKey) -> bool {
        self.revoked.contains_key(key)
    }

    /// Lets a key in, or changes what it may do.
    pub fn admit(&mut self, peer: Member) {
        self.revoked.remove(&peer.key);
        self.peers.insert(peer.key, peer);
    }

    /// The standing ticket of a role, made if there is none, or one of its own that ends.
    ///
    /// # Errors
    /// [`Code::Overloaded`] when [`MAX_TICKETS`] are out.
    pub fn ticket(
        &mut self,
        now: Seconds,
        role: Role,
        once: bool,
        lives: Option<Seconds>,
    ) -> Result<TicketRecord, RemoteError> {
        let expires_at = lives.map(|lives| now.saturating_add(lives));
        let wanted = TicketRecord {
            serial: self.last_serial + 1,
            role,
            once,
            expires_at,
        };
        let standing = self.tickets.values().find(|t| t.role == role && t.stands());
        if let Some(standing) = standing.filter(|_| wanted.stands()) {
            return Ok(*standing);
        }
        let over = |ticket: &TicketRecord| ticket.expires_at.is_some_and(|at| at + DAY < now);
        self.tickets.retain(|_, ticket| !over(ticket));
        if self.tickets.len() >= MAX_TICKETS {
            return Err(RemoteError::new(
                Code::Overloaded,
                format!("{MAX_TICKETS} tickets are out, which is the most; rotate them first"),
            ));
        }
        self.last_serial = wanted.serial;
        self.tickets.insert(wanted.serial, wanted);
        Ok(wanted)
    }

    /// Makes every ticket of a role worthless, or of all roles; answers how many.
    pub fn rotate(&mut self, role: Option<Role>) -> usize {
        let (gone, rest): (BTreeMap<_, _>, _) = std::mem::take(&mut self.tickets)
            .into_iter()
            .partition(|(_, ticket)| role.is_none_or(|role| role == ticket.role));
        self.tickets = rest;
        for serial in gone.keys() {
            self.spend(*serial, TicketEnd::Rotated);
        }
        gone.len()
    }

    /// A ticket that is good now for this key. Its secret is still to be proved.
    ///
    /// # Errors
    /// [`Code::Denied`] with the reason. Only whoever proves the secret is to be told it.
    pub fn good(
        &self,
        now: Seconds,
        serial: u32,
        role: Role,
        key: &PublicKey,
    ) -> Result<TicketRecord, RemoteError> {
        let no = |why: &str| Err(RemoteError::new(Code::Denied, why));
        match (self.spent.get(&serial), self.tickets.get(&serial)) {
            (Some(TicketEnd::Used), _) => {
                no("this ticket has been used, and it was good for one; ask for another")
            }
            (Some(TicketEnd::Rotated), _) => no("this ticket was withdrawn; ask for a newer one"),
            (None, Some(ticket)) if ticket.role == role => {
                if ticket.expires_at.is_some_and(|at| at <= now) {
                    no("this ticket has expired; ask for another")
                } else if self.revoked.get(key).is_some_and(|r| serial <= r.serial) {
                    no("this key was revoked; only a ticket made after that brings it back")
                } else {
                    Ok(*ticket)
                }
            }
            _ => no("this ticket is not known here; ask for another"),
        }
    }

    /// Takes in whoever has proved a good ticket. One that joined before keeps the higher of both roles.
    ///
    /// # Errors
    /// As [`MemberList::good`]; [`Code::Overloaded`] with [`MAX_PEERS`] peers.
    pub fn join(
        &mut self,
        now: Seconds,
        serial: u32,
        role: Role,
        key: PublicKey,
        label: &str,
    ) -> Result<Role, RemoteError> {
        let before = self.peers.get(&key).map(|peer| peer.role);
        if let Some(before) = before.filter(|before| *before >= role) {
            // Its answer was lost, or it asks again: it is in, and a ticket for one is not wasted.
            return Ok(before);
        }
        let ticket = self.good(now, serial, role, &key)?;
        if before.is_none() && self.peers.len() >= MAX_PEERS {
            return Err(RemoteError::new(
                Code::Overloaded,
                format!("{MAX_PEERS} peers have joined, which is the most; revoke some"),
            ));
        }
        if ticket.once {
            self.tickets.remove(&serial);
            self.spend(serial, TicketEnd::Used);
        }
        let role = before.map_or(ticket.role, |before| before.max(ticket.role));
        self.admit(Member {
            key,
            role,
            label: clean_label(label),
            joined_at: now,
        });
        Ok(role)
    }

    /// Throws a key out; answers whether it was in.
    pub fn revoke(&mut self, now: Seconds, key: PublicKey) -> bool {
        let serial = self.last_serial;
        self.revoked.insert(key, Revoked { serial, at: now });
        while self.revoked.len() > MAX_REVOKED {
            let oldest = self.revoked.iter().min_by_key(|(_, revoked)| revoked.at);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                break;
            };
            self.revoked.remove(&oldest);
        }
        self.peers.remove(&key).is_some()
    }

    fn spend(&mut self, serial: u32, how: TicketEnd) {
        self.spent.insert(serial, how);
        while self.spent.len() > MAX_SPENT {
            self.spent.pop_first();
        }
    }
}

/// An expired ticket is remembered for a day, so that its bearer can be told.
const DAY: Seconds = 24 * 3_600;

/// What a peer calls itself, as far as it is a name.
fn clean_label(label: &str) -> String {
    let kept: String = label.chars().filter(|c| !c.is_control()).collect();
    let end = kept.floor_char_boundary(MAX_LABEL);
    kept.get(..end).unwrap_or_default().trim().to_owned()
}

/// How a book is kept: lists, because JSON has no keys but text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberListJson {
    version: u32,
    last_serial: u32,
    peers: Vec<MemberJson>,
    tickets: Vec<TicketRecord>,
    spent: Vec<(u32, TicketEnd)>,
    revoked: Vec<(String, Revoked)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberJson {
    key: String,
    role: Role,
    label: String,
    joined_at: Seconds,
}

const VERSION: u32 = 1;

impl From<&MemberList> for MemberListJson {
    fn from(book: &MemberList) -> Self {
        let peer = |peer: &Member| MemberJson {
            key: peer.key.to_string(),
            role: peer.role,
            label: peer.label.clone(),
            joined_at: peer.joined_at,
        };
        Self {
            version: VERSION,
            last_serial: book.last_serial,
            peers: book.peers.values().map(peer).collect(),
            tickets: book.tickets.values().copied().collect(),
            spent: book.spent.iter().map(|(s, how)| (*s, *how)).collect(),
            revoked: book
                .revoked
                .iter()
                .map(|(key, revoked)| (key.to_string(), *revoked))
                .collect(),
        }
    }
}

impl TryFrom<MemberListJson> for MemberList {
    type Error = String;

    fn try_from(kept: MemberListJson) -> Result<Self, String> {
        if kept.version != VERSION {
            let version = kept.version;
            return Err(format!(
                "it is of version {version}; use a newer distro-tui"
            ));
        }
        let key = |text: &str| text.parse::<PublicKey>().map_err(|e| e.to_string());
        let mut book = Self {
            last_serial: kept.last_serial,
            tickets: kept.tickets.into_iter().map(|t| (t.serial, t)).collect(),
            spent: kept.spent.into_iter().collect(),
            ..Self::default()
        };
        for (text, revoked) in kept.revoked {
            book.revoked.insert(key(&text)?, revoked);
        }
        for peer in kept.peers {
            let key = key(&peer.key)?;
            let peer = Member {
                key,
                role: peer.role,
                label: peer.label,
                joined_at: peer.joined_at,
            };
            book.peers.insert(key, peer);
        }
        Ok(book)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seconds = 1_000_000;

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn join(book: &mut MemberList, ticket: TicketRecord, who: u8) -> Result<Role, String> {
        book.join(NOW, ticket.serial, ticket.role, key(who), "web1")
            .map_err(|fault| fault.message)
    }

    #[test]
    fn a_standing_ticket_is_the_same_until_it_is_rotated() {
        let mut book = MemberList::default();
        let give =
            |book: &mut MemberList| book.ticket(NOW, Role::Member, false, None).expect("room");
        let first = give(&mut book);
        assert_eq!(first, give(&mut book));
        assert_eq!(join(&mut book, first, 1), Ok(Role::Member));
        assert_eq!(join(&mut book, first, 2), Ok(Role::Member));
        assert_eq!(book.rotate(Some(Role::Read)), 0);
        assert_eq!(book.rotate(Some(Role::Member)), 1);
        assert_ne!(first, give(&mut book));
        let why = join(&mut book, first, 3).expect_err("rotated");
        assert!(why.contains("withdrawn"), "{why}");
        assert!(book.peer(&key(1)).is_some(), "who has joined stays");
    }

    #[test]
    fn a_ticket_for_one_is_for_one_and_one_that_ends_ends() {
        let mut book = MemberList::default();
        let once = book.ticket(NOW, Role::Admin, true, None).expect("room");
        assert_eq!(join(&mut book, once, 1), Ok(Role::Admin));
        assert!(join(&mut book, once, 2).expect_err("used").contains("used"));
        let brief = book.ticket(NOW, Role::Read, false, Some(60)).expect("room");
        let at = |book: &mut MemberList, now, who| {
            book.join(now, brief.serial, Role::Read, key(who), "")
        };
        assert!(at(&mut book, NOW + 59, 3).is_ok());
        assert!(at(&mut book, NOW + 60, 3).is_ok(), "who is in is in");
        let late = at(&mut book, NOW + 60, 5).expect_err("over");
        assert!(late.message.contains("expired"), "{late}");
        let other = book.join(NOW, brief.serial, Role::Admin, key(4), "");
        assert!(other.is_err(), "it is not good for another role");
    }

    #[test]
    fn a_revoked_key_comes_back_only_with_a_newer_ticket() {
        let mut book = MemberList::default();
        let old = book.ticket(NOW, Role::Member, false, None).expect("room");
        join(&mut book, old, 1).expect("joins");
        assert!(book.revoke(NOW, key(1)));
        assert!(!book.revoke(NOW, key(9)), "nobody by that key");
        assert!(
            join(&mut book, old, 1)
                .expect_err("out")
                .contains("revoked")
        );
        assert!(join(&mut book, old, 2).is_ok(), "others may");
        book.rotate(None);
        let new = book.ticket(NOW, Role::Member, false, None).expect("room");
        assert_eq!(join(&mut book, new, 1), Ok(Role::Member));
        assert!(!book.is_revoked(&key(1)));
    }

    #[test]
    fn joining_again_never_takes_a_role_away() {
        let mut book = MemberList::default();
        let admin = book.ticket(NOW, Role::Admin, true, None).expect("room");
        let read = book.ticket(NOW, Role::Read, false, None).expect("room");
        join(&mut book, admin, 1).expect("joins");
        assert_eq!(join(&mut book, read, 1), Ok(Role::Admin));
    }

    #[test]
    fn tickets_have_a_bound_and_labels_are_names() {
        let mut book = MemberList::default();
        for _ in 0..MAX_TICKETS {
            book.ticket(NOW, Role::Read, true, None).expect("room");
        }
        assert!(book.ticket(NOW, Role::Read, true, None).is_err());
        assert_eq!(book.rotate(None), MAX_TICKETS);
        assert_eq!(clean_label(" a\u{1b}[2J\n"), "a[2J");
        assert!(clean_label(&"é".repeat(99)).len() <= MAX_LABEL);
    }

    #[test]
    fn what_is_kept_is_what_was() {
        let mut book = MemberList::default();
        let ticket = book.ticket(NOW, Role::Member, false, None).expect("room");
        join(&mut book, ticket, 1).expect("joins");
        book.revoke(NOW, key(2));
        book.ticket(NOW, Role::Admin, true, Some(9)).expect("room");
        book.rotate(Some(Role::Member));
        let text = serde_json::to_string(&MemberListJson::from(&book)).expect("text");
        let kept: MemberListJson = serde_json::from_str(&text).expect("reads");
        assert_eq!(MemberList::try_from(kept), Ok(book));
    }
}
