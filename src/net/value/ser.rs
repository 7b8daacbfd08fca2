//! From Rust types to [`Value`], by way of serde.

use std::fmt;

use num_bigint::BigInt;
use serde::ser::{self, Serialize, Serializer};

use super::{MAX_DEPTH, Value};

/// Why a Rust value and a [`Value`] could not be turned into each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAValue(pub(super) String);

impl ser::Error for NotAValue {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for NotAValue {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The serializer; it knows how deep it is so that it makes no value that no peer would read.
#[derive(Clone, Copy)]
pub(super) struct ToValue {
    pub(super) depth: usize,
}

impl ToValue {
    fn deeper(self) -> Result<Self, NotAValue> {
        if self.depth >= MAX_DEPTH {
            return Err(NotAValue(format!(
                "lists and maps nest deeper than {MAX_DEPTH}"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }

    fn list(self, items: usize, variant: Option<&'static str>) -> Result<List, NotAValue> {
        Ok(List {
            inner: self.deeper()?,
            items: Vec::with_capacity(items),
            variant,
        })
    }

    fn map(self, entries: usize, variant: Option<&'static str>) -> Result<Map, NotAValue> {
        Ok(Map {
            inner: self.deeper()?,
            entries: Vec::with_capacity(entries),
            key: None,
            variant,
        })
    }
}

type Made = Result<Value, NotAValue>;

impl Serializer for ToValue {
    type Ok = Value;
    type Error = NotAValue;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Map;
    type SerializeStruct = Map;
    type SerializeStructVariant = Map;

    fn serialize_bool(self, v: bool) -> Made {
        Ok(Value::Bool(v))
    }
    fn serialize_i8(self, v: i8) -> Made {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i16(self, v: i16) -> Made {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i32(self, v: i32) -> Made {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i64(self, v: i64) -> Made {
        Ok(Value::Int(v))
    }
    fn serialize_i128(self, v: i128) -> Made {
        Ok(Value::integer(BigInt::from(v)))
    }
    fn serialize_u8(self, v: u8) -> Made {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u16(self, v: u16) -> Made {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u32(self, v: u32) -> Made {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u64(self, v: u64) -> Made {
        // Almost all of them fit, and then nothing has to be made.
        Ok(i64::try_from(v).map_or_else(|_large| Value::Big(BigInt::from(v)), Value::Int))
    }
    fn serialize_u128(self, v: u128) -> Made {
        Ok(i64::try_from(v).map_or_else(|_large| Value::Big(BigInt::from(v)), Value::Int))
    }
    fn serialize_f32(self, v: f32) -> Made {
        Ok(Value::Float(v.into()))
    }
    fn serialize_f64(self, v: f64) -> Made {
        Ok(Value::Float(v))
    }
    fn serialize_char(self, v: char) -> Made {
        Ok(Value::Str(v.into()))
    }
    fn serialize_str(self, v: &str) -> Made {
        Ok(Value::Str(v.to_owned()))
    }
    fn serialize_bytes(self, v: &[u8]) -> Made {
        Ok(Value::Bytes(v.to_vec()))
    }
    fn serialize_none(self) -> Made {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Made {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Made {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Made {
        Ok(Value::Null)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Made {
        Ok(Value::Str(variant.to_owned()))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, v: &T) -> Made {
        v.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Made {
        let inner = v.serialize(self.deeper()?)?;
        Ok(Value::Map(vec![(variant.to_owned(), inner)]))
    }
    fn serialize_seq(self, items: Option<usize>) -> Result<List, NotAValue> {
        self.list(items.unwrap_or(0), None)
    }
    fn serialize_tuple(self, items: usize) -> Result<List, NotAValue> {
        self.list(items, None)
    }
    fn serialize_tuple_struct(self, _: &'static str, items: usize) -> Result<List, NotAValue> {
        self.list(items, None)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        items: usize,
    ) -> Result<List, NotAValue> {
        self.deeper()?.list(items, Some(variant))
    }
    fn serialize_map(self, entries: Option<usize>) -> Result<Map, NotAValue> {
        self.map(entries.unwrap_or(0), None)
    }
    fn serialize_struct(self, _: &'static str, entries: usize) -> Result<Map, NotAValue> {
        self.map(entries, None)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        entries: usize,
    ) -> Result<Map, NotAValue> {
        self.deeper()?.map(entries, Some(variant))
    }
}

/// Externally tagged, as serde does elsewhere: `{variant: body}`.
fn tagged(variant: Option<&'static str>, body: Value) -> Value {
    match variant {
        Some(name) => Value::Map(vec![(name.to_owned(), body)]),
        None => body,
    }
}

/// A list being filled.
pub(super) struct List {
    inner: ToValue,
    items: Vec<Value>,
    variant: Option<&'static str>,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotAValue> {
        self.items.push(value.serialize(self.inner)?);
        Ok(())
    }

    fn done(self) -> Made {
        Ok(tagged(self.variant, Value::List(self.items)))
    }
}

impl ser::SerializeSeq for List {
    type Ok = Value;
    type Error = NotAValue;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), NotAValue> {
        self.push(v)
    }
    fn end(self) -> Made {
        self.done()
    }
}

impl ser::SerializeTuple for List {
    type Ok = Value;
    type Error = NotAValue;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), NotAValue> {
        self.push(v)
    }
    fn end(self) -> Made {
        self.done()
    }
}

impl ser::SerializeTupleStruct for List {
    type Ok = Value;
    type Error = NotAValue;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), NotAValue> {
        self.push(v)
    }
    fn end(self) -> Made {
        self.done()
    }
}

impl ser::SerializeTupleVariant for List {
    type Ok = Value;
    type Error = NotAValue;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), NotAValue> {
        self.push(v)
    }
    fn end(self) -> Made {
        self.done()
    }
}

/// A map being filled.
pub(super) struct Map {
    inner: ToValue,
    entries: Vec<(String, Value)>,
    key: Option<String>,
    variant: Option<&'static str>,
}

impl Map {
    fn put<T: Serialize + ?Sized>(&mut self, key: String, v: &T) -> Result<(), NotAValue> {
        self.entries.push((key, v.serialize(self.inner)?));
        Ok(())
    }

    fn done(self) -> Made {
        Ok(tagged(self.variant, Value::Map(self.entries)))
    }
}

impl ser::SerializeMap for Map {
    type Ok = Value;
    type Error = NotAValue;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotAValue> {
        match key.serialize(self.inner)? {
            Value::Str(text) => {
                self.key = Some(text);
                Ok(())
            }
            other => Err(NotAValue(format!(
                "a map key must be text, not {}",
                other.type_name()
            ))),
        }
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), NotAValue> {
        let key = self.key.take().unwrap_or_default();
        self.put(key, v)
    }
    fn end(self) -> Made {
        self.done()
    }
}

impl ser::SerializeStruct for Map {
    type Ok = Value;
    type Error = NotAValue;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        v: &T,
    ) -> Result<(), NotAValue> {
        self.put(key.to_owned(), v)
    }
    fn end(self) -> Made {
        self.done()
    }
}

impl ser::SerializeStructVariant for Map {
    type Ok = Value;
    type Error = NotAValue;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        v: &T,
    ) -> Result<(), NotAValue> {
        self.put(key.to_owned(), v)
    }
    fn end(self) -> Made {
        self.done()
    }
}
