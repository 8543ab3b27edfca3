//! Facts about a container from its OCI runtime specification and from the CRI's metadata.

use indago_table::{Error, Map, Result};
use serde_json::Value as Document;

use super::docker::{text, value};

/// Capabilities that runtimes give to a container by default.
const DEFAULT_CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// A mount of the host's files or of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) is_writable: bool,
}

impl Mount {
    pub(crate) fn document(&self) -> Document {
        serde_json::json!({
            "type": self.kind, "source": self.source, "destination": self.destination, "writable": self.is_writable,
        })
    }
}

/// A runtime specification: the `config.json` of a bundle.
#[derive(Debug)]
pub(crate) struct Spec(pub(crate) Document);

impl Spec {
    pub(crate) fn command(&self) -> Option<String> {
        let arguments: Vec<String> = value(&self.0, &["process", "args"])?;
        Some(arguments.join(" "))
    }

    pub(crate) fn user(&self) -> Option<String> {
        let user = self.0.get("process")?.get("user")?;
        let id = |name| value::<i64>(user, &[name]).unwrap_or(0);
        Some(format!("{}:{}", id("uid"), id("gid")))
    }

    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        let document = serde_json::from_slice(text);
        document.map(Spec).map_err(|error| Error::Malformed(format!("its specification is not JSON: {error}")))
    }

    pub(crate) fn environment(&self) -> Option<Map> {
        Some(environment(&value::<Vec<String>>(&self.0, &["process", "env"])?))
    }

    pub(crate) fn is_read_only(&self) -> bool {
        value(&self.0, &["root", "readonly"]).unwrap_or(false)
    }

    fn bounding(&self) -> Vec<String> {
        value(&self.0, &["process", "capabilities", "bounding"]).unwrap_or_default()
    }

    pub(crate) fn added_capabilities(&self) -> Vec<String> {
        added_capabilities(&self.bounding())
    }

    /// A specification has no flag for "privileged"; this checks its effects.
    pub(crate) fn is_privileged(&self) -> bool {
        let masked: Vec<String> = value(&self.0, &["linux", "maskedPaths"]).unwrap_or_default();
        let seccomp = self.0.get("linux").and_then(|linux| linux.get("seccomp")).is_some();
        let bounding = self.bounding();
        let may = |name: &str| bounding.iter().any(|held| capability(held) == name);
        may("CAP_SYS_ADMIN") && may("CAP_SYS_MODULE") && masked.is_empty() && !seccomp
    }

    /// Whether it has neither its own namespace of that kind nor another container's, and so has the host's.
    pub(crate) fn shares_with_host(&self, kind: &str) -> bool {
        let namespaces = self.0.get("linux").and_then(|linux| linux.get("namespaces")).and_then(Document::as_array);
        let is_kind = |namespace: &Document| namespace.get("type").and_then(Document::as_str) == Some(kind);
        !namespaces.is_some_and(|namespaces| namespaces.iter().any(is_kind))
    }

    /// Its mounts, without kernel file systems.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        let mounts = self.0.get("mounts").and_then(Document::as_array);
        let mount = |document: &Document| {
            let options: Vec<String> = value(document, &["options"]).unwrap_or_default();
            let has = |name: &str| options.iter().any(|option| option == name);
            let is_bind = text(document, &["type"]).as_deref() == Some("bind") || has("bind") || has("rbind");
            is_bind.then(|| Mount {
                kind: "bind".to_owned(),
                source: text(document, &["source"]).unwrap_or_default(),
                destination: text(document, &["destination"]).unwrap_or_default(),
                is_writable: !has("ro"),
            })
        };
        mounts.into_iter().flatten().filter_map(mount).collect()
    }
}

/// The metadata that containerd's CRI plug-in stores for a container or a pod's sandbox.
#[derive(Debug)]
pub(crate) struct CriNotes(Document);

/// `NamespaceMode` of the CRI: the node's own.
const NODE: i64 = 2;

