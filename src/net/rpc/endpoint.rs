//! The process's one QUIC endpoint: it serves objects and dials others, and it stops in order.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use quinn::{AsyncUdpSocket, Runtime as _, TokioRuntime};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    client::Client,
    object::Objects,
    server::{self, AcceptStats, Calls, ConnectionLimiter, Shared},
};
use crate::net::{
    quic::{
        stream::GOODBYE,
        transport::{self, SetupError},
    },
    trust::{
        identity::Identity,
        key::PublicKey,
        members::{Members, TicketRecord},
        ticket::Ticket,
    },
};

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {error}")]
    Bind {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// TLS or QUIC cannot be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// A bound QUIC endpoint. Make and use it inside a tokio runtime; it stops with
/// [`Endpoint::shutdown`], and dropping it without that leaves peers waiting for their idle timeout.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
    client: Client,
    key: PublicKey,
}

impl Endpoint {
    /// Binds a UDP socket and starts to accept.
    ///
    /// # Errors
    /// [`EndpointError::Bind`] when the address is taken or not ours.
    pub fn bind(
        addr: SocketAddr,
        identity: &Identity,
        members: Members,
    ) -> Result<Self, EndpointError> {
        let endpoint = Self::bind_paused(addr, identity, members)?;
        endpoint.start_accepting();
        Ok(endpoint)
    }

    /// The same without accepting yet: whoever calls waits until [`Endpoint::open`]. A server that comes
    /// back is found at once by those who knew it, and is to have its objects by then.
    ///
    /// # Errors
    /// As [`Endpoint::bind`].
    pub fn bind_paused(
        addr: SocketAddr,
        identity: &Identity,
        members: Members,
    ) -> Result<Self, EndpointError> {
        let failed = |error| EndpointError::Bind { addr, error };
        let socket = std::net::UdpSocket::bind(addr).map_err(failed)?;
        let socket = TokioRuntime.wrap_udp_socket(socket).map_err(failed)?;
        Self::closed(socket, identity, members)
    }

    /// Starts to accept.
    pub fn start_accepting(&self) {
        let accepting = server::accept(Arc::clone(&self.shared));
        self.shared.tasks.spawn(accepting);
    }

    /// Uses a socket that the caller brings, for example a simulated one.
    ///
    /// # Errors
    /// [`EndpointError::Setup`], or [`EndpointError::Bind`] when the socket has no address.
    pub fn with_socket(
        socket: Arc<dyn AsyncUdpSocket>,
        identity: &Identity,
        members: Members,
    ) -> Result<Self, EndpointError> {
        let endpoint = Self::closed(socket, identity, members)?;
        endpoint.start_accepting();
        Ok(endpoint)
    }

    fn closed(
        socket: Arc<dyn AsyncUdpSocket>,
        identity: &Identity,
        members: Members,
    ) -> Result<Self, EndpointError> {
        let addr = socket.local_addr();
        let doors = AcceptStats::default();
        let quinn = quinn::Endpoint::new_with_abstract_socket(
            transport::endpoint(identity),
            Some(transport::server(identity, Arc::clone(&doors.proved))?),
            socket,
            Arc::new(TokioRuntime),
        )
        .map_err(|error| EndpointError::Bind {
            addr: addr.unwrap_or_else(|_unbound| SocketAddr::from(([0, 0, 0, 0], 0))),
            error,
        })?;
        let stopping = CancellationToken::new();
        let client = Client::new(quinn.clone(), identity.clone(), stopping.clone());
        let shared = Arc::new(Shared {
            quinn,
            identity: identity.clone(),
            members,
            objects: Objects::default(),
            stopping,
            tasks: TaskTracker::new(),
            calls: Calls::default(),
            doors,
            seats: ConnectionLimiter::default(),
            joining: Semaphore::new(server::MAX_JOINING),
        });
        Ok(Self {
            shared,
            client,
            key: identity.public(),
        })
    }

    /// The objects that it serves.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.shared.objects
    }

    /// Who may connect.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.shared.members
    }

    /// A handle to make calls with; clones share their connections.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The key that it shows to peers.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.quinn.local_addr()
    }

    /// Calls that were answered since the start, and calls that met a error.
    #[must_use]
    pub fn call_counts(&self) -> (u64, u64) {
        self.shared.calls.so_far()
    }

    /// What happens at its door.
    #[must_use]
    pub fn connection_stats(&self) -> ConnectionStats {
        let doors = &self.shared.doors;
        ConnectionStats {
            open: self.shared.quinn.open_connections(),
            proved: doors.proved.load(Ordering::Relaxed),
            retried: doors.retried.load(Ordering::Relaxed),
            denied: doors.denied.load(Ordering::Relaxed),
        }
    }

    /// How many connections each key has open to it.
    #[must_use]
    pub fn connections_by_key(&self) -> HashMap<PublicKey, usize> {
        self.shared.seats.each()
    }

    /// The ticket with this number, as its text is given out: with these addresses.
    #[must_use]
    pub fn ticket(&self, issued: &TicketRecord, addrs: Vec<SocketAddr>) -> Ticket {
        let TicketRecord { serial, role, .. } = *issued;
        Ticket {
            role,
            serial,
            addrs,
            key: self.key,
            secret: self.shared.identity.ticket_secret(role, serial),
        }
    }

    /// Stops in order: accept nothing new, let running calls end for at most `grace`, tell every
    /// peer, and wait at most `grace` again for the goodbyes to be sent. A second call does nothing.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        tokio::time::timeout(grace, self.shared.tasks.wait())
            .await
            .ok();
        self.shared.quinn.close(GOODBYE, b"shutting down");
        tokio::time::timeout(grace, self.shared.quinn.wait_idle())
            .await
            .ok();
    }
}

/// What happens at an endpoint's door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionStats {
    /// Connections that are open or being made, in both directions.
    pub open: usize,
    /// Callers who proved that they hold their key, since the start. Whoever goes on with a session of
    /// before does not have to: rights are looked up all the same.
    pub proved: u64,
    /// Callers who were asked to prove their address first, since the start.
    pub retried: u64,
    /// Callers who were turned away, since the start.
    pub denied: u64,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.key.fingerprint())
    }
}
