//! A deserializer from encoded values to Rust types. It borrows text from the buffer and builds no
//! [`super::Value`], so that a page of a thousand records costs no tree of small allocations; that is why
//! results have a deserializer of their own, beside the one in `from_value`. Nesting is bounded, and no
//! memory is reserved for what a peer only announces.

use std::str;

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor, value::BorrowedStrDeserializer,
};

use super::{
    MAX_DEPTH, ValueError,
    codec::Tag,
    from_value::{BIG, visit_big},
};

/// A cursor in an encoded value.
pub(super) struct WireDeserializer<'de> {
    rest: &'de [u8],
    depth: usize,
}

/// A scalar, or the kind and length of a collection whose items follow.
enum Head<'de> {
    Null,
    Bool(bool),
    Int(i64),
    Big(BigInt),
    Float(f64),
    Str(&'de str),
    Bytes(&'de [u8]),
    List(usize),
    Map(usize),
    Tuple(usize),
    Set(usize),
}

impl Head<'_> {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Other("null"),
            Self::Bool(b) => Unexpected::Bool(*b),
            Self::Int(n) => Unexpected::Signed(*n),
            Self::Big(_) => BIG,
            Self::Float(x) => Unexpected::Float(*x),
            Self::Str(_) => Unexpected::Other("text"),
            Self::Bytes(_) => Unexpected::Other("bytes"),
            Self::List(_) => Unexpected::Other("a list"),
            Self::Map(_) => Unexpected::Other("a map"),
            Self::Tuple(_) => Unexpected::Other("a tuple"),
            Self::Set(_) => Unexpected::Other("a set"),
        }
    }
}

fn truncated() -> ValueError {
    ValueError("the value is truncated".to_owned())
}

impl<'de> WireDeserializer<'de> {
    pub(super) const fn new(bytes: &'de [u8]) -> Self {
        Self {
            rest: bytes,
            depth: 0,
        }
    }

    /// Fails if bytes are left over: both sides would disagree on where the value ends.
    pub(super) fn end(&self) -> Result<(), ValueError> {
        match self.rest.len() {
            0 => Ok(()),
            more => Err(ValueError(format!("{more} bytes are left over"))),
        }
    }

    fn read_slice(&mut self, length: usize) -> Result<&'de [u8], ValueError> {
        let (slice, rest) = self.rest.split_at_checked(length).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(slice)
    }

    fn read_byte(&mut self) -> Result<u8, ValueError> {
        let (byte, rest) = self.rest.split_first().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn read_varint(&mut self) -> Result<u64, ValueError> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.read_byte()?;
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                break;
            }
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(ValueError("a number is too long".to_owned()))
    }

    fn read_length(&mut self) -> Result<usize, ValueError> {
        usize::try_from(self.read_varint()?).map_err(|_large| truncated())
    }

    fn read_bytes(&mut self) -> Result<&'de [u8], ValueError> {
        let length = self.read_length()?;
        self.read_slice(length)
    }

    fn read_text(&mut self) -> Result<&'de str, ValueError> {
        str::from_utf8(self.read_bytes()?)
            .map_err(|_other| ValueError("text is not UTF-8".to_owned()))
    }

    fn read_head(&mut self) -> Result<Head<'de>, ValueError> {
        if self.depth > MAX_DEPTH {
            return Err(ValueError::too_deep());
        }
        Ok(match self.read_byte()? {
            tag if tag == Tag::Null as u8 => Head::Null,
            tag if tag == Tag::Bool as u8 => match self.read_byte()? {
                0 => Head::Bool(false),
                1 => Head::Bool(true),
                _ => return Err(ValueError("neither true nor false".to_owned())),
            },
            tag if tag == Tag::Int as u8 => {
                let n = self.read_varint()?;
                Head::Int((n >> 1) as i64 ^ -((n & 1) as i64))
            }
            tag if tag == Tag::Big as u8 => {
                let n = BigInt::from_signed_bytes_be(self.read_bytes()?);
                n.to_i64().map_or(Head::Big(n), Head::Int)
            }
            tag if tag == Tag::Float as u8 => {
                let bytes = self.read_slice(size_of::<f64>())?;
                Head::Float(f64::from_le_bytes(
                    bytes.try_into().map_err(|_short| truncated())?,
                ))
            }
            tag if tag == Tag::Str as u8 => Head::Str(self.read_text()?),
            tag if tag == Tag::Bytes as u8 => Head::Bytes(self.read_bytes()?),
            tag if tag == Tag::List as u8 => Head::List(self.read_length()?),
            tag if tag == Tag::Map as u8 => Head::Map(self.read_length()?),
            tag if tag == Tag::Tuple as u8 => Head::Tuple(self.read_length()?),
            tag if tag == Tag::Set as u8 => Head::Set(self.read_length()?),
            other => return Err(ValueError(format!("unknown value tag {other}"))),
        })
    }

    fn visit<V: Visitor<'de>>(
        &mut self,
        head: Head<'de>,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match head {
            Head::Null => visitor.visit_unit(),
            Head::Bool(b) => visitor.visit_bool(b),
            Head::Int(n) => visitor.visit_i64(n),
            Head::Big(n) => visit_big(&n, visitor),
            Head::Float(x) => visitor.visit_f64(x),
            Head::Str(text) => visitor.visit_borrowed_str(text),
            Head::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Head::List(length) | Head::Tuple(length) | Head::Set(length) => {
                self.visit_items(length, |items| visitor.visit_seq(items))
            }
            Head::Map(length) => self.visit_items(length, |items| visitor.visit_map(items)),
        }
    }

    /// Visits the items of a collection; the visitor must consume all of them.
    fn visit_items<T>(
        &mut self,
        length: usize,
        read: impl FnOnce(&mut CompoundDeserializer<'_, 'de>) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        self.depth += 1;
        let mut items = CompoundDeserializer {
            reader: self,
            left: length,
            key: "",
        };
        let value = read(&mut items)?;
        match items.left {
            0 => {
                self.depth -= 1;
                Ok(value)
            }
            more => Err(ValueError(format!("{more} items too many"))),
        }
    }
}

