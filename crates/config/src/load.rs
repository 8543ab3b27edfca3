//! Reads TOML text into a [`Config`].

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use indago_table::closest;
use toml::de::{DeTable, DeValue};

use crate::error::{ConfigError, Place, Result};
use crate::find;
use crate::sections::{Config, SectionDoc, sections};
use crate::trust::{self, ReadError};

impl Config {
    /// The configuration that applies: the file named, `$INDAGO_CONFIG`, or the first of
    /// [`search_path`](crate::search_path). The defaults if there is none.
    pub fn load(named: Option<&Path>) -> Result<Config> {
        let variable = std::env::var_os(find::ENVIRONMENT_VARIABLE).map(PathBuf::from);
        match find::find(named, variable.as_deref())? {
            Some(file) => Config::read(&file),
            None => Ok(Config::default()),
        }
    }

    /// Reads a file that only the reader and root can write. Relative paths in it are relative to its directory.
    pub fn read(file: &Path) -> Result<Config> {
        let text = trust::read_trusted(file).map_err(|error| match error {
            ReadError::Unreadable(reason) => ConfigError::Read { file: file.to_owned(), reason },
            ReadError::Untrusted(reason) => ConfigError::Untrusted { file: file.to_owned(), reason },
        })?;
        let mut config = parse(&text, Some(file))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        config.rebase(&folder);
        config.file = Some(file.to_owned());
        Ok(config)
    }
}

impl FromStr for Config {
    type Err = ConfigError;

    /// Reads TOML text. Paths stay as they are.
    fn from_str(text: &str) -> Result<Config> {
        parse(text, None)
    }
}

fn parse(text: &str, file: Option<&Path>) -> Result<Config> {
    let source = Source { text, file };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: source.place(error.span().unwrap_or(0..0)),
        message: match text.trim_start().starts_with('{') {
            true => of_json(file),
            false => one_line(error.message()),
        },
    })?;
    let table = table.into_inner();
    check_keys(&source, &table, &sections())?;
    let config: Config = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        ConfigError::Value {
            place: source.place(span.clone()),
            key: path_at(&table, &span).unwrap_or_else(|| "configuration".into()),
            message: one_line(error.message()),
        }
    })?;
    check_values(&source, &table, &config)?;
    Ok(config)
}

/// What to do with a configuration of osquery.
fn of_json(file: Option<&Path>) -> String {
    let file = file.map_or_else(|| "FILE".into(), |file| file.to_string_lossy());
    let lines = format!("`[packs]` and `osquery = \"{file}\"`");
    format!(
        "this is JSON, not TOML; to run the schedule of an osquery configuration, write these lines to a .toml file: \
         {lines}"
    )
}

struct Source<'a> {
    text: &'a str,
    file: Option<&'a Path>,
}

impl Source<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        let end = self.text.floor_char_boundary(span.start.min(self.text.len()));
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place {
            file: self.file.map(Path::to_owned),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn wrong(&self, span: Range<usize>, key: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::Value { place: self.place(span), key: key.into(), message: message.into() }
    }
}

