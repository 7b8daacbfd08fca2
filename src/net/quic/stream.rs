//! Close codes, and a stream that is reset unless it was finished.

use std::io;

use quinn::{Connection, SendStream, VarInt};

/// The application error code with which a connection or a stream is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::net) enum CloseCode {
    /// The endpoint shuts down, or the connection has served its purpose.
    Shutdown = 0,
    /// The client's key is not known.
    Unauthorized = 1,
    /// Too many connections.
    Busy = 2,
    /// A stream that ends early, or that its receiver no longer wants.
    Cancelled = 3,
    /// The client's role has changed; it may connect again if it still has one.
    RoleChanged = 4,
}

impl CloseCode {
    /// Returns the code as QUIC carries it.
    pub(in crate::net) const fn code(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }

    /// Closes a connection with this code; the reason is for people.
    pub(in crate::net) fn close(self, connection: &Connection, reason: &str) {
        connection.close(self.code(), reason.as_bytes());
    }
}

/// A stream that is reset when it is dropped, unless it was finished. quinn *finishes* a dropped stream,
/// and a truncated message would look complete.
pub(in crate::net) struct ResetOnDrop(Option<SendStream>);

impl ResetOnDrop {
    /// Wraps a stream.
    pub(in crate::net) const fn new(stream: SendStream) -> Self {
        Self(Some(stream))
    }

    /// Writes a whole frame.
    pub(in crate::net) async fn write_frame(&mut self, frame: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Some(stream) => Ok(stream.write_all(frame).await?),
            None => Ok(()),
        }
    }

    /// Finishes the stream: what was written is complete.
    pub(in crate::net) fn finish(mut self) {
        if let Some(mut stream) = self.0.take() {
            // It fails only if the stream is closed already.
            stream.finish().ok();
        }
    }

    /// Completes when the receiver cancels the stream.
    pub(in crate::net) async fn cancelled(&self) {
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
            stream.reset(CloseCode::Cancelled.code()).ok();
        }
    }
}
