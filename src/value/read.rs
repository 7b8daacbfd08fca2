//! Rust types straight off the wire: what the [`super::Value`] there would turn into, without making that
//! value first. Its nesting is bounded, and nothing is set aside for what a peer only announces.

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
    de::{BIG, visit_big},
};

/// What is left to be read.
pub(crate) struct WireDeserializer<'de> {
    rest: &'de [u8],
    depth: usize,
}

/// A value, or the beginning of one that has others in it: how many.
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
        }
    }
}

fn cut() -> ValueError {
    ValueError("it is cut off".to_owned())
}

impl<'de> WireDeserializer<'de> {
    pub(crate) const fn new(bytes: &'de [u8]) -> Self {
        Self {
            rest: bytes,
            depth: 0,
        }
    }

    /// Both sides would disagree on where it ends if there were more.
    pub(crate) fn end(&self) -> Result<(), ValueError> {
        match self.rest.len() {
            0 => Ok(()),
            more => Err(ValueError(format!("{more} bytes are left over"))),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'de [u8], ValueError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ValueError> {
        let (byte, rest) = self.rest.split_first().ok_or_else(cut)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn varint(&mut self) -> Result<u64, ValueError> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
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

    fn length(&mut self) -> Result<usize, ValueError> {
        usize::try_from(self.varint()?).map_err(|_large| cut())
    }

    fn bytes(&mut self) -> Result<&'de [u8], ValueError> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'de str, ValueError> {
        str::from_utf8(self.bytes()?).map_err(|_other| ValueError("text is not UTF-8".to_owned()))
    }

    fn head(&mut self) -> Result<Head<'de>, ValueError> {
        if self.depth > MAX_DEPTH {
            return Err(ValueError(format!(
                "lists and maps nest deeper than {MAX_DEPTH}"
            )));
        }
        Ok(match self.byte()? {
            tag if tag == Tag::Null as u8 => Head::Null,
            tag if tag == Tag::Bool as u8 => match self.byte()? {
                0 => Head::Bool(false),
                1 => Head::Bool(true),
                _ => return Err(ValueError("neither true nor false".to_owned())),
            },
            tag if tag == Tag::Int as u8 => {
                let n = self.varint()?;
                Head::Int((n >> 1) as i64 ^ -((n & 1) as i64))
            }
            tag if tag == Tag::Big as u8 => {
                let n = BigInt::from_signed_bytes_be(self.bytes()?);
                n.to_i64().map_or(Head::Big(n), Head::Int)
            }
            tag if tag == Tag::Float as u8 => {
                let bytes = self.take(size_of::<f64>())?;
                Head::Float(f64::from_le_bytes(
                    bytes.try_into().map_err(|_short| cut())?,
                ))
            }
            tag if tag == Tag::Str as u8 => Head::Str(self.text()?),
            tag if tag == Tag::Bytes as u8 => Head::Bytes(self.bytes()?),
            tag if tag == Tag::List as u8 => Head::List(self.length()?),
            tag if tag == Tag::Map as u8 => Head::Map(self.length()?),
            other => return Err(ValueError(format!("there is no kind of value {other}"))),
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
            Head::List(left) => self.inside(left, |many| visitor.visit_seq(many)),
            Head::Map(left) => self.inside(left, |many| visitor.visit_map(many)),
        }
    }

    /// Reads what is in a list or a map, all of it.
    fn inside<T>(
        &mut self,
        left: usize,
        read: impl FnOnce(&mut Compound<'_, 'de>) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        self.depth += 1;
        let mut many = Compound {
            reader: self,
            left,
            key: "",
        };
        let value = read(&mut many)?;
        match many.left {
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
        let head = self.head()?;
        self.visit(head, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.rest.first() {
            Some(tag) if *tag == Tag::Null as u8 => {
                self.head()?;
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
        match self.head()? {
            // An integer is a fine float, however large: the nearest one.
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
        match self.head()? {
            Head::Str(variant) => visitor.visit_enum(Choice {
                variant,
                reader: None,
            }),
            Head::Map(1) => {
                let variant = self.text()?;
                self.depth += 1;
                let value = visitor.visit_enum(Choice {
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

/// What is in a list or a map, one by one.
struct Compound<'a, 'de> {
    reader: &'a mut WireDeserializer<'de>,
    left: usize,
    key: &'de str,
}

impl<'de> SeqAccess<'de> for Compound<'_, 'de> {
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
        // A value is a byte at least, whatever was announced.
        Some(self.left.min(self.reader.rest.len()))
    }
}

impl<'de> MapAccess<'de> for Compound<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.key = self.reader.text()?;
        seed.deserialize(BorrowedStrDeserializer::new(self.key))
            .map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, ValueError> {
        // Say which entry was wrong; in a map of ten that is the whole message.
        seed.deserialize(&mut *self.reader)
            .map_err(|e| ValueError(format!("`{}`: {e}", self.key)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.reader.rest.len()))
    }
}

/// A variant of an enum, externally tagged, and where its body is, if it has one.
struct Choice<'a, 'de> {
    variant: &'de str,
    reader: Option<&'a mut WireDeserializer<'de>>,
}

impl<'a, 'de> EnumAccess<'de> for Choice<'a, 'de> {
    type Error = ValueError;
    type Variant = Body<'a, 'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Body<'a, 'de>), ValueError> {
        let name: BorrowedStrDeserializer<'de, ValueError> =
            BorrowedStrDeserializer::new(self.variant);
        Ok((seed.deserialize(name)?, Body(self.reader)))
    }
}

struct Body<'a, 'de>(Option<&'a mut WireDeserializer<'de>>);

impl<'de> VariantAccess<'de> for Body<'_, 'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        match self.0 {
            None => Ok(()),
            Some(reader) => match reader.head()? {
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
