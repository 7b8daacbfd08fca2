//! The limits of a request: everything in it that a caller can make large has one. Every engine checks
//! them where a request enters it, so that each way to an engine has the same limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most words of a filter, wanted and excluded ones together.
pub const MAX_FILTER_WORDS: usize = 32;
/// The maximum length of each text in a filter, in bytes.
pub const MAX_FILTER_TEXT: usize = 256;
/// The most ids in a filter.
pub const MAX_FILTER_IDS: usize = 1_000;
/// The most tasks of one submit.
pub const MAX_SUBMIT: usize = 100_000;
/// The longest span of time in an option of a task: 3,650 days.
pub const MAX_SPAN: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);
/// The latest time of day in an option of a task, in microseconds since 1970: the end of the year 9999.
pub const MAX_TIME: u64 = 253_402_300_799_999_999;

/// A part of a request that is over its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// A filter has more than [`MAX_FILTER_WORDS`] words.
    #[error("a filter has at most {MAX_FILTER_WORDS} words, and this one has {0}; use fewer")]
    FilterWords(usize),
    /// A text in a filter is longer than [`MAX_FILTER_TEXT`].
    #[error(
        "a text in a filter has at most {MAX_FILTER_TEXT} bytes, and this one has {0}; shorten it"
    )]
    FilterText(usize),
    /// A filter has more than [`MAX_FILTER_IDS`] ids.
    #[error(
        "a filter has at most {MAX_FILTER_IDS} ids, and this one has {0}; use several requests"
    )]
    FilterIds(usize),
    /// A submit has more than [`MAX_SUBMIT`] tasks.
    #[error("a submit has at most {MAX_SUBMIT} tasks, and this one has {0}; use several submits")]
    Submit(usize),
}
