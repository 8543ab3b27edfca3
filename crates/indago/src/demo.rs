//! The demo estate: a small company's systems, captured by Indago itself, in which an intruder's trail lies.

use indago_engine::Engine;
use indago_store::Store;
use indago_tables_registry::{self as registry, Environments};

use crate::open::OpenError;

/// One of the forensic queries.
#[derive(Debug, Clone, Copy)]
pub struct DemoQuery {
    /// Name of its file, without `.sql`.
    pub name: &'static str,
    /// The file: a comment header with the question, then the SQL.
    pub text: &'static str,
}

macro_rules! queries {
    ($($name:literal),* $(,)?) => {
        &[$(DemoQuery { name: $name, text: include_str!(concat!("../../../queries/forensics/", $name, ".sql")) }),*]
    };
}

/// The forensic queries, in the order in which the trail is followed.
pub fn demo_queries() -> &'static [DemoQuery] {
    queries![
        "01_shells_in_containers",
        "02_process_trail",
        "03_pod_reach",
        "04_risky_bindings",
        "05_node_identity",
        "06_role_escalation",
        "07_planted_commit",
        "08_blast_radius",
    ]
}

/// The captured tables of the estate, by file name.
static ESTATE: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/estate.rs"));

/// An engine over the demo estate.
pub async fn demo_engine() -> Result<Engine, OpenError> {
    let known = registry::all(&Environments::of(&indago_table::Sys::live()));
    let store = Store::embedded(ESTATE, &known)?;
    Ok(Engine::builder().tables(store.into_tables()).build().await?)
}

impl DemoQuery {
    /// The question that it answers: the comment header's `about`.
    pub fn about(&self) -> String {
        let header = self.text.lines().take_while(|line| line.starts_with("--"));
        let lines = header.filter_map(|line| line.trim_start_matches('-').trim().strip_prefix("about:"));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// The SQL without its header.
    pub fn sql(&self) -> &'static str {
        let mut rest = self.text;
        while let Some(line) = rest.lines().next() {
            if !line.starts_with("--") && !line.trim().is_empty() {
                break;
            }
            rest = &rest[(line.len() + 1).min(rest.len())..];
        }
        rest.trim()
    }
}
