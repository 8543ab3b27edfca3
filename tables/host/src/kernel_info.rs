//! `kernel_info`: one row about the running kernel.

use indago_table::prelude::*;

use crate::source::procfs::required;

/// The running kernel and the command line that it was started with.
#[derive(Debug, Default, Table)]
#[table(name = "kernel_info", platforms("linux"), rows = 1, identity(version))]
#[example("Version of the kernel, and what it was started with.", "SELECT version, path, arguments FROM kernel_info")]
#[example("Whether the kernel runs code that its makers do not support.", "SELECT taint FROM kernel_info")]
pub struct KernelInfo {
    /// Release, as `uname -r` prints it.
    #[column(collate = version)]
    version: Option<String>,
    /// Arguments of the command line, without those of the next two columns.
    #[column(source = command_line)]
    arguments: Option<String>,
    /// Path of the kernel's image in the boot loader's terms: the argument `BOOT_IMAGE`.
    #[column(source = command_line)]
    path: Option<String>,
    /// Device with the root file system: the argument `root`.
    #[column(source = command_line)]
    device: Option<String>,
    /// Who built the kernel, how and when: the rest of `/proc/version`.
    #[column(added)]
    build: Option<String>,
    /// Letters that the kernel uses for what taints it, such as `P` for a proprietary module, `O` for one from outside
    /// of the kernel's sources, `E` for an unsigned one; empty if nothing does.
    #[column(added, source = tainted)]
    taint: Option<String>,
}

impl Rows for KernelInfo {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let text = required(scan.sys().read_text("/proc/version"))?;
        // `Linux version 6.1.0-13-amd64 (debian-kernel@lists.debian.org) (gcc-12 ..) #1 SMP ..`
        let mut words = text.trim_end().splitn(4, ' ');
        let (_system, word) = (words.next(), words.next());
        let Some(version) = words.next().filter(|_| word == Some("version")) else {
            return Err(Error::Malformed("/proc/version does not name the kernel's version".into()));
        };
        let (version, build) = (Some(version.to_owned()), words.next().map(str::to_owned));
        Ok(std::iter::once(KernelInfo { version, build, ..KernelInfo::default() }))
    }
}

impl KernelInfo {
    fn command_line(&mut self, sys: &Sys) -> Result<()> {
        let text = required(sys.read_text("/proc/cmdline"))?;
        let mut others = Vec::new();
        for argument in text.split_ascii_whitespace() {
            match argument.split_once('=') {
                Some(("BOOT_IMAGE", path)) => self.path = Some(path.to_owned()),
                Some(("root", device)) => self.device = Some(device.to_owned()),
                _ => others.push(argument),
            }
        }
        self.arguments = Some(others.join(" "));
        Ok(())
    }

    fn tainted(&mut self, sys: &Sys) -> Result<()> {
        let text = required(sys.read_text("/proc/sys/kernel/tainted"))?;
        let mask: u64 =
            text.trim().parse().map_err(|_| Error::Malformed("/proc/sys/kernel/tainted is not a number".into()))?;
        self.taint = Some(letters(mask));
        Ok(())
    }
}

/// Letters of the bits, from the kernel's `Documentation/admin-guide/tainted-kernels.rst`. Bit 0 unset is `G` there,
/// which means nothing.
const LETTERS: [char; 20] =
    ['P', 'F', 'S', 'R', 'M', 'B', 'U', 'D', 'A', 'W', 'C', 'I', 'O', 'E', 'L', 'K', 'X', 'T', 'N', 'J'];

fn letters(mask: u64) -> String {
    let set = |(bit, letter): (usize, &char)| (mask >> bit & 1 == 1).then_some(*letter);
    LETTERS.iter().enumerate().filter_map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taint_is_shown_as_letters() {
        assert_eq!(letters(0), "");
        assert_eq!(letters(1 | 1 << 12 | 1 << 13), "POE");
        assert_eq!(letters(u64::MAX).len(), LETTERS.len());
    }
}
