//! The executor: a pool of workers that run the registered tasks of any engine.
//!
//! An engine sends [`Job`](job::Job)s through a channel, receives a
//! [`WorkerReport`](job::WorkerReport) for each start and end of a run, and controls workers with
//! [`Signal`](super::control::Signal)s. Progress and status are read through the [`WorkerPool`](pool::WorkerPool). The
//! executor knows no engine: it neither stores nor orders tasks, and decides nothing about retries.
//!
//! Workers run on runtimes of their own, and survive panics and tasks that never yield. With an
//! [`InFlightFile`](in_flight::InFlightFile) a crash of the process can be attributed to the tasks that
//! were running.

pub(in crate::queue) mod in_flight;
pub(in crate::queue) mod job;
pub(in crate::queue) mod pool;
mod worker;
