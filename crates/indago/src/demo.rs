//! The demo estate: captured tables of a small company's systems, after a break-in.

use std::path::Path;

use indago_engine::Engine;
use indago_packs::{PackError, PackQuery};
use indago_store::Store;
use indago_tables_registry::{self as registry, Environments};

use crate::open::OpenError;

macro_rules! queries {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../queries/forensics/", $name, ".sql")))),*]
    };
}

/// The forensic queries, in the order of the investigation.
pub fn demo_queries() -> Result<Vec<PackQuery>, PackError> {
    let files: &[(&str, &str)] = queries![
        "01_shells_in_containers",
        "02_process_trail",
        "03_pod_reach",
        "04_risky_bindings",
        "05_node_identity",
        "06_role_escalation",
        "07_planted_commit",
        "08_blast_radius",
    ];
    files.iter().map(|(name, text)| PackQuery::from_sql(Path::new(name), text)).collect()
}

/// The captured tables, by file name.
static ESTATE: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/estate.rs"));

/// An engine over the demo estate.
pub async fn demo_engine() -> Result<Engine, OpenError> {
    let known = registry::all(&Environments::of(&indago_table::Sys::live()));
    let store = Store::embedded(ESTATE, &known)?;
    Ok(Engine::builder().tables(store.into_tables()).build().await?)
}
