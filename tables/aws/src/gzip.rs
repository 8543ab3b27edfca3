//! Gzip, for CloudTrail's log files.

use std::io::{self, Read as _};

use flate2::bufread::GzDecoder;

/// The content of a gzip file, which may have several members. `limit` is its largest size in bytes.
///
/// A damaged file has an error that states what is wrong, and the content before the damage.
pub(crate) fn gunzip(packed: &[u8], limit: usize) -> (Vec<u8>, Result<(), &'static str>) {
    let mut text = Vec::new();
    let outcome = members(packed, limit, &mut text);
    (text, outcome)
}

fn members(mut packed: &[u8], limit: usize, text: &mut Vec<u8>) -> Result<(), &'static str> {
    loop {
        let mut member = GzDecoder::new(packed);
        if member.header().is_none() {
            return Err("it is not in gzip's format");
        }
        let left = limit.saturating_sub(text.len()) as u64;
        let unpacked = member.by_ref().take(left).read_to_end(text);
        unpacked.map_err(|error| problem(&error))?;
        // The checksum is read at the end of a member.
        if member.read(&mut [0]).map_err(|error| problem(&error))? > 0 {
            return Err("it is too large");
        }
        packed = member.into_inner();
        // Some programs fill up a file with zeros.
        if packed.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
    }
}

fn problem(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut off",
        _ if error.to_string().contains("checksum") => "its checksum does not match",
        _ => "its compressed data are malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    /// What gzip makes of a text.
    #[allow(clippy::disallowed_methods, reason = "gzip is what this module is compared with")]
    fn packed(text: &[u8], level: &str) -> Vec<u8> {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let mut gzip = Command::new("gzip");
        let mut child = gzip.args(["-c", level]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip");
        let mut input = child.stdin.take().expect("a pipe");
        let owned = text.to_vec();
        let writer = std::thread::spawn(move || input.write_all(&owned));
        let output = child.wait_with_output().expect("gzip ends");
        writer.join().expect("written").expect("written");
        output.stdout
    }

    fn texts() -> Vec<Vec<u8>> {
        let mut state = 1_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let noise: Vec<u8> = (0..200_000).map(|_| random()).collect();
        let words: Vec<u8> =
            (0..200_000).map(|at| b"eventName userIdentity arn:aws:iam::"[(at * at / 7) % 36]).collect();
        vec![Vec::new(), b"a".to_vec(), b"{\"Records\":[]}".to_vec(), vec![b'x'; 300_000], noise, words]
    }

    #[test]
    fn what_gzip_packs_is_unpacked() {
        for text in texts() {
            for level in ["-1", "-6", "-9"] {
                let packed = packed(&text, level);
                let (unpacked, outcome) = gunzip(&packed, LIMIT);
                assert!(unpacked == text && outcome == Ok(()), "{} bytes, {level}: {outcome:?}", text.len());
                let twice = [packed.clone(), packed, vec![0; 7]].concat();
                let (unpacked, outcome) = gunzip(&twice, LIMIT);
                assert!(unpacked == text.repeat(2) && outcome == Ok(()), "{} bytes, {level}: {outcome:?}", text.len());
            }
        }
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let text = b"{\"Records\":[{\"eventName\":\"ListUsers\"}]}".repeat(500);
        let good = packed(&text, "-6");
        for end in 0..good.len() {
            let (before, outcome) = gunzip(&good[..end], LIMIT);
            assert!(outcome.is_err() && text.starts_with(&before), "{end}");
        }
        for at in 10..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 0x55;
            let (_, outcome) = gunzip(&damaged, LIMIT);
            assert!(outcome.is_err(), "{at}");
        }
        assert_eq!(gunzip(&packed(&vec![b'x'; LIMIT + 1], "-6"), LIMIT).1, Err("it is too large"));
        assert_eq!(gunzip(b"<html>", LIMIT).1, Err("it is not in gzip's format"));
    }
}
