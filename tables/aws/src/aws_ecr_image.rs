//! `aws_ecr_image`: one row per image in a private ECR repository, from `ecr:DescribeImages`.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request, with_member};
use crate::aws_ecr_repository::is_name;
use crate::call::{all, distinct};
use crate::resource::{Origin, Reader, Resource};
use crate::services::ECR;

/// Images in the private repositories of ECR.
///
/// There is one list per repository; a key on `repository_name` saves the others. `image_digest` joins the digests of
/// container images.
#[derive(Debug, Default, Table)]
#[table(name = "aws_ecr_image", env = Aws, stream, rows = 500, needs("ecr:DescribeRepositories", "ecr:DescribeImages"), identity(registry_id, repository_name, image_digest, region))]
#[example(
    "Images with critical findings.",
    "SELECT repository_name, image_tags, image_scan_findings_summary FROM aws_ecr_image WHERE image_scan_findings_summary LIKE '%\"CRITICAL\"%'"
)]
#[example(
    "Images without a tag.",
    "SELECT repository_name, image_digest, image_pushed_at FROM aws_ecr_image WHERE cardinality(image_tags) = 0"
)]
pub struct Image {
    /// Name of the repository.
    #[column(index, path = "repositoryName")]
    repository_name: String,
    /// Digest of the image's manifest: `sha256:` and 64 digits.
    #[column(index, path = "imageDigest")]
    image_digest: String,
    /// Tags of the image.
    #[column(path = "imageTags")]
    image_tags: Vec<String>,
    /// ID of the account whose registry has it.
    #[column(path = "registryId")]
    registry_id: String,
    /// Name of the image by its digest.
    #[column(path = "uri")]
    image_uri: Option<String>,
    /// When it was pushed.
    #[column(path = "imagePushedAt")]
    image_pushed_at: Option<Timestamp>,
    /// Size of the image in the registry, in bytes.
    #[column(path = "imageSizeInBytes")]
    image_size_in_bytes: Option<i64>,
    /// Media type of the manifest.
    #[column(path = "imageManifestMediaType")]
    image_manifest_media_type: Option<String>,
    /// Media type of the artifact; NULL if there is none.
    #[column(path = "artifactMediaType")]
    artifact_media_type: Option<String>,
    /// Status of the last scan; NULL if there was none.
    #[column(path = "imageScanStatus")]
    image_scan_status: Option<Json>,
    /// Number of findings by severity; NULL if there was no scan.
    #[column(path = "imageScanFindingsSummary")]
    image_scan_findings_summary: Option<Json>,
    /// Time of the last pull, to the day; NULL if there was none.
    #[column(volatile, path = "lastRecordedPullTime")]
    last_recorded_pull_time: Option<Timestamp>,
    /// The same as the digest.
    #[column(path = "@title")]
    title: String,
    /// ARN of the repository with the digest, as a list: Steampipe's.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static REPOSITORIES: List = List {
    service: &ECR,
    action: "ecr:DescribeRepositories",
    items: "repositories",
    tokens: ("nextToken", "nextToken"),
};
static LIST: List =
    List { service: &ECR, action: "ecr:DescribeImages", items: "imageDetails", tokens: ("nextToken", "nextToken") };

impl RowStream for Image {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, Image::list)
    }
}

impl Resource for Image {
    const ARN_FORM: &'static str =
        "arn:{@partition}:ecr:{@region}:{registryId}:repository/{repositoryName}/image/{imageDigest}";
    const TITLE_FORM: &'static str = "{imageDigest}";
}

impl Image {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let repositories = match scan.keys(Self::REPOSITORY_NAME) {
                Some(names) => distinct(names).into_iter().filter(|name| is_name(name)).map(|name| (name, None)).collect(),
                None => {
                    let found = all(site.list(scan, &REPOSITORIES, Request::input(json!({"maxResults": 1000})))).await?;
                    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
                    let pair = |found: &serde_json::Value| Some((text(&found["repositoryName"])?, text(&found["repositoryUri"])));
                    found.iter().filter_map(pair).collect::<Vec<_>>()
                }
            };
            let mut rows = site.each(scan, repositories, |site, (name, uri)| Image::of(scan, site, name, uri));
            while let Some(row) = rows.next().await {
                let row = row?;
                if scan.admits(Self::IMAGE_DIGEST, &row.image_digest) {
                    yield row;
                }
            }
        }
        .boxed()
    }

    async fn of(scan: &Scan<Self>, site: Site, name: String, uri: Option<String>) -> Result<Vec<Self>> {
        let input = Request::input(json!({"repositoryName": name, "maxResults": 1000}));
        let images = all(site.list(scan, &LIST, input)).await?;
        let reader = Reader::listed(scan, &site);
        let suffix = crate::partition::Partition::of(&site.region()).suffix;
        let document = |image: serde_json::Value| {
            let text = |name: &str| image[name].as_str().unwrap_or_default().to_owned();
            let (registry, digest) = (text("registryId"), text("imageDigest"));
            let of_registry = || format!("{registry}.dkr.ecr.{}.{suffix}/{name}", site.region());
            let uri = format!("{}@{digest}", uri.clone().unwrap_or_else(of_registry));
            with_member(image, "uri", uri)
        };
        Ok(images.into_iter().filter_map(|image| reader.item(scan, &document(image))).collect())
    }
}
