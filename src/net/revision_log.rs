//! A bounded log of entries numbered by revision, for readers that fall behind and catch up.

use std::collections::VecDeque;

/// The newest entries of an endless sequence. The revision is the number of entries so far, and an entry's
/// number is the revision that it brought; numbers of skipped entries are missing.
#[derive(Debug)]
pub(crate) struct RevisionLog<T> {
    capacity: usize,
    revision: u64,
    entries: VecDeque<(u64, T)>,
}

impl<T> RevisionLog<T> {
    /// Creates an empty log that holds at most `capacity` entries; the oldest go first.
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            revision: 0,
            entries: VecDeque::new(),
        }
    }

    /// Returns the number of entries so far.
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// Appends an entry.
    pub(crate) fn push(&mut self, entry: T) {
        if self.entries.len() == self.capacity {
            self.entries.pop_front();
        }
        self.revision += 1;
        self.entries.push_back((self.revision, entry));
    }

    /// Counts entries that are not recorded.
    pub(crate) const fn skip(&mut self, count: u64) {
        self.revision += count;
    }

    /// Returns the entries after a revision that are still held, with their numbers.
    pub(crate) fn after(&self, revision: u64) -> impl Iterator<Item = (u64, &T)> {
        let first = self
            .entries
            .partition_point(|(number, _)| *number <= revision);
        self.entries
            .range(first..)
            .map(|(number, entry)| (*number, entry))
    }

    /// Returns the entries after a revision if all of them are still held; `None` also for a revision that
    /// this log has not reached.
    pub(crate) fn all_after(&self, revision: u64) -> Option<impl Iterator<Item = &T>> {
        let behind = usize::try_from(self.revision.checked_sub(revision)?).ok()?;
        let first = self.entries.len().checked_sub(behind)?;
        let held = self.entries.range(first..);
        // A skipped entry in between would move the first one back.
        let complete = held
            .clone()
            .next()
            .is_none_or(|(number, _)| *number == revision + 1);
        complete.then(|| held.map(|(_, entry)| entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_fell_too_far_behind_is_told() {
        let mut log = RevisionLog::new(2);
        for n in 1..=3 {
            log.push(n);
        }
        let all = |log: &RevisionLog<i32>, from| -> Option<Vec<i32>> {
            log.all_after(from).map(|all| all.copied().collect())
        };
        assert_eq!(all(&log, 0), None);
        assert_eq!(all(&log, 1), Some(vec![2, 3]));
        assert_eq!(all(&log, 3), Some(vec![]));
        assert_eq!(all(&log, 4), None);
        assert_eq!(log.after(0).collect::<Vec<_>>(), [(2, &2), (3, &3)]);
    }

    #[test]
    fn skipped_entries_are_counted() {
        let mut log = RevisionLog::new(4);
        log.push('a');
        log.skip(2);
        log.push('b');
        assert_eq!(log.revision(), 4);
        assert_eq!(log.after(1).collect::<Vec<_>>(), [(4, &'b')]);
        assert!(log.all_after(1).is_none());
        assert!(log.all_after(3).is_some());
    }
}
