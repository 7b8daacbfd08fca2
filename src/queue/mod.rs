//! Tasks, brokers and workers. It knows nothing of a screen, and nothing of the network.
//!
//! | room | what it is for |
//! |---|---|
//! | [`task`] | a task, its states, and the one function that says which may follow which |
//! | [`broker`] | what every engine can do: the trait that screens and programs see |
//! | [`query`] | finding tasks: filter, order, page |
//! | [`registry`] | typed Rust functions as tasks, one line each |
//! | [`number`], [`add`] | integers of any size, and the task that adds them |
//! | [`worker`], [`lane`] | what a worker is doing, and what it did in the last half minute |
//! | [`embedded`] | the engine inside this process |

pub mod add;
pub mod broker;
pub mod embedded;
pub mod lane;
pub mod number;
pub mod query;
pub mod registry;
pub mod task;
pub mod worker;
