//! Installs the programs that the beds need and that a fresh Debian lacks.
//!
//! Every step does nothing if its result exists, holds a lock (tests run in parallel), and prints on standard error
//! what it does and how long it took.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use crate::cache::{self, Lock};
use crate::error::{Context, Error, Result};

/// Directory of etcd and the Kubernetes programs.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /// Contains the programs under their usual names.
    pub folder: PathBuf,
}

/// Programs for an API server alone.
pub(crate) const API_PROGRAMS: &[&str] = &["etcd", "kube-apiserver"];
/// Programs for a complete cluster.
pub(crate) const CLUSTER_PROGRAMS: &[&str] =
    &["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"];

const BUILD_KUBERNETES: &str = include_str!("../beds/build-kubernetes.sh");
const PKI: &str = include_str!("../beds/pki.sh");
const RUNC: &str = include_str!("../beds/runc-nores");
const BUSYBOX_IMAGE: &str = include_str!("../beds/busybox_image.py");

/// Installs the Debian packages that are missing.
pub fn apt(packages: &[&str]) -> Result<()> {
    if missing(packages).is_empty() {
        return Ok(());
    }
    let _lock = Lock::take("apt")?;
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    step(&format!("apt-get install {}", missing.join(" ")), || {
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        run(Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive"))?;
        Ok(())
    })
}

fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let installed = |package: &str| {
        let output = Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]).output();
        output.is_ok_and(|output| output.status.success() && output.stdout == b"installed")
    };
    packages.iter().copied().filter(|package| !installed(package)).collect()
}

/// Unpacks the libraries among the modules of Debian's signed kernel for clouds, once. Returns a directory with
/// `lib/modules/RELEASE`.
pub fn kernel_modules() -> Result<PathBuf> {
    let folder = cache::beds()?.join("kernel-modules");
    if folder.join("lib").exists() {
        return Ok(folder);
    }
    apt(&["kmod", "xz-utils"])?;
    let _lock = Lock::take("kernel-modules")?;
    if !folder.join("lib").exists() {
        step("apt-get download of Debian's kernel (27 MB)", || {
            run(Command::new("bash").args(["-c", KERNEL_MODULES, "-"]).arg(&folder))
        })?;
    }
    Ok(folder)
}

/// The newest kernel for clouds; a rename at the end makes the result complete.
const KERNEL_MODULES: &str = "set -euo pipefail
    work=$(mktemp -d)
    cd \"$work\"
    apt-get update -qq
    apt-get download -qq \"$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -n 1)\"
    dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards './lib/modules/*/kernel/lib/*' './lib/modules/*/modules.*'
    mkdir -p \"$1\"
    mv lib \"$1/lib.partial\"
    mv \"$1/lib.partial\" \"$1/lib\"
    rm -r \"$work\"";

/// Installs moto's server and boto3 in a virtual environment; returns the environment's directory.
pub fn moto() -> Result<PathBuf> {
    python("moto", "bin/moto_server", &["moto[server]>=5.1,<6", "boto3"])
}

/// Installs DuckDB and `deltalake` for Python in a virtual environment; returns the environment's directory.
pub fn lake() -> Result<PathBuf> {
    python("lake", INSTALLED, &["duckdb==2.0.1", "deltalake==1.6.6"])
}

/// A file that a virtual environment has when all of its packages are installed.
const INSTALLED: &str = "installed";

/// Installs packages for Python in a virtual environment with this name, unless the file `done` is in it.
fn python(name: &str, done: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = cache::beds()?.join(name);
    let done = folder.join(done);
    if done.exists() {
        return Ok(folder);
    }
    apt(&["python3-venv", "curl"])?;
    let _lock = Lock::take(name)?;
    if !done.exists() {
        step(&format!("pip install {}", packages.join(" ")), || {
            run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
            run(Command::new(folder.join("bin/pip")).args(["install", "-q"]).args(packages))?;
            write(&folder.join(INSTALLED), "")
        })?;
    }
    Ok(folder)
}

/// Installs etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubelet.
///
/// They come from `KUBEBUILDER_ASSETS` if that is set, else from a build of Debian's source package, once: about 11
/// minutes.
pub fn kubernetes() -> Result<Kubernetes> {
    kubernetes_programs(CLUSTER_PROGRAMS)
}

