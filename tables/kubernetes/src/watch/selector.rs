//! The API server's label and field selectors, for objects in memory. A selector that is not understood here, or that
//! the server would refuse, is not parsed: the server then answers the query.

use indago_table::ResourceSpec;
use indago_table::json::{self, Shape};

use crate::selector::{self, Field};

/// A label selector and a field selector.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Selector {
    labels: selector::Selector,
    fields: Vec<Field>,
}

/// Fields of pods that the API server's field selectors have in all versions, apart from name and namespace.
const POD_FIELDS: [&str; 6] = [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.nominatedNodeName",
];

impl Selector {
    pub(super) fn parse(labels: &str, fields: &str, resource: &ResourceSpec) -> Option<Self> {
        let fields = Field::of_text(fields).ok()?;
        let is_pod = resource.group_version == "v1" && resource.name == "pods";
        let is_known = |field: &Field| match field.path.join(".").as_str() {
            "metadata.name" => true,
            "metadata.namespace" => resource.is_namespaced,
            name => is_pod && POD_FIELDS.contains(&name),
        };
        let labels = selector::Selector::of_text(labels).ok()?;
        fields.iter().all(is_known).then_some(Selector { labels, fields })
    }

    /// Whether it selects every object.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The parts of an object that it looks at, apart from its name and namespace.
    pub(super) fn add_to(&self, shape: &mut Shape) {
        if !self.labels.is_empty() {
            shape.add(&["metadata", "labels"]);
        }
        self.fields.iter().for_each(|field| shape.add(&field.path));
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let is_met = |field: &Field| {
            let path: Vec<&str> = field.path.iter().map(String::as_str).collect();
            field.admits(&json::find(text, &path).unwrap_or_default())
        };
        if !self.fields.iter().all(is_met) {
            return false;
        }
        if self.labels.is_empty() {
            return true;
        }
        self.labels.matches_document(&json::find(text, &["metadata", "labels"]).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods() -> ResourceSpec {
        ResourceSpec::new("v1", "pods", true)
    }

    /// The server's answers, from a 1.20 server's lists.
    #[test]
    fn labels_are_selected_as_by_the_server() {
        let text = br#"{"metadata":{"name":"p","labels":{"app":"web","tier":"","n":"7","a.io/b":"c"}}}"#;
        let cases = [
            ("", true),
            ("app", true),
            ("!app", false),
            ("!other", true),
            ("app=web", true),
            ("app==web", true),
            ("app = web , tier", true),
            ("app!=web", false),
            ("other!=web", true),
            ("tier=", true),
            ("tier==", true),
            ("app=", false),
            ("other=", false),
            ("app in (db,web)", true),
            ("app in(db)", false),
            ("app notin (db)", true),
            ("other notin (db)", true),
            ("tier in (,x)", true),
            ("a.io/b=c", true),
            ("n>6", true),
            ("n<7", false),
            ("app>1", false),
            ("app in (web),!other,n", true),
            ("in=x", false),
        ];
        for (labels, expected) in cases {
            let selector = Selector::parse(labels, "", &pods()).unwrap_or_else(|| panic!("{labels}"));
            assert_eq!(selector.matches(text), expected, "{labels}");
        }
        let refused = [
            ",",
            "app,",
            "=web",
            "app in ()",
            "app in web",
            "app=a b",
            "app=-x",
            "-x",
            "A.io/x",
            "a/b/c",
            "app=!x",
            "n>x",
            "app in (a",
            "!",
            "app!",
            "app === x",
            "é=1",
        ];
        for labels in refused {
            assert_eq!(Selector::parse(labels, "", &pods()), None, "{labels}");
        }
    }

    #[test]
    fn fields_are_selected_as_by_the_server() {
        let text = br#"{"metadata":{"name":"a,b","namespace":"web"},"spec":{"nodeName":"n"},"status":{}}"#;
        let cases = [
            ("metadata.name=a\\,b", true),
            ("metadata.name!=x,metadata.namespace==web", true),
            ("spec.nodeName=n,", true),
            ("status.phase=", true),
            ("status.phase!=", false),
            ("status.phase=Running", false),
        ];
        for (fields, expected) in cases {
            let selector = Selector::parse("", fields, &pods()).unwrap_or_else(|| panic!("{fields}"));
            assert_eq!(selector.matches(text), expected, "{fields}");
        }
        for fields in ["spec.x=1", "metadata.name", "metadata.name=a=b", "metadata.name=\\x", " metadata.name=a"] {
            assert_eq!(Selector::parse("", fields, &pods()), None, "{fields}");
        }
        let nodes = ResourceSpec::new("v1", "nodes", false);
        assert!(Selector::parse("", "metadata.name=a", &nodes).is_some());
        assert_eq!(Selector::parse("", "metadata.namespace=a", &nodes), None);
    }
}
