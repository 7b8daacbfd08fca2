mod limits;
mod model;
mod order;
mod quotas;
mod races;
mod recovery;
mod transitions;

use tokio::sync::oneshot;

use super::*;
use crate::queue::{
    add,
    control::StopReason,
    embedded::store::{Memory, Store, reads::ReadRequest},
    error::BrokerError,
    executor::job::{RunEnded, RunOutcome, RunStarted},
    id::WorkerNumber,
    options::{KeyPolicy, TaskKey, TaskOptions, TimeLimits},
    query::{Page, Query},
    registry::{Registry, TaskFunction},
    storage::Retention,
    submitter::Submitter,
    task::Task,
};

pub(super) fn at(ms: u64) -> Timestamp {
    Timestamp(ms * 1_000)
}

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const W: WorkerNumber = WorkerNumber(1);

/// A core with its store, and a clock that is advanced by hand.
pub(super) struct World {
    pub(super) core: Core,
    pub(super) store: Memory,
    pub(super) now: u64,
}

pub(super) fn limits() -> BrokerLimits {
    BrokerLimits {
        backlog: 100,
        ..BrokerLimits::default()
    }
}

fn ages() -> RetentionAges {
    RetentionAges {
        age: MINUTE * 60,
        failed_age: MINUTE * 60 * 24,
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(limits())
    }

    pub(super) fn with(limits: BrokerLimits) -> Self {
        let mut core = Core::new(limits, ages(), 0, 1);
        core.set_recording(true);
        let retention = Retention {
            count: 10,
            ..Retention::default()
        };
        Self {
            core,
            store: Memory::new(retention),
            now: 0,
        }
    }

    pub(super) fn at(&self) -> Timestamp {
        at(self.now)
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += u64::try_from(time.as_millis()).expect("short");
        self.core.advance(at(self.now));
        self.commit();
    }

    pub(super) fn commit(&mut self) {
        let mut changes = Vec::new();
        self.core.drain_changes(&mut changes);
        self.store
            .commit(&mut changes)
            .expect("memory accepts everything");
    }

    pub(super) fn submit(&mut self, options: TaskOptions) -> u64 {
        let receipts = self
            .core
            .submit(at(self.now), &Submitter::Owner, vec![validated(options)]);
        self.commit();
        number(&receipts.expect("room").first().expect("one").id)
    }

    pub(super) fn start(&mut self) -> (u64, u64) {
        let job = self.core.next_job().expect("ready");
        self.started(&job);
        (number(&job.id), job.run)
    }

    pub(super) fn started(&mut self, job: &Job) {
        let started = RunStarted {
            id: job.id.clone(),
            run: job.run,
            at: at(self.now),
        };
        self.core.run_started(W, started);
        self.commit();
    }

    pub(super) fn end(&mut self, (id, run): (u64, u64), outcome: RunOutcome) {
        let running = self.core.running().find(|(task, _)| *task == id);
        let run_time = running.map(|(_, info)| at(self.now).since(info.run.started_at));
        self.core.run_ended(
            W,
            RunEnded {
                id: task_id(id),
                run,
                at: at(self.now),
                run_time: run_time.unwrap_or_default(),
                outcome,
            },
        );
        self.commit();
    }

    pub(super) fn cancel(&mut self, id: u64) -> Option<State> {
        let state = self.core.cancel(at(self.now), id);
        self.commit();
        state
    }

    pub(super) fn requeue(
        &mut self,
        id: u64,
        step: crate::queue::state::Transition,
    ) -> Result<State, BrokerError> {
        let row = self.store.row(id).expect("readable");
        let row = row.ok_or(BrokerError::NotFound(task_id(id)))?;
        let function = Some(function());
        let state = match step {
            crate::queue::state::Transition::Retry => self.core.retry(at(self.now), row, function),
            _ => self.core.undo_cancel(at(self.now), row, function),
        };
        self.commit();
        state
    }

    pub(super) fn task(&mut self, id: u64) -> Option<Task> {
        let (responder, reply) = oneshot::channel();
        self.read(ReadRequest::Get(task_id(id), responder));
        reply.blocking_recv().expect("answered").expect("readable")
    }

    pub(super) fn page(&mut self, query: Query) -> Page {
        let (responder, reply) = oneshot::channel();
        self.read(ReadRequest::List(query, responder));
        reply.blocking_recv().expect("answered").expect("readable")
    }

    fn read(&mut self, question: ReadRequest) {
        let running = Arc::new(self.core.running().collect());
        self.store.read(question.begin(running));
    }

    pub(super) fn state(&mut self, id: u64) -> State {
        self.task(id).expect("there").state
    }

    /// Recovers all unfinished tasks in a new core, as a new process does.
    pub(super) fn restart(&mut self) {
        let mut core = Core::new(limits(), ages(), 1_000, 1);
        let now = self.at();
        self.store
            .for_each_unfinished(&mut |row| core.recover(now, row, Some(function())))
            .expect("readable");
        self.core = core;
        self.commit();
    }
}

pub(super) fn number(id: &TaskId) -> u64 {
    id.sequence().expect("ours")
}

pub(super) fn function() -> Arc<TaskFunction> {
    let mut registry = Registry::new();
    add::register(&mut registry);
    Arc::clone(registry.get("add").expect("registered"))
}

pub(super) fn validated(options: TaskOptions) -> ValidatedTask {
    ValidatedTask {
        function: function(),
        args: "[2,3]".into(),
        options,
    }
}

pub(super) fn key(text: &str, policy: KeyPolicy) -> TaskOptions {
    TaskOptions {
        key: Some(TaskKey {
            text: text.into(),
            policy,
        }),
        ..TaskOptions::default()
    }
}

pub(super) fn failed(retryable: bool) -> RunOutcome {
    RunOutcome::Failed {
        error: "no".into(),
        retryable,
    }
}

pub(super) fn succeeded() -> RunOutcome {
    RunOutcome::Succeeded("5".into())
}
