//! The tables about networks, volumes and images: on moto column by column with boto3's answer, and with responses of
//! calls that moto lacks. Their elements are those of the EC2 API Reference.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use indago_engine::{Engine, Limits};
use indago_table::{Kind, TableSpec};
use indago_testkit::beds::{Effect, Rule};
use serde_json::{Value, json};

use crate::aws::{Bed, rows, runtime};

/// A table, and the Python expression that lists the same items with boto3.
const TABLES: &[(&str, &str)] = &[
    ("aws_availability_zone", "all('describe_availability_zones', 'AvailabilityZones', AllAvailabilityZones=True)"),
    ("aws_ebs_snapshot", "all('describe_snapshots', 'Snapshots', OwnerIds=['self'])"),
    ("aws_ebs_volume", "all('describe_volumes', 'Volumes')"),
    ("aws_ec2_ami", "all('describe_images', 'Images', Owners=['self'])"),
    (
        "aws_ec2_application_load_balancer",
        "[b for b in all('describe_load_balancers', 'LoadBalancers', balancing) if b['Type'] == 'application']",
    ),
    ("aws_ec2_autoscaling_group", "all('describe_auto_scaling_groups', 'AutoScalingGroups', scaling)"),
    ("aws_ec2_classic_load_balancer", "all('describe_load_balancers', 'LoadBalancerDescriptions', classic)"),
    ("aws_ec2_fleet", "all('describe_fleets', 'Fleets')"),
    (
        "aws_ec2_instance",
        "[dict(i, OwnerId=r['OwnerId']) for r in all('describe_instances', 'Reservations') for i in r['Instances']]",
    ),
    ("aws_ec2_instance_availability", "all('describe_instance_type_offerings', 'InstanceTypeOfferings')"),
    ("aws_ec2_instance_type", "all('describe_instance_types', 'InstanceTypes')"),
    ("aws_ec2_key_pair", "all('describe_key_pairs', 'KeyPairs', IncludePublicKey=True)"),
    ("aws_ec2_launch_configuration", "all('describe_launch_configurations', 'LaunchConfigurations', scaling)"),
    ("aws_ec2_launch_template", "all('describe_launch_templates', 'LaunchTemplates')"),
    (
        "aws_ec2_launch_template_version",
        "all('describe_launch_template_versions', 'LaunchTemplateVersions', LaunchTemplateName='web')",
    ),
    (
        "aws_ec2_load_balancer_listener",
        "[l for b in all('describe_load_balancers', 'LoadBalancers', balancing) \
          for l in all('describe_listeners', 'Listeners', balancing, LoadBalancerArn=b['LoadBalancerArn'])]",
    ),
    (
        "aws_ec2_load_balancer_listener_rule",
        "[dict(r, ListenerArn=l['ListenerArn']) for b in all('describe_load_balancers', 'LoadBalancers', balancing) \
          for l in all('describe_listeners', 'Listeners', balancing, LoadBalancerArn=b['LoadBalancerArn']) \
          for r in balancing.describe_rules(ListenerArn=l['ListenerArn'])['Rules']]",
    ),
    ("aws_ec2_managed_prefix_list", "all('describe_managed_prefix_lists', 'PrefixLists')"),
    (
        "aws_ec2_managed_prefix_list_entry",
        "[dict(e, PrefixListId=l['PrefixListId']) for l in all('describe_managed_prefix_lists', 'PrefixLists') \
          for e in all('get_managed_prefix_list_entries', 'Entries', PrefixListId=l['PrefixListId'])]",
    ),
    ("aws_ec2_network_interface", "all('describe_network_interfaces', 'NetworkInterfaces')"),
    (
        "aws_ec2_network_load_balancer",
        "[b for b in all('describe_load_balancers', 'LoadBalancers', balancing) if b['Type'] == 'network']",
    ),
    ("aws_ec2_spot_fleet_request", "all('describe_spot_fleet_requests', 'SpotFleetRequestConfigs')"),
    ("aws_ec2_ssl_policy", "balancing.describe_ssl_policies()['SslPolicies']"),
    ("aws_ec2_target_group", "all('describe_target_groups', 'TargetGroups', balancing)"),
    ("aws_ec2_transit_gateway", "all('describe_transit_gateways', 'TransitGateways')"),
    (
        "aws_ec2_transit_gateway_route_table",
        "all('describe_transit_gateway_route_tables', 'TransitGatewayRouteTables')",
    ),
    (
        "aws_ec2_transit_gateway_vpc_attachment",
        "all('describe_transit_gateway_attachments', 'TransitGatewayAttachments')",
    ),
    ("aws_vpc", "all('describe_vpcs', 'Vpcs')"),
    ("aws_vpc_customer_gateway", "all('describe_customer_gateways', 'CustomerGateways')"),
    ("aws_vpc_dhcp_options", "all('describe_dhcp_options', 'DhcpOptions')"),
    (
        "aws_vpc_egress_only_internet_gateway",
        "all('describe_egress_only_internet_gateways', 'EgressOnlyInternetGateways')",
    ),
    ("aws_vpc_eip", "all('describe_addresses', 'Addresses')"),
    ("aws_vpc_endpoint", "all('describe_vpc_endpoints', 'VpcEndpoints')"),
    ("aws_vpc_endpoint_service", "all('describe_vpc_endpoint_services', 'ServiceDetails')"),
    ("aws_vpc_flow_log", "all('describe_flow_logs', 'FlowLogs')"),
    ("aws_vpc_internet_gateway", "all('describe_internet_gateways', 'InternetGateways')"),
    ("aws_vpc_nat_gateway", "all('describe_nat_gateways', 'NatGateways')"),
    ("aws_vpc_network_acl", "all('describe_network_acls', 'NetworkAcls')"),
    ("aws_vpc_peering_connection", "all('describe_vpc_peering_connections', 'VpcPeeringConnections')"),
    (
        "aws_vpc_route",
        "[dict(r, RouteTableId=t['RouteTableId'], VpcId=t['VpcId']) for t in all('describe_route_tables', 'RouteTables') \
          for r in t['Routes']]",
    ),
    ("aws_vpc_route_table", "all('describe_route_tables', 'RouteTables')"),
    ("aws_vpc_security_group", "all('describe_security_groups', 'SecurityGroups')"),
    ("aws_vpc_security_group_rule", "all('describe_security_group_rules', 'SecurityGroupRules')"),
    ("aws_vpc_subnet", "all('describe_subnets', 'Subnets')"),
    ("aws_vpc_vpn_connection", "all('describe_vpn_connections', 'VpnConnections')"),
    ("aws_vpc_vpn_gateway", "all('describe_vpn_gateways', 'VpnGateways')"),
];

