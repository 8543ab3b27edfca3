//! Block devices, as `/sys/class/block` lists them.

use indago_table::prelude::*;

use super::disk::Disk;
use super::procfs::text;
use super::superblock::Superblock;
use super::sysfs::{line, names, setting_text};

pub(crate) const FOLDER: &str = "/sys/class/block";

/// Names of all block devices: `sda`, `sda1`, `dm-0`.
fn devices(sys: &Sys) -> Result<Vec<String>> {
    let names = names(sys, FOLDER)?;
    if names.is_empty() && !sys.exists(FOLDER) {
        return Err(sys.absent(format!("no block devices ({FOLDER} is missing)")));
    }
    Ok(names)
}

/// The names of the devices with these files; of all devices without any.
pub(crate) fn wanted(sys: &Sys, nodes: Option<Vec<String>>) -> Result<Vec<String>> {
    let Some(nodes) = nodes else { return devices(sys) };
    let mut names: Vec<String> = nodes.iter().filter_map(|node| name_of_node(node)).collect();
    names.retain(|name| sys.exists(format!("{FOLDER}/{name}")));
    Ok(names)
}

/// Path of a device's file. The kernel writes `!` where the path has a slash.
pub(crate) fn node(name: &str) -> String {
    format!("/dev/{}", name.replace('!', "/"))
}

/// The name of a device's file; `None` if it cannot be one.
pub(crate) fn name_of_node(node: &str) -> Option<String> {
    let name = node.strip_prefix("/dev/")?.replace('/', "!");
    (!name.is_empty() && !name.starts_with('.')).then_some(name)
}

/// The disk that a partition is on.
pub(crate) fn disk_of(sys: &Sys, name: &str) -> Result<Option<String>> {
    if !sys.exists(format!("{FOLDER}/{name}/partition")) {
        return Ok(None);
    }
    let path = sys.canonicalize(format!("{FOLDER}/{name}")).if_present()?;
    let parent = path.as_deref().and_then(|path| path.parent()?.file_name());
    Ok(parent.map(|parent| sys.path_text(parent)))
}

/// The devices that a mapped device or RAID consists of.
pub(crate) fn parts_of(sys: &Sys, name: &str) -> Result<Vec<String>> {
    names(sys, &format!("{FOLDER}/{name}/slaves"))
}

/// Size in bytes.
pub(crate) fn size(sys: &Sys, name: &str) -> Result<Option<u64>> {
    let sectors = line(sys, &format!("{FOLDER}/{name}/size"))?;
    // The kernel counts in 512 bytes, whatever the device's own blocks are.
    Ok(sectors.and_then(|sectors| sectors.parse::<u64>().ok()?.checked_mul(512)))
}

/// What is on a device: from the database of udev, which every user may read, else from the device itself.
pub(crate) fn contents(sys: &Sys, name: &str) -> Result<Superblock> {
    if let Some(properties) = properties(sys, name)?
        && let Some(kind) = setting_text(&properties, "E:ID_FS_TYPE")
    {
        let label = setting_text(&properties, "E:ID_FS_LABEL_ENC").map(|label| decoded(&label));
        return Ok(Superblock { kind, uuid: setting_text(&properties, "E:ID_FS_UUID"), label });
    }
    // A drive without a disk is empty, and a device may have no file.
    if size(sys, name)?.is_none_or(|size| size == 0) {
        return Ok(Superblock::default());
    }
    let Some(disk) = Disk::open(sys, &node(name))? else { return Ok(Superblock::default()) };
    Ok(disk.contents(0, disk.size)?.unwrap_or_default())
}

/// Properties of a device in the database of udev; `None` if udev does not run.
pub(crate) fn properties(sys: &Sys, name: &str) -> Result<Option<Vec<u8>>> {
    let Some(number) = line(sys, &format!("{FOLDER}/{name}/dev"))? else { return Ok(None) };
    sys.read(format!("/run/udev/data/b{number}")).if_present()
}

/// Text in which udev wrote bytes as `\x20`.
fn decoded(label: &str) -> String {
    let mut bytes = Vec::with_capacity(label.len());
    let mut rest = label.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let escaped = others.strip_prefix(b"x").filter(|_| *first == b'\\').and_then(|others| others.get(..2));
        let byte = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = others.get(if byte.is_some() { 3 } else { 0 }..).unwrap_or_default();
    }
    text(&bytes)
}

/// Maker, model and serial number of a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) vendor: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
}

pub(crate) fn model(sys: &Sys, disk: &str) -> Result<Model> {
    let attribute = |name: &str| line(sys, &format!("{FOLDER}/{disk}/{name}"));
    let serial = properties(sys, disk)?.and_then(|properties| setting_text(&properties, "E:ID_SERIAL_SHORT"));
    let serial = match serial {
        None => attribute("serial")?,
        serial => serial,
    };
    let serial = match serial {
        None => attribute("device/serial")?,
        serial => serial,
    };
    Ok(Model { vendor: attribute("device/vendor")?, model: attribute("device/model")?, serial })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_udev_are_decoded() {
        for (label, expected) in [("EFI\\x20SYS", "EFI SYS"), ("a\\x2fb\\", "a/b\\"), ("\\xzz", "\\xzz"), ("", "")] {
            assert_eq!(decoded(label), expected);
        }
        crate::source::damaged::damaged(b"a\\x20b\\x", |bytes| drop(decoded(&String::from_utf8_lossy(bytes))));
    }

    #[test]
    fn names_and_paths_are_each_other() {
        assert_eq!(node("cciss!c0d0"), "/dev/cciss/c0d0");
        assert_eq!(name_of_node("/dev/cciss/c0d0").as_deref(), Some("cciss!c0d0"));
        for path in ["/dev/", "sda", "/dev/../etc", "/dev/."] {
            assert_eq!(name_of_node(path), None, "{path}");
        }
    }
}
