//! `aws_ec2_spot_fleet_request`: one row per request, from `ec2:DescribeSpotFleetRequests`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};

/// Requests for fleets of spot instances.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_spot_fleet_request", env = Aws, stream, rows = 2, needs("ec2:DescribeSpotFleetRequests"),
    identity(account_id, region, spot_fleet_request_id)
)]
#[example(
    "Fleets that run.",
    "SELECT spot_fleet_request_id, target_capacity FROM aws_ec2_spot_fleet_request WHERE spot_fleet_request_state = \
     'active'"
)]
pub struct SpotFleetRequest {
    /// ID of the request.
    #[column(path = "SpotFleetRequestId")]
    spot_fleet_request_id: String,
    /// State, such as `active` or `cancelled`.
    #[column(path = "SpotFleetRequestState")]
    spot_fleet_request_state: Option<String>,
    /// `pending_fulfillment`, `pending_termination`, `fulfilled` or `error`.
    #[column(path = "ActivityStatus")]
    activity_status: Option<String>,
    /// Time of creation.
    #[column(path = "CreateTime")]
    create_time: Option<Timestamp>,
    /// `request`, or `maintain` if interrupted instances are replaced.
    #[column(path = "SpotFleetRequestConfig.Type")]
    r#type: Option<String>,
    /// Capacity that is requested.
    #[column(path = "SpotFleetRequestConfig.TargetCapacity")]
    target_capacity: Option<i64>,
    /// Unit of the capacity: `units`, `vcpu` or `memory-mib`.
    #[column(path = "SpotFleetRequestConfig.TargetCapacityUnitType")]
    target_capacity_unit_type: Option<String>,
    /// How capacity is divided among pools of instances, such as `capacityOptimized`.
    #[column(path = "SpotFleetRequestConfig.AllocationStrategy")]
    allocation_strategy: Option<String>,
    /// ARN of the role that starts and ends the instances.
    #[column(path = "SpotFleetRequestConfig.IamFleetRole")]
    iam_fleet_role: Option<String>,
    /// Highest price per unit and hour; NULL for the on-demand price.
    #[column(path = "SpotFleetRequestConfig.SpotPrice")]
    spot_price: Option<String>,
    /// Highest price per hour of all spot instances.
    #[column(path = "SpotFleetRequestConfig.SpotMaxTotalPrice")]
    spot_max_total_price: Option<String>,
    /// Part of the capacity that is on-demand.
    #[column(path = "SpotFleetRequestConfig.OnDemandTargetCapacity")]
    on_demand_target_capacity: Option<i64>,
    /// Order of on-demand instances: `lowestPrice` or `prioritized`.
    #[column(path = "SpotFleetRequestConfig.OnDemandAllocationStrategy")]
    on_demand_allocation_strategy: Option<String>,
    /// Highest price per hour of all on-demand instances.
    #[column(path = "SpotFleetRequestConfig.OnDemandMaxTotalPrice")]
    on_demand_max_total_price: Option<String>,
    /// Capacity that runs, against the target.
    #[column(path = "SpotFleetRequestConfig.FulfilledCapacity")]
    fulfilled_capacity: Option<f64>,
    /// On-demand capacity that runs.
    #[column(path = "SpotFleetRequestConfig.OnDemandFulfilledCapacity")]
    on_demand_fulfilled_capacity: Option<f64>,
    /// Whether instances end if the target falls below the size: `noTermination` or `default`.
    #[column(path = "SpotFleetRequestConfig.ExcessCapacityTerminationPolicy")]
    excess_capacity_termination_policy: Option<String>,
    /// `hibernate`, `stop` or `terminate`.
    #[column(path = "SpotFleetRequestConfig.InstanceInterruptionBehavior")]
    instance_interruption_behavior: Option<String>,
    /// Number of pools, for the strategy `lowestPrice`.
    #[column(path = "SpotFleetRequestConfig.InstancePoolsToUseCount")]
    instance_pools_to_use_count: Option<i64>,
    /// Whether unhealthy instances are replaced.
    #[column(path = "SpotFleetRequestConfig.ReplaceUnhealthyInstances")]
    replace_unhealthy_instances: Option<bool>,
    /// Whether instances end with the request.
    #[column(path = "SpotFleetRequestConfig.TerminateInstancesWithExpiration")]
    terminate_instances_with_expiration: Option<bool>,
    /// Time from which it is valid.
    #[column(path = "SpotFleetRequestConfig.ValidFrom")]
    valid_from: Option<Timestamp>,
    /// Time until which it is valid; NULL without an end.
    #[column(path = "SpotFleetRequestConfig.ValidUntil")]
    valid_until: Option<Timestamp>,
    /// Client token of the request.
    #[column(path = "SpotFleetRequestConfig.ClientToken")]
    client_token: Option<String>,
    /// Reserved.
    #[column(path = "SpotFleetRequestConfig.Context")]
    context: Option<String>,
    /// Settings that instances are started with.
    #[column(path = "SpotFleetRequestConfig.LaunchSpecifications")]
    launch_specifications: Option<Json>,
    /// Launch templates that instances are started with.
    #[column(path = "SpotFleetRequestConfig.LaunchTemplateConfigs")]
    launch_template_configs: Option<Json>,
    /// Load balancers that instances are added to.
    #[column(path = "SpotFleetRequestConfig.LoadBalancersConfig")]
    load_balancers_config: Option<Json>,
    /// Handling of instances that are at risk of interruption.
    #[column(path = "SpotFleetRequestConfig.SpotMaintenanceStrategies")]
    spot_maintenance_strategies: Option<Json>,
    /// Tags that instances get.
    #[column(path = "SpotFleetRequestConfig.TagSpecifications")]
    tag_specifications: Option<Json>,
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

impl RowStream for SpotFleetRequest {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeSpotFleetRequests")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let request = site.ec2().describe_spot_fleet_requests().max_results(page_size(scan, 1..=1000));
            let fetch = move |token| request.clone().set_next_token(token).send();
            let pages = site.pages(scan, "ec2:DescribeSpotFleetRequests", "", fetch, |page| {
                (page.spot_fleet_request_configs.unwrap_or_default(), Next::Token(page.next_token))
            });
            site.rows(scan, pages)
        })
    }
}

impl Resource for SpotFleetRequest {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:\
        {@account_id}:spot-fleet-request/{SpotFleetRequestId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{SpotFleetRequestId}";
}
