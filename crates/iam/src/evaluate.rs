//! The decision about a request.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use crate::error::Result;
use crate::policy::Layer;
use crate::principal::{Keys, Principal};
use crate::request::{Asked, Request};
use crate::set::{Hit, Opinion, PolicySet};
use crate::truth::{Truth, all};

/// A principal with the policies that limit and allow its requests.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Principal,
    context: Keys,
    identity: PolicySet,
    boundaries: Vec<PolicySet>,
    session: Option<PolicySet>,
    service_controls: Vec<PolicySet>,
}

/// The policies of a resource.
#[derive(Debug, Clone, Default)]
pub struct Target {
    policy: Option<PolicySet>,
    resource_controls: Vec<PolicySet>,
}

/// The decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// The request is allowed.
    Allowed,
    /// A statement denies the request.
    ExplicitlyDenied,
    /// No statement denies the request, but a layer that must allow it does not.
    ImplicitlyDenied,
    /// It depends on context keys that the request does not state, or on policies whose content is not known. Only for a
    /// partial context, or with [`PolicySet::unread`].
    Depends,
}

/// The decision and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The decision.
    pub decision: Decision,
    /// The layer that decided: it denies, it allows, or it does not allow.
    pub layer: Option<Layer>,
    /// For service and resource control policies, the level of the organisation's tree, from 0.
    pub level: Option<usize>,
    /// The policy that denies or allows.
    pub policy: Option<&'a str>,
    /// The statement that denies or allows: its `Sid`, or its number as in `Statement[0]`.
    pub statement: Option<Cow<'a, str>>,
    /// The context keys that a decision depends on, sorted.
    pub keys: Vec<String>,
    /// The policies that a decision depends on and whose content is not known.
    pub unread: Vec<&'a str>,
    /// Whether the principal and the resource are of different accounts.
    is_across: bool,
}

impl Caller {
    /// A principal without policies.
    pub fn new(principal: Principal) -> Self {
        Caller {
            context: principal.context(),
            principal,
            identity: PolicySet::default(),
            boundaries: Vec::new(),
            session: None,
            service_controls: Vec::new(),
        }
    }

    /// Makes it a session of its role. The context of a request can state the role's ARN as `aws:PrincipalArn`.
    #[must_use]
    pub fn in_session(mut self, session: Principal) -> Self {
        self.context = session.context();
        self.principal = session;
        self
    }

    /// The same principal without the statements that deny: what its policies allow, whatever they take away.
    #[must_use]
    pub fn without_denies(&self) -> Self {
        let all = |sets: &[PolicySet]| sets.iter().map(PolicySet::without_denies).collect();
        Caller {
            principal: self.principal.clone(),
            context: self.context.clone(),
            identity: self.identity.without_denies(),
            boundaries: all(&self.boundaries),
            session: self.session.as_ref().map(PolicySet::without_denies),
            service_controls: all(&self.service_controls),
        }
    }

    /// Sets the policies of the user, its groups, or the role.
    #[must_use]
    pub fn identity(mut self, policies: PolicySet) -> Self {
        self.identity = policies;
        self
    }

    /// Adds a permissions boundary. Each one must allow a request.
    #[must_use]
    pub fn boundary(mut self, policy: PolicySet) -> Self {
        self.boundaries.push(policy);
        self
    }

    /// Sets the policies that were passed when the session was made. One of them must allow a request.
    #[must_use]
    pub fn session(mut self, policies: PolicySet) -> Self {
        self.session = Some(policies);
        self
    }

    /// Adds the service control policies of a level: the root, a unit, the account. Each level must allow a request.
    #[must_use]
    pub fn service_controls(mut self, level: PolicySet) -> Self {
        self.service_controls.push(level);
        self
    }
}

impl Target {
    /// Sets the resource's own policy.
    #[must_use]
    pub fn policy(mut self, policy: PolicySet) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Adds the resource control policies of a level. `RCPFullAWSAccess` is attached everywhere, so only denies count.
    #[must_use]
    pub fn resource_controls(mut self, level: PolicySet) -> Self {
        self.resource_controls.push(level);
        self
    }
}

/// The layers of a request, in the order in which they are named as the reason.
struct Opinions<'a>(Vec<(Layer, Option<usize>, Opinion<'a>)>);

