#!/usr/bin/env bash
# dmidecode 3.4: the addresses of a "Memory Array Mapped Address" that does not fit 32 bits are printed with the unit `k`, but the
# number is in bytes, as SMBIOS has it (type 19, offsets 0x0f and 0x17). The range size in the same output is right. Narrow addresses
# are converted to bytes and have no unit. A program that reads the text finds memory at 1,024 times its address.
# Fails if that changes. Installs Debian's package in a temporary folder; the table is a file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q dmidecode=3.4-1 >/dev/null
dpkg-deb -x dmidecode_3.4-1_*.deb .
bytes() { printf "$(printf '\\%03o' "$@")"; }
# From 64 GiB to 128 GiB: both narrow addresses are all ones, the wide ones follow. Then the end of the table.
{
    bytes 19 31 0 19 255 255 255 255 255 255 255 255 0 16 1
    bytes 0 0 0 0 16 0 0 0 255 255 255 255 31 0 0 0 0 0
    bytes 127 4 1 127 0 0
} > table
entry() { printf '_SM3_'; bytes "$1" 24 3 2 0 1 0 "$(stat -c %s table)" 0 0 0 32 0 0 0 0 0 0 0; }
sum=0
for byte in $(entry 0 | od -An -v -tu1); do sum=$(((sum + byte) % 256)); done
{ entry $(((256 - sum) % 256)); head -c 8 /dev/zero; cat table; } > dump
shown=$(usr/sbin/dmidecode --from-dump dump | grep -E 'Address: |Range')
echo "dmidecode $(usr/sbin/dmidecode --version)"
echo "$shown"
# 64 GiB are 0x1000000000 bytes, and 0x4000000 KiB.
grep -q 'Starting Address: 0x0000001000000000k$' <<< "$shown"
grep -q 'Range Size: 64 GB$' <<< "$shown"
