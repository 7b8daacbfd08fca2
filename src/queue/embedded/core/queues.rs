//! Tasks that may run, in the order in which they will: by queue, by rank, and one at a time where
//! they share a key that asks for it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::live_task::{LiveTask, QueueId};
use crate::queue::{
    embedded::store::ids::{IdBitmap, SortKey},
    task::{DEFAULT_QUEUE, State},
};

/// The most queues that one engine has.
pub(super) const MOST: usize = 64;

#[derive(Debug, Default)]
struct Queue {
    name: Option<Arc<str>>,
    ready: IdBitmap,
    paused: bool,
}

/// Tasks with one key, of which one runs at a time.
#[derive(Debug, Default)]
struct SerialGroup {
    /// The one that runs or will be the next to run.
    holder: Option<u64>,
    waiting: BTreeSet<SortKey>,
}

#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: Vec<Queue>,
    lanes: HashMap<Arc<str>, SerialGroup>,
    paused: bool,
}

impl Queues {
    fn find(&self, name: Option<&str>) -> Option<usize> {
        let name = name.filter(|name| *name != DEFAULT_QUEUE);
        self.queues
            .iter()
            .position(|queue| queue.name.as_deref() == name)
    }

    pub(super) fn has_room_for(&self, name: Option<&Arc<str>>) -> bool {
        // The one without a name is not counted: it can always be made.
        name.is_none_or(|name| self.queues.len() < MOST || self.find(Some(name)).is_some())
    }

    pub(super) fn find_or_make(&mut self, name: Option<&Arc<str>>) -> QueueId {
        let found = self.find(name.map(|name| &**name));
        let place = found.unwrap_or_else(|| {
            self.queues.push(Queue {
                name: name.filter(|name| &***name != DEFAULT_QUEUE).cloned(),
                ..Queue::default()
            });
            self.queues.len() - 1
        });
        QueueId(u16::try_from(place).unwrap_or(u16::MAX))
    }

    fn queue(&mut self, id: QueueId) -> Option<&mut Queue> {
        self.queues.get_mut(usize::from(id.0))
    }

    /// A task may run, when its lane is free.
    pub(super) fn put_in(&mut self, id: u64, entry: &LiveTask) {
        if let Some(key) = entry.lane() {
            let lane = self.lanes.entry(Arc::clone(key)).or_default();
            if *lane.holder.get_or_insert(id) != id {
                lane.waiting.insert((entry.rank, id));
                return;
            }
        }
        self.put_back(id, entry);
    }

    /// A task that was about to run waits again in its old place; its lane is its own already.
    pub(super) fn put_back(&mut self, id: u64, entry: &LiveTask) {
        let place = (entry.rank, id);
        if let Some(queue) = self.queue(entry.queue) {
            queue.ready.insert(place);
        }
    }

    /// A task is not to run.
    pub(super) fn take_out(&mut self, id: u64, entry: &LiveTask) {
        let place = (entry.rank, id);
        if let Some(queue) = self.queue(entry.queue) {
            queue.ready.remove(place);
        }
        if let Some(lane) = entry.lane().and_then(|key| self.lanes.get_mut(key)) {
            lane.waiting.remove(&place);
        }
    }

    /// A task neither runs nor is about to; answers the one that has its lane now.
    pub(super) fn free_lane(&mut self, id: u64, entry: &LiveTask) -> Option<u64> {
        let key = entry.lane()?;
        let lane = self.lanes.get_mut(key)?;
        if lane.holder != Some(id) {
            return None;
        }
        lane.holder = lane.waiting.pop_first().map(|(_, id)| id);
        if lane.holder.is_none() {
            self.lanes.remove(key);
            return None;
        }
        lane.holder
    }

    fn first_place(&self) -> Option<(SortKey, usize)> {
        let open = self.queues.iter().enumerate();
        let open = open.filter(|(_, queue)| !queue.paused);
        open.filter_map(|(i, queue)| Some((queue.ready.first()?, i)))
            .min()
    }

    /// The task that goes next, whether or not everything is paused.
    pub(super) fn first(&self) -> Option<u64> {
        self.first_place().map(|((_, id), _)| id)
    }

    /// Takes the task that goes next, unless everything is paused.
    pub(super) fn pop_first(&mut self) -> Option<u64> {
        if self.paused {
            return None;
        }
        let (_, i) = self.first_place()?;
        let (_, id) = self.queues.get_mut(i)?.ready.pop_first()?;
        Some(id)
    }

    /// Answers whether that changes anything. A queue that nothing is in can be paused as well.
    pub(super) fn pause(&mut self, name: Option<&str>, paused: bool) -> bool {
        let place = match name {
            None => &mut self.paused,
            Some(name) => {
                let text: Arc<str> = name.into();
                if !self.has_room_for(Some(&text)) {
                    return false;
                }
                let id = self.find_or_make(Some(&text));
                match self.queue(id) {
                    Some(queue) => &mut queue.paused,
                    None => return false,
                }
            }
        };
        std::mem::replace(place, paused) != paused
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn paused(&self) -> impl Iterator<Item = Arc<str>> + '_ {
        let paused = self.queues.iter().filter(|queue| queue.paused);
        paused.map(|queue| match &queue.name {
            Some(name) => Arc::clone(name),
            None => DEFAULT_QUEUE.into(),
        })
    }

    /// Everybody's rank has changed.
    pub(super) fn rank_anew(&mut self, entries: &BTreeMap<u64, Box<LiveTask>>) {
        for queue in &mut self.queues {
            queue.ready = IdBitmap::default();
        }
        for lane in self.lanes.values_mut() {
            lane.waiting.clear();
        }
        for (id, entry) in entries {
            // What was handed over is in nobody's queue.
            if entry.state == State::Queued && entry.run == 0 {
                self.put_in(*id, entry);
            }
        }
    }

    /// How many are ready or wait for their lane.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let ready: usize = self.queues.iter().map(|queue| queue.ready.len()).sum();
        let waiting: usize = self.lanes.values().map(|lane| lane.waiting.len()).sum();
        ready + waiting
    }
}
