//! `cargo xtask demo-estate`: makes the estate that `indago demo` embeds, from nothing.
//!
//! Starts the beds (a cluster, AWS), puts a small company and its intruder into them (`crates/testkit/estate/`), lets Indago
//! capture it all, and leaves the Parquet files in `crates/indago/estate/`.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::beds::Beds;

pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the workspace is above this crate")?;
    cargo(root, &["build", "--quiet", "--workspace", "--bin", "beds"])?;
    cargo(root, &["build", "--quiet", "--workspace", "--bin", "indago"])?;
    let this = std::env::current_exe().context("cannot find this program")?;
    let programs = this.parent().context("this program is in a folder")?;
    let work = std::env::temp_dir().join(format!("indago-estate-{}", std::process::id()));
    std::fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let beds = Beds::up(&programs.join("beds"), &["cluster", "moto"], "AWS_SECRET_ACCESS_KEY")?;
    let script = |name: &str| {
        let mut command = Command::new("bash");
        command.arg(root.join("crates/testkit/estate").join(name)).envs(beds.environment.iter().cloned());
        command.env_remove("INDAGO_CONFIG");
        command
    };
    let made = (|| {
        done(script("seed.sh").arg(&work))?;
        done(script("capture.sh").arg(programs.join("indago")).arg(&work).arg(root.join("crates/indago/estate")))
    })();
    // What the seed left running: the intruder's two ends.
    for pid in std::fs::read_to_string(work.join("pids")).unwrap_or_default().split_whitespace() {
        Command::new("kill").arg(pid).stderr(Stdio::null()).status().ok();
    }
    drop(beds);
    std::fs::remove_dir_all(&work).ok();
    made
}

fn cargo(root: &Path, args: &[&str]) -> Result<()> {
    done(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(args).current_dir(root))
}

fn done(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
