//! `~/.aws/config` and `~/.aws/credentials`, read like the AWS CLI reads them.
//!
//! The SDK refuses an entire file for one bad line, and takes an empty value as a value. This module reads each section
//! separately: a bad line affects only its own profile. The SDK gets the text of one profile and of those that it
//! refers to ([`Files::chain`]), in the form that it knows.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_table::prelude::*;

/// Largest profile file. Real ones have kilobytes.
pub(crate) const LARGEST: u64 = 4 << 20;

/// Longest chain of profiles through `source_profile`.
const LONGEST_CHAIN: usize = 32;

/// All sections of the machine's profile files.
#[derive(Debug, Default)]
pub(crate) struct Files {
    profiles: BTreeMap<String, Section>,
    sessions: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
    /// The paths of the files, and problems that affect a file as a whole.
    looked_at: Vec<PathBuf>,
    problems: Vec<String>,
}

/// One section: its entries by lowercase key, and its first problem.
#[derive(Debug, Clone, Default)]
struct Section {
    entries: BTreeMap<String, Entry>,
    problem: Option<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    value: String,
    file: Arc<Source>,
}

/// A file that entries come from.
#[derive(Debug, Default, PartialEq, Eq)]
struct Source {
    path: PathBuf,
    /// Why programs that it names are not run.
    untrusted: Option<String>,
}

/// Which of the two files: they name their sections differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Config,
    Credentials,
}

/// One profile with those that it refers to, in the SDK's form, and the credentials that the SDK does not fetch.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    /// The text of a configuration file.
    pub(crate) text: String,
    /// The name of the profile in that text.
    pub(crate) profile: String,
    /// Credential providers, by the name of `credential_source` in the text.
    pub(crate) ways: Vec<(String, Way)>,
    /// The profile's region.
    pub(crate) region: Option<String>,
    /// The file with the trusted certificates.
    pub(crate) ca_bundle: Option<String>,
    /// Files that the SDK is going to read.
    pub(crate) reads: Vec<PathBuf>,
    /// Whether the SDK reads the cache of `aws sso login`.
    pub(crate) uses_sso: bool,
}

/// A credential provider other than the SDK's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// A program prints them.
    Process {
        /// The profile that names it.
        profile: String,
        /// The program with its arguments.
        command: String,
    },
    /// They are in the cache of `aws login`.
    Login {
        /// The profile that names the session.
        profile: String,
        /// ARN of the signed-in identity.
        session: String,
    },
    /// It is configured but not used, for this reason.
    Refused(String),
}

