//! Policies of resources, and the targets of requests.
//!
//! Read are those of S3 buckets, SNS topics, SQS queues, KMS keys, Secrets Manager secrets, Lambda functions and ECR repositories.
//! Those of S3 access points, Lambda layers, API Gateway, EventBridge, OpenSearch, Backup, EFS, Glue, CloudWatch Logs, DynamoDB,
//! AWS Organizations, CodeBuild, Systems Manager, SageMaker and others are not.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::future::join_all;
use indago_iam::{Layer, PolicySet, Target};
use indago_table::{AnyScan, Error, Result};
use serde_json::{Value, json};

use super::model::{Account, Kind, Model};
use super::read::report_once;
use super::statement::Compiled;
use crate::account::{Aws, Site, is_region_name};
use crate::api::{REST, Request, Service};
use crate::aws_s3_bucket;
use crate::call;
use crate::query::{Input, Listing, Query};
use crate::services::{ECR, KMS, LAMBDA, S3, SECRETS_MANAGER, SQS};
use crate::xml;

static SNS: Query = Query {
    service: Service { name: "sns", id: "SNS", always_fips: &["aws-us-gov"], ..REST },
    version: "2010-03-31",
    lists: &["Topics"],
    numbers: &[],
    booleans: &[],
};

static TOPICS: Listing =
    Listing { query: &SNS, action: "sns:ListTopics", items: "Topics", tokens: ("NextToken", "NextToken") };

/// The services whose resource policies are read, as in ARNs.
pub(crate) const READ: [&str; 7] = ["s3", "sns", "sqs", "kms", "secretsmanager", "lambda", "ecr"];

/// Services whose resources have no policy of their own, or none that concerns requests of identities. The trust policy of a
/// role is known from IAM.
const WITHOUT: [&str; 8] = ["iam", "sts", "ec2", "cloudformation", "ecs", "rds", "autoscaling", "datapipeline"];

/// Most pages of a listing.
const MOST_PAGES: usize = 1000;

/// The service, region, account and name of an ARN.
fn parts(arn: &str) -> Option<[&str; 4]> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, service, region, account, name] = parts[..] else { return None };
    Some([service, region, account, name])
}

/// Which policy of a resource decides about an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern<'a> {
    /// None.
    Nothing,
    /// That of a resource whose policy is read.
    Holder(Holder<'a>),
    /// Those of several resources, because the ARN is a pattern.
    Several,
    /// One that is not read, of a kind of resources.
    NotRead(&'a str),
}

/// A resource that can have a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder<'a> {
    service: &'static str,
    region: &'a str,
    /// Empty for a bucket.
    account: &'a str,
    name: &'a str,
    arn: &'a str,
}

fn concern(arn: &str) -> Concern<'_> {
    let Some([service, region, account, name]) = parts(arn) else { return Concern::Nothing };
    if WITHOUT.contains(&service) {
        return Concern::Nothing;
    }
    let Some(known) = READ.into_iter().find(|known| *known == service) else { return Concern::NotRead(service) };
    let holder = match known {
        // The policy of an object is that of its bucket.
        "s3" if region.is_empty() && account.is_empty() => name.split('/').next(),
        "s3" => return Concern::NotRead("s3 access point"),
        "lambda" if name.starts_with("layer:") => return Concern::NotRead("lambda layer"),
        // The policy of a subscription is that of its topic.
        "sns" => name.split(':').next(),
        "kms" => Some(name).filter(|name| name.starts_with("key/")),
        "lambda" => Some(name).filter(|name| name.starts_with("function:")),
        "ecr" => Some(name).filter(|name| name.starts_with("repository/")),
        _ => Some(name),
    };
    let Some(holder) = holder.filter(|holder| !holder.is_empty()) else { return Concern::Nothing };
    if [region, account, holder].iter().any(|part| part.contains(['*', '?'])) {
        return Concern::Several;
    }
    let arn = &arn[..arn.len() - name.len() + holder.len()];
    Concern::Holder(Holder { service: known, region, account, name: holder, arn })
}

