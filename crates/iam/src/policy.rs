//! Policy documents.

use percent_encoding::percent_decode_str;

use crate::condition::Condition;
use crate::error::{Error, Result};
use crate::json::Node;
use crate::pattern::{Pattern, Reading, Template};
use crate::principal::Principals;
use crate::request::Asked;
use crate::truth::{Truth, all, any};

/// A kind of policy, by what it is attached to. It decides which elements a policy has, and what its statements mean
/// for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Policies of a user, of its groups, or of a role.
    Identity,
    /// A permissions boundary.
    Boundary,
    /// Policies that were passed when a session was made.
    Session,
    /// Service control policies.
    ServiceControl,
    /// Resource control policies.
    ResourceControl,
    /// The policy of a resource: a bucket policy, a key policy, a role's trust policy.
    Resource,
}

impl Layer {
    /// Its name in SQL: `identity`, `scp`.
    pub fn name(self) -> &'static str {
        match self {
            Layer::Identity => "identity",
            Layer::Boundary => "boundary",
            Layer::Session => "session",
            Layer::ServiceControl => "scp",
            Layer::ResourceControl => "rcp",
            Layer::Resource => "resource",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Layer::Identity => "identity policies",
            Layer::Boundary => "permissions boundary",
            Layer::Session => "session policies",
            Layer::ServiceControl => "service control policies",
            Layer::ResourceControl => "resource control policies",
            Layer::Resource => "resource policy",
        }
    }

    fn has_principals(self) -> bool {
        matches!(self, Layer::Resource | Layer::ResourceControl)
    }
}

/// A policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub(crate) statements: Vec<Statement>,
}

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) is_deny: bool,
    pub(crate) principals: Option<Principals>,
    pub(crate) is_not_action: bool,
    pub(crate) actions: Vec<Pattern>,
    is_not_resource: bool,
    /// `None`: the resource that the policy is attached to.
    resources: Option<Vec<Template>>,
    conditions: Vec<Condition>,
}

impl Policy {
    /// Parses a document: JSON, also if percent-encoded as IAM's API returns it.
    ///
    /// # Errors
    ///
    /// If AWS would not accept the document: it is not JSON, has a key twice or an unknown element, or lacks one. The
    /// error states where.
    pub fn parse(text: &str, layer: Layer) -> Result<Policy> {
        Policy::parse_text(text, layer, "policy")
    }

    fn parse_text(text: &str, layer: Layer, place: &str) -> Result<Policy> {
        let is_encoded = text.trim_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%7b"));
        let node = match is_encoded {
            true => {
                let decoded = percent_decode_str(text.trim()).decode_utf8();
                Node::parse(&decoded.map_err(|error| Error::malformed(place, error.to_string()))?, place)?
            }
            false => Node::parse(text, place)?,
        };
        Policy::parse_object(&node, layer, place)
    }

    /// A document, as an object or as a text that holds one.
    pub(crate) fn parse_node(node: &Node, layer: Layer, place: &str) -> Result<Policy> {
        match node {
            Node::Text(text) => Policy::parse_text(text, layer, place),
            node => Policy::parse_object(node, layer, place),
        }
    }

    fn parse_object(node: &Node, layer: Layer, place: &str) -> Result<Policy> {
        let mut variables = false;
        let mut statements = None;
        for (key, value) in node.members(place)? {
            let place = format!("{place}.{key}");
            match key.as_str() {
                "Version" => match value.text(&place)? {
                    "2012-10-17" => variables = true,
                    "2008-10-17" => {}
                    other => {
                        let why = format!("expected 2012-10-17 or 2008-10-17, found `{other}`");
                        return Err(Error::malformed(&place, why));
                    }
                },
                "Id" => _ = value.text(&place)?,
                "Statement" => statements = Some(value),
                _ => return Err(Error::malformed(&place, "unknown element: a policy has Version, Id and Statement")),
            }
        }
        let Some(statements) = statements else { return Err(Error::malformed(place, "Statement is missing")) };
        let is_list = matches!(statements, Node::List(_));
        let statement = |(position, node)| {
            let place = if is_list { format!("{place}.Statement[{position}]") } else { format!("{place}.Statement") };
            Statement::parse(node, layer, variables, &place)
        };
        let statements = statements.items().iter().enumerate().map(statement).collect::<Result<_>>()?;
        Ok(Policy { statements })
    }
}

