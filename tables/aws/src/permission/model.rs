//! Accounts with their identities and policies, compiled.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use aws_sdk_iam::types::{AttachedPolicy, InstanceProfile, ManagedPolicyDetail, PolicyDetail, Tag};
use indago_iam::{Caller, Context, Decision, Layer, Policy, PolicySet, Principal, Request, Target, evaluate};
use indago_table::Error;

use super::decision::{Decided, is_possible, rank};
use super::grant::{self, Effective, Grant};
use super::organization::{Control, Controls};
use super::statement::{Compiled, Statement};
use crate::source::authorization::Authorization;
use crate::source::iam;

/// A policy of AWS that allows everything, as an attacker who can write policies would attach.
pub(crate) fn administrator(partition: &str) -> String {
    format!("arn:{partition}:iam::aws:policy/AdministratorAccess")
}

const EVERYTHING: &str =
    r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

/// Whether an identity is a user or a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    User,
    Role,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Role => "role",
        }
    }
}

/// A user or a role.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) kind: Kind,
    pub(crate) account_id: String,
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// Its policies and those of its groups.
    pub(crate) policies: Vec<Arc<Compiled>>,
    /// ARNs of the managed policies that are attached to it or to its groups.
    pub(crate) attached: Vec<String>,
    pub(crate) boundary: Option<Arc<Compiled>>,
    /// ARNs of the groups of a user.
    pub(crate) groups: Vec<String>,
    /// ARNs of the instance profiles of a role.
    pub(crate) instance_profiles: Vec<String>,
    /// The trust policy of a role.
    pub(crate) trust: Option<Arc<Compiled>>,
    /// The target of requests to become the role; `None` for a user, and if the trust policy is malformed.
    pub(crate) as_target: Option<Arc<Target>>,
    /// The levels of service control policies that apply to it.
    pub(crate) controls: Vec<Arc<Level>>,
    pub(crate) caller: Caller,
    /// The targets of requests on resources of its account.
    pub(crate) resources: Arc<Resources>,
    /// The keys that are known of its requests.
    pub(crate) context: Context,
    /// Whether all of its policies could be read.
    pub(crate) is_known: bool,
    /// What it may do, once computed.
    effective: OnceLock<Vec<Effective>>,
    /// The caller without the statements that deny, once computed.
    undenied: OnceLock<Caller>,
    is_administrator: OnceLock<bool>,
}

/// The targets of requests on resources of an account, compiled once.
#[derive(Debug)]
pub(crate) struct Resources {
    /// A resource without a policy.
    pub(crate) plain: Arc<Target>,
    /// A resource whose policy leaves all decisions to the account.
    pub(crate) delegating: Target,
    /// The same without resource control policies, to compare what policies of identities allow.
    pub(crate) uncontrolled: Target,
}

/// A level of control policies.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) policies: Vec<Arc<Compiled>>,
    set: Arc<PolicySet>,
}

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) arn: String,
    pub(crate) policies: Vec<Arc<Compiled>>,
}

/// Where a policy stands, for `aws_iam_policy_statement`.
#[derive(Debug)]
pub(crate) struct Placed {
    /// `managed`, `inline`, `trust`, `boundary`, `scp`, `rcp`, `resource`.
    pub(crate) kind: &'static str,
    pub(crate) policy_name: Option<String>,
    pub(crate) policy_arn: Option<String>,
    pub(crate) owner_kind: Option<&'static str>,
    pub(crate) owner_arn: Option<String>,
    /// ARNs of users, groups and roles, or IDs of a root, unit or account.
    pub(crate) attached_to: Vec<String>,
    pub(crate) policy: Arc<Compiled>,
}

/// An account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) partition: String,
    /// Its users and roles, by ARN.
    pub(crate) identities: Vec<Identity>,
    by_arn: HashMap<String, usize>,
    pub(crate) groups: Vec<Group>,
    /// Policies of the account itself that are attached to users, groups or roles.
    pub(crate) placed: Vec<Placed>,
    /// The levels of resource control policies.
    pub(crate) resource_controls: Vec<Arc<PolicySet>>,
    pub(crate) resources: Arc<Resources>,
    everything: Arc<PolicySet>,
    /// The root user.
    pub(crate) root: Option<Caller>,
}

