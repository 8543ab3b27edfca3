//! A request with all policies that concern it, as one JSON document.

use crate::error::{Error, Result};
use crate::evaluate::{Answer, Caller, Decision, Target, evaluate};
use crate::json::Node;
use crate::policy::{Layer, Policy};
use crate::principal::{Principal, is_account};
use crate::request::{Context, Request};
use crate::set::PolicySet;

/// A request with the policies of its principal and resource.
#[derive(Debug, Clone)]
pub struct Document {
    caller: Caller,
    target: Target,
    action: String,
    resource: String,
    resource_account: Option<String>,
    context: Context,
}

/// A document with the decision that is expected.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it tests.
    pub name: String,
    /// The request and the policies.
    pub document: Document,
    /// The decision that is expected.
    pub expected: Decision,
}

impl Document {
    /// Parses a document.
    ///
    /// ```text
    /// {request: {principal, action, resource, resource_account, context, missing_context},
    ///  identity_policies, permission_boundaries, session_policies, scps, rcps, resource_policy}
    /// ```
    ///
    /// # Errors
    ///
    /// If a part is malformed. The error states where.
    pub fn parse(text: &str) -> Result<Document> {
        let node = Node::parse(text, "document")?;
        Document::of(node.members("document")?.iter(), "")
    }

    fn of<'a>(members: impl Iterator<Item = &'a (String, Node)>, at: &str) -> Result<Document> {
        let mut asked = None;
        let (mut identity, mut session) = (PolicySet::default(), PolicySet::default());
        let (mut boundaries, mut service_controls) = (Vec::new(), Vec::new());
        let mut target = Target::default();
        for (key, value) in members.filter(|(_, value)| *value != Node::Null) {
            let place = format!("{at}{key}");
            match key.as_str() {
                "request" => asked = Some(Asked::parse(value, &place)?),
                "identity_policies" => identity = set(value, Layer::Identity, &place)?,
                "permission_boundaries" => {
                    for policy in policies(value, Layer::Boundary, &place)? {
                        boundaries.push(PolicySet::new([policy]));
                    }
                }
                "session_policies" => session = set(value, Layer::Session, &place)?,
                "scps" => service_controls = levels(value, Layer::ServiceControl, &place)?,
                "rcps" => {
                    for level in levels(value, Layer::ResourceControl, &place)? {
                        target = target.resource_controls(level);
                    }
                }
                "resource_policy" => {
                    let policy = named(value, Layer::Resource, &place)?;
                    target = target.policy(PolicySet::new([policy]));
                }
                _ => {
                    let why = "unknown key: a document has request, identity_policies, permission_boundaries, \
                               session_policies, scps, rcps and resource_policy";
                    return Err(Error::malformed(&place, why));
                }
            }
        }
        let Some(asked) = asked else {
            return Err(Error::malformed(if at.is_empty() { "document" } else { at }, "request is missing"));
        };
        let mut caller = Caller::new(asked.principal).identity(identity);
        if !session.is_empty() {
            caller = caller.session(session);
        }
        caller = boundaries.into_iter().fold(caller, Caller::boundary);
        caller = service_controls.into_iter().fold(caller, Caller::service_controls);
        let document = Document {
            caller,
            target,
            action: asked.action,
            resource: asked.resource,
            resource_account: asked.resource_account,
            context: asked.context,
        };
        Ok(document)
    }

    /// Decides the request.
    ///
    /// # Errors
    ///
    /// If the action or the resource is malformed.
    pub fn evaluate(&self) -> Result<Answer<'_>> {
        let request = Request {
            action: &self.action,
            resource: &self.resource,
            resource_account: self.resource_account.as_deref(),
            context: &self.context,
        };
        evaluate(&self.caller, &self.target, &request)
    }
}

impl Case {
    /// Parses cases from JSON. See [`Cases`].
    ///
    /// # Errors
    ///
    /// If the text is not JSON, or not a list of cases.
    pub fn parse_all(text: &str) -> Result<Vec<Result<Case>>> {
        Cases(Node::parse(text, "cases")?).cases()
    }

    fn parse(own: &Node, shared: &[(String, Node)], place: &str) -> Result<Case> {
        let members = merged(own.members(place)?, shared);
        let value = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let name = value("name").map_or(Ok(place), |name| name.text(&format!("{place}.name")))?.to_owned();
        let place = format!("{place} `{name}`");
        let Some(expected) = value("expected") else { return Err(Error::malformed(&place, "expected is missing")) };
        let expected = expected.text(&format!("{place}.expected"))?;
        let decisions = [Decision::Allowed, Decision::ExplicitlyDenied, Decision::ImplicitlyDenied, Decision::Depends];
        let expected = decisions.into_iter().find(|decision| decision.name() == expected).ok_or_else(|| {
            let names: Vec<&str> = decisions.iter().map(|decision| decision.name()).collect();
            Error::malformed(&format!("{place}.expected"), format!("`{expected}` is not one of {}", names.join(", ")))
        })?;
        let of_document = members.iter().filter(|(key, _)| !["name", "expected", "source"].contains(&key.as_str()));
        Ok(Case { document: Document::of(of_document, &format!("{place}."))?, name, expected })
    }
}

