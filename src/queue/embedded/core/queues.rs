//! Ready tasks in dispatch order: by queue, by rank, and one at a time for each serial key.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::live_task::{LiveTask, QueueId};
use crate::queue::{
    index::bitmap::{IdBitmap, SortKey},
    limits::{LimitExceeded, MAX_QUEUES},
    options::DEFAULT_QUEUE,
    state::State,
    stats::{Count, QueueStatus},
};

#[derive(Debug, Default)]
struct Queue {
    name: Option<Arc<str>>,
    ready: IdBitmap,
    /// The number of tasks that were dispatched and whose start has not been reported.
    dispatched: usize,
    paused: bool,
}

impl Queue {
    fn display_name(&self) -> Arc<str> {
        self.name.clone().unwrap_or_else(|| DEFAULT_QUEUE.into())
    }
}

/// Tasks with one serial key, of which one runs at a time.
#[derive(Debug, Default)]
struct SerialGroup {
    /// The task that runs or will run next.
    holder: Option<u64>,
    waiting: BTreeSet<SortKey>,
}

#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: Vec<Queue>,
    serial_groups: HashMap<Arc<str>, SerialGroup>,
    paused: bool,
}

impl Queues {
    fn find(&self, name: Option<&str>) -> Option<usize> {
        let name = name.filter(|name| *name != DEFAULT_QUEUE);
        self.queues
            .iter()
            .position(|queue| queue.name.as_deref() == name)
    }

    pub(super) fn check_room_for(&self, name: Option<&Arc<str>>) -> Result<(), LimitExceeded> {
        // The default queue does not count: it can always be created.
        let room = |name| self.queues.len() < MAX_QUEUES || self.find(Some(name)).is_some();
        match name {
            Some(name) if !room(name) => Err(LimitExceeded::Queues),
            _ => Ok(()),
        }
    }

    pub(super) fn find_or_create(&mut self, name: Option<&Arc<str>>) -> QueueId {
        let found = self.find(name.map(|name| &**name));
        let index = found.unwrap_or_else(|| {
            self.queues.push(Queue {
                name: name.filter(|name| &***name != DEFAULT_QUEUE).cloned(),
                ..Queue::default()
            });
            self.queues.len() - 1
        });
        QueueId(u16::try_from(index).unwrap_or(u16::MAX))
    }

    fn queue(&mut self, id: QueueId) -> Option<&mut Queue> {
        self.queues.get_mut(usize::from(id.0))
    }

    /// Makes a task ready, or lets it wait for its serial group.
    pub(super) fn enqueue(&mut self, id: u64, task: &LiveTask) {
        if let Some(key) = task.serial_key() {
            let group = self.serial_groups.entry(Arc::clone(key)).or_default();
            if *group.holder.get_or_insert(id) != id {
                group.waiting.insert((task.rank, id));
                return;
            }
        }
        self.insert_ready(id, task);
    }

    /// Makes a task ready that holds its serial group, if it has one.
    pub(super) fn insert_ready(&mut self, id: u64, task: &LiveTask) {
        let key = (task.rank, id);
        if let Some(queue) = self.queue(task.queue) {
            queue.ready.insert(key);
        }
    }

    /// Removes a task that is ready or waits for its serial group.
    pub(super) fn remove(&mut self, id: u64, task: &LiveTask) {
        let key = (task.rank, id);
        if let Some(queue) = self.queue(task.queue) {
            queue.ready.remove(key);
        }
        let serial_key = task.serial_key();
        if let Some(group) = serial_key.and_then(|text| self.serial_groups.get_mut(text)) {
            group.waiting.remove(&key);
        }
    }

    /// Releases the serial group that a task holds; returns the task that holds it now.
    pub(super) fn release_serial_group(&mut self, id: u64, task: &LiveTask) -> Option<u64> {
        let key = task.serial_key()?;
        let group = self.serial_groups.get_mut(key)?;
        if group.holder != Some(id) {
            return None;
        }
        group.holder = group.waiting.pop_first().map(|(_, id)| id);
        if group.holder.is_none() {
            self.serial_groups.remove(key);
            return None;
        }
        group.holder
    }

