//! `aws_s3_bucket`: one row per S3 bucket, from `s3:ListAllMyBuckets`.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::AnyScan;
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site, is_region_name};
use crate::api::{Request, member, with_member};
use crate::resource::{Reader, Resource};
use crate::services::S3;
use crate::source::policy;
use crate::xml;

/// S3 buckets of each account, in all regions.
///
/// `region` is the bucket's region. The list has name and creation time; all other columns cost a call per bucket and
/// source. A bucket whose own policy denies a call has NULL in its columns and a warning.
#[derive(Debug, Default, Table)]
#[table(name = "aws_s3_bucket", env = Aws, stream, rows = 50, needs("s3:ListAllMyBuckets"), identity(arn))]
#[example(
    "Buckets that are not protected from public access.",
    "SELECT name, region FROM aws_s3_bucket WHERE block_public_policy IS NOT TRUE OR restrict_public_buckets IS NOT TRUE"
)]
#[example(
    "Buckets whose policy names everyone.",
    "SELECT name, policy_std FROM aws_s3_bucket WHERE policy_std LIKE '%{\"AWS\":[\"*\"]}%'"
)]
pub struct Bucket {
    /// Name of the bucket.
    #[column(index, path = "Name")]
    name: String,
    /// ARN of the bucket.
    #[column(path = "@arn")]
    arn: String,
    /// Creation time.
    #[column(path = "CreationDate")]
    creation_date: Option<Timestamp>,
    /// Whether S3 considers the policy public; NULL if there is no policy.
    #[column(source = public_status, needs = "s3:GetBucketPolicyStatus")]
    bucket_policy_is_public: Option<bool>,
    /// Whether all versions of objects are kept.
    #[column(source = versioning, needs = "s3:GetBucketVersioning")]
    versioning_enabled: Option<bool>,
    /// Whether deleting a version needs MFA.
    #[column(source = versioning, needs = "s3:GetBucketVersioning")]
    versioning_mfa_delete: Option<bool>,
    /// Whether ACLs that grant access to everyone are refused; false if nothing is configured.
    #[column(path = "BlockPublicAcls", source = public_access, needs = "s3:GetBucketPublicAccessBlock")]
    block_public_acls: Option<bool>,
    /// Whether policies that grant access to everyone are refused; false if nothing is configured.
    #[column(path = "BlockPublicPolicy", source = public_access, needs = "s3:GetBucketPublicAccessBlock")]
    block_public_policy: Option<bool>,
    /// Whether ACLs that grant access to everyone are ignored; false if nothing is configured.
    #[column(path = "IgnorePublicAcls", source = public_access, needs = "s3:GetBucketPublicAccessBlock")]
    ignore_public_acls: Option<bool>,
    /// Whether a public policy grants access within the account only; false if nothing is configured.
    #[column(path = "RestrictPublicBuckets", source = public_access, needs = "s3:GetBucketPublicAccessBlock")]
    restrict_public_buckets: Option<bool>,
    /// Policy of the bucket; NULL if there is none.
    #[column(source = bucket_policy, needs = "s3:GetBucketPolicy")]
    policy: Option<Json>,
    /// Policy in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = bucket_policy, needs = "s3:GetBucketPolicy")]
    policy_std: Option<Json>,
    /// Access control list: owner and grants.
    #[column(source = access_list, needs = "s3:GetBucketAcl")]
    acl: Option<Json>,
    /// Default encryption: its rules.
    #[column(source = encryption, needs = "s3:GetEncryptionConfiguration")]
    server_side_encryption_configuration: Option<Json>,
    /// Bucket and prefix of access logs; NULL if there are none.
    #[column(source = access_logging, needs = "s3:GetBucketLogging")]
    logging: Option<Json>,
    /// Who owns objects: `BucketOwnerEnforced` disables ACLs; NULL if nothing is configured.
    #[column(source = ownership, needs = "s3:GetBucketOwnershipControls")]
    object_ownership: Option<String>,
    /// Lifecycle rules; NULL if there are none.
    #[column(source = lifecycle, needs = "s3:GetLifecycleConfiguration")]
    lifecycle_rules: Option<Json>,
    /// Object lock; NULL if there is none.
    #[column(source = object_lock, needs = "s3:GetBucketObjectLockConfiguration")]
    object_lock_configuration: Option<Json>,
    /// Configuration as a website; NULL if there is none.
    #[column(source = website, needs = "s3:GetBucketWebsite")]
    website_configuration: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = tagging, needs = "s3:GetBucketTagging")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "s3:GetBucketTagging")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    #[column(path = "@partition")]
    partition: String,
    /// Region of the bucket.
    #[column(slice, path = "@region")]
    region: String,
    /// ID of the account.
    #[column(slice, path = "@account_id")]
    account_id: String,
    /// Profile of the credentials.
    #[column(slice, path = "@profile")]
    profile: String,
}

