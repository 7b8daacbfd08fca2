//! Trust: keys, tickets, roles and the members of a node.

pub mod identity;
pub mod key;
pub mod members;
pub mod peer_addr;
pub mod principal;
pub mod role;
pub mod ticket;
