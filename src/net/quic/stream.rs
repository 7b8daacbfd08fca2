//! Streams and connections that end on purpose: the codes that say why, and a stream that is never
//! taken for whole when it was cut.

use quinn::{SendStream, VarInt};
use serde::Serialize;

use crate::{
    net::rpc::{
        error::{Code, RemoteError},
        wire::{self, FrameError, Reply},
    },
    value::Encoded,
};

/// Close code: this side stops.
pub(crate) const GOODBYE: VarInt = VarInt::from_u32(0);
/// Close code: the client's key is not known here.
pub(crate) const DENIED: VarInt = VarInt::from_u32(1);
/// Close code: too many connections.
pub(crate) const BUSY: VarInt = VarInt::from_u32(2);
/// Close code: what the client may do here has changed; it may connect again, unless it may nothing.
pub(crate) const CHANGED: VarInt = VarInt::from_u32(4);
/// Stream code: the answer ends early, or nobody wants it any more.
pub(crate) const ABANDONED: VarInt = VarInt::from_u32(3);

/// A stream for an answer. quinn *finishes* a stream that is dropped, and a cut answer would look
/// like a whole one: this one is reset unless it was finished on purpose.
pub(crate) struct ResetOnDrop(pub(crate) Option<SendStream>);

impl ResetOnDrop {
    pub(crate) async fn write<T: Serialize>(&mut self, message: &T) -> Result<(), FrameError> {
        self.send(&wire::encode(message)?).await
    }

    /// Writes one answer of a stream of them.
    pub(crate) async fn give(&mut self, answer: Encoded) -> Result<(), FrameError> {
        self.send(&wire::answer(answer)?).await
    }

    async fn send(&mut self, frame: &[u8]) -> Result<(), FrameError> {
        if let Some(stream) = &mut self.0 {
            stream
                .write_all(frame)
                .await
                .map_err(std::io::Error::from)?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) {
        if let Some(mut stream) = self.0.take() {
            // Only fails when the stream is closed already.
            stream.finish().ok();
        }
    }

    pub(crate) async fn answer(mut self, answer: Encoded) {
        match self.give(answer).await {
            Ok(()) => self.finish(),
            Err(error @ FrameError::TooLarge(_)) => {
                let error =
                    RemoteError::new(Code::Internal, format!("the answer is too large: {error}"));
                self.refuse(error).await;
            }
            Err(error) => tracing::debug!(%error, "an answer could not be sent"),
        }
    }

    pub(crate) async fn refuse(mut self, error: RemoteError) {
        match self.write(&Reply::Err(error)).await {
            Ok(()) => self.finish(),
            Err(error) => tracing::debug!(%error, "a refusal could not be sent"),
        }
    }

    /// Completes when the other side no longer wants this stream.
    pub(crate) async fn cancelled(&self) {
        match &self.0 {
            Some(stream) => {
                stream.stopped().await.ok();
            }
            None => std::future::pending().await,
        }
    }
}

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        if let Some(stream) = &mut self.0 {
            stream.reset(ABANDONED).ok();
        }
    }
}
