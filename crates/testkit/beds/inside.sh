# Included first by every script that runs inside a bed's namespaces (see `inside` in keeper.sh).
set -uo pipefail
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
say() { printf '%s\n' "$*" >&3; }
die() { say "error $*"; exit 1; }
spawn() { local name=$1; shift; "$@" </dev/null >>"$BED/$name.log" 2>&1 3>&- & echo "$! $name" >> "$BED/pids"; }
wait_for() {
    local end=$((SECONDS + $1)) name=$2 pid; shift 2
    pid=$(sed -n "s/ $name\$//p" "$BED/pids" | tail -n 1)
    until "$@" >/dev/null 2>&1 3>&-; do
        [ -z "$pid" ] || kill -0 "$pid" 2>/dev/null || die "$name ended while it was starting"
        [ $SECONDS -lt $end ] || die "$name was not ready in time: $*"
        sleep 0.1
    done
}
# over DIR PATH: mounts this bed's DIR over the machine's PATH
over() { mkdir -p "$1" "$2" && mount --bind "$1" "$2" || die "cannot put $1 over $2"; }

mount --make-rshared /
ip link set lo up
# Makes the cgroup tree of this bed the root that all programs inside see.
if [ -f /sys/fs/cgroup/cgroup.procs ]; then
    umount /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || die "cannot mount cgroup2"
    mkdir -p /sys/fs/cgroup/bed && echo $$ > /sys/fs/cgroup/bed/cgroup.procs
    sed 's/[a-z_0-9]\+/+&/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
else
    # On a hybrid machine, runtimes do not need the version 2 tree, and it confuses them.
    umount /sys/fs/cgroup/unified 2>/dev/null
    while read -r _ at kind options _; do
        [ "$kind" = cgroup ] || continue
        wanted=$(tr , '\n' <<< "$options" | grep -xE "name=.*|$(awk 'NR>1{printf "%s%s",s,$1; s="|"}' /proc/cgroups)" | paste -sd,)
        case $wanted in name=*) wanted=none,$wanted;; esac
        umount "$at" && mount -t cgroup -o "$wanted" cgroup "$at" || die "cannot mount the cgroup hierarchy $wanted"
    done < <(grep ' /sys/fs/cgroup/' /proc/self/mounts)
fi
# stay: the last line of every inside script; notifies the keeper and keeps the namespaces open
stay() { say "NS_PID=$$"; exec 3>&-; : > "$BED/inside.ready"; sleep infinity & wait $!; }