impl<'de> Deserializer<'de> for &mut WireDeserializer<'de> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let head = self.read_head()?;
        self.visit(head, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.rest.first() {
            Some(tag) if *tag == Tag::Null as u8 => {
                self.read_head()?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.read_head()? {
            // A large integer becomes the nearest float.
            Head::Big(n) => visitor.visit_f64(n.to_f64().unwrap_or(f64::NAN)),
            other => self.visit(other, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.read_head()? {
            Head::Str(variant) => visitor.visit_enum(WireVariant {
                variant,
                reader: None,
            }),
            Head::Map(1) => {
                let variant = self.read_text()?;
                self.depth += 1;
                let value = visitor.visit_enum(WireVariant {
                    variant,
                    reader: Some(self),
                })?;
                self.depth -= 1;
                Ok(value)
            }
            other => Err(de::Error::invalid_type(other.unexpected(), &visitor)),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char str string
        bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// The items of a collection, one by one.
struct CompoundDeserializer<'a, 'de> {
    reader: &'a mut WireDeserializer<'de>,
    left: usize,
    key: &'de str,
}

impl<'de> SeqAccess<'de> for CompoundDeserializer<'_, 'de> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        // Every item takes at least one byte, whatever length was announced.
        Some(self.left.min(self.reader.rest.len()))
    }
}

impl<'de> MapAccess<'de> for CompoundDeserializer<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.key = self.reader.read_text()?;
        seed.deserialize(BorrowedStrDeserializer::new(self.key))
            .map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, ValueError> {
        // Name the entry that is wrong; in a map of ten that is the whole message.
        seed.deserialize(&mut *self.reader)
            .map_err(|e| ValueError(format!("`{}`: {e}", self.key)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.reader.rest.len()))
    }
}

/// An externally tagged enum variant, and the reader of its body if it has one.
struct WireVariant<'a, 'de> {
    variant: &'de str,
    reader: Option<&'a mut WireDeserializer<'de>>,
}

impl<'a, 'de> EnumAccess<'de> for WireVariant<'a, 'de> {
    type Error = ValueError;
    type Variant = VariantBody<'a, 'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, VariantBody<'a, 'de>), ValueError> {
        let name: BorrowedStrDeserializer<'de, ValueError> =
            BorrowedStrDeserializer::new(self.variant);
        Ok((seed.deserialize(name)?, VariantBody(self.reader)))
    }
}

struct VariantBody<'a, 'de>(Option<&'a mut WireDeserializer<'de>>);

impl<'de> VariantAccess<'de> for VariantBody<'_, 'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        match self.0 {
            None => Ok(()),
            Some(reader) => match reader.read_head()? {
                Head::Null => Ok(()),
                other => Err(de::Error::invalid_type(other.unexpected(), &"nothing")),
            },
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ValueError> {
        match self.0 {
            Some(reader) => seed.deserialize(reader),
            None => seed.deserialize(().into_deserializer()),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ValueError> {
        self.struct_variant(&[], visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.0 {
            Some(reader) => reader.deserialize_any(visitor),
            None => visitor.visit_unit(),
        }
    }
}
