//! `aws_vpc_security_group_rule`: one row per rule, from `ec2:DescribeSecurityGroupRules`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource};
use crate::source::ec2;

/// Rules of security groups: each with one source or destination and one range of ports.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_security_group_rule", env = Aws, stream, rows = 500, needs("ec2:DescribeSecurityGroupRules"),
    identity(account_id, region, security_group_rule_id)
)]
#[example(
    "Ports that are open to the internet.",
    "SELECT group_id, ip_protocol, from_port, to_port \
     FROM aws_vpc_security_group_rule WHERE NOT is_egress AND cidr_ipv4 = '0.0.0.0/0'"
)]
pub struct SecurityGroupRule {
    /// ID of the rule.
    #[column(index, path = "SecurityGroupRuleId")]
    security_group_rule_id: String,
    /// ID of the group that the rule belongs to.
    #[column(index, path = "GroupId")]
    group_id: String,
    /// Whether the rule is for outbound traffic.
    #[column(path = "IsEgress")]
    is_egress: bool,
    /// `ingress` or `egress`.
    #[column(path = "direction")]
    r#type: String,
    /// ID of the account that owns the group.
    #[column(path = "GroupOwnerId")]
    group_owner_id: Option<String>,
    /// Description; NULL if it has none.
    #[column(path = "Description")]
    description: Option<String>,
    /// Protocol: `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    #[column(path = "IpProtocol")]
    ip_protocol: Option<String>,
    /// First port, or the ICMP type; `-1` for all.
    #[column(path = "FromPort")]
    from_port: Option<i64>,
    /// Last port, or the ICMP code; `-1` for all.
    #[column(path = "ToPort")]
    to_port: Option<i64>,
    /// IPv4 addresses at the other end; NULL if the rule has another kind of source or destination.
    #[column(path = "CidrIpv4")]
    cidr_ipv4: Option<String>,
    /// IPv6 addresses at the other end; NULL if the rule has another kind of source or destination.
    #[column(path = "CidrIpv6")]
    cidr_ipv6: Option<String>,
    /// ID of the group at the other end; NULL if the rule has another kind of source or destination.
    #[column(path = "ReferencedGroupInfo.GroupId")]
    referenced_group_id: Option<String>,
    /// State of the VPC peering that leads to the group at the other end.
    #[column(path = "ReferencedGroupInfo.PeeringStatus")]
    referenced_peering_status: Option<String>,
    /// ID of the account that owns the group at the other end.
    #[column(path = "ReferencedGroupInfo.UserId")]
    referenced_user_id: Option<String>,
    /// VPC of the group at the other end.
    #[column(path = "ReferencedGroupInfo.VpcId")]
    referenced_vpc_id: Option<String>,
    /// The VPC peering that leads to the group at the other end.
    #[column(path = "ReferencedGroupInfo.VpcPeeringConnectionId")]
    referenced_vpc_peering_connection_id: Option<String>,
    /// ID of the prefix list at the other end; NULL if the rule has another kind of source or destination.
    #[column(path = "PrefixListId")]
    prefix_list_id: Option<String>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The same as the ID.
    #[column(path = "@title")]
    title: String,
    /// ARN of the rule, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
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
            let request = site.ec2().describe_security_group_rules().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeSecurityGroupRules", &keys, fetch, |page| {
                (page.security_group_rules.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for SecurityGroupRule {
    const ARN_FORM: &'static str = "{SecurityGroupRuleArn}|\
        arn:{@partition}:ec2:{@region}:{GroupOwnerId}:security-group-rule/{SecurityGroupRuleId}";
    const TITLE_FORM: &'static str = "{SecurityGroupRuleId}";
    const DERIVED: &'static [Derived] = &[Derived::new("direction", "IsEgress", |is_egress| {
        if *is_egress == true { "egress" } else { "ingress" }.into()
    })];
}
