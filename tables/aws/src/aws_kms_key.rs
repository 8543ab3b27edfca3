//! `aws_kms_key`: one row per KMS key, from `kms:ListKeys` and `kms:DescribeKey`.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request, member};
use crate::call::{all, distinct};
use crate::resource::{Origin, Reader, Resource};
use crate::services::KMS;
use crate::source::policy;

/// Keys of KMS: their metadata and policies. Key material cannot be read.
///
/// The list has ID and ARN. All other columns cost calls per key, except that one list has the aliases of all keys.
#[derive(Debug, Default, Table)]
#[table(name = "aws_kms_key", env = Aws, stream, rows = 50, needs("kms:ListKeys"), identity(arn))]
#[example(
    "Customer keys that are not rotated.",
    "SELECT id, title FROM aws_kms_key WHERE key_manager = 'CUSTOMER' AND key_state = 'Enabled' AND key_rotation_enabled = false"
)]
#[example(
    "Keys that other accounts may use.",
    "SELECT arn, policy_std FROM aws_kms_key WHERE policy_std LIKE '%{\"AWS\":[\"*\"]}%'"
)]
pub struct Key {
    /// ID of the key.
    #[column(path = "KeyId")]
    id: String,
    /// ARN of the key.
    #[column(index, path = "KeyArn")]
    arn: String,
    /// ID of the account that owns the key.
    #[column(path = "AWSAccountId", source = details, needs = "kms:DescribeKey")]
    aws_account_id: Option<String>,
    /// `CUSTOMER`, or `AWS` for a key of an AWS service.
    #[column(path = "KeyManager", source = details, needs = "kms:DescribeKey")]
    key_manager: Option<String>,
    /// State: `Enabled`, `Disabled`, `PendingDeletion`, `PendingImport`.
    #[column(path = "KeyState", source = details, needs = "kms:DescribeKey")]
    key_state: Option<String>,
    /// Whether the key can be used.
    #[column(path = "Enabled", source = details, needs = "kms:DescribeKey")]
    enabled: Option<bool>,
    /// Description.
    #[column(path = "Description", source = details, needs = "kms:DescribeKey")]
    description: Option<String>,
    /// Creation time.
    #[column(path = "CreationDate", source = details, needs = "kms:DescribeKey")]
    creation_date: Option<Timestamp>,
    /// When it will be deleted; NULL if it will not.
    #[column(path = "DeletionDate", source = details, needs = "kms:DescribeKey")]
    deletion_date: Option<Timestamp>,
    /// When its imported material expires; NULL if it does not.
    #[column(path = "ValidTo", source = details, needs = "kms:DescribeKey")]
    valid_to: Option<Timestamp>,
    /// Usage: `ENCRYPT_DECRYPT`, `SIGN_VERIFY`, `GENERATE_VERIFY_MAC`, `KEY_AGREEMENT`.
    #[column(path = "KeyUsage", source = details, needs = "kms:DescribeKey")]
    key_usage: Option<String>,
    /// Type of the key: `SYMMETRIC_DEFAULT`, `RSA_4096`.
    #[column(path = "KeySpec", source = details, needs = "kms:DescribeKey")]
    key_spec: Option<String>,
    /// Where its material comes from: `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM`, `EXTERNAL_KEY_STORE`.
    #[column(path = "Origin", source = details, needs = "kms:DescribeKey")]
    key_origin: Option<String>,
    /// Whether it is a key of several regions.
    #[column(path = "MultiRegion", source = details, needs = "kms:DescribeKey")]
    multi_region: Option<bool>,
    /// Names of its aliases, sorted.
    #[column(source = alias_names, needs = "kms:ListAliases")]
    aliases: Option<Vec<String>>,
    /// Policy of the key.
    #[column(source = key_policy, needs = "kms:GetKeyPolicy")]
    policy: Option<Json>,
    /// Policy in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = key_policy, needs = "kms:GetKeyPolicy")]
    policy_std: Option<Json>,
    /// Whether it is rotated automatically; NULL if its type cannot be.
    #[column(source = rotation, needs = "kms:GetKeyRotationStatus")]
    key_rotation_enabled: Option<bool>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = tagging, needs = "kms:ListResourceTags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(source = tagging, needs = "kms:ListResourceTags")]
    tags: Option<Map>,
    /// The same as the ID.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = List { service: &KMS, action: "kms:ListKeys", items: "Keys", tokens: ("Marker", "NextMarker") };
static ALIASES: List =
    List { service: &KMS, action: "kms:ListAliases", items: "Aliases", tokens: ("Marker", "NextMarker") };
static TAGS: List =
    List { service: &KMS, action: "kms:ListResourceTags", items: "Tags", tokens: ("Marker", "NextMarker") };

impl RowStream for Key {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::ARN) {
            Some(mut arns) => {
                arns.retain(|arn| arn.split(':').nth(3) == Some(&site.region()));
                site.look_up(scan, distinct(arns), |site, arn| Key::get(scan, site, arn))
            }
            None => site.listed(scan, &LIST, Request::input(json!({"Limit": 1000}))),
        })
    }
}