type Reports = Vec<(String, Error)>;

impl Account {
    /// Compiles the listing of an account. Malformed policies are reported, each once.
    pub(crate) fn new(
        id: &str,
        partition: &str,
        details: &Authorization,
        controls: &Controls,
        reports: &mut Reports,
    ) -> Account {
        let mut placed = Vec::new();
        let mut managed: HashMap<&str, Arc<Compiled>> = HashMap::new();
        let used = used(details);
        let mut policies: Vec<&ManagedPolicyDetail> = details.policies.values().collect();
        policies.sort_by(|one, other| one.arn.cmp(&other.arn));
        for policy in policies {
            let (Some(arn), Some(text)) = (policy.arn.as_deref(), default_document(policy)) else { continue };
            // Servers may list all policies of AWS, in use or not.
            let compiled = match used.contains(arn) || !iam::is_aws_managed(arn) {
                true => Compiled::new(arn.to_owned(), text, Layer::Identity, reports),
                false => Compiled::unused(arn.to_owned(), text),
            };
            managed.insert(arn, compiled.clone());
            placed.push(Placed {
                kind: "managed",
                policy_name: policy.policy_name.clone(),
                policy_arn: Some(arn.to_owned()),
                owner_kind: None,
                owner_arn: None,
                attached_to: Vec::new(),
                policy: compiled,
            });
        }
        let mut maker = Maker { managed, placed, reports, attached_to: HashMap::new() };

        let mut groups = HashMap::new();
        for group in sorted(&details.groups) {
            let (Some(name), Some(arn)) = (&group.group_name, &group.arn) else { continue };
            let (policies, attached) = maker.policies(
                "group",
                arn,
                group.group_policy_list.as_deref(),
                group.attached_managed_policies.as_deref(),
            );
            groups.insert(name.as_str(), (Group { arn: arn.clone(), policies }, attached));
        }

        let service: Vec<Arc<Level>> =
            controls.service.iter().map(|level| maker.controls("scp", Layer::ServiceControl, level)).collect();
        let resource: Vec<Arc<Level>> =
            controls.resource.iter().map(|level| maker.controls("rcp", Layer::ResourceControl, level)).collect();

        let resource_controls: Vec<Arc<PolicySet>> = resource.iter().map(|level| level.set.clone()).collect();
        let resources = Arc::new(Resources {
            plain: Arc::new(controlled(Target::default(), &resource_controls)),
            delegating: controlled(delegating(id), &resource_controls),
            uncontrolled: delegating(id),
        });
        let mut identities = Vec::new();
        for user in sorted(&details.users) {
            let (Some(name), Some(arn)) = (&user.user_name, &user.arn) else { continue };
            let (mut policies, mut attached) = maker.policies(
                "user",
                arn,
                user.user_policy_list.as_deref(),
                user.attached_managed_policies.as_deref(),
            );
            let mut of_groups = Vec::new();
            for group in user.group_list.iter().flatten() {
                match groups.get(group.as_str()) {
                    Some((group, attached_to_group)) => {
                        policies.extend(group.policies.iter().cloned());
                        attached.extend(attached_to_group.iter().cloned());
                        of_groups.push(group.arn.clone());
                    }
                    None => policies.push(Compiled::missing(format!("group {group} of {arn}"), maker.reports)),
                }
            }
            let boundary = user.permissions_boundary.as_ref().and_then(|of| of.permissions_boundary_arn.as_deref());
            let boundary = boundary.map(|of| maker.boundary("user", arn, of));
            let base = Base { kind: Kind::User, arn, name, id: user.user_id.as_deref(), tags: user.tags.as_deref() };
            identities.extend(base.identity(Parts {
                policies,
                attached,
                boundary,
                controls: &service,
                organization: controls,
                resource_controls: &resource_controls,
                resources: &resources,
                trust: None,
                groups: of_groups,
                instance_profiles: Vec::new(),
            }));
        }
        for role in sorted(&details.roles) {
            let (Some(name), Some(arn)) = (&role.role_name, &role.arn) else { continue };
            let (policies, attached) = maker.policies(
                "role",
                arn,
                role.role_policy_list.as_deref(),
                role.attached_managed_policies.as_deref(),
            );
            let boundary = role.permissions_boundary.as_ref().and_then(|of| of.permissions_boundary_arn.as_deref());
            let boundary = boundary.map(|of| maker.boundary("role", arn, of));
            let trust = role.assume_role_policy_document.as_deref().map(|text| maker.trust(arn, text));
            let profiles = role.instance_profile_list.iter().flatten();
            let instance_profiles = profiles.map(|profile: &InstanceProfile| profile.arn.clone()).collect();
            let base = Base { kind: Kind::Role, arn, name, id: role.role_id.as_deref(), tags: role.tags.as_deref() };
            identities.extend(base.identity(Parts {
                policies,
                attached,
                boundary,
                controls: &service,
                organization: controls,
                resource_controls: &resource_controls,
                resources: &resources,
                trust,
                groups: Vec::new(),
                instance_profiles,
            }));
        }
        identities.sort_by(|one, other| one.arn.cmp(&other.arn));
        let by_arn = identities.iter().enumerate().map(|(position, of)| (of.arn.clone(), position)).collect();

        let Maker { mut placed, attached_to, .. } = maker;
        for policy in &mut placed {
            if let Some(attached) =
                policy.policy_arn.as_ref().and_then(|arn| attached_to.get(arn)).filter(|_| policy.kind == "managed")
            {
                policy.attached_to.clone_from(attached);
            }
        }
        let mut groups: Vec<Group> = groups.into_values().map(|(group, _)| group).collect();
        groups.sort_by(|one, other| one.arn.cmp(&other.arn));
        let root = Principal::parse(&format!("arn:{partition}:iam::{id}:root")).ok();
        let root = root.map(|root| {
            let levels = service.iter().map(|level| PolicySet::of([level.set.clone()]));
            levels.fold(Caller::new(root), Caller::service_controls)
        });
        Account {
            id: id.to_owned(),
            partition: partition.to_owned(),
            root,
            identities,
            by_arn,
            groups,
            placed,
            resource_controls,
            resources,
            everything: everything(partition),
        }
    }

