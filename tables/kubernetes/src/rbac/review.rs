//! The `spec` of a SubjectAccessReview.

use indago_table::json;
use serde_json::Value as Document;

use super::policy::{Identity, Target};

/// A question in the form of a SubjectAccessReview.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Review {
    pub(crate) identity: Identity,
    pub(crate) verb: String,
    pub(crate) what: What,
}

/// Its `resourceAttributes` or `nonResourceAttributes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Resource { group: String, resource: String, subresource: String, name: String, namespace: String },
    Url(String),
}

impl Default for What {
    fn default() -> Self {
        What::Url(String::new())
    }
}

impl Review {
    /// Parses the JSON of a `spec`. What the API server refuses as invalid is an error.
    ///
    /// The server ignores `uid`, `extra`, `version` and selectors when RBAC decides.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let spec: Document = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        if !spec.is_object() {
            return Err(format!("it is {}, not the spec of a SubjectAccessReview", json::kind(&spec)));
        }
        let user = text_of(&spec, "user")?;
        let groups = match spec.get("groups").unwrap_or(&Document::Null) {
            Document::Null => Vec::new(),
            Document::Array(groups) => {
                let groups: Option<Vec<String>> =
                    groups.iter().map(|group| group.as_str().map(str::to_owned)).collect();
                groups.ok_or("`groups` has an element that is not a text")?
            }
            other => return Err(format!("`groups` holds {} instead of a list", json::kind(other))),
        };
        if user.is_empty() && groups.is_empty() {
            return Err("it needs `user` or `groups`".to_owned());
        }
        let object = |name: &str| match spec.get(name).unwrap_or(&Document::Null) {
            Document::Null => Ok(None),
            object @ Document::Object(_) => Ok(Some(object)),
            other => Err(format!("`{name}` holds {} instead of an object", json::kind(other))),
        };
        let (verb, what) = match (object("resourceAttributes")?, object("nonResourceAttributes")?) {
            (Some(of), None) => {
                let what = What::Resource {
                    group: text_of(of, "group")?,
                    resource: text_of(of, "resource")?,
                    subresource: text_of(of, "subresource")?,
                    name: text_of(of, "name")?,
                    namespace: text_of(of, "namespace")?,
                };
                (text_of(of, "verb")?, what)
            }
            (None, Some(of)) => (text_of(of, "verb")?, What::Url(text_of(of, "path")?)),
            (None, None) => return Err("it needs `resourceAttributes` or `nonResourceAttributes`".to_owned()),
            (Some(_), Some(_)) => {
                return Err("it has both `resourceAttributes` and `nonResourceAttributes`".to_owned());
            }
        };
        Ok(Review { identity: Identity { user, groups }, verb, what })
    }

    /// What the server compares with rules.
    pub(crate) fn target(&self) -> Target<'_> {
        match &self.what {
            What::Resource { group, resource, subresource, name, namespace } => {
                Target::resource(group, resource, subresource, name, namespace)
            }
            What::Url(path) => Target::Url(path),
        }
    }
}

fn text_of(object: &Document, name: &str) -> Result<String, String> {
    match object.get(name).unwrap_or(&Document::Null) {
        Document::Null => Ok(String::new()),
        Document::String(text) => Ok(text.clone()),
        other => Err(format!("`{name}` holds {} instead of a text", json::kind(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_taken_as_the_server_takes_it() {
        let text = r#"{"user": "eve", "groups": ["a"], "uid": "x", "resourceAttributes":
            {"verb": "get", "group": "apps", "resource": "deployments", "subresource": "scale", "namespace": "n"}}"#;
        let review = Review::parse(text).unwrap();
        assert_eq!((review.identity.user.as_str(), review.verb.as_str()), ("eve", "get"));
        assert_eq!(review.target(), Target::resource("apps", "deployments", "scale", "", "n"));
        let url =
            Review::parse(r#"{"groups": ["a"], "nonResourceAttributes": {"path": "/x", "verb": "get"}}"#).unwrap();
        assert_eq!(url.target(), Target::Url("/x"));
        for (text, told) in [
            ("x", "it is not JSON"),
            ("[]", "it is a list"),
            ("{}", "it needs `user` or `groups`"),
            (r#"{"user": "a"}"#, "it needs `resourceAttributes`"),
            (r#"{"user": "a", "resourceAttributes": {}, "nonResourceAttributes": {}}"#, "it has both"),
            (r#"{"user": 1, "resourceAttributes": {}}"#, "`user` holds a number"),
            (r#"{"groups": [1], "resourceAttributes": {}}"#, "`groups` has an element"),
            (r#"{"user": "a", "resourceAttributes": 1}"#, "`resourceAttributes` holds a number"),
            (r#"{"user": "a", "resourceAttributes": {"verb": []}}"#, "`verb` holds a list"),
        ] {
            let error = Review::parse(text).unwrap_err();
            assert!(error.starts_with(told), "{text}: {error}");
        }
    }
}
