//! RPM's databases of installed packages (sqlite, ndb and Berkeley DB), and the headers in them.

use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use indago_table::prelude::*;

use super::positioned::{MOST_OF_VALUE, Positioned, be, le};
use super::sqlite::{Database, Value};

/// Where distributions keep the database. The first directory that has one counts.
const FOLDERS: [&str; 3] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm"];

/// Tags of a header's entries.
pub(crate) mod tag {
    pub(crate) const SHA1: u32 = 269;
    pub(crate) const NAME: u32 = 1000;
    pub(crate) const VERSION: u32 = 1001;
    pub(crate) const RELEASE: u32 = 1002;
    pub(crate) const EPOCH: u32 = 1003;
    pub(crate) const INSTALL_TIME: u32 = 1008;
    pub(crate) const SIZE: u32 = 1009;
    pub(crate) const VENDOR: u32 = 1011;
    pub(crate) const LICENSE: u32 = 1014;
    pub(crate) const GROUP: u32 = 1016;
    pub(crate) const ARCH: u32 = 1022;
    pub(crate) const OLD_FILE_NAMES: u32 = 1027;
    pub(crate) const FILE_SIZES: u32 = 1028;
    pub(crate) const FILE_MODES: u32 = 1030;
    pub(crate) const FILE_DIGESTS: u32 = 1035;
    pub(crate) const FILE_USERS: u32 = 1039;
    pub(crate) const FILE_GROUPS: u32 = 1040;
    pub(crate) const SOURCE: u32 = 1044;
    pub(crate) const FOLDER_INDEXES: u32 = 1116;
    pub(crate) const BASE_NAMES: u32 = 1117;
    pub(crate) const FOLDER_NAMES: u32 = 1118;
    pub(crate) const LONG_FILE_SIZES: u32 = 5008;
    pub(crate) const LONG_SIZE: u32 = 5009;
    pub(crate) const DIGEST_ALGORITHM: u32 = 5011;
}

/// The number of SHA-256 among the digests of OpenPGP.
pub(crate) const SHA256: i64 = 8;

/// A package's header: entries with a tag, and their data.
#[derive(Debug)]
pub(crate) struct Header {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u32,
    kind: u32,
    /// Position of its data in the header.
    at: usize,
    count: usize,
}

/// A position among the texts or numbers of an entry.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cursor {
    pub(crate) at: usize,
    left: usize,
    /// Bytes of a number; 0 for texts.
    width: usize,
}

/// RPM's own limit for the entries of a header.
const MOST_ENTRIES: usize = 0xffff;

