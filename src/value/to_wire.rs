//! A serializer from Rust types to the encoding of the [`super::Value`] that they correspond to, without
//! building that value.

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use serde::ser::{self, Serialize};

use super::{MAX_DEPTH, ValueError, codec::Tag};

type Written = Result<(), ValueError>;

/// Appends one value to a buffer. It counts its depth, because peers reject what nests too deep.
pub(super) struct Serializer<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) depth: usize,
}

/// Appends a length as postcard does: seven bits per byte, lowest first.
fn write_length(out: &mut Vec<u8>, n: usize) {
    write_varint(out, n as u64);
}

fn write_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

impl<'a> Serializer<'a> {
    fn write_tag(&mut self, tag: Tag) {
        self.out.push(tag as u8);
    }

    fn write_int(mut self, n: i64) {
        self.write_tag(Tag::Int);
        // Zigzag: small numbers are short, whatever their sign.
        write_varint(self.out, ((n << 1) ^ (n >> 63)) as u64);
    }

    fn write_integer(mut self, n: &BigInt) {
        match n.to_i64() {
            Some(n) => self.write_int(n),
            None => {
                let bytes = n.to_signed_bytes_be();
                self.write_tag(Tag::Big);
                write_length(self.out, bytes.len());
                self.out.extend_from_slice(&bytes);
            }
        }
    }

    fn write_str(mut self, value: &str) {
        self.write_tag(Tag::Str);
        write_text(self.out, value);
    }

    fn descend(self) -> Result<Self, ValueError> {
        if self.depth >= MAX_DEPTH {
            return Err(ValueError::too_deep());
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    /// Writes the head of an externally tagged variant, `{variant: body}`; the body comes next.
    fn write_variant(mut self, name: &str) -> Result<Self, ValueError> {
        self.write_tag(Tag::Map);
        write_length(self.out, 1);
        write_text(self.out, name);
        self.descend()
    }

    fn compound(
        mut self,
        tag: Tag,
        announced: Option<usize>,
    ) -> Result<CompoundSerializer<'a>, ValueError> {
        self.write_tag(tag);
        let length_at = self.out.len();
        if let Some(announced) = announced {
            write_length(self.out, announced);
        }
        let Self { out, depth } = self.descend()?;
        Ok(CompoundSerializer {
            out,
            depth,
            announced,
            length_at,
            written: 0,
        })
    }
}

impl<'a> ser::Serializer for Serializer<'a> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = CompoundSerializer<'a>;
    type SerializeTuple = CompoundSerializer<'a>;
    type SerializeTupleStruct = CompoundSerializer<'a>;
    type SerializeTupleVariant = CompoundSerializer<'a>;
    type SerializeMap = CompoundSerializer<'a>;
    type SerializeStruct = CompoundSerializer<'a>;
    type SerializeStructVariant = CompoundSerializer<'a>;

