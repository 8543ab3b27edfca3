//! Image references, by the grammar of the distribution project (`reference`), with Docker's defaults.

/// The parts of an image reference.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Host of the registry, with its port if the reference states one.
    pub(crate) registry: String,
    pub(crate) repository: String,
    /// `None` if only the digest selects the image.
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<String>,
}

const DEFAULT_REGISTRY: &str = "docker.io";
/// An old name of the same registry.
const OLD_REGISTRY: &str = "index.docker.io";
/// Where the default registry keeps repositories without a slash.
const OFFICIAL: &str = "library/";
const LONGEST_NAME: usize = 255;

impl Reference {
    /// `None` if the text is not a valid reference. The kubelet does not start a container with such an image.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest).filter(|digest| is_digest(digest))?),
            None => (text, ""),
        };
        // A colon before the last slash belongs to the port of the registry.
        let colon = rest.rfind(':').filter(|colon| !rest[*colon..].contains('/'));
        let (name, tag) = match colon {
            Some(colon) => (&rest[..colon], Some(&rest[colon + 1..]).filter(|tag| is_tag(tag))?),
            None => (rest, ""),
        };
        // Such a name would be taken for the ID of an image.
        if name.len() == 64 && name.bytes().all(is_hex) {
            return None;
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if is_registry(first) => (first, path),
            _ => (DEFAULT_REGISTRY, name),
        };
        let registry = if registry == OLD_REGISTRY { DEFAULT_REGISTRY } else { registry };
        let prefix = if registry == DEFAULT_REGISTRY && !path.contains('/') { OFFICIAL } else { "" };
        let repository = format!("{prefix}{path}");
        let is_valid = is_host(registry)
            && path.split('/').all(is_component)
            && registry.len() + 1 + repository.len() <= LONGEST_NAME;
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let tag = some(tag).or_else(|| digest.is_empty().then(|| "latest".to_owned()));
        is_valid.then(|| Reference { registry: registry.to_owned(), repository, tag, digest: some(digest) })
    }
}

/// Whether the first component of a name is a registry, not a part of the repository.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// A host name, an IPv4 address or an IPv6 address in brackets, with a port or without.
fn is_host(host: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((address, port)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_address = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return !address.is_empty() && address.bytes().all(is_address) && is_port;
    }
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_label = |label: &str| {
        let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    name.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Lowercase letters and digits, separated by a dot, one or two underscores or any number of dashes.
fn is_component(component: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_well = bytes.first().copied().is_some_and(is_plain) && bytes.last().copied().is_some_and(is_plain);
    let is_separator = |bytes: &[u8]| matches!(bytes, b"." | b"_" | b"__") || bytes.iter().all(|byte| *byte == b'-');
    ends_well && bytes.split(|byte| is_plain(*byte)).filter(|separator| !separator.is_empty()).all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

/// An algorithm and at least 32 hexadecimal digits.
fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let is_part = |part: &str| {
        part.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let length = match algorithm {
        "sha256" => Some(64),
        "sha384" => Some(96),
        "sha512" => Some(128),
        _ => None,
    };
    algorithm.split(['+', '.', '-', '_']).all(is_part)
        && hex.len() >= 32
        && length.is_none_or(|length| hex.len() == length && hex.bytes().all(is_hex))
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_docker_reads_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let with_digest = |text: &str| format!("{text}@{digest}");
        for (text, registry, repository, tag, has_digest) in [
            ("busybox".to_owned(), "docker.io", "library/busybox", Some("latest"), false),
            ("busybox:1.36".to_owned(), "docker.io", "library/busybox", Some("1.36"), false),
            ("docker.io/busybox".to_owned(), "docker.io", "library/busybox", Some("latest"), false),
            ("index.docker.io/library/busybox".to_owned(), "docker.io", "library/busybox", Some("latest"), false),
            ("grafana/grafana:11".to_owned(), "docker.io", "grafana/grafana", Some("11"), false),
            ("registry.local/x:1".to_owned(), "registry.local", "x", Some("1"), false),
            ("localhost/x".to_owned(), "localhost", "x", Some("latest"), false),
            ("localhost:5000/a/b".to_owned(), "localhost:5000", "a/b", Some("latest"), false),
            ("host:5000/a:2".to_owned(), "host:5000", "a", Some("2"), false),
            // Without a slash it is a repository and a tag, not a registry and a port.
            ("host:5000".to_owned(), "docker.io", "library/host", Some("5000"), false),
            ("Registry/a".to_owned(), "Registry", "a", Some("latest"), false),
            ("[fd00::1]:5000/a".to_owned(), "[fd00::1]:5000", "a", Some("latest"), false),
            (with_digest("busybox"), "docker.io", "library/busybox", None, true),
            (with_digest("gcr.io/p/i:v1"), "gcr.io", "p/i", Some("v1"), true),
            ("a.b/c__d/e--f.g_h".to_owned(), "a.b", "c__d/e--f.g_h", Some("latest"), false),
        ] {
            let expected = Reference {
                registry: registry.to_owned(),
                repository: repository.to_owned(),
                tag: tag.map(str::to_owned),
                digest: has_digest.then(|| digest.clone()),
            };
            assert_eq!(Reference::parse(&text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_reference_is_refused() {
        let long = format!("{}/x", "a".repeat(255));
        let id = "a".repeat(64);
        for text in [
            "",
            ":1",
            "a:",
            "a@",
            "a@sha256:abc",
            "a@sha256",
            "A",
            "a/B",
            "a//b",
            "/a",
            "a/",
            "a b",
            "-a",
            "a-",
            "a___b",
            "a..b",
            "a:-1",
            "a.b:/c",
            "a.b:x/c",
            "https://a.b/c",
            &id,
            &long,
        ] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }
}
