//! Where the records of each package are. Records themselves stay in their files.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use indago_table::prelude::*;

use crate::archive::{Archive, Member};
use crate::lists::{Exploited, Scores};
use crate::record::{self, Outline, Record};
use crate::{Settings, ecosystem};

/// Most bytes of one record.
const MOST_OF_RECORD: u64 = 32 << 20;
/// Most files of records, and most records in all archives.
const MOST_FILES: usize = 2_000_000;
/// Deepest directory of records.
const DEEPEST: usize = 32;
/// Most faulty records of a file whose errors are held.
const MOST_FAULTS: usize = 20;
/// Most faulty files that a query reports one by one.
const MOST_REPORTED: usize = 50;
/// Queries for which the files were compared with the index, the latest last.
const MOST_QUERIES: usize = 64;

/// The files as a query sees them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Files of records, by path.
    files: BTreeMap<Arc<Path>, File>,
    /// Records, each with its identifier.
    records: Vec<Located>,
    by_id: HashMap<Arc<str>, u32>,
    /// Records by the key of a package; see [`key`].
    by_package: HashMap<Arc<str>, Vec<u32>>,
    /// Ecosystems that have no rule, with the number of their records.
    unknown: BTreeMap<Box<str>, usize>,
    pub(crate) scores: Option<Arc<Scores>>,
    pub(crate) exploited: Option<Arc<Exploited>>,
    lists: [Option<Stamp>; 2],
    /// Problems of directories and lists.
    problems: Vec<(String, Error)>,
    bytes: usize,
}

/// A record in a file.
#[derive(Debug, Clone)]
struct Located {
    file: Arc<Path>,
    member: Option<Member>,
}

/// What tells whether a file changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Stamp {
            size: metadata.size(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A file of one record, or an archive of several.
#[derive(Debug, Clone)]
struct File {
    stamp: Stamp,
    contents: Arc<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    records: Vec<Summary>,
    /// Faulty records, with their place, and how many more there are.
    faults: Vec<(String, Error)>,
    more: usize,
}

/// What the index holds of a record.
#[derive(Debug)]
struct Summary {
    id: Arc<str>,
    /// In microseconds. Of two records with one identifier, the one that was modified later counts.
    modified: i64,
    packages: Box<[Arc<str>]>,
    unknown: Box<[Box<str>]>,
    member: Option<Member>,
}

impl Contents {
    fn fault(&mut self, place: &str, error: Error) {
        match self.faults.len() < MOST_FAULTS {
            true => self.faults.push((place.to_owned(), error)),
            false => self.more += 1,
        }
    }

    fn add(&mut self, place: &str, bytes: &[u8], member: Option<Member>, names: &mut HashSet<Arc<str>>) {
        let outline: Outline = match record::parse(place, bytes) {
            Ok(outline) => outline,
            Err(error) => return self.fault(place, error),
        };
        if let Some(fault) = outline.fault() {
            return self.fault(place, Error::Malformed(format!("{place}: not an OSV record: {fault}")));
        }
        let mut shared = |text: String| match names.get(text.as_str()) {
            Some(known) => Arc::clone(known),
            None => {
                let text: Arc<str> = text.into();
                names.insert(Arc::clone(&text));
                text
            }
        };
        let (mut packages, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        for affected in &outline.affected {
            let listed = &affected.package;
            let (base, _) = ecosystem::split(&listed.ecosystem);
            if !base.is_empty() && ecosystem::rule(base).is_none() {
                unknown.insert(Box::from(base));
            } else if !base.is_empty() {
                packages.insert(shared(key(base, &ecosystem::name(base, &listed.name))));
            } else if let Some(purl) = listed.purl.as_deref().and_then(crate::purl::Purl::parse) {
                let named = ecosystem::packages(&purl).unwrap_or_default();
                packages.extend(named.into_iter().map(|package| shared(key(package.ecosystem, &package.name))));
            }
        }
        self.records.push(Summary {
            id: outline.id.into(),
            modified: outline.modified.as_deref().and_then(record::time).map_or(i64::MIN, |time| time.0),
            packages: packages.into_iter().collect(),
            unknown: unknown.into_iter().collect(),
            member,
        });
    }

    fn bytes(&self) -> usize {
        let of = |summary: &Summary| {
            let unknown: usize = summary.unknown.iter().map(|name| name.len() + 16).sum();
            size_of::<Summary>() + summary.id.len() + 16 + summary.packages.len() * 16 + unknown
        };
        size_of::<Self>() + self.records.iter().map(of).sum::<usize>()
    }
}

/// The key of a package in the index.
fn key(ecosystem: &str, name: &str) -> String {
    format!("{ecosystem}\0{name}")
}

/// The index of an environment, and the queries that may use it as it is.
#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    index: Arc<Index>,
    queries: VecDeque<Timestamp>,
}

impl Shared {
    /// The index as the files are now. The first scan of a query reads the files that changed, reports those that could not be
    /// read, and charges the index to the query.
    pub(crate) fn get<T: Row>(&self, scan: &Scan<T>, sys: &Sys, settings: &Settings) -> Result<Arc<Index>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.queries.contains(&scan.moment()) {
            return Ok(Arc::clone(&state.index));
        }
        let mut build = Build {
            sys,
            index: Index::default(),
            names: HashSet::new(),
            before: &state.index,
            held: sys.meter().hold(0)?,
        };
        build.run(settings)?;
        let Build { mut index, names, .. } = build;
        index.link(names.len());
        state.index = Arc::new(index);
        if state.queries.len() >= MOST_QUERIES {
            state.queries.pop_front();
        }
        state.queries.push_back(scan.moment());
        let index = Arc::clone(&state.index);
        drop(state);
        scan.keep(index.bytes)?;
        index.report(|origin, error| scan.report(origin, error));
        Ok(index)
    }
}

