//! Submitting tasks, and adding them to the core.

use std::sync::Arc;

use super::{
    Core, Timer,
    accounts::task_bytes,
    live_task::{self, LiveTask},
    task_id,
};
use crate::queue::{
    clock::Timestamp,
    embedded::store::StoreChange,
    error::BrokerError,
    event::Event,
    index::row::{ColdFields, ExecOverrides, Row},
    options::{MAX_ATTEMPTS, MAX_PRIORITY, TaskOptions},
    registry::TaskFunction,
    state::State,
    submitter::Submitter,
    task::{NewTask, Receipt},
};

/// A new task with its function; its arguments and options are valid.
#[derive(Debug, Clone)]
pub(in crate::queue::embedded) struct ValidatedTask {
    pub(in crate::queue::embedded) function: Arc<TaskFunction>,
    pub(in crate::queue::embedded) args: Arc<str>,
    pub(in crate::queue::embedded) options: TaskOptions,
}

impl ValidatedTask {
    pub(in crate::queue::embedded) fn new(function: Arc<TaskFunction>, task: NewTask) -> Self {
        Self {
            function,
            args: task.args.into(),
            options: task.options,
        }
    }
}

impl Core {
    /// Accepts tasks, all or none of them. They are acknowledged when their change is stored; until
    /// then [`Core::rollback_new`] can remove them.
    pub(in crate::queue::embedded) fn submit(
        &mut self,
        now: Timestamp,
        submitter: &Submitter,
        tasks: Vec<ValidatedTask>,
    ) -> Result<Vec<Receipt>, BrokerError> {
        let bytes = tasks.iter().map(|task| task_bytes(task.args.len())).sum();
        let backlog = self.unfinished();
        self.accounts
            .check(&self.limits, submitter, backlog, tasks.len(), bytes)?;
        for task in &tasks {
            self.queues.check_room_for(task.options.queue.as_ref())?;
        }
        let before = self.last_id;
        let mut receipts = Vec::with_capacity(tasks.len());
        for task in tasks {
            receipts.push(self.accept_task(now, submitter, task));
        }
        let count = usize::try_from(self.last_id - before).unwrap_or(usize::MAX);
        self.metrics.submitted += count as u64;
        Ok(receipts)
    }

    fn accept_task(
        &mut self,
        now: Timestamp,
        submitter: &Submitter,
        task: ValidatedTask,
    ) -> Receipt {
        let key = task.options.key.map(Box::new);
        let unique = live_task::unique_key(&task.function.name, key.as_deref());
        if let Some(id) = unique.as_ref().and_then(|key| self.unique.get(key)) {
            let id = task_id(*id);
            self.metrics.duplicates += 1;
            self.emit(Event::Duplicate { id: id.clone() });
            return Receipt {
                id,
                deduplicated: true,
            };
        }
        self.last_id += 1;
        let id = self.last_id;
        if self.recording {
            self.emit(Event::Submitted {
                id: task_id(id),
                name: Arc::clone(&task.function.name),
            });
        }
        let delay = task.options.delay.filter(|delay| !delay.is_zero());
        let countdown = delay.map(|delay| now.after(delay));
        let due_at = countdown.max(task.options.eta.filter(|eta| *eta > now));
        let overrides = ExecOverrides {
            limits: task.options.limits,
            result_ttl: task.options.result_ttl,
        };
        let mut row = Row::new(id, Arc::clone(&task.function.name), task.args, now);
        if due_at.is_some() {
            row.state = State::Scheduled;
        }
        row.priority = task.options.priority.min(MAX_PRIORITY);
        row.max_attempts = task.options.max_attempts.clamp(1, MAX_ATTEMPTS);
        row.set_cold(ColdFields {
            queue: task.options.queue,
            key,
            overrides: (overrides != ExecOverrides::default()).then(|| Box::new(overrides)),
            due_at,
            wall_clock: due_at.is_some() && due_at != countdown,
            expires_at: task.options.expires.map(|expires| now.after(expires)),
            error: None,
        });
        self.insert_task(&row, Some(task.function));
        self.count_for(submitter, &row);
        self.changes.push(StoreChange::New(Box::new(row)));
        Receipt {
            id: task_id(id),
            deduplicated: false,
        }
    }

    /// Counts a new task for its submitter.
    fn count_for(&mut self, submitter: &Submitter, row: &Row) {
        let bytes = task_bytes(row.args.len());
        if let Some(account) = self.accounts.open(submitter)
            && let Some(task) = self.tasks.get_mut(&row.id)
        {
            self.accounts.add(account, bytes);
            task.account = Some((account, u32::try_from(bytes).unwrap_or(u32::MAX)));
        }
    }

    /// Adds an unfinished task that is new, retried or recovered.
    pub(super) fn insert_task(&mut self, row: &Row, function: Option<Arc<TaskFunction>>) {
        let queue = self.queues.find_or_create(row.cold().queue.as_ref());
        let task = LiveTask::new(row, queue, function);
        let id = row.id;
        if let Some(key) = task.unique_key() {
            self.unique.insert(key, id);
        }
        if let Some(expires) = task.expires_at {
            self.timers.insert((expires, id, Timer::Expire));
        }
        if let Some(due) = task.due_at {
            self.timers.insert((due, id, Timer::Due));
        }
        self.adjust_count(task.state, 1);
        if task.state == State::Queued {
            self.queues.enqueue(id, &task);
        }
        self.tasks.insert(id, Box::new(task));
    }
}