impl Statement {
    fn parse(node: &Node, layer: Layer, variables: bool, place: &str) -> Result<Statement> {
        let (mut sid, mut is_deny, mut principals, mut actions, mut resources) = (None, None, None, None, None);
        let mut conditions = Vec::new();
        let twice =
            |place: &str, name: &str| Error::malformed(place, format!("a statement has either {name} or Not{name}"));
        for (key, value) in node.members(place)? {
            let at = format!("{place}.{key}");
            match key.as_str() {
                "Sid" => sid = Some(value.text(&at)?.to_owned()),
                "Effect" => match value.text(&at)? {
                    "Allow" => is_deny = Some(false),
                    "Deny" => is_deny = Some(true),
                    other => {
                        return Err(Error::malformed(&at, format!("expected `Allow` or `Deny`, found `{other}`")));
                    }
                },
                "Principal" | "NotPrincipal" => {
                    if !layer.has_principals() {
                        let why = "only policies of resources have a principal";
                        return Err(Error::malformed(&at, why));
                    }
                    let parsed = Principals::parse(value, key == "NotPrincipal", &at)?;
                    if principals.replace(parsed).is_some() {
                        return Err(twice(place, "Principal"));
                    }
                }
                "Action" | "NotAction" => {
                    let patterns = value.texts(&at)?.into_iter().map(|text| Pattern::of_action(text, &at));
                    if actions.replace((key == "NotAction", patterns.collect::<Result<_>>()?)).is_some() {
                        return Err(twice(place, "Action"));
                    }
                }
                "Resource" | "NotResource" => {
                    let reading = Reading { wildcards: true, variables, is_resource: true };
                    let templates = value.texts(&at)?.into_iter().map(|text| Template::parse(text, reading, &at));
                    if resources.replace((key == "NotResource", templates.collect::<Result<_>>()?)).is_some() {
                        return Err(twice(place, "Resource"));
                    }
                }
                "Condition" => conditions = Condition::parse_all(value, variables, &at)?,
                _ => {
                    let why = "unknown element: a statement has Sid, Effect, Principal, NotPrincipal, Action, NotAction, \
                               Resource, NotResource and Condition";
                    return Err(Error::malformed(&at, why));
                }
            }
        }
        let missing = |name: &str| Error::malformed(place, format!("{name} is missing"));
        let is_deny = is_deny.ok_or_else(|| missing("Effect"))?;
        let (is_not_action, actions) = actions.ok_or_else(|| missing("Action"))?;
        if layer.has_principals() && principals.is_none() {
            return Err(missing("Principal"));
        }
        if layer != Layer::Resource && resources.is_none() {
            return Err(missing("Resource"));
        }
        let (is_not_resource, resources) = match resources {
            Some((is_not, templates)) => (is_not, Some(templates)),
            None => (false, None),
        };
        Ok(Statement { sid, is_deny, principals, is_not_action, actions, is_not_resource, resources, conditions })
    }

    /// Whether the statement applies to a request whose action it names.
    pub(crate) fn applies(&self, asked: &Asked<'_>) -> Truth {
        match self.names_resource(asked) {
            Truth::No => Truth::No,
            resource => resource.min(all(self.conditions.iter().map(|condition| condition.holds(asked)))),
        }
    }

    fn names_resource(&self, asked: &Asked<'_>) -> Truth {
        let Some(resources) = &self.resources else { return Truth::Yes };
        let named = any(resources
            .iter()
            .map(|template| template.test(asked, |pattern| pattern.matches_resource(&asked.resource))));
        if self.is_not_resource { !named } else { named }
    }

    /// The unknown context keys that decide whether it applies.
    pub(crate) fn missing<'a>(&'a self, asked: &'a Asked<'_>) -> impl Iterator<Item = &'a str> {
        let resources = self.resources.iter().flatten().flat_map(Template::variables);
        let resources = resources.filter(|key| asked.is_unknown(key));
        self.conditions.iter().flat_map(|condition| condition.missing(asked)).chain(resources)
    }
}
