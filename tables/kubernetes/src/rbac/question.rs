//! What users ask: a subject, a verb and a resource as text.

use super::discovery::Resources;
use super::policy::{Identity, Target, account_of};

/// Group of all users that are authenticated.
const AUTHENTICATED: &str = "system:authenticated";

/// The identity of a subject's requests: `system:serviceaccount:ns:name`, `user:NAME`, `group:NAME`, or a user name.
///
/// It has the groups that the API server gives to each request of such a user. Group memberships of users are known only
/// to whatever authenticates them.
pub(crate) fn identity(subject: &str) -> Result<Identity, String> {
    if let Some(group) = subject.strip_prefix("group:") {
        if group.is_empty() {
            return Err("the subject names no group".to_owned());
        }
        let mut groups = vec![group.to_owned()];
        // Every member of another group is authenticated.
        if group != "system:unauthenticated" && group != AUTHENTICATED {
            groups.push(AUTHENTICATED.to_owned());
        }
        return Ok(Identity { user: String::new(), groups });
    }
    let user = subject.strip_prefix("user:").unwrap_or(subject);
    if user.is_empty() {
        return Err("the subject names no user".to_owned());
    }
    let groups = match account_of(user) {
        Some((namespace, _)) => {
            vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                AUTHENTICATED.to_owned(),
            ]
        }
        None if user == "system:anonymous" => vec!["system:unauthenticated".to_owned()],
        None => vec![AUTHENTICATED.to_owned()],
    };
    Ok(Identity { user: user.to_owned(), groups })
}

/// A resource as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked<'a> {
    /// `pods`, `pods/log`, `deployments.apps`, `deployments.apps/scale`. A group that is not given is unknown;
    /// `pods.` is of the core group.
    Resource { resource: &'a str, group: Option<&'a str>, subresource: &'a str },
    /// A path that starts with `/`.
    Url(&'a str),
}

impl<'a> Asked<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Asked::Url(text));
        }
        let (whole, subresource) = text.split_once('/').unwrap_or((text, ""));
        let (resource, group) = match whole.split_once('.') {
            Some((resource, group)) => (resource, Some(group)),
            None => (whole, None),
        };
        if resource.is_empty() {
            return Err(format!("`{text}` names no resource"));
        }
        // As for kubectl, `*` is of the core group.
        let group = if resource == "*" { Some(group.unwrap_or_default()) } else { group };
        Ok(Asked::Resource { resource, group, subresource })
    }

    /// Whether its group must be looked up.
    pub(crate) fn needs_discovery(&self) -> bool {
        matches!(self, Asked::Resource { group: None, .. })
    }
}

/// A request for a resource as the API server would see it: it drops what such a request cannot have.
///
/// A request to create an object or to delete a collection has no name. A request for an object of the cluster has no
/// namespace, except that a request for a namespace by name is in that namespace.
pub(crate) fn as_request<'a>(
    verb: &str,
    group: &'a str,
    resource: &'a str,
    subresource: &'a str,
    name: &'a str,
    namespace: &'a str,
    resources: &Resources,
) -> Target<'a> {
    let name = if has_name(verb, subresource) { name } else { "" };
    let is_namespaced = is_authorized_in_namespace(verb, group, resource, resources);
    let namespace = match (group, resource) {
        ("", "namespaces") if is_of_object(verb) => name,
        ("", "namespaces") => "",
        _ if is_namespaced == Some(false) => "",
        _ => namespace,
    };
    Target::resource(group, resource, subresource, name, namespace)
}

/// Whether a request of a verb carries the name of its object.
pub(crate) fn has_name(verb: &str, subresource: &str) -> bool {
    !subresource.is_empty() || !matches!(verb, "create" | "deletecollection")
}

/// Whether a request of a verb names its object in the URL.
pub(crate) fn is_of_object(verb: &str) -> bool {
    matches!(verb, "get" | "update" | "patch" | "delete" | "*")
}

/// Whether requests for a resource are in a namespace; `None` if the server does not serve the resource.
///
/// Some verbs are no verbs of requests for the resource: the server checks them for other requests, which can be in a
/// namespace.
pub(crate) fn is_authorized_in_namespace(
    verb: &str,
    group: &str,
    resource: &str,
    resources: &Resources,
) -> Option<bool> {
    match (verb, group, resource) {
        ("bind", "rbac.authorization.k8s.io", "clusterroles" | "roles") | ("use", _, "podsecuritypolicies") => {
            Some(true)
        }
        ("impersonate", "", "serviceaccounts") => Some(true),
        ("impersonate", ..) => Some(false),
        (_, "certificates.k8s.io", "signers") => Some(false),
        _ => resources.is_namespaced(group, resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_the_groups_of_its_requests() {
        let groups = |subject: &str| identity(subject).map(|identity| (identity.user, identity.groups.join(" ")));
        let of = |user: &str, groups: &str| Ok((user.to_owned(), groups.to_owned()));
        assert_eq!(groups("user:eve"), of("eve", "system:authenticated"));
        assert_eq!(groups("eve@example.com"), of("eve@example.com", "system:authenticated"));
        assert_eq!(
            groups("system:serviceaccount:shop:bot"),
            of(
                "system:serviceaccount:shop:bot",
                "system:serviceaccounts system:serviceaccounts:shop system:authenticated"
            )
        );
        assert_eq!(groups("group:devs"), of("", "devs system:authenticated"));
        assert_eq!(groups("group:system:unauthenticated"), of("", "system:unauthenticated"));
        assert_eq!(groups("user:system:anonymous"), of("system:anonymous", "system:unauthenticated"));
        assert_eq!(groups("user:user:x"), of("user:x", "system:authenticated"));
        assert!(groups("").is_err() && groups("user:").is_err() && groups("group:").is_err());
    }

    #[test]
    fn a_resource_is_text() {
        let parsed = |resource, group, subresource| Ok(Asked::Resource { resource, group, subresource });
        for (text, expected) in [
            ("pods", parsed("pods", None, "")),
            ("pods/log", parsed("pods", None, "log")),
            ("pods.", parsed("pods", Some(""), "")),
            ("deployments.apps", parsed("deployments", Some("apps"), "")),
            ("deployments.apps/scale", parsed("deployments", Some("apps"), "scale")),
            ("roles.rbac.authorization.k8s.io", parsed("roles", Some("rbac.authorization.k8s.io"), "")),
            ("*", parsed("*", Some(""), "")),
            ("*/scale", parsed("*", Some(""), "scale")),
            ("*.*", parsed("*", Some("*"), "")),
            ("/healthz", Ok(Asked::Url("/healthz"))),
            ("/", Ok(Asked::Url("/"))),
        ] {
            assert_eq!(Asked::parse(text), expected, "{text}");
        }
        assert!(Asked::parse("").is_err() && Asked::parse(".apps").is_err());
    }
}
