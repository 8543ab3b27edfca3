//! `aws_cloudtrail_event_data_store`: one row per CloudTrail Lake event data store.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place};
use crate::api::{List, Request};
use crate::resource::{Origin, Reader, Resource};
use crate::services::CLOUD_TRAIL;

/// Event data stores of CloudTrail Lake.
///
/// The list has name and ARN. The other columns cost one call per store.
#[derive(Debug, Default, Table)]
#[table(name = "aws_cloudtrail_event_data_store", env = Aws, stream, rows = 5, needs("cloudtrail:ListEventDataStores"), identity(arn))]
#[example(
    "Stores and how long they keep events.",
    "SELECT name, status, retention_period FROM aws_cloudtrail_event_data_store"
)]
pub struct EventDataStore {
    /// Name of the store.
    #[column(path = "Name")]
    name: String,
    /// ARN of the store.
    #[column(path = "EventDataStoreArn")]
    arn: String,
    /// Status: `CREATED`, `ENABLED`, `PENDING_DELETION`, `STARTING_INGESTION`, `STOPPING_INGESTION`,
    /// `STOPPED_INGESTION`.
    #[column(path = "Status", source = details, needs = "cloudtrail:GetEventDataStore")]
    status: Option<String>,
    /// Billing mode.
    #[column(path = "BillingMode", source = details, needs = "cloudtrail:GetEventDataStore")]
    billing_mode: Option<String>,
    /// ARN of the role for queries from Athena; NULL if there is none.
    #[column(path = "FederationRoleArn", source = details, needs = "cloudtrail:GetEventDataStore")]
    federation_role_arn: Option<String>,
    /// Whether the store can be queried from Athena.
    #[column(path = "FederationStatus", source = details, needs = "cloudtrail:GetEventDataStore")]
    federation_status: Option<String>,
    /// ARN of the key that encrypts events; NULL for AWS's own.
    #[column(path = "KmsKeyId", source = details, needs = "cloudtrail:GetEventDataStore")]
    kms_key_id: Option<String>,
    /// Creation time.
    #[column(path = "CreatedTimestamp", source = details, needs = "cloudtrail:GetEventDataStore")]
    created_timestamp: Option<Timestamp>,
    /// Whether the store has events of all regions.
    #[column(path = "MultiRegionEnabled", source = details, needs = "cloudtrail:GetEventDataStore")]
    multi_region_enabled: Option<bool>,
    /// Whether the store has events of the organization's accounts.
    #[column(path = "OrganizationEnabled", source = details, needs = "cloudtrail:GetEventDataStore")]
    organization_enabled: Option<bool>,
    /// Days for which events are kept.
    #[column(path = "RetentionPeriod", source = details, needs = "cloudtrail:GetEventDataStore")]
    retention_period: Option<i64>,
    /// Whether the store is protected from deletion.
    #[column(path = "TerminationProtectionEnabled", source = details, needs = "cloudtrail:GetEventDataStore")]
    termination_protection_enabled: Option<bool>,
    /// Time of the last change.
    #[column(path = "UpdatedTimestamp", source = details, needs = "cloudtrail:GetEventDataStore")]
    updated_timestamp: Option<Timestamp>,
    /// Which events the store has.
    #[column(path = "AdvancedEventSelectors", source = details, needs = "cloudtrail:GetEventDataStore")]
    advanced_event_selectors: Option<Json>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = List {
    service: &CLOUD_TRAIL,
    action: "cloudtrail:ListEventDataStores",
    items: "EventDataStores",
    tokens: ("NextToken", "NextToken"),
};

impl RowStream for EventDataStore {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| site.listed(scan, &LIST, Request::input(json!({}))))
    }
}

impl Resource for EventDataStore {
    const ARN_FORM: &'static str = "{EventDataStoreArn}";
    const TITLE_FORM: &'static str = "{Name}";
    const KEPT: &'static [usize] = &[Self::ARN.position()];
}

impl EventDataStore {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Request::input(json!({"EventDataStore": self.arn}));
        let answer = site.send(scan, &CLOUD_TRAIL, "cloudtrail:GetEventDataStore", input).await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &answer)
    }
}
