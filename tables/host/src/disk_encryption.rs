//! `disk_encryption`: one row per block device.

use std::collections::HashSet;

use indago_table::prelude::*;

use crate::source::devices;
use crate::source::disk::Disk;
use crate::source::procfs::text;
use crate::source::sysfs::line;

/// Whether block devices are encrypted.
///
/// A device is encrypted if it is an open encrypted volume, is made from one, or holds one (open or not).
#[derive(Debug, Default, Table)]
#[table(name = "disk_encryption", platforms("linux"), rows = 10, identity(name))]
#[example(
    "Mounted file systems that are not encrypted.",
    "SELECT m.path, m.device FROM mounts AS m JOIN disk_encryption AS d ON d.name = m.device_alias WHERE d.encrypted = 0"
)]
pub struct DiskEncryption {
    /// Path of the device's file.
    #[column(index)]
    name: String,
    /// UUID of the encrypted volume, or of what is on the device; empty if it has none.
    #[column(source = state, collate = nocase, needs = "root")]
    uuid: Option<String>,
    /// Whether it is encrypted: 1 or 0.
    #[column(source = state, needs = "root")]
    encrypted: Option<i64>,
    /// Cipher and its mode, as in `aes-xts-plain64`; empty if it is not encrypted, and NULL if it is not known.
    #[column(source = cipher, needs = "root")]
    r#type: Option<String>,
    /// `encrypted` or `not encrypted`.
    #[column(source = state, needs = "root")]
    encryption_status: Option<String>,
    /// Name in the kernel.
    #[column(skip)]
    device: String,
}

impl Rows for DiskEncryption {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let devices = devices::wanted(scan.sys(), scan.keys(Self::NAME))?;
        let row = |device: String| DiskEncryption { name: devices::node(&device), device, ..DiskEncryption::default() };
        Ok(devices.into_iter().map(row))
    }
}

/// Most devices below each other.
const DEPTH: usize = 16;

impl DiskEncryption {
    fn state(&mut self, sys: &Sys) -> Result<()> {
        let container = container(sys, &self.device, DEPTH, &mut HashSet::new())?;
        self.encrypted = Some(i64::from(container.is_some()));
        let status = if container.is_some() { "encrypted" } else { "not encrypted" };
        self.encryption_status = Some(status.to_owned());
        let uuid = match container {
            Some(container) => container.uuid,
            None => devices::contents(sys, &self.device)?.uuid,
        };
        self.uuid = Some(uuid.unwrap_or_default());
        Ok(())
    }

    fn cipher(&mut self, sys: &Sys) -> Result<()> {
        self.r#type = match container(sys, &self.device, DEPTH, &mut HashSet::new())? {
            None => Some(String::new()),
            Some(Container { device: Some(device), .. }) => cipher(sys, &device)?,
            Some(_) => None,
        };
        Ok(())
    }
}

/// An encrypted volume.
struct Container {
    /// The device with its header.
    device: Option<String>,
    uuid: Option<String>,
}

/// The encrypted volume that a device is, holds, or is made from. Each device is read once.
fn container(sys: &Sys, device: &str, depth: usize, seen: &mut HashSet<String>) -> Result<Option<Container>> {
    if !seen.insert(device.to_owned()) {
        return Ok(None);
    }
    let parts = devices::parts_of(sys, device)?;
    if let Some(mapped) = line(sys, &format!("{}/{device}/dm/uuid", devices::FOLDER))?
        && let Some((_kind, rest)) = mapped.strip_prefix("CRYPT-").and_then(|rest| rest.split_once('-'))
        // Integrity and verity have names like these but do not encrypt.
        && !mapped.starts_with("CRYPT-VERITY") && !mapped.starts_with("CRYPT-INTEGRITY")
    {
        let uuid =
            rest.split('-').next().filter(|uuid| uuid.len() == 32 && uuid.bytes().all(|b| b.is_ascii_hexdigit()));
        let uuid = uuid.map(|uuid| [&uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..]].join("-"));
        return Ok(Some(Container { device: parts.into_iter().next(), uuid }));
    }
    if depth == 0 {
        return Ok(None);
    }
    for below in devices::disk_of(sys, device)?.into_iter().chain(parts) {
        // A disk that holds a volume itself has no partitions.
        if let Some(found) = container(sys, &below, depth - 1, seen)? {
            return Ok(Some(found));
        }
    }
    let contents = devices::contents(sys, device)?;
    let is_container = contents.kind == "crypto_LUKS";
    Ok(is_container.then(|| Container { device: Some(device.to_owned()), uuid: contents.uuid }))
}

