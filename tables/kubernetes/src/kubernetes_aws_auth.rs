//! `kubernetes_aws_auth`: the AWS identities that EKS clusters map to users and groups.

use futures::{Stream, TryStreamExt};
use indago_table::ResourceSpec;
use indago_table::json::{self, Shape};
use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::derived::Origin;
use crate::manifests;
use crate::resource::{Listing, Refusal, objects_of};

/// AWS identities, and the Kubernetes users and groups that EKS clusters map them to: the entries of the config map
/// `aws-auth` in `kube-system`.
///
/// `arn` joins `aws_iam_role.arn` and `aws_iam_user.arn`. The entry of a role states no path, so a role with a path
/// joins by `account_id` and `name`. `username` and the elements of `groups` join `kubernetes_access.subject_name`. A
/// cluster without such a config map has no rows: it may use access entries, which only AWS knows.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_aws_auth", env = Kubernetes, stream, rows = 20, reads = "configmaps", needs = "list configmaps",
    identity(cluster, type, arn, account_id, username)
)]
#[example(
    "AWS identities that may do everything in a cluster.",
    "SELECT cluster, arn, username FROM kubernetes_aws_auth WHERE array_has(groups, 'system:masters')"
)]
#[example(
    "AWS roles and what they may do in the cluster.",
    "SELECT DISTINCT m.arn, a.subject, a.verb, a.resource, a.namespace FROM (SELECT cluster, arn, unnest(groups) AS member FROM kubernetes_aws_auth) m JOIN kubernetes_access a ON a.cluster = m.cluster AND a.subject_kind = 'Group' AND a.subject_name = m.member"
)]
pub struct AwsAuth {
    #[column(flatten)]
    origin: Origin,
    /// `role`, `user`, or `account`: all users and roles of an account.
    #[column(index)]
    r#type: String,
    /// ARN of the role or user; NULL for an account.
    #[column(index)]
    arn: Option<String>,
    /// Account of the role or user.
    #[column(index)]
    account_id: Option<String>,
    /// Name of the role or user, without its path; NULL for an account.
    #[column(index)]
    name: Option<String>,
    /// Name of the user in Kubernetes. It may have templates, such as `system:node:{{EC2PrivateDNSName}}`. NULL for an
    /// account: each user is named by its ARN.
    #[column(index)]
    username: Option<String>,
    /// Groups in Kubernetes.
    groups: Vec<String>,
}

const NAMESPACE: &str = "kube-system";
const NAME: &str = "aws-auth";

fn config_maps() -> ResourceSpec {
    ResourceSpec::new("v1", "configmaps", true)
}

impl RowStream for AwsAuth {
    type Part = Listing;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Listing>> {
        let is_cached = scan.env().reads_cache();
        let part = |cluster| {
            let listing = Listing::of(&cluster, &config_maps(), Some(NAMESPACE), is_cached, "list configmaps");
            listing.narrowed("metadata.name", NAME)
        };
        Ok(scan.env().origins(scan).into_iter().map(part).collect())
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Listing) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            let cluster = part.cluster();
            let shape = Shape::default().with("metadata.namespace").with("data");
            // No table reads this list, so it is not shared.
            let refusal = Refusal::Reported;
            let maps = objects_of(scan, part.clone(), &config_maps(), NAME.into(), shape, refusal, Document::clone);
            let mut maps = std::pin::pin!(maps);
            while let Some(map) = maps.try_next().await? {
                // Files may leave the namespace open.
                if map["metadata"]["namespace"].as_str().is_some_and(|namespace| namespace != NAMESPACE) {
                    continue;
                }
                for entry in entries(&map["data"]) {
                    match entry {
                        Ok(entry) => yield AwsAuth { origin: Origin::of(cluster), ..entry },
                        Err(error) => scan.report(format!("cluster={}, {NAMESPACE}/{NAME}", cluster.name), &error),
                    }
                }
            }
        }
    }
}

/// The entries of the config map, and an error for each that is malformed.
fn entries(data: &Document) -> Vec<Result<AwsAuth>> {
    let mut entries = Vec::new();
    for (list, kind, key) in
        [("mapRoles", "role", "rolearn"), ("mapUsers", "user", "userarn"), ("mapAccounts", "account", "")]
    {
        let Some(text) = data[list].as_str() else { continue };
        match manifests::parse_yaml(text) {
            Ok(Document::Array(found)) => {
                let entry = |(position, found)| {
                    entry(found, kind, key).map_err(|why| Error::Malformed(format!("`{list}[{position}]`: {why}")))
                };
                entries.extend(found.iter().enumerate().map(entry));
            }
            Ok(Document::Null) => {}
            Ok(other) => {
                let why = format!("`{list}` holds {} instead of a list", json::kind(&other));
                entries.push(Err(Error::Malformed(why)));
            }
            Err(error) => entries.push(Err(Error::Malformed(format!("`{list}`: {error}")))),
        }
    }
    entries
}