/// A message of the TOML parser on one line, without names of Rust types.
pub fn one_line(message: &str) -> String {
    let words = [
        ("expected usize", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list such as [\"a\", \"b\"]"),
        ("expected a string", "expected text in quotes"),
    ];
    let message = message.trim().replace('\n', "; ");
    words.iter().fold(message, |message, (theirs, ours)| message.replace(theirs, ours))
}

/// Checks that every key is known and every section is a table.
fn check_keys(source: &Source<'_>, table: &DeTable<'_>, sections: &[SectionDoc]) -> Result<()> {
    for (name, value) in table {
        let Some(section) = sections.iter().find(|section| section.path[0] == name.get_ref()) else {
            let known: Vec<String> = sections.iter().map(|section| section.path[0].to_owned()).collect();
            // A common mistake: a key of a section, written before the section's header.
            let home = sections.iter().find(|section| {
                section.path.len() == 1 && section.keys.iter().any(|key| key.key == name.get_ref().as_ref())
            });
            let suggestion = home
                .map(|section| format!("[{}] {}", section.path[0], name.get_ref()))
                .or_else(|| closest(name.get_ref(), known.iter().map(String::as_str)).map(str::to_owned));
            return Err(ConfigError::UnknownKey {
                place: source.place(name.span()),
                key: name.get_ref().to_string(),
                section: value.get_ref().is_table(),
                suggestion,
                allowed: known,
            });
        };
        let path = section.path[0];
        let DeValue::Table(keys) = value.get_ref() else {
            return Err(source.wrong(value.span(), path, format!("must be a section; write `[{path}]`")));
        };
        if section.path.len() == 1 {
            check_section(source, path, keys, section)?;
            continue;
        }
        for (name, value) in keys {
            let path = format!("{path}.{}", name.get_ref());
            let DeValue::Table(keys) = value.get_ref() else {
                return Err(source.wrong(value.span(), &path, format!("must be a section; write `[{path}]`")));
            };
            check_section(source, &path, keys, section)?;
        }
    }
    Ok(())
}

fn check_section(source: &Source<'_>, path: &str, keys: &DeTable<'_>, section: &SectionDoc) -> Result<()> {
    let known: Vec<&str> = section.keys.iter().map(|key| key.key.as_str()).collect();
    if known == ["<name>"] {
        return Ok(());
    }
    match keys.iter().find(|(name, _)| !known.contains(&name.get_ref().as_ref())) {
        None => Ok(()),
        Some((name, _)) => Err(ConfigError::UnknownKey {
            place: source.place(name.span()),
            key: format!("{path}.{}", name.get_ref()),
            section: false,
            suggestion: closest(name.get_ref(), known.iter().copied()).map(str::to_owned),
            allowed: known.into_iter().map(str::to_owned).collect(),
        }),
    }
}

/// The key whose value contains a position in the text.
fn path_at(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    table.iter().find_map(|(name, value)| {
        let inside = |range: Range<usize>| range.start <= span.start && span.start < range.end.max(range.start + 1);
        let deeper = match value.get_ref() {
            DeValue::Table(keys) => path_at(keys, span),
            _ => None,
        };
        match deeper {
            Some(rest) => Some(format!("{}.{rest}", name.get_ref())),
            None if inside(value.span()) || inside(name.span()) => Some(name.get_ref().to_string()),
            None => None,
        }
    })
}

/// The lowest useful rate of calls per second: one call in about a quarter of an hour.
const FEWEST_CALLS: f64 = 0.001;

/// Checks values beyond their types.
fn check_values(source: &Source<'_>, table: &DeTable<'_>, config: &Config) -> Result<()> {
    let span_of = |path: &[&str]| span_of(table, path).unwrap_or(0..0);
    let at_least_one: [(&[&str], bool); 13] = [
        (&["limits", "memory"], config.limits.memory.0 > 0),
        (&["record", "sample"], !config.record.sample.0.is_zero()),
        (&["record", "compact"], !config.record.compact.0.is_zero()),
        (&["limits", "timeout"], config.limits.timeout.is_none_or(|timeout| !timeout.0.is_zero())),
        (&["limits", "batch_size"], config.limits.batch_size > 0),
        (&["limits", "partitions"], config.limits.partitions != Some(0)),
        (&["limits", "slices"], config.limits.slices > 0),
        (&["limits", "calls_per_endpoint"], config.limits.calls_per_endpoint > 0),
        (&["limits", "call_timeout"], !config.limits.call_timeout.0.is_zero()),
        (&["limits", "lookup_batch"], config.limits.lookup_batch > 0),
        (&["limits", "lookup_concurrency"], config.limits.lookup_concurrency > 0),
        (&["daemon", "concurrency"], config.daemon.concurrency > 0),
        (&["daemon", "timeout"], !config.daemon.timeout.0.is_zero()),
    ];
    if let Some((path, _)) = at_least_one.iter().find(|(_, right)| !right) {
        return Err(source.wrong(span_of(path), &path.join("."), "must be more than 0"));
    }
    if !(config.limits.calls_per_second >= FEWEST_CALLS && config.limits.calls_per_second.is_finite()) {
        let path = ["limits", "calls_per_second"];
        return Err(source.wrong(span_of(&path), &path.join("."), format!("must be at least {FEWEST_CALLS}")));
    }
    if config.daemon.splay > 100 {
        return Err(source.wrong(span_of(&["daemon", "splay"]), "daemon.splay", "must be 0 to 100 percent"));
    }
    for (name, schedule) in &config.schedule {
        let key = format!("schedule.{name}");
        let at = |key: &str| span_of(&["schedule", name, key]);
        match (&schedule.query, &schedule.file) {
            (None, None) => {
                let message = "needs `query = \"SELECT ...\"`, or `file` with the path of a file that holds the SQL";
                return Err(source.wrong(span_of(&["schedule", name]), &key, message));
            }
            (Some(_), Some(_)) => {
                return Err(source.wrong(at("file"), &key, "has both `query` and `file`; keep one of them"));
            }
            _ => {}
        }
        if schedule.interval.0.as_secs() == 0 {
            return Err(source.wrong(at("interval"), &format!("{key}.interval"), "must be at least `1s`"));
        }
        if schedule.timeout.is_some_and(|timeout| timeout.0.is_zero()) {
            return Err(source.wrong(at("timeout"), &format!("{key}.timeout"), "must be more than 0"));
        }
        if schedule.shard.is_some_and(|shard| !(1..=100).contains(&shard)) {
            return Err(source.wrong(at("shard"), &format!("{key}.shard"), "must be 1 to 100 percent of hosts"));
        }
    }
    if config.record.writer.as_deref().is_some_and(|writer| writer.trim().is_empty()) {
        return Err(source.wrong(span_of(&["record", "writer"]), "record.writer", "must not be empty"));
    }
    for (name, recording) in &config.recording {
        let at = |key: &str| span_of(&["recording", name, key]);
        let key = format!("recording.{name}");
        if recording.tables.is_empty() {
            let message = "needs `tables` with the names of tables, such as `[\"processes\", \"kubernetes_*\"]`";
            return Err(source.wrong(span_of(&["recording", name]), &key, message));
        }
        if recording.every.0.is_zero() {
            return Err(source.wrong(at("every"), &format!("{key}.every"), "must be more than 0"));
        }
        if recording.sample.is_some_and(|sample| sample.0.is_zero()) {
            return Err(source.wrong(at("sample"), &format!("{key}.sample"), "must be more than 0"));
        }
    }
    Ok(())
}

fn span_of(table: &DeTable<'_>, path: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (name, value) = table.iter().find(|(name, _)| name.get_ref().as_ref() == *first)?;
    match (rest.is_empty(), value.get_ref()) {
        (true, DeValue::Table(_)) => Some(name.span()),
        (true, _) => Some(value.span()),
        (false, DeValue::Table(keys)) => span_of(keys, rest),
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Period, Size, SqlDialect, reference};

    fn error(text: &str) -> String {
        text.parse::<Config>().expect_err(text).to_string()
    }

    #[test]
    fn a_configuration_of_osquery_gets_the_lines_to_write() {
        let error = parse("{\"schedule\": {}}", Some(Path::new("/etc/osquery.conf"))).expect_err("JSON").to_string();
        assert!(error.contains("JSON, not TOML") && error.contains("osquery = \"/etc/osquery.conf\""), "{error}");
    }

    #[test]
    fn empty_is_the_default() {
        assert_eq!("".parse::<Config>().expect("empty"), Config::default());
    }

    #[test]
    fn every_section_is_read() {
        let config: Config = r#"
            [sql]
            dialect = "datafusion"
            strict = true
            [limits]
            memory = "1GiB"
            timeout = "30s"
            retries = 0
            [host]
            roots = ["/", "/mnt"]
            [containers]
            enabled = false
            sockets = ["/run/docker.sock"]
            [kubernetes]
            contexts = ["a", "b"]
            [aws]
            profiles = ["audit"]
            regions = ["eu-west-1"]
            endpoint_url = "http://127.0.0.1:5000"
            [git]
            roots = ["src"]
            depth = 2
            [store]
            dir = "estate"
            [views]
            shells = "SELECT * FROM processes WHERE name LIKE '%sh'"
            [packs]
            ir = "packs/ir.conf"
            [daemon]
            concurrency = 2
            grace = 1
            [schedule.shells]
            query = "SELECT 1"
            interval = 60
            snapshot = true
            [record]
            dir = "s3://evidence/prod"
            retain = "90d"
            [recording.files]
            tables = ["file", "hash"]
            every = "5m"
            where = "path LIKE '/etc/%'"
        "#
        .parse()
        .expect("valid");
        assert_eq!(config.sql.dialect, SqlDialect::Datafusion);
        assert_eq!(config.limits.memory, Size(1 << 30));
        assert_eq!(config.limits.timeout, Some(Period::seconds(30)));
        assert_eq!(config.schedule["shells"].interval, Period::seconds(60));
        assert_eq!(config.packs["ir"], PathBuf::from("packs/ir.conf"));
        assert!(!config.containers.enabled);
        assert_eq!(config.record.dir.0, "s3://evidence/prod");
        assert_eq!(config.recording["files"].r#where.as_deref(), Some("path LIKE '/etc/%'"));
    }

    #[test]
    fn no_rate_of_calls_is_too_low_to_ever_make_one() {
        for rate in ["1e-20", "0.0", "-1.0", "nan", "inf"] {
            let told = error(&format!("[limits]\nretries = 1\ncalls_per_second = {rate}\n"));
            assert!(told.contains("line 3"), "{told}");
            assert!(told.contains("`limits.calls_per_second`: must be at least 0.001"), "{told}");
        }
        assert!("[limits]\ncalls_per_second = 0.001\n".parse::<Config>().is_ok());
    }

    #[test]
    fn errors_say_where_what_and_what_else() {
        let cases = [
            "[limits]\nmemry = \"1GB\"\n",
            "[limts]\n",
            "timeout = \"30s\"\n",
            "[limits]\ntimeout = \"soon\"\n",
            "[limits]\nbatch_size = \"many\"\n",
            "[limits]\nbatch_size = 0\n",
            "[limits]\nslices = 0\n",
            "[limits]\nretries = -1\n",
            "[sql]\ndialect = \"mysql\"\n",
            "limits = 3\n",
            "[schedule]\nx = 1\n",
            "[schedule.x]\ninterval = \"1m\"\n",
            "[schedule.x]\nquery = \"SELECT 1\"\nfile = \"x.sql\"\n",
            "[schedule.x]\nquery = \"SELECT 1\"\nintervall = 3\n",
            "[schedule.x]\nquery = \"SELECT 1\"\nshard = 101\n",
            "[views]\nv = 3\n",
            "[limits\n",
            "[aws]\nregions = \"eu-west-1\"\n",
            "[kubernetes]\ncontexts = [\"ä\", 3]\n",
            "[limits]\nmemory = \"1GB\"\nmemory = \"2GB\"\n",
            "[recording.x]\nevery = \"1m\"\n",
            "[recording.x]\ntables = [\"t\"]\nevery = 0\n",
            "[record]\nwriter = \"\"\n",
        ];
        let text: String = cases.iter().map(|case| format!("{case:?}\n  {}\n", error(case))).collect();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_file_is_named_in_its_errors_and_bases_its_paths() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("indago.toml");
        std::fs::write(
            &file,
            "[git]\nroots = [\"src\", \"/abs\", \"~/home\"]\n[packs]\nir = \"ir.conf\"\n[record]\ndir = \"then\"\n",
        )
        .expect("written");
        let config = Config::read(&file).expect("valid");
        let roots = config.git.roots.expect("set");
        assert_eq!(roots[0], folder.path().join("src"));
        assert_eq!(roots[1], PathBuf::from("/abs"));
        assert!(roots[2].is_absolute() && roots[2].ends_with("home"));
        assert_eq!(config.packs["ir"], folder.path().join("ir.conf"));
        assert_eq!(Path::new(&config.record.dir.0), folder.path().join("then"));

        std::fs::write(&file, "[git]\nrots = []\n").expect("written");
        let error = Config::read(&file).expect_err("unknown key").to_string();
        assert!(
            error.starts_with(&format!("{}:2:1: unknown key `git.rots`; did you mean `roots`?", file.display())),
            "{error}"
        );

        std::fs::write(&file, b"[git]\n\xff").expect("written");
        assert!(Config::read(&file).expect_err("not text").to_string().contains("not UTF-8"));
        assert!(Config::read(folder.path()).is_err());

        std::fs::write(&file, "[git]\n").expect("written");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("changed mode");
        let error = Config::read(&file).expect_err("other users can write it").to_string();
        let expected = format!("the configuration {} is refused, because other users can write ", file.display());
        assert!(error.starts_with(&expected), "{error}");
    }

    #[test]
    fn a_named_file_must_exist() {
        let error = crate::find(Some(Path::new("/none/indago.toml")), None).expect_err("missing");
        assert_eq!(
            error.to_string(),
            "cannot read the configuration /none/indago.toml: no such file (named by --config)"
        );
        assert!(crate::find(None, Some(Path::new("/none/indago.toml"))).is_err());
    }

    #[test]
    fn each_key_has_a_sentence_and_each_default_is_accepted() {
        let mut text = String::new();
        let mut section = String::new();
        for key in reference() {
            assert!(key.description.ends_with('.'), "{}.{}: {}", key.section, key.key, key.description);
            if key.key == "<name>" {
                continue;
            }
            if section != key.section {
                section = key.section.clone();
                text.push_str(&format!("[{}]\n", section.replace("<name>", "x")));
                if section.starts_with("schedule") {
                    text.push_str("query = \"SELECT 1\"\n");
                }
                if section.starts_with("recording") {
                    text.push_str("tables = [\"t\"]\n");
                }
            }
            // An empty list of tables is an error.
            if let Some(default) = key.default.filter(|_| key.key != "tables") {
                text.push_str(&format!("{} = {default}\n", key.key));
            }
        }
        let mut config: Config = text.parse().expect("the reference's own defaults");
        config.schedule.clear();
        config.recording.clear();
        assert_eq!(config, Config::default());
    }
}