impl Resource for Key {
    const ARN_FORM: &'static str = "{KeyArn}";
    const TITLE_FORM: &'static str = "{KeyId}";
    const KEPT: &'static [usize] = &[Self::ID.position()];
}

impl Key {
    async fn get(scan: &Scan<Self>, site: Site, arn: String) -> Result<Self> {
        let is_key = arn.split(':').nth(5).is_some_and(|name| name.starts_with("key/"));
        if !is_key {
            return Err(Error::Gone(arn));
        }
        let input = Request::input(json!({"KeyId": arn}));
        let key = member(site.send(scan, &KMS, "kms:DescribeKey", input).await?, "KeyMetadata");
        let document = json!({"KeyId": key["KeyId"], "KeyArn": key["Arn"]});
        Reader::listed(scan, &site).row(scan, &document)
    }

    async fn ask(&self, scan: &Scan<Self>, site: &Site, action: &str, input: Value) -> Result<Value> {
        site.send(scan, &KMS, action, Request::input(input)).await
    }

    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let key = member(self.ask(scan, &site, "kms:DescribeKey", json!({"KeyId": self.id})).await?, "KeyMetadata");
        Reader::of_sources(&site, &["details"]).fill(scan, self, &key)
    }

    /// The aliases of all keys of the region, by key.
    async fn alias_names(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let read = async {
            let mut names: HashMap<String, Vec<String>> = HashMap::new();
            for alias in all(site.list(scan, &ALIASES, Request::input(json!({"Limit": 100})))).await? {
                if let (Some(key), Some(name)) = (alias["TargetKeyId"].as_str(), alias["AliasName"].as_str()) {
                    names.entry(key.to_owned()).or_default().push(name.to_owned());
                }
            }
            names.values_mut().for_each(|names| names.sort());
            let size =
                names.iter().map(|(key, names)| key.len() + names.iter().map(String::len).sum::<usize>() + 64).sum();
            Ok((names, size))
        };
        let names: Arc<HashMap<String, Vec<String>>> =
            scan.cached(&format!("aws/{site}/aliases"), Box::pin(read)).await?;
        self.aliases = Some(names.get(&self.id).cloned().unwrap_or_default());
        Ok(())
    }

    async fn key_policy(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = json!({"KeyId": self.id, "PolicyName": "default"});
        let answer = self.ask(scan, &site, "kms:GetKeyPolicy", input).await?;
        let text = answer["Policy"].as_str().ok_or_else(|| site.nothing("kms:GetKeyPolicy"))?;
        let (plain, standard) = policy::columns(text)?;
        (self.policy, self.policy_std) = (Some(plain), Some(standard));
        Ok(())
    }

    async fn rotation(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        match self.ask(scan, &site, "kms:GetKeyRotationStatus", json!({"KeyId": self.id})).await {
            Err(Error::Malformed(why)) if why.contains("UnsupportedOperationException") => Ok(()),
            answer => {
                self.key_rotation_enabled = answer?["KeyRotationEnabled"].as_bool();
                Ok(())
            }
        }
    }

    /// KMS has its own names for the parts of tags.
    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let tags = all(site.list(scan, &TAGS, Request::input(json!({"KeyId": self.id})))).await?;
        let pair = |tag: &Value| {
            let text = |name: &str| tag[name].as_str().map(str::to_owned);
            Some((text("TagKey")?, text("TagValue")))
        };
        self.tags = Some(Map(tags.iter().filter_map(pair).collect()));
        self.tags_src = Some(Json::new(&tags));
        Ok(())
    }
}
