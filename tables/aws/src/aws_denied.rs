//! `aws_denied`: refused requests in CloudTrail's events.

use std::collections::HashMap;

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use indago_table::json::{FromJson, Shape};
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::Aws;
use crate::source::cloudtrail::{self, Event, OfEvents, Source, Wanted, word_after};

/// Requests that AWS refused for lack of permission: one row per identity, action and resource of a slice (a directory
/// of log files, or a profile's region).
///
/// The events are those of `aws_cloudtrail_event`. State `start_time` (and `end_time`) to read less. `reason` is what
/// AWS states about the policy that refused the request or lacks a permission.
#[derive(Debug, Default, Table)]
#[table(name = "aws_denied", env = Aws, stream, rows = 100, needs("cloudtrail:LookupEvents"), identity(path, profile, region, account_id, identity_arn, action, resource_arn, error_code))]
#[example(
    "Identities with the most refusals in the last day.",
    "SELECT identity_arn, sum(count) AS refusals FROM aws_denied WHERE start_time = now() - INTERVAL '1 day' GROUP BY identity_arn ORDER BY refusals DESC"
)]
#[example(
    "What a role tried and may not.",
    "SELECT action, resource_arn, reason, count, last_time FROM aws_denied WHERE identity_arn = 'arn:aws:iam::123456789012:role/web' AND start_time = now() - INTERVAL '7 days'"
)]
pub struct Denied {
    /// ARN of the user, or of the role of a session; NULL if AWS did not know the identity.
    identity_arn: Option<String>,
    /// Action that was refused: `s3:GetObject`.
    action: Option<String>,
    /// ARN of the resource, if the message or the event states it.
    resource_arn: Option<String>,
    /// Error: `AccessDenied`, `Client.UnauthorizedOperation`.
    error_code: Option<String>,
    /// What AWS states about the cause: `no identity-based policy allows the s3:GetObject action`; NULL if it states
    /// none.
    reason: Option<String>,
    /// Number of refused requests.
    count: i64,
    /// Time of the first one.
    first_time: Option<Timestamp>,
    /// Time of the last one.
    last_time: Option<Timestamp>,
    /// Addresses of the clients, the first 20.
    source_ips: Vec<String>,
    /// IDs of the access keys, the first 20.
    access_key_ids: Vec<String>,
    /// IDs of events, the first 20.
    event_ids: Vec<String>,
    /// Message of the last one.
    last_message: Option<String>,
    /// The start that the query states: requests from then on.
    #[column(index, selects)]
    start_time: Option<Timestamp>,
    /// The end that the query states: requests up to then.
    #[column(index, selects)]
    end_time: Option<Timestamp>,
    /// Region of the requests.
    #[column(slice)]
    region: Option<String>,
    /// ID of the account that the events belong to.
    #[column(slice)]
    account_id: Option<String>,
    /// Profile of the credentials; NULL for log files.
    #[column(slice)]
    profile: Option<String>,
    /// Directory of the log files; NULL for `LookupEvents`.
    path: Option<String>,
}

impl RowStream for Denied {
    type Part = Source;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Source>> {
        cloudtrail::sources(scan)
    }

    fn rows<'a>(scan: &'a Scan<Self>, source: &'a Source) -> impl Stream<Item = Result<Self>> + Send + 'a {
        let path = source.directory();
        cloudtrail::rows(scan, source).map_ok(move |row| Denied { path: path.clone(), ..row })
    }
}

/// The parts of events that rows need.
const PATHS: [&str; 13] = [
    "awsRegion",
    "errorCode",
    "errorMessage",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "recipientAccountId",
    "resources.*.ARN",
    "sourceIPAddress",
    "userIdentity.accessKeyId",
    "userIdentity.arn",
    "userIdentity.sessionContext.sessionIssuer.arn",
];
/// Most addresses, keys and events of a row.
const MOST_LISTED: usize = 20;
/// Endings of the codes of refusals. EC2's begin with `Client.`.
const CODES: [&str; 7] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "NotAuthorized",
    "UnauthorizedAccess",
    "UnauthorizedOperation",
];

impl OfEvents for Denied {
    fn wanted(scan: &Scan<Self>) -> Wanted {
        Wanted {
            from: scan.key(Self::START_TIME),
            to: scan.key(Self::END_TIME),
            attributes: Vec::new(),
            accounts: scan.keys(Self::ACCOUNT_ID),
            regions: scan.keys(Self::REGION),
            shape: PATHS.iter().fold(Shape::default(), |shape, path| shape.with(path)),
        }
    }

