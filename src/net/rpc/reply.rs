//! The server's side of a call's stream: replies, written as frames.

use quinn::SendStream;
use serde::Serialize;

use super::{
    error::{Code, RemoteError},
    wire::{self, FrameError, Reply},
};
use crate::{net::quic::stream::ResetOnDrop, value::Encoded};

/// Writes the replies to one call. Dropping it without an end resets the stream.
pub(super) struct ReplyWriter(ResetOnDrop);

impl ReplyWriter {
    pub(super) const fn new(stream: SendStream) -> Self {
        Self(ResetOnDrop::new(stream))
    }

    /// Writes a message of any type.
    pub(super) async fn write<T: Serialize>(&mut self, message: &T) -> Result<(), FrameError> {
        Ok(self.0.write_frame(&wire::encode(message)?).await?)
    }

    /// Writes one result of a stream of them.
    pub(super) async fn write_result(&mut self, result: Encoded) -> Result<(), FrameError> {
        Ok(self.0.write_frame(&wire::encode_result(result)?).await?)
    }

    /// Ends the stream.
    pub(super) fn finish(self) {
        self.0.finish();
    }

    /// Writes the only result and ends the stream.
    pub(super) async fn send_result(mut self, result: Encoded) {
        match self.write_result(result).await {
            Ok(()) => self.finish(),
            Err(error @ FrameError::TooLarge(_)) => {
                let message = format!("the result is too large: {error}");
                self.send_error(RemoteError::new(Code::Internal, message))
                    .await;
            }
            Err(error) => tracing::debug!(%error, "a reply could not be sent"),
        }
    }

    /// Writes an error and ends the stream.
    pub(super) async fn send_error(mut self, error: RemoteError) {
        match self.write(&Reply::Err(error)).await {
            Ok(()) => self.finish(),
            Err(error) => tracing::debug!(%error, "an error reply could not be sent"),
        }
    }

    /// Completes when the caller cancels the call.
    pub(super) async fn cancelled(&self) {
        self.0.cancelled().await;
    }
}
