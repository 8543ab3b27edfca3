//! Role-based access control as the API server decides it.
//!
//! [`policy`] holds roles and bindings and decides requests, without a client. [`objects`] makes a policy from API
//! objects, [`aggregate`] computes what aggregated cluster roles contain. [`read`] reads the objects of a cluster once
//! per query, and [`discovery`] its resources. [`question`] is what users ask, [`review`] the JSON of a
//! SubjectAccessReview. [`escalation`] names the rights with which a subject can get more rights. [`grant`] has the
//! columns that the tables share.
//!
//! Only RBAC is covered, and the group `system:masters`, which needs no binding. The Node authorizer, webhooks and
//! other authorizers can allow more.

pub(crate) mod aggregate;
#[cfg(test)]
mod cases;
pub(crate) mod discovery;
pub(crate) mod escalation;
pub(crate) mod grant;
pub(crate) mod objects;
pub(crate) mod policy;
pub(crate) mod question;
pub(crate) mod read;
pub(crate) mod review;
