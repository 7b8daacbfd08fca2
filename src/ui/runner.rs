//! Carrying out effects: each one on a task of its own, and its answer comes back as a message.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    effect::{Effect, EffectDone, Export, Greeted, Msg, Peers, Rows, What},
    model::tasks::Fetch,
};
use crate::{
    export,
    net::{rpc::error::CallError, trust::members::Member},
    node::{JoinOutcome, NodeHandle, UpstreamStatus},
    queue::{
        broker::{Broker, BrokerError, BulkAction, BulkOutcome},
        paging::fetch_full_page,
        task::{Receipt, State},
    },
    text::{fmt_count, pluralize},
    value::Value,
};

/// Answers that wait for the screen; further tasks wait for room.
pub(crate) const MAX_ANSWERS: usize = 1_024;
/// A refresh is given up after this long, so that it can be asked for again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Carries out effects and sends what came of them.
#[derive(Clone)]
pub(crate) struct Runner {
    access: Arc<NodeHandle>,
    broker: Arc<dyn Broker>,
    answers: mpsc::Sender<Msg>,
}

impl Runner {
    pub(crate) fn new(access: Arc<NodeHandle>, answers: mpsc::Sender<Msg>) -> Self {
        Self {
            broker: access.broker(),
            access,
            answers,
        }
    }

    /// Starts an effect and does not wait for it.
    pub(crate) fn start(&self, effect: Effect) {
        let this = self.clone();
        tokio::spawn(async move {
            let answer = this.run(effect).await;
            // With the screen gone nobody wants to know.
            this.answers.send(answer).await.ok();
        });
    }

    async fn run(&self, effect: Effect) -> Msg {
        let since = Instant::now();
        let (what, result) = match effect {
            Effect::Greet { number, name } => return self.greet(number, &name).await,
            Effect::Methods(record) => {
                let methods = self.access.methods(&record).await;
                return Msg::Methods {
                    name: record.name.clone(),
                    methods: methods.map_err(|e| e.to_string()),
                };
            }
            Effect::Overview => return Msg::Overview(self.overview().await),
            Effect::Tasks(fetch) => return self.page(fetch).await,
            Effect::Show(id) => {
                let task = self.broker.get(id).await.map_err(|e| e.to_string());
                return Msg::Shown { id, task };
            }
            Effect::Task(id) => return Msg::Task(self.broker.get(id).await.ok().flatten()),
            Effect::Call {
                record,
                method,
                args,
            } => {
                let shown: Vec<String> = args.iter().map(Value::to_string).collect();
                let what = format!("{}.{method}({})", record.name, shown.join(", "));
                let answer = self.access.call(&record, &method, args).await;
                let text = answer.map(|value| plain(&value)).map_err(|e| e.to_string());
                (What::Call(what), text)
            }
            Effect::Submit { tasks, what } => {
                let receipts = self.broker.submit(tasks).await;
                let said = said(receipts, |receipts| queued(&receipts));
                (What::Submit(what), said)
            }
            Effect::Cancel(id) => {
                let state = self.broker.cancel(id).await;
                let now = state.as_ref().ok().copied();
                let said = said(state, |state| match state {
                    State::Running => format!("{id} was asked to stop"),
                    _ => format!("{id} is cancelled"),
                });
                (What::Cancel(id, now), said)
            }
            Effect::Retry(id) => {
                let state = self.broker.retry(id).await;
                (
                    What::Retry(id),
                    said(state, |_| format!("{id} is queued again")),
                )
            }
            Effect::Restore(id) => {
                let state = self.broker.restore(id).await;
                let text = |state| format!("{id} is {state} again");
                (What::Restore(id), said(state, text))
            }
            Effect::Pause { queue, on } => {
                let done = if on {
                    self.broker.pause(queue.as_deref()).await
                } else {
                    self.broker.resume(queue.as_deref()).await
                };
                let which = queue.map_or("everything".to_owned(), |queue| format!("queue {queue}"));
                let text = if on { "is paused" } else { "goes on" };
                (What::Pause(on), said(done, |()| format!("{which} {text}")))
            }
            Effect::Bulk { deed, filter } => {
                let done = self.broker.bulk(deed, filter).await;
                (What::Bulk(deed), said(done, |bulk| done_to(deed, bulk)))
            }
            Effect::Count {
                deed,
                filter,
                which,
            } => {
                let counted = filter.clone().within(deed.applies_to());
                let count = self.broker.count(counted).await;
                return Msg::Counted {
                    deed,
                    filter,
                    which,
                    count: count.map_err(|e| e.to_string()),
                };
            }
            Effect::DeadLetters => {
                let reasons = self.broker.reasons().await;
                return Msg::DeadLetters(reasons.map_err(|e| e.to_string()));
            }
            Effect::Peers => return Msg::Peers(self.peers().await),
            Effect::Ticket { role, wish } => {
                let access = &self.access;
                let made =
                    access.members(|peers| async move { peers.issue_ticket(role, wish).await });
                (What::Ticket(role), heard(made.await, |text| text))
            }
            Effect::Rotate => {
                let access = &self.access;
                let gone =
                    access.members(|peers| async move { peers.invalidate_tickets(None).await });
                let text = |n| format!("{n} tickets are worthless now; who has joined stays");
                (What::Rotate, heard(gone.await, text))
            }
            Effect::Join(ticket) => {
                let access = &self.access;
                let joined = access.join(ticket);
                (What::Join, heard(joined.await, |joined| joined_as(&joined)))
            }
            Effect::Leave(who) => {
                let access = &self.access;
                let left = access.leave(&who);
                let text = |left: UpstreamStatus| format!("left {}", left.key.fingerprint());
                (What::Leave, heard(left.await, text))
            }
            Effect::Revoke(who) => {
                let access = &self.access;
                let gone = access.members(|peers| async move { peers.revoke(&who).await });
                let text = |gone: Member| {
                    format!(
                        "{} {} is out; :rotate makes tickets worthless that it may know",
                        gone.key.fingerprint(),
                        gone.label
                    )
                };
                (What::Revoke, heard(gone.await, text))
            }
            Effect::Recovery => return Msg::Recovery(self.access.recovery().clone()),
            Effect::Scale(workers) => {
                let accepted = self.broker.scale(workers).await;
                let text = |n: usize| {
                    let most = if n < workers {
                        ", which is the most"
                    } else {
                        ""
                    };
                    format!("{}{most}", pluralize(n, "worker"))
                };
                (What::Scale, said(accepted, text))
            }
            Effect::Export(export) => (What::Export, self.export(export).await),
            // These are the screen's own; it never hands them over.
            Effect::Copy(_) | Effect::Mouse(_) | Effect::Suspend | Effect::Quit => {
                return Msg::Tick;
            }
        };
        Msg::EffectDone(EffectDone {
            what,
            result,
            took: since.elapsed(),
        })
    }

