//! Members, tickets and revocations as a pure state machine: time and secrets are arguments.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::AdmissionError;
use crate::net::trust::{key::PublicKey, role::Role};

/// Seconds since 1970 on the wall clock: tickets and revocations outlive processes.
pub type Seconds = u64;

/// Limit of members of one server.
pub const MAX_MEMBERS: usize = 4_096;
/// Limit of valid tickets.
pub const MAX_TICKETS: usize = 256;
/// Limit of ended tickets that are remembered to report why they ended; the oldest go first.
const MAX_ENDED: usize = 256;
/// Limit of revoked keys that are remembered; the oldest go first.
const MAX_REVOKED: usize = 10_000;
/// Limit of a member's label, in bytes.
pub const MAX_LABEL: usize = 64;
/// A label of this many characters or more, all of which occur in keys, could be a part of a key.
const MIN_KEY_PART: usize = 24;
/// An expired ticket is remembered for a day, to report that it expired.
const DAY: Seconds = 24 * 3_600;
/// The length of the interval of [`JoinLimits::per_minute`].
const MINUTE: Seconds = 60;

/// A member: a key that has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The key that the member must prove to hold.
    pub key: PublicKey,
    /// The member's rights here.
    pub role: Role,
    /// The name that the member gave itself, for people.
    pub label: String,
    /// The time at which it joined.
    pub joined_at: Seconds,
}

/// A valid ticket. Its secret is derived from the server's key and the serial number, and not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRecord {
    /// The serial number.
    pub serial: u32,
    /// The role with which the bearer joins.
    pub role: Role,
    /// Single use: only the first bearer joins.
    pub once: bool,
    /// The time from which nobody joins with it.
    pub expires_at: Option<Seconds>,
    /// The number of keys that have joined with it.
    #[serde(default)]
    pub joins: usize,
}

/// Limits of joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinLimits {
    /// Limit of keys that join with one ticket.
    pub per_ticket: usize,
    /// Limit of keys that join in one minute, with all tickets.
    pub per_minute: usize,
}

impl Default for JoinLimits {
    fn default() -> Self {
        Self {
            per_ticket: 100,
            per_minute: 120,
        }
    }
}

impl TicketRecord {
    /// Reports whether the ticket has expired at a time.
    fn is_expired(&self, now: Seconds) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Reports whether this is a standing ticket: the same one is issued until it is invalidated.
    const fn is_standing(&self) -> bool {
        !self.once && self.expires_at.is_none()
    }
}

/// The reason why a ticket is no longer valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TicketEnd {
    Used,
    Invalidated,
}

/// A revoked key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Revocation {
    /// Tickets up to this serial number do not admit the key again.
    serial: u32,
    at: Seconds,
}

/// Members, tickets and revocations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberList {
    pub(super) members: BTreeMap<PublicKey, Member>,
    pub(super) last_serial: u32,
    pub(super) tickets: BTreeMap<u32, TicketRecord>,
    pub(super) ended: BTreeMap<u32, TicketEnd>,
    pub(super) revoked: BTreeMap<PublicKey, Revocation>,
    /// The highest time seen: a clock that is set back makes no expired ticket valid again.
    pub(super) latest: Seconds,
    pub(super) limits: JoinLimits,
    /// The beginning of the present minute of joins, and their number; not stored.
    pub(super) minute: (Seconds, usize),
}

