//! Names and calls over QUIC, the lowest layer of the program: it knows nothing of tasks or of a screen.
//!
//! | module | contents |
//! |---|---|
//! | [`trust`] | keys, the identity of this process, tickets, roles, members |
//! | `quic` | TLS and transport settings, streams, limits of connections |
//! | [`rpc`] | frames, objects, services, the endpoint, the client |
//! | [`naming`] | the naming server and its client; calls by name |
//! | [`admission`] | the object by which members are listed, invited and removed |
//! | [`greeter`] | the object that greets |
//! | [`uri`] | URIs of objects |
//! | `watchdog` | the longest work on the network thread |
//! | `revision_log` | a bounded log for readers that catch up by revision |

pub mod admission;
pub mod greeter;
pub mod naming;
mod quic;
pub(crate) mod revision_log;
pub mod rpc;
pub mod trust;
pub mod uri;
pub(crate) mod watchdog;
