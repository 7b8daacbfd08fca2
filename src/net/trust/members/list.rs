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
pub const MAX_MEMBERS: usize = 4_096;
/// The most tickets that are out at once.
pub const MAX_TICKETS: usize = 256;
/// Tickets and keys that are no longer good are remembered, so that it can be said why; the oldest go.
const MAX_ENDED: usize = 256;
const MAX_REVOKED: usize = 10_000;
/// The longest label of a member, in bytes.
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
    const fn is_standing(&self) -> bool {
        !self.once && self.expires_at.is_none()
    }
}

/// Why a ticket is no longer good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TicketEnd {
    Used,
    Invalidated,
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
    members: BTreeMap<PublicKey, Member>,
    last_serial: u32,
    tickets: BTreeMap<u32, TicketRecord>,
    ended: BTreeMap<u32, TicketEnd>,
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
    pub fn get(&self, key: &PublicKey) -> Option<&Member> {
        self.members.get(key)
    }

    /// Everybody, in the order in which they joined.
    #[must_use]
    pub fn list(&self) -> Vec<Member> {
        let mut members: Vec<_> = self.members.values().cloned().collect();
        members.sort_by_key(|member| (member.joined_at, member.key));
        members
    }

    /// Whether a key was thrown out.
    #[must_use]
    pub fn is_revoked(&self, key: &PublicKey) -> bool {
        self.revoked.contains_key(key)
    }

    /// Lets a key in, or changes what it may do.
    pub fn admit(&mut self, member: Member) {
        self.revoked.remove(&member.key);
        self.members.insert(member.key, member);
    }

    /// The standing ticket of a role, made if there is none, or one of its own that ends.
    ///
    /// # Errors
    /// [`Code::Overloaded`] when [`MAX_TICKETS`] are out.
    pub fn issue_ticket(
        &mut self,
        now: Seconds,
        role: Role,
        once: bool,
        lifetime: Option<Seconds>,
    ) -> Result<TicketRecord, RemoteError> {
        let expires_at = lifetime.map(|lifetime| now.saturating_add(lifetime));
        let wanted = TicketRecord {
            serial: self.last_serial + 1,
            role,
            once,
            expires_at,
        };
        let standing = self
            .tickets
            .values()
            .find(|t| t.role == role && t.is_standing());
        if let Some(standing) = standing.filter(|_| wanted.is_standing()) {
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
    pub fn invalidate_tickets(&mut self, role: Option<Role>) -> usize {
        let (gone, rest): (BTreeMap<_, _>, _) = std::mem::take(&mut self.tickets)
            .into_iter()
            .partition(|(_, ticket)| role.is_none_or(|role| role == ticket.role));
        self.tickets = rest;
        for serial in gone.keys() {
            self.end_ticket(*serial, TicketEnd::Invalidated);
        }
        gone.len()
    }

    /// A ticket that is good now for this key. Its secret is still to be proved.
    ///
    /// # Errors
    /// [`Code::Denied`] with the reason. Only whoever proves the secret is to be told it.
    pub fn validate(
        &self,
        now: Seconds,
        serial: u32,
        role: Role,
        key: &PublicKey,
    ) -> Result<TicketRecord, RemoteError> {
        let no = |why: &str| Err(RemoteError::new(Code::Denied, why));
        match (self.ended.get(&serial), self.tickets.get(&serial)) {
            (Some(TicketEnd::Used), _) => {
                no("this ticket has been used, and it was good for one; ask for another")
            }
            (Some(TicketEnd::Invalidated), _) => {
                no("this ticket was withdrawn; ask for a newer one")
            }
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
    /// As [`MemberList::validate`]; [`Code::Overloaded`] with [`MAX_MEMBERS`] peers.
    pub fn join(
        &mut self,
        now: Seconds,
        serial: u32,
        role: Role,
        key: PublicKey,
        label: &str,
    ) -> Result<Role, RemoteError> {
        let before = self.members.get(&key).map(|member| member.role);
        if let Some(before) = before.filter(|before| *before >= role) {
            // Its answer was lost, or it asks again: it is in, and a ticket for one is not wasted.
            return Ok(before);
        }
        let ticket = self.validate(now, serial, role, &key)?;
        if before.is_none() && self.members.len() >= MAX_MEMBERS {
            return Err(RemoteError::new(
                Code::Overloaded,
                format!("{MAX_MEMBERS} peers have joined, which is the most; revoke some"),
            ));
        }
        if ticket.once {
            self.tickets.remove(&serial);
            self.end_ticket(serial, TicketEnd::Used);
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
        self.members.remove(&key).is_some()
    }

    fn end_ticket(&mut self, serial: u32, end: TicketEnd) {
        self.ended.insert(serial, end);
        while self.ended.len() > MAX_ENDED {
            self.ended.pop_first();
        }
    }
}

/// An expired ticket is remembered for a day, so that its bearer can be told.
const DAY: Seconds = 24 * 3_600;

/// What a member calls itself, as far as it is a name.
fn clean_label(label: &str) -> String {
    let kept: String = label.chars().filter(|c| !c.is_control()).collect();
    let end = kept.floor_char_boundary(MAX_LABEL);
    kept.get(..end).unwrap_or_default().trim().to_owned()
}

/// How a members is kept: lists, because JSON has no keys but text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberListJson {
    version: u32,
    last_serial: u32,
    peers: Vec<MemberJson>,
    tickets: Vec<TicketRecord>,
    ended: Vec<(u32, TicketEnd)>,
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
    fn from(members: &MemberList) -> Self {
        let member = |member: &Member| MemberJson {
            key: member.key.to_string(),
            role: member.role,
            label: member.label.clone(),
            joined_at: member.joined_at,
        };
        Self {
            version: VERSION,
            last_serial: members.last_serial,
            peers: members.members.values().map(member).collect(),
            tickets: members.tickets.values().copied().collect(),
            ended: members.ended.iter().map(|(s, end)| (*s, *end)).collect(),
            revoked: members
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
        let mut members = Self {
            last_serial: kept.last_serial,
            tickets: kept.tickets.into_iter().map(|t| (t.serial, t)).collect(),
            ended: kept.ended.into_iter().collect(),
            ..Self::default()
        };
        for (text, revoked) in kept.revoked {
            members.revoked.insert(key(&text)?, revoked);
        }
        for member in kept.peers {
            let key = key(&member.key)?;
            let member = Member {
                key,
                role: member.role,
                label: member.label,
                joined_at: member.joined_at,
            };
            members.members.insert(key, member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seconds = 1_000_000;

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn join(members: &mut MemberList, ticket: TicketRecord, who: u8) -> Result<Role, String> {
        members
            .join(NOW, ticket.serial, ticket.role, key(who), "web1")
            .map_err(|error| error.message)
    }

    #[test]
    fn a_standing_ticket_is_the_same_until_it_is_rotated() {
        let mut members = MemberList::default();
        let give = |members: &mut MemberList| {
            members
                .issue_ticket(NOW, Role::Member, false, None)
                .expect("room")
        };
        let first = give(&mut members);
        assert_eq!(first, give(&mut members));
        assert_eq!(join(&mut members, first, 1), Ok(Role::Member));
        assert_eq!(join(&mut members, first, 2), Ok(Role::Member));
        assert_eq!(members.invalidate_tickets(Some(Role::Read)), 0);
        assert_eq!(members.invalidate_tickets(Some(Role::Member)), 1);
        assert_ne!(first, give(&mut members));
        let why = join(&mut members, first, 3).expect_err("rotated");
        assert!(why.contains("withdrawn"), "{why}");
        assert!(members.get(&key(1)).is_some(), "who has joined stays");
    }

    #[test]
    fn a_ticket_for_one_is_for_one_and_one_that_ends_ends() {
        let mut members = MemberList::default();
        let once = members
            .issue_ticket(NOW, Role::Admin, true, None)
            .expect("room");
        assert_eq!(join(&mut members, once, 1), Ok(Role::Admin));
        assert!(
            join(&mut members, once, 2)
                .expect_err("used")
                .contains("used")
        );
        let brief = members
            .issue_ticket(NOW, Role::Read, false, Some(60))
            .expect("room");
        let at = |members: &mut MemberList, now, who| {
            members.join(now, brief.serial, Role::Read, key(who), "")
        };
        assert!(at(&mut members, NOW + 59, 3).is_ok());
        assert!(at(&mut members, NOW + 60, 3).is_ok(), "who is in is in");
        let late = at(&mut members, NOW + 60, 5).expect_err("over");
        assert!(late.message.contains("expired"), "{late}");
        let other = members.join(NOW, brief.serial, Role::Admin, key(4), "");
        assert!(other.is_err(), "it is not good for another role");
    }

    #[test]
    fn a_revoked_key_comes_back_only_with_a_newer_ticket() {
        let mut members = MemberList::default();
        let old = members
            .issue_ticket(NOW, Role::Member, false, None)
            .expect("room");
        join(&mut members, old, 1).expect("joins");
        assert!(members.revoke(NOW, key(1)));
        assert!(!members.revoke(NOW, key(9)), "nobody by that key");
        assert!(
            join(&mut members, old, 1)
                .expect_err("out")
                .contains("revoked")
        );
        assert!(join(&mut members, old, 2).is_ok(), "others may");
        members.invalidate_tickets(None);
        let new = members
            .issue_ticket(NOW, Role::Member, false, None)
            .expect("room");
        assert_eq!(join(&mut members, new, 1), Ok(Role::Member));
        assert!(!members.is_revoked(&key(1)));
    }

    #[test]
    fn joining_again_never_takes_a_role_away() {
        let mut members = MemberList::default();
        let admin = members
            .issue_ticket(NOW, Role::Admin, true, None)
            .expect("room");
        let read = members
            .issue_ticket(NOW, Role::Read, false, None)
            .expect("room");
        join(&mut members, admin, 1).expect("joins");
        assert_eq!(join(&mut members, read, 1), Ok(Role::Admin));
    }

    #[test]
    fn tickets_have_a_bound_and_labels_are_names() {
        let mut members = MemberList::default();
        for _ in 0..MAX_TICKETS {
            members
                .issue_ticket(NOW, Role::Read, true, None)
                .expect("room");
        }
        assert!(members.issue_ticket(NOW, Role::Read, true, None).is_err());
        assert_eq!(members.invalidate_tickets(None), MAX_TICKETS);
        assert_eq!(clean_label(" a\u{1b}[2J\n"), "a[2J");
        assert!(clean_label(&"é".repeat(99)).len() <= MAX_LABEL);
    }

    #[test]
    fn what_is_kept_is_what_was() {
        let mut members = MemberList::default();
        let ticket = members
            .issue_ticket(NOW, Role::Member, false, None)
            .expect("room");
        join(&mut members, ticket, 1).expect("joins");
        members.revoke(NOW, key(2));
        members
            .issue_ticket(NOW, Role::Admin, true, Some(9))
            .expect("room");
        members.invalidate_tickets(Some(Role::Member));
        let text = serde_json::to_string(&MemberListJson::from(&members)).expect("text");
        let kept: MemberListJson = serde_json::from_str(&text).expect("reads");
        assert_eq!(MemberList::try_from(kept), Ok(members));
    }
}
