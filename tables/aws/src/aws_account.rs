//! `aws_account`: one row per profile's account.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call;
use crate::document::{documents, json, name, names};

/// The accounts that the configured profiles belong to.
#[derive(Debug, Default, Table)]
#[table(name = "aws_account", env = Aws, stream, rows = 1)]
#[example("Accounts by their alias.", "SELECT account_id, account_aliases FROM aws_account")]
#[example("Who manages them?", "SELECT account_id, organization_master_account_id FROM aws_account")]
pub struct Account {
    /// The account's aliases; AWS allows one.
    #[column(source = aliases, needs = "iam:ListAccountAliases")]
    account_aliases: Option<Vec<String>>,
    /// ARN of the account.
    arn: String,
    /// Id of the organization that the account is in; NULL, as the next ones, for an account in none.
    #[column(source = organization, needs = "organizations:DescribeOrganization")]
    organization_id: Option<String>,
    /// ARN of the organization.
    #[column(source = organization, needs = "organizations:DescribeOrganization")]
    organization_arn: Option<String>,
    /// What the organization is for: `ALL` features, or `CONSOLIDATED_BILLING` alone.
    #[column(source = organization, needs = "organizations:DescribeOrganization")]
    organization_feature_set: Option<String>,
    /// ARN of the account that manages the organization.
    #[column(source = organization, needs = "organizations:DescribeOrganization")]
    organization_master_account_arn: Option<String>,
    /// Mail address of the account that manages the organization.
    #[column(source = organization, needs = "organizations:DescribeOrganization")]
    organization_master_account_email: Option<String>,
    /// Id of the account that manages the organization.
    #[column(source = organization, needs = "organizations:DescribeOrganization")]
    organization_master_account_id: Option<String>,
    /// The types of policies that the organization can have: `Type`, `Status`.
    #[column(source = organization, needs = "organizations:DescribeOrganization")]
    organization_available_policy_types: Option<Json>,
    /// The first alias, or the account's id where it has none.
    #[column(source = aliases, needs = "iam:ListAccountAliases")]
    title: Option<String>,
    /// ARN of the account as a list.
    akas: Vec<String>,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    partition: String,
    /// Always `global`: an account has no region.
    #[column(slice)]
    region: String,
    /// Id of the account, 12 digits.
    #[column(slice)]
    account_id: String,
    /// Profile that the credentials come from.
    profile: String,
}

impl RowStream for Account {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, call::IDENTITY)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| stream::once(Account::read(scan, site)).boxed())
    }
}

impl Account {
    async fn read(scan: &Scan<Self>, site: Site) -> Result<Self> {
        let identity = call::identity(scan, &site).await?;
        let arn = format!("arn:{}:::{}", site.partition(), identity.account_id);
        Ok(Account {
            akas: vec![arn.clone()],
            arn,
            partition: site.partition(),
            region: site.region(),
            account_id: identity.account_id.clone(),
            profile: site.profile(),
            ..Account::default()
        })
    }

    async fn aliases(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = scan.env().site(&self.profile, &self.region).await?;
        let iam = site.iam();
        let aliases = site.pages(
            scan,
            "iam:ListAccountAliases",
            "",
            |marker| iam.list_account_aliases().set_marker(marker).send(),
            |page| (page.account_aliases, page.marker),
        );
        let aliases = call::all(aliases).await?;
        self.title = Some(aliases.first().unwrap_or(&self.account_id).clone());
        self.account_aliases = Some(aliases);
        Ok(())
    }

    async fn organization(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = scan.env().site(&self.profile, &self.region).await?;
        let request = site.organizations().describe_organization();
        let answer = site.call(scan, "organizations:DescribeOrganization", || request.clone().send()).await;
        let Some(organization) = answer.if_present()?.and_then(|answer| answer.organization) else { return Ok(()) };
        self.organization_id = organization.id;
        self.organization_arn = organization.arn;
        self.organization_feature_set = name(organization.feature_set);
        self.organization_master_account_arn = organization.master_account_arn;
        self.organization_master_account_email = organization.master_account_email;
        self.organization_master_account_id = organization.master_account_id;
        self.organization_available_policy_types = json(&organization.available_policy_types);
        Ok(())
    }
}

documents! { aws_sdk_organizations::types { PolicyTypeSummary: r#type, status; } }

names! { aws_sdk_organizations::types { PolicyType PolicyTypeStatus } }
