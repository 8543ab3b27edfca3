//! YARA rules: where they come from, and what they find.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use boreal::compiler::{Compiler, CompilerParams};
use boreal::scanner::{ScanError, ScanParams, ScanResult, Scanner};
use boreal_parser::expression::{Expression, ExpressionKind};
use boreal_parser::file::YaraFileComponent;
use indago_table::prelude::*;
use indago_table::scan::Group;

use super::paths::Entry;

/// Limit in bytes of the rules in one file.
const MOST_BYTES_OF_RULES: u64 = 16 << 20;

/// Most files that one file of rules includes, directly or through others.
const MOST_INCLUDES: usize = 1000;

/// Directory of files whose names in a query are relative. osquery has the same.
const HOME: &str = "/etc/osquery/yara";

/// Timeout of a scan of one file or process.
const SCAN_TIME: Duration = Duration::from_secs(60);

/// Most matches of one string that are listed.
const MOST_MATCHES: u32 = 1000;

/// Most bytes of a match that are kept; only its place is shown.
const MATCH_BYTES: usize = 16;

/// Limit in bytes of a scanned file.
const MOST_BYTES: u64 = 256 << 20;

/// The rules of a row and what they find, in the form of osquery's columns.
#[derive(Debug, Default, Columns)]
#[columns(cost(scan = 100))]
pub struct Findings {
    /// Names of the rules that match, separated by commas.
    #[column(source = scan)]
    matches: Option<String>,
    /// Number of rules that match.
    #[column(source = scan)]
    count: Option<i64>,
    /// Group of configured signatures. Groups are not supported: a query that names one gets a warning.
    #[column(index, selects)]
    sig_group: String,
    /// File of rules; a relative name is below `/etc/osquery/yara`. It is read from the machine that Indago runs on and
    /// may include others.
    #[column(index, selects)]
    sigfile: String,
    /// Text of rules; it cannot include files.
    #[column(index, selects, hidden)]
    sigrule: String,
    /// Strings that matched, with their offsets or addresses in hexadecimal: `$a:1f`, separated by commas.
    #[column(source = scan)]
    strings: Option<String>,
    /// Tags of the rules that match, separated by commas.
    #[column(source = scan)]
    tags: Option<String>,
    /// Address of rules. Rules are not downloaded: a query that names one gets a warning.
    #[column(index, selects, hidden)]
    sigurl: String,
    /// What is scanned.
    #[column(skip)]
    target: Target,
    /// The rules of the row.
    #[column(skip)]
    rules: Option<Rules>,
}

/// What rules are run on.
#[derive(Debug, Default)]
pub(crate) enum Target {
    #[default]
    Nothing,
    File {
        path: String,
        entry: Entry,
    },
    /// The memory of a process.
    Process(i64),
}

impl Findings {
    pub(crate) fn of(target: Target, rules: &Rules) -> Self {
        let [sig_group, sigfile, sigrule, sigurl] = columns(&rules.signature);
        Findings { sig_group, sigfile, sigrule, sigurl, target, rules: Some(rules.clone()), ..Self::default() }
    }

    fn scan(&mut self, sys: &Sys) -> Result<()> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let found = match &self.target {
            Target::Nothing => return Ok(()),
            Target::File { path, entry } => rules.scan_file(path, entry)?,
            Target::Process(pid) => crate::yara_process::scan(sys, *pid, rules)?,
        };
        (self.matches, self.count) = (Some(found.matches), Some(found.count));
        (self.strings, self.tags) = (Some(found.strings), Some(found.tags));
        Ok(())
    }
}

/// The rules that a query names.
pub(crate) fn asked<T: Row<Env = Sys>>(scan: &Scan<T>, group: Group<T, Findings>) -> Vec<Rules> {
    let keys = [
        scan.keys(group.at(Findings::SIG_GROUP)),
        scan.keys(group.at(Findings::SIGFILE)),
        scan.keys(group.at(Findings::SIGRULE)),
        scan.keys(group.at(Findings::SIGURL)),
    ];
    compiled(&Sys::live(), keys, |origin, error| scan.report(origin, error))
}

/// Where rules come from, as the query names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Signature {
    Group(String),
    File(String),
    Rule(String),
    Url(String),
}

/// Compiled rules.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    signature: Signature,
    scanner: Arc<Scanner>,
    /// Largest file in which one of them can match, if their conditions limit it.
    largest: Option<u64>,
}

