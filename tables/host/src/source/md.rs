//! `/proc/mdstat`: arrays of disks that the kernel's RAID driver makes.

use indago_table::prelude::*;

use super::procfs::{note_lossy, number, text};

const MDSTAT: &str = "/proc/mdstat";

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Kinds of arrays that the kernel supports.
    pub(crate) personalities: Vec<String>,
    pub(crate) arrays: Vec<ArrayStatus>,
    /// Devices that are not part of an array, separated by blanks; `<none>`.
    pub(crate) unused: Option<String>,
}

/// One array.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ArrayStatus {
    pub(crate) name: String,
    /// `active`, `inactive`, and more in parentheses.
    pub(crate) status: String,
    /// `raid1`, `linear`; `None` for an inactive array.
    pub(crate) level: Option<String>,
    pub(crate) drives: Vec<Drive>,
    /// Size in KiB.
    pub(crate) blocks: Option<i64>,
    pub(crate) superblock: Option<String>,
    /// Number of drives that it should have, and that work.
    pub(crate) expected: Option<(i64, i64)>,
    /// Size of a chunk, in bytes.
    pub(crate) chunk: Option<i64>,
    /// Parts of the line about the bitmap.
    pub(crate) bitmap: [Option<String>; 3],
    /// Work in progress: its kind, progress, end and speed.
    pub(crate) work: Option<Work>,
    /// Lines and words that are not known.
    pub(crate) other: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// `recovery`, `resync`, `reshape` or `check`.
    pub(crate) kind: String,
    pub(crate) progress: String,
    pub(crate) finish: Option<String>,
    pub(crate) speed: Option<String>,
}

/// A drive of an array: `sda1[0](F)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drive {
    pub(crate) name: String,
    pub(crate) slot: i64,
    /// Letters: F faulty, S spare, W write-mostly, J journal, R replacement.
    pub(crate) flags: String,
}

impl Drive {
    pub(crate) fn is_faulty(&self) -> bool {
        self.flags.contains('F')
    }

    pub(crate) fn is_spare(&self) -> bool {
        self.flags.contains('S')
    }
}