/// Most bytes of a header of LUKS 2 that are read. It is usually 16 KiB.
const MOST_HEADER: u64 = 4 << 20;

fn cipher(sys: &Sys, device: &str) -> Result<Option<String>> {
    let Some(disk) = Disk::open(sys, &devices::node(device))? else { return Ok(None) };
    let header = disk.read(0, 4096)?;
    match version(&header) {
        Some(1) => Ok(cipher_of_first(&header)),
        Some(2) => {
            let size = header.get(8..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
            let length = size.min(MOST_HEADER).saturating_sub(4096);
            Ok(cipher_of_second(&disk.read(4096, usize::try_from(length).unwrap_or(0))?))
        }
        _ => Ok(None),
    }
}

fn version(header: &[u8]) -> Option<u8> {
    let rest = header.strip_prefix(b"LUKS\xba\xbe\0")?;
    rest.first().copied()
}

/// LUKS 1: the name and mode of the cipher, each of at most 32 bytes.
fn cipher_of_first(header: &[u8]) -> Option<String> {
    let field = |start: usize| header.get(start..start + 32)?.split(|byte| *byte == 0).next().map(text);
    Some(format!("{}-{}", field(8)?, field(40)?))
}

/// LUKS 2: JSON, in which each segment of the data has its cipher.
fn cipher_of_second(json: &[u8]) -> Option<String> {
    let json = json.split(|byte| *byte == 0).next()?;
    let document: serde_json::Value = serde_json::from_slice(json).ok()?;
    let segments = document.get("segments")?.as_object()?;
    segments.values().find_map(|segment| Some(segment.get("encryption")?.as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_consist_of_each_other_are_read_once() {
        let root = tempfile::tempdir().expect("a directory");
        let names = ["a", "b", "c", "d"];
        for name in names {
            for slave in names {
                let folder = root.path().join("sys/class/block").join(name).join("slaves").join(slave);
                std::fs::create_dir_all(folder).expect("a directory");
            }
        }
        let mut seen = HashSet::new();
        let found = container(&Sys::at(root.path()), "a", DEPTH, &mut seen).expect("readable");
        assert!(found.is_none());
        assert_eq!(seen.len(), names.len());
        assert!(container(&Sys::at(root.path()), "a", DEPTH, &mut seen).expect("readable").is_none());
    }

    #[test]
    fn headers_name_their_ciphers() {
        let mut first = b"LUKS\xba\xbe\0\x01aes".to_vec();
        first.resize(40, 0);
        first.extend_from_slice(b"xts-plain64");
        first.resize(592, 0);
        assert_eq!(version(&first), Some(1));
        assert_eq!(cipher_of_first(&first).as_deref(), Some("aes-xts-plain64"));
        let second = b"{\"segments\":{\"0\":{\"type\":\"crypt\",\"encryption\":\"aes-xts-plain64\"}}}\0\0\0";
        assert_eq!(cipher_of_second(second).as_deref(), Some("aes-xts-plain64"));
        crate::source::damaged::damaged(&first[..80], |bytes| drop(cipher_of_first(bytes)));
        crate::source::damaged::damaged(second, |bytes| drop(cipher_of_second(bytes)));
    }
}
