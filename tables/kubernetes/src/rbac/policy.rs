//! Roles and bindings, and what they allow. The rules are those of kube-apiserver's RBAC authorizer
//! (`plugin/pkg/auth/authorizer/rbac` and `pkg/apis/rbac/v1/evaluation_helpers.go`), compared with it by
//! `tests/kubernetes_access.rs`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// In a rule, all verbs, groups or resources.
pub(crate) const ALL: &str = "*";
/// Members of this group may do everything, without any binding.
pub(crate) const MASTERS: &str = "system:masters";

/// One rule of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rule {
    pub(crate) verbs: Vec<Arc<str>>,
    pub(crate) groups: Vec<Arc<str>>,
    /// Resources, with or without a subresource: `pods`, `pods/log`, `*/scale`, `*`.
    pub(crate) resources: Vec<Arc<str>>,
    /// The objects that it is limited to; empty for all.
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) urls: Vec<Arc<str>>,
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// A resource. Empty texts stand for the core group, no subresource, no name and no namespace.
    Resource {
        group: &'a str,
        /// The resource with its subresource.
        combined: Cow<'a, str>,
        subresource: &'a str,
        name: &'a str,
        namespace: &'a str,
    },
    /// A path that is not a resource.
    Url(&'a str),
}

impl<'a> Target<'a> {
    pub(crate) fn resource(
        group: &'a str,
        resource: &'a str,
        subresource: &'a str,
        name: &'a str,
        namespace: &'a str,
    ) -> Self {
        let combined = if subresource.is_empty() {
            Cow::Borrowed(resource)
        } else {
            Cow::Owned(format!("{resource}/{subresource}"))
        };
        Target::Resource { group, combined, subresource, name, namespace }
    }
}

impl Rule {
    /// Whether it allows a request. Everything is compared exactly, and `*` in a request is no wildcard.
    pub(crate) fn allows(&self, verb: &str, target: &Target<'_>) -> bool {
        has(&self.verbs, verb)
            && match target {
                Target::Resource { group, combined, subresource, name, .. } => {
                    has(&self.groups, group)
                        && self.resources.iter().any(|rule| covers(rule, combined, subresource))
                        && (self.names.is_empty() || self.names.iter().any(|rule| **rule == **name))
                }
                Target::Url(path) => self.urls.iter().any(|rule| covers_url(rule, path)),
            }
    }

    /// Whether it allows a verb on a resource, at least on objects of some name.
    pub(crate) fn allows_some(&self, verb: &str, group: &str, combined: &str, subresource: &str) -> bool {
        has(&self.verbs, verb)
            && has(&self.groups, group)
            && self.resources.iter().any(|rule| covers(rule, combined, subresource))
    }
}

fn has(rule: &[Arc<str>], value: &str) -> bool {
    rule.iter().any(|rule| &**rule == ALL || &**rule == value)
}

/// Whether a rule's resource covers a request's. `*/scale` is the subresource of all resources; `pods/*` has no special
/// meaning.
pub(crate) fn covers(rule: &str, combined: &str, subresource: &str) -> bool {
    rule == ALL
        || rule == combined
        || (!subresource.is_empty() && rule.strip_prefix("*/").is_some_and(|rule| rule == subresource))
}

/// Whether a rule's URL covers a path. A `*` at the end is any text, also without a `/` before it.
fn covers_url(rule: &str, path: &str) -> bool {
    rule == path || (rule.ends_with('*') && path.starts_with(rule.trim_end_matches('*')))
}

/// Prefix of the user names of service accounts.
pub(crate) const ACCOUNT: &str = "system:serviceaccount:";

/// User name of a service account.
pub(crate) fn account(namespace: &str, name: &str) -> String {
    format!("{ACCOUNT}{namespace}:{name}")
}

/// Namespace and name in the user name of a service account.
pub(crate) fn account_of(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(ACCOUNT)?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

/// A user or group that a binding names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    User(Arc<str>),
    Group(Arc<str>),
    ServiceAccount { namespace: Arc<str>, name: Arc<str> },
}

