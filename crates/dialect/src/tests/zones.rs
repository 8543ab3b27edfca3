//! `localtime` and `utc` compared with SQLite in zones with clock changes. A process has one zone, so each zone runs in
//! its own.

use std::process::Command;

use chrono::{Days, Local, NaiveDate, Offset, TimeDelta, TimeZone};
use rusqlite::Connection;

use crate::{functions::calendar::Moment, value::Value};

const ZONE: &str = "INDAGO_TEST_ZONE";
const ZONES: [&str; 10] = [
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Pacific/Apia",
    "EST5EDT,M3.2.0,M11.1.0",
];

#[test]
fn local_times_are_sqlites_in_every_zone() {
    if let Ok(zone) = std::env::var(ZONE) {
        return compare(&zone);
    }
    let program = std::env::current_exe().expect("the test's own program");
    let running = ZONES.map(|zone| {
        Command::new(&program)
            .args(["--exact", "tests::zones::local_times_are_sqlites_in_every_zone", "--nocapture"])
            .env("TZ", zone)
            .env(ZONE, zone)
            .output()
            .expect("it starts")
    });
    for (zone, output) in ZONES.iter().zip(running) {
        assert!(output.status.success(), "{zone}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{zone}: nothing was compared");
    }
}

fn compare(zone: &str) {
    let offset = |day: NaiveDate| Local.offset_from_utc_datetime(&day.into()).fix().local_minus_utc();
    let new_year = |year: i32| NaiveDate::from_ymd_opt(year, 1, 1).expect("a date");
    let is_utc = new_year(2024).iter_days().take(365).all(|day| offset(day) == 0);
    assert!(!is_utc, "{zone} is not installed");
    let mut days = Vec::new();
    for year in [1938, 1969, 1970, 1971, 1987, 2007, 2011, 2018, 2024, 2037, 2038, 2050, 9998] {
        for day in new_year(year).iter_days().take(365) {
            let next = day + Days::new(1);
            if offset(day) != offset(next) {
                days.extend([day - Days::new(1), day, next]);
            }
        }
        days.push(new_year(year));
    }
    let sqlite = Connection::open_in_memory().expect("SQLite opens");
    let mut asked = sqlite.prepare("SELECT datetime(?1, ?2, ?3)").expect("it parses");
    let mut compared = 0;
    for day in days {
        for minutes in (0..24 * 60).step_by(10) {
            let time = day.and_hms_opt(0, 0, 0).expect("midnight") + TimeDelta::minutes(minutes);
            let time = time.format("%Y-%m-%d %H:%M:%S").to_string();
            for modifiers in [["utc", "subsec"], ["localtime", "subsec"], ["localtime", "utc"], ["utc", "localtime"]] {
                let expected: Option<String> =
                    asked.query_row([time.as_str(), modifiers[0], modifiers[1]], |row| row.get(0)).expect("it runs");
                let args = [time.as_str(), modifiers[0], modifiers[1]].map(Value::text);
                let given = Moment::read(&args, 0)
                    .and_then(|moment| Some(format!("{} {}", moment.date_text()?, moment.time_text()?)));
                assert_eq!(given, expected, "{zone}: datetime('{time}', '{}', '{}')", modifiers[0], modifiers[1]);
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{zone}: only {compared} compared");
}
