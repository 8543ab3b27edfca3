//! Policies of resources, and the targets of requests.
//!
//! Read are those of SQS queues, KMS keys and Secrets Manager secrets, which one client with JSON reaches. Those of S3 buckets,
//! SNS topics, Lambda functions and layers, ECR repositories, API Gateway, EventBridge, OpenSearch, Backup, EFS, Glue,
//! CloudWatch Logs, DynamoDB and others are not.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::future::join_all;
use indago_iam::{Layer, Target};
use indago_table::{AnyScan, Error, Result};
use serde_json::{Value, json};

use super::model::{Kind, Model};
use super::read::report_once;
use super::statement::Compiled;
use crate::account::{Aws, Site};
use crate::api::Service;
use crate::call;

const fn service(name: &'static str, id: &'static str, target: &'static str, json: &'static str) -> Service {
    Service { name, id, target, json, is_global: false, always_fips: &[] }
}

static SQS: Service = service("sqs", "SQS", "AmazonSQS", "1.0");
static KMS: Service = service("kms", "KMS", "TrentService", "1.1");
static SECRETS: Service = service("secretsmanager", "Secrets Manager", "secretsmanager", "1.1");

/// The services whose resource policies are read, as in ARNs.
pub(crate) const READ: [&str; 3] = ["sqs", "kms", "secretsmanager"];

/// Services whose resources have no policy of their own, or none that concerns requests of identities. The trust policy of a
/// role is known from IAM.
const WITHOUT: [&str; 12] = [
    "iam",
    "sts",
    "ec2",
    "ssm",
    "organizations",
    "cloudformation",
    "ecs",
    "rds",
    "autoscaling",
    "codebuild",
    "sagemaker",
    "datapipeline",
];

/// Most pages of a listing.
const MOST_PAGES: usize = 1000;

/// What is known about the policy of a resource.
#[derive(Debug, Clone)]
pub(crate) enum Known {
    /// It is known; `None` if the resource has none.
    Policy(Option<Arc<Compiled>>),
    /// The service's policies are not read.
    NotCovered,
    /// It could not be read.
    Unread,
}

/// The policies of the resources that a query's questions name.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    by_arn: HashMap<String, Known>,
    /// Services, regions and accounts of which all policies were read.
    complete: HashSet<(String, String, String)>,
    /// What was reported.
    noted: Mutex<HashSet<String>>,
}

/// The service, region, account and name of an ARN.
fn parts(arn: &str) -> Option<[&str; 4]> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, service, region, account, name] = parts[..] else { return None };
    Some([service, region, account, name])
}

impl Policies {
    /// Whether the policy of a resource is one of those that are read.
    pub(crate) fn is_read(arn: &str) -> bool {
        parts(arn).is_some_and(|[service, ..]| READ.contains(&service))
    }

    /// Reads the policies of resources. `sites` are those of the configured accounts.
    pub(crate) async fn read(scan: &AnyScan<Aws>, sites: &[Site], arns: &[String]) -> Result<Policies> {
        let mut by_arn = HashMap::new();
        let wanted: Vec<&String> = arns.iter().filter(|arn| Policies::is_read(arn)).collect();
        let read = scan.in_rounds(wanted, |arn| async move { (arn, one(scan, sites, arn).await) });
        let mut read = std::pin::pin!(read);
        while let Some((arn, known)) = read.next().await {
            by_arn.insert(arn.clone(), known?);
        }
        Ok(Policies { by_arn, ..Policies::default() })
    }

