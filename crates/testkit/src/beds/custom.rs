//! Generated custom resources: their discovery, their OpenAPI documents and two objects of each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Custom resources of a [`KubeServer`](crate::beds::generated::KubeServer).
#[derive(Debug, Clone, Default)]
pub struct CustomResources {
    /// Number of resources `thing{i}s` of kind `Thing{i}`, in the groups `g0.example.com` to `g39.example.com`.
    pub count: usize,
    /// Behaves as a server before 1.26: it has neither aggregated discovery nor OpenAPI 3.
    pub is_old: bool,
    /// More groups, by name. Each is stale or lists resources as an aggregated document does.
    pub groups: Vec<(String, CustomGroup)>,
}

/// A group whose documents a test writes.
#[derive(Debug, Clone, Default)]
pub struct CustomGroup {
    /// Whether its backend cannot be reached.
    pub is_stale: bool,
    /// Its resources, as in an aggregated discovery document.
    pub resources: Value,
    /// The schemas of its OpenAPI 3 document; `None` if it has none.
    pub schemas: Option<Value>,
    /// The objects of each resource.
    pub objects: BTreeMap<String, Value>,
}

/// A response: status, body, and the validator of the body.
pub(super) type Reply = (u16, String, Option<String>);

const GROUPS: usize = 40;

impl CustomResources {
    fn group(i: usize) -> String {
        format!("g{}.example.com", i % GROUPS)
    }

    /// The generated resources of a group.
    fn of(&self, group: &str) -> Vec<usize> {
        (0..self.count).filter(|i| CustomResources::group(*i) == group).collect()
    }

    fn groups(&self) -> Vec<String> {
        let generated = (0..self.count.min(GROUPS)).map(CustomResources::group);
        generated.chain(self.groups.iter().map(|(name, _)| name.clone())).collect()
    }

