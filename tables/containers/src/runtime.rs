//! The environment: the runtimes of a machine, and connections to their sockets.

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use indago_table::scan::Column;
use indago_table::{Environment, Error, Meter, Part, Result, Row, Scan, Sys};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// The container runtimes of a machine.
///
/// Cheap to clone. Each scan discovers runtimes again, so it finds those that start later.
#[derive(Debug, Clone)]
pub struct Containers {
    sys: Sys,
    configured: Option<Arc<[Runtime]>>,
}

/// A container runtime: its API and its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Runtime {
    /// Its API.
    pub kind: Kind,
    /// Its address.
    pub endpoint: Endpoint,
}

/// The API of a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Docker's HTTP API: Docker, Podman and similar engines.
    Docker,
    /// containerd's gRPC API.
    Containerd,
}

/// The address of a runtime.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A socket in the machine's file system.
    Unix(PathBuf),
    /// Host and port, without TLS.
    Tcp(String),
    /// An unsupported kind of address: `ssh://`, `npipe://`.
    Other(String),
}

impl Environment for Containers {
    const NAME: &'static str = "containers";

    fn for_scan(&self, meter: &Arc<Meter>) -> Self {
        Containers { sys: self.sys.for_scan(meter), configured: self.configured.clone() }
    }
}

/// Digits of an ID that `docker ps` prints.
const PRINTED: usize = 12;

/// Reports IDs that the query itself names as `docker ps` prints them: only full IDs have rows.
pub(crate) fn report_short_ids<T: Row<Env = Containers>>(scan: &Scan<T>, column: usize) {
    let is_short = |id: &str| id.len() == PRINTED && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    scan.context().report_absent(T::SPEC, column, |id| {
        let why = || format!("`{id}` is only the start of an ID, which has 64 digits; use `LIKE '{id}%'`");
        is_short(id).then(why)
    });
}

impl Containers {
    /// The runtimes at the standard paths of a machine.
    ///
    /// These are `DOCKER_HOST` and `CONTAINERD_ADDRESS`, the sockets of Docker, Podman and containerd at the paths of
    /// their packages and of k3s, k0s and MicroK8s, and the sockets of the caller's own rootless engines. Sockets of
    /// other users are read only if they are configured: any program there could return false data.
    pub fn discover(sys: &Sys) -> Self {
        Containers { sys: sys.clone(), configured: None }
    }

    /// Only these runtimes.
    pub fn with_runtimes(sys: &Sys, runtimes: Vec<Runtime>) -> Self {
        Containers { sys: sys.clone(), configured: Some(runtimes.into()) }
    }

    pub fn sys(&self) -> &Sys {
        &self.sys
    }

    /// The configured runtimes, or those found now. A socket with two paths is listed once.
    pub fn runtimes(&self) -> Vec<Runtime> {
        self.found(self.sys.uid()).runtimes
    }

    /// The runtimes that a scan reads: those that `is_meant` accepts and whose endpoints the query does not exclude.
    ///
    /// If there is no runtime, the scan reports that once. It also reports an endpoint that the query names and that
    /// does not exist.
    pub(crate) fn asked<T: Row<Env = Containers>>(
        scan: &Scan<T>,
        what: &str,
        is_meant: impl Fn(&Runtime) -> bool,
        endpoint: Column<T, String, true, false, false>,
    ) -> Vec<Runtime> {
        let env = scan.env();
        let found = env.found(env.sys.uid());
        let mut runtimes: Vec<Runtime> = found.runtimes.into_iter().filter(&is_meant).collect();
        let admits = |runtime: &Runtime| scan.admits(endpoint, &runtime.name());
        for (runtime, owner) in found.foreign.iter().filter(|(runtime, _)| is_meant(runtime) && admits(runtime)) {
            let message = format!("the socket belongs to user {owner}; list it in `containers.sockets` to read it");
            scan.report(runtime.name(), &Error::Unsupported(message));
        }
        let place = if env.configured.is_some() { "is configured" } else { "has a socket at a standard path" };
        if runtimes.is_empty() && found.foreign.is_empty() && env.configured.is_none() {
            let paths = DOCKER_SOCKETS.iter().chain(&CONTAINERD_SOCKETS).copied().collect::<Vec<_>>().join(", ");
            let message = format!("no {what} {place} ({paths}); set `containers.sockets` to read another socket");
            scan.report("", &Error::Absent(message));
        } else if runtimes.is_empty() {
            scan.report("", &Error::Unsupported(format!("no {what} {place}; see `containers.sockets`")));
        } else {
            let known: Vec<String> = runtimes.iter().map(Runtime::name).collect();
            let why = || format!("no {what} at this address {place}; there are: {}", known.join(", "));
            let is_known = |name: &str| known.iter().any(|known| known == name);
            scan.context().report_absent(T::SPEC, endpoint.position(), |name| (!is_known(name)).then(why));
        }
        if !scan.context().is_open(T::SPEC, endpoint.position()) {
            runtimes.retain(admits);
        }
        runtimes
    }