/// The rules that a query names. Rules that cannot be used are reported.
fn compiled(sys: &Sys, keys: [Option<Vec<String>>; 4], report: impl Fn(&str, &Error)) -> Vec<Rules> {
    let [groups, files, rules, urls] = keys.map(Option::unwrap_or_default);
    let groups = groups.into_iter().map(Signature::Group);
    let files = files.into_iter().map(Signature::File);
    let urls = urls.into_iter().map(Signature::Url);
    let mut signatures: Vec<_> =
        groups.chain(files).chain(rules.into_iter().map(Signature::Rule)).chain(urls).collect();
    signatures.sort_unstable();
    signatures.dedup();
    if signatures.is_empty() {
        let what = "no rules: name a file with `sigfile = '/path'`, or give them with `sigrule = 'rule ..'`";
        report("rules", &Error::Unsupported(what.to_owned()));
    }
    let compile = |signature: Signature| match compile(sys, &signature) {
        Ok((scanner, largest)) => Some(Rules { signature, scanner: Arc::new(scanner), largest }),
        Err(error) => {
            report("rules", &error);
            None
        }
    };
    signatures.into_iter().filter_map(compile).collect()
}

fn compile(sys: &Sys, signature: &Signature) -> Result<(Scanner, Option<u64>)> {
    match signature {
        Signature::Rule(text) => compile_text("the rule", text, None),
        Signature::File(name) => {
            let path = Path::new(HOME).join(name);
            // The rules are the analyst's: they are read from the machine that the program runs on, not from the
            // scanned one.
            let text = read_rules(sys, &path)?;
            compile_text(&path.display().to_string(), &text, Some(path))
        }
        Signature::Group(name) => Err(Error::Unsupported(format!(
            "signature group `{name}` is not configured; name its file with `sigfile = '/path'`"
        ))),
        Signature::Url(url) => Err(Error::Unsupported(format!(
            "rules are not downloaded from {url}; save them to a file and use `sigfile = '/path'`"
        ))),
    }
}

