//! The controller of an object's controller: the Deployment of a pod's ReplicaSet, the CronJob of its Job.

use std::collections::HashMap;

use futures::TryStreamExt;
use indago_table::json::Shape;
use indago_table::{AnyScan, Error, Held, ResourceSpec, Result};
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::{CONTROLLER, set_controller};
use crate::resource::{Listing, Refusal, list_path, objects_of};

/// An object that controls others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) kind: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) uid: Option<String>,
}

impl Owner {
    pub(crate) fn new(kind: &Option<String>, name: &Option<String>, uid: &Option<String>) -> Self {
        Owner { kind: kind.clone(), name: name.clone(), uid: uid.clone() }
    }

    fn size(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        size_of::<Owner>() + length(&self.kind) + length(&self.name) + length(&self.uid)
    }
}

/// The controllers of a resource's objects by the UID of the object, and the memory charged for them.
type Owners = (HashMap<String, Owner>, Held);

/// The controller of an object's controller; the controller itself if it has none.
///
/// The replica sets or jobs of the cluster, or those of the listed namespace, are read once per query.
pub(crate) async fn top_of(
    scan: &AnyScan<Kubernetes>,
    cluster: &str,
    namespace: Option<&str>,
    owner: Owner,
) -> Result<Option<Owner>> {
    let (Some(kind), Some(uid)) = (owner.kind.as_deref(), owner.uid.as_deref()) else {
        return Ok(Some(owner).filter(|owner| *owner != Owner::default()));
    };
    // Files have no controllers' objects.
    if !scan.env().is_cluster(cluster) {
        return Ok(Some(owner));
    }
    let (group_version, resource, needs) = match kind {
        "ReplicaSet" => ("apps/v1", "replicasets", "list replicasets"),
        "Job" => ("batch/v1", "jobs", "list jobs"),
        _ => return Ok(Some(owner)),
    };
    let resource = ResourceSpec::new(group_version, resource, true);
    let key = format!("kubernetes owners {cluster} {} {}", resource.name, namespace.unwrap_or_default());
    let owners = scan.cached(&key, owners(scan, cluster, &resource, namespace, needs)).await?;
    Ok(Some(owners.0.get(uid).cloned().unwrap_or(owner)))
}

async fn owners(
    scan: &AnyScan<Kubernetes>,
    cluster: &str,
    resource: &ResourceSpec,
    namespace: Option<&str>,
    needs: &'static str,
) -> Result<(Owners, usize)> {
    let Some(cluster) = scan.env().cluster(cluster) else {
        return Err(Error::Unsupported(format!("cluster `{cluster}` is no longer configured")));
    };
    let mut shape = Shape::default().with("metadata.uid");
    for place in CONTROLLER.iter().flat_map(|(_, places)| places.iter()) {
        for part in ["kind", "name", "uid"] {
            shape = shape.with(&place.replace("{}", part));
        }
    }
    let listing = Listing::of(&cluster, resource, namespace, scan.env().reads_cache(), needs);
    let owner = |object: &Document| {
        let mut object = object.clone();
        set_controller::<()>(&mut object);
        let text = |name: &str| object["controller"][name].as_str().map(str::to_owned);
        let owner = Owner { kind: text("kind"), name: text("name"), uid: text("uid") };
        Some((object["metadata"]["uid"].as_str()?.to_owned(), owner)).filter(|(_, owner)| owner.kind.is_some())
    };
    let mut objects = std::pin::pin!(objects_of(
        scan,
        listing,
        resource,
        list_path(resource, namespace).into(),
        shape,
        Refusal::Last,
        owner
    ));
    let (mut owners, mut held) = (HashMap::new(), scan.meter().hold(0)?);
    while let Some(owner) = objects.try_next().await? {
        if let Some((uid, owner)) = owner {
            held.add(size_of::<String>() + uid.len() + owner.size())?;
            owners.insert(uid, owner);
        }
    }
    Ok(((owners, held), 0))
}

#[cfg(test)]
mod tests {
    use indago_table::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::kubernetes_pods::Pod;
    use crate::testing;

    fn owned(name: &str, kind: &str, owner: &str) -> serde_json::Value {
        let reference = json!({"kind": kind, "name": owner, "uid": format!("uid-{owner}"), "controller": true});
        json!({"metadata": {"name": name, "uid": format!("uid-{name}"), "namespace": "shop", "ownerReferences": [
            {"kind": "Other", "name": "other", "uid": "o"}, reference,
        ]}})
    }

    #[tokio::test]
    async fn a_controller_of_a_controller_is_read_once_per_query() {
        let list = |kind: &str, items: serde_json::Value| {
            testing::json(200, json!({"kind": format!("{kind}List"), "metadata": {}, "items": items}))
        };
        let (env, asked) = testing::cluster(move |path| match path.split('?').next().unwrap() {
            "/apis/apps/v1/replicasets" => {
                list("ReplicaSet", json!([owned("web-1", "Deployment", "web"), {"metadata": {"uid": "uid-bare"}}, 7]))
            }
            "/apis/batch/v1/jobs" => list("Job", json!([owned("backup-1", "CronJob", "backup")])),
            other => panic!("{other}"),
        });
        let scan = testing::scan::<Pod>(&env, &[], None);
        let owner = |kind: &str, name: &str| Owner {
            kind: Some(kind.to_owned()),
            name: Some(name.to_owned()),
            uid: Some(format!("uid-{name}")),
        };
        for (of, top) in [
            (owner("ReplicaSet", "web-1"), owner("Deployment", "web")),
            (owner("ReplicaSet", "bare"), owner("ReplicaSet", "bare")),
            (owner("ReplicaSet", "deleted"), owner("ReplicaSet", "deleted")),
            (owner("Job", "backup-1"), owner("CronJob", "backup")),
            (owner("StatefulSet", "db"), owner("StatefulSet", "db")),
        ] {
            assert_eq!(top_of(&scan, "c", None, of).await, Ok(Some(top)));
        }
        assert_eq!(top_of(&scan, "c", None, Owner::default()).await, Ok(None));
        assert_eq!(asked.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_source_has_the_columns_that_it_reads() {
        let (env, asked) = testing::cluster(|path| match path.split('?').next().unwrap() {
            "/api/v1/namespaces/shop/pods" => testing::json(
                200,
                json!({"kind": "PodList", "metadata": {}, "items": [owned("p", "ReplicaSet", "web-1")]}),
            ),
            "/apis/apps/v1/namespaces/shop/replicasets" => {
                let items = json!([owned("web-1", "Deployment", "web")]);
                testing::json(200, json!({"kind": "ReplicaSetList", "metadata": {}, "items": items}))
            }
            other => panic!("{other}"),
        });
        let at = |name: &str| Pod::SPEC.column(name).unwrap();
        let constraints = [(at("namespace"), testing::constraint(&["shop"]))];
        let context = indago_table::ScanContext {
            constraints: std::sync::Arc::new(indago_table::Constraints(constraints.into())),
            ..indago_table::ScanContext::new([at("top_controller_name")])
        };
        let scan = indago_table::Scan::<Pod>::new(context, &env);
        let (mut rows, _) = testing::rows(&scan).await;
        let source = Pod::SPEC.columns[at("top_controller_name")].source.unwrap();
        indago_table::LoadAsync::load(&mut rows[0], source, &scan).await.unwrap();
        let mut builder = arrow_array::builder::StringViewBuilder::new();
        rows[0].append(at("top_controller_name"), &mut builder);
        assert_eq!(builder.finish().value(0), "web");
        assert_eq!(asked.lock().unwrap().len(), 2);
    }
}
