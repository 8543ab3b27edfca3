//! `cb_info`: the same as `carbon_black_info`, as in osquery.

use indago_table::prelude::*;

use crate::carbon_black_info::CarbonBlackInfo;
use crate::source::alias;

pub(crate) fn table(sys: &Sys) -> TableRef {
    alias::of("cb_info", CarbonBlackInfo::table(sys))
}
