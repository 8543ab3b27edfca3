//! Tables of an SQLite database, read without its library: pages of a hostile file never reach C code, and databases of
//! any size are read page by page. Pages in the write-ahead log count as SQLite's own readers count them.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use indago_table::prelude::*;

use super::positioned::{MOST_OF_VALUE, Positioned, be};

/// Deepest tree. SQLite's own limit is 20.
const DEEPEST: usize = 20;
/// Most values of a row: SQLite's own limit.
const MOST_COLUMNS: usize = 32_767;
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    file: Positioned,
    page_size: u64,
    /// Bytes of a page that hold data.
    usable: usize,
    pages: u32,
    wal: Option<Wal>,
    /// Why the log could not be read. Rows may be old.
    damage: Option<Error>,
}

/// The committed pages of the write-ahead log.
#[derive(Debug)]
struct Wal {
    file: Positioned,
    /// Position of the newest version of each page.
    pages: HashMap<u32, u64>,
    /// Pages of the database after the last commit.
    count: u32,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    /// Text in UTF-8, not checked.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Value {
    pub(crate) fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Value::Text(bytes) | Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// A row: its ID and its values in the order of the columns. Values of columns that were added later may be missing.
/// The value of an `INTEGER PRIMARY KEY` is NULL; it is the ID.
pub(crate) type Row = (i64, Vec<Value>);

impl Database {
    pub(crate) fn open(sys: &Sys, path: impl AsRef<Path>) -> Result<Rc<Self>> {
        let path = path.as_ref();
        let file = Positioned::open(sys, path)?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = Positioned::open(sys, Path::new(&log)).if_present();
        let (wal, damage) = match log.and_then(|log| log.map(Wal::read).transpose()) {
            Ok(wal) => (wal.flatten(), None),
            Err(error) if error.ends_query() => return Err(error),
            Err(error) => (None, Some(error)),
        };
        let header = match &wal {
            // A new database may have its first page in the log only.
            Some(Wal { file, pages, .. }) if pages.contains_key(&1) => file.read(pages[&1], 100)?,
            _ => file.read(0, 100)?,
        };
        let number = |at, length| be(&header, at, length).unwrap_or_default();
        if !header.starts_with(b"SQLite format 3\0") {
            return Err(file.malformed("not an SQLite database"));
        }
        let page_size: u64 = match number(16, 2) {
            1 => 65536,
            size if size.is_power_of_two() && size >= 512 => size.into(),
            size => return Err(file.malformed(format_args!("a page size of {size}"))),
        };
        let usable = page_size as usize - number(20, 1) as usize;
        if usable < 480 {
            return Err(file.malformed("pages without room"));
        }
        if number(56, 4) > 1 {
            return Err(Error::Unsupported(format!("{}: a database with text in UTF-16", file.path)));
        }
        let pages = match &wal {
            Some(wal) => wal.count,
            None => u32::try_from(file.length / page_size).unwrap_or(u32::MAX),
        };
        Ok(Rc::new(Database { file, page_size, usable, pages, wal, damage }))
    }

    /// The rows of a table, in the order of their IDs; `None` if there is no such table. An error affects one row or
    /// one page, or the log or the list of tables.
    pub(crate) fn rows(self: &Rc<Self>, table: &str) -> Result<Option<impl Iterator<Item = Result<Row>> + use<>>> {
        let mut damage: Vec<Error> = self.damage.iter().cloned().collect();
        for row in self.tree(1) {
            let values = match row {
                Ok((_, values)) => values,
                Err(error) if error.ends_query() => return Err(error),
                Err(error) => {
                    damage.push(error);
                    continue;
                }
            };
            if let [Value::Text(kind), Value::Text(name), _, Value::Integer(root), ..] = values.as_slice()
                && kind == b"table"
                && name.eq_ignore_ascii_case(table.as_bytes())
            {
                let root = u32::try_from(*root).map_err(|_| self.file.malformed("a root page out of range"))?;
                return Ok(Some(damage.into_iter().map(Err).chain(self.tree(root))));
            }
        }
        damage.into_iter().next().map_or(Ok(None), Err)
    }

    fn tree(self: &Rc<Self>, root: u32) -> Tree {
        Tree { database: self.clone(), open: Vec::new(), next: Some(root), seen: HashSet::new() }
    }

    fn page(&self, number: u32) -> Result<Vec<u8>> {
        if number == 0 || number > self.pages {
            return Err(self.file.malformed(format_args!("page {number} does not exist")));
        }
        match &self.wal {
            Some(Wal { file, pages, .. }) if pages.contains_key(&number) => file.read(pages[&number], self.page_size),
            _ => self.file.read(u64::from(number - 1) * self.page_size, self.page_size),
        }
    }

