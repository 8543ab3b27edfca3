//! The machine's processors.
//!
//! `/sys/devices/system/cpu` counts them, in the same format on all architectures. `/proc/cpuinfo` describes them, in a
//! format that each architecture's kernel code chose. Without `/sys`, it also counts them.

use std::collections::HashSet;

use indago_table::prelude::*;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Processors {
    pub(crate) model: Option<String>,
    pub(crate) brand: Option<String>,
    pub(crate) microcode: Option<String>,
    pub(crate) logical: i64,
    pub(crate) cores: i64,
    pub(crate) sockets: Option<i64>,
}

const CPUINFO: &str = "/proc/cpuinfo";
const ONLINE: &str = "/sys/devices/system/cpu/online";

pub(crate) fn read(sys: &Sys) -> Result<Processors> {
    let text = sys.read_text(CPUINFO).if_present()?;
    let mut info = parse(text.as_deref().unwrap_or_default());
    let online = match sys.read_text(ONLINE).if_present()? {
        Some(list) => numbers(&list).ok_or_else(|| Error::Malformed(format!("{ONLINE}: not a list of numbers")))?,
        None => Vec::new(),
    };
    let logical = if online.is_empty() { info.logical } else { count(online.len()) };
    if logical == 0 {
        return Err(match text {
            Some(_) => Error::Malformed(format!("{CPUINFO} lists no processor, and {ONLINE} does not exist")),
            None => Error::Unsupported(format!("neither {CPUINFO} nor {ONLINE} exists")),
        });
    }
    // Few architectures list cores and packages in `cpuinfo`.
    let (lacks_cores, lacks_packages) = (info.cores.is_empty(), info.packages.is_empty());
    let topology = |processor: u32, name: &str| {
        let path = format!("/sys/devices/system/cpu/cpu{processor}/topology/{name}");
        Ok(sys.read_text(path).if_present()?.map(|text| text.trim().to_owned()))
    };
    for processor in online {
        if lacks_cores {
            // All threads of a core have the same text.
            info.cores.extend(topology(processor, "thread_siblings_list")?.map(|threads| (String::new(), threads)));
        }
        if lacks_packages {
            // -1 means that the firmware does not report it.
            info.packages.extend(topology(processor, "physical_package_id")?.filter(|package| package != "-1"));
        }
    }
    let some = |length: usize| Some(count(length)).filter(|count| *count > 0);
    Ok(Processors {
        // Processors without a core number count as cores.
        cores: some(info.cores.len()).unwrap_or(logical),
        sockets: some(info.packages.len()),
        brand: info.brand.take().or_else(|| info.arm_name()),
        model: info.model.take(),
        microcode: info.microcode,
        logical,
    })
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// No kernel supports more processors than this. A list of more would only cost memory.
const MOST_PROCESSORS: u32 = 1 << 16;

/// The numbers of a list such as `0-3,8`; `None` if it is malformed.
fn numbers(list: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for range in list.trim().split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        let count = (last.saturating_sub(first) as usize).saturating_add(numbers.len());
        if last >= MOST_PROCESSORS || count >= MOST_PROCESSORS as usize {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// The contents of `/proc/cpuinfo`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Info {
    logical: i64,
    /// Cores, as package number and core number.
    cores: HashSet<(String, String)>,
    packages: HashSet<String>,
    brand: Option<String>,
    model: Option<String>,
    microcode: Option<String>,
    implementer: Option<String>,
    part: Option<String>,
}

/// Keys of the processor's name, the best one first: x86 and 32-bit ARM, LoongArch, MIPS and Alpha, RISC-V, POWER and
/// SPARC, older ARM kernels, SuperH, m68k; s390 has only its maker.
const BRANDS: [&str; 9] =
    ["model name", "Model Name", "cpu model", "uarch", "cpu", "Processor", "cpu type", "CPU", "vendor_id"];

/// Keys of the model number: ARM, RISC-V, POWER (which calls the machine `model`), and the others.
const MODELS: [&str; 4] = ["CPU part", "marchid", "revision", "model"];

fn parse(text: &str) -> Info {
    let mut info = Info::default();
    let (mut brands, mut models) = ([const { None }; BRANDS.len()], [const { None }; MODELS.len()]);
    let mut package = String::new();
    let mut total = None;
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let (key, value) = (key.trim(), value.trim());
        let first = |field: &mut Option<String>| {
            if !value.is_empty() {
                field.get_or_insert_with(|| value.to_owned());
            }
        };
        if let Some(rank) = BRANDS.iter().position(|name| *name == key) {
            first(&mut brands[rank]);
        }
        // Itanium has a different kind of `revision`.
        if let Some(rank) = MODELS.iter().position(|name| *name == key)
            && (key != "revision" || value.contains("pvr"))
        {
            first(&mut models[rank]);
        }
        match key {
            "processor" => info.logical += 1,
            // s390, SPARC, Alpha, Xtensa.
            "# processors" | "ncpus active" | "cpus active" | "CPU count" => total = total.or(value.parse().ok()),
            "microcode" => first(&mut info.microcode),
            "CPU implementer" => first(&mut info.implementer),
            "CPU part" => first(&mut info.part),
            "physical id" | "package" => {
                info.packages.insert(value.to_owned());
                package = value.to_owned();
            }
            // Core numbers are unique only within a package.
            "core id" | "core" => {
                info.cores.insert((package.clone(), value.to_owned()));
            }
            // s390: `processor 0: version = FF,  identification = 047F27,  machine = 8561`
            _ if key.starts_with("processor ") => {
                let machine = value.split(',').find_map(|fact| fact.trim().strip_prefix("machine = "));
                info.model = info.model.or(machine.map(str::to_owned));
            }
            _ => {}
        }
    }
    info.brand = brands.into_iter().flatten().next();
    info.model = models.into_iter().flatten().next().or(info.model);
    // On some architectures, kernels for a single processor do not number it.
    let single = i64::from(info.brand.is_some());
    info.logical = total.unwrap_or(info.logical).max(single);
    info
}

impl Info {
    /// 64-bit ARM kernels report only the numbers of maker and part.
    fn arm_name(&self) -> Option<String> {
        let asked = (self.implementer.as_deref()?, self.part.as_deref()?);
        let known = ARM_PARTS.iter().find(|(implementer, part, _)| (*implementer, *part) == asked);
        known.map(|(.., name)| (*name).to_owned())
    }
}

/// Names of ARM processors, from their makers' reference manuals.
const ARM_PARTS: [(&str, &str, &str); 38] = [
    ("0x41", "0xd03", "Cortex-A53"),
    ("0x41", "0xd04", "Cortex-A35"),
    ("0x41", "0xd05", "Cortex-A55"),
    ("0x41", "0xd07", "Cortex-A57"),
    ("0x41", "0xd08", "Cortex-A72"),
    ("0x41", "0xd09", "Cortex-A73"),
    ("0x41", "0xd0a", "Cortex-A75"),
    ("0x41", "0xd0b", "Cortex-A76"),
    ("0x41", "0xd0c", "Neoverse-N1"),
    ("0x41", "0xd0d", "Cortex-A77"),
    ("0x41", "0xd40", "Neoverse-V1"),
    ("0x41", "0xd41", "Cortex-A78"),
    ("0x41", "0xd42", "Cortex-A78AE"),
    ("0x41", "0xd44", "Cortex-X1"),
    ("0x41", "0xd46", "Cortex-A510"),
    ("0x41", "0xd47", "Cortex-A710"),
    ("0x41", "0xd48", "Cortex-X2"),
    ("0x41", "0xd49", "Neoverse-N2"),
    ("0x41", "0xd4a", "Neoverse-E1"),
    ("0x41", "0xd4b", "Cortex-A78C"),
    ("0x41", "0xd4d", "Cortex-A715"),
    ("0x41", "0xd4e", "Cortex-X3"),
    ("0x41", "0xd4f", "Neoverse-V2"),
    ("0x41", "0xd80", "Cortex-A520"),
    ("0x41", "0xd81", "Cortex-A720"),
    ("0x41", "0xd82", "Cortex-X4"),
    ("0x41", "0xd83", "Neoverse-V3AE"),
    ("0x41", "0xd84", "Neoverse-V3"),
    ("0x41", "0xd85", "Cortex-X925"),
    ("0x41", "0xd87", "Cortex-A725"),
    ("0x41", "0xd8e", "Neoverse-N3"),
    ("0x43", "0x0a1", "ThunderX"),
    ("0x43", "0x0af", "ThunderX2"),
    ("0x46", "0x001", "A64FX"),
    ("0x48", "0xd01", "TaiShan-v110"),
    ("0x50", "0x000", "X-Gene"),
    ("0xc0", "0xac3", "Ampere-1"),
    ("0xc0", "0xac4", "Ampere-1a"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The processors of a machine with these files.
    fn processors(files: &[(&str, &str)]) -> Result<Processors> {
        let root = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let path = root.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        }
        read(&Sys::at(root.path()))
    }

    #[test]
    fn processors_are_counted_and_named_on_every_architecture() {
        let x86: String = (0..8)
            .map(|n| {
                let (package, core) = (n / 4, n % 2);
                format!("processor\t: {n}\nvendor_id\t: GenuineIntel\nmodel\t\t: 207\nmodel name\t: X @ 2:3\nphysical id\t: {package}\ncore id\t\t: {core}\n\n")
            })
            .collect();
        for (architecture, text, logical, cores, sockets, brand, model) in [
            ("x86_64", &*x86, 8, 4, Some(2), Some("X @ 2:3"), Some("207")),
            (
                "s390x",
                "vendor_id       : IBM/S390\n# processors    : 2\nbogomips per cpu: 3033.00\nmax thread id   : 0\nfeatures\t: esan3 zarch\n\
                 cache0          : level=1 type=Data scope=Private size=128K\n\
                 processor 0: version = FF,  identification = 047F27,  machine = 8561\n\
                 processor 1: version = FF,  identification = 047F27,  machine = 8561\n",
                2,
                2,
                None,
                Some("IBM/S390"),
                Some("8561"),
            ),
            (
                "ppc64",
                "processor\t: 0\ncpu\t\t: POWER8 (architected), altivec supported\nclock\t\t: 3425.000000MHz\n\
                 revision\t: 2.1 (pvr 004b 0201)\n\nprocessor\t: 8\ncpu\t\t: POWER8 (architected), altivec supported\n\n\
                 timebase\t: 512000000\nplatform\t: pSeries\nmodel\t\t: IBM,8286-42A\nmachine\t\t: CHRP IBM,8286-42A\n",
                2,
                2,
                None,
                Some("POWER8 (architected), altivec supported"),
                Some("2.1 (pvr 004b 0201)"),
            ),
            (
                "loongarch64",
                "system type\t\t: generic-loongson-machine\n\nprocessor\t\t: 0\npackage\t\t\t: 0\ncore\t\t\t: 0\n\
                 CPU Family\t\t: Loongson-64bit\nModel Name\t\t: Loongson-3A5000\nCPU Revision\t\t: 0x10\n\n\
                 processor\t\t: 1\npackage\t\t\t: 0\ncore\t\t\t: 1\nModel Name\t\t: Loongson-3A5000\n",
                2,
                2,
                Some(1),
                Some("Loongson-3A5000"),
                None,
            ),
            (
                "aarch64",
                "processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n\
                 processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
                2,
                2,
                None,
                Some("Neoverse-N1"),
                Some("0xd0c"),
            ),
            (
                "aarch64 of an unknown maker",
                "processor\t: 0\nCPU implementer\t: 0x99\nCPU part\t: 0xd0c\n",
                1,
                1,
                None,
                None,
                Some("0xd0c"),
            ),
            (
                "armv7",
                "processor\t: 0\nmodel name\t: ARMv7 Processor rev 4 (v7l)\nCPU part\t: 0xd03\n\n\
                 Hardware\t: BCM2835\nRevision\t: a02082\nModel\t\t: Raspberry Pi 3 Model B\n",
                1,
                1,
                None,
                Some("ARMv7 Processor rev 4 (v7l)"),
                Some("0xd03"),
            ),
            (
                "arm with an old kernel",
                "Processor\t: ARM926EJ-S rev 5 (v5l)\nBogoMIPS\t: 226.09\nCPU part\t: 0x926\n",
                1,
                1,
                None,
                Some("ARM926EJ-S rev 5 (v5l)"),
                Some("0x926"),
            ),
            (
                "riscv64",
                "processor\t: 0\nhart\t\t: 1\nisa\t\t: rv64imafdc\nmmu\t\t: sv39\nuarch\t\t: sifive,u74-mc\nmarchid\t\t: 0x8000000000000007\n",
                1,
                1,
                None,
                Some("sifive,u74-mc"),
                Some("0x8000000000000007"),
            ),
            (
                "mips",
                "system type\t\t: MediaTek MT7621\nmachine\t\t\t: x\nprocessor\t\t: 0\ncpu model\t\t: MIPS 1004Kc V2.15\ncore\t\t\t: 0\nVPE\t\t\t: 0\n\n\
                 processor\t\t: 1\ncpu model\t\t: MIPS 1004Kc V2.15\ncore\t\t\t: 0\nVPE\t\t\t: 1\n",
                2,
                1,
                None,
                Some("MIPS 1004Kc V2.15"),
                None,
            ),
            (
                "sparc64",
                "cpu\t\t: UltraSparc T2 (Niagara2)\nfpu\t\t: x\ntype\t\t: sun4v\nncpus probed\t: 64\nncpus active\t: 32\n\
                 MMU Type\t: Hypervisor (sun4v)\nState:\nCPU0:\t\tonline\n",
                32,
                32,
                None,
                Some("UltraSparc T2 (Niagara2)"),
                None,
            ),
            (
                "alpha",
                "cpu\t\t\t: Alpha\ncpu model\t\t: EV67\ncpus detected\t\t: 4\ncpus active\t\t: 3\n",
                3,
                3,
                None,
                Some("EV67"),
                None,
            ),
            ("m68k", "CPU:\t\t68040\nMMU:\t\t68040\n", 1, 1, None, Some("68040"), None),
        ] {
            let expected = Processors {
                logical,
                cores,
                sockets,
                brand: brand.map(str::to_owned),
                model: model.map(str::to_owned),
                microcode: None,
            };
            assert_eq!(processors(&[(CPUINFO, text)]), Ok(expected), "{architecture}");
        }
    }

    #[test]
    fn sysfs_counts_where_it_is_there() {
        let topology = |n: u32, name: &str| format!("/sys/devices/system/cpu/cpu{n}/topology/{name}");
        let mut files = vec![
            (CPUINFO.to_owned(), "processor\t: 0\ncpu\t\t: POWER9\n".to_owned()),
            (ONLINE.to_owned(), "0-3,8\n".to_owned()),
        ];
        for (n, siblings, package) in
            [(0, "0-1", "0"), (1, "0-1", "0"), (2, "2-3", "1"), (3, "2-3", "1"), (8, "8", "-1")]
        {
            files.push((topology(n, "thread_siblings_list"), format!("{siblings}\n")));
            files.push((topology(n, "physical_package_id"), format!("{package}\n")));
        }
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let found = processors(&files).expect("processors");
        assert_eq!((found.logical, found.cores, found.sockets), (5, 3, Some(2)));
        assert_eq!(found.brand.as_deref(), Some("POWER9"));
        let found = processors(&files[1..]).expect("processors without cpuinfo");
        assert_eq!((found.logical, found.cores, found.brand), (5, 3, None));
    }

    #[test]
    fn what_counts_no_processor_is_an_error() {
        assert!(matches!(processors(&[]), Err(Error::Unsupported(_))));
        assert!(matches!(processors(&[(CPUINFO, "\u{fffd}\n::\n")]), Err(Error::Malformed(_))));
        // The second list has each processor twice.
        for list in ["x", "0-4294967295", "3-", "-1", "0-65535,0-65535"] {
            assert!(matches!(processors(&[(ONLINE, list)]), Err(Error::Malformed(_))), "{list}");
        }
    }
}
