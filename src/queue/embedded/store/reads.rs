//! Read requests, and their execution in steps on any kind of rows.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::queue::{
    error::{BrokerError, FailureGroup},
    id::TaskId,
    index::{
        groups::GroupRead,
        page::{CandidateRead, Candidates, CountRead, PageRead, TaskRead},
        rows::{Rows, Running, StorageError},
        step::{Budget, Progress, StepLimits, SteppedRead},
    },
    query::{Filter, Page, Query},
    stats::Count,
    task::Task,
};

/// The sender of a reply to a read.
pub(in crate::queue) type ReadResponder<T> = oneshot::Sender<Result<T, BrokerError>>;

/// The next candidates of a bulk action, or the error that ends it.
pub(in crate::queue) struct CandidatePage {
    /// The number of the bulk action.
    pub(in crate::queue) job: u64,
    pub(in crate::queue) candidates: Result<Candidates, BrokerError>,
}

/// The sender of the candidates of one bulk action.
pub(in crate::queue) struct CandidateResponder {
    pub(in crate::queue) job: u64,
    pub(in crate::queue) pages: async_channel::Sender<CandidatePage>,
}

/// A read of tasks, with the sender of its reply.
pub(in crate::queue) enum ReadRequest {
    Get(TaskId, ReadResponder<Option<Task>>),
    List(Query, ReadResponder<Page>),
    Count(Filter, ReadResponder<Count>),
    FailureGroups(ReadResponder<Vec<FailureGroup>>),
    Candidates(CandidateRequest, CandidateResponder),
}

/// A request for the next candidates of a bulk action.
pub(in crate::queue) struct CandidateRequest {
    pub(in crate::queue) filter: Arc<Filter>,
    /// The last task of the candidates before.
    pub(in crate::queue) after: Option<u64>,
    pub(in crate::queue) limit: usize,
}

impl ReadRequest {
    /// Begins the read, with the runs as they are now.
    pub(in crate::queue) fn begin(self, running: Arc<Running>) -> Box<dyn ActiveRead> {
        match self {
            Self::Get(id, reply) => begin(TaskRead::new(id), running, reply),
            Self::List(query, reply) => begin(PageRead::new(query), running, reply),
            Self::Count(filter, reply) => begin(CountRead::new(filter), running, reply),
            Self::FailureGroups(reply) => begin(GroupRead::new(), running, reply),
            Self::Candidates(request, reply) => {
                let read = CandidateRead::new(request.filter, request.after, request.limit);
                begin(read, running, reply)
            }
        }
    }
}

fn begin<R, S>(read: R, running: Arc<Running>, reply: S) -> Box<dyn ActiveRead>
where
    R: SteppedRead + 'static,
    S: ReplySender<R::Output> + Send + 'static,
{
    Box::new(RepliedRead {
        read,
        running,
        reply,
    })
}

/// A read in progress, with the sender of its reply.
pub(in crate::queue) trait ActiveRead: Send {
    /// True for a read whose work grows with the number of tasks.
    fn is_scan(&self) -> bool;

    /// True when nobody waits for the reply any more.
    fn is_abandoned(&self) -> bool;

    /// Does one step; returns the read unless it has replied.
    fn step(self: Box<Self>, rows: &dyn Rows, limits: StepLimits) -> Option<Box<dyn ActiveRead>>;

    /// Replies with an error.
    fn reject(self: Box<Self>, error: BrokerError);
}

/// The receiving end of a read.
trait ReplySender<T> {
    fn send_reply(self, reply: Result<T, BrokerError>);

    fn is_abandoned(&self) -> bool;
}

impl<T> ReplySender<T> for ReadResponder<T> {
    fn send_reply(self, reply: Result<T, BrokerError>) {
        // A caller that no longer waits for it is no error.
        self.send(reply).ok();
    }

    fn is_abandoned(&self) -> bool {
        self.is_closed()
    }
}

impl ReplySender<Candidates> for CandidateResponder {
    fn send_reply(self, candidates: Result<Candidates, BrokerError>) {
        let page = CandidatePage {
            job: self.job,
            candidates,
        };
        // There is room for one page of each action; the channel is closed when the engine has stopped.
        self.pages.try_send(page).ok();
    }

    fn is_abandoned(&self) -> bool {
        self.pages.is_closed()
    }
}

struct RepliedRead<R, S> {
    read: R,
    running: Arc<Running>,
    reply: S,
}

impl<R, S> ActiveRead for RepliedRead<R, S>
where
    R: SteppedRead + 'static,
    S: ReplySender<R::Output> + Send + 'static,
{
    fn is_scan(&self) -> bool {
        R::IS_SCAN
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }

    fn step(
        mut self: Box<Self>,
        rows: &dyn Rows,
        limits: StepLimits,
    ) -> Option<Box<dyn ActiveRead>> {
        let mut budget = Budget::begin(limits);
        match self.read.step(rows, &self.running, &mut budget) {
            Ok(Progress::Paused) => return Some(self),
            Ok(Progress::Complete) => self.reply.send_reply(Ok(self.read.finish())),
            Err(StorageError(why)) => self.reply.send_reply(Err(BrokerError::Storage(why))),
        }
        None
    }

    fn reject(self: Box<Self>, error: BrokerError) {
        self.reply.send_reply(Err(error));
    }
}
