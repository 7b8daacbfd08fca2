//! The client. Connections are pooled by the server's address and key, and dialed once, however many calls
//! wait for them. Dropping a call's future cancels the call at the server.

mod dial;
mod happy_eyeballs;
mod join;
mod pool;
mod response_stream;

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use quinn::{RecvStream, SendStream};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use self::{
    dial::{connection_error, transport_error},
    pool::ConnectionPool,
};
use super::{
    error::CallError,
    wire::{self, Call, FrameError, Hello},
};
use crate::{
    net::{
        quic::{
            stream::ResetOnDrop,
            transport::{ALPN, READ_ALPN},
        },
        trust::{identity::Identity, key::PublicKey, peer_addr::PeerAddr},
    },
    value::{Encoded, Value},
};

pub(in crate::net) use self::happy_eyeballs::race;
pub use self::response_stream::ResponseStream;

/// The default deadline of a call.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// A method of an object and its arguments, without the peer that serves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The object's name at its server.
    pub object: String,
    /// The method's name.
    pub method: String,
    /// Arguments by position.
    pub args: Vec<Value>,
    /// Arguments by name.
    pub kwargs: Vec<(String, Value)>,
}

impl Request {
    /// Creates a request for `object.method` with arguments by position.
    pub fn new(object: impl Into<String>, method: impl Into<String>, args: Vec<Value>) -> Self {
        Self {
            object: object.into(),
            method: method.into(),
            args,
            kwargs: Vec::new(),
        }
    }
}

/// A client that calls objects of other processes. Clones are cheap and share connections.
#[derive(Clone)]
pub struct Client(Arc<ClientState>);

struct ClientState {
    quinn: quinn::Endpoint,
    identity: Identity,
    stopping: CancellationToken,
    /// The protocol of its connections.
    protocol: &'static [u8],
    pool: Mutex<ConnectionPool>,
}

impl Client {
    pub(super) fn new(
        quinn: quinn::Endpoint,
        identity: Identity,
        stopping: CancellationToken,
    ) -> Self {
        Self(Arc::new(ClientState {
            quinn,
            identity,
            stopping,
            protocol: ALPN,
            pool: Mutex::default(),
        }))
    }

    /// Returns a client on the same socket whose connections change nothing: every server gives its calls the
    /// role `read`.
    #[must_use]
    pub fn read_only(&self) -> Self {
        Self(Arc::new(ClientState {
            quinn: self.0.quinn.clone(),
            identity: self.0.identity.clone(),
            stopping: self.0.stopping.clone(),
            protocol: READ_ALPN,
            pool: Mutex::default(),
        }))
    }

    /// Returns the key of this process.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.0.identity.public()
    }

    /// Calls a method and returns its result. `deadline` bounds everything: connecting, waiting for a
    /// free stream, sending and the method itself.
    ///
    /// # Errors
    /// Every [`CallError`]; a refusal of the other side is [`CallError::Remote`].
    pub async fn call(
        &self,
        peer: PeerAddr,
        request: Request,
        deadline: Duration,
    ) -> Result<Value, CallError> {
        let result = self.open(peer, request, deadline).await?;
        let result = result.into_single().await?;
        result
            .to_value()
            .map_err(|e| CallError::protocol_error("unexpected result", e))
    }

    /// Calls a method that returns a stream. `deadline` bounds everything up to the sent call; dropping
    /// the [`ResponseStream`] ends the stream at the server too.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn open(
        &self,
        peer: PeerAddr,
        request: Request,
        deadline: Duration,
    ) -> Result<ResponseStream, CallError> {
        self.send(peer, deadline, |deadline_ms| {
            wire::encode(&Call {
                object: request.object,
                method: request.method,
                deadline_ms,
                args: request.args,
                kwargs: request.kwargs,
            })
        })
        .await
    }

    /// Like [`Client::open`], with positional arguments that are a tuple and encoded already.
    pub(super) async fn open_encoded(
        &self,
        peer: PeerAddr,
        object: &str,
        method: &str,
        args: &Encoded,
        deadline: Duration,
    ) -> Result<ResponseStream, CallError> {
        self.send(peer, deadline, |deadline_ms| {
            wire::encode_call(object, method, deadline_ms, args)
        })
        .await
    }

    /// Opens a stream and sends the call that `encode` makes of the time that is left, in milliseconds.
    async fn send(
        &self,
        peer: PeerAddr,
        deadline: Duration,
        encode: impl FnOnce(u32) -> Result<Vec<u8>, FrameError>,
    ) -> Result<ResponseStream, CallError> {
        if self.0.stopping.is_cancelled() {
            return Err(CallError::Closed);
        }
        let started = Instant::now();
        let expires = started + deadline;
        let sending = async {
            let (send, recv) = self.open_stream(peer).await?;
            let mut out = ResetOnDrop::new(send);
            let responses = ResponseStream::new(recv, peer, started, deadline);
            let left = expires.saturating_duration_since(Instant::now());
            let frame = encode(u32::try_from(left.as_millis()).unwrap_or(u32::MAX))
                .map_err(|e| CallError::protocol_error("cannot send the call", e))?;
            match out.write_frame(&frame).await {
                Ok(()) => {
                    out.finish();
                    Ok(responses)
                }
                // The call was not sent completely, so it cannot have run. A server that refused it before
                // it had all of it has said why.
                Err(error) => match responses.into_single().await {
                    Err(refused @ CallError::Remote(_)) => Err(refused),
                    _ => Err(transport_error(peer, error)),
                },
            }
        };
        tokio::select! {
            // Usually it is sent at once; then nothing has to be registered for a shutdown.
            biased;
            sent = timeout_at(expires, sending) => sent.unwrap_or(Err(CallError::Deadline(deadline))),
            () = self.0.stopping.cancelled() => Err(CallError::Closed),
        }
    }

    /// Opens a stream on the pooled connection. If that turns out dead, it connects once more, which is
    /// safe because nothing was sent.
    async fn open_stream(&self, peer: PeerAddr) -> Result<(SendStream, RecvStream), CallError> {
        let pooled = self.connection(peer).await?.connection;
        match pooled.open_bi().await {
            Ok(stream) => Ok(stream),
            Err(error) => {
                tracing::debug!(%peer, %error, "reconnecting");
                let fresh = self.connection(peer).await?.connection;
                fresh.open_bi().await.map_err(|e| connection_error(peer, e))
            }
        }
    }

    /// Connects, if there is no connection yet, and returns the server's hello with this process's role
    /// there.
    ///
    /// # Errors
    /// [`CallError::Connect`], [`CallError::Busy`], or [`CallError::Deadline`] after `deadline`.
    pub async fn connect(&self, peer: PeerAddr, deadline: Duration) -> Result<Hello, CallError> {
        let connecting = timeout_at(Instant::now() + deadline, self.connection(peer));
        let connected = connecting
            .await
            .unwrap_or(Err(CallError::Deadline(deadline)));
        connected.map(|connected| connected.hello)
    }

    /// Reports whether the network of this process was shut down: no call will ever succeed again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// Waits until the connection to a server is lost; returns at once if there is none.
    pub async fn disconnected(&self, peer: PeerAddr) {
        let Ok(slot) = self.slot(peer) else { return };
        let connection = slot.connection().await;
        if let Some(connection) = connection {
            connection.closed().await;
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.0.identity.public().fingerprint())
    }
}
