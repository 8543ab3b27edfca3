//! `aws_vpc_security_group_rule`: one row per rule, from `ec2:DescribeSecurityGroupRules`.

use aws_sdk_ec2::types::SecurityGroupRule as Answer;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::page_size;
use crate::document::tags;
use crate::source::ec2;

/// Rules of security groups, one by one: one source or destination, one range of ports.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_security_group_rule", env = Aws, stream, rows = 500, needs("ec2:DescribeSecurityGroupRules"),
    identity(account_id, region, security_group_rule_id)
)]
#[example(
    "What is open to the whole internet?",
    "SELECT group_id, ip_protocol, from_port, to_port \
     FROM aws_vpc_security_group_rule WHERE NOT is_egress AND cidr_ipv4 = '0.0.0.0/0'"
)]
pub struct SecurityGroupRule {
    /// Id of the rule.
    #[column(index)]
    security_group_rule_id: String,
    /// The group that it belongs to.
    #[column(index)]
    group_id: String,
    /// Whether it is about traffic that goes out.
    is_egress: bool,
    /// `ingress` or `egress`.
    r#type: String,
    /// Id of the account that owns the group.
    group_owner_id: Option<String>,
    /// What it is for, in the words of whoever made it; NULL without.
    description: Option<String>,
    /// Protocol: `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    ip_protocol: Option<String>,
    /// First port, or the type of ICMP; `-1` for all.
    from_port: Option<i64>,
    /// Last port, or the code of ICMP; `-1` for all.
    to_port: Option<i64>,
    /// Addresses of IPv4 at the other end; NULL where it is not about such.
    cidr_ipv4: Option<String>,
    /// Addresses of IPv6 at the other end; NULL where it is not about such.
    cidr_ipv6: Option<String>,
    /// The group at the other end; NULL where it is not about a group.
    referenced_group_id: Option<String>,
    /// State of the VPC peering that leads to the group at the other end.
    referenced_peering_status: Option<String>,
    /// Id of the account that owns the group at the other end.
    referenced_user_id: Option<String>,
    /// VPC of the group at the other end.
    referenced_vpc_id: Option<String>,
    /// The VPC peering that leads to the group at the other end.
    referenced_vpc_peering_connection_id: Option<String>,
    /// The list of addresses at the other end; NULL where it is not about a list.
    prefix_list_id: Option<String>,
    /// Tags by key.
    tags: Map,
    /// The same as the id.
    title: String,
    /// ARN of the rule as a list.
    akas: Vec<String>,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    partition: String,
    /// Region that it is in.
    #[column(slice)]
    region: String,
    /// Id of the account that was asked.
    #[column(slice)]
    account_id: String,
    /// Profile of the credentials that it was read with.
    profile: String,
}

impl RowStream for SecurityGroupRule {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeSecurityGroupRules")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("security-group-rule-id", scan.keys(Self::SECURITY_GROUP_RULE_ID)),
                ("group-id", scan.keys(Self::GROUP_ID)),
            ];
            let rules = stream::iter(ec2::requests(&keys)).flat_map(move |filters| {
                let site = site.clone();
                let asked = format!("{filters:?}");
                let request = site.ec2().describe_security_group_rules().set_filters(Some(filters));
                let request = request.max_results(page_size(scan, 5..=1000));
                let fetch = move |token| request.clone().set_next_token(token).send();
                let rules = site.pages(scan, "ec2:DescribeSecurityGroupRules", &asked, fetch, |page| {
                    (page.security_group_rules.unwrap_or_default(), page.next_token)
                });
                rules.map_ok(move |rule| SecurityGroupRule::new(&site, rule))
            });
            rules.boxed()
        })
    }
}

impl SecurityGroupRule {
    fn new(site: &Site, rule: Answer) -> Self {
        let id = rule.security_group_rule_id.unwrap_or_default();
        let arn = rule.security_group_rule_arn.unwrap_or_else(|| {
            let owner = rule.group_owner_id.as_deref().unwrap_or_default();
            format!("arn:{}:ec2:{}:{owner}:security-group-rule/{id}", site.partition(), site.region())
        });
        let is_egress = rule.is_egress.unwrap_or_default();
        let other = rule
            .referenced_group_info
            .unwrap_or_else(|| aws_sdk_ec2::types::ReferencedSecurityGroup::builder().build());
        SecurityGroupRule {
            title: id.clone(),
            security_group_rule_id: id,
            group_id: rule.group_id.unwrap_or_default(),
            is_egress,
            r#type: if is_egress { "egress" } else { "ingress" }.to_owned(),
            group_owner_id: rule.group_owner_id,
            description: rule.description,
            ip_protocol: rule.ip_protocol,
            from_port: rule.from_port.map(i64::from),
            to_port: rule.to_port.map(i64::from),
            cidr_ipv4: rule.cidr_ipv4,
            cidr_ipv6: rule.cidr_ipv6,
            referenced_group_id: other.group_id,
            referenced_peering_status: other.peering_status,
            referenced_user_id: other.user_id,
            referenced_vpc_id: other.vpc_id,
            referenced_vpc_peering_connection_id: other.vpc_peering_connection_id,
            prefix_list_id: rule.prefix_list_id,
            tags: tags(rule.tags.as_deref()),
            akas: vec![arn],
            partition: site.partition(),
            region: site.region(),
            account_id: site.account_id(),
            profile: site.profile(),
        }
    }
}
