//! From the arguments of a call to the tuple that a method takes.

use serde::de::{DeserializeOwned, DeserializeSeed, SeqAccess, value::SeqAccessDeserializer};

use crate::net::rpc::object::Signature;
use crate::{
    net::rpc::error::RemoteError,
    value::{Value, ValueError},
};

/// Puts arguments in their places and turns them into `A`.
pub(crate) fn arguments<A: DeserializeOwned>(
    signature: &Signature,
    args: Vec<Value>,
    kwargs: Vec<(String, Value)>,
) -> Result<A, RemoteError> {
    let placed = place(signature, args, kwargs)?;
    let access = Arguments {
        signature,
        at: 0,
        values: placed.into_iter(),
    };
    A::deserialize(SeqAccessDeserializer::new(access))
        .map_err(|e| RemoteError::bad_arguments(format!("{signature}: {e}")))
}

fn place(
    signature: &Signature,
    args: Vec<Value>,
    kwargs: Vec<(String, Value)>,
) -> Result<Vec<Value>, RemoteError> {
    let given = args.len() + kwargs.len();
    let (least, most) = (signature.required(), signature.params.len());
    if args.len() > most || given > most {
        return Err(RemoteError::bad_arguments(format!(
            "{signature}: takes {}, got {given}",
            takes(least, most)
        )));
    }
    let mut places: Vec<Option<Value>> = args.into_iter().map(Some).collect();
    places.resize(most, None);
    for (name, value) in kwargs {
        let place = signature
            .params
            .iter()
            .position(|param| param.name == name)
            .and_then(|i| places.get_mut(i));
        match place {
            Some(place @ None) => *place = Some(value),
            Some(Some(_)) => {
                return Err(RemoteError::bad_arguments(format!(
                    "{signature}: `{}` is given twice",
                    crate::net::rpc::object::excerpt(&name)
                )));
            }
            None => {
                return Err(RemoteError::bad_arguments(format!(
                    "{signature}: there is no parameter `{}`",
                    crate::net::rpc::object::excerpt(&name)
                )));
            }
        }
    }
    places
        .into_iter()
        .zip(&signature.params)
        .map(|(value, param)| match value {
            Some(value) => Ok(value),
            None if param.optional => Ok(Value::Null),
            None => Err(RemoteError::bad_arguments(format!(
                "{signature}: `{}` is missing; takes {}, got {given}",
                param.name,
                takes(least, most)
            ))),
        })
        .collect()
}

fn takes(least: usize, most: usize) -> String {
    match most {
        0 => "no arguments".into(),
        1 if least == 1 => "1 argument".into(),
        n if n == least => format!("{n} arguments"),
        n => format!("{least} to {n} arguments"),
    }
}

/// The arguments in order; it knows their names, so that an error can say which one is wrong.
struct Arguments<'a> {
    signature: &'a Signature,
    at: usize,
    values: std::vec::IntoIter<Value>,
}

impl<'de> SeqAccess<'de> for Arguments<'_> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        let Some(value) = self.values.next() else {
            return Ok(None);
        };
        let param = self.signature.params.get(self.at);
        self.at += 1;
        seed.deserialize(value).map(Some).map_err(|e| {
            let name = param.map_or("?", |p| p.name.as_str());
            serde::de::Error::custom(format_args!("`{name}`: {e}"))
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}
