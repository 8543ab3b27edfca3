//! Service and resource control policies of an account, from AWS Organizations.

use std::sync::Arc;

use futures::StreamExt;
use indago_table::{AnyScan, Error, Result};
use serde_json::{Value, json};

use crate::account::{Aws, GLOBAL, Site};
use crate::api::{List, Request};
use crate::aws_account::ORGANIZATIONS;
use crate::call;
use crate::source::organization::{ROOTS, lacks_type, list};

static PARENTS: List = list("organizations:ListParents", "Parents");
static ATTACHED: List = list("organizations:ListPoliciesForTarget", "Policies");

const DESCRIBE_POLICY: &str = "organizations:DescribePolicy";

/// Levels of a tree: AWS allows a root, five levels of units, and the account.
const MOST_LEVELS: usize = 16;

/// The types of control policies, and how a level is named whose policies are not known.
const KINDS: [(&str, &str); 2] = [
    ("SERVICE_CONTROL_POLICY", "the service control policies"),
    ("RESOURCE_CONTROL_POLICY", "the resource control policies"),
];

/// A control policy, and where it is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Control {
    /// For a level whose policies could not be listed, its name.
    pub(crate) arn: String,
    pub(crate) name: String,
    /// `None` if it could not be read.
    pub(crate) text: Option<String>,
    /// ID of the root, unit or account that it is attached to.
    pub(crate) target: String,
}

/// The control policies of an account, by level from the root to the account. A kind of policy that the organization has
/// not enabled has no levels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Controls {
    /// `aws:PrincipalOrgID` of its principals; `None` if it is in no organization, or that could not be read.
    pub(crate) organization: Option<String>,
    /// Whether the account is known to be in no organization.
    pub(crate) is_alone: bool,
    pub(crate) service: Vec<Vec<Control>>,
    pub(crate) resource: Vec<Vec<Control>>,
}

/// The control policies that apply to the account of a site.
///
/// Members may usually not read them. If that is denied, it is reported, and decisions are made without them. If the reading
/// fails otherwise, or only some cannot be read, that is reported, and decisions depend on them.
pub(crate) async fn controls(scan: &AnyScan<Aws>, site: &Site) -> Result<Controls> {
    let answer = match site.ask(scan, &ORGANIZATIONS, "DescribeOrganization", json!({})).await {
        Ok(answer) => answer,
        Err(Error::Gone(_)) => return Ok(Controls { is_alone: true, ..Controls::default() }),
        Err(error) => return unknown(scan, site, &error, Controls::default()),
    };
    let text = |name: &str| answer["Organization"][name].as_str().unwrap_or_default().to_owned();
    let (id, manager) = (text("Id"), text("MasterAccountId"));
    let mut controls = Controls { organization: Some(id.clone()), ..Controls::default() };
    // Control policies do not apply to the account that manages the organization.
    if manager == site.account_id() {
        return Ok(controls);
    }
    let mut readers = of_account(scan, &manager).await?;
    readers.push(site.clone());
    let mut failure: Option<Error> = None;
    for reader in &readers {
        match levels(scan, reader, &id, &site.account_id()).await {
            Ok((service, resource)) => {
                (controls.service, controls.resource) = (service, resource);
                return Ok(controls);
            }
            Err(error) if error.ends_query() => return Err(error),
            // What one profile failed to read may be there.
            Err(error) if matches!(failure, None | Some(Error::Denied { .. })) => {
                let is_denied = matches!(error, Error::Denied { .. });
                if failure.is_none() || !is_denied {
                    failure = Some(error);
                }
            }
            Err(_) => {}
        }
    }
    match failure {
        Some(error) => unknown(scan, site, &error, controls),
        None => Ok(controls),
    }
}

/// Reports that no control policy of an account is known. If that is not because it is denied, there is one of each kind whose
/// content is not known.
fn unknown(scan: &AnyScan<Aws>, site: &Site, error: &Error, controls: Controls) -> Result<Controls> {
    let (account, is_denied) = (site.account_id(), matches!(error, Error::Denied { .. }));
    let consequence = match is_denied {
        true => "decisions are made without service and resource control policies",
        false => "decisions depend on service and resource control policies that are not known",
    };
    report(scan, &site.to_string(), &format!("account {account}"), error, consequence)?;
    if is_denied {
        return Ok(controls);
    }
    let [service, resource] = KINDS.map(|(_, name)| vec![vec![unread(name, &account)]]);
    Ok(Controls { service, resource, ..controls })
}

/// The policies of a level that could not be listed.
fn unread(name: &str, target: &str) -> Control {
    let arn = format!("{name} of {target}");
    Control { name: arn.clone(), arn, text: None, target: target.to_owned() }
}

/// Reports a read that failed, with its consequence, once per query.
fn report(scan: &AnyScan<Aws>, origin: &str, what: &str, error: &Error, consequence: &str) -> Result<()> {
    if error.ends_query() {
        return Err(error.clone());
    }
    if scan.context().query.is_first(&format!("aws control policies of {what}")) {
        let error = match error {
            Error::Denied { what, needs } => {
                Error::Denied { what: format!("{what}: {consequence}"), needs: needs.clone() }
            }
            other => Error::Unsupported(format!("{other}: {consequence}")),
        };
        scan.report(origin, &error);
    }
    Ok(())
}