    /// The response to a request for a path; `None` for paths that have nothing to do with custom resources.
    pub(super) fn answer(&self, path: &str, accept: &str) -> Option<Reply> {
        let is_aggregated = !self.is_old && accept.contains("as=APIGroupDiscoveryList");
        let reply = |value: Value| Some((200, value.to_string(), None));
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts[..] {
            ["api"] if is_aggregated => {
                let pods = json!({"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced",
                    "singularResource": "pod", "verbs": ["get", "list"]});
                let items = json!([{"metadata": {"name": ""}, "versions": [{"version": "v1", "freshness": "Current", "resources": [pods]}]}]);
                confirmed(aggregated(items))
            }
            ["apis"] if is_aggregated => {
                confirmed(aggregated(self.groups().iter().map(|group| self.aggregated_group(group)).collect()))
            }
            ["apis"] => {
                let group = |name: &String| {
                    let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
                    json!({"name": name, "versions": [version], "preferredVersion": version})
                };
                let groups: Vec<Value> = self.groups().iter().map(group).collect();
                reply(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
            }
            ["apis", group, "v1"] => self.listed_group(group),
            ["openapi", "v3"] if !self.is_old => {
                let path = |group: &String| {
                    let url = format!("/openapi/v3/apis/{group}/v1?hash=ABC{}", group.len());
                    (format!("apis/{group}/v1"), json!({"serverRelativeURL": url}))
                };
                let paths: serde_json::Map<String, Value> = self.groups().iter().map(path).collect();
                reply(json!({"paths": paths}))
            }
            ["openapi", "v3", "apis", group, "v1"] if !self.is_old => {
                let schemas = self.schemas(group, "#/components/schemas")?;
                reply(json!({"openapi": "3.0.0", "components": {"schemas": schemas}}))
            }
            ["openapi", "v2"] => {
                let mut definitions = serde_json::Map::new();
                for group in self.groups() {
                    if let Some(Value::Object(schemas)) = self.schemas(&group, "#/definitions") {
                        definitions.extend(schemas);
                    }
                }
                confirmed(json!({"swagger": "2.0", "definitions": definitions}))
            }
            ["apis", group, "v1", plural] => self.list(group, plural),
            _ => None,
        }
    }

    fn aggregated_group(&self, group: &str) -> Value {
        let own = self.groups.iter().find(|(name, _)| name == group).map(|(_, own)| own);
        let freshness = if own.is_some_and(|own| own.is_stale) { "Stale" } else { "Current" };
        let resource = |i: usize| {
            json!({
                "resource": format!("thing{i}s"), "responseKind": {"group": "", "version": "", "kind": format!("Thing{i}")},
                "scope": "Namespaced", "singularResource": format!("thing{i}"), "verbs": ["get", "list", "watch"],
                "subresources": [{"subresource": "status", "responseKind": {"kind": format!("Thing{i}")}, "verbs": ["get"]}],
            })
        };
        let resources = match own {
            Some(own) => own.resources.clone(),
            None => self.of(group).into_iter().map(resource).collect(),
        };
        let version = json!({"version": "v1", "freshness": freshness, "resources": resources});
        json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": [version]})
    }

    /// The group as a server without aggregated discovery lists it.
    fn listed_group(&self, group: &str) -> Option<Reply> {
        if !self.groups().iter().any(|name| name == group) {
            return None;
        }
        if self.groups.iter().any(|(name, own)| name == group && own.is_stale) {
            return Some((503, "service unavailable\n".to_owned(), None));
        }
        let aggregated = self.aggregated_group(group);
        let resources = aggregated["versions"][0]["resources"].as_array().cloned().unwrap_or_default();
        let listed = |resource: &Value| {
            json!({
                "name": resource["resource"], "singularName": resource["singularResource"], "verbs": resource["verbs"],
                "namespaced": resource["scope"] == "Namespaced", "kind": resource["responseKind"]["kind"],
            })
        };
        let resources: Vec<Value> = resources.iter().map(listed).collect();
        let list = json!({"kind": "APIResourceList", "groupVersion": format!("{group}/v1"), "resources": resources});
        Some((200, list.to_string(), None))
    }

    /// The schemas of a group, whose references start with `place`.
    fn schemas(&self, group: &str, place: &str) -> Option<Value> {
        if let Some((_, own)) = self.groups.iter().find(|(name, _)| name == group) {
            let schemas = own.schemas.as_ref()?.to_string().replace("#/components/schemas", place);
            return serde_json::from_str(&schemas).ok();
        }
        let prefix: Vec<&str> = group.split('.').rev().collect();
        let schema = |i: usize| {
            let spec = json!({"type": "object", "properties": {
                "size": {"type": "integer", "format": "int64", "description": "Its size."},
                "color": {"type": "string"},
                "again": {"$ref": format!("{place}/{}.v1.Thing{i}", prefix.join("."))},
            }});
            let schema = json!({
                "description": format!("Thing {i}."), "type": "object", "properties": {"spec": spec},
                "x-kubernetes-group-version-kind": [{"group": group, "version": "v1", "kind": format!("Thing{i}")}],
            });
            (format!("{}.v1.Thing{i}", prefix.join(".")), schema)
        };
        Some(Value::Object(self.of(group).into_iter().map(schema).collect()))
    }

    fn list(&self, group: &str, plural: &str) -> Option<Reply> {
        if let Some((_, own)) = self.groups.iter().find(|(name, _)| name == group) {
            return Some((200, own.objects.get(plural)?.to_string(), None));
        }
        let i: usize = plural.strip_prefix("thing")?.strip_suffix('s')?.parse().ok()?;
        if i >= self.count || CustomResources::group(i) != group {
            return None;
        }
        let kind = format!("Thing{i}");
        let object = |name: &str| {
            let metadata = json!({"name": name, "namespace": "default", "uid": format!("{kind}-{name}")});
            json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": metadata, "spec": {"size": i, "color": name}})
        };
        let items = [object("red"), object("blue")];
        let list =
            json!({"kind": format!("{kind}List"), "apiVersion": format!("{group}/v1"), "metadata": {}, "items": items});
        Some((200, list.to_string(), None))
    }
}

fn aggregated(items: Value) -> Value {
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

/// A document that the server confirms by its length, which is enough for a server whose documents do not change.
fn confirmed(document: Value) -> Option<Reply> {
    let text = document.to_string();
    let validator = format!("\"{:X}\"", text.len());
    Some((200, text, Some(validator)))
}
