//! Checks the evidence: the SHA-256 of files, and the chain of log entries.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::log::{LARGEST, Log, checkpoint_entry, sha256, versioned};
use super::{Archive, Snapshot};
use crate::Result;

/// Files that are checked at the same time.
const AT_ONCE: usize = 4;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Tables that were checked.
    pub tables: usize,
    /// Log entries that were checked.
    pub entries: u64,
    /// Data files that were checked.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The first break of each log's chain, and every file that is not as it was written.
    pub breaks: Vec<Break>,
}

/// An object that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The object.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

pub(super) async fn verify(archive: &Archive) -> Result<Verified> {
    let mut verified = Verified::default();
    for table in archive.tables().await? {
        let log = archive.log(&table);
        chain(&log, &mut verified).await?;
        match archive.snapshot(&table).await {
            Ok(Some(snapshot)) => files(&snapshot, &mut verified).await?,
            Ok(None) => continue,
            // The chain has a break already, or the objects that exist do not determine the state.
            Err(error @ crate::Error::Archive { .. }) => {
                let path = log.place.shown(&log.root);
                verified.breaks.push(Break { path, why: error.to_string() });
            }
            Err(error) => return Err(error),
        }
        verified.tables += 1;
    }
    Ok(verified)
}

/// Checks a log from its first entry, or from the checkpoint before which entries were cleaned up.
async fn chain(log: &Log, verified: &mut Verified) -> Result<()> {
    let mut entries: BTreeMap<u64, _> = BTreeMap::new();
    let mut checkpoints: BTreeMap<u64, _> = BTreeMap::new();
    for object in log.place.list(&log.path("_delta_log")).await? {
        let Some((version, rest)) = versioned(&object.location) else { continue };
        match rest {
            ".json" => drop(entries.insert(version, object.location.clone())),
            ".checkpoint.parquet" => drop(checkpoints.insert(version, object.location.clone())),
            _ => {}
        }
    }
    let mut expected = match entries.keys().next() {
        Some(first) => *first,
        None => return Ok(()),
    };
    let mut breaks = |path: String, why: String| verified.breaks.push(Break { path, why });
    if expected > 0 && checkpoints.range(expected..).next().is_none() {
        breaks(
            log.place.shown(&log.entry(expected - 1)),
            "the entry is missing, and no checkpoint replaces it".to_owned(),
        );
        return Ok(());
    }
    let mut previous: Option<String> = None;
    let mut hashes: BTreeMap<u64, String> = BTreeMap::new();
    let mut bytes = stream::iter(entries).map(|(version, path)| async move {
        let bytes = log.place.get(&path, LARGEST).await;
        (version, path, bytes)
    });
    let mut bytes = std::pin::pin!(bytes.by_ref().buffered(AT_ONCE));
    while let Some((version, path, bytes)) = bytes.next().await {
        let shown = log.place.shown(&path);
        let Some(bytes) = bytes? else { continue };
        if version != expected {
            breaks(log.place.shown(&log.entry(expected)), "the entry is missing".to_owned());
            return Ok(());
        }
        expected += 1;
        verified.entries += 1;
        let origin = log
            .parse(version, &bytes)
            .map(|actions| actions.into_iter().find_map(|action| action.commit_info).and_then(|info| info.indago));
        let origin = match origin {
            Ok(Some(origin)) => origin,
            Ok(None) => {
                breaks(shown, "another program wrote this entry".to_owned());
                return Ok(());
            }
            Err(error) => {
                breaks(shown, format!("the entry is damaged: {error}"));
                return Ok(());
            }
        };
        if let Some(previous) = &previous
            && *previous != origin.previous
        {
            let changed = log.place.shown(&log.entry(version - 1));
            breaks(changed, format!("its SHA-256 is {previous}; the entry after it states {}", origin.previous));
            return Ok(());
        }
        // A checkpoint is named by the entries after it.
        if let Some((at, stated)) = &origin.checkpoint
            && let Some(path) = checkpoints.remove(at)
            && let Some(bytes) = log.place.get(&path, LARGEST).await?
        {
            let own = sha256(&bytes);
            if own != *stated {
                breaks(log.place.shown(&path), format!("its SHA-256 is {own}; entry {version} states {stated}"));
                return Ok(());
            }
            let entry = checkpoint_entry(bytes);
            if hashes.get(at).is_some_and(|hash| entry.as_ref() != Ok(hash)) {
                breaks(log.place.shown(&path), format!("it is not the checkpoint of entry {at}"));
                return Ok(());
            }
        }
        let hash = sha256(&bytes);
        hashes.insert(version, hash.clone());
        previous = Some(hash);
    }
    Ok(())
}

/// Checks the files of a snapshot.
async fn files(snapshot: &Snapshot, verified: &mut Verified) -> Result<()> {
    let log = &snapshot.log;
    let files = snapshot.state.contents.files.values().cloned();
    let checks = files.map(|file| async move {
        let path = log.path(&file.add.path);
        let shown = log.place.shown(&path);
        let why = match log.place.get(&path, LARGEST).await? {
            None => Some("the file is missing".to_owned()),
            Some(bytes) => match (file.sha256(), sha256(&bytes)) {
                (Some(stated), own) if stated == own => None,
                (Some(_), own) => Some(format!("its SHA-256 is {own}; its name states another")),
                (None, _) => Some("another program wrote this file".to_owned()),
            },
        };
        Ok::<_, crate::Error>((file.add.size, why.map(|why| Break { path: shown, why })))
    });
    let mut checks = std::pin::pin!(stream::iter(checks).buffered(AT_ONCE));
    while let Some(check) = checks.next().await {
        let (bytes, broken) = check?;
        verified.files += 1;
        verified.bytes += bytes;
        verified.breaks.extend(broken);
    }
    Ok(())
}
