//! `cpu_time`: one row per processor.

use indago_table::prelude::*;

use crate::source::procfs::{number, required};

/// Time that each processor spent since the boot, in clock ticks: usually hundredths of a second.
#[derive(Debug, Default, Table)]
#[table(name = "cpu_time", platforms("linux"), rows = 8, identity(core))]
#[example(
    "Percent of the time since the boot that each processor was busy.",
    "SELECT core, 100 - idle * 100 / (\"user\" + nice + system + idle + iowait + irq + softirq + steal) AS busy FROM cpu_time"
)]
pub struct CpuTime {
    /// Number of the processor.
    core: i64,
    /// Programs in user mode.
    #[column(volatile)]
    user: Option<i64>,
    /// Programs in user mode with a lowered priority.
    #[column(volatile)]
    nice: Option<i64>,
    /// The kernel.
    #[column(volatile)]
    system: Option<i64>,
    /// Idle.
    #[column(volatile)]
    idle: Option<i64>,
    /// Idle while a program waited for a device.
    #[column(volatile)]
    iowait: Option<i64>,
    /// Interrupts.
    #[column(volatile)]
    irq: Option<i64>,
    /// Deferred work of interrupts.
    #[column(volatile)]
    softirq: Option<i64>,
    /// Time in which the hypervisor ran something else.
    #[column(volatile)]
    steal: Option<i64>,
    /// Guests of this machine; also part of `user`.
    #[column(volatile)]
    guest: Option<i64>,
    /// Guests with a lowered priority; also part of `nice`.
    #[column(volatile)]
    guest_nice: Option<i64>,
}

impl Rows for CpuTime {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let rows = parse(&required(scan.sys().read("/proc/stat"))?);
        if rows.is_empty() {
            return Err(Error::Malformed("/proc/stat lists no processor".into()));
        }
        Ok(rows.into_iter())
    }
}

fn parse(bytes: &[u8]) -> Vec<CpuTime> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let rows = lines.filter_map(|line| {
        let mut fields = line.strip_prefix(b"cpu")?.split(|byte| *byte == b' ');
        // The first line, without a number, is the sum.
        let core = number(fields.next()?)?;
        let mut next = || fields.next().and_then(number);
        let (user, nice, system, idle, iowait) = (next(), next(), next(), next(), next());
        let (irq, softirq, steal, guest, guest_nice) = (next(), next(), next(), next(), next());
        Some(CpuTime { core, user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_write_fewer_columns() {
        let text = b"cpu  9 9 9 9\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu12 1 2 3 4\nintr 5\n";
        let rows = parse(text);
        assert_eq!(rows.iter().map(|row| row.core).collect::<Vec<_>>(), [0, 12]);
        assert_eq!((rows[0].user, rows[0].steal, rows[0].guest_nice), (Some(1), Some(8), Some(10)));
        assert_eq!((rows[1].idle, rows[1].iowait), (Some(4), None));
        crate::source::damaged::damaged(text, |bytes| assert!(parse(bytes).len() <= 3));
    }
}