/// A file of cases, in any format that serde reads: a case, a list of cases, or an object with the list `cases` and
/// members that all of them share.
///
/// A case is a document with `expected` (a decision), and it can have a `name` and a `source`, the page that states the
/// rule. Its own members replace shared ones; those of `request` are merged one by one.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(transparent)]
pub struct Cases(Node);

impl Cases {
    /// The cases. A malformed one does not affect the others.
    ///
    /// # Errors
    ///
    /// If the file has another form.
    pub fn cases(&self) -> Result<Vec<Result<Case>>> {
        let (list, shared) = match &self.0 {
            Node::Object(members) => match members.iter().position(|(key, _)| key == "cases") {
                Some(position) => {
                    let mut shared = members.clone();
                    (shared.remove(position).1, shared)
                }
                None => (self.0.clone(), Vec::new()),
            },
            other => (other.clone(), Vec::new()),
        };
        let case = |(position, node)| Case::parse(node, &shared, &format!("cases[{position}]"));
        Ok(list.items().iter().enumerate().map(case).collect())
    }
}

/// The members of a case, and those that it shares with others.
fn merged(own: &[(String, Node)], shared: &[(String, Node)]) -> Vec<(String, Node)> {
    let mut members = own.to_vec();
    for (key, value) in shared {
        match (members.iter_mut().find(|(known, _)| known == key), value) {
            (Some((_, Node::Object(request))), Node::Object(of_all)) if key == "request" => {
                *request = merged(request, of_all);
            }
            (Some(_), _) => {}
            (None, value) => members.push((key.clone(), value.clone())),
        }
    }
    members
}

/// The member `request`.
struct Asked {
    principal: Principal,
    action: String,
    resource: String,
    resource_account: Option<String>,
    context: Context,
}

impl Asked {
    fn parse(node: &Node, place: &str) -> Result<Asked> {
        let (mut principal, mut action, mut resource, mut account) = (None, None, None, None);
        let mut context = Context::default();
        let mut is_partial = false;
        for (key, value) in node.members(place)?.iter().filter(|(_, value)| *value != Node::Null) {
            let place = format!("{place}.{key}");
            match key.as_str() {
                "principal" => {
                    // `{"Service": ".."}`, as in a policy.
                    let value = match value {
                        Node::Object(members) if members.len() == 1 => &members[0].1,
                        value => value,
                    };
                    let text = if let Node::Number(text) = value { text } else { value.text(&place)? };
                    principal = Some(Principal::parse_at(text, &place)?);
                }
                "action" => action = Some(value.text(&place)?.to_owned()),
                "resource" => resource = Some(value.text(&place)?.to_owned()),
                "resource_account" => {
                    let text = value.scalar().unwrap_or_default();
                    if !is_account(&text) {
                        return Err(Error::malformed(&place, "expected the 12 digits of an account, as a string"));
                    }
                    account = Some(text);
                }
                "context" => context = Context::parse(value, &place)?,
                "missing_context" => match value.text(&place)? {
                    "absent" => {}
                    "unknown" => is_partial = true,
                    other => {
                        let why = format!("expected `absent` or `unknown`, found `{other}`");
                        return Err(Error::malformed(&place, why));
                    }
                },
                _ => {
                    let why = "unknown key: a request has principal, action, resource, resource_account, context and \
                               missing_context";
                    return Err(Error::malformed(&place, why));
                }
            }
        }
        let missing = |name: &str| Error::malformed(place, format!("{name} is missing"));
        Ok(Asked {
            principal: principal.ok_or_else(|| missing("principal"))?,
            action: action.ok_or_else(|| missing("action"))?,
            resource: resource.ok_or_else(|| missing("resource"))?,
            resource_account: account,
            context: if is_partial { context.partial() } else { context },
        })
    }
}

fn set(node: &Node, layer: Layer, place: &str) -> Result<PolicySet> {
    Ok(PolicySet::new(policies(node, layer, place)?))
}

/// A list of policies, or one policy.
fn policies(node: &Node, layer: Layer, place: &str) -> Result<Vec<(String, Policy)>> {
    let policy = |(position, node)| named(node, layer, &format!("{place}[{position}]"));
    node.items().iter().enumerate().map(policy).collect()
}

/// A policy, or `{"name": .., "policy": ..}`. By default its name is its place.
fn named(node: &Node, layer: Layer, place: &str) -> Result<(String, Policy)> {
    if let Node::Object(members) = node
        && members.iter().any(|(key, _)| key == "policy")
    {
        let mut name = place.to_owned();
        let mut policy = None;
        for (key, value) in members {
            match key.as_str() {
                "name" => name = value.text(&format!("{place}.name"))?.to_owned(),
                "policy" => policy = Some(Policy::parse_node(value, layer, &format!("{place}.policy"))?),
                _ => {
                    let place = format!("{place}.{key}");
                    return Err(Error::malformed(&place, "unknown key: a named policy has name and policy"));
                }
            }
        }
        return Ok((name, policy.expect("one of the members is the policy")));
    }
    Ok((place.to_owned(), Policy::parse_node(node, layer, place)?))
}

/// A list per level. A level is a list of policies, or one policy.
fn levels(node: &Node, layer: Layer, place: &str) -> Result<Vec<PolicySet>> {
    let level = |(position, node)| set(node, layer, &format!("{place}[{position}]"));
    node.items().iter().enumerate().map(level).collect()
}
