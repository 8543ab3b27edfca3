//! `runtime_socket_access`: one row per user or container that can reach the socket of a container runtime.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::accounts::{self, UserEntry};
use crate::source::attributes;
use crate::source::container::place_of;
use crate::source::held::{HeldList, owned, owned_bytes};
use crate::source::mountinfo::{self, Place};
use crate::source::procfs::{self, PTRACE};

/// Users and containers that can reach the socket of a container runtime. Whoever can connect to it controls the host.
///
/// A user can connect with the permission to write to the socket and to search the directories above it, as owner, as a
/// member of a group, by an entry of its access control list, or as anyone. A container can if the socket, or a
/// directory with it, is mounted in it.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "runtime_socket_access", platforms("linux"), rows = 5, identity(socket_path, username, container_id))]
#[example(
    "Users other than root, and containers, that control a container runtime.",
    "SELECT runtime, socket_path, username, via, container_id FROM runtime_socket_access WHERE via != 'root'"
)]
pub struct RuntimeSocketAccess {
    /// Container runtime: `docker`, `containerd`, `cri-o`, `podman`, `buildkit`, `lxd` or `incus`.
    runtime: String,
    /// Path of the socket on the host.
    socket_path: String,
    /// User that can connect; NULL for a container.
    uid: Option<i64>,
    /// Login name of the user.
    username: Option<String>,
    /// Why: `root`, `owner`, `group`, `acl`, `others`, or `mount` for a container.
    via: String,
    /// ID of the container that has the socket; NULL for a user.
    container_id: Option<String>,
    /// A process in the container.
    pid: Option<i64>,
    /// Path of the socket in the container.
    container_path: Option<String>,
}

/// Runtimes with the usual paths of their sockets. `*` is the ID of a user.
const SOCKETS: [(&str, &str); 13] = [
    ("docker", "/run/docker.sock"),
    ("docker", "/var/run/docker.sock"),
    ("docker", "/run/user/*/docker.sock"),
    ("docker", "/run/cri-dockerd.sock"),
    ("containerd", "/run/containerd/containerd.sock"),
    ("containerd", "/run/k3s/containerd/containerd.sock"),
    ("cri-o", "/run/crio/crio.sock"),
    ("podman", "/run/podman/podman.sock"),
    ("podman", "/run/user/*/podman/podman.sock"),
    ("buildkit", "/run/buildkit/buildkitd.sock"),
    ("lxd", "/var/lib/lxd/unix.socket"),
    ("lxd", "/var/snap/lxd/common/lxd/unix.socket"),
    ("incus", "/var/lib/incus/unix.socket"),
];

struct Socket {
    runtime: &'static str,
    path: PathBuf,
    metadata: Metadata,
}

impl Rows for RuntimeSocketAccess {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = |error: &Error| scan.report("sockets", error);
        let users = accounts::users(sys, report)?;
        let sockets = sockets(sys, &report);
        let mut rows = HeldList::new(sys);
        if sockets.is_empty() {
            report(&Error::Absent("no container runtime has a socket in one of the usual places".to_owned()));
            return Ok(rows.into_iter().chain(Vec::new()));
        }
        let groups = accounts::groups(sys, report).unwrap_or_else(|error| {
            report(&error);
            HeldList::default()
        });
        for socket in &sockets {
            let access = Access::of(sys, socket, &report);
            for user in users.iter() {
                let groups: HashSet<i64> = groups
                    .iter()
                    .filter(|group| group.members.contains(&user.name))
                    .map(|group| group.gid)
                    .chain([user.gid])
                    .collect();
                if let Some(via) = access.of_user(user, &groups) {
                    let owned = owned([&user.name, via, socket.runtime]) + owned_bytes(socket.path.as_os_str().len());
                    let row = RuntimeSocketAccess {
                        uid: Some(user.uid),
                        username: Some(user.name.clone()),
                        via: via.to_owned(),
                        ..row(sys, socket)
                    };
                    rows.push(row, owned)?;
                }
            }
        }
        let mut containers = Vec::new();
        if sys.has_live_kernel() {
            match of_containers(scan, &sockets) {
                Ok(found) => containers = found,
                Err(error) => report(&error),
            }
        }
        Ok(rows.into_iter().chain(containers))
    }
}

fn row(sys: &Sys, socket: &Socket) -> RuntimeSocketAccess {
    RuntimeSocketAccess {
        runtime: socket.runtime.to_owned(),
        socket_path: sys.path_text(&socket.path),
        ..RuntimeSocketAccess::default()
    }
}

