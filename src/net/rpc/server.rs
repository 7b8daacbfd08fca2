//! Serving: one task accepts, one task owns each connection, one task runs each call. Whatever a
//! peer does wrong ends the smallest of the three.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use quinn::{Connection, Incoming, RecvStream};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    error::{Code, RemoteError},
    object::{Answer, Caller, Invocation, Objects, ResultStream},
    wire::{self, Call, FrameError, Hello, Join, Role},
};
use crate::{
    net::{
        quic::{
            stream::{BUSY, CHANGED, DENIED, ResetOnDrop},
            transport,
        },
        trust::{
            identity::Identity,
            key::PublicKey,
            members::{Admission, Members},
        },
    },
    value::Encoded,
};

/// Connections at once; the next one is told [`BUSY`].
const MAX_CONNECTIONS: usize = 4_096;
/// Connections of one key at once, so that nobody takes all of them.
const MAX_CONNECTIONS_PER_KEY: usize = 256;
/// Strangers who ask to be let in at once; the next one is told [`BUSY`].
pub(crate) const MAX_JOINING: usize = 64;
/// With more handshakes than this under way, callers first prove that their address is theirs.
const RETRY_ABOVE: usize = 64;
/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A caller has this long to send its whole call.
const READ: Duration = Duration::from_secs(5);
/// The longest deadline a caller can ask for.
const LONGEST: Duration = Duration::from_secs(300);

/// What the accept loop and every connection share.
pub(crate) struct Shared {
    pub(crate) quinn: quinn::Endpoint,
    pub(crate) identity: Identity,
    pub(crate) members: Members,
    pub(crate) objects: Objects,
    /// Cancelled first: nothing new is accepted after it.
    pub(crate) stopping: CancellationToken,
    /// Connections and the calls on them.
    pub(crate) tasks: TaskTracker,
    pub(crate) calls: Calls,
    pub(crate) doors: AcceptStats,
    pub(crate) seats: ConnectionLimiter,
    /// Room for strangers who ask to be let in.
    pub(crate) joining: Semaphore,
}

/// What happened at the door since the start.
#[derive(Debug, Default)]
pub(crate) struct AcceptStats {
    /// Handshakes under way.
    handshaking: AtomicUsize,
    /// Callers who proved their key.
    pub(crate) proved: Arc<AtomicU64>,
    /// Callers who were asked to prove their address first.
    pub(crate) retried: AtomicU64,
    /// Callers who were turned away.
    pub(crate) denied: AtomicU64,
}

/// How many connections each key has.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionLimiter(Arc<Mutex<HashMap<PublicKey, usize>>>);

/// One connection of a key, for as long as it lives.
struct ConnectionPermit(ConnectionLimiter, PublicKey);

impl ConnectionLimiter {
    fn taken(&self) -> MutexGuard<'_, HashMap<PublicKey, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, key: PublicKey) -> Option<ConnectionPermit> {
        let mut taken = self.taken();
        let seats = taken.entry(key).or_default();
        if *seats >= MAX_CONNECTIONS_PER_KEY {
            return None;
        }
        *seats += 1;
        Some(ConnectionPermit(self.clone(), key))
    }

    /// How many connections each key has now.
    pub(crate) fn each(&self) -> HashMap<PublicKey, usize> {
        self.taken().clone()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut taken = self.0.taken();
        if let Some(seats) = taken.get_mut(&self.1) {
            *seats -= 1;
            if *seats == 0 {
                taken.remove(&self.1);
            }
        }
    }
}

/// Calls since the start, counted when they have been answered.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    answered: AtomicU64,
    errors: AtomicU64,
}

impl Calls {
    fn count(&self, error: bool) {
        let counter = if error { &self.errors } else { &self.answered };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Those that were answered, and those that met a error.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (of(&self.answered), of(&self.errors))
    }
}

