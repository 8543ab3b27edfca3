//! What the rules of a role allow, by the rules of each model.

use std::collections::BTreeSet;

use crate::input::{Requirement, Role, Rule};

/// All verbs, groups or resources.
const ALL: &str = "*";
/// The API group of roles and bindings.
pub(crate) const RBAC: &str = "rbac.authorization.k8s.io";

/// The objects that a right is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Names {
    All,
    /// Only objects with these names.
    Only(BTreeSet<String>),
}

impl Names {
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Names::All => true,
            Names::Only(names) => names.contains(name),
        }
    }
}

/// A right that some rules of a role give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Right {
    /// Positions of the rules.
    pub(crate) rules: Vec<usize>,
    pub(crate) names: Names,
}

impl Right {
    /// The right that two rights give together.
    pub(crate) fn or(mut self, other: Right) -> Right {
        self.rules.extend(other.rules);
        self.rules.sort_unstable();
        self.rules.dedup();
        self.names = match (self.names, other.names) {
            (Names::Only(mut names), Names::Only(more)) => {
                names.extend(more);
                Names::Only(names)
            }
            _ => Names::All,
        };
        self
    }
}

fn has(list: &[String], value: &str) -> bool {
    list.iter().any(|item| item == ALL || item == value)
}

/// Whether a rule's resource covers a resource with its subresource. `*/scale` is that subresource of all resources;
/// `pods/*` has no special meaning.
fn covers(rule: &str, resource: &str) -> bool {
    rule == ALL
        || rule == resource
        || rule.strip_prefix("*/").is_some_and(|rule| resource.split_once('/').is_some_and(|(_, sub)| sub == rule))
}

/// What Kubernetes allows the holder of a role: one of the verbs on a resource.
pub(crate) fn allowed(role: &Role, verbs: &[&str], group: &str, resource: &str) -> Option<Right> {
    let mut right: Option<Right> = None;
    for (position, rule) in role.rules.iter().enumerate() {
        let is_allowed = verbs.iter().any(|verb| has(&rule.verbs, verb))
            && has(&rule.groups, group)
            && rule.resources.iter().any(|covering| covers(covering, resource));
        if !is_allowed {
            continue;
        }
        let names = match rule.names.is_empty() {
            true => Names::All,
            false => Names::Only(rule.names.iter().cloned().collect()),
        };
        let of_rule = Right { rules: vec![position], names };
        right = Some(match right {
            Some(right) => right.or(of_rule),
            None => of_rule,
        });
    }
    right
}

/// The same for requests that name no object, such as `create`: rules that are limited to names do not allow them.
pub(crate) fn allowed_without_name(role: &Role, verbs: &[&str], group: &str, resource: &str) -> Option<Vec<usize>> {
    let unlimited = |position: &usize| role.rules[*position].names.is_empty();
    let right = allowed(role, verbs, group, resource)?;
    let rules: Vec<usize> = right.rules.into_iter().filter(unlimited).collect();
    (!rules.is_empty()).then_some(rules)
}

/// Whether a role allows everything.
pub(crate) fn allows_everything(role: &Role) -> bool {
    let is_all = |list: &[String]| list.iter().any(|item| item == ALL);
    role.rules
        .iter()
        .any(|rule| rule.names.is_empty() && is_all(&rule.verbs) && is_all(&rule.groups) && is_all(&rule.resources))
}

/// What KubeHound compares: each list of a rule contains one of the texts, or `*`.
fn contains(list: &[String], texts: &[&str]) -> bool {
    list.iter().any(|item| item == ALL || texts.contains(&item.as_str()))
}

/// The rules of a role that meet all conditions of KubeHound. Rules that are limited to names never do.
pub(crate) fn kubehound(role: &Role, groups: &[&str], resources: &[&str], verbs: &[&str]) -> Option<Vec<usize>> {
    let is_met = |rule: &Rule| {
        rule.names.is_empty()
            && contains(&rule.groups, groups)
            && contains(&rule.resources, resources)
            && contains(&rule.verbs, verbs)
    };
    positions(role, is_met)
}

/// The same for conditions that do not name a group.
pub(crate) fn kubehound_in_any_group(role: &Role, resources: &[&str], verbs: &[&str]) -> Option<Vec<usize>> {
    let is_met =
        |rule: &Rule| rule.names.is_empty() && contains(&rule.resources, resources) && contains(&rule.verbs, verbs);
    positions(role, is_met)
}

/// The rules that are about a group.
pub(crate) fn kubehound_group(role: &Role, group: &str) -> Option<Vec<usize>> {
    positions(role, |rule| contains(&rule.groups, &[group]))
}

fn positions(role: &Role, is_met: impl Fn(&Rule) -> bool) -> Option<Vec<usize>> {
    let rules = role.rules.iter().enumerate().filter(|(_, rule)| is_met(rule)).map(|(position, _)| position);
    let rules: Vec<usize> = rules.collect();
    (!rules.is_empty()).then_some(rules)
}

fn holds(requirement: &Requirement, role: &Role) -> bool {
    let value = role.labels.get(&requirement.key);
    match requirement.operator.as_str() {
        "In" => value.is_some_and(|value| requirement.values.contains(value)),
        "NotIn" => value.is_none_or(|value| !requirement.values.contains(value)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

/// The roles, with the rules of aggregating cluster roles that no controller has written yet: those of manifests.
pub(crate) fn with_aggregated(roles: &[Role]) -> Vec<Role> {
    let mut complete = roles.to_vec();
    let aggregating: Vec<usize> =
        (0..roles.len()).filter(|role| !roles[*role].aggregates.is_empty() && roles[*role].rules.is_empty()).collect();
    let selects = |by: usize, role: usize| {
        let selectors = &roles[by].aggregates;
        by != role
            && roles[role].namespace.is_none()
            && selectors.iter().any(|selector| selector.iter().all(|requirement| holds(requirement, &roles[role])))
    };
    // A chain of aggregations is not longer than their number.
    for _ in 0..=aggregating.len() {
        let mut has_changed = false;
        for by in &aggregating {
            let mut rules: Vec<Rule> = Vec::new();
            for role in (0..roles.len()).filter(|role| selects(*by, *role)) {
                let new: Vec<Rule> =
                    complete[role].rules.iter().filter(|rule| !rules.contains(rule)).cloned().collect();
                rules.extend(new);
            }
            has_changed |= rules.len() != complete[*by].rules.len();
            complete[*by].rules = rules;
        }
        if !has_changed {
            break;
        }
    }
    complete
}
