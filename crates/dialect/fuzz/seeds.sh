#!/bin/sh
# One seed a statement of the corpus, into corpus/sql.
set -eu
cd "$(dirname "$0")"
mkdir -p corpus/sql
cat ../corpus/*.sql | grep -v '^-- ' | awk '
    { statement = statement $0 "\n" }
    /;$/ { count++; file = sprintf("corpus/sql/seed-%05d", count); printf "%s", statement > file; close(file); statement = "" }'
