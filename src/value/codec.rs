//! Encoding and decoding of a [`Value`]: an enum in serde's data model, variant number first.
//!
//! Variants are append-only, because postcard writes their position and not their name. Decoding
//! counts its depth by hand: a derived decoder would follow a peer's nesting until the stack overflows.

use std::fmt;

use num_bigint::BigInt;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeSeed, EnumAccess, SeqAccess, VariantAccess, Visitor},
};

use super::{MAX_DEPTH, Value, ValueError};

const NAME: &str = "Value";
const VARIANTS: &[&str] = &[
    "Null", "Bool", "Int", "Big", "Float", "Str", "Bytes", "List", "Map", "Tuple", "Set",
];

/// Bytes serialized as bytes; serde treats a `Vec<u8>` as a list.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(self.0)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => s.serialize_unit_variant(NAME, 0, "Null"),
            Self::Bool(b) => s.serialize_newtype_variant(NAME, 1, "Bool", b),
            Self::Int(n) => s.serialize_newtype_variant(NAME, 2, "Int", n),
            Self::Big(n) => {
                s.serialize_newtype_variant(NAME, 3, "Big", &Raw(&n.to_signed_bytes_be()))
            }
            Self::Float(x) => s.serialize_newtype_variant(NAME, 4, "Float", x),
            Self::Str(text) => s.serialize_newtype_variant(NAME, 5, "Str", text),
            Self::Bytes(bytes) => s.serialize_newtype_variant(NAME, 6, "Bytes", &Raw(bytes)),
            Self::List(items) => s.serialize_newtype_variant(NAME, 7, "List", items),
            Self::Map(entries) => s.serialize_newtype_variant(NAME, 8, "Map", entries),
            Self::Tuple(items) => s.serialize_newtype_variant(NAME, 9, "Tuple", items),
            Self::Set(items) => s.serialize_newtype_variant(NAME, 10, "Set", items),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Level(0).deserialize(d)
    }
}

/// Decodes a value at this depth.
#[derive(Clone, Copy)]
struct Level(usize);

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        if self.0 > MAX_DEPTH {
            return Err(de::Error::custom(ValueError::too_deep()));
        }
        d.deserialize_enum(NAME, VARIANTS, self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (tag, body) = data.variant::<Tag>()?;
        Ok(match tag {
            Tag::Null => {
                body.unit_variant()?;
                Value::Null
            }
            Tag::Bool => Value::Bool(body.newtype_variant()?),
            Tag::Int => Value::Int(body.newtype_variant()?),
            Tag::Big => Value::integer(BigInt::from_signed_bytes_be(
                &body.newtype_variant_seed(Octets)?,
            )),
            Tag::Float => Value::Float(body.newtype_variant()?),
            Tag::Str => Value::Str(body.newtype_variant()?),
            Tag::Bytes => Value::Bytes(body.newtype_variant_seed(Octets)?),
            Tag::List => Value::List(body.newtype_variant_seed(ItemsSeed(Self(self.0 + 1)))?),
            Tag::Map => {
                Value::Map(body.newtype_variant_seed(ItemsSeed(EntrySeed(Self(self.0 + 1))))?)
            }
            Tag::Tuple => Value::Tuple(body.newtype_variant_seed(ItemsSeed(Self(self.0 + 1)))?),
            Tag::Set => Value::Set(body.newtype_variant_seed(ItemsSeed(Self(self.0 + 1)))?),
        })
    }
}

/// The first byte of an encoded value; one byte, because there are fewer than 128 tags.
#[derive(Clone, Copy, Deserialize)]
#[repr(u8)]
pub(super) enum Tag {
    Null,
    Bool,
    Int,
    Big,
    Float,
    Str,
    Bytes,
    List,
    Map,
    Tuple,
    Set,
}

/// Decodes a byte string.
struct Octets;

impl<'de> DeserializeSeed<'de> for Octets {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Vec<u8>, D::Error> {
        d.deserialize_byte_buf(self)
    }
}

impl Visitor<'_> for Octets {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// Decodes a sequence, each item with a copy of the same seed.
struct ItemsSeed<S>(S);

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for ItemsSeed<S> {
    type Value = Vec<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for ItemsSeed<S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        // The announced length comes from a peer and is not trusted: it reserves little.
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(64));
        while let Some(item) = seq.next_element_seed(self.0)? {
            items.push(item);
        }
        Ok(items)
    }
}

/// Decodes a map entry: a tuple of text and value.
#[derive(Clone, Copy)]
struct EntrySeed(Level);

impl<'de> DeserializeSeed<'de> for EntrySeed {
    type Value = (String, Value);

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_tuple(2, self)
    }
}

impl<'de> Visitor<'de> for EntrySeed {
    type Value = (String, Value);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let name = seq.next_element()?;
        let value = seq.next_element_seed(self.0)?;
        name.zip(value)
            .ok_or_else(|| de::Error::custom("a map entry is cut short"))
    }
}
