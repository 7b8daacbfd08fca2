//! Serving: one task accepts, one task owns each connection, one task runs each call. Whatever a
//! peer does wrong ends the smallest of the three.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use quinn::{Connection, Incoming, RecvStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    fault::{Code, Fault},
    members::Members,
    object::{Answer, Caller, Invocation, Objects, Results},
    stream::{BUSY, DENIED, Outgoing},
    transport,
    wire::{self, Call, FrameError, Hello, Reply},
};

/// Connections at once; the next one is told [`BUSY`].
const MAX_CONNECTIONS: usize = 1024;
/// With more handshakes than this under way, callers first prove that their address is theirs.
const RETRY_ABOVE: usize = 64;
/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A caller has this long to send its whole call.
const READ: Duration = Duration::from_secs(5);
/// The longest deadline a caller can ask for.
const LONGEST: Duration = Duration::from_secs(300);

/// What the accept loop and every connection share.
pub(super) struct Shared {
    pub(super) quinn: quinn::Endpoint,
    pub(super) members: Members,
    pub(super) objects: Objects,
    /// Cancelled first: nothing new is accepted after it.
    pub(super) stopping: CancellationToken,
    /// Connections and the calls on them.
    pub(super) tasks: TaskTracker,
    pub(super) calls: Calls,
}

/// Calls since the start, counted when they have been answered.
#[derive(Debug, Default)]
pub(super) struct Calls {
    answered: AtomicU64,
    faults: AtomicU64,
}

impl Calls {
    fn count(&self, fault: bool) {
        let counter = if fault { &self.faults } else { &self.answered };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Those that were answered, and those that met a fault.
    pub(super) fn so_far(&self) -> (u64, u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (of(&self.answered), of(&self.faults))
    }
}

/// Accepts connections until the endpoint stops.
pub(super) async fn accept(shared: Arc<Shared>) {
    loop {
        let incoming = tokio::select! {
            incoming = shared.quinn.accept() => incoming,
            () = shared.stopping.cancelled() => None,
        };
        let Some(incoming) = incoming else { return };
        let connections = shared.quinn.open_connections();
        if connections > RETRY_ABOVE && !incoming.remote_address_validated() {
            // The packet may have lived out its token's life; then there is nothing to answer.
            incoming.retry().ok();
        } else {
            let full = connections > MAX_CONNECTIONS;
            let task = connection(Arc::clone(&shared), incoming, full);
            shared.tasks.spawn(task);
        }
    }
}

async fn connection(shared: Arc<Shared>, incoming: Incoming, full: bool) {
    let from = incoming.remote_address();
    let connection = match timeout(HANDSHAKE, incoming).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%from, %error, "handshake failed"),
        Err(_elapsed) => return tracing::debug!(%from, "handshake timed out"),
    };
    if full {
        return connection.close(BUSY, b"too many connections");
    }
    let caller = transport::peer_key(&connection)
        .and_then(|key| Some((key, shared.members.role(&key)?)))
        .map(|(key, role)| Caller { key, role });
    let Some(caller) = caller else {
        tracing::warn!(%from, "a connection with an unknown key was refused");
        return connection.close(DENIED, b"this key is not known here");
    };
    tracing::debug!(%from, key = caller.key.fingerprint(), "connected");
    if let Err(error) = hello(&connection, caller).await {
        return tracing::debug!(%from, %error, "hello failed");
    }
    let mut stopping = std::pin::pin!(shared.stopping.cancelled());
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut stopping => return,
            stream = connection.accept_bi() => stream,
        };
        match stream {
            Ok((send, recv)) => {
                let shared_by_call = Arc::clone(&shared);
                // In a box: a call is some 1,600 bytes large and would be moved five times on its way
                // into the runtime.
                shared.tasks.spawn(Box::pin(async move {
                    call(&shared_by_call, caller, Outgoing(Some(send)), recv).await;
                }));
            }
            Err(error) => return tracing::debug!(%from, %error, "disconnected"),
        }
    }
}

async fn hello(connection: &Connection, caller: Caller) -> Result<(), FrameError> {
    let stream = connection
        .open_uni()
        .await
        .map_err(|e| std::io::Error::new(std::io::ErrorKind::NotConnected, e))?;
    let mut stream = Outgoing(Some(stream));
    let hello = Hello {
        role: caller.role,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    stream.write(&hello).await?;
    stream.finish();
    Ok(())
}

/// Reads one call, runs it and answers. The caller going away drops the running method.
async fn call(shared: &Shared, caller: Caller, out: Outgoing, mut recv: RecvStream) {
    let call: Call = match timeout(READ, wire::read(&mut recv)).await {
        Ok(Ok(Some(call))) => call,
        Ok(Ok(None) | Err(FrameError::Io(_))) => return,
        Ok(Err(error)) => {
            return out
                .refuse(Fault::new(Code::Malformed, error.to_string()))
                .await;
        }
        Err(_elapsed) => {
            let fault = Fault::new(
                Code::Expired,
                format!("the call did not arrive in {READ:?}"),
            );
            return out.refuse(fault).await;
        }
    };
    wire::read_end(&mut recv);
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
        () = out.unwanted() => return,
    };
    shared.calls.count(!matches!(answer, Ok(Ok(_))));
    match answer {
        Ok(Ok(Answer::Value(value))) => out.answer(Reply::Ok(value)).await,
        Ok(Ok(Answer::Stream(results))) => stream(shared, out, results).await,
        Ok(Err(fault)) => out.refuse(fault).await,
        Err(_elapsed) => {
            let fault = Fault::new(Code::Expired, format!("it did not end in {allowed:?}"));
            out.refuse(fault).await;
        }
    }
}

/// Sends results until they end, the caller leaves or the endpoint stops. A caller that does not
/// read fills its own window and holds up nobody else.
async fn stream(shared: &Shared, mut out: Outgoing, mut results: Results) {
    loop {
        let next = tokio::select! {
            next = results.next() => next,
            () = out.unwanted() => return,
            () = shared.stopping.cancelled() => return,
        };
        match next {
            Some(Ok(value)) => {
                if out.write(&Reply::Ok(value)).await.is_err() {
                    return;
                }
            }
            Some(Err(fault)) => return out.refuse(fault).await,
            None => return out.finish(),
        }
    }
}
