use super::prelude::*;

scalar! {
    /// Whether an address lies in a block. As in osquery, the network and broadcast addresses of an IPv4 block are excluded.
    ///
    /// An argument that is not an address or block as text is an error.
    "in_cidr_block"("block, address")
    2..=2 => Returns::Int,
    Immutable,
    example "SELECT in_cidr_block('10.0.0.0/8', '10.1.2.3')" => "1",
    example "SELECT in_cidr_block('fe80::/10', 'fe80::1')" => "1",
    eval: |args, _| {
        let (Value::Text(block), Value::Text(address)) = (&args[0], &args[1]) else {
            return Err("needs a block and an address as text".into());
        };
        Ok(Value::Int(i64::from(network::contains(block, address)?)))
    }
}
