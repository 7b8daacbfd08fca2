//! Objects: what can be called. A Rust function becomes a method in one line.
//!
//! ```
//! use distro_tui::net::rpc::object::Service;
//!
//! let service = Service::new("Adds things").method(
//!     "add(x: int, y: int) -> int",
//!     "The sum of two integers.",
//!     |_caller, (x, y): (i64, i64)| async move {
//!         x.checked_add(y).ok_or_else(|| distro_tui::net::rpc::error::Fault::bad_arguments("too large"))
//!     },
//! );
//! ```
//!
//! Arguments are checked against the signature by name, number and type before the function runs;
//! what does not fit is a [`RemoteError`] that says so.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::{Code, RemoteError},
    wire::Role,
};
use crate::{
    net::trust::key::PublicKey,
    value::{Encoded, Value},
};

pub use crate::value::signature::{Param, Signature};

/// Who calls: known from the connection, never from the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The key that the caller proved to hold.
    pub key: PublicKey,
    /// What the caller may do here.
    pub role: Role,
}

/// One call as an object sees it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Who calls.
    pub caller: Caller,
    /// The method's name.
    pub method: String,
    /// Arguments by position.
    pub args: Vec<Value>,
    /// Arguments by name.
    pub kwargs: Vec<(String, Value)>,
}

/// Results that come one after another.
pub type ResultStream = Pin<Box<dyn Stream<Item = Result<Encoded, RemoteError>> + Send>>;

/// What a method gives back.
pub enum Answer {
    /// One result.
    One(Encoded),
    /// Results until the stream or the caller ends it.
    Stream(ResultStream),
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(value) => f.debug_tuple("One").field(value).finish(),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// Something that answers calls. Dropping the future that [`Object::call`] gives cancels the call.
pub trait Object: Send + Sync {
    /// One sentence on what the object is for.
    fn about(&self) -> &str;

    /// What may be called, in the order in which a person should read it.
    fn methods(&self) -> &[Signature];

    /// Runs a method.
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Answer, RemoteError>>;
}

type Handler = Box<
    dyn Fn(Invocation, &Signature) -> BoxFuture<'static, Result<Answer, RemoteError>> + Send + Sync,
>;

/// An [`Object`] put together from functions.
pub struct Service {
    about: String,
    signatures: Vec<Signature>,
    handlers: Vec<Handler>,
    index: HashMap<String, usize>,
}

impl Service {
    /// An object without methods yet.
    #[must_use]
    pub fn new(about: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            signatures: Vec::new(),
            handlers: Vec::new(),
            index: HashMap::new(),
        }
    }

    /// Adds a method. `signature` is written as in the example of the [module](self); a parameter
    /// whose type ends in `?` may be left out and is then null. The function takes the arguments as
    /// one tuple (`[(); 0]` for none) and may fail with anything that turns into a [`RemoteError`].
    ///
    /// # Panics
    /// When `signature` cannot be read or its name is taken: mistakes in the program, found when it
    /// starts.
    #[must_use]
    pub fn method<A, R, E, F, Run>(self, signature: &str, doc: &str, run: F) -> Self
    where
        A: DeserializeOwned + Send,
        R: Serialize,
        E: Into<RemoteError>,
        F: Fn(Caller, A) -> Run + Send + Sync + 'static,
        Run: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.add(signature, doc, move |invocation, signature| {
            let caller = invocation.caller;
            match crate::value::bind::arguments(signature, invocation.args, invocation.kwargs) {
                Err(error) => futures_util::future::ready(Err(error)).boxed(),
                Ok(args) => run(caller, args)
                    .map(|result| {
                        let result = result.map_err(Into::into)?;
                        Ok(Answer::One(Encoded::from_typed(&result)?))
                    })
                    .boxed(),
            }
        })
    }

    /// Adds a method that answers with one result after another, for as long as the caller listens.
    ///
    /// # Panics
    /// As [`Service::method`].
    #[must_use]
    pub fn stream<A, R, S, F>(self, signature: &str, doc: &str, run: F) -> Self
    where
        A: DeserializeOwned + Send,
        R: Serialize,
        S: Stream<Item = Result<R, RemoteError>> + Send + 'static,
        F: Fn(Caller, A) -> Result<S, RemoteError> + Send + Sync + 'static,
    {
        self.add(signature, doc, move |invocation, signature| {
            let caller = invocation.caller;
            let answer =
                crate::value::bind::arguments(signature, invocation.args, invocation.kwargs)
                    .and_then(|args| run(caller, args))
                    .map(|results| {
                        Answer::Stream(Box::pin(
                            results.map(|result| Ok(Encoded::from_typed(&result?)?)),
                        ))
                    });
            futures_util::future::ready(answer).boxed()
        })
    }

    fn add(
        mut self,
        signature: &str,
        doc: &str,
        handler: impl Fn(Invocation, &Signature) -> BoxFuture<'static, Result<Answer, RemoteError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let signature = match Signature::parse(signature, doc) {
            Ok(signature) => signature,
            Err(why) => panic!("method signature `{signature}`: {why}"),
        };
        let taken = self
            .index
            .insert(signature.name.clone(), self.signatures.len());
        assert!(taken.is_none(), "two methods are named {}", signature.name);
        self.signatures.push(signature);
        self.handlers.push(Box::new(handler));
        self
    }
}