impl<'a> Holder<'a> {
    fn of(arn: &'a str) -> Option<Holder<'a>> {
        match concern(arn) {
            Concern::Holder(holder) => Some(holder),
            _ => None,
        }
    }

    fn is_bucket(&self) -> bool {
        self.service == "s3"
    }
}

/// The name of the policy of a resource in decisions.
fn label(arn: &str) -> String {
    format!("{arn} (resource policy)")
}

/// The policies of the resources that a query's questions name.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    /// By the ARN of the resource; `None` if it has none.
    by_arn: HashMap<String, Option<Arc<Compiled>>>,
    /// Services, regions and accounts of which all policies were read. The region of buckets is empty.
    complete: HashSet<(String, String, String)>,
    /// The account of each bucket that was listed.
    buckets: HashMap<String, String>,
    /// The accounts whose buckets were listed.
    listed: HashSet<String>,
    /// What was reported.
    noted: Mutex<HashSet<String>>,
    /// Targets by account and ARN.
    targets: Mutex<HashMap<(String, String), Arc<Target>>>,
}

/// What decides requests on a resource.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) target: Arc<Target>,
    /// The account that owns the resource; empty if it is not the principal's and not known.
    pub(crate) account: &'a str,
}

impl Policies {
    /// Whether the policy of a resource is one of those that are read.
    pub(crate) fn is_read(arn: &str) -> bool {
        Holder::of(arn).is_some()
    }

    /// Reads the policies of resources. `sites` are those of the configured accounts.
    pub(crate) async fn read(scan: &AnyScan<Aws>, sites: &[Site], arns: &[String]) -> Result<Policies> {
        let mut policies = Policies::default();
        let mut holders: Vec<Holder<'_>> = arns.iter().filter_map(|arn| Holder::of(arn)).collect();
        let mut seen = HashSet::new();
        holders.retain(|holder| seen.insert(holder.arn));
        let regions = policies.find_buckets(scan, sites, &holders).await?;
        let read = scan.in_rounds(holders, |holder| {
            let place = match holder.is_bucket() {
                true => policies.buckets.get(holder.name).map(|account| (account.as_str(), regions.get(holder.name))),
                false => Some((holder.account, None)),
            };
            async move {
                let Some((account, region)) = place else { return Ok(None) };
                let region = region.map_or(holder.region, String::as_str);
                Ok(Some((holder.arn.to_owned(), one(scan, sites, holder, account, region).await?)))
            }
        });
        let read: Vec<Result<_>> = read.collect().await;
        for known in read {
            policies.by_arn.extend(known?);
        }
        Ok(policies)
    }

