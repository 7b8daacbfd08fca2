//! The names of the naming server, as a filtered list.

use std::{collections::BTreeMap, sync::Arc};

use super::list::{Motion, Selection};
use crate::net::{
    naming::{NameChange, NameEvent, Record},
    trust::{key::PublicKey, principal::Principal},
};

/// The maximum number of records in memory; further ones are only counted.
const MAX_RECORDS: usize = 100_000;

type RowKey = (String, Principal);

#[derive(Debug, Default)]
pub(crate) struct Names {
    records: BTreeMap<RowKey, Arc<Record>>,
    /// The matching records, in order.
    rows: Vec<Arc<Record>>,
    stale: bool,
    frozen: bool,
    pub(crate) connected: bool,
    /// Records beyond [`MAX_RECORDS`].
    pub(crate) dropped: usize,
    pub(crate) filter: String,
    pub(crate) selection: Selection,
    selected: Option<RowKey>,
}

impl Names {
    pub(crate) fn apply(&mut self, event: NameEvent) {
        self.connected = true;
        self.stale = true;
        match event {
            NameEvent::Snapshot { first, records, .. } => {
                if first {
                    self.records.clear();
                    self.dropped = 0;
                }
                for record in records {
                    self.insert(record);
                }
            }
            NameEvent::Changes { changes, .. } => {
                for change in changes {
                    match change {
                        NameChange::Put(record) => self.insert(record),
                        NameChange::Removed { name, owner, .. } => {
                            self.records.remove(&(name, owner));
                        }
                    }
                }
            }
        }
        self.update_rows();
    }

    pub(crate) fn freeze(&mut self, on: bool) {
        self.frozen = on;
        self.update_rows();
    }

    pub(crate) fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.filter);
        self.stale = true;
        let frozen = std::mem::take(&mut self.frozen);
        self.update_rows();
        self.frozen = frozen;
    }

    pub(crate) fn rows(&self) -> &[Arc<Record>] {
        &self.rows
    }

    pub(crate) fn total(&self) -> usize {
        self.records.len()
    }

    /// Returns the first record with a name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Record>> {
        let first = (
            name.to_owned(),
            Principal::Key(PublicKey::from_bytes([0; 32])),
        );
        let (key, record) = self.records.range(first..).next()?;
        (key.0 == name).then(|| Arc::clone(record))
    }

    pub(crate) fn selected(&self) -> Option<&Arc<Record>> {
        self.rows.get(self.selection.at)
    }

    pub(crate) fn move_selection(&mut self, motion: Motion) {
        self.selection.move_selection(motion, self.rows.len());
        self.remember();
    }

    pub(crate) fn select(&mut self, row: usize) {
        self.selection.at = row;
        self.move_selection(Motion::Down(0));
    }

    fn insert(&mut self, record: Record) {
        let key = (record.name.clone(), record.owner);
        if self.records.len() >= MAX_RECORDS && !self.records.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        self.records.insert(key, Arc::new(record));
    }

    fn remember(&mut self) {
        self.selected = self.selected().map(|r| (r.name.clone(), r.owner));
    }

    /// Filters the records again and keeps the selection on its record.
    fn update_rows(&mut self) {
        if !self.stale || self.frozen {
            return;
        }
        self.stale = false;
        let words: Vec<String> = self
            .filter
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let matches = |record: &Record| {
            words.iter().all(|word| match word.strip_prefix('!') {
                Some(word) => !contains(record, word),
                None => contains(record, word),
            })
        };
        self.rows = self
            .records
            .values()
            .filter(|record| matches(record))
            .map(Arc::clone)
            .collect();
        if let Some((name, owner)) = &self.selected {
            let key = self
                .rows
                .binary_search_by(|r| (r.name.as_str(), r.owner).cmp(&(name.as_str(), *owner)));
            self.selection.at = key.unwrap_or_else(|next| next);
        }
        self.selection.clamp(self.rows.len());
        self.remember();
    }
}

fn contains(record: &Record, word: &str) -> bool {
    let uri = record.uri.to_string();
    let texts = [&record.name, &uri].into_iter().chain(&record.tags);
    texts
        .into_iter()
        .any(|text| text.to_lowercase().contains(word))
        || record.health.as_str() == word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::naming::{Health, RemovalReason};

    fn record(name: &str) -> Record {
        Record {
            name: name.into(),
            uri: "distro:x@127.0.0.1:1".parse().expect("a URI"),
            owner: PublicKey::from_bytes([1; 32]).into(),
            tags: vec!["tag".into()],
            lease_ms: Some(15_000),
            health: Health::Live,
            share: crate::net::naming::ShareRule::Owner,
        }
    }

    fn snapshot(names: &[&str]) -> NameEvent {
        NameEvent::Snapshot {
            revision: 1,
            first: true,
            more: false,
            records: names.iter().map(|name| record(name)).collect(),
        }
    }

    fn changes(changes: Vec<NameChange>) -> NameEvent {
        NameEvent::Changes {
            revision: 2,
            changes,
        }
    }

    fn shown(names: &Names) -> Vec<&str> {
        names.rows().iter().map(|r| r.name.as_str()).collect()
    }

    #[test]
    fn the_selection_stays_on_its_name_while_others_come_and_go() {
        let mut names = Names::default();
        names.selection.height = 10;
        names.apply(snapshot(&["b", "d"]));
        names.move_selection(Motion::Bottom);
        names.apply(changes(vec![
            NameChange::Put(record("a")),
            NameChange::Put(record("c")),
        ]));
        assert_eq!(shown(&names), ["a", "b", "c", "d"]);
        assert_eq!(names.selected().map(|r| r.name.as_str()), Some("d"));
        let gone = NameChange::Removed {
            name: "d".into(),
            owner: record("d").owner,
            reason: RemovalReason::Expired,
        };
        names.apply(changes(vec![gone]));
        assert_eq!(names.selected().map(|r| r.name.as_str()), Some("c"));
    }

    #[test]
    fn a_filter_has_words_and_negated_words() {
        let mut names = Names::default();
        names.apply(snapshot(&["alpha", "beta", "gamma"]));
        names.set_filter("a !m");
        assert_eq!(shown(&names), ["alpha", "beta"]);
        names.set_filter("TAG live alp");
        assert_eq!(shown(&names), ["alpha"]);
        assert_eq!(names.total(), 3);
    }

    #[test]
    fn frozen_rows_stand_still_and_catch_up() {
        let mut names = Names::default();
        names.apply(snapshot(&["a"]));
        names.freeze(true);
        names.apply(changes(vec![NameChange::Put(record("b"))]));
        assert_eq!(shown(&names), ["a"]);
        names.freeze(false);
        assert_eq!(shown(&names), ["a", "b"]);
    }
}
