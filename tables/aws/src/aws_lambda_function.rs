//! `aws_lambda_function`: one row per Lambda function, from `lambda:ListFunctions`.

use futures::stream::{Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request, member};
use crate::call::{all, distinct};
use crate::resource::{Derived, Origin, Reader, Resource, filled};
use crate::services::LAMBDA;
use crate::source::policy;

/// Lambda functions.
///
/// Values of environment variables are never shown, because they often are credentials: `environment_variable_names`
/// has the names. Policies, URLs and tags cost a call per function each.
#[derive(Debug, Default, Table)]
#[table(name = "aws_lambda_function", env = Aws, stream, rows = 50, needs("lambda:ListFunctions"), identity(arn))]
#[example(
    "Functions that anyone may invoke.",
    "SELECT name, region, policy_std FROM aws_lambda_function WHERE policy_std LIKE '%{\"AWS\":[\"*\"]}%'"
)]
#[example(
    "The role of each function.",
    "SELECT f.name, r.name AS role FROM aws_lambda_function f JOIN aws_iam_role r ON r.arn = f.role"
)]
pub struct Function {
    /// Name of the function.
    #[column(index, path = "FunctionName")]
    name: String,
    /// ARN of the function.
    #[column(path = "FunctionArn")]
    arn: String,
    /// ARN of the role with which it runs.
    #[column(path = "Role")]
    role: Option<String>,
    /// Runtime, such as `python3.13`; NULL for images.
    #[column(path = "Runtime")]
    runtime: Option<String>,
    /// Name of the handler; NULL for images.
    #[column(path = "Handler")]
    handler: Option<String>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// `Zip` or `Image`.
    #[column(path = "PackageType")]
    package_type: Option<String>,
    /// Processor architectures.
    #[column(path = "Architectures")]
    architectures: Vec<String>,
    /// SHA-256 of the package, in Base64.
    #[column(path = "CodeSha256")]
    code_sha_256: Option<String>,
    /// Size of the package in bytes.
    #[column(path = "CodeSize")]
    code_size: Option<i64>,
    /// Time of the last change.
    #[column(path = "modified")]
    last_modified: Option<Timestamp>,
    /// Memory in MiB.
    #[column(path = "MemorySize")]
    memory_size: Option<i64>,
    /// Time limit in seconds.
    #[column(path = "Timeout")]
    timeout: Option<i64>,
    /// Size of `/tmp` in MiB.
    #[column(path = "EphemeralStorage.Size")]
    ephemeral_storage_size: Option<i64>,
    /// Version: `$LATEST`.
    #[column(path = "Version")]
    version: Option<String>,
    /// State: `Pending`, `Active`, `Inactive`, `Failed`.
    #[column(path = "State")]
    state: Option<String>,
    /// Status of the last update.
    #[column(path = "LastUpdateStatus")]
    last_update_status: Option<String>,
    /// ARN of the key that encrypts environment variables; NULL for AWS's own.
    #[column(path = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    /// Names of environment variables.
    #[column(path = "variables")]
    environment_variable_names: Option<Vec<String>>,
    /// Layers.
    #[column(path = "Layers")]
    layers: Option<Json>,
    /// ID of the VPC; NULL outside of VPCs.
    #[column(path = "vpc")]
    vpc_id: Option<String>,
    /// IDs of the subnets; NULL outside of VPCs.
    #[column(path = "VpcConfig.SubnetIds")]
    vpc_subnet_ids: Option<Vec<String>>,
    /// IDs of the security groups; NULL outside of VPCs.
    #[column(path = "VpcConfig.SecurityGroupIds")]
    vpc_security_group_ids: Option<Vec<String>>,
    /// Tracing by X-Ray.
    #[column(path = "TracingConfig")]
    tracing_config: Option<Json>,
    /// Policy: who may invoke the function; NULL if there is none.
    #[column(source = resource_policy, needs = "lambda:GetPolicy")]
    policy: Option<Json>,
    /// Policy in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = resource_policy, needs = "lambda:GetPolicy")]
    policy_std: Option<Json>,
    /// Function URLs and their authentication; NULL if there are none.
    #[column(source = urls, needs = "lambda:ListFunctionUrlConfigs")]
    url_config: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "lambda:ListTags")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List =
    List { service: &LAMBDA, action: "lambda:ListFunctions", items: "Functions", tokens: ("Marker", "NextMarker") };
