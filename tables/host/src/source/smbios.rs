//! SMBIOS: structures with which the firmware describes the machine's hardware (DMTF's DSP0134).

use indago_table::prelude::*;

use super::procfs::text;

const TABLE: &str = "/sys/firmware/dmi/tables/DMI";

/// One structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Structure<'a> {
    /// Position in the table, from 0.
    pub(crate) number: usize,
    pub(crate) kind: u8,
    pub(crate) handle: u16,
    /// The fields; offsets are those of the specification.
    pub(crate) fields: &'a [u8],
    /// The texts that fields refer to, each with a NUL at its end.
    texts: &'a [u8],
    /// All bytes of the structure.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Structure<'a> {
    pub(crate) fn byte(&self, offset: usize) -> Option<u8> {
        self.fields.get(offset).copied()
    }

    pub(crate) fn word(&self, offset: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.array(offset)?))
    }

    pub(crate) fn double_word(&self, offset: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.array(offset)?))
    }

    pub(crate) fn quad_word(&self, offset: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.array(offset)?))
    }

    fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.fields.get(offset..offset.checked_add(N)?)?.try_into().ok()
    }

    /// The text that a field refers to, without blanks at its end; empty if it refers to none, `None` if the structure
    /// does not have the field.
    pub(crate) fn text(&self, offset: usize) -> Option<String> {
        self.byte(offset).map(|number| self.text_of_number(number).unwrap_or_default())
    }

    /// A text by its number, from 1.
    pub(crate) fn text_of_number(&self, number: u8) -> Option<String> {
        let mut texts = self.texts.split(|byte| *byte == 0);
        texts
            .nth(usize::from(number).checked_sub(1)?)
            .filter(|text| !text.is_empty())
            .map(|bytes| text(bytes.trim_ascii()))
    }

    pub(crate) fn handle(&self) -> String {
        hexadecimal(self.handle)
    }

    /// A handle of another structure.
    pub(crate) fn handle_at(&self, offset: usize) -> Option<String> {
        self.word(offset).map(hexadecimal)
    }

    pub(crate) fn number(&self, offset: usize) -> Option<i64> {
        self.byte(offset).map(i64::from)
    }

    pub(crate) fn number_of_word(&self, offset: usize) -> Option<i64> {
        self.word(offset).map(i64::from)
    }

    /// A range of addresses in KiB, as hexadecimal texts. Numbers that do not fit into 32 bits are elsewhere, in bytes.
    pub(crate) fn range(&self, offset: usize, extended: usize) -> (Option<String>, Option<String>) {
        let (start, end) = match self.double_word(offset) {
            Some(u32::MAX) => {
                let kibibytes = |offset| self.quad_word(offset).map(|bytes| bytes / 1024);
                (kibibytes(extended), kibibytes(extended + 8))
            }
            start => (start.map(u64::from), self.double_word(offset + 4).map(u64::from)),
        };
        let shown = |address: Option<u64>| address.map(|address| format!("{address:#010x}"));
        (shown(start), shown(end))
    }

    /// The name of a field's value; a value without a name is shown as a number.
    pub(crate) fn name(&self, offset: usize, names: &[&str]) -> Option<String> {
        let value = self.byte(offset)?;
        // The values of most fields begin with 1.
        let name = usize::from(value).checked_sub(1).and_then(|position| names.get(position));
        Some(name.map_or_else(|| format!("{value:#04x}"), |name| (*name).to_owned()))
    }
}

fn hexadecimal(handle: u16) -> String {
    format!("{handle:#06x}")
}

/// Rows that structures of some kinds have; of all kinds if none is given.
pub(crate) fn rows<T>(
    sys: &Sys,
    kinds: &'static [u8],
    report: impl Fn(&str, &Error),
    mut row: impl FnMut(Structure<'_>) -> T,
) -> Result<impl Iterator<Item = T>> {
    let Some(bytes) = sys.read(TABLE).needs("root").if_present()? else {
        return Err(sys.absent(format!("the firmware has no SMBIOS tables ({TABLE} is missing)")));
    };
    let held = sys.meter().hold(bytes.len())?;
    let mut next = Position::default();
    Ok(std::iter::from_fn(move || {
        let _until_the_last_row = &held;
        loop {
            match next.structure(&bytes)? {
                Some(structure) if kinds.is_empty() || kinds.contains(&structure.kind) => return Some(row(structure)),
                Some(_) => {}
                None => {
                    let what = format!("{TABLE}, after {} structures: the next one is truncated", next.number);
                    report("SMBIOS", &Error::Malformed(what));
                    return None;
                }
            }
        }
    }))
}

/// Kind of the last structure.
const END: u8 = 127;

/// A position in a table.
#[derive(Debug, Default)]
struct Position {
    /// Structures before it.
    number: usize,
    at: usize,
}

impl Position {
    /// The next structure of a table: `None` after the last one, and once `Some(None)` if it is truncated.
    fn structure<'a>(&mut self, bytes: &'a [u8]) -> Option<Option<Structure<'a>>> {
        let rest = bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let found = structure(self.number, rest);
        self.at += match found {
            Some(structure) if structure.kind != END => structure.bytes.len(),
            _ => rest.len(),
        };
        self.number += usize::from(found.is_some());
        Some(found)
    }
}

