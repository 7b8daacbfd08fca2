//! A deserializer from a [`Value`] to Rust types. Arguments arrive decoded, because they are ordered by
//! name before their types are known; it moves their text and bytes out instead of encoding them again
//! for `from_wire`.

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
    value::{StrDeserializer, StringDeserializer},
};

use super::{Value, ValueError};

/// The description of such an integer in error messages.
pub(super) const BIG: Unexpected<'_> = Unexpected::Other("an integer of more than 64 bits");

/// Visits an integer that is not an `i64`, as the smallest type that holds it.
pub(super) fn visit_big<'de, V: Visitor<'de>>(
    n: &BigInt,
    visitor: V,
) -> Result<V::Value, ValueError> {
    match (n.to_u64(), n.to_i128(), n.to_u128()) {
        (Some(n), ..) => visitor.visit_u64(n),
        (_, Some(n), _) => visitor.visit_i128(n),
        (.., Some(n)) => visitor.visit_u128(n),
        _ => Err(de::Error::invalid_type(BIG, &visitor)),
    }
}

impl Value {
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

impl<'de> Deserializer<'de> for Value {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(b) => visitor.visit_bool(b),
            Self::Int(n) => visitor.visit_i64(n),
            Self::Big(n) => visit_big(&n, visitor),
            Self::Float(x) => visitor.visit_f64(x),
            Self::Str(text) => visitor.visit_string(text),
            Self::Bytes(bytes) => visitor.visit_byte_buf(bytes),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => {
                let mut list = ItemAccess(items.into_iter());
                let value = visitor.visit_seq(&mut list)?;
                match list.0.len() {
                    0 => Ok(value),
                    more => Err(ValueError(format!("{more} items too many"))),
                }
            }
            Self::Map(entries) => visitor.visit_map(Entries {
                entries: entries.into_iter(),
                value: None,
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Self::Null => visitor.visit_none(),
            other => visitor.visit_some(other),
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
        match self {
            // A large integer becomes the nearest float.
            Self::Big(n) => visitor.visit_f64(n.to_f64().unwrap_or(f64::NAN)),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self {
            Self::Str(variant) => visitor.visit_enum(ValueVariant {
                variant,
                body: Self::Null,
            }),
            Self::Map(mut entries) if entries.len() == 1 => match entries.pop() {
                Some((variant, body)) => visitor.visit_enum(ValueVariant { variant, body }),
                None => Err(de::Error::custom("a map without its one entry")),
            },
            other => Err(de::Error::invalid_type(other.unexpected(), &visitor)),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char str string
        bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// The items of a list, tuple or set, one by one.
struct ItemAccess(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for ItemAccess {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        self.0.next().map(|v| seed.deserialize(v)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The entries of a map, one by one.
struct Entries {
    entries: std::vec::IntoIter<(String, Value)>,
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        self.value = self.entries.next();
        let Some((key, _)) = &self.value else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, ValueError> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, ValueError> {
        let Some((key, value)) = self.value.take() else {
            return Err(de::Error::custom("a map entry without a value"));
        };
        // Name the entry that is wrong; in a map of ten that is the whole message.
        seed.deserialize(value)
            .map_err(|e| ValueError(format!("`{key}`: {e}")))
    }
}

/// An externally tagged enum variant.
struct ValueVariant {
    variant: String,
    body: Value,
}

impl<'de> EnumAccess<'de> for ValueVariant {
    type Error = ValueError;
    type Variant = Value;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Value), ValueError> {
        let name: StringDeserializer<ValueError> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self.body))
    }
}

impl<'de> VariantAccess<'de> for Value {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        match self {
            Self::Null => Ok(()),
            other => Err(de::Error::invalid_type(other.unexpected(), &"nothing")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ValueError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, v: V) -> Result<V::Value, ValueError> {
        self.deserialize_any(v)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        v: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_any(v)
    }
}

impl IntoDeserializer<'_, ValueError> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
