//! The values that calls carry: self-describing, so that any caller can call any method.
//!
//! Rust types come and go through serde ([`Value::from_typed`], [`Value::to_typed`]); peers see the
//! encoding in `codec`, whose nesting is bounded before it is followed. Answers, which may be long, are
//! written and read without a value in between ([`Encoded`]).

mod codec;
mod de;
mod encoded;
mod read;
mod write;

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use serde::{Serialize, de::DeserializeOwned};

pub use self::{encoded::Encoded, write::ValueError};

/// How deep lists and maps may nest. Deeper input is refused before the stack is at risk.
pub const MAX_DEPTH: usize = 64;

/// One argument or result of a call.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer that fits in 64 bits.
    Int(i64),
    /// An integer that does not fit in 64 bits. Build it with [`Value::integer`], which keeps this
    /// variant for large ones only, so that equal numbers are equal values.
    Big(BigInt),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes that are not text.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Self>),
    /// Named values, in the order in which they were put in.
    Map(Vec<(String, Self)>),
}

impl Value {
    /// An integer of any size.
    #[must_use]
    pub fn integer(n: BigInt) -> Self {
        n.to_i64().map_or(Self::Big(n), Self::Int)
    }

    /// Turns a Rust value into a `Value`.
    ///
    /// # Errors
    /// When the value has no such form, for example a map whose keys are not text, or when its own
    /// `Serialize` refuses.
    pub fn from_typed<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        Encoded::from_typed(value)?.value()
    }

    /// Turns this value into a Rust type.
    ///
    /// # Errors
    /// When the value has another shape than the type asks for; the message says what was expected
    /// and what was there.
    pub fn to_typed<T: DeserializeOwned>(self) -> Result<T, ValueError> {
        T::deserialize(self)
    }

    /// The name of this value's type, as method signatures write it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Big(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

pub(crate) mod bind;
mod display;
pub mod signature;
#[cfg(test)]
mod tests;
