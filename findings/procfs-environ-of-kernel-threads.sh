#!/usr/bin/env bash
# Linux 6.18: /proc/PID/environ of a kernel thread cannot be read. It fails with ESRCH, as if the thread had exited, while its
# other files are there: cmdline and maps of the same thread are empty. Seen on 6.18.
# Fails if that changes. Needs a kernel thread in sight (the first PID namespace); says so if there is none.
set -euo pipefail
echo "kernel $(uname -r)"
thread=$(awk '$1 == "PPid:" && $2 == 2 { sub("/proc/", "", FILENAME); sub("/status", "", FILENAME); print FILENAME; exit }' /proc/[0-9]*/status)
[ -n "$thread" ] || { echo "no kernel thread is in sight here"; exit 1; }
python3 - "$thread" <<'PYTHON'
import errno
import sys

folder = f"/proc/{sys.argv[1]}"
name = open(f"{folder}/comm").read().strip()


def read(file):
    try:
        return len(open(f"{folder}/{file}", "rb").read())
    except OSError as error:
        return errno.errorcode[error.errno]


seen = {file: read(file) for file in ("cmdline", "maps", "environ")}
print(f"kernel thread {name}: {seen}")
assert seen == {"cmdline": 0, "maps": 0, "environ": "ESRCH"}, seen
PYTHON
