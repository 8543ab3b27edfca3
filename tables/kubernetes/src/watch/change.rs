//! Changes of objects.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use indago_table::Timestamp;
use serde_json::{Map, Value as Document};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// A change of an object, or a gap in the changes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// When it was received.
    pub at: Timestamp,
    /// The cluster: a context of the kubeconfig. Empty for a gap of all clusters.
    pub cluster: Arc<str>,
    /// Group and version of the resource: `v1`, `apps/v1`.
    pub group_version: Arc<str>,
    /// Name of the resource: `pods`.
    pub resource: Arc<str>,
    /// What happened.
    pub op: Op,
    /// Kind of the object; empty for a gap.
    pub kind: Arc<str>,
    /// Namespace of the object; empty for an object of the cluster.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// UID of the object.
    pub uid: String,
    /// Version of the object after the change; of a deleted object, the version of its deletion.
    pub resource_version: String,
    /// Paths whose values changed, for a modified object. A backslash escapes a dot in a key.
    pub changed: Vec<String>,
    /// The held parts of a deleted object; the values of the changed paths of a modified one.
    pub before: Option<Document>,
    /// The held parts of an added object; the values of the changed paths of a modified one.
    pub after: Option<Document>,
    /// Why there is a gap. For another change: why it comes from a list instead of a watch.
    pub reason: Option<String>,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// It was added, or existed when the watch began.
    Added,
    /// It was modified.
    Modified,
    /// It was deleted.
    Deleted,
    /// Changes are missing at this point.
    Gap,
}

impl Op {
    /// Its name in `kubernetes_changes`.
    pub fn name(self) -> &'static str {
        match self {
            Op::Added => "added",
            Op::Modified => "modified",
            Op::Deleted => "deleted",
            Op::Gap => "gap",
        }
    }
}

/// The changes of all watched resources from its creation on, as a stream. It does not end.
pub struct Changes(BoxStream<'static, Arc<Change>>);

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Changes")
    }
}

impl Changes {
    pub(super) fn new<F>(receiver: Receiver<Arc<Change>>, now: F) -> Self
    where
        F: Fn() -> Timestamp + Send + 'static,
    {
        let next = |(mut receiver, now): (Receiver<Arc<Change>>, F)| async move {
            let change = match receiver.recv().await {
                Ok(change) => change,
                Err(RecvError::Lagged(many)) => {
                    let why = format!("{many} changes were dropped, because their reader was slower than they arrived");
                    Arc::new(Change::gap(now(), why))
                }
                // The clusters are no longer watched, and no longer can be.
                Err(RecvError::Closed) => return None,
            };
            Some((change, (receiver, now)))
        };
        Changes(stream::unfold((receiver, now), next).boxed())
    }
}

impl Stream for Changes {
    type Item = Arc<Change>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Arc<Change>>> {
        self.0.poll_next_unpin(context)
    }
}

impl Change {
    /// A gap of all resources.
    pub(super) fn gap(at: Timestamp, why: String) -> Self {
        Change {
            at,
            cluster: Arc::default(),
            group_version: Arc::default(),
            resource: Arc::default(),
            op: Op::Gap,
            kind: Arc::default(),
            namespace: String::new(),
            name: String::new(),
            uid: String::new(),
            resource_version: String::new(),
            changed: Vec::new(),
            before: None,
            after: None,
            reason: Some(why),
        }
    }
}

/// The paths at which two documents differ, with the values there.
pub(super) fn difference(before: &Document, after: &Document) -> (Vec<String>, Document, Document) {
    let mut found = Found::default();
    found.compare(&mut String::new(), Some(before), Some(after));
    (found.paths, Document::Object(found.before), Document::Object(found.after))
}

#[derive(Default)]
struct Found {
    paths: Vec<String>,
    before: Map<String, Document>,
    after: Map<String, Document>,
}

impl Found {
    fn compare(&mut self, path: &mut String, before: Option<&Document>, after: Option<&Document>) {
        match (before, after) {
            (Some(Document::Object(old)), Some(Document::Object(new))) => {
                for (key, value) in old {
                    self.step(path, key, Some(value), new.get(key));
                }
                for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                    self.step(path, key, None, Some(value));
                }
            }
            (Some(Document::Array(old)), Some(Document::Array(new))) if old.len() == new.len() => {
                for (position, (old, new)) in old.iter().zip(new).enumerate() {
                    self.step(path, &position.to_string(), Some(old), Some(new));
                }
            }
            (before, after) if before != after => {
                self.paths.push(path.clone());
                self.before.extend(before.map(|value| (path.clone(), value.clone())));
                self.after.extend(after.map(|value| (path.clone(), value.clone())));
            }
            _ => {}
        }
    }

    fn step(&mut self, path: &mut String, key: &str, before: Option<&Document>, after: Option<&Document>) {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        for character in key.chars() {
            if matches!(character, '.' | '\\') {
                path.push('\\');
            }
            path.push(character);
        }
        // It has its own column, and always changes.
        if path != "metadata.resourceVersion" {
            self.compare(path, before, after);
        }
        path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_names_paths_and_values() {
        let before = json!({
            "metadata": {"resourceVersion": "1", "labels": {"a.io/b": "x", "gone": "1"}},
            "spec": {"containers": [{"image": "a"}, {"image": "b"}], "list": [1, 2], "same": null},
        });
        let after = json!({
            "metadata": {"resourceVersion": "2", "labels": {"a.io/b": "y"}},
            "spec": {"containers": [{"image": "a"}, {"image": "c"}], "list": [1], "same": null, "new": {}},
        });
        let (paths, old, new) = difference(&before, &after);
        let expected =
            ["metadata.labels.a\\.io/b", "metadata.labels.gone", "spec.containers.1.image", "spec.list", "spec.new"];
        assert_eq!(paths, expected);
        assert_eq!(
            old,
            json!({"metadata.labels.a\\.io/b": "x", "metadata.labels.gone": "1", "spec.containers.1.image": "b",
                   "spec.list": [1, 2]})
        );
        assert_eq!(
            new,
            json!({"metadata.labels.a\\.io/b": "y", "spec.containers.1.image": "c", "spec.list": [1], "spec.new": {}})
        );
        assert_eq!(difference(&before, &before).0, Vec::<String>::new());
    }
}
