//! Objects in files: a set of manifests is read like a cluster, by the tables over listed resources.

mod files;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_table::json;
use indago_table::{AnyScan, Environment as _, Error, Kind, ResourceSpec, Result, Sys};
use serde_json::{Value as Document, json};

pub(crate) use self::files::parse_yaml;
use self::files::{Read, Report, documents, files};
use crate::clusters::Kubernetes;
use crate::discovery::api::{Served, split};
use crate::discovery::openapi::{self, Described};
use crate::pages::{Page, plural};
use crate::protobuf::ObjectKind;
use crate::selector::{Field, Selector};

/// A file, or a directory with files, of manifests.
#[derive(Debug)]
pub(crate) struct Manifests {
    sys: Sys,
    path: PathBuf,
}

/// The objects of a set, as one query reads them.
#[derive(Debug, Default)]
pub(crate) struct Set {
    objects: Vec<Object>,
    /// Definitions of custom resources, by group and kind.
    definitions: BTreeMap<(String, String), Definition>,
}

#[derive(Debug, PartialEq)]
struct Object {
    group: String,
    version: String,
    kind: String,
    /// The object, with its place in the files under [`SOURCE`].
    document: Document,
}

/// A definition of a custom resource.
#[derive(Debug)]
struct Definition {
    plural: String,
    is_namespaced: bool,
    /// By version.
    described: BTreeMap<String, Arc<Described>>,
}

/// The member of an object's document with its place in the files. No API server returns it.
pub(crate) const SOURCE: &str = "$source";
/// Prefix of the names of sets, which are values of the column `cluster`.
const PREFIX: &str = "manifests:";
/// Kubernetes' own resources whose objects belong to no namespace.
const OF_CLUSTERS: &[&str] = &[
    "apiservices",
    "certificatesigningrequests",
    "clusterrolebindings",
    "clusterroles",
    "clustertrustbundles",
    "componentstatuses",
    "csidrivers",
    "csinodes",
    "customresourcedefinitions",
    "deviceclasses",
    "flowschemas",
    "ingressclasses",
    "ipaddresses",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "mutatingwebhookconfigurations",
    "namespaces",
    "nodes",
    "persistentvolumes",
    "podsecuritypolicies",
    "priorityclasses",
    "prioritylevelconfigurations",
    "resourceslices",
    "runtimeclasses",
    "servicecidrs",
    "storageclasses",
    "storageversions",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
    "volumeattachments",
    "volumeattributesclasses",
];
/// Most lists within lists.
const MOST_NESTED: usize = 4;

/// The sets of some paths, each with its name: the last part of its path, or all of it if another set ends in the same.
pub(crate) fn sets(sys: &Sys, paths: &[PathBuf]) -> Vec<(String, Manifests)> {
    let named = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = |path: &PathBuf| {
        let is_alone = paths.iter().filter(|other| named(other) == named(path)).count() == 1;
        match named(path).filter(|_| is_alone) {
            Some(name) => format!("{PREFIX}{name}"),
            None => format!("{PREFIX}{}", path.display()),
        }
    };
    paths.iter().map(|path| (name(path), Manifests { sys: sys.clone(), path: path.clone() })).collect()
}

impl Manifests {
    /// The path of the set.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The set, read once per query. What cannot be read is reported by the first scan that needs it.
    pub(crate) async fn set(&self, scan: &AnyScan<Kubernetes>, name: &str) -> Result<Arc<Set>> {
        let key = format!("kubernetes {name} {}", self.path.display());
        let read = async {
            let (sys, path, scan) = (self.sys.for_scan(scan.meter()), self.path.clone(), scan.clone());
            // Reading files blocks.
            let read = tokio::task::spawn_blocking(move || {
                let report = |origin: &str, error: &Error| scan.report(origin, error);
                read(&sys, &path, &report)
            });
            let set = read.await.map_err(|_| Error::Cancelled)??;
            let size = set.objects.iter().map(|object| json::size(&object.document)).sum();
            Ok((set, size))
        };
        scan.cached(&key, read).await
    }

    /// The objects of a resource as a page of a list.
    pub(crate) async fn page(
        &self,
        scan: &AnyScan<Kubernetes>,
        name: &str,
        resource: &ResourceSpec,
        labels: &str,
        fields: &str,
    ) -> Result<Page> {
        let labels = Selector::of_text(labels).map_err(Error::Malformed)?;
        let fields = Field::of_text(fields).map_err(Error::Malformed)?;
        let set = self.set(scan, name).await?;
        let of_resource = set.of(split(&resource.group_version).0, &resource.name);
        let is_selected = |object: &&Object| {
            labels.matches_document(&object.document["metadata"]["labels"])
                && fields.iter().all(|field| field.matches_document(&object.document))
        };
        let selected = of_resource.filter(is_selected);
        let (mut kind, mut items) = ("", Vec::new());
        for object in selected {
            kind = &object.kind;
            items.push(&object.document);
        }
        let text = json!({"kind": format!("{kind}List"), "metadata": {}, "items": items}).to_string();
        let held = scan.meter().hold(text.len())?;
        Ok(Page {
            text: text.into(),
            has_next: false,
            held: Arc::new(held),
            skipped: Arc::default(),
            is_in_shape: false,
        })
    }
}