    /// Finds the accounts of buckets, in the listings of accounts, until all are found. Returns their regions.
    async fn find_buckets(
        &mut self,
        scan: &AnyScan<Aws>,
        sites: &[Site],
        holders: &[Holder<'_>],
    ) -> Result<HashMap<String, String>> {
        let mut wanted: BTreeSet<&str> =
            holders.iter().filter(|holder| holder.is_bucket()).map(|holder| holder.name).collect();
        let (mut regions, mut failures) = (HashMap::new(), Vec::new());
        for site in sites {
            if wanted.is_empty() {
                return Ok(regions);
            }
            let account = site.account_id();
            if self.listed.contains(&account) {
                continue;
            }
            match buckets(scan, site).await {
                Ok(found) => {
                    for (name, region) in found.iter() {
                        if wanted.remove(name.as_str()) {
                            self.buckets.insert(name.clone(), account.clone());
                            regions.insert(name.clone(), region.clone());
                        }
                    }
                    self.listed.insert(account);
                }
                Err(error) if error.ends_query() => return Err(error),
                Err(error) => failures.push((site, error)),
            }
        }
        for (site, error) in failures.into_iter().filter(|(site, _)| !self.listed.contains(&site.account_id())) {
            report_once(scan, &site.to_string(), &error);
        }
        Ok(regions)
    }

    /// Reads the policies of all resources of some services.
    pub(crate) async fn add_all(
        &mut self,
        scan: &AnyScan<Aws>,
        sites: &[Site],
        services: &[&'static str],
    ) -> Result<()> {
        for site in sites {
            let account = site.account_id();
            let Inventory { owned, complete, buckets } = all(scan, site, services).await?;
            for Owned { arn, policy, .. } in owned {
                self.by_arn.insert(arn, Some(policy));
            }
            if let Some(buckets) = buckets {
                self.buckets.extend(buckets.iter().map(|(name, _)| (name.clone(), account.clone())));
                self.listed.insert(account.clone());
            }
            let complete = complete.into_iter().map(|(service, region)| (service.to_owned(), region, account.clone()));
            self.complete.extend(complete);
        }
        Ok(())
    }

    /// The accounts of buckets that are known.
    pub(crate) fn owners(&self) -> impl Iterator<Item = &str> {
        self.buckets.values().map(String::as_str)
    }

    /// The target of requests of principals of an account. `None`, with a report, if what decides is not known.
    pub(crate) fn target<'a>(
        &'a self,
        scan: &AnyScan<Aws>,
        model: &Model,
        principal_account: &'a str,
        action: &str,
        arn: &'a str,
    ) -> Option<Asked<'a>> {
        let unknown = |why: String| {
            report_once(scan, &format!("resource={arn}"), &Error::Unsupported(why));
            None
        };
        let concern = concern(arn);
        let of_arn = parts(arn).map(|[_, _, account, _]| account).filter(|account| account.len() == 12);
        let account_id = match (of_arn, concern) {
            (Some(account), _) => account,
            (None, Concern::Holder(holder)) if holder.is_bucket() => match self.buckets.get(holder.name) {
                Some(account) => account,
                None => return Some(self.stray(scan, model, principal_account, holder)),
            },
            (None, _) => principal_account,
        };
        let Some(account) = model.account(account_id) else {
            return unknown(format!(
                "the decision is unknown: account {account_id} is not configured, or was not read"
            ));
        };
        let is_assumed = action.get(..4).is_some_and(|service| service.eq_ignore_ascii_case("sts:"));
        if is_assumed && parts(arn).is_some_and(|[service, _, _, name]| service == "iam" && name.starts_with("role/")) {
            let role = account.identity(arn).filter(|role| role.kind == Kind::Role);
            let target = match role {
                Some(role) if role.trust.is_some() && role.as_target.is_none() => {
                    return unknown("the decision is unknown: the trust policy is malformed".to_owned());
                }
                Some(role) => role.as_target.clone(),
                None => None,
            };
            let target = target.unwrap_or_else(|| account.resources.plain.clone());
            return Some(Asked { target, account: account_id });
        }
        let target = match concern {
            Concern::Nothing => account.resources.plain.clone(),
            Concern::Holder(holder) => self.of_holder(scan, account, holder),
            Concern::Several | Concern::NotRead(_) if account_id != principal_account => {
                let why = "the decision depends on the resource's policy, which is not read";
                report_once(scan, &format!("resource={arn}"), &Error::Unsupported(why.to_owned()));
                self.unread(account, arn)
            }
            Concern::Several => {
                self.note(scan, arn, || {
                    format!("`{arn}` is a pattern: what policies of the resources allow or deny is not included")
                });
                account.resources.plain.clone()
            }
            Concern::NotRead(kind) => {
                self.note(scan, &format!("{kind} policies"), || {
                    format!("policies of {kind} resources are not read: what they allow or deny is not included")
                });
                account.resources.plain.clone()
            }
        };
        Some(Asked { target, account: account_id })
    }

