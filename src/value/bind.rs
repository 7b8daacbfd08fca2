//! Binding of a call's arguments to the parameters of a method.

use serde::de::{DeserializeOwned, DeserializeSeed, SeqAccess, value::SeqAccessDeserializer};

use super::{
    Value, ValueError, excerpt,
    signature::{Param, Signature},
};

/// Arguments that do not fit a method's signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{signature}: {problem}")]
pub struct BindError {
    signature: String,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("takes {expected}, got {given}")]
    Count { expected: String, given: usize },
    #[error("`{0}` is given twice")]
    Duplicate(String),
    #[error("there is no parameter `{0}`")]
    Unknown(String),
    #[error("its parameters are not known by name; pass `{0}` by position")]
    Unnamed(String),
    #[error("`{name}` is missing; takes {expected}, got {given}")]
    Missing {
        name: String,
        expected: String,
        given: usize,
    },
    #[error(transparent)]
    Type(ValueError),
}

/// Orders arguments by parameter and converts them into `A`, a tuple with one element per parameter.
///
/// # Errors
/// [`BindError`] when there are too few or too many arguments, unknown names, or wrong types.
pub fn bind<A: DeserializeOwned>(
    signature: &Signature,
    args: Vec<Value>,
    kwargs: Vec<(String, Value)>,
) -> Result<A, BindError> {
    let bound = match &signature.params {
        Some(params) => order(params, args, kwargs),
        // Without parameters there is nothing to order by.
        None => match kwargs.into_iter().next() {
            None => Ok(args),
            Some((name, _)) => Err(Problem::Unnamed(excerpt(&name))),
        },
    };
    let typed = bound.and_then(|values| {
        let arguments = Arguments {
            params: signature.params.as_deref().unwrap_or_default(),
            index: 0,
            values: values.into_iter(),
        };
        A::deserialize(SeqAccessDeserializer::new(arguments)).map_err(Problem::Type)
    });
    typed.map_err(|problem| BindError {
        signature: signature.to_string(),
        problem,
    })
}

fn order(
    params: &[Param],
    args: Vec<Value>,
    kwargs: Vec<(String, Value)>,
) -> Result<Vec<Value>, Problem> {
    let given = args.len() + kwargs.len();
    if given > params.len() {
        let expected = expected(params);
        return Err(Problem::Count { expected, given });
    }
    let mut slots: Vec<Option<Value>> = args.into_iter().map(Some).collect();
    slots.resize(params.len(), None);
    for (name, value) in kwargs {
        let slot = params
            .iter()
            .position(|param| param.name == name)
            .and_then(|i| slots.get_mut(i));
        match slot {
            Some(slot @ None) => *slot = Some(value),
            Some(Some(_)) => return Err(Problem::Duplicate(excerpt(&name))),
            None => return Err(Problem::Unknown(excerpt(&name))),
        }
    }
    slots
        .into_iter()
        .zip(params)
        .map(|(value, param)| match value {
            Some(value) => Ok(value),
            None if param.optional => Ok(Value::Null),
            None => Err(Problem::Missing {
                name: param.name.clone(),
                expected: expected(params),
                given,
            }),
        })
        .collect()
}

fn expected(params: &[Param]) -> String {
    let required = params.iter().filter(|param| !param.optional).count();
    match params.len() {
        0 => "no arguments".into(),
        1 if required == 1 => "1 argument".into(),
        n if n == required => format!("{n} arguments"),
        n => format!("{required} to {n} arguments"),
    }
}

/// The arguments in order, with their names for error messages.
struct Arguments<'a> {
    params: &'a [Param],
    index: usize,
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
        let param = self.params.get(self.index);
        self.index += 1;
        seed.deserialize(value).map(Some).map_err(|e| {
            let name = param.map_or("?", |p| p.name.as_str());
            serde::de::Error::custom(format_args!("`{name}`: {e}"))
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}
