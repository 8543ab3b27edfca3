//! `load_average`: three rows.

use indago_table::prelude::*;

use crate::source::procfs::required;

/// Average number of processes that ran or waited for a processor or a device.
#[derive(Debug, Default, Table)]
#[table(name = "load_average", platforms("linux"), rows = 3, identity(period))]
#[example("Load of the last minute.", "SELECT average FROM load_average WHERE period = '1m'")]
pub struct LoadAverage {
    /// Period: `1m`, `5m` or `15m`.
    period: String,
    /// The average, with six decimals.
    #[column(volatile)]
    average: String,
}

const PERIODS: [&str; 3] = ["1m", "5m", "15m"];

impl Rows for LoadAverage {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let text = required(scan.sys().read_text("/proc/loadavg"))?;
        let averages: Vec<f64> = text.split_ascii_whitespace().map_while(|word| word.parse().ok()).take(3).collect();
        if averages.len() < PERIODS.len() {
            return Err(Error::Malformed("/proc/loadavg does not begin with three averages".into()));
        }
        let row = |(period, average): (&str, f64)| LoadAverage {
            period: period.to_owned(),
            average: format!("{average:.6}"),
        };
        Ok(PERIODS.into_iter().zip(averages).map(row))
    }
}
