//! `jetbrains_plugins`: one row per plugin of JetBrains' development environments.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;
use xmlparser::{ElementEnd, Token, Tokenizer};

use crate::source::homes::homes;
use crate::source::zip::Archive;

/// Products, by the names of their directories without the version.
const PRODUCTS: [(&str, &str); 15] = [
    ("CLion", "clion"),
    ("DataGrip", "datagrip"),
    ("GoLand", "goland"),
    ("IntelliJIdea", "intellij_idea"),
    ("IdeaIC", "intellij_idea_community_edition"),
    ("PhpStorm", "phpstorm"),
    ("PyCharm", "pycharm"),
    ("PyCharmCE", "pycharm_community_edition"),
    ("ReSharper", "resharper"),
    ("Rider", "rider"),
    ("RubyMine", "rubymine"),
    ("RustRover", "rust_rover"),
    ("WebStorm", "webstorm"),
    ("Aqua", "aqua"),
    ("AndroidStudio", "android_studio"),
];

/// Directories of the products' data below a home directory.
const FOLDERS: [&str; 2] = [".local/share/JetBrains", ".local/share/Google"];

/// Plugins that users installed in JetBrains' development environments and in Android Studio.
///
/// Plugins that are part of a product are not listed. On a running machine only the current user's plugins are read,
/// unless `uid` is constrained or joined with `users`.
#[derive(Debug, Default, Table)]
#[table(name = "jetbrains_plugins", platforms("linux"), rows = 10, identity(uid, path), namespaces)]
#[example(
    "Plugins of all users.",
    "SELECT u.username, p.product_type, p.name, p.version FROM users u JOIN jetbrains_plugins p ON p.uid = u.uid"
)]
pub struct JetbrainsPlugin {
    /// Product: `clion`, `datagrip`, `goland`, `intellij_idea`, `intellij_idea_community_edition`, `phpstorm`,
    /// `pycharm`, `pycharm_community_edition`, `resharper`, `rider`, `rubymine`, `rust_rover`, `webstorm`, `aqua` or
    /// `android_studio`.
    product_type: String,
    /// User who installed it.
    #[column(index, selects)]
    uid: i64,
    /// Name.
    name: String,
    /// Version; empty if the plugin states none.
    #[column(collate = version)]
    version: String,
    /// Vendor; empty if the plugin states none.
    vendor: String,
    /// Directory or jar of the plugin.
    path: String,
}

impl Rows for JetbrainsPlugin {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = move |error: &Error| scan.report("jetbrains", error);
        let homes = homes(scan.sys(), scan.keys(Self::UID), |origin, error| scan.report(origin, error))?;
        let list = move |folder: &Path| {
            let mut names = scan.sys().read_dir(folder).unwrap_or_else(|error| {
                report(&error);
                Vec::new()
            });
            names.sort_unstable();
            names.into_iter().map(|name| folder.join(name)).collect::<Vec<PathBuf>>()
        };
        let products = homes.into_iter().flat_map(move |home| {
            let folders = FOLDERS.iter().flat_map(|folder| list(&home.directory.join(folder))).collect::<Vec<_>>();
            folders.into_iter().filter_map(move |folder| Some((home.uid, product(&folder)?, folder)))
        });
        let plugins = products
            .flat_map(move |(uid, product, folder)| list(&folder).into_iter().map(move |path| (uid, product, path)));
        Ok(plugins.filter_map(move |(uid, product, path)| {
            let jars = if is_jar(&path) { vec![path.clone()] } else { list(&path.join("lib")) };
            let mut found = jars.iter().filter(|jar| is_jar(jar)).filter_map(|jar| match read(scan.sys(), jar) {
                Ok(plugin) => plugin,
                Err(error) => {
                    report(&error);
                    None
                }
            });
            let (name, version, vendor) = found.next()?;
            let (product_type, path) = (product.to_owned(), scan.sys().path_text(&path));
            Some(JetbrainsPlugin { product_type, uid, name, version, vendor, path })
        }))
    }
}

fn is_jar(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jar")
}

