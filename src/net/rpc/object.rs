//! Objects: what can be called, and the objects of one process by name.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
};

use futures_util::{FutureExt, Stream, future::BoxFuture};

use super::error::{Code, RemoteError};
use crate::{
    net::trust::{principal::Principal, role::Role},
    value::{Encoded, Value, excerpt, signature::Signature},
};

/// The caller of a method, known from the connection and never from the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The key that the caller proved to hold, or the gateway that calls for it.
    pub principal: Principal,
    /// The caller's rights here.
    pub role: Role,
}

impl Caller {
    /// Checks that the caller has at least this role.
    ///
    /// # Errors
    /// [`Code::Denied`] with the caller, its role and the role that is required.
    pub fn require_role(&self, role: Role) -> Result<(), RemoteError> {
        if self.role >= role {
            return Ok(());
        }
        let message = format!(
            "this requires the role {role}; {} has the role {} here",
            self.principal.fingerprint(),
            self.role
        );
        Err(RemoteError::new(Code::Denied, message))
    }
}

/// One call as an object receives it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The caller.
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

/// The outcome of a method.
pub enum Response {
    /// One result.
    One(Encoded),
    /// Results until the stream or the caller ends it.
    Stream(ResultStream),
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(value) => f.debug_tuple("One").field(value).finish(),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// An object whose methods can be called. Dropping the future of [`Object::call`] cancels the call.
pub trait Object: Send + Sync {
    /// Returns one sentence on the object's purpose.
    fn description(&self) -> &str;

    /// Returns the methods, in the order of their documentation.
    fn methods(&self) -> &[Signature];

    /// Runs a method.
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response, RemoteError>>;
}

/// The objects of one process by name.
#[derive(Default)]
pub struct Objects(RwLock<HashMap<String, Arc<dyn Object>>>);

/// The method of every object that lists the others.
pub const METHODS: &str = "methods";

impl Objects {
    /// Serves an object under a name, in place of an earlier one.
    pub fn expose(&self, name: impl Into<String>, object: Arc<dyn Object>) {
        let mut objects = self.0.write().unwrap_or_else(PoisonError::into_inner);
        objects.insert(name.into(), object);
    }

    fn get(&self, name: &str) -> Option<Arc<dyn Object>> {
        let objects = self.0.read().unwrap_or_else(PoisonError::into_inner);
        objects.get(name).cloned()
    }

    /// Runs a method of the object with this name.
    ///
    /// # Errors
    /// The method's own, [`Code::NotFound`] for an unknown object, and [`Code::Internal`] for a method
    /// that panicked.
    pub async fn call(
        &self,
        object: &str,
        invocation: Invocation,
    ) -> Result<Response, RemoteError> {
        let Some(found) = self.get(object) else {
            return Err(RemoteError::not_found(format!(
                "there is no object `{}` here; look its name up again",
                excerpt(object)
            )));
        };
        if invocation.method == METHODS {
            return Ok(Response::One(Encoded::from_typed(found.methods())?));
        }
        let method = invocation.method.clone();
        let run = std::panic::AssertUnwindSafe(async { found.call(invocation).await });
        run.catch_unwind().await.unwrap_or_else(|_panic| {
            tracing::error!(object, method, "a method panicked");
            Err(RemoteError::new(
                Code::Internal,
                format!("`{object}.{method}` panicked; the server is still running"),
            ))
        })
    }
}
