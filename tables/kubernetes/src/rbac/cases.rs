//! Cases of RBAC from objects to answers, one line each. Their rules are those that kube-apiserver was seen to apply.

use serde_json::json;

use super::objects::{self, Kind, Rules};
use super::policy::{Policy, Target};
use super::question::{self, Asked};
use super::review::Review;

const RBAC: &str = "rbac.authorization.k8s.io";

/// A cluster with a role for each rule. Role `NAME` is bound to the user `NAME` in all namespaces.
fn cluster() -> Policy {
    let rule = |verbs: &[&str], groups: &[&str], resources: &[&str], names: &[&str]| json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names});
    let urls = |verbs: &[&str], urls: &[&str]| json!({"verbs": verbs, "nonResourceURLs": urls});
    let roles = [
        ("plain", vec![rule(&["get"], &[""], &["pods"], &[])]),
        ("log", vec![rule(&["get"], &[""], &["pods/log"], &[])]),
        ("scale", vec![rule(&["update"], &["apps"], &["*/scale"], &[])]),
        ("literal", vec![rule(&["get"], &[""], &["pods/*"], &[])]),
        ("every", vec![rule(&["*"], &["*"], &["*"], &[])]),
        ("upper", vec![rule(&["GET"], &[""], &["pods"], &[])]),
        ("named", vec![rule(&["get", "create"], &[""], &["secrets"], &["a"])]),
        ("group", vec![rule(&["get"], &["apps"], &["*"], &[])]),
        ("two", vec![rule(&["get"], &[""], &["pods"], &["a"]), rule(&["list"], &[""], &["pods"], &[])]),
        ("health", vec![urls(&["get"], &["/healthz/*"])]),
        ("start", vec![urls(&["get"], &["/health*"])]),
        ("anyurl", vec![urls(&["*"], &["*"])]),
        // A rule for both has only what a rule for one would have.
        ("both", vec![json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "nonResourceURLs": ["/x"]})]),
        ("part-one", vec![rule(&["get"], &[""], &["nodes"], &[])]),
    ];
    let mut objects: Vec<(Kind, serde_json::Value)> = Vec::new();
    let bind = |name: &str, role: &str, kind: &str, namespace: Option<&str>, subject: serde_json::Value| {
        let of = if namespace.is_some() { Kind::RoleBindings } else { Kind::ClusterRoleBindings };
        let metadata = json!({"name": name, "namespace": namespace});
        let role = json!({"apiGroup": RBAC, "kind": kind, "name": role});
        (of, json!({"metadata": metadata, "roleRef": role, "subjects": [subject]}))
    };
    let user = |name: &str| json!({"kind": "User", "apiGroup": RBAC, "name": name});
    for (name, rules) in roles {
        objects
            .push((Kind::ClusterRoles, json!({"metadata": {"name": name, "labels": {"part": name}}, "rules": rules})));
        objects.push(bind(name, name, "ClusterRole", None, user(name)));
    }
    // An aggregated role has the rules that the controller stored, and no others.
    let selectors =
        json!({"clusterRoleSelectors": [{"matchLabels": {"part": "part-one"}}, {"matchLabels": {"part": "log"}}]});
    let stored = json!([rule(&["get"], &[""], &["nodes"], &[])]);
    objects.push((
        Kind::ClusterRoles,
        json!({"metadata": {"name": "whole"}, "aggregationRule": selectors, "rules": stored}),
    ));
    objects.push(bind("whole", "whole", "ClusterRole", None, user("whole")));
    // Roles of namespaces.
    let own = |namespace: &str| json!({"metadata": {"name": "own", "namespace": namespace}, "rules": [rule(&["get"], &[""], &["pods"], &[])]});
    objects.push((Kind::Roles, own("here")));
    let account = |namespace: Option<&str>| json!({"kind": "ServiceAccount", "name": "bot", "namespace": namespace});
    objects.push(bind("own", "own", "Role", Some("here"), user("local")));
    objects.push(bind("other", "own", "Role", Some("there"), user("lost")));
    objects.push(bind("visitor", "own", "Role", Some("here"), account(Some("there"))));
    objects.push(bind("host", "own", "Role", Some("here"), account(None)));
    objects.push(bind("plain-here", "plain", "ClusterRole", Some("here"), user("narrow")));
    objects.push(bind("urls-here", "start", "ClusterRole", Some("here"), user("narrow")));
    // A binding of a role that does not exist grants nothing, and costs no other binding.
    objects.push(bind("dangling", "absent", "ClusterRole", None, user("dangling")));
    objects.push(bind("standing", "plain", "ClusterRole", None, user("dangling")));
    objects.push(bind("cluster-role-in-role", "own", "Role", None, user("wrong")));
    let group = |name: &str| json!({"kind": "Group", "apiGroup": RBAC, "name": name});
    objects.push(bind("all", "health", "ClusterRole", None, group("system:authenticated")));
    objects.push(bind("accounts", "log", "ClusterRole", None, group("system:serviceaccounts:there")));
    objects.push(bind("nobody", "start", "ClusterRole", None, group("system:unauthenticated")));
    let parsed: Vec<_> = objects.iter().map(|(kind, object)| objects::parse(*kind, object, false)).collect();
    assert!(
        parsed.iter().all(|parsed| parsed.problems.is_empty()),
        "{:?}",
        parsed.iter().map(|it| &it.problems).collect::<Vec<_>>()
    );
    objects::policy(parsed, Rules::Stored).policy
}

