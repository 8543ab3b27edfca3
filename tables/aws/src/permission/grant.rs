//! Effective permissions as patterns: the actions and resources that statements allow, cut to what boundaries and control
//! policies allow, without what is denied.
//!
//! A pattern is evaluated as if it were a request: its text stands for everything that it matches. A statement whose
//! pattern covers the text concerns all of it. So a permission is listed if nothing takes it away as a whole; a
//! statement that denies a part of it leaves it.

use std::collections::HashSet;

use indago_iam::{Caller, Request, Target, evaluate};

use super::decision::Decided;
use super::model::Identity;
use super::statement::{Compiled, Statement};

/// An action and a resource that a statement allows; both can have wildcards.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Grant {
    pub(crate) action: String,
    /// The actions that a statement with `NotAction` leaves out.
    pub(crate) not_actions: Option<Vec<String>>,
    pub(crate) resource: String,
    /// The resources that a statement with `NotResource` leaves out.
    pub(crate) not_resources: Option<Vec<String>>,
}

/// A grant that nothing takes away.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    pub(crate) grant: Grant,
    pub(crate) decided: Decided,
}

/// Most grants of an identity. Its policies have a few thousand at most.
const MOST: usize = 50_000;

/// Whether a pattern matches everything that another pattern matches. For actions, both are in lowercase.
pub(crate) fn covers(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, from));
                at += 1;
            }
            Some(b'?') if text[from] != b'*' => (at, from) = (at + 1, from + 1),
            Some(letter) if *letter == text[from] && *letter != b'?' => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((star, start)) = retry else { return false };
                retry = Some((star, start + 1));
                (at, from) = (star + 1, start + 1);
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

/// Most patterns of an intersection.
const MOST_COMMON: usize = 32;

/// Patterns of what both patterns match. The parts of ARNs are compared one by one.
///
/// Of patterns that cross (`Get*` and `*Object`), these are `Get*Object`, and what their fixed parts have in common where they
/// overlap. If patterns with several `*` cross, texts in which their inner parts alternate are missing.
pub(crate) fn intersection(one: &str, other: &str) -> Vec<String> {
    if covers(one, other) {
        return vec![other.to_owned()];
    }
    if covers(other, one) {
        return vec![one.to_owned()];
    }
    let parts = |text: &str| text.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (parts, others) = (parts(one), parts(other));
    if parts.len() != 6 || others.len() != 6 {
        return crossing(one, other);
    }
    let part = |(one, other): (&String, &String)| match () {
        () if covers(one, other) => vec![other.clone()],
        () if covers(other, one) => vec![one.clone()],
        () => crossing(one, other),
    };
    let mut arns = vec![String::new()];
    for (position, common) in parts.iter().zip(&others).map(part).enumerate() {
        let colon = if position == 0 { "" } else { ":" };
        let longer = arns.iter().flat_map(|arn| common.iter().map(move |part| format!("{arn}{colon}{part}")));
        arns = longer.take(MOST_COMMON).collect();
    }
    arns
}

/// Patterns of what both of two patterns match, neither of which covers the other.
fn crossing(one: &str, other: &str) -> Vec<String> {
    let (Some((first, one)), Some((second, other))) = (one.split_once('*'), other.split_once('*')) else {
        return without_star(one, other).into_iter().collect();
    };
    let last = |rest: &str| rest.rsplit_once('*').map(|(inner, last)| (format!("{inner}*"), last.to_owned()));
    let last = |rest: &str| last(rest).unwrap_or_else(|| (String::new(), rest.to_owned()));
    let ((inner, end), (other_inner, other_end)) = (last(one), last(other));
    let (first, second): (Vec<char>, Vec<char>) = (first.chars().collect(), second.chars().collect());
    let (end, other_end): (Vec<char>, Vec<char>) = (end.chars().rev().collect(), other_end.chars().rev().collect());
    let (Some(start), Some(end)) = (merged(&first, &second), merged(&end, &other_end)) else { return Vec::new() };
    let end: Vec<char> = end.into_iter().rev().collect();
    let text = |letters: &[char]| letters.iter().collect::<String>();
    let mut all = vec![format!("{}*{inner}{other_inner}{}", text(&start), text(&end))];
    if inner.is_empty() && other_inner.is_empty() {
        // The fixed parts of one pattern may overlap with those of the other, but not with each other.
        for shared in 1..=start.len().min(end.len()) {
            let whole = [&start[..start.len() - shared], &end].concat();
            let whole = merged(&start, &whole).filter(|merged| merged.len() == whole.len());
            let is_common =
                |whole: &String| [one_of(&first, one), one_of(&second, other)].iter().all(|of| covers(of, whole));
            all.extend(whole.map(|whole| text(&whole)).filter(is_common));
        }
    }
    all.truncate(MOST_COMMON);
    all
}

