//! What stands where there is no broker: everything that is asked of it is refused with the reason.

use std::time::Duration;

use futures_util::{FutureExt, future::ready};

use super::{
    broker::{Broker, BrokerError, Bulk, Deed, Drained, Reason, Reply, Stats, Subscription},
    query::{Filter, Page, Query},
    task::{NewTask, Receipt, State, SubmitId, Task, TaskId},
    worker::WorkerStatus,
};

/// No broker, and why.
#[derive(Debug, Clone)]
pub struct Absent {
    why: String,
    /// Never written to: who listens hears nothing, for as long as this lives.
    silence: async_channel::Receiver<super::broker::Batch>,
    _open: async_channel::Sender<super::broker::Batch>,
}

impl Absent {
    /// With the reason, as a sentence for people.
    pub fn new(why: impl Into<String>) -> Self {
        let (open, silence) = async_channel::bounded(1);
        Self {
            why: why.into(),
            silence,
            _open: open,
        }
    }

    fn no<T: Send + 'static>(&self) -> Reply<'_, T> {
        ready(Err(BrokerError::Unreachable(self.why.clone()))).boxed()
    }
}

impl Broker for Absent {
    fn engine(&self) -> &'static str {
        "no broker"
    }

    fn submit(&self, _: Vec<NewTask>) -> Reply<'_, Vec<Receipt>> {
        self.no()
    }

    fn submit_once(&self, _: SubmitId, _: Vec<NewTask>) -> Reply<'_, Vec<Receipt>> {
        self.no()
    }

    fn get(&self, _: TaskId) -> Reply<'_, Option<Task>> {
        self.no()
    }

    fn list(&self, _: Query) -> Reply<'_, Page> {
        self.no()
    }

    fn count(&self, _: Filter) -> Reply<'_, usize> {
        self.no()
    }

    fn reasons(&self) -> Reply<'_, Vec<Reason>> {
        self.no()
    }

    fn cancel(&self, _: TaskId) -> Reply<'_, State> {
        self.no()
    }

    fn restore(&self, _: TaskId) -> Reply<'_, State> {
        self.no()
    }

    fn retry(&self, _: TaskId) -> Reply<'_, State> {
        self.no()
    }

    fn bulk(&self, _: Deed, _: Filter) -> Reply<'_, Bulk> {
        self.no()
    }

    fn pause(&self, _: Option<&str>) -> Reply<'_, ()> {
        self.no()
    }

    fn resume(&self, _: Option<&str>) -> Reply<'_, ()> {
        self.no()
    }

    fn stats(&self) -> Reply<'_, Stats> {
        self.no()
    }

    fn workers(&self) -> Reply<'_, Vec<WorkerStatus>> {
        self.no()
    }

    fn scale(&self, _: usize) -> Reply<'_, usize> {
        self.no()
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.silence.clone())
    }

    fn shutdown(&self, _: Duration) -> Reply<'_, Drained> {
        ready(Ok(Drained::default())).boxed()
    }
}
