//! Shared by the tables about load balancers and Auto Scaling groups: their services, and calls for several of them.

use std::collections::HashMap;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Site};
use crate::api::Service;
use crate::call::{all, distinct, of_parents};
use crate::query::{Input, Listing, Query};
use crate::resource::{Origin, Reader, Resource};

/// Elastic Load Balancing: application, network and gateway load balancers.
pub(crate) static LOAD_BALANCING: Query = Query {
    service: Service {
        name: "elasticloadbalancing",
        id: "Elastic Load Balancing v2",
        target: "",
        json: "",
        is_global: false,
        always_fips: &["aws-us-gov"],
    },
    version: "2015-12-01",
    lists: &[
        "Actions",
        "AdditionalClaims",
        "AlpnPolicy",
        "Attributes",
        "AvailabilityZones",
        "Certificates",
        "Ciphers",
        "Conditions",
        "DefaultActions",
        "Listeners",
        "LoadBalancerAddresses",
        "LoadBalancerArns",
        "LoadBalancers",
        "RegexValues",
        "Rewrites",
        "Rules",
        "SecurityGroups",
        "SourceNatIpv6Prefixes",
        "SslPolicies",
        "SslProtocols",
        "SupportedLoadBalancerTypes",
        "TagDescriptions",
        "Tags",
        "TargetGroups",
        "TargetHealthDescriptions",
        "Transforms",
        "Values",
    ],
    numbers: &[
        "Ciphers.Priority",
        "DurationSeconds",
        "HealthCheckIntervalSeconds",
        "HealthCheckTimeoutSeconds",
        "HealthyThresholdCount",
        "Listeners.Port",
        "Order",
        "SessionTimeout",
        "Target.Port",
        "TargetControlPort",
        "TargetGroups.Port",
        "UnhealthyThresholdCount",
        "Weight",
    ],
    booleans: &[
        "Enabled",
        "HealthCheckEnabled",
        "IgnoreClientCertificateExpiry",
        "IsDefault",
        "UseExistingClientSecret",
    ],
};

/// Elastic Load Balancing: classic load balancers.
pub(crate) static CLASSIC: Query = Query {
    service: Service {
        name: "elasticloadbalancing",
        id: "Elastic Load Balancing",
        target: "",
        json: "",
        is_global: false,
        always_fips: &["aws-us-gov"],
    },
    version: "2012-06-01",
    lists: &[
        "AdditionalAttributes",
        "AppCookieStickinessPolicies",
        "AvailabilityZones",
        "BackendServerDescriptions",
        "Instances",
        "LBCookieStickinessPolicies",
        "ListenerDescriptions",
        "LoadBalancerDescriptions",
        "OtherPolicies",
        "PolicyAttributeDescriptions",
        "PolicyDescriptions",
        "PolicyNames",
        "SecurityGroups",
        "Subnets",
        "TagDescriptions",
        "Tags",
    ],
    numbers: &[
        "CookieExpirationPeriod",
        "EmitInterval",
        "HealthyThreshold",
        "IdleTimeout",
        "InstancePort",
        "Interval",
        "LoadBalancerPort",
        "Timeout",
        "UnhealthyThreshold",
    ],
    booleans: &["Enabled"],
};

/// Auto Scaling.
pub(crate) static AUTO_SCALING: Query = Query {
    service: Service {
        name: "autoscaling",
        id: "Auto Scaling",
        target: "",
        json: "",
        is_global: false,
        always_fips: &["aws-us-gov"],
    },
    version: "2011-01-01",
    lists: &[
        "AcceleratorManufacturers",
        "AcceleratorNames",
        "AcceleratorTypes",
        "Alarms",
        "AllowedInstanceTypes",
        "AutoScalingGroups",
        "AvailabilityZoneIds",
        "AvailabilityZones",
        "BlockDeviceMappings",
        "CapacityReservationIds",
        "CapacityReservationResourceGroupArns",
        "ClassicLinkVPCSecurityGroups",
        "CpuManufacturers",
        "Dimensions",
        "EnabledMetrics",
        "ExcludedInstanceTypes",
        "InstanceGenerations",
        "Instances",
        "LaunchConfigurations",
        "LoadBalancerNames",
        "LocalStorageTypes",
        "MetricDataQueries",
        "MetricSpecifications",
        "Metrics",
        "Overrides",
        "References",
        "ScalingPolicies",
        "SecurityGroups",
        "StepAdjustments",
        "SuspendedProcesses",
        "Tags",
        "TargetGroupARNs",
        "TerminationPolicies",
        "TrafficSources",
    ],
    numbers: &[
        "Cooldown",
        "DefaultCooldown",
        "DefaultInstanceWarmup",
        "DesiredCapacity",
        "EstimatedInstanceWarmup",
        "HealthCheckGracePeriod",
        "HttpPutResponseHopLimit",
        "Iops",
        "Max",
        "MaxCapacityBuffer",
        "MaxGroupPreparedCapacity",
        "MaxHealthyPercentage",
        "MaxInstanceLifetime",
        "MaxSize",
        "MaxSpotPriceAsPercentageOfOptimalOnDemandPrice",
        "MetricIntervalLowerBound",
        "MetricIntervalUpperBound",
        "Min",
        "MinAdjustmentMagnitude",
        "MinAdjustmentStep",
        "MinHealthyPercentage",
        "MinSize",
        "OnDemandBaseCapacity",
        "OnDemandMaxPricePercentageOverLowestPrice",
        "OnDemandPercentageAboveBaseCapacity",
        "Period",
        "PredictedCapacity",
        "ScalingAdjustment",
        "SchedulingBufferTime",
        "SpotInstancePools",
        "SpotMaxPricePercentageOverLowestPrice",
        "TargetValue",
        "Throughput",
        "VolumeSize",
        "WarmPoolSize",
    ],
    booleans: &[
        "AssociatePublicIpAddress",
        "CapacityRebalance",
        "DeleteOnTermination",
        "DisableScaleIn",
        "EbsOptimized",
        "Enabled",
        "Encrypted",
        "NewInstancesProtectedFromScaleIn",
        "NoDevice",
        "PropagateAtLaunch",
        "ProtectedFromScaleIn",
        "RequireHibernateSupport",
        "ReturnData",
        "ReuseOnScaleIn",
        "ZonalShiftEnabled",
    ],
};

