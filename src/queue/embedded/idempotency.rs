//! Submits that have a name: said again, they are answered as the first time.

use std::collections::{HashMap, VecDeque};

use crate::queue::{
    broker::IDEMPOTENCY_WINDOW,
    embedded::store::{IdRange, SubmitRow},
    task::{IdempotencyKey, Receipt, TaskId, Timestamp},
};

/// The most names that are known; beyond it the oldest go, before their time.
const MAX_NAMES: usize = 100_000;
/// So often the store is told to forget the old ones.
const FORGET_EVERY: usize = 256;

/// The names that are known.
#[derive(Debug, Default)]
pub(super) struct Submits {
    answers: HashMap<IdempotencyKey, Vec<IdRange>>,
    order: VecDeque<(Timestamp, IdempotencyKey)>,
    since_forgotten: usize,
}

impl Submits {
    /// Those of the process before, the oldest first.
    pub(super) fn new(rows: Vec<SubmitRow>) -> Self {
        let mut submits = Self::default();
        for row in rows {
            submits.put(&row);
        }
        submits
    }

    /// What a submit of this name was answered.
    pub(super) fn answer(&self, id: IdempotencyKey) -> Option<Vec<Receipt>> {
        let runs = self.answers.get(&id)?;
        let receipts = runs.iter().flat_map(|run| {
            let ids = run.first..run.first + run.count;
            ids.map(|id| Receipt {
                id: TaskId(id.into()),
                deduplicated: run.deduplicated,
            })
        });
        Some(receipts.collect())
    }

    /// Remembers an answer; gives what is to be kept.
    pub(super) fn note(
        &mut self,
        now: Timestamp,
        id: IdempotencyKey,
        answer: &[Receipt],
    ) -> SubmitRow {
        let row = SubmitRow {
            id,
            at: now,
            runs: runs(answer),
        };
        self.put(&row);
        row
    }

    /// It was not taken after all.
    pub(super) fn withdraw(&mut self, id: IdempotencyKey) {
        self.answers.remove(&id);
    }

    /// Forgets the old ones; now and then it is time for the store to do so too, from here back.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Timestamp> {
        let before = now.before(IDEMPOTENCY_WINDOW);
        while let Some((at, id)) = self.order.front()
            && (*at < before || self.order.len() > MAX_NAMES)
        {
            self.answers.remove(id);
            self.order.pop_front();
        }
        if self.since_forgotten < FORGET_EVERY {
            return None;
        }
        self.since_forgotten = 0;
        // What went before its time goes in the store too.
        let oldest = self.order.front().map_or(before, |(at, _)| *at);
        Some(oldest.max(before))
    }

    fn put(&mut self, row: &SubmitRow) {
        self.answers.insert(row.id, row.runs.clone());
        self.order.push_back((row.at, row.id));
        self.since_forgotten += 1;
    }
}

/// Ids are given in a row, so most answers are one run.
fn runs(answer: &[Receipt]) -> Vec<IdRange> {
    let mut runs: Vec<IdRange> = Vec::new();
    for receipt in answer {
        let id = u64::try_from(receipt.id.0).unwrap_or_default();
        match runs.last_mut() {
            Some(run)
                if run.deduplicated == receipt.deduplicated && run.first + run.count == id =>
            {
                run.count += 1;
            }
            _ => runs.push(IdRange {
                first: id,
                count: 1,
                deduplicated: receipt.deduplicated,
            }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn receipt((id, deduplicated): (u64, bool)) -> Receipt {
        Receipt {
            id: TaskId(id.into()),
            deduplicated,
        }
    }

    proptest! {
        #[test]
        fn an_answer_is_given_again_as_it_was(ids in prop::collection::vec((1_u64..9, any::<bool>()), 0..20)) {
            let answer: Vec<_> = ids.into_iter().map(receipt).collect();
            let mut submits = Submits::default();
            let row = submits.note(Timestamp(5), IdempotencyKey(1), &answer);
            prop_assert_eq!(submits.answer(IdempotencyKey(1)), Some(answer.clone()));
            let again = Submits::new(vec![row]);
            prop_assert_eq!(again.answer(IdempotencyKey(1)), Some(answer));
        }
    }

    #[test]
    fn what_is_old_is_forgotten_here_and_in_the_store() {
        let mut submits = Submits::default();
        let at = |n: u64| Timestamp(n).after(IDEMPOTENCY_WINDOW);
        for n in 0..300 {
            submits.note(at(n), IdempotencyKey(n.into()), &[]);
        }
        assert_eq!(
            submits.expire(at(10).after(IDEMPOTENCY_WINDOW)),
            Some(at(10))
        );
        assert_eq!(submits.answer(IdempotencyKey(9)), None);
        assert!(submits.answer(IdempotencyKey(10)).is_some());
        let later = at(11)
            .after(IDEMPOTENCY_WINDOW)
            .after(Duration::from_micros(1));
        assert_eq!(submits.expire(later), None, "not each time");
        assert_eq!(submits.answer(IdempotencyKey(11)), None);
    }
}