/// Subject, verb, resource (with its group) or URL, namespace or `-`, name or `-`; and whether it is allowed.
const CASES: &str = "
plain get pods. - - yes
plain get pods. here x yes
plain list pods. - - no
plain get pods./log - - no
plain get pods.apps - - no
plain GET pods. - - no
plain get Pods. - - no
upper GET pods. - - yes
upper get pods. - - no
log get pods./log here x yes
log get pods. here x no
log get pods./logs - - no
scale update deployments.apps/scale here web yes
scale update deployments.apps here web no
scale update deployments.extensions/scale here web no
scale update deployments.apps/status here web no
literal get pods./log - - no
literal get pods./* - - yes
every delete anything.example.com/sub any x yes
every * *.* - - yes
every get /healthz - - no
named get secrets. here a yes
named get secrets. here b no
named get secrets. here - no
named create secrets. here a yes
named create secrets. here - no
group get deployments.apps/scale - - yes
group get deployments. - - no
two get pods. here a yes
two list pods. here - yes
two get pods. here - no
health get /healthz/ping - - yes
health get /healthz - - no
user:else get /healthz/ping - - yes
user:else get /healthz - - no
start get /healthz - - yes
start get /health - - yes
start get /readyz - - no
anyurl post / - - yes
anyurl get pods. - - no
both get pods. - - yes
both get /x - - yes
whole get nodes. - - yes
whole get pods./log - - no
local get pods. here - yes
local get pods. there - no
local get pods. - - no
lost get pods. there - no
lost get pods. here - no
narrow get pods. here x yes
narrow get pods. there x no
narrow get pods. - - no
narrow get /health - - no
system:serviceaccount:there:bot get pods. here - yes
system:serviceaccount:there:bot get pods. there - no
system:serviceaccount:here:bot get pods. here - yes
system:serviceaccount:there:other get pods. here - no
system:serviceaccount:there:other get pods./log - - yes
system:serviceaccount:here:other get pods./log - - no
dangling get pods. - - yes
dangling list pods. - - no
wrong get pods. here - no
system:anonymous get /healthz - - yes
system:anonymous get /readyz - - no
group:system:masters delete nodes. - n yes
group:system:masters get /x - - yes
user:system:masters get nodes. - - no
group:plain get pods. - - no
";

#[test]
fn each_question_has_its_answer() {
    let policy = cluster();
    let mut number = 0;
    for line in CASES.lines().filter(|line| !line.is_empty()) {
        let [subject, verb, resource, namespace, name, answer] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let or_empty = |text: &'static str| if text == "-" { "" } else { text };
        let (namespace, name) = (or_empty(namespace), or_empty(name));
        let identity = question::identity(subject).unwrap();
        let target = match Asked::parse(resource).unwrap() {
            Asked::Url(path) => Target::Url(path),
            Asked::Resource { resource, group, subresource } => {
                Target::resource(group.expect("a group"), resource, subresource, name, namespace)
            }
        };
        assert_eq!(policy.allows(&identity, verb, &target).is_some(), answer == "yes", "{line}");
        number += 1;
    }
    assert_eq!(number, CASES.lines().count() - 1);
}

#[test]
fn a_review_adds_no_groups() {
    let policy = cluster();
    let allows = |spec: serde_json::Value| {
        let review = Review::parse(&spec.to_string()).unwrap();
        policy.allows(&review.identity, &review.verb, &review.target()).is_some()
    };
    let of = |user: &str, groups: &[&str]| {
        let attributes = json!({"verb": "get", "resource": "pods", "subresource": "log"});
        json!({"user": user, "groups": groups, "resourceAttributes": attributes})
    };
    let account = "system:serviceaccount:there:x";
    assert!(!allows(of(account, &[])), "a service account's groups are not derived");
    assert!(allows(of(account, &["system:serviceaccounts:there"])));
    assert!(allows(of("x", &["system:masters"])));
    let url = |path: &str, groups: &[&str]| json!({"user": "x", "groups": groups, "nonResourceAttributes": {"verb": "get", "path": path}});
    assert!(!allows(url("/healthz/ping", &[])) && allows(url("/healthz/ping", &["system:authenticated"])));
    // `pods/log` as a resource is not divided, and is the text of the rule.
    let combined = json!({"user": "log", "resourceAttributes": {"verb": "get", "resource": "pods/log"}});
    assert!(allows(combined));
}