const MARKERS: (&str, &str) = ("Marker", "NextMarker");

pub(crate) static LOAD_BALANCERS: Listing = Listing {
    query: &LOAD_BALANCING,
    action: "elasticloadbalancing:DescribeLoadBalancers",
    items: "LoadBalancers",
    tokens: MARKERS,
};

pub(crate) static LISTENERS: Listing = Listing {
    query: &LOAD_BALANCING,
    action: "elasticloadbalancing:DescribeListeners",
    items: "Listeners",
    tokens: MARKERS,
};

/// Number of names or ARNs that one call takes.
const MOST_KEYS: usize = 20;

/// The items that keys name, up to 20 per call. `parameter` is the list of keys in the request.
///
/// The service refuses a call with a key that does not exist. Then each half of the keys is requested again.
pub(crate) async fn named<T: Row<Env = Aws>>(
    scan: &Scan<T>,
    site: &Site,
    listing: &'static Listing,
    parameter: &str,
    keys: Vec<String>,
) -> Result<Vec<Value>> {
    let keys = distinct(keys);
    let mut left: Vec<_> = keys.chunks(MOST_KEYS).rev().collect();
    let mut items = Vec::new();
    while let Some(keys) = left.pop() {
        match all(site.query_all(scan, listing, Input::default().with_list(parameter, keys))).await {
            Ok(found) => items.extend(found),
            Err(Error::Gone(_)) if keys.len() > 1 => {
                let (these, those) = keys.split_at(keys.len() / 2);
                left.extend([those, these]);
            }
            Err(Error::Gone(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(items)
}

/// The items of a listing: those that keys name, or all.
pub(crate) fn items<'a, T: Row<Env = Aws>>(
    scan: &'a Scan<T>,
    site: Site,
    listing: &'static Listing,
    keys: Option<(&'static str, Vec<String>)>,
) -> BoxStream<'a, Result<Value>> {
    let Some((parameter, keys)) = keys else { return site.query_all(scan, listing, Input::default()) };
    let found = async move { named(scan, &site, listing, parameter, keys).await };
    stream::once(found).map_ok(|items| stream::iter(items.into_iter().map(Ok))).try_flatten().boxed()
}

/// Keys that are ARNs of the service, of a kind such as `listener/`. It refuses all others.
pub(crate) fn arns(keys: Option<Vec<String>>, kind: &str) -> Option<Vec<String>> {
    let part = format!(":{kind}");
    let is_arn =
        |arn: &String| arn.starts_with("arn:") && arn.contains(":elasticloadbalancing:") && arn.contains(&part);
    keys.map(|keys| keys.into_iter().filter(is_arn).collect())
}

/// Keys that can be names of load balancers, target groups or TLS policies. The service refuses all others.
pub(crate) fn names(keys: Option<Vec<String>>) -> Option<Vec<String>> {
    let is_name = |name: &String| {
        name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    keys.map(|keys| keys.into_iter().filter(is_name).collect())
}

/// The load balancers of a type, for keys on their ARN and name.
pub(crate) fn load_balancers<'a, T: Resource>(
    scan: &'a Scan<T>,
    site: Site,
    kind: &'static str,
    by_arn: Option<Vec<String>>,
    by_name: Option<Vec<String>>,
) -> BoxStream<'a, Result<T>> {
    let by_arn = load_balancer_keys(by_arn).map(|keys| ("LoadBalancerArns", keys));
    let keys = by_arn.or_else(|| names(by_name).map(|keys| ("Names", keys)));
    let items = items(scan, site.clone(), &LOAD_BALANCERS, keys);
    // An item that is not an object is reported when its row is made.
    let is_of_kind = move |item: &Value| !item.is_object() || item["Type"] == kind;
    site.rows(scan, items.try_filter(move |item| std::future::ready(is_of_kind(item))).boxed())
}

/// Keys that are ARNs of application, network and gateway load balancers: `..:loadbalancer/app/name/1234`. That of a
/// classic one has only its name.
pub(crate) fn load_balancer_keys(keys: Option<Vec<String>>) -> Option<Vec<String>> {
    let has_kind = |arn: &String| arn.matches('/').count() == 3;
    arns(keys, "loadbalancer/").map(|keys| keys.into_iter().filter(has_kind).collect())
}

/// The ARNs of all load balancers, of the kinds that have listeners.
async fn load_balancer_arns<T: Row<Env = Aws>>(scan: &Scan<T>, site: &Site) -> Result<Vec<String>> {
    let items = all(site.query_all(scan, &LOAD_BALANCERS, Input::default())).await?;
    Ok(items.iter().filter_map(|item| item["LoadBalancerArn"].as_str().map(str::to_owned)).collect())
}

/// The listeners of load balancers, or of all.
pub(crate) fn listeners<'a, T: Row<Env = Aws>>(
    scan: &'a Scan<T>,
    site: Site,
    load_balancers: Option<Vec<String>>,
) -> BoxStream<'a, Result<Value>> {
    let of = site.clone();
    let parents = async move {
        match load_balancers {
            Some(arns) => Ok(arns),
            None => load_balancer_arns(scan, &of).await,
        }
    };
    of_parents(scan, &site, parents, move |site, arn| async move {
        all(site.query_all(scan, &LISTENERS, Input::default().with("LoadBalancerArn", &arn))).await
    })
}

