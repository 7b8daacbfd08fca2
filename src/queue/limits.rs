//! The limits of a request: everything in it that a caller can make large has one. Every engine checks
//! them where a request enters it, so that each way to an engine has the same limits. What is stored is
//! then small enough that every reply fits into a frame of the network.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The maximum length of a name, in bytes: of a task function, a queue, or a key.
pub const MAX_NAME: usize = 200;
/// The maximum length of an external id of a task, and of the name of a worker, in bytes.
pub const MAX_ID: usize = 200;
/// The maximum length of the arguments and of the result of a task, in bytes.
pub const MAX_PAYLOAD: usize = 64 << 10;
/// The maximum length of an error with its kind and traceback, in bytes; every attempt stores one.
pub const MAX_ERROR: usize = 4 << 10;
/// The maximum number of attempts that are stored for one task; the oldest are removed first.
pub const MAX_ATTEMPTS_HISTORY: usize = 100;
/// The most workers that one process runs.
pub const MAX_WORKERS: usize = 256;
/// The most queues of the embedded engine, besides the default queue.
pub const MAX_QUEUES: usize = 64;
/// The most queues, workers or task names that a remote broker lists.
pub const MAX_LISTED: usize = 1_000;
/// The most tasks in one call of a remote submit.
pub const MAX_SUBMIT_CALL: usize = 4_000;
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
    /// A call over the network submits more than [`MAX_SUBMIT_CALL`] tasks.
    #[error(
        "one call submits at most {MAX_SUBMIT_CALL} tasks, and this one has {0}; use several calls"
    )]
    SubmitCall(usize),
    /// The name of a queue is empty.
    #[error("the name of a queue is empty; write one")]
    NoQueueName,
    /// The name of a queue is longer than [`MAX_NAME`].
    #[error("the name of a queue has at most {MAX_NAME} bytes, and this one has {0}; shorten it")]
    QueueName(usize),
    /// There are [`MAX_QUEUES`] queues already.
    #[error("there are {MAX_QUEUES} queues already; use one of them")]
    Queues,
}

/// Checks the name of a queue.
///
/// # Errors
/// [`LimitExceeded`] when it is empty or longer than [`MAX_NAME`].
pub const fn check_queue_name(name: &str) -> Result<(), LimitExceeded> {
    match name.len() {
        0 => Err(LimitExceeded::NoQueueName),
        1..=MAX_NAME => Ok(()),
        length => Err(LimitExceeded::QueueName(length)),
    }
}

/// The longest beginning of a text within a number of bytes.
pub(super) fn prefix(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes))
        .unwrap_or_default()
}
