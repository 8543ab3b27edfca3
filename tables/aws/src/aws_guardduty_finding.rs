//! `aws_guardduty_finding`: one row per finding of GuardDuty.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request};
use crate::call::{all, distinct};
use crate::resource::{Origin, Reader, Resource};
use crate::services::GUARD_DUTY;

/// Findings of GuardDuty: suspicious activity in accounts, EKS clusters and machines.
///
/// Findings are read in batches of 50. Keys on `type` and `id`, and lower ends of `updated_at`, are applied by
/// GuardDuty. Archived findings are included.
#[derive(Debug, Default, Table)]
#[table(name = "aws_guardduty_finding", env = Aws, stream, rows = 100, needs("guardduty:ListDetectors", "guardduty:ListFindings", "guardduty:GetFindings"), identity(id))]
#[example(
    "Recent findings of high severity.",
    "SELECT type, severity, title, updated_at FROM aws_guardduty_finding WHERE severity >= 7 AND updated_at > now() - INTERVAL '7 days'"
)]
#[example(
    "Findings about access keys.",
    "SELECT f.type, f.title, k.user_name FROM aws_guardduty_finding f JOIN aws_iam_access_key k ON k.access_key_id = f.access_key_id"
)]
pub struct Finding {
    /// ID of the finding.
    #[column(index, path = "id")]
    id: String,
    /// ARN of the finding.
    #[column(path = "arn")]
    arn: String,
    /// ID of the detector.
    #[column(path = "service.detectorId")]
    detector_id: String,
    /// Type, such as `UnauthorizedAccess:IAMUser/MaliciousIPCaller`.
    #[column(slice, path = "type")]
    r#type: String,
    /// Severity from 1 to 10.
    #[column(path = "severity")]
    severity: Option<f64>,
    /// Confidence; NULL if GuardDuty states none.
    #[column(path = "confidence")]
    confidence: Option<f64>,
    /// Description.
    #[column(path = "description")]
    description: Option<String>,
    /// When it was made.
    #[column(path = "createdAt")]
    created_at: Option<Timestamp>,
    /// When its activity was last seen.
    #[column(range, path = "updatedAt")]
    updated_at: Option<Timestamp>,
    /// Type of the affected resource: `AccessKey`, `Instance`, `EKSCluster`.
    #[column(path = "resource.resourceType")]
    resource_type: Option<String>,
    /// ID of the access key; NULL for other resources.
    #[column(path = "resource.accessKeyDetails.accessKeyId")]
    access_key_id: Option<String>,
    /// Name of the user or role of the access key; NULL for other resources.
    #[column(path = "resource.accessKeyDetails.userName")]
    user_name: Option<String>,
    /// ID of the EC2 instance; NULL for other resources.
    #[column(path = "resource.instanceDetails.instanceId")]
    instance_id: Option<String>,
    /// Whether it is archived.
    #[column(path = "service.archived")]
    archived: Option<bool>,
    /// How often the activity was seen.
    #[column(volatile, path = "service.count")]
    count: Option<i64>,
    /// When the activity was first seen.
    #[column(path = "service.eventFirstSeen")]
    event_first_seen: Option<Timestamp>,
    /// When the activity was last seen.
    #[column(volatile, path = "service.eventLastSeen")]
    event_last_seen: Option<Timestamp>,
    /// Affected resource.
    #[column(path = "resource")]
    resource: Option<Json>,
    /// Action, actors and evidence.
    #[column(path = "service")]
    service: Option<Json>,
    /// Version of the form of findings.
    #[column(path = "schemaVersion")]
    schema_version: Option<String>,
    /// Title of the finding.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static DETECTORS: List = List {
    service: &GUARD_DUTY,
    action: "guardduty:ListDetectors",
    items: "detectorIds",
    tokens: ("nextToken", "nextToken"),
};
static LIST: List = List {
    service: &GUARD_DUTY,
    action: "guardduty:ListFindings",
    items: "findingIds",
    tokens: ("nextToken", "nextToken"),
};

const GET: &str = "guardduty:GetFindings";
/// Most findings of a call.
const MOST: usize = 50;

impl RowStream for Finding {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, Finding::list)
    }
}

impl Resource for Finding {
    const ARN_FORM: &'static str = "{arn}";
    const TITLE_FORM: &'static str = "{title}|{type}";
}

impl Finding {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let detectors = all(site.list(scan, &DETECTORS, Request::get(&["detector"]))).await?;
            let reader = Reader::listed(scan, &site);
            for detector in detectors.iter().filter_map(Value::as_str) {
                let input = json!({"maxResults": MOST, "findingCriteria": {"criterion": Finding::criterion(scan)}});
                let request = Request::post(&["detector", detector, "findings"], input);
                let mut ids = site.list(scan, &LIST, request).chunks(MOST);
                while let Some(ids) = ids.next().await {
                    let ids = ids.into_iter().collect::<Result<Vec<Value>>>()?;
                    let request = Request::post(&["detector", detector, "findings", "get"], json!({"findingIds": ids}));
                    let answer = site.send(scan, &GUARD_DUTY, GET, request).await?;
                    let findings = answer["findings"].as_array().ok_or_else(|| site.nothing(GET))?;
                    for finding in findings {
                        let row = reader.item(scan, finding).filter(|row| {
                            scan.admits(Finding::ID, &row.id) && scan.admits(Finding::TYPE, &row.r#type)
                        });
                        if let Some(row) = row {
                            yield row;
                        }
                    }
                }
            }
        }
        .boxed()
    }

    /// What GuardDuty selects.
    fn criterion(scan: &Scan<Self>) -> Value {
        let mut criterion = json!({});
        for (name, keys) in [("id", scan.keys(Self::ID)), ("type", scan.keys(Self::TYPE))] {
            if let Some(keys) = keys.map(distinct).filter(|keys| keys.len() <= MOST) {
                criterion[name] = json!({"eq": keys});
            }
        }
        if let (Some(from), _) = scan.range(Self::UPDATED_AT) {
            criterion["updatedAt"] = json!({"gte": from.0.div_euclid(1000)});
        }
        criterion
    }
}
