//! A call by name: ask the naming server who serves it, dial one of them at the address and with the
//! key of the answer, and try the next one when the first cannot be reached.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Duration, Instant};

use super::{NamingClient, Record};
use crate::{
    net::{
        rpc::{
            client::{DEADLINE, Request},
            error::CallError,
        },
        uri::Uri,
    },
    value::Value,
};

/// Calls the objects registered under one name.
#[derive(Debug)]
pub struct Proxy {
    naming: NamingClient,
    name: String,
    turn: AtomicUsize,
}

/// An answer and the road it came.
#[derive(Debug, Clone, PartialEq)]
pub struct CallOutcome {
    /// What the method answered.
    pub value: Value,
    /// Who answered.
    pub from: Record,
    /// How long the naming server took.
    pub lookup: Duration,
    /// How long dialling, when needed, and the call took.
    pub call: Duration,
}

impl Proxy {
    /// A proxy for whatever is registered under `name` when it is called.
    pub fn new(naming: NamingClient, name: impl Into<String>) -> Self {
        Self {
            naming,
            name: name.into(),
            // Many who each call once should not all call the same one.
            turn: AtomicUsize::new(random()),
        }
    }

    /// Looks the name up and calls a method of one of its servers, in turn. A server that cannot be
    /// reached is passed over; one that may have run the call is not asked twice.
    ///
    /// # Errors
    /// The naming server's answer, or the last server's.
    pub async fn call(&self, method: &str, args: Vec<Value>) -> Result<CallOutcome, CallError> {
        self.call_with(method, args, Vec::new()).await
    }

    /// The same with arguments by name.
    ///
    /// # Errors
    /// As [`Proxy::call`].
    pub async fn call_with(
        &self,
        method: &str,
        args: Vec<Value>,
        kwargs: Vec<(String, Value)>,
    ) -> Result<CallOutcome, CallError> {
        let since = Instant::now();
        let records = self.naming.lookup(&self.name).await?;
        let lookup = since.elapsed();
        let since = Instant::now();
        let mut failed = None;
        for record in self.order_candidates(records) {
            let uri: Uri = match record.uri.parse() {
                Ok(uri) => uri,
                Err(error) => {
                    failed = Some(CallError::Protocol(format!("`{}`: {error}", self.name)));
                    continue;
                }
            };
            let peer = self.naming.resolve(&record, &uri);
            let mut request = Request::new(uri.object, method, args.clone());
            request.kwargs.clone_from(&kwargs);
            match self.naming.client().call(peer, request, DEADLINE).await {
                Ok(value) => {
                    return Ok(CallOutcome {
                        value,
                        from: record,
                        lookup,
                        call: since.elapsed(),
                    });
                }
                Err(error) if error.retriable() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| {
            CallError::Protocol(format!("nobody serves `{}` at the moment", self.name))
        }))
    }

    /// Starts at the next server every time; suspects stay behind the live ones, and whoever could not be
    /// reached a moment ago is last.
    fn order_candidates(&self, mut records: Vec<Record>) -> Vec<Record> {
        let live = records
            .iter()
            .filter(|r| r.health == super::Health::Live)
            .count();
        if live > 1 {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % live;
            if let Some(live) = records.get_mut(..live) {
                live.rotate_left(turn);
            }
        }
        let client = self.naming.client();
        records.sort_by_key(|record| {
            let uri = record.uri.parse::<Uri>();
            uri.is_ok_and(|uri| client.recently_failed(self.naming.resolve(record, &uri)))
        });
        records
    }
}

fn random() -> usize {
    let mut bytes = [0; 8];
    let random = ring::rand::SystemRandom::new();
    // Any number does; without random ones there is no connection anyway.
    ring::rand::SecureRandom::fill(&random, &mut bytes).ok();
    usize::from_ne_bytes(bytes)
}
