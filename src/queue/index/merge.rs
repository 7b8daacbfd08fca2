//! Several scans as one.

use std::iter::Peekable;

use super::rows::{ScanItem, ScanIter};

/// Several scans by id as one.
pub(in crate::queue) fn merged(scans: Vec<ScanIter<'_>>, descending: bool) -> ScanIter<'_> {
    let scans = scans.into_iter().map(Iterator::peekable).collect();
    Box::new(Merge { scans, descending })
}

struct Merge<'a> {
    scans: Vec<Peekable<ScanIter<'a>>>,
    descending: bool,
}

impl<'a> Iterator for Merge<'a> {
    type Item = ScanItem<'a>;

    fn next(&mut self) -> Option<ScanItem<'a>> {
        let mut first: Option<(usize, Position)> = None;
        for (i, scan) in self.scans.iter_mut().enumerate() {
            let Some(head) = scan.peek() else { continue };
            let position = Position::of(head, self.descending);
            if first.is_none_or(|(_, best)| position < best) {
                first = Some((i, position));
            }
        }
        let (i, _) = first?;
        self.scans.get_mut(i)?.next()
    }
}

/// The place of a row among the heads of all scans: errors first, then by id. Of one row that several
/// scans return, the wanted one comes first, so that a read that pauses after it has missed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    id: Option<u64>,
    passed: bool,
}

impl Position {
    fn of(head: &ScanItem<'_>, descending: bool) -> Self {
        let directed = |id: u64| if descending { u64::MAX - id } else { id };
        match head {
            Ok(scanned) => Self {
                id: Some(directed(scanned.row.id)),
                passed: !scanned.wanted,
            },
            Err(_) => Self {
                id: None,
                passed: false,
            },
        }
    }
}
