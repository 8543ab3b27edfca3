//! `aws_ec2_load_balancer_listener_rule`: one row per rule, from `elasticloadbalancing:DescribeRules`.

use futures::stream::{Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place, Site};
use crate::call::{all, of_parents};
use crate::query::{Input, Listing};
use crate::resource::{Derived, Origin, Resource};
use crate::source::load_balancing::{self, LOAD_BALANCING};

/// Rules of listeners of application load balancers: what is done with which requests.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_load_balancer_listener_rule", env = Aws, stream, rows = 100,
    needs("elasticloadbalancing:DescribeRules"), identity(arn), batch(tagging = 20)
)]
#[example(
    "Rules that are forwarded without authentication.",
    "SELECT listener_arn, priority, conditions FROM aws_ec2_load_balancer_listener_rule WHERE actions NOT LIKE \
     '%authenticate-%'"
)]
pub struct ListenerRule {
    /// ARN of the rule.
    #[column(index, path = "RuleArn")]
    arn: String,
    /// Order of the rule: a number, or `default` for the last one.
    #[column(path = "Priority")]
    priority: Option<String>,
    /// ARN of its listener.
    #[column(index, path = "ListenerArn")]
    listener_arn: Option<String>,
    /// Whether it is the rule for requests that no other one matches.
    #[column(path = "IsDefault")]
    is_default: Option<bool>,
    /// Actions in order, without client secrets.
    #[column(path = "actions")]
    actions: Option<Json>,
    /// Conditions that a request must match.
    #[column(path = "Conditions")]
    conditions: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = tagging, needs = "elasticloadbalancing:DescribeTags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "elasticloadbalancing:DescribeTags")]
    tags: Option<Map>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for ListenerRule {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "elasticloadbalancing:DescribeRules")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            if let Some(arns) = load_balancing::arns(scan.keys(Self::ARN), "listener-rule/") {
                let items = load_balancing::items(scan, site.clone(), &RULES, Some(("RuleArns", arns)));
                return site.rows(scan, items.map_ok(with_listener).boxed());
            }
            let parents = ListenerRule::listeners(scan, site.clone());
            let rules = of_parents(scan, &site, parents, move |site, listener| async move {
                all(site.query_all(scan, &RULES, Input::default().with("ListenerArn", &listener))).await
            });
            site.rows(scan, rules.map_ok(with_listener).boxed())
        })
    }
}

impl Resource for ListenerRule {
    const TITLE_FORM: &'static str = "{RuleArn}";
    const DERIVED: &'static [Derived] = &[Derived::new("actions", "Actions", load_balancing::without_secrets)];
    const KEPT: &'static [usize] = &[Self::ARN.position()];
}

static RULES: Listing = Listing {
    query: &LOAD_BALANCING,
    action: "elasticloadbalancing:DescribeRules",
    items: "Rules",
    tokens: ("Marker", "NextMarker"),
};

/// A rule with the ARN of its listener, which is in the rule's own: `..:listener-rule/app/web/1/2/3`.
fn with_listener(mut rule: Value) -> Value {
    let arn = rule["RuleArn"].as_str().and_then(|arn| arn.rsplit_once('/'));
    let listener = arn.map(|(listener, _)| listener.replace(":listener-rule/", ":listener/"));
    if let (Some(listener), Some(rule)) = (listener, rule.as_object_mut()) {
        rule.insert("ListenerArn".to_owned(), listener.into());
    }
    rule
}

impl ListenerRule {
    /// The listeners to read.
    async fn listeners(scan: &Scan<Self>, site: Site) -> Result<Vec<String>> {
        if let Some(arns) = load_balancing::arns(scan.keys(Self::LISTENER_ARN), "listener/") {
            return Ok(arns);
        }
        let listeners = all(load_balancing::listeners(scan, site, None)).await?;
        // Only these have rules.
        let is_application = |arn: &&str| arn.contains(":listener/app/");
        let arns = listeners.iter().filter_map(|listener| listener["ListenerArn"].as_str()).filter(is_application);
        Ok(arns.map(str::to_owned).collect())
    }

    async fn tagging(rows: &mut [Loading<'_, Self>], scan: &Scan<Self>) -> Result<()> {
        let names = ("ResourceArns", "ResourceArn");
        load_balancing::tags(rows, scan, &LOAD_BALANCING, names, |row| &row.arn, |row| &row.origin).await
    }
}
