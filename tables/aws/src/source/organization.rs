//! Shared by the tables of AWS Organizations: its lists, and the tree of its units.

use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt};
use indago_table::json;
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Site};
use crate::api::{List, Request, with_member};
use crate::aws_account::ORGANIZATIONS;
use crate::call::all;
use crate::source::policy;

pub(crate) static ROOTS: List = list("organizations:ListRoots", "Roots");
static UNITS: List = list("organizations:ListOrganizationalUnitsForParent", "OrganizationalUnits");
pub(crate) static POLICIES: List = list("organizations:ListPolicies", "Policies");

/// Types of policies.
const TYPES: [&str; 8] = [
    "SERVICE_CONTROL_POLICY",
    "RESOURCE_CONTROL_POLICY",
    "DECLARATIVE_POLICY_EC2",
    "TAG_POLICY",
    "BACKUP_POLICY",
    "AISERVICES_OPT_OUT_POLICY",
    "CHATBOT_POLICY",
    "SECURITYHUB_POLICY",
];

/// Most levels of units. AWS allows five below the root.
const DEEPEST: usize = 16;

/// A listing of AWS Organizations.
pub(crate) const fn list(action: &'static str, items: &'static str) -> List {
    List { service: &ORGANIZATIONS, action, items, tokens: ("NextToken", "NextToken") }
}

/// The items of a listing. An account in no organization has none.
pub(crate) fn items<'a, T: Row<Env = Aws>>(
    scan: &'a Scan<T>,
    site: &Site,
    list: &'static List,
    input: Value,
) -> BoxStream<'a, Result<Value>> {
    let items = site.list(scan, list, Request::input(input));
    items.filter_map(|item| std::future::ready(item.if_present().transpose())).boxed()
}

/// The policy types that the keys of a query allow. Other types do not exist.
pub(crate) fn types(keys: Option<&[String]>) -> Vec<&'static str> {
    let is_wanted = |name: &&str| keys.is_none_or(|keys| keys.iter().any(|key| key == name));
    TYPES.into_iter().filter(is_wanted).collect()
}

/// Whether an error states that the organization does not have a policy type. It has no policies of it, then.
pub(crate) fn lacks_type(error: &Error) -> bool {
    let codes =
        ["PolicyTypeNotEnabledException", "PolicyTypeNotAvailableForOrganizationException", "InvalidInputException"];
    matches!(error, Error::Malformed(text) if codes.iter().any(|code| text.contains(code)))
}

/// The policies of a type.
pub(crate) async fn policies<T: Row<Env = Aws>>(scan: &Scan<T>, site: &Site, kind: &str) -> Result<Vec<Value>> {
    match all(items(scan, site, &POLICIES, json!({"Filter": kind}))).await {
        Err(error) if lacks_type(&error) => Ok(Vec::new()),
        policies => policies,
    }
}

/// The document of a policy: as AWS stores it, and in canonical form.
pub(crate) async fn document<T: Row<Env = Aws>>(
    scan: &Scan<T>,
    site: &Site,
    id: &str,
) -> Result<(Option<Json>, Option<Json>)> {
    let input = Request::input(json!({"PolicyId": id}));
    let action = "organizations:DescribePolicy";
    let answer = site.send(scan, &ORGANIZATIONS, action, input).await?;
    let content = answer.pointer("/Policy/Content").and_then(Value::as_str).ok_or_else(|| site.nothing(action))?;
    let (plain, standard) = policy::columns(content)?;
    Ok((Some(plain), Some(standard)))
}

/// The roots and all units below them. Each has its parent as `ParentId`, which a root lacks, and as `Path` the IDs
/// from the root to itself. Read once per query.
pub(crate) async fn tree<T: Row<Env = Aws>>(scan: &Scan<T>, site: &Site) -> Result<Arc<Vec<Value>>> {
    let read = async {
        let mut level = all(items(scan, site, &ROOTS, json!({}))).await?;
        level = level.into_iter().map(|root| with_path(root, None)).collect();
        let mut units = Vec::new();
        for _ in 0..DEEPEST {
            if level.is_empty() {
                break;
            }
            let found: Vec<_> = scan.in_rounds(level.clone(), |parent| below(scan, site, parent)).collect().await;
            units.append(&mut level);
            for children in found {
                match children {
                    Err(error) if error.ends_query() => return Err(error),
                    Err(error) => scan.report(site.to_string(), &error),
                    Ok(children) => level.extend(children),
                }
            }
        }
        let size = units.iter().map(json::size).sum();
        Ok((units, size))
    };
    scan.cached(&format!("aws/{}/organization", site.profile()), Box::pin(read)).await
}

/// The units below a root or a unit.
async fn below<T: Row<Env = Aws>>(scan: &Scan<T>, site: &Site, parent: Value) -> Result<Vec<Value>> {
    let units = all(items(scan, site, &UNITS, json!({"ParentId": parent["Id"]}))).await?;
    Ok(units.into_iter().map(|unit| with_path(unit, Some(&parent))).collect())
}

/// The path has `_` in place of `-`, as Steampipe writes it.
fn with_path(unit: Value, parent: Option<&Value>) -> Value {
    let own = unit["Id"].as_str().unwrap_or_default().replace('-', "_");
    match parent {
        None => with_member(unit, "Path", own),
        Some(parent) => {
            let path = format!("{}.{own}", parent["Path"].as_str().unwrap_or_default());
            with_member(with_member(unit, "Path", path), "ParentId", parent["Id"].clone())
        }
    }
}
