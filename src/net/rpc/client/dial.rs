//! Connecting to one address of one server, and the health of the connection afterwards.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use quinn::{ConnectionError, VarInt};
use tokio::time::{Duration, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Client;
use crate::{
    cause::Cause,
    net::{
        quic::{stream::CloseCode, transport},
        rpc::{
            error::{CallError, ConnectError},
            wire::{self, FrameError, Hello},
        },
        trust::peer_addr::PeerAddr,
    },
};

/// Limit of the time to connect: a server that has not replied by then is considered down.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A handshake that takes longer is repeated in parallel.
const HEDGE_DELAY: Duration = Duration::from_secs(1);
/// A connection on which nothing has arrived for this long is not used for further calls. A server that is
/// up and reachable sends several packets in that time.
const LIVENESS_TIMEOUT: Duration = Duration::from_millis(1_800);

/// Limit of attempts to connect to a server that is busy.
const BUSY_ATTEMPTS: usize = 4;
/// Limit of the delay between two of them, which is random.
const BUSY_DELAY: Duration = Duration::from_millis(200);
/// Limit of the part of a server's close reason that is reported, in characters.
const MAX_REASON: usize = 120;

/// A connection and the server's hello.
#[derive(Clone)]
pub(super) struct PooledConnection {
    pub(super) connection: quinn::Connection,
    pub(super) hello: Hello,
    /// Nothing has arrived for [`LIVENESS_TIMEOUT`].
    silent: Arc<AtomicBool>,
    /// The watchdog holds the connection, so it must not outlive the last user.
    _watchdog: Option<Arc<AbortOnDropHandle<()>>>,
}

impl PooledConnection {
    fn new(connection: quinn::Connection, hello: Hello, to_self: bool) -> Self {
        let silent = Arc::new(AtomicBool::new(false));
        let watchdog = (!to_self).then(|| {
            let watching = watch_liveness(connection.clone(), Arc::clone(&silent));
            Arc::new(AbortOnDropHandle::new(tokio::spawn(watching)))
        });
        Self {
            connection,
            hello,
            silent,
            _watchdog: watchdog,
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.connection.close_reason().is_none() && !self.silent.load(Ordering::Relaxed)
    }
}

/// Records whether a connection is silent. A killed server sends nothing, and QUIC's own idle timeout is
/// much longer.
async fn watch_liveness(connection: quinn::Connection, silent: Arc<AtomicBool>) {
    let mut before = connection.stats().udp_rx.datagrams;
    loop {
        tokio::select! {
            () = sleep(LIVENESS_TIMEOUT) => {}
            _ = connection.closed() => return,
        }
        let now = connection.stats().udp_rx.datagrams;
        silent.store(now == before, Ordering::Relaxed);
        before = now;
    }
}

impl Client {
    /// Connects, with a second attempt in parallel if the first is slow: a handshake that loses two packets
    /// in a row takes seconds, because each retransmission waits twice as long as the one before.
    pub(super) async fn dial_hedged(
        &self,
        peer: PeerAddr,
        config: &quinn::ClientConfig,
    ) -> Result<PooledConnection, CallError> {
        let dial = || unless_busy(|| self.dial(peer, config.clone()));
        let second = async {
            sleep(HEDGE_DELAY).await;
            dial().await
        };
        tokio::select! {
            biased;
            connected = dial() => connected,
            connected = second => connected,
        }
    }

    /// Connects and waits for the server's [`Hello`]: only then it has authorized this process.
    async fn dial(
        &self,
        peer: PeerAddr,
        config: quinn::ClientConfig,
    ) -> Result<PooledConnection, CallError> {
        let connection = self.handshake(peer, config).await?;
        let mut hello = connection
            .accept_uni()
            .await
            .map_err(|error| connection_error(peer, error))?;
        match wire::read::<Hello>(&mut hello).await {
            Ok(Some(hello)) => {
                let to_self = self.is_itself(peer);
                Ok(PooledConnection::new(connection, hello, to_self))
            }
            Ok(None) => Err(CallError::protocol("the server sent no hello")),
            Err(FrameError::Io(error)) => Err(match connection.close_reason() {
                Some(reason) => connection_error(peer, reason),
                None => transport_error(peer, error),
            }),
            Err(error) => Err(CallError::Protocol(Cause::from_error(error))),
        }
    }

    /// Reports whether a server is this process.
    fn is_itself(&self, peer: PeerAddr) -> bool {
        let own = self.0.quinn.local_addr();
        peer.key == self.0.identity.public() && own.is_ok_and(|own| own.port() == peer.addr.port())
    }

    pub(super) fn config(
        &self,
        peer: PeerAddr,
        protocol: &[u8],
    ) -> Result<quinn::ClientConfig, CallError> {
        let to_self = self.is_itself(peer);
        transport::client_config(&self.0.identity, peer.key, protocol, to_self)
            .map_err(|error| transport_error(peer, error))
    }

    pub(super) async fn handshake(
        &self,
        peer: PeerAddr,
        config: quinn::ClientConfig,
    ) -> Result<quinn::Connection, CallError> {
        let name = transport::session_name(&peer.key);
        self.0
            .quinn
            .connect_with(config, peer.addr, &name)
            .map_err(|error| transport_error(peer, error))?
            .await
            .map_err(|error| connection_error(peer, error))
    }
}

/// Tries a few times while the server is busy: its limits on new peers are reached for moments only.
pub(super) async fn unless_busy<T, Attempt>(attempt: impl Fn() -> Attempt) -> Result<T, CallError>
where
    Attempt: Future<Output = Result<T, CallError>>,
{
    for _ in 1..BUSY_ATTEMPTS {
        match attempt().await {
            Err(CallError::Busy(_)) => sleep(BUSY_DELAY.mul_f64(fastrand::f64())).await,
            result => return result,
        }
    }
    attempt().await
}

/// Converts the error of a connection that was not established.
pub(super) fn connection_error(peer: PeerAddr, error: ConnectionError) -> CallError {
    let closed_with = |close: VarInt, code: CloseCode| close == code.code();
    let reason = match error {
        ConnectionError::ApplicationClosed(close)
            if closed_with(close.error_code, CloseCode::Busy) =>
        {
            return CallError::Busy(match printable(&close.reason) {
                reason if reason.is_empty() => peer.to_string(),
                reason => format!("{peer} ({reason})"),
            });
        }
        // A server gives up a handshake to make room for others.
        ConnectionError::ConnectionClosed(close) if is_refused(&close) => {
            return CallError::Busy(peer.to_string());
        }
        ConnectionError::ApplicationClosed(close)
            if closed_with(close.error_code, CloseCode::Unauthorized) =>
        {
            return CallError::Unauthorized(peer.to_string());
        }
        ConnectionError::ApplicationClosed(close)
            if closed_with(close.error_code, CloseCode::RoleChanged) =>
        {
            ConnectError::RoleChanged
        }
        ConnectionError::ConnectionClosed(close) if is_alpn_mismatch(&close) => {
            ConnectError::WrongVersion
        }
        ConnectionError::TransportError(error) if error.to_string().contains("Verification") => {
            ConnectError::WrongKey
        }
        ConnectionError::TimedOut => ConnectError::NoReply,
        other => ConnectError::Transport(Cause::from_error(other)),
    };
    connect_error(peer, reason)
}

/// The error for a server that does not reply.
pub(super) fn unreachable(peer: PeerAddr) -> CallError {
    connect_error(peer, ConnectError::NoReply)
}

/// Converts an error of a lower layer that prevented the connection.
pub(super) fn transport_error(
    peer: PeerAddr,
    error: impl std::error::Error + Send + Sync + 'static,
) -> CallError {
    connect_error(peer, ConnectError::Transport(Cause::from_error(error)))
}

fn connect_error(peer: PeerAddr, reason: ConnectError) -> CallError {
    CallError::Connect {
        peer: peer.to_string(),
        reason,
    }
}

/// Returns the part of a close reason that a terminal can show.
fn printable(reason: &[u8]) -> String {
    let text = String::from_utf8_lossy(reason);
    let chars = text.chars().filter(|c| c.is_ascii() && !c.is_control());
    chars.take(MAX_REASON).collect()
}

/// Reports whether a server ended a handshake that it did not want to continue (RFC 9000, section 20.1).
fn is_refused(close: &quinn::ConnectionClose) -> bool {
    use quinn::TransportErrorCode as Code;
    matches!(
        close.error_code,
        Code::CONNECTION_REFUSED | Code::APPLICATION_ERROR
    )
}

/// Reports whether no protocol was agreed: QUIC carries TLS alerts as 0x100 + alert, and 120 is "no
/// application protocol" (RFC 9001, section 4.8).
fn is_alpn_mismatch(close: &quinn::ConnectionClose) -> bool {
    u64::from(close.error_code) == 0x100 + 120
}