    /// The runtimes as a user finds them: those that are configured or named by variables, whether they exist or not,
    /// and those whose sockets exist.
    fn found(&self, caller: i64) -> Found {
        let mut found: Vec<(Runtime, Option<i64>)> = match &self.configured {
            Some(runtimes) => runtimes.iter().map(|runtime| (runtime.clone(), None)).collect(),
            None => self.candidates(caller),
        };
        // A path of the caller's own to a socket takes precedence over another user's path to it.
        found.sort_by_key(|(_, owner)| owner.is_some());
        let mut seen = HashSet::new();
        found.retain(|(runtime, _)| match &runtime.endpoint {
            Endpoint::Unix(path) => seen.insert(self.sys.canonicalize(path).unwrap_or_else(|_| path.clone())),
            other => seen.insert(PathBuf::from(other.to_string())),
        });
        let mut runtimes = Found::default();
        for (runtime, owner) in found {
            match owner {
                None => runtimes.runtimes.push(runtime),
                Some(owner) => runtimes.foreign.push((runtime, owner)),
            }
        }
        runtimes
    }

    /// Runtimes at standard paths, with the owner of each that belongs to another user.
    fn candidates(&self, caller: i64) -> Vec<(Runtime, Option<i64>)> {
        let mut found = Vec::new();
        for (kind, variable) in [(Kind::Docker, "DOCKER_HOST"), (Kind::Containerd, "CONTAINERD_ADDRESS")] {
            if let Some(value) = self.sys.variable(variable).filter(|value| !value.is_empty()) {
                found.push((Runtime { kind, endpoint: value.parse().unwrap_or_else(never) }, None));
            }
        }
        let unix = |kind, path: &Path| Runtime { kind, endpoint: Endpoint::Unix(path.to_owned()) };
        let mut add = |kind, paths: &[&str]| {
            let paths = paths.iter().map(Path::new).filter(|path| self.may_be_socket(path));
            found.extend(paths.map(|path| (unix(kind, path), None)));
        };
        add(Kind::Docker, &DOCKER_SOCKETS);
        add(Kind::Containerd, &CONTAINERD_SOCKETS);
        for (folder, name) in self.user_sockets() {
            let path = folder.join(name);
            // A directory that the caller may not enter has no sockets for it.
            let (Ok(around), Ok(socket)) = (self.sys.metadata(&folder), self.sys.metadata(&path)) else { continue };
            if socket.file_type().is_socket() {
                // In another user's directory, a link may point to a socket of the caller.
                let owner = [around, socket].iter().map(|file| i64::from(file.uid())).find(|owner| *owner != caller);
                found.push((unix(Kind::Docker, &path), owner));
            }
        }
        found
    }

    /// Whether a system socket exists. If the caller may not enter its directory, that is unknown: the socket is then
    /// tried, so that the query reports the error.
    fn may_be_socket(&self, path: &Path) -> bool {
        match self.sys.metadata(path) {
            Ok(metadata) => metadata.file_type().is_socket(),
            Err(error) => matches!(error, Error::Denied { .. }),
        }
    }

