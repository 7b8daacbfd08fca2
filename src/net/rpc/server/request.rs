//! Reading a call. A large one needs bytes of its key's budget before it is read, and has to make progress.

use quinn::RecvStream;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Duration, timeout},
};

use crate::net::{
    quic::quotas::{ByteKind, BytesPermit, ConnectionPermit, QuotaError},
    rpc::{
        error::{Code, RemoteError},
        wire::{self, Call, FrameError},
    },
};

/// Requests and replies up to this size, in bytes, need no bytes of the budget: the limit of calls bounds
/// their number.
pub(super) const SMALL: usize = 16 << 10;
/// Limit of the time until a small request, or the length of a large one, has arrived.
const START_TIMEOUT: Duration = Duration::from_secs(5);
/// The bytes of a large request that have to arrive in each [`PIECE_TIMEOUT`].
const PIECE: usize = 32 << 10;
/// Limit of the time for each piece of a large request.
const PIECE_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit of the time for a large request.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(60);

/// A call that could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// The stream ended or broke; nobody waits for a reply.
    #[error("the caller has gone")]
    Gone,
    /// The frame is too large or malformed.
    #[error(transparent)]
    Frame(FrameError),
    /// The request arrived too slowly.
    #[error("the call did not arrive in time: {got} of {length} bytes in {limit:?}")]
    Slow {
        /// The bytes that arrived.
        got: usize,
        /// The announced length; 0 if that did not arrive.
        length: usize,
        /// The time that they had.
        limit: Duration,
    },
    /// There is no room for the request.
    #[error(transparent)]
    Quota(#[from] QuotaError),
}

impl From<FrameError> for RequestError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(_) => Self::Gone,
            error => Self::Frame(error),
        }
    }
}

impl RequestError {
    /// Returns the error as the caller receives it; `None` if there is none.
    pub(super) fn into_reply(self) -> Option<RemoteError> {
        let code = match &self {
            Self::Gone => return None,
            Self::Frame(_) => Code::Malformed,
            Self::Slow { .. } => Code::Expired,
            Self::Quota(_) => Code::QuotaExceeded,
        };
        Some(RemoteError::new(code, self.to_string()))
    }
}

/// Reads one call, and the permit for its bytes if it is large.
pub(super) async fn read<'a>(
    quota: &'a ConnectionPermit,
    stream: &mut RecvStream,
) -> Result<(Call, Option<BytesPermit<'a>>), RequestError> {
    let start = async {
        let length = wire::read_length(stream).await?.ok_or(RequestError::Gone)?;
        match length <= SMALL {
            true => Ok((length, Some(wire::read_body(stream, length).await?))),
            false => Ok((length, None)),
        }
    };
    let started = timeout(START_TIMEOUT, start).await;
    let (length, body) = started.unwrap_or(Err(slow(0, 0, START_TIMEOUT)))?;
    let (body, permit) = match body {
        Some(body) => (body, None),
        None => {
            let permit = quota.reserve(ByteKind::Requests, length).await?;
            (read_in_pieces(stream, length).await?, Some(permit))
        }
    };
    wire::consume_fin(stream);
    Ok((wire::decode(&body)?, permit))
}

/// Reads the body of a large frame piece by piece, each within its time.
async fn read_in_pieces(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> Result<Vec<u8>, RequestError> {
    let mut body = Vec::new();
    let pieces = async {
        while body.len() < length {
            let got = body.len();
            body.resize(length.min(got + PIECE), 0);
            let piece = body.get_mut(got..).unwrap_or_default();
            let read = timeout(PIECE_TIMEOUT, stream.read_exact(piece)).await;
            let read = read.map_err(|_elapsed| slow(got, length, PIECE_TIMEOUT))?;
            read.map_err(FrameError::Io)?;
        }
        Ok(())
    };
    let read = timeout(TOTAL_TIMEOUT, pieces).await;
    read.unwrap_or(Err(RequestError::Slow {
        got: body.len(),
        length,
        limit: TOTAL_TIMEOUT,
    }))?;
    Ok(body)
}

const fn slow(got: usize, length: usize, limit: Duration) -> RequestError {
    RequestError::Slow { got, length, limit }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncWriteExt, duplex},
        time::{Instant, sleep},
    };

    use super::*;

    const LENGTH: usize = 10 * PIECE;

    /// Sends pieces of a request, one each `interval`.
    async fn read_from_sender(
        piece: usize,
        interval: Duration,
    ) -> (Result<Vec<u8>, RequestError>, Duration) {
        let (mut sender, mut receiver) = duplex(PIECE);
        let started = Instant::now();
        let sending = async {
            for _ in 0..LENGTH.div_ceil(piece) {
                sleep(interval).await;
                if sender.write_all(&vec![7; piece]).await.is_err() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            read = read_in_pieces(&mut receiver, LENGTH) => (read, started.elapsed()),
            () = sending => panic!("nobody reads any more"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_that_makes_progress_is_read() {
        let (body, took) = read_from_sender(PIECE, Duration::from_secs(4)).await;
        assert_eq!(body.expect("read").len(), LENGTH);
        assert_eq!(took, Duration::from_secs(40));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_progress_is_refused() {
        let (body, took) = read_from_sender(PIECE - 1, Duration::from_secs(60)).await;
        let error = body.expect_err("refused");
        assert!(
            matches!(error, RequestError::Slow { got: 0, .. }),
            "{error}"
        );
        assert_eq!(took, PIECE_TIMEOUT);
        assert_eq!(error.into_reply().expect("a reply").code, Code::Expired);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_trickles_has_a_minute() {
        let (body, took) = read_from_sender(PIECE / 2, Duration::from_millis(3_500 / 2)).await;
        assert!(body.is_ok(), "{body:?}");
        assert!(took < TOTAL_TIMEOUT);
        let (body, took) = read_from_sender(PIECE / 4, Duration::from_millis(6_900 / 4)).await;
        assert!(body.is_err());
        assert!(took <= TOTAL_TIMEOUT);
    }
}
