//! Who can become which role: directly by trust and identity policies, and through other roles.

use std::collections::{BTreeSet, HashMap, VecDeque};

use indago_iam::{Caller, Context, Decision, Principal, Request, Target, evaluate};
use serde_json::Value;

use super::decision::{Decided, rank};
use super::grant;
use super::model::{Account, Identity, Kind, Model};
use super::statement::Statement;

/// The actions by which a principal becomes a role.
const ASSUME: &str = "sts:AssumeRole";
const WEB_IDENTITY: &str = "sts:AssumeRoleWithWebIdentity";
const SAML: &str = "sts:AssumeRoleWithSAML";

/// Who becomes a role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// `user`, `role`, `account`, `service`, `web identity`, `saml` or `anyone`.
    pub(crate) kind: &'static str,
    /// An ARN, a service, an identity provider, or `*`.
    pub(crate) name: String,
    /// The subject of an identity provider.
    pub(crate) subject: Option<String>,
    pub(crate) account_id: Option<String>,
}

/// A way to become a role.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    /// From the origin to the role.
    pub(crate) chain: Vec<usize>,
    pub(crate) decision: Decision,
    pub(crate) keys: Vec<String>,
    pub(crate) reason: String,
}

/// Who can become which role, of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) origins: Vec<Origin>,
    by_name: HashMap<(String, Option<String>), usize>,
    edges: Vec<Vec<(usize, Decided)>>,
}

impl Graph {
    /// The graph of a model; `None` if it was cancelled.
    pub(crate) fn new(model: &Model, is_cancelled: impl Fn() -> bool) -> Option<Graph> {
        let mut graph = Graph::default();
        for identity in model.identities() {
            graph.node(origin(identity));
        }
        let can_assume: Vec<&Identity> = model.identities().filter(|identity| may_assume_some(identity)).collect();
        for account in &model.accounts {
            for role in account.identities.iter().filter(|identity| identity.kind == Kind::Role) {
                if is_cancelled() {
                    return None;
                }
                graph.add_role(model, account, role, &can_assume);
            }
        }
        Some(graph)
    }

    /// About how much memory it takes.
    pub(crate) fn size(&self) -> usize {
        self.origins.len() * 400 + self.edges.iter().map(Vec::len).sum::<usize>() * (size_of::<Decided>() + 200)
    }

    fn node(&mut self, origin: Origin) -> usize {
        let key = (origin.name.clone(), origin.subject.clone());
        if let Some(known) = self.by_name.get(&key) {
            return *known;
        }
        let number = self.origins.len();
        self.by_name.insert(key, number);
        self.origins.push(origin);
        self.edges.push(Vec::new());
        number
    }

    fn add_role(&mut self, model: &Model, account: &Account, role: &Identity, can_assume: &[&Identity]) {
        let (Some(trust), Some(target)) = (&role.trust, role.as_target.as_deref()) else { return };
        let to = self.node(origin(role));
        let add = |graph: &mut Graph, from: Origin, decided: Option<Decided>| {
            let from = graph.node(from);
            let Some(decided) = decided.filter(|decided| decided.is_possible() && from != to) else { return };
            // Several statements may name one principal.
            match graph.edges[from].iter_mut().find(|(known, _)| *known == to) {
                Some((_, known)) if rank(known.decision) < rank(decided.decision) => *known = decided,
                Some(_) => {}
                None => graph.edges[from].push((to, decided)),
            }
        };
        for (statement, candidate) in candidates(model, account, &trust.statements, can_assume) {
            match candidate {
                Candidate::Identity(identity) => {
                    let decided = identity.decide(target, ASSUME, &role.arn, Some(&account.id), &identity.context);
                    add(self, origin(identity), decided.ok().flatten());
                }
                Candidate::External(name) => {
                    let decided = foreign(target, &name, role, account);
                    let account_id = name.split(':').nth(4).map(str::to_owned);
                    let kind = match name.split(':').nth(5).and_then(|name| name.split('/').next()) {
                        Some("user") => "user",
                        Some("role" | "assumed-role") => "role",
                        _ => "account",
                    };
                    add(self, Origin { kind, name, subject: None, account_id }, decided);
                }
                Candidate::Anyone => {
                    let from = Origin { kind: "anyone", name: "*".to_owned(), subject: None, account_id: None };
                    add(self, from, anyone(target, statement, role, account));
                }
                Candidate::Service(name) => {
                    let decided = by_service(target, &name, role, account);
                    add(self, Origin { kind: "service", name, subject: None, account_id: None }, decided);
                }
                Candidate::Provider(name) => {
                    let is_saml = name.contains(":saml-provider/");
                    let (kind, action) = if is_saml { ("saml", SAML) } else { ("web identity", WEB_IDENTITY) };
                    let subjects = values(statement, ":sub");
                    let subjects: Vec<Option<String>> = if subjects.is_empty() {
                        vec![None]
                    } else {
                        subjects.into_iter().map(|(_, of)| Some(of)).collect()
                    };
                    for subject in subjects {
                        let mut context = Context::default().partial();
                        if let Some(subject) = &subject {
                            for (key, _) in values(statement, ":sub") {
                                context = context.with(&key, [subject.as_str()]);
                            }
                        }
                        let mut audiences = values(statement, ":aud");
                        audiences.dedup_by(|one, other| one.0 == other.0);
                        for (key, audience) in audiences {
                            context = context.with(&key, [audience]);
                        }
                        let decided = decide(&name, target, action, role, account, &context);
                        let account_id = name.split(':').nth(4).map(str::to_owned);
                        add(self, Origin { kind, name: name.clone(), subject, account_id }, decided);
                    }
                }
            }
        }
    }

