//! Rust types straight onto the wire: the encoding of the [`super::Value`] that they are, without making
//! that value first.

use std::fmt;

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use serde::ser::{self, Serialize};

use super::{MAX_DEPTH, codec::Tag};

/// Why a Rust value and a [`super::Value`] could not be turned into each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(crate) String);

impl ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Done = Result<(), ValueError>;

/// The serializer; it knows how deep it is so that it writes nothing that no peer would read.
pub(crate) struct Serializer<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) depth: usize,
}

/// As postcard writes a length: seven bits a byte, the lowest first.
fn length(out: &mut Vec<u8>, n: usize) {
    varint(out, n as u64);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn text(out: &mut Vec<u8>, text: &str) {
    length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

impl<'a> Serializer<'a> {
    fn tag(&mut self, tag: Tag) {
        self.out.push(tag as u8);
    }

    fn int(mut self, n: i64) {
        self.tag(Tag::Int);
        // Zigzag: small numbers are short, whatever their sign.
        varint(self.out, ((n << 1) ^ (n >> 63)) as u64);
    }

    fn integer(mut self, n: &BigInt) {
        match n.to_i64() {
            Some(n) => self.int(n),
            None => {
                let bytes = n.to_signed_bytes_be();
                self.tag(Tag::Big);
                length(self.out, bytes.len());
                self.out.extend_from_slice(&bytes);
            }
        }
    }

    fn str(mut self, value: &str) {
        self.tag(Tag::Str);
        text(self.out, value);
    }

    fn deeper(self) -> Result<Self, ValueError> {
        if self.depth >= MAX_DEPTH {
            return Err(ValueError(format!(
                "lists and maps nest deeper than {MAX_DEPTH}"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    /// Externally tagged, as serde does elsewhere: `{variant: body}`. What is written next is the body.
    fn variant(mut self, name: &str) -> Result<Self, ValueError> {
        self.tag(Tag::Map);
        length(self.out, 1);
        text(self.out, name);
        self.deeper()
    }

    fn many(mut self, tag: Tag, said: Option<usize>) -> Result<Compound<'a>, ValueError> {
        self.tag(tag);
        let at = self.out.len();
        if let Some(said) = said {
            length(self.out, said);
        }
        let Self { out, depth } = self.deeper()?;
        Ok(Compound {
            out,
            depth,
            said,
            at,
            seen: 0,
        })
    }
}

impl<'a> ser::Serializer for Serializer<'a> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn serialize_bool(mut self, v: bool) -> Done {
        self.tag(Tag::Bool);
        self.out.push(v.into());
        Ok(())
    }
    fn serialize_i8(self, v: i8) -> Done {
        self.serialize_i64(v.into())
    }
    fn serialize_i16(self, v: i16) -> Done {
        self.serialize_i64(v.into())
    }
    fn serialize_i32(self, v: i32) -> Done {
        self.serialize_i64(v.into())
    }
    fn serialize_i64(self, v: i64) -> Done {
        self.int(v);
        Ok(())
    }
    fn serialize_i128(self, v: i128) -> Done {
        self.integer(&v.into());
        Ok(())
    }
    fn serialize_u8(self, v: u8) -> Done {
        self.serialize_i64(v.into())
    }
    fn serialize_u16(self, v: u16) -> Done {
        self.serialize_i64(v.into())
    }
    fn serialize_u32(self, v: u32) -> Done {
        self.serialize_i64(v.into())
    }
    fn serialize_u64(self, v: u64) -> Done {
        match i64::try_from(v) {
            Ok(n) => self.int(n),
            Err(_large) => self.integer(&v.into()),
        }
        Ok(())
    }
    fn serialize_u128(self, v: u128) -> Done {
        self.integer(&v.into());
        Ok(())
    }
    fn serialize_f32(self, v: f32) -> Done {
        self.serialize_f64(v.into())
    }
    fn serialize_f64(mut self, v: f64) -> Done {
        self.tag(Tag::Float);
        self.out.extend_from_slice(&v.to_le_bytes());
        Ok(())
    }
    fn serialize_char(self, v: char) -> Done {
        self.str(v.encode_utf8(&mut [0; 4]));
        Ok(())
    }
    fn serialize_str(self, v: &str) -> Done {
        self.str(v);
        Ok(())
    }
    fn serialize_bytes(mut self, v: &[u8]) -> Done {
        self.tag(Tag::Bytes);
        length(self.out, v.len());
        self.out.extend_from_slice(v);
        Ok(())
    }
    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }
    fn serialize_unit(mut self) -> Done {
        self.tag(Tag::Null);
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, v: &T) -> Done {
        v.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Done {
        v.serialize(self.variant(variant)?)
    }
    fn serialize_seq(self, items: Option<usize>) -> Result<Compound<'a>, ValueError> {
        self.many(Tag::List, items)
    }
    fn serialize_tuple(self, items: usize) -> Result<Compound<'a>, ValueError> {
        self.many(Tag::List, Some(items))
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        items: usize,
    ) -> Result<Compound<'a>, ValueError> {
        self.many(Tag::List, Some(items))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        items: usize,
    ) -> Result<Compound<'a>, ValueError> {
        self.variant(variant)?.many(Tag::List, Some(items))
    }
    fn serialize_map(self, entries: Option<usize>) -> Result<Compound<'a>, ValueError> {
        self.many(Tag::Map, entries)
    }
    fn serialize_struct(self, _: &'static str, entries: usize) -> Result<Compound<'a>, ValueError> {
        self.many(Tag::Map, Some(entries))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        entries: usize,
    ) -> Result<Compound<'a>, ValueError> {
        self.variant(variant)?.many(Tag::Map, Some(entries))
    }
}

/// A list or a map being written.
pub(crate) struct Compound<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    /// How many there are to be, as far as that was said; it is written before them.
    said: Option<usize>,
    /// Where it is written.
    at: usize,
    seen: usize,
}

impl Compound<'_> {
    fn inner(&mut self) -> Serializer<'_> {
        Serializer {
            out: self.out,
            depth: self.depth,
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.seen += 1;
        value.serialize(self.inner())
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        let at = self.out.len();
        key.serialize(self.inner())?;
        // A key is text and nothing else, so its tag is left away.
        match self.out.get(at) {
            Some(tag) if *tag == Tag::Str as u8 => {
                self.out.remove(at);
                Ok(())
            }
            _ => Err(ValueError("a map key must be text".to_owned())),
        }
    }

    fn entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Done {
        text(self.out, key);
        self.item(value)
    }

    fn done(self) -> Done {
        match self.said {
            Some(said) if said != self.seen => Err(ValueError(format!(
                "{said} items were announced and {} came",
                self.seen
            ))),
            Some(_) => Ok(()),
            None => {
                let mut head = Vec::new();
                length(&mut head, self.seen);
                self.out.splice(self.at..self.at, head);
                Ok(())
            }
        }
    }
}

impl ser::SerializeSeq for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Done {
        self.item(v)
    }
    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeTuple for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Done {
        self.item(v)
    }
    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeTupleStruct for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, v: &T) -> Done {
        self.item(v)
    }
    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeTupleVariant for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, v: &T) -> Done {
        self.item(v)
    }
    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Done {
        self.item(v)
    }
    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeStruct for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, v: &T) -> Done {
        self.entry(key, v)
    }
    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeStructVariant for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, v: &T) -> Done {
        self.entry(key, v)
    }
    fn end(self) -> Done {
        self.done()
    }
}
