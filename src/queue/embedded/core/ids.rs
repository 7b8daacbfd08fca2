//! Ordered sets of ids, 64 neighbours to an entry. Tasks come and go in the order of their ids, so
//! almost every change finds its entry there and flips a bit, where a set of numbers would search,
//! insert and balance; and a million ids take kilobytes. An id on its own costs one entry, as it would
//! in a set of numbers.

use std::{
    collections::BTreeMap,
    ops::{Bound, RangeBounds},
};

/// What the set is ordered by: a key, and the id among equals.
pub(super) type Place = (u64, u64);

#[derive(Default)]
pub(super) struct Ids {
    /// By key and by id without its last six bits, which number the bits of the entry.
    words: BTreeMap<Place, u64>,
    len: usize,
}

const fn entry((key, id): Place) -> Place {
    (key, id >> 6)
}

const fn bit((_, id): Place) -> u64 {
    1 << (id & 63)
}

impl Ids {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, place: Place) {
        let word = self.words.entry(entry(place)).or_default();
        self.len += usize::from(*word & bit(place) == 0);
        *word |= bit(place);
    }

    pub(super) fn remove(&mut self, place: Place) {
        let Some(word) = self.words.get_mut(&entry(place)) else {
            return;
        };
        self.len -= usize::from(*word & bit(place) != 0);
        *word &= !bit(place);
        if *word == 0 {
            self.words.remove(&entry(place));
        }
    }

    pub(super) fn first(&self) -> Option<Place> {
        let (&(key, high), word) = self.words.first_key_value()?;
        Some((key, high << 6 | u64::from(word.trailing_zeros())))
    }

    pub(super) fn pop_first(&mut self) -> Option<Place> {
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

    pub(super) fn range<R: RangeBounds<Place>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = Place> + use<'_, R> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        let words = self.words.range((widened(range.0), widened(range.1)));
        words
            .flat_map(|(&(key, high), &word)| {
                let set = (0..64).filter(move |low| word >> low & 1 == 1);
                set.map(move |low| (key, high << 6 | low))
            })
            .filter(move |place| range.contains(place))
    }
}

/// To whole entries.
const fn widened(bound: Bound<Place>) -> Bound<Place> {
    match bound {
        Bound::Included(place) | Bound::Excluded(place) => Bound::Included(entry(place)),
        Bound::Unbounded => Bound::Unbounded,
    }
}
