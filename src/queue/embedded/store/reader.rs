//! The thread that executes reads: a search through a million tasks delays neither submits nor workers.
//! Reads take turns in steps, so none of them waits until another is complete, and a page does not wait
//! for a scan. A read for which nobody waits any more ends with the step that it is in.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use super::reads::ActiveRead;
use crate::{
    cause::Cause,
    queue::{
        error::BrokerError,
        index::{
            rows::{Rows, StorageError},
            step::{STEP, StepLimits},
        },
    },
};

/// The most reads that wait or are in progress; further ones are rejected.
const MAX_READS: usize = 1_024;

/// The rows of a store, as the thread sees them.
pub(super) trait RowSource: Send + 'static {
    /// Calls `read` with the rows as of the last commit.
    fn with_rows(&mut self, read: &mut dyn FnMut(&dyn Rows)) -> Result<(), StorageError>;
}

/// The reader thread and its reads.
#[derive(Debug)]
pub(super) struct Reader {
    reads: Arc<ReadQueue>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub(super) fn start(mut source: impl RowSource) -> Result<Self, StorageError> {
        let reads = Arc::new(ReadQueue::default());
        let queue = Arc::clone(&reads);
        let thread = std::thread::Builder::new()
            .name("reader".into())
            .spawn(move || while queue.step_next(&mut source, STEP) {})
            .map_err(|e| StorageError(Cause::in_context("cannot start the reader thread", e)))?;
        Ok(Self {
            reads,
            thread: Some(thread),
        })
    }

    /// Executes a read on the thread; rejects it when there are too many.
    pub(super) fn read(&self, read: Box<dyn ActiveRead>) {
        self.reads.add(read);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.reads.close();
        if let Some(thread) = self.thread.take() {
            // It ends after the step that it is in.
            thread.join().ok();
        }
    }
}

/// The reads that wait for their next step.
#[derive(Debug, Default)]
struct ReadQueue {
    state: Mutex<QueueState>,
    arrived: Condvar,
}

#[derive(Default)]
struct QueueState {
    /// Reads of a limited work, and those whose work grows with the number of tasks.
    short: VecDeque<Box<dyn ActiveRead>>,
    scans: VecDeque<Box<dyn ActiveRead>>,
    /// The next turn is that of a scan.
    scan_next: bool,
    closed: bool,
}

impl QueueState {
    fn len(&self) -> usize {
        self.short.len() + self.scans.len()
    }

    fn push(&mut self, read: Box<dyn ActiveRead>) {
        if read.is_scan() {
            self.scans.push_back(read);
        } else {
            self.short.push_back(read);
        }
    }

    /// The read whose turn it is: short reads and scans take turns.
    fn pop(&mut self) -> Option<Box<dyn ActiveRead>> {
        self.scan_next = !self.scan_next;
        let (first, second) = if self.scan_next {
            (&mut self.short, &mut self.scans)
        } else {
            (&mut self.scans, &mut self.short)
        };
        first.pop_front().or_else(|| second.pop_front())
    }
}

impl std::fmt::Debug for QueueState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QueueState({} reads)", self.len())
    }
}

