//! Resources that a server may serve in an older version of their group, or not at all.

use std::collections::HashSet;
use std::sync::Arc;

use indago_table::json::Shape;
use indago_table::{AnyScan, Error, ResourceSpec, Result};

use crate::call::get_object;
use crate::clusters::{Cluster, Kubernetes};
use crate::discovery::api;
use crate::resource::Listing;

const NEEDS: &str = "get /apis, as system:discovery may";

/// The listing in the newest version that its server serves. A document of the server's discovery is read once per
/// cluster and query.
pub(crate) async fn served(scan: &AnyScan<Kubernetes>, listing: Listing) -> Result<Listing> {
    let is_discovered = |resource: &&ResourceSpec| resource.is_optional && listing.is_on_server();
    let Some(resource) = scan.spec().resource.as_ref().filter(is_discovered) else {
        return Ok(listing);
    };
    let cluster = listing.cluster().clone();
    for version in std::iter::once(&resource.group_version).chain(&resource.older) {
        match names(scan, &cluster, version).await {
            Ok(names) if names.contains(&*resource.name) => return Ok(listing.in_version(resource, version)),
            Ok(_) => {}
            // Without discovery, the list itself shows whether it exists.
            Err(Error::Denied { needs: Some(_), .. }) => return Ok(listing),
            Err(error) => return Err(error),
        }
    }
    let absent = format!("the server serves no {} of {}", resource.name, resource.group_version);
    match *is_api_server(scan, &cluster).await? {
        true => Err(Error::Absent(absent)),
        false => {
            Err(Error::Unsupported(format!("{absent}, nor a list of its API groups: is it a Kubernetes API server?")))
        }
    }
}

/// The resources of a group in a version; none if the server does not serve it.
async fn names(scan: &AnyScan<Kubernetes>, cluster: &Cluster, version: &str) -> Result<Arc<HashSet<String>>> {
    let key = format!("kubernetes version {} {version}", cluster.name);
    let read = async {
        let resources = match api::resources(scan, cluster, version).await {
            Err(Error::Gone(_)) => Vec::new(),
            resources => resources?,
        };
        let name = |resource: &serde_json::Value| resource["name"].as_str().map(str::to_owned);
        let names: HashSet<String> = resources.iter().filter_map(name).collect();
        let size = names.iter().map(|name| size_of::<String>() + name.len()).sum();
        Ok((names, size))
    };
    scan.cached(&key, read).await
}

/// Whether the server lists API groups.
async fn is_api_server(scan: &AnyScan<Kubernetes>, cluster: &Cluster) -> Result<Arc<bool>> {
    let read = async {
        match get_object(scan, cluster, "/apis", NEEDS, &Shape::default().with("kind")).await {
            Ok(groups) => Ok((groups["kind"] == "APIGroupList", 0)),
            Err(Error::Gone(_)) => Ok((false, 0)),
            Err(error) => Err(error),
        }
    };
    scan.cached(&format!("kubernetes groups {}", cluster.name), read).await
}

#[cfg(test)]
mod tests {
    use indago_table::Scalar;
    use indago_table::prelude::*;
    use serde_json::json;

    use crate::kubernetes_cron_jobs::CronJob;
    use crate::testing;

    const GROUPS: &str = r#"{"kind":"APIGroupList","groups":[]}"#;

    /// A server that serves the resource in these versions of `batch`.
    fn answer(versions: &[&str], path: &str) -> testing::Answer {
        let version = path.strip_prefix("/apis/batch/").unwrap_or_default();
        let (version, rest) = version.split_once('/').unwrap_or((version, ""));
        let is_served = versions.contains(&version);
        match rest {
            _ if path == "/apis" => testing::json(200, GROUPS),
            "" if version == "v1" || is_served => {
                let resources =
                    if is_served { json!([{"name": "jobs"}, {"name": "cronjobs"}]) } else { json!([{"name": "jobs"}]) };
                testing::json(200, json!({"kind": "APIResourceList", "resources": resources}))
            }
            _ if is_served => {
                let item = json!({"metadata": {"name": version, "uid": "u", "namespace": "a"}});
                testing::json(200, json!({"kind": "CronJobList", "metadata": {}, "items": [item]}))
            }
            _ => testing::json(404, "404 page not found"),
        }
    }

    #[tokio::test]
    async fn the_newest_version_that_is_served_is_listed() {
        let namespace = CronJob::SPEC.column("namespace").unwrap();
        for (versions, expected, calls) in
            [(&["v1", "v1beta1"][..], "v1", 1 + 2), (&["v1"], "v1", 1 + 2), (&["v1beta1"], "v1beta1", 2 + 2)]
        {
            let (env, asked) = testing::cluster(move |path| answer(versions, path.split('?').next().unwrap()));
            let scan = testing::scan::<CronJob>(&env, &[(namespace, &["a", "b"])], None);
            let (rows, end) = testing::rows(&scan).await;
            let name = CronJob::SPEC.column("name").unwrap();
            let names: Vec<_> = rows.iter().map(|row| row.key(name)).collect();
            assert_eq!((names, end), (vec![Some(Scalar::Text(expected.to_owned())); 2], Ok(())));
            assert_eq!(asked.lock().unwrap().len(), calls, "{versions:?}");
        }
    }

    #[tokio::test]
    async fn a_resource_that_no_version_serves_is_absent() {
        let (env, _) = testing::cluster(|path| answer(&[], path.split('?').next().unwrap()));
        let (rows, end) = testing::rows(&testing::scan::<CronJob>(&env, &[], None)).await;
        assert_eq!((rows.len(), end), (0, Err(Error::Absent("the server serves no cronjobs of batch/v1".to_owned()))));
    }

    #[tokio::test]
    async fn a_server_without_api_groups_is_no_api_server() {
        let (env, _) = testing::cluster(|_| testing::json(404, "not found"));
        let (_, end) = testing::rows(&testing::scan::<CronJob>(&env, &[], None)).await;
        assert!(matches!(end, Err(Error::Unsupported(_))), "{end:?}");
    }

    #[tokio::test]
    async fn without_discovery_the_newest_version_is_listed() {
        let (env, _) = testing::cluster(|path| match path.contains("cronjobs") {
            true => answer(&["v1"], path.split('?').next().unwrap()),
            false => testing::json(403, r#"{"message": "no"}"#),
        });
        let (rows, end) = testing::rows(&testing::scan::<CronJob>(&env, &[], None)).await;
        assert_eq!((rows.len(), end), (1, Ok(())));
    }
}