    /// A user or role.
    pub(crate) fn identity(&self, arn: &str) -> Option<&Identity> {
        self.by_arn.get(arn).map(|position| &self.identities[*position])
    }

    /// A role by its name, which is unique in an account.
    pub(crate) fn role_named(&self, name: &str) -> Option<&Identity> {
        self.identities.iter().find(|identity| identity.kind == Kind::Role && identity.name == name)
    }

    /// A customer managed policy, and whether it is attached to an identity.
    pub(crate) fn own_policies<'a>(&'a self, identity: &'a Identity) -> impl Iterator<Item = &'a str> {
        identity.attached.iter().map(String::as_str).filter(|arn| !iam::is_aws_managed(arn))
    }

    /// The policies of a resource with the account's control policies.
    pub(crate) fn target(&self, policy: Option<&Compiled>) -> Arc<Target> {
        match policy {
            Some(policy) => Arc::new(controlled(target_of(policy), &self.resource_controls)),
            None => self.resources.plain.clone(),
        }
    }

    /// An identity that also has all permissions that its boundary and the control policies allow.
    pub(crate) fn as_administrator(&self, identity: &Identity) -> Caller {
        let shared = identity.policies.iter().map(|policy| policy.set.clone()).chain([self.everything.clone()]);
        identity.caller.clone().identity(PolicySet::of(shared))
    }

    /// A principal whose own policies allow everything.
    pub(crate) fn with_all_permissions(&self, principal: Principal) -> Caller {
        Caller::new(principal).identity(PolicySet::of([self.everything.clone()]))
    }

    /// About how much memory it takes.
    pub(crate) fn size(&self) -> usize {
        let of_policies: usize =
            self.placed.iter().map(|placed| placed.policy.size() + size_of::<Placed>() + 200).sum();
        of_policies + self.identities.len() * (size_of::<Identity>() + 1200)
    }
}

/// A resource with a policy.
fn target_of(policy: &Compiled) -> Target {
    Target::default().policy(PolicySet::of([policy.set.clone()]))
}

/// A target with the levels of resource control policies.
fn controlled(target: Target, levels: &[Arc<PolicySet>]) -> Target {
    levels.iter().fold(target, |target, level| target.resource_controls(PolicySet::of([level.clone()])))
}

