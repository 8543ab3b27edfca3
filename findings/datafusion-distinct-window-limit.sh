#!/usr/bin/env bash
# DataFusion 55.0 (the wheel's release): DISTINCT over a window function runs, and becomes an internal error as soon as a LIMIT
# is added: its rule for DISTINCT under a limit asks for an ordering that nobody has found yet. A scalar function
# drops FILTER without a word. EXCEPT ALL takes away all rows that are equal, not one for one.
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


def run(sql):
    try:
        return context.sql(sql).to_pydict()
    except Exception as error:
        return str(error).splitlines()[0]


rows = "WITH w(env) AS (VALUES ('a'), ('b'), ('a')) SELECT DISTINCT env, count(*) OVER (PARTITION BY env) AS n FROM w"
whole = run(rows + " ORDER BY env")
limited = run(rows + " LIMIT 30")
print("DISTINCT of a window:", whole)
print("the same under LIMIT:", limited)
assert whole == {"env": ["a", "b"], "n": [2, 1]}, whole
assert isinstance(limited, str) and "Ordering direction required for DISTINCT with limit" in limited, limited

filtered = run("SELECT abs(-1) FILTER (WHERE false) AS x")
print("FILTER of a scalar function:", filtered)
assert filtered == {"x": [1]}, filtered

left = run("(SELECT 1 AS a UNION ALL SELECT 1 UNION ALL SELECT 1) EXCEPT ALL SELECT 1")
print("three rows EXCEPT ALL one of them:", left)
assert left == {"a": []}, left
PYTHON
