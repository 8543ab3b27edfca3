//! `configurations`: the same as `augeas`, as in osquery.

use indago_table::prelude::*;

use crate::augeas::Augeas;
use crate::source::alias;

pub(crate) fn table(sys: &Sys) -> TableRef {
    alias::of("configurations", Augeas::table(sys))
}
