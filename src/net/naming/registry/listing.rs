//! Pages of records, filled by count and by bytes.

use std::{
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use super::NameRegistry;
use crate::net::{
    naming::query::{CompiledQuery, MAX_PAGE, NamePage, NameQuery, SCAN_LIMIT},
    rpc::error::RemoteError,
};

/// A page is full when its records take this many bytes, as encoded. With the longest records that one name
/// can have after them, it still fits in a frame.
pub(in crate::net::naming) const MAX_PAGE_BYTES: usize = 512 << 10;
/// Limit of registrations in one step of a search.
const STEP: usize = 64;

/// The progress of a listing, which is filled in steps.
#[derive(Debug)]
pub(in crate::net::naming) struct PageScan {
    query: CompiledQuery,
    prefix: Box<str>,
    limit: usize,
    page: NamePage,
    bytes: usize,
    scanned: usize,
    /// The last name that was scanned.
    last: Option<Arc<str>>,
    /// The cursor of the query.
    after: Option<String>,
}

impl PageScan {
    /// Begins a page.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::BadArguments`] for a query over a limit, or a pattern that cannot be
    /// used.
    pub(in crate::net::naming) fn new(
        query: NameQuery,
        revision: u64,
    ) -> Result<Self, RemoteError> {
        Ok(Self {
            query: CompiledQuery::new(&query)?,
            prefix: query.prefix.unwrap_or_default().into(),
            limit: query.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE),
            page: NamePage {
                records: Vec::new(),
                next: None,
                revision,
            },
            bytes: 0,
            scanned: 0,
            last: None,
            after: query.after,
        })
    }

    /// Scans some more names; breaks when the page is complete.
    pub(in crate::net::naming) fn step(&mut self, registry: &NameRegistry) -> ControlFlow<()> {
        let until = self.scanned + STEP;
        let position = self.last.as_deref().or(self.after.as_deref());
        let from = match position {
            Some(after) if *after >= *self.prefix => Bound::Excluded(after),
            _ => Bound::Included(&*self.prefix),
        };
        let mut last = None;
        let mut full = false;
        let names = registry.names.range::<str, _>((from, Bound::Unbounded));
        for (name, instances) in names.take_while(|(name, _)| name.starts_with(&*self.prefix)) {
            full = self.scanned >= SCAN_LIMIT
                || self.page.records.len() >= self.limit
                || self.bytes >= MAX_PAGE_BYTES;
            if full || self.scanned >= until {
                break;
            }
            self.scanned += instances.len();
            if self.query.matches_name(name) {
                let matching = instances
                    .iter()
                    .filter(|i| self.query.matches_tags(&i.tags));
                for instance in matching {
                    self.bytes += instance.encoded_len(name);
                    self.page.records.push(instance.record(name));
                }
            }
            last = Some(name);
        }
        let at_end = !full && self.scanned < until;
        self.last = last.map(Arc::clone).or(self.last.take());
        match at_end || full {
            true => {
                self.page.next = self.cursor().filter(|_| full);
                ControlFlow::Break(())
            }
            false => ControlFlow::Continue(()),
        }
    }

    fn cursor(&self) -> Option<String> {
        self.last.as_deref().map(ToOwned::to_owned)
    }

    /// Returns the complete page.
    pub(in crate::net::naming) fn into_page(self) -> NamePage {
        self.page
    }

    /// Returns the page as far as it has been filled, with a cursor.
    pub(in crate::net::naming) fn into_short_page(mut self) -> NamePage {
        self.page.next = self.cursor();
        self.page
    }
}

impl NameRegistry {
    /// Returns the records that match, in the order of their names; a name's records are never split over
    /// pages.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::BadArguments`] for a query over a limit, or a pattern that cannot be
    /// used.
    pub fn list(&self, query: &NameQuery) -> Result<NamePage, RemoteError> {
        let mut scan = PageScan::new(query.clone(), self.revision())?;
        while scan.step(self).is_continue() {}
        Ok(scan.into_page())
    }
}
