//! `aws_ec2_fleet`: one row per fleet, from `ec2:DescribeFleets`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// EC2 fleets: groups of on-demand and spot instances that are started together.
#[derive(Debug, Default, Table)]
#[table(name = "aws_ec2_fleet", env = Aws, stream, rows = 2, needs("ec2:DescribeFleets"), identity(arn))]
#[example(
    "Fleets that keep their size.",
    "SELECT fleet_id, target_capacity_specification FROM aws_ec2_fleet WHERE type = 'maintain'"
)]
pub struct Fleet {
    /// ID of the fleet.
    #[column(path = "FleetId")]
    fleet_id: String,
    /// ARN of the fleet.
    #[column(path = "@arn")]
    arn: String,
    /// State, such as `active` or `deleted_running`.
    #[column(slice, path = "FleetState")]
    fleet_state: Option<String>,
    /// `pending_fulfillment`, `pending_termination`, `fulfilled` or `error`.
    #[column(slice, path = "ActivityStatus")]
    activity_status: Option<String>,
    /// Time of creation.
    #[column(path = "CreateTime")]
    create_time: Option<Timestamp>,
    /// `request`, `maintain` or `instant`.
    #[column(slice, path = "Type")]
    r#type: Option<String>,
    /// Client token of the request.
    #[column(path = "ClientToken")]
    client_token: Option<String>,
    /// Reserved.
    #[column(path = "Context")]
    context: Option<String>,
    /// Whether instances end if the target falls below the size: `no-termination` or `termination`.
    #[column(slice, path = "ExcessCapacityTerminationPolicy")]
    excess_capacity_termination_policy: Option<String>,
    /// Capacity that runs, against the target.
    #[column(path = "FulfilledCapacity")]
    fulfilled_capacity: Option<f64>,
    /// On-demand capacity that runs.
    #[column(path = "FulfilledOnDemandCapacity")]
    fulfilled_on_demand_capacity: Option<f64>,
    /// Whether unhealthy instances are replaced.
    #[column(path = "ReplaceUnhealthyInstances")]
    replace_unhealthy_instances: Option<bool>,
    /// Whether instances end with the request.
    #[column(path = "TerminateInstancesWithExpiration")]
    terminate_instances_with_expiration: Option<bool>,
    /// Time from which it is valid.
    #[column(path = "ValidFrom")]
    valid_from: Option<Timestamp>,
    /// Time until which it is valid; NULL without an end.
    #[column(path = "ValidUntil")]
    valid_until: Option<Timestamp>,
    /// Requested capacity: total, on-demand and spot.
    #[column(path = "TargetCapacitySpecification")]
    target_capacity_specification: Option<Json>,
    /// Options of spot instances.
    #[column(path = "SpotOptions")]
    spot_options: Option<Json>,
    /// Options of on-demand instances.
    #[column(path = "OnDemandOptions")]
    on_demand_options: Option<Json>,
    /// Launch templates that instances are started with.
    #[column(path = "LaunchTemplateConfigs")]
    launch_template_configs: Option<Json>,
    /// Instances of a fleet of type `instant`.
    #[column(path = "Instances")]
    instances: Option<Json>,
    /// Reasons why instances could not be started, of a fleet of type `instant`.
    #[column(path = "Errors")]
    errors: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Fleet {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeFleets")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("fleet-state", scan.keys(Self::FLEET_STATE)),
                ("activity-status", scan.keys(Self::ACTIVITY_STATUS)),
                ("type", scan.keys(Self::TYPE)),
                ("excess-capacity-termination-policy", scan.keys(Self::EXCESS_CAPACITY_TERMINATION_POLICY)),
            ];
            let request = site.ec2().describe_fleets().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeFleets", &keys, fetch, |page| {
                (page.fleets.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for Fleet {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:fleet/{FleetId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{FleetId}";
}