/// The sites of the profiles of an account.
async fn of_account(scan: &AnyScan<Aws>, account: &str) -> Result<Vec<Site>> {
    let mut sites = Vec::new();
    for profile in scan.env().profiles() {
        let identified = async {
            let site = scan.env().site(profile, GLOBAL, scan.moment()).await?;
            call::identity(scan, &site).await
        };
        match identified.await {
            Ok((_, site)) if site.account_id() == account => sites.push(site),
            Err(error) if error.ends_query() => return Err(error),
            // The profile's own slice reports it.
            _ => {}
        }
    }
    Ok(sites)
}

type Levels = Vec<Vec<Control>>;

/// The levels of service and of resource control policies.
async fn levels(scan: &AnyScan<Aws>, site: &Site, organization: &str, account: &str) -> Result<(Levels, Levels)> {
    let mut path = vec![account.to_owned()];
    let root = loop {
        let child = path.last().expect("it begins with the account").clone();
        let parents = listed(scan, site, organization, &PARENTS, json!({"ChildId": child})).await?;
        let parent = parents.first().and_then(|parent| Some((parent["Id"].as_str()?, &parent["Type"])));
        let Some((id, kind)) = parent else { return Err(site.nothing(PARENTS.action)) };
        path.push(id.to_owned());
        if *kind == "ROOT" {
            break id.to_owned();
        }
        if path.len() >= MOST_LEVELS {
            let why = format!("{} as {site}: account {account} is more than {MOST_LEVELS} levels deep", PARENTS.action);
            return Err(Error::Malformed(why));
        }
    };
    path.reverse();
    let roots = listed(scan, site, organization, &ROOTS, json!({})).await?;
    let of_root = roots.iter().find(|of| of["Id"].as_str() == Some(&root));
    let of_root = of_root.ok_or_else(|| site.nothing(ROOTS.action))?;
    let is_enabled = |kind: &str| {
        let types = of_root["PolicyTypes"].as_array().into_iter().flatten();
        types.into_iter().any(|of| of["Type"] == kind && of["Status"] == "ENABLED")
    };
    let mut found = [Vec::new(), Vec::new()];
    for (levels, (kind, name)) in found.iter_mut().zip(KINDS) {
        if is_enabled(kind) {
            for target in &path {
                levels.push(attached(scan, site, organization, target, kind, name).await?);
            }
        }
    }
    let [service, resource] = found;
    Ok((service, resource))
}

/// The policies of a kind that are attached to a root, unit or account. Those that cannot be read are reported, and have no
/// text.
async fn attached(
    scan: &AnyScan<Aws>,
    site: &Site,
    organization: &str,
    target: &str,
    kind: &str,
    name: &str,
) -> Result<Vec<Control>> {
    let origin = site.to_string();
    let input = json!({"TargetId": target, "Filter": kind});
    let summaries = match listed(scan, site, organization, &ATTACHED, input).await {
        Ok(summaries) => summaries,
        Err(error) if lacks_type(&error) => return Ok(Vec::new()),
        Err(error) => {
            let what = format!("{kind} {target}");
            report(scan, &origin, &what, &error, &format!("decisions depend on {name} of {target}"))?;
            return Ok(vec![unread(name, target)]);
        }
    };
    let texts = scan.in_rounds(summaries.to_vec(), |summary| async move {
        let id = summary["Id"].as_str().unwrap_or_default();
        let text = document(scan, site, organization, id).await;
        (summary, text)
    });
    let mut texts = std::pin::pin!(texts);
    let mut controls = Vec::new();
    while let Some((summary, text)) = texts.next().await {
        let member = |name: &str| summary[name].as_str().unwrap_or_default().to_owned();
        let arn = member("Arn");
        let text = match text {
            Ok(text) => Some(text.as_str().to_owned()),
            Err(error) => {
                report(scan, &origin, &arn, &error, &format!("decisions depend on control policy {arn}"))?;
                None
            }
        };
        controls.push(Control { name: member("Name"), arn, text, target: target.to_owned() });
    }
    Ok(controls)
}

/// The document of a policy, read once per query for all accounts of the organization.
async fn document(scan: &AnyScan<Aws>, site: &Site, organization: &str, id: &str) -> Result<Arc<String>> {
    let key = format!("aws/{}/{organization}/{DESCRIBE_POLICY}/{id}", site.profile());
    let read = async {
        let request = Request::input(json!({"PolicyId": id}));
        let answer = site.send(scan, &ORGANIZATIONS, DESCRIBE_POLICY, request).await?;
        let content = answer.pointer("/Policy/Content").and_then(Value::as_str);
        let content = content.ok_or_else(|| site.nothing(DESCRIBE_POLICY))?.to_owned();
        let size = content.len();
        Ok((content, size))
    };
    scan.cached(&key, Box::pin(read)).await
}

/// All pages of a listing, read once per query for all accounts of the organization.
async fn listed(
    scan: &AnyScan<Aws>,
    site: &Site,
    organization: &str,
    list: &'static List,
    input: Value,
) -> Result<Arc<Vec<Value>>> {
    let key = format!("aws/{}/{organization}/{}/{input}", site.profile(), list.action);
    let read = async {
        let items = call::all(site.list(scan, list, Request::input(input))).await?;
        let size = items.iter().map(indago_table::json::size).sum();
        Ok((items, size))
    };
    scan.cached(&key, Box::pin(read)).await
}