fn entry(entry: &Document, kind: &str, key: &str) -> Result<AwsAuth, String> {
    let row = AwsAuth { r#type: kind.to_owned(), ..AwsAuth::default() };
    if key.is_empty() {
        let account = match entry {
            Document::String(account) => account.clone(),
            // YAML without quotes.
            Document::Number(account) => format!("{:0>12}", account.to_string()),
            other => return Err(format!("it is {} instead of an account", json::kind(other))),
        };
        return Ok(AwsAuth { account_id: Some(account), ..row });
    }
    let Document::Object(members) = entry else { return Err(format!("it is {}", json::kind(entry))) };
    // The authenticator ignores the case of names.
    let member = |name: &str| members.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let arn = member(key).and_then(Document::as_str).ok_or_else(|| format!("it has no text `{key}`"))?;
    let groups = match member("groups") {
        None | Some(Document::Null) => Vec::new(),
        Some(Document::Array(groups)) => groups.iter().filter_map(Document::as_str).map(str::to_owned).collect(),
        Some(other) => return Err(format!("`groups` holds {} instead of a list", json::kind(other))),
    };
    // arn:PARTITION:iam::ACCOUNT:role/PATH/NAME
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let resource = parts.get(5).and_then(|resource| resource.rsplit_once('/'));
    Ok(AwsAuth {
        arn: Some(arn.to_owned()),
        account_id: parts.get(4).map(|account| (*account).to_owned()).filter(|account| !account.is_empty()),
        name: resource.map(|(_, name)| name.to_owned()),
        username: member("username").and_then(Document::as_str).map(str::to_owned),
        groups,
        ..row
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    const ROLES: &str = "
- rolearn: arn:aws:iam::222222222222:role/acme-node
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]
- roleARN: arn:aws-cn:iam::222222222222:role/path/to/ops
  groups:
- username: nobody
- rolearn: x
  groups: system:masters
- 7
";

    #[tokio::test]
    async fn each_entry_is_a_row_and_a_malformed_one_costs_no_other() {
        let data = json!({
            "mapRoles": ROLES,
            "mapUsers": "- {userarn: 'arn:aws:iam::222222222222:user/eve', username: eve, groups: ['system:masters']}",
            "mapAccounts": "- \"333333333333\"\n- 12345678901\n",
            "other": "x",
        });
        let map = json!({"metadata": {"name": NAME, "namespace": NAMESPACE, "uid": "u"}, "data": data});
        let (env, asked) = testing::cluster(move |_| {
            testing::json(200, json!({"kind": "ConfigMapList", "metadata": {}, "items": [map]}))
        });
        let scan = testing::scan::<AwsAuth>(&env, &[], None);
        let (rows, end) = testing::rows(&scan).await;
        let shown = |row: &AwsAuth| {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let (account, name, user) = (text(&row.account_id), text(&row.name), text(&row.username));
            format!("{} {account} {name} {user} {}", row.r#type, row.groups.join(","))
        };
        assert_eq!(end, Ok(()));
        assert_eq!(
            rows.iter().map(shown).collect::<Vec<_>>(),
            [
                "role 222222222222 acme-node system:node:{{EC2PrivateDNSName}} system:bootstrappers,system:nodes",
                "role 222222222222 ops - ",
                "user 222222222222 eve eve system:masters",
                "account 333333333333 - - ",
                "account 012345678901 - - ",
            ]
        );
        let warnings = scan.context().query.diagnostics().warnings();
        assert_eq!(warnings.iter().map(|warning| warning.count).sum::<u64>(), 3, "{warnings:?}");
        assert!(warnings[0].to_string().contains("kube-system/aws-auth): `mapRoles[2]`: it has no text `rolearn`"));
        assert_eq!(
            *asked.lock().unwrap(),
            ["/api/v1/namespaces/kube-system/configmaps?limit=500&fieldSelector=metadata.name=aws-auth"]
        );
        for odd in [json!({"mapRoles": "{a: 1}"}), json!({"mapUsers": "- {"}), json!({"mapAccounts": "- [1]"})] {
            let entries = entries(&odd);
            assert!(entries.len() == 1 && entries[0].is_err(), "{odd}");
        }
        assert!(entries(&json!({"mapRoles": "", "mapUsers": 7})).is_empty() && entries(&json!(7)).is_empty());
    }
}
