//! The imports that nearly every function needs.

pub(super) use std::borrow::Cow;

pub(super) use arrow_schema::DataType;
pub(super) use base64::{Engine as _, prelude::BASE64_STANDARD};

pub(super) use super::{
    calendar, document, network, pattern, regexes,
    scalar::{Class, Returns, numeric, scalar, widest},
    text, tree,
};
pub(super) use crate::{
    collation::Collation,
    plan,
    value::{Value, compare, exact_number},
};