impl ReadQueue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, read: Box<dyn ActiveRead>) {
        let mut state = self.state();
        if state.closed {
            return read.reject(BrokerError::Closed);
        }
        if state.len() >= MAX_READS {
            state.scans.retain(|read| !read.is_abandoned());
            state.short.retain(|read| !read.is_abandoned());
        }
        if state.len() >= MAX_READS {
            return read.reject(BrokerError::Busy);
        }
        state.push(read);
        drop(state);
        self.arrived.notify_one();
    }

    /// Rejects every read that waits, and all later ones.
    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        while let Some(read) = state.pop() {
            read.reject(BrokerError::Closed);
        }
        drop(state);
        self.arrived.notify_all();
    }

    /// Waits for a read and does its next step; returns false when the queue is closed.
    fn step_next(&self, source: &mut impl RowSource, limits: StepLimits) -> bool {
        let mut state = self.state();
        let read = loop {
            if state.closed {
                return false;
            }
            match state.pop() {
                Some(read) => break read,
                None => {
                    let waited = self.arrived.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        drop(state);
        if read.is_abandoned() {
            return true;
        }
        let mut read = Some(read);
        let stepped = source.with_rows(&mut |rows| {
            read = read.take().and_then(|read| read.step(rows, limits));
        });
        match (read, stepped) {
            (None, _) => {}
            (Some(read), Err(StorageError(why))) => read.reject(BrokerError::Storage(why)),
            (Some(read), Ok(())) => {
                let mut state = self.state();
                if state.closed {
                    read.reject(BrokerError::Closed);
                } else {
                    state.push(read);
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, cell::Cell, rc::Rc, time::Duration};

    use tokio::sync::oneshot::{self, error::TryRecvError};

    use super::*;
    use crate::queue::{
        clock::Timestamp,
        embedded::store::reads::{ReadRequest, ReadResponder},
        id::TaskId,
        index::{
            row::Row,
            rows::{KeyRange, Running, Scan, ScanIter},
            table::Table,
        },
        query::{Filter, Query},
        stats::Count,
        task::Attempt,
    };

    /// Rows that count those which a step has examined.
    struct CountingRows {
        table: Table,
        examined: Rc<Cell<usize>>,
    }

    impl Rows for CountingRows {
        fn row(&self, id: u64) -> Result<Option<Cow<'_, Row>>, StorageError> {
            self.table.row(id)
        }

        fn attempts(&self, id: u64) -> Result<Vec<Attempt>, StorageError> {
            self.table.attempts(id)
        }

        fn scan(&self, scan: Scan, range: KeyRange, descending: bool) -> ScanIter<'_> {
            let rows = self.table.scan(scan, range, descending);
            Box::new(rows.inspect(|_| self.examined.set(self.examined.get() + 1)))
        }
    }

    /// A table whose steps are done by hand.
    struct Steps {
        queue: ReadQueue,
        source: TableSource,
        limits: StepLimits,
    }

    struct TableSource {
        table: Table,
        examined: usize,
    }

    impl RowSource for TableSource {
        fn with_rows(&mut self, read: &mut dyn FnMut(&dyn Rows)) -> Result<(), StorageError> {
            let examined = Rc::new(Cell::new(0));
            let rows = CountingRows {
                table: std::mem::take(&mut self.table),
                examined: Rc::clone(&examined),
            };
            read(&rows);
            self.table = rows.table;
            self.examined = examined.get();
            Ok(())
        }
    }

    impl Steps {
        fn new(rows: u64) -> Self {
            let mut table = Table::default();
            for id in 1..=rows {
                let row = Row::new(id, "add".into(), "[2,3]".into(), Timestamp(id));
                table.insert(Box::new(row));
            }
            Self {
                queue: ReadQueue::default(),
                source: TableSource { table, examined: 0 },
                limits: StepLimits {
                    rows: 100,
                    bytes: usize::MAX,
                    time: Duration::MAX,
                },
            }
        }

        fn begin<T>(
            &self,
            request: impl FnOnce(ReadResponder<T>) -> ReadRequest,
        ) -> oneshot::Receiver<Result<T, BrokerError>> {
            let (sender, reply) = oneshot::channel();
            self.queue
                .add(request(sender).begin(Arc::new(Running::new())));
            reply
        }

        /// Does one step, and returns the number of rows that it examined.
        fn step(&mut self) -> usize {
            self.source.examined = 0;
            assert!(self.queue.step_next(&mut self.source, self.limits));
            self.source.examined
        }
    }

    fn searched(word: &str) -> Filter {
        Filter {
            contains: vec![word.to_owned()],
            ..Filter::default()
        }
    }

    #[test]
    fn a_count_examines_a_limited_number_of_rows_in_each_step() {
        let mut steps = Steps::new(1_050);
        let mut count = steps.begin(|reply| ReadRequest::Count(searched("add"), reply));
        for _ in 0..10 {
            // The row behind the last one is fetched to see that there are more.
            assert_eq!(steps.step(), 101);
            assert_eq!(count.try_recv(), Err(TryRecvError::Empty));
        }
        assert_eq!(steps.step(), 50);
        assert_eq!(count.try_recv(), Ok(Ok(Count::Exact(1_050))));
    }

    #[test]
    fn a_step_ends_after_a_limited_number_of_bytes() {
        let mut steps = Steps::new(200);
        steps.limits.bytes = 1;
        let mut count = steps.begin(|reply| ReadRequest::Count(searched("add"), reply));
        for _ in 0..199 {
            assert!(steps.step() <= 2, "one row, and the next one is fetched");
            assert_eq!(count.try_recv(), Err(TryRecvError::Empty));
        }
        steps.step();
        assert_eq!(count.try_recv(), Ok(Ok(Count::Exact(200))));
    }

    #[test]
    fn an_abandoned_count_stops_after_the_step_it_is_in() {
        let mut steps = Steps::new(1_000);
        let count = steps.begin(|reply| ReadRequest::Count(searched("add"), reply));
        let other = steps.begin(|reply| ReadRequest::Count(searched("mul"), reply));
        assert_eq!((steps.step(), steps.step()), (101, 101));
        drop((count, other));
        assert_eq!((steps.step(), steps.step()), (0, 0));
        assert_eq!(steps.queue.state().len(), 0);
    }

    #[test]
    fn a_page_does_not_wait_for_the_counts_before_it() {
        let mut steps = Steps::new(1_000);
        let counts: Vec<_> = (0..20)
            .map(|_| steps.begin(|reply| ReadRequest::Count(searched("add"), reply)))
            .collect();
        let query = Query {
            limit: 10,
            ..Query::default()
        };
        let mut page = steps.begin(|reply| ReadRequest::List(query, reply));
        let mut task = steps.begin(|reply| ReadRequest::Get(TaskId::Sequence(7), reply));
        for _ in 0..4 {
            steps.step();
        }
        assert_eq!(
            page.try_recv().expect("replied").expect("reads").rows.len(),
            10
        );
        assert!(task.try_recv().expect("replied").expect("reads").is_some());
        drop(counts);
    }

    #[test]
    fn every_read_has_a_reply_when_the_queue_is_full_or_closed() {
        let mut steps = Steps::new(1_000);
        let mut counts: Vec<_> = (0..MAX_READS)
            .map(|_| steps.begin(|reply| ReadRequest::Count(searched("add"), reply)))
            .collect();
        let mut refused = steps.begin(ReadRequest::FailureGroups);
        assert_eq!(refused.try_recv(), Ok(Err(BrokerError::Busy)));
        // A caller that has left makes room.
        drop(counts.pop());
        let mut groups = steps.begin(ReadRequest::FailureGroups);
        assert_eq!(groups.try_recv(), Err(TryRecvError::Empty));
        steps.step();
        steps.queue.close();
        assert!(!steps.queue.step_next(&mut steps.source, steps.limits));
        for mut count in counts {
            assert_eq!(count.try_recv(), Ok(Err(BrokerError::Closed)));
        }
        assert_eq!(groups.try_recv(), Ok(Err(BrokerError::Closed)));
        let mut late = steps.begin(ReadRequest::FailureGroups);
        assert_eq!(late.try_recv(), Ok(Err(BrokerError::Closed)));
    }
}
