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
        mark, members, methods, pause, quit, retry, revoke, scale, start_node, submit, ticket,
        undo,
    },
};
use crate::{
    node::{NodeConfig, NodeHandle},
    queue::{broker::BrokerFuture, error::BrokerError, paging::fetch_full_page},
};

/// Results that wait for the screen; further effects wait for room.
pub(crate) const MAX_RESULTS: usize = 1_024;
/// A refresh is abandoned after this long, so that the next one can start.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);

/// The data folder of this process, with the settings of a node on it.
#[derive(Debug, Clone)]
pub(crate) struct DataFolder(pub(crate) Arc<NodeConfig>);

/// Carries out effects on a node and sends their results.
#[derive(Clone)]
pub(crate) struct Runner {
    node: Arc<NodeHandle>,
    /// The data folder of a node that could be started; `None` for a screen that starts none.
    folder: Option<DataFolder>,
    results: mpsc::Sender<Msg>,
}

impl Runner {
    pub(crate) const fn new(
        node: Arc<NodeHandle>,
        results: mpsc::Sender<Msg>,
        folder: Option<DataFolder>,
    ) -> Self {
        Self {
            node,
            folder,
            results,
        }
    }

    /// Starts an effect and does not wait for it.
    pub(crate) fn start(&self, effect: Effect) {
        let this = self.clone();
        tokio::spawn(async move {
            let result = match effect {
                Effect::LookForNode => {
                    let folder = this
                        .folder
                        .map(|DataFolder(config)| config.data_dir.clone());
                    start_node::run_look(folder).await
                }
                effect => run(&this.node, effect).await,
            };
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
        Effect::Health => return health(node).await,
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
        Effect::Copy(_)
        | Effect::Mouse(_)
        | Effect::Suspend
        | Effect::LookForNode
        | Effect::StartNode
        | Effect::Quit => return Msg::Tick,
    };
    done.took = since.elapsed();
    Msg::EffectDone(done)
}

/// Fetches the statistics and the workers, each on its own: a broker may lack either.
async fn overview(node: &NodeHandle) -> Msg {
    let broker = node.broker();
    let (stats, workers) = tokio::join!(refreshed(broker.stats()), refreshed(broker.workers()));
    let unreachable = match (&stats, &workers) {
        (Err(Some(why)), _) | (_, Err(Some(why))) => Some(why.clone()),
        _ => None,
    };
    Msg::Overview {
        stats: stats.ok().map(Box::new),
        workers: workers.ok(),
        unreachable,
    }
}

/// Returns the reply of a broker; without one, the reason if it cannot be reached.
async fn refreshed<T>(reply: BrokerFuture<'_, T>) -> Result<T, Option<String>> {
    match tokio::time::timeout(REFRESH_TIMEOUT, reply).await {
        Ok(reply) => reply.map_err(|error| match error {
            BrokerError::Unreachable(_) | BrokerError::Closed => Some(error.to_string()),
            _ => None,
        }),
        Err(_elapsed) => {
            let seconds = REFRESH_TIMEOUT.as_secs();
            Err(Some(format!("no reply within {seconds} s")))
        }
    }
}

/// Fetches what is wrong with the node. A reader is not allowed to.
async fn health(node: &NodeHandle) -> Msg {
    let both = async { tokio::join!(node.findings(), node.upstreams()) };
    let both = tokio::time::timeout(REFRESH_TIMEOUT, both).await;
    let reply = both.ok().and_then(|(findings, upstreams)| {
        Some((
            findings.ok()?,
            upstreams.map_or(0, |upstreams| upstreams.len()),
        ))
    });
    Msg::Health(reply)
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
