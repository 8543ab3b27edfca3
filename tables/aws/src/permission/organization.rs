//! Service and resource control policies of an account, from AWS Organizations.

use std::sync::Arc;

use indago_table::{AnyScan, Error, Result};
use serde_json::{Value, json};

use crate::account::{Aws, GLOBAL, Site};
use crate::api::Service;
use crate::call;

static ORGANIZATIONS: Service = Service {
    name: "organizations",
    id: "Organizations",
    target: "AWSOrganizationsV20161128",
    json: "1.1",
    is_global: true,
    always_fips: &["aws-us-gov"],
};

/// Levels of a tree: AWS allows a root, five levels of units, and the account.
const MOST_LEVELS: usize = 16;

/// Most pages of the policies of one target.
const MOST_PAGES: usize = 100;

/// A control policy, and where it is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) text: String,
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
/// If they cannot be read, that is reported, and decisions are made without them.
pub(crate) async fn controls(scan: &AnyScan<Aws>, site: &Site) -> Result<Controls> {
    let answer = match site.ask(scan, &ORGANIZATIONS, "DescribeOrganization", json!({})).await {
        Ok(answer) => answer,
        Err(Error::Gone(_)) => return Ok(Controls { is_alone: true, ..Controls::default() }),
        Err(error) => return reported(scan, site, &error).map(|()| Controls::default()),
    };
    let text = |name: &str| answer["Organization"][name].as_str().unwrap_or_default().to_owned();
    let (id, manager) = (text("Id"), text("MasterAccountId"));
    let mut controls = Controls { organization: Some(id.clone()), ..Controls::default() };
    // Control policies do not apply to the account that manages the organization.
    if manager == site.account_id() {
        return Ok(controls);
    }
    // Members may usually not read the tree.
    let reader = managing(scan, &manager).await?.unwrap_or_else(|| site.clone());
    match levels(scan, &reader, &id, &site.account_id()).await {
        Ok((service, resource)) => (controls.service, controls.resource) = (service, resource),
        Err(error) => reported(scan, site, &error)?,
    }
    Ok(controls)
}

/// Reports that the control policies of an account are not known.
fn reported(scan: &AnyScan<Aws>, site: &Site, error: &Error) -> Result<()> {
    if error.ends_query() {
        return Err(error.clone());
    }
    if scan.context().query.is_first(&format!("aws control policies {}", site.account_id())) {
        let without = "decisions are made without service and resource control policies";
        let error = match error {
            Error::Denied { what, needs } => Error::Denied { what: format!("{what}: {without}"), needs: needs.clone() },
            other => Error::Unsupported(format!("{other}: {without}")),
        };
        scan.report(site.to_string(), &error);
    }
    Ok(())
}

/// The site of a profile of an account.
async fn managing(scan: &AnyScan<Aws>, account: &str) -> Result<Option<Site>> {
    for profile in scan.env().profiles() {
        let identified = async {
            let site = scan.env().site(profile, GLOBAL, scan.moment()).await?;
            call::identity(scan, &site).await
        };
        match identified.await {
            Ok((_, site)) if site.account_id() == account => return Ok(Some(site)),
            Err(error) if error.ends_query() => return Err(error),
            // The profile's own slice reports it.
            _ => {}
        }
    }
    Ok(None)
}

type Levels = Vec<Vec<Control>>;

/// The levels of service and of resource control policies.
async fn levels(scan: &AnyScan<Aws>, site: &Site, organization: &str, account: &str) -> Result<(Levels, Levels)> {
    let mut path = vec![account.to_owned()];
    let mut root = None;
    while root.is_none() && path.len() < MOST_LEVELS {
        let child = path.last().expect("it begins with the account").clone();
        let parent = ask(scan, site, organization, "ListParents", json!({"ChildId": child})).await?;
        let parent = &parent["Parents"][0];
        let Some(id) = parent["Id"].as_str() else { return Err(site.nothing("organizations:ListParents")) };
        path.push(id.to_owned());
        if parent["Type"] == "ROOT" {
            root = Some(id.to_owned());
        }
    }
    path.reverse();
    let roots = ask(scan, site, organization, "ListRoots", json!({})).await?;
    let of_root =
        roots["Roots"].as_array().and_then(|roots| roots.iter().find(|of| of["Id"].as_str() == root.as_deref()));
    let is_enabled = |kind: &str| {
        let types = of_root.and_then(|root| root["PolicyTypes"].as_array()).into_iter().flatten();
        types.into_iter().any(|of| of["Type"] == kind && of["Status"] == "ENABLED")
    };
    let mut found = [Vec::new(), Vec::new()];
    for (levels, kind) in found.iter_mut().zip(["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]) {
        if is_enabled(kind) {
            for target in &path {
                levels.push(attached(scan, site, organization, target, kind).await?);
            }
        }
    }
    let [service, resource] = found;
    Ok((service, resource))
}

/// The policies of a kind that are attached to a root, unit or account.
async fn attached(
    scan: &AnyScan<Aws>,
    site: &Site,
    organization: &str,
    target: &str,
    kind: &str,
) -> Result<Vec<Control>> {
    let mut controls = Vec::new();
    let mut token = Value::Null;
    for _ in 0..MOST_PAGES {
        let mut input = json!({"TargetId": target, "Filter": kind});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = ask(scan, site, organization, "ListPoliciesForTarget", input).await?;
        for summary in page["Policies"].as_array().into_iter().flatten() {
            let text = |name: &str| summary[name].as_str().unwrap_or_default().to_owned();
            let input = json!({"PolicyId": text("Id")});
            let policy = ask(scan, site, organization, "DescribePolicy", input).await?;
            let content = policy["Policy"]["Content"].as_str().unwrap_or_default().to_owned();
            controls.push(Control { arn: text("Arn"), name: text("Name"), text: content, target: target.to_owned() });
        }
        token = page["NextToken"].clone();
        if token.as_str().is_none_or(str::is_empty) {
            return Ok(controls);
        }
    }
    let why = format!("organizations:ListPoliciesForTarget as {site}: more than {MOST_PAGES} pages for {target}");
    Err(Error::Malformed(why))
}

/// A call about an organization, once per query for all of its accounts.
async fn ask(
    scan: &AnyScan<Aws>,
    site: &Site,
    organization: &str,
    operation: &'static str,
    input: Value,
) -> Result<Arc<Value>> {
    let key = format!("aws/{}/{organization}/{operation}/{input}", site.profile());
    let read = async {
        let answer = site.ask(scan, &ORGANIZATIONS, operation, input).await?;
        let size = answer.to_string().len() * 2;
        Ok((answer, size))
    };
    scan.cached(&key, Box::pin(read)).await
}
