//! A task file and its write-ahead log, read page by page without SQLite and without a change.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use super::{
    log::{FRAME_HEADER, LOG_HEADER, LogIndex, LogReader},
    page::{FileHeader, PageSource},
};
use crate::queue::embedded::store::sqlite::replace::with_suffix;

/// Bytes of a page where neither header can be read; SQLite's default, which our files have.
const PAGE_SIZE: usize = 4_096;
/// The most bytes of a log that are read; SQLite keeps it far smaller.
const MAX_LOG: u64 = 1 << 30;

/// The file with its log.
pub(super) struct Image {
    file: File,
    log: Option<File>,
    page_size: usize,
    pages_in_file: u32,
    pages: u32,
    index: LogIndex,
}

impl Image {
    /// Opens a task file, and its log if there is one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let log = match File::open(with_suffix(path, "-wal")) {
            Ok(log) => Some(log),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let page_size = page_size(&file, log.as_ref());
        let index = match &log {
            Some(log) => read_log(log, page_size)?,
            None => LogIndex::default(),
        };
        let in_file = file.metadata()?.len().div_ceil(page_size as u64);
        let pages_in_file = u32::try_from(in_file).unwrap_or(u32::MAX);
        Ok(Self {
            pages_in_file,
            pages: pages_in_file.max(index.pages),
            file,
            log,
            page_size,
            index,
        })
    }

    /// Frames of the log that were committed and cannot be read.
    pub(super) const fn damaged_frames(&self) -> usize {
        self.index.damaged
    }

    /// Returns true if the log ends with a transaction without a commit.
    pub(super) const fn is_uncommitted(&self) -> bool {
        !self.index.uncommitted.is_empty()
    }

    /// Counts the transaction at the end of the log as committed.
    pub(super) fn commit(&mut self) {
        let frames = std::mem::take(&mut self.index.uncommitted);
        let last = frames.iter().map(|(page, _)| *page).max();
        self.pages = self.pages.max(last.unwrap_or_default());
        self.index.frames.extend(frames);
    }

    /// Returns true if there are pages in the log and none in the file.
    pub(super) const fn is_log_alone(&self) -> bool {
        self.pages_in_file == 0 && self.pages > 0
    }

    /// Returns true if there is not one page.
    pub(super) const fn is_empty(&self) -> bool {
        self.pages == 0
    }
}

impl PageSource for Image {
    fn count(&self) -> u32 {
        self.pages
    }

    fn page(&self, number: u32) -> Option<Vec<u8>> {
        let mut page = vec![0; self.page_size];
        let size = self.page_size as u64;
        let in_log = self.index.frames.get(&number).zip(self.log.as_ref());
        let read = match in_log {
            Some((frame, log)) => {
                let frame = u64::from(*frame) * (FRAME_HEADER as u64 + size);
                let at = LOG_HEADER as u64 + frame + FRAME_HEADER as u64;
                log.read_exact_at(&mut page, at)
            }
            None => self
                .file
                .read_exact_at(&mut page, u64::from(number.checked_sub(1)?) * size),
        };
        read.ok()?;
        Some(page)
    }
}

/// Bytes of a page, by the header of the file or of the log.
fn page_size(file: &File, log: Option<&File>) -> usize {
    let mut header = [0; 100];
    let from_file = file.read_exact_at(&mut header, 0).ok();
    if let Some(header) = from_file.and_then(|()| FileHeader::parse(&header)) {
        return header.page_size;
    }
    let mut size = [0; 4];
    let from_log = log.and_then(|log| log.read_exact_at(&mut size, 8).ok());
    let from_log = from_log.and_then(|()| usize::try_from(u32::from_be_bytes(size)).ok());
    let plausible = |size: &usize| size.is_power_of_two() && (512..=65_536).contains(size);
    from_log.filter(plausible).unwrap_or(PAGE_SIZE)
}

fn read_log(log: &File, page_size: usize) -> io::Result<LogIndex> {
    let length = log.metadata()?.len().min(MAX_LOG);
    let mut header = [0; LOG_HEADER];
    if length < LOG_HEADER as u64 {
        return Ok(LogIndex::default());
    }
    log.read_exact_at(&mut header, 0)?;
    let mut reader = LogReader::new(&header);
    let mut frame = vec![0; FRAME_HEADER + page_size];
    let frames = (length - LOG_HEADER as u64) / frame.len() as u64;
    for number in 0..frames {
        let at = LOG_HEADER as u64 + number * frame.len() as u64;
        // A part that the disk cannot read is as good as a damaged one.
        if log.read_exact_at(&mut frame, at).is_err() {
            frame.fill(0);
        }
        let (header, page) = frame.split_at(FRAME_HEADER);
        reader.frame(header, page);
    }
    Ok(reader.finish())
}