const LIST: &str = "s3:ListAllMyBuckets";
const LOCATION: &str = "s3:GetBucketLocation";
/// Most buckets of a page.
const PAGE: &str = "1000";
/// Most pages. AWS allows 10,000 buckets in an account, and a million on request.
const MOST_PAGES: usize = 2_000;

impl RowStream for Bucket {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::accounts(scan, LIST)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, Bucket::list)
    }
}

impl Resource for Bucket {
    const ARN_FORM: &'static str = "arn:{@partition}:s3:::{Name}";
    const TITLE_FORM: &'static str = "{Name}";
    const KEPT: &'static [usize] = &[Self::NAME.position()];
}

impl Bucket {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let mut token = None;
            for _ in 0..MOST_PAGES {
                let (mut buckets, next) = page(scan, &site, token).await?;
                buckets.retain(|bucket| {
                    let name = bucket["Name"].as_str().map(str::to_owned).unwrap_or_default();
                    scan.admits(Self::NAME, &name)
                });
                let mut rows = site.each(scan, buckets, |site, bucket| Bucket::of(scan, site, bucket));
                while let Some(row) = rows.next().await {
                    yield row?;
                }
                token = next;
                if token.is_none() {
                    return;
                }
            }
            Err(too_many(&site))?;
        }
        .boxed()
    }

    async fn of(scan: &Scan<Self>, site: Site, bucket: Value) -> Result<Vec<Self>> {
        let region = match bucket["BucketRegion"].as_str() {
            Some(region) => region.to_owned(),
            None => location(scan, &site, bucket["Name"].as_str().unwrap_or_default()).await?,
        };
        if !is_region_name(&region) {
            return Err(Error::Malformed(format!("{LIST} as {site}: `{region}` is not a region")));
        }
        if !scan.admits(Self::REGION, &region) {
            return Ok(Vec::new());
        }
        let site = site.in_region(&region);
        Ok(Reader::listed(scan, &site).item(scan, &bucket).into_iter().collect())
    }

    /// A part of the bucket's configuration; `None` if there is none.
    async fn part(&self, scan: &Scan<Self>, action: &str, parameter: &'static str) -> Result<Option<Value>> {
        let site = scan.env().site(&self.profile, &self.region, scan.moment()).await?;
        let request = Request::get(&[&self.name]).with(parameter, "");
        site.send(scan, &S3, action, request).await.if_present()
    }

    async fn public_status(&mut self, scan: &Scan<Self>) -> Result<()> {
        let status = self.part(scan, "s3:GetBucketPolicyStatus", "policyStatus").await?;
        self.bucket_policy_is_public = status.and_then(|status| boolean(&status["IsPublic"]));
        Ok(())
    }

    async fn versioning(&mut self, scan: &Scan<Self>) -> Result<()> {
        let status = self.part(scan, "s3:GetBucketVersioning", "versioning").await?.unwrap_or_default();
        self.versioning_enabled = Some(status["Status"] == "Enabled");
        self.versioning_mfa_delete = Some(status["MfaDelete"] == "Enabled");
        Ok(())
    }

    async fn public_access(&mut self, scan: &Scan<Self>) -> Result<()> {
        let block = self.part(scan, "s3:GetBucketPublicAccessBlock", "publicAccessBlock").await?.unwrap_or_default();
        let is_set = |name: &str| Some(boolean(&block[name]) == Some(true));
        self.block_public_acls = is_set("BlockPublicAcls");
        self.block_public_policy = is_set("BlockPublicPolicy");
        self.ignore_public_acls = is_set("IgnorePublicAcls");
        self.restrict_public_buckets = is_set("RestrictPublicBuckets");
        Ok(())
    }

    async fn bucket_policy(&mut self, scan: &Scan<Self>) -> Result<()> {
        if let Some(document) = self.part(scan, "s3:GetBucketPolicy", "policy").await? {
            self.policy_std = Some(Json::new(&policy::canonical(&document)));
            self.policy = Some(Json::new(&document));
        }
        Ok(())
    }

    async fn access_list(&mut self, scan: &Scan<Self>) -> Result<()> {
        let list = self.part(scan, "s3:GetBucketAcl", "acl").await?;
        self.acl = list.map(|list| {
            let grants = xml::list(&list["AccessControlList"]["Grant"]);
            Json::new(&json!({"Owner": list["Owner"], "Grants": grants}))
        });
        Ok(())
    }

    async fn encryption(&mut self, scan: &Scan<Self>) -> Result<()> {
        let encryption = self.part(scan, "s3:GetEncryptionConfiguration", "encryption").await?;
        self.server_side_encryption_configuration = encryption.map(|encryption| {
            let key = "BucketKeyEnabled";
            let rules = rules(&encryption).into_iter().map(|rule| match boolean(&rule[key]) {
                Some(is_enabled) => with_member(rule, key, is_enabled),
                None => rule,
            });
            Json::new(&json!({"Rules": rules.collect::<Vec<_>>()}))
        });
        Ok(())
    }

    async fn access_logging(&mut self, scan: &Scan<Self>) -> Result<()> {
        let logging = self.part(scan, "s3:GetBucketLogging", "logging").await?.unwrap_or_default();
        self.logging = logging.get("LoggingEnabled").map(Json::new);
        Ok(())
    }

    async fn ownership(&mut self, scan: &Scan<Self>) -> Result<()> {
        let controls = self.part(scan, "s3:GetBucketOwnershipControls", "ownershipControls").await?.unwrap_or_default();
        let rule = rules(&controls).into_iter().next().unwrap_or_default();
        self.object_ownership = rule["ObjectOwnership"].as_str().map(str::to_owned);
        Ok(())
    }

    async fn lifecycle(&mut self, scan: &Scan<Self>) -> Result<()> {
        let lifecycle = self.part(scan, "s3:GetLifecycleConfiguration", "lifecycle").await?;
        self.lifecycle_rules = lifecycle.map(|lifecycle| Json::new(&rules(&lifecycle)));
        Ok(())
    }

    async fn object_lock(&mut self, scan: &Scan<Self>) -> Result<()> {
        let lock = self.part(scan, "s3:GetBucketObjectLockConfiguration", "object-lock").await?;
        self.object_lock_configuration = lock.map(|lock| Json::new(&lock));
        Ok(())
    }

    async fn website(&mut self, scan: &Scan<Self>) -> Result<()> {
        let website = self.part(scan, "s3:GetBucketWebsite", "website").await?;
        self.website_configuration = website.map(|website| Json::new(&website));
        Ok(())
    }

    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        let tagging = self.part(scan, "s3:GetBucketTagging", "tagging").await?.unwrap_or_default();
        let site = scan.env().site(&self.profile, &self.region, scan.moment()).await?;
        let tags = xml::list(&tagging["TagSet"]["Tag"]);
        Reader::of_sources(&site, &["tagging"]).fill(scan, self, &json!({"Tags": tags}))
    }
}

