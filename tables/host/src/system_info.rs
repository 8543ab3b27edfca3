//! `system_info`: one row about the machine.

use indago_table::prelude::*;

use crate::source::namespace::is_shared;
use crate::source::procfs::required;
use crate::source::sysfs::line;
use crate::source::{kernel, processors};

/// The machine: its name, processors, memory and hardware.
///
/// Columns from the firmware are NULL on machines without one, as many virtual machines are.
#[derive(Debug, Default, Table)]
#[table(name = "system_info", platforms("linux"), rows = 1, identity(uuid))]
#[example(
    "Processors and memory of this machine.",
    "SELECT hostname, cpu_brand, cpu_logical_cores, physical_memory FROM system_info"
)]
pub struct SystemInfo {
    /// Name of the host.
    #[column(source = host_name)]
    hostname: Option<String>,
    /// The machine's UUID, from the firmware.
    #[column(source = firmware("product_uuid"), collate = nocase, needs = "root")]
    uuid: Option<String>,
    /// Processor architecture, as the kernel names it: `x86_64`.
    #[column(source = architecture)]
    cpu_type: Option<String>,
    /// Model of the processor, as a number or code of its architecture.
    #[column(source = processors)]
    cpu_subtype: Option<String>,
    /// Name of the processor; NULL if the kernel reports none, as for 64-bit ARM processors of an unknown maker.
    #[column(source = processors)]
    cpu_brand: Option<String>,
    /// Number of processor cores.
    #[column(source = processors)]
    cpu_physical_cores: Option<i64>,
    /// Number of online processors: hardware threads that the kernel schedules on.
    #[column(source = processors)]
    cpu_logical_cores: Option<i64>,
    /// Number of processor packages; NULL if the kernel does not report it.
    #[column(source = processors)]
    cpu_sockets: Option<i64>,
    /// Version of the processor's microcode.
    #[column(source = processors)]
    cpu_microcode: Option<String>,
    /// Memory that the kernel manages, in bytes.
    #[column(source = memory)]
    physical_memory: Option<i64>,
    /// Maker of the machine.
    #[column(source = firmware("sys_vendor"))]
    hardware_vendor: Option<String>,
    /// Model of the machine.
    #[column(source = firmware("product_name"))]
    hardware_model: Option<String>,
    /// Version of the machine.
    #[column(source = firmware("product_version"))]
    hardware_version: Option<String>,
    /// Serial number of the machine.
    #[column(source = firmware("product_serial"), needs = "root")]
    hardware_serial: Option<String>,
    /// Maker of the mainboard.
    #[column(source = firmware("board_vendor"))]
    board_vendor: Option<String>,
    /// Model of the mainboard.
    #[column(source = firmware("board_name"))]
    board_model: Option<String>,
    /// Version of the mainboard.
    #[column(source = firmware("board_version"))]
    board_version: Option<String>,
    /// Serial number of the mainboard.
    #[column(source = firmware("board_serial"), needs = "root")]
    board_serial: Option<String>,
    /// Human-readable name of the computer; on Linux the name of the host.
    #[column(source = host_name)]
    computer_name: Option<String>,
    /// Name of the computer in its local network; on Linux the name of the host.
    #[column(source = host_name)]
    local_hostname: Option<String>,
    /// ID that the operating system gave this installation.
    #[column(added, source = line("/etc/machine-id"))]
    machine_id: Option<String>,
}

impl Rows for SystemInfo {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::once(SystemInfo::default()))
    }
}

impl SystemInfo {
    fn host_name(&mut self, sys: &Sys) -> Result<()> {
        // A pod has its own name.
        let of_kernel = match !sys.has_live_kernel() || is_shared(sys, "uts")? {
            true => line(sys, "/proc/sys/kernel/hostname")?,
            false => None,
        };
        let name = match of_kernel {
            Some(name) => Some(name),
            None => line(sys, "/etc/hostname")?,
        };
        if name.is_none() {
            let what = "neither /proc/sys/kernel/hostname nor /etc/hostname has the host's name";
            return Err(Error::Unsupported(what.to_owned()));
        }
        self.computer_name = name.clone();
        self.local_hostname = name.clone();
        self.hostname = name;
        Ok(())
    }

    fn architecture(&mut self, sys: &Sys) -> Result<()> {
        self.cpu_type = kernel::architecture(sys)?;
        Ok(())
    }

    fn processors(&mut self, sys: &Sys) -> Result<()> {
        let processors = processors::read(sys)?;
        self.cpu_subtype = processors.model;
        self.cpu_brand = processors.brand;
        self.cpu_microcode = processors.microcode;
        self.cpu_logical_cores = Some(processors.logical);
        self.cpu_physical_cores = Some(processors.cores);
        self.cpu_sockets = processors.sockets;
        Ok(())
    }

    fn memory(&mut self, sys: &Sys) -> Result<()> {
        let text = required(sys.read_text("/proc/meminfo"))?;
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
        let kibibytes: Option<i64> = total.and_then(|number| number.trim().parse().ok());
        let Some(kibibytes) = kibibytes else {
            return Err(Error::Malformed("/proc/meminfo has no line MemTotal".into()));
        };
        self.physical_memory = Some(kibibytes.saturating_mul(1024));
        Ok(())
    }

    /// A text that the firmware passed to the kernel; `None` on machines without such firmware.
    fn firmware(&self, sys: &Sys, name: &str) -> Result<Option<String>> {
        let text = line(sys, &format!("/sys/class/dmi/id/{name}")).needs("root")?;
        if text.is_none() {
            // A machine without such firmware still has this directory.
            required(sys.metadata("/sys/class"))?;
        }
        Ok(text)
    }

    fn line(&self, sys: &Sys, path: &str) -> Result<Option<String>> {
        line(sys, path)
    }
}
