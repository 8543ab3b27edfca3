//! `kernel_modules`: one row per module that the kernel has loaded.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use flate2::read::GzDecoder;
use indago_table::prelude::*;
use lzma_rust2::XzReader;

use crate::source::held::HeldList;
use crate::source::procfs::{number, required, text};
use crate::source::sysfs;

/// Loaded modules of the kernel.
///
/// `path` and `signed` describe the file that `modprobe` would load now. It can differ from the file that was loaded:
/// compare `srcversion`.
#[derive(Debug, Default, Table)]
#[table(name = "kernel_modules", platforms("linux"), rows = 100, whole_source, identity(name))]
#[example(
    "Modules that are not part of the kernel, or not signed.",
    "SELECT name, taint FROM kernel_modules WHERE taint <> ''"
)]
#[example(
    "Modules whose file has no signature, or that have no file.",
    "SELECT name, path FROM kernel_modules WHERE signed = 0 OR signed IS NULL"
)]
pub struct KernelModule {
    /// Name, with underscores.
    name: String,
    /// Memory that it uses, in bytes.
    size: i64,
    /// Modules that use it, separated by commas; `-` if there is none.
    #[column(volatile)]
    used_by: String,
    /// `Live`, `Loading` or `Unloading`.
    #[column(volatile)]
    status: String,
    /// Address in the kernel's memory, in hexadecimal with `0x`; zeros if the kernel hides it from the user.
    address: String,
    /// Number of its users; -1 if it cannot be unloaded.
    #[column(added, volatile)]
    references: Option<i64>,
    /// Letters of what it taints the kernel with, as in `kernel_info`: `O` not from the kernel's sources, `E` not
    /// signed, `P` proprietary; empty if nothing.
    #[column(added)]
    taint: String,
    /// Checksum of its sources, which the build wrote into it.
    #[column(added, source = attribute("srcversion"))]
    srcversion: Option<String>,
    /// Version that its author gave it.
    #[column(added, source = attribute("version"))]
    version: Option<String>,
    /// Path of its file below `/lib/modules`, according to the list of `depmod`.
    #[column(added, source = file)]
    path: Option<String>,
    /// Whether the file ends in a signature: 1 or 0; NULL if the file was not found. The signature is not verified.
    #[column(added, source = signature)]
    signed: Option<i64>,
    /// Files of all modules by name, read once.
    #[column(skip)]
    files: Arc<OnceLock<Result<HashMap<String, String>>>>,
}

const MODULES: &str = "/proc/modules";

impl Rows for KernelModule {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let Some(bytes) = scan.sys().read(MODULES).if_present()? else {
            return Err(scan.sys().absent(format!("the kernel does not support modules ({MODULES} is missing)")));
        };
        let files = Arc::new(OnceLock::new());
        let mut rows = HeldList::new(scan.sys());
        for (position, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            match parse(line) {
                Some(row) => rows.add(KernelModule { files: files.clone(), ..row })?,
                None => {
                    let (file, line) = (MODULES.to_owned(), position as u64 + 1);
                    scan.report("modules", &Error::BadLine { file, line, what: "not a module".to_owned() });
                }
            }
        }
        Ok(rows.into_iter())
    }
}

/// `snd_pcm 159744 4 snd_hda_intel,snd_hda_codec, Live 0xffffffffc0a51000 (OE)`
fn parse(line: &[u8]) -> Option<KernelModule> {
    let mut fields = line.split(|byte| *byte == b' ');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let size = number(fields.next()?)?;
    // `-` where the kernel cannot unload modules.
    let references = number(fields.next()?);
    let used_by = fields.next()?;
    let (status, address) = (fields.next()?, fields.next()?);
    // A module that is being loaded or unloaded also has `+` or `-`.
    let taint = fields.next().unwrap_or_default().iter().copied().filter(u8::is_ascii_alphabetic);
    Some(KernelModule {
        name: text(name),
        size,
        used_by: text(used_by.strip_suffix(b",").unwrap_or(used_by)),
        status: text(status),
        address: text(address),
        references,
        taint: taint.map(char::from).collect(),
        ..KernelModule::default()
    })
}

