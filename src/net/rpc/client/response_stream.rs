//! The responses to one call.

use quinn::RecvStream;
use tokio::time::{Duration, Instant, timeout_at};

use crate::{
    cause::Cause,
    net::{
        quic::stream::CloseCode,
        rpc::{
            error::CallError,
            wire::{self, FrameError},
        },
        trust::peer_addr::PeerAddr,
    },
    value::Encoded,
};

/// The responses to one call, in order. Dropping it cancels the call at the server.
#[derive(Debug)]
pub struct ResponseStream {
    /// `None` when the stream has ended.
    recv: Option<RecvStream>,
    peer: PeerAddr,
    started: Instant,
    deadline: Duration,
}

impl ResponseStream {
    pub(super) const fn new(
        recv: RecvStream,
        peer: PeerAddr,
        started: Instant,
        deadline: Duration,
    ) -> Self {
        Self {
            recv: Some(recv),
            peer,
            started,
            deadline,
        }
    }

    /// Waits for the next response; `None` at the end of the stream.
    ///
    /// # Errors
    /// [`CallError::Remote`], [`CallError::Lost`] or [`CallError::Protocol`].
    pub async fn next(&mut self) -> Result<Option<Encoded>, CallError> {
        let Some(recv) = &mut self.recv else {
            return Ok(None);
        };
        match wire::read_reply(recv).await {
            Ok(Some(Ok(result))) => Ok(Some(result)),
            Ok(Some(Err(error))) => Err(error.into()),
            Ok(None) => {
                self.recv = None;
                Ok(None)
            }
            Err(FrameError::Io(error)) => Err(CallError::Lost {
                peer: self.peer.to_string(),
                reason: Cause::from_error(error),
            }),
            Err(error) => Err(CallError::Protocol(Cause::from_error(error))),
        }
    }

    /// Waits for the only response, within the call's deadline.
    pub(in crate::net::rpc) async fn into_single(mut self) -> Result<Encoded, CallError> {
        let deadline = self.deadline;
        let response = timeout_at(self.started + deadline, self.next())
            .await
            .unwrap_or(Err(CallError::Deadline(deadline)))?;
        if self.recv.as_mut().is_some_and(wire::consume_fin) {
            self.recv = None;
        }
        response.ok_or_else(|| CallError::protocol("the reply is empty"))
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        if let Some(recv) = &mut self.recv {
            recv.stop(CloseCode::Cancelled.code()).ok();
        }
    }
}
