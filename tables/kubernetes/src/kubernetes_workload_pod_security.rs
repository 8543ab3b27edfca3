//! `kubernetes_workload_pod_security`: the Pod Security Standard that pods and the templates of pods meet.

use futures::Stream;
use indago_table::json::FromJson;
use indago_table::prelude::*;
use serde_json::{Value as Document, json};

use crate::clusters::Kubernetes;
use crate::derived::{self, Derived, Input, Lists, Origin, text};
use crate::manifests::SOURCE;
use crate::metadata::set_controller;
use crate::pod_security::{self, Level, controls, level, violations};

/// The Pod Security Standard that the pods of each workload meet: one row per workload, and per pod.
///
/// A workload is judged by the template of its pods: cron jobs, daemon sets, deployments, jobs, pod templates, replica
/// sets, replication controllers and stateful sets. So a query sees what runs, with `kind = 'Pod'`, and what its
/// controllers will start next. With manifests it also sees what is about to be deployed. A key of `kind` avoids the
/// lists of the other kinds. The standards are those of `kubernetes_pod_security`.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_workload_pod_security", env = Kubernetes, stream, rows = 1000,
    reads = "cronjobs daemonsets deployments jobs pods podtemplates replicasets replicationcontrollers statefulsets",
    needs(
        "list cronjobs.batch", "list daemonsets.apps", "list deployments.apps", "list jobs.batch", "list pods",
        "list podtemplates", "list replicasets.apps", "list replicationcontrollers", "list statefulsets.apps"
    ),
    identity(cluster, kind, namespace, name, source_path, source_line)
)]
#[example(
    "Workloads, running or about to run, whose pods violate the baseline standard.",
    "SELECT cluster, kind, namespace, name, baseline_violations FROM kubernetes_workload_pod_security WHERE level = 'privileged' AND owner_kind IS NULL"
)]
#[example(
    "Deployments in manifests that are less strict than what runs.",
    "SELECT f.namespace, f.name, f.level, r.level AS runs FROM kubernetes_workload_pod_security f JOIN kubernetes_workload_pod_security r ON r.kind = f.kind AND r.namespace = f.namespace AND r.name = f.name WHERE f.kind = 'Deployment' AND f.source_path IS NOT NULL AND r.source_path IS NULL AND f.level < r.level"
)]
pub struct WorkloadPodSecurity {
    #[column(flatten)]
    origin: Origin,
    /// Kind of the object: `Pod`, `Deployment`, `CronJob` and so on.
    #[column(index)]
    kind: String,
    /// Namespace of the object; the empty text for manifests that state none.
    #[column(slice)]
    namespace: String,
    /// Name of the object.
    #[column(index)]
    name: String,
    /// UID of the object. Manifests have none.
    uid: Option<String>,
    /// The strictest standard that the pods meet: `privileged`, `baseline` or `restricted`.
    level: String,
    /// Controls of the baseline standard that they violate, such as `Host Namespaces`.
    baseline_violations: Vec<String>,
    /// Controls that the restricted standard adds and they violate.
    restricted_violations: Vec<String>,
    /// Fields of the pod or of the template that violate a control: `spec.containers[0].securityContext.privileged`.
    fields: Vec<String>,
    /// Service account of the pods.
    service_account_name: Option<String>,
    /// Kind of the object that controls it; NULL for an object without a controller.
    owner_kind: Option<String>,
    /// Name of the object that controls it.
    owner_name: Option<String>,
    /// File of the object, for manifests.
    source_path: Option<String>,
    /// Line of the file at which the object starts, for manifests.
    source_line: Option<i64>,
}

/// A kind of workloads: its resource, and where its objects have the pod.
struct Workload {
    kind: &'static str,
    resource: &'static str,
    pod: &'static str,
}

