//! Ordered sets of ids as bitmaps of 64 neighbours each. Tasks come and go in the order of their ids,
//! so almost every change finds its word and flips a bit, where a set of numbers would search, insert
//! and balance; and a million ids take kilobytes. An isolated id costs one word, as in a set of
//! numbers.

use std::{
    collections::BTreeMap,
    ops::{Bound, RangeBounds},
};

/// The sort key of the set: a key, and the id among equals.
pub(in crate::queue) type SortKey = (u64, u64);

#[derive(Debug, Default)]
pub(in crate::queue) struct IdBitmap {
    /// Words by key and by id without its last six bits, which are the bit's index in the word.
    words: BTreeMap<SortKey, u64>,
    len: usize,
}

const fn word_key((key, id): SortKey) -> SortKey {
    (key, id >> 6)
}

const fn bit((_, id): SortKey) -> u64 {
    1 << (id & 63)
}

impl IdBitmap {
    pub(in crate::queue) const fn len(&self) -> usize {
        self.len
    }

    pub(in crate::queue) fn insert(&mut self, key: SortKey) {
        let word = self.words.entry(word_key(key)).or_default();
        self.len += usize::from(*word & bit(key) == 0);
        *word |= bit(key);
    }

    pub(in crate::queue) fn remove(&mut self, key: SortKey) {
        let Some(word) = self.words.get_mut(&word_key(key)) else {
            return;
        };
        self.len -= usize::from(*word & bit(key) != 0);
        *word &= !bit(key);
        if *word == 0 {
            self.words.remove(&word_key(key));
        }
    }

    pub(in crate::queue) fn first(&self) -> Option<SortKey> {
        let (&(key, high), word) = self.words.first_key_value()?;
        Some((key, high << 6 | u64::from(word.trailing_zeros())))
    }

    pub(in crate::queue) fn pop_first(&mut self) -> Option<SortKey> {
        let mut first = self.words.first_entry()?;
        let &(key, high) = first.key();
        let low = first.get().trailing_zeros();
        *first.get_mut() &= !(1 << low);
        if *first.get() == 0 {
            first.remove();
        }
        self.len -= 1;
        Some((key, high << 6 | u64::from(low)))
    }

    pub(in crate::queue) fn range<R: RangeBounds<SortKey>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = SortKey> + use<'_, R> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        let words = self.words.range((widened(range.0), widened(range.1)));
        words
            .flat_map(|(&(key, high), &word)| {
                let set = (0..64).filter(move |low| word >> low & 1 == 1);
                set.map(move |low| (key, high << 6 | low))
            })
            .filter(move |key| range.contains(key))
    }
}

/// A bound widened to whole words.
const fn widened(bound: Bound<SortKey>) -> Bound<SortKey> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Bound::Included(word_key(key)),
        Bound::Unbounded => Bound::Unbounded,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = SortKey> {
        (0u64..3, 0u64..200)
    }

    fn bound() -> impl Strategy<Value = Bound<SortKey>> {
        prop_oneof![
            Just(Bound::Unbounded),
            key().prop_map(Bound::Included),
            key().prop_map(Bound::Excluded),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_set_in_order(
            changes in prop::collection::vec((0u8..4, key()), 0..200),
            from in bound(),
            to in bound(),
        ) {
            let (mut ids, mut model) = (IdBitmap::default(), BTreeSet::new());
            for (change, key) in changes {
                match change {
                    0 | 1 => {
                        ids.insert(key);
                        model.insert(key);
                    }
                    2 => {
                        ids.remove(key);
                        model.remove(&key);
                    }
                    _ => prop_assert_eq!(ids.pop_first(), model.pop_first()),
                }
                prop_assert_eq!(ids.len(), model.len());
                prop_assert_eq!(ids.first(), model.first().copied());
            }
            let fits = |key: &&SortKey| (from, to).contains(*key);
            let expected: Vec<SortKey> = model.iter().filter(fits).copied().collect();
            prop_assume!(valid(from, to));
            let found: Vec<SortKey> = ids.range((from, to)).collect();
            prop_assert_eq!(&found, &expected);
            let mut back: Vec<SortKey> = ids.range((from, to)).rev().collect();
            back.reverse();
            prop_assert_eq!(back, expected);
        }
    }

    /// Ranges that end before they begin are never used.
    fn valid(from: Bound<SortKey>, to: Bound<SortKey>) -> bool {
        match (from, to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(to) | Bound::Excluded(to),
            ) => from < to,
        }
    }
}