impl Set {
    /// The objects of a resource, in any version of its group.
    fn of<'a>(&'a self, group: &'a str, name: &'a str) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().filter(move |object| object.group == group && self.plural(object) == name)
    }

    /// The resource of an object: by its definition in the set, or by the rule of Kubernetes' own resources.
    fn plural(&self, object: &Object) -> String {
        match self.definition(object) {
            Some(definition) => definition.plural.clone(),
            None => plural(&object.kind.to_ascii_lowercase()),
        }
    }

    fn definition(&self, object: &Object) -> Option<&Definition> {
        self.definitions.get(&(object.group.clone(), object.kind.clone()))
    }

    /// The resources of its objects.
    pub(crate) fn resources(&self) -> Vec<Served> {
        let mut seen = HashSet::new();
        let served = self.objects.iter().map(|object| {
            let plural = self.plural(object);
            Served {
                group: object.group.clone(),
                version: object.version.clone(),
                kind: object.kind.clone(),
                is_namespaced: match self.definition(object) {
                    Some(definition) => definition.is_namespaced,
                    None => is_namespaced(&plural),
                },
                plural,
            }
        });
        served.filter(|served| seen.insert((served.group.clone(), served.plural.clone()))).collect()
    }

    /// The resources of its objects, and those of Kubernetes itself.
    pub(crate) fn known_resources(&self) -> Vec<Served> {
        let built_in = ObjectKind::resources().map(|(group_version, kind)| {
            let ((group, version), plural) = (split(group_version), plural(kind));
            Served {
                group: group.to_owned(),
                version: version.to_owned(),
                is_namespaced: is_namespaced(&plural),
                plural,
                kind: kind.to_owned(),
            }
        });
        built_in.chain(self.resources()).collect()
    }

    /// The fields of a resource, if the set has its definition.
    pub(crate) fn described(&self, resource: &Served) -> Option<Arc<Described>> {
        let definition = self.definitions.get(&(resource.group.clone(), resource.kind.clone()))?;
        definition.described.get(&resource.version).cloned()
    }
}

/// Whether the objects of one of Kubernetes' own resources belong to namespaces.
fn is_namespaced(plural: &str) -> bool {
    !OF_CLUSTERS.contains(&plural)
}

/// Reads all objects of the files at a path.
fn read(sys: &Sys, root: &Path, report: Report<'_>) -> Result<Set> {
    let mut set = Set::default();
    let root_files = files(sys, root, report)?;
    for path in root_files {
        let name = sys.path_text(&path);
        let read = match documents(sys, &path) {
            Ok(read) => read,
            Err(error) if error.ends_query() => return Err(error),
            // It was removed in the meantime.
            Err(Error::Gone(_)) => continue,
            Err(error) => {
                report(&name, &error);
                continue;
            }
        };
        for (line, read) in read {
            let report = |line: u64, error: &Error| report(&format!("{name}:{line}"), error);
            match read {
                Ok(Read { document, lines }) => {
                    add(&mut set, document, &name, line, &lines, 0, &report);
                }
                Err(error) => report(line, &error),
            }
        }
    }
    for object in &set.objects {
        if object.group == "apiextensions.k8s.io" && object.kind == "CustomResourceDefinition" {
            let (name, definition) = defined(&object.document["spec"]);
            set.definitions.insert(name, definition);
        }
    }
    Ok(set)
}

/// Adds the object of a document, or those of a list.
fn add(
    set: &mut Set,
    mut document: Document,
    path: &str,
    line: u64,
    lines: &[u64],
    level: usize,
    report: &dyn Fn(u64, &Error),
) {
    let malformed = |why: String| report(line, &Error::Malformed(format!("skipped a document: {why}")));
    if document.is_null() {
        return;
    }
    if !document.is_object() {
        return malformed(format!("it is {}", json::kind(&document)));
    }
    let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if version.is_empty() || kind.is_empty() {
        let absent = if kind.is_empty() { "kind" } else { "apiVersion" };
        return malformed(format!("it has no `{absent}`"));
    }
    if let (Some(of), Document::Array(items)) = (kind.strip_suffix("List"), &mut document["items"]) {
        if level == MOST_NESTED {
            return malformed("it is in too many lists".to_owned());
        }
        for (position, mut item) in std::mem::take(items).into_iter().enumerate() {
            // Items of a list of one kind may lack it.
            if let (Document::Object(item), false) = (&mut item, of.is_empty()) {
                for (key, value) in [("kind", of), ("apiVersion", version.as_str())] {
                    item.entry(key).or_insert_with(|| value.into());
                }
            }
            add(set, item, path, lines.get(position).copied().unwrap_or(line), &[], level + 1, report);
        }
        return;
    }
    if !document["metadata"].is_object() {
        return malformed(format!("the {kind} has no metadata"));
    }
    document[SOURCE] = json!({"path": path, "line": line});
    let (group, version) = split(&version);
    let (group, version) = (group.to_owned(), version.to_owned());
    set.objects.push(Object { group, version, kind, document });
}

/// The group and kind that a definition's specification defines, and how.
fn defined(spec: &Document) -> ((String, String), Definition) {
    let text = |value: &Document| value.as_str().unwrap_or_default().to_owned();
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let described = |version: &Document| {
        // Definitions of v1beta1 may have one schema for all versions.
        let schema = [&version["schema"], &spec["validation"]].map(|it| &it["openAPIV3Schema"]);
        let schema = schema.into_iter().find(|schema| schema.is_object())?;
        let mut described = openapi::of_schema(schema);
        // The set itself applies selectors, to any text. In a union with fields of clusters, the clusters decide.
        described.fields.iter_mut().for_each(|field| field.is_selectable = field.kind == Kind::Text);
        Some((text(&version["name"]), Arc::new(described)))
    };
    let definition = Definition {
        plural: text(&spec["names"]["plural"]),
        is_namespaced: spec["scope"] != "Cluster",
        described: versions.iter().filter_map(described).collect(),
    };
    ((text(&spec["group"]), text(&spec["names"]["kind"])), definition)
}