/// The buckets of an account, all pages.
pub(crate) async fn listed(scan: &AnyScan<Aws>, site: &Site) -> Result<Vec<Value>> {
    let (mut all, mut token) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let (buckets, next) = page(scan, site, token).await?;
        all.extend(buckets);
        token = next;
        if token.is_none() {
            return Ok(all);
        }
    }
    Err(too_many(site))
}

fn too_many(site: &Site) -> Error {
    Error::Malformed(format!("{LIST} as {site}: it has more than {MOST_PAGES} pages: the list is incomplete"))
}

/// A page of buckets, and the token of the next one.
async fn page(scan: &AnyScan<Aws>, site: &Site, token: Option<String>) -> Result<(Vec<Value>, Option<String>)> {
    let request = Request::get(&[]).with("max-buckets", PAGE);
    let request = token.into_iter().fold(request, |request, token| request.with("continuation-token", token));
    let mut answer = site.send(scan, &S3, LIST, request).await?;
    let next = answer["ContinuationToken"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
    let buckets = answer.get_mut("Buckets").map(Value::take).ok_or_else(|| site.nothing(LIST))?;
    Ok((xml::list(&member(buckets, "Bucket")), next))
}

/// The region of a bucket. S3 leaves out its oldest one, and has an old name for another.
pub(crate) async fn location(scan: &AnyScan<Aws>, site: &Site, name: &str) -> Result<String> {
    let request = Request::get(&[name]).with("location", "");
    let answer = site.send(scan, &S3, LOCATION, request).await?;
    Ok(match answer.as_str().unwrap_or_default() {
        "" => "us-east-1".to_owned(),
        "EU" => "eu-west-1".to_owned(),
        region => region.to_owned(),
    })
}

fn rules(document: &Value) -> Vec<Value> {
    xml::list(&document["Rule"])
}

/// A boolean of XML.
fn boolean(value: &Value) -> Option<bool> {
    value.as_str()?.trim().to_ascii_lowercase().parse().ok()
}
