//! The namespaces that a user may read, if a server refuses a list of all of them.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use indago_table::json::Shape;
use indago_table::{AnyScan, Error, ResourceSpec, Result};
use kube::client::Body;
use serde_json::{Value as Document, json};

use crate::call::{Answer, refusal, transport_error};
use crate::clusters::{Cluster, Kubernetes};
use crate::discovery::api::split;
use crate::pages::{List, PAGE_SIZE, Pager};
use crate::rbac::objects::parse_rule;
use crate::rbac::policy::{Rule, Target};
use crate::resource::{elements, is_namespace};

/// Most namespaces whose rules are requested. A query of more must name its namespaces.
const MOST: usize = 1000;
/// Largest response.
const MOST_BYTES: usize = 16 << 20;
const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
const NEEDS: &str = "create selfsubjectrulesreviews, as system:basic-user may";

/// The namespaces in which the user may list a resource, and the number of the other candidates. The candidates are
/// those of the configuration; without any, all namespaces if the user may list them, or else those of the kubeconfig.
pub(crate) async fn readable(
    scan: &AnyScan<Kubernetes>,
    cluster: &Arc<Cluster>,
    resource: &ResourceSpec,
) -> Result<(Vec<String>, usize)> {
    let candidates = candidates(scan, cluster).await?;
    let number = candidates.len();
    if number > MOST {
        let why = format!("more than {MOST} namespaces: constrain `namespace`, or set `namespaces` of `[kubernetes]`");
        return Err(Error::Unsupported(why));
    }
    let group = split(&resource.group_version).0;
    let target = Target::resource(group, &resource.name, "", "", "");
    let reviews = scan.in_rounds(candidates.to_vec(), |namespace| async move {
        let rules = rules(scan, cluster, &namespace).await;
        (namespace, rules)
    });
    let mut reviews = std::pin::pin!(reviews);
    let mut readable = Vec::new();
    while let Some((namespace, rules)) = reviews.next().await {
        let rules = rules?;
        // Other authorizers may allow what an incomplete answer lacks.
        if rules.is_incomplete || rules.rules.iter().any(|rule| rule.allows("list", &target)) {
            readable.push(namespace);
        }
    }
    let others = number - readable.len();
    Ok((readable, others))
}

/// What a user may do in a namespace.
struct Rules {
    rules: Vec<Rule>,
    is_incomplete: bool,
}

/// The namespaces that may be readable. Read once per query.
async fn candidates(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>) -> Result<Arc<Vec<String>>> {
    let key = format!("kubernetes namespaces {}", cluster.name);
    let read = async {
        let mut names = match scan.env().namespaces() {
            [] => listed(scan, cluster).await?,
            configured => configured.to_vec(),
        };
        names.retain(|name| is_namespace(name));
        names.sort_unstable();
        names.dedup();
        let size = names.iter().map(|name| size_of::<String>() + name.len()).sum();
        Ok((names, size))
    };
    scan.cached(&key, read).await
}

/// The namespaces of a cluster. If the user may not list them, they are those of the kubeconfig.
async fn listed(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>) -> Result<Vec<String>> {
    let list = List {
        cluster: cluster.clone(),
        path: "/api/v1/namespaces".to_owned(),
        label_selector: String::new(),
        field_selector: String::new(),
        page_size: PAGE_SIZE,
        is_cached: scan.env().reads_cache(),
        needs: "list namespaces".into(),
    };
    let shape = Arc::new(Shape::default().with("metadata.name").with("kind"));
    let mut pager = Pager::new(list, &shape);
    let mut names = Vec::new();
    loop {
        match pager.next(scan).await {
            Ok(Some(page)) => drop(shape.parse_list(&page.text, "items", &Shape::default(), |object| {
                let name = object.ok().and_then(|object| object["metadata"]["name"].as_str().map(str::to_owned));
                names.extend(name);
            })?),
            Ok(None) => return Ok(names),
            Err(Error::Denied { needs: Some(_), .. }) => {
                names.extend_from_slice(cluster.namespaces());
                return Ok(names);
            }
            Err(error) => return Err(error),
        }
    }
}

/// What the user may do in a namespace, as the server's SelfSubjectRulesReview states it. Read once per query.
async fn rules(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>, namespace: &str) -> Result<Arc<Rules>> {
    let key = format!("kubernetes rules {} {namespace}", cluster.name);
    let read = async {
        let client = cluster.client(scan).await?;
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace},
        });
        let review = Bytes::from(review.to_string());
        let text = scan.call(&cluster.name, PATH, || attempt(&client, review.clone())).await?;
        scan.meter().add_bytes(text.len() as u64);
        let answer: Document = serde_json::from_slice(&text)
            .map_err(|error| Error::Malformed(format!("POST {PATH}: not the JSON that was expected: {error}")))?;
        let status = &answer["status"];
        let rules: Vec<Rule> = elements(&status["resourceRules"]).filter_map(|rule| parse_rule(rule).ok()).collect();
        let is_incomplete = status["incomplete"] == true;
        Ok((Rules { rules, is_incomplete }, text.len()))
    };
    scan.cached(&key, read).await
}

async fn attempt(client: &kube::Client, review: Bytes) -> Result<Bytes> {
    let request = http::Request::post(PATH).header(ACCEPT, "application/json").header(CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(review));
    let request = request.map_err(|error| Error::Malformed(format!("POST {PATH}: {error}")))?;
    let response = client.send(request).await.map_err(transport_error)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
    let text = body.map_err(|error| Error::Unavailable(format!("POST {PATH}: {error}")))?.to_bytes();
    if matches!(status, StatusCode::OK | StatusCode::CREATED) {
        return Ok(text);
    }
    match refusal(status, &text, None, NEEDS)? {
        Answer::Missing(why) => Err(Error::Unsupported(format!("the server has no SelfSubjectRulesReview: {why}"))),
        Answer::Body(..) | Answer::Expired(_) => {
            Err(Error::Malformed(format!("POST {PATH}: the API server responds with {status}")))
        }
    }
}
