//! Whatever an engine returns fits into a frame.

use std::time::Duration;

use proptest::prelude::*;
use serde::Serialize;

use super::*;
use crate::{
    queue::{
        clock::Timestamp,
        options::{KeyPolicy, TaskKey},
        payload::Payload,
        query::{Order, PageStart},
        state::State,
        stats::{Buckets, Count, NameStats, Percentiles, StorageStats},
        storage::Damage,
        task::Attempt,
        timeline::{ActivityTimeline, Span},
        worker::{RunningTask, WorkerState},
    },
    value::Encoded,
};

/// The length of every text and the number of entries in every list of a state.
#[derive(Debug, Clone, Copy)]
struct Extent {
    text: usize,
    entries: usize,
}

/// Long texts in short lists, short texts in long lists, and everything between, within 4 MB.
fn extents() -> impl Strategy<Value = Extent> {
    (0_usize..5, 0_usize..3_000).prop_map(|(shape, entries)| {
        let text = [0, 150, 1_000, 20_000, 300_000][shape];
        Extent {
            text,
            entries: entries.min(4_000_000 / (text + 1)),
        }
    })
}

impl Extent {
    fn text<T: From<String>>(self) -> T {
        // Two bytes a character, so that no limit is at the end of one.
        T::from("é".repeat(self.text / 2))
    }

    fn list<T>(self, mut entry: impl FnMut() -> T) -> Vec<T> {
        (0..self.entries).map(|_| entry()).collect()
    }

    fn failure(self) -> TaskFailure {
        TaskFailure {
            kind: Some(self.text()),
            message: self.text(),
            traceback: Some(self.text()),
        }
    }

    /// A task with `attempts` in its history.
    fn task(self, attempts: usize) -> Task {
        let attempt = || Attempt {
            worker: Some(WorkerId::Named(self.text())),
            wait_time: Duration::MAX,
            started_at: Timestamp(u64::MAX),
            run_time: Duration::MAX,
            error: self.failure(),
        };
        Task {
            id: TaskId::External(self.text()),
            name: self.text(),
            payload: Payload::Json {
                args: Some(self.text()),
                kwargs: Some(self.text()),
            },
            state: State::Succeeded,
            native_state: Some(self.text()),
            cancelling: true,
            progress: None,
            queue: Some(self.text()),
            key: Some(TaskKey {
                text: self.text(),
                policy: KeyPolicy::Unique,
            }),
            priority: u8::MAX,
            attempts: u8::MAX,
            max_attempts: u8::MAX,
            crashes: u8::MAX,
            submitted_at: Timestamp(u64::MAX),
            due_at: Some(Timestamp(u64::MAX)),
            expires_at: Some(Timestamp(u64::MAX)),
            started_at: Some(Timestamp(u64::MAX)),
            finished_at: Some(Timestamp(u64::MAX)),
            wait_time: Some(Duration::MAX),
            run_time: Some(Duration::MAX),
            worker: Some(WorkerId::Named(self.text())),
            result: Some(self.text()),
            error: Some(self.failure()),
            attempts_history: (0..attempts).map(|_| attempt()).collect(),
        }
    }

    fn stats(self) -> Stats {
        Stats {
            counts: [usize::MAX; State::COUNT],
            paused_queues: self.list(|| self.text()),
            finished: [u64::MAX; State::COUNT],
            rate: self.list(|| u32::MAX),
            wait: percentiles(),
            run: percentiles(),
            names: self.list(|| NameStats {
                name: self.text(),
                succeeded: u64::MAX,
                failed: u64::MAX,
                wait: percentiles(),
                run: percentiles(),
            }),
            storage: Some(StorageStats {
                persist_error: Some(self.text()),
                ..StorageStats::default()
            }),
            ..Stats::default()
        }
    }

    fn worker(self) -> WorkerStatus {
        let mut timeline = ActivityTimeline::default();
        for n in 0..self.entries as u64 {
            let start = Timestamp(n * (u64::MAX >> 16));
            timeline.push(Span {
                tasks: u32::MAX,
                busy: Duration::from_micros(u64::MAX),
                ..Span::of_task(start, start)
            });
        }
        WorkerStatus {
            id: WorkerId::Named(self.text()),
            state: WorkerState::Stopping,
            current: Some(RunningTask {
                id: TaskId::External(self.text()),
                name: self.text(),
                since: Timestamp(u64::MAX),
                progress: None,
            }),
            done: u64::MAX,
            failed: u64::MAX,
            cancelled: u64::MAX,
            started_at: Timestamp(u64::MAX),
            timeline,
        }
    }
}