impl<'a> Opinions<'a> {
    /// The least allow of a layer's policies. A layer without policies allows everything.
    fn allow(&self, layer: Layer) -> Truth {
        all(self.of(layer).map(Opinion::allow))
    }

    fn of(&self, layer: Layer) -> impl Iterator<Item = &Opinion<'a>> {
        self.0.iter().filter(move |(of, ..)| *of == layer).map(|(.., opinion)| opinion)
    }

    fn allowed_by(&self, layer: Layer) -> Option<Hit<'a>> {
        self.of(layer).find_map(|opinion| opinion.allowed_by)
    }
}

/// Decides a request.
///
/// # Errors
///
/// If the action or the resource is malformed.
pub fn evaluate<'a>(caller: &'a Caller, target: &'a Target, request: &Request<'_>) -> Result<Answer<'a>> {
    let with_role;
    let (mut principal, mut context) = (&caller.principal, &caller.context);
    // The ARN of a session lacks the role's path. The context can state it.
    if let Some(arn) = request.context.first("aws:principalarn") {
        let stated = principal.clone().with_role(arn);
        with_role = (stated.context(), stated);
        (context, principal) = (&with_role.0, &with_role.1);
    }
    let asked = Asked::new(principal, context, !caller.boundaries.is_empty(), request)?;
    let opinions = opinions(caller, target, &asked);
    Ok(decide(caller, &asked, &opinions))
}

fn opinions<'a>(caller: &'a Caller, target: &'a Target, asked: &Asked<'_>) -> Opinions<'a> {
    let mut opinions = Vec::with_capacity(8);
    let mut hear = |layer, level, set: &'a PolicySet| opinions.push((layer, level, set.opinion(asked)));
    // Control policies do not apply to service-linked roles, and service control policies only to an account's
    // principals.
    if !asked.principal.is_service_linked() {
        if asked.principal.has_identity() {
            for (level, set) in caller.service_controls.iter().enumerate() {
                hear(Layer::ServiceControl, Some(level), set);
            }
        }
        for (level, set) in target.resource_controls.iter().enumerate() {
            hear(Layer::ResourceControl, Some(level), set);
        }
    }
    target.policy.iter().for_each(|set| hear(Layer::Resource, None, set));
    if asked.principal.has_identity() {
        hear(Layer::Identity, None, &caller.identity);
        caller.boundaries.iter().for_each(|set| hear(Layer::Boundary, None, set));
        caller.session.iter().for_each(|set| hear(Layer::Session, None, set));
    }
    Opinions(opinions)
}

/// Whether the policy of a resource must allow a request itself: the trust policy of a role, the policy of a key.
fn needs_resource_policy(asked: &Asked<'_>) -> bool {
    let mut parts = asked.resource.splitn(6, ':').skip(2);
    let (service, name) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
    match asked.action.split(':').next() {
        Some("sts") => service == "iam" && name.starts_with("role/"),
        Some("kms") => service == "kms" && name.starts_with("key/"),
        _ => false,
    }
}

