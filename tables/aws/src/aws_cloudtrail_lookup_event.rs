//! `aws_cloudtrail_lookup_event`: one row per event of the last 90 days, from `cloudtrail:LookupEvents`.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::{Request, with_member};
use crate::resource::{Origin, Reader, Resource};
use crate::source::cloudtrail::{self, EVENTS, Wanted};

/// Management events of the last 90 days, newest first, as CloudTrail's event history has them.
///
/// CloudTrail selects by time (`event_time`, `start_time`, `end_time`) and by one attribute: the first that the query
/// states of `event_id`, `access_key_id`, `resource_name`, `username`, `event_name`, `event_source`, `resource_type`,
/// `read_only`. It allows two calls per second in an account and region, of 50 events each, so state a time.
/// `aws_cloudtrail_event` has the parts of events as columns and also reads log files.
#[derive(Debug, Default, Table)]
#[table(name = "aws_cloudtrail_lookup_event", env = Aws, stream, rows = 10000, needs("cloudtrail:LookupEvents"), identity(event_id))]
#[example(
    "What a user did in the last hour.",
    "SELECT event_time, event_name, resource_name FROM aws_cloudtrail_lookup_event WHERE username = 'alice' AND event_time > now() - INTERVAL '1 hour'"
)]
#[example(
    "Uses of an access key in one region.",
    "SELECT event_time, event_name FROM aws_cloudtrail_lookup_event WHERE access_key_id = 'AKIAIOSFODNN7EXAMPLE' AND region = 'us-east-1'"
)]
pub struct LookupEvent {
    /// ID of the event.
    #[column(index, path = "EventId")]
    event_id: String,
    /// Name of the operation: `ConsoleLogin`.
    #[column(index, path = "EventName")]
    event_name: String,
    /// Service: `iam.amazonaws.com`.
    #[column(index, path = "EventSource")]
    event_source: String,
    /// Whether it changed nothing: `true` or `false`.
    #[column(index, path = "ReadOnly")]
    read_only: Option<String>,
    /// ID of the access key; NULL if there is none.
    #[column(index, path = "AccessKeyId")]
    access_key_id: Option<String>,
    /// Time of the event, to the second.
    #[column(range, path = "EventTime")]
    event_time: Timestamp,
    /// The end that the query states: events up to then.
    #[column(index, selects)]
    end_time: Option<Timestamp>,
    /// The start that the query states: events from then on.
    #[column(index, selects)]
    start_time: Option<Timestamp>,
    /// Name of the resource that the query states, or the first of the event's; NULL if there is none.
    #[column(index, selects, path = "resourceName")]
    resource_name: Option<String>,
    /// Type of the resource that the query states, or the first of the event's; NULL if there is none.
    #[column(index, selects, path = "resourceType")]
    resource_type: Option<String>,
    /// Name of the user, or of the role's session; NULL if there is none.
    #[column(index, path = "Username")]
    username: Option<String>,
    /// Resources of the event: types and names.
    #[column(path = "Resources")]
    resources: Option<Json>,
    /// Complete event. Values that are credentials are hidden.
    #[column(path = "complete")]
    cloud_trail_event: Option<Json>,
    /// The same as the ID.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for LookupEvent {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, EVENTS.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, LookupEvent::list)
    }
}

impl Resource for LookupEvent {
    const TITLE_FORM: &'static str = "{EventId}";
    const KEPT: &'static [usize] = &[Self::EVENT_ID.position()];
}

impl LookupEvent {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let wanted = LookupEvent::wanted(scan);
            let (start, end) = (scan.key(Self::START_TIME), scan.key(Self::END_TIME));
            let reader = Reader::listed(scan, &site);
            for input in cloudtrail::inputs(&wanted) {
                let mut events = site.list(scan, &EVENTS, Request::input(input));
                while let Some(event) = events.next().await {
                    let event = LookupEvent::document(scan, event?);
                    let Some(mut row) = reader.item(scan, &event) else { continue };
                    (row.start_time, row.end_time) = (start, end);
                    if LookupEvent::admits(scan, &event) {
                        yield row;
                    }
                }
            }
        }
        .boxed()
    }

    /// The event with its resource and the complete event as documents.
    fn document(scan: &Scan<Self>, event: Value) -> Value {
        let resources = event["Resources"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |resource: &Value, name: &str| resource[name].as_str().map(str::to_owned);
        let names = scan.keys(Self::RESOURCE_NAME);
        let types = scan.keys(Self::RESOURCE_TYPE);
        let is_stated = |keys: &Option<Vec<String>>, value: Option<String>| match keys {
            Some(keys) => value.is_some_and(|value| keys.contains(&value)),
            None => true,
        };
        let stated = resources.iter().find(|resource| {
            is_stated(&names, text(resource, "ResourceName")) && is_stated(&types, text(resource, "ResourceType"))
        });
        let (name, kind) = match stated {
            Some(resource) => (text(resource, "ResourceName"), text(resource, "ResourceType")),
            None => (None, None),
        };
        let complete = match scan.wants(Self::CLOUD_TRAIL_EVENT) {
            true => Shape::whole().parse(event["CloudTrailEvent"].as_str().unwrap_or_default().as_bytes()).ok(),
            false => None,
        };
        let complete = complete.map(cloudtrail::without_secrets);
        let event = with_member(event, "resourceName", json!(name));
        let event = with_member(event, "resourceType", json!(kind));
        with_member(event, "complete", json!(complete))
    }

    /// CloudTrail selects by one attribute only.
    fn admits(scan: &Scan<Self>, event: &Value) -> bool {
        let admits = |name: &str, keys: Option<Vec<String>>| match (keys, event[name].as_str()) {
            (Some(keys), Some(value)) => keys.iter().any(|key| key == value),
            (Some(_), None) => false,
            (None, _) => true,
        };
        admits("EventId", scan.keys(Self::EVENT_ID))
            && admits("EventName", scan.keys(Self::EVENT_NAME))
            && admits("EventSource", scan.keys(Self::EVENT_SOURCE))
            && admits("ReadOnly", scan.keys(Self::READ_ONLY))
            && admits("AccessKeyId", scan.keys(Self::ACCESS_KEY_ID))
            && admits("Username", scan.keys(Self::USERNAME))
            && admits("resourceName", scan.keys(Self::RESOURCE_NAME))
            && admits("resourceType", scan.keys(Self::RESOURCE_TYPE))
    }

    fn wanted(scan: &Scan<Self>) -> Wanted {
        let (from, to) = scan.range(Self::EVENT_TIME);
        let attributes = [
            ("EventId", scan.keys(Self::EVENT_ID)),
            ("AccessKeyId", scan.keys(Self::ACCESS_KEY_ID)),
            ("ResourceName", scan.keys(Self::RESOURCE_NAME)),
            ("Username", scan.keys(Self::USERNAME)),
            ("EventName", scan.keys(Self::EVENT_NAME)),
            ("EventSource", scan.keys(Self::EVENT_SOURCE)),
            ("ResourceType", scan.keys(Self::RESOURCE_TYPE)),
            ("ReadOnly", scan.keys(Self::READ_ONLY)),
        ];
        Wanted {
            from: from.max(scan.key(Self::START_TIME)),
            to: to.into_iter().chain(scan.key(Self::END_TIME)).min(),
            attributes: attributes.into_iter().filter_map(|(name, keys)| Some((name, keys?))).collect(),
            ..Wanted::default()
        }
    }
}