/// A pattern of one `*`.
fn one_of(start: &[char], end: &str) -> String {
    format!("{}*{end}", start.iter().collect::<String>())
}

/// What two patterns match of which one has no `*`.
fn without_star(one: &str, other: &str) -> Option<String> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let has_star = one.contains(&'*') || other.contains(&'*');
    let merged = merged(&one, &other).filter(|_| !has_star && one.len() == other.len())?;
    Some(merged.into_iter().collect())
}

/// The longer of two texts, one of which begins with the other. `?` is any character.
fn merged(one: &[char], other: &[char]) -> Option<Vec<char>> {
    let (long, short) = if one.len() >= other.len() { (one, other) } else { (other, one) };
    let mut merged = long.to_vec();
    for (letter, other) in merged.iter_mut().zip(short) {
        match (*letter, *other) {
            (one, other) if one == other => {}
            ('?', other) => *letter = other,
            (_, '?') => {}
            _ => return None,
        }
    }
    Some(merged)
}

fn both(one: Option<&Vec<String>>, other: Option<&Vec<String>>) -> Option<Vec<String>> {
    match (one, other) {
        (None, None) => None,
        (one, other) => {
            let mut all: Vec<String> = one.into_iter().chain(other).flatten().cloned().collect();
            all.sort();
            all.dedup();
            Some(all)
        }
    }
}

impl Grant {
    fn intersection(&self, other: &Grant) -> Vec<Grant> {
        let actions = intersection(&self.action, &other.action);
        if actions.is_empty() {
            return Vec::new();
        }
        let resources = intersection(&self.resource, &other.resource);
        let not_actions = both(self.not_actions.as_ref(), other.not_actions.as_ref());
        let not_resources = both(self.not_resources.as_ref(), other.not_resources.as_ref());
        let mut all = Vec::with_capacity(actions.len() * resources.len());
        for action in &actions {
            for resource in &resources {
                all.push(Grant {
                    action: action.clone(),
                    not_actions: not_actions.clone(),
                    resource: resource.clone(),
                    not_resources: not_resources.clone(),
                });
            }
        }
        all
    }

    /// The part of the grant that concerns an action.
    pub(crate) fn for_action(&self, action: &str) -> Option<Grant> {
        let action = action.to_ascii_lowercase();
        let is_left_out = self.not_actions.iter().flatten().any(|not| covers(not, &action));
        (covers(&self.action, &action) && !is_left_out).then(|| Grant { action, not_actions: None, ..self.clone() })
    }

    /// The parts of the grant that concern a resource, which can be a pattern.
    pub(crate) fn for_resource(&self, resource: &str) -> Vec<Grant> {
        let is_left_out = |resource: &str| self.not_resources.iter().flatten().any(|not| covers(not, resource));
        let parts = intersection(&self.resource, resource).into_iter().filter(|part| !is_left_out(part));
        parts.map(|resource| Grant { resource, not_resources: None, ..self.clone() }).collect()
    }

    /// The action as a request states it.
    pub(crate) fn request_action(&self) -> &str {
        if self.action.contains(':') { &self.action } else { "*:*" }
    }
}

