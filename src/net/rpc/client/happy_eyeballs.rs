//! Connecting to one server that may be at several addresses.

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Duration, sleep};

use super::{Client, DEADLINE};
use crate::net::{
    rpc::{
        error::{CallError, ConnectError},
        wire::Hello,
    },
    trust::peer_addr::PeerAddr,
};

/// The delay between attempts, as RFC 8305, section 5, recommends.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

impl Client {
    /// Connects to the first of these peers that replies.
    ///
    /// # Errors
    /// The most specific one of all attempts, as [`Client::connect`].
    pub async fn connect_any(
        &self,
        peers: impl IntoIterator<Item = PeerAddr>,
    ) -> Result<(PeerAddr, Hello), CallError> {
        let connecting = |peer| async move { Ok((peer, self.connect(peer, DEADLINE).await?)) };
        race(peers, connecting).await
    }
}

/// Dials each peer a little after the one before, returns the first success and drops the other attempts.
/// A server's refusal counts for all its addresses and ends the race; of other errors the first one that
/// is more than silence is returned.
pub(in crate::net) async fn race<T, Attempt>(
    peers: impl IntoIterator<Item = PeerAddr>,
    dial: impl Fn(PeerAddr) -> Attempt,
) -> Result<T, CallError>
where
    Attempt: Future<Output = Result<T, CallError>>,
{
    let mut peers = peers.into_iter().peekable();
    let mut attempts = FuturesUnordered::new();
    let mut failed = None;
    loop {
        let next = peers.next();
        attempts.extend(next.map(&dial));
        let others = peers.peek().is_some();
        tokio::select! {
            Some(result) = attempts.next() => match result {
                Ok(_) | Err(CallError::Unauthorized(_) | CallError::Busy(_)) => return result,
                Err(error) => {
                    if failed.as_ref().is_none_or(is_silence) {
                        failed = Some(error);
                    }
                }
            },
            () = sleep(ATTEMPT_DELAY), if others => {}
            else => {
                return Err(failed.unwrap_or_else(|| CallError::Connect {
                    peer: "it".to_owned(),
                    reason: ConnectError::NoAddress,
                }));
            }
        }
    }
}

/// Reports whether an attempt failed without any reply.
const fn is_silence(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Connect {
            reason: ConnectError::NoReply,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::net::{rpc::client::dial::unreachable, trust::key::PublicKey};

    fn peers(ports: std::ops::Range<u16>) -> impl Iterator<Item = PeerAddr> {
        ports.map(|port| PeerAddr {
            addr: ([127, 0, 0, 1], port).into(),
            key: PublicKey::from_bytes([7; 32]),
        })
    }

    fn wrong_key(mut peers: impl Iterator<Item = PeerAddr>) -> CallError {
        CallError::Connect {
            peer: peers.next().expect("one").to_string(),
            reason: ConnectError::WrongKey,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_delays_the_next_only_briefly() {
        let since = tokio::time::Instant::now();
        let found = race(peers(1..5), |peer| async move {
            match peer.addr.port() {
                3 => Ok(3),
                _ => pending().await,
            }
        });
        assert_eq!(found.await, Ok(3));
        assert_eq!(since.elapsed(), 2 * ATTEMPT_DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_is_followed_at_once() {
        let since = tokio::time::Instant::now();
        let found = race(peers(1..5), |peer| async move {
            match peer.addr.port() {
                4 => Ok(4),
                _ => Err(unreachable(peer)),
            }
        });
        assert_eq!(found.await, Ok(4));
        assert_eq!(since.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_counts_for_every_address() {
        let unauthorized = || CallError::Unauthorized("p".into());
        let failed = race::<(), _>(peers(1..4), |peer| async move {
            match peer.addr.port() {
                2 => Err(unauthorized()),
                _ => pending().await,
            }
        });
        assert_eq!(failed.await, Err(unauthorized()));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_reported_only_without_another_error() {
        let (silent, expected): (Vec<PeerAddr>, _) =
            (peers(1..4).collect(), wrong_key(peers(2..3)));
        let failed = race::<(), _>(peers(1..4), |peer| async move {
            match peer.addr.port() {
                2 => Err(wrong_key(peers(2..3))),
                _ => Err(unreachable(peer)),
            }
        });
        assert_eq!(failed.await, Err(expected));
        let failed = race::<(), _>(peers(1..4), |peer| async move { Err(unreachable(peer)) });
        assert_eq!(failed.await, Err(unreachable(silent[2])));
        assert!(race::<(), _>(peers(1..1), |_peer| pending()).await.is_err());
    }
}