impl Object for Service {
    fn about(&self) -> &str {
        &self.about
    }

    fn methods(&self) -> &[Signature] {
        &self.signatures
    }

    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Answer, RemoteError>> {
        let found = self.index.get(&invocation.method).copied();
        match found.and_then(|i| self.handlers.get(i).zip(self.signatures.get(i))) {
            Some((handler, signature)) => handler(invocation, signature),
            None => {
                let names: Vec<_> = self.signatures.iter().map(|s| s.name.as_str()).collect();
                let error = RemoteError::new(
                    Code::UnknownMethod,
                    format!(
                        "there is no method `{}`; there is {}",
                        excerpt(&invocation.method),
                        names.join(", ")
                    ),
                );
                futures_util::future::ready(Err(error)).boxed()
            }
        }
    }
}

/// The objects of one process by name.
#[derive(Default)]
pub struct Objects(std::sync::RwLock<HashMap<String, Arc<dyn Object>>>);

/// The method that every object has: it lists the others.
pub const METHODS: &str = "methods";

impl Objects {
    /// Puts an object under a name, in place of an earlier one.
    pub fn expose(&self, name: impl Into<String>, object: Arc<dyn Object>) {
        let mut objects = self
            .0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        objects.insert(name.into(), object);
    }

    fn get(&self, name: &str) -> Option<Arc<dyn Object>> {
        let objects = self
            .0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        objects.get(name).cloned()
    }

    /// Runs a method of the object with this name.
    ///
    /// # Errors
    /// The method's own error, [`Code::NotFound`] for an unknown object, and [`Code::Internal`] for a
    /// method that panicked.
    pub async fn call(&self, object: &str, invocation: Invocation) -> Result<Answer, RemoteError> {
        let Some(found) = self.get(object) else {
            return Err(RemoteError::not_found(format!(
                "there is no object `{}` here; look its name up again",
                excerpt(object)
            )));
        };
        if invocation.method == METHODS {
            return Ok(Answer::One(Encoded::from_typed(found.methods())?));
        }
        let method = invocation.method.clone();
        let run = std::panic::AssertUnwindSafe(async { found.call(invocation).await });
        run.catch_unwind().await.unwrap_or_else(|_panic| {
            tracing::error!(object, method, "a method panicked");
            Err(RemoteError::new(
                Code::Internal,
                format!("`{object}.{method}` failed inside; its server goes on"),
            ))
        })
    }
}

/// A peer's text, short enough to be part of a message.
pub(crate) fn excerpt(text: &str) -> String {
    let end = text.floor_char_boundary(80);
    text.get(..end)
        .unwrap_or_default()
        .escape_debug()
        .to_string()
}

#[cfg(test)]
mod tests;
