use std::time::{Duration, Instant};

use super::prelude::*;

scalar! {
    /// Waits the given number of seconds and returns 0. All rows of one batch together wait at most 60 seconds.
    "sleep"("seconds")
    1..=1 => Returns::Int,
    Volatile,
    example "SELECT sleep(0)" => "0",
    eval: |args, moment| {
        const MOST: Duration = Duration::from_secs(60);
        let seconds = args[0].as_real().unwrap_or(0.0).clamp(0.0, MOST.as_secs_f64());
        let end = (Instant::now() + Duration::from_secs_f64(seconds)).min(moment.began + MOST);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Value::Int(0));
            }
            if moment.interrupt.is_over() {
                return Err("interrupted".into());
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}
