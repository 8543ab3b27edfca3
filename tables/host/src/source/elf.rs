//! ELF files: programs, libraries and kernel modules.

use indago_table::prelude::*;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::{Endianness, FileKind, SectionIndex};

/// Most names in a list of one file, and most bytes of them.
const MOST_NAMES: usize = 10_000;
const MOST_OF_NAMES: usize = 1 << 20;
/// Longest text in bytes.
const LONGEST_TEXT: usize = 64 << 10;

/// The facts of a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) bits: i64,
    pub(crate) is_little_endian: bool,
    pub(crate) abi: i64,
    pub(crate) abi_version: i64,
    pub(crate) kind: i64,
    pub(crate) machine: i64,
    pub(crate) entry: i64,
    pub(crate) flags: i64,
    pub(crate) interpreter: Option<String>,
    pub(crate) soname: Option<String>,
    pub(crate) runpath: Option<String>,
    pub(crate) needed: Vec<String>,
    pub(crate) build_id: Option<String>,
    pub(crate) is_dynamic: bool,
    pub(crate) is_position_independent: bool,
    pub(crate) has_symbols: bool,
    pub(crate) has_debug_info: bool,
    pub(crate) has_executable_stack: Option<bool>,
    /// The part of its relocations that cannot be written after the start.
    pub(crate) relro: &'static str,
    pub(crate) has_canary: bool,
    /// What was skipped because of a limit.
    pub(crate) skipped: Option<&'static str>,
}

/// A symbol of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) address: i64,
    pub(crate) size: i64,
    pub(crate) kind: u8,
    pub(crate) binding: u8,
    pub(crate) visibility: u8,
    pub(crate) section: i64,
    pub(crate) table: &'static str,
}

/// Whether bytes start as an ELF file does.
pub(crate) fn is_elf(start: &[u8]) -> bool {
    start.starts_with(&elf::ELFMAG)
}

/// The facts of a file.
pub(crate) fn facts(data: &[u8]) -> Result<Facts> {
    let read = match FileKind::parse(data) {
        Ok(FileKind::Elf32) => facts_of::<FileHeader32<Endianness>>(data),
        Ok(FileKind::Elf64) => facts_of::<FileHeader64<Endianness>>(data),
        Ok(_) => return Err(Error::Malformed("not an ELF file".to_owned())),
        Err(error) => Err(error),
    };
    read.map_err(malformed)
}

/// Passes the symbols of a file to a function until it returns false. A malformed name is empty.
pub(crate) fn symbols(data: &[u8], each: &mut dyn FnMut(Symbol) -> bool) -> Result<()> {
    let read = match FileKind::parse(data) {
        Ok(FileKind::Elf32) => symbols_of::<FileHeader32<Endianness>>(data, each),
        Ok(FileKind::Elf64) => symbols_of::<FileHeader64<Endianness>>(data, each),
        Ok(_) => return Err(Error::Malformed("not an ELF file".to_owned())),
        Err(error) => Err(error),
    };
    read.map_err(malformed)
}

fn malformed(error: object::read::Error) -> Error {
    Error::Malformed(format!("malformed ELF file: {error}"))
}

/// Bits as a signed number, as SQL has it.
fn signed(value: impl Into<u64>) -> i64 {
    value.into().cast_signed()
}

