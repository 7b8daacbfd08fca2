//! One thing done to many tasks, a page in each round, so that nothing else has to wait.

use tokio::sync::oneshot;

use crate::queue::{
    broker::{BrokerError, BulkAction, BulkOutcome},
    query::{Filter, From, Order, Page, Query},
};

/// Tasks of one round.
const PAGE: usize = 256;

type TryResponder = oneshot::Sender<Result<BulkOutcome, BrokerError>>;

/// A deed that is under way: how far it has come, and who waits for it.
pub(super) struct BulkJob {
    pub(super) deed: BulkAction,
    query: Query,
    so_far: BulkOutcome,
    answer: TryResponder,
}

/// What follows a page.
pub(super) enum Next {
    /// Another page.
    More(Box<BulkJob>),
    /// Nothing: this is what came of it, and who is to be told.
    Over(BulkOutcome, TryResponder),
}

impl BulkJob {
    pub(super) fn new(deed: BulkAction, filter: Filter, answer: TryResponder) -> Self {
        Self {
            deed,
            query: Query {
                filter: filter.within(deed.applies_to()),
                order: Order::Oldest,
                from: From::First,
                limit: PAGE,
            },
            so_far: BulkOutcome::default(),
            answer,
        }
    }

    /// The next page that it is to be done to.
    pub(super) const fn query(&self) -> &Query {
        &self.query
    }

    /// It cannot go on.
    pub(super) fn fail(self, why: BrokerError) {
        self.answer.send(Err(why)).ok();
    }

    /// It was done to a page.
    pub(super) fn turn(mut self, page: &Page, done: BulkOutcome) -> Next {
        self.so_far.done += done.done;
        self.so_far.skipped += done.skipped;
        let full = page.tasks.len() == PAGE;
        let last = page.tasks.last().filter(|_| full);
        let last = last.map(|task| Order::Oldest.cursor(task));
        match page.more_from.or(last) {
            Some(cursor) => {
                self.query.from = From::After(cursor);
                Next::More(Box::new(self))
            }
            None => Next::Over(self.so_far, self.answer),
        }
    }
}
