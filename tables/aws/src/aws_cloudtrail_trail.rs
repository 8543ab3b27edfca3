//! `aws_cloudtrail_trail`: one row per trail and region, from `cloudtrail:DescribeTrails`.

use std::sync::Arc;

use futures::stream::{Stream, StreamExt, TryStreamExt};
use indago_table::json::{self, FromJson};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request};
use crate::resource::{Origin, Reader, Resource};
use crate::services::CLOUD_TRAIL;

/// Trails of CloudTrail.
///
/// A trail of all regions has a row in each region. `WHERE region = home_region` leaves one per trail. Status,
/// selectors and tags cost a call per trail each.
#[derive(Debug, Default, Table)]
#[table(name = "aws_cloudtrail_trail", env = Aws, stream, rows = 10, needs("cloudtrail:DescribeTrails"), identity(arn, region))]
#[example(
    "Trails that do not log.",
    "SELECT name, account_id FROM aws_cloudtrail_trail WHERE region = home_region AND NOT is_logging"
)]
#[example(
    "Where the logs of each trail go.",
    "SELECT name, s3_bucket_name, s3_key_prefix, kms_key_id FROM aws_cloudtrail_trail WHERE region = home_region"
)]
pub struct Trail {
    /// Name of the trail.
    #[column(path = "Name")]
    name: String,
    /// ARN of the trail.
    #[column(index, path = "TrailARN")]
    arn: String,
    /// Region in which the trail was created.
    #[column(path = "HomeRegion")]
    home_region: Option<String>,
    /// Whether it logs events of all regions.
    #[column(path = "IsMultiRegionTrail")]
    is_multi_region_trail: Option<bool>,
    /// Whether digests are written, against which log files can be checked.
    #[column(path = "LogFileValidationEnabled")]
    log_file_validation_enabled: Option<bool>,
    /// Whether it logs at present.
    #[column(path = "IsLogging", source = status, needs = "cloudtrail:GetTrailStatus")]
    is_logging: Option<bool>,
    /// ARN of the log group in CloudWatch Logs; NULL if there is none.
    #[column(path = "CloudWatchLogsLogGroupArn")]
    log_group_arn: Option<String>,
    /// ARN of the role that writes to the log group; NULL if there is none.
    #[column(path = "CloudWatchLogsRoleArn")]
    cloudwatch_logs_role_arn: Option<String>,
    /// Whether it has event selectors of its own.
    #[column(path = "HasCustomEventSelectors")]
    has_custom_event_selectors: Option<bool>,
    /// Whether it has insight selectors.
    #[column(path = "HasInsightSelectors")]
    has_insight_selectors: Option<bool>,
    /// Whether it logs events of global services such as IAM.
    #[column(path = "IncludeGlobalServiceEvents")]
    include_global_service_events: Option<bool>,
    /// Whether it logs events of all accounts of the organization.
    #[column(path = "IsOrganizationTrail")]
    is_organization_trail: Option<bool>,
    /// ARN of the key that encrypts log files; NULL if there is none.
    #[column(path = "KmsKeyId")]
    kms_key_id: Option<String>,
    /// Bucket of the log files.
    #[column(path = "S3BucketName")]
    s3_bucket_name: Option<String>,
    /// Prefix of the log files in the bucket; NULL if there is none.
    #[column(path = "S3KeyPrefix")]
    s3_key_prefix: Option<String>,
    /// ARN of the topic that hears of new files; NULL if there is none.
    #[column(path = "SnsTopicARN")]
    sns_topic_arn: Option<String>,
    /// Last error of delivery to CloudWatch Logs; NULL if there is none.
    #[column(volatile, path = "LatestCloudWatchLogsDeliveryError", source = status, needs = "cloudtrail:GetTrailStatus")]
    latest_cloudwatch_logs_delivery_error: Option<String>,
    /// Last delivery to CloudWatch Logs.
    #[column(volatile, path = "LatestCloudWatchLogsDeliveryTime", source = status, needs = "cloudtrail:GetTrailStatus")]
    latest_cloudwatch_logs_delivery_time: Option<Timestamp>,
    /// Last error of delivery to the bucket; NULL if there is none.
    #[column(volatile, path = "LatestDeliveryError", source = status, needs = "cloudtrail:GetTrailStatus")]
    latest_delivery_error: Option<String>,
    /// Last delivery to the bucket.
    #[column(volatile, path = "LatestDeliveryTime", source = status, needs = "cloudtrail:GetTrailStatus")]
    latest_delivery_time: Option<Timestamp>,
    /// Last error of delivery of a digest; NULL if there is none.
    #[column(volatile, path = "LatestDigestDeliveryError", source = status, needs = "cloudtrail:GetTrailStatus")]
    latest_digest_delivery_error: Option<String>,
    /// Last delivery of a digest.
    #[column(volatile, path = "LatestDigestDeliveryTime", source = status, needs = "cloudtrail:GetTrailStatus")]
    latest_digest_delivery_time: Option<Timestamp>,
    /// Last error of a notification; NULL if there is none.
    #[column(volatile, path = "LatestNotificationError", source = status, needs = "cloudtrail:GetTrailStatus")]
    latest_notification_error: Option<String>,
    /// Last notification.
    #[column(volatile, path = "LatestNotificationTime", source = status, needs = "cloudtrail:GetTrailStatus")]
    latest_notification_time: Option<Timestamp>,
    /// When logging was last started.
    #[column(path = "StartLoggingTime", source = status, needs = "cloudtrail:GetTrailStatus")]
    start_logging_time: Option<Timestamp>,
    /// When logging was last stopped; NULL if it was not.
    #[column(path = "StopLoggingTime", source = status, needs = "cloudtrail:GetTrailStatus")]
    stop_logging_time: Option<Timestamp>,
    /// Advanced event selectors: which events are logged.
    #[column(path = "AdvancedEventSelectors", source = selectors, needs = "cloudtrail:GetEventSelectors")]
    advanced_event_selectors: Option<Json>,
    /// Event selectors: which events are logged.
    #[column(path = "EventSelectors", source = selectors, needs = "cloudtrail:GetEventSelectors")]
    event_selectors: Option<Json>,
    /// Insight selectors; NULL if there are none.
    #[column(source = insights, needs = "cloudtrail:GetInsightSelectors")]
    insight_selectors: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = tagging, needs = "cloudtrail:ListTags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "cloudtrail:ListTags")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static TRAILS: List = List {
    service: &CLOUD_TRAIL,
    action: "cloudtrail:DescribeTrails",
    items: "trailList",
    // One page has all trails.
    tokens: ("", ""),
};

