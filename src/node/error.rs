//! Why a node did not start.

use std::{io, net::SocketAddr, path::PathBuf};

use super::known_nodes;
use crate::{
    net::{
        rpc::endpoint::EndpointError,
        trust::{identity::IdentityError, members::MembersError},
    },
    queue::embedded::StartError,
};

/// Why a node did not start. Nothing of it runs then.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The network.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Who has joined.
    #[error(transparent)]
    Members(#[from] MembersError),
    /// Which nodes were joined.
    #[error(transparent)]
    Known(#[from] known_nodes::KnownNodesError),
    /// Another process has the data folder.
    #[error(
        "a node runs on {folder} already (process {pid}); this command needs one of its own: end that \
         one, or choose another folder with --data-dir"
    )]
    Running {
        /// The folder.
        folder: String,
        /// The process.
        pid: u32,
    },
    /// The data folder cannot be used.
    #[error("cannot use {path}: {error}")]
    Folder {
        /// A file in it.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// There is nobody to register with.
    #[error(
        "a node without a naming server has to join one: distro-tui join TICKET, or serve --join TICKET"
    )]
    NoNaming,
    /// The broker.
    #[error(transparent)]
    Broker(#[from] StartError),
    /// The address of the numbers for Prometheus.
    #[error("cannot serve metrics at {addr}: {why}; choose another address with --metrics")]
    Metrics {
        /// Where they were to be.
        addr: SocketAddr,
        /// Why not.
        why: io::Error,
    },
    /// A thread or a runtime.
    #[error("cannot start the network: {0}")]
    Network(#[from] io::Error),
}
