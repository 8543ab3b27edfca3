//! `apparmor_profiles`: one row per profile of AppArmor in the kernel.

use indago_table::prelude::*;

use crate::source::sysfs::{Object, names};

/// Profiles of AppArmor in the running kernel.
#[derive(Debug, Default, Table)]
#[table(name = "apparmor_profiles", platforms("linux"), rows = 50, needs("root"), identity(path))]
#[example("Profiles that only report.", "SELECT name, attach FROM apparmor_profiles WHERE mode = 'complain'")]
pub struct ApparmorProfile {
    /// Directory of the profile below `policy` in the file system of AppArmor.
    #[column(index)]
    path: String,
    /// Name of the profile.
    name: Option<String>,
    /// Pattern of the programs that it applies to.
    attach: Option<String>,
    /// `enforce`, `complain`, `kill` or `unconfined`.
    mode: Option<String>,
    /// SHA-1 of the compiled profile; NULL on kernels that compute only SHA-256.
    #[column(collate = nocase)]
    sha1: Option<String>,
    /// SHA-256 of the compiled profile; NULL on kernels before 6.9.
    #[column(collate = nocase)]
    sha256: Option<String>,
}

const ROOT: &str = "/sys/kernel/security/apparmor/policy";

/// Most levels of profiles inside others.
const DEPTH: usize = 8;

impl Rows for ApparmorProfile {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        if !sys.exists(ROOT) {
            return Err(sys.absent(format!("AppArmor is not in use ({ROOT} is missing)")));
        }
        let wanted = scan.keys(Self::PATH);
        let mut paths = Vec::new();
        profiles(scan, "profiles", DEPTH, &mut paths);
        paths.retain(|path| wanted.as_ref().is_none_or(|wanted| wanted.contains(path)));
        Ok(paths.into_iter().map(move |path| {
            let report = |origin: &str, error: &Error| scan.report(origin, error);
            let object = Object { sys, path: format!("{ROOT}/{path}"), report: &report };
            ApparmorProfile {
                name: object.text("name"),
                attach: object.text("attach"),
                mode: object.text("mode"),
                sha1: object.text("sha1"),
                sha256: object.text("sha256"),
                path,
            }
        }))
    }
}

/// Profiles in a directory, each followed by those inside it.
fn profiles(scan: &Scan<ApparmorProfile>, folder: &str, depth: usize, paths: &mut Vec<String>) {
    let found = names(scan.sys(), &format!("{ROOT}/{folder}")).needs("root").unwrap_or_else(|error| {
        scan.report("profiles", &error);
        Vec::new()
    });
    for name in found {
        let path = format!("{folder}/{name}");
        let inner = format!("{path}/profiles");
        paths.push(path);
        if depth > 0 {
            profiles(scan, &inner, depth - 1, paths);
        }
    }
}