/// Actions without the client secrets of identity providers. AWS leaves them out too.
pub(crate) fn without_secrets(actions: &Value) -> Value {
    let mut actions = actions.clone();
    for action in actions.as_array_mut().into_iter().flatten() {
        if let Some(config) = action.get_mut("AuthenticateOidcConfig").and_then(Value::as_object_mut) {
            config.remove("ClientSecret");
        }
    }
    actions
}

/// The attributes of a load balancer or target group. `parameter` is its ARN in the request.
pub(crate) async fn attributes<T: Row<Env = Aws>>(
    scan: &Scan<T>,
    site: &Site,
    action: &'static str,
    parameter: &str,
    arn: &str,
) -> Result<Option<Json>> {
    let answer = site.query(scan, &LOAD_BALANCING, action, Input::default().with(parameter, arn)).await?;
    Ok(answer.get("Attributes").map(Json::new))
}

const TAGS: &str = "elasticloadbalancing:DescribeTags";

/// Fills the columns of the source `tagging` of up to 20 rows. `key` is the ARN or name of a row, `of` where it came from,
/// and `names` the list of keys in the request and the key in the response.
pub(crate) async fn tags<T: Resource>(
    rows: &mut [Loading<'_, T>],
    scan: &Scan<T>,
    query: &'static Query,
    names: (&str, &str),
    key: fn(&T) -> &str,
    of: fn(&T) -> &Origin,
) -> Result<()> {
    let home = |row: &T| (of(row).profile.clone(), of(row).region.clone());
    rows.sort_by_key(|row| home(row));
    for rows in rows.chunk_by_mut(|one, other| home(one) == home(other)) {
        let site = of(&rows[0]).site(scan).await?;
        let reader = Reader::of_sources(&site, &["tagging"]);
        let mut left = vec![rows];
        while let Some(rows) = left.pop() {
            let input = Input::default().with_list(names.0, rows.iter().map(|row| key(row)));
            match site.query(scan, query, TAGS, input).await {
                Ok(answer) => {
                    let descriptions = answer["TagDescriptions"].as_array().into_iter().flatten();
                    let by_key: HashMap<_, _> = descriptions.map(|found| (found[names.1].as_str(), found)).collect();
                    for row in rows {
                        let tags = by_key.get(&Some(key(row))).map_or(Value::Null, |found| found["Tags"].clone());
                        if let Err(error) = reader.fill(scan, row, &json!({"Tags": tags})) {
                            row.fail(error);
                        }
                    }
                }
                // A single one that no longer exists fails the call for all of them.
                Err(Error::Gone(_)) if rows.len() > 1 => {
                    let (these, those) = rows.split_at_mut(rows.len() / 2);
                    left.extend([those, these]);
                }
                Err(error) => rows.iter_mut().for_each(|row| row.fail(error.clone())),
            }
        }
    }
    Ok(())
}
