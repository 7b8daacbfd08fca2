//! Errors of starting a node and of connecting to one.

use std::{io, net::SocketAddr, path::PathBuf};

use super::{instance_lock::InstanceLockError, known_nodes::KnownNodesError};
use crate::{
    files,
    net::{
        rpc::{endpoint::EndpointError, error::CallError},
        trust::{identity::IdentityError, members::MembersError, ticket::ParseTicketError},
    },
    queue::error::StartError,
};

/// The reason why a node did not start. Nothing of it runs then.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The network cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The member list cannot be read.
    #[error(transparent)]
    Members(#[from] MembersError),
    /// The joined nodes cannot be read.
    #[error(transparent)]
    Known(#[from] KnownNodesError),
    /// Another process uses the data folder.
    #[error(
        "a node runs on {folder} already (process {pid}), and this command starts its own: stop that \
         one, or choose another folder with --data-dir"
    )]
    Running {
        /// The folder.
        folder: String,
        /// The process.
        pid: u32,
    },
    /// The data folder cannot be used.
    #[error("cannot use {path}: {}", files::describe_error(error))]
    Folder {
        /// A file in it.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// There is no naming server to register with.
    #[error(
        "a node without a naming server has to join one: distro-tui join TICKET, or serve --join TICKET"
    )]
    NoNaming,
    /// The broker did not start.
    #[error(transparent)]
    Broker(#[from] StartError),
    /// The address for metrics cannot be used.
    #[error("cannot serve metrics at {addr}: {error}; choose another address with --metrics")]
    Metrics {
        /// The address.
        addr: SocketAddr,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// The system has no more threads.
    #[error("cannot start the network: {0}")]
    Network(#[from] io::Error),
}

/// The reason why there is no connection to a node.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No node runs on the data folder.
    #[error(
        "no node runs on {0}; start one with `distro-tui serve`, or name another with --connect"
    )]
    NotRunning(String),
    /// The process that holds the lock of the data folder has another key than the folder.
    #[error(
        "the process that uses {folder} says that its key is {key}, which is not the key of this folder; stop it, \
         and start the node again"
    )]
    OtherKey {
        /// The folder.
        folder: String,
        /// The beginning of the key.
        key: String,
    },
    /// The name of the node is not known.
    #[error(
        "`{0}` is neither a ticket nor the key of an upstream; paste a ticket, or see `distro-tui \
         members` for the upstreams of this node"
    )]
    Unknown(String),
    /// More than one node fits.
    #[error("more than one upstream has a key that begins with `{0}`; give more of the key")]
    Ambiguous(String),
    /// The node could not be reached, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The text begins like a ticket and is none.
    #[error(transparent)]
    Ticket(#[from] ParseTicketError),
    /// The joined nodes cannot be read or stored.
    #[error(transparent)]
    Known(#[from] KnownNodesError),
    /// This process's own network did not start.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl From<InstanceLockError> for NodeError {
    fn from(error: InstanceLockError) -> Self {
        match error {
            InstanceLockError::Held(folder, pid) => Self::Running {
                folder: folder.display().to_string(),
                pid,
            },
            InstanceLockError::Io { path, error } => Self::Folder { path, error },
        }
    }
}

impl From<InstanceLockError> for SessionError {
    fn from(error: InstanceLockError) -> Self {
        Self::Node(error.into())
    }
}
