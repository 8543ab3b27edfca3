//! `beds`: installs, starts and holds test beds for users and scripts.
//!
//! `beds up NAME...` prints `export KEY=VALUE` lines, then runs until its input ends (unless that is /dev/null) or a
//! signal arrives. Then it stops all beds.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use indago_testkit::beds::generated::KubeServer;
use indago_testkit::beds::{Cluster, Containerd, Docker, Estate, KubeApi, Moto, Podman, git};
use indago_testkit::{Result, install};

const USAGE: &str = "usage: beds install
       beds up cluster|kube-api|kube-api:PODS[:NODES[:BINDINGS]]|moto|docker|podman|containerd|estate|pods:NUMBER|all ...
       beds capture INDAGO DIR
       beds git DIR [COMMITS]";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["install"] => install::all(),
        ["up", ref names @ ..] if !names.is_empty() => up(names),
        ["capture", indago, folder] => Estate::start().and_then(|bed| bed.capture(indago.as_ref(), folder.as_ref())),
        ["git", folder] => repositories(folder, None),
        ["git", folder, commits] => repositories(folder, commits.parse().ok()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("beds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn up(names: &[&str]) -> Result<()> {
    // Signals are handled by the wait below; they must not end this process between two beds.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|source| indago_testkit::Error::Io { what: "cannot wait for signals".into(), source })?;
    let mut held: Vec<Box<dyn std::any::Any>> = Vec::new();
    let all = ["cluster", "moto", "docker", "podman", "containerd"];
    let names: Vec<&str> =
        names.iter().flat_map(|name| if *name == "all" { all.to_vec() } else { vec![*name] }).collect();
    for name in names {
        match name {
            "cluster" => {
                let bed = Cluster::start()?;
                bed.wait_ready()?;
                export("KUBECONFIG", bed.kubeconfig("admin").display());
                export("CONTAINERD_ADDRESS", bed.containerd_socket().display());
                export("INDAGO_CLUSTER_PID", bed.namespace_pid());
                held.push(Box::new(bed));
            }
            "estate" => {
                let bed = Estate::start()?;
                for (key, value) in bed.environment() {
                    export(&key, value);
                }
                export("INDAGO_LIVE", bed.live().display());
                held.push(Box::new(bed));
            }
            "kube-api" => {
                let bed = KubeApi::start()?;
                export("KUBECONFIG", bed.kubeconfig_all().display());
                held.push(Box::new(bed));
            }
            "moto" => {
                let bed = Moto::start()?;
                for (key, value) in bed.env() {
                    export(&key, value);
                }
                held.push(Box::new(bed));
            }
            "docker" => {
                let bed = Docker::start()?;
                export("DOCKER_HOST", format_args!("unix://{}", bed.socket().display()));
                held.push(Box::new(bed));
            }
            "podman" => {
                let bed = Podman::start()?;
                export("CONTAINER_HOST", format_args!("unix://{}", bed.socket().display()));
                held.push(Box::new(bed));
            }
            "containerd" => {
                let bed = Containerd::start()?;
                export("CONTAINERD_ADDRESS", bed.socket().display());
                held.push(Box::new(bed));
            }
            other => match other.split_once(':') {
                Some(("pods", pods)) => {
                    let pods = number(pods)?;
                    let bed = KubeServer::start(pods)?;
                    export("KUBECONFIG", bed.kubeconfig().display());
                    export("KUBE_SERVER", bed.url());
                    held.push(Box::new(bed));
                }
                Some(("kube-api", numbers)) => {
                    let numbers: Vec<&str> = numbers.split(':').collect();
                    let at = |position: usize, default: &'static str| number(numbers.get(position).unwrap_or(&default));
                    let (pods, nodes, bindings) = (at(0, "")?, at(1, "50")?, at(2, "0")?);
                    let bed = KubeApi::start()?;
                    bed.load(pods, nodes, bindings)?;
                    export("KUBECONFIG", bed.kubeconfig("admin").display());
                    export("KUBE_TOKEN", bed.token("admin"));
                    export("KUBE_CA", bed.ca().display());
                    export("KUBE_SERVER", bed.url());
                    held.push(Box::new(bed));
                }
                _ => return Err(indago_testkit::Error::Other(format!("there is no bed `{other}`\n{USAGE}"))),
            },
        }
    }
    eprintln!("beds: up; end of input, SIGINT or SIGTERM stops them");
    runtime.block_on(wait());
    drop(held);
    Ok(())
}

fn number(text: &str) -> Result<usize> {
    text.parse().map_err(|_| indago_testkit::Error::Other(format!("`{text}` is not a number\n{USAGE}")))
}

fn export(key: &str, value: impl std::fmt::Display) {
    let value = value.to_string().replace('\'', r"'\''");
    let mut out = io::stdout().lock();
    // A failed write is ignored: the beds run until they are told to stop, even if the reader is gone.
    writeln!(out, "export {key}='{value}'").and_then(|()| out.flush()).ok();
}

async fn wait() {
    use tokio::signal::unix::{SignalKind, signal};
    let (ended, input) = tokio::sync::oneshot::channel();
    // A script's background job has /dev/null as input: its end means nothing, and the channel stays open.
    let null = std::fs::read_link("/proc/self/fd/0").is_ok_and(|file| file == std::path::Path::new("/dev/null"));
    #[expect(clippy::disallowed_methods, reason = "the thread ends when the beds are told to stop")]
    std::thread::spawn(move || {
        if null {
            loop {
                std::thread::park();
            }
        }
        let mut rest = Vec::new();
        io::stdin().read_to_end(&mut rest).ok();
        ended.send(()).ok();
    });
    let (mut interrupt, mut terminate) = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        _ => return,
    };
    tokio::select! {
        _ = input => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn repositories(folder: &str, commits: Option<usize>) -> Result<()> {
    let repositories = git::Repositories::at(folder.as_ref())?;
    if let Some(commits) = commits {
        git::big(&repositories.root().join("big"), commits)?;
    }
    println!("{}", repositories.root().display());
    Ok(())
}