pub(crate) fn read(sys: &Sys) -> Result<Status> {
    let Some(bytes) = sys.read(MDSTAT).if_present()? else {
        return Err(sys.absent(format!("no RAID driver ({MDSTAT} is missing)")));
    };
    note_lossy(sys, &bytes);
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Status {
    let mut status = Status::default();
    for line in bytes.split(|byte| *byte == b'\n').map(text) {
        if let Some(names) = line.strip_prefix("Personalities :") {
            let names = names.split_ascii_whitespace().map(|name| name.trim_matches(['[', ']']).to_owned());
            status.personalities = names.collect();
        } else if let Some(unused) = line.strip_prefix("unused devices:") {
            status.unused = Some(unused.trim().to_owned());
        } else if line.starts_with([' ', '\t']) {
            if let Some(array) = status.arrays.last_mut() {
                detail(array, line.trim());
            }
        } else if let Some((name, rest)) = line.split_once(" : ") {
            status.arrays.push(array(name, rest));
        }
    }
    status
}

/// `active (auto-read-only) raid1 sdb1[1] sda1[0](F)`
fn array(name: &str, rest: &str) -> ArrayStatus {
    let mut array = ArrayStatus { name: name.trim().to_owned(), ..ArrayStatus::default() };
    for word in rest.split_ascii_whitespace() {
        match drive(word) {
            Some(drive) => array.drives.push(drive),
            None if array.status.is_empty() => array.status = word.to_owned(),
            None if word.starts_with('(') => array.status += &format!(" {word}"),
            None if array.level.is_none() => array.level = Some(word.to_owned()),
            None => array.other.push(word.to_owned()),
        }
    }
    array
}

fn drive(word: &str) -> Option<Drive> {
    let (name, rest) = word.split_once('[')?;
    let (slot, flags) = rest.split_once(']')?;
    let flags = flags.chars().filter(char::is_ascii_alphabetic).collect();
    Some(Drive { name: name.to_owned(), slot: number(slot.as_bytes())?, flags })
}

fn detail(array: &mut ArrayStatus, line: &str) {
    if let Some((blocks, rest)) = line.split_once(" blocks") {
        array.blocks = number(blocks.as_bytes());
        let mut words = rest.split_ascii_whitespace().peekable();
        while let Some(word) = words.next() {
            let pair = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')?.split_once('/'));
            let pair = pair.and_then(|(all, working)| Some((number(all.as_bytes())?, number(working.as_bytes())?)));
            let size = word.strip_suffix('k').and_then(|size| number(size.as_bytes()));
            if word == "super" {
                array.superblock = words.next().map(str::to_owned);
            } else if pair.is_some() {
                array.expected = pair;
            } else if let Some(size) = size.filter(|_| words.peek().is_some_and(|word| word.starts_with("chunk"))) {
                array.chunk = size.checked_mul(1024);
                words.next();
            } else {
                array.other.push(word.to_owned());
            }
        }
    } else if let Some(bitmap) = line.strip_prefix("bitmap:") {
        let mut parts = bitmap.split(',').map(|part| part.trim().to_owned());
        let (memory, chunk) = (parts.next(), parts.next());
        let file = parts.next().map(|file| file.strip_prefix("file:").unwrap_or(&file).trim().to_owned());
        array.bitmap = [memory, chunk.map(|chunk| chunk.trim_end_matches(" chunk").to_owned()), file];
    } else if let Some((kind, rest)) = past_bar(line).split_once('=')
        && let Some(kind) = WORK.into_iter().find(|known| *known == kind.trim_end())
    {
        // `[==>....]  recovery = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec`, or `resync=PENDING`.
        let mut work = Work { kind: kind.to_owned(), ..Work::default() };
        let mut progress = Vec::new();
        for word in rest.split_ascii_whitespace() {
            match word.split_once('=') {
                Some(("finish", finish)) => work.finish = Some(finish.to_owned()),
                Some(("speed", speed)) => work.speed = Some(speed.to_owned()),
                _ => progress.push(word),
            }
        }
        work.progress = progress.join(" ");
        array.work = Some(work);
    } else if !line.is_empty() {
        array.other.push(line.to_owned());
    }
}

/// A line without the bar in brackets that it may begin with.
fn past_bar(line: &str) -> &str {
    line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(line, |(_bar, rest)| rest.trim_start())
}

const WORK: [&str; 4] = ["recovery", "resync", "reshape", "check"];

#[cfg(test)]
mod tests {
    use super::*;

    /// In the format of the kernel's `md_seq_show`.
    const SAMPLE: &[u8] = b"Personalities : [raid1] [raid6] [raid5] [raid4] \n\
        md1 : active raid5 sdd1[3] sdc1[1](F) sdb1[0] sde1[4](S)\n      \
        585890304 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/2] [U_U]\n      \
        [==>..................]  recovery = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec\n      \
        bitmap: 0/3 pages [0KB], 65536KB chunk, file: /var/bitmap\n\n\
        md0 : active (auto-read-only) raid1 sda1[0]\n      104320 blocks [2/1] [U_]\n      \tresync=PENDING\n\n\
        md7 : inactive sdf[0](S)\n      976631512 blocks super 1.2\n\n\
        unused devices: <none>\n";

    #[test]
    fn arrays_have_drives_and_work() {
        let status = parse(SAMPLE);
        assert_eq!(status.personalities, ["raid1", "raid6", "raid5", "raid4"]);
        assert_eq!(status.unused.as_deref(), Some("<none>"));
        let [first, second, third] = &status.arrays[..] else { panic!("{status:?}") };
        assert_eq!((&*first.name, &*first.status, first.level.as_deref()), ("md1", "active", Some("raid5")));
        assert_eq!((first.blocks, first.superblock.as_deref()), (Some(585_890_304), Some("1.2")));
        assert_eq!((first.expected, first.chunk), (Some((3, 2)), Some(512 * 1024)));
        let drives: Vec<_> =
            first.drives.iter().map(|drive| (&*drive.name, drive.slot, drive.is_faulty(), drive.is_spare())).collect();
        let expected =
            [("sdd1", 3, false, false), ("sdc1", 1, true, false), ("sdb1", 0, false, false), ("sde1", 4, false, true)];
        assert_eq!(drives, expected);
        let work = first.work.clone().expect("work");
        assert_eq!((&*work.kind, &*work.progress), ("recovery", "12.6% (37043392/292945152)"));
        assert_eq!((work.finish.as_deref(), work.speed.as_deref()), (Some("127.5min"), Some("33440K/sec")));
        let bitmap = ["0/3 pages [0KB]", "65536KB", "/var/bitmap"].map(|part| Some(part.to_owned()));
        assert_eq!(first.bitmap, bitmap);
        assert_eq!((&*second.status, second.level.as_deref()), ("active (auto-read-only)", Some("raid1")));
        assert_eq!(second.work.as_ref().map(|work| (&*work.kind, &*work.progress)), Some(("resync", "PENDING")));
        assert_eq!((&*third.status, third.level.as_deref(), third.drives.len()), ("inactive", None, 1));
    }

    #[test]
    fn damaged_files_do_not_panic() {
        crate::source::damaged::damaged(SAMPLE, |bytes| assert!(parse(bytes).arrays.len() <= 20));
    }
}
