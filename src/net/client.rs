//! Calling. Connections are pooled by the server's key and dialled once, however many calls wait for
//! them. Dropping a call's future cancels the call at the server.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use quinn::{ConnectionError, RecvStream, SendStream};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    fault::CallError,
    identity::Identity,
    key::PublicKey,
    stream::{ABANDONED, BUSY, DENIED, Outgoing},
    transport,
    value::Value,
    wire::{self, Call, FrameError, Hello, Reply},
};

/// How long a call waits for its answer unless told otherwise.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Servers that stay connected; beyond it the least recently used is let go.
const MAX_POOLED: usize = 256;

/// A server: where it is, and the key that it must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The key it must prove to hold.
    pub key: PublicKey,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (key {})", self.addr, self.key.fingerprint())
    }
}

/// What to call, without whom.
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
    /// A call of `object.method` with arguments by position.
    pub fn new(object: impl Into<String>, method: impl Into<String>, args: Vec<Value>) -> Self {
        Self {
            object: object.into(),
            method: method.into(),
            args,
            kwargs: Vec::new(),
        }
    }
}

/// Makes calls. Clones are cheap and share their connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    quinn: quinn::Endpoint,
    identity: Identity,
    stopping: CancellationToken,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    slots: HashMap<Peer, Slot>,
    uses: u64,
}

struct Slot {
    used: u64,
    /// Held while dialling, so that everybody else waits for the same connection.
    connection: Arc<tokio::sync::Mutex<Option<quinn::Connection>>>,
}

impl Client {
    pub(super) fn new(
        quinn: quinn::Endpoint,
        identity: Identity,
        stopping: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            quinn,
            identity,
            stopping,
            pool: Mutex::default(),
        }))
    }

    /// Calls a method and waits for its one answer, at most for `deadline` in all: dialling, waiting
    /// for a free stream, sending and the method itself.
    ///
    /// # Errors
    /// Every [`CallError`]; the other side's "no" is [`CallError::Remote`].
    pub async fn call(
        &self,
        peer: Peer,
        request: Request,
        deadline: Duration,
    ) -> Result<Value, CallError> {
        let mut replies = self.open(peer, request, deadline).await?;
        let answer = replies.next_by(replies.since + deadline).await?;
        if replies.recv.as_mut().is_some_and(wire::read_end) {
            replies.recv = None;
        }
        answer.ok_or_else(|| CallError::Protocol("the answer is empty".into()))
    }

    /// Calls a method that answers with a stream. `deadline` bounds everything up to the sent call;
    /// dropping the [`Replies`] ends the stream at the server too.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn open(
        &self,
        peer: Peer,
        request: Request,
        deadline: Duration,
    ) -> Result<Replies, CallError> {
        if self.0.stopping.is_cancelled() {
            return Err(CallError::Closed);
        }
        let since = Instant::now();
        let by = since + deadline;
        let opening = async {
            let (send, recv) = self.stream(peer).await?;
            let mut out = Outgoing(Some(send));
            let recv = Replies {
                recv: Some(recv),
                peer,
                deadline,
                since,
            };
            let left = by.saturating_duration_since(Instant::now()).as_millis();
            let call = Call {
                object: request.object,
                method: request.method,
                deadline_ms: u32::try_from(left).unwrap_or(u32::MAX),
                args: request.args,
                kwargs: request.kwargs,
            };
            match out.write(&call).await {
                Ok(()) => {
                    out.finish();
                    Ok(recv)
                }
                // The whole call never left, so it cannot have run.
                Err(FrameError::Io(error)) => Err(connect_error(peer, &error)),
                Err(error) => Err(CallError::Protocol(error.to_string())),
            }
        };
        tokio::select! {
            // As a rule it is done at once, and then nothing has to be told of stopping.
            biased;
            opened = timeout_at(by, opening) => opened.unwrap_or(Err(CallError::Deadline(deadline))),
            () = self.0.stopping.cancelled() => Err(CallError::Closed),
        }
    }

    /// A fresh stream on the pooled connection; one new dial when the pooled one turns out dead,
    /// which is safe because nothing was sent on it.
    async fn stream(&self, peer: Peer) -> Result<(SendStream, RecvStream), CallError> {
        let pooled = self.connection(peer).await?;
        match pooled.open_bi().await {
            Ok(stream) => Ok(stream),
            Err(error) => {
                tracing::debug!(%peer, %error, "dialling again");
                let fresh = self.connection(peer).await?;
                fresh.open_bi().await.map_err(|e| refused(peer, &e))
            }
        }
    }

    async fn connection(&self, peer: Peer) -> Result<quinn::Connection, CallError> {
        let slot = self.slot(peer);
        let mut slot = slot.lock().await;
        if let Some(live) = slot.as_ref().filter(|c| c.close_reason().is_none()) {
            return Ok(live.clone());
        }
        *slot = None;
        let connection = self.dial(peer).await?;
        *slot = Some(connection.clone());
        Ok(connection)
    }

    fn slot(&self, peer: Peer) -> Arc<tokio::sync::Mutex<Option<quinn::Connection>>> {
        let mut pool = self.0.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.uses += 1;
        let used = pool.uses;
        if let Some(slot) = pool.slots.get_mut(&peer) {
            slot.used = used;
            return Arc::clone(&slot.connection);
        }
        if pool.slots.len() >= MAX_POOLED {
            let oldest = pool.slots.iter().min_by_key(|(_, slot)| slot.used);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                // Calls under way keep their own handle, and the connection with it.
                pool.slots.remove(&oldest);
            }
        }
        let slot = pool.slots.entry(peer).or_insert_with(|| Slot {
            used,
            connection: Arc::default(),
        });
        slot.used = used;
        Arc::clone(&slot.connection)
    }

    /// Connects and waits for the server's [`Hello`]: before it, a connection is only a hope.
    async fn dial(&self, peer: Peer) -> Result<quinn::Connection, CallError> {
        let failed = |reason: String| CallError::Connect {
            peer: peer.to_string(),
            reason,
        };
        let config = transport::client(&self.0.identity, peer.key)
            .map_err(|error| failed(error.to_string()))?;
        let name = transport::session_name(&peer.key);
        let connection = self
            .0
            .quinn
            .connect_with(config, peer.addr, &name)
            .map_err(|error| failed(error.to_string()))?
            .await
            .map_err(|error| refused(peer, &error))?;
        let mut hello = connection
            .accept_uni()
            .await
            .map_err(|error| refused(peer, &error))?;
        match wire::read::<Hello>(&mut hello).await {
            Ok(Some(_)) => Ok(connection),
            Ok(None) => Err(CallError::Protocol("the server said nothing".into())),
            Err(FrameError::Io(error)) => Err(connect_error(peer, &error)),
            Err(error) => Err(CallError::Protocol(error.to_string())),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.0.identity.public().fingerprint())
    }
}