/// Accepts connections until the endpoint stops.
pub(crate) async fn accept(shared: Arc<Shared>) {
    loop {
        let incoming = tokio::select! {
            incoming = shared.quinn.accept() => incoming,
            () = shared.stopping.cancelled() => None,
        };
        let Some(incoming) = incoming else { return };
        let unproven = shared.doors.handshaking.load(Ordering::Relaxed) > RETRY_ABOVE;
        if unproven && !incoming.remote_address_validated() {
            shared.doors.retried.fetch_add(1, Ordering::Relaxed);
            // The packet may have lived out its token's life; then there is nothing to answer.
            incoming.retry().ok();
        } else {
            let full = shared.quinn.open_connections() > MAX_CONNECTIONS;
            let task = connection(Arc::clone(&shared), incoming, full);
            shared.tasks.spawn(task);
        }
    }
}

/// The handshake, with a bound; while it lasts it counts.
async fn handshake(shared: &Shared, incoming: Incoming) -> Option<Connection> {
    let from = incoming.remote_address();
    shared.doors.handshaking.fetch_add(1, Ordering::Relaxed);
    let done = timeout(HANDSHAKE, incoming).await;
    shared.doors.handshaking.fetch_sub(1, Ordering::Relaxed);
    match done {
        Ok(Ok(connection)) => return Some(connection),
        Ok(Err(error)) => tracing::debug!(%from, %error, "handshake failed"),
        Err(_elapsed) => tracing::debug!(%from, "handshake timed out"),
    }
    None
}

async fn connection(shared: Arc<Shared>, incoming: Incoming, full: bool) {
    let from = incoming.remote_address();
    let Some(connection) = handshake(&shared, incoming).await else {
        return;
    };
    let Some(key) = transport::peer_key(&connection) else {
        return connection.close(DENIED, b"there is no key");
    };
    if transport::is_joining(&connection) {
        return match shared.joining.try_acquire() {
            Ok(_room) => join(&shared, &connection, key).await,
            Err(_full) => connection.close(BUSY, b"too many ask to be let in"),
        };
    }
    if full {
        return connection.close(BUSY, b"too many connections");
    }
    let Some(Admission { role, revoked }) = shared.members.authorize(&key) else {
        shared.doors.denied.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%from, key = key.fingerprint(), "an unknown key was refused");
        return connection.close(DENIED, b"this key is not known here");
    };
    let Some(_seat) = shared.seats.take(key) else {
        return connection.close(BUSY, b"too many connections of one key");
    };
    let caller = Caller { key, role };
    transport::grant_stream_limits(&connection);
    tracing::debug!(%from, key = key.fingerprint(), "connected");
    if let Err(error) = hello(&connection, caller).await {
        return tracing::debug!(%from, %error, "hello failed");
    }
    let mut stopping = std::pin::pin!(shared.stopping.cancelled());
    let mut revoked = std::pin::pin!(revoked.cancelled());
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut stopping => return,
            () = &mut revoked => {
                tracing::info!(%from, key = key.fingerprint(), "its rights have changed");
                return connection.close(CHANGED, b"what this key may do has changed");
            }
            stream = connection.accept_bi() => stream,
        };
        match stream {
            Ok((send, recv)) => {
                let shared_by_call = Arc::clone(&shared);
                // In a box: a call is some 1,600 bytes large and would be moved five times on its way
                // into the runtime.
                shared.tasks.spawn(Box::pin(async move {
                    call(&shared_by_call, caller, ResetOnDrop(Some(send)), recv).await;
                }));
            }
            Err(error) => return tracing::debug!(%from, %error, "disconnected"),
        }
    }
}

/// Hears one request to be let in. The client leaves when it has the answer.
async fn join(shared: &Shared, connection: &Connection, key: PublicKey) {
    let heard = async {
        let (send, mut recv) = connection.accept_bi().await.ok()?;
        let options = wire::read::<Join>(&mut recv).await;
        Some((ResetOnDrop(Some(send)), options))
    };
    let Ok(Some((out, options))) = timeout(READ, heard).await else {
        return connection.close(DENIED, b"nothing was asked");
    };
    let answer = match options {
        Ok(Some(options)) => grant_stream_limits(shared, connection, key, &options).await,
        Ok(None) => Err(RemoteError::new(Code::Malformed, "nothing was asked")),
        Err(error) => Err(RemoteError::new(Code::Malformed, error.to_string())),
    };
    let from = connection.remote_address();
    match answer {
        Ok(role) => {
            tracing::info!(%from, %key, %role, "joined");
            out.answer(Encoded::from(&role.as_str().into())).await;
        }
        Err(error) => {
            shared.doors.denied.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%from, %key, %error, "could not join");
            out.refuse(error).await;
        }
    }
    // Closing would take the answer away from under its reader.
    timeout(READ, connection.closed()).await.ok();
}

