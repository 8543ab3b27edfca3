//! `pci.ids` and `usb.ids`: names of makers, models and classes of devices, by number.

use std::collections::{HashMap, HashSet};

use indago_table::prelude::*;

use super::procfs::text;

/// The names of some numbers. Only the wanted entries of a file are kept.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<Id, String>);

/// A number in a file, with the numbers of the entries above it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    /// A maker.
    Vendor(u16),
    /// A maker's model.
    Model(u16, u16),
    /// A model of which another maker's product is a variant: maker, model, the other maker, and its model.
    Variant(u16, u16, u16, u16),
    /// A class.
    Class(u8),
    /// A class's subclass.
    Subclass(u8, u8),
}

impl Names {
    pub(crate) fn get(&self, id: &Id) -> Option<String> {
        self.0.get(id).cloned()
    }

    /// Reads the first of the files that exists. Without any there are no names.
    pub(crate) fn read(sys: &Sys, files: &[&str], wanted: &HashSet<Id>) -> Result<Names> {
        for file in files {
            if let Some(bytes) = sys.read(file).if_present()? {
                return Ok(Names::parse(&bytes, wanted));
            }
        }
        Ok(Names::default())
    }

    /// `8086  Intel Corporation`, below it `\t1237  440FX`, below that `\t\t1af4 1100  Qemu virtual machine`; classes
    /// as `C 01  Mass storage controller` and below it `\t06  SATA controller`. A comment begins with `#`, and other
    /// sections with other letters.
    fn parse(bytes: &[u8], wanted: &HashSet<Id>) -> Names {
        let mut names = Names::default();
        let (mut vendor, mut model, mut class) = (None, None, None);
        for line in bytes.split(|byte| *byte == b'\n') {
            let (depth, rest) = match line {
                [b'\t', b'\t', rest @ ..] => (2, rest),
                [b'\t', rest @ ..] => (1, rest),
                [] | [b'#', ..] => continue,
                rest => (0, rest),
            };
            let id = match depth {
                0 => {
                    (vendor, model, class) = (None, None, None);
                    if let Some(rest) = rest.strip_prefix(b"C ") {
                        class = number::<u8>(rest, 2);
                        class.map(|class| (Id::Class(class), &rest[2..]))
                    } else {
                        vendor = number::<u16>(rest, 4);
                        vendor.map(|vendor| (Id::Vendor(vendor), &rest[4..]))
                    }
                }
                1 => match (vendor, class) {
                    (Some(vendor), _) => {
                        model = number::<u16>(rest, 4);
                        model.map(|model| (Id::Model(vendor, model), &rest[4..]))
                    }
                    (None, Some(class)) => number(rest, 2).map(|subclass| (Id::Subclass(class, subclass), &rest[2..])),
                    (None, None) => None,
                },
                _ => vendor.zip(model).and_then(|(vendor, model)| {
                    let (other, other_model) = (number(rest, 4)?, number(rest.get(5..)?, 4)?);
                    Some((Id::Variant(vendor, model, other, other_model), rest.get(9..)?))
                }),
            };
            if let Some((id, name)) = id
                && wanted.contains(&id)
            {
                names.0.entry(id).or_insert_with(|| text(name.trim_ascii()));
            }
        }
        names
    }
}

/// A number of this many hexadecimal digits, with a blank after it.
fn number<T: TryFrom<u32>>(bytes: &[u8], digits: usize) -> Option<T> {
    if !matches!(bytes.get(digits), None | Some(b' ')) {
        return None;
    }
    hexadecimal(std::str::from_utf8(bytes.get(..digits)?).ok()?)
}

/// A number in hexadecimal digits, without a prefix.
pub(crate) fn hexadecimal<T: TryFrom<u32>>(digits: &str) -> Option<T> {
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().and_then(|number| T::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[u8] = b"# comment\n\n1af4  Red Hat, Inc.\n\t1000  Virtio network device\n\t\t01de fffb  Propolis\n\
        8086  Intel\n\t1000  Other\nC 01  Mass storage controller\n\t06  SATA controller\n\t\t01  AHCI 1.0\n\
        H 06  odd\n\t01  odd\n1af4  Second\n";

    #[test]
    fn an_entry_belongs_to_the_one_above_it() {
        let ids = [
            Id::Vendor(0x1af4),
            Id::Model(0x1af4, 0x1000),
            Id::Variant(0x1af4, 0x1000, 0x01de, 0xfffb),
            Id::Model(0x8086, 0x1000),
            Id::Class(1),
            Id::Subclass(1, 6),
            Id::Subclass(6, 1),
        ];
        let names = Names::parse(SAMPLE, &ids.iter().cloned().collect());
        let found: Vec<_> = ids.iter().map(|id| names.get(id).unwrap_or_default()).collect();
        let expected = [
            "Red Hat, Inc.",
            "Virtio network device",
            "Propolis",
            "Other",
            "Mass storage controller",
            "SATA controller",
            "",
        ];
        assert_eq!(found, expected);
        assert!(Names::parse(SAMPLE, &HashSet::new()).0.is_empty());
        crate::source::damaged::damaged(SAMPLE, |bytes| {
            let wanted = ids.iter().cloned().collect();
            assert!(Names::parse(bytes, &wanted).0.len() <= ids.len());
        });
    }
}