fn decide<'a>(caller: &'a Caller, asked: &Asked<'_>, opinions: &Opinions<'a>) -> Answer<'a> {
    let principal = asked.principal;
    let denied = opinions.0.iter().max_by_key(|(.., opinion)| opinion.deny);
    let deny = denied.map_or(Truth::No, |(.., opinion)| opinion.deny);
    let is_across = principal.account().is_some() && principal.account() != asked.resource_account;
    let answer = |decision, layer, level, hit: Option<Hit<'a>>| Answer {
        decision,
        layer,
        level,
        policy: hit.map(|hit| hit.policy),
        statement: hit.map(|hit| match hit.sid {
            Some(sid) if !sid.is_empty() => Cow::Borrowed(sid),
            _ => Cow::Owned(format!("Statement[{}]", hit.position)),
        }),
        keys: Vec::new(),
        unread: Vec::new(),
        is_across,
    };
    if let (Truth::Yes, Some((layer, level, opinion))) = (deny, denied) {
        return answer(Decision::ExplicitlyDenied, Some(*layer), *level, opinion.denied_by);
    }

    let of_resource = opinions.of(Layer::Resource).next();
    let [by_account, by_role, direct] = of_resource.map_or([Truth::No; 3], |opinion| opinion.allow);
    let resource = by_account.max(by_role).max(direct);
    let identity = match () {
        () if principal.is_root() => Truth::Yes,
        // A federated user has the permissions of the user that the session policies also allow.
        () if principal.is_federated_user() && caller.session.is_none() => Truth::No,
        () => opinions.allow(Layer::Identity),
    };
    let limits = opinions.allow(Layer::Boundary).min(opinions.allow(Layer::Session));
    let needs_resource = is_across || !principal.has_identity() || needs_resource_policy(asked);
    let granted = match () {
        () if !principal.has_identity() => resource,
        () if is_across => resource.min(identity).min(limits),
        // The spelling of the principal in the resource's policy decides what else must allow.
        () => {
            let identity = if needs_resource { identity.min(resource) } else { identity };
            direct.max(by_role.max(identity).min(limits))
        }
    };
    let controls = opinions.allow(Layer::ServiceControl);
    let allow = granted.min(controls);

    match (allow, deny) {
        (Truth::No, _) => {
            let control = opinions
                .0
                .iter()
                .find(|(layer, _, opinion)| *layer == Layer::ServiceControl && opinion.allow() == Truth::No);
            if let Some((layer, level, _)) = control {
                return answer(Decision::ImplicitlyDenied, Some(*layer), *level, None);
            }
            let layer = match () {
                () if needs_resource && resource == Truth::No => Layer::Resource,
                () if identity == Truth::No && (is_across || by_role == Truth::No) => match caller.session {
                    None if principal.is_federated_user() => Layer::Session,
                    _ => Layer::Identity,
                },
                () if opinions.allow(Layer::Boundary) == Truth::No => Layer::Boundary,
                () => Layer::Session,
            };
            answer(Decision::ImplicitlyDenied, Some(layer), None, None)
        }
        (Truth::Yes, Truth::No) => {
            let by_resource = resource == Truth::Yes && (direct.max(by_role) == Truth::Yes || needs_resource);
            // The allow of an identity policy counts if no boundary or session limits it.
            let by_identity = identity == Truth::Yes && limits == Truth::Yes;
            match (opinions.allowed_by(Layer::Identity), by_resource) {
                (Some(hit), _) if by_identity => answer(Decision::Allowed, Some(Layer::Identity), None, Some(hit)),
                (_, true) => {
                    let hit = opinions.allowed_by(Layer::Resource);
                    answer(Decision::Allowed, Some(Layer::Resource), None, hit)
                }
                _ => answer(Decision::Allowed, Some(Layer::Identity), None, None),
            }
        }
        _ => {
            let keys: BTreeSet<&str> = opinions.0.iter().flat_map(|(.., opinion)| opinion.missing(asked)).collect();
            let mut answer = answer(Decision::Depends, None, None, None);
            answer.keys = keys.into_iter().map(str::to_owned).collect();
            let unread: BTreeSet<&str> =
                opinions.0.iter().flat_map(|(.., opinion)| opinion.unread()).copied().collect();
            answer.unread = unread.into_iter().collect();
            answer
        }
    }
}

impl Decision {
    /// Its name in SQL and in test cases.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Allowed => "allowed",
            Decision::ExplicitlyDenied => "explicitly denied",
            Decision::ImplicitlyDenied => "implicitly denied",
            Decision::Depends => "depends",
        }
    }
}

impl fmt::Display for Answer<'_> {
    /// The reason, as a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.layer.map(Layer::title).unwrap_or_default();
        let by = |f: &mut fmt::Formatter<'_>| match (&self.policy, &self.statement) {
            (Some(policy), Some(statement)) => write!(f, "statement `{statement}` of `{policy}`"),
            _ => f.write_str("the root user of the account, which has all permissions"),
        };
        match self.decision {
            Decision::ExplicitlyDenied => {
                f.write_str("denied by ")?;
                by(f)
            }
            Decision::Allowed => {
                f.write_str("allowed by ")?;
                by(f)
            }
            Decision::ImplicitlyDenied => {
                let across = if self.is_across { " (principal and resource are of different accounts)" } else { "" };
                match self.level {
                    Some(level) => write!(f, "no statement of the {title} of level {level} allows it"),
                    None => write!(f, "no statement of the {title} allows it{across}"),
                }
            }
            Decision::Depends => {
                let unread = self.unread.iter().map(|policy| format!("`{policy}`, which could not be read"));
                let all: Vec<String> = self.keys.iter().cloned().chain(unread).collect();
                write!(f, "depends on {}", all.join(", "))
            }
        }
    }
}
