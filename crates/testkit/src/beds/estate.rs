//! A small company on real beds, with an intruder. `indago demo` shows a capture of it; the forensic queries run on it
//! live.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::beds::{Cluster, Moto};
use crate::error::{Context, Result};
use crate::{cache, install};

const SCRIPTS: &[(&str, &str)] = &[
    ("seed.sh", include_str!("../../estate/seed.sh")),
    ("capture.sh", include_str!("../../estate/capture.sh")),
    ("repositories.sh", include_str!("../../estate/repositories.sh")),
    ("images.py", include_str!("../../estate/images.py")),
    ("aws.py", include_str!("../../estate/aws.py")),
    ("workloads.py", include_str!("../../estate/workloads.py")),
];

/// A cluster with a dozen workloads, two AWS accounts, and two git repositories. The intrusion: a shell in a web
/// container, an over-privileged service account, a node's role that can pass a stronger one, and the commit that
/// introduced it.
#[derive(Debug)]
pub struct Estate {
    folder: TempDir,
    // Kept for their drops, which stop them.
    cluster: Cluster,
    moto: Moto,
}

impl Estate {
    /// Starts the beds, creates the company in them, and starts the intruder; about two minutes.
    pub fn start() -> Result<Estate> {
        let cluster = Cluster::start()?;
        let moto = Moto::start()?;
        cluster.wait_ready()?;
        let folder = tempfile::Builder::new().prefix("indago-estate-").tempdir();
        let folder = folder.context(|| "cannot create a temporary directory".to_owned())?;
        for (name, text) in SCRIPTS {
            install::write(&folder.path().join(name), text)?;
        }
        let estate = Estate { folder, cluster, moto };
        install::run(&mut estate.script("seed.sh"))?;
        Ok(estate)
    }

    /// A program on a machine that sees the entire estate: its environment has the configuration of Indago, and the
    /// repositories are under `/srv`, in a separate mount namespace.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(self.live());
        command.arg(program.as_ref()).envs(self.environment());
        command
    }

    /// A program that runs its arguments as [`command`](Self::command) does. It needs the
    /// [`environment`](Self::environment).
    pub fn live(&self) -> PathBuf {
        self.folder.path().join("live")
    }

    /// Captures the estate with a build of Indago into Parquet files in a directory, replacing existing ones.
    pub fn capture(&self, indago: &Path, folder: &Path) -> Result<()> {
        install::run(self.script("capture.sh").arg(indago).arg(folder))
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new("bash");
        command.arg(self.folder.path().join(name)).arg(self.folder.path()).envs(self.environment());
        command.env_remove("INDAGO_CONFIG");
        command
    }

    /// Environment variables with the addresses of the beds.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut all = self.moto.env();
        let path = |path: PathBuf| path.display().to_string();
        all.extend([
            ("KUBECONFIG".to_owned(), path(self.cluster.kubeconfig("admin"))),
            ("CONTAINERD_ADDRESS".to_owned(), path(self.cluster.containerd_socket())),
            ("INDAGO_CLUSTER_PID".to_owned(), self.cluster.namespace_pid().to_string()),
        ]);
        if let Ok(beds) = cache::beds() {
            all.push(("INDAGO_BEDS".to_owned(), path(beds)));
        }
        all
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        // Processes that the seed left running: the intruder's two ends.
        let pids = std::fs::read_to_string(self.folder.path().join("pids")).unwrap_or_default();
        for pid in pids.split_whitespace() {
            Command::new("kill").arg(pid).stderr(Stdio::null()).status().ok();
        }
    }
}