const BOTO3: &str = "
import boto3, datetime, json
ec2, balancing, classic, scaling = (boto3.client(name, region_name='us-east-1') for name in ('ec2', 'elbv2', 'elb', 'autoscaling'))
def all(operation, key, client=ec2, **input):
    if client.can_paginate(operation):
        return [item for page in client.get_paginator(operation).paginate(**input) for item in page[key]]
    return getattr(client, operation)(**input)[key]
def text(value):
    return value.astimezone(datetime.timezone.utc).isoformat()
";

/// What boto3 returns for each table.
fn boto3(bed: &Bed) -> BTreeMap<String, Vec<Value>> {
    let pairs: Vec<_> = TABLES.iter().map(|(table, list)| format!("'{table}': {list}")).collect();
    let script = format!("{BOTO3}print(json.dumps({{{}}}, default=text))", pairs.join(",\n"));
    serde_json::from_str(&bed.seed(&script)).expect("JSON")
}

/// A value in the one form that both sides have: no empty parts, times as numbers.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => time.timestamp_micros().into(),
            Err(_) if text.is_empty() => Value::Null,
            Err(_) => value.clone(),
        },
        Value::Array(list) if list.is_empty() => Value::Null,
        Value::Array(list) => list.iter().map(plain).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), plain(value)));
            let members: serde_json::Map<_, _> = members.filter(|(_, value)| !value.is_null()).collect();
            if members.is_empty() { Value::Null } else { Value::Object(members) }
        }
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        other => other.clone(),
    }
}

/// A cell as a document.
fn cell(kind: &Kind, text: &str) -> Value {
    if text == "NULL" {
        return Value::Null;
    }
    let number = |text: &str| text.parse::<f64>().map_or_else(|_| json!(text), Value::from);
    plain(&match kind {
        Kind::Json => serde_json::from_str(text).expect("JSON"),
        Kind::BigInt | Kind::Double => number(text),
        Kind::Boolean => (text == "true").into(),
        Kind::TextList => {
            let inside = text.trim_start_matches('[').trim_end_matches(']');
            inside.split(", ").filter(|text| !text.is_empty()).map(Value::from).collect()
        }
        _ => text.into(),
    })
}

