//! `aws_cloudtrail_import`: one row per import of events into CloudTrail Lake.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place};
use crate::api::{List, Request};
use crate::resource::{Origin, Reader, Resource};
use crate::services::CLOUD_TRAIL;

/// Imports of log files into event data stores of CloudTrail Lake.
///
/// Source, period and statistics cost one call per import.
#[derive(Debug, Default, Table)]
#[table(name = "aws_cloudtrail_import", env = Aws, stream, rows = 5, needs("cloudtrail:ListImports"), identity(import_id))]
#[example(
    "Imports that failed.",
    "SELECT import_id, import_source FROM aws_cloudtrail_import WHERE import_status = 'FAILED'"
)]
pub struct Import {
    /// ID of the import.
    #[column(path = "ImportId")]
    import_id: String,
    /// Creation time.
    #[column(path = "CreatedTimestamp")]
    created_timestamp: Option<Timestamp>,
    /// Status: `INITIALIZING`, `IN_PROGRESS`, `FAILED`, `STOPPED`, `COMPLETED`.
    #[column(path = "ImportStatus")]
    import_status: Option<String>,
    /// End of the period of the events; NULL if it is open.
    #[column(path = "EndEventTime", source = details, needs = "cloudtrail:GetImport")]
    end_event_time: Option<Timestamp>,
    /// Start of the period of the events; NULL if it is open.
    #[column(path = "StartEventTime", source = details, needs = "cloudtrail:GetImport")]
    start_event_time: Option<Timestamp>,
    /// Time of the last change.
    #[column(path = "UpdatedTimestamp")]
    updated_timestamp: Option<Timestamp>,
    /// ARNs of the event data stores.
    #[column(path = "Destinations")]
    destinations: Option<Json>,
    /// Bucket and role of the log files.
    #[column(path = "ImportSource", source = details, needs = "cloudtrail:GetImport")]
    import_source: Option<Json>,
    /// Numbers of files and events.
    #[column(path = "ImportStatistics", source = details, needs = "cloudtrail:GetImport")]
    import_statistics: Option<Json>,
    /// The same as the ID.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = List {
    service: &CLOUD_TRAIL,
    action: "cloudtrail:ListImports",
    items: "Imports",
    tokens: ("NextToken", "NextToken"),
};

impl RowStream for Import {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| site.listed(scan, &LIST, Request::input(json!({}))))
    }
}

impl Resource for Import {
    const ARN_FORM: &'static str = "arn:{@partition}:cloudtrail:{@region}:{@account_id}:import/{ImportId}";
    const TITLE_FORM: &'static str = "{ImportId}";
    const KEPT: &'static [usize] = &[Self::IMPORT_ID.position()];
}

impl Import {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Request::input(json!({"ImportId": self.import_id}));
        let answer = site.send(scan, &CLOUD_TRAIL, "cloudtrail:GetImport", input).await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &answer)
    }
}
