//! `cpu_info`: one row per processor package.

use std::collections::{BTreeMap, HashSet};

use indago_table::prelude::*;

use crate::source::smbios::{self, Structure};
use crate::source::{kernel, processors, sysfs};

/// Processor packages: those that the firmware describes in SMBIOS, else those that the kernel runs on.
#[derive(Debug, Default, Table)]
#[table(name = "cpu_info", platforms("linux"), rows = 1, whole_source, identity(device_id))]
#[example("Processors and their cores.", "SELECT device_id, model, number_of_cores, logical_processors FROM cpu_info")]
pub struct CpuInfo {
    /// `CPU` and the number of the package, from 0.
    device_id: String,
    /// Name of the model.
    model: Option<String>,
    /// Maker.
    manufacturer: Option<String>,
    /// Kind, as a number of SMBIOS: 3 is a central processor.
    processor_type: Option<String>,
    /// State, as a number of SMBIOS: 0 unknown, 1 enabled, 2 disabled by the user, 3 disabled by the firmware, 4 idle.
    cpu_status: Option<i64>,
    /// Number of cores.
    number_of_cores: Option<String>,
    /// Number of hardware threads.
    logical_processors: Option<i64>,
    /// Bits of an address: `64` or `32`.
    address_width: Option<String>,
    /// Present speed, in MHz; that of the first processor if the kernel describes it.
    #[column(volatile)]
    current_clock_speed: Option<i64>,
    /// Highest speed, in MHz.
    max_clock_speed: Option<i64>,
    /// Label of the socket, or the number of the package if only the kernel describes it.
    socket_designation: Option<String>,
}

impl Rows for CpuInfo {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let mut of_firmware = match smbios::rows(sys, &[4], |origin, error| scan.report(origin, error), of_firmware) {
            Ok(rows) => Some(rows.peekable()),
            // Only root may read the firmware's tables.
            Err(Error::Absent(_) | Error::Unsupported(_) | Error::Denied { .. }) => None,
            Err(error) => return Err(error),
        };
        let is_described = of_firmware.as_mut().is_some_and(|rows| rows.peek().is_some());
        let of_kernel = if is_described { Vec::new() } else { of_kernel(sys)? };
        let rows = of_firmware.into_iter().flatten().chain(of_kernel).enumerate();
        Ok(rows.map(|(number, row)| CpuInfo { device_id: format!("CPU{number}"), ..row }))
    }
}

fn of_firmware(processor: Structure<'_>) -> CpuInfo {
    // A number that does not fit into a byte is elsewhere.
    let count = |offset, extended| match processor.byte(offset)? {
        u8::MAX => processor.number_of_word(extended),
        count => Some(i64::from(count)),
    };
    const IS_64_BIT: u16 = 1 << 2;
    let width = |bits: u16| if bits & IS_64_BIT != 0 { "64" } else { "32" };
    CpuInfo {
        model: processor.text(0x10),
        manufacturer: processor.text(7),
        processor_type: processor.byte(5).map(|kind| kind.to_string()),
        cpu_status: processor.byte(0x18).map(|status| i64::from(status & 7)),
        number_of_cores: count(0x23, 0x2a).map(|count| count.to_string()),
        logical_processors: count(0x25, 0x2e),
        address_width: processor.word(0x26).map(|bits| width(bits).to_owned()),
        current_clock_speed: processor.number_of_word(0x16),
        max_clock_speed: processor.number_of_word(0x14),
        socket_designation: processor.text(4),
        ..CpuInfo::default()
    }
}

/// What `/proc/cpuinfo` has about one package.
#[derive(Debug, Default, PartialEq)]
struct Package {
    logical: i64,
    cores: HashSet<String>,
    maker: Option<String>,
    model: Option<String>,
    megahertz: Option<i64>,
}

fn of_kernel(sys: &Sys) -> Result<Vec<CpuInfo>> {
    let all = processors::read(sys)?;
    let text = sys.read_text("/proc/cpuinfo").if_present()?.unwrap_or_default();
    let mut packages = packages(&text);
    if packages.is_empty() {
        packages.insert(String::from("0"), Package::default());
    }
    let is_alone = packages.len() == 1;
    let highest = sysfs::line(sys, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")?;
    let highest = highest.and_then(|kilohertz| kilohertz.parse::<i64>().ok()).map(|kilohertz| kilohertz / 1000);
    let architecture = kernel::architecture(sys).unwrap_or_default();
    let width = architecture.map(|name| if name.contains("64") || name == "s390x" { "64" } else { "32" }.to_owned());
    let row = |(number, package): (String, Package)| {
        let cores = match package.cores.len() {
            0 if is_alone => all.cores,
            0 => package.logical,
            cores => cores as i64,
        };
        CpuInfo {
            model: package.model.or_else(|| all.brand.clone()),
            manufacturer: package.maker,
            processor_type: Some("3".to_owned()),
            cpu_status: Some(1),
            number_of_cores: Some(cores.to_string()),
            logical_processors: Some(if is_alone { all.logical } else { package.logical }),
            address_width: width.clone(),
            current_clock_speed: package.megahertz,
            max_clock_speed: highest.or(package.megahertz),
            socket_designation: Some(number),
            ..CpuInfo::default()
        }
    };
    Ok(packages.into_iter().map(row).collect())
}

/// Packages by number. A kernel that does not number them has one, 0.
fn packages(text: &str) -> BTreeMap<String, Package> {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for processor in text.split("\n\n") {
        let value = |key: &str| {
            let mut lines = processor.lines().filter_map(|line| line.split_once(':'));
            lines.find_map(|(name, value)| (name.trim() == key).then(|| value.trim().to_owned()))
        };
        if value("processor").is_none() {
            continue;
        }
        let package = packages.entry(value("physical id").unwrap_or_else(|| "0".to_owned())).or_default();
        package.logical += 1;
        package.cores.extend(value("core id"));
        package.maker = package.maker.take().or_else(|| value("vendor_id"));
        package.model = package.model.take().or_else(|| value("model name"));
        let megahertz = value("cpu MHz").and_then(|text| text.parse::<f64>().ok()).filter(|speed| speed.is_finite());
        package.megahertz = package.megahertz.or(megahertz.map(|speed| speed.round() as i64));
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_of_a_package_are_counted() {
        let processor = |number: usize, package: usize, core: usize| {
            format!(
                "processor\t: {number}\nvendor_id\t: GenuineIntel\nmodel name\t: X\ncpu MHz\t\t: 2100.4{number}\n\
                 physical id\t: {package}\ncore id\t\t: {core}\n\n"
            )
        };
        let text = [processor(0, 0, 0), processor(1, 0, 0), processor(2, 1, 0), processor(3, 1, 1)].concat();
        let packages = packages(&text);
        let counts: Vec<_> = packages.values().map(|package| (package.logical, package.cores.len())).collect();
        assert_eq!(counts, [(2, 1), (2, 2)]);
        assert_eq!(packages.get("1").and_then(|package| package.megahertz), Some(2100));
        let arm = super::packages("processor\t: 0\nBogoMIPS\t: 50.00\n\nprocessor\t: 1\n\nHardware\t: x\n");
        assert_eq!(arm.values().map(|package| package.logical).collect::<Vec<_>>(), [2]);
        crate::source::damaged::damaged(text.as_bytes(), |bytes| {
            assert!(super::packages(&String::from_utf8_lossy(bytes)).len() <= 4);
        });
    }
}