/// The policy of a resource that allows an account.
fn delegating(account: &str) -> Target {
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "*", "Resource": "*"},
    ]});
    let policy = Policy::parse(&policy.to_string(), Layer::Resource).expect("it is a policy");
    Target::default().policy(PolicySet::new([("the resource's policy".to_owned(), policy)]))
}

fn everything(partition: &str) -> Arc<PolicySet> {
    let policy = Policy::parse(EVERYTHING, Layer::Identity).expect("it is a policy");
    Arc::new(PolicySet::new([(administrator(partition), policy)]))
}

/// The ARNs of the managed policies that are attached, or boundaries.
fn used(details: &Authorization) -> HashSet<&str> {
    let (users, groups, roles) = (details.users.values(), details.groups.values(), details.roles.values());
    let attached = users.clone().map(|user| &user.attached_managed_policies);
    let attached = attached.chain(groups.map(|group| &group.attached_managed_policies));
    let attached = attached.chain(roles.clone().map(|role| &role.attached_managed_policies));
    let attached = attached.flatten().flatten().filter_map(|policy| policy.policy_arn.as_deref());
    let boundaries = users.map(|user| &user.permissions_boundary).chain(roles.map(|role| &role.permissions_boundary));
    attached.chain(boundaries.flatten().filter_map(|of| of.permissions_boundary_arn.as_deref())).collect()
}

/// The default version of a managed policy.
fn default_document(policy: &ManagedPolicyDetail) -> Option<&str> {
    let versions = policy.policy_version_list.as_deref().unwrap_or_default();
    let default = versions.iter().find(|version| version.is_default_version);
    let default = default.or_else(|| versions.iter().find(|version| version.version_id == policy.default_version_id));
    default?.document.as_deref()
}

fn sorted<D>(details: &HashMap<String, D>) -> impl Iterator<Item = &D> {
    let mut details: Vec<(&String, &D)> = details.iter().collect();
    details.sort_by_key(|(name, _)| *name);
    details.into_iter().map(|(_, detail)| detail)
}

/// Compiles the policies of an account, and notes where they stand.
struct Maker<'a> {
    managed: HashMap<&'a str, Arc<Compiled>>,
    placed: Vec<Placed>,
    reports: &'a mut Reports,
    attached_to: HashMap<String, Vec<String>>,
}

impl Maker<'_> {
    /// The policies of a user, group or role, and the ARNs of those that are attached to it.
    fn policies(
        &mut self,
        kind: &'static str,
        arn: &str,
        inline: Option<&[PolicyDetail]>,
        attached: Option<&[AttachedPolicy]>,
    ) -> (Vec<Arc<Compiled>>, Vec<String>) {
        let mut policies = Vec::new();
        for (name, text) in iam::documents(inline) {
            let compiled = Compiled::new(format!("{arn} (inline policy {name})"), &text, Layer::Identity, self.reports);
            policies.push(compiled.clone());
            self.place("inline", Some(name), None, kind, arn, compiled);
        }
        let attached = iam::attached(attached.into_iter().flatten().cloned());
        for policy in &attached {
            let compiled = match self.managed.get(policy.as_str()) {
                Some(compiled) => compiled.clone(),
                None => Compiled::missing(policy.clone(), self.reports),
            };
            policies.push(compiled);
            self.attached_to.entry(policy.clone()).or_default().push(arn.to_owned());
        }
        (policies, attached)
    }

    fn boundary(&mut self, kind: &'static str, arn: &str, policy: &str) -> Arc<Compiled> {
        let compiled = match self.managed.get(policy) {
            Some(compiled) => compiled.clone(),
            None => Compiled::missing(policy.to_owned(), self.reports),
        };
        let name = policy.rsplit('/').next().unwrap_or_default().to_owned();
        self.place("boundary", Some(name), Some(policy.to_owned()), kind, arn, compiled.clone());
        compiled
    }

    fn trust(&mut self, arn: &str, text: &str) -> Arc<Compiled> {
        let compiled = Compiled::new(format!("{arn} (trust policy)"), text, Layer::Resource, self.reports);
        self.place("trust", None, None, "role", arn, compiled.clone());
        compiled
    }

    fn controls(&mut self, kind: &'static str, layer: Layer, level: &[Control]) -> Arc<Level> {
        let mut policies = Vec::new();
        for control in level {
            let known =
                self.placed.iter_mut().find(|of| of.kind == kind && of.policy_arn.as_ref() == Some(&control.arn));
            if let Some(known) = known {
                known.attached_to.push(control.target.clone());
                policies.push(known.policy.clone());
                continue;
            }
            let compiled = Compiled::or_unread(&control.arn, control.text.as_deref(), layer, self.reports);
            policies.push(compiled.clone());
            self.placed.push(Placed {
                kind,
                policy_name: Some(control.name.clone()),
                policy_arn: Some(control.arn.clone()),
                owner_kind: None,
                owner_arn: None,
                attached_to: vec![control.target.clone()],
                policy: compiled,
            });
        }
        let set = Arc::new(PolicySet::of(policies.iter().map(|policy: &Arc<Compiled>| policy.set.clone())));
        Arc::new(Level { policies, set })
    }

    fn place(
        &mut self,
        kind: &'static str,
        policy_name: Option<String>,
        policy_arn: Option<String>,
        owner_kind: &'static str,
        owner_arn: &str,
        policy: Arc<Compiled>,
    ) {
        let owner_arn = Some(owner_arn.to_owned());
        let owner_kind = Some(owner_kind);
        self.placed.push(Placed {
            kind,
            policy_name,
            policy_arn,
            owner_kind,
            owner_arn,
            attached_to: Vec::new(),
            policy,
        });
    }
}

