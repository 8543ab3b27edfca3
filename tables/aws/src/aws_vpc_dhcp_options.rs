//! `aws_vpc_dhcp_options`: one row per set of options, from `ec2:DescribeDhcpOptions`.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource};
use crate::source::ec2;

/// DHCP options: the settings that instances of a VPC get with their address.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_dhcp_options", env = Aws, stream, rows = 5, needs("ec2:DescribeDhcpOptions"),
    identity(account_id, region, dhcp_options_id)
)]
#[example("Domain name servers of each set.", "SELECT dhcp_options_id, domain_name_servers FROM aws_vpc_dhcp_options")]
pub struct DhcpOptions {
    /// ID of the set of options.
    #[column(index, path = "DhcpOptionsId")]
    dhcp_options_id: String,
    /// ID of the account that owns it.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// Domain of the host names of instances; NULL if it is not set.
    #[column(path = "domainName")]
    domain_name: Option<Vec<String>>,
    /// Addresses of DNS servers; `AmazonProvidedDNS` is the VPC's own.
    #[column(path = "domainNameServers")]
    domain_name_servers: Option<Vec<String>>,
    /// Addresses of NetBIOS name servers.
    #[column(path = "netbiosNameServers")]
    netbios_name_servers: Option<Vec<String>>,
    /// NetBIOS node type: 1, 2, 4 or 8.
    #[column(path = "netbiosNodeType")]
    netbios_node_type: Option<Vec<String>>,
    /// Addresses of NTP servers.
    #[column(path = "ntpServers")]
    ntp_servers: Option<Vec<String>>,
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

impl RowStream for DhcpOptions {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeDhcpOptions")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [("dhcp-options-id", scan.keys(Self::DHCP_OPTIONS_ID)), ("owner-id", scan.keys(Self::OWNER_ID))];
            let request = site.ec2().describe_dhcp_options().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeDhcpOptions", &keys, fetch, |page| {
                (page.dhcp_options.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for DhcpOptions {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{OwnerId}:dhcp-options/{DhcpOptionsId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{DhcpOptionsId}";
    const DERIVED: &'static [Derived] = &[
        Derived::new("domainName", "DhcpConfigurations", |all| option(all, "domain-name")),
        Derived::new("domainNameServers", "DhcpConfigurations", |all| option(all, "domain-name-servers")),
        Derived::new("netbiosNameServers", "DhcpConfigurations", |all| option(all, "netbios-name-servers")),
        Derived::new("netbiosNodeType", "DhcpConfigurations", |all| option(all, "netbios-node-type")),
        Derived::new("ntpServers", "DhcpConfigurations", |all| option(all, "ntp-servers")),
    ];
}

/// The values of one option: `[{"Key": "ntp-servers", "Values": [{"Value": "10.0.0.1"}]}]`.
fn option(configurations: &Value, name: &str) -> Value {
    let mut all = configurations.as_array().into_iter().flatten();
    let values = all.find(|option| option["Key"] == name).and_then(|option| option["Values"].as_array());
    values.map_or(Value::Null, |values| values.iter().map(|value| value["Value"].clone()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_option_is_found_by_its_name() {
        let all = json!([{"Key": "a", "Values": [{"Value": "1"}, {"Value": "2"}]}, {"Key": "b"}, "odd"]);
        for (name, expected) in [("a", json!(["1", "2"])), ("b", Value::Null), ("c", Value::Null)] {
            assert_eq!(option(&all, name), expected, "{name}");
        }
        assert_eq!(option(&json!("odd"), "a"), Value::Null);
    }
}