    /// Sockets of users' rootless engines: a directory of a user, and a name in it.
    fn user_sockets(&self) -> Vec<(PathBuf, &'static str)> {
        let mut folders: Vec<PathBuf> = self.sys.variable("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter().collect();
        let mut names = self.sys.read_dir("/run/user").unwrap_or_default();
        names.sort();
        folders.extend(names.into_iter().map(|name| Path::new("/run/user").join(name)));
        let in_folder = |folder: PathBuf| ["podman/podman.sock", "docker.sock"].map(|name| (folder.clone(), name));
        let mut sockets: Vec<_> = folders.into_iter().flat_map(in_folder).collect();
        sockets.extend(self.sys.home().map(|home| (home, ".docker/run/docker.sock")));
        sockets
    }
}

/// The runtimes of a machine.
#[derive(Debug, Default)]
struct Found {
    runtimes: Vec<Runtime>,
    /// Runtimes of other users, with the user's ID.
    foreign: Vec<(Runtime, i64)>,
}

const DOCKER_SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];
const CONTAINERD_SOCKETS: [&str; 5] = [
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
    // The containerd that dockerd starts for itself.
    "/run/docker/containerd/containerd.sock",
];

impl Runtime {
    /// An engine that speaks Docker's API.
    pub fn docker(endpoint: &str) -> Self {
        Runtime { kind: Kind::Docker, endpoint: endpoint.parse().unwrap_or_else(never) }
    }

    /// A containerd.
    pub fn containerd(endpoint: &str) -> Self {
        Runtime { kind: Kind::Containerd, endpoint: endpoint.parse().unwrap_or_else(never) }
    }

    /// The endpoint's name, which identifies the runtime in rows and limits.
    pub fn name(&self) -> String {
        self.endpoint.to_string()
    }
}

/// All rows of a runtime have its name in column `endpoint`.
impl Part for Runtime {
    fn known(&self, column: &str) -> Option<String> {
        (column == "endpoint").then(|| self.name())
    }
}

impl FromStr for Runtime {
    type Err = Infallible;

    /// Parses a setting: `containerd:ADDRESS`, `docker:ADDRESS`, or only an address, which is containerd's if the name
    /// of its socket says so and Docker's otherwise.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let prefixed = |prefix: &str| text.strip_prefix(prefix).filter(|address| !address.starts_with("//"));
        Ok(if let Some(address) = prefixed("containerd:") {
            Runtime::containerd(address)
        } else if let Some(address) = prefixed("docker:") {
            Runtime::docker(address)
        } else if text.rsplit('/').next().is_some_and(|name| name.contains("containerd")) {
            Runtime::containerd(text)
        } else {
            Runtime::docker(text)
        })
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

fn never<T>(error: Infallible) -> T {
    match error {}
}

impl FromStr for Endpoint {
    type Err = Infallible;

    /// Parses an address; a path without a scheme is a socket.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let text = text.trim();
        Ok(match text.split_once("://") {
            None => Endpoint::Unix(text.into()),
            Some(("unix", path)) => Endpoint::Unix(path.into()),
            Some(("tcp" | "http", address)) => Endpoint::Tcp(address.trim_end_matches('/').to_owned()),
            Some(_) => Endpoint::Other(text.to_owned()),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
            Endpoint::Tcp(address) => write!(f, "tcp://{address}"),
            Endpoint::Other(address) => f.write_str(address),
        }
    }
}

/// A connection of either kind.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Endpoint {
    /// Opens a connection.
    pub(crate) async fn connect(&self, sys: &Sys) -> Result<Box<dyn Duplex>> {
        let failed = |error: std::io::Error| self.connect_error(&error);
        match self {
            Endpoint::Unix(path) => {
                // Keeps the socket open during the connect: links under another root resolve differently.
                let socket = sys.unix_socket(path).map_err(|error| self.socket_error(error))?;
                Ok(Box::new(UnixStream::connect(socket.path()).await.map_err(failed)?))
            }
            Endpoint::Tcp(_) if sys.variable("DOCKER_TLS_VERIFY").is_some_and(|value| !value.is_empty()) => {
                Err(Error::Unsupported(format!("{self}: DOCKER_TLS_VERIFY is set, but TLS is not supported")))
            }
            Endpoint::Tcp(address) => {
                let address = if address.contains(':') { address.clone() } else { format!("{address}:2375") };
                Ok(Box::new(TcpStream::connect(address).await.map_err(failed)?))
            }
            Endpoint::Other(_) => {
                Err(Error::Unsupported(format!("{self}: only unix:// and tcp:// addresses are supported")))
            }
        }
    }