    /// The target of requests on a bucket of no account that was listed.
    fn stray<'a>(
        &'a self,
        scan: &AnyScan<Aws>,
        model: &Model,
        principal_account: &'a str,
        holder: Holder<'_>,
    ) -> Asked<'a> {
        let Holder { name, arn, .. } = holder;
        let origin = format!("resource={arn}");
        if self.listed.contains(principal_account) {
            let why = format!(
                "bucket {name} is in no account whose buckets were listed: a request also needs its policy, which is not known"
            );
            report_once(scan, &origin, &Error::Unsupported(why));
            // The control policies of its account are not known, either.
            let target = self.memo("", arn, || Target::default().policy(PolicySet::unread(label(arn))));
            return Asked { target, account: "" };
        }
        let why = format!(
            "it is not known which account owns bucket {name}: the buckets of account {principal_account} could not be listed; \
             decisions depend on its policy"
        );
        report_once(scan, &origin, &Error::Unsupported(why));
        let target = match model.account(principal_account) {
            Some(account) => self.unread(account, arn),
            None => self.memo("", arn, || Target::default().policy(PolicySet::unread(label(arn)))),
        };
        Asked { target, account: principal_account }
    }

    fn of_holder(&self, scan: &AnyScan<Aws>, account: &Account, holder: Holder<'_>) -> Arc<Target> {
        let region = if holder.is_bucket() { "" } else { holder.region };
        let is_complete = || {
            let key = (holder.service.to_owned(), region.to_owned(), account.id.clone());
            self.complete.contains(&key) && !is_qualified(holder)
        };
        match self.by_arn.get(holder.arn) {
            Some(Some(policy)) => {
                if policy.is_unread {
                    let why = "the decision depends on the resource's policy, which could not be read";
                    report_once(scan, &format!("resource={}", holder.arn), &Error::Unsupported(why.to_owned()));
                }
                let target = || Arc::unwrap_or_clone(account.target(Some(policy)));
                self.memo(&account.id, holder.arn, target)
            }
            Some(None) => account.resources.plain.clone(),
            None if is_complete() => account.resources.plain.clone(),
            None => {
                let why = "the decision depends on the resource's policy, which could not be read";
                report_once(scan, &format!("resource={}", holder.arn), &Error::Unsupported(why.to_owned()));
                self.unread(account, holder.arn)
            }
        }
    }

    /// The target of requests on a resource whose policy is not known.
    fn unread(&self, account: &Account, arn: &str) -> Arc<Target> {
        let policy = || Compiled::unread(&label(arn), Vec::new());
        self.memo(&account.id, arn, || Arc::unwrap_or_clone(account.target(Some(&policy()))))
    }

    /// A target that is compiled once.
    fn memo(&self, account: &str, arn: &str, target: impl FnOnce() -> Target) -> Arc<Target> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.entry((account.to_owned(), arn.to_owned())).or_insert_with(|| Arc::new(target())).clone()
    }

    /// Reports once what a decision does not include.
    fn note(&self, scan: &AnyScan<Aws>, what: &str, why: impl Fn() -> String) {
        let is_first = self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(what.to_owned());
        if is_first {
            report_once(scan, what, &Error::Absent(why()));
        }
    }
}

/// Whether it is a version or an alias of a function: a listing does not have their policies.
fn is_qualified(holder: Holder<'_>) -> bool {
    holder.service == "lambda" && holder.name.matches(':').count() > 1
}

/// The policy of one resource of an account; `None` if it has none. Each profile of the account is tried until one may read it.
async fn one(
    scan: &AnyScan<Aws>,
    sites: &[Site],
    holder: Holder<'_>,
    account: &str,
    region: &str,
) -> Result<Option<Arc<Compiled>>> {
    let unread = || Some(Compiled::unread(&label(holder.arn), Vec::new()));
    if !is_region_name(region) {
        return Ok(unread());
    }
    let read = async {
        let mut failure: Option<(String, Error)> = None;
        for profile in sites.iter().filter(|site| site.account_id() == account).map(Site::profile) {
            let text = async {
                let site = scan.env().site(&profile, region, scan.moment()).await?.of_account(account);
                policy(scan, &site, holder).await
            };
            let origin = format!("{profile}/{region}, {}", holder.arn);
            match text.await {
                Ok(text) => return Ok((text.map(|text| compiled(scan, &origin, holder.arn, &text)), 4096)),
                Err(Error::Gone(_)) => return Ok((None, 0)),
                Err(error) if error.ends_query() => return Err(error),
                Err(error) => _ = failure.get_or_insert((origin, error)),
            }
        }
        if let Some((origin, error)) = failure {
            scan.report(origin, &error);
        }
        Ok((unread(), 4096))
    };
    let known = scan.cached(&format!("aws/resource policy {}", holder.arn), Box::pin(read)).await?;
    Ok((*known).clone())
}

/// Compiles the policy of a resource. A malformed one is reported, and decisions depend on it.
fn compiled(scan: &AnyScan<Aws>, origin: &str, arn: &str, text: &str) -> Arc<Compiled> {
    let mut reports = Vec::new();
    let compiled = Compiled::or_unread(&label(arn), Some(text), Layer::Resource, &mut reports);
    for (_, error) in reports {
        scan.report(origin, &error);
    }
    compiled
}

