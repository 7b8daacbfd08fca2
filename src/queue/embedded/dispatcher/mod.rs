//! The dispatcher's thread: it takes commands and reports in batches, lets the core decide, keeps what
//! has changed, and only then answers, hands tasks over and tells subscribers. It is the only one that
//! touches the core, and the only one that writes.

mod commands;

use std::{collections::VecDeque, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    BrokerConfig, MAX_WORKERS, Recovery,
    bulk::BulkJob,
    command::{DispatcherCommand, PendingReply, Responder},
    core::{Core, RetentionAges},
    idempotency::Submits,
};
use crate::queue::executor::{
    pool::Pool,
    worker::{Job, LEAVE, WorkerReport},
};
use crate::queue::{
    broker::{EventBatch, ShutdownReport, Stats},
    clock::Clock,
    embedded::store::{OpenReport, Store, StoreChange, reads::ReadRequest},
    registry::Registry,
    task::Timestamp,
};

/// Commands and reports that are taken before anything is kept: one round, one commit.
const ROUND: usize = 1_024;
/// The most jobs in the channel.
const MOST_HANDED: usize = 2 * MAX_WORKERS;
/// How often a dispatcher that has just been busy looks for more before it sleeps.
const LOOKS: usize = 32;
/// Reports that wait for the dispatcher; further workers wait for room.
const MAX_REPORTS: usize = 1_024;
/// How often it is tried to keep them.
const PERSIST: Duration = Duration::from_secs(1);
/// While something waits for its time, the wall clock is looked at this often.
const GLANCE: Duration = Duration::from_secs(1);
/// While only old tasks wait to be forgotten, it is looked at this often.
const SWEEP: Duration = Duration::from_secs(60 * 60);

struct Subscriber {
    batches: async_channel::Sender<EventBatch>,
    dropped: u64,
}

struct ShutdownState {
    by: Instant,
    unstarted: usize,
    answer: Responder<ShutdownReport>,
}

pub(super) struct ThreadGuard {
    runtime: tokio::runtime::Runtime,
    rounds: Dispatcher,
}

/// Everything but the runtime that drives it.
struct Dispatcher {
    core: Core,
    store: Box<dyn Store>,
    registry: Registry,
    config: BrokerConfig,
    pool: Pool,
    clock: Clock,
    wanted: usize,
    commands: async_channel::Receiver<DispatcherCommand>,
    reports: async_channel::Receiver<WorkerReport>,
    jobs: async_channel::Sender<Job>,
    /// The other end of `jobs`, to call back what no worker has taken.
    handed: async_channel::Receiver<Job>,
    subscribers: Vec<Subscriber>,
    ending: Option<ShutdownState>,
    /// Tasks that ended in the round before.
    ended: usize,
    /// What is to be kept; empty between two rounds unless it could not be.
    changes: Vec<StoreChange>,
    held: Vec<PendingReply>,
    questions: Vec<ReadRequest>,
    /// Who asked for numbers; they are of what has been kept.
    counted: Vec<Responder<Stats>>,
    bulk: VecDeque<BulkJob>,
    /// Submits that have a name of their own.
    submits: Submits,
    /// Why changes cannot be kept.
    trouble: Option<String>,
    /// When to look for what is to be forgotten.
    next_sweep: Option<Timestamp>,
}

/// What woke the dispatcher.
enum Wake {
    DispatcherCommand(DispatcherCommand),
    WorkerReport(WorkerReport),
    Time,
    Abandoned,
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

impl ThreadGuard {
    /// Takes up what was left by the process before.
    pub(super) fn new(start: DispatcherParts) -> Result<(Self, Recovery), super::StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let (jobs, handed) = async_channel::bounded(MOST_HANDED);
        let (outbox, reports) = async_channel::bounded(MAX_REPORTS);
        let clock = start.clock;
        let pool = Pool::new(clock.clone(), start.store.slots(), handed.clone(), outbox)?;
        let retention = start.config.store.retention;
        let ages = RetentionAges {
            usual: retention.age,
            failed: retention.failed_age,
        };
        let now = clock.now();
        let core = Core::new(start.config.limits, ages, start.opened.last_id, now.0);
        let wanted = start.config.workers;
        let mut rounds = Dispatcher {
            core,
            store: start.store,
            registry: start.registry,
            config: start.config,
            pool,
            clock,
            wanted: 0,
            commands: start.commands,
            reports,
            jobs,
            handed,
            subscribers: Vec::new(),
            ending: None,
            ended: 0,
            changes: Vec::new(),
            held: Vec::new(),
            questions: Vec::new(),
            counted: Vec::new(),
            bulk: VecDeque::new(),
            submits: Submits::default(),
            trouble: None,
            next_sweep: None,
        };
        let recovery = rounds.recover(now, start.opened)?;
        let submits = rounds.store.submits().map_err(super::unreadable)?;
        rounds.submits = Submits::new(submits);
        rounds.next_sweep = Some(now);
        if wanted > 0 {
            rounds.scale(wanted);
        }
        Ok((Self { runtime, rounds }, recovery))
    }

