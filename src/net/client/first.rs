//! Reaching one server that may be at several addresses.

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Duration, sleep};

use super::{Client, DEADLINE};
use crate::net::{fault::CallError, peer::Peer, wire::Hello};

/// An address that is silent for this long is not waited for before the next is tried: RFC 8305, section
/// 5, recommends a quarter of a second.
const STAGGER: Duration = Duration::from_millis(250);

impl Client {
    /// Connects to the first of these that answers, and tells which that is.
    ///
    /// # Errors
    /// The one that tells most of why there is none: as [`Client::connect`].
    pub async fn first_to_answer(
        &self,
        peers: impl IntoIterator<Item = Peer>,
    ) -> Result<(Peer, Hello), CallError> {
        let connecting = |peer| async move { Ok((peer, self.connect(peer, DEADLINE).await?)) };
        first(peers, connecting).await
    }
}

/// Dials each a little after the one before, and takes the first that answers. The others are let go.
pub(super) async fn first<T, Dialling>(
    peers: impl IntoIterator<Item = Peer>,
    dial: impl Fn(Peer) -> Dialling,
) -> Result<T, CallError>
where
    Dialling: Future<Output = Result<T, CallError>>,
{
    let mut peers = peers.into_iter().peekable();
    let mut dialling = FuturesUnordered::new();
    let mut failed = CallError::Protocol("no address is known of it".into());
    loop {
        dialling.extend(peers.next().map(&dial));
        let others = peers.peek().is_some();
        tokio::select! {
            Some(answer) = dialling.next() => match answer {
                // Whoever says why has been reached: nobody else has to be asked.
                Ok(_) | Err(CallError::Remote(_)) => return answer,
                Err(error) if matches!(failed, CallError::Stranger(_)) => drop(error),
                Err(error) => failed = error,
            },
            () = sleep(STAGGER), if others => {}
            else => return Err(failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::net::{fault::Fault, key::PublicKey};

    fn peers(ports: std::ops::Range<u16>) -> impl Iterator<Item = Peer> {
        ports.map(|port| Peer {
            addr: ([127, 0, 0, 1], port).into(),
            key: PublicKey::from_bytes([7; 32]),
        })
    }

    fn unreached(peer: Peer) -> CallError {
        CallError::Connect {
            peer: peer.to_string(),
            reason: "gone".into(),
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
        assert_eq!(since.elapsed(), 2 * STAGGER);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_is_followed_at_once() {
        let since = tokio::time::Instant::now();
        let found = first(peers(1..5), |peer| async move {
            match peer.addr.port() {
                4 => Ok(4),
                _ => Err(unreached(peer)),
            }
        });
        assert_eq!(found.await, Ok(4));
        assert_eq!(since.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_is_the_one_that_tells_most() {
        let stranger = || CallError::Stranger("p".into());
        let failed = first::<(), _>(peers(1..4), |peer| async move {
            match peer.addr.port() {
                2 => Err(stranger()),
                _ => Err(unreached(peer)),
            }
        });
        assert_eq!(failed.await, Err(stranger()));
        let no = || CallError::Remote(Fault::not_found("no"));
        let failed = first::<(), _>(peers(1..4), |_peer| async move { Err(no()) });
        assert_eq!(failed.await, Err(no()));
        assert!(
            first::<(), _>(peers(1..1), |_peer| pending())
                .await
                .is_err()
        );
    }
}