struct Base<'a> {
    kind: Kind,
    arn: &'a str,
    name: &'a str,
    id: Option<&'a str>,
    tags: Option<&'a [Tag]>,
}

struct Parts<'a> {
    policies: Vec<Arc<Compiled>>,
    attached: Vec<String>,
    boundary: Option<Arc<Compiled>>,
    controls: &'a [Arc<Level>],
    organization: &'a Controls,
    resource_controls: &'a [Arc<PolicySet>],
    resources: &'a Arc<Resources>,
    trust: Option<Arc<Compiled>>,
    groups: Vec<String>,
    instance_profiles: Vec<String>,
}

impl Base<'_> {
    fn identity(&self, parts: Parts<'_>) -> Option<Identity> {
        let principal = Principal::parse(self.arn).ok()?;
        let account_id = principal.account()?.to_owned();
        let mut caller =
            Caller::new(principal).identity(PolicySet::of(parts.policies.iter().map(|policy| policy.set.clone())));
        if let Some(boundary) = &parts.boundary {
            caller = caller.boundary(PolicySet::of([boundary.set.clone()]));
        }
        for level in parts.controls {
            caller = caller.service_controls(PolicySet::of([level.set.clone()]));
        }
        let tags: BTreeMap<String, String> =
            self.tags.into_iter().flatten().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        let mut context = Context::default().partial();
        for (key, value) in &tags {
            context = context.with(&format!("aws:PrincipalTag/{key}"), [value.as_str()]);
        }
        // A session can have more tags than its role, if the trust policy allows it.
        let can_tag = parts.trust.as_ref().is_some_and(|trust| trust.statements.iter().any(can_tag_sessions));
        if !can_tag {
            context = context.complete("aws:PrincipalTag/");
        }
        if self.kind == Kind::User
            && let Some(id) = self.id
        {
            context = context.with("aws:userid", [id]);
        }
        if let Some(organization) = &parts.organization.organization {
            context = context.with("aws:PrincipalOrgID", [organization.as_str()]);
        }
        if parts.organization.is_alone {
            context = context.complete("aws:PrincipalOrg");
        }
        let is_known = parts.policies.iter().chain(&parts.boundary).all(|policy| !policy.is_malformed);
        let trust = parts.trust.as_deref().filter(|trust| !trust.is_malformed);
        let as_target = trust.map(|trust| Arc::new(controlled(target_of(trust), parts.resource_controls)));
        Some(Identity {
            kind: self.kind,
            account_id,
            arn: self.arn.to_owned(),
            name: self.name.to_owned(),
            tags,
            policies: parts.policies,
            attached: parts.attached,
            boundary: parts.boundary,
            groups: parts.groups,
            instance_profiles: parts.instance_profiles,
            trust: parts.trust,
            as_target,
            controls: parts.controls.to_vec(),
            caller,
            resources: parts.resources.clone(),
            context,
            is_known,
            effective: OnceLock::new(),
            undenied: OnceLock::new(),
            is_administrator: OnceLock::new(),
        })
    }
}