    /// Runs until a shutdown is through or nobody is left to ask.
    pub(super) fn run(self) {
        let Self { runtime, rounds } = self;
        let rounds = runtime.block_on(rounds.run());
        // Ending the workers' runtime blocks, which a thread that drives a runtime may not do.
        drop(runtime);
        rounds.end();
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
            .waiting(&mut |row| {
                let function = registry.get(&row.name).cloned();
                core.recover(now, row, function);
            })
            .map_err(super::unreadable)?;
        let waiting = self.core.unfinished();
        let blamed = self.core.blame(now, &opened.running);
        self.core.take_changes(&mut self.changes);
        // Whoever crashes the process must be known before anything runs again.
        self.store
            .commit(&mut self.changes)
            .map_err(super::unreadable)?;
        self.store.begin().map_err(super::unreadable)?;
        Ok(Recovery::new(waiting, blamed, opened))
    }

    async fn run(mut self) -> Self {
        self.hand_over();
        while let Some(wake) = self.next().await {
            self.ended = 0;
            if let Some(jump) = self.clock.check() {
                self.core.jump(jump);
            }
            self.take(wake);
            for _ in 0..ROUND {
                if let Ok(report) = self.reports.try_recv() {
                    self.report(report);
                } else if let Ok(command) = self.commands.try_recv() {
                    self.command(command);
                } else {
                    break;
                }
            }
            self.core.advance(self.clock.now());
            self.bulk_step();
            self.settle();
            self.sweep();
            self.answer();
            self.hand_over();
            self.signal();
            self.tell();
            if self.is_through() {
                break;
            }
        }
        self
    }

    /// What happens next. While tasks end, the next report is microseconds away: letting the workers
    /// run and looking again costs less than to be put to sleep and woken, here and at the worker
    /// that would have to wake this thread for every task.
    async fn next(&self) -> Option<Wake> {
        if !self.bulk.is_empty() {
            return Some(Wake::Time);
        }
        if self.ended > 0 {
            for _ in 0..LOOKS {
                std::thread::yield_now();
                if let Ok(report) = self.reports.try_recv() {
                    return Some(Wake::WorkerReport(report));
                }
                if let Ok(command) = self.commands.try_recv() {
                    return Some(Wake::DispatcherCommand(command));
                }
            }
        }
        self.wait().await
    }

    /// The next thing that happens; `None` when every handle is gone.
    async fn wait(&self) -> Option<Wake> {
        let at = self.alarm();
        let timer = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let patience = async {
            match &self.ending {
                Some(ending) => sleep_until(ending.by).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            report = self.reports.recv() => report.ok().map(Wake::WorkerReport),
            command = self.commands.recv() => command.ok().map(Wake::DispatcherCommand),
            () = timer => Some(Wake::Time),
            () = patience => Some(Wake::Abandoned),
        }
    }

    /// When to wake although nothing has happened. Timers do not see that the wall clock was set or
    /// that the machine slept, so nothing is left to a timer for long.
    fn alarm(&self) -> Option<Instant> {
        let now = Instant::now();
        let until = |at: Timestamp, most: Duration| self.clock.instant(at).min(now + most);
        let due = self.core.next_deadline().map(|at| until(at, GLANCE));
        let sweep = self.next_sweep.map(|at| until(at, SWEEP));
        let persist = (!self.changes.is_empty()).then(|| now + PERSIST);
        [due, sweep, persist].into_iter().flatten().min()
    }

    fn take(&mut self, wake: Wake) {
        match wake {
            Wake::WorkerReport(report) => self.report(report),
            Wake::DispatcherCommand(command) => self.command(command),
            Wake::Time => {}
            Wake::Abandoned => {
                if let Some(ending) = &mut self.ending {
                    ending.by = Instant::now();
                }
            }
        }
    }

    fn report(&mut self, report: WorkerReport) {
        let worker = report.worker;
        if let Some(ended) = report.ended {
            self.ended += 1;
            self.core.ended(worker, ended);
        }
        if let Some(started) = report.started {
            self.core.started(worker, started);
        }
        if report.left {
            self.pool.left(worker);
            self.worker_event(worker, false);
        }
    }

    /// Whether a shutdown has nothing left to wait for.
    fn is_through(&self) -> bool {
        self.ending
            .as_ref()
            .is_some_and(|ending| self.core.in_hands() == 0 || Instant::now() >= ending.by)
    }

    fn end(mut self) {
        // What still runs is kept as waiting, and so it is handed back.
        let abandoned = self.core.in_hands();
        self.jobs.close();
        self.reports.close();
        self.settle();
        self.store.close();
        self.pool.end(LEAVE);
        if let Some(ending) = self.ending {
            let drained = ShutdownReport {
                abandoned,
                unstarted: ending.unstarted,
                kept: self.config.survives() && self.changes.is_empty(),
            };
            ending.answer.send(drained).ok();
        }
    }
}
mod dispatch;
mod notify;
mod persist;
