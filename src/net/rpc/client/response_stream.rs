//! The answers to one call.

use quinn::RecvStream;
use tokio::time::{Duration, Instant, timeout_at};

use crate::{
    net::{
        peer_addr::PeerAddr,
        quic::stream::ABANDONED,
        rpc::{
            error::CallError,
            wire::{self, FrameError},
        },
    },
    value::Encoded,
};

/// The answers to one call, in order. Dropping it tells the server to stop.
#[derive(Debug)]
pub struct ResponseStream {
    pub(crate) recv: Option<RecvStream>,
    pub(crate) peer: PeerAddr,
    pub(crate) deadline: Duration,
    pub(crate) since: Instant,
}

impl ResponseStream {
    /// The next answer, or `None` at the end of the stream.
    ///
    /// # Errors
    /// [`CallError::Remote`], [`CallError::Lost`] or [`CallError::Protocol`].
    pub async fn next(&mut self) -> Result<Option<Encoded>, CallError> {
        let Some(recv) = &mut self.recv else {
            return Ok(None);
        };
        match wire::read_reply(recv).await {
            Ok(Some(Ok(answer))) => Ok(Some(answer)),
            Ok(Some(Err(error))) => Err(error.into()),
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

    pub(crate) async fn next_by(&mut self, by: Instant) -> Result<Option<Encoded>, CallError> {
        let deadline = self.deadline;
        timeout_at(by, self.next())
            .await
            .unwrap_or(Err(CallError::Deadline(deadline)))
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        if let Some(recv) = &mut self.recv {
            recv.stop(ABANDONED).ok();
        }
    }
}