/// The product of a directory such as `PyCharmCE2024.1`.
fn product(folder: &Path) -> Option<&'static str> {
    let name = folder.file_name()?.to_str()?;
    let name = name.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.');
    PRODUCTS.iter().find(|(directory, _)| *directory == name).map(|(_, product)| *product)
}

/// Name, version and vendor of the plugin whose descriptor is in a jar; `None` if there is none.
fn read(sys: &Sys, jar: &Path) -> Result<Option<(String, String, String)>> {
    let Some(archive) = Archive::open(sys, jar)? else {
        return Err(Error::Malformed(format!("{} is not a jar", jar.display())));
    };
    let Some(member) = archive.members().iter().find(|member| member.name == "META-INF/plugin.xml") else {
        return archive.damage().map_or(Ok(None), |damage| Err(damage.clone()));
    };
    let text = sys.text(&archive.read(member)?);
    let plugin = descriptor(&text);
    plugin.map(Some).map_err(|what| Error::Malformed(format!("{}, META-INF/plugin.xml: {what}", jar.display())))
}

/// The texts of `<name>`, `<version>` and `<vendor>` directly in the root element.
fn descriptor(text: &str) -> Result<(String, String, String), xmlparser::Error> {
    let mut texts = [String::new(), String::new(), String::new()];
    let (mut depth, mut current) = (0_usize, None);
    for token in Tokenizer::from(text.trim_start_matches('\u{feff}')) {
        match token? {
            Token::ElementStart { local, .. } => {
                depth += 1;
                let position = ["name", "version", "vendor"].iter().position(|name| *name == local.as_str());
                current = position.filter(|position| depth == 2 && texts[*position].is_empty());
            }
            Token::ElementEnd { end: ElementEnd::Close(..) | ElementEnd::Empty, .. } => {
                depth = depth.saturating_sub(1);
                current = None;
            }
            Token::Text { text } | Token::Cdata { text, .. } => {
                if let Some(position) = current {
                    texts[position].push_str(&unescaped(text.as_str().trim()));
                }
            }
            _ => {}
        }
    }
    Ok(texts.into())
}

/// Text without the entities that XML predefines.
fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;
    use crate::source::zip::tests::archive;

    #[test]
    fn a_jar_whose_directory_is_damaged_is_reported() {
        let root = tempfile::tempdir().expect("a directory");
        let plugin = b"<idea-plugin><name>A</name><version>1</version></idea-plugin>";
        let jar = archive(&[("a", b"", false), ("META-INF/plugin.xml", plugin, false)]);
        let read = |bytes: &[u8]| {
            std::fs::write(root.path().join("x.jar"), bytes).expect("a file");
            read(&Sys::at(root.path()), Path::new("/x.jar"))
        };
        assert_eq!(read(&jar), Ok(Some(("A".to_owned(), "1".to_owned(), String::new()))));
        assert_eq!(read(&archive(&[("a", b"", false)])), Ok(None));
        let second = jar.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").expect("a second entry");
        let damaged = [&jar[..second], b"XX", &jar[second + 2..]].concat();
        assert!(read(&damaged).is_err_and(|error| error.to_string().contains("a damaged directory")));
    }

    #[test]
    fn a_descriptor_has_name_version_and_vendor() {
        let text = "<?xml version=\"1.0\"?><idea-plugin url=\"x\"><id>a</id><name>A &amp; B</name>\
                    <vendor email=\"e\">V</vendor><depends><name>no</name></depends><idea-version since=\"1\"/>\
                    <version><![CDATA[1.2]]></version><name>second</name></idea-plugin>";
        assert_eq!(descriptor(text), Ok(("A & B".to_owned(), "1.2".to_owned(), "V".to_owned())));
        damaged(text.as_bytes(), |bytes| {
            let _may_fail = descriptor(&String::from_utf8_lossy(bytes));
        });
        assert_eq!(product(Path::new("/x/PyCharmCE2024.1")), Some("pycharm_community_edition"));
        assert_eq!(product(Path::new("/x/consentOptions")), None);
    }
}
