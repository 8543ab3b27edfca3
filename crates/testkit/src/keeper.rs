//! Starts a bed's script and owns it.
//!
//! Each bed is a shell script under `beds/`, with `keeper.sh` prepended. Only this process can write to the pipe that
//! is the script's standard input. When the [`Keeper`] is dropped or this process ends in any way, the script gets end
//! of input, kills the processes that it started, and removes the bed's directory. (`PR_SET_PDEATHSIG` would not work:
//! it fires when the *thread* that started the child ends, and a test's thread ends before a shared bed does.)

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cache;
use crate::error::{Context, Error, Result};
use crate::install;

const KEEPER: &str = include_str!("../beds/keeper.sh");

/// The bed to start.
pub(crate) struct Plan {
    /// Name of the bed in messages and directories.
    pub(crate) bed: &'static str,
    /// The bed's script, without `keeper.sh`.
    pub(crate) script: &'static str,
    /// Files to write to the bed's directory.
    pub(crate) files: Vec<(String, String)>,
    /// Environment of the script.
    pub(crate) env: Vec<(String, String)>,
}

/// A running bed: its directory, its script, and the script's output.
#[derive(Debug)]
pub(crate) struct Keeper {
    bed: &'static str,
    folder: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
    said: BTreeMap<String, String>,
}

impl Keeper {
    /// Starts the bed and waits until it is ready.
    pub(crate) fn start(plan: Plan) -> Result<Keeper> {
        let start = Instant::now();
        let (name, folder) = new_folder(plan.bed)?;
        install::write(&folder.join("run.sh"), format!("{KEEPER}\n{}", plan.script))?;
        for (file, content) in &plan.files {
            let path = folder.join(file);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).context(|| format!("cannot create {}", parent.display()))?;
            }
            install::write(&path, content)?;
        }
        let mut child = Command::new("bash")
            .arg(folder.join("run.sh"))
            .env("BED", &folder)
            .env("BED_NAME", &name)
            .env("CACHE", cache::beds()?)
            .env_remove("KUBECONFIG")
            .env_remove("DOCKER_HOST")
            .envs(plan.env)
            .current_dir(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context(|| "cannot run bash".to_owned())?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut keeper = Keeper { bed: plan.bed, folder, child, stdin, said: BTreeMap::new() };
        for line in BufReader::new(stdout).lines() {
            let line = line.context(|| "cannot read the bed's output".to_owned())?;
            if line == "ready" {
                tracing::debug!(bed = plan.bed, seconds = start.elapsed().as_secs_f32(), "bed ready");
                return Ok(keeper);
            } else if let Some(reason) = line.strip_prefix("error ") {
                return Err(keeper.failure(reason));
            } else if let Some((key, value)) = line.split_once('=') {
                keeper.said.insert(key.to_owned(), value.to_owned());
            }
        }
        Err(keeper.failure("its script ended"))
    }

    /// Starts the bed on free ports, and retries if another program takes one of them first.
    pub(crate) fn on_ports(
        names: &[&str],
        plan: impl Fn(&BTreeMap<String, u16>) -> Plan,
    ) -> Result<(Keeper, BTreeMap<String, u16>)> {
        let mut tries = 3;
        loop {
            let ports = free_ports(names)?;
            let mut plan = plan(&ports);
            plan.env.extend(ports.iter().map(|(name, port)| (name.clone(), port.to_string())));
            tries -= 1;
            match Keeper::start(plan) {
                Err(Error::Start { logs, .. }) if tries > 0 && logs.contains("ddress already in use") => {}
                result => return result.map(|keeper| (keeper, ports)),
            }
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// A program to run inside the bed's namespaces.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.said.get("NS_PID").expect("only beds with namespaces have commands");
        command.args(["-t", pid, "-n", "-m", "-C", "--"]).arg(program);
        command
    }

    /// The process that holds the bed's namespaces.
    pub(crate) fn namespace_pid(&self) -> u32 {
        self.said.get("NS_PID").and_then(|pid| pid.parse().ok()).expect("only beds with namespaces have this process")
    }

    fn failure(&self, reason: &str) -> Error {
        let mut logs = String::new();
        let mut files: Vec<PathBuf> = fs::read_dir(&self.folder)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "log"));
        files.sort();
        for file in files {
            let text = fs::read(&file).unwrap_or_default();
            let text = install::tail(&String::from_utf8_lossy(&text), 12);
            logs += &format!("--- {}\n{text}\n", file.file_name().unwrap_or_default().to_string_lossy());
        }
        Error::Start { bed: self.bed, reason: reason.to_owned(), logs }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            match self.child.try_wait() {
                Ok(Some(_)) => return,
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Err(_) => break,
            }
        }
        eprintln!("testkit: bed {} does not stop; see {}", self.bed, self.folder.display());
    }
}

fn new_folder(bed: &str) -> Result<(String, PathBuf)> {
    let run = cache::beds()?.join("run");
    fs::create_dir_all(&run).context(|| format!("cannot create {}", run.display()))?;
    // Paths of unix sockets are limited to 107 bytes, so names are short.
    let folder = tempfile::Builder::new().prefix(&format!("{bed}-")).rand_bytes(6).tempdir_in(&run);
    let folder = folder.context(|| format!("cannot create a directory in {}", run.display()))?.keep();
    let name = folder.file_name().expect("a new directory has a name").to_string_lossy().into_owned();
    install::mode(&folder, 0o755)?;
    Ok((name, folder))
}

/// Free loopback ports, never the same port twice in one process.
fn free_ports(names: &[&str]) -> Result<BTreeMap<String, u16>> {
    static USED: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
    let used = used.get_or_insert_default();
    let mut ports = BTreeMap::new();
    for name in names {
        let port = loop {
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(|| "cannot find a free port".to_owned())?;
            let port = listener.local_addr().context(|| "cannot find a free port".to_owned())?.port();
            if used.insert(port) {
                break port;
            }
        };
        ports.insert((*name).to_owned(), port);
    }
    Ok(ports)
}