/// The text of the policy of a resource; `None` if it has none.
async fn policy(scan: &AnyScan<Aws>, site: &Site, holder: Holder<'_>) -> Result<Option<String>> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let Holder { service, name, arn, .. } = holder;
    Ok(match service {
        "s3" => {
            let request = Request::get(&[name]).with("policy", "");
            Some(site.send(scan, &S3, "s3:GetBucketPolicy", request).await?.to_string())
        }
        "sns" => {
            let input = Input::default().with("TopicArn", arn);
            let topic = site.query(scan, &SNS, "sns:GetTopicAttributes", input).await?;
            let entries = xml::list(&topic["Attributes"]["entry"]);
            entries.iter().find(|entry| entry["key"] == "Policy").and_then(|entry| text(&entry["value"]))
        }
        "sqs" => {
            let input = json!({"QueueName": name, "QueueOwnerAWSAccountId": site.account_id()});
            let queue = site.ask(scan, &SQS, "GetQueueUrl", input).await?;
            let Some(url) = text(&queue["QueueUrl"]) else { return Ok(None) };
            text(&attributes(scan, site, &url).await?["Policy"])
        }
        "kms" => {
            let input = json!({"KeyId": name.trim_start_matches("key/"), "PolicyName": "default"});
            text(&site.ask(scan, &KMS, "GetKeyPolicy", input).await?["Policy"])
        }
        "secretsmanager" => {
            let input = json!({"SecretId": arn});
            text(&site.ask(scan, &SECRETS_MANAGER, "GetResourcePolicy", input).await?["ResourcePolicy"])
        }
        "lambda" => {
            let mut parts = name.split(':').skip(1);
            let request = Request::get(&["2015-03-31", "functions", parts.next().unwrap_or_default(), "policy"]);
            let request = parts.next().into_iter().fold(request, |request, of| request.with("Qualifier", of));
            text(&site.send(scan, &LAMBDA, "lambda:GetPolicy", request).await?["Policy"])
        }
        "ecr" => {
            let name = name.trim_start_matches("repository/");
            let input = json!({"registryId": site.account_id(), "repositoryName": name});
            text(&site.ask(scan, &ECR, "GetRepositoryPolicy", input).await?["policyText"])
        }
        _ => None,
    })
}

async fn attributes(scan: &AnyScan<Aws>, site: &Site, url: &str) -> Result<Value> {
    let input = json!({"QueueUrl": url, "AttributeNames": ["Policy", "QueueArn"]});
    Ok(site.ask(scan, &SQS, "GetQueueAttributes", input).await?["Attributes"].take())
}

/// Names and regions of buckets.
type Buckets = Arc<Vec<(String, String)>>;

/// The buckets of an account.
async fn buckets(scan: &AnyScan<Aws>, site: &Site) -> Result<Buckets> {
    let read = async {
        let listed = aws_s3_bucket::listed(scan, site).await?;
        let regions = scan.in_rounds(listed, |bucket| async move {
            let name = bucket["Name"].as_str().unwrap_or_default().to_owned();
            let region = match bucket["BucketRegion"].as_str() {
                Some(region) => Ok(region.to_owned()),
                None => aws_s3_bucket::location(scan, site, &name).await,
            };
            (name, region)
        });
        let regions: Vec<(String, Result<String>)> = regions.collect().await;
        let mut found = Vec::new();
        for (name, region) in regions {
            match region {
                Ok(region) => found.push((name, region)),
                Err(error) if error.ends_query() => return Err(error),
                // Its policy cannot be read without its region.
                Err(error) => {
                    scan.report(format!("{site}, bucket {name}"), &error);
                    found.push((name, String::new()));
                }
            }
        }
        let size = found.iter().map(|(name, region)| name.len() + region.len() + 64).sum();
        Ok((found, size))
    };
    scan.cached(&format!("aws/{}/buckets", site.profile()), Box::pin(read)).await
}

/// A resource with a policy.
#[derive(Debug)]
pub(crate) struct Owned {
    /// `bucket`, `topic`, `queue`, `key`, `secret`, `function`, `repository`.
    pub(crate) kind: &'static str,
    pub(crate) arn: String,
    pub(crate) policy: Arc<Compiled>,
}

/// The resources of an account with a policy.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) owned: Vec<Owned>,
    /// The services and regions of which all policies were read. The region of buckets is empty.
    complete: Vec<(&'static str, String)>,
    /// All buckets, if they were listed.
    buckets: Option<Buckets>,
}