/// The columns that come from the response as they are.
fn paths(spec: &TableSpec) -> Vec<(String, Vec<String>, Kind)> {
    let plain = |path: &str| path.starts_with(|first: char| first.is_ascii_uppercase());
    let columns = spec.columns.iter().filter(|column| column.source.is_none());
    let column = |column: &indago_table::ColumnSpec| {
        let path = column.path.as_deref().filter(|path| plain(path))?;
        Some((column.name.to_string(), path.split('.').map(str::to_owned).collect(), column.kind.clone()))
    };
    columns.filter_map(column).collect()
}

/// An engine that waits for moto on a busy machine: some of its lists have a thousand items.
async fn engine(bed: &Bed) -> Engine {
    let limits = Limits { call_timeout: Duration::from_secs(60), ..Limits::default() };
    bed.limited(&["default"], &["us-east-1"], limits).await
}

fn spec(engine: &Engine, table: &str) -> TableSpec {
    let tables = engine.tables();
    let found = tables.iter().find(|found| found.spec().name == table).unwrap_or_else(|| panic!("no table {table}"));
    found.spec().clone()
}

async fn cells(engine: &Engine, sql: &str) -> Vec<Vec<String>> {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(query.warnings().is_empty(), "{sql}: {:?}", query.warnings());
    crate::support::texts(&batches)
}

fn sorted(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    rows.sort_by_key(|row| format!("{row:?}"));
    rows
}

