//! `aws_vpc_flow_log_event`: one row per record of a flow log, from `logs:FilterLogEvents`.

use async_stream::try_stream;
use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::Service;
use crate::call::distinct;
use crate::resource::{Origin, Reader, Resource};

/// Records of flow logs that are written to CloudWatch Logs, in the default format: traffic between two addresses.
///
/// Records of flow logs in S3 are files of the bucket.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_flow_log_event", env = Aws, stream, rows = 10000, needs("logs:FilterLogEvents"),
    identity(account_id, region, log_group_name, event_id)
)]
#[example(
    "Connections that were rejected in the last hour.",
    "SELECT src_addr, dst_addr, dst_port, count(*) AS records FROM aws_vpc_flow_log_event \
     WHERE log_group_name = 'vpc' AND action = 'REJECT' AND \"timestamp\" > now() - INTERVAL '1 hour' GROUP BY 1, 2, 3"
)]
pub struct FlowLogEvent {
    /// Name of the log group.
    #[column(required, path = "logGroupName")]
    log_group_name: String,
    /// Name of the log stream: one per network interface.
    #[column(index, path = "logStreamName")]
    log_stream_name: String,
    /// Time of the record. A condition on it limits the records that are read.
    #[column(range, path = "timestamp")]
    timestamp: Option<Timestamp>,
    /// Version of the format.
    #[column(path = "version")]
    version: Option<i64>,
    /// ID of the account that owns the network interface.
    #[column(path = "accountId")]
    interface_account_id: Option<String>,
    /// ID of the network interface.
    #[column(path = "interfaceId")]
    interface_id: Option<String>,
    /// Source address; NULL if nothing was recorded.
    #[column(path = "srcAddr")]
    src_addr: Option<String>,
    /// Destination address; NULL if nothing was recorded.
    #[column(path = "dstAddr")]
    dst_addr: Option<String>,
    /// Source port.
    #[column(path = "srcPort")]
    src_port: Option<i64>,
    /// Destination port.
    #[column(path = "dstPort")]
    dst_port: Option<i64>,
    /// IANA number of the protocol: 6 for TCP, 17 for UDP.
    #[column(path = "protocol")]
    protocol: Option<i64>,
    /// Number of packets.
    #[column(path = "packets")]
    packets: Option<i64>,
    /// Number of bytes.
    #[column(path = "bytes")]
    bytes: Option<i64>,
    /// Time of the first packet of the record.
    #[column(path = "start")]
    start: Option<Timestamp>,
    /// Time of the last packet of the record.
    #[column(path = "end")]
    end: Option<Timestamp>,
    /// `ACCEPT` or `REJECT`.
    #[column(path = "action")]
    action: Option<String>,
    /// `OK`, `NODATA` if there was no traffic, or `SKIPDATA` if records were skipped.
    #[column(path = "logStatus")]
    log_status: Option<String>,
    /// ID of the record.
    #[column(path = "eventId")]
    event_id: String,
    /// Filter pattern of CloudWatch Logs. A condition on it makes AWS return only the matching records; NULL without one.
    #[column(index, selects, path = "filter")]
    filter: Option<String>,
    /// Time when CloudWatch Logs got the record.
    #[column(path = "ingestionTime")]
    ingestion_time: Option<Timestamp>,
    #[column(flatten)]
    origin: Origin,
}

static LOGS: Service = Service {
    name: "logs",
    id: "CloudWatch Logs",
    target: "Logs_20140328",
    json: "1.1",
    is_global: false,
    always_fips: &["aws-us-gov"],
};

impl RowStream for FlowLogEvent {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "logs:FilterLogEvents")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let groups = distinct(scan.keys(Self::LOG_GROUP_NAME).unwrap_or_default());
            let filters = scan.keys(Self::FILTER).map(distinct);
            let filters = filters.map_or_else(|| vec![None], |filters| filters.into_iter().map(Some).collect());
            let listings: Vec<_> =
                groups.iter().flat_map(|group| filters.iter().map(|filter| (group.clone(), filter.clone()))).collect();
            let listings = stream::iter(listings);
            listings
                .flat_map(move |(group, filter)| FlowLogEvent::listed(scan, site.clone(), group, filter).boxed())
                .boxed()
        })
    }
}

impl Resource for FlowLogEvent {
    const TITLE_FORM: &'static str = "{eventId}";
}