fn read_rules(sys: &Sys, path: &Path) -> Result<String> {
    let bytes = sys.read_at_most(path, MOST_BYTES_OF_RULES).map_err(|error| match error {
        Error::Gone(what) => Error::Unsupported(format!("{what} does not exist")),
        other => other,
    })?;
    // Rules may have comments in other encodings.
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Compiles rules, and finds the largest file in which they can match. Only a file may include others.
fn compile_text(name: &str, text: &str, path: Option<PathBuf>) -> Result<(Scanner, Option<u64>)> {
    let included = Arc::new(parking_lot::Mutex::new(Largest::default()));
    included.lock().add(text);
    let mut compiler = Compiler::new();
    compiler.set_params(CompilerParams::default().disable_includes(path.is_none()));
    if let Some(path) = path {
        let own = Sys::live();
        let mut left = MOST_INCLUDES;
        let included = included.clone();
        compiler.set_include_callback(move |include, from, _namespace| {
            left = left.checked_sub(1).ok_or_else(|| io::Error::other("too many included files"))?;
            let folder = from.and_then(Path::parent).or(path.parent()).unwrap_or(Path::new(HOME));
            let text = read_rules(&own, &folder.join(include)).map_err(|error| io::Error::other(error.to_string()))?;
            included.lock().add(&text);
            Ok(text)
        });
    }
    compiler.add_rules_str(text).map_err(|error| Error::Malformed(format!("{name}: {error}")))?;
    let mut scanner = compiler.finalize();
    scanner.set_scan_params(
        ScanParams::default()
            .compute_full_matches(true)
            .match_max_length(MATCH_BYTES)
            .string_max_nb_matches(MOST_MATCHES)
            .timeout_duration(Some(SCAN_TIME)),
    );
    let largest = included.lock().bytes();
    Ok((scanner, largest))
}

/// The largest file in which rules can match.
#[derive(Debug, Default)]
struct Largest {
    /// Of each rule that is reported; `None` if its condition does not limit it.
    rules: Vec<Option<u64>>,
    /// The smallest of those of global rules, without which no rule matches.
    global: Option<u64>,
}

impl Largest {
    /// Adds the rules of a text. A text that does not parse is not compiled either.
    fn add(&mut self, text: &str) {
        let parsed = boreal_parser::parse(text).map(|file| file.components).unwrap_or_default();
        for component in parsed {
            let YaraFileComponent::Rule(rule) = component else { continue };
            let largest = largest(&rule.condition);
            if rule.is_global {
                self.global = self.global.into_iter().chain(largest).min();
            }
            if !rule.is_private {
                self.rules.push(largest);
            }
        }
    }

    fn bytes(&self) -> Option<u64> {
        let rules: Option<Vec<u64>> = self.rules.iter().copied().collect();
        rules.map(|rules| rules.into_iter().max().unwrap_or(0)).into_iter().chain(self.global).min()
    }
}

/// The largest `filesize` for which a condition can be true, if the condition limits it.
fn largest(condition: &Expression) -> Option<u64> {
    use ExpressionKind::{And, Boolean, Cmp, Eq, Filesize, Or};
    let is_size = |side: &Expression| matches!(side.expr, Filesize);
    let size = |side: &Expression| Some(u64::try_from(number(side)?).unwrap_or(0));
    match &condition.expr {
        And(all) => all.iter().filter_map(largest).min(),
        Or(any) => any.iter().map(largest).try_fold(0, |most, next| Some(next?.max(most))),
        Boolean(false) => Some(0),
        Eq(left, right) if is_size(left) => size(right),
        Eq(left, right) if is_size(right) => size(left),
        // The comparison is `<`, `<=`, `>` or `>=`.
        Cmp { left, right, less_than: true, .. } if is_size(left) => size(right),
        Cmp { left, right, less_than: false, .. } if is_size(right) => size(left),
        _ => None,
    }
}

/// The value of a constant.
fn number(expression: &Expression) -> Option<i64> {
    match &expression.expr {
        ExpressionKind::Integer(number) => Some(*number),
        ExpressionKind::Neg(inner) => number(inner)?.checked_neg(),
        ExpressionKind::Add(left, right) => number(left)?.checked_add(number(right)?),
        ExpressionKind::Sub(left, right) => number(left)?.checked_sub(number(right)?),
        ExpressionKind::Mul(left, right) => number(left)?.checked_mul(number(right)?),
        _ => None,
    }
}

/// What rules found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Names of the rules, separated by commas.
    pub(crate) matches: String,
    pub(crate) count: i64,
    /// Names of strings with their places, `$a:1f`, separated by commas.
    pub(crate) strings: String,
    pub(crate) tags: String,
}

impl Rules {
    /// Scans a file, unless its size excludes a match.
    fn scan_file(&self, path: &str, entry: &Entry) -> Result<Found> {
        let size = entry.sys.metadata(entry.at())?.len();
        if self.largest.is_some_and(|largest| size > largest) {
            return Ok(Found::default());
        }
        let bytes = entry.sys.read_at_most(entry.at(), MOST_BYTES)?;
        let _held = entry.sys.meter().hold(bytes.len())?;
        self.scan(path, &bytes)
    }

    /// Scans bytes; `what` is their name in errors.
    fn scan(&self, what: &str, bytes: &[u8]) -> Result<Found> {
        self.outcome(what, self.scanner.scan_mem(bytes))
    }

    /// Scans memory that is read region by region.
    pub(crate) fn scan_memory(&self, what: &str, memory: impl boreal::memory::FragmentedMemory) -> Result<Found> {
        self.outcome(what, self.scanner.scan_fragmented(memory))
    }

    fn outcome(&self, what: &str, result: Result<ScanResult<'_>, (ScanError, ScanResult<'_>)>) -> Result<Found> {
        match result {
            Ok(found) => Ok(self.found(&found)),
            Err((ScanError::Timeout, _)) => Err(Error::Io {
                what: what.to_owned(),
                message: format!("the scan took longer than {} seconds", SCAN_TIME.as_secs()),
            }),
            Err((error, _)) => Err(Error::Io { what: what.to_owned(), message: error.to_string() }),
        }
    }

    fn found(&self, found: &ScanResult<'_>) -> Found {
        let mut all = Found::default();
        let add = |list: &mut String, text: &str| {
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(text);
        };
        for rule in &found.rules {
            all.count += 1;
            add(&mut all.matches, rule.name);
            for tag in rule.tags {
                add(&mut all.tags, self.scanner.get_string_symbol(*tag));
            }
            for string in &rule.matches {
                for place in &string.matches {
                    let place = place.base.saturating_add(place.offset);
                    add(&mut all.strings, &format!("${}:{place:x}", string.name));
                }
            }
        }
        all
    }
}