/// All resources of an account with a policy, of some services that are read. What cannot be read is reported.
pub(crate) async fn all(scan: &AnyScan<Aws>, site: &Site, services: &[&'static str]) -> Result<Inventory> {
    let mut inventory = Inventory::default();
    let mut services = services.to_vec();
    if services.contains(&"s3") {
        services.retain(|service| *service != "s3");
        of_buckets(scan, site, &mut inventory).await?;
    }
    if services.is_empty() {
        return Ok(inventory);
    }
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
    for name in regions {
        let region = scan.env().site(&site.profile(), &name, scan.moment()).await?.of_account(&site.account_id());
        let listings = services.iter().map(|service| listed(scan, &region, service));
        for (service, listed) in services.iter().zip(join_all(listings).await) {
            match listed {
                Ok((owned, is_complete)) => {
                    inventory.owned.extend(owned);
                    inventory.complete.extend(is_complete.then(|| (*service, name.clone())));
                }
                Err(error) if error.ends_query() => return Err(error),
                Err(error) => scan.report(region.to_string(), &error),
            }
        }
    }
    Ok(inventory)
}

/// The buckets of an account with a policy.
async fn of_buckets(scan: &AnyScan<Aws>, site: &Site, inventory: &mut Inventory) -> Result<()> {
    let buckets = match buckets(scan, site).await {
        Ok(buckets) => buckets,
        Err(error) if error.ends_query() => return Err(error),
        Err(error) => {
            scan.report(site.to_string(), &error);
            return Ok(());
        }
    };
    let partition = site.partition();
    let arns = buckets.iter().map(|(name, region)| (format!("arn:{partition}:s3:::{name}"), region.clone()));
    let read = scan.in_rounds(arns.collect(), |(arn, region): (String, String)| async move {
        let policy = match Holder::of(&arn) {
            Some(holder) if is_region_name(&region) => policy(scan, &site.in_region(&region), holder).await,
            _ => Err(Error::Malformed(format!("the region of {arn} is not known"))),
        };
        (arn, policy)
    });
    let (owned, is_complete) = owned(scan, site, "bucket", read).await?;
    inventory.owned.extend(owned);
    inventory.complete.extend(is_complete.then(|| ("s3", String::new())));
    inventory.buckets = Some(buckets);
    Ok(())
}

/// A listing of resources of a service with JSON.
struct Pages {
    service: &'static Service,
    action: &'static str,
    items: &'static str,
    /// The member of an item that is its ARN; empty if the item itself is a text.
    item: &'static str,
    tokens: [&'static str; 2],
    first: Request,
}

/// The resources of a service with a policy, and whether the policies of all were read.
async fn listed(scan: &AnyScan<Aws>, site: &Site, service: &'static str) -> Result<(Vec<Owned>, bool)> {
    let input = |input: Value| Request::input(input);
    let next = ["NextToken", "NextToken"];
    let pages = |service, action, items, item, tokens, first| Pages { service, action, items, item, tokens, first };
    let (kind, names) = match service {
        "sns" => {
            let topics = call::all(site.query_all(scan, &TOPICS, Input::default())).await?;
            let arns = topics.iter().filter_map(|topic| topic["TopicArn"].as_str().map(str::to_owned));
            ("topic", arns.collect())
        }
        // SQS returns a token only if it knows the size of a page.
        "sqs" => {
            let first = input(json!({"MaxResults": 1000}));
            ("queue", names(scan, site, pages(&SQS, "sqs:ListQueues", "QueueUrls", "", next, first)).await?)
        }
        "kms" => {
            let tokens = ["Marker", "NextMarker"];
            let pages = pages(&KMS, "kms:ListKeys", "Keys", "KeyArn", tokens, input(json!({})));
            ("key", names(scan, site, pages).await?)
        }
        "lambda" => {
            let (tokens, first) = (["Marker", "NextMarker"], Request::get(&["2015-03-31", "functions"]));
            let pages = pages(&LAMBDA, "lambda:ListFunctions", "Functions", "FunctionArn", tokens, first);
            ("function", names(scan, site, pages).await?)
        }
        "ecr" => {
            let (tokens, first) = (["nextToken", "nextToken"], input(json!({"maxResults": 1000})));
            let pages = pages(&ECR, "ecr:DescribeRepositories", "repositories", "repositoryArn", tokens, first);
            ("repository", names(scan, site, pages).await?)
        }
        _ => {
            let action = "secretsmanager:ListSecrets";
            let pages = pages(&SECRETS_MANAGER, action, "SecretList", "ARN", next, input(json!({})));
            ("secret", names(scan, site, pages).await?)
        }
    };
    let read = scan.in_rounds(names, |name: String| async move {
        if service == "sqs" {
            let attributes = attributes(scan, site, &name).await;
            let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            let arn = attributes.as_ref().ok().and_then(|of| text(&of["QueueArn"]));
            return (arn.unwrap_or(name), attributes.map(|of| text(&of["Policy"])));
        }
        let policy = match Holder::of(&name) {
            Some(holder) => policy(scan, site, holder).await,
            None => Err(Error::Malformed(format!("{service} as {site}: `{name}` is not an ARN of the service"))),
        };
        (name, policy)
    });
    owned(scan, site, kind, read).await
}

/// The names of a listing, of all pages.
async fn names(scan: &AnyScan<Aws>, site: &Site, pages: Pages) -> Result<Vec<String>> {
    let Pages { service, action, items, item, tokens, first } = pages;
    let mut names: Vec<String> = Vec::new();
    let mut request = first.clone();
    for _ in 0..MOST_PAGES {
        let answer = site.send(scan, service, action, request).await?;
        let found = answer[items].as_array().into_iter().flatten();
        let member = |found: &Value| match item {
            "" => found.as_str().map(str::to_owned),
            item => found[item].as_str().map(str::to_owned),
        };
        names.extend(found.filter_map(member));
        match answer[tokens[1]].as_str().filter(|token| !token.is_empty()) {
            Some(next) => request = first.clone().with(tokens[0], next),
            None => return Ok(names),
        }
    }
    Err(Error::Malformed(format!("{action} as {site}: it has more than {MOST_PAGES} pages: the list is incomplete")))
}

/// The resources with a policy, and whether the policies of all were read. What cannot be read is reported.
async fn owned(
    scan: &AnyScan<Aws>,
    site: &Site,
    kind: &'static str,
    read: impl futures::Stream<Item = (String, Result<Option<String>>)>,
) -> Result<(Vec<Owned>, bool)> {
    let mut read = std::pin::pin!(read);
    let (mut owned, mut is_complete) = (Vec::new(), true);
    while let Some((arn, text)) = read.next().await {
        match text {
            Ok(Some(text)) => {
                let policy = compiled(scan, &format!("{site}, {arn}"), &arn, &text);
                owned.push(Owned { kind, arn, policy });
            }
            Ok(None) | Err(Error::Gone(_)) => {}
            Err(error) if error.ends_query() => return Err(error),
            Err(error) => {
                is_complete = false;
                scan.report(site.to_string(), &error);
            }
        }
    }
    Ok((owned, is_complete))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_of_the_resource_that_an_arn_belongs_to() {
        let account = "111122223333";
        let arn = |rest: &str| format!("arn:aws:{rest}").replace("ACCOUNT", account);
        for (text, expected) in [
            ("s3:::b/a/k", Some("s3:::b")),
            ("s3:::b", Some("s3:::b")),
            ("sns:eu-west-1:ACCOUNT:t:5be8", Some("sns:eu-west-1:ACCOUNT:t")),
            ("kms:eu-west-1:ACCOUNT:key/1", Some("kms:eu-west-1:ACCOUNT:key/1")),
            ("lambda:eu-west-1:ACCOUNT:function:f:live", Some("lambda:eu-west-1:ACCOUNT:function:f:live")),
            ("ecr:eu-west-1:ACCOUNT:repository/a/b", Some("ecr:eu-west-1:ACCOUNT:repository/a/b")),
            ("kms:eu-west-1:ACCOUNT:alias/a", None),
            ("s3:::*", None),
            ("s3:::b*/k", None),
            ("sqs:*:ACCOUNT:q", None),
        ] {
            let (text, expected) = (arn(text), expected.map(arn));
            assert_eq!(Holder::of(&text).map(|holder| holder.arn.to_owned()), expected, "{text}");
        }
        assert_eq!(concern(&arn("s3:::b*/k")), Concern::Several);
        assert_eq!(concern(&arn("s3:eu-west-1:ACCOUNT:accesspoint/a")), Concern::NotRead("s3 access point"));
        assert_eq!(concern(&arn("organizations::ACCOUNT:root/o-1/r-1")), Concern::NotRead("organizations"));
        for service in ["codebuild", "ssm", "sagemaker", "dynamodb", "events"] {
            let text = arn(&format!("{service}:eu-west-1:ACCOUNT:x"));
            assert_eq!(concern(&text), Concern::NotRead(service), "{service}");
        }
        assert_eq!(concern(&arn("iam::ACCOUNT:role/r")), Concern::Nothing);
        assert_eq!(concern("*"), Concern::Nothing);
    }
}