    /// The node of a user, role, service or provider.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(&(name.to_owned(), None)).copied()
    }

    /// How an origin becomes a role directly.
    pub(crate) fn direct(&self, from: &str, to: &str) -> Option<&Decided> {
        let (from, to) = (self.find(from)?, self.find(to)?);
        self.edges[from].iter().find(|(role, _)| *role == to).map(|(_, decided)| decided)
    }

    /// The roles that an origin can become directly.
    pub(crate) fn next(&self, from: &str) -> impl Iterator<Item = (&str, &Decided)> {
        let edges = self.find(from).map(|from| &self.edges[from]);
        edges.into_iter().flatten().map(|(to, decided)| (self.origins[*to].name.as_str(), decided))
    }

    /// All roles that an origin can become, each by its shortest chain. A chain that is allowed is preferred to a shorter
    /// one that depends on context keys.
    pub(crate) fn reached(&self, from: usize) -> Vec<Reached> {
        let mut found: HashMap<usize, Reached> = HashMap::new();
        for least in [Decision::Allowed, Decision::Depends] {
            let mut before: HashMap<usize, (usize, &Decided)> = HashMap::new();
            let mut queue = VecDeque::from([from]);
            while let Some(node) = queue.pop_front() {
                for (to, decided) in &self.edges[node] {
                    let is_new = *to != from && !before.contains_key(to);
                    if is_new && rank(decided.decision) >= rank(least) {
                        before.insert(*to, (node, decided));
                        queue.push_back(*to);
                    }
                }
            }
            for to in before.keys() {
                found.entry(*to).or_insert_with(|| chain(from, *to, &before));
            }
        }
        let mut found: Vec<Reached> = found.into_values().collect();
        found.sort_by(|one, other| (one.chain.len(), &one.chain).cmp(&(other.chain.len(), &other.chain)));
        found
    }
}

fn chain(from: usize, to: usize, before: &HashMap<usize, (usize, &Decided)>) -> Reached {
    let mut chain = vec![to];
    let mut keys = BTreeSet::new();
    let (mut decision, mut reason) = (Decision::Allowed, String::new());
    let mut node = to;
    while node != from {
        let (previous, decided) = before[&node];
        keys.extend(decided.keys.iter().cloned());
        if decided.decision == Decision::Depends {
            decision = Decision::Depends;
        }
        reason.clone_from(&decided.reason);
        node = previous;
        chain.push(node);
    }
    if chain.len() > 2 {
        reason = format!("through {} other roles", chain.len() - 2);
    }
    chain.reverse();
    if decision == Decision::Depends {
        reason = format!("depends on {}", keys.iter().cloned().collect::<Vec<_>>().join(", "));
    }
    Reached { chain, decision, keys: keys.into_iter().collect(), reason }
}

fn origin(identity: &Identity) -> Origin {
    Origin {
        kind: identity.kind.name(),
        name: identity.arn.clone(),
        subject: None,
        account_id: Some(identity.account_id.clone()),
    }
}

/// Whether a statement of an identity's policies allows to assume any role.
fn may_assume_some(identity: &Identity) -> bool {
    grant::of_identity(identity).iter().any(|grant| grant.for_action(ASSUME).is_some())
}

enum Candidate<'a> {
    /// A user or role of an account that was read.
    Identity(&'a Identity),
    /// A principal of another account.
    External(String),
    Service(String),
    Provider(String),
    Anyone,
}

