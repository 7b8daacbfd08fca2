//! The dispatcher: the one thread that changes the core and writes to the store.
//!
//! It works in rounds of four phases, and each round has exactly one commit:
//!
//! 1. [collect](Dispatcher::collect): take up to [`BATCH`] reports, commands, and candidates of bulk
//!    actions;
//! 2. [decide](Dispatcher::decide): let the core decide on each of them, and apply one bulk action to
//!    its next candidates; a decision that depends on an earlier one of the same round sees it through
//!    [`Dispatcher::current_row`];
//! 3. [commit](Dispatcher::commit): store all changes in one transaction;
//! 4. [publish](Dispatcher::publish): only then send the replies, hand reads over to the reader thread,
//!    dispatch tasks, and send signals and events.
//!
//! Errors, and replies to commands that change nothing in the store, are sent while deciding. Retention
//! runs between commit and publish, in a transaction of its own. No scan runs on this thread, and each
//! phase has a limited work, so that every command is handled soon, whatever others have requested.

mod bulk;
mod changed;
mod collect;
mod commit;
mod decide;
mod dispatch;
mod publish;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use self::{changed::ChangedIds, collect::Message};
use super::{
    BrokerConfig,
    bulk::{BulkJobs, MAX_BULK_ACTIONS},
    command::{DispatcherCommand, PendingReply, Responder},
    core::{Core, RetentionAges},
    idempotency::IdempotencyCache,
    recovery::recovery,
    retention_clock::RetentionClock,
};
use crate::queue::{
    broker::ShutdownReport,
    clock::{Clock, Timestamp},
    embedded::store::{
        OpenReport, Store, StoreChange,
        reads::{CandidatePage, ReadRequest},
    },
    error::StartError,
    event::EventBatch,
    executor::{
        job::{Job, WorkerReport},
        pool::WorkerPool,
    },
    limits::MAX_WORKERS,
    registry::Registry,
    stats::Stats,
    storage::Recovery,
};

/// The most commands and reports of one round.
const BATCH: usize = 1_024;
/// The most jobs in the channel.
const CHANNEL_DEPTH: usize = 2 * MAX_WORKERS;
/// The number of polls of a busy dispatcher before it sleeps.
const SPIN_LIMIT: usize = 32;
/// The capacity of the report channel; further workers wait.
const MAX_REPORTS: usize = 1_024;
/// The interval between two attempts to commit changes after a failure.
const PERSIST_RETRY: Duration = Duration::from_secs(1);
/// The interval between two checks of the wall clock while a deadline is pending.
const CLOCK_CHECK: Duration = Duration::from_secs(1);
/// The longest interval between two checks of the retention while there are finished tasks.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60 * 60);

struct Subscriber {
    batches: async_channel::Sender<EventBatch>,
    dropped: u64,
}

/// A shutdown in progress.
struct ShutdownState {
    deadline: Instant,
    unstarted: usize,
    reply: Responder<ShutdownReport>,
}

/// The dispatcher with its runtime, before its thread starts.
pub(super) struct DispatcherThread {
    runtime: tokio::runtime::Runtime,
    dispatcher: Dispatcher,
}

struct Dispatcher {
    core: Core,
    store: Box<dyn Store>,
    registry: Registry,
    config: BrokerConfig,
    pool: WorkerPool,
    clock: Clock,
    desired_workers: usize,
    commands: async_channel::Receiver<DispatcherCommand>,
    reports: async_channel::Receiver<WorkerReport>,
    jobs: async_channel::Sender<Job>,
    /// The other end of `jobs`, to reclaim jobs that no worker has received.
    unreceived: async_channel::Receiver<Job>,
    subscribers: Vec<Subscriber>,
    shutdown: Option<ShutdownState>,
    /// The messages of this round.
    inbox: Vec<Message>,
    bulk_jobs: BulkJobs,
    /// The candidates that the reader thread has found for bulk actions.
    candidates: async_channel::Receiver<CandidatePage>,
    candidate_sender: async_channel::Sender<CandidatePage>,
    /// Runs that ended in this round.
    ended_runs: usize,
    /// Changes to commit, in order; empty between two rounds unless a commit failed.
    changes: Vec<StoreChange>,
    /// The tasks that the changes are about.
    changed: ChangedIds,
    /// The number of tasks that the changes purge.
    purged: usize,
    /// Replies to send after the commit.
    replies: Vec<PendingReply>,
    /// Reads to execute after the commit.
    reads: Vec<ReadRequest>,
    stats_requests: Vec<Responder<Stats>>,
    idempotency: IdempotencyCache,
    retention_clock: RetentionClock,
    /// The error of the last commit, if it failed.
    persist_error: Option<String>,
    /// The time of the next check of the retention.
    next_sweep: Option<Timestamp>,
}

