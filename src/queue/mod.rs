//! Tasks, brokers and workers. It knows nothing of a screen, and only [`remote`] knows of the network.
//!
//! | room | what it is for |
//! |---|---|
//! | [`task`] | a task, its states, and the one function that says which may follow which |
//! | [`broker`] | what every engine can do: the trait that screens and programs see |
//! | [`query`], [`pages`] | finding tasks: filter, order, page |
//! | [`registry`] | typed Rust functions as tasks, one line each |
//! | [`context`] | what a task knows of its own run: progress, being asked to stop |
//! | [`number`], [`add`] | integers of any size, and the task that adds them |
//! | [`clock`] | one time for due times and durations, whatever is done to the wall clock |
//! | [`worker`], [`lane`] | what a worker is doing, and what it did in the last half minute |
//! | [`store`] | what is kept of tasks: in memory, or in a file that survives the process |
//! | [`embedded`], [`absent`] | the engine inside this process; what stands where there is none |
//! | [`remote`] | the engine inside another process, over `net` |

pub mod add;
pub mod broker;
pub mod clock;
pub mod context;
pub mod embedded;
mod executor;
pub mod number;
pub mod paging;
pub mod query;
pub mod registry;
pub mod remote;
pub mod task;
pub mod timeline;
pub mod unavailable;
pub mod worker;
