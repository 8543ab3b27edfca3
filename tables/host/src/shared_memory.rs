//! `shared_memory`: one row per segment of System V shared memory.

use indago_table::prelude::*;

use crate::source::held::HeldList;
use crate::source::namespace::is_shared;
use crate::source::procfs::number;

/// Segments of System V shared memory.
#[derive(Debug, Default, Table)]
#[table(name = "shared_memory", platforms("linux"), rows = 20, identity(shmid))]
#[example(
    "Segments that everybody may write to.",
    "SELECT shmid, owner_uid, size FROM shared_memory WHERE permissions LIKE '%6'"
)]
pub struct SharedMemory {
    /// ID of the segment.
    shmid: i64,
    /// User ID of the owner.
    owner_uid: i64,
    /// User ID of the creator.
    creator_uid: i64,
    /// Process that attached or detached it last; 0 if there is none, or it is in another PID namespace.
    #[column(volatile)]
    pid: i64,
    /// Process that created it.
    creator_pid: i64,
    /// Time of the last attachment, in seconds since 1970; 0 if there was none.
    #[column(volatile)]
    atime: i64,
    /// Time of the last detachment, in seconds since 1970; 0 if there was none.
    #[column(volatile)]
    dtime: i64,
    /// Time of the last change of its owner or permissions, in seconds since 1970.
    ctime: i64,
    /// Permissions, as four octal digits.
    permissions: String,
    /// Size in bytes.
    size: i64,
    /// Number of attachments.
    #[column(volatile)]
    attached: i64,
    /// `dest` if it will be destroyed with its last attachment; otherwise empty.
    status: String,
    /// Whether it is locked in memory: 1 or 0.
    locked: i64,
    /// Key by which programs find it, in hexadecimal; `0x00000000` for a private one.
    #[column(added)]
    key: String,
}

const SHM: &str = "/proc/sysvipc/shm";

impl Rows for SharedMemory {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        if scan.sys().has_live_kernel() && !is_shared(scan.sys(), "ipc")? {
            let what = "shared memory can be read only in the host's IPC namespace, and this process is in another";
            return Err(Error::Unsupported(what.to_owned()));
        }
        let Some(bytes) = scan.sys().read(SHM).if_present()? else {
            let what = format!("no System V shared memory ({SHM} is missing)");
            return Err(Error::Unsupported(what));
        };
        let mut rows = HeldList::new(scan.sys());
        for (position, line) in bytes.split(|byte| *byte == b'\n').enumerate().skip(1) {
            match parse(line) {
                Some(row) => rows.add(row)?,
                None if line.is_empty() => {}
                None => {
                    let (file, line) = (SHM.to_owned(), position as u64 + 1);
                    scan.report("shm", &Error::BadLine { file, line, what: "not a segment".to_owned() });
                }
            }
        }
        Ok(rows.into_iter())
    }
}

/// Flags in the permissions.
const DESTROYED: i64 = 0o1000;
const LOCKED: i64 = 0o2000;

fn parse(line: &[u8]) -> Option<SharedMemory> {
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let mut next = || fields.next();
    let key = number(next()?)?;
    let mut number = || number(next()?);
    let shmid = number()?;
    let mode = octal(number()?)?;
    let (size, creator_pid, pid, attached) = (number()?, number()?, number()?, number()?);
    let (owner_uid, _gid, creator_uid, _creator_gid) = (number()?, number()?, number()?, number()?);
    let (atime, dtime, ctime) = (number()?, number()?, number()?);
    Some(SharedMemory {
        shmid,
        owner_uid,
        creator_uid,
        pid,
        creator_pid,
        atime,
        dtime,
        ctime,
        permissions: format!("{:04o}", mode & 0o777),
        size,
        attached,
        status: if mode & DESTROYED != 0 { "dest".to_owned() } else { String::new() },
        locked: i64::from(mode & LOCKED != 0),
        key: format!("{:#010x}", key as u32),
    })
}

/// The number whose octal digits were read as decimal ones.
fn octal(decimal: i64) -> Option<i64> {
    i64::from_str_radix(&decimal.to_string(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_not_permissions() {
        let line = b"1234567890          3  3600                  4096   101   202      2  1000  1000     0     0 \
            1700000000 0 1699999999                  4096                     0";
        let row = parse(line).expect("a segment");
        assert_eq!((row.shmid, row.size, row.creator_pid, row.pid, row.attached), (3, 4096, 101, 202, 2));
        assert_eq!((row.owner_uid, row.creator_uid), (1000, 0));
        assert_eq!((row.atime, row.dtime, row.ctime), (1_700_000_000, 0, 1_699_999_999));
        assert_eq!((&*row.permissions, &*row.status, row.locked, &*row.key), ("0600", "dest", 1, "0x499602d2"));
        assert!(parse(b"0 1 888 4096 1 2 0 0 0 0 0 0 0 0").is_none(), "not octal");
        crate::source::damaged::damaged(line, |bytes| drop(parse(bytes)));
    }
}