impl Header {
    /// Parses a header as databases store it: without the magic number that it has in a package.
    pub(crate) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let (count, length) = (be(&bytes, 0, 4)? as usize, be(&bytes, 4, 4)? as usize);
        let data = 8 + 16 * Some(count).filter(|count| (1..=MOST_ENTRIES).contains(count))?;
        if data.checked_add(length)? > bytes.len() {
            return None;
        }
        let entry = |position: usize| {
            let at = 8 + 16 * position;
            let offset = be(&bytes, at + 8, 4)? as usize;
            let count = be(&bytes, at + 12, 4)? as usize;
            // Each item has at least one byte.
            let is_inside = offset <= length && count <= length - offset;
            is_inside.then_some(Entry {
                tag: be(&bytes, at, 4)?,
                kind: be(&bytes, at + 4, 4)?,
                at: data + offset,
                count,
            })
        };
        // The first entry describes a region; its offset may be special. An entry outside of the data is ignored.
        let entries = (0..count).filter_map(entry).collect();
        Some(Header { bytes, entries })
    }

    fn entry(&self, tag: u32) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.tag == tag).copied()
    }

    /// The texts of an entry: a text, a list of texts, or a text in several languages.
    pub(crate) fn texts(&self, tag: u32) -> impl Iterator<Item = &[u8]> {
        let mut cursor = self.cursor(tag);
        std::iter::from_fn(move || self.next_text(&mut cursor))
    }

    /// The start of an entry with texts or numbers, to read them one at a time.
    pub(crate) fn cursor(&self, tag: u32) -> Cursor {
        let Some(entry) = self.entry(tag) else { return Cursor::default() };
        let width = match entry.kind {
            1 | 2 => 1,
            3 => 2,
            4 => 4,
            5 => 8,
            6 | 8 | 9 => 0,
            _ => return Cursor::default(),
        };
        // Numbers outside of the header do not count.
        let is_inside = entry.count.checked_mul(width).and_then(|length| entry.at.checked_add(length));
        match is_inside.filter(|end| *end <= self.bytes.len()) {
            Some(_) => Cursor { at: entry.at, left: entry.count, width },
            None => Cursor::default(),
        }
    }

    /// The next text of an entry.
    pub(crate) fn next_text(&self, cursor: &mut Cursor) -> Option<&[u8]> {
        let data = self.bytes.get(cursor.at..).filter(|_| cursor.left > 0 && cursor.width == 0)?;
        let Some(end) = memchr::memchr(0, data) else {
            cursor.left = 0;
            return None;
        };
        *cursor = Cursor { at: cursor.at + end + 1, left: cursor.left - 1, width: 0 };
        data.get(..end)
    }

    /// The next number of an entry.
    pub(crate) fn next_number(&self, cursor: &mut Cursor) -> Option<i64> {
        let bytes = self.bytes.get(cursor.at..cursor.at + cursor.width);
        let bytes = bytes.filter(|_| cursor.left > 0 && cursor.width > 0)?;
        *cursor = Cursor { at: cursor.at + cursor.width, left: cursor.left - 1, ..*cursor };
        let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Some(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// Bytes at a range of positions, such as a text between two cursors.
    pub(crate) fn at(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// The first text of an entry.
    pub(crate) fn text(&self, tag: u32) -> Option<&[u8]> {
        self.texts(tag).next()
    }

    /// The numbers of an entry.
    pub(crate) fn numbers(&self, tag: u32) -> impl Iterator<Item = i64> + use<'_> {
        let mut cursor = self.cursor(tag);
        std::iter::from_fn(move || self.next_number(&mut cursor))
    }

    /// The first number of an entry.
    pub(crate) fn number(&self, tag: u32) -> Option<i64> {
        self.numbers(tag).next()
    }
}

/// The headers in the machine's database. An error affects one of them.
pub(crate) fn headers(sys: &Sys) -> Result<Box<dyn Iterator<Item = Result<Header>>>> {
    for folder in FOLDERS {
        for (name, open) in DATABASES {
            let path = Path::new(folder).join(name);
            if let Some(records) = open(sys, &path).if_present()? {
                let file = path.display().to_string();
                let parse = {
                    let file = file.clone();
                    move |record: Result<Vec<u8>>| {
                        let header = Header::parse(record?);
                        header.ok_or_else(|| Error::Malformed(format!("{file}: a damaged package header")))
                    }
                };
                let (sys, before) = (sys.clone(), stamps(sys, &path));
                let check = std::iter::once_with(move || {
                    let what = format!("{file}: changed while it was read; read it again");
                    (stamps(&sys, &path) != before).then_some(Err(Error::Malformed(what)))
                });
                return Ok(Box::new(records.map(parse).chain(check.flatten())));
            }
        }
    }
    let folders = FOLDERS.join(", ");
    Err(Error::Absent(format!("no RPM database (none of rpmdb.sqlite, Packages.db, Packages is in {folders})")))
}

/// Sizes and times of a database and of its write-ahead log.
fn stamps(sys: &Sys, path: &Path) -> [Option<(u64, Option<SystemTime>)>; 2] {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    [path, Path::new(&log)].map(|path| {
        let metadata = sys.metadata(path).ok()?;
        Some((metadata.len(), metadata.modified().ok()))
    })
}

type Records = Box<dyn Iterator<Item = Result<Vec<u8>>>>;
type Open = fn(&Sys, &Path) -> Result<Records>;

/// The kinds of databases, by the names of their files.
const DATABASES: [(&str, Open); 3] = [("rpmdb.sqlite", sqlite), ("Packages.db", ndb), ("Packages", berkeley)];

fn sqlite(sys: &Sys, path: &Path) -> Result<Records> {
    let file = path.display().to_string();
    let Some(rows) = Database::open(sys, path)?.rows("Packages")? else {
        return Err(Error::Malformed(format!("{file}: no table `Packages`")));
    };
    Ok(Box::new(rows.map(move |row| {
        let blob = row?.1.into_iter().nth(1).and_then(Value::bytes);
        blob.ok_or_else(|| Error::Malformed(format!("{file}: a row without a package header")))
    })))
}

const NDB_PAGE: u64 = 4096;
const NDB_SLOT: usize = 16;
const NDB_BLOCK: u64 = 16;

/// RPM's own database: pages of slots, which point at headers.
fn ndb(sys: &Sys, path: &Path) -> Result<Records> {
    let file = Positioned::open(sys, path)?;
    let first = file.read(0, 32)?;
    if !first.starts_with(b"RpmP") || le(&first, 4, 4) != Some(0) {
        return Err(file.malformed("not an ndb database of version 0"));
    }
    let pages = u64::from(le(&first, 12, 4).unwrap_or_default());
    if pages == 0 || pages * NDB_PAGE > file.length {
        return Err(file.malformed(format_args!("{pages} pages of slots")));
    }
    let mut slots = Vec::new();
    let (mut page, mut at) = (0, 0);
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            if at >= slots.len() {
                if page == pages {
                    return None;
                }
                let read = file.read(page * NDB_PAGE, NDB_PAGE);
                // The first two slots are the file's header.
                at = if page == 0 { 2 * NDB_SLOT } else { 0 };
                page += 1;
                match read {
                    Ok(read) => slots = read,
                    Err(error) => return Some(Err(error)),
                }
            }
            let slot = slots.get(at..at + NDB_SLOT).unwrap_or_default();
            at += NDB_SLOT;
            let number = |at| le(slot, at, 4).unwrap_or_default();
            let (package, block, blocks) = (number(4), u64::from(number(8)), u64::from(number(12)));
            if !slot.starts_with(b"Slot") {
                return Some(Err(file.malformed("a damaged slot")));
            }
            if package != 0 {
                return Some(ndb_header(&file, package, block * NDB_BLOCK, blocks * NDB_BLOCK));
            }
        }
    })))
}

