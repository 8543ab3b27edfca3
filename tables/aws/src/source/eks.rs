//! Shared by EKS's tables: the clusters, and the objects of each cluster.

use async_stream::try_stream;
use futures::stream::{BoxStream, StreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Site};
use crate::api::{List, Request, member, with_member};
use crate::call::{all, distinct};
use crate::resource::{Reader, Resource};
use crate::services::EKS;

static CLUSTERS: List = list("eks:ListClusters", "clusters");

/// A listing of EKS.
pub(crate) const fn list(action: &'static str, items: &'static str) -> List {
    List { service: &EKS, action, items, tokens: ("nextToken", "nextToken") }
}

/// The names of the clusters in a region: those of the keys, or all.
pub(crate) async fn clusters<T: Row<Env = Aws>>(
    scan: &Scan<T>,
    site: &Site,
    keys: Option<Vec<String>>,
) -> Result<Vec<String>> {
    if let Some(names) = keys {
        return Ok(names_in(names));
    }
    let names = all(site.list(scan, &CLUSTERS, Request::get(&["clusters"]))).await?;
    Ok(names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The keys that can be names of clusters. No others exist.
pub(crate) fn names_in(keys: Vec<String>) -> Vec<String> {
    let is_name = |name: &String| {
        name.len() <= 100
            && name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    distinct(keys).into_iter().filter(is_name).collect()
}

/// The rows of the objects of clusters. `kind` is the objects' part of the path.
///
/// The document of an object is the item of the list with the member `clusterName`. If the list has only names, it is
/// an object with `clusterName` and `name`.
pub(crate) fn of_clusters<'a, T: Resource>(
    scan: &'a Scan<T>,
    site: Site,
    keys: Option<Vec<String>>,
    list: &'static List,
    kind: &'static str,
) -> BoxStream<'a, Result<T>> {
    try_stream! {
        let clusters = clusters(scan, &site, keys).await?;
        let mut rows = site.each(scan, clusters, move |site, cluster| async move {
            let items = objects(scan, &site, &cluster, list, kind).await?;
            let reader = Reader::listed(scan, &site);
            Ok(items.iter().filter_map(|item| reader.item(scan, item)).collect())
        });
        while let Some(row) = rows.next().await {
            yield row?;
        }
    }
    .boxed()
}

/// The objects of a kind in a cluster.
pub(crate) async fn objects<T: Row<Env = Aws>>(
    scan: &Scan<T>,
    site: &Site,
    cluster: &str,
    list: &'static List,
    kind: &'static str,
) -> Result<Vec<Value>> {
    let items = all(site.list(scan, list, Request::get(&["clusters", cluster, kind]))).await?;
    let in_cluster = |item| match item {
        Value::String(name) => json!({"clusterName": cluster, "name": name}),
        item => with_member(item, "clusterName", cluster),
    };
    Ok(items.into_iter().map(in_cluster).collect())
}

/// An object: a member of the response of a GET.
pub(crate) async fn get<T: Row<Env = Aws>>(
    scan: &Scan<T>,
    site: &Site,
    action: &str,
    path: &[&str],
    name: &str,
) -> Result<Value> {
    Ok(member(site.send(scan, &EKS, action, Request::get(path)).await?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_clusters_can_have_are_requested() {
        let keys = ["main", "", "..", "a/b", "-a", "main", "a_b-1", "é"].map(str::to_owned).to_vec();
        assert_eq!(names_in(keys), ["main", "a_b-1"]);
    }
}
