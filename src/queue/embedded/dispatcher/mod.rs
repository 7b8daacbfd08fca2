//! The dispatcher's thread: it takes commands and reports in batches, lets the core decide, keeps what
//! has changed, and only then answers, hands tasks over and tells subscribers. It is the only one that
//! touches the core, and the only one that writes.

mod commands;
mod dispatch;
mod notify;
mod persist;

use std::{collections::VecDeque, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    BrokerConfig, MAX_WORKERS, Recovery,
    bulk::BulkJob,
    command::{DispatcherCommand, PendingReply, Responder},
    core::{Core, RetentionAges},
    idempotency::IdempotencyCache,
};
use crate::queue::executor::{
    pool::Pool,
    worker::{Job, SHUTDOWN_TIMEOUT, WorkerReport},
};
use crate::queue::{
    broker::{EventBatch, ShutdownReport, Stats},
    clock::Clock,
    embedded::store::{OpenReport, Store, StoreChange, reads::ReadRequest},
    registry::Registry,
    task::Timestamp,
};

/// Commands and reports that are taken before anything is kept: one round, one commit.
const BATCH: usize = 1_024;
/// The most jobs in the channel.
const CHANNEL_DEPTH: usize = 2 * MAX_WORKERS;
/// How often a dispatcher that has just been busy looks for more before it sleeps.
const SPIN_LIMIT: usize = 32;
/// Reports that wait for the dispatcher; further workers wait for room.
const MAX_REPORTS: usize = 1_024;
/// How often it is tried to persist them.
const PERSIST_RETRY: Duration = Duration::from_secs(1);
/// While something waits for its time, the wall clock is looked at this often.
const CLOCK_CHECK: Duration = Duration::from_secs(1);
/// While only old tasks wait to be forgotten, it is looked at this often.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60 * 60);

struct Subscriber {
    batches: async_channel::Sender<EventBatch>,
    dropped: u64,
}

struct ShutdownState {
    by: Instant,
    unstarted: usize,
    answer: Responder<ShutdownReport>,
}

pub(super) struct DispatcherThread {
    runtime: tokio::runtime::Runtime,
    dispatcher: Dispatcher,
}

/// Everything but the runtime that drives it.
struct Dispatcher {
    core: Core,
    store: Box<dyn Store>,
    registry: Registry,
    config: BrokerConfig,
    pool: Pool,
    clock: Clock,
    desired_workers: usize,
    commands: async_channel::Receiver<DispatcherCommand>,
    reports: async_channel::Receiver<WorkerReport>,
    jobs: async_channel::Sender<Job>,
    /// The other end of `jobs`, to call back what no worker has taken.
    undispatched: async_channel::Receiver<Job>,
    subscribers: Vec<Subscriber>,
    shutdown: Option<ShutdownState>,
    /// Tasks that ended in the round before.
    ended_runs: usize,
    /// What is to be kept; empty between two rounds unless it could not be.
    changes: Vec<StoreChange>,
    pending_replies: Vec<PendingReply>,
    reads: Vec<ReadRequest>,
    /// Who asked for numbers; they are of what has been kept.
    stats_requests: Vec<Responder<Stats>>,
    bulk_jobs: VecDeque<BulkJob>,
    /// Idempotency keys of recent submits.
    idempotency: IdempotencyCache,
    /// Why changes cannot be kept.
    persist_error: Option<String>,
    /// When to look for what is to be forgotten.
    next_sweep: Option<Timestamp>,
}

/// What woke the dispatcher.
enum Wake {
    Command(DispatcherCommand),
    Report(WorkerReport),
    Timer,
    GraceOver,
}

/// Where the dispatcher hears and speaks.
pub(super) struct DispatcherParts {
    pub(super) config: BrokerConfig,
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) store: Box<dyn Store>,
    pub(super) opened: OpenReport,
    pub(super) commands: async_channel::Receiver<DispatcherCommand>,
}

impl DispatcherThread {
    /// Takes up what was left by the process before.
    pub(super) fn new(start: DispatcherParts) -> Result<(Self, Recovery), super::StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let (jobs, undispatched) = async_channel::bounded(CHANNEL_DEPTH);
        let (outbox, reports) = async_channel::bounded(MAX_REPORTS);
        let clock = start.clock;
        let pool = Pool::new(
            clock.clone(),
            start.store.in_flight(),
            undispatched.clone(),
            outbox,
        )?;
        let retention = start.config.store.retention;
        let ages = RetentionAges {
            age: retention.age,
            failed_age: retention.failed_age,
        };
        let now = clock.now();
        let core = Core::new(start.config.limits, ages, start.opened.last_id, now.0);
        let desired_workers = start.config.workers;
        let mut dispatcher = Dispatcher {
            core,
            store: start.store,
            registry: start.registry,
            config: start.config,
            pool,
            clock,
            desired_workers: 0,
            commands: start.commands,
            reports,
            jobs,
            undispatched,
            subscribers: Vec::new(),
            shutdown: None,
            ended_runs: 0,
            changes: Vec::new(),
            pending_replies: Vec::new(),
            reads: Vec::new(),
            stats_requests: Vec::new(),
            bulk_jobs: VecDeque::new(),
            idempotency: IdempotencyCache::default(),
            persist_error: None,
            next_sweep: None,
        };
        let recovery = dispatcher.recover(now, start.opened)?;
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

