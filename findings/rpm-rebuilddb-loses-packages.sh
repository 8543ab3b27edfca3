#!/usr/bin/env bash
# rpm 4.18.0 (Debian): `rpm --rebuilddb` with `_db_backend` set to a format that this build does not have warns, uses a dummy database in
# its place, ends with status 0, and leaves a directory without any package: the database of the other format is gone. Debian's build
# has sqlite and a read-only bdb, and no ndb, the format of openSUSE. A tool that converts a collected database to read it must work on a copy.
# Fails if that changes. Uses Debian's packages in a temporary folder; the package in the database is made here.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
version=4.18.0+dfsg-1+deb12u1
apt-get download -q "rpm=$version" "rpm-common=$version" "librpm9=$version" "librpmio9=$version" "librpmbuild9=$version" \
    "librpmsign9=$version" >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" .; done
export LD_LIBRARY_PATH="$folder/usr/lib/$(uname -m)-linux-gnu" RPM_CONFIGDIR="$folder/usr/lib/rpm"
rpm() { usr/bin/rpm --dbpath "$folder/db" "$@" 2>&1; }
printf '%s\n' 'Name: one' 'Version: 1' 'Release: 1' 'Summary: A package' 'License: MIT' 'BuildArch: noarch' \
    '%description' 'A package.' '%files' > one.spec
usr/bin/rpmbuild --quiet --dbpath "$folder/db" --define "_topdir $folder/build" -bb one.spec
rpm --define '_db_backend sqlite' --initdb
rpm --define '_db_backend sqlite' --justdb --nodeps -i build/RPMS/noarch/one-1-1.noarch.rpm
before=$(rpm --define '_db_backend sqlite' -qa)
said=$(rpm --define '_db_backend ndb' --rebuilddb) && status=0 || status=$?
after=$(rpm --define '_db_backend sqlite' -qa)
echo "$(rpm --version): before: $before; rebuilddb ended with $status and said: $said; after: ${after:-no package}; files: $(ls db | tr '\n' ' ')"
[ "$before" = one-1-1.noarch ] && [ -z "$after" ]
