//! `hosts`: the same as `etc_hosts`, as in osquery.

use indago_table::prelude::*;

use crate::etc_hosts::EtcHost;
use crate::source::alias;

pub(crate) fn table(sys: &Sys) -> TableRef {
    alias::of("hosts", EtcHost::table(sys))
}
