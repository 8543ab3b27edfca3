//! `aws_cloudtrail_channel`: one row per CloudTrail channel.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place};
use crate::api::{List, Request};
use crate::resource::{Origin, Reader, Resource};
use crate::services::CLOUD_TRAIL;

/// Channels of CloudTrail: how events of services and of other sources reach event data stores.
///
/// The list has name and ARN. The other columns cost one call per channel.
#[derive(Debug, Default, Table)]
#[table(name = "aws_cloudtrail_channel", env = Aws, stream, rows = 5, needs("cloudtrail:ListChannels"), identity(arn))]
#[example("Channels and their sources.", "SELECT name, source, destinations FROM aws_cloudtrail_channel")]
pub struct Channel {
    /// Name of the channel.
    #[column(path = "Name")]
    name: String,
    /// ARN of the channel.
    #[column(path = "ChannelArn")]
    arn: String,
    /// Whether the channel applies to all regions.
    #[column(path = "SourceConfig.ApplyToAllRegions", source = details, needs = "cloudtrail:GetChannel")]
    apply_to_all_regions: Option<bool>,
    /// Service or source of the events.
    #[column(path = "Source", source = details, needs = "cloudtrail:GetChannel")]
    source: Option<String>,
    /// Which events the channel has.
    #[column(path = "SourceConfig.AdvancedEventSelectors", source = details, needs = "cloudtrail:GetChannel")]
    advanced_event_selectors: Option<Json>,
    /// Latest success and error of ingestion.
    #[column(path = "IngestionStatus", source = details, needs = "cloudtrail:GetChannel")]
    ingestion_status: Option<Json>,
    /// Where the events go.
    #[column(path = "Destinations", source = details, needs = "cloudtrail:GetChannel")]
    destinations: Option<Json>,
    /// Configuration of the source.
    #[column(path = "SourceConfig", source = details, needs = "cloudtrail:GetChannel")]
    source_config: Option<Json>,
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
    action: "cloudtrail:ListChannels",
    items: "Channels",
    tokens: ("NextToken", "NextToken"),
};

impl RowStream for Channel {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| site.listed(scan, &LIST, Request::input(json!({}))))
    }
}

impl Resource for Channel {
    const ARN_FORM: &'static str = "{ChannelArn}";
    const TITLE_FORM: &'static str = "{Name}";
    const KEPT: &'static [usize] = &[Self::ARN.position()];
}

impl Channel {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Request::input(json!({"Channel": self.arn}));
        let answer = site.send(scan, &CLOUD_TRAIL, "cloudtrail:GetChannel", input).await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &answer)
    }
}