/// Magic text at the end of a signed file.
const SIGNATURE: &[u8] = b"~Module signature appended~\n";

/// Largest file of a module, unpacked.
const MOST_BYTES: u64 = 256 << 20;

/// Most memory for unpacking. The highest level of `xz` needs 64 MiB.
const MOST_WINDOW_KIB: u32 = 80 << 10;

impl KernelModule {
    fn attribute(&self, sys: &Sys, name: &str) -> Result<Option<String>> {
        sysfs::line(sys, &format!("/sys/module/{}/{name}", self.name))
    }

    fn file(&mut self, sys: &Sys) -> Result<()> {
        let files = self.files.get_or_init(|| files(sys));
        self.path = files.as_ref().map_err(Clone::clone)?.get(&self.name).cloned();
        Ok(())
    }

    fn signature(&mut self, sys: &Sys) -> Result<()> {
        self.file(sys)?;
        let Some(path) = self.path.as_deref() else { return Ok(()) };
        let Some(end) = end_of_file(sys, path).if_present()? else { return Ok(()) };
        self.signed = Some(i64::from(end.ends_with(SIGNATURE)));
        Ok(())
    }
}

/// The last bytes of a module's file, unpacked.
fn end_of_file(sys: &Sys, path: &str) -> Result<Vec<u8>> {
    let file = sys.open(path)?;
    let mut reader: Box<dyn Read> = match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(GzDecoder::new(file)),
        Some("xz") => Box::new(XzReader::new_mem_limit(file, true, MOST_WINDOW_KIB)),
        Some("zst") => {
            let decoder = zstd::Decoder::new(file);
            Box::new(decoder.map_err(|error| sys.read_error(Path::new(path), &error))?)
        }
        Some("ko") => Box::new(file),
        _ => return Err(Error::Unsupported(format!("{path} is compressed in a way that is not supported"))),
    };
    let (mut end, mut buffer, mut total) = (Vec::new(), vec![0; 64 << 10], 0);
    loop {
        let length = reader.read(&mut buffer).map_err(|error| sys.read_error(Path::new(path), &error))?;
        if length == 0 {
            return Ok(end);
        }
        total += length as u64;
        if total > MOST_BYTES {
            return Err(Error::Malformed(format!("{path} is larger than the limit of {} MiB", MOST_BYTES >> 20)));
        }
        end.extend_from_slice(&buffer[..length]);
        end.drain(..end.len().saturating_sub(SIGNATURE.len()));
    }
}

/// The modules that are installed for the running kernel.
fn files(sys: &Sys) -> Result<HashMap<String, String>> {
    let release = required(sys.read_text("/proc/sys/kernel/osrelease"))?;
    let release = release.trim();
    if release.is_empty() || release.contains('/') || release.starts_with('.') {
        return Err(Error::Malformed("/proc/sys/kernel/osrelease is not a release".into()));
    }
    let folder = format!("/lib/modules/{release}");
    let list = sys.read(format!("{folder}/modules.dep")).if_present()?.unwrap_or_default();
    Ok(parse_list(&list, &folder))
}

