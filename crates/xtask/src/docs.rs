//! The reference pages, which Indago itself writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{cargo, root};

/// Hand-written pages.
const BY_HAND: [&str; 1] = ["dialect.md"];

pub(crate) fn run(check: bool) -> Result<()> {
    let fresh = std::env::temp_dir().join(format!("indago-reference-{}", std::process::id()));
    let written =
        crate::run("docs", cargo().args(["run", "--quiet", "--bin", "indago", "--", "reference", "--out"]).arg(&fresh));
    let outcome = written.and_then(|()| if check { compare(&fresh) } else { replace(&fresh) });
    fs::remove_dir_all(&fresh).ok();
    outcome
}

fn reference() -> PathBuf {
    root().join("docs/reference")
}

/// All generated pages below a directory, by their relative path.
fn pages(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        if !next.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder)?.to_owned();
            if !BY_HAND.iter().any(|page| name == Path::new(page)) {
                pages.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(pages)
}

fn compare(fresh: &Path) -> Result<()> {
    let (fresh, committed) = (pages(fresh)?, pages(&reference())?);
    let names = fresh.keys().chain(committed.keys());
    let mut stale: Vec<String> =
        names.filter(|name| fresh.get(*name) != committed.get(*name)).map(|name| name.display().to_string()).collect();
    stale.sort();
    stale.dedup();
    if !stale.is_empty() {
        bail!("reference pages are out of date: {}\nrun: cargo xtask docs", stale.join(", "));
    }
    Ok(())
}

fn replace(fresh: &Path) -> Result<()> {
    for name in pages(&reference())?.keys() {
        fs::remove_file(reference().join(name))?;
    }
    for (name, text) in pages(fresh)? {
        let path = reference().join(name);
        fs::create_dir_all(path.parent().context("the page has no directory")?)?;
        fs::write(path, text)?;
    }
    Ok(())
}
