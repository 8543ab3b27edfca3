//! `kubernetes_events`: one row per event.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Derived, Resource, listed};

/// Events that the API servers of Kubernetes clusters still hold, usually those of the last hour.
///
/// Constraints on `cluster`, `namespace`, `name`, `type`, `reason` and the `regarding` columns are applied by the API
/// server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_events", env = Kubernetes, stream, rows = 1000)]
#[resource("events.k8s.io/v1/events", namespaced)]
#[example(
    "Warnings about pods.",
    "SELECT time, namespace, regarding_name, reason, note FROM kubernetes_events WHERE type = 'Warning' AND regarding_kind = 'Pod'"
)]
pub struct Event {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Time of its last occurrence.
    #[column(path = "time")]
    time: Option<Timestamp>,
    /// `ADDED`, or `MODIFIED` if it occurred more than once.
    #[column(path = "eventType")]
    event_type: String,
    /// Controller that reported it, such as `kubelet`.
    #[column(path = "reportingController")]
    reporting_controller: Option<String>,
    /// Instance of the controller.
    #[column(path = "reportingInstance")]
    reporting_instance: Option<String>,
    /// What the controller did, or failed to do.
    #[column(path = "action")]
    action: Option<String>,
    /// Why, in one word, such as `BackOff`.
    #[column(slice(field), path = "reason")]
    reason: Option<String>,
    /// What happened, as a sentence.
    #[column(path = "note")]
    note: Option<String>,
    /// `Normal` or `Warning`.
    #[column(slice(field), path = "type")]
    r#type: Option<String>,
    /// Kind of the object that it is about.
    #[column(slice(field), path = "regarding.kind")]
    regarding_kind: Option<String>,
    /// Namespace of that object.
    #[column(slice(field), path = "regarding.namespace")]
    regarding_namespace: Option<String>,
    /// Name of that object.
    #[column(index(field), path = "regarding.name")]
    regarding_name: Option<String>,
    /// UID of that object.
    #[column(index(field), path = "regarding.uid")]
    regarding_uid: Option<String>,
    /// Kind of a second object, if the event is about two.
    #[column(path = "related.kind")]
    related_kind: Option<String>,
    /// Namespace of the second object.
    #[column(path = "related.namespace")]
    related_namespace: Option<String>,
    /// Name of the second object.
    #[column(path = "related.name")]
    related_name: Option<String>,
    /// UID of the second object.
    #[column(path = "related.uid")]
    related_uid: Option<String>,
    /// Number of occurrences.
    #[column(path = "count")]
    count: i64,
    /// Time of its first occurrence, if the controller states it.
    #[column(path = "deprecatedFirstTimestamp")]
    first_time: Option<Timestamp>,
}

impl Resource for Event {
    const DERIVED: Derived = &[
        ("time", &["series.lastObservedTime", "deprecatedLastTimestamp", "eventTime", "metadata.creationTimestamp"]),
        ("count", &["series.count", "deprecatedCount"]),
        ("eventType", &["series.count", "deprecatedCount"]),
    ];

    fn documents(mut object: Document) -> Vec<Result<Document>> {
        let times =
            ["/series/lastObservedTime", "/deprecatedLastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
        let first = |places: &[&str]| {
            places.iter().filter_map(|place| object.pointer(place)).find(|value| !value.is_null()).cloned()
        };
        let time = first(&times).unwrap_or_default();
        let count = first(&["/series/count", "/deprecatedCount"]).and_then(|count| count.as_i64()).unwrap_or(1).max(1);
        object["time"] = time;
        object["count"] = count.into();
        object["eventType"] = if count > 1 { "MODIFIED" } else { "ADDED" }.into();
        vec![Ok(object)]
    }
}

listed!(Event);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_has_the_time_of_its_last_occurrence() {
        let of = |event: Document| {
            let document = Event::documents(event).remove(0).expect("a document");
            (document["time"].clone(), document["count"].clone(), document["eventType"].clone())
        };
        let created = json!({"creationTimestamp": "c"});
        assert_eq!(of(json!({"metadata": created, "eventTime": null})), (json!("c"), json!(1), json!("ADDED")));
        let old = json!({"metadata": created, "deprecatedLastTimestamp": "l", "deprecatedCount": 7});
        assert_eq!(of(old), (json!("l"), json!(7), json!("MODIFIED")));
        let new = json!({"metadata": created, "eventTime": "e", "series": {"count": 2, "lastObservedTime": "s"}});
        assert_eq!(of(new), (json!("s"), json!(2), json!("MODIFIED")));
        assert_eq!(
            of(json!({"metadata": {}, "series": 7, "deprecatedCount": "x"})),
            (json!(null), json!(1), json!("ADDED"))
        );
    }
}