/// `kernel/drivers/net/veth.ko.xz: kernel/..`: the file, and those that it needs.
fn parse_list(list: &[u8], folder: &str) -> HashMap<String, String> {
    let lines = list.split(|byte| *byte == b'\n');
    let files = lines.filter_map(|line| {
        let path = text(&line[..memchr::memchr(b':', line)?]);
        let (name, _) = path.rsplit('/').next()?.split_once(".ko")?;
        let name = name.replace('-', "_");
        Some((name, if path.starts_with('/') { path } else { format!("{folder}/{path}") }))
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_module() {
        let line = b"snd_pcm 159744 4 snd_hda_intel,snd_hda_codec, Live 0xffffffffc0a51000 (POE+)";
        let row = parse(line).expect("a module");
        assert_eq!((&*row.name, row.size, &*row.used_by), ("snd_pcm", 159_744, "snd_hda_intel,snd_hda_codec"));
        assert_eq!((&*row.status, &*row.address, &*row.taint), ("Live", "0xffffffffc0a51000", "POE"));
        assert_eq!(row.references, Some(4));
        let row = parse(b"ext4 983040 1 - Live 0x0000000000000000").expect("a module");
        assert_eq!((&*row.used_by, &*row.taint), ("-", ""));
        assert!(parse(b"ext4 983040 1 -").is_none());
        crate::source::damaged::damaged(line, |bytes| drop(parse(bytes)));
    }

    #[test]
    fn the_list_of_depmod_names_files() {
        let list = b"kernel/drivers/net/veth.ko.xz: kernel/a.ko.xz\n/opt/odd/my-mod.ko:\nnothing\nx/y: z\n";
        let files = parse_list(list, "/lib/modules/6.1");
        let mut files: Vec<_> = files.iter().map(|(name, path)| (&**name, &**path)).collect();
        files.sort_unstable();
        let expected = [("my_mod", "/opt/odd/my-mod.ko"), ("veth", "/lib/modules/6.1/kernel/drivers/net/veth.ko.xz")];
        assert_eq!(files, expected);
        crate::source::damaged::damaged(list, |bytes| assert!(parse_list(bytes, "/").len() <= 4));
    }

    #[test]
    fn a_signature_is_found_at_the_end_of_the_file_only() {
        use std::io::Write;
        let root = tempfile::tempdir().expect("a directory");
        let sys = Sys::at(root.path());
        let folder = root.path().join("lib/modules/6.1.0/kernel");
        std::fs::create_dir_all(&folder).expect("a directory");
        std::fs::create_dir_all(root.path().join("proc/sys/kernel")).expect("a directory");
        std::fs::write(root.path().join("proc/sys/kernel/osrelease"), "6.1.0\n").expect("a file");
        let signed = [&vec![7; 100_000][..], SIGNATURE].concat();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&signed).expect("memory");
        let files = [
            ("signed.ko", signed.clone()),
            ("packed.ko.gz", packed.finish().expect("memory")),
            ("small.ko.zst", zstd::encode_all(&signed[..], 3).expect("memory")),
            ("bare.ko", [SIGNATURE, b"x"].concat()),
            ("empty.ko", Vec::new()),
            ("odd.ko.lz4", signed),
        ];
        let mut list = String::from("kernel/missing.ko:\nkernel/tight.ko.xz:\n");
        std::fs::write(folder.join("tight.ko"), &files[0].1).expect("a file");
        let packed = std::process::Command::new("xz").arg("--check=crc32").arg(folder.join("tight.ko")).status();
        assert!(packed.expect("xz runs").success());
        for (name, bytes) in files {
            std::fs::write(folder.join(name), bytes).expect("a file");
            list += &format!("kernel/{name}:\n");
        }
        std::fs::write(root.path().join("lib/modules/6.1.0/modules.dep"), list).expect("a file");
        let signed = |name: &str| {
            let mut row = KernelModule { name: name.to_owned(), ..KernelModule::default() };
            row.signature(&sys).map(|()| row.signed)
        };
        assert_eq!(signed("signed"), Ok(Some(1)));
        assert_eq!(signed("packed"), Ok(Some(1)));
        assert_eq!(signed("small"), Ok(Some(1)));
        assert_eq!(signed("tight"), Ok(Some(1)));
        assert_eq!(signed("bare"), Ok(Some(0)));
        assert_eq!(signed("empty"), Ok(Some(0)));
        assert_eq!(signed("missing"), Ok(None));
        assert_eq!(signed("other"), Ok(None));
        assert!(matches!(signed("odd"), Err(Error::Unsupported(_))));
    }
}
