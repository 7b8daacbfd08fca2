use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

fn encoded(value: &Value) -> Vec<u8> {
    postcard::to_stdvec(value).expect("a value always encodes")
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<i128>().prop_map(|n| Value::integer(n.into())),
        (-1e300..1e300).prop_map(Value::Float),
        ".*".prop_map(Value::Str),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            proptest::collection::vec((".{0,8}", inner.clone()), 0..5).prop_map(Value::Map),
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Tuple),
            proptest::collection::vec(inner, 0..5).prop_map(Value::Set),
        ]
    })
}

/// These bytes are what a peer of another build sends: if one changes, the protocol has changed.
#[test]
fn golden_bytes() {
    let cases = [
        (Value::Null, "00"),
        (Value::Bool(true), "0101"),
        (Value::Int(-2), "0203"),
        (
            Value::integer(BigInt::from(u64::MAX)),
            "030900ffffffffffffffff",
        ),
        (Value::Float(2.5), "040000000000000440"),
        (Value::from("Ali"), "0503416c69"),
        (Value::Bytes(vec![0, 255]), "060200ff"),
        (Value::List(vec![Value::Int(1), Value::Null]), "0702020200"),
        (
            Value::Map(vec![("k".into(), Value::Bool(false))]),
            "0801016b0100",
        ),
        (Value::Tuple(vec![Value::Int(1), Value::Null]), "0902020200"),
        (Value::Set(vec![Value::from("a")]), "0a01050161"),
    ];
    for (value, bytes) in cases {
        assert_eq!(hex(&encoded(&value)), bytes, "{value}");
    }
}

#[test]
fn nesting_is_bounded_in_both_directions() {
    let mut deep = Value::Null;
    for _ in 0..=MAX_DEPTH {
        deep = Value::List(vec![deep]);
    }
    let refused = postcard::from_bytes::<Value>(&encoded(&deep));
    assert!(refused.is_err());
    // A hostile frame: lists in lists, as long as a frame can be.
    let hostile: Vec<u8> = [7, 1].repeat(500_000);
    assert!(postcard::from_bytes::<Value>(&hostile).is_err());

    #[derive(Serialize)]
    struct Nest(Vec<Self>);
    let mut nest = Nest(vec![]);
    for _ in 0..=MAX_DEPTH {
        nest = Nest(vec![nest]);
    }
    assert!(Value::from_typed(&nest).is_err());
    for bytes in [encoded(&deep), hostile] {
        assert!(
            Encoded::from_bytes(bytes)
                .to_typed::<serde::de::IgnoredAny>()
                .is_err()
        );
    }
}

#[test]
fn a_wrong_shape_is_named() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only its refusal is looked at")]
    struct Point {
        x: i64,
    }
    let value = Value::Map(vec![("x".into(), Value::from("three"))]);
    let error = value.to_typed::<Point>().expect_err("text is no integer");
    assert!(error.to_string().starts_with("`x`: "), "{error}");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(f64),
    Box { w: u32, h: u32 },
    Line(i8, i8),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Drawing {
    title: String,
    shapes: Vec<Shape>,
    tags: BTreeMap<String, Option<u64>>,
    pair: (bool, char),
}

#[test]
fn typed_values_come_back() {
    let drawing = Drawing {
        title: "one".into(),
        shapes: vec![
            Shape::Dot,
            Shape::Circle(1.5),
            Shape::Box { w: 1, h: 2 },
            Shape::Line(-1, 1),
        ],
        tags: [("a".into(), None), ("b".into(), Some(u64::MAX))].into(),
        pair: (true, 'é'),
    };
    let value = Value::from_typed(&drawing).expect("serializes");
    assert_eq!(
        Encoded::from(&value).to_typed::<Drawing>(),
        Ok(drawing.clone())
    );
    assert_eq!(value.to_typed::<Drawing>(), Ok(drawing));
}