/// The columns that name the signature of a row: group, file, rule and address.
fn columns(signature: &Signature) -> [String; 4] {
    let mut columns = [const { String::new() }; 4];
    match signature {
        Signature::Group(name) => columns[0].clone_from(name),
        Signature::File(name) => columns[1].clone_from(name),
        Signature::Rule(text) => columns[2].clone_from(text),
        Signature::Url(url) => columns[3].clone_from(url),
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = r#"
        rule greeting : demo polite { strings: $a = "hello" $b = { 77 6f ?? 6c 64 } condition: all of them }
        rule shell { strings: $ = /sh[a-z]{3}/ condition: $ or any of them }
        rule absent { strings: $a = "nothing of this kind" condition: $a }
    "#;

    #[test]
    fn findings_have_osquerys_form() {
        let rule = RULE.replace("$ or any of them", "any of them");
        let (scanner, largest) = compile_text("the rule", &rule, None).expect("rules");
        let rules = Rules { signature: Signature::Rule(rule), scanner: Arc::new(scanner), largest };
        let found = rules.scan("x", b"hello world, hello shell").expect("scanned");
        assert_eq!(found.matches, "greeting,shell");
        assert_eq!((found.count, &*found.tags), (2, "demo,polite"));
        assert_eq!(found.strings, "$a:0,$a:d,$b:6,$:13");
        assert_eq!(rules.scan("x", b"").expect("scanned"), Found::default());
    }

    #[test]
    fn conditions_limit_the_size_of_files() {
        for (text, expected) in [
            ("rule a { condition: filesize < 1MB }", Some(1 << 20)),
            ("rule a { strings: $a = \"x\" condition: $a and filesize <= 2 * 3 }", Some(6)),
            ("rule a { condition: 10 > filesize } rule b { condition: filesize == 20 }", Some(20)),
            ("rule a { condition: 10 < filesize }", None),
            ("rule a { condition: filesize < 10 or filesize < 20 }", Some(20)),
            ("rule a { condition: filesize < 10 or true }", None),
            ("rule a { condition: not filesize < 10 }", None),
            ("rule a { condition: filesize < 10 } rule b { condition: true }", None),
            ("global rule a { condition: filesize < 10 } rule b { condition: true }", Some(10)),
            ("private rule a { condition: true } rule b { condition: a and filesize < -1 }", Some(0)),
        ] {
            assert_eq!(compile_text("x", text, None).expect("rules").1, expected, "{text}");
        }
    }

    #[test]
    fn rules_that_cannot_be_used_are_reported_and_the_others_scan() {
        let folder = tempfile::tempdir().expect("a directory");
        let at = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        std::fs::create_dir(at("sub")).expect("created");
        std::fs::write(at("all"), "include \"sub/one\"\nrule two { condition: filesize < 5 }").expect("written");
        std::fs::write(at("sub/one"), "rule one { condition: filesize < 10 }").expect("written");
        std::fs::write(at("loop"), "include \"loop\"").expect("written");
        std::fs::write(at("bad"), "rule x {").expect("written");
        let files = ["all", "loop", "bad", "none"].map(at).to_vec();
        let inline = format!("include \"{}\" rule three {{ condition: true }}", at("all"));
        let reported = std::cell::RefCell::new(Vec::new());
        let keys = [Some(vec!["g".to_owned()]), Some(files), Some(vec![inline]), Some(vec!["http://x".to_owned()])];
        let rules = compiled(&Sys::live(), keys, |_, error| reported.borrow_mut().push(error.to_string()));
        let names: Vec<_> = rules.iter().map(|rules| rules.scan("x", b"abc").expect("scanned").matches).collect();
        assert_eq!(names, ["one,two"], "{reported:?}");
        assert_eq!(rules[0].largest, Some(10));
        assert_eq!(reported.borrow().len(), 6, "{reported:?}");
        let none =
            compiled(&Sys::live(), [None, None, None, None], |_, error| reported.borrow_mut().push(error.to_string()));
        assert!(none.is_empty() && reported.borrow().last().is_some_and(|last| last.starts_with("no rules")));
    }
}