    fn socket_error(&self, error: Error) -> Error {
        let what = self.to_string();
        match error {
            Error::Denied { .. } => self.connect_error(&std::io::ErrorKind::PermissionDenied.into()),
            // A missing socket of a configured address is not `Gone`: the scan would report nothing.
            Error::Gone(_) => Error::Io { what, message: "no such socket".to_owned() },
            other => other,
        }
    }

    fn connect_error(&self, error: &std::io::Error) -> Error {
        use std::io::ErrorKind;
        let what = self.to_string();
        match error.kind() {
            ErrorKind::PermissionDenied => {
                Error::Denied { what, needs: Some("write access to the runtime's socket".to_owned()) }
            }
            ErrorKind::ConnectionRefused => Error::Io { what, message: "connection refused".to_owned() },
            // The socket's queue is full.
            ErrorKind::WouldBlock => Error::Unavailable(format!("{what}: busy")),
            _ => Error::Io { what, message: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use indago_table::{ColumnConstraint, Constraints, RowStream, Scalar, ScanContext};

    use super::*;
    use crate::docker_images::DockerImage;

    #[test]
    fn addresses_are_read_as_they_are_written_in_settings_and_variables() {
        for (text, kind, endpoint) in [
            ("unix:///var/run/docker.sock", Kind::Docker, Endpoint::Unix("/var/run/docker.sock".into())),
            ("/run/podman/podman.sock", Kind::Docker, Endpoint::Unix("/run/podman/podman.sock".into())),
            (
                "/run/k3s/containerd/containerd.sock",
                Kind::Containerd,
                Endpoint::Unix("/run/k3s/containerd/containerd.sock".into()),
            ),
            ("containerd:/tmp/cd.sock", Kind::Containerd, Endpoint::Unix("/tmp/cd.sock".into())),
            ("docker:unix:///run/containerd.sock", Kind::Docker, Endpoint::Unix("/run/containerd.sock".into())),
            ("tcp://10.0.0.1:2375/", Kind::Docker, Endpoint::Tcp("10.0.0.1:2375".into())),
            ("ssh://me@host", Kind::Docker, Endpoint::Other("ssh://me@host".into())),
        ] {
            assert_eq!(text.parse(), Ok(Runtime { kind, endpoint }), "{text}");
        }
    }

    #[test]
    fn a_socket_that_may_not_be_opened_is_denied_and_says_what_is_needed() {
        let endpoint = Endpoint::Unix("/run/docker.sock".into());
        let error = endpoint.connect_error(&std::io::ErrorKind::PermissionDenied.into());
        assert!(matches!(&error, Error::Denied { needs: Some(_), .. }), "{error}");
    }

    #[test]
    fn a_machine_without_sockets_has_no_runtimes() {
        let root = tempfile::tempdir().expect("a directory");
        let env = Containers::discover(&Sys::at(root.path()));
        assert_eq!(env.runtimes(), []);
    }

    #[test]
    fn an_endpoint_that_a_query_names_and_that_is_not_there_is_said() {
        let env = Containers::with_runtimes(&Sys::live(), vec![Runtime::docker("/a.sock"), Runtime::docker("/c.sock")]);
        let endpoint = DockerImage::ENDPOINT.position();
        let keys = ["unix:///a.sock", "unix:///b.sock"].map(|name| Scalar::Text(name.to_owned()));
        let asked = ColumnConstraint { keys: Some(Arc::new(keys.into())), ..ColumnConstraint::default() };
        let constraints = Arc::new(Constraints([(endpoint, asked)].into()));
        let scan = |joined: &[usize]| {
            let context = ScanContext { joined: joined.into(), ..ScanContext::new([endpoint]) };
            Scan::<DockerImage>::new(ScanContext { constraints: constraints.clone(), ..context }, &env)
        };
        for (scan, expected) in [
            (
                scan(&[]),
                "docker_images (endpoint=unix:///b.sock): no engine with Docker's API at this address is configured; \
                         there are: unix:///a.sock, unix:///c.sock",
            ),
            (scan(&[endpoint]), ""),
        ] {
            assert_eq!(DockerImage::parts(&scan), Ok(vec![Runtime::docker("/a.sock")]));
            let told: Vec<_> = scan.context().query.diagnostics().warnings().iter().map(ToString::to_string).collect();
            assert_eq!(told.join("\n"), expected);
        }
    }

    #[test]
    fn sockets_are_found_once_and_plain_files_are_not_taken_for_sockets() {
        let root = tempfile::tempdir().expect("a directory");
        for folder in ["run/podman", "run/containerd", "var"] {
            std::fs::create_dir_all(root.path().join(folder)).expect("a directory");
        }
        std::os::unix::fs::symlink("../run", root.path().join("var/run")).expect("a link");
        std::os::unix::fs::symlink("podman/podman.sock", root.path().join("run/docker.sock")).expect("a link");
        let _socket =
            std::os::unix::net::UnixListener::bind(root.path().join("run/podman/podman.sock")).expect("a socket");
        std::fs::write(root.path().join("run/containerd/containerd.sock"), "").expect("a file");
        let env = Containers::discover(&Sys::at(root.path()));
        assert_eq!(env.runtimes(), [Runtime::docker("/var/run/docker.sock")]);
    }

    #[test]
    fn a_socket_of_another_user_is_not_asked_unless_it_is_named() {
        use std::os::unix::fs::MetadataExt;
        use std::os::unix::net::UnixListener;

        let root = tempfile::tempdir().expect("a directory");
        let (own, home) = ("/run/user/7/podman/podman.sock", "/home/u/.docker/run/docker.sock");
        let mut sockets = Vec::new();
        for path in [own, home] {
            let path = root.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            sockets.push(UnixListener::bind(path).expect("a socket"));
        }
        let variables = [("XDG_RUNTIME_DIR", "/run/user/7"), ("HOME", "/home/u")];
        let sys = Sys::at(root.path()).with_variables(variables);
        let env = Containers::discover(&sys);
        let owner = i64::from(root.path().metadata().expect("our own directory").uid());
        assert_eq!(env.found(owner).runtimes, [own, home].map(Runtime::docker));
        assert_eq!(env.found(owner).foreign, []);
        let found = env.found(owner + 1);
        assert_eq!((found.runtimes, found.foreign.len()), (vec![], 2));
        assert!(found.foreign.iter().all(|(_, of)| *of == owner));
        let named = Containers::discover(&sys.with_variables([("DOCKER_HOST", format!("unix://{own}"))]));
        assert_eq!(named.found(owner + 1).runtimes, [Runtime::docker(own)]);
    }

    #[tokio::test]
    async fn a_socket_under_a_root_is_found_inside_it() {
        let root = tempfile::tempdir().expect("a directory");
        for folder in ["run", "var", "outside"] {
            std::fs::create_dir(root.path().join(folder)).expect("a directory");
        }
        std::os::unix::fs::symlink("/run", root.path().join("var/run")).expect("a link");
        let inside = std::os::unix::net::UnixListener::bind(root.path().join("run/docker.sock")).expect("a socket");
        let sys = Sys::at(root.path());
        assert_eq!(Containers::discover(&sys).runtimes(), [Runtime::docker("/var/run/docker.sock")]);
        Runtime::docker("/var/run/docker.sock").endpoint.connect(&sys).await.map(drop).expect("it listens");
        inside.accept().expect("it was called");
        // A socket that exists for this process but not under the root.
        let outside = root.path().join("outside/docker.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&outside).expect("a socket");
        std::os::unix::fs::symlink(&outside, root.path().join("run/link.sock")).expect("a link");
        let error = Runtime::docker("/run/link.sock").endpoint.connect(&sys).await.map(drop);
        assert!(matches!(&error, Err(Error::Io { message, .. }) if message == "no such socket"), "{error:?}");
        std::fs::write(root.path().join("run/file.sock"), "").expect("a file");
        let error = Runtime::docker("/run/file.sock").endpoint.connect(&sys).await.map(drop);
        assert!(matches!(&error, Err(Error::Malformed(message)) if message.contains("not a socket")), "{error:?}");
    }
}
