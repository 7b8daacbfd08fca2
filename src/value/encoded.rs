//! A value as it lies on the wire, made of a Rust type and read as one without a [`Value`] in between.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use super::{Value, ValueError, read::WireDeserializer, write::Serializer};

/// A value that has been written. One that came from a peer is read, and found wrong, when it is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    bytes: Vec<u8>,
    /// Where it begins: the room before it is for the head of a frame.
    at: usize,
}

impl Encoded {
    /// Room that is left before what is written.
    pub(crate) const HEADROOM: usize = 5;

    /// Writes a Rust value.
    ///
    /// # Errors
    /// As [`Value::from_typed`].
    pub fn from_typed<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&[0; Self::HEADROOM]);
        let out = &mut bytes;
        value.serialize(Serializer { out, depth: 0 })?;
        let at = Self::HEADROOM;
        Ok(Self { bytes, at })
    }

    /// What somebody has written. It is looked at when it is read.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    /// What a peer has sent, behind a head of this length.
    pub(crate) const fn received(bytes: Vec<u8>, at: usize) -> Self {
        Self { bytes, at }
    }

    /// Reads it as a Rust type.
    ///
    /// # Errors
    /// As [`Value::to_typed`], and when it is no value at all.
    pub fn to_typed<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        let mut reader = WireDeserializer::new(self.body());
        let value = T::deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    }

    /// Reads it as whatever it is.
    ///
    /// # Errors
    /// When it is no value at all.
    pub fn value(&self) -> Result<Value, ValueError> {
        let (value, rest) = postcard::take_from_bytes(self.body())
            .map_err(|e| ValueError(format!("it is not readable: {e}")))?;
        match rest {
            [] => Ok(value),
            _ => Err(ValueError(format!("{} bytes are left over", rest.len()))),
        }
    }

    fn body(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Its bytes with [`Self::HEADROOM`] before them.
    pub(crate) fn with_headroom(self) -> Vec<u8> {
        if self.at == Self::HEADROOM {
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
        // A value always encodes.
        let bytes = postcard::to_extend(value, room).unwrap_or_default();
        let at = Self::HEADROOM;
        Self { bytes, at }
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            Ok(value) => write!(f, "Encoded({value})"),
            Err(why) => write!(f, "Encoded({why})"),
        }
    }
}
