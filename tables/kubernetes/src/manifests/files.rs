//! The documents in files of manifests: YAML and JSON, with several documents per file.

use std::path::{Path, PathBuf};

use indago_table::{Error, Result, Sys};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value as Document;

/// Largest file. The definitions of a large set of operators have 10 MB.
const MOST_BYTES: u64 = 64 << 20;
/// Most files of a set.
const MOST_FILES: usize = 50_000;
/// Most levels of directories.
const MOST_LEVELS: usize = 32;
/// Most levels of values in a document.
const DEEPEST: usize = 128;
/// Most values in a document.
const MOST_NODES: usize = 5_000_000;
/// Most values that aliases may repeat in a document.
const MOST_REPEATED: usize = 100_000;

/// Receives what is not read: a path, with a line if there is one, and why.
pub(super) type Report<'a> = &'a dyn Fn(&str, &Error);

/// The files of a set: one file, or all YAML and JSON files below a directory. Hidden files and directories and links
/// to directories are skipped.
pub(super) fn files(sys: &Sys, root: &Path, report: Report<'_>) -> Result<Vec<PathBuf>> {
    let metadata = sys.metadata(root).map_err(|error| match error {
        Error::Gone(what) => Error::Unsupported(format!("{what} does not exist")),
        other => other,
    })?;
    if !metadata.is_dir() {
        return Ok(vec![root.to_owned()]);
    }
    let mut files = Vec::new();
    below(sys, root, 0, &mut files, report)?;
    Ok(files)
}

fn below(sys: &Sys, folder: &Path, level: usize, files: &mut Vec<PathBuf>, report: Report<'_>) -> Result<()> {
    let mut entries = sys.entries(folder)?;
    entries.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let named = |wanted: &str| entries.iter().any(|(name, _)| name == wanted);
    if named("Chart.yaml") {
        let why = "this Helm chart is not rendered: add the output of `helm template` to the manifests";
        report(&folder.display().to_string(), &Error::Unsupported(why.to_owned()));
        return Ok(());
    }
    for (name, kind) in entries {
        let Some(text) = name.to_str() else {
            let why = Error::Malformed("skipped a name that is not UTF-8".to_owned());
            report(&folder.join(&name).display().to_string(), &why);
            continue;
        };
        let path = folder.join(text);
        if text.starts_with('.') {
            continue;
        }
        if KUSTOMIZATIONS.contains(&text) {
            let why = "this overlay of Kustomize is not rendered: the files around it are read as they are";
            report(&path.display().to_string(), &Error::Unsupported(why.to_owned()));
            continue;
        }
        if kind.is_dir() {
            if level == MOST_LEVELS {
                let why = format!("more than {MOST_LEVELS} levels of directories are not read");
                report(&path.display().to_string(), &Error::Unsupported(why));
            } else if let Err(error) = below(sys, &path, level + 1, files, report) {
                if error.ends_query() {
                    return Err(error);
                }
                report(&path.display().to_string(), &error);
            }
            continue;
        }
        let is_file = kind.is_file() || (kind.is_symlink() && sys.metadata(&path).is_ok_and(|it| it.is_file()));
        if is_file && [".yaml", ".yml", ".json"].iter().any(|end| text.ends_with(end)) {
            if files.len() == MOST_FILES {
                return Err(Error::Unsupported(format!("more than {MOST_FILES} files")));
            }
            files.push(path);
        }
    }
    Ok(())
}

const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The documents of a file, each with its first line.
pub(super) fn documents(sys: &Sys, path: &Path) -> Result<Vec<(u64, Result<Read>)>> {
    let bytes = sys.read_at_most(path, MOST_BYTES)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::Malformed("it is not UTF-8".to_owned()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(if path.extension().is_some_and(|end| end == "json") { json(text) } else { yaml(text) })
}

/// A document, and the lines of the elements of its list `items`.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub(super) document: Document,
    pub(super) lines: Vec<u64>,
}

/// Documents of JSON, one after the other.
fn json(text: &str) -> Vec<(u64, Result<Read>)> {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Document>();
    loop {
        let rest = &text[stream.byte_offset()..];
        let start = text.len() - rest.trim_start().len();
        let line = line_at(text, start);
        let Some(document) = stream.next() else { return documents };
        match document {
            Ok(document) => {
                let lines = item_lines(&text[start..stream.byte_offset()], &document, line);
                documents.push((line, Ok(Read { document, lines })));
            }
            Err(error) => {
                // The end of a malformed document is not known.
                let line = line.max(error.line() as u64);
                documents.push((line, Err(Error::Malformed(format!("not JSON: {error}")))));
                return documents;
            }
        }
    }
}

/// Documents of YAML, each parsed alone: one that is malformed does not affect the others.
fn yaml(text: &str) -> Vec<(u64, Result<Read>)> {
    let parsed = |(before, chunk): (u64, &str)| {
        let is_content = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let blank = chunk.lines().take_while(|line| !is_content(line)).count() as u64;
        chunk.lines().find(is_content)?;
        let line = before + blank;
        let read = match serde_saphyr::from_str_with_options::<Document>(chunk, options()) {
            Ok(document) => {
                let lines = item_lines(chunk, &document, before);
                Ok(Read { document, lines })
            }
            Err(error) => {
                let at = error.location().map_or(line, |at| before + at.line().saturating_sub(1));
                let why = match error {
                    serde_saphyr::Error::Budget { .. } => {
                        "the document is larger, more deeply nested or more often repeated than Indago reads".to_owned()
                    }
                    // Its own line is that of the document.
                    other => other.to_string().split(" at line ").next().unwrap_or_default().replace('\n', " "),
                };
                return Some((at, Err(Error::Malformed(format!("not YAML: {why}")))));
            }
        };
        Some((line, read))
    };
    chunks(text).into_iter().filter_map(parsed).collect()
}

