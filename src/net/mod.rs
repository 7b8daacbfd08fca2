//! Names and calls over QUIC: the ground floor. It knows nothing of tasks or of a screen.
//!
//! | room | what it is for |
//! |---|---|
//! | [`key`], [`identity`], [`peer`] | who a process is: its key, its file, its TLS configuration; whom to dial |
//! | [`value`], [`wire`], [`error`] | what travels: values, frames, refusals |
//! | [`object`] | what can be called: typed functions under method names |
//! | [`members`], [`ticket`] | who may connect, and what each may do; one string that lets somebody join |
//! | [`peers`] | the object by which members are listed, let in and thrown out |
//! | [`endpoint`], `server`, `stream` | the socket, the accept loop, one task per call, ordered shutdown |
//! | [`client`] | calling: pooled connections, deadlines, cancel by drop |
//! | [`naming`] | the phone book: an object like any other |
//! | [`proxy`] | a call by name: look up, dial what the answer says, fail over |
//! | [`greeter`] | the object that greets |

pub mod admission;
pub mod greeter;
pub mod naming;
pub mod peer_addr;
/// QUIC: the endpoint's TLS, transport parameters and streams.
pub mod quic;
/// Remote calls: frames, objects, server and client.
pub mod rpc;
/// Keys, identities, tickets and members.
pub mod trust;
pub mod uri;
