//! Gzip (RFC 1952) and deflate (RFC 1951), for CloudTrail's log files.
//!
//! Other crates of the program use `flate2` for this.

/// Most bits of a code.
const MOST_BITS: usize = 15;
/// Bits of the codes that a table resolves at once.
const FAST_BITS: u32 = 10;

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
        let start = text.len();
        let header = header(packed).ok_or("it is not in gzip's format")?;
        let mut bits = Bits { bytes: packed, position: header, held: 0, count: 0 };
        inflate(&mut bits, start, limit, text)?;
        let (trailer, rest) = bits.rest().split_at_checked(8).ok_or(CUT_OFF)?;
        let number = |at: usize| u32::from_le_bytes([trailer[at], trailer[at + 1], trailer[at + 2], trailer[at + 3]]);
        let content = &text[start..];
        if number(4) != content.len() as u32 || number(0) != checksum(content) {
            return Err("its checksum does not match");
        }
        // Some programs fill up a file with zeros.
        if rest.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        packed = rest;
    }
}

const CUT_OFF: &str = "it is cut off";
const MALFORMED: &str = "its compressed data are malformed";

/// The length of a member's header.
fn header(packed: &[u8]) -> Option<usize> {
    let [0x1f, 0x8b, 8, flags, ..] = *packed else { return None };
    let mut at = 10;
    if flags & 4 != 0 {
        at += 2 + usize::from(u16::from_le_bytes([*packed.get(10)?, *packed.get(11)?]));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            at += packed.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    at += if flags & 2 != 0 { 2 } else { 0 };
    (at <= packed.len()).then_some(at)
}

/// The bits of a text, from the lowest of each byte.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The first byte that is not held.
    position: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(byte) = self.bytes.get(self.position) else { return };
            self.held |= u64::from(*byte) << self.count;
            self.count += 8;
            self.position += 1;
        }
    }

    fn take(&mut self, count: u32) -> Result<usize, &'static str> {
        self.fill();
        if self.count < count {
            return Err(CUT_OFF);
        }
        let value = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        Ok(value as usize)
    }

    /// The bytes after those that were used. The rest of a byte is skipped.
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position - (self.count / 8) as usize..]
    }
}

/// A set of codes.
struct Codes {
    /// By the next bits: a symbol and the length of its code, or 0.
    fast: Vec<u16>,
    /// Number of codes by length.
    counts: [u16; MOST_BITS + 1],
    /// Symbols in the order of their codes.
    symbols: Vec<u16>,
}

