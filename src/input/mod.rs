//! What a person types, on a line of the screen or of a shell: additions, calls, and how a task is to be
//! run.

pub(crate) mod addition;
pub(crate) mod arguments;
pub(crate) mod options;
pub(crate) mod suggest;
