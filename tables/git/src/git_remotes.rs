//! `git_remotes`: one row per remote, read from the repository's configuration.

use std::sync::Arc;

use indago_table::prelude::*;

use crate::source::find::Place;
use crate::source::refs;
use crate::{Git, places};

/// Remotes: the other repositories that a repository fetches from and pushes to.
///
/// They come from the repository's own configuration; the user's `insteadOf` rules are not applied. Addresses are shown
/// unchanged, including any passwords and tokens in them.
#[derive(Debug, Default, Table)]
#[table(name = "git_remotes", env = Git, parts, rows = 10, identity(repo, name))]
#[example("Remotes and their addresses.", "SELECT repo, name, url, push_url FROM git_remotes")]
pub struct Remote {
    /// Repository: the path of its working tree, or of a bare repository itself. A query may name any repository on
    /// disk.
    #[column(slice, extends, pattern)]
    repo: Arc<str>,
    /// Name of the remote: `origin`.
    name: String,
    /// Address to fetch from; NULL if the configuration has none.
    url: Option<String>,
    /// Address to push to: `url` unless the configuration sets another; NULL if there is neither.
    push_url: Option<String>,
    /// All configured addresses, first those to fetch from, then those to push to.
    urls: Vec<String>,
    /// Refspecs for fetching: `+refs/heads/*:refs/remotes/origin/*`.
    fetch_refspecs: Vec<String>,
    /// Refspecs for pushing.
    push_refspecs: Vec<String>,
    /// Whether a push mirrors all refs, including deletions.
    is_mirror: bool,
    /// Whether it is git's default remote: that of the checked-out branch, else the only remote, else `origin`.
    is_default: bool,
}

impl RowParts for Remote {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<impl Iterator<Item = Place>> {
        Ok(places(scan, Self::REPO))
    }

    fn rows(scan: &Scan<Self>, place: Place) -> Result<impl Iterator<Item = Self>> {
        place.config.problems.iter().for_each(|problem| crate::reporter(scan, &place.repo)("config", problem));
        Ok(all(&place).into_iter())
    }
}

fn all(place: &Place) -> Vec<Remote> {
    let config = &place.config;
    let default = default(place);
    let remote = |name: &&str| {
        let values =
            |key: &str| -> Vec<String> { config.all(&format!("remote.{name}.{key}")).map(str::to_owned).collect() };
        let (urls, push_urls) = (values("url"), values("pushurl"));
        Remote {
            repo: place.repo.clone(),
            name: (*name).to_owned(),
            url: urls.first().cloned(),
            push_url: push_urls.first().or(urls.first()).cloned(),
            urls: [urls, push_urls].concat(),
            fetch_refspecs: values("fetch"),
            push_refspecs: values("push"),
            is_mirror: config.is(&format!("remote.{name}.mirror")),
            is_default: default.as_deref() == Some(*name),
        }
    };
    config.subsections("remote").iter().map(remote).collect()
}

/// The remote that git uses if a command names none.
pub(crate) fn default(place: &Place) -> Option<String> {
    let config = &place.config;
    if let Ok(Some(Some(head))) = refs::head_name(place)
        && let Some(branch) = crate::source::text(&head).strip_prefix("refs/heads/")
        && let Some(remote) = config.get(&format!("branch.{branch}.remote")).filter(|remote| *remote != ".")
    {
        return Some(remote.to_owned());
    }
    match config.subsections("remote").as_slice() {
        [only] => Some((*only).to_owned()),
        several => several.iter().find(|name| **name == "origin").map(|name| (*name).to_owned()),
    }
}
