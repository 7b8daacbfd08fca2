//! A summary of the broker's events for the log: a few events get a line each, many get one line.

use std::time::Duration;

use super::events::{Kind, LogLine, Tone};
use crate::{
    queue::{
        clock::Timestamp,
        event::{Event, EventBatch},
        id::{TaskId, WorkerId},
        state::State,
    },
    text::{fmt_count, fmt_duration},
};

/// Up to this many finished tasks get a line each.
const MAX_LINES: usize = 12;

#[derive(Debug, Clone, Default)]
pub(crate) struct EventSummary {
    finished: Vec<(TaskId, State, Option<WorkerId>, Duration)>,
    counts: [usize; State::COUNT],
    submitted: usize,
    others: Vec<(Kind, Tone, String)>,
    pub(crate) dropped: u64,
}

impl EventSummary {
    pub(crate) fn add(&mut self, batch: &EventBatch) {
        self.dropped += batch.dropped;
        for event in batch.events.iter() {
            match event {
                Event::Submitted { .. } => self.submitted += 1,
                Event::Started { .. } => {}
                Event::Finished {
                    id,
                    state,
                    worker,
                    run_time,
                    ..
                } => {
                    if let Some(n) = self.counts.get_mut(state.index()) {
                        *n += 1;
                    }
                    if self.finished.len() <= MAX_LINES {
                        let finished = (id.clone(), *state, worker.clone(), *run_time);
                        self.finished.push(finished);
                    }
                }
                other => {
                    let (kind, tone, text) = describe(other.clone());
                    self.push(kind, tone, text);
                }
            }
        }
    }

    fn push(&mut self, kind: Kind, tone: Tone, text: String) {
        if self.others.len() < MAX_LINES {
            self.others.push((kind, tone, text));
        } else {
            self.dropped += 1;
        }
    }

    /// Takes the lines for the log; the summary is empty afterwards.
    pub(crate) fn take_lines(&mut self, now: Timestamp) -> Vec<LogLine> {
        let summary = std::mem::take(self);
        let line = |kind, tone, text| LogLine {
            at: now,
            kind,
            tone,
            text,
        };
        let mut lines = Vec::new();
        if summary.submitted > 1 {
            let text = format!("{} tasks queued", fmt_count(summary.submitted));
            lines.push(line(Kind::Task, Tone::Plain, text));
        }
        for (kind, tone, text) in summary.others {
            lines.push(line(kind, tone, text));
        }
        let total: usize = summary.counts.iter().sum();
        if total > MAX_LINES {
            let parts: Vec<String> = State::ALL
                .into_iter()
                .filter_map(|state| {
                    let n = summary.counts.get(state.index()).copied()?;
                    (n > 0).then(|| format!("{} {state}", fmt_count(n)))
                })
                .collect();
            let failed = summary
                .counts
                .get(State::Failed.index())
                .is_some_and(|n| *n > 0);
            let tone = if failed { Tone::Bad } else { Tone::Good };
            let text = format!("{} tasks finished: {}", fmt_count(total), parts.join(", "));
            lines.push(line(Kind::Task, tone, text));
            return lines;
        }
        for (id, state, worker, ran) in summary.finished {
            let tone = match state {
                State::Succeeded => Tone::Good,
                State::Failed | State::Expired => Tone::Bad,
                _ => Tone::Warn,
            };
            let by = worker.map_or(String::new(), |w| {
                format!(" on {w} in {}", fmt_duration(ran))
            });
            lines.push(line(Kind::Task, tone, format!("{id} {state}{by}")));
        }
        lines
    }
}

/// Describes an event that is rare enough for its own line.
fn describe(event: Event) -> (Kind, Tone, String) {
    use Tone::{Bad, Good, Plain, Warn};
    let task = |tone, text: String| (Kind::Task, tone, text);
    match event {
        Event::Requeued { id } => task(Plain, format!("{id} requeued")),
        Event::Duplicate { id } => task(Plain, format!("{id} has the same key; nothing submitted")),
        Event::Purged { count: n } => {
            task(Plain, format!("{} finished tasks purged", fmt_count(n)))
        }
        Event::Paused(true) => task(Warn, "all queues paused".into()),
        Event::Paused(false) => task(Plain, "all queues resumed".into()),
        Event::QueuePaused(true) => task(Warn, "one queue paused".into()),
        Event::QueuePaused(false) => task(Plain, "one queue resumed".into()),
        Event::Stuck { id, worker } => (
            Kind::Worker,
            Bad,
            format!("{worker} is stuck on {id}; a new worker replaces it"),
        ),
        Event::Persistence(false) => task(Bad, "cannot save changes".into()),
        Event::Persistence(true) => task(Good, "changes are being saved again".into()),
        Event::Worker { id, started } => {
            let did = if started { "started" } else { "stopped" };
            (Kind::Worker, Plain, format!("worker {id} {did}"))
        }
        // These are counted.
        Event::Submitted { .. } | Event::Started { .. } | Event::Finished { .. } => {
            task(Plain, String::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(n: u64, state: State) -> Event {
        Event::Finished {
            id: TaskId::Sequence(n),
            name: "add".into(),
            state,
            worker: Some(WorkerId::Local(1)),
            run_time: Duration::from_millis(2),
        }
    }

    fn lines(events: Vec<Event>) -> Vec<String> {
        let mut summary = EventSummary::default();
        summary.add(&EventBatch {
            events: events.into(),
            ..EventBatch::default()
        });
        summary
            .take_lines(Timestamp(0))
            .into_iter()
            .map(|l| l.text)
            .collect()
    }

    #[test]
    fn a_few_events_get_a_line_each_and_many_get_one() {
        assert_eq!(
            lines(vec![finished(7, State::Succeeded)]),
            ["#7 succeeded on w1 in 2.00 ms"]
        );
        let many = (0..1_500).map(|n| {
            finished(
                n,
                if n < 3 {
                    State::Failed
                } else {
                    State::Succeeded
                },
            )
        });
        assert_eq!(
            lines(many.collect()),
            ["1,500 tasks finished: 3 failed, 1,497 succeeded"]
        );
    }
}
