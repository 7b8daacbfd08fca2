//! Dialling one address of one server, and what is known of the connection afterwards.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use quinn::ConnectionError;
use tokio::time::{Duration, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Client;
use crate::net::{
    peer_addr::PeerAddr,
    quic::{
        stream::{BUSY, CHANGED, DENIED},
        transport,
    },
    rpc::{
        error::CallError,
        wire::{self, FrameError, Hello},
    },
};

/// Connecting takes at most this long: a server that does not answer by then is not there, and another
/// may be.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);
/// A handshake that takes longer is begun anew beside the first one.
const HEDGE_DELAY: Duration = Duration::from_secs(1);
/// A connection on which nothing has come for this long is not used for another call. Its server is heard
/// several times in it, unless it is dead or cut off.
const LIVENESS_TIMEOUT: Duration = Duration::from_millis(1_800);

/// A connection, and what the server said first.
#[derive(Clone)]
pub(crate) struct PooledConnection {
    pub(crate) connection: quinn::Connection,
    pub(crate) hello: Hello,
    /// Nothing has come from it for a while.
    quiet: Arc<AtomicBool>,
    /// What listens holds the connection, and must not outlive the last who uses it.
    _listening: Option<Arc<AbortOnDropHandle<()>>>,
}

impl PooledConnection {
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

    pub(crate) fn is_healthy(&self) -> bool {
        self.connection.close_reason().is_none() && !self.quiet.load(Ordering::Relaxed)
    }
}

/// Notes whether a connection has gone quiet: a server that was killed says nothing, and QUIC itself
/// gives it up much later.
async fn listen(connection: quinn::Connection, quiet: Arc<AtomicBool>) {
    let mut heard = connection.stats().udp_rx.datagrams;
    loop {
        tokio::select! {
            () = sleep(LIVENESS_TIMEOUT) => {}
            _ = connection.closed() => return,
        }
        let now = connection.stats().udp_rx.datagrams;
        quiet.store(now == heard, Ordering::Relaxed);
        heard = now;
    }
}

impl Client {
    /// A handshake that loses two packets in a row takes seconds, because each wait is twice the one
    /// before. A second one beside it is likely to be through first.
    pub(crate) async fn dial_hedged(
        &self,
        peer: PeerAddr,
        config: &quinn::ClientConfig,
    ) -> Result<PooledConnection, CallError> {
        let again = async {
            sleep(HEDGE_DELAY).await;
            self.dial(peer, config.clone()).await
        };
        tokio::select! {
            biased;
            line = self.dial(peer, config.clone()) => line,
            line = again => line,
        }
    }

    /// Connects and waits for the server's [`Hello`]: before it, a connection is only a hope.
    async fn dial(
        &self,
        peer: PeerAddr,
        config: quinn::ClientConfig,
    ) -> Result<PooledConnection, CallError> {
        let connection = self.handshake(peer, config).await?;
        let mut hello = connection
            .accept_uni()
            .await
            .map_err(|error| refused(peer, &error))?;
        match wire::read::<Hello>(&mut hello).await {
            Ok(Some(hello)) => Ok(PooledConnection::new(
                connection,
                hello,
                self.is_itself(peer),
            )),
            Ok(None) => Err(CallError::Protocol("the server said nothing".into())),
            Err(FrameError::Io(error)) => Err(match connection.close_reason() {
                Some(reason) => refused(peer, &reason),
                None => connect_error(peer, &error),
            }),
            Err(error) => Err(CallError::Protocol(error.to_string())),
        }
    }

    /// Whether a server is this very process.
    fn is_itself(&self, peer: PeerAddr) -> bool {
        let own = self.0.quinn.local_addr();
        peer.key == self.0.identity.public() && own.is_ok_and(|own| own.port() == peer.addr.port())
    }

    pub(crate) fn config(
        &self,
        peer: PeerAddr,
        protocol: &[u8],
    ) -> Result<quinn::ClientConfig, CallError> {
        let to_itself = self.is_itself(peer);
        transport::client(&self.0.identity, peer.key, protocol, to_itself).map_err(|error| {
            CallError::Connect {
                peer: peer.to_string(),
                reason: error.to_string(),
            }
        })
    }

    pub(crate) async fn handshake(
        &self,
        peer: PeerAddr,
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

/// A connection that did not come about, in words that help.
pub(crate) fn refused(peer: PeerAddr, error: &ConnectionError) -> CallError {
    let reason = match error {
        ConnectionError::ApplicationClosed(close) if close.error_code == BUSY => {
            return CallError::Busy(peer.to_string());
        }
        ConnectionError::ApplicationClosed(close) if close.error_code == DENIED => {
            return CallError::Unauthorized(peer.to_string());
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
        ConnectionError::TimedOut => return unreachable(peer),
        other => other.to_string(),
    };
    CallError::Connect {
        peer: peer.to_string(),
        reason,
    }
}

/// Silence.
pub(crate) fn unreachable(peer: PeerAddr) -> CallError {
    CallError::Connect {
        peer: peer.to_string(),
        reason: "unreachable answers there; is a node running, and is this still its address?"
            .to_owned(),
    }
}

/// QUIC carries TLS alerts as 0x100 + alert; 120 is "no application protocol" (RFC 9001, 4.8).
fn is_alpn_mismatch(close: &quinn::ConnectionClose) -> bool {
    u64::from(close.error_code) == 0x100 + 120
}

pub(crate) fn connect_error(peer: PeerAddr, error: &std::io::Error) -> CallError {
    CallError::Connect {
        peer: peer.to_string(),
        reason: error.to_string(),
    }
}
