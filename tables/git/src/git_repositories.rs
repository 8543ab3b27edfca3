//! `git_repositories`: one row per repository or working tree.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_table::prelude::*;

use crate::source::find::Place;
use crate::source::folder::{LARGE, SMALL};
use crate::source::refs::{self, Refs};
use crate::source::{commit, objects};
use crate::{Git, git_remotes, places};

/// Git repositories under the configured directories, or the one that contains the current directory.
///
/// Linked working trees and submodules have their own rows. A linked working tree shares its commits and refs with the
/// repository that has the same `common_dir`.
#[derive(Debug, Default, Table)]
#[table(name = "git_repositories", env = Git, parts, rows = 20, identity(repo))]
#[example(
    "Repositories and their checked-out branches.",
    "SELECT repo, head_ref, head_hash, remote_url FROM git_repositories"
)]
#[example("Hooks that git runs in each repository.", "SELECT repo, hooks, hooks_path FROM git_repositories")]
pub struct Repository {
    /// Repository: the path of its working tree, or of a bare repository itself. A query may name any repository on
    /// disk.
    #[column(slice, extends, pattern)]
    repo: Arc<str>,
    /// Full path of the working tree, or of a bare repository itself, with all links resolved.
    path: String,
    /// Name of its directory, without `.git`.
    name: String,
    /// Directory with HEAD and the index.
    git_dir: String,
    /// Directory with objects and refs: differs from `git_dir` for a linked working tree.
    common_dir: String,
    /// Whether it has no working tree, according to `core.bare` and `core.worktree` in its configuration.
    is_bare: bool,
    /// Whether it is a linked working tree of another repository (`git worktree add`).
    is_worktree: bool,
    /// Whether it is a submodule: its `git_dir` is inside another repository's.
    is_submodule: bool,
    /// Whether it is a shallow clone, whose history is cut off.
    #[column(source = shallow)]
    is_shallow: Option<bool>,
    /// Whether it has no refs, and so no history yet.
    #[column(source = refs)]
    is_empty: Option<bool>,
    /// Full name of the checked-out branch (`refs/heads/main`), even if it has no commit yet; NULL if HEAD is detached.
    #[column(source = head)]
    head_ref: Option<String>,
    /// Whether a commit is checked out instead of a branch.
    #[column(source = head)]
    is_detached: Option<bool>,
    /// Hash of the checked-out commit; NULL if there is none yet.
    #[column(source = refs)]
    head_hash: Option<String>,
    /// Git's default remote; NULL without remotes.
    #[column(source = config)]
    remote_name: Option<String>,
    /// Address of that remote.
    #[column(source = config)]
    remote_url: Option<String>,
    /// Hash function of object names: `sha1` or `sha256`.
    #[column(source = config)]
    object_format: Option<String>,
    /// Storage format of refs: `files` or `reftable`.
    #[column(source = config)]
    ref_format: Option<String>,
    /// Operation in progress: `none`, `merge`, `rebase`, `apply`, `cherry-pick`, `revert` or `bisect`.
    #[column(source = state)]
    state: Option<String>,
    /// Active hooks: names of the programs in its hooks directory.
    #[column(source = hooks)]
    hooks: Option<Vec<String>>,
    /// Hooks directory, if the repository's configuration sets another one.
    #[column(source = config)]
    hooks_path: Option<String>,
    /// Object directories of other repositories that it uses.
    #[column(source = alternates)]
    alternates: Option<Vec<String>>,
    /// ID of the user who owns its directory.
    #[column(source = owner)]
    uid: Option<i64>,
    /// Time of the last write to HEAD, such as a checkout; NULL if there is no HEAD.
    #[column(source = owner)]
    head_changed_at: Option<Timestamp>,
    /// Location of the repository.
    #[column(skip)]
    place: Option<Arc<Place>>,
}

impl RowParts for Repository {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<impl Iterator<Item = Place>> {
        Ok(places(scan, Self::REPO))
    }

    fn rows(scan: &Scan<Self>, place: Place) -> Result<impl Iterator<Item = Self>> {
        if scan.reads("config") || scan.reads("hooks") {
            place.config.problems.iter().for_each(|problem| crate::reporter(scan, &place.repo)("config", problem));
        }
        let place = Arc::new(place);
        let shown = |path: &Path| scan.env().sys().path_text(path);
        let name = place.path.file_name().map(|name| scan.env().sys().path_text(name)).unwrap_or_default();
        let row = Repository {
            path: shown(&place.path),
            name: name.strip_suffix(".git").unwrap_or(&name).to_owned(),
            git_dir: shown(&place.git_dir),
            common_dir: shown(&place.common_dir),
            is_bare: place.is_bare,
            is_worktree: place.is_worktree(),
            is_submodule: !place.is_worktree()
                && place.git_dir.components().any(|part| part.as_os_str() == "modules")
                && !place.git_dir.ends_with(".git"),
            repo: place.repo.clone(),
            place: Some(place),
            ..Repository::default()
        };
        Ok(std::iter::once(row))
    }
}

