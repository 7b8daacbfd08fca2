//! What tasks did since somebody looked: a few are told one by one, many are told in a sentence.

use std::time::Duration;

use super::events::{Kind, LogLine, Tone};
use crate::{
    queue::{
        broker::{Event, EventBatch},
        task::{State, TaskId, Timestamp, WorkerId},
    },
    text::{fmt_count, fmt_duration},
};

/// Up to so many ends are told one by one.
const ONE_BY_ONE: usize = 12;

#[derive(Debug, Clone, Default)]
pub(crate) struct EventSummary {
    ended: Vec<(TaskId, State, Option<WorkerId>, Duration)>,
    counts: [usize; 8],
    submitted: usize,
    others: Vec<(Kind, Tone, String)>,
    pub(crate) dropped: u64,
}

impl EventSummary {
    pub(crate) fn add(&mut self, batch: &EventBatch) {
        self.dropped += batch.dropped;
        for event in &batch.events {
            match *event {
                Event::Submitted { count, .. } => self.submitted += count,
                Event::Started { .. } => {}
                Event::Finished {
                    id,
                    state,
                    worker,
                    ran,
                } => {
                    if let Some(n) = self.counts.get_mut(state.index()) {
                        *n += 1;
                    }
                    if self.ended.len() <= ONE_BY_ONE {
                        self.ended.push((id, state, worker, ran));
                    }
                }
                other => {
                    let (kind, tone, text) = told(other);
                    self.tell(kind, tone, text);
                }
            }
        }
    }

    fn tell(&mut self, kind: Kind, tone: Tone, text: String) {
        if self.others.len() < ONE_BY_ONE {
            self.others.push((kind, tone, text));
        } else {
            self.dropped += 1;
        }
    }

    /// The lines for the log; the tally is empty afterwards.
    pub(crate) fn lines(&mut self, now: Timestamp) -> Vec<LogLine> {
        let tally = std::mem::take(self);
        let line = |kind, tone, text| LogLine {
            at: now,
            kind,
            tone,
            text,
        };
        let mut lines = Vec::new();
        if tally.submitted > 1 {
            let text = format!("{} tasks queued", fmt_count(tally.submitted));
            lines.push(line(Kind::Task, Tone::Plain, text));
        }
        for (kind, tone, text) in tally.others {
            lines.push(line(kind, tone, text));
        }
        let total: usize = tally.counts.iter().sum();
        if total > ONE_BY_ONE {
            let parts: Vec<String> = State::ALL
                .into_iter()
                .filter_map(|state| {
                    let n = tally.counts.get(state.index()).copied()?;
                    (n > 0).then(|| format!("{} {state}", fmt_count(n)))
                })
                .collect();
            let failed = tally
                .counts
                .get(State::Failed.index())
                .is_some_and(|n| *n > 0);
            let tone = if failed { Tone::Bad } else { Tone::Good };
            let text = format!("{} tasks ended: {}", fmt_count(total), parts.join(", "));
            lines.push(line(Kind::Task, tone, text));
            return lines;
        }
        for (id, state, worker, ran) in tally.ended {
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

/// What is rare enough to be told in a line of its own.
fn told(event: Event) -> (Kind, Tone, String) {
    use Tone::{Bad, Good, Plain, Warn};
    let task = |tone, text: String| (Kind::Task, tone, text);
    match event {
        Event::Requeued { id } => task(Plain, format!("{id} queued again")),
        Event::Duplicate { id } => {
            task(Plain, format!("{id} has this key already; nothing queued"))
        }
        Event::Purged { count: n } => {
            task(Plain, format!("{} finished tasks purged", fmt_count(n)))
        }
        Event::Paused(true) => task(Warn, "queue paused".into()),
        Event::Paused(false) => task(Plain, "queue resumed".into()),
        Event::QueuePaused(true) => task(Warn, "a queue paused".into()),
        Event::QueuePaused(false) => task(Plain, "a queue resumed".into()),
        Event::Stuck { id, worker } => (
            Kind::Worker,
            Bad,
            format!("{worker} is stuck on {id}; another worker takes its place"),
        ),
        Event::Persistence(false) => task(Bad, "changes cannot be saved".into()),
        Event::Persistence(true) => task(Good, "changes are saved again".into()),
        Event::Worker { id, started } => {
            let did = if started { "started" } else { "ended" };
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

    fn ended(n: u128, state: State) -> Event {
        Event::Finished {
            id: TaskId(n),
            state,
            worker: Some(WorkerId(1)),
            ran: Duration::from_millis(2),
        }
    }

    fn lines(events: Vec<Event>) -> Vec<String> {
        let mut tally = EventSummary::default();
        tally.add(&EventBatch {
            events,
            ..EventBatch::default()
        });
        tally
            .lines(Timestamp(0))
            .into_iter()
            .map(|l| l.text)
            .collect()
    }

    #[test]
    fn a_few_are_told_one_by_one_and_many_in_a_sentence() {
        assert_eq!(
            lines(vec![ended(7, State::Succeeded)]),
            ["#7 succeeded on w1 in 2.00 ms"]
        );
        let many = (0..1_500).map(|n| {
            ended(
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
            ["1,500 tasks ended: 3 failed, 1,497 succeeded"]
        );
    }
}
