//! `aws_vpc_network_acl`: one row per network ACL, from `ec2:DescribeNetworkAcls`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Network ACLs: stateless filters of the traffic of subnets.
#[derive(Debug, Default, Table)]
#[table(name = "aws_vpc_network_acl", env = Aws, stream, rows = 10, needs("ec2:DescribeNetworkAcls"), identity(arn))]
#[example("Entries of each ACL.", "SELECT network_acl_id, entries FROM aws_vpc_network_acl")]
pub struct NetworkAcl {
    /// ID of the ACL.
    #[column(index, path = "NetworkAclId")]
    network_acl_id: String,
    /// ARN of the ACL.
    #[column(path = "@arn")]
    arn: String,
    /// Whether it is the default ACL of its VPC.
    #[column(path = "IsDefault")]
    is_default: Option<bool>,
    /// ID of its VPC.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// ID of the account that owns it.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// Subnets that it filters.
    #[column(path = "Associations")]
    associations: Option<Json>,
    /// Rules, in the order of their numbers: the first one that matches decides.
    #[column(path = "Entries")]
    entries: Option<Json>,
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

impl RowStream for NetworkAcl {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeNetworkAcls")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("network-acl-id", scan.keys(Self::NETWORK_ACL_ID)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
            ];
            let request = site.ec2().describe_network_acls().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeNetworkAcls", &keys, fetch, |page| {
                (page.network_acls.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for NetworkAcl {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{OwnerId}:network-acl/{NetworkAclId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{NetworkAclId}";
}
