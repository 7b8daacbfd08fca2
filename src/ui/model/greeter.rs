//! Names that were typed, what came back, and how long it took.

use std::{collections::VecDeque, time::Duration};

use hdrhistogram::Histogram;
use tui_input::Input;

use crate::queue::task::Timestamp;

/// Calls that are kept for looking at.
const KEPT: usize = 500;
/// Calls under way at once.
const MOST_UNDER_WAY: usize = 64;

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum GreetOutcome {
    UnderWay,
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
    /// From pressing enter to the answer.
    pub(crate) fn took(&self) -> Option<Duration> {
        match self.outcome {
            GreetOutcome::Greeted { lookup, call, .. } => Some(lookup + call),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Greeter {
    pub(crate) input: Input,
    /// Why what was typed was not taken.
    pub(crate) hint: Option<String>,
    /// The newest first.
    pub(crate) history: VecDeque<Greeting>,
    /// Microseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) failed: u64,
    last_number: u64,
    /// How far back in the typed names the arrows have gone, and what was typed before.
    back: Option<(usize, String)>,
}

impl Default for Greeter {
    fn default() -> Self {
        Self {
            input: Input::default(),
            hint: None,
            history: VecDeque::new(),
            // The bounds are constants that the crate accepts.
            latency: Histogram::new_with_bounds(1, 60_000_000, 2).expect("valid bounds"),
            failed: 0,
            last_number: 0,
            back: None,
        }
    }
}

impl Greeter {
    /// Takes the typed name for a call and clears the line.
    pub(crate) fn start(&mut self, now: Timestamp, name: String) -> u64 {
        self.last_number += 1;
        self.history.push_front(Greeting {
            number: self.last_number,
            at: now,
            name,
            outcome: GreetOutcome::UnderWay,
        });
        self.history.truncate(KEPT);
        self.input.reset();
        self.hint = None;
        self.back = None;
        self.last_number
    }

    pub(crate) fn finish(&mut self, number: u64, outcome: GreetOutcome) {
        match &outcome {
            GreetOutcome::Greeted { lookup, call, .. } => {
                let micros = u64::try_from((*lookup + *call).as_micros()).unwrap_or(u64::MAX);
                self.latency.saturating_record(micros.max(1));
            }
            GreetOutcome::Failed(_) => self.failed += 1,
            GreetOutcome::UnderWay => {}
        }
        if let Some(greeting) = self.history.iter_mut().find(|g| g.number == number) {
            greeting.outcome = outcome;
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        let under_way = |g: &&Greeting| g.outcome == GreetOutcome::UnderWay;
        self.history.iter().filter(under_way).count() >= MOST_UNDER_WAY
    }

    /// Goes to an earlier name, the newest first; what was being typed is kept.
    pub(crate) fn earlier(&mut self) {
        let names = self.names();
        let (at, typed) = match self.back.take() {
            Some((at, typed)) => (at + 1, typed),
            None => (0, self.input.value().to_owned()),
        };
        match names.get(at) {
            Some(name) => {
                self.input = Input::new(name.clone());
                self.back = Some((at, typed));
            }
            None => self.back = at.checked_sub(1).map(|at| (at, typed)),
        }
    }

    /// Comes back towards what was being typed.
    pub(crate) fn later(&mut self) {
        let names = self.names();
        if let Some((at, typed)) = self.back.take() {
            match at.checked_sub(1).and_then(|at| Some((at, names.get(at)?))) {
                Some((at, name)) => {
                    self.input = Input::new(name.clone());
                    self.back = Some((at, typed));
                }
                None => self.input = Input::new(typed),
            }
        }
    }

    /// Typed names, the newest first, each once in a row.
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
    fn arrows_walk_through_typed_names_and_come_back_to_the_unfinished_one() {
        let mut greeter = Greeter::default();
        for name in ["Ali", "Bea", "Bea"] {
            greeter.start(Timestamp(0), name.into());
        }
        greeter.input = Input::new("Ce".into());
        let mut walk = |step: fn(&mut Greeter)| {
            step(&mut greeter);
            greeter.input.value().to_owned()
        };
        assert_eq!(walk(Greeter::earlier), "Bea");
        assert_eq!(walk(Greeter::earlier), "Ali");
        assert_eq!(walk(Greeter::earlier), "Ali");
        assert_eq!(walk(Greeter::later), "Bea");
        assert_eq!(walk(Greeter::later), "Ce");
        assert_eq!(walk(Greeter::later), "Ce");
    }

    #[test]
    fn an_answer_finds_its_own_call() {
        let mut greeter = Greeter::default();
        let first = greeter.start(Timestamp(0), "Ali".into());
        greeter.start(Timestamp(0), "Bea".into());
        greeter.finish(first, GreetOutcome::Failed("no".into()));
        assert_eq!(
            greeter.history[1].outcome,
            GreetOutcome::Failed("no".into())
        );
        assert_eq!(greeter.history[0].outcome, GreetOutcome::UnderWay);
        assert_eq!(greeter.failed, 1);
    }
}
