//! The dispatcher's thread: it takes commands and reports in batches, lets the core decide, answers,
//! hands tasks over and tells subscribers. It is the only one that touches the core.

use std::{io, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{
    Config, MAX_WORKERS,
    core::{Accepted, Core},
    pool::Pool,
};
use crate::queue::{
    broker::{Batch, BrokerError, Drained, Event, Stats},
    query::{Filter, Page, Query},
    task::{Options, State, Task, TaskId, WorkerId},
    worker::{Clock, Job, LEAVE, Report, WorkerStatus},
};

type Answer<T> = oneshot::Sender<T>;
type Verdict<T> = oneshot::Sender<Result<T, BrokerError>>;

/// What can be asked of the dispatcher.
pub(super) enum Command {
    Submit(Vec<Accepted>, Verdict<Vec<TaskId>>),
    Get(TaskId, Answer<Option<Task>>),
    List(Query, Answer<Page>),
    Cancel(TaskId, Verdict<State>),
    Retry(TaskId, Verdict<State>),
    Pause(bool, Answer<()>),
    Purge(Filter, Answer<usize>),
    Stats(Answer<Stats>),
    Workers(Answer<Vec<WorkerStatus>>),
    Scale(usize, Answer<usize>),
    Subscribe(async_channel::Sender<Batch>),
    Shutdown(Duration, Answer<Drained>),
}

/// Commands and reports that are taken before anybody is told: one round.
const ROUND: usize = 1_024;
/// The most jobs in the channel.
const MOST_HANDED: usize = 2 * MAX_WORKERS;
/// How often a dispatcher that has just been busy looks for more before it sleeps.
const LOOKS: usize = 32;
/// Reports that wait for the dispatcher; further workers wait for room.
const MAX_REPORTS: usize = 1_024;

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
}

/// What woke the dispatcher.
enum Wake {
    Command(Command),
    Report(Report),
    Time,
    Abandoned,
}

impl Dispatcher {
    pub(super) fn new(
        config: Config,
        commands: async_channel::Receiver<Command>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let clock = {
            let _entered = runtime.enter();
            Clock::start()
        };
        let (jobs, handed) = async_channel::bounded(MOST_HANDED);
        let (outbox, reports) = async_channel::bounded(MAX_REPORTS);
        let pool = Pool::new(clock, handed.clone(), outbox)?;
        let mut rounds = Rounds {
            core: Core::new(config.limits, clock.now().0),
            pool,
            clock,
            wanted: 0,
            commands,
            reports,
            jobs,
            handed,
            subscribers: Vec::new(),
            ending: None,
            ended: 0,
        };
        rounds.scale(config.workers);
        Ok(Self { runtime, rounds })
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
    async fn run(mut self) -> Self {
        while let Some(wake) = self.next().await {
            self.ended = 0;
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
            self.hand_over();
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
        let due = self.core.next_deadline().map(|at| self.clock.instant(at));
        let timer = async {
            match due {
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
        if let Some(started) = report.started
            && let Some(signal) = self.core.started(worker, started)
        {
            self.pool.signal(signal);
        }
        if report.left {
            self.pool.left(worker);
            self.worker_event(worker, false);
        }
    }

    fn command(&mut self, command: Command) {
        let now = self.clock.now();
        // Nobody waiting for an answer any more is no reason to fail.
        match command {
            Command::Submit(tasks, answer) => {
                let usual = Options::default().priority;
                if tasks.iter().any(|task| task.options.priority > usual) {
                    // What goes first must also go before what lies in the channel.
                    self.call_back();
                }
                let verdict = match &self.ending {
                    Some(_) => Err(BrokerError::Closed),
                    None => self.core.submit(now, tasks),
                };
                answer.send(verdict).ok();
            }
            Command::Get(id, answer) => drop(answer.send(self.core.get(id))),
            Command::List(query, answer) => drop(answer.send(self.core.list(&query))),
            Command::Cancel(id, answer) => drop(answer.send(self.cancel(id))),
            Command::Retry(id, answer) => drop(answer.send(self.core.retry(now, id))),
            Command::Pause(paused, answer) => {
                self.call_back();
                self.core.pause(paused);
                answer.send(()).ok();
            }
            Command::Purge(filter, answer) => drop(answer.send(self.core.purge(&filter))),
            Command::Stats(answer) => drop(answer.send(self.core.stats(now))),
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
            Command::Shutdown(grace, answer) => {
                self.call_back();
                self.core.pause(true);
                self.ending = Some(Ending {
                    by: Instant::now() + grace,
                    unstarted: self.core.unfinished().saturating_sub(self.core.in_hands()),
                    answer,
                });
            }
        }
    }

    fn cancel(&mut self, id: TaskId) -> Result<State, BrokerError> {
        self.call_back();
        let (state, signal) = self.core.cancel(self.clock.now(), id)?;
        if let Some(signal) = signal {
            self.pool.signal(signal);
        }
        Ok(state)
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
        // Two for each worker, and more where tasks are so short that many end between two rounds.
        let depth = (2 * self.wanted).max(2 * self.ended).min(MOST_HANDED);
        while self.jobs.len() < depth {
            let Some(job) = self.core.next_job() else {
                return;
            };
            if let Err(back) = self.jobs.try_send(job) {
                self.core.take_back(&back.into_inner());
                return;
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
        let abandoned = self.core.abandon(self.clock.now());
        self.jobs.close();
        self.reports.close();
        self.pool.end(LEAVE);
        if let Some(ending) = self.ending {
            let drained = Drained {
                abandoned,
                unstarted: ending.unstarted,
            };
            ending.answer.send(drained).ok();
        }
    }
}
