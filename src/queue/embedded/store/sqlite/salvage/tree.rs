//! The trees of an SQLite file, walked node by node past what is damaged.

use rusqlite::types::Value;

use super::page::{Cell, FileHeader, Node, NodeKind, PageSource, free_pages};

/// The most levels of a tree; SQLite's own limit.
const MAX_DEPTH: usize = 20;

/// A row, or the key of an index, that was found.
#[derive(Debug)]
pub(super) struct FoundRow {
    /// The row id, in a table.
    pub(super) id: i64,
    /// The values; `None` when they cannot be read.
    pub(super) values: Option<Vec<Value>>,
}

/// A part of a tree that cannot be read: the row ids above `after` and up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) after: Option<i64>,
    pub(super) to: Option<i64>,
}

/// A part of a tree that is still to be read.
struct Branch {
    page: u32,
    range: Gap,
}

/// A file whose trees are read, each page once.
pub(super) struct Trees<'a, P> {
    pages: &'a P,
    /// The pages that have been read or are known to be free, by number.
    seen: Vec<bool>,
}

impl<'a, P: PageSource> Trees<'a, P> {
    pub(super) fn new(pages: &'a P) -> Self {
        let pages_and_zero = usize::try_from(pages.count()).unwrap_or_default() + 1;
        let mut trees = Self {
            pages,
            seen: vec![false; pages_and_zero],
        };
        trees.skip_free_pages();
        trees
    }

    /// Marks the pages that hold nothing, as far as their list can be read.
    fn skip_free_pages(&mut self) {
        let header = self.pages.page(1).and_then(|page| FileHeader::parse(&page));
        let mut trunk = header.map_or(0, |header| header.free_list);
        while trunk > 1 && self.visit(trunk) {
            let listed = self.pages.page(trunk).and_then(|page| free_pages(&page));
            let Some((free, next)) = listed else { return };
            for page in free.into_iter().filter(|page| *page > 1) {
                self.visit(page);
            }
            trunk = next;
        }
    }

    /// Marks a page; returns false if it was marked before or does not exist.
    fn visit(&mut self, page: u32) -> bool {
        let seen = usize::try_from(page)
            .ok()
            .filter(|page| *page > 0)
            .and_then(|page| self.seen.get_mut(page));
        seen.is_some_and(|seen| !std::mem::replace(seen, true))
    }

    /// Calls `each` with the rows or keys of the tree at `root`; returns the parts that cannot be read.
    pub(super) fn walk<E>(
        &mut self,
        root: u32,
        mut each: impl FnMut(FoundRow) -> Result<(), E>,
    ) -> Result<Vec<Gap>, E> {
        let everything = Gap {
            after: None,
            to: None,
        };
        let mut branches = vec![Branch {
            page: root,
            range: everything,
        }];
        let mut gaps = Vec::new();
        while let Some(Branch { page, range }) = branches.pop() {
            let bytes = match self.visit(page) {
                true => self.pages.page(page),
                false => None,
            };
            let node = bytes.as_deref().and_then(|bytes| Node::parse(bytes, page));
            let Some(node) = node else {
                gaps.push(range);
                continue;
            };
            self.read_node(&node, range, &mut branches, &mut gaps, &mut each)?;
        }
        Ok(gaps)
    }

    fn read_node<E>(
        &mut self,
        node: &Node<'_>,
        range: Gap,
        branches: &mut Vec<Branch>,
        gaps: &mut Vec<Gap>,
        each: &mut impl FnMut(FoundRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = range.after;
        for cell in node.cells() {
            let Some(cell) = cell else {
                match node.kind {
                    NodeKind::TableLeaf | NodeKind::IndexLeaf => each(FoundRow {
                        id: 0,
                        values: None,
                    })?,
                    NodeKind::TableInterior | NodeKind::IndexInterior => gaps.push(range),
                }
                continue;
            };
            if let Some(child) = cell.child {
                let to = (node.kind == NodeKind::TableInterior).then_some(cell.row_id);
                branches.push(Branch {
                    page: child,
                    range: Gap { after, to },
                });
                after = to;
            }
            if node.kind != NodeKind::TableInterior {
                each(found(self.pages, &cell))?;
            }
        }
        branches.extend(node.right.map(|page| Branch {
            page,
            range: Gap { after, ..range },
        }));
        Ok(())
    }

    /// The last row id of the table at `root`, by the last node on each level.
    pub(super) fn last_row_id(&self, root: u32) -> Option<i64> {
        let mut number = root;
        for _ in 0..MAX_DEPTH {
            let page = self.pages.page(number)?;
            let node = Node::parse(&page, number)?;
            match node.right {
                Some(right) => number = right,
                None => return Some(node.cells().last()??.row_id),
            }
        }
        None
    }

    /// Calls `each` with the rows and keys on the pages that no walk has reached.
    pub(super) fn each_unreached<E>(
        &mut self,
        mut each: impl FnMut(FoundRow) -> Result<(), E>,
    ) -> Result<(), E> {
        for page in 2..=self.pages.count() {
            let seen = usize::try_from(page).ok().and_then(|at| self.seen.get(at));
            if seen != Some(&false) {
                continue;
            }
            let bytes = self.pages.page(page);
            let node = bytes.as_deref().and_then(|bytes| Node::parse(bytes, page));
            let Some(node) = node.filter(|node| node.kind != NodeKind::TableInterior) else {
                continue;
            };
            for cell in node.cells().flatten() {
                each(found(self.pages, &cell))?;
            }
        }
        Ok(())
    }
}

fn found(pages: &impl PageSource, cell: &Cell<'_>) -> FoundRow {
    FoundRow {
        id: cell.row_id,
        values: cell.record(pages),
    }
}
