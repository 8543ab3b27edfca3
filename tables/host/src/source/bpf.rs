//! eBPF objects that processes hold open, as `/proc/<pid>/fdinfo` describes them.

use indago_table::prelude::*;

use super::procfs::{self, PTRACE, number, text};

/// A descriptor of an eBPF object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) pid: i64,
    pub(crate) fd: i64,
    /// Keys and values of its description.
    facts: Vec<(String, String)>,
}

impl Held {
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.facts.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    }

    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        let value = self.text(key)?;
        match value.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => number(value.as_bytes()),
        }
    }

    /// The name of a value that is a number; a number without a name is shown as it is.
    pub(crate) fn name(&self, key: &str, names: &[&str]) -> Option<String> {
        let value = self.text(key)?;
        let name = value.parse::<usize>().ok().and_then(|position| names.get(position));
        Some(name.map_or(value, |name| (*name).to_owned()))
    }
}

/// Objects of some kinds that processes hold open, such as `bpf-prog`, process by process.
pub(crate) fn held<'a>(
    sys: &'a Sys,
    pids: Option<Vec<i64>>,
    kinds: &'static [&'static str],
    report: impl Fn(&str, &Error) + Copy + 'a,
) -> Result<impl Iterator<Item = Held> + 'a> {
    let pids = procfs::asked(sys, pids, report)?;
    Ok(pids.into_iter().flat_map(move |pid| {
        of_process(sys, pid, kinds, report).unwrap_or_else(|error| {
            report("descriptors", &error);
            Vec::new()
        })
    }))
}

fn of_process(sys: &Sys, pid: i64, kinds: &[&str], report: impl Fn(&str, &Error)) -> Result<Vec<Held>> {
    let folder = procfs::folder(sys, pid);
    let mut held = Vec::new();
    for fd in procfs::descriptors(&folder)? {
        let facts = folder.read_link(&format!("fd/{fd}")).needs(PTRACE).and_then(|target| {
            let kind = target.as_os_str().as_encoded_bytes().strip_prefix(b"anon_inode:");
            // Some kinds have brackets on some kernels.
            let kind =
                kind.map(|kind| kind.strip_prefix(b"[").and_then(|kind| kind.strip_suffix(b"]")).unwrap_or(kind));
            if !kinds.iter().any(|wanted| kind == Some(wanted.as_bytes())) {
                return Ok(None);
            }
            procfs::with_bytes(&folder, &format!("fdinfo/{fd}"), |bytes| Ok(Some(parse(bytes))))
        });
        match facts {
            Ok(facts) => held.extend(facts.map(|facts| Held { pid, fd, facts })),
            Err(error) => report("descriptors", &error),
        }
    }
    Ok(held)
}

fn parse(bytes: &[u8]) -> Vec<(String, String)> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let facts = lines.filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        Some((text(&line[..colon]), text(line[colon + 1..].trim_ascii())))
    });
    facts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_have_names_and_numbers() {
        let bytes = b"pos:\t0\nmap_type:\t2\nmap_flags:\t0x10\nprog_type:\t99\nodd\n";
        let held = Held { facts: parse(bytes), ..Held::default() };
        let names = ["unspec", "hash", "array"];
        assert_eq!(held.name("map_type", &names).as_deref(), Some("array"));
        assert_eq!(held.name("prog_type", &names).as_deref(), Some("99"));
        assert_eq!((held.number("map_flags"), held.number("frozen")), (Some(16), None));
        crate::source::damaged::damaged(bytes, |bytes| assert!(parse(bytes).len() <= 6));
    }
}
