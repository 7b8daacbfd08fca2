//! Declarations of methods.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    net::{rpc::error::CallError, trust::role::Role},
    value::Encoded,
};

/// The arguments of a method without parameters.
pub type NoArgs = [(); 0];

/// The declaration of a method with arguments `A`, a tuple, and a result `R`.
pub struct Method<A, R> {
    pub(super) signature: &'static str,
    pub(super) doc: &'static str,
    pub(super) role: Role,
    types: PhantomData<fn(A) -> R>,
}

/// The declaration of a method that returns items of `R` for as long as the caller listens.
pub struct StreamMethod<A, R>(pub(super) Method<A, R>);

impl<A, R> Method<A, R> {
    /// Declares a method that every role may call; see [`super::Service::method`] for the signature.
    #[must_use]
    pub const fn new(signature: &'static str, doc: &'static str) -> Self {
        Self {
            signature,
            doc,
            role: Role::Read,
            types: PhantomData,
        }
    }

    /// Requires a role of the caller.
    #[must_use]
    pub const fn requires(self, role: Role) -> Self {
        Self {
            signature: self.signature,
            doc: self.doc,
            role,
            types: PhantomData,
        }
    }

    /// Returns the method's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let name = self.signature.split_once('(');
        name.map_or(self.signature, |(name, _)| name)
    }
}

impl<A: Serialize, R: DeserializeOwned> Method<A, R> {
    /// Encodes arguments for [`Stub::call_encoded`].
    pub(crate) fn encode(&self, args: &A) -> Result<Encoded, CallError> {
        Encoded::from_typed(args)
            .map_err(|e| CallError::protocol_error(format_args!("arguments of {}", self.name()), e))
    }

    /// Decodes the result of [`Stub::call_encoded`].
    pub(crate) fn decode(&self, result: &Encoded) -> Result<R, CallError> {
        result.to_typed().map_err(|e| {
            CallError::protocol_error(format_args!("unexpected result of {}", self.name()), e)
        })
    }
}

impl<A, R> StreamMethod<A, R> {
    /// Declares a method that every role may call; see [`super::Service::method`] for the signature.
    #[must_use]
    pub const fn new(signature: &'static str, doc: &'static str) -> Self {
        Self(Method::new(signature, doc))
    }

    /// Requires a role of the caller.
    #[must_use]
    pub const fn requires(self, role: Role) -> Self {
        Self(self.0.requires(role))
    }
}
