//! A placeholder where no broker is available: every operation fails with the reason.

use std::time::Duration;

use futures_util::{FutureExt, future::ready};

use super::{
    broker::{Broker, BrokerFuture, BulkAction, BulkOutcome, ShutdownReport},
    error::{BrokerError, FailureGroup},
    event::{EventBatch, Subscription},
    id::{IdempotencyKey, TaskId},
    query::{Filter, Page, Query},
    state::State,
    stats::Stats,
    task::{NewTask, Receipt, Task},
    worker::WorkerStatus,
};

/// A broker that is not available, with the reason.
#[derive(Debug, Clone)]
pub struct UnavailableBroker {
    reason: String,
    /// Never written to: a subscription stays open and receives nothing.
    events: async_channel::Receiver<EventBatch>,
    _sender: async_channel::Sender<EventBatch>,
}

impl UnavailableBroker {
    /// Returns a placeholder with a reason for people.
    pub fn new(reason: impl Into<String>) -> Self {
        let (sender, events) = async_channel::bounded(1);
        Self {
            reason: reason.into(),
            events,
            _sender: sender,
        }
    }

    fn unavailable<T: Send + 'static>(&self) -> BrokerFuture<'_, T> {
        ready(Err(BrokerError::Unreachable(self.reason.clone()))).boxed()
    }
}

impl Broker for UnavailableBroker {
    fn engine(&self) -> &'static str {
        "no broker"
    }

    fn submit(&self, _: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>> {
        self.unavailable()
    }

    fn submit_idempotent(
        &self,
        _: IdempotencyKey,
        _: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        self.unavailable()
    }

    fn get(&self, _: TaskId) -> BrokerFuture<'_, Option<Task>> {
        self.unavailable()
    }

    fn list(&self, _: Query) -> BrokerFuture<'_, Page> {
        self.unavailable()
    }

    fn count(&self, _: Filter) -> BrokerFuture<'_, usize> {
        self.unavailable()
    }

    fn dead_letters(&self) -> BrokerFuture<'_, Vec<FailureGroup>> {
        self.unavailable()
    }

    fn cancel(&self, _: TaskId) -> BrokerFuture<'_, State> {
        self.unavailable()
    }

    fn undo_cancel(&self, _: TaskId) -> BrokerFuture<'_, State> {
        self.unavailable()
    }

    fn retry(&self, _: TaskId) -> BrokerFuture<'_, State> {
        self.unavailable()
    }

    fn bulk(&self, _: BulkAction, _: Filter) -> BrokerFuture<'_, BulkOutcome> {
        self.unavailable()
    }

    fn pause(&self, _: Option<&str>) -> BrokerFuture<'_, ()> {
        self.unavailable()
    }

    fn resume(&self, _: Option<&str>) -> BrokerFuture<'_, ()> {
        self.unavailable()
    }

    fn stats(&self) -> BrokerFuture<'_, Stats> {
        self.unavailable()
    }

    fn workers(&self) -> BrokerFuture<'_, Vec<WorkerStatus>> {
        self.unavailable()
    }

    fn scale(&self, _: usize) -> BrokerFuture<'_, usize> {
        self.unavailable()
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.events.clone())
    }

    fn shutdown(&self, _: Duration) -> BrokerFuture<'_, ShutdownReport> {
        ready(Ok(ShutdownReport::default())).boxed()
    }
}
