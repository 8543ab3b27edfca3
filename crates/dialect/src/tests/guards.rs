//! Each function either creates no more than its arguments, or has a limit from its query. A function that a new
//! version of DataFusion adds fails here until it is classified.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use datafusion::{datasource::MemTable, execution::session_state::SessionStateBuilder, prelude::SessionContext};

use crate::{
    functions::SCALARS,
    guard::{bound, guarded},
    install, install_plain,
};

/// Functions whose results have a fixed size, or are parts, sums or small multiples of their arguments.
const SUMS: &str = "abs acos acosh array_any_value array_append array_avg array_compact array_concat array_contains array_dims \
    array_distance array_distinct array_element array_empty array_except array_has array_has_all array_has_any array_intersect \
    array_length array_max array_min array_ndims array_normalize array_pop_back array_pop_front array_position array_positions \
    array_prepend array_product array_remove array_remove_all array_remove_n array_reverse array_scale array_slice array_sort \
    array_subtract array_sum array_add array_union arrays_overlap arrays_zip arrow_cast arrow_field arrow_metadata \
    arrow_try_cast arrow_typeof ascii asin asinh atan atan2 atanh bit_length btrim cardinality cast_to_type cbrt ceil \
    character_length chr coalesce concat contains cos cosh cosine_distance cot current_date current_time date_bin date_part \
    date_trunc decode degrees digest empty ends_with exp factorial find_in_set flatten floor from_unixtime gcd \
    get_field greatest initcap inner_product input_file_name file_row_index isnan iszero lcm least left levenshtein ln log \
    log10 log2 lower ltrim make_array make_date make_time map map_entries map_extract map_keys map_values md5 named_struct \
    nanvl now nullif nvl nvl2 octet_length overlay pi power radians random regexp_count regexp_instr regexp_like reverse right \
    round row rtrim sha224 sha256 sha384 sha512 signum sin sinh split_part sqrt starts_with strpos struct \
    substr substr_index tan tanh to_date to_local_time to_time to_timestamp to_timestamp_micros \
    to_timestamp_millis to_timestamp_nanos to_timestamp_seconds to_unixtime translate trunc try_cast_to_type union_extract \
    union_tag upper uuid version with_metadata";

/// Aggregates and window functions: their states have a fixed size, or they charge them themselves.
const STATES: &str = "any_value approx_distinct approx_median approx_percentile_cont approx_percentile_cont_with_weight \
    array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp cume_dist dense_rank first_value \
    grouping lag last_value lead max median min nth_value ntile percent_rank percentile_cont quantile_cont rank regr_avgx \
    regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy row_number stddev stddev_pop \
    string_agg sum var var_pop";

#[test]
fn every_function_has_its_place() {
    let builder = || SessionStateBuilder::new().with_default_features();
    let is_in = |list: &str, name: &str| list.split_whitespace().any(|known| known == name);
    let mut wrong = Vec::new();
    for (dialect, state) in [("osquery", install(builder()).build()), ("datafusion", install_plain(builder()).build())]
    {
        for (alias, function) in SessionContext::new_with_state(state.clone()).state().scalar_functions() {
            let name = function.name();
            // A guarded function stays as it is.
            if !std::sync::Arc::ptr_eq(guarded(function.as_ref().clone()).inner(), function.inner()) {
                wrong.push(format!("{dialect}: {alias} is not guarded"));
            }
            let ours = dialect == "osquery" && SCALARS.iter().any(|spec| spec.is_called(alias) || spec.is_called(name));
            let ours = ours || crate::functions::named(name).is_some();
            if !ours && bound(name).is_none() && !is_in(SUMS, name) {
                wrong.push(format!("{dialect}: no limit is known for the results of {name}"));
            }
        }
        let aggregates = state.aggregate_functions().values().map(|function| function.name().to_owned());
        let windows = state.window_functions().values().map(|function| function.name().to_owned());
        let own: Vec<&str> = crate::functions::aggregates().iter().map(|known| known.name).collect();
        for name in aggregates.chain(windows) {
            if !is_in(STATES, &name) && !own.contains(&name.as_str()) {
                wrong.push(format!("{dialect}: no limit is known for the state of {name}"));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Scans return batches without rows if a condition excluded all of them.
#[tokio::test(flavor = "current_thread")]
async fn a_batch_without_rows_is_no_error() {
    let state = install_plain(SessionStateBuilder::new().with_default_features()).build();
    let context = SessionContext::new_with_state(state);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let batch = RecordBatch::try_from_iter([("x", texts)]).expect("a batch");
    let table = MemTable::try_new(batch.schema(), vec![vec![batch.slice(0, 0), batch]]).expect("a table");
    context.register_table("t", Arc::new(table)).expect("registered");
    for call in ["regexp_replace(x, 'a', 'b')", "lpad(x, 1, '.')", "array_to_string(array_repeat(x, 1), '-')"] {
        let frame = context.sql(&format!("SELECT {call} AS y FROM t")).await.expect(call);
        let rows: usize = frame.collect().await.expect(call).iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 1, "{call}");
    }
}
