//! Measures beside the peers, in one run on one machine: medians and their ratios.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{cargo, output, root};

/// Counted runs of each command, after one that is not.
const RUNS: usize = 9;
/// Processes that the process listings see.
const PROCESSES: usize = 2000;
/// Commits of the repository that is read.
const COMMITS: usize = 50_000;

/// A command, and who it stands for.
struct Contender {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
}

pub(crate) fn run_all(binary: &Path, scratch: &Path) -> Result<()> {
    let indago = |sql: &str| Contender {
        name: "indago",
        program: binary.to_owned(),
        arguments: ["query", "--format", "csv", sql].map(str::to_owned).into(),
    };
    let peer = |name, program: &str, arguments: &[&str]| Contender {
        name,
        program: program.into(),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
    };

    measure("SELECT 1, as a whole process", &[indago("SELECT 1")])?;
    println!("    peak memory: {}", peak_memory(binary, "SELECT 1")?);

    let sleepers = Sleepers::start(PROCESSES)?;
    let psutil = "import psutil\nfor p in psutil.process_iter(['pid','name','ppid','status','uids','memory_info']): print(p.info)";
    let python = python_with(scratch, "psutil");
    let mut contenders = vec![
        indago("SELECT pid, name, parent, state, uid, resident_size FROM processes"),
        peer("ps", "ps", &["-eo", "pid,comm,ppid,stat,uid,rss"]),
    ];
    match &python {
        Ok(python) => contenders.push(peer("psutil", &python.display().to_string(), &["-c", psutil])),
        Err(error) => println!("    psutil is missing: {error:#}"),
    }
    measure(&format!("six columns of {PROCESSES} processes"), &contenders)?;
    drop(sleepers);

    let repository = scratch.join("big.git");
    let repository_text = repository.display().to_string();
    if !repository.is_dir() {
        make_repository(&repository)?;
    }
    let count = format!("SELECT count(*) FROM git_commits WHERE repo = '{repository_text}'");
    let rev_list = peer("git rev-list", "git", &["-C", &repository_text, "rev-list", "--count", "--all"]);
    measure(&format!("count of {COMMITS} commits"), &[indago(&count), rev_list])?;
    let fields = format!("SELECT hash, author_email, message FROM git_commits WHERE repo = '{repository_text}'");
    let log = peer("git log", "git", &["-C", &repository_text, "log", "--all", "--format=%H,%ae,%B"]);
    measure(&format!("three fields of {COMMITS} commits"), &[indago(&fields), log])?;
    Ok(())
}

pub(crate) fn run() -> Result<()> {
    crate::run("release build", cargo().args(["build", "--release", "--workspace", "--bin", "indago"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let scratch = target.join("compare");
    std::fs::create_dir_all(&scratch)?;
    run_all(&target.join("release/indago"), &scratch)
}

/// Runs the contenders in turn and prints medians, and the others' ratios to the first.
fn measure(what: &str, contenders: &[Contender]) -> Result<()> {
    println!("{what}");
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for round in 0..=RUNS {
        for (contender, seconds) in contenders.iter().zip(&mut seconds) {
            let started = Instant::now();
            let status = Command::new(&contender.program)
                .args(&contender.arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .with_context(|| format!("{} is not installed", contender.name))?;
            anyhow::ensure!(status.success(), "{} failed: {status}", contender.name);
            if round > 0 {
                seconds.push(started.elapsed().as_secs_f64());
            }
        }
    }
    let medians: Vec<f64> = seconds.iter_mut().map(|seconds| median(seconds)).collect();
    for (contender, seconds) in contenders.iter().zip(&medians) {
        println!(
            "    {:14} {:8.1} ms   indago takes {:.2} of it",
            contender.name,
            seconds * 1000.0,
            medians[0] / seconds
        );
    }
    Ok(())
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn peak_memory(binary: &Path, sql: &str) -> Result<String> {
    let run = Command::new("/usr/bin/time")
        .args(["-f", "%M"])
        .arg(binary)
        .args(["query", sql])
        .output()
        .context("/usr/bin/time is not installed (apt-get install time)")?;
    let text = String::from_utf8_lossy(&run.stderr);
    let kilobytes: f64 = text.trim().lines().last().unwrap_or_default().parse().context("time prints kilobytes")?;
    Ok(format!("{:.0} MB", kilobytes / 1024.0))
}

/// Idle processes to list.
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
            // One that has ended already needs no signal.
            sleeper.kill().ok();
            sleeper.wait().ok();
        }
    }
}

/// A Python that has a package.
fn python_with(scratch: &Path, package: &str) -> Result<PathBuf> {
    let venv = scratch.join("venv");
    let python = venv.join("bin/python");
    if !python.is_file() {
        output(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    output(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]))?;
    Ok(python)
}

fn make_repository(path: &Path) -> Result<()> {
    let text = cargo()
        .args(["run", "--quiet", "--bin", "beds", "--", "git"])
        .arg(path.with_extension("beds"))
        .arg(COMMITS.to_string())
        .output();
    let made = text.context("the beds program")?;
    anyhow::ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let big = path.with_extension("beds").join("big");
    crate::run("repack", Command::new("git").args(["clone", "--quiet", "--bare"]).arg(&big).arg(path))
}
