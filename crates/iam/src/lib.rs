//! AWS IAM policies: parsed, and evaluated as AWS documents it.
//!
//! A [`Caller`] is a principal with its policies, a [`Target`] the policies of a resource. Both are compiled once, and
//! [`evaluate`] decides many requests with them. An [`Answer`] is a [`Decision`] with its reason: the statement that
//! denies or allows, the layer that does not allow, or the context keys that it depends on. [`Document`] is a request
//! with all of its policies as one JSON document.
//!
//! The crate reads nothing and has no client.

mod actions;
mod condition;
mod date;
mod document;
mod error;
mod evaluate;
mod json;
mod pattern;
mod policy;
mod principal;
mod request;
mod set;
#[cfg(test)]
mod tests;
mod truth;

pub use document::{Case, Cases, Document};
pub use error::{Error, Result};
pub use evaluate::{Answer, Caller, Decision, Target, evaluate};
pub use policy::{Layer, Policy};
pub use principal::Principal;
pub use request::{Context, Request};
pub use set::PolicySet;
