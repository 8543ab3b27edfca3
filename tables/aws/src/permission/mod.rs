//! What the identities of live accounts may do: the policies of accounts, compiled for the evaluator of `indago-iam`.
//!
//! [`read`] reads an account once per query: IAM in one paged call, control policies from AWS Organizations, and the policies of
//! resources if a question needs them. [`model`] compiles them. The rest computes and makes no calls: [`grant`] has the
//! effective permissions as patterns, [`assume`] who can become which role, [`escalation`] the escalation methods of
//! `escalation.json`.

pub(crate) mod assume;
pub(crate) mod decision;
pub(crate) mod escalation;
pub(crate) mod grant;
pub(crate) mod model;
pub(crate) mod organization;
pub(crate) mod read;
pub(crate) mod resource;
pub(crate) mod statement;
#[cfg(test)]
mod tests;

use indago_table::prelude::*;

/// Where a row comes from.
#[derive(Debug, Default, Clone, Columns)]
pub(crate) struct Source {
    /// ID of the account.
    #[column(slice)]
    pub(crate) account_id: String,
    /// Profile of the credentials.
    #[column(slice)]
    pub(crate) profile: String,
}

impl Source {
    /// The origin of rows of a site, whose account is known.
    pub(crate) fn new(site: &crate::account::Site, account: &model::Account) -> Self {
        Source { account_id: account.id.clone(), profile: site.profile() }
    }
}

/// Whether the keys of a column admit a value.
pub(crate) fn admits(keys: Option<&Vec<String>>, value: &str) -> bool {
    keys.is_none_or(|keys| keys.iter().any(|key| key == value))
}

/// The keys of a column without repetitions, in their order.
pub(crate) fn distinct(keys: Option<Vec<String>>) -> Option<Vec<String>> {
    keys.map(crate::call::distinct)
}
