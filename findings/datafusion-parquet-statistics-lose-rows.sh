#!/usr/bin/env bash
# DataFusion 55.0: a query of a Parquet file with statistics loses rows that the same query of the same rows in memory returns.
# - A comparison behind a cast that does not keep the order of values: CAST(timestamp AS TIME), CAST(integer AS BOOLEAN). The cast is
#   applied to the minimum and the maximum of the column, so a row group that crosses midnight has its bounds the wrong way round.
# - NaN: it is greater than every number in a comparison, but the statistics of Parquet leave it out, so `x > 5` does not find it.
# Switching off `execution.parquet.pruning`, the page index and `execution.collect_statistics` changes nothing. A file that was written
# without statistics gives all rows. Fails if any of that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check datafusion==55.0.0 pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import datafusion
import pyarrow
import pyarrow.parquet

print("datafusion", datafusion.__version__)
# 23:00, 23:59 and 01:00 of the next day; -1, 0 and 1; a NaN between two numbers.
table = pyarrow.table({
    "n": pyarrow.array([-1, 0, 1], pyarrow.int64()),
    "at": pyarrow.array([82_800_000_000, 86_340_000_000, 90_000_000_000], pyarrow.timestamp("us")),
    "x": pyarrow.array([1.0, float("nan"), 2.0], pyarrow.float64()),
})
paths = {}
for has_statistics in (True, False):
    paths[has_statistics] = f"{sys.argv[1]}/{has_statistics}.parquet"
    pyarrow.parquet.write_table(table, paths[has_statistics], write_statistics=has_statistics)
off = ["execution.parquet.pruning", "execution.parquet.enable_page_index", "execution.collect_statistics"]


def rows(condition, path, without=()):
    config = datafusion.SessionConfig()
    for name in without:
        config = config.set(f"datafusion.{name}", "false")
    context = datafusion.SessionContext(config)
    if path is None:
        context.register_record_batches("t", [table.to_batches()])
    else:
        context.register_parquet("t", path)
    return context.sql(f"SELECT n FROM t WHERE {condition}").to_pydict()["n"]


for condition in [
    "CAST(at AS TIME) >= TIME '23:30:00'",
    "CAST(n AS BOOLEAN) IS DISTINCT FROM true",
    "x > 5",
]:
    seen = {
        "in memory": rows(condition, None),
        "without statistics": rows(condition, paths[False]),
        "with statistics": rows(condition, paths[True]),
        "pruning off": rows(condition, paths[True], off),
    }
    print(condition, seen)
    assert seen["in memory"] == seen["without statistics"] == [0], seen
    assert seen["with statistics"] == seen["pruning off"] == [], seen
PYTHON
