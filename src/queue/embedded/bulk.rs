//! One thing done to many tasks, a page in each round, so that nothing else has to wait.

use super::dispatcher::Rounds;
use crate::queue::{
    broker::{BrokerError, Bulk, Deed},
    query::{Filter, From, Order, Query},
    store::StoreError,
    task::{Step, TaskId},
};

/// Tasks of one round.
const PAGE: usize = 256;

/// A deed that is under way.
pub(super) struct BulkJob {
    deed: Deed,
    query: Query,
    so_far: Bulk,
    answer: tokio::sync::oneshot::Sender<Result<Bulk, BrokerError>>,
}

impl BulkJob {
    pub(super) fn new(
        deed: Deed,
        filter: Filter,
        answer: tokio::sync::oneshot::Sender<Result<Bulk, BrokerError>>,
    ) -> Self {
        Self {
            deed,
            query: Query {
                filter: filter.within(deed.applies_to()),
                order: Order::Oldest,
                from: From::First,
                limit: PAGE,
            },
            so_far: Bulk::default(),
            answer,
        }
    }

    /// Does a page; answers what is left to do.
    pub(super) fn step(mut self, rounds: &mut Rounds) -> Option<Self> {
        // What this very round has changed is to be seen.
        rounds.settle();
        let running = rounds.running();
        let page = match rounds.store.list(&running, &self.query) {
            Ok(page) => page,
            Err(StoreError(why)) => {
                self.answer.send(Err(BrokerError::Unreadable(why))).ok();
                return None;
            }
        };
        let last = page.tasks.last().map(|task| Order::Oldest.cursor(task));
        let full = page.tasks.len() == PAGE;
        let ids: Vec<TaskId> = page.tasks.iter().map(|task| task.id).collect();
        self.act(rounds, &ids);
        match page.more_from.or(last.filter(|_| full)) {
            Some(cursor) => {
                self.query.from = From::After(cursor);
                Some(self)
            }
            None => {
                rounds.hold_bulk(self.so_far, self.answer);
                None
            }
        }
    }

    fn act(&mut self, rounds: &mut Rounds, ids: &[TaskId]) {
        if self.deed == Deed::Purge {
            if !ids.is_empty() {
                self.so_far.done += ids.len();
                let ids = ids.iter().filter_map(|id| u64::try_from(id.0).ok());
                rounds.forget(ids.collect());
            }
            return;
        }
        for id in ids {
            let done = match self.deed {
                Deed::Cancel => rounds.cancel(*id),
                Deed::Retry | Deed::Purge => rounds.bring_back(*id, Step::Retry),
            };
            match done {
                Ok(_) => self.so_far.done += 1,
                Err(_refused) => self.so_far.skipped += 1,
            }
        }
    }
}
