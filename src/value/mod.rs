//! Self-describing values, so that any caller can call any method.
//!
//! Rust types are converted through serde ([`Value::from_typed`], [`Value::to_typed`]). Results, which may
//! be long, are encoded from Rust types and decoded into them without a [`Value`] in between
//! ([`Encoded`]). The encoding is in `codec`; nesting is bounded in both directions.
//!
//! | module | contents |
//! |---|---|
//! | `codec` | [`Value`] to and from the wire, and the tags of the encoding |
//! | `to_wire` | a serde serializer: Rust types to the wire |
//! | `from_wire` | a serde deserializer: the wire to Rust types; for results |
//! | `from_value` | a serde deserializer: [`Value`] to Rust types; for arguments, which arrive decoded |
//! | `encoded` | an encoded value, and the room for a frame's header |
//! | [`signature`], [`bind`] | method signatures; arguments checked against them |
//! | `display` | text and JSON for people |

pub mod bind;
mod codec;
mod display;
mod encoded;
mod error;
mod from_value;
mod from_wire;
pub mod signature;
#[cfg(test)]
mod tests;
mod to_wire;

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use self::display::excerpt;
pub use self::{encoded::Encoded, error::ValueError};

/// Limit of how deep collections may nest. Deeper input is rejected before the stack is at risk.
pub const MAX_DEPTH: usize = 64;

/// One argument or result of a call.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// The absence of a value.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer that fits in 64 bits.
    Int(i64),
    /// An integer that does not fit in 64 bits. Build it with [`Value::integer`], which uses this
    /// variant for large ones only, so that equal numbers are equal values.
    Big(BigInt),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(String),
    /// Binary data.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Self>),
    /// Named values, in insertion order.
    Map(Vec<(String, Self)>),
    /// A sequence of fixed length, as Rust tuples and arrays are. It is read as a list where a list is
    /// expected.
    Tuple(Vec<Self>),
    /// A set, in the order in which it was received; duplicates are the sender's affair. It is read as a
    /// list where a list is expected.
    Set(Vec<Self>),
}

impl Value {
    /// Creates an integer of any size.
    #[must_use]
    pub fn integer(n: BigInt) -> Self {
        n.to_i64().map_or(Self::Big(n), Self::Int)
    }

    /// Converts a Rust value into a `Value`.
    ///
    /// # Errors
    /// When the type has no such form, for example a map whose keys are not text, or when its
    /// `Serialize` implementation fails.
    pub fn from_typed<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        Encoded::from_typed(value)?.to_value()
    }

    /// Converts this value into a Rust type.
    ///
    /// # Errors
    /// When the value has another shape than the type; the message names the expected and the actual
    /// one.
    pub fn to_typed<T: DeserializeOwned>(self) -> Result<T, ValueError> {
        T::deserialize(self)
    }

    /// Returns the name of this value's type, as used in method signatures.
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
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
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