/// The parts of which a dispatcher is made.
pub(super) struct DispatcherParts {
    pub(super) config: BrokerConfig,
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) store: Box<dyn Store>,
    pub(super) opened: OpenReport,
    pub(super) commands: async_channel::Receiver<DispatcherCommand>,
}

impl DispatcherThread {
    /// Recovers the tasks of the previous process and starts the workers.
    pub(super) fn new(parts: DispatcherParts) -> Result<(Self, Recovery), StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let (jobs, unreceived) = async_channel::bounded(CHANNEL_DEPTH);
        let (outbox, reports) = async_channel::bounded(MAX_REPORTS);
        // Each action has at most one page of candidates on its way.
        let (candidate_sender, candidates) = async_channel::bounded(MAX_BULK_ACTIONS);
        let clock = parts.clock;
        let pool = WorkerPool::new(
            clock.clone(),
            parts.store.in_flight(),
            unreceived.clone(),
            outbox,
        )?;
        let retention = parts.config.store.retention;
        let ages = RetentionAges {
            age: retention.age,
            failed_age: retention.failed_age,
        };
        let now = clock.now();
        let core = Core::new(parts.config.limits, ages, parts.opened.last_id, now.0);
        let desired_workers = parts.config.workers;
        let mut dispatcher = Dispatcher {
            core,
            store: parts.store,
            registry: parts.registry,
            config: parts.config,
            pool,
            clock,
            desired_workers: 0,
            commands: parts.commands,
            reports,
            jobs,
            unreceived,
            subscribers: Vec::new(),
            shutdown: None,
            inbox: Vec::with_capacity(BATCH),
            bulk_jobs: BulkJobs::default(),
            candidates,
            candidate_sender,
            ended_runs: 0,
            changes: Vec::new(),
            changed: ChangedIds::default(),
            purged: 0,
            replies: Vec::new(),
            reads: Vec::new(),
            stats_requests: Vec::new(),
            idempotency: IdempotencyCache::default(),
            retention_clock: RetentionClock::default(),
            persist_error: None,
            next_sweep: None,
        };
        let recovery = dispatcher.recover(now, parts.opened)?;
        let submits = dispatcher.store.submits().map_err(super::store_error)?;
        dispatcher.idempotency = IdempotencyCache::new(submits);
        dispatcher.next_sweep = Some(now);
        if desired_workers > 0 {
            dispatcher.scale(desired_workers);
        }
        Ok((
            Self {
                runtime,
                dispatcher,
            },
            recovery,
        ))
    }

    /// Runs until a shutdown is complete or all handles are dropped.
    pub(super) fn run(self) {
        let Self {
            runtime,
            dispatcher,
        } = self;
        let dispatcher = runtime.block_on(dispatcher.run());
        // Shutting down the workers' runtime blocks, which a thread that drives a runtime may not do.
        drop(runtime);
        dispatcher.end();
    }
}

impl Dispatcher {
    fn recover(&mut self, now: Timestamp, opened: OpenReport) -> Result<Recovery, StartError> {
        let (core, registry) = (&mut self.core, &self.registry);
        self.store
            .for_each_unfinished(&mut |row| {
                let function = registry.get(&row.name).cloned();
                core.recover(now, row, function);
            })
            .map_err(super::store_error)?;
        let waiting = self.core.unfinished();
        let verdicts = self.core.attribute_crash(now, &opened.running);
        self.core.drain_changes(&mut self.changes);
        // A crash must be attributed before any task runs again.
        self.store
            .commit(&mut self.changes)
            .map_err(super::store_error)?;
        self.store.reset_in_flight().map_err(super::store_error)?;
        Ok(recovery(waiting, verdicts, opened))
    }

    async fn run(mut self) -> Self {
        self.dispatch_ready();
        while self.wait().await {
            self.collect();
            self.decide();
            let committed = self.commit();
            self.sweep();
            self.publish(&committed);
            if self.is_shut_down() {
                break;
            }
        }
        self
    }

    /// Returns true if a shutdown has nothing left to wait for.
    fn is_shut_down(&self) -> bool {
        self.shutdown.as_ref().is_some_and(|shutdown| {
            self.core.in_flight() == 0 || Instant::now() >= shutdown.deadline
        })
    }

    fn end(mut self) {
        // A task that still runs is stored as queued, so the next process runs it again.
        let abandoned = self.core.in_flight();
        self.jobs.close();
        self.reports.close();
        let committed = self.commit();
        self.send_replies(&committed);
        self.store.close();
        self.pool.shut_down();
        if let Some(shutdown) = self.shutdown {
            let report = ShutdownReport {
                abandoned,
                unstarted: shutdown.unstarted,
                persisted: self.config.survives() && self.changes.is_empty(),
            };
            shutdown.reply.send(report).ok();
        }
    }
}
