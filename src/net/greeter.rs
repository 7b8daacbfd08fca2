//! The object that greets: what the classic example calls `server`.

use super::rpc::{error::RemoteError, object::Service};

/// The name it is registered under.
pub const NAME: &str = "server";

/// Its one method.
pub const METHOD: &str = "welcomeMessage";

/// The longest name it greets, in bytes.
pub const MAX_NAME: usize = 64 << 10;

/// An object with `welcomeMessage(name)`, which answers `Hi welcome NAME`.
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
        return Err(RemoteError::bad_arguments(
            "a name is needed; an empty one cannot be greeted",
        ));
    }
    if name.len() > MAX_NAME {
        return Err(RemoteError::bad_arguments(format!(
            "a name may have {MAX_NAME} bytes, this one has {}",
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
