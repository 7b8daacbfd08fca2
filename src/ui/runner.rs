//! Carrying out effects: each on a task of its own, with its result sent back as a message.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    effect::{Effect, Msg},
    model::tasks::Fetch,
    verbs::{
        bulk, call, cancel, dead_letters, details, export, greet, invalidate_tickets, join, leave,
        mark, members, methods, pause, quit, retry, revoke, scale, submit, ticket, undo,
    },
};
use crate::{
    node::NodeHandle,
    queue::{broker::BrokerFuture, paging::fetch_full_page},
};

/// Results that wait for the screen; further effects wait for room.
pub(crate) const MAX_RESULTS: usize = 1_024;
/// A refresh is abandoned after this long, so that the next one can start.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);

/// Carries out effects on a node and sends their results.
#[derive(Clone)]
pub(crate) struct Runner {
    node: Arc<NodeHandle>,
    results: mpsc::Sender<Msg>,
}

impl Runner {
    pub(crate) const fn new(node: Arc<NodeHandle>, results: mpsc::Sender<Msg>) -> Self {
        Self { node, results }
    }

    /// Starts an effect and does not wait for it.
    pub(crate) fn start(&self, effect: Effect) {
        let this = self.clone();
        tokio::spawn(async move {
            let result = run(&this.node, effect).await;
            // After the screen has closed nobody receives it.
            this.results.send(result).await.ok();
        });
    }
}

/// Carries out an effect.
async fn run(node: &NodeHandle, effect: Effect) -> Msg {
    let since = Instant::now();
    let mut done = match effect {
        Effect::Greet { number, name } => return greet::run(node, number, &name).await,
        Effect::Methods(record) => return methods::run(node, &record).await,
        Effect::Overview => return overview(node).await,
        Effect::Tasks(fetch) => return page(node, fetch).await,
        Effect::Details(id) => return details::run(node, id).await,
        Effect::RefreshDetails(id) => return details::run_refresh(node, id).await,
        Effect::Count { action, filter } => return bulk::run_count(node, action, filter).await,
        Effect::CheckMarks(ids) => return mark::run_check(node, ids).await,
        Effect::CheckQuit => return quit::run_check(node).await,
        Effect::DeadLetters => return dead_letters::run(node).await,
        Effect::Members => return members::run(node).await,
        Effect::Recovery => return Msg::Recovery(node.recovery().clone()),
        Effect::Call {
            record,
            method,
            args,
        } => call::run(node, &record, &method, args).await,
        Effect::Submit { tasks, what } => submit::run(node, what, tasks).await,
        Effect::Cancel(id) => cancel::run(node, id).await,
        Effect::Retry(id) => retry::run(node, id).await,
        Effect::UndoCancel(id) => undo::run(node, id).await,
        Effect::Bulk { action, filter } => bulk::run(node, action, filter).await,
        Effect::Pause { queue, on } => pause::run(node, queue, on).await,
        Effect::Scale(workers) => scale::run(node, workers).await,
        Effect::Ticket { role, options } => ticket::run(node, role, options).await,
        Effect::InvalidateTickets => invalidate_tickets::run(node).await,
        Effect::Join(ticket) => join::run(node, ticket).await,
        Effect::Leave(key) => leave::run(node, key).await,
        Effect::Revoke(key) => revoke::run(node, key).await,
        Effect::Export(export) => export::run(node, export).await,
        // The screen carries these out itself.
        Effect::Copy(_) | Effect::Mouse(_) | Effect::Suspend | Effect::Quit => return Msg::Tick,
    };
    done.took = since.elapsed();
    Msg::EffectDone(done)
}

/// Fetches the statistics and the workers, each on its own: a broker may lack either.
async fn overview(node: &NodeHandle) -> Msg {
    let broker = node.broker();
    let (stats, workers) = tokio::join!(refreshed(broker.stats()), refreshed(broker.workers()));
    Msg::Overview {
        stats: stats.map(Box::new),
        workers,
    }
}

/// Returns the reply of a broker, if it comes in time.
async fn refreshed<T>(reply: BrokerFuture<'_, T>) -> Option<T> {
    tokio::time::timeout(REFRESH_TIMEOUT, reply)
        .await
        .ok()?
        .ok()
}

async fn page(node: &NodeHandle, fetch: Fetch) -> Msg {
    let broker = node.broker();
    let page = fetch_full_page(&*broker, fetch.query);
    let page = tokio::time::timeout(REFRESH_TIMEOUT, page).await;
    Msg::Tasks {
        number: fetch.number,
        page: page.ok().and_then(Result::ok),
    }
}
