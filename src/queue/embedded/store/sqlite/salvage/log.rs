//! The write-ahead log of an SQLite file: which of its frames holds the newest committed content of each
//! page.
//!
//! SQLite gives up at the first frame whose checksum is wrong, and with it everything that was committed
//! later. Each checksum continues that of the frame before, so the frames behind a damaged one are
//! verified here by the checksum that is stored in it.

use std::collections::HashMap;

/// Bytes of the header of a log.
pub(super) const LOG_HEADER: usize = 32;
/// Bytes of the header of a frame.
pub(super) const FRAME_HEADER: usize = 24;
/// The first four bytes of a log with big-endian checksums; with little-endian ones the last bit is 0.
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;
/// Checksums that are tried for the frame behind a damaged one.
const MAX_CANDIDATES: usize = 2;

/// The frames of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LogIndex {
    /// The number of the frame with the newest committed content of each page.
    pub(super) frames: HashMap<u32, u32>,
    /// Pages of the file after the last commit; 0 when nothing was committed.
    pub(super) pages: u32,
    /// Frames in front of a commit that cannot be read.
    pub(super) damaged: usize,
    /// The page and the number of each frame behind the last commit: those of a transaction that was
    /// never committed, or whose commit is damaged.
    pub(super) uncommitted: Vec<(u32, u32)>,
}

/// Reads a log frame by frame.
#[derive(Debug)]
pub(super) struct LogReader {
    big_endian: bool,
    salt: Option<[u8; 8]>,
    /// The checksums of which one is that of the frame before; none when it is unknown.
    before: Vec<(u32, u32)>,
    frame: u32,
    index: LogIndex,
    /// Damaged frames since the last commit.
    damaged_since: usize,
}

impl LogReader {
    /// Starts with the header of the log, which may be damaged.
    pub(super) fn new(header: &[u8]) -> Self {
        let big = |at: usize| u32_at(header, at, true);
        let big_endian = big(0) == Some(MAGIC_BIG_ENDIAN);
        let sum = header
            .get(..24)
            .map(|bytes| checksum((0, 0), bytes, big_endian));
        let magic = big(0).map(|magic| magic | 1);
        let intact = magic == Some(MAGIC_BIG_ENDIAN) && sum == big(24).zip(big(28));
        let salt = header
            .get(16..24)
            .and_then(|salt| <[u8; 8]>::try_from(salt).ok());
        Self {
            big_endian: intact && big_endian,
            salt: salt.filter(|_| intact),
            before: sum.filter(|_| intact).into_iter().collect(),
            frame: 0,
            index: LogIndex::default(),
            damaged_since: usize::from(!intact),
        }
    }

    /// Reads the next frame: its header and its page.
    pub(super) fn frame(&mut self, header: &[u8], page: &[u8]) {
        let number = self.frame;
        self.frame += 1;
        let salt = header
            .get(8..16)
            .and_then(|salt| <[u8; 8]>::try_from(salt).ok());
        let expected = *self.salt.get_or_insert(salt.unwrap_or_default());
        if salt != Some(expected) {
            // A damaged frame, or one of an earlier log behind the end of this one.
            self.damaged_since += 1;
            self.before.clear();
            return;
        }
        let stored = u32_at(header, 16, true).zip(u32_at(header, 20, true));
        let head = header.get(..8).unwrap_or_default();
        let sums: Vec<_> = self
            .before
            .iter()
            .map(|before| {
                let sum = checksum(*before, head, self.big_endian);
                checksum(sum, page, self.big_endian)
            })
            .collect();
        self.before.clear();
        self.before.extend(stored);
        // Behind a frame that cannot be read at all, the salt has to do.
        if !sums.is_empty() && !sums.iter().any(|sum| Some(*sum) == stored) {
            // Either its content or its checksum is damaged.
            self.before.extend(sums);
            self.before.truncate(MAX_CANDIDATES);
            self.damaged_since += 1;
            return;
        }
        let (page, size) = (u32_at(header, 0, true), u32_at(header, 4, true));
        let index = &mut self.index;
        index.uncommitted.extend(page.map(|page| (page, number)));
        if let Some(size) = size.filter(|size| *size > 0) {
            index.frames.extend(index.uncommitted.drain(..));
            index.pages = size;
            index.damaged += std::mem::take(&mut self.damaged_since);
        }
    }

    /// The frames that were found.
    pub(super) fn finish(self) -> LogIndex {
        self.index
    }
}

/// Continues a checksum over a number of bytes that is a multiple of eight.
fn checksum(from: (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let (pairs, _) = bytes.as_chunks::<8>();
    pairs.iter().fold(from, |(a, b), pair| {
        let first = u32_at(pair, 0, big_endian).unwrap_or_default();
        let second = u32_at(pair, 4, big_endian).unwrap_or_default();
        let a = a.wrapping_add(first).wrapping_add(b);
        (a, b.wrapping_add(second).wrapping_add(a))
    })
}

fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let bytes = *bytes.get(at..)?.first_chunk()?;
    Some(match big_endian {
        true => u32::from_be_bytes(bytes),
        false => u32::from_le_bytes(bytes),
    })
}