/// The existing sockets. A socket with several names has the first one.
fn sockets(sys: &Sys, report: &dyn Fn(&Error)) -> Vec<Socket> {
    let mut found: Vec<Socket> = Vec::new();
    let users = sys.read_dir("/run/user").unwrap_or_default();
    for (runtime, path) in SOCKETS {
        let paths: Vec<PathBuf> = match path.split_once('*') {
            Some((before, after)) => users
                .iter()
                .filter(|name| procfs::number(name.as_encoded_bytes()).is_some())
                .map(|name| Path::new(before).join(name).join(after.trim_start_matches('/')))
                .collect(),
            None => vec![path.into()],
        };
        for path in paths {
            match sys.metadata(&path).if_present() {
                Ok(Some(metadata)) if metadata.file_type().is_socket() => {
                    let is_known = found.iter().any(|socket| {
                        (socket.metadata.dev(), socket.metadata.ino()) == (metadata.dev(), metadata.ino())
                    });
                    if !is_known {
                        let path = sys.canonicalize(&path).unwrap_or(path);
                        found.push(Socket { runtime, path, metadata });
                    }
                }
                Ok(_) => {}
                Err(error) => report(&error),
            }
        }
    }
    found
}

/// The permissions of a socket and of the directories above it.
struct Access {
    socket: Permissions,
    directories: Vec<Permissions>,
}

/// Who may do what with a file.
#[derive(Debug, Clone, PartialEq)]
struct Permissions {
    uid: i64,
    gid: i64,
    mode: u32,
    /// Permissions of single users and groups, and the mask of all entries but the owner's and others'.
    users: HashMap<i64, u32>,
    groups: HashMap<i64, u32>,
    mask: u32,
}

const WRITE: u32 = 2;
const SEARCH: u32 = 1;

impl Access {
    fn of(sys: &Sys, socket: &Socket, report: &dyn Fn(&Error)) -> Self {
        let permissions = |path: &Path, metadata: &Metadata| {
            let list = attributes::attribute(sys, path, "system.posix_acl_access").unwrap_or_else(|error| {
                report(&error);
                None
            });
            Permissions::new(metadata, list.as_deref())
        };
        let above = socket.path.ancestors().skip(1).filter_map(|path| match sys.metadata(path) {
            Ok(metadata) => Some(permissions(path, &metadata)),
            Err(error) => {
                report(&error);
                None
            }
        });
        Access { directories: above.collect(), socket: permissions(&socket.path, &socket.metadata) }
    }

    /// Why a user can connect; `None` if the user cannot.
    fn of_user(&self, user: &UserEntry, groups: &HashSet<i64>) -> Option<&'static str> {
        if user.uid == 0 {
            return Some("root");
        }
        let may = |permissions: &Permissions, right| permissions.of_user(user.uid, groups, right);
        if !self.directories.iter().all(|directory| may(directory, SEARCH).is_some()) {
            return None;
        }
        may(&self.socket, WRITE)
    }
}

impl Permissions {
    fn new(metadata: &Metadata, list: Option<&[u8]>) -> Self {
        let mode = metadata.mode() & 0o777;
        let mut permissions = Permissions {
            uid: metadata.uid().into(),
            gid: metadata.gid().into(),
            mode,
            users: HashMap::new(),
            groups: HashMap::new(),
            mask: 7,
        };
        permissions.add(list.unwrap_or_default());
        permissions
    }

    /// Adds an access control list as the kernel stores it: a version, and entries of a kind, rights and an ID.
    fn add(&mut self, list: &[u8]) {
        const VERSION: [u8; 4] = [2, 0, 0, 0];
        let Some(entries) = list.strip_prefix(&VERSION) else { return };
        for entry in entries.chunks_exact(8) {
            let [kind, _, right, _, id @ ..] = entry else { return };
            let id = id.try_into().map_or(-1, |id| i64::from(u32::from_le_bytes(id)));
            let right = u32::from(*right);
            match *kind {
                0x02 => {
                    self.users.insert(id, right);
                }
                // The mode's bits of the group are the mask, so the group's own rights are in the list.
                0x04 => self.mode = self.mode & !0o070 | right << 3,
                0x08 => {
                    self.groups.insert(id, right);
                }
                0x10 => self.mask = right,
                _ => {}
            }
        }
    }

    /// Why a user has a right. The first entry that fits decides, as in the kernel.
    fn of_user(&self, uid: i64, groups: &HashSet<i64>, right: u32) -> Option<&'static str> {
        if uid == self.uid {
            return (self.mode >> 6 & right == right).then_some("owner");
        }
        if let Some(rights) = self.users.get(&uid) {
            return (rights & self.mask & right == right).then_some("acl");
        }
        let own = groups.contains(&self.gid).then_some((self.mode >> 3, "group"));
        let listed = self.groups.iter().filter(|(gid, _)| groups.contains(gid)).map(|(_, rights)| (*rights, "acl"));
        let of_groups: Vec<_> = own.into_iter().chain(listed).collect();
        if !of_groups.is_empty() {
            let found = of_groups.into_iter().find(|(rights, _)| rights & self.mask & right == right);
            return found.map(|(_, via)| via);
        }
        (self.mode & right == right).then_some("others")
    }
}

