//! The dispatcher's thread: it takes commands and reports in batches, lets the core decide, keeps what
//! has changed, and only then answers, hands tasks over and tells subscribers. It is the only one that
//! touches the core, and the only one that writes.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{
    Config, MAX_WORKERS, Recovery,
    bulk::{BulkJob, Next},
    command::{Answer, Command, Held, Verdict},
    core::{Accepted, Ages, Core},
    pool::Pool,
    submits::Submits,
    work::{Job, LEAVE, Report},
};
use crate::queue::{
    broker::{Batch, BrokerError, Bulk, Deed, Drained, Event, Keeping, Stats},
    clock::Clock,
    query::Page,
    registry::Registry,
    store::{Change, NameRow, Opened, Store, StoreError, answer::Question, rows::Running},
    task::{Options, Receipt, State, Step, SubmitId, TaskId, Timestamp, WorkerId},
};

/// Commands and reports that are taken before anything is kept: one round, one commit.
const ROUND: usize = 1_024;
/// The most jobs in the channel.
const MOST_HANDED: usize = 2 * MAX_WORKERS;
/// How often a dispatcher that has just been busy looks for more before it sleeps.
const LOOKS: usize = 32;
/// Reports that wait for the dispatcher; further workers wait for room.
const MAX_REPORTS: usize = 1_024;
/// Changes that could not be kept and wait for it; with more, no further task is started.
const MAX_UNSAVED: usize = 10_000;
/// How often it is tried to keep them.
const PERSIST: Duration = Duration::from_secs(1);
/// While something waits for its time, the wall clock is looked at this often.
const GLANCE: Duration = Duration::from_secs(1);
/// While only old tasks wait to be forgotten, it is looked at this often.
const SWEEP: Duration = Duration::from_secs(60 * 60);

struct Subscriber {
    batches: async_channel::Sender<Batch>,
    dropped: u64,
}

struct Ending {
    by: Instant,
    unstarted: usize,
    answer: Answer<Drained>,
}

pub(super) struct Dispatcher {
    runtime: tokio::runtime::Runtime,
    rounds: Rounds,
}

/// Everything but the runtime that drives it.
struct Rounds {
    core: Core,
    store: Box<dyn Store>,
    registry: Registry,
    config: Config,
    pool: Pool,
    clock: Clock,
    wanted: usize,
    commands: async_channel::Receiver<Command>,
    reports: async_channel::Receiver<Report>,
    jobs: async_channel::Sender<Job>,
    /// The other end of `jobs`, to call back what no worker has taken.
    handed: async_channel::Receiver<Job>,
    subscribers: Vec<Subscriber>,
    ending: Option<Ending>,
    /// Tasks that ended in the round before.
    ended: usize,
    /// What is to be kept; empty between two rounds unless it could not be.
    changes: Vec<Change>,
    held: Vec<Held>,
    questions: Vec<Question>,
    /// Who asked for numbers; they are of what has been kept.
    counted: Vec<Answer<Stats>>,
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
    Command(Command),
    Report(Report),
    Time,
    Abandoned,
}

/// Where the dispatcher hears and speaks.
pub(super) struct Start {
    pub(super) config: Config,
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) store: Box<dyn Store>,
    pub(super) opened: Opened,
    pub(super) commands: async_channel::Receiver<Command>,
}