    async fn greet(&self, number: u64, name: &str) -> Msg {
        let called = self.access.greet(name).await;
        let answer = called.map(|called| Greeted {
            text: plain(&called.value),
            lookup: called.lookup,
            call: called.call,
        });
        Msg::Greeted {
            number,
            answer: answer.map_err(|e| e.to_string()),
        }
    }

    async fn peers(&self) -> Result<Peers, String> {
        let here = self
            .access
            .members(|peers| async move { peers.list().await });
        let here = here.await.map_err(|e| e.to_string())?;
        let there = self.access.upstreams();
        let there = there.await.map_err(|e| e.to_string())?;
        Ok(Peers { here, there })
    }

    async fn overview(
        &self,
    ) -> Option<(
        Box<crate::queue::broker::Stats>,
        Vec<crate::queue::worker::WorkerStatus>,
    )> {
        let both = async {
            Some((
                Box::new(self.broker.stats().await.ok()?),
                self.broker.workers().await.ok()?,
            ))
        };
        tokio::time::timeout(PATIENCE, both).await.ok().flatten()
    }

    async fn page(&self, fetch: Fetch) -> Msg {
        let number = fetch.number;
        let page =
            tokio::time::timeout(PATIENCE, fetch_full_page(&*self.broker, fetch.query)).await;
        Msg::Tasks {
            number,
            page: page.ok().and_then(Result::ok),
        }
    }

    async fn export(&self, export: Export) -> Result<String, String> {
        let path = export.path.clone();
        let rows = match export.rows {
            Rows::Table(table) => export::table(export.path, table).await,
            Rows::Tasks { filter, order } => {
                export::tasks(&*self.broker, export.path, filter, order).await
            }
        };
        match rows {
            Ok(rows) => Ok(format!(
                "{} written to {}",
                pluralize(rows, "row"),
                path.display()
            )),
            Err(error) => Err(export::describe_error(&path, &error)),
        }
    }
}

/// What came of doing something to many.
fn done_to(deed: BulkAction, bulk: BulkOutcome) -> String {
    let did = match deed {
        BulkAction::Cancel => "cancelled or asked to stop",
        BulkAction::Retry => "queued again",
        BulkAction::Purge => "forgotten",
    };
    let skipped = match bulk.skipped {
        0 => String::new(),
        n => format!(", {} skipped", fmt_count(n)),
    };
    format!("{} {did}{skipped}", tasks(bulk.done))
}

fn tasks(n: usize) -> String {
    pluralize(n, "task")
}

/// What became of submitted tasks.
fn queued(receipts: &[Receipt]) -> String {
    let mut new = receipts.iter().filter(|receipt| !receipt.deduplicated);
    let deduplicated = receipts
        .iter()
        .filter(|receipt| receipt.deduplicated)
        .count();
    let queued = match (new.next(), new.next_back()) {
        (None, _) => None,
        (Some(only), None) => Some(format!("queued as {}", only.id)),
        (Some(first), Some(last)) => {
            let many = fmt_count(receipts.len() - deduplicated);
            Some(format!("{many} tasks queued, {} to {}", first.id, last.id))
        }
    };
    match (queued, receipts.iter().find(|receipt| receipt.deduplicated)) {
        (None, None) => "nothing to queue".to_owned(),
        (Some(queued), None) => queued,
        (None, Some(there)) if deduplicated == 1 => format!("already queued as {}", there.id),
        (None, Some(_)) => format!("{} were queued already", fmt_count(deduplicated)),
        (Some(queued), Some(_)) => {
            format!("{queued}; {} were there already", fmt_count(deduplicated))
        }
    }
}

fn joined_as(joined: &JoinOutcome) -> String {
    let addr = joined
        .addr
        .map_or(String::new(), |addr| format!(" at {addr}"));
    let warning = joined.warning.as_ref();
    let warning = warning.map_or(String::new(), |warning| format!("; {warning}"));
    let key = joined.key.fingerprint();
    format!("joined {key}{addr} as {}{warning}", joined.role)
}

fn heard<T>(
    result: Result<T, CallError>,
    text: impl FnOnce(T) -> String,
) -> Result<String, String> {
    result.map(text).map_err(|e| e.to_string())
}

fn said<T>(
    result: Result<T, BrokerError>,
    text: impl FnOnce(T) -> String,
) -> Result<String, String> {
    result.map(text).map_err(|e| e.to_string())
}

/// Text as it stands, anything else as it is written.
fn plain(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        other => other.to_string(),
    }
}
