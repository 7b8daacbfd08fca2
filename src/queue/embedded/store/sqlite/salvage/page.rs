//! Pages of an SQLite file as bytes: the nodes of its trees, their cells, and the records in them.
//!
//! The format is described at <https://www.sqlite.org/fileformat2.html>. Nothing here trusts a byte:
//! whatever a page holds, reading it ends, and what makes no sense is `None`.

use rusqlite::types::Value;

/// The bytes of the file's header, before the first node on page 1.
const FILE_HEADER: usize = 100;
/// The first bytes of a file.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// The most bytes of one record; a larger size is damage.
const MAX_RECORD: usize = 128 << 20;

/// The pages of a file, from whatever place.
pub(super) trait PageSource {
    /// The number of pages; the first one is page 1.
    fn count(&self) -> u32;

    /// The bytes of a page, or `None` if it cannot be read.
    fn page(&self, number: u32) -> Option<Vec<u8>>;
}

/// The header of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// Bytes of a page.
    pub(super) page_size: usize,
    /// The first page of the list of free pages; 0 when there is none.
    pub(super) free_list: u32,
}

impl FileHeader {
    /// Reads the header of page 1; `None` when it is not that of a file with plain pages.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let page_size = match u16_at(bytes, 16)? {
            1 => 65_536,
            size => usize::from(size),
        };
        let plausible = page_size.is_power_of_two() && page_size >= 512 && *bytes.get(20)? == 0;
        plausible.then_some(Self {
            page_size,
            free_list: u32_at(bytes, 32)?,
        })
    }
}

/// The kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeKind {
    /// Points to further nodes by row id.
    TableInterior,
    /// Holds rows.
    TableLeaf,
    /// Holds keys, and points to further nodes between them.
    IndexInterior,
    /// Holds keys.
    IndexLeaf,
}

/// A page as a node of a tree.
#[derive(Debug)]
pub(super) struct Node<'a> {
    page: &'a [u8],
    /// The offset of the pointers to the cells.
    pointers: usize,
    cells: usize,
    pub(super) kind: NodeKind,
    /// The last child of an interior node.
    pub(super) right: Option<u32>,
}

/// A cell of a node.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    /// The child before the key, of an interior node.
    pub(super) child: Option<u32>,
    /// The row id, in a table.
    pub(super) row_id: i64,
    /// Bytes of the record, in all.
    size: usize,
    /// The bytes of the record that are on this page.
    local: &'a [u8],
    /// The page with the next bytes; 0 when there are none.
    overflow: u32,
}

impl<'a> Node<'a> {
    /// Reads a page as a node.
    pub(super) fn parse(page: &'a [u8], number: u32) -> Option<Self> {
        let header = if number == 1 { FILE_HEADER } else { 0 };
        let kind = match page.get(header)? {
            2 => NodeKind::IndexInterior,
            5 => NodeKind::TableInterior,
            10 => NodeKind::IndexLeaf,
            13 => NodeKind::TableLeaf,
            _ => return None,
        };
        let cells = usize::from(u16_at(page, header + 3)?);
        let interior = matches!(kind, NodeKind::TableInterior | NodeKind::IndexInterior);
        let (pointers, right) = match interior {
            true => (header + 12, Some(u32_at(page, header + 8)?)),
            false => (header + 8, None),
        };
        (pointers + 2 * cells <= page.len()).then_some(Self {
            page,
            pointers,
            cells,
            kind,
            right,
        })
    }

    /// The cells in order; `None` in place of one that makes no sense.
    pub(super) fn cells(&self) -> impl Iterator<Item = Option<Cell<'a>>> {
        (0..self.cells).map(|at| self.cell(at))
    }

    fn cell(&self, at: usize) -> Option<Cell<'a>> {
        let start = usize::from(u16_at(self.page, self.pointers + 2 * at)?);
        if start < self.pointers + 2 * self.cells {
            return None;
        }
        let mut bytes = self.page.get(start..)?;
        let mut cell = Cell::default();
        if self.right.is_some() {
            cell.child = Some(u32_at(bytes, 0)?);
            bytes = bytes.get(4..)?;
        }
        if self.kind == NodeKind::TableInterior {
            cell.row_id = varint(&mut bytes)?;
            return Some(cell);
        }
        cell.size = usize::try_from(varint(&mut bytes)?).ok()?;
        if cell.size > MAX_RECORD {
            return None;
        }
        if self.kind == NodeKind::TableLeaf {
            cell.row_id = varint(&mut bytes)?;
        }
        let local = local_size(cell.size, self.page.len(), self.kind);
        cell.local = bytes.get(..local)?;
        if local < cell.size {
            cell.overflow = u32_at(bytes, local)?;
        }
        Some(cell)
    }
}

impl Cell<'_> {
    /// The values of the record, which may go on in further pages.
    pub(super) fn record(&self, pages: &impl PageSource) -> Option<Vec<Value>> {
        if self.overflow == 0 {
            return decode(self.local);
        }
        let mut record = self.local.to_vec();
        let mut next = self.overflow;
        for _ in 0..pages.count() {
            let page = pages.page(next)?;
            next = u32_at(&page, 0)?;
            let rest = page.get(4..)?;
            let missing = self.size - record.len();
            record.extend_from_slice(rest.get(..missing).unwrap_or(rest));
            if record.len() == self.size {
                return decode(&record);
            }
        }
        None
    }
}

