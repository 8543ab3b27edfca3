//! `yara`: the same as `yara_file`, as in osquery.

use indago_table::prelude::*;

use crate::source::alias;
use crate::yara_file::YaraFile;

pub(crate) fn table(sys: &Sys) -> TableRef {
    alias::of("yara", YaraFile::table(sys))
}
