//! Calling. Connections are pooled by the server's address and key, and dialled once, however many calls
//! wait for them. Dropping a call's future cancels the call at the server.

mod dial;
mod join;
mod pool;

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use quinn::{RecvStream, SendStream};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use self::{
    dial::{connect_error, refused},
    pool::Pool,
};
use super::{
    error::CallError,
    wire::{self, Call, FrameError, Hello},
};
use crate::{
    net::{quic::stream::ResetOnDrop, trust::identity::Identity},
    value::{Encoded, Value},
};

pub use self::response_stream::ResponseStream;
pub use crate::net::peer_addr::PeerAddr;

/// How long a call waits for its answer unless told otherwise.
pub const DEADLINE: Duration = Duration::from_secs(5);

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

impl Client {
    pub(crate) fn new(
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
        peer: PeerAddr,
        request: Request,
        deadline: Duration,
    ) -> Result<Value, CallError> {
        let answer = self.call_encoded(peer, request, deadline).await?;
        answer
            .value()
            .map_err(|e| CallError::Protocol(e.to_string()))
    }

    /// The same for who knows the type of the answer: it is read from the wire as that, which costs a
    /// fraction for a long one.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_encoded(
        &self,
        peer: PeerAddr,
        request: Request,
        deadline: Duration,
    ) -> Result<Encoded, CallError> {
        let mut replies = self.open(peer, request, deadline).await?;
        let answer = replies.next_by(replies.since + deadline).await?;
        if replies.recv.as_mut().is_some_and(wire::consume_fin) {
            replies.recv = None;
        }
        answer.ok_or_else(|| CallError::Protocol("the answer is empty".into()))
    }

    /// Calls a method that answers with a stream. `deadline` bounds everything up to the sent call;
    /// dropping the [`ResponseStream`] ends the stream at the server too.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn open(
        &self,
        peer: PeerAddr,
        request: Request,
        deadline: Duration,
    ) -> Result<ResponseStream, CallError> {
        if self.0.stopping.is_cancelled() {
            return Err(CallError::Closed);
        }
        let since = Instant::now();
        let by = since + deadline;
        let opening = async {
            let (send, recv) = self.stream(peer).await?;
            let mut out = ResetOnDrop(Some(send));
            let recv = ResponseStream {
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
    async fn stream(&self, peer: PeerAddr) -> Result<(SendStream, RecvStream), CallError> {
        let pooled = self.line(peer).await?.connection;
        match pooled.open_bi().await {
            Ok(stream) => Ok(stream),
            Err(error) => {
                tracing::debug!(%peer, %error, "dialling again");
                let fresh = self.line(peer).await?.connection;
                fresh.open_bi().await.map_err(|e| refused(peer, &e))
            }
        }
    }

    /// Connects, if there is no connection yet, and tells what the server said first: what this
    /// process may do there.
    ///
    /// # Errors
    /// [`CallError::Connect`], [`CallError::Busy`], or [`CallError::Deadline`] after `deadline`.
    pub async fn connect(&self, peer: PeerAddr, deadline: Duration) -> Result<Hello, CallError> {
        let line = timeout_at(Instant::now() + deadline, self.line(peer)).await;
        let line = line.unwrap_or(Err(CallError::Deadline(deadline)));
        line.map(|line| line.hello)
    }

    /// Whether the network of this process has been shut down: no call will ever succeed again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// Waits until the connection to a server is gone; at once when there is none.
    pub async fn disconnected(&self, peer: PeerAddr) {
        let Ok(slot) = self.slot(peer) else { return };
        let connection = slot
            .line
            .lock()
            .await
            .as_ref()
            .map(|line| line.connection.clone());
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
pub(crate) mod happy_eyeballs;
mod response_stream;
