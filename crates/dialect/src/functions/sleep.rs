use super::prelude::*;

scalar! {
    /// Waits the given number of seconds, at most 60, and gives 0.
    "sleep"("seconds")
    1..=1 => Returns::Int,
    Volatile,
    example "SELECT sleep(0)" => "0",
    eval: |args, _| {
        let seconds = args[0].as_real().unwrap_or(0.0).clamp(0.0, 60.0);
        std::thread::sleep(std::time::Duration::from_secs_f64(seconds));
        Ok(Value::Int(0))
    }
}