    /// The payload of a cell: its local part, and the rest on overflow pages.
    fn payload(&self, page: &[u8], at: usize, length: u64) -> Result<Vec<u8>> {
        let damaged = || self.file.malformed("a cell outside of its page");
        if length > MOST_OF_VALUE || length > u64::from(self.pages) * self.page_size {
            return Err(self.file.malformed(format_args!("a row of {length} bytes")));
        }
        let length = length as usize;
        let local = if length <= self.usable - 35 {
            length
        } else {
            let least = (self.usable - 12) * 32 / 255 - 23;
            let wanted = least + (length - least) % (self.usable - 4);
            if wanted <= self.usable - 35 { wanted } else { least }
        };
        let mut bytes = page.get(at..at + local).ok_or_else(damaged)?.to_vec();
        if local < length {
            let mut next = be(page, at + local, 4).ok_or_else(damaged)?;
            while bytes.len() < length {
                let page = self.page(next)?;
                next = be(&page, 0, 4).ok_or_else(damaged)?;
                let part = (length - bytes.len()).min(self.usable - 4);
                bytes.extend_from_slice(page.get(4..4 + part).ok_or_else(damaged)?);
            }
        }
        Ok(bytes)
    }

    fn row(&self, page: &[u8], cell: usize) -> Result<Row> {
        let damaged = || self.file.malformed("a damaged row");
        let (length, at) = varint(page, cell).ok_or_else(damaged)?;
        let (id, at) = varint(page, at).ok_or_else(damaged)?;
        let payload = self.payload(page, at, length as u64)?;
        Ok((id, record(&payload).ok_or_else(damaged)?))
    }
}

impl Wal {
    /// Reads the log up to its last commit. `None` if it has none.
    fn read(file: Positioned) -> Result<Option<Self>> {
        if file.length < WAL_HEADER {
            return Ok(None);
        }
        let header = file.read(0, WAL_HEADER)?;
        let number = |bytes: &[u8], at| be(bytes, at, 4).unwrap_or_default();
        let is_big = match number(&header, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return Ok(None),
        };
        let page_size = u64::from(number(&header, 8));
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return Ok(None);
        }
        let mut sum = checksum((0, 0), &header[..24], is_big);
        if sum != (number(&header, 24), number(&header, 28)) {
            return Ok(None);
        }
        let (mut pages, mut pending, mut count) = (HashMap::new(), HashMap::new(), 0);
        let mut at = WAL_HEADER;
        while at + FRAME_HEADER + page_size <= file.length {
            let frame = file.read(at, FRAME_HEADER + page_size)?;
            let (head, data) = frame.split_at(FRAME_HEADER as usize);
            sum = checksum(checksum(sum, &head[..8], is_big), data, is_big);
            // Frames of an earlier log, or of a write that was not completed.
            if head[8..16] != header[16..24] || sum != (number(head, 16), number(head, 20)) {
                break;
            }
            pending.insert(number(head, 0), at + FRAME_HEADER);
            let committed = number(head, 4);
            if committed > 0 {
                pages.extend(pending.drain());
                count = committed;
            }
            at += FRAME_HEADER + page_size;
        }
        Ok((count > 0).then_some(Wal { file, pages, count }))
    }
}

/// The log's checksum over pairs of words.
fn checksum((mut first, mut second): (u32, u32), bytes: &[u8], is_big: bool) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| {
            let word = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
            if is_big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        first = first.wrapping_add(word(0)).wrapping_add(second);
        second = second.wrapping_add(word(4)).wrapping_add(first);
    }
    (first, second)
}

/// A walk over the leaves of a table's tree.
struct Tree {
    database: Rc<Database>,
    open: Vec<Open>,
    /// The page to open next.
    next: Option<u32>,
    /// Pages that were opened: a damaged tree may have a cycle.
    seen: HashSet<u32>,
}

/// An open page of a tree.
struct Open {
    bytes: Vec<u8>,
    /// Position of the page's header.
    header: usize,
    is_leaf: bool,
    /// The next cell.
    cell: usize,
    cells: usize,
}

