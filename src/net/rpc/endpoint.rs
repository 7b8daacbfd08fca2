//! The endpoint: one UDP socket that serves objects and connects to others, with an ordered shutdown. It is
//! part of `rpc` and not of `quic`, because it owns the objects that it serves and the client that shares
//! its socket.

use std::{collections::HashMap, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use quinn::{AsyncUdpSocket, Runtime as _, TokioRuntime};
use serde::{Deserialize, Serialize};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    client::Client,
    object::Objects,
    server::{self, CallCounts, Refusals, ServerState},
};
use crate::{
    health::Findings,
    net::{
        quic::{
            limits::Reception,
            quotas::Quotas,
            stream::CloseCode,
            transport::{self, TlsSetupError},
        },
        trust::{
            identity::Identity,
            key::PublicKey,
            members::{JoinLimits, Members, TicketRecord},
            ticket::Ticket,
        },
    },
};

pub use crate::net::quic::{
    limits::ConnectionStats,
    quotas::{KeyUsage, PeerLimits},
};

/// An endpoint that could not be created.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address cannot be bound.
    #[error("cannot listen on {addr}: {error}")]
    Bind {
        /// The requested address.
        addr: SocketAddr,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// TLS or QUIC cannot be set up.
    #[error(transparent)]
    Setup(#[from] TlsSetupError),
}

/// A bound QUIC endpoint. Create and use it inside a tokio runtime. Stop it with [`Endpoint::shutdown`]:
/// otherwise peers wait for their idle timeout.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<ServerState>,
    client: Client,
    key: PublicKey,
}

impl Endpoint {
    /// Binds a UDP socket and starts to accept connections.
    ///
    /// # Errors
    /// [`EndpointError::Bind`] when the address is in use or not local.
    pub fn bind(
        addr: SocketAddr,
        identity: &Identity,
        members: Members,
    ) -> Result<Self, EndpointError> {
        let endpoint = Self::bind_paused(addr, identity, members, PeerLimits::default())?;
        endpoint.start_accepting();
        Ok(endpoint)
    }

    /// Like [`Endpoint::bind`], with limits of your own, but clients wait until
    /// [`Endpoint::start_accepting`]. A restarted server is found at once by its old clients, and needs its
    /// objects by then.
    ///
    /// # Errors
    /// As [`Endpoint::bind`].
    pub fn bind_paused(
        addr: SocketAddr,
        identity: &Identity,
        members: Members,
        limits: PeerLimits,
    ) -> Result<Self, EndpointError> {
        let failed = |error| EndpointError::Bind { addr, error };
        let socket = std::net::UdpSocket::bind(addr).map_err(failed)?;
        let socket = TokioRuntime.wrap_udp_socket(socket).map_err(failed)?;
        Self::paused(socket, identity, members, limits)
    }

    /// Starts to accept connections.
    pub fn start_accepting(&self) {
        let accepting = server::accept(Arc::clone(&self.shared));
        self.shared.tasks.spawn(accepting);
    }

    /// Like [`Endpoint::bind`], with a socket of the caller's, for example a simulated one.
    ///
    /// # Errors
    /// [`EndpointError::Setup`], or [`EndpointError::Bind`] when the socket has no address.
    pub fn with_socket(
        socket: Arc<dyn AsyncUdpSocket>,
        identity: &Identity,
        members: Members,
    ) -> Result<Self, EndpointError> {
        let endpoint = Self::paused(socket, identity, members, PeerLimits::default())?;
        endpoint.start_accepting();
        Ok(endpoint)
    }