const fn percentiles() -> Percentiles {
    Percentiles {
        count: u64::MAX,
        p50: Duration::MAX,
        p95: Duration::MAX,
        p99: Duration::MAX,
        max: Duration::MAX,
    }
}

fn buckets(extent: Extent) -> Buckets {
    Buckets {
        within: extent.list(|| u64::MAX),
        seconds: f64::MAX,
    }
}

/// Encodes a reply as the server does.
fn check(what: &str, reply: &impl Serialize) -> Result<(), TestCaseError> {
    let encoded = Encoded::from_typed(reply);
    let encoded = encoded.map_err(|why| TestCaseError::fail(why.to_string()))?;
    // The first bytes are for the length of the frame, which does not count.
    let length = encoded.into_bytes_with_headroom().len() - 4;
    prop_assert!(length <= MAX_FRAME, "{what} has {length} bytes");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_reply_fits_into_a_frame(extent in extents()) {
        let mut task = extent.task(extent.entries.min(500));
        fit_task(&mut task);
        check("get", &Some(task))?;
        for from in [PageStart::First, PageStart::Last] {
            let query = Query { from, order: Order::Newest, limit: 1_000, ..Query::default() };
            let mut page: Page = extent.list(|| extent.task(1)).into_iter().take(1_000).collect();
            let all = page.rows.len();
            fit_page(&query, &mut page);
            prop_assert!(page.rows.len() == all || page.resume_at.is_some());
            prop_assert!(all == 0 || !page.rows.is_empty(), "it goes on");
            check("list", &page)?;
        }
        let mut groups = extent.list(|| FailureGroup {
            name: extent.text(),
            error: extent.failure(),
            count: usize::MAX,
            newest: TaskId::External(extent.text()),
            last: Timestamp(u64::MAX),
        });
        fit_groups(&mut groups);
        check("dead_letters", &groups)?;
        let mut stats = extent.stats();
        fit_stats(&mut stats);
        check("stats", &stats)?;
        let mut queues = extent.list(|| QueueStatus {
            name: extent.text(),
            depth: Count::AtLeast(usize::MAX),
            in_flight: Count::AtLeast(usize::MAX),
            consumers: Some(usize::MAX),
            paused: true,
        });
        fit_queues(&mut queues);
        check("queues", &queues)?;
        let short = Extent { entries: extent.entries.min(50), ..extent };
        let mut histograms = extent.list(|| NameHistograms {
            name: extent.text(),
            wait: buckets(short),
            run: buckets(short),
        });
        fit_histograms(&mut histograms);
        check("histograms", &histograms)?;
        let one = extent.worker();
        let mut workers = vec![one; extent.entries.min(1_500)];
        fit_workers(&mut workers);
        check("workers", &workers)?;
        let mut recovery = Recovery {
            waiting: usize::MAX,
            requeued: extent.list(|| TaskId::External(extent.text())),
            crashed: extent.list(|| TaskId::External(extent.text())),
            missing: None,
            damage: Some(Damage {
                error: extent.text(),
                moved_to: "tasks.db.damaged".into(),
                salvaged: usize::MAX,
                lost: usize::MAX,
                range: None,
            }),
        };
        fit_recovery(&mut recovery);
        check("about", &recovery)?;
        let mut events = extent.list(|| Event::Started {
            id: TaskId::External(extent.text()),
            name: extent.text(),
            worker: WorkerId::Named(extent.text()),
        });
        events.truncate(super::super::event_log::MAX_PER_PAGE);
        events.iter_mut().for_each(fit_event);
        check("events", &events)?;
    }
}

#[test]
fn what_is_within_its_limits_is_not_changed() {
    let extent = Extent {
        text: MAX_NAME,
        entries: 3,
    };
    let mut task = extent.task(3);
    let before = task.clone();
    fit_task(&mut task);
    assert_eq!(task, before);
    let mut stats = extent.stats();
    let before = stats.clone();
    fit_stats(&mut stats);
    assert_eq!(stats, before);
}