#[test]
fn tuples_and_sets_are_read_as_lists_and_tuples_stay_tuples() {
    let pair = Value::from_typed(&(1_u8, "a")).expect("serializes");
    assert_eq!(pair, Value::Tuple(vec![Value::Int(1), "a".into()]));
    assert_eq!(pair.clone().to_typed::<(u8, String)>(), Ok((1, "a".into())));
    assert_eq!(pair.to_json().get(), r#"[1,"a"]"#);
    let items = vec![Value::Int(1), Value::Int(2)];
    for value in [Value::Tuple(items.clone()), Value::Set(items)] {
        assert_eq!(Encoded::from(&value).to_typed::<Vec<u8>>(), Ok(vec![1, 2]));
        assert_eq!(value.to_typed::<Vec<u8>>(), Ok(vec![1, 2]));
    }
}

#[test]
fn tuples_and_sets_are_displayed_as_in_python() {
    let one = || vec![Value::Int(1)];
    let two = || vec![Value::Int(1), Value::Int(2)];
    for (value, text) in [
        (Value::Tuple(vec![]), "()"),
        (Value::Tuple(one()), "(1,)"),
        (Value::Tuple(two()), "(1, 2)"),
        (Value::Set(vec![]), "set()"),
        (Value::Set(two()), "{1, 2}"),
    ] {
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn unknown_parameters_take_any_arguments_by_position() {
    let signature = signature::Signature::parse("run(...) -> any", "").expect("a signature");
    assert_eq!(signature.to_string(), "run(...) -> any");
    assert_eq!(signature, signature::Signature::unknown("run"));
    let bound: (i64, String) =
        bind::bind(&signature, vec![Value::Int(1), "a".into()], vec![]).expect("any arguments");
    assert_eq!(bound, (1, "a".to_owned()));
    let named = vec![("x".to_owned(), Value::Null)];
    let error = bind::bind::<(i64,)>(&signature, vec![], named).expect_err("no names");
    assert!(error.to_string().contains("by position"), "{error}");
}

/// Collections without a known length are encoded too, and only text can be a key.
#[test]
fn maps_of_every_kind_are_written() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Outer {
        a: i64,
        #[serde(flatten)]
        rest: BTreeMap<String, i64>,
    }
    let outer = Outer {
        a: 1,
        rest: [("b".into(), 2), ("c".into(), 3)].into(),
    };
    let written = Encoded::from_typed(&outer).expect("serializes");
    assert_eq!(
        written.to_value().expect("a value").to_string(),
        r#"{"a": 1, "b": 2, "c": 3}"#
    );
    assert_eq!(written.to_typed::<Outer>(), Ok(outer));
    let keyed: BTreeMap<u8, u8> = [(1, 2)].into();
    assert!(Encoded::from_typed(&keyed).is_err());
}

#[test]
fn malformed_values_are_refused() {
    let read =
        |bytes: &[u8]| Encoded::from_bytes(bytes.to_vec()).to_typed::<serde::de::IgnoredAny>();
    for bytes in [
        &[][..],
        &[11],
        &[1, 2],
        &[2, 0x80],
        &[2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
        &[4, 0],
        &[5, 2, b'a'],
        &[5, 1, 0xff],
        &[7, 2, 0],
        &[8, 1, 1, b'k'],
        &[0, 0],
    ] {
        assert!(read(bytes).is_err(), "{bytes:?}");
        assert!(
            Encoded::from_bytes(bytes.to_vec()).to_value().is_err(),
            "{bytes:?}"
        );
    }
}

#[test]
fn a_person_can_read_a_value() {
    let value = Value::Map(vec![
        ("n".into(), Value::Float(2.0)),
        ("s".into(), Value::from("a\"\u{1b}[2Jé")),
        ("b".into(), Value::Bytes(vec![1, 254])),
    ]);
    assert_eq!(
        value.to_string(),
        r#"{"n": 2.0, "s": "a\"\u{1b}[2Jé", "b": 0x01fe}"#
    );
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(value in any_value()) {
        let back: Value = postcard::from_bytes(&encoded(&value)).expect("decodes");
        prop_assert_eq!(back, value);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = postcard::from_bytes::<Value>(&bytes);
    }

    #[test]
    fn shown_text_never_carries_a_control_character(value in any_value()) {
        prop_assert!(!value.to_string().chars().any(char::is_control));
    }
    /// Whatever way it goes: by a value, or straight from a type to a type.
    #[test]
    fn both_ways_lead_to_the_same(
        title in ".*",
        shapes in proptest::collection::vec(
            prop_oneof![
                Just(Shape::Dot),
                (-1e9..1e9).prop_map(Shape::Circle),
                any::<(u32, u32)>().prop_map(|(w, h)| Shape::Box { w, h }),
                any::<(i8, i8)>().prop_map(|(a, b)| Shape::Line(a, b)),
            ],
            0..6,
        ),
        tags in proptest::collection::btree_map(".{0,5}", any::<Option<u64>>(), 0..5),
        pair: (bool, char),
    ) {
        let drawing = Drawing { title, shapes, tags, pair };
        let written = Encoded::from_typed(&drawing).expect("serializes");
        let value = written.to_value().expect("a value");
        prop_assert_eq!(&Encoded::from(&value), &written);
        prop_assert_eq!(written.to_typed::<Drawing>().expect("reads"), drawing.clone());
        prop_assert_eq!(value.to_typed::<Drawing>().expect("reads"), drawing);
    }

    /// A type that takes anything is given the same by both.
    #[test]
    fn anything_is_read_the_same_by_both(value in any_value()) {
        let straight = Encoded::from(&value).to_typed::<serde_json::Value>();
        let by_value = value.to_typed::<serde_json::Value>();
        prop_assert_eq!(straight.map_err(|e| e.to_string()), by_value.map_err(|e| e.to_string()));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let received = Encoded::from_bytes(bytes);
        received.to_typed::<serde_json::Value>().ok();
        received.to_typed::<Drawing>().ok();
    }
}
