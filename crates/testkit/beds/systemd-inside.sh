# The start of the bed's first process; it becomes systemd.
umount -R /sys/fs/cgroup
if grep -qs cgroup2 /proc/filesystems && [ ! -s /proc/cgroups ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
    mount -t tmpfs tmpfs /sys/fs/cgroup
    mkdir /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd || {
        umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup
    }
fi
for folder in /run /var/log /etc/systemd/system; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mkdir -p /run/lock /run/dbus /run/systemd/system/indago-a.service.d /etc/systemd/system/timers.target.wants
cd /run/systemd/system || exit 1
# No unit has the default dependencies: those would set up the machine.
unit() { { printf '[Unit]\nDefaultDependencies=no\n'; cat; } > "$1"; }
unit indago.target <<T
Description=The bed's target
Wants=dbus.service systemd-journald.service indago-a.service indago-b.timer indago-c.socket indago-d.service indago-e.timer
T
unit dbus.socket <<T
[Socket]
ListenStream=/run/dbus/system_bus_socket
T
unit dbus.service <<T
Description=The bed's bus
Requires=dbus.socket
[Service]
ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation
T
unit indago-a.service <<T
Description=A service of nobody
[Service]
User=nobody
ExecStart=/bin/sh -c "exec sleep infinity"
T
printf '[Service]\nEnvironment=A=b\n' > indago-a.service.d/extra.conf
cat > /etc/systemd/system/indago-b.timer <<T
[Unit]
DefaultDependencies=no
Description=A daily timer
[Timer]
OnCalendar=daily
Persistent=true
Unit=indago-d.service
[Install]
WantedBy=timers.target
T
ln -s ../indago-b.timer /etc/systemd/system/timers.target.wants/indago-b.timer
unit indago-c.socket <<T
Description=A socket
SourcePath=/etc/hosts
[Socket]
ListenStream=/run/indago-c.sock
T
unit indago-c.service <<T
[Service]
ExecStart=/bin/true
T
unit indago-d.service <<T
Description=A service that fails
After=systemd-journald.service
[Service]
ExecStart=/bin/sh -c "echo It fails; exit 1"
T
unit indago-e.timer <<T
Description=A timer after the start
[Timer]
OnBootSec=10h
Unit=indago-d.service
T
mount -o remount,bind,ro /
export container=indago
exec /lib/systemd/systemd --system --unit=indago.target --log-target=null
