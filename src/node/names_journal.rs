//! The journal of registered names, written by a thread of its own: what is appended while the disk is
//! busy is written together afterwards.

use std::{
    io,
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::oneshot;

use super::names_file::NamesFile;
use crate::{
    files::GoneError,
    health::{FindingKind, Findings},
    net::naming::{Journal, JournalEntry, JournalError, StoredRegistration},
};

/// A journal in a file. Dropping it waits for the writes that were begun.
pub(super) struct NamesJournal {
    writes: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<()>>,
}

struct Write {
    entries: Vec<JournalEntry>,
    done: oneshot::Sender<Result<(), JournalError>>,
}

impl NamesJournal {
    /// Opens the journal of a data folder and returns the names in it. With `sync`, names survive a
    /// power loss, otherwise a crash of the program.
    ///
    /// # Errors
    /// The system's, for the file or for the thread.
    pub(super) fn open(
        folder: &Path,
        sync: bool,
        findings: &Findings,
    ) -> io::Result<(Self, Vec<StoredRegistration>)> {
        let (file, names) = NamesFile::open(folder, sync, findings)?;
        let findings = findings.clone();
        let (writes, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("names".into())
            .spawn(move || run(file, &findings, &inbox))?;
        let journal = Self {
            writes: Some(writes),
            thread: Some(thread),
        };
        Ok((journal, names))
    }
}

fn run(mut file: NamesFile, findings: &Findings, writes: &mpsc::Receiver<Write>) {
    let mut failing = None;
    while let Ok(Write { entries, done }) = writes.recv() {
        let written = file.append(&entries);
        report(findings, &mut failing, written.as_ref().err());
        let written = written.map_err(|error| Arc::new(error) as JournalError);
        // A caller that has given up needs no reply.
        done.send(written).ok();
    }
}

/// Reports that writes fail, and that they do not any more.
fn report(findings: &Findings, failing: &mut Option<FindingKind>, error: Option<&io::Error>) {
    let kind = error.map(|error| match is_gone(error) {
        true => FindingKind::NamesFileGone,
        false => FindingKind::NamesNotPersisted,
    });
    if let Some(resolved) = failing.take_if(|failing| Some(*failing) != kind) {
        findings.resolve(resolved, "");
    }
    if let (Some(kind), Some(error)) = (kind, error) {
        let text = format!("changes to names cannot be stored: {error}");
        findings.report(kind, "", &text);
    }
    *failing = kind;
}

fn is_gone(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<GoneError>)
}

impl Journal for NamesJournal {
    fn append(&self, entries: Vec<JournalEntry>) -> BoxFuture<'_, Result<(), JournalError>> {
        let (done, written) = oneshot::channel();
        if let Some(writes) = &self.writes {
            // Without a thread the reply fails.
            writes.send(Write { entries, done }).ok();
        }
        written
            .map(|written| written.unwrap_or_else(|closed| Err(Arc::new(closed))))
            .boxed()
    }
}

impl Drop for NamesJournal {
    fn drop(&mut self) {
        self.writes.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