    /// Reads the policies of all resources of some services.
    pub(crate) async fn add_all(
        &mut self,
        scan: &AnyScan<Aws>,
        sites: &[Site],
        services: &[&'static str],
    ) -> Result<()> {
        for site in sites {
            let (owned, complete) = all(scan, site, services).await?;
            for Owned { arn, policy, .. } in owned {
                self.by_arn.insert(arn, Known::Policy(Some(policy)));
            }
            let account = site.account_id();
            let complete = complete.into_iter().map(|(service, region)| (service.to_owned(), region, account.clone()));
            self.complete.extend(complete);
        }
        Ok(())
    }

    fn of(&self, arn: &str) -> Known {
        match (self.by_arn.get(arn), parts(arn)) {
            (Some(known), _) => known.clone(),
            (None, None) => Known::Policy(None),
            (None, Some([service, ..])) if WITHOUT.contains(&service) => Known::Policy(None),
            (None, Some([service, region, account, _])) if READ.contains(&service) => {
                match self.complete.contains(&(service.to_owned(), region.to_owned(), account.to_owned())) {
                    true => Known::Policy(None),
                    false => Known::Unread,
                }
            }
            (None, Some(_)) => Known::NotCovered,
        }
    }

    /// The target of requests of principals of an account. `None`, with a report, if what decides is not known.
    pub(crate) fn target(
        &self,
        scan: &AnyScan<Aws>,
        model: &Model,
        principal_account: &str,
        action: &str,
        arn: &str,
    ) -> Option<Target> {
        let unknown = |why: String| {
            report_once(scan, &format!("resource={arn}"), &Error::Unsupported(why));
            None
        };
        let of_arn = parts(arn).map(|[_, _, account, _]| account).filter(|account| account.len() == 12);
        let account_id = of_arn.unwrap_or(principal_account);
        let Some(account) = model.account(account_id) else {
            return unknown(format!(
                "the decision is unknown: account {account_id} is not configured, or was not read"
            ));
        };
        if !account.knows_resource_controls {
            return unknown("the decision is unknown: a resource control policy is malformed".to_owned());
        }
        let is_assumed = action.get(..4).is_some_and(|service| service.eq_ignore_ascii_case("sts:"));
        if is_assumed && parts(arn).is_some_and(|[service, _, _, name]| service == "iam" && name.starts_with("role/")) {
            let trust =
                account.identity(arn).filter(|role| role.kind == Kind::Role).and_then(|role| role.trust.as_deref());
            if trust.is_some_and(|trust| trust.is_malformed) {
                return unknown("the decision is unknown: the trust policy is malformed".to_owned());
            }
            return Some(account.target(trust));
        }
        match self.of(arn) {
            Known::Policy(Some(policy)) if policy.is_malformed => {
                unknown("the decision is unknown: the resource's policy is malformed".to_owned())
            }
            Known::Policy(policy) => Some(account.target(policy.as_deref())),
            Known::Unread => unknown("the decision is unknown: the resource's policy could not be read".to_owned()),
            Known::NotCovered if account_id != principal_account => {
                unknown("the decision is unknown: it needs the resource's policy, which is not read".to_owned())
            }
            Known::NotCovered => {
                let [service, ..] = parts(arn)?;
                let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
                if !noted.contains(service) {
                    noted.insert(service.to_owned());
                    let why = format!(
                        "policies of {service} resources are not read: what they allow or deny is not included"
                    );
                    report_once(scan, &format!("{service} policies"), &Error::Absent(why));
                }
                Some(account.target(None))
            }
        }
    }
}

/// The policy of one resource.
async fn one(scan: &AnyScan<Aws>, sites: &[Site], arn: &str) -> Result<Known> {
    let Some([service, region, account, name]) = parts(arn) else { return Ok(Known::Policy(None)) };
    let of_account = sites.iter().find(|site| site.account_id() == account);
    let Some(of_account) = of_account.filter(|_| crate::account::is_region_name(region)) else {
        return Ok(Known::Unread);
    };
    let read = async {
        let site = scan.env().site(&of_account.profile(), region, scan.moment()).await?.of_account(account);
        let text = policy(scan, &site, service, arn, name).await;
        let mut reports = Vec::new();
        let known = match text {
            Ok(Some(text)) => Known::Policy(Some(compiled(arn, &text, &mut reports))),
            Ok(None) | Err(Error::Gone(_)) => Known::Policy(None),
            Err(error) if error.ends_query() => return Err(error),
            Err(error) => {
                reports.push((String::new(), error));
                Known::Unread
            }
        };
        for (_, error) in reports {
            scan.report(format!("{site}, {arn}"), &error);
        }
        Ok((known, 4096))
    };
    let known = scan.cached(&format!("aws/resource policy {arn}"), Box::pin(read)).await?;
    Ok((*known).clone())
}

fn compiled(arn: &str, text: &str, reports: &mut Vec<(String, Error)>) -> Arc<Compiled> {
    Compiled::new(format!("{arn} (resource policy)"), text, Layer::Resource, reports)
}

/// The text of the policy of a resource; `None` if it has none.
async fn policy(scan: &AnyScan<Aws>, site: &Site, service: &str, arn: &str, name: &str) -> Result<Option<String>> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(match service {
        "sqs" => {
            let input = json!({"QueueName": name, "QueueOwnerAWSAccountId": site.account_id()});
            let queue = site.ask(scan, &SQS, "GetQueueUrl", input).await?;
            let Some(url) = text(&queue["QueueUrl"]) else { return Ok(None) };
            text(&attributes(scan, site, &url).await?["Policy"])
        }
        "kms" => {
            let Some(id) = name.strip_prefix("key/") else { return Ok(None) };
            let input = json!({"KeyId": id, "PolicyName": "default"});
            text(&site.ask(scan, &KMS, "GetKeyPolicy", input).await?["Policy"])
        }
        "secretsmanager" => {
            text(&site.ask(scan, &SECRETS, "GetResourcePolicy", json!({"SecretId": arn})).await?["ResourcePolicy"])
        }
        _ => None,
    })
}

