//! A process of the system: a network with the naming server and the greeter on it, and a broker with its
//! workers. A node starts in order and stops in order; everything that it hands out is a handle that may
//! be used from any runtime.
//!
//! | file | subject |
//! |---|---|
//! | `running`, `start`, `config`, `services` | [`Node`], a node of this process, and what it serves |
//! | `session`, `client_runtime`, `handle`, `watch` | [`Session`], an open connection to any node, and [`NodeHandle`], the operations on it |
//! | `upstreams`, `service`, `client`, [`known_nodes`] | the nodes that this one has joined, and the object by which others make it join and leave |
//! | `health_reports` | what the node reports to its findings |
//! | `naming`, `names_journal`, `names_file` | the naming server, and the journal in which names persist |
//! | `instance_lock`, `address`, `discover`, `net_thread` | one node for each data folder, addresses at which others reach it, mDNS, the network's thread |

mod address;
mod client;
mod client_runtime;
mod config;
mod discover;
mod error;
mod handle;
mod health_reports;
mod instance_lock;
pub mod known_nodes;
mod names_file;
mod names_journal;
mod naming;
mod net_thread;
mod running;
mod service;
mod services;
mod session;
mod start;
mod upstreams;
mod watch;

pub use self::{
    address::loopback_warning,
    config::{BrokerOptions, Component, NodeConfig, hostname},
    error::{NodeError, SessionError},
    handle::{Locality, NodeHandle, NodeInfo},
    running::Node,
    service::{JoinOutcome, NamesStatus, NodeStatus},
    services::Services,
    session::Session,
    upstreams::UpstreamStatus,
    watch::NamesEvent,
};