/// The answers to one call, in order. Dropping it tells the server to stop.
#[derive(Debug)]
pub struct Replies {
    recv: Option<RecvStream>,
    peer: Peer,
    deadline: Duration,
    since: Instant,
}

impl Replies {
    /// The next answer, or `None` at the end of the stream.
    ///
    /// # Errors
    /// [`CallError::Remote`], [`CallError::Lost`] or [`CallError::Protocol`].
    pub async fn next(&mut self) -> Result<Option<Value>, CallError> {
        let Some(recv) = &mut self.recv else {
            return Ok(None);
        };
        match wire::read(recv).await {
            Ok(Some(Reply::Ok(value))) => Ok(Some(value)),
            Ok(Some(Reply::Err(fault))) => Err(fault.into()),
            Ok(None) => {
                self.recv = None;
                Ok(None)
            }
            Err(FrameError::Io(error)) => Err(CallError::Lost {
                peer: self.peer.to_string(),
                reason: error.to_string(),
            }),
            Err(error) => Err(CallError::Protocol(error.to_string())),
        }
    }

    async fn next_by(&mut self, by: Instant) -> Result<Option<Value>, CallError> {
        let deadline = self.deadline;
        timeout_at(by, self.next())
            .await
            .unwrap_or(Err(CallError::Deadline(deadline)))
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        if let Some(recv) = &mut self.recv {
            recv.stop(ABANDONED).ok();
        }
    }
}

/// A connection that did not come about, in words that help.
fn refused(peer: Peer, error: &ConnectionError) -> CallError {
    let reason = match error {
        ConnectionError::ApplicationClosed(close) if close.error_code == BUSY => {
            return CallError::Busy(peer.to_string());
        }
        ConnectionError::ApplicationClosed(close) if close.error_code == DENIED => {
            "it does not know this process's key".to_owned()
        }
        ConnectionError::ConnectionClosed(close) if is_alpn_mismatch(close) => {
            "it speaks another version of the protocol".to_owned()
        }
        ConnectionError::TransportError(error) if error.to_string().contains("Verification") => {
            "it holds another key than expected".to_owned()
        }
        ConnectionError::TimedOut => "nobody answers there".to_owned(),
        other => other.to_string(),
    };
    CallError::Connect {
        peer: peer.to_string(),
        reason,
    }
}

/// QUIC carries TLS alerts as 0x100 + alert; 120 is "no application protocol" (RFC 9001, 4.8).
fn is_alpn_mismatch(close: &quinn::ConnectionClose) -> bool {
    u64::from(close.error_code) == 0x100 + 120
}

fn connect_error(peer: Peer, error: &std::io::Error) -> CallError {
    CallError::Connect {
        peer: peer.to_string(),
        reason: error.to_string(),
    }
}
