//! Services: objects made of Rust functions, and their typed clients.
//!
//! A function becomes a method in one line:
//!
//! ```
//! use distro_tui::net::rpc::{error::RemoteError, service::Service};
//!
//! let service = Service::new("Adds numbers").method(
//!     "add(x: int, y: int) -> int",
//!     "Returns the sum of two integers.",
//!     |_caller, (x, y): (i64, i64)| async move {
//!         x.checked_add(y).ok_or_else(|| RemoteError::bad_arguments("the sum is too large"))
//!     },
//! );
//! ```
//!
//! Arguments are checked against the signature by name, number and type before the function runs; those
//! that do not fit are rejected with a [`RemoteError`].
//!
//! A service that has a typed client declares each method once, as a [`Method`] or a [`StreamMethod`]:
//! [`Service::serve`] implements it, and [`Stub`] calls it.

mod method;
mod stub;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, future::Future};

use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    method::{Method, NoArgs, StreamMethod},
    stub::{ItemStream, Stub},
};
use super::{
    error::{Code, RemoteError},
    object::{Caller, Invocation, Object, Response},
};
use crate::{
    net::trust::role::Role,
    value::{Encoded, bind::bind, excerpt, signature::Signature},
};

type Handler = Box<
    dyn Fn(Invocation, &Signature) -> BoxFuture<'static, Result<Response, RemoteError>>
        + Send
        + Sync,
>;

/// An [`Object`] made of functions.
pub struct Service {
    description: String,
    signatures: Vec<Signature>,
    /// The role that each method requires, and its function, in the order of the signatures.
    handlers: Vec<(Role, Handler)>,
    index: HashMap<String, usize>,
}

impl Service {
    /// Creates an object without methods.
    #[must_use]
    pub fn new(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            signatures: Vec::new(),
            handlers: Vec::new(),
            index: HashMap::new(),
        }
    }

    /// Adds a method that every role may call. `signature` is written as in the example of the
    /// [module](self); a parameter whose type ends in `?` is optional and null if it is left out. The
    /// function takes the arguments as one tuple ([`NoArgs`] for none) and may fail with any error that
    /// converts into a [`RemoteError`].
    ///
    /// # Panics
    /// When `signature` cannot be parsed or its name is taken: mistakes in the program, found when it
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
        self.add_method(Role::Read, signature, doc, run)
    }

    /// Implements a declared method. The function gets a clone of `state`, which should be cheap.
    ///
    /// # Panics
    /// As [`Service::method`].
    #[must_use]
    pub fn serve<S, A, R, E, F, Run>(self, method: &Method<A, R>, state: &S, run: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        A: DeserializeOwned + Send,
        R: Serialize,
        E: Into<RemoteError>,
        F: Fn(S, Caller, A) -> Run + Send + Sync + 'static,
        Run: Future<Output = Result<R, E>> + Send + 'static,
    {
        let state = state.clone();
        self.add_method(
            method.role,
            method.signature,
            method.doc,
            move |caller, args| run(state.clone(), caller, args),
        )
    }

    /// Implements a declared method that returns a stream, as [`Service::serve`] does.
    ///
    /// # Panics
    /// As [`Service::method`].
    #[must_use]
    pub fn serve_stream<S, A, R, F, Items>(
        self,
        method: &StreamMethod<A, R>,
        state: &S,
        run: F,
    ) -> Self
    where
        S: Clone + Send + Sync + 'static,
        A: DeserializeOwned + Send,
        R: Serialize,
        Items: Stream<Item = Result<R, RemoteError>> + Send + 'static,
        F: Fn(S, Caller, A) -> Items + Send + Sync + 'static,
    {
        let (state, method) = (state.clone(), &method.0);
        self.add(
            method.role,
            method.signature,
            method.doc,
            move |invocation, signature| {
                let caller = invocation.caller;
                let bound = bind(signature, invocation.args, invocation.kwargs);
                let response = bound.map_err(RemoteError::from).map(|args| {
                    let items = run(state.clone(), caller, args);
                    Response::Stream(Box::pin(items.map(|item| Ok(Encoded::from_typed(&item?)?))))
                });
                futures_util::future::ready(response).boxed()
            },
        )
    }

    fn add_method<A, R, E, F, Run>(self, role: Role, signature: &str, doc: &str, run: F) -> Self
    where
        A: DeserializeOwned + Send,
        R: Serialize,
        E: Into<RemoteError>,
        F: Fn(Caller, A) -> Run + Send + Sync + 'static,
        Run: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.add(role, signature, doc, move |invocation, signature| {
            let caller = invocation.caller;
            match bind(signature, invocation.args, invocation.kwargs) {
                Err(error) => futures_util::future::ready(Err(error.into())).boxed(),
                Ok(args) => run(caller, args)
                    .map(|result| {
                        let result = result.map_err(Into::into)?;
                        Ok(Response::One(Encoded::from_typed(&result)?))
                    })
                    .boxed(),
            }
        })
    }

    fn add(
        mut self,
        role: Role,
        signature: &str,
        doc: &str,
        handler: impl Fn(Invocation, &Signature) -> BoxFuture<'static, Result<Response, RemoteError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let signature = match Signature::parse(signature, doc) {
            Ok(signature) => signature,
            Err(error) => panic!("method signature `{signature}`: {error}"),
        };
        let index = self.signatures.len();
        let earlier = self.index.insert(signature.name.clone(), index);
        assert!(
            earlier.is_none(),
            "two methods are named {}",
            signature.name
        );
        self.signatures.push(signature);
        self.handlers.push((role, Box::new(handler)));
        self
    }
}

impl Object for Service {
    fn description(&self) -> &str {
        &self.description
    }

    fn methods(&self) -> &[Signature] {
        &self.signatures
    }

    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response, RemoteError>> {
        let found = self.index.get(&invocation.method).copied();
        let found = found.and_then(|i| self.handlers.get(i).zip(self.signatures.get(i)));
        let Some(((role, handler), signature)) = found else {
            let names: Vec<_> = self.signatures.iter().map(|s| s.name.as_str()).collect();
            let message = format!(
                "there is no method `{}`; there is {}",
                excerpt(&invocation.method),
                names.join(", ")
            );
            let error = RemoteError::new(Code::UnknownMethod, message);
            return futures_util::future::ready(Err(error)).boxed();
        };
        match invocation.caller.require_role(*role) {
            Ok(()) => handler(invocation, signature),
            Err(error) => futures_util::future::ready(Err(error)).boxed(),
        }
    }
}