/// The structure at the start of some bytes.
fn structure(number: usize, bytes: &[u8]) -> Option<Structure<'_>> {
    let &[kind, length, low, high, ..] = bytes else { return None };
    // The header itself has four bytes.
    let fields = bytes.get(..usize::from(length)).filter(|fields| fields.len() >= 4)?;
    let after = &bytes[fields.len()..];
    // Two NULs end the texts, even if there are none.
    let end = after.windows(2).position(|pair| pair == [0, 0])? + 2;
    let bytes = &bytes[..fields.len() + end];
    Some(Structure { number, kind, handle: u16::from_le_bytes([low, high]), fields, texts: &after[..end], bytes })
}

/// Names of kinds of structures.
pub(crate) fn kind_name(kind: u8) -> &'static str {
    const NAMES: [&str; 47] = [
        "BIOS Information",
        "System Information",
        "Baseboard Information",
        "System Enclosure or Chassis",
        "Processor Information",
        "Memory Controller Information",
        "Memory Module Information",
        "Cache Information",
        "Port Connector Information",
        "System Slots",
        "On Board Devices Information",
        "OEM Strings",
        "System Configuration Options",
        "BIOS Language Information",
        "Group Associations",
        "System Event Log",
        "Physical Memory Array",
        "Memory Device",
        "32-Bit Memory Error Information",
        "Memory Array Mapped Address",
        "Memory Device Mapped Address",
        "Built-in Pointing Device",
        "Portable Battery",
        "System Reset",
        "Hardware Security",
        "System Power Controls",
        "Voltage Probe",
        "Cooling Device",
        "Temperature Probe",
        "Electrical Current Probe",
        "Out-of-Band Remote Access",
        "Boot Integrity Services Entry Point",
        "System Boot Information",
        "64-Bit Memory Error Information",
        "Management Device",
        "Management Device Component",
        "Management Device Threshold Data",
        "Memory Channel",
        "IPMI Device Information",
        "System Power Supply",
        "Additional Information",
        "Onboard Devices Extended Information",
        "Management Controller Host Interface",
        "TPM Device",
        "Processor Additional Information",
        "Firmware Inventory Information",
        "String Property",
    ];
    match kind {
        126 => "Inactive",
        END => "End-of-Table",
        128.. => "OEM-specific",
        _ => NAMES.get(usize::from(kind)).copied().unwrap_or("Unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two structures and the last one.
    fn sample() -> Vec<u8> {
        let mut table = vec![11, 5, 0x34, 0x12, 2];
        table.extend_from_slice(b"first\0second  \0\0");
        table.extend_from_slice(&[19, 15, 1, 0, 0, 4, 0, 0, 0xff, 7, 0, 0, 9, 0, 1, 0, 0]);
        table.extend_from_slice(&[END, 4, 2, 0, 0, 0]);
        table
    }

    /// The structures of a table, and whether it is complete.
    fn structures(bytes: &[u8]) -> (Vec<Structure<'_>>, bool) {
        let mut next = Position::default();
        let found: Vec<_> = std::iter::from_fn(|| next.structure(bytes)).collect();
        (found.iter().copied().flatten().collect(), !found.contains(&None))
    }

    #[test]
    fn rows_are_read_one_at_a_time() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join(TABLE.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        std::fs::write(file, [11, 4, 0, 0, 0, 0].repeat(1000)).expect("a file");
        let (sys, limit) = crate::source::held::limited(root.path(), 2 << 20);
        let read = std::cell::Cell::new(0);
        let report = |_: &str, error: &Error| panic!("{error}");
        let count = |structure: Structure<'_>| read.set(structure.number + 1);
        let mut rows = rows(&sys, &[11], report, count).expect("a table");
        assert_eq!((rows.by_ref().take(3).count(), read.get()), (3, 3));
        assert!(limit.left() < 2 << 20, "the table is charged");
        assert_eq!(rows.count(), 997);
        assert_eq!(limit.left(), 2 << 20);
    }

    #[test]
    fn structures_have_fields_and_texts() {
        let table = [sample(), b"rest".to_vec()].concat();
        let (structures, is_complete) = structures(&table);
        assert!(is_complete, "bytes after the last structure are ignored");
        let kinds: Vec<_> = structures.iter().map(|found| (found.number, found.kind, found.handle())).collect();
        let expected = [(0, 11, "0x1234".to_owned()), (1, 19, "0x0001".to_owned()), (2, END, "0x0002".to_owned())];
        assert_eq!(kinds, expected);
        let strings = structures[0];
        assert_eq!(strings.text(4).as_deref(), Some("second"));
        assert_eq!((strings.text_of_number(1).as_deref(), strings.text_of_number(3)), (Some("first"), None));
        assert_eq!(strings.bytes.len(), 21);
        let range = structures[1];
        assert_eq!(range.range(4, 15), (Some("0x00000400".to_owned()), Some("0x000007ff".to_owned())));
        assert_eq!((range.handle_at(12).as_deref(), range.word(14)), (Some("0x0009"), None));
        assert_eq!(range.name(14, &["one"]).as_deref(), Some("one"));
    }

    #[test]
    fn damaged_tables_do_not_panic() {
        crate::source::damaged::damaged(&sample(), |bytes| {
            let (structures, _) = structures(bytes);
            assert!(structures.iter().map(|structure| structure.bytes.len()).sum::<usize>() <= bytes.len());
            for structure in structures {
                for offset in [0, 4, 14, 255, usize::MAX - 20] {
                    drop((structure.text(offset), structure.quad_word(offset), structure.name(offset, &[])));
                }
                drop(structure.range(4, 15));
            }
        });
        assert!(!structures(&[0; 100]).1, "a length below the header's");
    }
}
