//! Package URLs, parsed. Their texts are not canonical, so only their parts are compared.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// A package URL. Names and versions are decoded; nothing is in another case than it was written, except for the type
/// and the names of qualifiers, which are in lowercase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purl {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Empty if the package has no version.
    pub(crate) version: String,
    qualifiers: BTreeMap<String, String>,
}

/// Longest text that is parsed.
const LONGEST: usize = 4096;

impl Purl {
    /// Parses a package URL; `None` if the text is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST || !text.get(..4)?.eq_ignore_ascii_case("pkg:") {
            return None;
        }
        let rest = text[4..].trim_start_matches('/');
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.split_once('/')?;
        let rest = rest.trim_matches('/');
        // A scope such as `@angular` may be written as it is, so only the last part has a version.
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (path, version) = match rest[last..].rfind('@') {
            Some(at) if at > 0 => (&rest[..last + at], &rest[last + at + 1..]),
            _ => (rest, ""),
        };
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let namespace: Vec<String> = namespace.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let qualifiers = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        let qualifiers = qualifiers.map(|(key, value)| (key.to_ascii_lowercase(), decoded(value))).collect();
        let purl = Purl {
            kind: kind.to_ascii_lowercase(),
            namespace: namespace.join("/"),
            name: decoded(name),
            version: decoded(version),
            qualifiers,
        };
        (!purl.kind.is_empty() && !purl.name.is_empty()).then_some(purl)
    }

    /// The value of a qualifier; empty if there is none.
    pub(crate) fn qualifier(&self, name: &str) -> &str {
        self.qualifiers.get(name).map_or("", String::as_str)
    }

    /// Namespace and name with a separator between them.
    pub(crate) fn joined(&self, separator: &str) -> String {
        match self.namespace.as_str() {
            "" => self.name.clone(),
            namespace => format!("{namespace}{separator}{}", self.name),
        }
    }
}

/// Decodes percent-encoding. An incomplete sequence stays as it is.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_are_one_package() {
        for (texts, expected) in [
            (
                &[
                    "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bx?arch=amd64&distro=debian-12",
                    "PKG:DEB/debian/libstdc++6@1%3A12.2.0-14+x?distro=debian-12&arch=amd64#sub/path",
                    "pkg://deb/debian/libstdc%2b%2b6@1:12.2.0-14%2bx?Arch=amd64&distro=debian-12",
                ][..],
                ("deb", "debian", "libstdc++6", "1:12.2.0-14+x"),
            ),
            (
                &["pkg:npm/%40angular/core@17.0.0", "pkg:npm/@angular/core@17.0.0"],
                ("npm", "@angular", "core", "17.0.0"),
            ),
            (&["pkg:npm/@angular/core", "pkg:npm/%40angular/core/"], ("npm", "@angular", "core", "")),
            (&["pkg:golang/golang.org/x/net@v0.1.0"], ("golang", "golang.org/x", "net", "v0.1.0")),
            (&["pkg:pypi/a@"], ("pypi", "", "a", "")),
        ] {
            for text in texts {
                let purl = Purl::parse(text).unwrap_or_else(|| panic!("{text} is one"));
                let parts = (&*purl.kind, &*purl.namespace, &*purl.name, &*purl.version);
                assert_eq!(parts, expected, "{text}");
            }
        }
        let purl = Purl::parse("pkg:deb/debian/a@1?upstream=b%402&x").expect("a package URL");
        assert_eq!((purl.qualifier("upstream"), purl.qualifier("x"), &*purl.joined("/")), ("b@2", "", "debian/a"));
    }

    #[test]
    fn other_texts_are_none() {
        for text in
            ["", "pkg", "pkg:", "pkg:/", "pkg:npm", "pkg:npm/", "cpe:/a", "pkg:é", "é", "pkg:npm/@", "p\u{e9}kg:a/b"]
        {
            assert!(Purl::parse(text).is_none_or(|purl| purl.name == "@"), "{text}");
        }
        for text in ["pkg:a/%", "pkg:a/%4", "pkg:a/%zz", "pkg:a/b@%ff", "pkg:a/b@%+1"] {
            assert!(Purl::parse(text).is_some(), "{text}");
        }
    }
}
