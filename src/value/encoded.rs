//! A value as it lies on the wire, made of a Rust type and read as one without a [`Value`] in between.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use super::{NotAValue, Value, read::Reader, write::Writer};

/// A value that has been written. One that came from a peer is read, and found wrong, when it is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    bytes: Vec<u8>,
    /// Where it begins: the room before it is for the head of a frame.
    at: usize,
}

impl Encoded {
    /// Room that is left before what is written.
    pub(crate) const ROOM: usize = 5;

    /// Writes a Rust value.
    ///
    /// # Errors
    /// As [`Value::from_typed`].
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, NotAValue> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&[0; Self::ROOM]);
        let out = &mut bytes;
        value.serialize(Writer { out, depth: 0 })?;
        let at = Self::ROOM;
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
    pub fn to_typed<T: DeserializeOwned>(&self) -> Result<T, NotAValue> {
        let mut reader = Reader::new(self.body());
        let value = T::deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    }

    /// Reads it as whatever it is.
    ///
    /// # Errors
    /// When it is no value at all.
    pub fn value(&self) -> Result<Value, NotAValue> {
        let (value, rest) = postcard::take_from_bytes(self.body())
            .map_err(|e| NotAValue(format!("it is not readable: {e}")))?;
        match rest {
            [] => Ok(value),
            _ => Err(NotAValue(format!("{} bytes are left over", rest.len()))),
        }
    }

    fn body(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Its bytes with [`Self::ROOM`] before them.
    pub(crate) fn with_room(self) -> Vec<u8> {
        if self.at == Self::ROOM {
            return self.bytes;
        }
        let mut bytes = vec![0; Self::ROOM];
        bytes.extend_from_slice(self.body());
        bytes
    }
}

impl From<&Value> for Encoded {
    fn from(value: &Value) -> Self {
        let room = vec![0; Self::ROOM];
        // A value always encodes.
        let bytes = postcard::to_extend(value, room).unwrap_or_default();
        let at = Self::ROOM;
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
