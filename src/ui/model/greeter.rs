//! The greeter pane: the name being typed, past calls and their latency.

use std::{collections::VecDeque, time::Duration};

use hdrhistogram::Histogram;
use tui_input::Input;

use crate::queue::clock::Timestamp;

/// The maximum number of calls in the history.
const MAX_HISTORY: usize = 500;
/// The maximum number of concurrent calls.
const MAX_PENDING: usize = 64;

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum GreetOutcome {
    Pending,
    Greeted {
        text: String,
        lookup: Duration,
        call: Duration,
    },
    Failed(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Greeting {
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) name: String,
    pub(crate) outcome: GreetOutcome,
}

impl Greeting {
    /// Returns the time from pressing enter to the response.
    pub(crate) fn duration(&self) -> Option<Duration> {
        match self.outcome {
            GreetOutcome::Greeted { lookup, call, .. } => Some(lookup + call),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Greeter {
    pub(crate) input: Input,
    /// The reason why the typed name was rejected.
    pub(crate) hint: Option<String>,
    /// Newest first.
    pub(crate) history: VecDeque<Greeting>,
    /// In microseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) failed: u64,
    last_number: u64,
    /// The position in the history, and the text that was typed before.
    recalled: Option<(usize, String)>,
}

impl Default for Greeter {
    fn default() -> Self {
        Self {
            input: Input::default(),
            hint: None,
            history: VecDeque::new(),
            // These constants are valid.
            latency: Histogram::new_with_bounds(1, 60_000_000, 2).expect("valid bounds"),
            failed: 0,
            last_number: 0,
            recalled: None,
        }
    }
}

impl Greeter {
    /// Starts a call and clears the line; returns its number.
    pub(crate) fn start(&mut self, now: Timestamp, name: String) -> u64 {
        self.last_number += 1;
        self.history.push_front(Greeting {
            number: self.last_number,
            at: now,
            name,
            outcome: GreetOutcome::Pending,
        });
        self.history.truncate(MAX_HISTORY);
        self.input.reset();
        self.hint = None;
        self.recalled = None;
        self.last_number
    }

    pub(crate) fn finish(&mut self, number: u64, outcome: GreetOutcome) {
        match &outcome {
            GreetOutcome::Greeted { lookup, call, .. } => {
                let micros = u64::try_from((*lookup + *call).as_micros()).unwrap_or(u64::MAX);
                self.latency.saturating_record(micros.max(1));
            }
            GreetOutcome::Failed(_) => self.failed += 1,
            GreetOutcome::Pending => {}
        }
        if let Some(greeting) = self.history.iter_mut().find(|g| g.number == number) {
            greeting.outcome = outcome;
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        let is_pending = |g: &&Greeting| g.outcome == GreetOutcome::Pending;
        self.history.iter().filter(is_pending).count() >= MAX_PENDING
    }

    /// Recalls an earlier name; the text being typed is restored by [`Self::recall_later`].
    pub(crate) fn recall_earlier(&mut self) {
        let names = self.names();
        let (at, typed) = match self.recalled.take() {
            Some((at, typed)) => (at + 1, typed),
            None => (0, self.input.value().to_owned()),
        };
        match names.get(at) {
            Some(name) => {
                self.input = Input::new(name.clone());
                self.recalled = Some((at, typed));
            }
            None => self.recalled = at.checked_sub(1).map(|at| (at, typed)),
        }
    }

    /// Recalls a later name, and at last the text that was being typed.
    pub(crate) fn recall_later(&mut self) {
        let names = self.names();
        if let Some((at, typed)) = self.recalled.take() {
            match at.checked_sub(1).and_then(|at| Some((at, names.get(at)?))) {
                Some((at, name)) => {
                    self.input = Input::new(name.clone());
                    self.recalled = Some((at, typed));
                }
                None => self.input = Input::new(typed),
            }
        }
    }

    /// Returns the names in the history, newest first, without adjacent duplicates.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.history.iter().map(|g| g.name.clone()).collect();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_recall_typed_names_and_return_to_the_unfinished_one() {
        let mut greeter = Greeter::default();
        for name in ["Ali", "Bea", "Bea"] {
            greeter.start(Timestamp(0), name.into());
        }
        greeter.input = Input::new("Ce".into());
        let mut walk = |step: fn(&mut Greeter)| {
            step(&mut greeter);
            greeter.input.value().to_owned()
        };
        assert_eq!(walk(Greeter::recall_earlier), "Bea");
        assert_eq!(walk(Greeter::recall_earlier), "Ali");
        assert_eq!(walk(Greeter::recall_earlier), "Ali");
        assert_eq!(walk(Greeter::recall_later), "Bea");
        assert_eq!(walk(Greeter::recall_later), "Ce");
        assert_eq!(walk(Greeter::recall_later), "Ce");
    }

    #[test]
    fn a_response_finishes_its_own_call() {
        let mut greeter = Greeter::default();
        let first = greeter.start(Timestamp(0), "Ali".into());
        greeter.start(Timestamp(0), "Bea".into());
        greeter.finish(first, GreetOutcome::Failed("no".into()));
        assert_eq!(
            greeter.history[1].outcome,
            GreetOutcome::Failed("no".into())
        );
        assert_eq!(greeter.history[0].outcome, GreetOutcome::Pending);
        assert_eq!(greeter.failed, 1);
    }
}
