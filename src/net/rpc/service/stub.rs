//! Typed clients of objects.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{Method, StreamMethod};
use crate::{
    net::{
        rpc::{
            client::{Client, DEADLINE, ResponseStream},
            error::CallError,
        },
        trust::peer_addr::PeerAddr,
    },
    value::Encoded,
};

/// A typed client of one object.
#[derive(Debug, Clone)]
pub struct Stub {
    client: Client,
    peer: PeerAddr,
    object: Arc<str>,
}

impl Stub {
    /// Creates a client of the object that a peer exposes under this name.
    pub fn new(client: Client, peer: PeerAddr, object: impl Into<Arc<str>>) -> Self {
        Self {
            client,
            peer,
            object: object.into(),
        }
    }

    /// Returns the client that carries the calls.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the peer that serves the object.
    #[must_use]
    pub const fn peer(&self) -> PeerAddr {
        self.peer
    }

    /// Returns the object's name at the peer.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Calls a method and waits at most [`DEADLINE`] for its result.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call<A, R>(&self, method: &Method<A, R>, args: &A) -> Result<R, CallError>
    where
        A: Serialize,
        R: DeserializeOwned,
    {
        self.call_within(method, args, DEADLINE).await
    }

    /// Calls a method with another deadline.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_within<A, R>(
        &self,
        method: &Method<A, R>,
        args: &A,
        deadline: Duration,
    ) -> Result<R, CallError>
    where
        A: Serialize,
        R: DeserializeOwned,
    {
        let args = method.encode(args)?;
        let result = self.call_encoded(method.name(), &args, deadline).await?;
        method.decode(&result)
    }

    /// Calls a method with arguments that are encoded already, and returns the encoded result.
    pub(crate) async fn call_encoded(
        &self,
        method: &str,
        args: &Encoded,
        deadline: Duration,
    ) -> Result<Encoded, CallError> {
        let stream = self.open_encoded(method, args, deadline).await?;
        stream.into_single().await
    }

    /// Calls a method that returns a stream.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn open<A, R>(
        &self,
        method: &StreamMethod<A, R>,
        args: &A,
    ) -> Result<ItemStream<R>, CallError>
    where
        A: Serialize,
        R: DeserializeOwned,
    {
        let args = method.0.encode(args)?;
        let stream = self.open_encoded(method.0.name(), &args, DEADLINE).await?;
        Ok(ItemStream {
            stream,
            item: PhantomData,
        })
    }

    async fn open_encoded(
        &self,
        method: &str,
        args: &Encoded,
        deadline: Duration,
    ) -> Result<ResponseStream, CallError> {
        self.client
            .open_encoded(self.peer, &self.object, method, args, deadline)
            .await
    }
}

/// The items of a [`StreamMethod`], in order. Dropping it ends the stream at the server too.
#[derive(Debug)]
pub struct ItemStream<R> {
    stream: ResponseStream,
    item: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> ItemStream<R> {
    /// Waits for the next item; `None` when the server has ended the stream.
    ///
    /// # Errors
    /// As [`ResponseStream::next`].
    pub async fn next(&mut self) -> Result<Option<R>, CallError> {
        match self.stream.next().await? {
            Some(item) => item
                .to_typed()
                .map(Some)
                .map_err(|e| CallError::protocol_error("unexpected item", e)),
            None => Ok(None),
        }
    }
}
