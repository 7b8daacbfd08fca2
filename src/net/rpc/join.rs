//! The request of an unknown key to join, protocol `distro-join/1`.

use serde::{Deserialize, Serialize};

use crate::net::trust::role::Role;

/// A request to join with a ticket. The proof covers the ticket's secret and this TLS session, so that it
/// is of no use to anybody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The ticket's serial number.
    pub serial: u32,
    /// The ticket's role.
    pub role: Role,
    /// The client's name for itself, for people.
    pub label: String,
    /// The proof of possession.
    pub proof: [u8; 32],
}
