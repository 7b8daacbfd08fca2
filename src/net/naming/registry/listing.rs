//! Pages of records.

use std::{ops::Bound, sync::Arc};

use super::NameRegistry;
use crate::net::{
    naming::query::{CompiledQuery, MAX_PAGE, NamePage, NameQuery, SCAN_LIMIT},
    rpc::error::RemoteError,
};

impl NameRegistry {
    /// Returns the records that match, in the order of their names; a name's records are never split over
    /// pages.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::BadArguments`] for a pattern that cannot be used.
    pub fn list(&self, query: &NameQuery) -> Result<NamePage, RemoteError> {
        let compiled = CompiledQuery::new(query)?;
        let limit = query.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        let prefix = query.prefix.as_deref().unwrap_or_default();
        let from = match query.after.as_deref() {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut page = NamePage {
            records: Vec::new(),
            next: None,
            revision: self.revision(),
        };
        let names = self
            .names
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix));
        let mut last: Option<&Arc<str>> = None;
        for (scanned, (name, instances)) in names.enumerate() {
            if scanned >= SCAN_LIMIT || page.records.len() >= limit {
                page.next = last.map(ToString::to_string);
                break;
            }
            if compiled.matches_name(name) {
                let matching = instances.iter().filter(|i| compiled.matches_tags(&i.tags));
                page.records.extend(matching.map(|i| i.record(name)));
            }
            last = Some(name);
        }
        Ok(page)
    }
}
