//! The stored form of the member list: lists, because JSON keys are text only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    error::MemberFileError,
    list::{Member, MemberList, Revocation, Seconds, TicketEnd, TicketRecord, sanitize_label},
};
use crate::net::trust::{key::PublicKey, role::Role};

const VERSION: u32 = 1;

/// The content of the member file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberListJson {
    version: u32,
    last_serial: u32,
    members: Vec<StoredMemberJson>,
    tickets: Vec<TicketRecord>,
    ended: Vec<(u32, TicketEnd)>,
    revoked: Vec<(String, Revocation)>,
    #[serde(default)]
    latest: Seconds,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredMemberJson {
    key: String,
    role: Role,
    label: String,
    joined_at: Seconds,
}

impl From<&MemberList> for MemberListJson {
    fn from(list: &MemberList) -> Self {
        let member = |member: &Member| StoredMemberJson {
            key: member.key.to_string(),
            role: member.role,
            label: member.label.clone(),
            joined_at: member.joined_at,
        };
        let revoked = |(key, revocation): (&PublicKey, &Revocation)| (key.to_string(), *revocation);
        Self {
            version: VERSION,
            last_serial: list.last_serial,
            members: list.members.values().map(member).collect(),
            tickets: list.tickets.values().copied().collect(),
            ended: list
                .ended
                .iter()
                .map(|(serial, end)| (*serial, *end))
                .collect(),
            revoked: list.revoked.iter().map(revoked).collect(),
            latest: list.latest,
        }
    }
}

impl TryFrom<MemberListJson> for MemberList {
    type Error = MemberFileError;

    fn try_from(json: MemberListJson) -> Result<Self, MemberFileError> {
        if json.version != VERSION {
            return Err(MemberFileError::Version(json.version));
        }
        let mut revoked = BTreeMap::new();
        for (key, revocation) in json.revoked {
            revoked.insert(key.parse()?, revocation);
        }
        let mut members = BTreeMap::new();
        for member in json.members {
            let key = member.key.parse()?;
            let member = Member {
                key,
                role: member.role,
                label: sanitize_label(&member.label),
                joined_at: member.joined_at,
            };
            members.insert(key, member);
        }
        Ok(Self {
            members,
            last_serial: json.last_serial,
            tickets: json.tickets.into_iter().map(|t| (t.serial, t)).collect(),
            ended: json.ended.into_iter().collect(),
            revoked,
            latest: json.latest,
            ..Self::default()
        })
    }
}
