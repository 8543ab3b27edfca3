//! Sections of ELF files, by name.

use std::path::Path;

use indago_table::prelude::*;

use super::positioned::{Positioned, be, le};

/// Most sections of a file. Compilers that put each function in its own section exceed this only in object files.
const MOST_SECTIONS: u64 = 10_000;
/// Most bytes of the names of sections.
const MOST_OF_NAMES: u64 = 1 << 20;
/// Most bytes of a name that are read. Those that are looked for are shorter.
const LONGEST_NAME: usize = 64;

/// The sections of a program or library.
#[derive(Debug)]
pub(crate) struct Sections {
    file: Positioned,
    sections: Vec<Section>,
}

#[derive(Debug)]
struct Section {
    name: Vec<u8>,
    at: u64,
    size: u64,
}

impl Sections {
    /// Reads the list of sections; `None` if the file is not ELF.
    pub(crate) fn open(sys: &Sys, path: &Path) -> Result<Option<Self>> {
        let file = Positioned::open(sys, path)?;
        if file.length < 64 {
            return Ok(None);
        }
        let header = file.read(0, 64)?;
        if !header.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        let (is_64, order) = match (header[4], header[5]) {
            (1, 1) => (false, le as fn(&[u8], usize, usize) -> Option<u32>),
            (2, 1) => (true, le as _),
            (1, 2) => (false, be as _),
            (2, 2) => (true, be as _),
            _ => return Err(file.malformed("an ELF file of an unknown kind")),
        };
        let is_little = header[5] == 1;
        let short = |bytes: &[u8], at| u64::from(order(bytes, at, 2).unwrap_or_default());
        // A number of the file's word size.
        let word = |bytes: &[u8], at: usize| {
            let half = |at| u64::from(order(bytes, at, 4).unwrap_or_default());
            match (is_64, is_little) {
                (false, _) => half(at),
                (true, true) => half(at) | half(at + 4) << 32,
                (true, false) => half(at) << 32 | half(at + 4),
            }
        };
        let (table, entry, count, names) = match is_64 {
            true => (word(&header, 40), short(&header, 58), short(&header, 60), short(&header, 62)),
            false => (word(&header, 32), short(&header, 46), short(&header, 48), short(&header, 50)),
        };
        let least = if is_64 { 64 } else { 40 };
        if table == 0 || count == 0 {
            return Ok(Some(Sections { file, sections: Vec::new() }));
        }
        if entry < least || count > MOST_SECTIONS || names >= count {
            return Err(file.malformed("a damaged list of sections"));
        }
        let table = file.read(table, entry * count)?;
        let place = |index: u64| {
            let section = &table[(index * entry) as usize..];
            let (at, size) =
                if is_64 { (word(section, 24), word(section, 32)) } else { (word(section, 16), word(section, 20)) };
            (order(section, 0, 4).unwrap_or_default() as usize, at, size)
        };
        let (_, at, size) = place(names);
        if size > MOST_OF_NAMES {
            return Err(file.malformed("a damaged list of sections"));
        }
        let texts = file.read(at, size)?;
        let section = |index| {
            let (name, at, size) = place(index);
            let name = texts.get(name..).unwrap_or_default();
            let name = &name[..name.len().min(LONGEST_NAME)];
            let end = memchr::memchr(0, name).unwrap_or(name.len());
            Section { name: name[..end].to_vec(), at, size }
        };
        let sections = (0..count).map(section).collect();
        Ok(Some(Sections { file, sections }))
    }

    /// The contents of a section; `None` if there is no such section.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let section = self.sections.iter().find(|section| section.name == name.as_bytes());
        section.map(|section| self.file.read(section.at, section.size)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A small file: a header, the names, one section with content, and the list.
    fn sample(names: &[u8]) -> Vec<u8> {
        let content = b"content";
        let mut file = vec![0; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file.extend_from_slice(names);
        file.extend_from_slice(content);
        let table = file.len() as u64;
        let section = |name: u32, at: u64, size: u64| {
            let mut section = vec![0; 64];
            section[..4].copy_from_slice(&name.to_le_bytes());
            section[24..32].copy_from_slice(&at.to_le_bytes());
            section[32..40].copy_from_slice(&size.to_le_bytes());
            section
        };
        file[40..48].copy_from_slice(&table.to_le_bytes());
        file[58] = 64;
        file[60] = 3;
        file[62] = 1;
        let sections = [
            section(0, 0, 0),
            section(1, 64, names.len() as u64),
            section(8, 64 + names.len() as u64, content.len() as u64),
        ];
        [file, sections.concat()].concat()
    }

    #[test]
    fn sections_are_found_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let sys = Sys::at(folder.path());
        let read = |bytes: &[u8]| {
            fs::write(folder.path().join("a"), bytes).expect("a file");
            Sections::open(&sys, Path::new("/a")).and_then(|found| found.map_or(Ok(None), |found| found.read(".dep")))
        };
        let long = sample(format!("\0.names\0.dep{}\0", "x".repeat(1000)).as_bytes());
        assert_eq!(read(&long), Ok(None));
        let long = Sections::open(&sys, Path::new("/a")).expect("readable").expect("an ELF file");
        assert_eq!(long.sections[2].name.len(), LONGEST_NAME);
        let sample = sample(b"\0.names\0.dep\0");
        assert_eq!(read(&sample), Ok(Some(b"content".to_vec())));
        assert_eq!(read(b"#!/bin/sh"), Ok(None));
        crate::source::damaged::damaged(&sample, |bytes| {
            let found = read(bytes).ok().flatten().unwrap_or_default();
            assert!(found.len() <= bytes.len());
        });
    }
}