    /// The first ready task of all queues that are not paused, and the index of its queue.
    fn head(&self) -> Option<(SortKey, usize)> {
        let open = self.queues.iter().enumerate();
        let open = open.filter(|(_, queue)| !queue.paused);
        open.filter_map(|(i, queue)| Some((queue.ready.first()?, i)))
            .min()
    }

    /// The next task to dispatch, even when dispatch is paused as a whole.
    pub(super) fn peek(&self) -> Option<u64> {
        self.head().map(|((_, id), _)| id)
    }

    /// Removes and returns the next task to dispatch.
    pub(super) fn pop(&mut self) -> Option<u64> {
        if self.paused {
            return None;
        }
        let (_, i) = self.head()?;
        let queue = self.queues.get_mut(i)?;
        let (_, id) = queue.ready.pop_first()?;
        queue.dispatched += 1;
        Some(id)
    }

    /// Notes that a task which [`Queues::pop`] returned has started, or never will.
    pub(super) fn end_dispatch(&mut self, id: QueueId) {
        if let Some(queue) = self.queue(id) {
            queue.dispatched -= 1;
        }
    }

    /// The number of tasks that were dispatched and whose start has not been reported.
    pub(super) fn dispatched(&self) -> usize {
        self.queues.iter().map(|queue| queue.dispatched).sum()
    }

    /// Pauses or resumes one queue, which may be empty, or all; returns whether that changed anything.
    pub(super) fn set_paused(
        &mut self,
        name: Option<&str>,
        paused: bool,
    ) -> Result<bool, LimitExceeded> {
        let flag = match name {
            None => &mut self.paused,
            // A queue that is not there is not paused.
            Some(name) if !paused && self.find(Some(name)).is_none() => return Ok(false),
            Some(name) => {
                let text: Arc<str> = name.into();
                self.check_room_for(Some(&text))?;
                let id = self.find_or_create(Some(&text));
                match self.queue(id) {
                    Some(queue) => &mut queue.paused,
                    None => return Ok(false),
                }
            }
        };
        Ok(std::mem::replace(flag, paused) != paused)
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn paused(&self) -> impl Iterator<Item = Arc<str>> + '_ {
        let paused = self.queues.iter().filter(|queue| queue.paused);
        paused.map(Queue::display_name)
    }

    /// Every queue, the default queue first and the others by name. `running` are the queues of the
    /// running tasks.
    pub(super) fn statuses(
        &self,
        running: impl Iterator<Item = QueueId>,
        consumers: usize,
    ) -> Vec<QueueStatus> {
        let mut counts = vec![0; self.queues.len()];
        for id in running {
            if let Some(count) = counts.get_mut(usize::from(id.0)) {
                *count += 1;
            }
        }
        // The default queue exists before its first task.
        let default = Queue::default();
        let default = self.find(None).is_none().then_some((&default, 0));
        let queues = self.queues.iter().zip(counts).chain(default);
        let mut queues: Vec<_> = queues.collect();
        queues.sort_unstable_by_key(|(queue, _)| queue.name.clone());
        let status = |(queue, running): (&Queue, usize)| QueueStatus {
            name: queue.display_name(),
            depth: Count::Exact(queue.ready.len()),
            in_flight: Count::Exact(queue.dispatched + running),
            consumers: Some(consumers),
            paused: self.paused || queue.paused,
        };
        queues.into_iter().map(status).collect()
    }

    /// Sorts all ready tasks anew after their ranks have changed.
    pub(super) fn rebuild(&mut self, tasks: &BTreeMap<u64, Box<LiveTask>>) {
        for queue in &mut self.queues {
            queue.ready = IdBitmap::default();
        }
        for group in self.serial_groups.values_mut() {
            group.waiting.clear();
        }
        for (id, task) in tasks {
            // A dispatched task is in no queue.
            if task.state == State::Queued && task.run == 0 {
                self.enqueue(*id, task);
            }
        }
    }

    /// The number of tasks that are ready or wait for their serial group.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let ready: usize = self.queues.iter().map(|queue| queue.ready.len()).sum();
        let groups = self.serial_groups.values();
        let waiting: usize = groups.map(|group| group.waiting.len()).sum();
        ready + waiting
    }
}
