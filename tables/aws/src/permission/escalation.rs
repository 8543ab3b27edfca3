//! Privilege escalation methods: the rules of `escalation.json`, evaluated.
//!
//! A rule has
//!
//! | field | |
//! |---|---|
//! | `id`, `name`, `category` | the method |
//! | `principals` | `user` or `role`, if it is a method of only one of them |
//! | `target` | how its targets are found, see [`Targets`] |
//! | `services` | services, one of which the target must trust; `iam:PassRole` is evaluated for that one |
//! | `steps` | actions, each `on` the target or on any of some resources; all must be allowed |
//! | `needs` | what must hold besides, see [`Need`] |
//! | `requires` | a resource that must exist, which IAM cannot show |
//! | `gains` | what the principal gets, see [`Gains`]; it must be more than it has |
//!
//! `telemetry` lists actions that do not count as more permissions.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use indago_iam::{Caller, Context, Decision, Layer, Policy, PolicySet, Target};
use serde_json::{Value, json};

use super::assume::{self, Graph};
use super::decision::{Decided, rank};
use super::grant::{self, Grant};
use super::model::{Account, Group, Identity, Kind, Model, administrator};
use crate::partition::Partition;

/// How the targets of a rule are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Targets {
    /// The principal itself.
    Itself,
    /// The principal itself, once per customer managed policy that it has.
    OwnPolicy,
    /// Each group that the user is in.
    OwnGroup,
    /// Each group that the user is not in.
    OtherGroup,
    /// Each other user of the account.
    User,
    /// Each other role of the account.
    Role,
    /// Each other role of the account, once per customer managed policy that it has.
    RoleAndPolicy,
    /// Each role of any account that the principal can assume.
    AssumableRole,
    /// Each role of the account that trusts one of the services.
    ServiceRole,
    /// A role that the principal creates.
    NewRole,
}

/// What a method gives to the principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Gains {
    /// All permissions within its boundary and control policies.
    Administrator,
    /// The permissions of the group.
    Group,
    /// The permissions of the target.
    Target,
    /// All permissions within the boundary and control policies of the target.
    TargetAsAdministrator,
    /// All permissions, in a new role.
    NewRole,
}

/// What must hold besides the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The target has an instance profile.
    InstanceProfile,
    /// The target has none.
    NoInstanceProfile,
    /// The target may open the control channel of the SSM agent.
    SsmAgent,
    /// The principal could assume the target if the trust policy named it.
    TrustRewritten,
    /// The service-linked role of Auto Scaling exists, or the principal may create it.
    AutoScaling,
    /// The target has less than two access keys.
    FewerThanTwoKeys,
    /// The target has two access keys.
    TwoKeys,
    /// The target has a console password.
    LoginProfile,
    /// The target has none.
    NoLoginProfile,
}

impl Need {
    /// What it requires of a user, if only the user itself shows it.
    pub(crate) fn of_user(self) -> Option<&'static str> {
        match self {
            Need::FewerThanTwoKeys => Some("the target has fewer than two access keys"),
            Need::TwoKeys => Some("the target has two access keys"),
            Need::LoginProfile => Some("the target has a console password"),
            Need::NoLoginProfile => Some("the target has no console password"),
            _ => None,
        }
    }
}

/// What an action is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum On {
    Itself,
    Target,
    Policy,
    Group,
    NewRole,
    /// For each of these patterns, some resource that matches it.
    Any(Vec<String>),
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) action: String,
    pub(crate) on: On,
}

/// A method.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) principals: Option<Kind>,
    pub(crate) targets: Targets,
    pub(crate) gains: Gains,
    pub(crate) services: Vec<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) needs: Vec<Need>,
    pub(crate) requires: Option<String>,
}

/// The content of `escalation.json`.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) rules: Vec<Rule>,
    /// Patterns of actions that do not count as more permissions.
    telemetry: Vec<String>,
}