impl Files {
    /// Reads the machine's files. `config` is the path of the first one if it is not the default.
    ///
    /// An absent file counts as empty. Problems of a file are reported if a profile is missing.
    pub(crate) fn read(sys: &Sys, config: Option<&Path>) -> Files {
        let usual = |variable: &str, name: &str| {
            let named = sys.variable(variable).filter(|value| !value.is_empty()).map(|path| at_home(sys, &path));
            named.or_else(|| Some(sys.home()?.join(".aws").join(name)))
        };
        let config = config.map(Path::to_owned).or_else(|| usual("AWS_CONFIG_FILE", "config"));
        let credentials = usual("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let mut files = Files::default();
        for (path, form) in [(config, Form::Config), (credentials, Form::Credentials)] {
            let Some(path) = path else { continue };
            match sys.read_with_writer(&path, LARGEST) {
                Ok((text, untrusted)) => files.add(&text, form, Source { path: path.clone(), untrusted }),
                Err(Error::Gone(_)) => {}
                Err(error) => files.problems.push(error.to_string()),
            }
            files.looked_at.push(path);
        }
        files
    }

    /// The paths that were read or tried.
    pub(crate) fn looked_at(&self) -> &[PathBuf] {
        &self.looked_at
    }

    /// The region that a profile names.
    pub(crate) fn region(&self, profile: &str) -> Option<String> {
        self.profiles.get(profile)?.get("region").map(str::to_ascii_lowercase)
    }

    /// Whether there is a profile of that name.
    pub(crate) fn has(&self, profile: &str) -> bool {
        self.profiles.contains_key(profile)
    }

    /// A profile and all that it refers to. An error states what is wrong and where.
    pub(crate) fn chain(&self, profile: &str) -> Result<Chain> {
        let mut chain = Chain { profile: alias(profile), ..Chain::default() };
        let mut written: Vec<String> = Vec::new();
        let mut next = Some(profile.to_owned());
        while let Some(name) = next.take() {
            if written.contains(&name) {
                return Err(Error::Malformed(format!(
                    "profile {profile}: its `source_profile`s form a circle: {}",
                    written.join(", ")
                )));
            }
            if written.len() == LONGEST_CHAIN {
                return Err(Error::Malformed(format!(
                    "profile {profile}: its chain of `source_profile`s is longer than {LONGEST_CHAIN}"
                )));
            }
            let section = self.section("profile", &name, &self.profiles)?;
            if name == profile {
                chain.region = section.get("region").map(str::to_ascii_lowercase);
                chain.ca_bundle = section.get("ca_bundle").map(str::to_owned);
            }
            next = self.write_profile(&mut chain, &name, section)?;
            written.push(name);
        }
        Ok(chain)
    }

    /// Writes a profile in the SDK's form. Returns the profile whose credentials it starts from.
    fn write_profile(&self, chain: &mut Chain, name: &str, section: &Section) -> Result<Option<String>> {
        let mut entries: BTreeMap<String, String> =
            section.entries.iter().map(|(key, entry)| (key.clone(), entry.value.clone())).collect();
        if let Some(region) = entries.get_mut("region") {
            region.make_ascii_lowercase();
        }
        let is_role = section.get("role_arn").is_some() && section.get("web_identity_token_file").is_none();
        let source = section.get("source_profile").filter(|_| is_role);
        // The SDK looks for these first, in this order.
        let has_other = ["credential_source", "web_identity_token_file"].iter().any(|key| section.get(key).is_some())
            || section.entries.keys().any(|key| key.starts_with("sso_"));
        let is_base = !is_role || source == Some(name);
        let own = if has_other || !is_base { None } else { section.way(name) };
        entries.remove("credential_process");
        entries.remove("login_session");
        if let Some(way) = own {
            let way_name = format!("indago{}", chain.ways.len());
            chain.ways.push((way_name.clone(), way));
            if is_role {
                // A role based on the profile's own program: the SDK needs two profiles for that.
                entries.insert("source_profile".into(), format!("{}/{way_name}", alias(name)));
                let _ = write!(chain.text, "[profile {}/{way_name}]\ncredential_source = {way_name}\n", alias(name));
            } else {
                entries.insert("credential_source".into(), way_name);
            }
        } else if let Some(source) = source {
            entries.insert("source_profile".into(), alias(source));
        }
        if let Some(session) = section.get("sso_session") {
            let settings = self.section("sso-session", session, &self.sessions)?;
            entries.insert("sso_session".into(), alias(session));
            write_section(&mut chain.text, "sso-session", session, &settings.values());
        }
        if let Some(services) = section.get("services") {
            let settings = self.section("services", services, &self.services)?;
            entries.insert("services".into(), alias(services));
            write_section(&mut chain.text, "services", services, &settings.values());
        }
        chain.uses_sso |= section.entries.keys().any(|key| key.starts_with("sso_"));
        chain.reads.extend(section.get("web_identity_token_file").map(PathBuf::from));
        write_section(&mut chain.text, "profile", name, &entries);
        Ok(source.filter(|source| *source != name).map(str::to_owned))
    }

    fn section<'a>(&self, kind: &str, name: &str, all: &'a BTreeMap<String, Section>) -> Result<&'a Section> {
        let Some(section) = all.get(name) else {
            let files: Vec<_> = self.looked_at.iter().map(|path| path.display().to_string()).collect();
            let known: Vec<_> = all.keys().take(12).map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let problems: String = self.problems.iter().map(|problem| format!("; {problem}")).collect();
            return Err(Error::Malformed(format!(
                "there is no {kind} {name} in {}; there are: {known}{problems}",
                files.join(" or ")
            )));
        };
        match &section.problem {
            Some(problem) => Err(Error::Malformed(format!("{kind} {name}: {problem}"))),
            None => Ok(section),
        }
    }

    fn add(&mut self, text: &str, form: Form, source: Source) {
        let source = Arc::new(source);
        let parsed = parse(text, &source);
        self.problems.extend(parsed.problems);
        let has_default = parsed.sections.iter().any(|(header, _)| words(header) == ["profile", "default"]);
        for (header, section) in parsed.sections {
            let words = words(&header);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (target, name) = match (form, words.as_slice()) {
                (Form::Config, ["default"]) if has_default => continue,
                (Form::Config, ["default"]) => (&mut self.profiles, "default".to_owned()),
                (Form::Config, ["profile", name @ ..]) if !name.is_empty() => (&mut self.profiles, name.join(" ")),
                (Form::Config, ["sso-session", name @ ..]) if !name.is_empty() => (&mut self.sessions, name.join(" ")),
                (Form::Config, ["services", name @ ..]) if !name.is_empty() => (&mut self.services, name.join(" ")),
                (Form::Credentials, [_, ..]) => (&mut self.profiles, words.join(" ")),
                _ => continue,
            };
            let known = target.entry(name).or_default();
            known.entries.extend(section.entries);
            known.problem = known.problem.take().or(section.problem);
        }
    }
}