impl CriNotes {
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        let document = serde_json::from_slice(text).ok();
        let metadata = document.and_then(|mut document: Document| Some(document.get_mut("Metadata")?.take()));
        metadata.map(CriNotes).ok_or_else(|| Error::Malformed("its CRI extension has no metadata".to_owned()))
    }

    pub(crate) fn image_id(&self) -> Option<String> {
        text(&self.0, &["ImageRef"])
    }

    pub(crate) fn sandbox_id(&self) -> Option<String> {
        text(&self.0, &["SandboxID"])
    }

    pub(crate) fn log_path(&self) -> Option<String> {
        text(&self.0, &["LogPath"])
    }

    fn security(&self) -> Option<&Document> {
        self.0.get("Config")?.get("linux")?.get("security_context")
    }

    pub(crate) fn is_privileged(&self) -> Option<bool> {
        Some(value(self.security()?, &["privileged"]).unwrap_or(false))
    }

    /// Whether the pod has the node's namespace of that kind: `network`, `pid` or `ipc`.
    pub(crate) fn shares_with_node(&self, kind: &str) -> Option<bool> {
        let options = self.security()?.get("namespace_options")?;
        Some(value::<i64>(options, &[kind]).unwrap_or(0) == NODE)
    }
}

/// `NAME=value` texts as a map. Of several texts with one name runtimes use the last. A name without a value is a
/// variable that is removed.
pub(crate) fn environment(variables: &[String]) -> Map {
    let pair = |variable: &String| match variable.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (variable.clone(), None),
    };
    Map(variables.iter().map(pair).collect())
}

/// The kernel's name of a capability: engines accept `net_admin` for `CAP_NET_ADMIN`.
fn capability(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    match name.strip_prefix("CAP_").unwrap_or(&name) {
        "ALL" => "ALL".to_owned(),
        name => format!("CAP_{name}"),
    }
}

/// The given capabilities without those that runtimes give to every container; `ALL` means all.
pub(crate) fn added_capabilities(names: &[String]) -> Vec<String> {
    let mut added: Vec<String> = names.iter().map(|name| capability(name)).collect();
    if added.iter().any(|name| name == "ALL") {
        return vec!["ALL".to_owned()];
    }
    added.retain(|name| !DEFAULT_CAPABILITIES.contains(&name.as_str()));
    added.sort();
    added.dedup();
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_tells_what_a_container_may_do() {
        let spec = Spec(serde_json::json!({
            "process": {"args": ["/bin/sh", "-c", "true"], "env": ["A=0", "A=1=2", "B", "C=3"], "user": {"uid": 1000},
                        "capabilities": {"bounding": ["CAP_NET_ADMIN", "CAP_KILL"]}},
            "root": {"readonly": true},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/h", "type": "none", "source": "/", "options": ["rbind", "ro"]}],
            "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}], "maskedPaths": ["/proc/kcore"]},
        }));
        assert_eq!(spec.command().as_deref(), Some("/bin/sh -c true"));
        assert_eq!(spec.user().as_deref(), Some("1000:0"));
        let environment = [("A", Some("1=2")), ("B", None), ("C", Some("3"))];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(spec.environment(), Some(Map(environment.into())));
        assert_eq!(spec.added_capabilities(), ["CAP_NET_ADMIN"]);
        assert!(spec.is_read_only() && !spec.is_privileged());
        assert!(spec.shares_with_host("network") && !spec.shares_with_host("pid"));
        let mounts = spec.mounts();
        assert_eq!((mounts.len(), mounts[0].source.as_str(), mounts[0].is_writable), (1, "/", false));
    }

    #[test]
    fn an_empty_or_strange_specification_gives_nothing() {
        for document in [Document::Null, serde_json::json!({"process": [], "mounts": {}, "linux": "x"})] {
            let spec = Spec(document);
            assert_eq!((spec.command(), spec.user(), spec.environment()), (None, None, None));
            assert!(spec.mounts().is_empty() && spec.added_capabilities().is_empty() && !spec.is_privileged());
        }
        assert!(Spec::parse(b"{").is_err() && CriNotes::parse(b"{").is_err() && CriNotes::parse(b"{}").is_err());
    }

    #[test]
    fn capabilities_have_one_name_however_they_are_written() {
        for (written, added) in [
            (vec!["net_admin", "CAP_NET_ADMIN", "cap_sys_admin"], vec!["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]),
            (vec!["CHOWN", "Cap_Kill"], vec![]),
            (vec!["NET_ADMIN", "all"], vec!["ALL"]),
            (vec!["CAP_ALL"], vec!["ALL"]),
            (vec![], vec![]),
        ] {
            let written: Vec<String> = written.into_iter().map(str::to_owned).collect();
            assert_eq!(added_capabilities(&written), added, "{written:?}");
        }
    }
}
