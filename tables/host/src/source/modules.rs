//! Packages that are built into programs: Go's modules, the crates of Rust programs with an audit section, and the
//! artifacts of Java in jars.

use std::io::Read as _;
use std::path::Path;

use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value;

use super::json;
use super::sections::Sections;
use super::zip::{Archive, Member};

/// Most bytes of a list of crates after decompression.
const MOST_OF_CRATES: u64 = 8 << 20;
/// What precedes and follows Go's text about modules.
const SENTINEL: usize = 16;

/// A package within a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Kind, as in a package URL: `golang`, `cargo`, `maven`.
    pub(crate) kind: &'static str,
    /// Group of a Java artifact; otherwise empty.
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Archives within the file that contain it: `!/WEB-INF/lib/a.jar`.
    pub(crate) within: String,
}

/// The packages in a program; none if it is not ELF.
pub(crate) fn of_program(sys: &Sys, path: &Path) -> Result<Vec<Module>> {
    let Some(sections) = Sections::open(sys, path)? else { return Ok(Vec::new()) };
    let malformed = |what: &str| Error::Malformed(format!("{}: {what}", path.display()));
    if let Some(info) = sections.read(".go.buildinfo")? {
        return match info.get(15) {
            Some(flags) if flags & 2 != 0 => {
                let (version, modules) = go_texts(&info).ok_or_else(|| malformed("damaged build information of Go"))?;
                Ok(go_modules(&sys.text(version), &sys.text(modules)))
            }
            _ => Err(Error::Unsupported(format!("{}: built by a version of Go before 1.18", path.display()))),
        };
    }
    let Some(packed) = sections.read(".dep-v0")? else { return Ok(Vec::new()) };
    let mut text = Vec::new();
    let inflate = flate2::read::ZlibDecoder::new(packed.as_slice()).take(MOST_OF_CRATES + 1);
    { inflate }.read_to_end(&mut text).map_err(|_| malformed("a damaged list of crates"))?;
    if text.len() as u64 > MOST_OF_CRATES {
        return Err(malformed("a list of crates above the limit of 8 MiB"));
    }
    let shape = ["name", "version", "kind"];
    let shape = shape.iter().fold(Shape::default(), |shape, key| shape.with(&format!("packages.*.{key}")));
    let document = json::parse(&path.display().to_string(), &text, &shape)?;
    Ok(crates(&document))
}

/// Go's version and its text about modules, from the section.
fn go_texts(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = |at: usize| {
        let (mut length, mut at, mut shift) = (0_usize, at, 0);
        loop {
            let byte = *info.get(at)?;
            at += 1;
            length |= usize::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 35)?;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        Some((info.get(at..at.checked_add(length)?)?, at + length))
    };
    let (version, at) = info.starts_with(b"\xff Go buildinf:").then(|| text(32))??;
    let (modules, _) = text(at)?;
    let modules = modules.get(SENTINEL..modules.len().saturating_sub(SENTINEL)).unwrap_or_default();
    Some((version, modules))
}

/// The modules in Go's text: the program's own, those that it uses, and Go's library.
fn go_modules(go: &str, text: &str) -> Vec<Module> {
    let module = |name: &str, version: &str| Module {
        kind: "golang",
        group: String::new(),
        name: name.to_owned(),
        version: version.to_owned(),
        within: String::new(),
    };
    let version = go.split(' ').next().unwrap_or_default();
    let mut modules = vec![module("stdlib", version.strip_prefix("go").unwrap_or(version))];
    for line in text.lines() {
        let mut fields = line.split('\t');
        let (Some(key), Some(name), Some(version)) = (fields.next(), fields.next(), fields.next()) else { continue };
        match key {
            "mod" | "dep" => modules.push(module(name, version)),
            // The module that is used in place of the one before.
            "=>" if modules.len() > 1 => {
                modules.pop();
                modules.push(module(name, version));
            }
            _ => {}
        }
    }
    modules
}

/// The crates in an audit section, without those that only ran during the build.
fn crates(document: &Value) -> Vec<Module> {
    let packages = document["packages"].as_array().into_iter().flatten();
    let packages = packages.filter(|package| package["kind"].as_str() != Some("build"));
    let module = |package: &Value| Module {
        kind: "cargo",
        group: String::new(),
        name: json::text(&package["name"]),
        version: json::text(&package["version"]),
        within: String::new(),
    };
    packages.map(module).filter(|module| !module.name.is_empty()).collect()
}

/// Deepest archive within archives: a jar in a web archive in an enterprise archive.
const DEEPEST: usize = 3;

/// Whether a file of this name is an archive of Java.
pub(crate) fn is_jar(name: &str) -> bool {
    [".jar", ".war", ".ear"].iter().any(|extension| name.ends_with(extension))
}

/// The artifacts in a jar and in the jars within it: those that Maven described, or the jar itself by its manifest.
pub(crate) fn of_jar(sys: &Sys, path: &Path, report: &impl Fn(&str, &Error)) -> Result<Vec<Module>> {
    let Some(archive) = Archive::open(sys, path)? else {
        return Err(Error::Malformed(format!("{} is not an archive", path.display())));
    };
    let mut found = Vec::new();
    artifacts(sys, &archive, "", 1, report, &mut found)?;
    Ok(found)
}

