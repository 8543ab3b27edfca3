//! `aws_iam_who_can`: one row per identity that may do something.

use async_stream::try_stream;
use futures::stream::{Stream, StreamExt};
use indago_table::AnyScan;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::permission::decision::Decided;
use crate::permission::model::{Account, Identity, Model};
use crate::permission::resource::Policies;
use crate::permission::{Source, admits, distinct, read};

/// Users and roles that may do an action on a resource, with the statement that allows it.
///
/// Rows have the decision `allowed`, or `depends` if it depends on context keys that are not known, or on a policy that could not be
/// read, which `reason` names. Identities that may not do it have no row; `aws_iam_can` states why. All policies count: of identities and groups, boundaries, control policies, and the policy of
/// the resource, as far as `aws_iam_can` reads it. Identities of other configured accounts have rows if both accounts allow it.
///
/// The root users of the accounts are not listed.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_iam_who_can", env = Aws, stream, rows = 50, needs("iam:GetAccountAuthorizationDetails"),
    identity(profile, principal_arn, action, resource_arn)
)]
#[example(
    "Who can read a secret.",
    "SELECT principal_arn, decision, policy_label, statement FROM aws_iam_who_can WHERE action = 'secretsmanager:GetSecretValue' \
     AND resource_arn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:db'"
)]
#[example(
    "Who can create access keys of a user.",
    "SELECT principal_arn, decision, keys FROM aws_iam_who_can WHERE action = 'iam:CreateAccessKey' \
     AND resource_arn = 'arn:aws:iam::123456789012:user/alice'"
)]
pub struct WhoCan {
    /// Action, such as `s3:GetObject`. It needs a key.
    #[column(required)]
    action: String,
    /// ARN of the resource, or `*`. It needs a key.
    #[column(required)]
    resource_arn: String,
    /// ARN of the user or role.
    #[column(index)]
    principal_arn: String,
    /// `user` or `role`.
    #[column(slice)]
    principal_kind: String,
    /// Name of the user or role.
    principal_name: String,
    /// `allowed` or `depends`.
    decision: String,
    /// The reason as a sentence.
    reason: String,
    /// What decided: `identity` or `resource`; NULL if it depends.
    layer: Option<String>,
    /// The policy that allows it, as in `aws_iam_policy_statement`.
    policy_label: Option<String>,
    /// Its statement: the `Sid`, or `Statement[0]`.
    statement: Option<String>,
    /// The context keys that the decision depends on.
    keys: Vec<String>,
    #[column(flatten)]
    source: Source,
}

impl RowStream for WhoCan {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, read::NEEDS)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let rows = try_stream! {
                let actions = distinct(scan.keys(Self::ACTION)).unwrap_or_default();
                let resources = distinct(scan.keys(Self::RESOURCE_ARN)).unwrap_or_default();
                let account = read::account(scan, &site).await?;
                let questions = Questions::read(scan, &account, &resources).await?;
                let source = Source::new(&site, &account);
                let (arns, kinds) = (scan.keys(Self::PRINCIPAL_ARN), scan.keys(Self::PRINCIPAL_KIND));
                for action in &actions {
                    for resource in &resources {
                        for identity in &account.identities {
                            if !admits(arns.as_ref(), &identity.arn) || !admits(kinds.as_ref(), identity.kind.name()) {
                                continue;
                            }
                            if scan.is_done() {
                                return;
                            }
                            let Some(decided) = questions.decide(scan, identity, action, resource)? else { continue };
                            if decided.is_possible() {
                                yield WhoCan::row(identity, action, resource, decided, &source);
                            }
                        }
                    }
                }
            };
            rows.boxed()
        })
    }
}

impl WhoCan {
    fn row(identity: &Identity, action: &str, resource: &str, decided: Decided, source: &Source) -> Self {
        WhoCan {
            action: action.to_owned(),
            resource_arn: resource.to_owned(),
            principal_arn: identity.arn.clone(),
            principal_kind: identity.kind.name().to_owned(),
            principal_name: identity.name.clone(),
            decision: decided.decision.name().to_owned(),
            reason: decided.reason,
            layer: decided.layer.map(str::to_owned),
            policy_label: decided.policy,
            statement: decided.statement,
            keys: decided.keys,
            source: source.clone(),
        }
    }
}

/// What decides requests of an account's identities on some resources.
pub(crate) struct Questions {
    model: Model,
    policies: Policies,
}

impl Questions {
    /// Reads the policies of the resources, and the accounts that own them.
    pub(crate) async fn read(
        scan: &AnyScan<Aws>,
        account: &std::sync::Arc<Account>,
        resources: &[String],
    ) -> Result<Self> {
        let owner = |resource: &String| resource.split(':').nth(4).filter(|id| id.len() == 12).map(str::to_owned);
        let mut others: Vec<String> = resources.iter().filter_map(owner).filter(|id| *id != account.id).collect();
        let mut accounts = vec![account.clone()];
        let mut policies = Policies::default();
        let needs_policies = resources.iter().any(|resource| Policies::is_read(resource));
        if !others.is_empty() || needs_policies {
            let sites = read::sites(scan).await?;
            policies = Policies::read(scan, &sites, resources).await?;
            others.extend(policies.owners().filter(|id| *id != account.id).map(str::to_owned));
            let of_others: Vec<_> = sites.iter().filter(|site| others.contains(&site.account_id())).cloned().collect();
            accounts.extend(read::of_sites(scan, &of_others).await?.accounts);
        }
        Ok(Questions { model: Model::new(accounts), policies })
    }

    /// The decision; `None`, with a report, if it is not known.
    pub(crate) fn decide(
        &self,
        scan: &AnyScan<Aws>,
        identity: &Identity,
        action: &str,
        resource: &str,
    ) -> Result<Option<Decided>> {
        let asked = self.policies.target(scan, &self.model, &identity.account_id, action, resource);
        let Some(asked) = asked else { return Ok(None) };
        let decided = identity.decide(&asked.target, action, resource, Some(asked.account), &identity.context);
        decided.map_err(|error| Error::Malformed(error.to_string()))
    }
}
