# The keeper, prepended to every bed's script. It starts the bed's processes, notifies its owner, and ends with its
# owner: standard input is a pipe whose only writer is the owner, so end of file means that the owner dropped the bed or
# died. Then it kills the processes that it started and removes the bed's directory. It kills with SIGKILL: no state is
# kept.
#
# In: BED (directory of this bed), CACHE (directory of all beds), BED_NAME (unique). Out, on the owner's pipe: KEY=VALUE
# lines, then `ready`, or `error TEXT`.
set -uo pipefail
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
exec 3>&1 1>>"$BED/keeper.log" 2>&1
: > "$BED/pids"
CGROUP=indago-$BED_NAME

say() { printf '%s\n' "$*" >&3; }
# die REASON: notifies the owner, and keeps the logs until the owner closes the pipe
die() { say "error $*"; exec 3>&-; while read -r _; do :; done; exit 1; }

# spawn NAME COMMAND...: a daemon of this bed, its output in NAME.log
spawn() {
    local name=$1; shift
    "$@" </dev/null >>"$BED/$name.log" 2>&1 3>&- &
    echo "$! $name" >> "$BED/pids"
    eval "pid_$name=$!"
}

# wait_for SECONDS NAME COMMAND...: waits until COMMAND succeeds; dies early if the daemon NAME has died
wait_for() {
    local end=$((SECONDS + $1)) name=$2 pid; shift 2
    pid=$(sed -n "s/ $name\$//p" "$BED/pids" | tail -n 1)
    until "$@" >/dev/null 2>&1 3>&-; do
        [ -z "$pid" ] || kill -0 "$pid" 2>/dev/null || die "$name ended while it was starting"
        [ $SECONDS -lt $end ] || die "$name was not ready in time: $*"
        sleep 0.1
    done
}

# All cgroup hierarchies of this machine: those of version 1, or the single version 2 tree.
hierarchies() {
    if [ -f /sys/fs/cgroup/cgroup.procs ]; then echo /sys/fs/cgroup
    else for h in /sys/fs/cgroup/*/; do [ ! -f "$h/cgroup.procs" ] || [ -L "${h%/}" ] || echo "${h%/}"; done; fi
}

# own_cgroups: moves this shell and its later children to the cgroup /indago-NAME, so that clean_up finds them all
own_cgroups() {
    local h
    for h in $(hierarchies); do
        mkdir -p "$h/$CGROUP" || die "cannot create the cgroup $h/$CGROUP"
        if [ -f "$h/cpuset.cpus" ] && [ ! -f /sys/fs/cgroup/cgroup.procs ]; then
            cat "$h/cpuset.cpus" > "$h/$CGROUP/cpuset.cpus"; cat "$h/cpuset.mems" > "$h/$CGROUP/cpuset.mems"
        fi
        echo "$BASHPID" > "$h/$CGROUP/cgroup.procs" || die "cannot enter the cgroup $h/$CGROUP"
    done
}

# inside SCRIPT: runs SCRIPT in its own network, mount and cgroup namespaces; PIDs are the same outside
inside() {
    ( own_cgroups; exec unshare -n -m -C --propagation private bash "$1" ) &
    echo "$! inside" >> "$BED/pids"
}

members() { local h; for h in $(hierarchies); do [ ! -d "$h/$CGROUP" ] || find "$h/$CGROUP" -name cgroup.procs -exec cat {} + 2>/dev/null; done | sort -un; }

clean_up() {
    trap '' EXIT TERM INT HUP
    exec 3>&-
    local pid name h round killed=
    while read -r pid name; do kill -9 "$pid"; done 2>/dev/null < "$BED/pids"
    for round in $(seq 100); do
        pid=$(members); [ -n "$pid" ] || break
        kill -9 $pid 2>/dev/null; killed="$killed $pid"
        [ "$round" -lt 4 ] || sleep 0.05
    done
    for h in $(hierarchies); do
        [ ! -d "$h/$CGROUP" ] || for round in $(seq 20); do
            find "$h/$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null; [ -d "$h/$CGROUP" ] || break; sleep 0.05
        done
    done
    wait
    # Orphans disappear for other processes only when the machine's init has reaped them.
    round=0; for pid in $killed; do while [ -d "/proc/$pid" ] && [ $((round += 1)) -lt 100 ]; do sleep 0.02; done; done
    [ -n "${KEEP_BED:-}" ] || for round in $(seq 20); do rm -rf --one-file-system "$BED" 2>/dev/null && break; sleep 0.1; done
}
trap clean_up EXIT
trap 'exit 0' TERM
trap '' INT HUP

# inside_ready SECONDS: waits until the script inside has reached its end
inside_ready() { wait_for "$1" inside test -f "$BED/inside.ready"; }

# stay: the last line of every script
stay() { say ready; exec 3>&-; while read -r _; do :; done; exit 0; }
