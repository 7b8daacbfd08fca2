use super::{
    super::object::{METHODS, Objects},
    *,
};
use std::sync::Arc;

use crate::{net::trust::key::PublicKey, value::Value};

fn caller() -> Caller {
    Caller {
        principal: PublicKey::from_bytes([1; 32]).into(),
        role: Role::Read,
    }
}

fn objects() -> Objects {
    let service = Service::new("For tests")
        .method(
            "greet(name: str, loud: bool?) -> str",
            "Greets.",
            |_, (name, loud): (String, Option<bool>)| async move {
                Ok::<_, RemoteError>(if loud == Some(true) {
                    name.to_uppercase()
                } else {
                    name
                })
            },
        )
        .method("fail() -> null", "Fails.", |_, []: [(); 0]| async {
            Err::<(), _>(RemoteError::new(Code::Denied, "not today"))
        })
        .method("panic() -> null", "Panics.", |_, []: [(); 0]| async {
            if true {
                panic!("on purpose");
            }
            Ok::<_, RemoteError>(())
        });
    let objects = Objects::default();
    objects.expose("test", Arc::new(service));
    objects
}

async fn call(
    method: &str,
    args: Vec<Value>,
    kwargs: Vec<(&str, Value)>,
) -> Result<Value, RemoteError> {
    let invocation = Invocation {
        caller: caller(),
        method: method.into(),
        args,
        kwargs: kwargs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
    };
    match objects().call("test", invocation).await? {
        Response::One(value) => Ok(value.to_value().expect("a value")),
        Response::Stream(_) => panic!("not a stream"),
    }
}

#[tokio::test]
async fn arguments_go_by_position_and_by_name() {
    assert_eq!(
        call("greet", vec!["Ali".into()], vec![]).await,
        Ok("Ali".into())
    );
    let loud = vec![("loud", Value::Bool(true)), ("name", "Ali".into())];
    assert_eq!(call("greet", vec![], loud).await, Ok("ALI".into()));
}

#[tokio::test]
async fn wrong_arguments_are_faults_that_say_what_is_wrong() {
    type Case = (Vec<Value>, Vec<(&'static str, Value)>, &'static str);
    let cases: [Case; 6] = [
        (vec![], vec![], "`name` is missing"),
        (
            vec!["a".into(), Value::Null, Value::Null],
            vec![],
            "takes 1 to 2 arguments, got 3",
        ),
        (
            vec![Value::Int(5)],
            vec![],
            "`name`: invalid type: integer `5`",
        ),
        (vec!["a".into()], vec![("name", "b".into())], "given twice"),
        (
            vec!["a".into()],
            vec![("size", "b".into())],
            "no parameter `size`",
        ),
        (vec!["a".into(), "b".into()], vec![], "`loud`: "),
    ];
    for (args, kwargs, says) in cases {
        let error = call("greet", args, kwargs).await.expect_err("refused");
        assert_eq!(error.code, Code::BadArguments);
        assert!(error.message.contains(says), "{} / {says}", error.message);
    }
}

#[tokio::test]
async fn unknown_methods_and_objects_are_faults() {
    let error = call("gret", vec![], vec![]).await.expect_err("refused");
    assert_eq!(error.code, Code::UnknownMethod);
    assert!(error.message.contains("greet"), "{}", error.message);
    let invocation = Invocation {
        caller: caller(),
        method: "x".into(),
        args: vec![],
        kwargs: vec![],
    };
    let error = objects()
        .call("\u{1b}[2J", invocation)
        .await
        .expect_err("refused");
    assert_eq!(error.code, Code::NotFound);
    assert!(!error.message.contains('\u{1b}'));
}

#[tokio::test]
async fn a_method_may_refuse_or_panic_and_the_object_goes_on() {
    assert_eq!(
        call("fail", vec![], vec![])
            .await
            .expect_err("refused")
            .code,
        Code::Denied
    );
    assert_eq!(
        call("panic", vec![], vec![])
            .await
            .expect_err("failed")
            .code,
        Code::Internal
    );
    assert!(call("greet", vec!["Ali".into()], vec![]).await.is_ok());
}

#[tokio::test]
async fn every_object_lists_its_methods() {
    let listed = call(METHODS, vec![], vec![]).await.expect("listed");
    let methods: Vec<Signature> = listed.to_typed().expect("signatures");
    let lines: Vec<_> = methods.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "greet(name: str, loud: bool?) -> str",
            "fail() -> null",
            "panic() -> null"
        ]
    );
}

#[test]
fn a_signature_that_cannot_be_read_says_why() {
    for text in [
        "greet",
        "greet(",
        "greet()",
        "greet(name) -> str",
        "() -> str",
    ] {
        assert!(Signature::parse(text, "").is_err(), "{text}");
    }
}

const RENAME: Method<(String,), String> =
    Method::new("rename(to: str) -> str", "Renames.").requires(Role::Admin);

#[tokio::test]
async fn a_declared_method_requires_its_role() {
    let service = Service::new("For tests").serve(&RENAME, &(), |(), _, (to,)| {
        std::future::ready(Ok::<_, RemoteError>(to))
    });
    assert_eq!(RENAME.name(), "rename");
    for role in Role::ALL {
        let invocation = Invocation {
            caller: Caller { role, ..caller() },
            method: RENAME.name().into(),
            args: vec!["b".into()],
            kwargs: vec![],
        };
        match service.call(invocation).await {
            Ok(Response::One(name)) => {
                assert_eq!(role, Role::Admin);
                assert_eq!(RENAME.decode(&name), Ok("b".to_owned()));
            }
            Ok(Response::Stream(_)) => panic!("not a stream"),
            Err(error) => {
                assert_ne!(role, Role::Admin);
                assert_eq!(error.code, Code::Denied);
                assert!(error.message.contains("requires the role admin"), "{error}");
            }
        }
    }
}
