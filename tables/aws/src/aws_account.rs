//! `aws_account`: one row per profile, about its account.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place, Site};
use crate::api::Service;
use crate::call::{self, Next};
use crate::resource::{Origin, Reader, Resource};

/// The accounts that the configured profiles belong to.
#[derive(Debug, Default, Table)]
#[table(name = "aws_account", env = Aws, stream, rows = 1)]
#[example("Accounts by their alias.", "SELECT account_id, account_aliases FROM aws_account")]
#[example("The accounts that manage them.", "SELECT account_id, organization_master_account_id FROM aws_account")]
pub struct Account {
    /// The account's aliases; AWS allows one.
    #[column(source = aliases, needs = "iam:ListAccountAliases")]
    account_aliases: Option<Vec<String>>,
    /// ARN of the account.
    #[column(path = "@arn")]
    arn: String,
    /// ID of the organization that the account belongs to. This and the next columns are NULL for an account in no
    /// organization.
    #[column(path = "Organization.Id", source = organization, needs = "organizations:DescribeOrganization")]
    organization_id: Option<String>,
    /// ARN of the organization.
    #[column(path = "Organization.Arn", source = organization, needs = "organizations:DescribeOrganization")]
    organization_arn: Option<String>,
    /// Features of the organization: `ALL`, or only `CONSOLIDATED_BILLING`.
    #[column(path = "Organization.FeatureSet", source = organization, needs = "organizations:DescribeOrganization")]
    organization_feature_set: Option<String>,
    /// ARN of the account that manages the organization.
    #[column(
        path = "Organization.MasterAccountArn", source = organization,
        needs = "organizations:DescribeOrganization"
    )]
    organization_master_account_arn: Option<String>,
    /// Email address of the account that manages the organization.
    #[column(
        path = "Organization.MasterAccountEmail", source = organization,
        needs = "organizations:DescribeOrganization"
    )]
    organization_master_account_email: Option<String>,
    /// ID of the account that manages the organization.
    #[column(
        path = "Organization.MasterAccountId", source = organization,
        needs = "organizations:DescribeOrganization"
    )]
    organization_master_account_id: Option<String>,
    /// The policy types that the organization can have: `Type`, `Status`.
    #[column(
        path = "Organization.AvailablePolicyTypes", source = organization,
        needs = "organizations:DescribeOrganization"
    )]
    organization_available_policy_types: Option<Json>,
    /// The first alias, or the account's ID if it has none.
    #[column(source = aliases, needs = "iam:ListAccountAliases")]
    title: Option<String>,
    /// ARN of the account, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
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
        let (_, site) = call::identity(scan, &site).await?;
        Reader::listed(scan, &site).row(scan, &json!({}))
    }

    async fn aliases(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let iam = site.iam();
        let aliases = site.pages(
            scan,
            "iam:ListAccountAliases",
            "",
            |marker| iam.list_account_aliases().set_marker(marker).send(),
            |page| (page.account_aliases, Next::marker(page.is_truncated, page.marker)),
        );
        let aliases = call::all(aliases).await?;
        self.title = Some(aliases.first().unwrap_or(&self.origin.account_id).clone());
        self.account_aliases = Some(aliases);
        Ok(())
    }

    async fn organization(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let answer = site.ask(scan, &ORGANIZATIONS, "DescribeOrganization", json!({})).await.if_present()?;
        if let Some(answer) = answer {
            Reader::of_sources(&site, &["organization"]).fill(scan, self, &answer)?;
        }
        Ok(())
    }
}

impl Resource for Account {
    const ARN_FORM: &'static str = "arn:{@partition}:::{@account_id}";
    const TITLE_FORM: &'static str = "{@account_id}";
    const KEPT: &'static [usize] = &[Self::ORIGIN.at(Origin::ACCOUNT_ID).position()];
}

pub(crate) static ORGANIZATIONS: Service = Service {
    name: "organizations",
    id: "Organizations",
    target: "AWSOrganizationsV20161128",
    json: "1.1",
    is_global: true,
    always_fips: &["aws-us-gov"],
};