impl Tree {
    fn enter(&mut self, number: u32) -> Result<()> {
        let file = &self.database.file;
        if !self.seen.insert(number) || self.open.len() >= DEEPEST {
            return Err(file.malformed(format_args!("page {number} is in a cycle")));
        }
        let bytes = self.database.page(number)?;
        let header = if number == 1 { 100 } else { 0 };
        let is_leaf = match bytes.get(header) {
            Some(13) => true,
            Some(5) => false,
            _ => return Err(file.malformed(format_args!("page {number} is not a page of a table"))),
        };
        let cells = be(&bytes, header + 3, 2).unwrap_or_default() as usize;
        self.open.push(Open { bytes, header, is_leaf, cell: 0, cells });
        Ok(())
    }
}

impl Iterator for Tree {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        loop {
            if let Some(number) = self.next.take()
                && let Err(error) = self.enter(number)
            {
                return Some(Err(error));
            }
            let page = self.open.last_mut()?;
            let cell = page.cell;
            page.cell += 1;
            if page.is_leaf {
                if cell >= page.cells {
                    self.open.pop();
                    continue;
                }
                let Some(at) = be(&page.bytes, page.header + 8 + 2 * cell, 2) else {
                    self.open.pop();
                    return Some(Err(self.database.file.malformed("a page with too many cells")));
                };
                return Some(self.database.row(&page.bytes, at as usize));
            }
            // The last child is in the header.
            let child = match cell.cmp(&page.cells) {
                std::cmp::Ordering::Less => {
                    be(&page.bytes, page.header + 12 + 2 * cell, 2).and_then(|at| be(&page.bytes, at as usize, 4))
                }
                std::cmp::Ordering::Equal => be(&page.bytes, page.header + 8, 4),
                std::cmp::Ordering::Greater => {
                    self.open.pop();
                    continue;
                }
            };
            match child {
                Some(child) => self.next = Some(child),
                None => {
                    self.open.pop();
                    return Some(Err(self.database.file.malformed("a page with too many cells")));
                }
            }
        }
    }
}

/// A number of up to nine bytes, and the position after it.
fn varint(bytes: &[u8], mut at: usize) -> Option<(i64, usize)> {
    let mut value: u64 = 0;
    for position in 0..9 {
        let byte = *bytes.get(at)?;
        at += 1;
        if position == 8 {
            return Some(((value << 8 | u64::from(byte)) as i64, at));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            break;
        }
    }
    Some((value as i64, at))
}

