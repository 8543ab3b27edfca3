//! Addresses, flows and command lines.

use std::{net::IpAddr, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use sha1::{Digest, Sha1};

use crate::value::Value;

/// Whether `address` is a host in `block`.
pub(crate) fn contains(block: &str, address: &str) -> Result<bool, String> {
    let (network, bits) = block.split_once('/').ok_or_else(|| format!("invalid CIDR block: {block}"))?;
    let network: IpAddr = network.parse().map_err(|_| format!("invalid CIDR block: {block}"))?;
    let bits: u32 = bits.parse().map_err(|_| format!("invalid CIDR block: {block}"))?;
    let address: IpAddr = address.parse().map_err(|_| format!("invalid IP address: {address}"))?;
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            if bits > 32 {
                return Err(format!("invalid CIDR block: {block}"));
            }
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            let first = u32::from(network) & mask;
            let last = first | !mask;
            let address = u32::from(address);
            Ok(if bits == 32 { address == first } else { first < address && address < last })
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            if bits > 128 {
                return Err(format!("invalid CIDR block: {block}"));
            }
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            Ok(u128::from(network) & mask == u128::from(address) & mask)
        }
        _ => Ok(false),
    }
}

/// The Community ID of a flow.
pub(crate) fn community_id(args: &[Value<'_>]) -> Result<String, String> {
    let address = |at: usize| -> Result<IpAddr, String> {
        match &args[at] {
            Value::Text(text) => text.parse().map_err(|_| format!("invalid IP address: {text}")),
            _ => Err("addresses must be text".to_owned()),
        }
    };
    let number = |at: usize, what: &str, most: i64| -> Result<i64, String> {
        match args.get(at) {
            Some(Value::Int(number)) if (0..=most).contains(number) => Ok(*number),
            _ => Err(format!("{what} must be an integer from 0 to {most}")),
        }
    };
    let (source, destination) = (address(0)?, address(1)?);
    if source.is_ipv4() != destination.is_ipv4() {
        return Err("addresses must be of one family".to_owned());
    }
    let source_port = number(2, "the source port", 65_535)? as u16;
    let destination_port = number(3, "the destination port", 65_535)? as u16;
    let protocol = number(4, "the protocol", 255)? as u8;
    let seed = if args.len() > 5 { number(5, "the seed", 65_535)? as u16 } else { 0 };
    let bytes = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut ends = [(bytes(source), source_port), (bytes(destination), destination_port)];
    ends.sort();
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    hash.update(&ends[0].0);
    hash.update(&ends[1].0);
    hash.update([protocol, 0]);
    hash.update(ends[0].1.to_be_bytes());
    hash.update(ends[1].1.to_be_bytes());
    Ok(format!("1:{}", BASE64_STANDARD.encode(hash.finalize())))
}

/// The prefixes of a command line that are existing files, shortest first.
pub(crate) fn command_files(command: &Value<'_>, quoting: Option<&Value<'_>>) -> Result<Vec<String>, String> {
    let Some(command) = command.as_text() else { return Err("needs a command line".to_owned()) };
    let quoting = quoting.is_none_or(|quoting| quoting.truth() == Some(true));
    let command = command.trim_start();
    if quoting
        && let Some(quote) = command.chars().next().filter(|c| matches!(c, '"' | '\''))
        && let Some((path, _)) = command[1..].split_once(quote)
    {
        return Ok(if Path::new(path).is_file() { vec![path.to_owned()] } else { Vec::new() });
    }
    let mut ends: Vec<usize> =
        command.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at).take(256).collect();
    ends.push(command.len());
    let mut found: Vec<String> = Vec::new();
    for end in ends {
        let path = command[..end].trim_end();
        if found.last().is_none_or(|last| last != path) && Path::new(path).is_file() {
            found.push(path.to_owned());
        }
    }
    Ok(found)
}
