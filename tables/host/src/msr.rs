//! `msr`: one row per processor, with its model-specific registers.

use indago_table::prelude::*;

use crate::source::procfs::number;

/// Model-specific registers of x86 processors, as signed numbers of 64 bits.
///
/// The kernel's driver `msr` must be loaded. A register that a processor lacks is NULL.
#[derive(Debug, Default, Table)]
#[table(name = "msr", platforms("linux"), rows = 8, needs("CAP_SYS_RAWIO"), identity(processor_number))]
#[example("Processors whose turbo mode is off.", "SELECT processor_number FROM msr WHERE turbo_disabled = 1")]
pub struct Msr {
    /// Number of the processor.
    processor_number: i64,
    /// Whether the turbo mode is off: 1 or 0.
    #[column(source = register(0x1a0, Some(38)))]
    turbo_disabled: Option<i64>,
    /// Highest ratios of turbo mode.
    #[column(source = register(0x1ad, None))]
    turbo_ratio_limit: Option<i64>,
    /// Facts about the processor's speed.
    #[column(source = register(0xce, None))]
    platform_info: Option<i64>,
    /// Wanted speed.
    #[column(volatile, source = register(0x199, None))]
    perf_ctl: Option<i64>,
    /// Present speed.
    #[column(volatile, source = register(0x198, None))]
    perf_status: Option<i64>,
    /// Which features the firmware allows, such as virtualization.
    #[column(source = register(0x3a, None))]
    feature_control: Option<i64>,
    /// Limits of the power consumption.
    #[column(source = register(0x610, None))]
    rapl_power_limit: Option<i64>,
    /// Consumed energy, as a counter.
    #[column(volatile, source = register(0x611, None))]
    rapl_energy_status: Option<i64>,
    /// Units of the power consumption.
    #[column(source = register(0x606, None))]
    rapl_power_units: Option<i64>,
}

const FOLDER: &str = "/dev/cpu";

/// Major number of the driver's devices.
const MAJOR: u32 = 202;

impl Rows for Msr {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        sys.require_live("registers of processors")?;
        let names = sys.read_dir(FOLDER).if_present()?.unwrap_or_default();
        let numbers = names.iter().filter_map(|name| number(name.as_encoded_bytes()));
        let mut numbers: Vec<i64> = numbers.filter(|number| sys.exists(path(*number))).collect();
        if numbers.is_empty() {
            let file = path(0);
            let what = format!("the processors' registers cannot be read ({file} is missing): load the module `msr`");
            return Err(Error::Unsupported(what));
        }
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(|processor_number| Msr { processor_number, ..Msr::default() }))
    }
}

fn path(processor: i64) -> String {
    format!("{FOLDER}/{processor}/msr")
}

impl Msr {
    fn register(&self, sys: &Sys, register: u64, bit: Option<u32>) -> Result<Option<i64>> {
        let path = path(self.processor_number);
        let file = sys.open_character_device(&path, MAJOR).needs("CAP_SYS_RAWIO")?;
        let mut value = [0; 8];
        match file.read_at(&mut value, register) {
            Ok(8) => {}
            // The driver fails for a register that the processor lacks.
            Ok(_) => return Ok(None),
            Err(error) => match sys.read_error(path.as_ref(), &error) {
                Error::Io { .. } => return Ok(None),
                error => return Err(error),
            },
        }
        let value = u64::from_le_bytes(value);
        Ok(Some(bit.map_or(value as i64, |bit| (value >> bit & 1) as i64)))
    }
}
