//! Parsers for what people type, on the screen or in a shell: additions, calls, tasks and their options.

pub(crate) mod addition;
pub(crate) mod arguments;
mod json_error;
pub(crate) mod options;
pub(crate) mod submission;