async fn grant_stream_limits(
    shared: &Shared,
    connection: &Connection,
    key: PublicKey,
    options: &Join,
) -> Result<Role, RemoteError> {
    let secret = shared.identity.ticket_secret(options.role, options.serial);
    let session = transport::session_secret(connection, options.role, options.serial);
    if !session.is_some_and(|session| secret.is_proved(&session, &options.proof)) {
        // Who has not proved anything is not told whether there is such a ticket.
        return Err(RemoteError::new(
            Code::Denied,
            "this ticket is not known here; ask for another",
        ));
    }
    let members = &shared.members;
    members
        .join(options.serial, options.role, key, &options.label)
        .await
}

async fn hello(connection: &Connection, caller: Caller) -> Result<(), FrameError> {
    let stream = connection
        .open_uni()
        .await
        .map_err(|e| std::io::Error::new(std::io::ErrorKind::NotConnected, e))?;
    let mut stream = ResetOnDrop(Some(stream));
    let hello = Hello {
        role: caller.role,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    stream.write(&hello).await?;
    stream.finish();
    Ok(())
}

/// Reads one call, runs it and answers. The caller going away drops the running method.
async fn call(shared: &Shared, caller: Caller, out: ResetOnDrop, mut recv: RecvStream) {
    let call: Call = match timeout(READ, wire::read(&mut recv)).await {
        Ok(Ok(Some(call))) => call,
        Ok(Ok(None) | Err(FrameError::Io(_))) => return,
        Ok(Err(error)) => {
            return out
                .refuse(RemoteError::new(Code::Malformed, error.to_string()))
                .await;
        }
        Err(_elapsed) => {
            let error = RemoteError::new(
                Code::Expired,
                format!("the call did not arrive in {READ:?}"),
            );
            return out.refuse(error).await;
        }
    };
    wire::consume_fin(&mut recv);
    let allowed = Duration::from_millis(call.deadline_ms.into()).min(LONGEST);
    let Call {
        object,
        method,
        args,
        kwargs,
        ..
    } = call;
    let invocation = Invocation {
        caller,
        method,
        args,
        kwargs,
    };
    let run = timeout_at(
        Instant::now() + allowed,
        shared.objects.call(&object, invocation),
    );
    let answer = tokio::select! {
        // Most methods answer at once; then nobody has to be told that the caller might leave.
        biased;
        answer = run => answer,
        () = out.cancelled() => return,
    };
    shared.calls.count(!matches!(answer, Ok(Ok(_))));
    match answer {
        Ok(Ok(Answer::One(value))) => out.answer(value).await,
        Ok(Ok(Answer::Stream(results))) => stream(shared, out, results).await,
        Ok(Err(error)) => out.refuse(error).await,
        Err(_elapsed) => {
            let error = RemoteError::new(Code::Expired, format!("it did not end in {allowed:?}"));
            out.refuse(error).await;
        }
    }
}

/// Sends results until they end, the caller leaves or the endpoint stops. A caller that does not
/// read fills its own window and holds up nobody else.
async fn stream(shared: &Shared, mut out: ResetOnDrop, mut results: ResultStream) {
    loop {
        let next = tokio::select! {
            next = results.next() => next,
            () = out.cancelled() => return,
            () = shared.stopping.cancelled() => return,
        };
        match next {
            Some(Ok(value)) => {
                if out.give(value).await.is_err() {
                    return;
                }
            }
            Some(Err(error)) => return out.refuse(error).await,
            None => return out.finish(),
        }
    }
}
