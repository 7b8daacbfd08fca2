//! The greeter, which the classic example calls `server`.

use super::rpc::{error::RemoteError, service::Service};

/// The name under which it is registered.
pub const NAME: &str = "server";

/// Its method.
pub const METHOD: &str = "welcomeMessage";

/// Limit of a name, in bytes.
pub const MAX_NAME: usize = 64 << 10;

/// Returns an object with `welcomeMessage(name)`, which returns `Hi welcome NAME`.
#[must_use]
pub fn greeter() -> Service {
    Service::new("Greets people by name").method(
        "welcomeMessage(name: str) -> str",
        "Welcomes a person by name.",
        |_, (name,): (String,)| async move { welcome(&name) },
    )
}

fn welcome(name: &str) -> Result<String, RemoteError> {
    if name.trim().is_empty() {
        return Err(RemoteError::bad_arguments("the name is empty"));
    }
    if name.len() > MAX_NAME {
        return Err(RemoteError::bad_arguments(format!(
            "the name has {} bytes; the limit is {MAX_NAME}",
            name.len()
        )));
    }
    Ok(format!("Hi welcome {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_greets_whatever_is_a_name() {
        for name in ["Ali", "علی", "👩‍👩‍👧", "a\nb", "\u{1b}[2J", &"x".repeat(10_000)]
        {
            assert_eq!(welcome(name), Ok(format!("Hi welcome {name}")));
        }
    }

    #[test]
    fn it_refuses_what_is_none() {
        assert!(welcome("").is_err());
        assert!(welcome("  \n").is_err());
        let error = welcome(&"x".repeat(MAX_NAME + 1)).expect_err("too long");
        assert!(error.message.contains("65536"), "{error}");
    }
}