/// The rules.
pub(crate) static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let file: Value = serde_json::from_str(include_str!("escalation.json")).expect("the rules are JSON");
    let rules = file["rules"].as_array().expect("there is a list of rules").iter();
    Rules { rules: rules.map(rule).collect(), telemetry: texts(&file["telemetry"]) }
});

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn rule(rule: &Value) -> Rule {
    let text = |name: &str| rule[name].as_str().map(str::to_owned);
    let known = |name: &str| text(name).unwrap_or_else(|| panic!("{rule}: {name} is missing"));
    let step = |step: &Value| Step {
        action: step["action"].as_str().expect("a step has an action").to_owned(),
        on: match step["on"].as_str() {
            None => On::Any(texts(&step["on"])),
            Some("self") => On::Itself,
            Some("target") => On::Target,
            Some("policy") => On::Policy,
            Some("group") => On::Group,
            Some("new role") => On::NewRole,
            Some(other) => panic!("{rule}: an action on `{other}`"),
        },
    };
    let need = |need: String| match need.as_str() {
        "instance profile" => Need::InstanceProfile,
        "no instance profile" => Need::NoInstanceProfile,
        "ssm agent" => Need::SsmAgent,
        "trust rewritten" => Need::TrustRewritten,
        "autoscaling service-linked role" => Need::AutoScaling,
        "fewer than two access keys" => Need::FewerThanTwoKeys,
        "two access keys" => Need::TwoKeys,
        "login profile" => Need::LoginProfile,
        "no login profile" => Need::NoLoginProfile,
        other => panic!("{rule}: it needs `{other}`"),
    };
    let principals = texts(&rule["principals"]);
    Rule {
        id: known("id"),
        name: known("name"),
        category: known("category"),
        principals: match principals.first().map(String::as_str) {
            Some("user") => Some(Kind::User),
            Some("role") => Some(Kind::Role),
            _ => None,
        },
        targets: match known("target").as_str() {
            "self" => Targets::Itself,
            "own policy" => Targets::OwnPolicy,
            "own group" => Targets::OwnGroup,
            "other group" => Targets::OtherGroup,
            "user" => Targets::User,
            "role" => Targets::Role,
            "role and its policy" => Targets::RoleAndPolicy,
            "assumable role" => Targets::AssumableRole,
            "passed role" | "role of a resource" => Targets::ServiceRole,
            "new role" => Targets::NewRole,
            other => panic!("{rule}: the target `{other}`"),
        },
        gains: match known("gains").as_str() {
            "administrator" => Gains::Administrator,
            "group" => Gains::Group,
            "target" => Gains::Target,
            "target as administrator" => Gains::TargetAsAdministrator,
            "new role" => Gains::NewRole,
            other => panic!("{rule}: it gains `{other}`"),
        },
        services: texts(&rule["services"]),
        steps: rule["steps"].as_array().expect("a rule has steps").iter().map(step).collect(),
        needs: texts(&rule["needs"]).into_iter().map(need).collect(),
        requires: text("requires"),
    }
}

/// A step that is allowed, or may be.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) decided: Decided,
}

/// A method that stands.
#[derive(Debug, Clone)]
pub(crate) struct Found<'a> {
    pub(crate) rule: &'static Rule,
    pub(crate) principal: &'a Identity,
    pub(crate) target_kind: &'static str,
    pub(crate) target_arn: String,
    pub(crate) steps: Vec<Done>,
    pub(crate) decision: Decision,
    pub(crate) keys: Vec<String>,
    /// Whether the principal gets all permissions.
    pub(crate) is_to_administrator: bool,
    /// What the target user must have, which its policies do not show.
    pub(crate) pending: Vec<Need>,
}

impl Found<'_> {
    /// The step to take away: passing the role, or the first one.
    fn weakest(&self) -> &Done {
        let is_pass = |step: &&Done| step.action == "iam:PassRole";
        self.steps.iter().find(is_pass).unwrap_or(&self.steps[0])
    }

    /// The change that stops it: a statement that denies one step.
    pub(crate) fn breaks(&self) -> String {
        let Done { action, resource, .. } = self.weakest();
        format!("deny {action} on {resource} to {}", self.principal.arn)
    }

    /// The steps with the statements that allow them.
    pub(crate) fn steps(&self) -> Value {
        let step = |done: &Done| {
            json!({
                "action": done.action,
                "resource": done.resource,
                "decision": done.decided.decision.name(),
                "policy": done.decided.policy,
                "statement": done.decided.statement,
                "keys": done.decided.keys,
            })
        };
        self.steps.iter().map(step).collect()
    }
}