/// The pages that a page of the list of free pages names, and the next page of that list.
pub(super) fn free_pages(trunk: &[u8]) -> Option<(Vec<u32>, u32)> {
    let count = usize::try_from(u32_at(trunk, 4)?).ok()?;
    let listed = trunk.get(8..)?.get(..count.checked_mul(4)?)?;
    let (numbers, _) = listed.as_chunks();
    let numbers = numbers.iter().map(|bytes| u32::from_be_bytes(*bytes));
    Some((numbers.collect(), u32_at(trunk, 0)?))
}

/// Bytes of a record that are stored in its cell.
fn local_size(size: usize, page: usize, kind: NodeKind) -> usize {
    let most = match kind {
        NodeKind::TableLeaf => page - 35,
        _ => (page - 12) * 64 / 255 - 23,
    };
    if size <= most {
        return size;
    }
    let least = (page - 12) * 32 / 255 - 23;
    let fitting = least + (size - least) % (page - 4);
    if fitting <= most { fitting } else { least }
}

/// Reads the values of a record: a header of types, and then the values.
fn decode(record: &[u8]) -> Option<Vec<Value>> {
    let mut header = record;
    let header_size = usize::try_from(varint(&mut header)?).ok()?;
    let read = record.len() - header.len();
    let mut types = record.get(read..header_size)?;
    let mut body = record.get(header_size..)?;
    let mut values = Vec::new();
    while !types.is_empty() {
        values.push(value(varint(&mut types)?, &mut body)?);
    }
    body.is_empty().then_some(values)
}

fn value(kind: i64, body: &mut &[u8]) -> Option<Value> {
    let size = match kind {
        0 | 8 | 9 => 0,
        1..=4 => usize::try_from(kind).ok()?,
        5 => 6,
        6 | 7 => 8,
        12.. => usize::try_from((kind - 12) / 2).ok()?,
        _ => return None,
    };
    let (bytes, rest) = body.split_at_checked(size)?;
    *body = rest;
    Some(match kind {
        0 => Value::Null,
        8 => Value::Integer(0),
        9 => Value::Integer(1),
        1..=6 => Value::Integer(integer(bytes)),
        7 => Value::Real(f64::from_be_bytes(*bytes.first_chunk()?)),
        _ if kind % 2 == 0 => Value::Blob(bytes.to_vec()),
        // The checksum tells that the text is not what was written.
        _ => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
    })
}

/// A signed number in up to eight bytes.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1 } else { 0 };
    bytes
        .iter()
        .fold(start, |number, byte| (number << 8) | i64::from(*byte))
}

/// Reads a number of one to nine bytes, with seven bits in each but the ninth.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for at in 0..9 {
        let byte = *bytes.get(at)?;
        let last = at == 8;
        number = match last {
            true => (number << 8) | u64::from(byte),
            false => (number << 7) | u64::from(byte & 0x7f),
        };
        if last || byte & 0x80 == 0 {
            *bytes = bytes.get(at + 1..)?;
            break;
        }
    }
    Some(number.cast_signed())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_have_one_to_nine_bytes() {
        let read = |mut bytes: &[u8]| (varint(&mut bytes), bytes.len());
        assert_eq!(read(&[0x7f, 1]), (Some(127), 1));
        assert_eq!(read(&[0x81, 0x00]), (Some(128), 0));
        assert_eq!(read(&[0xff; 9]), (Some(-1), 0));
        assert_eq!(read(&[0x80]), (None, 1));
        assert_eq!(integer(&[0xff]), -1);
        assert_eq!(integer(&[0x00, 0xff]), 255);
        assert_eq!(integer(&[0x80, 0, 0, 0, 0, 0, 0, 0]), i64::MIN);
    }

    #[test]
    fn a_record_is_its_values() {
        let record = [6, 0, 1, 9, 17, 16, 0xfe, b'h', b'i', 1, 2];
        let expected = vec![
            Value::Null,
            Value::Integer(-2),
            Value::Integer(1),
            Value::Text("hi".into()),
            Value::Blob(vec![1, 2]),
        ];
        assert_eq!(decode(&record), Some(expected));
        assert_eq!(decode(&record[..10]), None);
        assert_eq!(decode(&[]), None);
    }

    struct OnePage(Vec<u8>);

    impl PageSource for OnePage {
        fn count(&self) -> u32 {
            3
        }

        fn page(&self, _: u32) -> Option<Vec<u8>> {
            Some(self.0.clone())
        }
    }

    proptest! {
        #[test]
        fn reading_random_bytes_ends(
            mut page in prop::collection::vec(any::<u8>(), 512),
            kind in prop::sample::select(vec![2_u8, 5, 10, 13]),
            cells in 0_u8..40,
        ) {
            page[0] = kind;
            page[3..5].copy_from_slice(&[0, cells]);
            let pages = OnePage(page.clone());
            if let Some(node) = Node::parse(&page, 2) {
                for cell in node.cells().flatten() {
                    cell.record(&pages);
                }
            }
            free_pages(&page);
            FileHeader::parse(&page);
        }
    }
}
