//! `aws_secretsmanager_secret`: one row per secret in Secrets Manager, from `secretsmanager:ListSecrets`.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request};
use crate::call::distinct;
use crate::resource::{Origin, Reader, Resource};
use crate::services::SECRETS_MANAGER;
use crate::source::policy;

/// Secrets in Secrets Manager: their metadata and policies. Values are never read.
///
/// The policy costs one call per secret.
#[derive(Debug, Default, Table)]
#[table(name = "aws_secretsmanager_secret", env = Aws, stream, rows = 50, needs("secretsmanager:ListSecrets"), identity(arn))]
#[example(
    "Secrets that were never rotated.",
    "SELECT name, created_date FROM aws_secretsmanager_secret WHERE rotation_enabled IS NOT TRUE"
)]
#[example(
    "Secrets with a policy of their own.",
    "SELECT name, policy_std FROM aws_secretsmanager_secret WHERE policy IS NOT NULL"
)]
pub struct Secret {
    /// Name of the secret.
    #[column(path = "Name")]
    name: String,
    /// ARN of the secret.
    #[column(index, path = "ARN")]
    arn: String,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// Creation time.
    #[column(path = "CreatedDate")]
    created_date: Option<Timestamp>,
    /// When it was marked for deletion; NULL if it was not.
    #[column(path = "DeletedDate")]
    deleted_date: Option<Timestamp>,
    /// Day of the last read of its value; NULL if there was none.
    #[column(volatile, path = "LastAccessedDate")]
    last_accessed_date: Option<Timestamp>,
    /// Time of the last change.
    #[column(path = "LastChangedDate")]
    last_changed_date: Option<Timestamp>,
    /// Time of the last rotation; NULL if there was none.
    #[column(path = "LastRotatedDate")]
    last_rotated_date: Option<Timestamp>,
    /// Time of the next rotation; NULL if there is none.
    #[column(path = "NextRotationDate")]
    next_rotation_date: Option<Timestamp>,
    /// Whether it is rotated automatically.
    #[column(path = "RotationEnabled")]
    rotation_enabled: Option<bool>,
    /// ARN of the function that rotates it; NULL if there is none.
    #[column(path = "RotationLambdaARN")]
    rotation_lambda_arn: Option<String>,
    /// When it is rotated.
    #[column(path = "RotationRules")]
    rotation_rules: Option<Json>,
    /// ARN of the key that encrypts it; NULL for AWS's own.
    #[column(path = "KmsKeyId")]
    kms_key_id: Option<String>,
    /// Service that made it; NULL for others.
    #[column(path = "OwningService")]
    owning_service: Option<String>,
    /// Region of the primary secret; NULL for one that is not replicated.
    #[column(path = "PrimaryRegion")]
    primary_region: Option<String>,
    /// Stages of its versions.
    #[column(path = "SecretVersionsToStages")]
    secret_versions_to_stages: Option<Json>,
    /// Policy of the secret; NULL if there is none.
    #[column(source = resource_policy, needs = "secretsmanager:GetResourcePolicy")]
    policy: Option<Json>,
    /// Policy in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = resource_policy, needs = "secretsmanager:GetResourcePolicy")]
    policy_std: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = List {
    service: &SECRETS_MANAGER,
    action: "secretsmanager:ListSecrets",
    items: "SecretList",
    tokens: ("NextToken", "NextToken"),
};

const GET: &str = "secretsmanager:DescribeSecret";

impl RowStream for Secret {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, if scan.keys(Self::ARN).is_some() { GET } else { LIST.action })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::ARN) {
            Some(mut arns) => {
                // A secret is in the region that its ARN names.
                arns.retain(|arn| arn.split(':').nth(3) == Some(&site.region()));
                site.look_up(scan, distinct(arns), |site, arn| Secret::get(scan, site, arn))
            }
            None => site.listed(scan, &LIST, Request::input(json!({"MaxResults": 100}))),
        })
    }
}

impl Resource for Secret {
    const ARN_FORM: &'static str = "{ARN}";
    const TITLE_FORM: &'static str = "{Name}";
    const KEPT: &'static [usize] = &[Self::ARN.position()];
}

impl Secret {
    async fn get(scan: &Scan<Self>, site: Site, arn: String) -> Result<Self> {
        let input = Request::input(json!({"SecretId": arn}));
        let secret = site.send(scan, &SECRETS_MANAGER, GET, input).await?;
        let row = Reader::listed(scan, &site).row(scan, &secret)?;
        // Secrets Manager also finds a secret by an ARN without its last six letters.
        if row.arn == arn { Ok(row) } else { Err(Error::Gone(arn)) }
    }

    async fn resource_policy(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Request::input(json!({"SecretId": self.arn}));
        let answer = site.send(scan, &SECRETS_MANAGER, "secretsmanager:GetResourcePolicy", input).await?;
        if let Some(text) = answer["ResourcePolicy"].as_str() {
            let (plain, standard) = policy::columns(text)?;
            (self.policy, self.policy_std) = (Some(plain), Some(standard));
        }
        Ok(())
    }
}
