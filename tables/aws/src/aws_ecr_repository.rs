//! `aws_ecr_repository`: one row per private ECR repository, from `ecr:DescribeRepositories`.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place};
use crate::api::{List, Request};
use crate::call::distinct;
use crate::resource::{Origin, Reader, Resource};
use crate::services::ECR;
use crate::source::policy;

/// Private repositories of container images in ECR.
///
/// Policies, lifecycle rules and tags cost a call per repository each.
#[derive(Debug, Default, Table)]
#[table(name = "aws_ecr_repository", env = Aws, stream, rows = 20, needs("ecr:DescribeRepositories"), identity(arn))]
#[example(
    "Repositories whose policy names everyone.",
    "SELECT repository_name, region FROM aws_ecr_repository WHERE policy_std LIKE '%{\"AWS\":[\"*\"]}%'"
)]
#[example(
    "Repositories whose tags can be moved.",
    "SELECT repository_uri FROM aws_ecr_repository WHERE image_tag_mutability = 'MUTABLE'"
)]
pub struct Repository {
    /// Name of the repository.
    #[column(index, path = "repositoryName")]
    repository_name: String,
    /// ARN of the repository.
    #[column(path = "repositoryArn")]
    arn: String,
    /// ID of the account whose registry has it.
    #[column(path = "registryId")]
    registry_id: String,
    /// Name of its images without tag: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/web`.
    #[column(path = "repositoryUri")]
    repository_uri: String,
    /// Creation time.
    #[column(path = "createdAt")]
    created_at: Option<Timestamp>,
    /// Whether tags can be moved: `MUTABLE`, `IMMUTABLE`, or one of them with exclusions.
    #[column(path = "imageTagMutability")]
    image_tag_mutability: Option<String>,
    /// Whether images are scanned when they are pushed.
    #[column(path = "imageScanningConfiguration")]
    image_scanning_configuration: Option<Json>,
    /// Encryption: type and key.
    #[column(path = "encryptionConfiguration")]
    encryption_configuration: Option<Json>,
    /// Policy of the repository; NULL if there is none.
    #[column(source = resource_policy, needs = "ecr:GetRepositoryPolicy")]
    policy: Option<Json>,
    /// Policy in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = resource_policy, needs = "ecr:GetRepositoryPolicy")]
    policy_std: Option<Json>,
    /// Lifecycle policy; NULL if there is none.
    #[column(source = lifecycle, needs = "ecr:GetLifecyclePolicy")]
    lifecycle_policy: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "tags", source = tagging, needs = "ecr:ListTagsForResource")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "ecr:ListTagsForResource")]
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

static LIST: List = List {
    service: &ECR,
    action: "ecr:DescribeRepositories",
    items: "repositories",
    tokens: ("nextToken", "nextToken"),
};

impl RowStream for Repository {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::REPOSITORY_NAME) {
            // One name per call: a name that does not exist fails the entire call.
            Some(names) => site.look_up(scan, distinct(names), |site, name| Repository::get(scan, site, name)),
            None => site.listed(scan, &LIST, Request::input(json!({"maxResults": 1000}))),
        })
    }
}

impl Resource for Repository {
    const ARN_FORM: &'static str = "{repositoryArn}";
    const TITLE_FORM: &'static str = "{repositoryName}";
    const TAGS: &'static str = "tags";
    const KEPT: &'static [usize] = &[Self::REPOSITORY_NAME.position(), Self::ARN.position()];
}

impl Repository {
    async fn get(scan: &Scan<Self>, site: crate::account::Site, name: String) -> Result<Self> {
        if !is_name(&name) {
            return Err(Error::Gone(name));
        }
        let input = Request::input(json!({"repositoryNames": [name]}));
        let answer = site.send(scan, &ECR, LIST.action, input).await?;
        let repository = answer.pointer("/repositories/0").ok_or_else(|| site.nothing(LIST.action))?;
        Reader::listed(scan, &site).row(scan, repository)
    }

    async fn resource_policy(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Request::input(json!({"repositoryName": self.repository_name}));
        let answer = site.send(scan, &ECR, "ecr:GetRepositoryPolicy", input).await.if_present()?;
        if let Some(text) = answer.as_ref().and_then(|answer| answer["policyText"].as_str()) {
            let (plain, standard) = policy::columns(text)?;
            (self.policy, self.policy_std) = (Some(plain), Some(standard));
        }
        Ok(())
    }

    async fn lifecycle(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Request::input(json!({"repositoryName": self.repository_name}));
        let answer = site.send(scan, &ECR, "ecr:GetLifecyclePolicy", input).await.if_present()?;
        if let Some(text) = answer.as_ref().and_then(|answer| answer["lifecyclePolicyText"].as_str()) {
            self.lifecycle_policy = Some(Json::new(&policy::parse(text)?));
        }
        Ok(())
    }

    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Request::input(json!({"resourceArn": self.arn}));
        let answer = site.send(scan, &ECR, "ecr:ListTagsForResource", input).await?;
        Reader::of_sources(&site, &["tagging"]).fill(scan, self, &answer)
    }
}

/// Whether ECR accepts a text as a name. It refuses to look up any other.
pub(crate) fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte);
    (2..=256).contains(&text.len()) && text.bytes().all(is_allowed)
}