    fn of_events<'a>(scan: &'a Scan<Self>, mut events: BoxStream<'a, Result<Event>>) -> BoxStream<'a, Result<Self>> {
        try_stream! {
            let Wanted { from, to, accounts, regions, .. } = Denied::wanted(scan);
            let is_among = |keys: &Option<Vec<String>>, value: &Option<String>| match keys {
                Some(keys) => value.as_ref().is_some_and(|value| keys.contains(value)),
                None => true,
            };
            let mut found: HashMap<String, Denied> = HashMap::new();
            let mut held = scan.meter().hold(0)?;
            let mut failed = None;
            while let Some(event) = events.next().await {
                let Event { document, profile, .. } = match event {
                    Ok(event) => event,
                    // The refusals before the failure are counted.
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                };
                let document = cloudtrail::prepare(document, false);
                let Some(refusal) = Denied::of(&document, profile) else { continue };
                let is_within = refusal.last_time.is_none_or(|time| {
                    from.is_none_or(|from| time >= from) && to.is_none_or(|to| time <= to)
                });
                let keys = scan.keys(Self::PROFILE);
                if !is_within
                    || !is_among(&accounts, &refusal.account_id)
                    || !is_among(&regions, &refusal.region)
                    || !is_among(&keys, &refusal.profile)
                {
                    continue;
                }
                let key = refusal.key();
                match found.get_mut(&key) {
                    Some(known) => known.add(refusal),
                    None => {
                        held.add(2 * key.len() + size_of::<Denied>() + 3 * MOST_LISTED * 64)?;
                        found.insert(key, refusal);
                    }
                }
            }
            for (_, row) in found {
                yield Denied { start_time: from, end_time: to, ..row };
            }
            if let Some(error) = failed {
                Err(error)?;
            }
        }
        .boxed()
    }
}

impl Denied {
    /// The refusal that an event records, if it does.
    fn of(event: &Value, profile: Option<String>) -> Option<Self> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let code = text("/errorCode")?;
        let bare = code.rsplit('.').next().unwrap_or(&code);
        if !CODES.contains(&bare) {
            return None;
        }
        let message = text("/errorMessage");
        let time = Timestamp::from_json(&event["eventTime"]);
        let of_message = message.as_deref().and_then(|message| word_after(message, " on resource: "));
        Some(Denied {
            identity_arn: text("/identity"),
            action: text("/action"),
            resource_arn: of_message.map(str::to_owned).or_else(|| text("/resources/0/ARN")),
            reason: message.as_deref().and_then(reason),
            error_code: Some(code),
            count: 1,
            first_time: time,
            last_time: time,
            source_ips: text("/sourceIPAddress").into_iter().collect(),
            access_key_ids: text("/userIdentity/accessKeyId").into_iter().collect(),
            event_ids: text("/eventID").into_iter().collect(),
            last_message: message,
            region: text("/awsRegion"),
            account_id: text("/recipientAccountId"),
            profile,
            ..Denied::default()
        })
    }

    fn key(&self) -> String {
        let origin = (&self.region, &self.account_id, &self.profile);
        format!("{:?}", (origin, &self.identity_arn, &self.action, &self.resource_arn, &self.error_code))
    }

    fn add(&mut self, other: Denied) {
        self.count += other.count;
        self.first_time = self.first_time.into_iter().chain(other.first_time).min();
        if other.last_time >= self.last_time {
            self.last_time = other.last_time;
            self.last_message = other.last_message.or(self.last_message.take());
            self.reason = other.reason.or(self.reason.take());
        }
        for (known, added) in [
            (&mut self.source_ips, other.source_ips),
            (&mut self.access_key_ids, other.access_key_ids),
            (&mut self.event_ids, other.event_ids),
        ] {
            for text in added {
                if known.len() < MOST_LISTED && !known.contains(&text) {
                    known.push(text);
                }
            }
        }
    }
}

/// What a message states about the cause: the text after `because`, or `with an explicit deny ..`.
fn reason(message: &str) -> Option<String> {
    let because = message.split_once(" because ").map(|(_, reason)| reason);
    let with = || message.find(" with an explicit deny").map(|at| &message[at + " with an ".len()..]);
    let reason = because.or_else(with)?;
    Some(reason.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The messages follow the page "Troubleshoot access denied error messages" of AWS's IAM guide.
    #[test]
    fn refusals_state_action_resource_and_reason() {
        let refusal = |code: &str, message: &str| {
            let event = json!({
                "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "errorCode": code, "errorMessage": message,
                "eventTime": "2026-11-30T22:00:00Z", "resources": [{"ARN": "arn:aws:s3:::b"}],
                "userIdentity": {"arn": "arn:aws:iam::1:user/u"},
            });
            Denied::of(&cloudtrail::prepare(event, false), None)
        };
        let user = "User: arn:aws:iam::1:user/u is not authorized to perform: ";
        let row = refusal(
            "AccessDenied",
            &format!(
                "{user}s3:ListBucket on resource: \"arn:aws:s3:::b\" because no \
            identity-based policy allows the s3:ListBucket action"
            ),
        )
        .expect("a refusal");
        assert_eq!(row.action.as_deref(), Some("s3:ListBucket"));
        assert_eq!(row.resource_arn.as_deref(), Some("arn:aws:s3:::b"));
        assert_eq!(row.reason.as_deref(), Some("no identity-based policy allows the s3:ListBucket action"));
        let row = refusal(
            "Client.UnauthorizedOperation",
            &format!(
                "{user}ec2:RunInstances on resource: arn:aws:ec2:::i \
            with an explicit deny in a service control policy."
            ),
        )
        .expect("a refusal");
        assert_eq!(row.reason.as_deref(), Some("explicit deny in a service control policy"));
        assert_eq!(row.resource_arn.as_deref(), Some("arn:aws:ec2:::i"));
        let row = refusal("AccessDenied", "Access Denied").expect("a refusal");
        assert_eq!((row.action.as_deref(), row.reason), (Some("s3:GetObject"), None));
        assert_eq!(row.resource_arn.as_deref(), Some("arn:aws:s3:::b"));
        assert!(refusal("NoSuchKey", "none").is_none());
    }
}
