//! Damaged input for tests of parsers.

/// The size of what a parser returned. `()` is for a parser without a list.
pub(crate) trait Size {
    fn size(&self) -> usize;
}

impl Size for () {
    fn size(&self) -> usize {
        0
    }
}

impl Size for usize {
    fn size(&self) -> usize {
        *self
    }
}

/// Calls `parse` with every prefix of a valid sample, and with the sample after each of several changes of each byte. It must
/// not panic, and the size that it returns must not exceed the input by far.
pub(crate) fn damaged<S: Size>(sample: &[u8], mut parse: impl FnMut(&[u8]) -> S) {
    let mut check = |input: &[u8]| assert!(parse(input).size() <= 64 + 64 * input.len(), "{}", input.escape_ascii());
    (0..=sample.len()).for_each(|end| check(&sample[..end]));
    let mut changed = sample.to_vec();
    for position in 0..sample.len() {
        let byte = sample[position];
        let related = [byte ^ 1, byte ^ 0x80, byte.wrapping_add(1)];
        for other in b"\0\x01\x7f\x80\xff \n:9\"#\\".iter().copied().chain(related) {
            changed[position] = other;
            check(&changed);
        }
        changed[position] = byte;
    }
}

/// Makes a FIFO, which a reader must not open: it would wait for a writer.
pub(crate) fn fifo(path: &std::path::Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
}
