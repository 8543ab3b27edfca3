//! The host's tables about kernel, hardware and memory, compared with the system's own tools on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use indago_engine::Engine;
use indago_table::Sys;
use indago_testkit::install;

use crate::support::{fixture_host, host_engine, needs_root, rows};

async fn live() -> Engine {
    host_engine(&Sys::live()).build().await.expect("the engine builds")
}

/// What a program prints.
fn output(program: &str, arguments: &[&str]) -> String {
    crate::support::output(Command::new(program).args(arguments).env("LC_ALL", "C").env("PATH", PATH))
}

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

fn words(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut rows: Vec<_> = lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    rows.sort();
    rows
}

/// A program that runs until the test ends.
struct Running(Child);

impl Running {
    fn new(program: impl AsRef<Path>) -> Self {
        let mut command = Command::new(program.as_ref());
        Running(command.arg("600").stdin(Stdio::piped()).spawn().expect("it starts"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_those_of_sysctl() {
    needs_root();
    let engine = live().await;
    let sql = "SELECT name, replace(current_value, char(10), ' ') FROM system_controls WHERE current_value IS NOT NULL";
    let ours = || async { rows(&engine, sql).await.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect() };
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Some values change all the time. The others must be equal in one of several readings.
    let mut differing: Option<BTreeSet<String>> = None;
    let (mut before, mut theirs): (BTreeMap<String, String>, BTreeMap<String, String>) = Default::default();
    let mut changing = BTreeSet::new();
    for _ in 0..20 {
        let now: BTreeMap<String, String> = ours().await;
        changing
            .extend(before.iter().filter(|(name, value)| now.get(*name) != Some(value)).map(|(name, _)| name.clone()));
        (before, theirs) = (now, BTreeMap::new());
        for line in output("sysctl", &["-a"]).lines() {
            let (name, value) = line.split_once(" =").unwrap_or_else(|| panic!("{line}"));
            let all = theirs.entry(name.to_owned()).or_default();
            *all = plain(&format!("{all} {value}"));
        }
        let is_equal = |name: &str, value: &str| before.get(name).is_some_and(|own| plain(own) == value);
        let now = theirs.iter().filter(|(name, value)| !is_equal(name, value) && !changing.contains(*name));
        let now: BTreeSet<String> = now.map(|(name, _)| name.clone()).collect();
        let still = differing.as_ref().map_or_else(|| now.clone(), |old| old & &now);
        let is_done = still.is_empty();
        differing = Some(still);
        if is_done {
            break;
        }
    }
    assert_eq!(differing, Some(BTreeSet::new()));
    assert!(theirs.len() > 300 && changing.len() < 20, "{} parameters, {changing:?} change", theirs.len());
    // sysctl leaves out two names that newer ones replace.
    let is_replaced = |name: &str| name.ends_with(".base_reachable_time") || name.ends_with(".retrans_time");
    let more: Vec<_> = before.keys().filter(|name| !theirs.contains_key(name.as_str()) && !is_replaced(name)).collect();
    assert!(more.is_empty(), "sysctl does not print {more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_a_process_is_what_the_kernel_lists() {
    let running = Running::new("/bin/sleep");
    let pid = running.0.id();
    let engine = live().await;
    let settled = || fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    // The program's loader may still map libraries.
    let ours = loop {
        let before = settled();
        let sql = format!(
            "SELECT start, \"end\", permissions, printf('%08x', \"offset\"), device, inode, path FROM process_memory_map WHERE pid = {pid}"
        );
        let ours = rows(&engine, &sql).await;
        if before.contains("libc") && before == settled() {
            break ours;
        }
    };
    let text = output("awk", &["{ sub(/-/, \" 0x\", $1); print \"0x\" $0 }", &format!("/proc/{pid}/maps")]);
    let theirs: Vec<Vec<String>> = words(&text);
    let ours: Vec<Vec<String>> =
        ours.into_iter().map(|row| row.into_iter().filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(ours, theirs);
    // pmap prints the first address and the size in KiB of each row.
    let text = output("pmap", &["-q", &pid.to_string()]);
    let sizes = text.lines().skip(1).filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.trim_start_matches('0').to_owned(), words.next()?.strip_suffix('K')?.to_owned()))
    });
    let sizes: BTreeSet<(String, String)> = sizes.collect();
    let number = |text: &str| u64::from_str_radix(&text[2..], 16).expect("hexadecimal");
    let ours = ours.iter().map(|row| {
        let size = (number(&row[1]) - number(&row[0])) / 1024;
        (row[0][2..].trim_start_matches('0').to_owned(), size.to_string())
    });
    assert_eq!(ours.collect::<BTreeSet<_>>(), sizes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_program_is_found_and_only_that() {
    let folder = tempfile::tempdir().expect("a directory");
    let [deleted, odd] = ["gone program", "kept (deleted)"].map(|name| folder.path().join(name));
    for path in [&deleted, &odd] {
        assert!(Command::new("cp").arg("/bin/sleep").arg(path).status().expect("cp runs").success());
    }
    let (first, second) = (Running::new(&deleted), Running::new(&odd));
    fs::remove_file(&deleted).expect("removed");
    let engine = live().await;
    let of = |pid: u32| {
        format!("SELECT path, is_program, is_executable, is_memory FROM process_deleted_files WHERE pid = {pid}")
    };
    let path = deleted.display().to_string();
    assert_eq!(rows(&engine, &of(first.0.id())).await, [[path.as_str(), "true", "true", "false"]]);
    assert_eq!(rows(&engine, &of(second.0.id())).await, Vec::<Vec<String>>::new(), "its name only looks deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_are_those_of_ps() {
    let engine = live().await;
    let pid = std::process::id();
    let sql = format!("SELECT pid, tid, name, nice FROM process_threads WHERE pid = {pid}");
    // Threads of this process come and go.
    for _ in 0..20 {
        let ours = rows(&engine, &sql).await;
        let theirs = output("ps", &["-L", "-o", "pid=,lwp=,comm:20=,ni=", "-p", &pid.to_string()]);
        let spaced: Vec<_> = ours.iter().map(|row| row.join(" ")).collect();
        if words(&spaced.join("\n")) == words(&theirs) {
            return;
        }
    }
    panic!("the threads differ in each of 20 attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn capabilities_have_the_names_of_capsh() {
    needs_root();
    let mut command = Command::new("setpriv");
    command.args([
        "--inh-caps=+net_raw,+chown",
        "--ambient-caps=+net_raw",
        "--bounding-set=-sys_module",
        "sleep",
        "600",
    ]);
    let running = Running(command.spawn().expect("setpriv runs"));
    let pid = running.0.id();
    let status = || fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let is_started = (0..1_000_000).any(|_| status().starts_with("Name:\tsleep"));
    assert!(is_started, "setpriv starts it");
    let engine = live().await;
    for (set, column) in
        [("CapEff", "is_effective"), ("CapPrm", "is_permitted"), ("CapInh", "is_inheritable"), ("CapAmb", "is_ambient")]
    {
        let status = status();
        let mask = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(":\t")).expect("a mask");
        let decoded = output("capsh", &[&format!("--decode={mask}")]);
        let names = decoded.trim().split_once('=').map_or("", |(_, names)| names);
        let mut theirs: Vec<Vec<String>> =
            names.split(',').filter(|name| !name.is_empty()).map(|name| vec![name.to_ascii_uppercase()]).collect();
        theirs.sort();
        let sql = format!("SELECT capability FROM process_capabilities WHERE pid = {pid} AND {column}");
        assert_eq!(rows(&engine, &sql).await, theirs, "{set}");
    }
    let sql = format!(
        "SELECT count(*) FROM process_capabilities WHERE pid = {pid} AND capability = 'CAP_SYS_MODULE' AND is_bounding"
    );
    assert_eq!(rows(&engine, &sql).await, [["0"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_of_a_pipe_find_each_other() {
    let running = Running::new("/bin/sleep");
    let (own, pid) = (std::process::id(), running.0.id());
    let engine = live().await;
    let sql =
        format!("SELECT mode, type, partner_pid, partner_mode FROM process_open_pipes WHERE pid = {pid} AND fd = 0");
    let expected = ["r", "anonymous", &own.to_string(), "w"].map(str::to_owned).to_vec();
    let found = rows(&engine, &sql).await;
    assert!(found.contains(&expected), "{found:?}");
    // A FIFO that is opened once, for both directions, has no other end.
    let folder = tempfile::tempdir().expect("a directory");
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    let held = fs::File::options().read(true).write(true).open(&fifo).expect("both ends");
    let inode = std::os::unix::fs::MetadataExt::ino(&held.metadata().expect("it is open"));
    let sql =
        format!("SELECT pid, mode, type, partner_pid FROM process_open_pipes WHERE inode = {inode} AND type = 'named'");
    assert_eq!(rows(&engine, &sql).await, [[&own.to_string(), "rw", "named", "NULL"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_that_of_free_and_limits_those_of_prlimit() {
    let engine = live().await;
    let free = output("free", &["-b", "-w"]);
    let value = |name: &str, column: usize| {
        let line = free.lines().find(|line| line.starts_with(name)).expect("a line");
        line.split_whitespace().nth(column).expect("a column").to_owned()
    };
    let ours = rows(&engine, "SELECT memory_total, swap_total FROM memory_info").await;
    assert_eq!(ours, [[value("Mem:", 1), value("Swap:", 1)]]);
    let own = std::process::id().to_string();
    let limits = output("prlimit", &["-p", &own, "--raw", "--noheadings", "-o", "RESOURCE,SOFT,HARD"]);
    let mut theirs = words(&limits.to_ascii_lowercase());
    theirs.sort();
    assert_eq!(rows(&engine, "SELECT type, soft_limit, hard_limit FROM ulimit_info").await, theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_memory_is_that_of_ipcs() {
    let made = output("ipcmk", &["-M", "12345", "-p", "0640"]);
    let id = made.split_whitespace().last().expect("an ID").to_owned();
    let engine = live().await;
    let sql = format!("SELECT key, shmid, permissions, size, attached FROM shared_memory WHERE shmid = {id}");
    let ours = rows(&engine, &sql).await;
    let listed = output("ipcs", &["-m"]);
    output("ipcrm", &["-m", &id]);
    let theirs = words(&listed).into_iter().find(|row| row.get(1) == Some(&id)).expect("its line");
    // key shmid owner perms bytes nattch
    let theirs = [&theirs[0], &theirs[1], &format!("0{}", theirs[3]), &theirs[4], &theirs[5]].map(Clone::clone);
    assert_eq!(ours, [theirs]);
}

/// A file as a block device, until it is dropped.
struct Loop(String);

impl Loop {
    fn new(image: &Path) -> Self {
        let image = image.to_str().expect("UTF-8");
        Loop(output("losetup", &["--find", "--show", image]).trim().to_owned())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).env("PATH", PATH).status();
    }
}

fn image(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::File::create(&path).and_then(|file| file.set_len(320 << 20)).expect("a sparse file");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_of_block_devices_are_those_of_blkid() {
    needs_root();
    install::apt(&["xfsprogs", "btrfs-progs", "dosfstools", "squashfs-tools", "f2fs-tools", "cryptsetup-bin"])
        .expect("the packages");
    let folder = tempfile::tempdir().expect("a directory");
    let password = folder.path().join("password");
    fs::write(&password, "secret").expect("a file");
    let password = password.to_str().expect("UTF-8");
    let luks =
        ["cryptsetup", "luksFormat", "-q", "--pbkdf-force-iterations=1000", "--pbkdf=pbkdf2", "--key-file", password];
    let makers: [(&str, &[&str]); 11] = [
        ("ext2", &["mkfs.ext2", "-q", "-L", "two", "-F"]),
        ("ext3", &["mkfs.ext3", "-q", "-F"]),
        ("ext4", &["mkfs.ext4", "-q", "-L", "root fs", "-F"]),
        ("xfs", &["mkfs.xfs", "-q", "-L", "data"]),
        ("btrfs", &["mkfs.btrfs", "-q", "-L", "tree"]),
        ("swap", &["mkswap", "-q", "-L", "swap"]),
        ("fat", &["mkfs.vfat", "-n", "BOOT"]),
        ("f2fs", &["mkfs.f2fs", "-q", "-l", "flash"]),
        ("luks1", &[&luks[..], &["--type=luks1"]].concat()),
        ("luks2", &[&luks[..], &["--type=luks2", "--label=vault"]].concat()),
        ("empty", &["true"]),
    ];
    let engine = live().await;
    for (name, maker) in makers {
        let image = image(folder.path(), name);
        let arguments = [&maker[1..], &[image.to_str().expect("UTF-8")]].concat();
        output(maker[0], &arguments);
        let device = Loop::new(&image);
        let node = &device.0;
        let blkid = Command::new("/usr/sbin/blkid").args(["-p", "-o", "export", node]).output().expect("blkid runs");
        let blkid = String::from_utf8_lossy(&blkid.stdout).into_owned();
        let value = |key: &str| {
            let found = blkid.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.map_or("NULL".to_owned(), |value| value.replace("\\ ", " "))
        };
        let sql = format!("SELECT type, uuid, label FROM block_devices WHERE name = '{node}'");
        assert_eq!(rows(&engine, &sql).await, [[value("TYPE"), value("UUID"), value("LABEL")]], "{name}: {blkid}");
        let lsblk = output("lsblk", &["-b", "-n", "-d", "-o", "PATH,SIZE,LOG-SEC", node]);
        let sql = format!("SELECT name, size * block_size, block_size FROM block_devices WHERE name = '{node}'");
        assert_eq!(rows(&engine, &sql).await, words(&lsblk), "{name}");
        let sql = format!("SELECT encrypted, type, encryption_status FROM disk_encryption WHERE name = '{node}'");
        let expected = match name.starts_with("luks") {
            true => ["1", "aes-xts-plain64", "encrypted"],
            false => ["0", "", "not encrypted"],
        };
        assert_eq!(rows(&engine, &sql).await, [expected], "{name}");
    }
    // All devices, with their parents.
    let lsblk = output("lsblk", &["-a", "-n", "-l", "-o", "PATH,PKNAME"]);
    let theirs: BTreeSet<String> = words(&lsblk).into_iter().filter_map(|row| row.into_iter().next()).collect();
    let ours: BTreeSet<String> = rows(&engine, "SELECT name FROM block_devices").await.into_iter().flatten().collect();
    // lsblk leaves out devices of the memory's disks.
    let missing: Vec<_> = theirs.difference(&ours).filter(|name| !name.starts_with("/dev/loop")).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pci_devices_are_those_of_lspci() {
    needs_root();
    install::apt(&["pciutils", "pci.ids"]).expect("the packages");
    let engine = live().await;
    let sql = "SELECT pci_slot, substr(pci_class_id, 3) || substr(pci_subclass_id, 3), substr(vendor_id, 3), \
        substr(model_id, 3), substr(subsystem_vendor_id, 3), substr(subsystem_model_id, 3), nullif(driver, '') FROM pci_devices";
    let blocks = |text: String, keys: &[&str]| {
        let blocks = text.trim().split("\n\n").filter(|block| !block.is_empty()).map(|block| {
            let value = |key: &str| {
                let found = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"));
                found.unwrap_or("NULL").to_owned()
            };
            keys.iter().map(|key| value(key)).collect::<Vec<_>>()
        });
        let mut rows: Vec<_> = blocks.collect();
        rows.sort();
        rows
    };
    let keys = ["Slot", "Class", "Vendor", "Device", "SVendor", "SDevice", "Driver"];
    assert_eq!(rows(&engine, sql).await, blocks(output("lspci", &["-D", "-n", "-vmm", "-k"]), &keys));
    // A class without the name of its subclass is not printed in the same way.
    let sql = "SELECT pci_slot, vendor FROM pci_devices WHERE vendor <> ''";
    let theirs = blocks(output("lspci", &["-D", "-vmm"]), &["Slot", "Vendor"]);
    for row in rows(&engine, sql).await {
        assert!(theirs.contains(&row), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn features_of_the_processor_are_those_that_the_kernel_found() {
    let engine = live().await;
    let text = fs::read_to_string("/proc/cpuinfo").expect("/proc");
    let flags = text.lines().find_map(|line| line.strip_prefix("flags\t\t: ")).expect("an x86 processor");
    let flags: BTreeSet<&str> = flags.split(' ').collect();
    let ours: BTreeMap<String, String> = rows(&engine, "SELECT feature, value FROM cpuid")
        .await
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let vendor = text.lines().find_map(|line| line.strip_prefix("vendor_id\t: "));
    assert_eq!(ours.get("vendor").map(String::as_str), vendor);
    let mut compared = 0;
    for (feature, value) in &ours {
        // The kernel switches features off that it cannot use, and switches none on.
        if flags.contains(feature.as_str()) {
            assert_eq!(value, "1", "{feature}");
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared} features have the kernel's name");
    for (theirs, feature) in [("pni", "sse3"), ("aes", "aesni"), ("clflush", "clfsh"), ("sse4_2", "sse4.2")] {
        assert_eq!(flags.contains(theirs), ours.get(feature).is_some_and(|value| value == "1"), "{feature}");
    }
}

/// Files of Debian's own signed kernel, under a host of files: this machine has no modules. `srcversion` and `version` come
/// from the running kernel, so they are not compared. `lsusb` cannot read another root, and this machine has no USB bus, so
/// `usb_devices` has only its fixture.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_modules_are_those_of_modinfo() {
    needs_root();
    let source = install::kernel_modules().expect("the modules");
    let host = tempfile::tempdir().expect("a directory");
    let at = |path: &str| host.path().join(path);
    output("cp", &["-r", source.join("lib").to_str().expect("UTF-8"), at("lib").to_str().expect("UTF-8")]);
    let release = fs::read_dir(at("lib/modules")).expect("a directory").next().expect("a release").expect("an entry");
    let release = release.file_name().into_string().expect("UTF-8");
    let path = |name: &str| {
        let found = output("find", &[at("lib").to_str().expect("UTF-8"), "-name", &format!("{name}.ko")]);
        std::path::PathBuf::from(found.trim())
    };
    // One without its signature, one that is compressed, and one that is not installed.
    let unsigned = path("crc7");
    let bytes = fs::read(&unsigned).expect("a module");
    let signer = output("modinfo", &["-F", "signer", unsigned.to_str().expect("UTF-8")]);
    assert!(!signer.trim().is_empty(), "Debian signs its modules");
    output("strip", &["--strip-debug", unsigned.to_str().expect("UTF-8")]);
    assert!(fs::read(&unsigned).expect("a module").len() < bytes.len());
    output("xz", &["--check=crc32", path("ts_bm").to_str().expect("UTF-8")]);
    output("/sbin/depmod", &["-b", host.path().to_str().expect("UTF-8"), &release]);
    let names = ["crc7", "ts_bm", "crc_itu_t", "ts_fsm", "pm_notifier_error_inject", "libcrc32c", "absent"];
    let loaded = names.map(|name| format!("{name} 16384 0 - Live 0x0000000000000000\n")).concat();
    for (path, text) in [("proc/modules", &loaded), ("proc/sys/kernel/osrelease", &format!("{release}\n"))] {
        fs::create_dir_all(at(path).parent().expect("a directory")).expect("a directory");
        fs::write(at(path), text).expect("a file");
    }
    let engine = host_engine(&Sys::at(host.path())).build().await.expect("an engine");
    let found = rows(&engine, "SELECT name, path, signed FROM kernel_modules").await;
    let mut expected: Vec<Vec<String>> = Vec::new();
    for name in names {
        let fact = |field: &str| {
            let mut modinfo = Command::new("modinfo");
            modinfo.arg("-b").arg(host.path()).args(["-k", &release, "-F", field, name]);
            String::from_utf8(modinfo.output().expect("modinfo runs").stdout).expect("UTF-8").trim().to_owned()
        };
        let file = fact("filename").replacen(host.path().to_str().expect("UTF-8"), "", 1);
        expected.push(match file.as_str() {
            "" => vec![name.to_owned(), "NULL".to_owned(), "NULL".to_owned()],
            _ => vec![name.to_owned(), file, i64::from(!fact("sig_id").is_empty()).to_string()],
        });
    }
    expected.sort();
    assert_eq!(found, expected);
    let signed: BTreeSet<&str> = expected.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(signed, BTreeSet::from(["0", "1", "NULL"]));
}

/// dmidecode reads the firmware of the fixture host.
#[tokio::test(flavor = "multi_thread")]
async fn firmware_is_what_dmidecode_reads() {
    needs_root();
    install::apt(&["dmidecode"]).expect("the package");
    let engine = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts/plain/sys/firmware/dmi/tables/DMI");
    let table = fs::read(table).expect("the fixture");
    // An entry point of SMBIOS 3: its checksum, its length, version 3.2, and the length and place of the table.
    let mut dump = b"_SM3_\0\x18\x03\x02\0\x01\0".to_vec();
    dump.extend(u32::try_from(table.len()).expect("it is small").to_le_bytes());
    dump.extend(32_u64.to_le_bytes());
    dump[5] = dump.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    dump.resize(32, 0);
    dump.extend(&table);
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("dump");
    fs::write(&file, dump).expect("a file");
    let text = output("dmidecode", &["--from-dump", file.to_str().expect("UTF-8")]);
    let structures: Vec<&str> = text.split("\n\n").filter(|block| block.starts_with("Handle ")).collect();
    let value = |handle: &str, key: &str| {
        let block = structures.iter().find(|block| block.to_ascii_lowercase().contains(&format!("handle {handle}, ")));
        let block = block.unwrap_or_else(|| panic!("no structure {handle}"));
        let found = block.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        found.unwrap_or("").to_ascii_lowercase().trim().to_owned()
    };
    let kinds = "SELECT printf('handle 0x%04x, dmi type %d, %d bytes', handle, type, header_size) FROM smbios_tables";
    let mut theirs: Vec<Vec<String>> =
        structures.iter().filter_map(|block| Some(vec![block.lines().next()?.to_ascii_lowercase()])).collect();
    theirs.sort();
    assert_eq!(rows(&engine, kinds).await, theirs);
    for (table, sql, keys) in [
        (
            "platform_info",
            "SELECT '0x0000', vendor, version, date, revision, printf('%d mb', size / 1048576) FROM platform_info",
            &["Vendor", "Version", "Release Date", "BIOS Revision", "ROM Size"][..],
        ),
        (
            "memory_arrays",
            "SELECT handle, location, \"use\", memory_error_correction, printf('%d gb', max_capacity), number_memory_devices FROM memory_arrays",
            &["Location", "Use", "Error Correction Type", "Maximum Capacity", "Number Of Devices"],
        ),
        (
            "memory_devices",
            "SELECT handle, array_handle, printf('%d bits', total_width), printf('%d gb', size / 1024), form_factor, device_locator, bank_locator, memory_type, printf('%d mt/s', max_speed), printf('%d mt/s', configured_clock_speed), manufacturer, serial_number, part_number, printf('%.1f v', configured_voltage / 1000.0) FROM memory_devices WHERE size > 0",
            &[
                "Array Handle",
                "Total Width",
                "Size",
                "Form Factor",
                "Locator",
                "Bank Locator",
                "Type",
                "Speed",
                "Configured Memory Speed",
                "Manufacturer",
                "Serial Number",
                "Part Number",
                "Configured Voltage",
            ],
        ),
        (
            "memory_array_mapped_addresses",
            "SELECT handle, starting_address, ending_address, memory_array_handle, partition_width FROM memory_array_mapped_addresses",
            &["Starting Address", "Ending Address", "Physical Array Handle", "Partition Width"],
        ),
        (
            "memory_device_mapped_addresses",
            "SELECT handle, memory_device_handle, memory_array_mapped_address_handle, partition_row_position FROM memory_device_mapped_addresses",
            &["Physical Device Handle", "Memory Array Mapped Address Handle", "Partition Row Position"],
        ),
        (
            "memory_error_info",
            "SELECT handle, error_type, error_granularity, error_operation FROM memory_error_info",
            &["Type", "Granularity", "Operation"],
        ),
        (
            "cpu_info",
            "SELECT '0x0400', socket_designation, manufacturer, model, printf('%d mhz', max_clock_speed), printf('%d mhz', current_clock_speed), number_of_cores, logical_processors FROM cpu_info",
            &[
                "Socket Designation",
                "Manufacturer",
                "Version",
                "Max Speed",
                "Current Speed",
                "Core Count",
                "Thread Count",
            ],
        ),
        ("oem_strings", "SELECT handle, group_concat(value, '|') FROM oem_strings GROUP BY handle", &[]),
    ] {
        let found = rows(&engine, sql).await;
        assert!(!found.is_empty(), "{table} has no rows");
        for row in found {
            let ours: Vec<String> = row[1..].iter().map(|cell| cell.to_ascii_lowercase().trim().to_owned()).collect();
            match table {
                "oem_strings" => {
                    assert_eq!(ours, [[value(&row[0], "String 1"), value(&row[0], "String 2")].join("|")]);
                }
                // dmidecode prints the bytes of a wide address, and calls them KiB.
                "memory_array_mapped_addresses" => {
                    let number = |text: &str| u64::from_str_radix(text.trim_matches(['0', 'x', 'k']), 16).unwrap_or(0);
                    let bytes = [number(&ours[0]) << 10, (number(&ours[1]) << 10) + 1023];
                    let theirs = ["Starting Address", "Ending Address"].map(|key| number(&value(&row[0], key)));
                    assert_eq!(
                        (bytes, &ours[2..]),
                        (theirs, &keys[2..].iter().map(|key| value(&row[0], key)).collect::<Vec<_>>()[..])
                    );
                }
                _ => assert_eq!(ours, keys.iter().map(|key| value(&row[0], key)).collect::<Vec<_>>(), "{table}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acpi_tables_have_the_checksums_of_md5sum() {
    needs_root();
    let engine = live().await;
    let folder = "/sys/firmware/acpi/tables";
    if !Path::new(folder).exists() {
        let query = engine.query("SELECT * FROM acpi_tables").await.expect("it plans");
        assert_eq!(
            query.collect().await.expect("it runs").iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(),
            0
        );
        assert!(query.warnings().iter().any(|warning| warning.to_string().contains("no ACPI tables")));
        return;
    }
    let found = output("find", &[folder, "-maxdepth", "1", "-type", "f", "-exec", "md5sum", "{}", "+"]);
    let theirs = words(&found)
        .into_iter()
        .map(|row| vec![row[1].rsplit('/').next().expect("a name").to_owned(), row[0].clone()]);
    let mut theirs: Vec<_> = theirs.collect();
    theirs.sort();
    let ours = rows(&engine, "SELECT name, md5 FROM acpi_tables").await;
    assert!(theirs.iter().all(|row| ours.contains(row)), "{ours:?}\n{theirs:?}");
}

/// Files of file systems that the real tools made, in a partition of a GPT, compared with the tools and the sources.
#[tokio::test(flavor = "multi_thread")]
async fn files_on_a_disk_are_those_of_debugfs() {
    needs_root();
    install::apt(&["e2fsprogs", "fdisk"]).expect("the packages");
    let folder = tempfile::tempdir().expect("a directory");
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("deep/er")).expect("a directory");
    fs::write(source.join("deep/er/file"), "abc").expect("a file");
    fs::write(source.join("empty"), "").expect("a file");
    // With inline data, the first is in the inode itself, the second also among its attributes.
    fs::write(source.join("deep/short"), "x".repeat(60)).expect("a file");
    fs::write(source.join("deep/longer"), "0123456789".repeat(12)).expect("a file");
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(source.join("large"), &large).expect("a file");
    let sparse = fs::File::create(source.join("sparse")).expect("a file");
    std::os::unix::fs::FileExt::write_at(&sparse, b"end", 5_000_000).expect("written");
    std::os::unix::fs::symlink("deep/er", source.join("link")).expect("a link");
    // More names than a block of a directory holds.
    fs::create_dir(source.join("many")).expect("a directory");
    for number in 0..500 {
        fs::write(source.join(format!("many/a-name-that-is-not-short-{number}")), "").expect("a file");
    }
    let engine = live().await;
    for (kind, features) in [("ext2", "filetype"), ("ext3", "filetype"), ("ext4", "extent"), ("ext4", "inline_data")] {
        let inner = folder.path().join(format!("{kind}.part"));
        fs::File::create(&inner).and_then(|file| file.set_len(64 << 20)).expect("a sparse file");
        let (inner, source) = (inner.to_str().expect("UTF-8"), source.to_str().expect("UTF-8"));
        output("mke2fs", &["-q", "-F", "-t", kind, "-O", features, "-I", "256", "-L", "files", "-d", source, inner]);
        let inline = output("debugfs", &["-R", "stat /deep", inner]).contains("Size of inline data");
        assert_eq!(inline, features == "inline_data");
        let disk = folder.path().join(format!("{kind}.disk"));
        fs::File::create(&disk).and_then(|file| file.set_len(80 << 20)).expect("a sparse file");
        let disk = disk.to_str().expect("UTF-8");
        let script = format!("label: gpt\nstart=2048, size=131072, name=\"data {kind}\"\nstart=135168, size=2048\n");
        let mut sfdisk =
            Command::new("/sbin/sfdisk").args(["-q", disk]).stdin(Stdio::piped()).spawn().expect("sfdisk runs");
        std::io::Write::write_all(&mut sfdisk.stdin.take().expect("a pipe"), script.as_bytes()).expect("written");
        assert!(sfdisk.wait().expect("it ends").success());
        output(
            "dd",
            &[&format!("if={inner}"), &format!("of={disk}"), "bs=1M", "seek=1", "conv=notrunc,sparse", "status=none"],
        );
        let sql = format!(
            "SELECT partition, label, type, \"offset\", blocks_size * blocks FROM device_partitions WHERE device = '{disk}'"
        );
        let size = (64_u64 << 20).to_string();
        let expected = [["1", &format!("data {kind}"), kind, "1048576", &size], ["2", "", "", "69206016", "1048576"]];
        assert_eq!(rows(&engine, &sql).await, expected);
        // Each file: its inode, mode, owner, size and times as debugfs prints them.
        let sql = format!(
            "SELECT path, inode, mode, uid, gid, size, mtime, hard_links, type FROM device_file WHERE device = '{disk}' AND partition = '1'"
        );
        let found = rows(&engine, &sql).await;
        let names = output("find", &[source, "-printf", "/%P\\n"]);
        let mut theirs: BTreeSet<String> = names.lines().map(str::to_owned).collect();
        theirs.insert("/lost+found".to_owned());
        assert_eq!(found.iter().map(|row| row[0].clone()).collect::<BTreeSet<_>>(), theirs, "{kind}");
        for row in found.iter().filter(|row| !row[0].starts_with("/many/")) {
            let stat = output("debugfs", &["-R", &format!("stat \"{}\"", row[0]), inner]);
            let words: Vec<&str> = stat.split_whitespace().collect();
            let after = |key: &str| {
                let position = words.iter().position(|word| *word == key).unwrap_or_else(|| panic!("{key}: {stat}"));
                words[position + 1].to_owned()
            };
            let mtime = stat.lines().find_map(|line| line.trim().strip_prefix("mtime: 0x")).expect("a time");
            let mtime = i64::from_str_radix(mtime.split([':', ' ']).next().expect("a word"), 16).expect("a number");
            let theirs = [
                row[0].clone(),
                after("Inode:"),
                after("Mode:"),
                after("User:"),
                after("Group:"),
                after("Size:"),
                mtime.to_string(),
                after("Links:"),
                after("Type:"),
            ];
            assert_eq!(row[..], theirs, "{kind}");
        }
        // Contents, by inode.
        for name in ["large", "sparse", "empty", "deep/er/file", "deep/short", "deep/longer"] {
            let sql = format!(
                "SELECT h.md5, h.sha1, h.sha256 FROM device_file AS f JOIN device_hash AS h ON h.device = f.device AND h.partition = f.partition AND h.inode = f.inode WHERE f.device = '{disk}' AND f.path = '/{name}'"
            );
            let sum = |tool: &str| {
                let text = output(tool, &[&format!("{source}/{name}")]);
                text.split_whitespace().next().expect("a checksum").to_owned()
            };
            assert_eq!(rows(&engine, &sql).await, [["md5sum", "sha1sum", "sha256sum"].map(sum)], "{kind} {name}");
        }
        let sql = format!("SELECT inode FROM device_hash WHERE device = '{disk}' AND inode IN (0, 2, 99999999)");
        assert_eq!(rows(&engine, &sql).await, Vec::<Vec<String>>::new(), "directories and numbers without a file");
    }
}

/// A program and a map that this test loads, by what the kernel returns for them.
#[tokio::test(flavor = "multi_thread")]
async fn ebpf_objects_of_a_process_are_found() {
    needs_root();
    const LOAD: &str = "import ctypes, struct, sys\n\
        call = ctypes.CDLL(None, use_errno=True).syscall\n\
        code = ctypes.create_string_buffer(struct.pack('<BBhiBBhi', 0xb7, 0, 0, 0, 0x95, 0, 0, 0), 16)\n\
        gpl = ctypes.create_string_buffer(b'GPL')\n\
        def bpf(command, attributes):\n    \
            data = ctypes.create_string_buffer(attributes + bytes(64), len(attributes) + 64)\n    \
            fd = call(321, command, data, len(attributes) + 64)\n    \
            assert fd >= 0, ctypes.get_errno()\n    \
            return fd\n\
        load = struct.pack('<IIQQIIQII', 1, 2, ctypes.addressof(code), ctypes.addressof(gpl), 0, 0, 0, 0, 0)\n\
        print(bpf(5, load), bpf(0, struct.pack('<IIIII', 2, 4, 8, 16, 0)), flush=True)\n\
        sys.stdin.read()\n";
    let mut command = Command::new("/usr/bin/python3");
    let child = command.args(["-c", LOAD]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 runs");
    let mut running = Running(child);
    let mut line = String::new();
    let mut printed = std::io::BufReader::new(running.0.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut printed, &mut line).expect("it prints");
    let (program, map) = line.trim().split_once(' ').unwrap_or_else(|| panic!("two descriptors: {line:?}"));
    let pid = running.0.id();
    let fact = |fd: &str, key: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).expect("it is open");
        let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"));
        found.unwrap_or_else(|| panic!("{key}: {text}")).to_owned()
    };
    let engine = live().await;
    let sql = format!("SELECT fd, id, type, tag, memory FROM ebpf_programs WHERE pid = {pid}");
    let expected = [
        program.to_owned(),
        fact(program, "prog_id"),
        "socket_filter".into(),
        fact(program, "prog_tag"),
        fact(program, "memlock"),
    ];
    assert_eq!(rows(&engine, &sql).await, [expected]);
    let sql =
        format!("SELECT fd, id, type, key_size, value_size, max_entries, is_frozen FROM ebpf_maps WHERE pid = {pid}");
    let expected = [map, &fact(map, "map_id"), "array", "4", "8", "16", "false"];
    assert_eq!(rows(&engine, &sql).await, [expected]);
}

/// Certificates in the variables of a firmware, as OpenSSL reads them.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_the_firmware_are_read() {
    needs_root();
    install::apt(&["openssl"]).expect("the package");
    let root = tempfile::tempdir().expect("a directory");
    let variables = root.path().join("sys/firmware/efi/efivars");
    fs::create_dir_all(&variables).expect("a directory");
    let path = |name: &str| root.path().join(name).display().to_string();
    let mut expected = Vec::new();
    for (variable, revoked) in [("db", "0"), ("dbx", "1")] {
        let (key, der) = (path("key"), path(variable));
        let subject = format!("/C=US/O=Example/CN=Signer {variable}");
        let make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-outform", "DER", "-days", "30"];
        output("openssl", &[&make[..], &["-keyout", &key, "-out", &der, "-subj", &subject]].concat());
        let print = ["x509", "-inform", "DER", "-in", &der, "-noout", "-fingerprint", "-sha1", "-serial"];
        let printed = output("openssl", &print);
        let value = |line: usize| {
            let line = printed.lines().nth(line).expect("a line");
            line.split_once('=').expect("a value").1.replace(':', "").to_ascii_lowercase()
        };
        expected.push([&format!("Signer {variable}"), &value(0), &value(1), revoked, "2048"].map(str::to_owned));
        // Attributes, and a list of one certificate: its kind, sizes, the owner, and the certificate.
        let der = fs::read(&der).expect("a certificate");
        let mut bytes = vec![7, 0, 0, 0];
        bytes.extend([0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72]);
        for size in [28 + 16 + der.len(), 0, 16 + der.len()] {
            bytes.extend(u32::try_from(size).expect("it is small").to_le_bytes());
        }
        bytes.extend([0; 16]);
        bytes.extend(der);
        fs::write(variables.join(format!("{variable}-d719b2cb-3d3a-4596-a3bc-dad00e67656f")), bytes).expect("a file");
    }
    let engine = host_engine(&Sys::at(root.path())).build().await.expect("the engine builds");
    let sql = "SELECT common_name, sha1, lower(serial), revoked, key_strength FROM secureboot_certificates";
    assert_eq!(rows(&engine, sql).await, expected);
}

/// Hardware and services that a machine lacks: no rows, and one warning.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_machine_lacks_is_one_warning() {
    let folder = tempfile::tempdir().expect("a directory");
    let engine = host_engine(&Sys::at(folder.path())).build().await.expect("the engine builds");
    for table in [
        "acpi_tables",
        "apparmor_profiles",
        "block_devices",
        "carbon_black_info",
        "cpuid",
        "disk_encryption",
        "intel_me_info",
        "kernel_modules",
        "md_devices",
        "md_drives",
        "md_personalities",
        "memory_array_mapped_addresses",
        "memory_arrays",
        "memory_device_mapped_addresses",
        "memory_devices",
        "memory_error_info",
        "memory_map",
        "msr",
        "oem_strings",
        "pci_devices",
        "platform_info",
        "secureboot",
        "secureboot_certificates",
        "selinux_settings",
        "shared_memory",
        "smbios_tables",
        "system_controls",
        "usb_devices",
    ] {
        let query = engine.query(&format!("SELECT * FROM {table}")).await.expect("it plans");
        let batches = query.collect().await.expect("it runs");
        let count: usize = batches.iter().map(arrow_array::RecordBatch::num_rows).sum();
        let warnings = query.warnings();
        assert_eq!((count, warnings.len()), (0, 1), "{table}: {warnings:?}");
    }
}
