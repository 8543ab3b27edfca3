//! Readers that tables share.

pub(crate) mod authorization;
pub(crate) mod ec2;
pub(crate) mod iam;
pub(crate) mod policy;
