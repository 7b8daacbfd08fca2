//! Reaching one server that may be at several addresses.

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::time::{Duration, sleep};

use super::{Client, DEADLINE, dial::unreachable};
use crate::net::{
    peer_addr::PeerAddr,
    rpc::{error::CallError, wire::Hello},
};

/// An address that is silent for this long is not waited for before the next is tried: RFC 8305, section
/// 5, recommends a quarter of a second.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

impl Client {
    /// Connects to the first of these that answers, and tells which that is.
    ///
    /// # Errors
    /// The one that tells most of why there is none: as [`Client::connect`].
    pub async fn connect_any(
        &self,
        peers: impl IntoIterator<Item = PeerAddr>,
    ) -> Result<(PeerAddr, Hello), CallError> {
        let connecting = |peer| async move { Ok((peer, self.connect(peer, DEADLINE).await?)) };
        first(peers, connecting).await
    }
}

/// Dials each a little after the one before, and takes the first that answers. The others are let go.
/// Whoever was reached and says no has said it for every address; of other errors the first is told that
/// is more than silence.
pub(crate) async fn first<T, DialSlot>(
    peers: impl IntoIterator<Item = PeerAddr>,
    dial: impl Fn(PeerAddr) -> DialSlot,
) -> Result<T, CallError>
where
    DialSlot: Future<Output = Result<T, CallError>>,
{
    let mut peers = peers.into_iter().peekable();
    let mut dialling = FuturesUnordered::new();
    let mut failed = None;
    loop {
        let next = peers.next();
        dialling.extend(next.map(|peer| dial(peer).map(move |answer| (peer, answer))));
        let others = peers.peek().is_some();
        tokio::select! {
            Some((peer, answer)) = dialling.next() => match answer {
                Ok(_) | Err(CallError::Unauthorized(_) | CallError::Busy(_)) => return answer,
                Err(error) => {
                    let silent = |(peer, error): &(PeerAddr, CallError)| *error == unreachable(*peer);
                    if failed.as_ref().is_none_or(silent) {
                        failed = Some((peer, error));
                    }
                }
            },
            () = sleep(ATTEMPT_DELAY), if others => {}
            else => {
                let unknown = || CallError::Connect {
                    peer: "it".to_owned(),
                    reason: "no address of it is known".to_owned(),
                };
                return Err(failed.map_or_else(unknown, |(_, error)| error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::net::trust::key::PublicKey;

    fn peers(ports: std::ops::Range<u16>) -> impl Iterator<Item = PeerAddr> {
        ports.map(|port| PeerAddr {
            addr: ([127, 0, 0, 1], port).into(),
            key: PublicKey::from_bytes([7; 32]),
        })
    }

    fn unreached(mut peers: impl Iterator<Item = PeerAddr>) -> CallError {
        CallError::Connect {
            peer: peers.next().expect("one").to_string(),
            reason: "it holds another key".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_holds_nobody_up_for_long() {
        let since = tokio::time::Instant::now();
        let found = first(peers(1..5), |peer| async move {
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
        let found = first(peers(1..5), |peer| async move {
            match peer.addr.port() {
                4 => Ok(4),
                _ => Err(unreachable(peer)),
            }
        });
        assert_eq!(found.await, Ok(4));
        assert_eq!(since.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_reached_and_says_no_has_said_it_for_every_address() {
        let stranger = || CallError::Unauthorized("p".into());
        let failed = first::<(), _>(peers(1..4), |peer| async move {
            match peer.addr.port() {
                2 => Err(stranger()),
                _ => pending().await,
            }
        });
        assert_eq!(failed.await, Err(stranger()));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_told_only_when_there_was_nothing_else() {
        let (silent, told): (Vec<PeerAddr>, _) = (peers(1..4).collect(), unreached(peers(2..3)));
        let failed = first::<(), _>(peers(1..4), |peer| async move {
            match peer.addr.port() {
                2 => Err(unreached(peers(2..3))),
                _ => Err(unreachable(peer)),
            }
        });
        assert_eq!(failed.await, Err(told));
        let failed = first::<(), _>(peers(1..4), |peer| async move { Err(unreachable(peer)) });
        assert_eq!(failed.await, Err(unreachable(silent[2])));
        assert!(
            first::<(), _>(peers(1..1), |_peer| pending())
                .await
                .is_err()
        );
    }
}