/// What a rule is evaluated with.
#[derive(Debug, Clone, Default)]
struct Binding<'a> {
    target: Option<&'a Identity>,
    policy: Option<&'a str>,
    group: Option<&'a Group>,
    new_role: Option<String>,
}

/// Searches the methods of one principal.
pub(crate) struct Search<'a> {
    model: &'a Model,
    graph: &'a Graph,
    account: &'a Account,
    principal: &'a Identity,
    /// What its policies grant, and the layers that limit it. Grants are narrowed to an action before they are limited: patterns
    /// can cross.
    grants: Vec<Grant>,
    limits: Vec<Vec<Grant>>,
    /// The resources of an action within a pattern.
    resources: RefCell<HashMap<(String, String), Vec<String>>>,
    gains: HashMap<(String, Gains), bool>,
    trusting: Option<Target>,
}

/// The methods of a principal. An administrator has none: it has all permissions already.
pub(crate) fn search<'a>(model: &'a Model, graph: &'a Graph, principal: &'a Identity) -> Vec<Found<'a>> {
    let Some(account) = model.account(&principal.account_id) else { return Vec::new() };
    if !principal.is_known || principal.is_administrator() || principal.is_service_linked() {
        return Vec::new();
    }
    let mut search = Search {
        model,
        graph,
        account,
        principal,
        grants: grant::of_identity(principal),
        limits: grant::limits(principal),
        resources: RefCell::default(),
        gains: HashMap::new(),
        trusting: None,
    };
    RULES.rules.iter().flat_map(|rule| search.rule(rule)).collect()
}