/// Whether a statement of a trust policy can allow `sts:TagSession`.
fn can_tag_sessions(statement: &Statement) -> bool {
    let names = |action: &String| grant::covers(&action.to_ascii_lowercase(), "sts:tagsession");
    match (&statement.actions, &statement.not_actions) {
        _ if statement.is_deny => false,
        (Some(actions), _) => actions.iter().any(names),
        (None, Some(others)) => !others.iter().any(names),
        (None, None) => false,
    }
}

impl Identity {
    /// Decides a request of the identity. Unknown (`None`) if a policy that matters could not be read.
    pub(crate) fn decide(
        &self,
        target: &Target,
        action: &str,
        resource: &str,
        resource_account: Option<&str>,
        context: &Context,
    ) -> indago_iam::Result<Option<Decided>> {
        let answer = evaluate(&self.caller, target, &Request { action, resource, resource_account, context })?;
        let is_certain = self.is_known || answer.decision == Decision::ExplicitlyDenied;
        Ok(is_certain.then(|| answer.into()))
    }

    /// What it may do with resources of its account, as patterns.
    pub(crate) fn effective(&self) -> &[Effective] {
        self.effective.get_or_init(|| match self.is_known {
            true => grant::effective(self, &self.caller, &grant::of_identity(self)),
            false => Vec::new(),
        })
    }

    /// The caller without the statements that deny.
    pub(crate) fn undenied(&self) -> &Caller {
        self.undenied.get_or_init(|| self.caller.without_denies())
    }

    /// Whether its policies allow everything, whatever they deny. Conditions do not matter: an administrator on some
    /// condition is one.
    pub(crate) fn is_administrator(&self) -> bool {
        *self.is_administrator.get_or_init(|| self.allows_everything())
    }

    fn allows_everything(&self) -> bool {
        let is_everything = |grant: &Grant| grant::covers(&grant.action, "*:*") && grant.resource == "*";
        if !grant::of_identity(self).iter().any(is_everything) {
            return false;
        }
        let target = Target::default();
        let allows = |action: &&str| {
            let (resource, account) = ("*", Some(&*self.account_id));
            let request = Request { action, resource, resource_account: account, context: &self.context };
            evaluate(self.undenied(), &target, &request).is_ok_and(|answer| is_possible(answer.decision))
        };
        ["*:*", "iam:*", "sts:*"].iter().all(allows)
    }

    /// How much it may do an action on a resource of its account; see [`rank`].
    pub(crate) fn may(&self, action: &str, resource: &str) -> u8 {
        let decided = self.decide(&self.resources.plain, action, resource, Some(&self.account_id), &self.context);
        decided.ok().flatten().map_or(0, |decided| rank(decided.decision))
    }

    /// Whether it is a role that only an AWS service can use.
    pub(crate) fn is_service_linked(&self) -> bool {
        self.arn.contains(":role/aws-service-role/")
    }
}

/// The accounts of a query.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) accounts: Vec<Arc<Account>>,
}

impl Model {
    /// Each account once, also if several profiles belong to it.
    pub(crate) fn new(all: impl IntoIterator<Item = Arc<Account>>) -> Model {
        let mut accounts: Vec<Arc<Account>> = Vec::new();
        for account in all {
            if accounts.iter().all(|known| known.id != account.id) {
                accounts.push(account);
            }
        }
        Model { accounts }
    }

    pub(crate) fn account(&self, id: &str) -> Option<&Arc<Account>> {
        self.accounts.iter().find(|account| account.id == id)
    }

    /// A user or role of any account.
    pub(crate) fn identity(&self, arn: &str) -> Option<&Identity> {
        self.account(arn.split(':').nth(4)?)?.identity(arn)
    }

    pub(crate) fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.accounts.iter().flat_map(|account| &account.identities)
    }
}
