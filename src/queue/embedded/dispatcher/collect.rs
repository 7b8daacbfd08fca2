//! The first phase of a round: waiting for input, and collecting a batch of it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{
    BATCH, CLOCK_CHECK, Dispatcher, DispatcherCommand, PERSIST_RETRY, RETENTION_INTERVAL,
    SPIN_LIMIT,
};
use crate::queue::{
    clock::Timestamp, embedded::store::reads::CandidatePage, executor::job::WorkerReport,
};

/// The input of a decision.
pub(super) enum Message {
    Command(DispatcherCommand),
    Report(WorkerReport),
    Candidates(CandidatePage),
}

impl Dispatcher {
    /// Collects the input of a round: everything that has arrived, up to [`BATCH`] messages.
    pub(super) fn collect(&mut self) {
        while self.inbox.len() < BATCH
            && let Some(message) = self.try_receive()
        {
            self.inbox.push(message);
        }
    }

    /// The next message, if there is one; reports come first.
    fn try_receive(&self) -> Option<Message> {
        if let Ok(report) = self.reports.try_recv() {
            return Some(Message::Report(report));
        }
        if !self.bulk_jobs.is_empty()
            && let Ok(page) = self.candidates.try_recv()
        {
            return Some(Message::Candidates(page));
        }
        self.commands.try_recv().map(Message::Command).ok()
    }

    /// Waits until there is a reason for a round; returns false when all handles are dropped.
    ///
    /// While tasks end, the next report is microseconds away: polling a few times costs less than to
    /// sleep and be woken, here and for the worker that would have to wake this thread for every task.
    pub(super) async fn wait(&mut self) -> bool {
        if self.core.has_output() {
            return true;
        }
        if !self.bulk_jobs.is_empty() {
            // Others get their turn between two steps.
            tokio::task::yield_now().await;
            if self.is_bulk_ready() {
                return true;
            }
        }
        if self.ended_runs > 0 {
            for _ in 0..SPIN_LIMIT {
                std::thread::yield_now();
                if let Some(message) = self.try_receive() {
                    self.inbox.push(message);
                    return true;
                }
            }
        }
        let at = self.next_alarm();
        let timer = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let grace = async {
            match &self.shutdown {
                Some(shutdown) => sleep_until(shutdown.deadline).await,
                None => std::future::pending().await,
            }
        };
        let received = tokio::select! {
            biased;
            report = self.reports.recv() => report.map(Message::Report),
            command = self.commands.recv() => command.map(Message::Command),
            page = self.candidates.recv() => page.map(Message::Candidates),
            () = timer => return true,
            () = grace => return true,
        };
        match received {
            Ok(message) => {
                self.inbox.push(message);
                true
            }
            Err(_closed) => false,
        }
    }

    /// The time of the next round without input. A timer does not notice that the wall clock was set or that
    /// the machine slept, so no deadline is left to a timer for long.
    fn next_alarm(&self) -> Option<Instant> {
        let now = Instant::now();
        let until = |at: Timestamp, most: Duration| self.clock.instant(at).min(now + most);
        let due = self.core.next_deadline().map(|at| until(at, CLOCK_CHECK));
        let sweep = self
            .next_sweep
            .map(|at| self.retention_clock.wall_clock(at));
        let sweep = sweep.map(|at| until(at, RETENTION_INTERVAL));
        let persist = (!self.changes.is_empty()).then(|| now + PERSIST_RETRY);
        [due, sweep, persist].into_iter().flatten().min()
    }
}