async fn attributes(scan: &AnyScan<Aws>, site: &Site, url: &str) -> Result<Value> {
    let input = json!({"QueueUrl": url, "AttributeNames": ["Policy", "QueueArn"]});
    Ok(site.ask(scan, &SQS, "GetQueueAttributes", input).await?["Attributes"].take())
}

/// A resource with a policy.
#[derive(Debug)]
pub(crate) struct Owned {
    /// `queue`, `key`, `secret`.
    pub(crate) kind: &'static str,
    pub(crate) arn: String,
    pub(crate) policy: Arc<Compiled>,
}

/// All resources of an account with a policy, of the services that are read, and the services and regions of which all
/// policies were read. What cannot be read is reported.
pub(crate) async fn all(
    scan: &AnyScan<Aws>,
    site: &Site,
    services: &[&'static str],
) -> Result<(Vec<Owned>, Vec<(&'static str, String)>)> {
    let regions = match call::enabled_regions(scan, site).await {
        Ok(regions) => regions.iter().filter(|region| scan.env().reads_region(region)).cloned().collect(),
        Err(error) if error.ends_query() => return Err(error),
        Err(error) => {
            let home = site.home();
            let why = format!("{error}: only resources of {home} were read");
            scan.report(site.to_string(), &Error::Unsupported(why));
            vec![home]
        }
    };
    let (mut all, mut complete) = (Vec::new(), Vec::new());
    for name in regions {
        let region = scan.env().site(&site.profile(), &name, scan.moment()).await?.of_account(&site.account_id());
        let mut listings = Vec::new();
        for service in services {
            listings.push(listed(scan, &region, service));
        }
        for (service, listed) in services.iter().zip(join_all(listings).await) {
            match listed {
                Ok((owned, is_complete)) => {
                    all.extend(owned);
                    complete.extend(is_complete.then(|| (*service, name.clone())));
                }
                Err(error) if error.ends_query() => return Err(error),
                Err(error) => scan.report(region.to_string(), &error),
            }
        }
    }
    Ok((all, complete))
}

/// The resources of a service with a policy, and whether the policies of all were read.
async fn listed(scan: &AnyScan<Aws>, site: &Site, service: &'static str) -> Result<(Vec<Owned>, bool)> {
    let (kind, service_of, operation, list, item, token) = match service {
        "sqs" => ("queue", &SQS, "ListQueues", "QueueUrls", "", ["NextToken", "NextToken"]),
        "kms" => ("key", &KMS, "ListKeys", "Keys", "KeyArn", ["Marker", "NextMarker"]),
        _ => ("secret", &SECRETS, "ListSecrets", "SecretList", "ARN", ["NextToken", "NextToken"]),
    };
    let mut items: Vec<String> = Vec::new();
    // SQS returns a token only if it knows the size of a page.
    let mut input = if service == "sqs" { json!({"MaxResults": 1000}) } else { json!({}) };
    for page in 0.. {
        if page == MOST_PAGES {
            return Err(Error::Malformed(format!("{service}:{operation} as {site}: more than {MOST_PAGES} pages")));
        }
        let answer = site.ask(scan, service_of, operation, input.clone()).await?;
        let found = answer[list].as_array().into_iter().flatten();
        items.extend(
            found
                .filter_map(|found| if item.is_empty() { found.as_str() } else { found[item].as_str() })
                .map(str::to_owned),
        );
        match answer[token[1]].as_str().filter(|token| !token.is_empty()) {
            Some(next) => input[token[0]] = next.into(),
            None => break,
        }
    }
    let read = scan.in_rounds(items, |item| async move {
        if service == "sqs" {
            let mut attributes = attributes(scan, site, &item).await?;
            let text = |value: Value| value.as_str().map(str::to_owned);
            return Ok((text(attributes["QueueArn"].take()), text(attributes["Policy"].take())));
        }
        let name = parts(&item).map(|[.., name]| name.to_owned()).unwrap_or_default();
        let text = policy(scan, site, service, &item, &name).await;
        Ok((Some(item), text?))
    });
    let mut read = std::pin::pin!(read);
    let (mut owned, mut is_complete) = (Vec::new(), true);
    while let Some(found) = read.next().await {
        match found {
            Ok((Some(arn), Some(text))) if !text.is_empty() => {
                let mut reports = Vec::new();
                let policy = compiled(&arn, &text, &mut reports);
                for (_, error) in reports {
                    scan.report(format!("{site}, {arn}"), &error);
                }
                owned.push(Owned { kind, arn, policy });
            }
            Ok(_) | Err(Error::Gone(_)) => {}
            Err(error) if error.ends_query() => return Err(error),
            Err(error) => {
                is_complete = false;
                scan.report(site.to_string(), &error);
            }
        }
    }
    Ok((owned, is_complete))
}