impl Repository {
    fn shallow(&mut self, _git: &Git) -> Result<()> {
        let boundaries = crate::known(&self.place)?.common()?.read("shallow", LARGE)?;
        self.is_shallow = Some(boundaries.is_some_and(|bytes| !bytes.trim_ascii().is_empty()));
        Ok(())
    }

    fn refs(&mut self, _git: &Git) -> Result<()> {
        let refs = Refs::read(crate::known(&self.place)?)?;
        self.is_empty = Some(refs.all.is_empty() && refs.head_id().is_none());
        self.head_hash = refs.head_id().map(commit::hex);
        Ok(())
    }

    fn head(&mut self, git: &Git) -> Result<()> {
        let name = refs::head_name(crate::known(&self.place)?)?;
        self.is_detached = Some(matches!(name, Some(None)));
        self.head_ref = name.flatten().map(|name| git.sys().text(&name));
        Ok(())
    }

    fn config(&mut self, _git: &Git) -> Result<()> {
        let place = crate::known(&self.place)?;
        let config = &place.config;
        let format = |name: &str, usual: &str| Some(config.get(name).unwrap_or(usual).to_owned());
        self.object_format = format("extensions.objectformat", "sha1");
        self.ref_format = format("extensions.refstorage", "files");
        self.hooks_path = config.get("core.hookspath").map(str::to_owned);
        self.remote_name = git_remotes::default(place);
        let url = self.remote_name.as_ref().and_then(|name| config.all(&format!("remote.{name}.url")).next());
        self.remote_url = url.map(str::to_owned);
        Ok(())
    }

    fn state(&mut self, _git: &Git) -> Result<()> {
        let signs = [
            ("rebase-merge", "rebase"),
            ("rebase-apply/applying", "apply"),
            ("rebase-apply", "rebase"),
            ("MERGE_HEAD", "merge"),
            ("REVERT_HEAD", "revert"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("BISECT_LOG", "bisect"),
        ];
        let place = crate::known(&self.place)?;
        let (own, is_reftable) = (place.own()?, place.config.get("extensions.refstorage") == Some("reftable"));
        let others = if is_reftable { Refs::read(place)? } else { Refs::default() };
        let sign = signs.iter().find(|(file, _)| own.exists(file) || others.has(file));
        self.state = Some(sign.map_or("none", |(_, state)| state).to_owned());
        Ok(())
    }

    fn hooks(&mut self, git: &Git) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let place = crate::known(&self.place)?;
        let folder = match place.config.get("core.hookspath") {
            Some(path) => match path.strip_prefix("~/") {
                Some(rest) => git.sys().home().unwrap_or_default().join(rest),
                None => place.path.join(path),
            },
            None => place.common_dir.join("hooks"),
        };
        let mut hooks = Vec::new();
        for name in git.sys().read_dir(&folder).if_present()?.unwrap_or_default() {
            let runs = |path: PathBuf| {
                git.sys().metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
            };
            let text = git.sys().path_text(&name);
            if !text.ends_with(".sample") && runs(folder.join(&name)) {
                hooks.push(text);
            }
        }
        hooks.sort_unstable();
        self.hooks = Some(hooks);
        Ok(())
    }

    fn alternates(&mut self, git: &Git) -> Result<()> {
        let bytes = crate::known(&self.place)?.common()?.read("objects/info/alternates", SMALL)?.unwrap_or_default();
        self.alternates = Some(objects::alternates(&bytes).map(|path| git.sys().text(&path)).collect());
        Ok(())
    }

    fn owner(&mut self, git: &Git) -> Result<()> {
        use std::os::unix::fs::MetadataExt;
        let place = crate::known(&self.place)?;
        self.uid = Some(git.sys().metadata(&place.git_dir)?.uid().into());
        let head = git.sys().symlink_metadata(place.git_dir.join("HEAD")).if_present()?;
        self.head_changed_at = head.and_then(|head| head.modified().ok()).map(Timestamp::from);
        Ok(())
    }
}