impl Section {
    fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|entry| entry.value.as_str())
    }

    fn values(&self) -> BTreeMap<String, String> {
        self.entries.iter().map(|(key, entry)| (key.clone(), entry.value.clone())).collect()
    }

    /// The credential provider that is not the SDK's.
    fn way(&self, profile: &str) -> Option<Way> {
        if let Some(session) = self.get("login_session") {
            return Some(Way::Login { profile: profile.to_owned(), session: session.to_owned() });
        }
        let Entry { value, file } = self.entries.get("credential_process")?;
        Some(match &file.untrusted {
            None => Way::Process { profile: profile.to_owned(), command: value.clone() },
            Some(why) => {
                let path = file.path.display();
                Way::Refused(format!("the `credential_process` of profile {profile} in {path} is not run: {why}"))
            }
        })
    }
}

/// A name that the SDK accepts: other characters become their codes.
fn alias(name: &str) -> String {
    let mut alias = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '/' | '.' | '%' | '@' | ':' => alias.push(letter),
            other => {
                let _ = write!(alias, "+{:x}+", u32::from(other));
            }
        }
    }
    alias
}

fn write_section(text: &mut String, kind: &str, name: &str, entries: &BTreeMap<String, String>) {
    let _ = writeln!(text, "[{kind} {}]", alias(name));
    for (key, value) in entries {
        match value.strip_prefix('\n') {
            // A block of nested settings. The SDK would refuse the entire file for an invalid line in it.
            Some(block) => {
                let lines =
                    block.lines().filter(|line| line.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty()));
                let _ = writeln!(text, "{key} =");
                lines.for_each(|line| {
                    let _ = writeln!(text, "  {line}");
                });
            }
            None => {
                let _ = writeln!(text, "{key} = {}", value.replace('\n', "\n  "));
            }
        }
    }
}

struct Parsed {
    sections: Vec<(String, Section)>,
    problems: Vec<String>,
}

/// The sections of a file, in order.
fn parse(text: &str, source: &Arc<Source>) -> Parsed {
    let mut parsed = Parsed { sections: Vec::new(), problems: Vec::new() };
    // Key and indentation of the entry that deeper-indented lines belong to.
    let mut open: Option<(String, usize)> = None;
    let mut is_lost = true;
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let at = || format!("line {} of {}", number + 1, source.path.display());
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let section = parsed.sections.last_mut().map(|(_, section)| section).filter(|_| !is_lost);
        if let (Some((key, depth)), Some(section)) = (&open, section)
            && indent > *depth
        {
            let new = || Entry { value: String::new(), file: source.clone() };
            let value = &mut section.entries.entry(key.clone()).or_insert_with(new).value;
            value.push('\n');
            value.push_str(without_comment(line));
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            open = None;
            is_lost = true;
            match header.split_once(']') {
                Some((header, _)) => {
                    parsed.sections.push((header.trim().to_owned(), Section::default()));
                    is_lost = false;
                }
                None => parsed.problems.push(format!("{}: the name of a section must end in `]`", at())),
            }
            continue;
        }
        let Some((_, section)) = parsed.sections.last_mut().filter(|_| !is_lost) else {
            parsed.problems.push(format!("{}: it is not in a section", at()));
            continue;
        };
        let Some((key, value)) = line.find(['=', ':']).map(|at| (line[..at].trim(), line[at + 1..].trim())) else {
            section.problem.get_or_insert_with(|| format!("{}: it should be `key = value`", at()));
            continue;
        };
        if key.is_empty() {
            section.problem.get_or_insert_with(|| format!("{}: the key before `=` is missing", at()));
            continue;
        }
        let key = key.to_ascii_lowercase();
        let value = if key == "credential_process" { value } else { without_comment(value) };
        section.entries.remove(&key);
        // An empty value is no value, unless indented lines follow.
        if !value.is_empty() {
            section.entries.insert(key.clone(), Entry { value: value.to_owned(), file: source.clone() });
        }
        open = Some((key, indent));
    }
    parsed.problems.truncate(8);
    parsed
}

