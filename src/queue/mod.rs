//! Tasks, brokers and workers. Only [`remote`] depends on the network.
//!
//! | module | contents |
//! |---|---|
//! | [`task`], [`payload`], [`options`], [`id`] | tasks before and after they are submitted, their arguments, options and identifiers |
//! | [`state`] | the states of a task and the transitions between them |
//! | [`broker`], [`capabilities`], [`error`] | the interface of every engine, its operations and errors |
//! | [`bulk`] | checks before a task is changed, and bulk actions for engines that have none of their own |
//! | [`query`], [`paging`], [`limits`] | queries: filter, order, page; the limits of a request |
//! | [`event`], [`stats`], [`storage`] | events, statistics, durability and recovery |
//! | [`submitter`] | the submitter of a task, for quotas |
//! | [`worker`], [`timeline`] | the status of a worker, and its activity in the last half minute |
//! | [`registry`], [`context`] | typed Rust functions as tasks, and the context in which they run |
//! | [`number`], [`add`] | integers of any size, and the task that adds them |
//! | [`clock`] | wall-clock time that is measured on a monotonic clock |
//! | [`embedded`], [`unavailable`] | the engine inside this process, and a placeholder where there is none |
//! | [`remote`] | a client of the engine inside another process |

pub mod add;
pub mod broker;
pub mod bulk;
pub mod capabilities;
pub mod clock;
pub mod context;
mod control;
pub mod embedded;
pub mod error;
pub mod event;
mod executor;
pub mod id;
mod index;
pub mod limits;
pub mod number;
pub mod options;
pub mod paging;
pub mod payload;
pub mod query;
pub mod registry;
pub mod remote;
pub mod state;
pub mod stats;
pub mod storage;
pub mod submitter;
pub mod task;
pub mod timeline;
pub mod unavailable;
pub mod worker;
