//! Files of the dialect do not import each other in a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

type Module = Vec<String>;

/// Every file under a directory by its module, without the tests.
fn read(dir: &Path, module: &[String], files: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(dir).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let inner: Module = module.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() && name != "tests" {
            read(&path, &inner, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let own = if matches!(name.as_str(), "mod" | "lib") { module.to_vec() } else { inner };
            let text = fs::read_to_string(&path).expect("a source file");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            files.insert(own, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The paths that start here: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(text: &str, before: &[&str], found: &mut Vec<Module>) -> usize {
    let mut own = before.to_vec();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if length > 0 {
            own.push(&rest[..length]);
            at += length;
        } else if rest.starts_with('{') {
            at += 1;
            while at < text.len() && !text[at..].starts_with('}') {
                let skipped = text[at..].len() - text[at..].trim_start_matches([',', ' ', '\n']).len();
                at += if skipped > 0 { skipped } else { paths(&text[at..], &own, found).max(1) };
            }
            return at + 1;
        }
        match text[at..].strip_prefix("::") {
            Some(_) => at += 2,
            None => break,
        }
    }
    found.push(own.into_iter().map(str::to_owned).collect());
    at
}

/// The modules that a module names.
fn imports(module: &Module, text: &str, files: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let mut found = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for (at, _) in text.match_indices("::") {
        let start = text[..at].trim_end_matches(is_word).len();
        if !text[start..at].contains("::") {
            paths(&text[start..], &[], &mut found);
        }
    }
    let resolved = found.iter().filter_map(|path| {
        let mut here = module.clone();
        let mut rest = path.as_slice();
        match path.first().map(String::as_str) {
            Some("crate") => (here, rest) = (Vec::new(), &rest[1..]),
            Some("super") => {
                while let [first, after @ ..] = rest
                    && first == "super"
                {
                    here.pop();
                    rest = after;
                }
            }
            _ => {
                let child: Module = here.iter().chain(rest.first()).cloned().collect();
                if !files.contains_key(&child) {
                    return None;
                }
            }
        }
        for name in rest {
            here.push(name.clone());
            if !files.contains_key(&here) {
                here.pop();
                break;
            }
        }
        Some(here)
    });
    resolved.filter(|other| other != module).collect()
}

#[test]
fn no_file_imports_itself_through_others() {
    let mut files = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut files);
    let mut left: BTreeMap<Module, BTreeSet<Module>> =
        files.iter().map(|(module, text)| (module.clone(), imports(module, text, &files))).collect();
    let edges: usize = left.values().map(BTreeSet::len).sum();
    assert!(files.len() > 150 && edges > 300, "{} files with {edges} imports were read", files.len());
    // Files that import nothing that is left are in no circle, and neither are files that nothing imports.
    loop {
        let imported: BTreeSet<Module> = left.values().flatten().cloned().collect();
        let outside = |module: &Module, own: &BTreeSet<Module>| {
            own.iter().all(|other| !left.contains_key(other)) || !imported.contains(module)
        };
        let done: Vec<Module> =
            left.iter().filter(|(module, own)| outside(module, own)).map(|(module, _)| module.clone()).collect();
        if done.is_empty() {
            break;
        }
        left.retain(|module, _| !done.contains(module));
    }
    let names: Vec<String> = left.keys().map(|module| module.join("::")).collect();
    assert!(names.is_empty(), "files that import each other in a circle, or lie between such files: {names:?}");
}
