//! Names of tasks, workers and submits.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The identifier of a task at its broker: a sequence number, or a UUID at brokers that have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub u128);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u64::try_from(self.0) {
            Ok(number) => write!(f, "#{number}"),
            Err(_uuid) => {
                let hex = format!("{:032x}", self.0);
                let mut at = 0;
                for (i, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
                    let part = hex.get(at..at + length).unwrap_or_default();
                    write!(f, "{}{part}", if i == 0 { "" } else { "-" })?;
                    at += length;
                }
                Ok(())
            }
        }
    }
}

/// The number of a worker, counted from 1; displayed as `w1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId(pub u16);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("w{}", self.0))
    }
}

/// A client-chosen key of one submit: a submit that is repeated with the same key is accepted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdempotencyKey(pub u128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_or_uuids() {
        assert_eq!(TaskId(41).to_string(), "#41");
        let uuid = TaskId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(uuid.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
    }
}