fn facts_of<'data, H: FileHeader<Endian = Endianness>>(data: &'data [u8]) -> object::read::Result<Facts> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let ident = header.e_ident();
    let kind = header.e_type(endian);
    let mut facts = Facts {
        bits: if header.is_class_64() { 64 } else { 32 },
        is_little_endian: endian == Endianness::Little,
        abi: ident.os_abi.into(),
        abi_version: ident.abi_version.into(),
        kind: kind.into(),
        machine: header.e_machine(endian).into(),
        entry: signed(header.e_entry(endian)),
        flags: header.e_flags(endian).into(),
        relro: "none",
        ..Facts::default()
    };
    // Malware often has a malformed table of sections; the loader does not read it.
    let sections = header.sections(endian, data).unwrap_or_default();
    let segments = header.program_headers(endian, data).unwrap_or_default();
    let (mut dynamic, mut id, mut skipped) = (None, None, None);
    // Damaged files may have texts of any length, many times.
    let mut limited = |bytes: &'data [u8]| {
        let is_short = bytes.len() <= LONGEST_TEXT;
        skipped = skipped.or((!is_short).then_some("texts of more than 64 KiB"));
        is_short.then_some(bytes)
    };
    for segment in segments {
        match segment.p_type(endian) {
            elf::PT_INTERP => {
                let interpreter = segment.interpreter(endian, data).ok().flatten();
                facts.interpreter = interpreter.and_then(&mut limited).map(text);
            }
            elf::PT_DYNAMIC => dynamic = segment.dynamic(endian, data).ok().flatten(),
            elf::PT_GNU_STACK => facts.has_executable_stack = Some(segment.p_flags(endian) & elf::PF_X != 0),
            elf::PT_GNU_RELRO => facts.relro = "partial",
            elf::PT_NOTE if id.is_none() => {
                let mut notes = segment.notes(endian, data).ok().flatten();
                id = notes.as_mut().and_then(|notes| build_id::<H>(endian, notes));
            }
            _ => {}
        }
    }
    if id.is_none() {
        let mut notes = sections.iter().filter_map(|section| section.notes(endian, data).ok().flatten());
        id = notes.find_map(|mut notes| build_id::<H>(endian, &mut notes));
    }
    facts.build_id = id.and_then(&mut limited).map(hex::encode);
    let mut is_pie = false;
    if let Some(dynamic) = dynamic {
        facts.is_dynamic = true;
        let strings = Strings::of::<H>(endian, data, segments, dynamic);
        let (mut binds_now, mut length) = (false, 0);
        let mut string = |at| strings.at(at).and_then(&mut limited);
        for entry in dynamic {
            let value: u64 = entry.d_val(endian).into();
            match entry.d_tag(endian).into() {
                elf::DT_NULL => break,
                elf::DT_NEEDED => {
                    let name = string(value);
                    length += name.map_or(0, <[u8]>::len);
                    if facts.needed.len() < MOST_NAMES && length <= MOST_OF_NAMES {
                        facts.needed.extend(name.map(text));
                    } else {
                        facts.skipped = Some("names of libraries after the first 10,000 or 1 MiB");
                    }
                }
                elf::DT_SONAME => facts.soname = string(value).map(text),
                elf::DT_RUNPATH => facts.runpath = string(value).map(text),
                elf::DT_RPATH if facts.runpath.is_none() => facts.runpath = string(value).map(text),
                elf::DT_BIND_NOW => binds_now = true,
                elf::DT_FLAGS => binds_now |= value & u64::from(elf::DF_BIND_NOW) != 0,
                elf::DT_FLAGS_1 => {
                    binds_now |= value & u64::from(elf::DF_1_NOW) != 0;
                    is_pie = value & u64::from(elf::DF_1_PIE) != 0;
                }
                _ => {}
            }
        }
        if binds_now && facts.relro == "partial" {
            facts.relro = "full";
        }
    }
    facts.skipped = facts.skipped.or(skipped);
    facts.is_position_independent = kind == elf::ET_DYN && (is_pie || facts.interpreter.is_some());
    let names = header.shstrndx(endian, data).and_then(|index| sections.section(SectionIndex(index as usize)));
    let names = names.and_then(|section| section.data(endian, data)).unwrap_or_default();
    for section in sections.iter() {
        facts.has_symbols |= section.sh_type(endian) == elf::SHT_SYMTAB;
        let name = names.get(section.sh_name(endian) as usize..).unwrap_or_default();
        facts.has_debug_info |= name.starts_with(b".debug_info\0") || name.starts_with(b".zdebug_info\0");
    }
    facts.has_canary = has_symbol(&sections, endian, data, b"__stack_chk_fail\0");
    Ok(facts)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn build_id<'data, H: FileHeader>(
    endian: H::Endian,
    notes: &mut object::read::elf::NoteIterator<'data, H>,
) -> Option<&'data [u8]> {
    while let Ok(Some(note)) = notes.next() {
        if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
            return Some(note.desc());
        }
    }
    None
}

/// The strings of the dynamic section, found as the loader does: by address.
struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    fn of<H: FileHeader>(endian: H::Endian, data: &'a [u8], segments: &[H::ProgramHeader], dynamic: &[H::Dyn]) -> Self {
        let value = |tag: i64| {
            let entry = dynamic.iter().find(|entry| entry.d_tag(endian).into() == tag)?;
            Some(entry.d_val(endian).into())
        };
        let bytes = value(elf::DT_STRTAB).zip(value(elf::DT_STRSZ)).and_then(|(address, size)| {
            segments.iter().find_map(|segment| segment.data_range(endian, data, address, size).ok().flatten())
        });
        Strings(bytes.unwrap_or_default())
    }

    /// A string, of which at most one byte more than the limit is read.
    fn at(&self, offset: u64) -> Option<&'a [u8]> {
        let rest = self.0.get(usize::try_from(offset).ok()?..)?;
        let start = rest.get(..=LONGEST_TEXT);
        memchr::memchr(0, start.unwrap_or(rest)).map(|end| &rest[..end]).or(start)
    }
}

/// Tables of symbols, with their names in the table `elf_symbols`.
const TABLES: [(u32, &str); 2] = [(elf::SHT_SYMTAB, ".symtab"), (elf::SHT_DYNSYM, ".dynsym")];

/// Whether a symbol has a name, which ends with NUL. The end of other names is not searched: many symbols can share a
/// long one.
fn has_symbol<H: FileHeader>(sections: &SectionTable<'_, H>, endian: H::Endian, data: &[u8], name: &[u8]) -> bool {
    TABLES.iter().any(|(kind, _)| {
        let Ok(table) = sections.symbols(endian, data, *kind) else { return false };
        let strings = sections.section(table.string_section());
        let strings = strings.and_then(|section| section.data(endian, data)).unwrap_or_default();
        let is_named = |rest: &[u8]| rest.starts_with(name);
        table.iter().any(|symbol| strings.get(symbol.st_name(endian) as usize..).is_some_and(is_named))
    })
}

