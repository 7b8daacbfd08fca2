//! A bulk action: one page of tasks in each round, so that nothing else has to wait.

use super::command::TryResponder;
use crate::queue::{
    broker::{BulkAction, BulkOutcome},
    error::BrokerError,
    query::{Filter, Order, Page, PageStart, Query},
};

/// The tasks of one round.
pub(super) const PAGE_SIZE: usize = 256;

/// A bulk action in progress.
pub(super) struct BulkJob {
    pub(super) action: BulkAction,
    query: Query,
    outcome: BulkOutcome,
    reply: TryResponder<BulkOutcome>,
}

/// The state of a bulk action after a page.
pub(super) enum Next {
    /// Another page follows.
    Continue(Box<BulkJob>),
    /// It is finished, with this outcome.
    Finished(BulkOutcome, TryResponder<BulkOutcome>),
}

impl BulkJob {
    pub(super) fn new(
        action: BulkAction,
        filter: Filter,
        reply: TryResponder<BulkOutcome>,
    ) -> Self {
        Self {
            action,
            query: Query {
                filter: filter.within(action.applies_to()),
                order: Order::Oldest,
                from: PageStart::First,
                limit: PAGE_SIZE,
            },
            outcome: BulkOutcome::default(),
            reply,
        }
    }

    /// The query of the next page.
    pub(super) const fn query(&self) -> &Query {
        &self.query
    }

    /// Ends the action with an error.
    pub(super) fn fail(self, error: BrokerError) {
        self.reply.send(Err(error)).ok();
    }

    /// Adds the outcome of a page.
    pub(super) fn add_page(mut self, page: &Page, outcome: BulkOutcome) -> Next {
        self.outcome.done += outcome.done;
        self.outcome.skipped += outcome.skipped;
        let more = page.resume_at.is_some() || page.rows.len() == PAGE_SIZE;
        match self.query.next_page(page).filter(|_| more) {
            Some(next) => {
                self.query.from = next;
                Next::Continue(Box::new(self))
            }
            None => Next::Finished(self.outcome, self.reply),
        }
    }
}