static URLS: List = List {
    service: &LAMBDA,
    action: "lambda:ListFunctionUrlConfigs",
    items: "FunctionUrlConfigs",
    tokens: ("Marker", "NextMarker"),
};

/// Lambda's time, whose offset has no colon: `2026-11-30T22:23:38.599+0000`.
fn time(value: &Value) -> Value {
    let text = value.as_str().and_then(|text| text.strip_suffix("+0000"));
    text.map_or_else(|| value.clone(), |text| format!("{text}Z").into())
}

/// The names of the variables, without their values.
fn names(variables: &Value) -> Value {
    variables.as_object().map(|variables| variables.keys().cloned().collect()).unwrap_or_default()
}

const GET: &str = "lambda:GetFunctionConfiguration";

impl RowStream for Function {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, if scan.keys(Self::NAME).is_some() { GET } else { LIST.action })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::NAME) {
            Some(names) => site.look_up(scan, distinct(names), |site, name| Function::get(scan, site, name)),
            None => {
                // The values of variables do not stay in memory.
                let functions = site.list(scan, &LIST, Request::get(&["2015-03-31", "functions"]));
                site.rows(scan, functions.map_ok(without_values).boxed())
            }
        })
    }
}

impl Resource for Function {
    const ARN_FORM: &'static str = "{FunctionArn}";
    const TITLE_FORM: &'static str = "{FunctionName}";
    const DERIVED: &'static [Derived] = &[
        Derived::new("modified", "LastModified", time),
        Derived::new("variables", "Environment.Variables", names),
        Derived::new("vpc", "VpcConfig.VpcId", filled),
    ];
    const KEPT: &'static [usize] = &[Self::NAME.position(), Self::ARN.position()];
}

/// The function with null in place of the values of its environment variables.
fn without_values(mut function: Value) -> Value {
    let variables = function.pointer_mut("/Environment/Variables").and_then(Value::as_object_mut);
    variables.into_iter().flatten().for_each(|(_, value)| *value = Value::Null);
    function
}

impl Function {
    async fn get(scan: &Scan<Self>, site: Site, name: String) -> Result<Self> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if name.len() > 64 || !name.bytes().all(is_name) {
            return Err(Error::Gone(name));
        }
        let request = Request::get(&["2015-03-31", "functions", &name, "configuration"]);
        let function = site.send(scan, &LAMBDA, GET, request).await?;
        Reader::listed(scan, &site).row(scan, &without_values(function))
    }

    async fn resource_policy(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = Request::get(&["2015-03-31", "functions", &self.name, "policy"]);
        let answer = site.send(scan, &LAMBDA, "lambda:GetPolicy", request).await.if_present()?;
        if let Some(text) = answer.as_ref().and_then(|answer| answer["Policy"].as_str()) {
            let (plain, standard) = policy::columns(text)?;
            (self.policy, self.policy_std) = (Some(plain), Some(standard));
        }
        Ok(())
    }

    async fn urls(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let urls = all(site.list(scan, &URLS, Request::get(&["2021-10-31", "functions", &self.name, "urls"]))).await?;
        self.url_config = (!urls.is_empty()).then(|| Json::new(&urls));
        Ok(())
    }

    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = Request::get(&["2017-03-31", "tags", &self.arn]);
        let tags = member(site.send(scan, &LAMBDA, "lambda:ListTags", request).await?, "Tags");
        Reader::of_sources(&site, &["tagging"]).fill(scan, self, &json!({"Tags": tags}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_are_not_kept() {
        let function = json!({"FunctionName": "f", "Environment": {"Variables": {"PASSWORD": "hunter2"}}});
        let without = without_values(function);
        assert_eq!(without, json!({"FunctionName": "f", "Environment": {"Variables": {"PASSWORD": null}}}));
        assert_eq!(names(&without["Environment"]["Variables"]), json!(["PASSWORD"]));
        assert_eq!(without_values(json!([])), json!([]));
        assert_eq!(time(&json!("2026-11-30T22:23:38.599+0000")), json!("2026-11-30T22:23:38.599Z"));
    }
}
