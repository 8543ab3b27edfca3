use super::prelude::*;

scalar! {
    /// An IPv4 address as an integer; NULL for anything else.
    "inet_aton"("address")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT inet_aton('10.0.0.1')" => "167772161",
    eval: |args, _| {
        let address = args[0].as_text().and_then(|text| text.parse::<std::net::Ipv4Addr>().ok());
        Ok(address.map_or(Value::Null, |address| Value::Int(i64::from(u32::from(address)))))
    }
}
