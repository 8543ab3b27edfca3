//! Reads the permissions of accounts, each once per query.

use std::sync::Arc;

use futures::future::join_all;
use indago_table::{AnyScan, Error, Result};

use super::model::{Account, Model};
use super::organization;
use crate::account::{Aws, GLOBAL, Site};
use crate::call;
use crate::source::authorization::{self, Part};

/// The permission that everything needs.
pub(crate) const NEEDS: &str = "iam:GetAccountAuthorizationDetails";

/// The account of a site.
pub(crate) async fn account(scan: &AnyScan<Aws>, site: &Site) -> Result<Arc<Account>> {
    let (_, site) = call::identity(scan, site).await?;
    let read = async {
        let details = authorization::read(scan, &site, Part::All);
        let controls = organization::controls(scan, &site);
        let ((details, _), controls) = futures::future::try_join(Box::pin(details), Box::pin(controls)).await?;
        let mut reports = Vec::new();
        let account = Account::new(&site.account_id(), &site.partition(), &details, &controls, &mut reports);
        for (policy, error) in reports {
            scan.report(format!("{site}, {policy}"), &error);
        }
        let size = account.size();
        Ok((account, size))
    };
    scan.cached(&format!("aws/{}/permissions", site.profile()), Box::pin(read)).await
}

/// The sites of all profiles whose account can be identified. A profile that cannot be used is reported.
pub(crate) async fn sites(scan: &AnyScan<Aws>) -> Result<Vec<Site>> {
    let identify = scan.env().profiles().map(|profile| async move {
        let identified = async {
            let site = scan.env().site(profile, GLOBAL, scan.moment()).await?;
            Ok(call::identity(scan, &site).await?.1)
        };
        reported(scan, profile, identified.await)
    });
    let sites: Vec<Option<Site>> = join_all(identify).await.into_iter().collect::<Result<_>>()?;
    Ok(sites.into_iter().flatten().collect())
}

/// All accounts that can be read. Others are reported.
pub(crate) async fn model(scan: &AnyScan<Aws>) -> Result<Arc<Model>> {
    let read = async { Ok((of_sites(scan, &sites(scan).await?).await?, 0)) };
    scan.cached("aws/permissions", Box::pin(read)).await
}

/// The accounts of some sites.
pub(crate) async fn of_sites(scan: &AnyScan<Aws>, sites: &[Site]) -> Result<Model> {
    let read = sites.iter().map(|site| async move { reported(scan, &site.profile(), account(scan, site).await) });
    let accounts: Vec<Option<Arc<Account>>> = join_all(read).await.into_iter().collect::<Result<_>>()?;
    Ok(Model::new(accounts.into_iter().flatten()))
}

/// The value; nothing, with one report per query and profile, if it could not be read.
fn reported<T>(scan: &AnyScan<Aws>, profile: &str, value: Result<T>) -> Result<Option<T>> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.ends_query() => Err(error),
        Err(error) => {
            if scan.context().query.is_first(&format!("aws permissions of {profile}")) {
                scan.report(format!("{profile}/{GLOBAL}"), &error);
            }
            Ok(None)
        }
    }
}

/// Reports something once per query.
pub(crate) fn report_once(scan: &AnyScan<Aws>, origin: &str, error: &Error) {
    if scan.context().query.is_first(&format!("{} {origin} {error}", scan.spec().name)) {
        scan.report(origin, error);
    }
}
