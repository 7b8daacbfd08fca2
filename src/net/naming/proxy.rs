//! Calls by name: a proxy looks the name up, connects to one of its servers with the key of the record, and
//! fails over to the next one if that server cannot be reached.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Duration, Instant};

use super::{NamingClient, Record, connector::RemoteObject};
use crate::{net::rpc::error::CallError, value::Value};

/// Calls the objects that are registered under one name.
#[derive(Debug)]
pub struct Proxy {
    naming: NamingClient,
    name: String,
    /// The server of the next call, counted over all live ones.
    next: AtomicUsize,
}

/// The outcome of a call by name.
#[derive(Debug, Clone, PartialEq)]
pub struct CallOutcome {
    /// The method's result.
    pub value: Value,
    /// The record of the server that ran the method.
    pub server: Record,
    /// Duration of the lookup.
    pub lookup: Duration,
    /// Duration of the call, with connecting if it was needed.
    pub call: Duration,
}

impl Proxy {
    /// Creates a proxy for the objects that are registered under `name` at the time of each call.
    pub fn new(naming: NamingClient, name: impl Into<String>) -> Self {
        Self {
            naming,
            name: name.into(),
            // Many proxies that call once each should not all call the same server.
            next: AtomicUsize::new(fastrand::usize(..)),
        }
    }

    /// Looks the name up and calls a method of one of its servers, in turn. Servers that cannot be reached
    /// are passed over; after one that may have run the call no other is tried.
    ///
    /// # Errors
    /// The naming server's, or the last server's.
    pub async fn call(&self, method: &str, args: Vec<Value>) -> Result<CallOutcome, CallError> {
        self.call_with(method, args, Vec::new()).await
    }

    /// Like [`Proxy::call`], with arguments by name.
    ///
    /// # Errors
    /// As [`Proxy::call`].
    pub async fn call_with(
        &self,
        method: &str,
        args: Vec<Value>,
        kwargs: Vec<(String, Value)>,
    ) -> Result<CallOutcome, CallError> {
        let started = Instant::now();
        let records = self.naming.lookup(&self.name).await?;
        let lookup = started.elapsed();
        let started = Instant::now();
        let mut failed = None;
        for (record, object) in self.order_candidates(records) {
            let result = match object {
                Ok(object) => object.call(method, args.clone(), kwargs.clone()).await,
                // Another server of the name may be of another kind.
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            match result {
                Ok(value) => {
                    return Ok(CallOutcome {
                        value,
                        server: record,
                        lookup,
                        call: started.elapsed(),
                    });
                }
                Err(error) if error.retriable() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| {
            CallError::protocol(format!("no server of `{}` is registered", self.name))
        }))
    }

    /// Starts at the caller's own server, otherwise at the next one every time. Suspect ones come after live ones, and those that could not be
    /// reached a moment ago come last.
    fn order_candidates(
        &self,
        mut records: Vec<Record>,
    ) -> Vec<(Record, Result<RemoteObject, CallError>)> {
        let key = self.naming.client().key();
        // Its own server comes first: others that share the name cannot take its calls.
        let rank = |record: &Record| match record.is_live() {
            true => usize::from(record.owner != key),
            false => 2,
        };
        records.sort_by_key(rank);
        let start = records.partition_point(|record| rank(record) < 1);
        let end = records.partition_point(|record| rank(record) < 2);
        if end > start + 1 {
            let next = self.next.fetch_add(1, Ordering::Relaxed) % (end - start);
            if let Some(others) = records.get_mut(start..end) {
                others.rotate_left(next);
            }
        }
        let connect = |record: Record| {
            let object = self.naming.connect(&record);
            (record, object)
        };
        let mut candidates: Vec<_> = records.into_iter().map(connect).collect();
        candidates
            .sort_by_key(|(_, object)| object.as_ref().is_ok_and(RemoteObject::recently_failed));
        candidates
    }
}