impl Subject {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Subject::User(_) => "User",
            Subject::Group(_) => "Group",
            Subject::ServiceAccount { .. } => "ServiceAccount",
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        match self {
            Subject::User(name) | Subject::Group(name) | Subject::ServiceAccount { name, .. } => name,
        }
    }

    pub(crate) fn namespace(&self) -> Option<&Arc<str>> {
        match self {
            Subject::ServiceAccount { namespace, .. } => Some(namespace),
            Subject::User(_) | Subject::Group(_) => None,
        }
    }

    /// The text that the functions take for it.
    pub(crate) fn text(&self) -> String {
        match self {
            Subject::User(name) => format!("user:{name}"),
            Subject::Group(name) => format!("group:{name}"),
            Subject::ServiceAccount { namespace, name } => account(namespace, name),
        }
    }
}

/// A user's name and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) groups: Vec<String>,
}

/// A role or cluster role.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Role {
    /// `None` for a cluster role.
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) name: Arc<str>,
    pub(crate) rules: Vec<Rule>,
}

impl Role {
    pub(crate) fn kind(&self) -> &'static str {
        if self.namespace.is_some() { "Role" } else { "ClusterRole" }
    }
}

/// A role binding or cluster role binding.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Binding {
    /// `None` for a cluster role binding.
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) name: Arc<str>,
    pub(crate) subjects: Vec<Subject>,
    /// Position of its role; `None` if that does not exist.
    pub(crate) role: Option<usize>,
}

impl Binding {
    pub(crate) fn kind(&self) -> &'static str {
        if self.namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" }
    }
}

/// Positions of the bindings of one subject.
#[derive(Debug, Default)]
struct Bound {
    everywhere: Vec<usize>,
    namespaces: HashMap<Arc<str>, Vec<usize>>,
}

/// The roles and bindings of a cluster, indexed.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    roles: Vec<Role>,
    bindings: Vec<Binding>,
    /// By user name; service accounts have one, too.
    users: HashMap<Arc<str>, Bound>,
    groups: HashMap<Arc<str>, Bound>,
    /// For each role, its bindings.
    bindings_of_roles: Vec<Vec<usize>>,
    /// Whether some roles or bindings could not be read, so that what is not allowed is unknown.
    pub(crate) is_incomplete: bool,
}

/// Why a request is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Allowed<'a> {
    /// The user is in the group `system:masters`.
    Masters,
    Binding(&'a Binding),
}

impl Policy {
    pub(crate) fn new(roles: Vec<Role>, bindings: Vec<Binding>) -> Self {
        let mut policy = Policy { bindings_of_roles: vec![Vec::new(); roles.len()], ..Policy::default() };
        for (position, binding) in bindings.iter().enumerate() {
            // A binding without its role grants nothing.
            let Some(role) = binding.role else { continue };
            policy.bindings_of_roles[role].push(position);
            for subject in &binding.subjects {
                let bound = match subject {
                    Subject::User(name) => policy.users.entry(name.clone()),
                    Subject::Group(name) => policy.groups.entry(name.clone()),
                    Subject::ServiceAccount { namespace, name } => policy.users.entry(account(namespace, name).into()),
                };
                let bound = bound.or_default();
                let list = match &binding.namespace {
                    Some(namespace) => bound.namespaces.entry(namespace.clone()).or_default(),
                    None => &mut bound.everywhere,
                };
                if list.last() != Some(&position) {
                    list.push(position);
                }
            }
        }
        Policy { roles, bindings, ..policy }
    }

    pub(crate) fn roles(&self) -> &[Role] {
        &self.roles
    }

    pub(crate) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The role of a binding.
    pub(crate) fn role(&self, binding: &Binding) -> Option<&Role> {
        binding.role.map(|role| &self.roles[role])
    }

    pub(crate) fn bindings_of(&self, role: usize) -> impl Iterator<Item = &Binding> {
        self.bindings_of_roles[role].iter().map(|binding| &self.bindings[*binding])
    }

