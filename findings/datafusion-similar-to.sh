#!/usr/bin/env bash
# DataFusion 55.0 (the wheel's release): SIMILAR TO is a regular expression that may match anywhere: `%` and `_` are ordinary
# characters, a part of the text is enough, and `.` matches any character. SQL's SIMILAR TO has LIKE's wildcards and
# matches the whole text. FROM without SELECT gives as many rows as the table has, and no column. A comparison of two times
# of different units converts both to the finer unit, and fails for a year that this unit cannot hold.
# Fails if any of that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check datafusion==55.0.0 pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import datafusion

context = datafusion.SessionContext()
print("datafusion", datafusion.__version__)

for text, pattern, seen, standard in [
    ("abc", "a%", False, True),
    ("abc", "a_c", False, True),
    ("xaby", "ab", True, False),
    ("abc", "a.c", True, False),
]:
    answer = context.sql(f"SELECT '{text}' SIMILAR TO '{pattern}' AS x").to_pydict()["x"]
    print(f"'{text}' SIMILAR TO '{pattern}': {answer[0]} (the standard: {standard})")
    assert answer == [seen], answer

batches = context.sql("FROM (VALUES (1), (2)) AS t(x)").collect()
shape = (sum(batch.num_rows for batch in batches), max(batch.num_columns for batch in batches))
print("FROM without SELECT: rows and columns", shape)
assert shape == (2, 0), shape

time = "arrow_cast('{}', 'Timestamp({}, None)')".format
later = "SELECT " + time("9999-12-31", "{}") + " > " + time("2020-01-01", "{}") + " AS x"
coarse = context.sql(later.format("Second", "Millisecond")).to_pydict()
print("seconds beside milliseconds:", coarse)
assert coarse == {"x": [True]}, coarse
try:
    fine = str(context.sql(later.format("Microsecond", "Nanosecond")).to_pydict())
except Exception as error:
    fine = str(error)
print("microseconds beside nanoseconds:", fine.splitlines()[0])
assert "verflow" in fine or "simplify_expressions" in fine, fine
PYTHON