/// Containers in which one of the sockets is mounted.
fn of_containers<'a>(scan: &Scan<RuntimeSocketAccess>, sockets: &'a [Socket]) -> Result<Vec<RuntimeSocketAccess>> {
    let sys = scan.sys();
    let host = mountinfo::mounts(sys, &format!("{}/mountinfo", sys.own_process()))?;
    let sockets: Vec<(&Socket, Place)> =
        sockets.iter().filter_map(|socket| Some((socket, mountinfo::place(&host, &socket.path)?))).collect();
    let mut rows = Vec::new();
    let mut seen = HashSet::new();
    for pid in procfs::pids(sys, |origin, error| scan.report(origin, error))? {
        let folder = procfs::folder(sys, pid);
        let place = match place_of(&folder) {
            Ok(place) => place,
            Err(error) => {
                scan.report("containers", &error);
                continue;
            }
        };
        let Some(id) = place.map(|place| place.container_id).filter(|id| !seen.contains(id)) else { continue };
        let mounts = match mountinfo::mounts(sys, &format!("/proc/{pid}/mountinfo")).needs(PTRACE) {
            Ok(mounts) => mounts,
            Err(error) => {
                scan.report("containers", &error);
                continue;
            }
        };
        let shown = |(socket, place): &(&'a Socket, Place)| {
            let socket = *socket;
            place.paths(&mounts).into_iter().map(move |path| (socket, path)).collect::<Vec<_>>()
        };
        let found: Vec<(&Socket, PathBuf)> = sockets.iter().flat_map(shown).collect();
        seen.insert(id.clone());
        if found.is_empty() {
            continue;
        }
        let root = match sys.below(format!("/proc/{pid}/root")).needs(PTRACE) {
            Ok(root) => root,
            Err(error) => {
                scan.report("containers", &error);
                continue;
            }
        };
        // Another mount may hide it.
        let is_socket = |socket: &Socket, path: &Path| {
            let own = (socket.metadata.dev(), socket.metadata.ino());
            root.metadata(path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == own)
        };
        let mut has = HashSet::new();
        for (socket, path) in found.iter().filter(|(socket, path)| is_socket(socket, path)) {
            if has.insert(&socket.path) {
                rows.push(RuntimeSocketAccess {
                    via: "mount".to_owned(),
                    container_id: Some(id.to_owned()),
                    pid: Some(pid),
                    container_path: Some(sys.path_text(path)),
                    ..row(sys, socket)
                });
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(uid: i64, gid: i64, mode: u32) -> Permissions {
        Permissions { uid, gid, mode, users: HashMap::new(), groups: HashMap::new(), mask: 7 }
    }

    #[test]
    fn the_first_entry_that_fits_decides() {
        let may = |permissions: &Permissions, uid, groups: &[i64]| {
            permissions.of_user(uid, &groups.iter().copied().collect(), WRITE)
        };
        let socket = permissions(1, 998, 0o660);
        assert_eq!(may(&socket, 1, &[]), Some("owner"));
        assert_eq!(may(&socket, 2, &[998]), Some("group"));
        assert_eq!(may(&socket, 2, &[5]), None);
        assert_eq!(may(&permissions(1, 998, 0o606), 2, &[998]), None, "a member is not one of the others");
        assert_eq!(may(&permissions(1, 998, 0o066), 1, &[998]), None, "nor is the owner");
        assert_eq!(may(&permissions(1, 998, 0o606), 2, &[]), Some("others"));
        // setfacl -m u:7:rw,g:8:rw,m::rw
        let mut list = vec![2, 0, 0, 0];
        for (kind, right, id) in
            [(1, 6, u32::MAX), (2, 6, 7), (4, 0, u32::MAX), (8, 6, 8), (0x10, 6, u32::MAX), (0x20, 0, u32::MAX)]
        {
            list.extend([kind, 0, right, 0]);
            list.extend(id.to_le_bytes());
        }
        let mut socket = permissions(1, 998, 0o660);
        socket.add(&list);
        assert_eq!(may(&socket, 7, &[]), Some("acl"));
        assert_eq!(may(&socket, 2, &[8]), Some("acl"));
        assert_eq!(may(&socket, 2, &[998]), None, "the mode shows the mask");
        socket.mask = 4;
        assert_eq!(may(&socket, 7, &[]), None);
        for end in 0..list.len() {
            permissions(1, 2, 0).add(&list[..end]);
        }
    }
}