    /// Decides a request: the first binding that allows it.
    pub(crate) fn allows(&self, identity: &Identity, verb: &str, target: &Target<'_>) -> Option<Allowed<'_>> {
        if identity.groups.iter().any(|group| group == MASTERS) {
            return Some(Allowed::Masters);
        }
        let namespace = match target {
            Target::Resource { namespace, .. } => *namespace,
            Target::Url(_) => "",
        };
        let allows = |position: &usize| {
            let binding = &self.bindings[*position];
            let role = self.role(binding)?;
            role.rules.iter().any(|rule| rule.allows(verb, target)).then_some(Allowed::Binding(binding))
        };
        let everywhere = self.bound(identity).flat_map(|bound| &bound.everywhere).find_map(allows);
        everywhere.or_else(|| {
            self.bound(identity).filter_map(|bound| bound.namespaces.get(namespace)).flatten().find_map(allows)
        })
    }

    fn bound<'a>(&'a self, identity: &'a Identity) -> impl Iterator<Item = &'a Bound> {
        let groups = identity.groups.iter().filter_map(|group| self.groups.get(group.as_str()));
        self.users.get(identity.user.as_str()).into_iter().chain(groups)
    }

    /// The bindings that apply to a user or to one of its groups, each once, in their order.
    pub(crate) fn bindings_for(&self, identity: &Identity) -> Vec<&Binding> {
        let mut positions: Vec<usize> = self
            .bound(identity)
            .flat_map(|bound| bound.everywhere.iter().chain(bound.namespaces.values().flatten()))
            .copied()
            .collect();
        positions.sort_unstable();
        positions.dedup();
        positions.into_iter().map(|position| &self.bindings[position]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<Arc<str>> {
        texts.iter().map(|text| Arc::from(*text)).collect()
    }

    fn rule(verbs: &[&str], groups: &[&str], resources: &[&str], names: &[&str]) -> Rule {
        let (verbs, groups) = (texts(verbs), texts(groups));
        Rule { verbs, groups, resources: texts(resources), names: texts(names), urls: Vec::new() }
    }

    /// Each rule of the documented behaviour, with requests that it allows and requests that it does not: verb, group,
    /// resource, subresource, name.
    #[test]
    fn a_rule_allows_exactly_what_it_says() {
        type Request = (&'static str, &'static str, &'static str, &'static str, &'static str);
        let cases: &[(&str, Rule, &[Request], &[Request])] = &[
            (
                "a plain rule",
                rule(&["get", "list"], &[""], &["pods"], &[]),
                &[("get", "", "pods", "", ""), ("list", "", "pods", "", "x"), ("get", "", "pods", "", "x")],
                &[
                    ("watch", "", "pods", "", ""),
                    ("GET", "", "pods", "", ""),
                    ("get", "apps", "pods", "", ""),
                    ("get", "", "Pods", "", ""),
                    ("get", "", "pods", "log", ""),
                    ("*", "", "pods", "", ""),
                    ("get", "*", "pods", "", ""),
                    ("get", "", "*", "", ""),
                ],
            ),
            (
                "all verbs",
                rule(&["*"], &[""], &["pods"], &[]),
                &[("get", "", "pods", "", ""), ("anything", "", "pods", "", ""), ("*", "", "pods", "", "")],
                &[("get", "", "pods", "log", ""), ("*", "apps", "pods", "", "")],
            ),
            (
                "all groups",
                rule(&["get"], &["*"], &["deployments"], &[]),
                &[
                    ("get", "", "deployments", "", ""),
                    ("get", "apps", "deployments", "", ""),
                    ("get", "*", "deployments", "", ""),
                ],
                &[("get", "apps", "deployments", "scale", "")],
            ),
            (
                "all resources, with their subresources",
                rule(&["get"], &[""], &["*"], &[]),
                &[
                    ("get", "", "pods", "", ""),
                    ("get", "", "pods", "log", "x"),
                    ("get", "", "*", "", ""),
                    ("get", "", "pods/log", "", ""),
                ],
                &[("get", "apps", "deployments", "", "")],
            ),
            (
                "one subresource of all resources",
                rule(&["update"], &["apps"], &["*/scale"], &[]),
                &[
                    ("update", "apps", "deployments", "scale", ""),
                    ("update", "apps", "x", "scale", "n"),
                    // As a question of its own, it is the literal text.
                    ("update", "apps", "*/scale", "", ""),
                ],
                &[
                    ("update", "apps", "deployments", "", ""),
                    ("update", "apps", "deployments/scale", "", ""),
                    ("update", "apps", "scale", "", ""),
                    ("update", "apps", "deployments", "status", ""),
                    ("update", "apps", "deployments", "upscale", ""),
                    ("update", "apps", "*", "", ""),
                ],
            ),
            (
                "`pods/*` is only that text",
                rule(&["get"], &[""], &["pods/*"], &[]),
                &[("get", "", "pods", "*", ""), ("get", "", "pods/*", "", "")],
                &[("get", "", "pods", "log", ""), ("get", "", "pods", "", "")],
            ),
            (
                "a subresource",
                rule(&["get"], &[""], &["pods/log"], &[]),
                &[("get", "", "pods", "log", ""), ("get", "", "pods/log", "", "")],
                &[("get", "", "pods", "", ""), ("get", "", "pods", "logs", ""), ("get", "", "services", "log", "")],
            ),
            (
                "names",
                rule(&["get", "create"], &[""], &["secrets"], &["a", "b", "*"]),
                &[("get", "", "secrets", "", "a"), ("create", "", "secrets", "", "b"), ("get", "", "secrets", "", "*")],
                &[("get", "", "secrets", "", ""), ("get", "", "secrets", "", "c"), ("get", "", "secrets", "", "A")],
            ),
            (
                "an empty name is a name",
                rule(&["get"], &[""], &["secrets"], &[""]),
                &[("get", "", "secrets", "", "")],
                &[("get", "", "secrets", "", "a")],
            ),
            ("no verbs", rule(&[], &["*"], &["*"], &[]), &[], &[("get", "", "pods", "", ""), ("*", "*", "*", "", "")]),
            ("no groups", rule(&["*"], &[], &["*"], &[]), &[], &[("get", "", "pods", "", "")]),
            (
                "no resources",
                rule(&["*"], &["*"], &[], &[]),
                &[],
                &[("get", "", "pods", "", ""), ("get", "", "", "", "")],
            ),
        ];
        for (what, rule, yes, no) in cases {
            let allows = |(verb, group, resource, subresource, name): &Request| {
                rule.allows(verb, &Target::resource(group, resource, subresource, name, ""))
            };
            yes.iter().for_each(|request| assert!(allows(request), "{what}: {request:?}"));
            no.iter().for_each(|request| assert!(!allows(request), "{what}: {request:?}"));
            assert!(!rule.allows("get", &Target::Url("/healthz")), "{what}: a rule for resources allows no URL");
        }
    }

    #[test]
    fn a_url_ends_in_a_wildcard() {
        for (rule, yes, no) in [
            ("/healthz", &["/healthz"][..], &["/healthz/", "/healthz/a", "/health", "", "/HEALTHZ"][..]),
            ("/healthz/*", &["/healthz/", "/healthz/a", "/healthz/a/b", "/healthz/*"], &["/healthz", "/healthza"]),
            ("/health*", &["/health", "/healthz", "/health/a", "/health*"], &["/healt", "/a/health"]),
            ("/health**", &["/health", "/healthz"], &["/healt"]),
            ("*", &["/", "", "/a/b", "*", "no-slash"], &[]),
            ("/*/a", &["/*/a"], &["/b/a", "/*/", "/"]),
            ("/", &["/"], &["", "/a"]),
        ] {
            let rule = Rule { verbs: texts(&["get"]), urls: texts(&[rule]), ..Rule::default() };
            for path in yes {
                assert!(rule.allows("get", &Target::Url(path)), "{rule:?}: {path}");
                assert!(!rule.allows("head", &Target::Url(path)), "{rule:?}: {path}");
            }
            no.iter().for_each(|path| assert!(!rule.allows("get", &Target::Url(path)), "{rule:?}: {path}"));
            assert!(!rule.allows("get", &Target::resource("", "*", "", "", "")), "{rule:?}");
        }
    }

    fn role(namespace: Option<&str>, name: &str, rules: Vec<Rule>) -> Role {
        Role { namespace: namespace.map(Arc::from), name: name.into(), rules }
    }

    fn binding(namespace: Option<&str>, name: &str, role: Option<usize>, subjects: Vec<Subject>) -> Binding {
        Binding { namespace: namespace.map(Arc::from), name: name.into(), subjects, role }
    }

    fn identity(user: &str, groups: &[&str]) -> Identity {
        Identity { user: user.to_owned(), groups: groups.iter().map(|group| (*group).to_owned()).collect() }
    }

    #[test]
    fn bindings_apply_to_their_subjects_in_their_namespace() {
        let bot = Subject::ServiceAccount { namespace: "shop".into(), name: "bot".into() };
        let policy = Policy::new(
            vec![
                role(None, "reader", vec![rule(&["get"], &[""], &["pods"], &[])]),
                role(Some("shop"), "writer", vec![rule(&["create"], &[""], &["pods"], &[])]),
                role(
                    None,
                    "prober",
                    vec![Rule { verbs: texts(&["get"]), urls: texts(&["/healthz"]), ..Rule::default() }],
                ),
            ],
            vec![
                binding(None, "dangling", None, vec![Subject::User("eve".into())]),
                binding(None, "readers", Some(0), vec![Subject::Group("readers".into()), bot]),
                binding(Some("shop"), "writers", Some(1), vec![Subject::User("eve".into())]),
                binding(Some("shop"), "probers", Some(2), vec![Subject::User("eve".into())]),
            ],
        );
        let by = |identity: &Identity, verb: &str, namespace: &str| match policy.allows(
            identity,
            verb,
            &Target::resource("", "pods", "", "", namespace),
        ) {
            Some(Allowed::Binding(binding)) => binding.name.to_string(),
            Some(Allowed::Masters) => "masters".to_owned(),
            None => "no".to_owned(),
        };
        let eve = identity("eve", &[]);
        assert_eq!(
            [by(&eve, "create", "shop"), by(&eve, "create", "back"), by(&eve, "create", "")],
            ["writers", "no", "no"]
        );
        assert_eq!(by(&identity("eve", &["readers"]), "get", "back"), "readers");
        assert_eq!(by(&identity("readers", &[]), "get", ""), "no", "a user is not the group of its name");
        assert_eq!(by(&identity("", &["eve"]), "create", "shop"), "no", "a group is not the user of its name");
        assert_eq!(by(&identity("system:serviceaccount:shop:bot", &[]), "get", "x"), "readers");
        assert_eq!(by(&identity("system:serviceaccount:back:bot", &[]), "get", "x"), "no");
        assert_eq!(by(&identity("x", &[MASTERS]), "anything", ""), "masters");
        let healthz = Target::Url("/healthz");
        assert_eq!(policy.allows(&eve, "get", &healthz), None, "no role binding applies to a URL");
        assert!(policy.allows(&identity("", &[MASTERS]), "get", &healthz).is_some());
    }

    /// Run it with `--nocapture` for the time of one question.
    #[test]
    fn a_question_over_many_bindings_looks_only_at_those_of_its_subject() {
        const MANY: usize = 10_000;
        let roles = (0..100).map(|number| {
            let verbs = if number == 42 { "delete" } else { "get" };
            role(None, &format!("role{number}"), vec![rule(&[verbs], &[""], &["pods", "secrets"], &[]); 20])
        });
        let bindings = (0..MANY).map(|number| {
            let namespace = format!("n{}", number % 200);
            let subject = match number % 3 {
                0 => Subject::User(format!("u{}", number % 1000).into()),
                1 => Subject::Group(format!("g{}", number % 50).into()),
                _ => Subject::ServiceAccount { namespace: namespace.as_str().into(), name: "bot".into() },
            };
            let namespace = (number % 10 != 0).then_some(namespace.as_str());
            binding(namespace, &format!("b{number}"), Some(number % 100), vec![subject])
        });
        let policy = Policy::new(roles.collect(), bindings.collect());
        let start = std::time::Instant::now();
        let mut allowed = 0;
        for number in 0..MANY {
            let identity = identity(&format!("u{}", number % 1000), &["g1", "system:authenticated"]);
            let namespace = format!("n{}", number % 200);
            allowed += usize::from(
                policy.allows(&identity, "get", &Target::resource("", "pods", "", "", &namespace)).is_some(),
            );
        }
        println!("{MANY} questions over {MANY} bindings: {:?}", start.elapsed());
        let of_one = policy.bindings_for(&identity("u0", &[]));
        assert_eq!(of_one.len(), MANY / 3000 + 1);
        assert!(of_one.iter().all(|binding| binding.subjects == [Subject::User("u0".into())]));
        assert!(allowed > 0 && allowed < MANY, "{allowed}");
    }

    #[test]
    fn a_service_account_is_in_its_user_name() {
        assert_eq!(account_of("system:serviceaccount:shop:bot"), Some(("shop", "bot")));
        for user in
            ["system:serviceaccount:shop", "system:serviceaccount::bot", "system:serviceaccount:a:b:c", "bot", ""]
        {
            assert_eq!(account_of(user), None, "{user}");
        }
    }
}