impl RowStream for Trail {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, TRAILS.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let rows = site.listed(scan, &TRAILS, Request::input(json!({})));
            rows.try_filter(|row: &Self| std::future::ready(scan.admits(Self::ARN, &row.arn))).boxed()
        })
    }
}

impl Resource for Trail {
    const ARN_FORM: &'static str = "{TrailARN}";
    const TITLE_FORM: &'static str = "{Name}";
    const KEPT: &'static [usize] = &[Self::ARN.position(), Self::HOME_REGION.position()];
}

impl Trail {
    /// A call about the trail in its own region, once per query: the rows of all regions share the response.
    async fn ask(&self, scan: &Scan<Self>, action: &str, input: Value) -> Result<(Site, Arc<Value>)> {
        let site = self.origin.site(scan).await?;
        let home = site.in_region(self.home_region.as_deref().unwrap_or(&self.origin.region));
        let read = async {
            let answer = home.send(scan, &CLOUD_TRAIL, action, Request::input(input)).await?;
            let size = json::size(&answer);
            Ok((answer, size))
        };
        let key = format!("aws/{}/{action}/{}", self.origin.profile, self.arn);
        let answer = scan.cached(&key, Box::pin(read)).await?;
        Ok((site, answer))
    }

    async fn status(&mut self, scan: &Scan<Self>) -> Result<()> {
        let (site, answer) = self.ask(scan, "cloudtrail:GetTrailStatus", json!({"Name": self.arn})).await?;
        Reader::of_sources(&site, &["status"]).fill(scan, self, &*answer)
    }

    async fn selectors(&mut self, scan: &Scan<Self>) -> Result<()> {
        let (site, answer) = self.ask(scan, "cloudtrail:GetEventSelectors", json!({"TrailName": self.arn})).await?;
        Reader::of_sources(&site, &["selectors"]).fill(scan, self, &*answer)
    }

    /// A trail without insight selectors is an error of its own.
    async fn insights(&mut self, scan: &Scan<Self>) -> Result<()> {
        match self.ask(scan, "cloudtrail:GetInsightSelectors", json!({"TrailName": self.arn})).await {
            Err(Error::Malformed(why)) if why.contains("InsightNotEnabledException") => Ok(()),
            answer => {
                self.insight_selectors = Json::from_json(&answer?.1["InsightSelectors"]);
                Ok(())
            }
        }
    }

    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        let (site, answer) = self.ask(scan, "cloudtrail:ListTags", json!({"ResourceIdList": [self.arn]})).await?;
        let tags = answer.pointer("/ResourceTagList/0/TagsList").cloned().unwrap_or_default();
        Reader::of_sources(&site, &["tagging"]).fill(scan, self, &json!({"Tags": tags}))
    }
}