fn artifacts(
    sys: &Sys,
    archive: &Archive,
    within: &str,
    depth: usize,
    report: &impl Fn(&str, &Error),
    found: &mut Vec<Module>,
) -> Result<()> {
    let before = found.len();
    let artifact = |group, name, version| Module { kind: "maven", group, name, version, within: within.to_owned() };
    if let Some(damage) = archive.damage() {
        report("jars", damage);
    }
    let text_of = |member: &Member| match archive.read(member) {
        Ok(bytes) => Ok(Some(sys.text(&bytes))),
        Err(error) if error.ends_query() => Err(error),
        Err(error) => {
            report("jars", &error);
            Ok(None)
        }
    };
    for member in archive.members() {
        if !member.name.starts_with("META-INF/maven/") || !member.name.ends_with("/pom.properties") {
            continue;
        }
        sys.check_cancelled()?;
        if archive.is_spent() {
            break;
        }
        let Some(text) = text_of(member)? else { continue };
        let value = |key: &str| value_of(&text, key, '=');
        if let (Some(group), Some(name), Some(version)) = (value("groupId"), value("artifactId"), value("version")) {
            found.push(artifact(group, name, version));
        }
    }
    let manifest = archive.members().iter().find(|member| member.name == "META-INF/MANIFEST.MF");
    if let Some(member) = manifest.filter(|_| found.len() == before)
        && let Some(text) = text_of(member)?
    {
        let first = |keys: [&str; 3]| keys.into_iter().find_map(|key| value_of(&text, key, ':'));
        let name = first(["Bundle-SymbolicName", "Implementation-Title", "Automatic-Module-Name"]);
        let version = first(["Bundle-Version", "Implementation-Version", "Specification-Version"]);
        if let (Some(name), Some(version)) = (name, version) {
            let name = name.split(';').next().unwrap_or_default().to_owned();
            found.push(artifact(value_of(&text, "Implementation-Vendor-Id", ':').unwrap_or_default(), name, version));
        }
    }
    for member in archive.members().iter().filter(|member| is_jar(&member.name)) {
        sys.check_cancelled()?;
        if depth == DEEPEST {
            report("jars", &Error::Unsupported(format!("archives within {DEEPEST} archives are not read")));
            break;
        }
        let within = format!("{within}!/{}", member.name);
        let outcome = archive.within(member).and_then(|inner| match inner {
            Some(inner) => artifacts(sys, &inner, &within, depth + 1, report, found),
            None => Ok(()),
        });
        match outcome {
            Err(error) if error.ends_query() => return Err(error),
            Err(error) => report("jars", &error),
            Ok(()) => {}
        }
        if archive.is_spent() {
            break;
        }
    }
    Ok(())
}

/// The value of a key in lines of keys and values; `None` if it is absent or empty.
fn value_of(text: &str, key: &str, separator: char) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(separator));
    let (_, value) = lines.find(|(name, _)| name.trim() == key)?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;
    use crate::source::zip::tests::archive;

    #[test]
    fn go_programs_name_their_modules() {
        let text = "path\tx/cmd\nmod\tx\tv1.2.3\t\ndep\ta.b/c\tv0.1.0\th1:x=\ndep\told\tv1.0.0\n\
                    =>\tnew\tv2.0.0\th1:y=\nbuild\t-x=y\n";
        let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
        info.resize(32, 0);
        info.push(8);
        info.extend(b"go1.22.1");
        let length = text.len() + 32;
        info.extend([(length as u8) | 0x80, (length >> 7) as u8]);
        info.extend([b'<'; 16]);
        info.extend(text.as_bytes());
        info.extend([b'>'; 16]);
        let (version, modules) = go_texts(&info).expect("texts");
        let modules = go_modules(&String::from_utf8_lossy(version), &String::from_utf8_lossy(modules));
        let shown: Vec<_> = modules.iter().map(|module| format!("{}@{}", module.name, module.version)).collect();
        assert_eq!(shown, ["stdlib@1.22.1", "x@v1.2.3", "a.b/c@v0.1.0", "new@v2.0.0"]);
        damaged(&info, |bytes| {
            let _may_be_none = go_texts(bytes);
        });
    }

    #[test]
    fn a_damaged_member_does_not_affect_the_other_artifacts() {
        let folder = tempfile::tempdir().expect("a directory");
        let properties = |name: &str| format!("groupId=g\nartifactId={name}\nversion=1\n").into_bytes();
        let inner = archive(&[("META-INF/maven/g/c/pom.properties", &properties("c"), true)]);
        let mut jar = archive(&[
            ("META-INF/maven/g/a/pom.properties", &properties("a"), false),
            ("META-INF/maven/g/b/pom.properties", &properties("b"), false),
            ("lib/c.jar", &inner, false),
        ]);
        let header = memchr::memmem::find(&jar, b"PK\x03\x04").expect("a member");
        jar[header] = b'X';
        std::fs::write(folder.path().join("x.jar"), jar).expect("a file");
        let reported = std::cell::RefCell::new(Vec::new());
        let report = |_: &str, error: &Error| reported.borrow_mut().push(error.to_string());
        let found = of_jar(&Sys::at(folder.path()), Path::new("/x.jar"), &report).expect("readable");
        let found: Vec<_> = found.iter().map(|module| format!("{}{}", module.name, module.within)).collect();
        assert_eq!(found, ["b", "c!/lib/c.jar"]);
        assert_eq!(reported.take(), ["/x.jar: the member \"META-INF/maven/g/a/pom.properties\" is damaged"]);
    }

    #[test]
    fn crates_of_the_build_are_left_out() {
        let document = serde_json::json!({"packages": [
            {"name": "serde", "version": "1.0.1"}, {"name": "cc", "version": "1", "kind": "build"}, {"version": "3"},
        ]});
        let names: Vec<_> = crates(&document).into_iter().map(|module| module.name).collect();
        assert_eq!(names, ["serde"]);
    }
}
