//! `kubernetes_changes`: the changes of watched resources.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::{Either, select};
use indago_table::prelude::*;
use indago_table::scan::BoxFuture;
use indago_table::{EventSource, Events, TableSpec};
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::watch::{Change, LOOK, Op};

/// Changes of the objects of watched resources, in the order of each resource's watch.
///
/// Watched are the resources in `watch_resources`, with all of their content, and those that queries read, with the
/// columns that queries read. Objects that exist when the watch of a resource begins come first, as added. If a server no
/// longer has some changes, there is a row with `op = 'gap'`, and the difference between the states before and after it
/// follows. The values of secrets are never shown: a hash that is valid in this process only stands for each of them.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_changes", env = Kubernetes, events)]
#[example(
    "Deployments whose image changed, with both images.",
    "SELECT at, namespace, name, json_extract(before, '$.\"spec.template.spec.containers.0.image\"') AS before, \
     json_extract(after, '$.\"spec.template.spec.containers.0.image\"') AS after FROM kubernetes_changes \
     WHERE resource = 'deployments' AND op = 'modified' AND before LIKE '%image%'"
)]
#[example(
    "Changes that are missing, and why.",
    "SELECT at, cluster, resource, reason FROM kubernetes_changes WHERE op = 'gap'"
)]
pub struct ChangeRow {
    /// Time when the change was received.
    at: Timestamp,
    /// Context in the kubeconfig; NULL for a gap of all clusters.
    cluster: Option<Arc<str>>,
    /// Group and version of the resource: `v1`, `apps/v1`.
    group_version: Option<Arc<str>>,
    /// Name of the resource: `pods`.
    resource: Option<Arc<str>>,
    /// Kind of the object: `Pod`; NULL for a gap.
    kind: Option<Arc<str>>,
    /// Namespace of the object; NULL for an object of the cluster, and for a gap.
    namespace: Option<String>,
    /// Name of the object; NULL for a gap.
    name: Option<String>,
    /// UID of the object; NULL for a gap.
    uid: Option<String>,
    /// Version of the object after the change, or of its deletion; NULL for a gap.
    resource_version: Option<String>,
    /// `added`, `modified`, `deleted`, or `gap` if changes are missing at this point.
    op: String,
    /// Paths whose values changed, if the object was modified. A backslash escapes a dot in a key:
    /// `metadata.labels.app\.kubernetes\.io/name`.
    changed: Vec<String>,
    /// The object before it was deleted, or the earlier value of each changed path; NULL if the object was added.
    before: Option<Json>,
    /// The object after it was added, or the new value of each changed path; NULL if the object was deleted.
    after: Option<Json>,
    /// Why there is a gap. For another change: why it comes from a list instead of a watch, such as `first list`.
    reason: Option<String>,
}

impl ChangeRow {
    /// The row of a change, and its size outside itself.
    fn of(change: &Change) -> (Self, usize) {
        let text = |text: &Arc<str>| Some(text.clone()).filter(|text| !text.is_empty());
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let json = |document: &Option<Document>| document.as_ref().map(Json::new);
        let row = ChangeRow {
            at: change.at,
            cluster: text(&change.cluster),
            group_version: text(&change.group_version),
            resource: text(&change.resource),
            kind: text(&change.kind),
            namespace: some(&change.namespace),
            name: some(&change.name),
            uid: some(&change.uid),
            resource_version: some(&change.resource_version),
            op: change.op.name().to_owned(),
            changed: change.changed.clone(),
            before: json(&change.before),
            after: json(&change.after),
            reason: change.reason.clone(),
        };
        let texts = [&row.namespace, &row.name, &row.uid, &row.resource_version, &row.reason];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let paths = row.changed.iter().map(|path| path.len() + size_of::<String>()).sum::<usize>();
        let documents = [&row.before, &row.after].into_iter().flatten().map(|json| json.0.len()).sum::<usize>();
        (row, texts + paths + documents)
    }
}

/// The source of changes.
#[derive(Debug)]
pub(crate) struct Source(Kubernetes);

impl Source {
    /// `None` if watching is off.
    pub(crate) fn new(clusters: &Kubernetes) -> Option<Self> {
        clusters.watches().may_watch().then(|| Source(clusters.clone()))
    }
}

impl EventSource for Source {
    fn spec(&self) -> TableSpec {
        TableSpec::clone(ChangeRow::SPEC)
    }

    fn listen<'a>(&'a self, events: &'a Events) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for text in self.0.watches().malformed() {
                let why = format!("`watch_resources`: `{text}` is not a resource; write it as `apps/v1/deployments`");
                tracing::warn!("{why}");
                events.gap(why);
            }
            let (mut changes, gate) = (self.0.changes(), events.gate());
            loop {
                // Clusters that were added to a kubeconfig are watched too.
                self.0.start_watching(&gate);
                let mut look = gate.sleep(LOOK);
                while let Either::Left((change, later)) = select(changes.next(), look).await {
                    let Some(change) = change else { return Ok(()) };
                    let (row, size) = ChangeRow::of(&change);
                    events.emit(row, size);
                    if let (Op::Gap, Some(why)) = (change.op, &change.reason) {
                        events.gap(why);
                    }
                    look = later;
                }
            }
        })
    }
}
