//! Readers that tables share.

pub(crate) mod authorization;
pub(crate) mod ec2;
mod ec2_types;
pub(crate) mod iam;
pub(crate) mod load_balancing;
pub(crate) mod policy;
