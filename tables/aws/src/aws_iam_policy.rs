//! `aws_iam_policy`: one row per managed policy, from `iam:ListPolicies`.

use aws_sdk_iam::types::PolicyScopeType;
use futures::stream::{BoxStream, Stream};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Reader, Resource};
use crate::source::authorization::{self, Part};
use crate::source::{iam, policy};

/// Managed policies: those of the account, and AWS's own, of which there are more than a thousand.
///
/// `is_aws_managed = false` and `is_attached = true` are applied by AWS, which keeps the list short. The documents of
/// the account's own policies come from `iam:GetAccountAuthorizationDetails` in a few calls if the caller has that
/// permission. Every other document costs a call.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_policy", env = Aws, stream, rows = 1500, needs("iam:ListPolicies"), identity(account_id, arn))]
#[example("The account's own policies.", "SELECT name, arn, policy FROM aws_iam_policy WHERE NOT is_aws_managed")]
#[example(
    "Attached policies that allow everything.",
    "SELECT name FROM aws_iam_policy WHERE is_attached AND policy_std LIKE '%\"Action\":[\"*\"],\"Effect\":\"Allow\"%'"
)]
pub struct Policy {
    /// Name of the policy.
    #[column(path = "PolicyName")]
    name: String,
    /// Unique ID of the policy.
    #[column(path = "PolicyId")]
    policy_id: String,
    /// Path of the policy; `/` by default.
    #[column(path = "Path")]
    path: String,
    /// Description; NULL if it has none.
    #[column(path = "Description", source = describe, needs = "iam:GetPolicy")]
    description: Option<String>,
    /// ARN of the policy.
    #[column(index, path = "Arn")]
    arn: String,
    /// Whether AWS manages the policy. Such a policy is the same in every account.
    #[column(slice, path = "isAwsManaged")]
    is_aws_managed: bool,
    /// Whether it can be attached to users, groups and roles.
    #[column(path = "IsAttachable")]
    is_attachable: bool,
    /// Creation time.
    #[column(path = "CreateDate")]
    create_date: Option<Timestamp>,
    /// Time when its default version last changed.
    #[column(path = "UpdateDate")]
    update_date: Option<Timestamp>,
    /// Number of users, groups and roles that it is attached to.
    #[column(path = "AttachmentCount")]
    attachment_count: Option<i64>,
    /// Whether it is attached to any user, group or role.
    #[column(slice, path = "isAttached")]
    is_attached: bool,
    /// Default version, such as `v1`.
    #[column(path = "DefaultVersionId")]
    default_version_id: Option<String>,
    /// Number of users and roles that have it as permissions boundary.
    #[column(path = "PermissionsBoundaryUsageCount")]
    permissions_boundary_usage_count: Option<i64>,
    /// The document of the default version.
    #[column(source = document, needs = "iam:GetPolicyVersion")]
    policy: Option<Json>,
    /// The document in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = document, needs = "iam:GetPolicyVersion")]
    policy_std: Option<Json>,
    /// Tags as AWS lists them. AWS's own policies have none.
    #[column(path = "Tags", source = tagging, needs = "iam:GetPolicy")]
    tags_src: Option<Json>,
    /// Tags by key. AWS's own policies have none.
    #[column(path = "@tags", source = tagging, needs = "iam:GetPolicy")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN of the policy, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Policy {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, if scan.keys(Self::ARN).is_some() { "iam:GetPolicy" } else { "iam:ListPolicies" })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::ARN) {
            Some(arns) => {
                let arns = iam::policy_arns(arns, &site.account_id());
                site.look_up(scan, arns, |site, arn| Policy::get(scan, site, arn))
            }
            None => Policy::list(scan, site),
        })
    }
}

impl Resource for Policy {
    const TITLE_FORM: &'static str = "{PolicyName}";
    const DERIVED: &'static [Derived] = &[
        Derived::new("isAwsManaged", "Arn", |arn| arn.as_str().is_some_and(iam::is_aws_managed).into()),
        iam::IS_ATTACHED,
    ];
    const KEPT: &'static [usize] = &[
        Self::ARN.position(),
        Self::IS_AWS_MANAGED.position(),
        Self::DEFAULT_VERSION_ID.position(),
        Self::TAGS.position(),
    ];
}

impl Policy {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let scope = match scan.key(Self::IS_AWS_MANAGED) {
            Some(true) => PolicyScopeType::Aws,
            Some(false) => PolicyScopeType::Local,
            None => PolicyScopeType::All,
        };
        let is_attached = scan.key(Self::IS_ATTACHED) == Some(true);
        let asked = format!("{scope:?}, attached: {is_attached}");
        let request = site.iam().list_policies().scope(scope).only_attached(is_attached);
        let request = request.max_items(page_size(scan, 1..=1000));
        let fetch = move |marker| request.clone().set_marker(marker).send();
        site.rows(
            scan,
            site.pages(scan, "iam:ListPolicies", &asked, fetch, |page| {
                (page.policies.unwrap_or_default(), Next::marker(page.is_truncated, page.marker))
            }),
        )
    }

    async fn get(scan: &Scan<Self>, site: Site, arn: String) -> Result<Self> {
        let policy = iam::policy(scan, &site, &arn).await?;
        Reader::whole(scan, &site).row(scan, &policy)
    }

    /// Lists do not contain the description and tags.
    async fn describe(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.tags.is_none() {
            let site = self.origin.site(scan).await?;
            let policy = iam::policy(scan, &site, &self.arn).await?;
            Reader::of_sources(&site, &["describe", "tagging"]).fill(scan, self, &policy)?;
        }
        Ok(())
    }

    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.is_aws_managed && self.tags.is_none() {
            self.tags = Some(Map::default());
            self.tags_src = Some(Json("[]".to_owned()));
        }
        self.describe(scan).await
    }

    async fn document(&mut self, scan: &Scan<Self>) -> Result<()> {
        let text = match self.listed_document(scan).await? {
            Some(text) => text,
            None => self.version(scan).await?,
        };
        let (plain, standard) = policy::columns(&text)?;
        (self.policy, self.policy_std) = (Some(plain), Some(standard));
        Ok(())
    }

    /// The document from the listing of the entire account, if the scan reads all of the account's own policies.
    async fn listed_document(&self, scan: &Scan<Self>) -> Result<Option<String>> {
        if self.is_aws_managed || scan.keys(Self::ARN).is_some() || scan.limit().is_some() {
            return Ok(None);
        }
        let account = authorization::of_account(scan, &self.origin.profile, Part::Policies).await?;
        let listed = account.as_ref().and_then(|account| account.policies.get(&self.arn));
        let mut versions = listed.and_then(|policy| policy.policy_version_list.as_ref()).into_iter().flatten();
        Ok(versions.find(|version| version.is_default_version).and_then(|version| version.document.clone()))
    }

    async fn version(&self, scan: &Scan<Self>) -> Result<String> {
        let site = self.origin.site(scan).await?;
        let request = site.iam().get_policy_version().policy_arn(&self.arn);
        let request = request.set_version_id(self.default_version_id.clone());
        let answer = site.call(scan, "iam:GetPolicyVersion", || request.clone().send()).await?;
        let document = answer.policy_version.and_then(|version| version.document);
        document.ok_or_else(|| site.nothing("iam:GetPolicyVersion"))
    }
}
