//! `aws_iam_assumable`: one row per principal and role that it can become.

use std::sync::Arc;

use async_stream::try_stream;
use futures::stream::{Stream, StreamExt};
use indago_table::AnyScan;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::permission::assume::{Graph, Origin, Reached};
use crate::permission::{Source, admits, read};

/// Who can become which role, directly or through other roles.
///
/// Both sides count: the trust policy of the role, and the policies, boundary and control policies of the identity. A row has the
/// shortest chain; one that is allowed is preferred to one that depends on context keys. A chain has each role once.
///
/// | `from_kind` | `from_name` |
/// |---|---|
/// | `user`, `role` | ARN. For an account that is not configured, only the trust policy is evaluated. |
/// | `account` | ARN of the root user of an account that is not configured: its administrators decide who of it can. |
/// | `service` | service that acts for the role's account, such as `lambda.amazonaws.com` |
/// | `web identity` | ARN or name of an OIDC provider; `from_subject` is the subject, such as `system:serviceaccount:shop:web` |
/// | `saml` | ARN of a SAML provider |
/// | `anyone` | `*`: principals of all accounts |
///
/// All configured accounts are read, whichever the query names: a chain can lead through each of them.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_iam_assumable", env = Aws, stream, rows = 500, needs("iam:GetAccountAuthorizationDetails"),
    identity(profile, from_name, from_subject, role_arn)
)]
#[example(
    "Kubernetes service accounts that can become a role, also through others.",
    "SELECT from_subject, role_arn, chain FROM aws_iam_assumable WHERE from_kind = 'web identity' \
     AND from_subject LIKE 'system:serviceaccount:%'"
)]
#[example(
    "Who can become a role.",
    "SELECT from_kind, from_name, length, decision FROM aws_iam_assumable WHERE role_arn = 'arn:aws:iam::123456789012:role/app/web'"
)]
pub struct Assumable {
    /// Kind of principal, see above.
    #[column(slice)]
    from_kind: String,
    /// ARN of the principal, or its name.
    #[column(index)]
    from_name: String,
    /// Subject of a web identity; NULL for others, and if the trust policy names none.
    #[column(index)]
    from_subject: Option<String>,
    /// Account of the principal; NULL for services and everybody.
    from_account_id: Option<String>,
    /// ARN of the role.
    #[column(index)]
    role_arn: String,
    /// Number of roles that are assumed, one after the other.
    length: i64,
    /// Names from the principal to the role.
    chain: Vec<String>,
    /// `allowed` or `depends`.
    decision: String,
    /// The context keys that the decision depends on.
    keys: Vec<String>,
    /// The reason as a sentence.
    reason: String,
    /// Account and profile of the role.
    #[column(flatten)]
    source: Source,
}

/// The graph of all accounts that could be read, once per query.
pub(crate) async fn graph(scan: &AnyScan<Aws>) -> Result<Arc<Graph>> {
    let model = read::model(scan).await?;
    let read = async {
        let graph = Graph::new(&model, || scan.meter().is_cancelled()).ok_or(Error::Cancelled)?;
        let size = graph.size();
        Ok((graph, size))
    };
    scan.cached("aws/permissions/assumable", read).await
}

impl RowStream for Assumable {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, read::NEEDS)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let rows = try_stream! {
                let account = read::account(scan, &site).await?;
                let graph = graph(scan).await?;
                let source = Source::new(&site, &account);
                let (kinds, names) = (scan.keys(Self::FROM_KIND), scan.keys(Self::FROM_NAME));
                let subjects = scan.keys(Self::FROM_SUBJECT);
                let roles = scan.keys(Self::ROLE_ARN);
                for (number, from) in graph.origins.iter().enumerate() {
                    let is_subject = match (&subjects, &from.subject) {
                        (None, _) => true,
                        (Some(keys), Some(subject)) => keys.contains(subject),
                        (Some(_), None) => false,
                    };
                    if !is_subject || !admits(kinds.as_ref(), from.kind) || !admits(names.as_ref(), &from.name) {
                        continue;
                    }
                    if scan.is_done() {
                        return;
                    }
                    for reached in graph.reached(number) {
                        let Some(role) = reached.chain.last().map(|role| &graph.origins[*role]) else { continue };
                        let is_here = role.account_id.as_ref() == Some(&account.id);
                        if is_here && admits(roles.as_ref(), &role.name) {
                            yield Assumable::row(&graph, from, role, reached, &source);
                        }
                    }
                }
            };
            rows.boxed()
        })
    }
}

impl Assumable {
    fn row(graph: &Graph, from: &Origin, role: &Origin, reached: Reached, source: &Source) -> Self {
        Assumable {
            from_kind: from.kind.to_owned(),
            from_name: from.name.clone(),
            from_subject: from.subject.clone(),
            from_account_id: from.account_id.clone(),
            role_arn: role.name.clone(),
            length: reached.chain.len() as i64 - 1,
            chain: reached.chain.iter().map(|node| graph.origins[*node].name.clone()).collect(),
            decision: reached.decision.name().to_owned(),
            keys: reached.keys,
            reason: reached.reason,
            source: source.clone(),
        }
    }
}
