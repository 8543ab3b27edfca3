//! Readers that tables share.

pub(crate) mod authorization;
pub(crate) mod cloudtrail;
pub(crate) mod ec2;
mod ec2_types;
pub(crate) mod eks;
pub(crate) mod iam;
pub(crate) mod iam_inventory;
pub(crate) mod load_balancing;
pub(crate) mod organization;
pub(crate) mod policy;
