#!/bin/bash
# usage: fedora.sh ROOT WORK: a root like Fedora's. rpmbuild makes its packages, and rpm installs them.
set -euo pipefail
root=$1 work=$2
database=/usr/lib/sysimage/rpm

file() { # PACKAGE PATH < CONTENT
    mkdir -p "$work/$1/$(dirname "$2")"
    cat > "$work/$1/$2"
}

package() { # NAME VERSION RELEASE ARCH LICENSE [LINE OF THE SPEC..]: a package of the files in WORK/NAME
    local name=$1 files=$work/$1
    mkdir -p "$files"
    {
        printf 'Name: %s\nVersion: %s\nRelease: %s\nLicense: %s\nVendor: Fedora Project\nSummary: %s\n' \
            "$name" "$2" "$3" "$5" "$name of a test"
        printf '%s\n' "AutoReqProv: no" "${@:6}" "%description" "A package of a test." "%install"
        printf '%s\n' "cp -a '$files/.' '%{buildroot}/'" "%files"
        (cd "$files" && find . -mindepth 1 \( -type d -printf '%%dir /%P\n' -o -printf '/%P\n' \))
    } > "$work/$name.spec"
    rpmbuild -bb --quiet --target "$4" --define "_topdir $work/top" --define "debug_package %{nil}" \
        --define "__os_install_post %{nil}" "$work/$name.spec"
}

file fedora-release-common usr/lib/os-release <<'EOF'
NAME="Fedora Linux"
VERSION="41 (Server Edition)"
ID=fedora
VERSION_ID=41
VERSION_CODENAME=""
PRETTY_NAME="Fedora Linux 41 (Server Edition)"
CPE_NAME="cpe:/o:fedoraproject:fedora:41"
EOF
file fedora-release-common etc/fedora-release <<< "Fedora release 41 (Forty One)"
ln -s ../usr/lib/os-release "$work/fedora-release-common/etc/os-release"
ln -s fedora-release "$work/fedora-release-common/etc/redhat-release"
package fedora-release-common 41 29 noarch MIT

file setup etc/passwd <<'EOF'
root:x:0:0:Super User:/root:/bin/bash
bin:x:1:1:bin:/bin:/usr/sbin/nologin
sshd:x:74:74:Privilege-separated SSH:/usr/share/empty.sshd:/usr/sbin/nologin
ann:x:1000:1000:Ann:/home/ann:/bin/bash
EOF
file setup etc/group <<< $'root:x:0:\nbin:x:1:\nwheel:x:10:ann\nsshd:x:74:\nann:x:1000:'
file setup etc/shadow <<< $'root:!locked::0:99999:7:::\nann:$y$j9T$x$y:20000:0:99999:7:::'
file setup etc/hosts <<< "127.0.0.1 localhost"
package setup 2.15.0 5.fc41 noarch LicenseRef-Fedora-Public-Domain

mkdir -p "$work/bash/usr/bin"
cp /bin/bash "$work/bash/usr/bin/bash"
ln -s bash "$work/bash/usr/bin/sh"
file bash etc/skel/.bashrc <<< "PS1=x"
package bash 5.2.32 1.fc41 x86_64 GPL-3.0-or-later

file shadow-utils usr/bin/passwd <<< "a program of a test"
chmod 4755 "$work/shadow-utils/usr/bin/passwd"
package shadow-utils 4.15.1 12.fc41 x86_64 "BSD-3-Clause AND GPL-2.0-or-later" "Epoch: 2"

file cronie etc/cron.d/0hourly <<< "01 * * * * root run-parts /etc/cron.hourly"
file cronie usr/lib/systemd/system/crond.service <<'EOF'
[Unit]
Description=Command Scheduler
[Service]
ExecStart=/usr/sbin/crond -n
[Install]
WantedBy=multi-user.target
EOF
package cronie 1.7.2 1.fc41 x86_64 "GPL-2.0-or-later AND BSD-3-Clause"

mkdir -p "$root$(dirname $database)" "$root/usr/bin" "$root/var/lib" "$root"/{home/ann/.ssh,root,tmp,var/tmp,dev/shm}
ln -s usr/bin "$root/bin"
ln -s ../../usr/lib/sysimage/rpm "$root/var/lib/rpm"
rpm --root "$root" --define "_dbpath $database" --nodeps --noscripts --ignorearch --ignoreos -i "$work"/top/RPMS/*/*.rpm
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s /usr/lib/systemd/system/crond.service "$root/etc/systemd/system/multi-user.target.wants/crond.service"
echo "$KEY ann@laptop" > "$root/home/ann/.ssh/authorized_keys"
