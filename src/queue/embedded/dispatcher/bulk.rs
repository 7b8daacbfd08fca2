//! Bulk actions: in each round the action is applied to some of the candidates that the reader thread
//! has found. The reader thread saw the tasks as of an earlier commit, so each of them is looked at again.

use std::sync::Arc;

use super::Dispatcher;
use crate::queue::{
    broker::BulkAction,
    embedded::{
        bulk::{BulkJob, RoundBudget},
        command::PendingReply,
        store::{
            StoreChange,
            reads::{CandidatePage, CandidateResponder, ReadRequest},
        },
    },
    error::BrokerError,
    id::TaskId,
    index::{page::Candidate, rows::StorageError},
    query::Filter,
    state::Transition,
};

impl Dispatcher {
    /// Returns true if a bulk action can do its next step. While a commit fails it waits, so the changes
    /// of one step at most are pending.
    pub(super) fn is_bulk_ready(&self) -> bool {
        self.changes.is_empty() && self.bulk_jobs.has_work()
    }

    /// Handles candidates that the reader thread has found.
    pub(super) fn receive_candidates(&mut self, page: CandidatePage) {
        let failed = self.bulk_jobs.add_candidates(page.job, page.candidates);
        if let Some((job, error)) = failed {
            self.stop_bulk_job(job, error);
        }
    }

    /// Applies the next bulk action to its next candidates.
    pub(super) fn step_bulk_job(&mut self) {
        let Some(mut job) = self.bulk_jobs.take_ready() else {
            return;
        };
        // The caller has left: the other tasks stay as they are.
        if job.is_abandoned() {
            return;
        }
        let mut budget = RoundBudget::begin();
        let mut purged = Vec::new();
        while !budget.is_spent()
            && let Some(candidate) = job.next_candidate()
        {
            budget.spend(&candidate);
            match self.apply_to_candidate(job.action, &candidate, &job.filter) {
                Ok(()) if job.action == BulkAction::Purge => {
                    purged.push(candidate.id);
                    job.outcome.done += 1;
                }
                Ok(()) => job.outcome.done += 1,
                Err(BrokerError::Storage(why)) => {
                    self.purge(purged);
                    return self.stop_bulk_job(job, BrokerError::Storage(why));
                }
                Err(why) => job.outcome.skip(why),
            }
        }
        self.purge(purged);
        if job.is_finished() {
            let reply = PendingReply::BulkDone(job.outcome, job.reply);
            self.replies.push(reply);
        } else {
            self.bulk_jobs.put_back(job);
        }
    }

    /// Applies an action to one task, if it still matches; purging only checks that.
    fn apply_to_candidate(
        &mut self,
        action: BulkAction,
        candidate: &Candidate,
        filter: &Filter,
    ) -> Result<(), BrokerError> {
        let id = TaskId::Sequence(candidate.id);
        if !self.still_matches(candidate, filter)? {
            return Err(BrokerError::NotFound(id));
        }
        match action {
            BulkAction::Purge => Ok(()),
            BulkAction::Cancel => self.cancel(id).map(drop),
            BulkAction::Retry => self.requeue(id, Transition::Retry).map(drop),
        }
    }

    /// Returns true if a candidate has not changed since it was read, or still matches the filter.
    fn still_matches(
        &mut self,
        candidate: &Candidate,
        filter: &Filter,
    ) -> Result<bool, BrokerError> {
        let id = candidate.id;
        let unchanged = match self.core.state_and_attempts(id) {
            Some(now) => now == (candidate.state, candidate.attempts),
            None if self.has_pending_change(id) => false,
            None => {
                let finished_at = self.store.finished_at(id);
                let finished_at =
                    finished_at.map_err(|StorageError(why)| BrokerError::Storage(why))?;
                finished_at.is_some() && finished_at == candidate.finished_at
            }
        };
        if unchanged {
            return Ok(true);
        }
        match self.current_row(&TaskId::Sequence(id)) {
            Ok(row) => Ok(row.matches(filter, self.core.running_info(id).as_ref())),
            Err(BrokerError::NotFound(_)) => Ok(false),
            Err(why) => Err(why),
        }
    }

    fn purge(&mut self, ids: Vec<u64>) {
        if !ids.is_empty() {
            self.purged += ids.len();
            self.push_change(StoreChange::Delete(ids));
        }
    }

    /// Requests the next candidates of every action that has none. All changes of earlier steps are
    /// committed, so they are up to date.
    pub(super) fn request_candidates(&mut self) {
        if self.bulk_jobs.is_empty() || !self.changes.is_empty() {
            return;
        }
        let requests = self.bulk_jobs.take_requests();
        if requests.is_empty() {
            return;
        }
        let running = Arc::new(self.running());
        for (job, request) in requests {
            let responder = CandidateResponder {
                job,
                pages: self.candidate_sender.clone(),
            };
            let request = ReadRequest::Candidates(request, responder);
            self.store.read(request.begin(Arc::clone(&running)));
        }
    }

    /// Ends every bulk action between two steps, when the engine stops.
    pub(super) fn stop_bulk_jobs(&mut self) {
        for job in self.bulk_jobs.take_all() {
            self.stop_bulk_job(job, BrokerError::Closed);
        }
    }

    /// Ends a bulk action with an error that says how much was done.
    fn stop_bulk_job(&mut self, job: BulkJob, error: BrokerError) {
        let reply = PendingReply::BulkStopped(job.outcome, error, job.reply);
        self.replies.push(reply);
    }
}