impl MemberList {
    /// Creates an empty list whose tickets have serial numbers above `now`: if the list of before is lost,
    /// none of its tickets becomes valid again.
    pub(super) fn numbered_from(now: Seconds) -> Self {
        Self {
            last_serial: u32::try_from(now).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Returns the member with this key.
    #[must_use]
    pub fn get(&self, key: &PublicKey) -> Option<&Member> {
        self.members.get(key)
    }

    /// Returns every member, in the order in which they joined.
    #[must_use]
    pub fn list(&self) -> Vec<Member> {
        let mut members: Vec<_> = self.members.values().cloned().collect();
        members.sort_by_key(|member| (member.joined_at, member.key));
        members
    }

    /// Reports whether a key was revoked.
    #[must_use]
    pub fn is_revoked(&self, key: &PublicKey) -> bool {
        self.revoked.contains_key(key)
    }

    /// Adds a member, or changes its role.
    pub fn admit(&mut self, member: Member) {
        self.revoked.remove(&member.key);
        self.members.insert(member.key, member);
    }

    /// Sets the limits of joining.
    pub const fn set_limits(&mut self, limits: JoinLimits) {
        self.limits = limits;
    }

    /// Returns the limits of joining.
    #[must_use]
    pub const fn limits(&self) -> JoinLimits {
        self.limits
    }

    /// Returns the time at which the next ticket expires.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Seconds> {
        let tickets = self.tickets.values();
        let valid = tickets.filter(|ticket| !ticket.is_expired(self.latest));
        valid.filter_map(|ticket| ticket.expires_at).min()
    }

    /// Reports whether two lists differ in nothing but their time, and the same tickets have expired.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let Self {
            members,
            last_serial,
            tickets,
            ended,
            revoked,
            ..
        } = self;
        *members == other.members
            && *last_serial == other.last_serial
            && *tickets == other.tickets
            && *ended == other.ended
            && *revoked == other.revoked
            && self.expired() == other.expired()
    }

    /// Returns the time, which never goes back.
    pub fn advance(&mut self, now: Seconds) -> Seconds {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// Returns the number of tickets that have expired.
    fn expired(&self) -> usize {
        let tickets = self.tickets.values();
        tickets
            .filter(|ticket| ticket.is_expired(self.latest))
            .count()
    }

    /// Returns the standing ticket of a role, issued if there is none that admits another key; or issues a
    /// single-use ticket or one with a lifetime.
    ///
    /// # Errors
    /// [`AdmissionError::TooManyTickets`].
    pub fn issue_ticket(
        &mut self,
        now: Seconds,
        role: Role,
        once: bool,
        lifetime: Option<Seconds>,
    ) -> Result<TicketRecord, AdmissionError> {
        let now = self.advance(now);
        let ticket = TicketRecord {
            joins: 0,
            serial: self.last_serial + 1,
            role,
            once,
            expires_at: lifetime.map(|lifetime| now.saturating_add(lifetime)),
        };
        let standing = self
            .tickets
            .values()
            .find(|t| t.role == role && t.is_standing() && t.joins < self.limits.per_ticket);
        if let Some(standing) = standing.filter(|_| ticket.is_standing()) {
            return Ok(*standing);
        }
        let outdated = |ticket: &TicketRecord| {
            ticket
                .expires_at
                .is_some_and(|at| at.saturating_add(DAY) < now)
        };
        self.tickets.retain(|_, ticket| !outdated(ticket));
        if self.tickets.len() >= MAX_TICKETS {
            return Err(AdmissionError::TooManyTickets);
        }
        self.last_serial = ticket.serial;
        self.tickets.insert(ticket.serial, ticket);
        Ok(ticket)
    }

    /// Invalidates every ticket, or those of one role; returns their number.
    pub fn invalidate_tickets(&mut self, role: Option<Role>) -> usize {
        let (invalidated, rest): (BTreeMap<_, _>, _) = std::mem::take(&mut self.tickets)
            .into_iter()
            .partition(|(_, ticket)| role.is_none_or(|role| role == ticket.role));
        self.tickets = rest;
        for serial in invalidated.keys() {
            self.end_ticket(*serial, TicketEnd::Invalidated);
        }
        invalidated.len()
    }

    /// Returns the ticket if it is valid for this key. Its secret is still to be verified.
    ///
    /// # Errors
    /// An [`AdmissionError`] with the reason, which only a bearer who proved the secret may see.
    fn validate(
        &self,
        serial: u32,
        role: Role,
        key: &PublicKey,
    ) -> Result<TicketRecord, AdmissionError> {
        match (self.ended.get(&serial), self.tickets.get(&serial)) {
            (Some(TicketEnd::Used), _) => Err(AdmissionError::UsedTicket),
            (Some(TicketEnd::Invalidated), _) => Err(AdmissionError::InvalidatedTicket),
            (None, Some(ticket)) if ticket.role == role => {
                if ticket.is_expired(self.latest) {
                    Err(AdmissionError::ExpiredTicket)
                } else if self.revoked.get(key).is_some_and(|r| serial <= r.serial) {
                    Err(AdmissionError::RevokedKey)
                } else {
                    Ok(*ticket)
                }
            }
            _ => Err(AdmissionError::UnknownTicket),
        }
    }

    /// Admits a key that has proved a valid ticket. A member that joins again keeps the higher role.
    ///
    /// # Errors
    /// An [`AdmissionError`] with the reason, which only a bearer who proved the secret may see.
    pub fn join(
        &mut self,
        now: Seconds,
        serial: u32,
        role: Role,
        key: PublicKey,
        label: &str,
    ) -> Result<Role, AdmissionError> {
        let now = self.advance(now);
        let before = self.members.get(&key).map(|member| member.role);
        if let Some(before) = before.filter(|before| *before >= role) {
            // The reply was lost, or it joins again: a single-use ticket is not consumed.
            return Ok(before);
        }
        let ticket = self.validate(serial, role, &key)?;
        if before.is_none() && self.members.len() >= MAX_MEMBERS {
            return Err(AdmissionError::TooManyMembers);
        }
        self.count_join(now, serial)?;
        if ticket.once {
            self.tickets.remove(&serial);
            self.end_ticket(serial, TicketEnd::Used);
        }
        let role = before.map_or(ticket.role, |before| before.max(ticket.role));
        self.admit(Member {
            key,
            role,
            label: sanitize_label(label),
            joined_at: now,
        });
        Ok(role)
    }

    /// Counts a key that joins with a ticket.
    fn count_join(&mut self, now: Seconds, serial: u32) -> Result<(), AdmissionError> {
        let JoinLimits {
            per_ticket,
            per_minute,
        } = self.limits;
        if now >= self.minute.0.saturating_add(MINUTE) {
            self.minute = (now, 0);
        }
        let joins = self
            .tickets
            .get_mut(&serial)
            .map(|ticket| &mut ticket.joins);
        let joins = joins.ok_or(AdmissionError::UnknownTicket)?;
        if *joins >= per_ticket {
            return Err(AdmissionError::TicketQuota(per_ticket));
        }
        if self.minute.1 >= per_minute {
            return Err(AdmissionError::JoinRate(per_minute));
        }
        *joins += 1;
        self.minute.1 += 1;
        Ok(())
    }

    /// Revokes a key; returns whether it was a member.
    pub fn revoke(&mut self, now: Seconds, key: PublicKey) -> bool {
        let (serial, now) = (self.last_serial, self.advance(now));
        self.revoked.insert(key, Revocation { serial, at: now });
        while self.revoked.len() > MAX_REVOKED {
            let oldest = self
                .revoked
                .iter()
                .min_by_key(|(_, revocation)| revocation.at);
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

/// Removes control characters from a label and limits its length. A label that looks like a key is
/// removed: the revocation of a key must not revoke another member by its label.
pub(super) fn sanitize_label(label: &str) -> String {
    let printable: String = label.chars().filter(|c| !c.is_control()).collect();
    let end = printable.floor_char_boundary(MAX_LABEL);
    let label = printable.get(..end).unwrap_or_default().trim();
    match looks_like_key(label) {
        true => String::new(),
        false => label.to_owned(),
    }
}

/// Reports whether a text could be a key or a long part of one.
fn looks_like_key(text: &str) -> bool {
    text.len() >= MIN_KEY_PART
        && text
            .bytes()
            .all(|c| matches!(c, b'a'..=b'z' | b'A'..=b'Z' | b'2'..=b'7'))
}

#[cfg(test)]
mod tests;
