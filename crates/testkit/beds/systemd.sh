# systemd as the first process of its own namespaces, with a few units. Its root is the machine's, read-only.
( own_cgroups; exec unshare -n -m -C -u -p -f --mount-proc --propagation private bash "$BED/systemd-inside.sh" ) &
echo "$! inside" >> "$BED/pids"
outer=$!
first() { cat "/proc/$outer/task/$outer/children" 2>/dev/null | tr -d ' '; }
is_up() { [ -n "$(first)" ] && nsenter -t "$(first)" -m -p -C systemctl is-active -q indago.target dbus.service systemd-journald.service &&
    nsenter -t "$(first)" -m -p -C systemctl is-failed -q indago-d.service; }
wait_for 60 inside is_up
say "NS_PID=$(first)"
stay