pub(crate) fn kubernetes_programs(programs: &[&str]) -> Result<Kubernetes> {
    tools()?;
    if let Some(folder) = env::var_os("KUBEBUILDER_ASSETS") {
        let folder = PathBuf::from(folder);
        return match absent(&folder, programs) {
            None => Ok(Kubernetes { folder }),
            Some(missing) => Err(Error::Missing { folder, missing }),
        };
    }
    let dest = cache::beds()?.join("k8sdeb");
    let folder = dest.join("bin");
    if absent(&folder, programs).is_some() {
        let _lock = Lock::take("kubernetes")?;
        if absent(&folder, CLUSTER_PROGRAMS).is_some() {
            apt(&["golang-1.19-go", "dpkg-dev"])?;
            step("building Kubernetes from Debian's source", || {
                let script = cache::beds()?.join("build-kubernetes.sh");
                write(&script, BUILD_KUBERNETES)?;
                run(Command::new("nice").arg("bash").arg(&script).arg(&dest))
            })?;
        }
    }
    match absent(&folder, programs) {
        None => Ok(Kubernetes { folder }),
        Some(missing) => Err(Error::Missing { folder, missing }),
    }
}

fn absent(folder: &Path, programs: &[&str]) -> Option<String> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !folder.join(program).exists()).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Installs kubectl, curl and openssl.
pub fn tools() -> Result<()> {
    apt(&["curl", "openssl", "util-linux"])?;
    if which("kubectl").is_none() { apt(&["kubernetes-client"]) } else { Ok(()) }
}

/// Installs the container runtime of every engine bed: runc and its wrapper, and busybox's image.
pub(crate) fn runtime() -> Result<()> {
    apt(&["runc", "busybox-static", "jq", "iproute2", "util-linux", "curl", "python3"])?;
    let beds = cache::beds()?;
    let _lock = Lock::take("runtime")?;
    let (wrapper, image) = (beds.join("runc-nores"), beds.join("busybox.tar"));
    if fs::read(&wrapper).ok().as_deref() != Some(RUNC.as_bytes()) {
        write(&wrapper, RUNC)?;
        mode(&wrapper, 0o755)?;
    }
    let script = beds.join("busybox_image.py");
    if !image.exists() || fs::read(&script).ok().as_deref() != Some(BUSYBOX_IMAGE.as_bytes()) {
        write(&script, BUSYBOX_IMAGE)?;
        let new = image.with_extension("new");
        run(Command::new("/usr/bin/python3").arg(&script).arg(&new))?;
        fs::rename(&new, &image).context(|| format!("cannot write {}", image.display()))?;
    }
    Ok(())
}

/// Installs containerd and the network plug-ins.
pub fn containerd() -> Result<()> {
    apt(&["containerd", "containernetworking-plugins"])?;
    runtime()
}

/// Installs dockerd and its client.
pub fn docker() -> Result<()> {
    apt(&["docker.io", "containerd"])?;
    runtime()
}

/// Installs podman.
pub fn podman() -> Result<()> {
    apt(&["podman"])?;
    runtime()
}

/// Creates the certificates and tokens of all Kubernetes beds; returns their directory.
pub(crate) fn pki() -> Result<PathBuf> {
    let _lock = Lock::take("pki")?;
    let folder = cache::beds()?.join("pki");
    let script = folder.join("pki.sh");
    if !folder.join("tokens.csv").exists() || fs::read(&script).ok().as_deref() != Some(PKI.as_bytes()) {
        fs::create_dir_all(&folder).context(|| format!("cannot create {}", folder.display()))?;
        write(&script, PKI)?;
        if let Err(error) = run(Command::new("sh").arg(&script).arg(&folder)) {
            fs::remove_file(&script).ok();
            return Err(error);
        }
    }
    Ok(folder)
}

/// Installs everything, for a fresh machine.
pub fn all() -> Result<()> {
    tools()?;
    docker()?;
    podman()?;
    containerd()?;
    // Used by tests of the program itself.
    apt(&["git", "strace"])?;
    moto()?;
    kubernetes()?;
    pki()?;
    Ok(())
}

pub(crate) fn which(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Prints the step, runs one step at a time within this process, and prints how long it took.
fn step(what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    eprintln!("testkit: {what} ...");
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f32();
    match &result {
        Ok(()) => eprintln!("testkit: {what}: done in {seconds:.1} s"),
        Err(_) => eprintln!("testkit: {what}: failed after {seconds:.1} s"),
    }
    result
}

/// Runs a program to its end; an error contains its output.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    output(command).map(|_| ())
}

/// Runs a program to its end and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let words: Vec<_> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    let words = words.join(" ");
    let output = command.stdin(Stdio::null()).output().context(|| format!("cannot run {words}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    Err(Error::Command { command: words, status: output.status.to_string(), output: tail(&said, 40) })
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, content).context(|| format!("cannot write {}", path.display()))
}

pub(crate) fn mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).context(|| format!("cannot change {}", path.display()))
}