fn symbols_of<H: FileHeader<Endian = Endianness>>(
    data: &[u8],
    each: &mut dyn FnMut(Symbol) -> bool,
) -> object::read::Result<()> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    for (kind, name) in TABLES {
        let table = sections.symbols(endian, data, kind)?;
        // The first symbol is always empty.
        for (index, symbol) in table.enumerate().skip(1) {
            let section = match symbol.st_shndx(endian) {
                elf::SHN_XINDEX => table.shndx(endian, index).unwrap_or_default(),
                section => section.into(),
            };
            let symbol = Symbol {
                name: table.symbol_name(endian, symbol).map(text).unwrap_or_default(),
                address: signed(symbol.st_value(endian)),
                size: signed(symbol.st_size(endian)),
                kind: symbol.st_type(),
                binding: symbol.st_bind(),
                visibility: symbol.st_visibility(),
                section: section.into(),
                table: name,
            };
            if !each(symbol) {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library that needs another one several times, whose name has a length.
    fn library(length: usize, times: usize) -> Vec<u8> {
        let numbers = |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        let (dynamic, size) = (64 + 2 * 56, 16 * (times as u64 + 3));
        let name = [vec![b'n'; length], vec![0]].concat();
        let (strings, end) = (dynamic + size, dynamic + size + name.len() as u64);
        let ident = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";
        let header = [&ident[..], &[3, 0, 62, 0, 1, 0, 0, 0], &numbers(&[0, 64, 0]), &[0; 4]].concat();
        let header = [&header[..], &[64, 0, 56, 0, 2, 0, 0, 0, 0, 0, 0, 0]].concat();
        let segment =
            |kind, at, size| [vec![kind, 0, 0, 0, 0, 0, 0, 0], numbers(&[at, at, at, size, size, 1])].concat();
        let entries = numbers(
            &[5, strings, 10, name.len() as u64]
                .into_iter()
                .chain([1, 0].repeat(times))
                .chain([0, 0])
                .collect::<Vec<_>>(),
        );
        [header, segment(1, 0, end), segment(2, dynamic, size), entries, name].concat()
    }

    #[test]
    fn names_are_limited_and_what_is_skipped_is_reported() {
        let read = |length, times| {
            let facts = facts(&library(length, times)).expect("an ELF file");
            (facts.needed.len(), facts.skipped)
        };
        assert_eq!(read(10, 3), (3, None));
        assert_eq!(read(LONGEST_TEXT, 3), (3, None));
        assert_eq!(read(LONGEST_TEXT + 1, 3), (0, Some("texts of more than 64 KiB")));
        let many = Some("names of libraries after the first 10,000 or 1 MiB");
        assert_eq!(read(LONGEST_TEXT, 20), (16, many));
        assert_eq!(read(1, MOST_NAMES + 1), (MOST_NAMES, many));
    }

    #[test]
    fn damaged_files_are_errors_and_not_panics() {
        let whole = std::fs::read("/bin/true").expect("a program");
        let read = facts(&whole).expect("an ELF file");
        assert!(read.is_dynamic && read.interpreter.is_some() && !read.needed.is_empty());
        let count = |data: &[u8]| {
            let mut count = 0;
            let outcome = symbols(data, &mut |symbol| {
                count += symbol.name.len().min(1);
                true
            });
            outcome.map(|()| count)
        };
        assert!(count(&whole).is_ok_and(|count| count > 10));
        let mut names = Vec::new();
        symbols(&whole, &mut |symbol| {
            names.push(symbol.name);
            true
        })
        .expect("an ELF file");
        assert!(read.has_canary && names.iter().any(|name| name == "__stack_chk_fail"));
        let other = String::from_utf8_lossy(b"__stack_chk_fail");
        let at = memchr::memmem::find(&whole, other.as_bytes()).expect("a name");
        // The name of another section, of the same length.
        let section = memchr::memmem::rfind(&whole, b".eh_frame_h").expect("a name");
        let mut with_debug_info = whole.clone();
        with_debug_info[section..section + 12].copy_from_slice(b".debug_info\0");
        assert!(!read.has_debug_info && facts(&with_debug_info).expect("an ELF file").has_debug_info);
        let mut renamed = whole.clone();
        renamed[at + other.len() - 1] = b'x';
        assert!(!facts(&renamed).expect("an ELF file").has_canary);
        for length in (0..whole.len()).step_by(97).chain(0..2000) {
            let _ = (facts(&whole[..length]), count(&whole[..length]));
        }
        // The headers, the tables of segments and the start of the dynamic section and notes.
        let mut changed = whole.clone();
        let dynamic = 0x2000.min(whole.len() / 2);
        let tail = whole.len().saturating_sub(3000);
        for position in (0..1200).chain(dynamic..dynamic + 500).chain(tail..whole.len()) {
            for flip in [1, 0x80, 0xff] {
                changed[position] ^= flip;
                let _ = (facts(&changed), count(&changed));
                changed[position] ^= flip;
            }
        }
    }
}