fn ndb_header(file: &Positioned, package: u32, at: u64, room: u64) -> Result<Vec<u8>> {
    let head = file.read(at, 16)?;
    let length = u64::from(le(&head, 12, 4).unwrap_or_default());
    if !head.starts_with(b"BlbS") || le(&head, 4, 4) != Some(package) || length + 16 > room {
        return Err(file.malformed(format_args!("the header of package {package} is damaged")));
    }
    file.read(at + 16, length)
}

/// Bytes before the items of a page of Berkeley DB.
const PAGE_HEADER: usize = 26;

/// A hash table of Berkeley DB: number to header.
fn berkeley(sys: &Sys, path: &Path) -> Result<Records> {
    let file = Positioned::open(sys, path)?;
    let first = file.read(0, 512)?;
    let order = match (le(&first, 12, 4), be(&first, 12, 4)) {
        (Some(0x0006_1561), _) => le,
        (_, Some(0x0006_1561)) => be,
        _ => return Err(file.malformed("not a hash table of Berkeley DB")),
    };
    let page_size = u64::from(order(&first, 20, 4).unwrap_or_default());
    if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
        return Err(file.malformed(format_args!("a page size of {page_size}")));
    }
    if first.get(24) != Some(&0) {
        return Err(Error::Unsupported(format!("{}: an encrypted database", file.path)));
    }
    let table = Berkeley { pages: file.length / page_size, file, page_size, order };
    let mut open = Page::default();
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            if let Some(item) = table.next_item(&mut open) {
                return Some(item);
            }
            let next = open.number + 1;
            if next >= table.pages {
                return None;
            }
            open = match table.page(next) {
                Ok(page) => page,
                Err(error) => {
                    open = Page { number: next, ..Page::default() };
                    return Some(Err(error));
                }
            };
        }
    })))
}

struct Berkeley {
    file: Positioned,
    page_size: u64,
    pages: u64,
    /// Numbers in the byte order of the machine that wrote the file.
    order: fn(&[u8], usize, usize) -> Option<u32>,
}

/// A page of items, of which some were read.
#[derive(Default)]
struct Page {
    number: u64,
    bytes: Vec<u8>,
    /// Items on it; none on pages of other kinds.
    count: usize,
    next: usize,
}

impl Berkeley {
    fn damaged(&self, page: u64) -> Error {
        self.file.malformed(format_args!("page {page} is damaged"))
    }

    fn page(&self, number: u64) -> Result<Page> {
        let bytes = self.file.read(number * self.page_size, self.page_size)?;
        // Hash pages, sorted and unsorted. Others are free, or continue a value.
        let has_items = matches!(bytes.get(25), Some(2 | 13));
        let count = (self.order)(&bytes, 20, 2).filter(|_| has_items).unwrap_or_default() as usize;
        Ok(Page { number, bytes, count, next: 0 })
    }

    /// The next header that begins on a page.
    fn next_item(&self, page: &mut Page) -> Option<Result<Vec<u8>>> {
        let Page { number, bytes, .. } = page;
        let start = |item: usize| (self.order)(bytes, PAGE_HEADER + 2 * item, 2).map(|at| at as usize);
        // Keys and values take turns. An item ends where the previous one starts: they grow downwards.
        while page.next + 1 < page.count {
            let (key, value) = (page.next, page.next + 1);
            page.next += 2;
            let (Some(key), Some(at)) = (start(key), start(value)) else {
                page.next = page.count;
                return Some(Err(self.damaged(*number)));
            };
            return Some(match bytes.get(at) {
                Some(1) => match bytes.get(at + 1..key) {
                    // The record with key 0 holds the next number.
                    Some(inline) if inline.len() <= 16 => continue,
                    Some(inline) => Ok(inline.to_vec()),
                    None => Err(self.damaged(*number)),
                },
                Some(3) => self.overflow(bytes, at).unwrap_or_else(|| Err(self.damaged(*number))),
                _ => Err(self.damaged(*number)),
            });
        }
        None
    }

