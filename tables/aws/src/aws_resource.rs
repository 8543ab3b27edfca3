//! `aws_resource`: any resource that the Cloud Control API lists, one row per resource.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request, member, with_member};
use crate::call::distinct;
use crate::resource::{Origin, Reader, Resource};
use crate::services::CLOUD_CONTROL;

/// Resources of any type that AWS's Cloud Control API lists, with their properties as one document.
///
/// The query names types in `type`, such as `AWS::SNS::Topic`; the properties are those of the type's page in AWS's
/// CloudFormation reference. The list of some types has only some of the properties: a key on `identifier` reads one
/// resource with all of them. Some types need the identifier of a parent: state it in `resource_model` as JSON, such as
/// `{"LoadBalancerArn": ".."}`. Each type needs its own permissions in addition, such as `sns:ListTopics`.
#[derive(Debug, Default, Table)]
#[table(name = "aws_resource", env = Aws, stream, rows = 100, needs("cloudformation:ListResources"), identity(account_id, region, type, identifier))]
#[example("Topics of SNS.", "SELECT region, identifier, properties FROM aws_resource WHERE type = 'AWS::SNS::Topic'")]
#[example(
    "One bucket with all of its properties.",
    "SELECT properties FROM aws_resource WHERE type = 'AWS::S3::Bucket' AND identifier = 'acme-logs' AND region = 'us-east-1'"
)]
pub struct CloudResource {
    /// Type of the resource, as in CloudFormation: `AWS::S3::Bucket`.
    #[column(required, path = "type")]
    r#type: String,
    /// Identifier of the resource: name, ID or ARN, depending on the type.
    #[column(index, path = "Identifier")]
    identifier: String,
    /// Properties of the resource.
    #[column(path = "properties")]
    properties: Option<Json>,
    /// Properties that the list of the type needs, as JSON.
    #[column(index, selects, hidden, path = "model")]
    resource_model: Option<String>,
    /// ARN of the resource; NULL if its properties have none.
    #[column(path = "properties.Arn")]
    arn: Option<String>,
    /// Tags as the type lists them; NULL if it has none.
    #[column(path = "properties.Tags")]
    tags_src: Option<Json>,
    /// The same as the identifier.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = List {
    service: &CLOUD_CONTROL,
    action: "cloudformation:ListResources",
    items: "ResourceDescriptions",
    tokens: ("NextToken", "NextToken"),
};
const GET: &str = "cloudformation:GetResource";

impl RowStream for CloudResource {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, if scan.keys(Self::IDENTIFIER).is_some() { GET } else { LIST.action })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, CloudResource::list)
    }
}

impl Resource for CloudResource {
    const TITLE_FORM: &'static str = "{Identifier}";
}

impl CloudResource {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let mut types = distinct(scan.keys(Self::TYPE).unwrap_or_default());
            types.retain(|name| {
                let is_type = is_type(name);
                if !is_type {
                    let hint = "types have names such as AWS::S3::Bucket";
                    scan.report(format!("type={name}"), &Error::Unsupported(format!("`{name}` is not a type: {hint}")));
                }
                is_type
            });
            let model = CloudResource::model(scan);
            for kind in types {
                if let Some(identifiers) = scan.keys(Self::IDENTIFIER) {
                    let kind = &kind;
                    let mut rows = site.look_up(scan, identifiers, |site, identifier| {
                        CloudResource::get(scan, site, kind.clone(), identifier)
                    });
                    while let Some(row) = rows.next().await {
                        yield row?;
                    }
                    continue;
                }
                let input = json!({"TypeName": kind, "MaxResults": 100});
                let input = Request::input(model.iter().fold(input, |input, model| {
                    with_member(input, "ResourceModel", model.as_str())
                }));
                let reader = Reader::listed(scan, &site);
                let mut items = site.list(scan, &LIST, input);
                while let Some(item) = items.next().await {
                    if let Some(row) = reader.item(scan, &document(item?, &kind, model.as_deref())) {
                        yield row;
                    }
                }
            }
        }
        .boxed()
    }

    /// The model that the query states.
    fn model(scan: &Scan<Self>) -> Option<String> {
        scan.key(Self::RESOURCE_MODEL)
    }

    async fn get(scan: &Scan<Self>, site: Site, kind: String, identifier: String) -> Result<Self> {
        let input = Request::input(json!({"TypeName": kind, "Identifier": identifier}));
        let answer = site.send(scan, &CLOUD_CONTROL, GET, input).await?;
        let description = member(answer, "ResourceDescription");
        Reader::listed(scan, &site).row(scan, &document(description, &kind, None))
    }
}

/// The resource with its properties as a document instead of a text.
fn document(description: Value, kind: &str, model: Option<&str>) -> Value {
    let properties = description["Properties"].as_str().map(|text| {
        let document: Option<Value> = serde_json::from_str(text).ok();
        document.unwrap_or_else(|| text.into())
    });
    let document = with_member(description, "properties", properties.unwrap_or_default());
    with_member(with_member(document, "type", kind), "model", json!(model))
}

/// Whether a text is a type of three parts, or of four for a private one.
fn is_type(text: &str) -> bool {
    let parts: Vec<_> = text.split("::").collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (3..=4).contains(&parts.len()) && parts.iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_three_or_four_parts() {
        for (text, expected) in [
            ("AWS::S3::Bucket", true),
            ("Acme::Team::Thing::MODULE", true),
            ("AWS::S3", false),
            ("AWS::S3::", false),
            ("AWS::S3::a b", false),
            ("", false),
        ] {
            assert_eq!(is_type(text), expected, "{text}");
        }
    }
}