/// The grants of a statement that allows.
fn of_statement(statement: &Statement) -> Vec<Grant> {
    let lower = |list: &Vec<String>| list.iter().map(|action| action.to_ascii_lowercase()).collect::<Vec<_>>();
    let everything = vec!["*".to_owned()];
    let (actions, not_actions) = match (&statement.actions, &statement.not_actions) {
        (Some(actions), _) => (lower(actions), None),
        (None, not) => (everything.clone(), not.as_ref().map(lower)),
    };
    let (resources, not_resources) = match (&statement.resources, &statement.not_resources) {
        (Some(resources), _) => (resources.clone(), None),
        (None, not) => (everything, not.clone()),
    };
    let mut grants = Vec::with_capacity(actions.len() * resources.len());
    for action in &actions {
        for resource in &resources {
            grants.push(Grant {
                action: action.clone(),
                not_actions: not_actions.clone(),
                resource: resource.clone(),
                not_resources: not_resources.clone(),
            });
        }
    }
    grants
}

/// The grants of policies.
pub(crate) fn of_policies<'a>(policies: impl IntoIterator<Item = &'a Compiled>) -> Vec<Grant> {
    let statements = policies.into_iter().flat_map(|policy| &policy.statements);
    let grants = statements.filter(|statement| !statement.is_deny).flat_map(of_statement);
    let mut seen = HashSet::new();
    grants.take(MOST).filter(|grant| seen.insert(grant.clone())).collect()
}

/// The grants of an identity's own policies and those of its groups, with the variables that are known.
pub(crate) fn of_identity(identity: &Identity) -> Vec<Grant> {
    let grants = of_policies(identity.policies.iter().map(|policy| &**policy));
    grants.into_iter().map(|grant| Grant { resource: filled(&grant.resource, identity), ..grant }).collect()
}

/// A resource with the values of its variables; `*` for values that are not known.
fn filled(resource: &str, identity: &Identity) -> String {
    let mut text = String::new();
    let mut rest = resource;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((variable, after)) = after.split_once('}') else { break };
        text.push_str(before);
        let key = variable.split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
        match key.as_str() {
            "*" | "?" | "$" => text.push_str(variable),
            "aws:username" if identity.kind == super::model::Kind::User => text.push_str(&identity.name),
            "aws:principalaccount" => text.push_str(&identity.account_id),
            _ => match key.strip_prefix("aws:principaltag/") {
                Some(tag) => {
                    let value = identity.tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag));
                    text.push_str(value.map_or("*", |(_, value)| value));
                }
                None => text.push('*'),
            },
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The layers that limit an identity: its boundary, and each level of service control policies. A level with a policy that is not
/// known may allow everything.
pub(crate) fn limits(identity: &Identity) -> Vec<Vec<Grant>> {
    let boundary = identity.boundary.iter().map(|policy| of_policies([&**policy]));
    let levels = identity.controls.iter().filter(|_| !identity.is_service_linked());
    let levels = levels.filter(|level| level.policies.iter().all(|policy| !policy.is_unread));
    let controls = levels.map(|level| of_policies(level.policies.iter().map(|policy| &**policy)));
    boundary.chain(controls).filter(|layer| !layer.iter().any(is_everything)).collect()
}

fn is_everything(grant: &Grant) -> bool {
    grant.action == "*" && grant.resource == "*" && grant.not_actions.is_none() && grant.not_resources.is_none()
}

/// What grants come to after limits.
pub(crate) fn limited(limits: &[Vec<Grant>], grants: Vec<Grant>) -> Vec<Grant> {
    let mut left = grants;
    for layer in limits {
        let mut next = HashSet::new();
        for grant in &left {
            next.extend(layer.iter().flat_map(|limit| grant.intersection(limit)));
            if next.len() > MOST {
                break;
            }
        }
        left = next.into_iter().collect();
        left.sort_by(|one, other| (&one.action, &one.resource).cmp(&(&other.action, &other.resource)));
    }
    left
}

/// The grants that are allowed, or may be, in the order of the statements.
pub(crate) fn effective(identity: &Identity, caller: &Caller, grants: &[Grant]) -> Vec<Effective> {
    let decide = |grant: Grant| {
        let decided = decide(caller, &identity.resources.delegating, &grant, identity)?;
        decided.is_possible().then_some(Effective { grant, decided })
    };
    limited(&limits(identity), grants.to_vec()).into_iter().filter_map(decide).collect()
}

