//! Bulk actions in progress. An action alternates between two steps: the reader thread finds the next
//! candidates, and the dispatcher applies the action to a limited number of them in each round.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::command::TryResponder;
use crate::queue::{
    broker::{BulkAction, BulkOutcome},
    embedded::store::reads::CandidateRequest,
    error::BrokerError,
    index::page::{Candidate, Candidates},
    query::Filter,
};

/// The most bulk actions at a time; further ones are rejected.
pub(super) const MAX_BULK_ACTIONS: usize = 16;
/// The most candidates that are found at once, and the most to which one round applies an action.
pub(super) const PAGE_SIZE: usize = 256;
/// The bytes of texts of the tasks of one round, but for the first.
const ROUND_BYTES: usize = 1 << 20;
/// The longest time for which one round applies an action.
const ROUND_TIME: Duration = Duration::from_millis(5);

/// A bulk action in progress.
pub(super) struct BulkJob {
    number: u64,
    pub(super) action: BulkAction,
    pub(super) filter: Arc<Filter>,
    pub(super) outcome: BulkOutcome,
    pub(super) reply: TryResponder<BulkOutcome>,
    /// Candidates to which the action has not been applied yet.
    found: VecDeque<Candidate>,
    /// The source of the next candidates.
    rest: Rest,
}

/// The candidates that have not been found yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Those after this task, or all of them.
    After(Option<u64>),
    /// The reader thread looks for them.
    Requested,
    /// There are none.
    Nothing,
}

impl BulkJob {
    /// Returns true when nobody waits for the outcome any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    /// Returns true when the action was applied to every candidate.
    pub(super) fn is_finished(&self) -> bool {
        self.found.is_empty() && self.rest == Rest::Nothing
    }

    /// Returns the next candidate.
    pub(super) fn next_candidate(&mut self) -> Option<Candidate> {
        self.found.pop_front()
    }
}

/// The rest of the work of one round.
#[derive(Debug)]
pub(super) struct RoundBudget {
    tasks: usize,
    bytes: usize,
    until: Option<Instant>,
}

impl RoundBudget {
    pub(super) fn begin() -> Self {
        Self {
            tasks: PAGE_SIZE,
            bytes: ROUND_BYTES,
            until: Instant::now().checked_add(ROUND_TIME),
        }
    }

    /// Takes a candidate from the budget.
    pub(super) const fn spend(&mut self, candidate: &Candidate) {
        self.tasks = self.tasks.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(candidate.bytes);
    }

    pub(super) fn is_spent(&self) -> bool {
        self.tasks == 0 || self.bytes == 0 || self.until.is_some_and(|at| Instant::now() >= at)
    }
}

/// All bulk actions in progress; they take turns.
#[derive(Default)]
pub(super) struct BulkJobs {
    jobs: VecDeque<BulkJob>,
    last_number: u64,
}

impl BulkJobs {
    /// Adds an action, or rejects it when there are too many.
    pub(super) fn add(
        &mut self,
        action: BulkAction,
        filter: Filter,
        reply: TryResponder<BulkOutcome>,
    ) {
        self.jobs.retain(|job| !job.is_abandoned());
        if self.jobs.len() >= MAX_BULK_ACTIONS {
            reply.send(Err(BrokerError::Busy)).ok();
            return;
        }
        self.last_number += 1;
        self.jobs.push_back(BulkJob {
            number: self.last_number,
            action,
            filter: Arc::new(filter.within(action.applies_to())),
            outcome: BulkOutcome::default(),
            reply,
            found: VecDeque::new(),
            rest: Rest::After(None),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Returns true if an action has candidates, or can request them.
    pub(super) fn has_work(&self) -> bool {
        let idle = |job: &BulkJob| job.found.is_empty() && job.rest == Rest::Requested;
        !self.jobs.iter().all(idle)
    }

    /// Removes and returns the next action that has candidates; it is put back with
    /// [`BulkJobs::put_back`].
    pub(super) fn take_ready(&mut self) -> Option<BulkJob> {
        let ready = |job: &BulkJob| !job.found.is_empty() || job.is_finished();
        let at = self.jobs.iter().position(ready)?;
        self.jobs.remove(at)
    }

    /// Adds an action behind the others.
    pub(super) fn put_back(&mut self, job: BulkJob) {
        self.jobs.push_back(job);
    }

    /// Adds the candidates that were found for an action, or removes and returns the action when that
    /// failed.
    pub(super) fn add_candidates(
        &mut self,
        number: u64,
        candidates: Result<Candidates, BrokerError>,
    ) -> Option<(BulkJob, BrokerError)> {
        // An action that was abandoned has been removed.
        let at = self.jobs.iter().position(|job| job.number == number)?;
        match candidates {
            Ok(candidates) => {
                let job = self.jobs.get_mut(at)?;
                job.found = candidates.found.into();
                job.rest = match candidates.resume_after {
                    Some(id) => Rest::After(Some(id)),
                    None => Rest::Nothing,
                };
                None
            }
            Err(error) => Some((self.jobs.remove(at)?, error)),
        }
    }

    /// Returns a request for each action that needs more candidates, with its number. Actions for which
    /// nobody waits any more end here.
    pub(super) fn take_requests(&mut self) -> Vec<(u64, CandidateRequest)> {
        self.jobs.retain(|job| !job.is_abandoned());
        let requests = self.jobs.iter_mut().filter_map(|job| {
            let Rest::After(after) = job.rest else {
                return None;
            };
            if !job.found.is_empty() {
                return None;
            }
            job.rest = Rest::Requested;
            let request = CandidateRequest {
                filter: Arc::clone(&job.filter),
                after,
                limit: PAGE_SIZE,
            };
            Some((job.number, request))
        });
        requests.collect()
    }

    /// Removes and returns all actions.
    pub(super) fn take_all(&mut self) -> VecDeque<BulkJob> {
        std::mem::take(&mut self.jobs)
    }
}
