//! Calling. Connections are pooled by the server's key and dialled once, however many calls wait for
//! them. Dropping a call's future cancels the call at the server.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use quinn::{ConnectionError, RecvStream, SendStream};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    fault::CallError,
    identity::Identity,
    stream::{ABANDONED, BUSY, CHANGED, DENIED, GOODBYE, Outgoing},
    ticket::Ticket,
    transport,
    value::Value,
    wire::{self, ALPN, Call, FrameError, Hello, JOIN_ALPN, Join, Reply, Role},
};

pub use super::peer::Peer;

/// How long a call waits for its answer unless told otherwise.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Connecting takes at most this long: a server that does not answer by then is not there, and another
/// may be.
const CONNECT: Duration = Duration::from_secs(3);
/// A handshake that takes longer is begun anew beside the first one.
const SLOW: Duration = Duration::from_secs(1);
/// A server that could not be reached is asked last for this long.
const DOWN: Duration = Duration::from_secs(5);
/// A connection on which nothing has come for this long is not used for another call. Its server is heard
/// several times in it, unless it is dead or cut off.
const QUIET: Duration = Duration::from_millis(1_800);

/// Servers that stay connected; beyond it the least recently used is let go.
const MAX_POOLED: usize = 256;

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
    /// Servers that could not be reached, and when that was; at most [`MAX_POOLED`].
    down: HashMap<Peer, Instant>,
}

struct Slot {
    used: u64,
    /// Held while dialling, so that everybody else waits for the same connection.
    line: Arc<Dialling>,
}

/// How a server is dialled. Its sessions are kept with the settings, so that the next handshake with
/// it costs less.
struct Dialling {
    config: quinn::ClientConfig,
    line: tokio::sync::Mutex<Option<Line>>,
}

/// A connection, and what the server said first.
#[derive(Clone)]
struct Line {
    connection: quinn::Connection,
    hello: Hello,
    /// Nothing has come from it for a while.
    quiet: Arc<AtomicBool>,
    /// What listens holds the connection, and must not outlive the last who uses it.
    _listening: Option<Arc<AbortOnDropHandle<()>>>,
}

impl Line {
    fn new(connection: quinn::Connection, hello: Hello, to_itself: bool) -> Self {
        let quiet = Arc::new(AtomicBool::new(false));
        let listening = (!to_itself).then(|| {
            let listening = tokio::spawn(listen(connection.clone(), Arc::clone(&quiet)));
            Arc::new(AbortOnDropHandle::new(listening))
        });
        Self {
            connection,
            hello,
            quiet,
            _listening: listening,
        }
    }

    fn is_good(&self) -> bool {
        self.connection.close_reason().is_none() && !self.quiet.load(Ordering::Relaxed)
    }
}