/// The decision on a grant as if it were a request of an identity, or of a caller like it, on one of the
/// [`Resources`](super::model::Resources) of its account. `None` if it cannot be one.
///
/// Some resources need a policy that allows their account: roles that are assumed, keys. It is taken as given.
pub(crate) fn decide(caller: &Caller, target: &Target, grant: &Grant, identity: &Identity) -> Option<Decided> {
    let is_arn = grant.resource == "*" || grant.resource.starts_with("arn:");
    let resource = if is_arn { &*grant.resource } else { "*" };
    let resource_account = Some(&*identity.account_id);
    let request = Request { action: grant.request_action(), resource, resource_account, context: &identity.context };
    evaluate(caller, target, &request).ok().map(Decided::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "s3:get*", true),
            ("s3:*", "s3:get*", true),
            ("s3:get*", "s3:*", false),
            ("s3:get?bject", "s3:getobject", true),
            ("s3:get?", "s3:get*", false),
            ("s3:get?", "s3:get?", true),
            ("a*b*c", "a*c", false),
            ("a*c", "a*b*c", true),
            ("", "a", false),
            ("a", "a", true),
            ("a**", "a", true),
            ("*object", "s3:getobject", true),
            ("a?", "a", false),
        ] {
            assert_eq!(covers(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn intersections_are_what_both_match() {
        for (one, other, expected) in [
            ("*", "arn:aws:s3:::b/*", &["arn:aws:s3:::b/*"][..]),
            (
                "arn:aws:lambda:us-*:*:function:dev-*",
                "arn:aws:lambda:*:1:function:*",
                &["arn:aws:lambda:us-*:1:function:dev-*"],
            ),
            ("arn:aws:s3:::a", "arn:aws:s3:::b", &[]),
            ("s3:get*", "s3:*object", &["s3:get*object"]),
            ("s3:getobj*", "s3:*object", &["s3:getobj*object", "s3:getobject"]),
            ("aba*", "*aba", &["aba*aba", "ababa", "aba"]),
            ("aa*", "a*aa", &["aa*aa", "aaa"]),
            ("s3:get*", "s3:put*", &[]),
            ("*a", "*b", &[]),
            ("a?c*", "ab*d", &["abc*d"]),
            ("a?", "?b", &["ab"]),
            ("a?", "?bc", &[]),
            ("a*", "b", &[]),
            (
                "arn:aws:lambda:*:1:function:dev-*",
                "arn:aws:lambda:*:1:function:*-run",
                &["arn:aws:lambda:*:1:function:dev-*-run", "arn:aws:lambda:*:1:function:dev-run"],
            ),
        ] {
            assert_eq!(intersection(one, other), expected, "{one} {other}");
            for common in intersection(other, one).iter().chain(&intersection(one, other)) {
                assert!(covers(one, common) && covers(other, common), "{common} of {one} and {other}");
            }
        }
        // Of patterns with one `*`, they are everything that both match.
        let letters = ["a", "b"];
        let mut texts = vec![String::new()];
        for length in 0..5 {
            let longer: Vec<String> = texts
                .iter()
                .filter(|text| text.len() == length)
                .flat_map(|text| letters.map(|of| format!("{text}{of}")))
                .collect();
            texts.extend(longer);
        }
        let short: Vec<&String> = texts.iter().filter(|text| text.len() <= 2).collect();
        let patterns: Vec<String> =
            short.iter().flat_map(|start| short.iter().map(move |end| format!("{start}*{end}"))).collect();
        for one in &patterns {
            for other in &patterns {
                let common = intersection(one, other);
                for text in &texts {
                    let is_common = covers(one, text) && covers(other, text);
                    assert_eq!(
                        common.iter().any(|of| covers(of, text)),
                        is_common,
                        "{text} of {one} and {other}: {common:?}"
                    );
                }
            }
        }
    }
}