/// The first document of a text in YAML; null without any.
pub(crate) fn parse_yaml(text: &str) -> Result<Document> {
    let first = yaml(text).into_iter().next().map(|(_, read)| read.map(|read| read.document));
    first.unwrap_or(Ok(Document::Null))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // Like kubectl.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: DEEPEST, max_nodes: MOST_NODES, max_events: 2 * MOST_NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_REPEATED },
    }
}

/// The texts of a YAML stream's documents, each with the number of its first line. `---` at the start of a line always
/// begins a document, even in a text of several lines.
fn chunks(text: &str) -> Vec<(u64, &str)> {
    let mut chunks = Vec::new();
    let (mut start, mut first, mut at, mut line) = (0, 1, 0, 1);
    for piece in text.split_inclusive('\n') {
        let plain = piece.trim_end();
        let is_marker = |marker: &str| {
            plain.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        };
        let (begins, ends) = (is_marker("---"), is_marker("..."));
        // A directive stands before the document that it is for.
        let is_directive = plain.starts_with('%') && text[start..at].trim().is_empty();
        if begins || ends {
            chunks.push((first, &text[start..at]));
        }
        if begins || ends || is_directive {
            (start, first) = match begins {
                true => (at + 3, line),
                false => (at + piece.len(), line + 1),
            };
        }
        at += piece.len();
        line += 1;
    }
    chunks.push((first, &text[start..]));
    chunks
}

/// The lines of the elements of a document's list `items`; empty if they are not known.
fn item_lines(text: &str, document: &Document, first: u64) -> Vec<u64> {
    #[derive(Deserialize)]
    struct Items {
        items: Vec<serde_saphyr::Spanned<IgnoredAny>>,
    }
    if !document["items"].is_array() {
        return Vec::new();
    }
    let items = serde_saphyr::from_str_with_options::<Items>(text, options()).map(|list| list.items);
    items.unwrap_or_default().iter().map(|item| first + item.referenced.line().saturating_sub(1)).collect()
}

fn line_at(text: &str, at: usize) -> u64 {
    1 + text[..at].bytes().filter(|byte| *byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(documents: Vec<(u64, Result<Read>)>) -> Vec<String> {
        let tell = |(line, read): (u64, Result<Read>)| match read {
            Ok(read) if read.lines.is_empty() => format!("{line}: {}", read.document),
            Ok(read) => format!("{line}: {} {:?}", read.document, read.lines),
            Err(error) => format!("{line}: error {error}"),
        };
        documents.into_iter().map(tell).collect()
    }

    #[test]
    fn a_stream_is_read_document_by_document() {
        let text = "# Source: chart\n---\n# comment\na: 1\n--- # second\nb: |\n  text\n  --- in it\n---\n---\n{c: 3}\n...\n%YAML 1.1\n--- {d: 0644, e: yes}\n";
        assert_eq!(
            told(yaml(text)),
            ["4: {\"a\":1}", "6: {\"b\":\"text\\n--- in it\\n\"}", "11: {\"c\":3}", "14: {\"d\":420,\"e\":true}"]
        );
        assert_eq!(told(yaml("a: 1\r\n---\r\nb: 2\r\n")), ["1: {\"a\":1}", "3: {\"b\":2}"]);
        assert!(yaml("").is_empty() && yaml("\n# nothing\n---\n").is_empty());
        let broken = told(yaml("a: 1\n---\nb: 1\nc: [\nd\n---\ne: 2\n"));
        assert_eq!(broken.len(), 3, "{broken:?}");
        assert!(broken[1].starts_with("4: error not YAML") || broken[1].starts_with("5: error not YAML"), "{broken:?}");
        assert!(!broken[1].contains(" line "), "{broken:?}");
        assert_eq!(broken[2], "7: {\"e\":2}");
    }

    #[test]
    fn items_have_their_lines() {
        let yaml_text = "---\nkind: List\nitems:\n- a: 1\n- a: 2\n  b: 3\n\n- {c: 4}\n";
        let document = json!({"kind": "List", "items": [{"a": 1}, {"a": 2, "b": 3}, {"c": 4}]});
        assert_eq!(told(yaml(yaml_text)), [format!("2: {document} [4, 5, 8]")]);
        let text = "\n{\"kind\": \"List\", \"items\": [\n  {\"a\": 1},\n  {\"a\": 2}\n]}\n{\"b\": 9007199254740993}\n{\"c\": }";
        let documents = told(json(text));
        assert!(documents[0].starts_with("2: ") && documents[0].ends_with(" [3, 4]"), "{documents:?}");
        assert_eq!(documents[1], "6: {\"b\":9007199254740993}");
        assert!(documents[2].starts_with("7: error not JSON"), "{documents:?}");
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let below = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", "));
        }
        let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
        for text in [&bomb, &deep] {
            let documents = yaml(&format!("{text}\n---\nok: 1\n"));
            assert_eq!(documents.len(), 2);
            assert!(documents[0].1.is_err() && documents[1].1.is_ok(), "{documents:?}");
        }
        assert!(json(&"[".repeat(100_000))[0].1.is_err());
    }
}