#[test]
fn every_column_is_what_boto3_returns() {
    let bed = Bed::with_network();
    let expected = boto3(&bed);
    let mut differences = Vec::new();
    runtime().block_on(async {
        let engine = engine(&bed).await;
        for (table, _) in TABLES {
            let spec = spec(&engine, table);
            let columns = paths(&spec);
            let names: Vec<_> = columns.iter().map(|(name, ..)| format!("\"{name}\"")).collect();
            let found = cells(&engine, &format!("SELECT {} FROM {table}", names.join(", "))).await;
            let row = |row: &Vec<String>| columns.iter().zip(row).map(|((.., kind), text)| cell(kind, text)).collect();
            let found = sorted(found.iter().map(row).collect());
            let item = |item: &Value| {
                let value = |path: &[String]| plain(path.iter().fold(item, |value, step| &value[step.as_str()]));
                columns.iter().map(|(_, path, _)| value(path)).collect()
            };
            let items = &expected[*table];
            assert!(!items.is_empty(), "{table}: boto3 returns nothing to compare with");
            let items = sorted(items.iter().map(item).collect());
            if found.len() != items.len() {
                differences.push(format!("{table}: {} rows, boto3 has {}", found.len(), items.len()));
                continue;
            }
            for (number, (name, ..)) in columns.iter().enumerate() {
                let wrong = found.iter().zip(&items).find(|(row, item)| row[number] != item[number]);
                if let Some((row, item)) = wrong {
                    differences.push(format!("{table}.{name}: {} where boto3 has {}", row[number], item[number]));
                }
            }
        }
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn tags_title_and_arn_are_made_of_the_response() {
    let bed = Bed::with_network();
    runtime().block_on(async {
        let engine = engine(&bed).await;
        for (sql, expected) in [
            ("SELECT tags, arn = 'arn:aws:ec2:us-east-1:123456789012:vpc/' || vpc_id, akas[1] = arn FROM aws_vpc \
              WHERE title = 'main'", "{Name: main, team: net} 1 1"),
            ("SELECT tags, subnet_arn LIKE 'arn:aws:ec2:us-east-1:123456789012:subnet/subnet-%' FROM aws_vpc_subnet \
              WHERE title = 'public'", "{Name: public, team: net} 1"),
            ("SELECT arn = 'arn:aws:ec2:us-east-1:123456789012:elastic-ip/' || allocation_id FROM aws_vpc_eip \
              WHERE title = 'nat'", "1"),
            ("SELECT arn = 'arn:aws:ec2:us-east-1:123456789012:natgateway/' || nat_gateway_id FROM aws_vpc_nat_gateway",
             "1"),
            ("SELECT akas[1] = 'arn:aws:ec2:us-east-1:123456789012:key-pair/' || key_pair_id, tags FROM aws_ec2_key_pair",
             "1 {Name: ops, team: net}"),
            ("SELECT tags, title FROM aws_ec2_network_interface WHERE title = 'spare'", "{Name: spare, team: net} spare"),
            ("SELECT akas[1] = 'arn:aws:ec2:us-east-1::image/' || image_id, title FROM aws_ec2_ami", "1 golden"),
            ("SELECT policy_std FROM aws_vpc_endpoint", "{\"Statement\":[{\"Action\":[\"s3:getobject\"],\
              \"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"*\"]},\"Resource\":[\"*\"]}]}"),
            ("SELECT title FROM aws_vpc_route WHERE title LIKE '%_192.168.0.0/16' AND title LIKE 'rtb-%' LIMIT 0", ""),
            ("SELECT count(*) FROM aws_vpc_route WHERE title = route_table_id || '_192.168.0.0/16'", "1"),
            ("SELECT location FROM aws_ec2_instance_availability WHERE instance_type = 't3.micro' \
              AND location_type = 'availability-zone' AND location = 'us-east-1a'", "us-east-1a"),
        ] {
            let found = rows(&engine, sql).await;
            assert_eq!(found.join("\n"), expected, "{sql}");
        }
        // Pre-shared keys are in no column but the one that is for them.
        let text = rows(&engine, "SELECT options FROM aws_vpc_vpn_connection").await;
        assert!(!text[0].contains("PreSharedKey"), "{text:?}");
    });
}

/// Filters that moto lacks. AWS documents them.
const NOT_IN_MOTO: &[(&str, &str)] = &[
    ("aws_ec2_network_interface", "association_allocation_id"),
    ("aws_ec2_network_interface", "association_id"),
    ("aws_ec2_network_interface", "association_ip_owner_id"),
    ("aws_ec2_network_interface", "association_public_ip"),
    ("aws_ec2_network_interface", "private_dns_name"),
    ("aws_vpc", "dhcp_options_id"),
    ("aws_vpc_customer_gateway", "bgp_asn"),
    ("aws_vpc_endpoint", "vpc_endpoint_id"),
    ("aws_vpc_endpoint_service", "owner"),
    ("aws_vpc_endpoint_service", "service_name"),
    ("aws_vpc_internet_gateway", "owner_id"),
    ("aws_vpc_network_acl", "network_acl_id"),
    ("aws_vpc_route", "destination_ipv6_cidr_block"),
    ("aws_vpc_route", "destination_prefix_list_id"),
    ("aws_vpc_vpn_connection", "vpn_connection_id"),
];

#[test]
fn keys_become_filters_of_one_call() {
    let bed = Bed::with_network();
    let mut wrong = Vec::new();
    runtime().block_on(async {
        let engine = engine(&bed).await;
        for (table, _) in TABLES {
            let spec = spec(&engine, table);
            for column in spec.columns.iter().filter(|column| column.index || column.slice) {
                let name = column.name.as_ref();
                if ["account_id", "region", "profile", "location_type"].contains(&name)
                    || NOT_IN_MOTO.contains(&(*table, name))
                    || column.kind != Kind::Text
                {
                    continue;
                }
                let some = format!("SELECT \"{name}\", count(*) FROM {table} GROUP BY 1 ORDER BY 1");
                let found = cells(&engine, &some).await;
                let found = found.iter().find(|row| row[0] != "NULL" && !row[0].is_empty());
                let Some([value, count]) = found.map(Vec::as_slice) else { continue };
                bed.proxy().clear_requests();
                let sql = format!("SELECT count(*) FROM {table} WHERE \"{name}\" = '{value}'");
                let query = engine.query(&sql).await.expect("a plan");
                let batches = query.collect().await.expect("rows");
                let texts = crate::support::texts(&batches);
                let warnings = query.warnings();
                let requests = bed.proxy().requests();
                let is_filtered = requests.iter().any(|request| request.body.contains(&encoded(value)));
                if texts[0][0] != *count || !warnings.is_empty() || !is_filtered {
                    wrong
                        .push(format!("{sql}: {} of {count} rows, {warnings:?}, filtered: {is_filtered}", texts[0][0]));
                }
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A value as in the body of a request.
fn encoded(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(byte).collect()
}

/// A response of EC2.
fn response(action: &str, inside: &str) -> Rule {
    let body = format!(
        "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>x</requestId>{inside}\
         </{action}Response>"
    );
    Rule::new(Effect::Status { code: 200, headers: vec![("content-type".into(), "text/xml".into())], body })
        .body(&format!("Action={action}&"))
}

const TAGS: &str = "<tagSet><item><key>Name</key><value>n</value></item></tagSet>";

#[test]
fn responses_of_calls_that_moto_lacks_become_rows() {
    let bed = Bed::start();
    let arn = "arn:aws:ec2:us-east-1:123456789012";
    let cases = [
        (
            "DescribeCapacityReservations",
            format!(
                "<capacityReservationSet><item><capacityReservationId>cr-1</capacityReservationId><ownerId>123456789012</ownerId>\
                 <capacityReservationArn>{arn}:capacity-reservation/cr-1</capacityReservationArn>\
                 <instanceType>m5.large</instanceType><instancePlatform>Linux/UNIX</instancePlatform>\
                 <availabilityZone>us-east-1a</availabilityZone><tenancy>default</tenancy><totalInstanceCount>4</totalInstanceCount>\
                 <availableInstanceCount>3</availableInstanceCount><ebsOptimized>true</ebsOptimized><state>active</state>\
                 <startDate>2026-01-02T03:04:05.000Z</startDate><endDateType>unlimited</endDateType>\
                 <instanceMatchCriteria>open</instanceMatchCriteria><createDate>2026-01-02T03:04:05Z</createDate>{TAGS}\
                 <capacityAllocationSet><item><allocationType>used</allocationType><count>1</count></item></capacityAllocationSet>\
                 </item></capacityReservationSet>"
            ),
            "SELECT capacity_reservation_id, title, total_instance_count - available_instance_count, ebs_optimized, start_date, \
             end_date, capacity_allocations, akas FROM aws_ec2_capacity_reservation",
            format!(
                "cr-1 n 1 true 2026-01-02T03:04:05Z NULL [{{\"AllocationType\":\"used\",\"Count\":1}}] \
                 [{arn}:capacity-reservation/cr-1]"
            ),
        ),
        (
            "DescribePlacementGroups",
            format!(
                "<placementGroupSet><item><groupName>g</groupName><state>available</state><strategy>partition</strategy>\
                 <partitionCount>3</partitionCount><groupId>pg-1</groupId>{TAGS}</item></placementGroupSet>"
            ),
            "SELECT group_name, group_id, strategy, partition_count, spread_level, tags, arn FROM aws_ec2_placement_group",
            format!("g pg-1 partition 3 NULL {{Name: n}} {arn}:placement-group/g"),
        ),
        (
            "DescribeReservedInstances",
            "<reservedInstancesSet><item><reservedInstancesId>ri-1</reservedInstancesId><instanceType>m5.large</instanceType>\
             <start>2026-01-01T00:00:00Z</start><end>2027-01-01T00:00:00Z</end><duration>31536000</duration>\
             <usagePrice>0.1</usagePrice><fixedPrice>227.5</fixedPrice><instanceCount>2</instanceCount><state>active</state>\
             <currencyCode>USD</currencyCode><scope>Region</scope></item></reservedInstancesSet>"
                .to_owned(),
            "SELECT reserved_instance_id, instance_state, end_time, duration, usage_price, fixed_price, arn \
             FROM aws_ec2_reserved_instance",
            format!("ri-1 active 2027-01-01T00:00:00Z 31536000 0.1 227.5 {arn}:reserved-instances/ri-1"),
        ),
        (
            "DescribeReservedInstancesModifications",
            "<reservedInstancesModificationsSet><item><reservedInstancesModificationId>rim-1</reservedInstancesModificationId>\
             <reservedInstancesSet><item><reservedInstancesId>ri-1</reservedInstancesId></item></reservedInstancesSet>\
             <status>fulfilled</status></item></reservedInstancesModificationsSet>"
                .to_owned(),
            "SELECT reserved_instances_modifications FROM aws_ec2_reserved_instance",
            "[{\"ReservedInstancesIds\":[{\"ReservedInstancesId\":\"ri-1\"}],\
             \"ReservedInstancesModificationId\":\"rim-1\",\"Status\":\"fulfilled\"}]"
                .to_owned(),
        ),
        (
            "DescribeVerifiedAccessEndpoints",
            format!(
                "<verifiedAccessEndpointSet><item><verifiedAccessEndpointId>vae-1</verifiedAccessEndpointId>\
                 <verifiedAccessGroupId>vagr-1</verifiedAccessGroupId><applicationDomain>app.example</applicationDomain>\
                 <endpointType>load-balancer</endpointType><status><code>active</code></status>\
                 <creationTime>2026-01-02T03:04:05</creationTime>\
                 <loadBalancerOptions><protocol>https</protocol><port>443</port></loadBalancerOptions>{TAGS}</item>\
                 </verifiedAccessEndpointSet>"
            ),
            "SELECT verified_access_endpoint_id, application_domain, status_code, load_balancer_options, title, creation_time \
             FROM aws_vpc_verified_access_endpoint",
            "vae-1 app.example active {\"Protocol\":\"https\",\"Port\":443} n 2026-01-02T03:04:05Z".to_owned(),
        ),
        (
            "DescribeVerifiedAccessGroups",
            format!(
                "<verifiedAccessGroupSet><item><verifiedAccessGroupId>vagr-1</verifiedAccessGroupId>\
                 <verifiedAccessInstanceId>vai-1</verifiedAccessInstanceId><owner>123456789012</owner>\
                 <verifiedAccessGroupArn>{arn}:verified-access-group/vagr-1</verifiedAccessGroupArn>{TAGS}</item>\
                 </verifiedAccessGroupSet>"
            ),
            "SELECT verified_access_group_id, verified_access_instance_id, arn, owner FROM aws_vpc_verified_access_group",
            format!("vagr-1 vai-1 {arn}:verified-access-group/vagr-1 123456789012"),
        ),
        (
            "DescribeVerifiedAccessInstances",
            "<verifiedAccessInstanceSet><item><verifiedAccessInstanceId>vai-1</verifiedAccessInstanceId>\
             <description>d</description><verifiedAccessTrustProviderSet><item>\
             <verifiedAccessTrustProviderId>vatp-1</verifiedAccessTrustProviderId><trustProviderType>user</trustProviderType>\
             </item></verifiedAccessTrustProviderSet></item></verifiedAccessInstanceSet>"
                .to_owned(),
            "SELECT verified_access_instance_id, description, verified_access_trust_providers, tags, title \
             FROM aws_vpc_verified_access_instance",
            "vai-1 d [{\"VerifiedAccessTrustProviderId\":\"vatp-1\",\"TrustProviderType\":\"user\"}] {} vai-1".to_owned(),
        ),
        (
            "DescribeVerifiedAccessTrustProviders",
            "<verifiedAccessTrustProviderSet><item><verifiedAccessTrustProviderId>vatp-1</verifiedAccessTrustProviderId>\
             <trustProviderType>user</trustProviderType><userTrustProviderType>oidc</userTrustProviderType>\
             <policyReferenceName>idp</policyReferenceName><oidcOptions><issuer>https://idp.example</issuer>\
             <clientSecret>hunter2</clientSecret></oidcOptions></item></verifiedAccessTrustProviderSet>"
                .to_owned(),
            "SELECT verified_access_trust_provider_id, user_trust_provider_type, policy_reference_name, oidc_options \
             FROM aws_vpc_verified_access_trust_provider",
            "vatp-1 oidc idp {\"Issuer\":\"https://idp.example\"}".to_owned(),
        ),
        (
            "DescribeClientVpnEndpoints",
            format!(
                "<clientVpnEndpoint><item><clientVpnEndpointId>cvpn-1</clientVpnEndpointId><status><code>available</code></status>\
                 <dnsServer><item>10.0.0.2</item></dnsServer><vpnPort>443</vpnPort><splitTunnel>false</splitTunnel>\
                 <connectionLogOptions><Enabled>false</Enabled></connectionLogOptions>\
                 <securityGroupIdSet><item>sg-1</item><item>sg-2</item></securityGroupIdSet>{TAGS}</item></clientVpnEndpoint>"
            ),
            "SELECT client_vpn_endpoint_id, status, dns_servers, vpn_port, split_tunnel, connection_log_options, \
             security_group_ids, title FROM aws_ec2_client_vpn_endpoint",
            "cvpn-1 {\"Code\":\"available\"} [10.0.0.2] 443 false {\"Enabled\":false} [sg-1, sg-2] n".to_owned(),
        ),
        (
            "DescribeAddressTransfers",
            "<addressTransferSet><item><publicIp>203.0.113.1</publicIp><allocationId>eipalloc-1</allocationId>\
             <transferAccountId>222222222222</transferAccountId><addressTransferStatus>pending</addressTransferStatus>\
             <transferOfferExpirationTimestamp>2026-01-02T03:04:05Z</transferOfferExpirationTimestamp></item></addressTransferSet>"
                .to_owned(),
            "SELECT allocation_id, public_ip, transfer_account_id, address_transfer_status, \
             transfer_offer_expiration_timestamp, transfer_offer_accepted_timestamp, title FROM aws_vpc_eip_address_transfer",
            "eipalloc-1 203.0.113.1 222222222222 pending 2026-01-02T03:04:05Z NULL eipalloc-1".to_owned(),
        ),
        (
            "DescribeSecurityGroupVpcAssociations",
            "<securityGroupVpcAssociationSet><item><groupId>sg-1</groupId><vpcId>vpc-1</vpcId>\
             <vpcOwnerId>123456789012</vpcOwnerId><state>associated</state></item></securityGroupVpcAssociationSet>"
                .to_owned(),
            "SELECT group_id, vpc_id, vpc_owner_id, state, title, account_id FROM aws_vpc_security_group_vpc_association",
            "sg-1 vpc-1 123456789012 associated sg-1 123456789012".to_owned(),
        ),
        (
            "DescribeVpcBlockPublicAccessOptions",
            "<vpcBlockPublicAccessOptions><awsAccountId>123456789012</awsAccountId><awsRegion>us-east-1</awsRegion>\
             <state>update-complete</state><internetGatewayBlockMode>block-ingress</internetGatewayBlockMode>\
             <lastUpdateTimestamp>2026-01-02T03:04:05Z</lastUpdateTimestamp><managedBy>account</managedBy>\
             <exclusionsAllowed>allowed</exclusionsAllowed></vpcBlockPublicAccessOptions>"
                .to_owned(),
            "SELECT internet_gateway_block_mode, state, managed_by, exclusions_allowed, last_update_timestamp, region, title \
             FROM aws_vpc_block_public_access_options",
            "block-ingress update-complete account allowed 2026-01-02T03:04:05Z us-east-1 us-east-1".to_owned(),
        ),
        (
            "DescribeVpcEndpointServices",
            "<serviceNameSet><item>com.example.own</item></serviceNameSet><serviceDetailSet><item>\
             <serviceName>com.example.own</serviceName><serviceId>vpce-svc-1</serviceId><owner>123456789012</owner>\
             <acceptanceRequired>true</acceptanceRequired></item><item><serviceName>com.amazonaws.s3</serviceName>\
             <serviceId>vpce-svc-2</serviceId><owner>amazon</owner></item></serviceDetailSet>"
                .to_owned(),
            "SELECT service_id, acceptance_required FROM aws_vpc_endpoint_service",
            "vpce-svc-1 true\nvpce-svc-2 NULL".to_owned(),
        ),
        (
            "DescribeVpcEndpointConnections",
            "<vpcEndpointConnectionSet><item><serviceId>vpce-svc-1</serviceId><vpcEndpointId>vpce-1</vpcEndpointId>\
             <vpcEndpointState>available</vpcEndpointState></item></vpcEndpointConnectionSet>"
                .to_owned(),
            "SELECT service_id, vpc_endpoint_connections FROM aws_vpc_endpoint_service",
            "vpce-svc-1 [{\"ServiceId\":\"vpce-svc-1\",\"VpcEndpointId\":\"vpce-1\",\"VpcEndpointState\":\"available\"}]\n\
             vpce-svc-2 NULL"
                .to_owned(),
        ),
        (
            "DescribeVpcEndpointServicePermissions",
            "<allowedPrincipals><item><principalType>Account</principalType><principal>arn:aws:iam::222222222222:root</principal>\
             </item></allowedPrincipals>"
                .to_owned(),
            "SELECT vpc_endpoint_service_permissions FROM aws_vpc_endpoint_service WHERE service_id = 'vpce-svc-1'",
            "[{\"PrincipalType\":\"Account\",\"Principal\":\"arn:aws:iam::222222222222:root\"}]".to_owned(),
        ),
        (
            "GetEbsDefaultKmsKeyId",
            "<kmsKeyId>alias/aws/ebs</kmsKeyId>".to_owned(),
            "SELECT default_ebs_encryption_key FROM aws_ec2_regional_settings",
            "alias/aws/ebs".to_owned(),
        ),
        (
            "GetSnapshotBlockPublicAccessState",
            "<state>block-new-sharing</state>".to_owned(),
            "SELECT snapshot_block_public_access_state, title FROM aws_ec2_regional_settings",
            "block-new-sharing us-east-1".to_owned(),
        ),
    ];
    runtime().block_on(async {
        let engine = engine(&bed).await;
        for (action, inside, sql, expected) in cases {
            bed.proxy().rule(response(action, &inside));
            assert_eq!(rows(&engine, sql).await.join("\n"), expected, "{sql}");
        }
    });
}

#[test]
fn details_of_load_balancers_are_read_where_a_query_needs_them() {
    let bed = Bed::with_network();
    runtime().block_on(async {
        let engine = engine(&bed).await;
        let unknown = Effect::aws_error(400, "LoadBalancerNotFound", "One or more load balancers not found");
        bed.proxy().rule(Rule::new(unknown).body("absent"));
        for (sql, actions, expected) in [
            ("SELECT name FROM aws_ec2_network_load_balancer", &["DescribeLoadBalancers"][..], "tcp"),
            ("SELECT name, tags FROM aws_ec2_network_load_balancer WHERE name = 'tcp'",
             &["DescribeLoadBalancers", "DescribeTags"], "tcp {team: net}"),
            // An unknown name fails the call for both, so each is requested again. moto leaves it out.
            ("SELECT name FROM aws_ec2_network_load_balancer WHERE name IN ('tcp', 'absent')",
             &["DescribeLoadBalancers", "DescribeLoadBalancers", "DescribeLoadBalancers"], "tcp"),
            ("SELECT name FROM aws_ec2_network_load_balancer WHERE name = 'not a name'", &[], ""),
            ("SELECT load_balancer_attributes LIKE '%deletion_protection.enabled%' FROM aws_ec2_application_load_balancer",
             &["DescribeLoadBalancers", "DescribeLoadBalancerAttributes"], "1"),
            ("SELECT port FROM aws_ec2_load_balancer_listener",
             &["DescribeLoadBalancers", "DescribeListeners", "DescribeListeners", "DescribeListeners"], "80"),
            ("SELECT connection_draining_enabled, cross_zone_load_balancing_enabled, access_log_enabled \
              FROM aws_ec2_classic_load_balancer", &["DescribeLoadBalancers", "DescribeLoadBalancerAttributes"],
             "false false false"),
            ("SELECT attributes LIKE '%stickiness.enabled%' FROM aws_ec2_target_group",
             &["DescribeTargetGroups", "DescribeTargetGroupAttributes"], "1"),
            ("SELECT json_extract(policies, '$[0].ScalingAdjustment') FROM aws_ec2_autoscaling_group WHERE name = 'web'",
             &["DescribeAutoScalingGroups", "DescribePolicies"], "1"),
        ] {
            let found = bed.actions(&engine, sql).await;
            assert_eq!(found, actions, "{sql}");
            assert_eq!(rows(&engine, sql).await.join("\n"), expected, "{sql}");
        }
    });
}

#[test]
fn pages_end_where_aws_says_and_one_bad_value_costs_no_other() {
    let bed = Bed::start();
    let page = |id: &str, extra: &str, next: &str| {
        let next = if next.is_empty() { String::new() } else { format!("<nextToken>{next}</nextToken>") };
        format!("<imagesSet><item><imageId>{id}</imageId>{extra}</item></imagesSet>{next}")
    };
    let action = "DescribeImages";
    let odd = "<name>b</name><creationDate>yesterday</creationDate>";
    bed.proxy().rule(response(action, &page("ami-3", "<name>c</name>", "")).body("NextToken=two"));
    bed.proxy().rule(response(action, &page("ami-2", odd, "two")).body("NextToken=one"));
    bed.proxy().rule(response(action, &page("ami-1", "<name>a</name>", "one")));
    runtime().block_on(async {
        let engine = engine(&bed).await;
        let (found, warnings) = crate::aws::partly(&engine, "SELECT image_id, name, creation_date FROM aws_ec2_ami").await;
        assert_eq!(found, ["ami-1 a NULL", "ami-2 b NULL", "ami-3 c NULL"]);
        let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["aws_ec2_ami (default/us-east-1, creation_date): `CreationDate` holds a text, which does not fit the column"]);
        // A join asks for many images in one call, whoever owns them.
        bed.proxy().clear_rules();
        bed.proxy().clear_requests();
        let sql = "SELECT count(*) FROM aws_ec2_instance i JOIN aws_ec2_ami a ON a.image_id = i.image_id";
        assert_eq!(rows(&engine, sql).await, ["3"]);
        let images: Vec<_> = bed.proxy().requests().into_iter().filter(|request| request.body.contains(action)).collect();
        assert_eq!(images.len(), 1, "{images:?}");
        assert!(images[0].body.contains("Filter.1.Name=image-id") && !images[0].body.contains("Owner"), "{images:?}");
        // Versions of launch templates: one list of templates, one call per template.
        let sql = "SELECT count(*) FROM aws_ec2_launch_template_version";
        assert_eq!(bed.actions(&engine, sql).await, ["DescribeLaunchTemplates"]);
    });
}
