//! Several scans as one.

use std::{cmp::Ordering, iter::Peekable};

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
        let mut first: Option<(usize, Option<u64>)> = None;
        for (i, scan) in self.scans.iter_mut().enumerate() {
            let Some(head) = scan.peek() else { continue };
            // Errors come before rows.
            let id = head.as_ref().ok().map(|(_, row)| row.id);
            let sooner = match (id, first) {
                (_, None) | (None, _) => true,
                (Some(_), Some((_, None))) => false,
                (Some(id), Some((_, Some(best)))) => {
                    id.cmp(&best)
                        == if self.descending {
                            Ordering::Greater
                        } else {
                            Ordering::Less
                        }
                }
            };
            if sooner {
                first = Some((i, id));
            }
        }
        let (i, _) = first?;
        self.scans.get_mut(i)?.next()
    }
}
