//! `aws_ec2_application_load_balancer`: one row per load balancer, from `elasticloadbalancing:DescribeLoadBalancers`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::resource::{Origin, Resource};
use crate::source::load_balancing::{self, LOAD_BALANCING};

/// Application load balancers, which forward HTTP requests.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_application_load_balancer", env = Aws, stream, rows = 20,
    needs("elasticloadbalancing:DescribeLoadBalancers"), identity(arn), batch(tagging = 20)
)]
#[example(
    "Load balancers that the internet can reach.",
    "SELECT name, dns_name, security_groups FROM aws_ec2_application_load_balancer WHERE scheme = 'internet-facing'"
)]
pub struct ApplicationLoadBalancer {
    /// Name of the load balancer.
    #[column(index, path = "LoadBalancerName")]
    name: Option<String>,
    /// ARN of the load balancer.
    #[column(index, path = "LoadBalancerArn")]
    arn: String,
    /// `application`.
    #[column(path = "Type")]
    r#type: Option<String>,
    /// `internet-facing` or `internal`.
    #[column(path = "Scheme")]
    scheme: Option<String>,
    /// Route 53 zone of its host name.
    #[column(path = "CanonicalHostedZoneId")]
    canonical_hosted_zone_id: Option<String>,
    /// ID of its VPC.
    #[column(path = "VpcId")]
    vpc_id: Option<String>,
    /// Time of creation.
    #[column(path = "CreatedTime")]
    created_time: Option<Timestamp>,
    /// Address pool of the customer's network, on an Outpost.
    #[column(path = "CustomerOwnedIpv4Pool")]
    customer_owned_ipv4_pool: Option<String>,
    /// Host name.
    #[column(path = "DNSName")]
    dns_name: Option<String>,
    /// `ipv4`, `dualstack` or `dualstack-without-public-ipv4`.
    #[column(path = "IpAddressType")]
    ip_address_type: Option<String>,
    /// `active`, `provisioning`, `active_impaired` or `failed`.
    #[column(path = "State.Code")]
    state_code: Option<String>,
    /// Reason of the state.
    #[column(path = "State.Reason")]
    state_reason: Option<String>,
    /// Availability zones with their subnets and addresses.
    #[column(path = "AvailabilityZones")]
    availability_zones: Option<Json>,
    /// IDs of security groups.
    #[column(path = "SecurityGroups")]
    security_groups: Vec<String>,
    /// Attributes: `Key`, `Value`.
    #[column(source = attributes, needs = "elasticloadbalancing:DescribeLoadBalancerAttributes")]
    load_balancer_attributes: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = tagging, needs = "elasticloadbalancing:DescribeTags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "elasticloadbalancing:DescribeTags")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for ApplicationLoadBalancer {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "elasticloadbalancing:DescribeLoadBalancers")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            load_balancing::load_balancers(scan, site, "application", scan.keys(Self::ARN), scan.keys(Self::NAME))
        })
    }
}

impl Resource for ApplicationLoadBalancer {
    const ARN_FORM: &'static str = "{LoadBalancerArn}";
    const TITLE_FORM: &'static str = "{LoadBalancerName}";
    const KEPT: &'static [usize] = &[Self::ARN.position()];
}

impl ApplicationLoadBalancer {
    async fn attributes(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let action = "elasticloadbalancing:DescribeLoadBalancerAttributes";
        self.load_balancer_attributes =
            load_balancing::attributes(scan, &site, action, "LoadBalancerArn", &self.arn).await?;
        Ok(())
    }

    async fn tagging(rows: &mut [Loading<'_, Self>], scan: &Scan<Self>) -> Result<()> {
        let names = ("ResourceArns", "ResourceArn");
        load_balancing::tags(rows, scan, &LOAD_BALANCING, names, |row| &row.arn, |row| &row.origin).await
    }
}