/// Reads the files that changed, and takes the others from the index before.
struct Build<'a> {
    sys: &'a Sys,
    index: Index,
    /// Keys of packages, each once.
    names: HashSet<Arc<str>>,
    before: &'a Index,
    held: indago_table::Held,
}

impl Build<'_> {
    fn run(&mut self, settings: &Settings) -> Result<()> {
        for names in self.before.by_package.keys() {
            self.names.insert(Arc::clone(names));
        }
        for path in &settings.osv {
            let found = self.sys.metadata(path).and_then(|metadata| match metadata.is_dir() {
                true => self.folder(path),
                false => self.file(path, Stamp::of(&metadata)),
            });
            self.problem(path, found)?;
        }
        let (before, sys) = (self.before, self.sys);
        let [epss, exploited] = [&settings.epss, &settings.known_exploited];
        self.index.scores = self.list(0, epss, &before.scores, Scores::read)?;
        self.index.exploited = self.list(1, exploited, &before.exploited, Exploited::read)?;
        sys.check_cancelled()
    }

    /// Records an error; one that ends the query is returned.
    fn problem(&mut self, path: &Path, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(error) if error.ends_query() => Err(error),
            Err(error) => {
                let path = path.display().to_string();
                // For a path of the configuration, it is not normal that nothing is there.
                let error = match error {
                    Error::Gone(what) => Error::Unsupported(format!("{what} does not exist")),
                    other => other,
                };
                self.index.problems.push((path, error));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn list<L>(
        &mut self,
        position: usize,
        path: &Option<PathBuf>,
        before: &Option<Arc<L>>,
        read: impl Fn(&Sys, &Path) -> Result<L>,
    ) -> Result<Option<Arc<L>>> {
        let Some(path) = path else { return Ok(None) };
        let found = self.sys.metadata(path).and_then(|metadata| {
            let stamp = Stamp::of(&metadata);
            let list = match before {
                Some(before) if self.before.lists[position] == Some(stamp) => Arc::clone(before),
                _ => Arc::new(read(self.sys, path)?),
            };
            self.index.lists[position] = Some(stamp);
            Ok(list)
        });
        match found {
            Ok(list) => Ok(Some(list)),
            Err(error) => self.problem(path, Err(error)).map(|()| None),
        }
    }

    /// All files below a directory, without following links.
    fn folder(&mut self, path: &Path) -> Result<()> {
        let mut open = vec![(path.to_owned(), 0)];
        while let Some((folder, depth)) = open.pop() {
            let mut entries = match self.sys.entries(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    self.problem(&folder, Err(error))?;
                    continue;
                }
            };
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            for (name, kind) in entries {
                let path = folder.join(&name);
                if kind.is_dir() {
                    match depth < DEEPEST {
                        true => open.push((path, depth + 1)),
                        false => {
                            let what = format!("{}: deeper than {DEEPEST} directories", path.display());
                            self.problem(&path, Err(Error::Unsupported(what)))?;
                        }
                    }
                } else if kind.is_file() && (is(&path, "json") || is(&path, "zip")) {
                    let read = self.sys.symlink_metadata(&path);
                    let read = read.and_then(|metadata| self.file(&path, Stamp::of(&metadata)));
                    self.problem(&path, read)?;
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, stamp: Stamp) -> Result<()> {
        self.sys.check_cancelled()?;
        if self.index.files.contains_key(path) {
            return Ok(());
        }
        if self.index.files.len() >= MOST_FILES {
            return Err(Error::Unsupported(format!("{}: above the limit of {MOST_FILES} files", path.display())));
        }
        let contents = match self.before.files.get(path) {
            Some(known) if known.stamp == stamp => Arc::clone(&known.contents),
            _ => Arc::new(self.read(path)?),
        };
        let path: Arc<Path> = path.into();
        self.index.bytes += contents.bytes() + path.as_os_str().len() + 2 * size_of::<(Arc<Path>, File)>();
        self.held.cover(self.index.bytes)?;
        self.index.files.insert(path, File { stamp, contents });
        Ok(())
    }

    fn read(&mut self, path: &Path) -> Result<Contents> {
        let mut contents = Contents::default();
        let place = path.display().to_string();
        if !is(path, "zip") {
            match self.sys.read_at_most(path, MOST_OF_RECORD) {
                Ok(bytes) => contents.add(&place, &bytes, None, &mut self.names),
                Err(error) if error.ends_query() => return Err(error),
                Err(error) => contents.fault(&place, error),
            }
            return Ok(contents);
        }
        let archive = Archive::open(self.sys, path)?;
        let (mut held, mut count) = (self.sys.meter().hold(0)?, 0);
        let outcome = archive.members(|name, member| {
            if !name.ends_with(".json") {
                return Ok(());
            }
            self.sys.check_cancelled()?;
            count += 1;
            if count > MOST_FILES {
                return Err(Error::Unsupported(format!("{place}: above the limit of {MOST_FILES} records")));
            }
            let place = format!("{place}!/{name}");
            match member.and_then(|member| Ok((archive.read(member, MOST_OF_RECORD)?, member))) {
                Ok((bytes, member)) => contents.add(&place, &bytes, Some(member), &mut self.names),
                Err(error) if error.ends_query() => return Err(error),
                Err(error) => contents.fault(&place, error),
            }
            held.cover(count * (size_of::<Summary>() + 64))
        });
        match outcome {
            Err(error) if error.ends_query() => Err(error),
            Err(error) => {
                contents.fault(&place, error);
                Ok(contents)
            }
            Ok(()) => Ok(contents),
        }
    }
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|other| other.eq_ignore_ascii_case(extension))
}

impl Index {
    /// Fills the maps from the files.
    fn link(&mut self, names: usize) {
        let mut modified: Vec<i64> = Vec::new();
        let mut summaries: Vec<&Summary> = Vec::new();
        for (path, file) in &self.files {
            for summary in &file.contents.records {
                let located = Located { file: Arc::clone(path), member: summary.member };
                match self.by_id.get(&summary.id) {
                    Some(known) => {
                        let known = *known as usize;
                        if modified[known] < summary.modified {
                            (self.records[known], modified[known], summaries[known]) =
                                (located, summary.modified, summary);
                        }
                    }
                    None => {
                        let Ok(position) = u32::try_from(self.records.len()) else { return };
                        self.by_id.insert(Arc::clone(&summary.id), position);
                        self.records.push(located);
                        modified.push(summary.modified);
                        summaries.push(summary);
                    }
                }
            }
        }
        let mut listed = 0;
        for (position, summary) in (0_u32..).zip(summaries) {
            for package in &summary.packages {
                self.by_package.entry(Arc::clone(package)).or_default().push(position);
                listed += 1;
            }
            for ecosystem in &summary.unknown {
                *self.unknown.entry(ecosystem.clone()).or_default() += 1;
            }
        }
        let maps = self.records.len() * (size_of::<Located>() + 2 * size_of::<(Arc<str>, u32)>());
        let packages = self.by_package.len() * (2 * size_of::<(Arc<str>, Vec<u32>)>() + 32) + listed * 8;
        let keys: usize = self.by_package.keys().map(|key| key.len() + 16).sum();
        let lists = self.scores.as_ref().map_or(0, |list| list.bytes())
            + self.exploited.as_ref().map_or(0, |list| list.bytes());
        self.bytes += maps + packages + keys.max(names) + lists;
    }

    /// Reports everything that could not be read or cannot be matched.
    fn report(&self, report: impl Fn(&str, &Error)) {
        for (origin, error) in &self.problems {
            report(origin, error);
        }
        let faults = self.files.values().flat_map(|file| &file.contents.faults);
        let more: usize = self.files.values().map(|file| file.contents.more).sum();
        let count = faults.clone().count();
        for (origin, error) in faults.take(MOST_REPORTED) {
            report(origin, error);
        }
        let more = more + count.saturating_sub(MOST_REPORTED);
        if more > 0 {
            report("osv", &Error::Malformed(format!("{more} more records could not be read")));
        }
        if !self.unknown.is_empty() {
            let names: Vec<&str> = self.unknown.keys().map(AsRef::as_ref).take(20).collect();
            let count: usize = self.unknown.values().sum();
            let what = format!(
                "the order of versions of these ecosystems is not known, so no package is matched with their {count} \
                 entries: {}",
                names.join(", ")
            );
            report("ecosystems", &Error::Unsupported(what));
        }
    }

    /// The records that list a package, in the order of their files.
    pub(crate) fn of_package(&self, ecosystem: &str, name: &str) -> &[u32] {
        self.by_package.get(key(ecosystem, name).as_str()).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn of_id(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    /// The file of a record.
    pub(crate) fn place(&self, position: u32) -> String {
        self.records.get(position as usize).map(|located| located.file.display().to_string()).unwrap_or_default()
    }

    /// Reads a record, and the place where it is.
    pub(crate) fn read(&self, sys: &Sys, position: u32, open: &mut Opened) -> Result<(Record, String)> {
        let located = self.records.get(position as usize).ok_or_else(|| Error::Gone("a record".to_owned()))?;
        let path = &located.file;
        let (place, bytes) = match located.member {
            None => (path.display().to_string(), sys.read_at_most(path, MOST_OF_RECORD)?),
            Some(member) => {
                if open.0.as_ref().is_none_or(|(opened, _)| opened != path) {
                    open.0 = Some((Arc::clone(path), Archive::open(sys, path)?));
                }
                let Some((_, archive)) = &open.0 else { return Err(Error::Gone("an archive".to_owned())) };
                (path.display().to_string(), archive.read(member, MOST_OF_RECORD)?)
            }
        };
        Ok((record::parse(&place, &bytes)?, place))
    }
}

/// The archive that a scan read last.
#[derive(Debug, Default)]
pub(crate) struct Opened(Option<(Arc<Path>, Archive)>);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use indago_table::{QueryScope, ScanContext};

    use super::*;
    use crate::Vulnerabilities;
    use crate::osv_records::OsvRecord;

    /// The index as a new query sees it, and its warnings.
    fn index(env: &Vulnerabilities, moment: i64) -> (Arc<Index>, Vec<String>) {
        let query = Arc::new(QueryScope::new(Timestamp(moment)));
        let context = ScanContext { query: Arc::clone(&query), ..ScanContext::new([]) };
        let scan = Scan::<OsvRecord>::new(context, env);
        let index = env.index.get(&scan, &env.sys, &env.settings).expect("readable");
        (index, index_warnings(&query))
    }

    fn index_warnings(query: &QueryScope) -> Vec<String> {
        query.diagnostics().warnings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_index_is_small_and_follows_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = "import json, sys, zipfile\n\
            with zipfile.ZipFile(sys.argv[1], 'w') as archive:\n    \
                for number in range(5000):\n        \
                    affected = [{'package': {'ecosystem': 'npm', 'name': f'package-{number // 2}'}, 'versions': ['1.0.0'] * 50}]\n        \
                    record = {'id': f'TEST-2024-{number}', 'details': 'x' * 2000, 'affected': affected}\n        \
                    archive.writestr(f'{number}.json', json.dumps(record))\n";
        let status = Command::new("python3").args(["-c", script]).arg(folder.path().join("all.zip")).status();
        assert!(status.expect("Python runs").success());
        let settings = Settings { osv: vec![PathBuf::from("/")], ..Settings::default() };
        let env = Vulnerabilities::new(&Sys::at(folder.path()), settings);
        let (first, warnings) = index(&env, 1);
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!((first.len(), first.of_package("npm", "package-7").len()), (5000, 2));
        assert!(first.bytes / 5000 < 600, "{} bytes", first.bytes);
        let (record, _) = first
            .read(&env.sys, first.of_id("TEST-2024-9").expect("listed"), &mut Opened::default())
            .expect("a record");
        assert_eq!(record.affected[0].package.name, "package-4");

        // Scans of the same query do not look again.
        fs::write(folder.path().join("b.json"), r#"{"id": "B"}"#).expect("a file");
        assert_eq!(index(&env, 1).0.len(), 5000);
        let (second, _) = index(&env, 2);
        assert_eq!(second.len(), 5001);
        let of = |index: &Index| Arc::clone(&index.files[Path::new("/all.zip")].contents);
        assert!(Arc::ptr_eq(&of(&first), &of(&second)), "an unchanged file is not read again");

        // Faults are reported for each query, but not one by one without end.
        for number in 0..60 {
            fs::write(folder.path().join(format!("faulty-{number}.json")), "[]").expect("a file");
        }
        for moment in 3..5 {
            let (third, warnings) = index(&env, moment);
            assert_eq!(third.len(), 5001);
            assert!(warnings.iter().any(|text| text.contains("/faulty-0.json: not an OSV record")), "{warnings:?}");
            assert!(warnings.iter().any(|text| text.contains("10 more records could not be read")), "{warnings:?}");
        }
    }
}
