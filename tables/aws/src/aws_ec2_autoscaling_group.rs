//! `aws_ec2_autoscaling_group`: one row per group, from `autoscaling:DescribeAutoScalingGroups`.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{all, distinct};
use crate::query::{Input, Listing};
use crate::resource::{Origin, Resource};
use crate::source::load_balancing::AUTO_SCALING;

/// Auto Scaling groups: instances that are started and ended to keep a number of them running.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_autoscaling_group", env = Aws, stream, rows = 20, needs("autoscaling:DescribeAutoScalingGroups"),
    identity(autoscaling_group_arn)
)]
#[example(
    "Groups that start instances from a launch template.",
    "SELECT name, launch_template_name, desired_capacity FROM aws_ec2_autoscaling_group WHERE launch_template_id IS \
     NOT NULL"
)]
pub struct AutoscalingGroup {
    /// Name of the group.
    #[column(index, path = "AutoScalingGroupName")]
    name: String,
    /// ARN of the group.
    #[column(path = "AutoScalingGroupARN")]
    autoscaling_group_arn: Option<String>,
    /// `Delete in progress` while it is deleted; NULL otherwise.
    #[column(path = "Status")]
    status: Option<String>,
    /// Time of creation.
    #[column(path = "CreatedTime")]
    created_time: Option<Timestamp>,
    /// Whether new instances are protected against ending when the group shrinks.
    #[column(path = "NewInstancesProtectedFromScaleIn")]
    new_instances_protected_from_scale_in: Option<bool>,
    /// Whether spot instances at risk are replaced before they are interrupted.
    #[column(path = "CapacityRebalance")]
    capacity_rebalance: Option<bool>,
    /// Time after which a new instance counts, in seconds.
    #[column(path = "DefaultInstanceWarmup")]
    default_instance_warmup: Option<i64>,
    /// Number of instances in the warm pool.
    #[column(path = "WarmPoolSize")]
    warm_pool_size: Option<i64>,
    /// Unit of the capacity: `units`, `vcpu` or `memory-mib`.
    #[column(path = "DesiredCapacityType")]
    desired_capacity_type: Option<String>,
    /// Name of the launch configuration; NULL with a launch template.
    #[column(path = "LaunchConfigurationName")]
    launch_configuration_name: Option<String>,
    /// Time between two scaling activities in seconds.
    #[column(path = "DefaultCooldown")]
    default_cooldown: Option<i64>,
    /// Number of instances that the group keeps running.
    #[column(path = "DesiredCapacity")]
    desired_capacity: Option<i64>,
    /// Longest time that an instance runs, in seconds.
    #[column(path = "MaxInstanceLifetime")]
    max_instance_lifetime: Option<i64>,
    /// Largest number of instances.
    #[column(path = "MaxSize")]
    max_size: Option<i64>,
    /// Smallest number of instances.
    #[column(path = "MinSize")]
    min_size: Option<i64>,
    /// Time before the first health check of an instance in seconds.
    #[column(path = "HealthCheckGracePeriod")]
    health_check_grace_period: Option<i64>,
    /// Health checks besides those of EC2, such as `ELB`.
    #[column(path = "HealthCheckType")]
    health_check_type: Option<String>,
    /// Name of its placement group.
    #[column(path = "PlacementGroup")]
    placement_group: Option<String>,
    /// ARN of the role that Auto Scaling uses.
    #[column(path = "ServiceLinkedRoleARN")]
    service_linked_role_arn: Option<String>,
    /// IDs of its subnets, separated by commas.
    #[column(path = "VPCZoneIdentifier")]
    vpc_zone_identifier: Option<String>,
    /// Name of the launch template.
    #[column(path = "LaunchTemplate.LaunchTemplateName")]
    launch_template_name: Option<String>,
    /// ID of the launch template.
    #[column(path = "LaunchTemplate.LaunchTemplateId")]
    launch_template_id: Option<String>,
    /// Version of the launch template: a number, `$Latest` or `$Default`.
    #[column(path = "LaunchTemplate.Version")]
    launch_template_version: Option<String>,
    /// Order of on-demand instances: `lowest-price` or `prioritized`.
    #[column(path = "MixedInstancesPolicy.InstancesDistribution.OnDemandAllocationStrategy")]
    on_demand_allocation_strategy: Option<String>,
    /// Capacity that is always on-demand.
    #[column(path = "MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity")]
    on_demand_base_capacity: Option<i64>,
    /// On-demand part of the rest, in percent.
    #[column(path = "MixedInstancesPolicy.InstancesDistribution.OnDemandPercentageAboveBaseCapacity")]
    on_demand_percentage_above_base_capacity: Option<i64>,
    /// How spot instances are divided among pools.
    #[column(path = "MixedInstancesPolicy.InstancesDistribution.SpotAllocationStrategy")]
    spot_allocation_strategy: Option<String>,
    /// Number of pools, for the strategy `lowest-price`.
    #[column(path = "MixedInstancesPolicy.InstancesDistribution.SpotInstancePools")]
    spot_instance_pools: Option<i64>,
    /// Highest price of a spot instance; NULL for the on-demand price.
    #[column(path = "MixedInstancesPolicy.InstancesDistribution.SpotMaxPrice")]
    spot_max_price: Option<String>,
    /// Name of the launch template of a group with several instance types.
    #[column(path = "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateName")]
    mixed_instances_policy_launch_template_name: Option<String>,
    /// ID of that launch template.
    #[column(path = "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateId")]
    mixed_instances_policy_launch_template_id: Option<String>,
    /// Version of that launch template.
    #[column(path = "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.Version")]
    mixed_instances_policy_launch_template_version: Option<String>,
    /// Instance types and weights.
    #[column(path = "MixedInstancesPolicy.LaunchTemplate.Overrides")]
    mixed_instances_policy_launch_template_overrides: Option<Json>,
    /// Availability zones.
    #[column(path = "AvailabilityZones")]
    availability_zones: Vec<String>,
    /// Names of classic load balancers.
    #[column(path = "LoadBalancerNames")]
    load_balancer_names: Vec<String>,
    /// ARNs of target groups.
    #[column(path = "TargetGroupARNs")]
    target_group_arns: Vec<String>,
    /// Instances and their health.
    #[column(path = "Instances")]
    instances: Option<Json>,
    /// Metrics that are published.
    #[column(path = "EnabledMetrics")]
    enabled_metrics: Option<Json>,
    /// Load balancers and target groups that send traffic to the instances.
    #[column(path = "TrafficSources")]
    traffic_sources: Option<Json>,
    /// Warm pool of stopped instances.
    #[column(path = "WarmPoolConfiguration")]
    warm_pool_configuration: Option<Json>,
    /// Limits of the replacement of instances.
    #[column(path = "InstanceMaintenancePolicy")]
    instance_maintenance_policy: Option<Json>,
    /// Scaling policies.
    #[column(source = scaling, needs = "autoscaling:DescribePolicies")]
    policies: Option<Json>,
    /// Order in which instances end when the group shrinks.
    #[column(path = "TerminationPolicies")]
    termination_policies: Vec<String>,
    /// Suspended processes and the reasons.
    #[column(path = "SuspendedProcesses")]
    suspended_processes: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for AutoscalingGroup {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "autoscaling:DescribeAutoScalingGroups")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let Some(names) = scan.keys(Self::NAME) else {
                return site.rows(scan, site.query_all(scan, &GROUPS, Input::default().with("MaxRecords", 100)));
            };
            // Names that do not exist are no error.
            let names = distinct(names);
            let inputs: Vec<_> =
                names.chunks(50).map(|names| Input::default().with_list("AutoScalingGroupNames", names)).collect();
            stream::iter(inputs).flat_map(move |input| site.rows(scan, site.query_all(scan, &GROUPS, input))).boxed()
        })
    }
}

impl Resource for AutoscalingGroup {
    const ARN_FORM: &'static str = "{AutoScalingGroupARN}";
    const TITLE_FORM: &'static str = "{AutoScalingGroupName}";
    const KEPT: &'static [usize] = &[Self::NAME.position()];
}

static GROUPS: Listing = Listing {
    query: &AUTO_SCALING,
    action: "autoscaling:DescribeAutoScalingGroups",
    items: "AutoScalingGroups",
    tokens: ("NextToken", "NextToken"),
};

static POLICIES: Listing = Listing {
    query: &AUTO_SCALING,
    action: "autoscaling:DescribePolicies",
    items: "ScalingPolicies",
    tokens: ("NextToken", "NextToken"),
};

impl AutoscalingGroup {
    async fn scaling(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Input::default().with("AutoScalingGroupName", &self.name);
        self.policies = Some(Json::new(&all(site.query_all(scan, &POLICIES, input)).await?));
        Ok(())
    }
}
