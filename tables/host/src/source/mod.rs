//! Readers that several tables share: each reads one format and returns Rust values.

pub(crate) mod accounts;
pub(crate) mod bpf;
pub(crate) mod capabilities;
pub(crate) mod certificate;
#[cfg(feature = "web")]
pub(crate) mod certificate_text;
#[cfg(feature = "web")]
pub(crate) mod cloud;
pub(crate) mod devices;
pub(crate) mod digest;
pub(crate) mod disk;
pub(crate) mod efi;
pub(crate) mod elf;
pub(crate) mod ext;
pub(crate) mod hardware_ids;
#[allow(dead_code, reason = "tables of users' files will use it")]
pub(crate) mod homes;
pub(crate) mod kernel;
pub(crate) mod maps;
pub(crate) mod md;
pub(crate) mod namespace;
pub(crate) mod netlink;
pub(crate) mod object_names;
pub(crate) mod paths;
pub(crate) mod pattern;
pub(crate) mod processors;
pub(crate) mod procfs;
pub(crate) mod smbios;
pub(crate) mod sockets;
pub(crate) mod superblock;
pub(crate) mod sysfs;
#[cfg(feature = "web")]
pub(crate) mod web;
#[cfg(feature = "yara")]
pub(crate) mod yara;

/// Passes every prefix of a sample, and every change of one byte of it, to a parser that must not panic.
#[cfg(test)]
pub(crate) fn damage(sample: &[u8], mut parse: impl FnMut(&[u8])) {
    for length in 0..=sample.len() {
        parse(&sample[..length]);
    }
    let mut bytes = sample.to_vec();
    for (position, original) in sample.iter().enumerate() {
        for value in [0, 1, 0x7f, 0x80, 0xff, b' ', b'\n', b':', b'9', original ^ 1, original.wrapping_add(1)] {
            bytes[position] = value;
            parse(&bytes);
        }
        bytes[position] = *original;
    }
}
