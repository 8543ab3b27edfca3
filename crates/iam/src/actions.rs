//! Actions that take no resource.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// One line per service: its prefix, then the actions for which AWS's Service Authorization Reference lists no resource
/// types, all in lowercase.
const TEXT: &str = include_str!("../data/actions_without_resources.txt");

/// Whether a policy can state only `*` as the resource of an action. Both names are in lowercase.
pub(crate) fn has_no_resource(service: &str, name: &str) -> bool {
    static SERVICES: OnceLock<HashMap<&str, HashSet<&str>>> = OnceLock::new();
    let services = SERVICES.get_or_init(|| {
        let line = |line: &'static str| {
            let mut words = line.split(' ');
            (words.next().unwrap_or_default(), words.collect())
        };
        TEXT.lines().map(line).collect()
    });
    services.get(service).is_some_and(|actions| actions.contains(name))
}

#[cfg(test)]
mod tests {
    use super::has_no_resource;

    #[test]
    fn known_actions() {
        assert!(has_no_resource("s3", "listallmybuckets") && has_no_resource("ec2", "describeinstances"));
        assert!(!has_no_resource("s3", "getobject") && !has_no_resource("unknown", "x"));
    }
}
