//! Encoded values, converted from and into Rust types without a [`Value`] in between.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use super::{Value, ValueError, codec::Tag, from_wire::WireDeserializer, to_wire::Serializer};

/// An encoded value. One that came from a peer is validated when it is decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    bytes: Vec<u8>,
    /// The offset of the value: the bytes before it are room for a frame's header.
    offset: usize,
}

impl Encoded {
    /// Bytes of room before a value that was encoded here.
    pub(crate) const HEADROOM: usize = 5;

    /// Encodes a Rust value.
    ///
    /// # Errors
    /// As [`Value::from_typed`].
    pub fn from_typed<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&[0; Self::HEADROOM]);
        let out = &mut bytes;
        value.serialize(Serializer { out, depth: 0 })?;
        let offset = Self::HEADROOM;
        Ok(Self { bytes, offset })
    }

    /// Wraps bytes that are supposed to be an encoded value.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Wraps a received frame in which a value follows a header of `offset` bytes.
    pub(crate) const fn received(bytes: Vec<u8>, offset: usize) -> Self {
        Self { bytes, offset }
    }

    /// Decodes a Rust type.
    ///
    /// # Errors
    /// As [`Value::to_typed`], and when the bytes are not a value.
    pub fn to_typed<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        let mut reader = WireDeserializer::new(self.body());
        let value = T::deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    }

    /// Decodes the value.
    ///
    /// # Errors
    /// When the bytes are not a value.
    pub fn to_value(&self) -> Result<Value, ValueError> {
        let (value, rest) = postcard::take_from_bytes(self.body())
            .map_err(|e| ValueError(format!("malformed value: {e}")))?;
        match rest {
            [] => Ok(value),
            _ => Err(ValueError(format!("{} bytes are left over", rest.len()))),
        }
    }

    /// Returns the size of the encoded value, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body().len()
    }

    /// The encoded value, without the room before it.
    fn body(&self) -> &[u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    /// Returns the encoded length and items of a tuple or a list.
    pub(crate) fn items(&self) -> Option<&[u8]> {
        let (tag, items) = self.body().split_first()?;
        let is_sequence = *tag == Tag::Tuple as u8 || *tag == Tag::List as u8;
        is_sequence.then_some(items)
    }

    /// Returns the bytes with [`Self::HEADROOM`] bytes of room before the value.
    pub(crate) fn into_bytes_with_headroom(self) -> Vec<u8> {
        if self.offset == Self::HEADROOM {
            return self.bytes;
        }
        let mut bytes = vec![0; Self::HEADROOM];
        bytes.extend_from_slice(self.body());
        bytes
    }
}

impl From<&Value> for Encoded {
    fn from(value: &Value) -> Self {
        let room = vec![0; Self::HEADROOM];
        // Encoding a value does not fail.
        let bytes = postcard::to_extend(value, room).unwrap_or_default();
        let offset = Self::HEADROOM;
        Self { bytes, offset }
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_value() {
            Ok(value) => write!(f, "Encoded({value})"),
            Err(error) => write!(f, "Encoded({error})"),
        }
    }
}