    fn serialize_bool(mut self, v: bool) -> Written {
        self.write_tag(Tag::Bool);
        self.out.push(v.into());
        Ok(())
    }
    fn serialize_i8(self, v: i8) -> Written {
        self.serialize_i64(v.into())
    }
    fn serialize_i16(self, v: i16) -> Written {
        self.serialize_i64(v.into())
    }
    fn serialize_i32(self, v: i32) -> Written {
        self.serialize_i64(v.into())
    }
    fn serialize_i64(self, v: i64) -> Written {
        self.write_int(v);
        Ok(())
    }
    fn serialize_i128(self, v: i128) -> Written {
        self.write_integer(&v.into());
        Ok(())
    }
    fn serialize_u8(self, v: u8) -> Written {
        self.serialize_i64(v.into())
    }
    fn serialize_u16(self, v: u16) -> Written {
        self.serialize_i64(v.into())
    }
    fn serialize_u32(self, v: u32) -> Written {
        self.serialize_i64(v.into())
    }
    fn serialize_u64(self, v: u64) -> Written {
        match i64::try_from(v) {
            Ok(n) => self.write_int(n),
            Err(_large) => self.write_integer(&v.into()),
        }
        Ok(())
    }
    fn serialize_u128(self, v: u128) -> Written {
        self.write_integer(&v.into());
        Ok(())
    }
    fn serialize_f32(self, v: f32) -> Written {
        self.serialize_f64(v.into())
    }
    fn serialize_f64(mut self, v: f64) -> Written {
        self.write_tag(Tag::Float);
        self.out.extend_from_slice(&v.to_le_bytes());
        Ok(())
    }
    fn serialize_char(self, v: char) -> Written {
        self.write_str(v.encode_utf8(&mut [0; 4]));
        Ok(())
    }
    fn serialize_str(self, v: &str) -> Written {
        self.write_str(v);
        Ok(())
    }
    fn serialize_bytes(mut self, v: &[u8]) -> Written {
        self.write_tag(Tag::Bytes);
        write_length(self.out, v.len());
        self.out.extend_from_slice(v);
        Ok(())
    }
    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }
    fn serialize_unit(mut self) -> Written {
        self.write_tag(Tag::Null);
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, v: &T) -> Written {
        v.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Written {
        v.serialize(self.write_variant(variant)?)
    }
    fn serialize_seq(self, items: Option<usize>) -> Result<CompoundSerializer<'a>, ValueError> {
        self.compound(Tag::List, items)
    }
    fn serialize_tuple(self, items: usize) -> Result<CompoundSerializer<'a>, ValueError> {
        self.compound(Tag::Tuple, Some(items))
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        items: usize,
    ) -> Result<CompoundSerializer<'a>, ValueError> {
        self.compound(Tag::Tuple, Some(items))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        items: usize,
    ) -> Result<CompoundSerializer<'a>, ValueError> {
        self.write_variant(variant)?
            .compound(Tag::Tuple, Some(items))
    }
    fn serialize_map(self, entries: Option<usize>) -> Result<CompoundSerializer<'a>, ValueError> {
        self.compound(Tag::Map, entries)
    }
    fn serialize_struct(
        self,
        _: &'static str,
        entries: usize,
    ) -> Result<CompoundSerializer<'a>, ValueError> {
        self.compound(Tag::Map, Some(entries))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        entries: usize,
    ) -> Result<CompoundSerializer<'a>, ValueError> {
        self.write_variant(variant)?
            .compound(Tag::Map, Some(entries))
    }
}

/// The serializer of a collection's items.
pub(super) struct CompoundSerializer<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    /// The announced number of items; without one it is inserted at the end.
    announced: Option<usize>,
    /// The position of the length in the buffer.
    length_at: usize,
    written: usize,
}

impl CompoundSerializer<'_> {
    fn inner(&mut self) -> Serializer<'_> {
        Serializer {
            out: self.out,
            depth: self.depth,
        }
    }

    fn write_item<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.written += 1;
        value.serialize(self.inner())
    }

    fn write_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        let at = self.out.len();
        key.serialize(self.inner())?;
        // A key is always text, so its tag is omitted.
        match self.out.get(at) {
            Some(tag) if *tag == Tag::Str as u8 => {
                self.out.remove(at);
                Ok(())
            }
            _ => Err(ValueError("a map key must be text".to_owned())),
        }
    }

    fn write_entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Written {
        write_text(self.out, key);
        self.write_item(value)
    }

    fn finish(self) -> Written {
        match self.announced {
            Some(announced) if announced != self.written => Err(ValueError(format!(
                "{announced} items were announced, {} were serialized",
                self.written
            ))),
            Some(_) => Ok(()),
            None => {
                let mut length = Vec::new();
                write_length(&mut length, self.written);
                self.out.splice(self.length_at..self.length_at, length);
                Ok(())
            }
        }
    }
}

impl ser::SerializeSeq for CompoundSerializer<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Written {
        self.write_item(v)
    }
    fn end(self) -> Written {
        self.finish()
    }
}

impl ser::SerializeTuple for CompoundSerializer<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Written {
        self.write_item(v)
    }
    fn end(self) -> Written {
        self.finish()
    }
}

impl ser::SerializeTupleStruct for CompoundSerializer<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, v: &T) -> Written {
        self.write_item(v)
    }
    fn end(self) -> Written {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for CompoundSerializer<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, v: &T) -> Written {
        self.write_item(v)
    }
    fn end(self) -> Written {
        self.finish()
    }
}

impl ser::SerializeMap for CompoundSerializer<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.write_key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Written {
        self.write_item(v)
    }
    fn end(self) -> Written {
        self.finish()
    }
}

impl ser::SerializeStruct for CompoundSerializer<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, v: &T) -> Written {
        self.write_entry(key, v)
    }
    fn end(self) -> Written {
        self.finish()
    }
}

impl ser::SerializeStructVariant for CompoundSerializer<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, v: &T) -> Written {
        self.write_entry(key, v)
    }
    fn end(self) -> Written {
        self.finish()
    }
}
