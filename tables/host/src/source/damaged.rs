//! Damaged input for tests of parsers.

/// Calls `parse` with every prefix of a valid sample, and with the sample after each of several changes of each byte.
pub(crate) fn damaged(sample: &[u8], mut parse: impl FnMut(&[u8])) {
    for end in 0..=sample.len() {
        parse(&sample[..end]);
    }
    let mut changed = sample.to_vec();
    for position in 0..sample.len() {
        let byte = sample[position];
        for other in [0, 1, 0x7f, 0x80, 0xff, b' ', b'\n', b':', b'9', byte ^ 1, byte ^ 0x80, byte.wrapping_add(1)] {
            changed[position] = other;
            parse(&changed);
        }
        changed[position] = byte;
    }
}