/// A value without its comment.
fn without_comment(value: &str) -> &str {
    let is_start = |(at, _): &(usize, &str)| value[..*at].ends_with(char::is_whitespace);
    let comment = value.match_indices(['#', ';']).find(is_start).map_or(value.len(), |(at, _)| at);
    value[..comment].trim_end()
}

/// The words of a section's name. Quotes keep words together.
fn words(header: &str) -> Vec<String> {
    shlex::split(header).unwrap_or_else(|| header.split_whitespace().map(str::to_owned).collect())
}

/// A path that may start with `~`.
pub(crate) fn at_home(sys: &Sys, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), sys.home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// Fails unless the file is a small regular file or absent, for files that other code is going to read.
pub(crate) fn check_small(sys: &Sys, path: &Path) -> Result<()> {
    let metadata = sys.metadata(path)?;
    let shown = path.display();
    if !metadata.is_file() {
        return Err(Error::Malformed(format!("{shown} is not a regular file")));
    }
    if metadata.len() > LARGEST {
        return Err(Error::Malformed(format!("{shown} has {} bytes, more than {LARGEST}", metadata.len())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(config: &str, credentials: &str) -> Files {
        let mut files = Files { looked_at: vec!["config".into(), "credentials".into()], ..Files::default() };
        for (text, form, path) in [(config, Form::Config, "config"), (credentials, Form::Credentials, "credentials")] {
            files.add(text, form, Source { path: path.into(), untrusted: None });
        }
        files
    }

    #[test]
    fn regions_are_those_that_the_cli_reads() {
        let text = "\u{feff}[default]\r\nregion = us-east-1 \r\n[profile  prod]\noutput=json\n s3 =\n  region = nested\n\
                    region=EU-West-1 # home\n[staging]\nregion = ap-south-1\n[profile empty]\nregion =\n[profile none]\n\
                    [profile \"my team\"]\nregion: eu-north-1\n[profile its time]\nREGION = eu-south-1\n\
                    [ profile spaced ]\n  region = us-west-1\n  # a comment\n  output = json\n";
        let files = files(text, "[staging]\nregion=ca-west-1\n[empty]\nregion = \n");
        for (profile, region) in [
            ("default", Some("us-east-1")),
            ("prod", Some("eu-west-1")),
            ("staging", Some("ca-west-1")),
            ("empty", None),
            ("none", None),
            ("absent", None),
            ("my team", Some("eu-north-1")),
            ("its time", Some("eu-south-1")),
            ("spaced", Some("us-west-1")),
        ] {
            assert_eq!(files.region(profile).as_deref(), region, "{profile}");
        }
    }

    #[test]
    fn the_prefixed_default_replaces_the_plain_one() {
        for text in
            ["[default]\nregion=a-b-1\n[profile default]\nx=y", "[profile default]\nx=y\n[default]\nregion=a-b-1"]
        {
            assert_eq!(files(text, "").region("default"), None, "{text}");
        }
    }

    #[test]
    fn a_bad_line_costs_its_own_profile_alone() {
        let text = "stray = 1\n[profile good]\naws_access_key_id = A\naws_secret_access_key = B\n[profile bad]\ngarbage\n\
                    [profile nameless]\n= x\n[profile cut\nregion = eu-west-9\n[profile last]\nregion = eu-west-1\n";
        let files = files(text, "");
        let chain = files.chain("good").expect("it has no problem");
        assert_eq!(chain.text, "[profile good]\naws_access_key_id = A\naws_secret_access_key = B\n");
        assert!(files.chain("last").is_ok());
        for (profile, text) in [
            ("bad", "profile bad: line 6 of config: it should be `key = value`"),
            ("nameless", "profile nameless: line 8 of config: the key before `=` is missing"),
            (
                "cut",
                "there is no profile cut in config or credentials; there are: bad, good, last, nameless; \
                 line 1 of config: it is not in a section; line 9 of config: the name of a section must end in `]`; \
                 line 10 of config: it is not in a section",
            ),
        ] {
            assert_eq!(files.chain(profile).expect_err(profile).to_string(), text);
        }
    }

    #[test]
    fn a_profile_comes_with_those_that_it_refers_to() {
        let text = "[profile role]\nrole_arn = arn:r\nsource_profile = my base\nregion = EU-WEST-1\nservices = local\n\
                    [profile my base]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\nsso_region =\n\
                    [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://x/#/\n\
                    [services local]\nec2 =\n  endpoint_url = http://127.0.0.1:1\n  nonsense\n[profile other]\nx = y\n";
        let chain = files(text, "").chain("role").expect("a chain");
        assert_eq!(
            chain.text,
            "[services local]\nec2 =\n  endpoint_url = http://127.0.0.1:1\n[profile role]\nregion = eu-west-1\n\
             role_arn = arn:r\nservices = local\nsource_profile = my+20+base\n[sso-session corp]\nsso_region = us-east-1\n\
             sso_start_url = https://x/#/\n[profile my+20+base]\nsso_account_id = 1\nsso_role_name = r\nsso_session = corp\n"
        );
        assert_eq!((chain.region.as_deref(), chain.uses_sso), (Some("eu-west-1"), true));
        for (text, profile, message) in [
            (
                "[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a",
                "a",
                "form a circle: a, b",
            ),
            (
                "[profile z]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=z",
                "z",
                "form a circle: z, b",
            ),
            (
                "[profile a]\nrole_arn=r\nsource_profile=b",
                "a",
                "there is no profile b in config or credentials; there are: a",
            ),
            ("[profile a]\nsso_session=b", "a", "there is no sso-session b in"),
            ("[profile a]\nservices=b", "a", "there is no services b in"),
        ] {
            let error = files(text, "").chain(profile).expect_err(text).to_string();
            assert!(error.contains(message), "{error}");
        }
        let profile = |n: i32| format!("[profile p{n}]\nrole_arn=r\nsource_profile=p{}\n", n + 1);
        let long = (0..40).map(profile).collect::<Vec<String>>().concat();
        let error = files(&long, "").chain("p0").expect_err("it is too long").to_string();
        assert_eq!(error, "profile p0: its chain of `source_profile`s is longer than 32");
    }

    #[test]
    fn programs_and_sessions_become_sources() {
        let process = |profile: &str| Way::Process { profile: profile.into(), command: "p '# ;' x".into() };
        let login = Way::Login { profile: "a".into(), session: "arn:s".into() };
        for (text, written, way) in [
            (
                "[profile a]\ncredential_process = p '# ;' x",
                "[profile a]\ncredential_source = indago0\n",
                Some(process("a")),
            ),
            ("[profile a]\nlogin_session = arn:s", "[profile a]\ncredential_source = indago0\n", Some(login)),
            (
                "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\ncredential_process=p '# ;' x",
                "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\ncredential_source = indago0\n",
                Some(process("b")),
            ),
            (
                "[profile a]\nrole_arn = r\nsource_profile = a\ncredential_process = p '# ;' x",
                "[profile a/indago0]\ncredential_source = indago0\n\
                 [profile a]\nrole_arn = r\nsource_profile = a/indago0\n",
                Some(process("a")),
            ),
            (
                "[profile a]\nrole_arn = r\ncredential_source = Environment\ncredential_process = p",
                "[profile a]\ncredential_source = Environment\nrole_arn = r\n",
                None,
            ),
        ] {
            let chain = files(text, "").chain("a").expect("a chain");
            assert_eq!(chain.text, written);
            assert_eq!(chain.ways.into_iter().map(|(_, way)| way).next(), way, "{text}");
        }
    }
}