impl Codes {
    /// From the length of each symbol's code.
    fn new(lengths: &[u8]) -> Result<Codes, &'static str> {
        let mut counts = [0_u16; MOST_BITS + 1];
        lengths.iter().for_each(|length| counts[usize::from(*length)] += 1);
        counts[0] = 0;
        let mut left = 1_i32;
        let mut first = [0_u16; MOST_BITS + 2];
        let mut code = [0_u32; MOST_BITS + 2];
        for length in 1..=MOST_BITS {
            left = (left << 1) - i32::from(counts[length]);
            if left < 0 {
                return Err(MALFORMED);
            }
            first[length + 1] = first[length] + counts[length];
            code[length + 1] = (code[length] + u32::from(counts[length])) << 1;
        }
        let mut symbols = vec![0; lengths.len()];
        let mut fast = vec![0; 1 << FAST_BITS];
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let place = usize::from(*length);
            symbols[usize::from(first[place])] = symbol as u16;
            first[place] += 1;
            let length = u32::from(*length);
            if length <= FAST_BITS {
                let reversed = code[place].reverse_bits() >> (32 - length);
                for above in 0..1_u32 << (FAST_BITS - length) {
                    fast[(reversed | above << length) as usize] = (symbol as u16) << 4 | length as u16;
                }
            }
            code[place] += 1;
        }
        Ok(Codes { fast, counts, symbols })
    }

    fn next(&self, bits: &mut Bits<'_>) -> Result<usize, &'static str> {
        bits.fill();
        let entry = self.fast[(bits.held & ((1 << FAST_BITS) - 1)) as usize];
        let length = u32::from(entry & 15);
        if length > 0 && length <= bits.count {
            bits.held >>= length;
            bits.count -= length;
            return Ok(usize::from(entry >> 4));
        }
        let (mut code, mut first, mut index) = (0_i32, 0_i32, 0_i32);
        for length in 1..=MOST_BITS {
            code |= bits.take(1)? as i32;
            let count = i32::from(self.counts[length]);
            if code - first < count {
                let symbol = self.symbols.get((index + code - first) as usize).ok_or(MALFORMED)?;
                return Ok(usize::from(*symbol));
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(MALFORMED)
    }
}

/// Appends the content to the text, which begins at `start`.
fn inflate(bits: &mut Bits<'_>, start: usize, limit: usize, text: &mut Vec<u8>) -> Result<(), &'static str> {
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(bits, limit, text)?,
            1 => {
                let mut lengths = [8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                compressed(bits, &Codes::new(&lengths)?, &Codes::new(&[5; 30])?, start, limit, text)?;
            }
            2 => {
                let (literals, distances) = codes(bits)?;
                compressed(bits, &literals, &distances, start, limit, text)?;
            }
            _ => return Err(MALFORMED),
        }
        if is_last {
            return Ok(());
        }
    }
}

fn stored(bits: &mut Bits<'_>, limit: usize, text: &mut Vec<u8>) -> Result<(), &'static str> {
    let rest = bits.rest();
    let (lengths, rest) = rest.split_at_checked(4).ok_or(CUT_OFF)?;
    let length = usize::from(u16::from_le_bytes([lengths[0], lengths[1]]));
    if length != usize::from(!u16::from_le_bytes([lengths[2], lengths[3]])) {
        return Err(MALFORMED);
    }
    let content = rest.get(..length).ok_or(CUT_OFF)?;
    room(text, length, limit)?;
    text.extend_from_slice(content);
    *bits = Bits { bytes: bits.bytes, position: bits.bytes.len() - rest.len() + length, held: 0, count: 0 };
    Ok(())
}

fn room(text: &[u8], more: usize, limit: usize) -> Result<(), &'static str> {
    if text.len() + more > limit { Err("it is too large") } else { Ok(()) }
}

/// The codes of a block that has its own: those of literals and lengths, and those of distances.
fn codes(bits: &mut Bits<'_>) -> Result<(Codes, Codes), &'static str> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances, lengths) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    if literals > 286 || distances > 30 {
        return Err(MALFORMED);
    }
    let mut of_lengths = [0; 19];
    for place in &ORDER[..lengths] {
        of_lengths[*place] = bits.take(3)? as u8;
    }
    let of_lengths = Codes::new(&of_lengths)?;
    let mut all: Vec<u8> = Vec::with_capacity(literals + distances);
    while all.len() < literals + distances {
        let (length, times) = match of_lengths.next(bits)? {
            16 => (*all.last().ok_or(MALFORMED)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length as u8, 1),
        };
        all.resize(all.len() + times, length);
    }
    // The last code must not go beyond the end, and a block without an end has none.
    if all.len() > literals + distances || all[256] == 0 {
        return Err(MALFORMED);
    }
    Ok((Codes::new(&all[..literals])?, Codes::new(&all[literals..])?))
}

fn compressed(
    bits: &mut Bits<'_>,
    literals: &Codes,
    distances: &Codes,
    start: usize,
    limit: usize,
    text: &mut Vec<u8>,
) -> Result<(), &'static str> {
    const LENGTHS: [u16; 29] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ];
    const LENGTH_BITS: [u8; 29] =
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
    loop {
        let symbol = literals.next(bits)?;
        if symbol < 256 {
            room(text, 1, limit)?;
            text.push(symbol as u8);
            continue;
        }
        if symbol == 256 {
            return Ok(());
        }
        let place = symbol - 257;
        let base = *LENGTHS.get(place).ok_or(MALFORMED)?;
        let length = usize::from(base) + bits.take(LENGTH_BITS[place].into())?;
        let symbol = distances.next(bits)?;
        if symbol > 29 {
            return Err(MALFORMED);
        }
        // The distances of two neighbouring symbols have as many bits.
        let more = (symbol / 2).saturating_sub(1);
        let base = if symbol < 2 { symbol + 1 } else { ((2 + symbol % 2) << more) + 1 };
        let distance = base + bits.take(more as u32)?;
        if distance > text.len() - start {
            return Err(MALFORMED);
        }
        room(text, length, limit)?;
        let from = text.len() - distance;
        if distance >= length {
            text.extend_from_within(from..from + length);
        } else {
            for at in from..from + length {
                text.push(text[at]);
            }
        }
    }
}

/// CRC-32.
fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut at = 0;
        while at < 256 {
            let mut value = at as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[at] = value;
            at += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |sum, byte| TABLE[((sum ^ u32::from(*byte)) & 255) as usize] ^ sum >> 8)
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
