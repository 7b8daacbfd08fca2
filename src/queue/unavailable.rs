//! What stands where there is no broker: everything that is asked of it is refused with the reason.

use std::time::Duration;

use futures_util::{FutureExt, future::ready};

use super::{
    broker::{
        Broker, BrokerError, BrokerFuture, BulkAction, BulkOutcome, FailureGroup, ShutdownReport,
        Stats, Subscription,
    },
    query::{Filter, Page, Query},
    task::{IdempotencyKey, NewTask, Receipt, State, Task, TaskId},
    worker::WorkerStatus,
};

/// No broker, and why.
#[derive(Debug, Clone)]
pub struct UnavailableBroker {
    why: String,
    /// Never written to: who listens hears nothing, for as long as this lives.
    silence: async_channel::Receiver<super::broker::EventBatch>,
    _open: async_channel::Sender<super::broker::EventBatch>,
}

impl UnavailableBroker {
    /// With the reason, as a sentence for people.
    pub fn new(why: impl Into<String>) -> Self {
        let (open, silence) = async_channel::bounded(1);
        Self {
            why: why.into(),
            silence,
            _open: open,
        }
    }

    fn no<T: Send + 'static>(&self) -> BrokerFuture<'_, T> {
        ready(Err(BrokerError::Unreachable(self.why.clone()))).boxed()
    }
}

impl Broker for UnavailableBroker {
    fn engine(&self) -> &'static str {
        "no broker"
    }

    fn submit(&self, _: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>> {
        self.no()
    }

    fn submit_idempotent(
        &self,
        _: IdempotencyKey,
        _: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        self.no()
    }

    fn get(&self, _: TaskId) -> BrokerFuture<'_, Option<Task>> {
        self.no()
    }

    fn list(&self, _: Query) -> BrokerFuture<'_, Page> {
        self.no()
    }

    fn count(&self, _: Filter) -> BrokerFuture<'_, usize> {
        self.no()
    }

    fn reasons(&self) -> BrokerFuture<'_, Vec<FailureGroup>> {
        self.no()
    }

    fn cancel(&self, _: TaskId) -> BrokerFuture<'_, State> {
        self.no()
    }

    fn restore(&self, _: TaskId) -> BrokerFuture<'_, State> {
        self.no()
    }

    fn retry(&self, _: TaskId) -> BrokerFuture<'_, State> {
        self.no()
    }

    fn bulk(&self, _: BulkAction, _: Filter) -> BrokerFuture<'_, BulkOutcome> {
        self.no()
    }

    fn pause(&self, _: Option<&str>) -> BrokerFuture<'_, ()> {
        self.no()
    }

    fn resume(&self, _: Option<&str>) -> BrokerFuture<'_, ()> {
        self.no()
    }

    fn stats(&self) -> BrokerFuture<'_, Stats> {
        self.no()
    }

    fn workers(&self) -> BrokerFuture<'_, Vec<WorkerStatus>> {
        self.no()
    }

    fn scale(&self, _: usize) -> BrokerFuture<'_, usize> {
        self.no()
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.silence.clone())
    }

    fn shutdown(&self, _: Duration) -> BrokerFuture<'_, ShutdownReport> {
        ready(Ok(ShutdownReport::default())).boxed()
    }
}