macro_rules! workloads {
    ($(($kind:literal, $resource:literal, $versions:expr, $pod:literal $(, $always:literal)*)),* $(,)?) => {
        const WORKLOADS: &[Workload] = &[$(Workload { kind: $kind, resource: $resource, pod: $pod }),*];

        impl Derived for WorkloadPodSecurity {
            const INPUTS: &'static [Input] = &[$(Input {
                resource: $resource,
                versions: $versions,
                is_namespaced: true,
                needs: concat!("list ", $resource),
                paths: &[
                    "metadata.name",
                    "metadata.namespace",
                    "metadata.ownerReferences",
                    "$source",
                    $($always,)*
                ],
            }),*];
        }
    };
}

workloads![
    (
        "CronJob",
        "cronjobs",
        &["batch/v1", "batch/v1beta1"],
        "/spec/jobTemplate/spec/template",
        "spec.jobTemplate.spec.template"
    ),
    ("DaemonSet", "daemonsets", &["apps/v1"], "/spec/template", "spec.template"),
    ("Deployment", "deployments", &["apps/v1"], "/spec/template", "spec.template"),
    ("Job", "jobs", &["batch/v1"], "/spec/template", "spec.template"),
    ("Pod", "pods", &["v1"], "", "metadata.annotations", "spec"),
    ("PodTemplate", "podtemplates", &["v1"], "/template", "template"),
    ("ReplicaSet", "replicasets", &["apps/v1"], "/spec/template", "spec.template"),
    ("ReplicationController", "replicationcontrollers", &["v1"], "/spec/template", "spec.template"),
    ("StatefulSet", "statefulsets", &["apps/v1"], "/spec/template", "spec.template"),
];

impl RowStream for WorkloadPodSecurity {
    type Part = Lists;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Lists>> {
        Ok(derived::parts(scan, Some("namespace")))
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Lists) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            for workload in WORKLOADS.iter().filter(|workload| scan.admits(Self::KIND, &workload.kind.to_owned())) {
                let row = |object: Document| match Self::of(part, workload, object) {
                    Ok(row) => scan.admits(Self::NAME, &row.name).then_some(row),
                    Err(error) => {
                        scan.report(part.place(), &error);
                        None
                    }
                };
                // A kind that may not be read costs no other.
                for row in part.read_if_served(scan, workload.resource, row).await? {
                    yield row;
                }
            }
        }
    }
}

impl WorkloadPodSecurity {
    fn of(part: &Lists, workload: &Workload, mut object: Document) -> Result<Self> {
        // A malformed owner is reported where objects are read.
        let _: Vec<Result<()>> = set_controller(&mut object);
        let pod = object.pointer_mut(workload.pod).map(Document::take).unwrap_or_default();
        if workload.pod.is_empty() {
            object = json!({"metadata": pod["metadata"], "controller": pod["controller"], SOURCE: pod[SOURCE]});
        }
        let metadata = &object["metadata"];
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        if !pod["spec"].is_object() {
            // A pod without a specification violates nothing, so it would look safe.
            let what = format!("{} {namespace}/{name}: skipped: it has no specification of a pod", workload.kind);
            return Err(Error::Malformed(what));
        }
        let violations = violations(&pod);
        let optional = |value: &Document| Some(text(value)).filter(|text| !text.is_empty());
        Ok(WorkloadPodSecurity {
            origin: part.origin(),
            kind: workload.kind.to_owned(),
            namespace,
            name,
            uid: optional(&metadata["uid"]),
            level: level(&violations).name().to_owned(),
            baseline_violations: controls(&violations, Level::Baseline),
            restricted_violations: controls(&violations, Level::Restricted),
            fields: pod_security::fields(&violations),
            service_account_name: optional(&pod["spec"]["serviceAccountName"]),
            owner_kind: optional(&object["controller"]["kind"]),
            owner_name: optional(&object["controller"]["name"]),
            source_path: optional(&object[SOURCE]["path"]),
            source_line: i64::from_json(&object[SOURCE]["line"]),
        })
    }
}