    /// A value on a chain of overflow pages; `None` if the reference is not in the page.
    fn overflow(&self, page: &[u8], at: usize) -> Option<Result<Vec<u8>>> {
        let (mut next, length) = (u64::from((self.order)(page, at + 4, 4)?), (self.order)(page, at + 8, 4)? as usize);
        if length as u64 > MOST_OF_VALUE.min(self.file.length) {
            return None;
        }
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let page = match self.file.read(next.saturating_mul(self.page_size), self.page_size) {
                Ok(page) => page,
                Err(error) => return Some(Err(error)),
            };
            let used = (self.order)(&page, 22, 2)? as usize;
            let part = page.get(PAGE_HEADER..PAGE_HEADER + used).filter(|part| !part.is_empty() && page[25] == 7);
            // Only the last page of a value has room left.
            let is_full = |part: &&[u8]| part.len() >= (length - bytes.len()).min(page.len() - PAGE_HEADER);
            let part = part.filter(is_full);
            let Some(part) = part else { return Some(Err(self.damaged(next))) };
            bytes.extend_from_slice(part);
            next = u64::from((self.order)(&page, 16, 4)?);
        }
        bytes.truncate(length);
        Some(Ok(bytes))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;

    use super::*;
    use crate::source::damaged::damaged;

    /// A header with texts, lists and numbers, each `(tag, type, count, data)`.
    pub(crate) fn header(entries: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, count, bytes) in entries {
            for number in [*tag, *kind, data.len() as u32, *count] {
                index.extend(number.to_be_bytes());
            }
            data.extend_from_slice(bytes);
        }
        let lengths = [entries.len() as u32, data.len() as u32].map(u32::to_be_bytes).concat();
        [lengths, index, data].concat()
    }

    fn package(name: &str) -> Vec<u8> {
        let name = [name.as_bytes(), b"\0"].concat();
        let padding = vec![b'x'; 3000];
        header(&[
            (tag::NAME, 6, 1, &name),
            (tag::BASE_NAMES, 8, 2, b"a\0b\0"),
            (tag::FILE_SIZES, 4, 2, &[0, 0, 0, 5, 0, 0, 1, 0]),
            (tag::LONG_SIZE, 5, 1, &[0, 0, 0, 1, 0, 0, 0, 0]),
            (9999, 7, 3000, &padding),
        ])
    }

    fn names(folder: &Path) -> (Vec<String>, Vec<String>) {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        match headers(&Sys::at(folder)) {
            Ok(headers) => headers.for_each(|header| match header {
                Ok(header) => {
                    good.push(String::from_utf8_lossy(header.text(tag::NAME).unwrap_or_default()).into_owned());
                }
                Err(error) => bad.push(error.to_string()),
            }),
            Err(error) => bad.push(error.to_string()),
        }
        (good, bad)
    }

    #[test]
    fn headers_have_texts_and_numbers() {
        let header = Header::parse(package("alpha")).expect("a header");
        assert_eq!(header.text(tag::NAME), Some(&b"alpha"[..]));
        assert_eq!(header.texts(tag::BASE_NAMES).collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(header.numbers(tag::FILE_SIZES).collect::<Vec<_>>(), [5, 256]);
        assert_eq!(header.number(tag::LONG_SIZE), Some(1 << 32));
        assert_eq!((header.text(tag::VENDOR), header.number(tag::EPOCH), header.number(tag::NAME)), (None, None, None));
        damaged(&package("a")[..120], |bytes| {
            if let Some(header) = Header::parse(bytes.to_vec()) {
                let texts = header.texts(tag::BASE_NAMES).count() + header.texts(tag::NAME).count();
                assert!(texts + header.numbers(tag::FILE_SIZES).count() <= bytes.len());
            }
        });
    }

    /// An ndb database: one page of slots, and the headers in blocks of 16 bytes.
    fn ndb_file(packages: &[Vec<u8>]) -> Vec<u8> {
        let le = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        let mut slots = [b"RpmP".to_vec(), le(&[0, 1, 1, 9]), vec![0; 12]].concat();
        let mut blocks = Vec::new();
        for (position, package) in packages.iter().enumerate() {
            let (index, at) = (position as u32 + 1, 256 + blocks.len() as u32 / 16);
            let start = blocks.len();
            blocks.extend([b"BlbS".to_vec(), le(&[index, 1, package.len() as u32])].concat());
            blocks.extend_from_slice(package);
            blocks.resize((blocks.len() + 12).next_multiple_of(16) - 12, 0);
            blocks.extend([le(&[0, package.len() as u32]), b"BlbE".to_vec()].concat());
            slots.extend([b"Slot".to_vec(), le(&[index, at, (blocks.len() - start) as u32 / 16])].concat());
        }
        while slots.len() < 4096 {
            slots.extend([b"Slot".to_vec(), vec![0; 12]].concat());
        }
        [slots, blocks].concat()
    }

    #[test]
    fn an_ndb_database_has_headers() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("usr/lib/sysimage/rpm");
        fs::create_dir_all(&at).expect("a folder");
        let sample = ndb_file(&[package("alpha"), package("beta")]);
        fs::write(at.join("Packages.db"), &sample).expect("a file");
        assert_eq!(names(folder.path()), (vec!["alpha".to_owned(), "beta".to_owned()], vec![]));
        let mut changed = sample.clone();
        for position in (0..64).chain(4096..4130) {
            for byte in [0, 0x7f, 0xff] {
                changed[position] = byte;
                fs::write(at.join("Packages.db"), &changed).expect("a file");
                let (good, bad) = names(folder.path());
                assert!(good.len() + bad.len() <= 256);
            }
            changed[position] = sample[position];
        }
        for end in (0..sample.len()).step_by(500) {
            fs::write(at.join("Packages.db"), &sample[..end]).expect("a file");
            let (good, bad) = names(folder.path());
            assert!(good.len() < 2 && !bad.is_empty(), "{end}: {good:?} {bad:?}");
        }
    }

    /// A hash table with pages of 512 bytes: two values on the same two overflow pages.
    #[test]
    fn values_of_berkeley_db_are_read_one_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let set = |page: &mut Vec<u8>, at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        let page = |fields: &[(usize, &[u8])]| {
            let mut page = vec![0; 512];
            fields.iter().for_each(|(at, bytes)| set(&mut page, *at, bytes));
            page
        };
        let meta = page(&[(12, &0x0006_1561_u32.to_le_bytes()), (20, &512_u32.to_le_bytes())]);
        let value: &[u8] = &[3, 0, 0, 0, 2, 0, 0, 0, 0xbc, 2, 0, 0];
        let offsets = [500_u16, 480, 470, 450].map(u16::to_le_bytes).concat();
        let items = page(&[(20, &[4, 0]), (25, &[2]), (26, &offsets), (500, &[1]), (480, value), (450, value)]);
        let first = page(&[(16, &[3]), (22, &486_u16.to_le_bytes()), (25, &[7]), (26, &[b'v'; 486])]);
        let second = page(&[(22, &[214, 0]), (25, &[7]), (26, &[b'w'; 214])]);
        let write = |pages: [&Vec<u8>; 4]| fs::write(folder.path().join("db"), pages.map(Vec::clone).concat());
        write([&meta, &items, &first, &second]).expect("a file");
        let sys = Sys::at(folder.path());
        let expected = [vec![b'v'; 486], vec![b'w'; 214]].concat();
        let mut records = berkeley(&sys, Path::new("/db")).expect("a database");
        for count in 1..=2 {
            assert_eq!(records.next(), Some(Ok(expected.clone())));
            assert_eq!(sys.meter().bytes(), 512 + 512 + count * 1024);
        }
        assert_eq!(records.next(), None);
        // Only the last page may have room: this one would have to be read for each byte.
        let mut short = first;
        set(&mut short, 22, &1_u16.to_le_bytes());
        write([&meta, &items, &short, &second]).expect("a file");
        let records: Vec<_> = berkeley(&sys, Path::new("/db")).expect("a database").collect();
        assert!(records.len() == 2 && records.iter().all(|record| matches!(record, Err(Error::Malformed(_)))));
    }

    #[test]
    fn a_host_without_a_database_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, errors) = names(folder.path());
        assert!(errors[0].starts_with("no RPM database"), "{errors:?}");
        let at = folder.path().join("var/lib/rpm");
        fs::create_dir_all(&at).expect("a folder");
        fs::write(at.join("Packages"), vec![0; 600]).expect("a file");
        assert_eq!(names(folder.path()).1, ["/var/lib/rpm/Packages: not a hash table of Berkeley DB"]);
    }
}