impl FlowLogEvent {
    /// The records of a log group, in pages.
    fn listed(
        scan: &Scan<Self>,
        site: Site,
        group: String,
        filter: Option<String>,
    ) -> impl Stream<Item = Result<Self>> + Send + '_ {
        let (from, to) = scan.range(Self::TIMESTAMP);
        let millis = |time: Option<Timestamp>| time.map(|time| time.0.div_euclid(1000));
        let fixed = [
            ("logGroupName", json!(group)),
            ("filterPattern", json!(filter)),
            ("logStreamNames", json!(scan.keys(Self::LOG_STREAM_NAME).map(distinct))),
            ("startTime", json!(millis(from))),
            // A condition can be `<=`, and AWS's end does not belong to the period.
            ("endTime", json!(millis(to).map(|to| to.saturating_add(1)))),
        ];
        let fixed: serde_json::Map<_, _> = fixed
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        try_stream! {
            let reader = Reader::listed(scan, &site);
            let mut token = Value::Null;
            loop {
                let mut input = fixed.clone();
                if !token.is_null() {
                    input.insert("nextToken".to_owned(), token.clone());
                }
                let answer = site.ask(scan, &LOGS, "FilterLogEvents", Value::Object(input)).await;
                // The log group is in another region, or a log stream does not exist.
                let Some(mut answer) = answer.if_present()? else { break };
                for event in answer["events"].as_array().into_iter().flatten() {
                    let record = record(event, &group, filter.as_deref()).unwrap_or_else(|why| {
                        scan.report(site.to_string(), &Error::Malformed(why));
                        // The row keeps what identifies it.
                        json!({
                            "logGroupName": &group,
                            "filter": &filter,
                            "logStreamName": &event["logStreamName"],
                            "eventId": &event["eventId"],
                        })
                    });
                    if let Some(row) = reader.item(scan, &record) {
                        yield row;
                    }
                }
                let next = answer.get_mut("nextToken").map(Value::take).unwrap_or_default();
                if next.is_null() || scan.is_done() {
                    break;
                }
                if next == token {
                    Err(Error::Malformed(format!("logs:FilterLogEvents as {site}: its pages repeat: the list is incomplete")))?;
                }
                token = next;
            }
        }
    }
}

/// The fields of a record in the default format, in their order.
const FIELDS: [&str; 14] = [
    "version",
    "accountId",
    "interfaceId",
    "srcAddr",
    "dstAddr",
    "srcPort",
    "dstPort",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "logStatus",
];

/// An event of CloudWatch Logs with the fields of its message as members.
fn record(event: &Value, group: &str, filter: Option<&str>) -> Result<Value, String> {
    let Value::Object(event) = event else { return Ok(event.clone()) };
    let mut record = event.clone();
    record.insert("logGroupName".to_owned(), group.into());
    record.insert("filter".to_owned(), filter.into());
    for name in ["timestamp", "ingestionTime"] {
        if let Some(millis) = event.get(name).and_then(Value::as_i64) {
            record.insert(name.to_owned(), Timestamp(millis.saturating_mul(1000)).to_string().into());
        }
    }
    let message = event.get("message").and_then(Value::as_str).unwrap_or_default();
    let values: Vec<_> = message.split_ascii_whitespace().collect();
    if values.len() != FIELDS.len() {
        let id = event.get("eventId").and_then(Value::as_str).unwrap_or_default();
        return Err(format!("event {id} has {} fields, not the 14 of a flow log's default format", values.len()));
    }
    for (name, value) in FIELDS.iter().zip(values).filter(|(_, value)| *value != "-") {
        let value = match (*name, value.parse()) {
            ("start" | "end", Ok(seconds)) => Timestamp::from_seconds(seconds).to_string(),
            _ => value.to_owned(),
        };
        record.insert((*name).to_owned(), value.into());
    }
    Ok(Value::Object(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_fields_of_its_message() {
        let message = "2 123456789012 eni-1 10.0.0.1 203.0.113.5 49152 443 6 10 840 1620140761 1620140821 ACCEPT OK";
        let event = json!({"eventId": "7", "timestamp": 1_620_140_761_000_i64, "message": message});
        let found = record(&event, "vpc", Some("ACCEPT")).expect("14 fields");
        assert_eq!((&found["srcAddr"], &found["dstPort"]), (&json!("10.0.0.1"), &json!("443")));
        assert_eq!((&found["start"], &found["end"]), (&json!("2021-05-04T15:06:01Z"), &json!("2021-05-04T15:07:01Z")));
        assert_eq!((&found["timestamp"], &found["filter"]), (&json!("2021-05-04T15:06:01Z"), &json!("ACCEPT")));
        let nothing = "2 123456789012 eni-1 - - - - - - - 1431280876 1431280934 - NODATA";
        let found = record(&json!({"message": nothing}), "vpc", None).expect("14 fields");
        assert_eq!((found.get("srcAddr"), &found["logStatus"]), (None, &json!("NODATA")));
        let why = record(&json!({"eventId": "7", "message": "a b"}), "vpc", None).expect_err("two fields");
        assert_eq!(why, "event 7 has 2 fields, not the 14 of a flow log's default format");
        assert_eq!(record(&json!("text"), "vpc", None), Ok(json!("text")));
    }
}