    fn paused(
        socket: Arc<dyn AsyncUdpSocket>,
        identity: &Identity,
        members: Members,
        limits: PeerLimits,
    ) -> Result<Self, EndpointError> {
        let addr = socket.local_addr();
        let reception = Reception::default();
        let quinn = quinn::Endpoint::new_with_abstract_socket(
            transport::endpoint_config(identity),
            Some(transport::server_config(
                identity,
                Arc::clone(&reception.proved),
            )?),
            socket,
            Arc::new(TokioRuntime),
        )
        .map_err(|error| EndpointError::Bind {
            addr: addr.unwrap_or_else(|_unbound| SocketAddr::from(([0, 0, 0, 0], 0))),
            error,
        })?;
        let stopping = CancellationToken::new();
        let client = Client::new(quinn.clone(), identity.clone(), stopping.clone());
        let shared = Arc::new(ServerState {
            quinn,
            identity: identity.clone(),
            members,
            objects: Objects::default(),
            stopping,
            tasks: TaskTracker::new(),
            calls: CallCounts::default(),
            reception,
            quotas: Quotas::new(limits),
            refusals: Refusals::default(),
        });
        Ok(Self {
            shared,
            client,
            key: identity.public(),
        })
    }

    /// Reports it to these findings when many clients are refused. The first call counts.
    pub(crate) fn report_to(&self, findings: Findings) {
        self.shared.refusals.findings.set(findings).ok();
    }

    /// Returns the objects that it serves.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.shared.objects
    }

    /// Returns the keys that may connect.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.shared.members
    }

    /// Returns a client that uses this endpoint's socket; clones share connections.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Returns the key that it presents to peers.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// Returns the address on which it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.quinn.local_addr()
    }

    /// Returns the numbers of calls that succeeded and that failed since the start.
    #[must_use]
    pub fn call_counts(&self) -> (u64, u64) {
        self.shared.calls.load()
    }

    /// Returns counts of its connections.
    #[must_use]
    pub fn connection_stats(&self) -> ConnectionStats {
        let open = self.shared.quinn.open_connections();
        self.shared.reception.stats(open)
    }

    /// Returns what each connected key uses.
    #[must_use]
    pub fn usage_by_key(&self) -> HashMap<PublicKey, KeyUsage> {
        self.shared.quotas.usage()
    }

    /// Returns the number of incoming connections of each key.
    #[must_use]
    pub fn connections_by_key(&self) -> HashMap<PublicKey, usize> {
        let usage = self.usage_by_key().into_iter();
        usage.map(|(key, usage)| (key, usage.connections)).collect()
    }

    /// Returns what peers use of it, and the limits.
    #[must_use]
    pub fn usage(&self) -> EndpointUsage {
        let quotas = &self.shared.quotas;
        EndpointUsage {
            used: quotas.total(),
            limits: quotas.limits(),
            join_limits: self.members().join_limits(),
            connections: self.connection_stats(),
            refused: quotas.refused(),
        }
    }

    /// Returns the ticket of a record, with the addresses where this endpoint can be reached.
    #[must_use]
    pub fn ticket_for(&self, issued: &TicketRecord, addrs: Vec<SocketAddr>) -> Ticket {
        let TicketRecord { serial, role, .. } = *issued;
        Ticket {
            role,
            serial,
            addrs,
            key: self.key,
            secret: self.shared.identity.ticket_secret(role, serial),
        }
    }

    /// Shuts down in order: accepts nothing new, waits at most `grace` for running calls, closes every
    /// connection, and waits at most `grace` again until that is sent. A second call does nothing.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        tokio::time::timeout(grace, self.shared.tasks.wait())
            .await
            .ok();
        self.shared
            .quinn
            .close(CloseCode::Shutdown.code(), b"shutting down");
        tokio::time::timeout(grace, self.shared.quinn.wait_idle())
            .await
            .ok();
    }
}

/// The use of an endpoint by its peers, and the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointUsage {
    /// The use of all keys together.
    pub used: KeyUsage,
    /// The limits of what keys use.
    pub limits: PeerLimits,
    /// The limits of joining.
    pub join_limits: JoinLimits,
    /// Counts of connections.
    pub connections: ConnectionStats,
    /// Connections and calls that were refused at a quota since the start.
    pub refused: u64,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.key.fingerprint())
    }
}