impl<'a> Search<'a> {
    fn rule(&mut self, rule: &'static Rule) -> Vec<Found<'a>> {
        if rule.principals.is_some_and(|kind| kind != self.principal.kind) {
            return Vec::new();
        }
        // Trust alone can allow to assume a role; each other action needs a statement of the principal's own policies.
        let has = |step: &Step| !self.resources(&step.action, "*").is_empty();
        if !rule.steps.iter().filter(|step| step.action != "sts:AssumeRole").all(has) {
            return Vec::new();
        }
        // Steps that are the same for all targets, unless their context depends on the target.
        let none = Binding::default();
        let is_fixed = |step: &&Step| matches!(step.on, On::Any(_) | On::Itself) && !depends_on_target(&step.action);
        for step in rule.steps.iter().filter(is_fixed) {
            if self.step(rule, step, &none, None).is_none() {
                return Vec::new();
            }
        }
        self.bindings(rule).into_iter().filter_map(|binding| self.found(rule, binding)).collect()
    }

    fn bindings(&self, rule: &Rule) -> Vec<Binding<'a>> {
        let principal = self.principal;
        let others = |kind: Kind| {
            let others = self.account.identities.iter();
            others.filter(move |other| other.kind == kind && other.arn != principal.arn && !other.is_service_linked())
        };
        let target = |target: &'a Identity| Binding { target: Some(target), ..Binding::default() };
        match rule.targets {
            Targets::Itself => vec![target(principal)],
            Targets::OwnPolicy => {
                let policies = self.account.own_policies(principal);
                policies.map(|policy| Binding { policy: Some(policy), ..target(principal) }).collect()
            }
            Targets::OwnGroup | Targets::OtherGroup => {
                let is_own = rule.targets == Targets::OwnGroup;
                let groups = self.account.groups.iter().filter(|group| principal.groups.contains(&group.arn) == is_own);
                groups.map(|group| Binding { group: Some(group), ..target(principal) }).collect()
            }
            Targets::User => others(Kind::User).map(target).collect(),
            Targets::Role => others(Kind::Role).map(target).collect(),
            Targets::RoleAndPolicy => {
                let of_role = |role: &'a Identity| {
                    let policies = self.account.own_policies(role);
                    policies.map(move |policy| Binding { policy: Some(policy), ..target(role) })
                };
                others(Kind::Role).flat_map(of_role).collect()
            }
            Targets::AssumableRole => {
                let roles = self.graph.next(&principal.arn).filter_map(|(arn, _)| self.model.identity(arn));
                roles.map(target).collect()
            }
            Targets::ServiceRole => others(Kind::Role).map(target).collect(),
            Targets::NewRole => {
                let any = format!("arn:{}:iam::{}:role/*", self.account.partition, self.account.id);
                let of_steps = rule.steps.iter().flat_map(|step| self.resources(&step.action, &any));
                let candidates: BTreeSet<String> = of_steps.collect();
                candidates.into_iter().map(|role| Binding { new_role: Some(role), ..Binding::default() }).collect()
            }
        }
    }

    /// The resources within a pattern that the principal's statements name for an action.
    fn resources(&self, action: &str, within: &str) -> Vec<String> {
        let key = (action.to_owned(), within.to_owned());
        if let Some(known) = self.resources.borrow().get(&key) {
            return known.clone();
        }
        let of_action = self.grants.iter().filter_map(|grant| grant.for_action(action));
        let narrowed = of_action.flat_map(|grant| grant.for_resource(within)).collect();
        let limited = grant::limited(&self.limits, narrowed);
        let all: BTreeSet<String> = limited.into_iter().map(|grant| grant.resource).collect();
        let all: Vec<String> = all.into_iter().collect();
        self.resources.borrow_mut().insert(key, all.clone());
        all
    }

    fn found(&mut self, rule: &'static Rule, binding: Binding<'a>) -> Option<Found<'a>> {
        let mut best: Option<(Vec<Done>, Option<Decided>)> = None;
        if rule.services.is_empty() {
            best = Some((self.steps(rule, &binding, None)?, None));
        } else {
            // The service that the role trusts is the one that it is passed to.
            let role = binding.target?;
            let target = role.as_target.as_deref()?;
            let names = rule.services.iter().flat_map(|of| Partition::principals(&self.account.partition, of));
            for service in names {
                let trust = assume::by_service(target, &service, role, self.account).filter(Decided::is_possible);
                let Some(trust) = trust else { continue };
                let Some(steps) = self.steps(rule, &binding, Some(&service)) else { continue };
                let is_better =
                    best.as_ref().is_none_or(|(known, of)| least(known, of.as_ref()) < least(&steps, Some(&trust)));
                if is_better {
                    best = Some((steps, Some(trust)));
                }
            }
        }
        let (mut steps, trust) = best?;
        let mut others: Vec<Decided> = trust.into_iter().collect();
        let mut pending = Vec::new();
        for need in &rule.needs {
            match need {
                Need::InstanceProfile if binding.target?.instance_profiles.is_empty() => return None,
                Need::NoInstanceProfile if !binding.target?.instance_profiles.is_empty() => return None,
                Need::InstanceProfile | Need::NoInstanceProfile => {}
                Need::SsmAgent if binding.target?.may("ssmmessages:CreateControlChannel", "*") == 0 => return None,
                Need::SsmAgent => {}
                Need::TrustRewritten => others.push(self.assume_trusting(binding.target?)?),
                Need::AutoScaling => {
                    if self.account.role_named("AWSServiceRoleForAutoScaling").is_none() {
                        let resource =
                            "arn:{partition}:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/*";
                        let action = "iam:CreateServiceLinkedRole".to_owned();
                        let step = Step { action, on: On::Any(vec![resource.to_owned()]) };
                        steps.extend(self.step(rule, &step, &binding, None)?);
                    }
                }
                Need::FewerThanTwoKeys | Need::TwoKeys | Need::LoginProfile | Need::NoLoginProfile => {
                    pending.push(*need);
                }
            }
        }
        if !self.gains(rule.gains, &binding) {
            return None;
        }
        let all = || steps.iter().map(|step| &step.decided).chain(&others);
        let is_certain = all().all(|decided| decided.decision == Decision::Allowed);
        let decision = if is_certain { Decision::Allowed } else { Decision::Depends };
        let keys: BTreeSet<String> = all().flat_map(|decided| decided.keys.iter().cloned()).collect();
        let (target_kind, target_arn) = match (&binding, rule.targets) {
            (Binding { group: Some(group), .. }, _) => ("group", group.arn.clone()),
            (Binding { policy: Some(policy), .. }, Targets::OwnPolicy) => ("policy", (*policy).to_owned()),
            (Binding { target: Some(target), .. }, _) => (target.kind.name(), target.arn.clone()),
            (Binding { new_role, .. }, _) => ("role", new_role.clone().unwrap_or_default()),
        };
        Some(Found {
            is_to_administrator: self.is_to_administrator(rule.gains, &binding),
            rule,
            principal: self.principal,
            target_kind,
            target_arn,
            steps,
            decision,
            keys: keys.into_iter().collect(),
            pending,
        })
    }

    /// All steps of a rule; `None` if one is not allowed.
    fn steps(&self, rule: &Rule, binding: &Binding<'a>, service: Option<&str>) -> Option<Vec<Done>> {
        let mut all = Vec::new();
        for step in &rule.steps {
            let mut done = self.step(rule, step, binding, service)?;
            if let On::Any(patterns) = &step.on {
                let context = self.context(rule, step, binding, service);
                for (done, pattern) in done.iter_mut().zip(patterns) {
                    if let Some(resource) = self.common(rule, pattern, binding, service)? {
                        done.decided = self.decide(&step.action, &resource, &context)?;
                        done.resource = resource;
                    }
                }
            }
            all.extend(done);
        }
        Some(all)
    }

    /// The resource of several steps on the same pattern: what is created is then used. `None` if no resource will do for all
    /// of them; nothing in it if at most one step has the pattern.
    fn common(
        &self,
        rule: &Rule,
        pattern: &str,
        binding: &Binding<'a>,
        service: Option<&str>,
    ) -> Option<Option<String>> {
        let has = |step: &&Step| matches!(&step.on, On::Any(patterns) if patterns.iter().any(|of| of == pattern));
        let steps: Vec<&Step> = rule.steps.iter().filter(has).collect();
        if steps.len() < 2 || pattern == "*" {
            return Some(None);
        }
        let within = self.filled(pattern);
        let mut candidates = vec![within.clone()];
        for step in &steps {
            let of_step = self.resources(&step.action, &within);
            let both =
                candidates.iter().flat_map(|one| of_step.iter().flat_map(|other| grant::intersection(one, other)));
            candidates = both.collect::<BTreeSet<String>>().into_iter().collect();
        }
        let certainty = |resource: &String| {
            let decided = steps.iter().map(|step| {
                let context = self.context(rule, step, binding, service);
                self.decide(&step.action, resource, &context).map_or(0, |decided| rank(decided.decision))
            });
            decided.min().unwrap_or(0)
        };
        let best =
            candidates.into_iter().map(|resource| (certainty(&resource), resource)).max_by_key(|(rank, _)| *rank);
        best.filter(|(rank, _)| *rank > 0).map(|(_, resource)| Some(resource))
    }

    /// A pattern of a rule, in the principal's account.
    fn filled(&self, pattern: &str) -> String {
        pattern.replace("{partition}", &self.account.partition).replace("{account}", &self.account.id)
    }

    fn step(&self, rule: &Rule, step: &Step, binding: &Binding<'a>, service: Option<&str>) -> Option<Vec<Done>> {
        let context = self.context(rule, step, binding, service);
        let resource = match &step.on {
            On::Any(patterns) => {
                return patterns.iter().map(|pattern| self.somewhere(&step.action, pattern, &context)).collect();
            }
            On::Itself => self.principal.arn.clone(),
            On::Target if step.action == "sts:AssumeRole" => {
                let role = &binding.target?.arn;
                let decided = self.graph.direct(&self.principal.arn, role)?.clone();
                return Some(vec![Done { action: step.action.clone(), resource: role.clone(), decided }]);
            }
            On::Target => binding.target?.arn.clone(),
            On::Policy => binding.policy?.to_owned(),
            On::Group => binding.group?.arn.clone(),
            On::NewRole => binding.new_role.clone()?,
        };
        let decided = self.decide(&step.action, &resource, &context)?;
        Some(vec![Done { action: step.action.clone(), resource, decided }])
    }

    fn decide(&self, action: &str, resource: &str, context: &Context) -> Option<Decided> {
        let target = &self.account.resources.plain;
        let decided = self.principal.decide(target, action, resource, Some(&self.account.id), context);
        decided.ok().flatten().filter(Decided::is_possible)
    }

    /// Some resource within a pattern on which an action is allowed.
    fn somewhere(&self, action: &str, pattern: &str, context: &Context) -> Option<Done> {
        let pattern = self.filled(pattern);
        let done = |resource: String| {
            let is_resource = resource == "*" || resource.starts_with("arn:");
            let resource = if is_resource { resource } else { "*".to_owned() };
            let decided = self.decide(action, &resource, context)?;
            Some(Done { action: action.to_owned(), resource, decided })
        };
        let all = self.resources(action, &pattern).into_iter().filter_map(done);
        all.max_by_key(|done| rank(done.decided.decision))
    }

    /// The keys of a step that are known: the caller chooses some of them.
    fn context(&self, rule: &Rule, step: &Step, binding: &Binding<'a>, service: Option<&str>) -> Context {
        let mut context = self.principal.context.clone();
        let role = binding.target;
        match step.action.as_str() {
            "iam:PassRole" => {
                if let Some(service) = service {
                    context = context.with("iam:PassedToService", [service]);
                }
            }
            "iam:AttachUserPolicy" | "iam:AttachRolePolicy" | "iam:AttachGroupPolicy" => {
                context = context.with("iam:PolicyARN", [administrator(&self.account.partition)]);
            }
            "iam:CreateServiceLinkedRole" => {
                context = context.with("iam:AWSServiceName", ["autoscaling.amazonaws.com"]);
            }
            "ec2:RunInstances" if rule.steps.iter().any(|step| step.action == "ec2:AssociateIamInstanceProfile") => {
                context = context.with::<&str>("ec2:InstanceProfile", []);
            }
            "ec2:RunInstances" | "ec2:AssociateIamInstanceProfile" => {
                if let Some(profile) = role.and_then(|role| role.instance_profiles.first()) {
                    context = context.with("ec2:InstanceProfile", [profile.as_str()]);
                }
            }
            "cloudformation:CreateStack" | "cloudformation:UpdateStack" | "cloudformation:CreateChangeSet" => {
                if let Some(role) = role {
                    context = context.with("cloudformation:RoleArn", [role.arn.as_str()]);
                }
            }
            _ => {}
        }
        let on = match step.on {
            On::Itself => Some(self.principal),
            On::Target => binding.target,
            On::NewRole => {
                return context.with::<&str>("iam:PermissionsBoundary", []);
            }
            _ => None,
        };
        if let Some(on) = on.filter(|_| step.action.starts_with("iam:")) {
            let boundary = on.boundary.iter().map(|boundary| boundary.name.as_str());
            context = context.with("iam:PermissionsBoundary", boundary);
            for start in ["aws:ResourceTag/", "iam:ResourceTag/"] {
                context = context.complete(start);
                for (key, value) in &on.tags {
                    context = context.with(&format!("{start}{key}"), [value.as_str()]);
                }
            }
        }
        context
    }

    /// Whether the principal could assume a role whose trust policy names it.
    fn assume_trusting(&mut self, role: &Identity) -> Option<Decided> {
        let trusting = self.trusting.get_or_insert_with(|| {
            let policy = json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": self.principal.arn}, "Action": "sts:AssumeRole"},
            ]});
            let policy = Policy::parse(&policy.to_string(), Layer::Resource).expect("it is a policy");
            let name = "the rewritten trust policy".to_owned();
            let trust = PolicySet::new([(name, policy)]);
            let levels = self.account.resource_controls.iter();
            levels.fold(Target::default().policy(trust), |target, level| {
                target.resource_controls(PolicySet::of([Arc::clone(level)]))
            })
        });
        let context = &self.principal.context;
        let decided = self.principal.decide(trusting, "sts:AssumeRole", &role.arn, Some(&self.account.id), context);
        decided.ok().flatten().filter(Decided::is_possible)
    }

    /// Whether the principal gets permissions that it does not have.
    fn gains(&mut self, gains: Gains, binding: &Binding<'a>) -> bool {
        let of = match (gains, binding) {
            (Gains::Target | Gains::TargetAsAdministrator, Binding { target: Some(target), .. }) => &*target.arn,
            (Gains::Group, Binding { group: Some(group), .. }) => &*group.arn,
            _ => "",
        };
        let key = (of.to_owned(), gains);
        if let Some(known) = self.gains.get(&key) {
            return *known;
        }
        let answer = self.compute_gains(gains, binding);
        self.gains.insert(key, answer);
        answer
    }

    fn compute_gains(&mut self, gains: Gains, binding: &Binding<'a>) -> bool {
        let everything = Grant { action: "*".into(), not_actions: None, resource: "*".into(), not_resources: None };
        match gains {
            // The principal is not an administrator, and the new role has no boundary.
            Gains::NewRole => true,
            Gains::Administrator => {
                let caller = self.account.as_administrator(self.principal);
                self.has_less(self.principal, &grant::effective(self.principal, &caller, &[everything]))
            }
            Gains::Group => {
                let Some(group) = binding.group else { return false };
                let grants = grant::of_policies(group.policies.iter().map(|policy| &**policy));
                let caller = self.in_group(group);
                self.has_less(self.principal, &grant::effective(self.principal, &caller, &grants))
            }
            Gains::Target => {
                let Some(target) = binding.target else { return false };
                if !target.is_known {
                    return false;
                }
                self.has_less(target, target.effective())
            }
            Gains::TargetAsAdministrator => {
                let Some(target) = binding.target else { return false };
                let caller = self.account.as_administrator(target);
                self.has_less(target, &grant::effective(target, &caller, &[everything]))
            }
        }
    }

    /// The principal as a member of another group.
    fn in_group(&self, group: &Group) -> Caller {
        let policies = self.principal.policies.iter().chain(&group.policies);
        self.principal.caller.clone().identity(PolicySet::of(policies.map(|policy| policy.set.clone())))
    }

    /// Whether the policies of the principal do not allow one of some permissions, which belong to an identity. What they deny is
    /// not compared: a deny never makes an escalation.
    fn has_less(&mut self, of: &Identity, permissions: &[grant::Effective]) -> bool {
        let principal = self.principal;
        let account = &self.account.id;
        let is_telemetry = |grant: &Grant| RULES.telemetry.iter().any(|pattern| grant::covers(pattern, &grant.action));
        permissions.iter().filter(|permission| !is_telemetry(&permission.grant)).any(|permission| {
            // What a role may do in its own account, a principal of another account may not.
            of.account_id != *account || {
                let target = &principal.resources.uncontrolled;
                let own = grant::decide(principal.undenied(), target, &permission.grant, principal);
                own.map_or(0, |own| rank(own.decision)) < rank(permission.decided.decision)
            }
        })
    }

    /// Whether the principal gets all permissions.
    fn is_to_administrator(&self, gains: Gains, binding: &Binding<'a>) -> bool {
        let everywhere = |caller: &Caller, of: &Identity| {
            let everything = ["*", "iam:*", "sts:*"].map(|action| Grant {
                action: action.to_owned(),
                not_actions: None,
                resource: "*".to_owned(),
                not_resources: None,
            });
            everything.iter().all(|grant| {
                let decided = grant::decide(caller, &of.resources.delegating, grant, of);
                decided.is_some_and(|decided| decided.is_possible())
            })
        };
        match (gains, binding.target, binding.group) {
            (Gains::Administrator, ..) => everywhere(&self.account.as_administrator(self.principal), self.principal),
            (Gains::Group, _, Some(group)) => everywhere(&self.in_group(group), self.principal),
            (Gains::Target, Some(target), _) => target.is_administrator(),
            (Gains::TargetAsAdministrator, Some(target), _) => {
                everywhere(&self.account.as_administrator(target), target)
            }
            (Gains::NewRole, ..) => true,
            _ => false,
        }
    }
}

/// Whether the context of an action depends on the target.
fn depends_on_target(action: &str) -> bool {
    let actions = [
        "ec2:RunInstances",
        "ec2:AssociateIamInstanceProfile",
        "cloudformation:CreateStack",
        "cloudformation:UpdateStack",
        "cloudformation:CreateChangeSet",
    ];
    actions.contains(&action)
}

/// How certain some steps and a trust are.
fn least(steps: &[Done], trust: Option<&Decided>) -> u8 {
    let decisions = steps.iter().map(|step| &step.decided).chain(trust).map(|decided| rank(decided.decision));
    decisions.min().unwrap_or(0)
}