impl Dispatcher {
    /// Takes up what was left by the process before.
    pub(super) fn new(start: Start) -> Result<(Self, Recovery, Vec<NameRow>), super::StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let (jobs, handed) = async_channel::bounded(MOST_HANDED);
        let (outbox, reports) = async_channel::bounded(MAX_REPORTS);
        let clock = start.clock;
        let pool = Pool::new(clock.clone(), start.store.slots(), handed.clone(), outbox)?;
        let retention = start.config.store.retention;
        let ages = Ages {
            usual: retention.age,
            failed: retention.failed_age,
        };
        let now = clock.now();
        let core = Core::new(start.config.limits, ages, start.opened.last_id, now.0);
        let wanted = start.config.workers;
        let mut rounds = Rounds {
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
        let names = rounds.store.names().map_err(super::unreadable)?;
        let submits = rounds.store.submits().map_err(super::unreadable)?;
        rounds.submits = Submits::new(submits);
        rounds.next_sweep = Some(now);
        if wanted > 0 {
            rounds.scale(wanted);
        }
        Ok((Self { runtime, rounds }, recovery, names))
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

impl Rounds {
    fn recover(&mut self, now: Timestamp, opened: Opened) -> Result<Recovery, super::StartError> {
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
            report = self.reports.recv() => report.ok().map(Wake::Report),
            command = self.commands.recv() => command.ok().map(Wake::Command),
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
            Wake::Report(report) => self.report(report),
            Wake::Command(command) => self.command(command),
            Wake::Time => {}
            Wake::Abandoned => {
                if let Some(ending) = &mut self.ending {
                    ending.by = Instant::now();
                }
            }
        }
    }

    fn report(&mut self, report: Report) {
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

    fn command(&mut self, command: Command) {
        // Nobody waiting for an answer any more is no reason to fail.
        match command {
            Command::Submit(tasks, name, answer) => self.submit(tasks, name, answer),
            Command::Ask(question) => self.questions.push(question),
            Command::Cancel(id, answer) => {
                let verdict = self.cancel(id);
                self.hold(verdict, answer);
            }
            Command::Restore(id, answer) => {
                self.settle();
                let verdict = self.bring_back(id, Step::Restore);
                self.hold(verdict, answer);
            }
            Command::Retry(id, answer) => {
                self.settle();
                let verdict = self.bring_back(id, Step::Retry);
                self.hold(verdict, answer);
            }
            Command::Bulk(deed, filter, answer) => {
                self.bulk.push_back(BulkJob::new(deed, filter, answer));
            }
            Command::Pause(queue, paused, answer) => {
                self.call_back();
                self.core.pause(queue.as_deref(), paused);
                answer.send(()).ok();
            }
            Command::Stats(answer) => self.counted.push(answer),
            Command::Histograms(answer) => drop(answer.send(self.core.histograms())),
            Command::Workers(answer) => drop(answer.send(self.pool.status())),
            Command::Scale(workers, answer) => {
                self.scale(workers);
                answer.send(self.wanted).ok();
            }
            Command::Subscribe(batches) => {
                self.core.listen(true);
                self.subscribers.push(Subscriber {
                    batches,
                    dropped: 0,
                });
            }
            Command::Names(changes, answer) => {
                self.changes.extend(changes.into_iter().map(Change::Name));
                self.held.push(Held::Named(answer));
            }
            Command::Shutdown(grace, answer) => {
                self.call_back();
                self.core.pause(None, true);
                self.ending = Some(Ending {
                    by: Instant::now() + grace,
                    unstarted: self.core.unfinished().saturating_sub(self.core.in_hands()),
                    answer,
                });
            }
        }
    }

    fn submit(
        &mut self,
        tasks: Vec<Accepted>,
        name: Option<SubmitId>,
        answer: Verdict<Vec<Receipt>>,
    ) {
        if let Some(name) = name
            && let Some(receipts) = self.submits.answer(name)
        {
            // The first time may have been a moment ago, and not be kept yet.
            let open = |change: &Change| matches!(change, Change::Submit(row) if row.id == name);
            if self.changes.iter().any(open) {
                self.held.push(Held::Taken(receipts, answer));
            } else {
                answer.send(Ok(receipts)).ok();
            }
            return;
        }
        if self.ending.is_some() {
            answer.send(Err(BrokerError::Closed)).ok();
            return;
        }
        let usual = Options::default().priority;
        if tasks.iter().any(|task| task.options.priority > usual) {
            // What goes first must also go before what lies in the channel.
            self.call_back();
        }
        let now = self.clock.now();
        match self.core.submit(now, tasks) {
            Ok(receipts) => {
                if let Some(name) = name {
                    let row = self.submits.note(now, name, &receipts);
                    self.changes.push(Change::Submit(row));
                    let over = self.submits.expire(now);
                    self.changes.extend(over.map(Change::OverSubmits));
                }
                self.held.push(Held::Taken(receipts, answer));
            }
            Err(why) => drop(answer.send(Err(why))),
        }
    }

    fn hold(&mut self, verdict: Result<State, BrokerError>, answer: Verdict<State>) {
        match verdict {
            Ok(state) => self.held.push(Held::Moved(state, answer)),
            Err(why) => drop(answer.send(Err(why))),
        }
    }

    fn cancel(&mut self, id: TaskId) -> Result<State, BrokerError> {
        self.call_back();
        let now = self.clock.now();
        let key = key(id)?;
        if let Some(state) = self.core.cancel(now, key) {
            return Ok(state);
        }
        // It may have ended in this very round.
        self.settle();
        let state = self.ended_row(id)?.state;
        Err(match state.after(Step::Cancel) {
            Err(why) => BrokerError::Illegal { id, why },
            Ok(_) => BrokerError::NotFound(id),
        })
    }

    /// Brings an ended task back. What has ended must have been kept, which is done once for many.
    fn bring_back(&mut self, id: TaskId, step: Step) -> Result<State, BrokerError> {
        if let Some(state) = self.core.state(key(id)?) {
            return Err(match state.after(step) {
                Err(why) => BrokerError::Illegal { id, why },
                Ok(_) => BrokerError::NotFound(id),
            });
        }
        let now = self.clock.now();
        let row = self.ended_row(id)?;
        let function = self.registry.get(&row.name).cloned();
        match step {
            Step::Retry => self.core.retry(now, row, function),
            _ => self.core.restore(now, row, function),
        }
    }

    fn ended_row(&mut self, id: TaskId) -> Result<crate::queue::store::row::Row, BrokerError> {
        let unreadable = |StoreError(why)| BrokerError::Unreadable(why);
        let row = self.store.row(key(id)?).map_err(unreadable)?;
        let row = row.ok_or(BrokerError::NotFound(id))?;
        match &self.trouble {
            // What ended and could not be kept is still kept as it was before.
            Some(why) if row.end.is_none() => Err(BrokerError::Refused(why.clone())),
            _ => Ok(row),
        }
    }

    /// Keeps what has changed, and only then lets the answers go.
    fn settle(&mut self) {
        self.core.take_changes(&mut self.changes);
        let kept = self.keep();
        for held in self.held.drain(..) {
            held.answer(&kept);
        }
    }

    fn keep(&mut self) -> Result<(), String> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let Err(StoreError(why)) = self.store.commit(&mut self.changes) else {
            if self.trouble.take().is_some() {
                self.core.note(Event::Saving(true));
            }
            return Ok(());
        };
        // New tasks are refused. What has happened has happened: it is kept as soon as it can be, and
        // perhaps that is now that there is less of it.
        let named = |change: &Change| match change {
            Change::Submit(submit) => Some(submit.id),
            _ => None,
        };
        let mut names: BTreeSet<SubmitId> = self.changes.iter().filter_map(named).collect();
        self.core.withdraw(&mut self.changes);
        for left in self.changes.iter().filter_map(named) {
            names.remove(&left);
        }
        for withdrawn in names {
            self.submits.withdraw(withdrawn);
        }
        self.store.commit(&mut self.changes).ok();
        if self.trouble.is_none() {
            tracing::error!(%why, "changes cannot be saved");
            self.core.note(Event::Saving(false));
        }
        self.trouble = Some(why.clone());
        Err(why)
    }

    fn sweep(&mut self) {
        let now = self.clock.now();
        let next = [self.next_sweep, self.core.take_next_forget()];
        self.next_sweep = next.into_iter().flatten().min();
        if !self.store.is_over() && self.next_sweep.is_none_or(|at| at > now) {
            return;
        }
        match self.store.sweep(now) {
            Ok(swept) => {
                self.core.forgotten(swept.forgotten);
                // A step is small: while there is too much, the next follows at once.
                self.next_sweep = if self.store.is_over() {
                    Some(now)
                } else {
                    swept.next
                };
            }
            Err(StoreError(why)) => {
                tracing::warn!(%why, "old tasks cannot be forgotten");
                self.next_sweep = Some(now.after(GLANCE * 60));
            }
        }
    }

    fn answer(&mut self) {
        for answer in std::mem::take(&mut self.counted) {
            answer.send(self.stats()).ok();
        }
        if self.questions.is_empty() {
            return;
        }
        let running = Arc::new(self.running());
        for question in std::mem::take(&mut self.questions) {
            self.store.ask(&running, question);
        }
    }

    fn running(&self) -> Running {
        let running = self.core.running().map(|(id, _, mut live)| {
            live.progress = self.pool.progress(live.worker);
            (id, live)
        });
        running.collect()
    }

    fn stats(&mut self) -> Stats {
        let mut stats = self.core.stats(self.clock.now());
        for (count, ended) in stats.counts.iter_mut().zip(self.store.ended()) {
            *count += ended;
        }
        let (bytes, commits) = self.store.size();
        let retention = self.config.store.retention;
        stats.retained_limit = retention.count;
        stats.wanted = self.wanted;
        stats.stuck = self.pool.stuck();
        stats.trouble.clone_from(&self.trouble);
        stats.unsaved = self.changes.len();
        stats.keeping = Keeping {
            durability: self.config.durability().word().into(),
            bytes,
            limit: retention.bytes,
            commits,
        };
        stats
    }

    fn scale(&mut self, workers: usize) {
        self.wanted = workers.clamp(1, MAX_WORKERS);
        for id in self.pool.scale(self.wanted) {
            self.worker_event(id, true);
        }
    }

    /// Takes everything out of the channel that no worker has taken.
    fn call_back(&mut self) {
        while let Ok(job) = self.handed.try_recv() {
            self.core.take_back(&job);
        }
    }

    fn hand_over(&mut self) {
        if self.changes.len() > MAX_UNSAVED {
            return;
        }
        // Two for each worker, and more where tasks are so short that many end between two rounds.
        let depth = (2 * self.wanted).max(2 * self.ended).min(MOST_HANDED);
        while self.jobs.len() < depth {
            let Some(mut job) = self.core.next_job() else {
                break;
            };
            match self.store.args(job.id) {
                Ok(args) => job.args = args,
                Err(StoreError(why)) => {
                    self.core.cannot_run(job.id, &why);
                    continue;
                }
            }
            if let Err(back) = self.jobs.try_send(job) {
                self.core.take_back(&back.into_inner());
                break;
            }
        }
        // What could not be handed over has ended.
        self.settle();
    }

    fn signal(&mut self) {
        for signal in self.core.take_signals() {
            for id in self.pool.signal(signal, self.wanted) {
                self.worker_event(id, true);
            }
        }
    }

    fn worker_event(&mut self, id: WorkerId, started: bool) {
        self.core.note(Event::Worker { id, started });
    }

    /// Gives every subscriber what happened in this round. One that does not keep up loses it, and
    /// is told how much it lost.
    fn tell(&mut self) {
        let events = self.core.take_events();
        if events.is_empty() {
            return;
        }
        let at = self.clock.now();
        self.subscribers.retain_mut(|subscriber| {
            let batch = Batch {
                at,
                events: events.clone(),
                dropped: subscriber.dropped,
            };
            match subscriber.batches.try_send(batch) {
                Ok(()) => subscriber.dropped = 0,
                Err(async_channel::TrySendError::Full(_)) => {
                    subscriber.dropped += events.len() as u64;
                }
                Err(async_channel::TrySendError::Closed(_)) => return false,
            }
            true
        });
        self.core.listen(!self.subscribers.is_empty());
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
            let drained = Drained {
                abandoned,
                unstarted: ending.unstarted,
                kept: self.config.survives() && self.changes.is_empty(),
            };
            ending.answer.send(drained).ok();
        }
    }