/// Notes whether a connection has gone quiet: a server that was killed says nothing, and QUIC itself
/// gives it up much later.
async fn listen(connection: quinn::Connection, quiet: Arc<AtomicBool>) {
    let mut heard = connection.stats().udp_rx.datagrams;
    loop {
        tokio::select! {
            () = sleep(QUIET) => {}
            _ = connection.closed() => return,
        }
        let now = connection.stats().udp_rx.datagrams;
        quiet.store(now == heard, Ordering::Relaxed);
        heard = now;
    }
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
    pub async fn connect(&self, peer: Peer, deadline: Duration) -> Result<Hello, CallError> {
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
    pub async fn disconnected(&self, peer: Peer) {
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

    async fn line(&self, peer: Peer) -> Result<Line, CallError> {
        let slot = self.slot(peer)?;
        let asked = Instant::now();
        let nobody = || CallError::Connect {
            peer: peer.to_string(),
            reason: "nobody answers there".to_owned(),
        };
        let mut held = slot.line.lock().await;
        // Whoever waited for another's attempt has seen it fail, and need not make one of its own.
        if self.down_since(peer).is_some_and(|since| since >= asked) {
            return Err(nobody());
        }
        if let Some(live) = held.as_ref().filter(|line| line.is_good()) {
            return Ok(live.clone());
        }
        *held = None;
        let dialled = timeout_at(
            Instant::now() + CONNECT,
            self.dial_again_when_slow(peer, &slot.config),
        );
        let dialled = dialled.await.unwrap_or_else(|_elapsed| Err(nobody()));
        self.note(peer, dialled.is_ok());
        let line = dialled?;
        *held = Some(line.clone());
        Ok(line)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, peer: Peer, reached: bool) {
        let down = &mut self.pool().down;
        if reached {
            down.remove(&peer);
            return;
        }
        if down.len() >= MAX_POOLED {
            down.retain(|_, since| since.elapsed() < DOWN);
        }
        if down.len() < MAX_POOLED {
            down.insert(peer, Instant::now());
        }
    }

    /// Whether a server could not be reached a moment ago: others should be asked first.
    #[must_use]
    pub fn is_down(&self, peer: Peer) -> bool {
        let since = self.down_since(peer);
        since.is_some_and(|since| since.elapsed() < DOWN)
    }

    fn down_since(&self, peer: Peer) -> Option<Instant> {
        self.pool().down.get(&peer).copied()
    }

    fn slot(&self, peer: Peer) -> Result<Arc<Dialling>, CallError> {
        let mut pool = self.pool();
        pool.uses += 1;
        let used = pool.uses;
        if let Some(slot) = pool.slots.get_mut(&peer) {
            slot.used = used;
            return Ok(Arc::clone(&slot.line));
        }
        if pool.slots.len() >= MAX_POOLED {
            let oldest = pool.slots.iter().min_by_key(|(_, slot)| slot.used);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                // Calls under way keep their own handle, and the connection with it.
                pool.slots.remove(&oldest);
            }
        }
        let line = Arc::new(Dialling {
            config: self.config(peer, ALPN)?,
            line: tokio::sync::Mutex::default(),
        });
        let slot = Slot {
            used,
            line: Arc::clone(&line),
        };
        pool.slots.insert(peer, slot);
        Ok(line)
    }

    /// Joins the server of a ticket: proves the ticket's secret for this very session, and is remembered
    /// there by this process's key from then on. The addresses are tried one after the other.
    ///
    /// # Errors
    /// [`CallError::Remote`] with the server's reason, or the last address's error.
    pub async fn join(&self, ticket: &Ticket, label: &str) -> Result<(Peer, Role), CallError> {
        let mut failed = CallError::Protocol("the ticket has no address".into());
        for peer in ticket.peers() {
            let joining = self.join_at(peer, ticket, label);
            let joined = timeout_at(Instant::now() + DEADLINE, joining).await;
            match joined.unwrap_or(Err(CallError::Deadline(DEADLINE))) {
                Ok(role) => return Ok((peer, role)),
                Err(error @ CallError::Remote(_)) => return Err(error),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn join_at(&self, peer: Peer, ticket: &Ticket, label: &str) -> Result<Role, CallError> {
        let config = self.config(peer, JOIN_ALPN)?;
        let connection = self.shake_hands(peer, config).await?;
        let session = transport::session_secret(&connection, ticket.role, ticket.serial)
            .ok_or_else(|| CallError::Protocol("the session has no secret to prove by".into()))?;
        let wish = Join {
            serial: ticket.serial,
            role: ticket.role,
            label: label.to_owned(),
            proof: ticket.secret.prove(&session),
        };
        let (send, mut recv) = connection.open_bi().await.map_err(|e| refused(peer, &e))?;
        let mut out = Outgoing(Some(send));
        let lost = |error: FrameError| CallError::Lost {
            peer: peer.to_string(),
            reason: error.to_string(),
        };
        out.write(&wish).await.map_err(lost)?;
        out.finish();
        let reply = wire::read::<Reply>(&mut recv).await.map_err(lost)?;
        connection.close(GOODBYE, b"joined");
        match reply {
            Some(Reply::Ok(role)) => role
                .to_typed()
                .map_err(|e| CallError::Protocol(e.to_string())),
            Some(Reply::Err(fault)) => Err(fault.into()),
            None => Err(CallError::Protocol("the answer is empty".into())),
        }
    }

    /// A handshake that loses two packets in a row takes seconds, because each wait is twice the one
    /// before. A second one beside it is likely to be through first.
    async fn dial_again_when_slow(
        &self,
        peer: Peer,
        config: &quinn::ClientConfig,
    ) -> Result<Line, CallError> {
        let again = async {
            sleep(SLOW).await;
            self.dial(peer, config.clone()).await
        };
        tokio::select! {
            biased;
            line = self.dial(peer, config.clone()) => line,
            line = again => line,
        }
    }

    /// Connects and waits for the server's [`Hello`]: before it, a connection is only a hope.
    async fn dial(&self, peer: Peer, config: quinn::ClientConfig) -> Result<Line, CallError> {
        let connection = self.shake_hands(peer, config).await?;
        let mut hello = connection
            .accept_uni()
            .await
            .map_err(|error| refused(peer, &error))?;
        match wire::read::<Hello>(&mut hello).await {
            Ok(Some(hello)) => Ok(Line::new(connection, hello, self.is_itself(peer))),
            Ok(None) => Err(CallError::Protocol("the server said nothing".into())),
            Err(FrameError::Io(error)) => Err(match connection.close_reason() {
                Some(reason) => refused(peer, &reason),
                None => connect_error(peer, &error),
            }),
            Err(error) => Err(CallError::Protocol(error.to_string())),
        }
    }

    /// Whether a server is this very process.
    fn is_itself(&self, peer: Peer) -> bool {
        let own = self.0.quinn.local_addr();
        peer.key == self.0.identity.public() && own.is_ok_and(|own| own.port() == peer.addr.port())
    }

    fn config(&self, peer: Peer, protocol: &[u8]) -> Result<quinn::ClientConfig, CallError> {
        let to_itself = self.is_itself(peer);
        transport::client(&self.0.identity, peer.key, protocol, to_itself).map_err(|error| {
            CallError::Connect {
                peer: peer.to_string(),
                reason: error.to_string(),
            }
        })
    }

    async fn shake_hands(
        &self,
        peer: Peer,
        config: quinn::ClientConfig,
    ) -> Result<quinn::Connection, CallError> {
        let name = transport::session_name(&peer.key);
        self.0
            .quinn
            .connect_with(config, peer.addr, &name)
            .map_err(|error| CallError::Connect {
                peer: peer.to_string(),
                reason: error.to_string(),
            })?
            .await
            .map_err(|error| refused(peer, &error))
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
            "it does not know this process's key; join with a ticket of it first".to_owned()
        }
        ConnectionError::ApplicationClosed(close) if close.error_code == CHANGED => {
            "what this process may do there has changed".to_owned()
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