    /// Runs until a shutdown is through or nobody is left to ask.
    pub(super) fn run(self) {
        let Self {
            runtime,
            dispatcher,
        } = self;
        let dispatcher = runtime.block_on(dispatcher.run());
        // Ending the workers' runtime blocks, which a thread that drives a runtime may not do.
        drop(runtime);
        dispatcher.end();
    }
}

impl Dispatcher {
    fn recover(
        &mut self,
        now: Timestamp,
        opened: OpenReport,
    ) -> Result<Recovery, super::StartError> {
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
        // Whoever crashes the process must be known before anything runs again.
        self.store
            .commit(&mut self.changes)
            .map_err(super::store_error)?;
        self.store.reset_in_flight().map_err(super::store_error)?;
        Ok(Recovery::new(waiting, verdicts, opened))
    }

    async fn run(mut self) -> Self {
        self.dispatch_ready();
        while let Some(wake) = self.next().await {
            self.ended_runs = 0;
            if let Some(step) = self.clock.check() {
                self.core.apply_clock_step(step);
            }
            self.handle_wake(wake);
            for _ in 0..BATCH {
                if let Ok(report) = self.reports.try_recv() {
                    self.handle_report(report);
                } else if let Ok(command) = self.commands.try_recv() {
                    self.handle_command(command);
                } else {
                    break;
                }
            }
            self.core.advance(self.clock.now());
            self.run_bulk_page();
            self.commit();
            self.sweep();
            self.execute_reads();
            self.dispatch_ready();
            self.signal();
            self.publish();
            if self.is_shut_down() {
                break;
            }
        }
        self
    }

    /// What happens next. While tasks end, the next report is microseconds away: letting the workers
    /// run and looking again costs less than to be put to sleep and woken, here and at the worker
    /// that would have to wake this thread for every task.
    async fn next(&self) -> Option<Wake> {
        if !self.bulk_jobs.is_empty() {
            return Some(Wake::Timer);
        }
        if self.ended_runs > 0 {
            for _ in 0..SPIN_LIMIT {
                std::thread::yield_now();
                if let Ok(report) = self.reports.try_recv() {
                    return Some(Wake::Report(report));
                }
                if let Ok(command) = self.commands.try_recv() {
                    return Some(Wake::Command(command));
                }
            }
        }
        self.wait().await
    }

    /// The next thing that happens; `None` when every handle is gone.
    async fn wait(&self) -> Option<Wake> {
        let at = self.next_wake();
        let timer = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let grace = async {
            match &self.shutdown {
                Some(shutdown) => sleep_until(shutdown.by).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            report = self.reports.recv() => report.ok().map(Wake::Report),
            command = self.commands.recv() => command.ok().map(Wake::Command),
            () = timer => Some(Wake::Timer),
            () = grace => Some(Wake::GraceOver),
        }
    }

    /// When to wake although nothing has happened. Timers do not see that the wall clock was set or
    /// that the machine slept, so nothing is left to a timer for long.
    fn next_wake(&self) -> Option<Instant> {
        let now = Instant::now();
        let until = |at: Timestamp, most: Duration| self.clock.instant(at).min(now + most);
        let due = self.core.next_deadline().map(|at| until(at, CLOCK_CHECK));
        let sweep = self.next_sweep.map(|at| until(at, RETENTION_INTERVAL));
        let persist = (!self.changes.is_empty()).then(|| now + PERSIST_RETRY);
        [due, sweep, persist].into_iter().flatten().min()
    }

    fn handle_wake(&mut self, wake: Wake) {
        match wake {
            Wake::Report(report) => self.handle_report(report),
            Wake::Command(command) => self.handle_command(command),
            Wake::Timer => {}
            Wake::GraceOver => {
                if let Some(shutdown) = &mut self.shutdown {
                    shutdown.by = Instant::now();
                }
            }
        }
    }

    fn handle_report(&mut self, report: WorkerReport) {
        let worker = report.worker;
        if let Some(ended) = report.ended {
            self.ended_runs += 1;
            self.core.run_ended(worker, ended);
        }
        if let Some(started) = report.started {
            self.core.run_started(worker, started);
        }
        if report.stopped {
            self.pool.remove(worker);
            self.emit_worker_event(worker, false);
        }
    }

    /// Whether a shutdown has nothing left to wait for.
    fn is_shut_down(&self) -> bool {
        self.shutdown
            .as_ref()
            .is_some_and(|shutdown| self.core.in_flight() == 0 || Instant::now() >= shutdown.by)
    }

    fn end(mut self) {
        // What still runs is kept as waiting, and so it is handed back.
        let abandoned = self.core.in_flight();
        self.jobs.close();
        self.reports.close();
        self.commit();
        self.store.close();
        self.pool.shut_down(SHUTDOWN_TIMEOUT);
        if let Some(shutdown) = self.shutdown {
            let drained = ShutdownReport {
                abandoned,
                unstarted: shutdown.unstarted,
                kept: self.config.survives() && self.changes.is_empty(),
            };
            shutdown.answer.send(drained).ok();
        }
    }
}
