//! A placeholder where no broker is available: every operation fails with the reason.

use super::{
    broker::{Broker, Control, Engine, Inspect, Submit},
    capabilities::{Capabilities, Operation},
    error::BrokerError,
    event::{EventBatch, Subscription},
};
use crate::cause::Cause;

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
}

impl Engine for UnavailableBroker {
    fn engine(&self) -> &'static str {
        "no broker"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }

    fn unsupported(&self, _: Operation) -> BrokerError {
        BrokerError::Unreachable(Cause::from_message(self.reason.clone()))
    }
}

impl Submit for UnavailableBroker {}

impl Inspect for UnavailableBroker {
    fn subscribe(&self) -> Subscription {
        Subscription::new(self.events.clone())
    }
}

impl Control for UnavailableBroker {}

impl Broker for UnavailableBroker {}