    /// Does a page of the bulk that is first in line.
    fn bulk_step(&mut self) {
        let Some(job) = self.bulk.pop_front() else {
            return;
        };
        // What this very round has changed is to be seen.
        self.settle();
        let running = self.running();
        let page = match self.store.list(&running, job.query()) {
            Ok(page) => page,
            Err(StoreError(why)) => return job.fail(BrokerError::Unreadable(why)),
        };
        let done = self.do_to(job.deed, &page);
        match job.turn(&page, done) {
            Next::More(job) => self.bulk.push_back(*job),
            Next::Over(bulk, answer) => self.held.push(Held::Through(bulk, answer)),
        }
    }

    fn do_to(&mut self, deed: Deed, page: &Page) -> Bulk {
        let ids = page.tasks.iter().map(|task| task.id);
        let mut bulk = Bulk::default();
        if deed == Deed::Purge {
            let ids: Vec<u64> = ids.filter_map(|id| u64::try_from(id.0).ok()).collect();
            bulk.done = ids.len();
            if !ids.is_empty() {
                self.core.forgotten(ids.len());
                self.core.note(Event::Purged { count: ids.len() });
                self.changes.push(Change::Forget(ids));
            }
            return bulk;
        }
        for id in ids {
            let done = match deed {
                Deed::Cancel => self.cancel(id),
                Deed::Retry | Deed::Purge => self.bring_back(id, Step::Retry),
            };
            match done {
                Ok(_) => bulk.done += 1,
                Err(_refused) => bulk.skipped += 1,
            }
        }
        bulk
    }
}

/// The number of a task of this engine.
fn key(id: TaskId) -> Result<u64, BrokerError> {
    u64::try_from(id.0).map_err(|_not_ours| BrokerError::NotFound(id))
}