/// The principals that statements of an account's role may allow, with the statement.
fn candidates<'a>(
    model: &'a Model,
    account: &Account,
    statements: &'a [Statement],
    can_assume: &[&'a Identity],
) -> Vec<(&'a Statement, Candidate<'a>)> {
    let mut all = Vec::new();
    let partition = &account.partition;
    let of_account = |id: &str| -> Vec<&'a Identity> {
        can_assume.iter().copied().filter(|identity| identity.account_id == id).collect()
    };
    for statement in statements.iter().filter(|statement| !statement.is_deny) {
        let mut add = |candidate| all.push((statement, candidate));
        if statement.not_principals.is_some() {
            model.identities().for_each(|identity| add(Candidate::Identity(identity)));
            add(Candidate::Anyone);
        }
        for (kind, name) in statement.principals.iter().flatten() {
            match kind.as_str() {
                "Service" => add(Candidate::Service(name.clone())),
                "Federated" => add(Candidate::Provider(name.clone())),
                "AWS" if name == "*" => {
                    model.identities().for_each(|identity| add(Candidate::Identity(identity)));
                    add(Candidate::Anyone);
                }
                "AWS" => {
                    let is_number = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
                    let account = if is_number { name } else { name.split(':').nth(4).unwrap_or_default() };
                    let is_root = is_number || name.ends_with(":root");
                    match (model.account(account), is_root) {
                        (Some(_), true) => of_account(account).into_iter().for_each(|of| add(Candidate::Identity(of))),
                        (Some(of), false) => {
                            // The trust of a session concerns its role.
                            let role = || of.role_named(name.split(":assumed-role/").nth(1)?.split('/').next()?);
                            of.identity(name).or_else(role).into_iter().for_each(|of| add(Candidate::Identity(of)));
                        }
                        (None, _) if is_number => add(Candidate::External(format!("arn:{partition}:iam::{name}:root"))),
                        // The unique ID of a principal that was deleted is no ARN.
                        (None, _) if name.starts_with("arn:") => add(Candidate::External(name.clone())),
                        (None, _) => {}
                    }
                }
                _ => {}
            }
        }
    }
    all
}

/// The decision for a principal without policies of its own.
fn decide(
    principal: &str,
    target: &Target,
    action: &str,
    role: &Identity,
    account: &Account,
    context: &Context,
) -> Option<Decided> {
    let caller = Caller::new(Principal::parse(principal).ok()?);
    let request = Request { action, resource: &role.arn, resource_account: Some(&account.id), context };
    evaluate(&caller, target, &request).ok().map(Decided::from)
}

/// Whether a role trusts a service that acts for the role's own account.
pub(crate) fn by_service(target: &Target, service: &str, role: &Identity, account: &Account) -> Option<Decided> {
    let context = Context::default().partial().with("aws:SourceAccount", [account.id.as_str()]);
    decide(service, target, ASSUME, role, account, &context)
}

/// The decision for a principal of another account, as if its own policies allowed everything.
fn foreign(target: &Target, principal: &str, role: &Identity, account: &Account) -> Option<Decided> {
    let caller = account.with_all_permissions(Principal::parse(principal).ok()?);
    let context = Context::default().partial();
    let request =
        Request { action: ASSUME, resource: &role.arn, resource_account: Some(&account.id), context: &context };
    evaluate(&caller, target, &request).ok().map(Decided::from)
}

/// The decision for principals of any account. Their keys are not known.
fn anyone(target: &Target, statement: &Statement, role: &Identity, account: &Account) -> Option<Decided> {
    let context = Context::default().partial();
    let decided = decide("*", target, ASSUME, role, account, &context)?;
    if decided.decision == Decision::ExplicitlyDenied || decided.decision == Decision::Allowed {
        return Some(decided);
    }
    let operators = statement.conditions.as_ref().and_then(Value::as_object);
    let keys = operators.into_iter().flat_map(|operators| operators.values()).filter_map(Value::as_object);
    let keys: BTreeSet<String> = keys.flat_map(|keys| keys.keys().cloned()).collect();
    if keys.is_empty() {
        return Some(decided);
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let reason = format!("depends on {}", keys.join(", "));
    Some(Decided { decision: Decision::Depends, reason, layer: None, policy: None, statement: None, keys })
}

/// The values that a statement's conditions state for keys with an ending, with the key.
fn values(statement: &Statement, ending: &str) -> Vec<(String, String)> {
    let operators = statement.conditions.as_ref().and_then(Value::as_object);
    let is_positive = |operator: &str| {
        let operator = operator.to_ascii_lowercase();
        operator.contains("string") && !operator.contains("not")
    };
    let mut values = Vec::new();
    for (_, keys) in operators.into_iter().flatten().filter(|(operator, _)| is_positive(operator)) {
        for (key, of) in keys.as_object().into_iter().flatten().filter(|(key, _)| key.ends_with(ending)) {
            let of = of.as_array().map_or(std::slice::from_ref(of), Vec::as_slice);
            values.extend(of.iter().filter_map(Value::as_str).map(|value| (key.clone(), value.to_owned())));
        }
    }
    values
}
