#!/bin/bash
# usage: alpine.sh ROOT WORK: a root like Alpine's. The files of its packages are those of Debian's openrc, musl and
# busybox-static. Debian has no apk, so this script writes apk's database from the files that it installs.
set -euo pipefail
root=$1 work=$2
database=$root/lib/apk/db/installed
mkdir -p "$(dirname "$database")" "$root"/{etc/apk,home/ann/.ssh,root,tmp,var/tmp,dev/shm}
cd "$work"
apt-get download -qq openrc musl busybox-static
for package in *.deb; do dpkg -x "$package" "$work/${package%%_*}"; done

add() { # NAME VERSION LICENSE ORIGIN: installs the files in WORK/NAME, and adds a paragraph to the database
    local folder file
    cp -a "$work/$1/." "$root/"
    {
        printf 'C:Q1%s\nP:%s\nV:%s\nA:x86_64\nS:%s\nI:%s\nT:%s of a test\nU:https://alpinelinux.org/\nL:%s\no:%s\n' \
            "$(checksum "$work/$1.sum")" "$1" "$2" 1000 4096 "$1" "$3" "$4"
        printf 'm:Ann <ann@example.org>\nt:1700000000\nD:so:libc.musl-x86_64.so.1\n'
        cd "$work/$1"
        find . -mindepth 1 -type d -printf '%P\n' | sort | while read -r folder; do
            printf 'F:%s\n' "$folder"
            find "$folder" -mindepth 1 -maxdepth 1 ! -type d -printf '%f\n' | sort | while read -r file; do
                printf 'R:%s\n' "$file"
                [ -h "$folder/$file" ] || printf 'a:0:0:755\nZ:Q1%s\n' "$(checksum "$folder/$file")"
            done
        done
        printf '\n'
    } >> "$database"
}

checksum() { # FILE: SHA-1 in Base64
    if [ -e "$1" ]; then openssl dgst -sha1 -binary "$1"; else printf '%s' "$1" | openssl dgst -sha1 -binary; fi | base64
}

# Only what a small Alpine has of them.
mkdir -p busybox/bin alpine-baselayout/etc/crontabs
cp -a busybox-static/bin/busybox busybox/bin/
ln -s /bin/busybox busybox/bin/sh
rm -r openrc/usr/share/{doc,man} musl/usr/share

cat > alpine-baselayout/etc/passwd <<'EOF'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/sbin/nologin
ann:x:1000:1000:Ann:/home/ann:/bin/sh
EOF
printf 'root:x:0:root\nwheel:x:10:root,ann\nann:x:1000:\n' > alpine-baselayout/etc/group
printf 'root:*::0:::::\nann:!:20000:0:99999:7:::\n' > alpine-baselayout/etc/shadow
printf '127.0.0.1\tlocalhost localhost.localdomain\n' > alpine-baselayout/etc/hosts
cat > alpine-baselayout/etc/os-release <<'EOF'
NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.20.3
PRETTY_NAME="Alpine Linux v3.20"
EOF
echo 3.20.3 > alpine-baselayout/etc/alpine-release

add alpine-baselayout 3.6.5-r0 GPL-2.0-only alpine-baselayout
add busybox 1.36.1-r29 GPL-2.0-only busybox
add musl 1.2.5-r0 MIT musl
add openrc 0.54-r1 BSD-2-Clause openrc
printf 'alpine-baselayout\nbusybox\nopenrc\n' > "$root/etc/apk/world"
echo "https://dl-cdn.alpinelinux.org/alpine/v3.20/main" > "$root/etc/apk/repositories"
mkdir -p "$root/etc/runlevels/default" "$root/var/spool/cron/crontabs"
echo "*/15 * * * * run-parts /etc/periodic/15min" > "$root/var/spool/cron/crontabs/root"
echo "$KEY ann@laptop" > "$root/home/ann/.ssh/authorized_keys"