/// The values of a record.
fn record(bytes: &[u8]) -> Option<Vec<Value>> {
    let (end, mut at) = varint(bytes, 0)?;
    let end = usize::try_from(end).ok().filter(|end| *end <= bytes.len())?;
    let mut data = end;
    let mut values = Vec::new();
    while at < end {
        if values.len() == MOST_COLUMNS {
            return None;
        }
        let (kind, next) = varint(bytes, at)?;
        at = next;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            12.. => usize::try_from((kind - 12) / 2).ok()?,
            _ => return None,
        };
        let part = bytes.get(data..data.checked_add(length)?)?;
        data += length;
        let integer = || {
            let first = part.first().map_or(0, |byte| i64::from(*byte as i8));
            part.iter().skip(1).fold(first, |number, byte| number << 8 | i64::from(*byte))
        };
        values.push(match kind {
            0 => Value::Null,
            7 => Value::Real(f64::from_bits(integer() as u64)),
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            1..=6 => Value::Integer(integer()),
            kind if kind % 2 == 0 => Value::Blob(part.to_vec()),
            _ => Value::Text(part.to_vec()),
        });
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::source::damaged::damaged;

    /// Rows that SQLite itself writes, with its library.
    fn sample(folder: &Path, mode: &str, rows: i64) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(folder.join("db")).expect("a database");
        db.pragma_update(None, "page_size", 512).expect("a page size");
        db.pragma_update(None, "journal_mode", mode).expect("a mode");
        db.execute_batch("CREATE TABLE other (x); CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)").expect("tables");
        for row in 0..rows {
            let text = "x".repeat((row * 97 % 3000) as usize);
            let number = if row % 2 == 0 { i64::MIN + row } else { row - 3 };
            db.execute("INSERT INTO t (a, b) VALUES (?1, ?2)", (number, &text)).expect("a row");
        }
        db.execute("INSERT INTO t (a, b) VALUES (2.5, x'00ff')", ()).expect("a row");
        db
    }

    fn read(folder: &Path) -> (Vec<Row>, Vec<Error>) {
        let mut good = Vec::new();
        let mut bad = Vec::new();
        match Database::open(&Sys::at(folder), "/db") {
            Ok(database) => match database.rows("T") {
                Ok(rows) => rows.into_iter().flatten().for_each(|row| match row {
                    Ok(row) => good.push(row),
                    Err(error) => bad.push(error),
                }),
                Err(error) => bad.push(error),
            },
            Err(error) => bad.push(error),
        }
        (good, bad)
    }

    #[test]
    fn rows_are_those_that_sqlite_wrote() {
        for mode in ["delete", "wal"] {
            let folder = tempfile::tempdir().expect("a folder");
            let db = sample(folder.path(), mode, 200);
            let (rows, errors) = read(folder.path());
            assert_eq!(errors, [], "{mode}");
            let mut statement = db.prepare("SELECT id, a, b FROM t ORDER BY id").expect("it prepares");
            let value = |row: &rusqlite::Row<'_>, column| match row.get_ref(column).expect("a column") {
                rusqlite::types::ValueRef::Null => Value::Null,
                rusqlite::types::ValueRef::Integer(number) => Value::Integer(number),
                rusqlite::types::ValueRef::Real(number) => Value::Real(number),
                rusqlite::types::ValueRef::Text(text) => Value::Text(text.to_vec()),
                rusqlite::types::ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            };
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, vec![Value::Null, value(row, 1), value(row, 2)]));
            let expected: Vec<Row> = statement.query_map([], row).expect("it runs").flatten().collect();
            assert!(rows == expected && rows.len() == 201, "{mode}");
            let is_logged = fs::metadata(folder.path().join("db-wal")).is_ok_and(|log| log.len() > 0);
            assert_eq!(is_logged, mode == "wal", "the rows of the log are read from it");
        }
    }

    #[test]
    fn a_damaged_list_of_tables_and_an_unreadable_log_keep_the_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(sample(folder.path(), "delete", 3));
        let file = folder.path().join("db");
        let mut bytes = fs::read(&file).expect("the database");
        // The first cell of the first page: the size, the ID, and the size of the header.
        let cell = usize::from(u16::from_be_bytes([bytes[108], bytes[109]]));
        bytes[cell + 2] = 0x7f;
        fs::write(&file, &bytes).expect("a file");
        let (rows, errors) = read(folder.path());
        assert_eq!(rows.len(), 4);
        assert_eq!(errors, [Error::Malformed("/db: a damaged row".to_owned())]);
        crate::source::damaged::fifo(&folder.path().join("db-wal"));
        let (rows, errors) = read(folder.path());
        assert_eq!((rows.len(), errors.len()), (4, 2));
        assert_eq!(errors[0], Error::Malformed("/db-wal is a FIFO, not a regular file".to_owned()));
    }

    #[test]
    fn an_uncommitted_change_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = sample(folder.path(), "wal", 3);
        // The cache is so small that SQLite writes pages to the log before the commit.
        db.execute_batch("PRAGMA cache_size = 1; BEGIN; DELETE FROM t; INSERT INTO t (b) VALUES (zeroblob(100000))")
            .expect("it runs");
        assert_eq!(read(folder.path()).0.len(), 4);
        db.execute_batch("COMMIT").expect("it runs");
        assert_eq!(read(folder.path()).0.len(), 1);
    }

    #[test]
    fn a_record_has_as_many_values_as_columns_can_exist() {
        let of_nulls = |count: usize| {
            let length = count + 3;
            let head = [0x80 | (length >> 14) as u8, 0x80 | (length >> 7) as u8 & 0x7f, length as u8 & 0x7f];
            record(&[&head[..], &vec![0; count]].concat()).map(|values| values.len())
        };
        assert_eq!(of_nulls(MOST_COLUMNS), Some(MOST_COLUMNS));
        assert_eq!(of_nulls(MOST_COLUMNS + 1), None);
    }

    #[test]
    fn any_bytes_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(sample(folder.path(), "delete", 12));
        let file = folder.path().join("db");
        let sample = fs::read(&file).expect("the database");
        // Each page's start has its header; the rest of a page is mostly text.
        let mut changed = sample.clone();
        for position in (0..sample.len()).filter(|position| position % 512 < 40) {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                changed[position] = byte;
                fs::write(&file, &changed).expect("a file");
                let (good, bad) = read(folder.path());
                assert!(good.len() + bad.len() <= 1000);
            }
            changed[position] = sample[position];
        }
        for end in (0..sample.len()).step_by(100) {
            fs::write(&file, &sample[..end]).expect("a file");
            read(folder.path());
        }
        damaged(&[4, 1, 7, 15, 5, 0, 0, 0, 0, 0, 0, 0, 0, b'x'], |bytes| {
            let _may_be_none = record(bytes);
        });
    }
}
