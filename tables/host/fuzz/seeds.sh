#!/bin/sh
# Seeds for each kind, into corpus/<kind>: files of the fixture hosts, and small files that standard tools write.
# Needs: binutils gcc rpm db-util sqlite3 e2fsprogs fdisk openssl zip openssh-client.
set -eu
cd "$(dirname "$0")"
corpus=$PWD/corpus
host=$PWD/../../../tests/fixtures/hosts/plain
hostile=$PWD/../../../tests/fixtures/hosts/hostile
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# seeds KIND FILE.. adds files, each under a name from its content.
seeds() {
    folder=$corpus/$1
    shift
    mkdir -p "$folder"
    for file in "$@"; do
        if [ -f "$file" ] && [ ! -L "$file" ] && [ -s "$file" ]; then
            cp "$file" "$folder/seed-$(sha1sum <"$file" | cut -c1-16)"
        fi
    done
}

# seed KIND adds its input.
seed() {
    cat >"$work/seed"
    seeds "$1" "$work/seed"
}

# A number as 4 bytes, little-endian.
le() {
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)))"
}

cd "$work"

# RPM: two packages in each of the three databases.
for name in alpha beta; do
    cat >$name.spec <<SPEC
Name: $name
Version: 1.0~rc1
Release: 3
Summary: A package
License: MIT
Vendor: Example
BuildArch: noarch
%description
Text.
%install
mkdir -p %{buildroot}/usr/share/$name
echo hello > %{buildroot}/usr/share/$name/hello
%files
/usr/share/$name
SPEC
    rpmbuild -bb --quiet --define "_topdir $work/top" $name.spec
done
rpm --dbpath "$work/sqlite" --define '_db_backend sqlite' --justdb --nodeps --ignorearch -i top/RPMS/noarch/*.rpm 2>/dev/null
# Debian's RPM does not write ndb: a page of slots, of which one is used, and a header.
sqlite3 sqlite/rpmdb.sqlite "SELECT writefile('header', blob) FROM Packages LIMIT 1" >/dev/null
size=$(wc -c <header)
{
    printf 'RpmP' && le 0 && le 1 && le 1 && le 2 && le 0 && le 0 && le 0
    printf 'Slot' && le 1 && le 256 && le $((size / 16 + 3))
    for _ in $(seq 253); do printf 'Slot' && le 0 && le 0 && le 0; done
    printf 'BlbS' && le 1 && le 1 && le "$size"
    cat header
    head -c $((32 - size % 16)) /dev/zero
} | seed rpm-ndb
for size in 512 4096; do
    {
        printf 'PRAGMA page_size=%s;' $size
        printf "ATTACH '%s' AS rpm;" "$work/sqlite/rpmdb.sqlite"
        printf 'CREATE TABLE Packages AS SELECT hnum, blob FROM rpm.Packages;'
    } | sqlite3 small-$size.sqlite
    seeds rpm-sqlite small-$size.sqlite
    {
        printf 'VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=%s\nHEADER=END\n 00000000\n 02000000\n' $size
        sqlite3 sqlite/rpmdb.sqlite "SELECT printf(' %02x000000', hnum), char(10) || ' ' || lower(hex(blob)) FROM Packages" |
            tr -d '|'
        echo DATA=END
    } | db_load Packages-$size
    seeds rpm-bdb Packages-$size
done

# ELF: programs, a library, object files for 32 bits and with debugging information, with lists of modules and crates.
cat >a.c <<'C'
int used; extern int missing(void); int f(int a) { used = a; return a; } void _start(void) { f(1); for (;;) ; }
C
gcc -nostdlib -static -o program a.c
gcc -nostdlib -shared -fPIC -Wl,-soname,liba.so -Wl,-z,now -Wl,-rpath,/lib -g -o liba.so a.c
gcc -nostdlib -pie -o pie a.c -L. -l:liba.so
gcc -m32 -c -o a32.o a.c
printf '{"packages":[{"name":"a","version":"1.0","kind":"build"},{"name":"b","version":"2.0"}]}' |
    perl -MCompress::Zlib -0777 -ne 'print compress($_)' >crates
{
    printf '\377 Go buildinf:\10\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    printf '\6go1.21\130'
    printf '0123456789abcdefpath\ta\nmod\ta.org/a\tv1\nmod\tx\tv1\ndep\tb.org/b\tv2\n=>\tc.org/c\tv3\n0123456789abcdef'
} >modules
objcopy --strip-all --add-section .dep-v0=crates program rust
objcopy --strip-all --add-section .go.buildinfo=modules program go
seeds elf program liba.so pie a32.o rust go

# Disks: file systems, tables of partitions, and both.
mkdir -p content/a/b
echo hello >content/a/b/file
ln -s a/b content/link
for kind in ext2 ext4; do
    for options in -I256 -I128 '-I256 -Oinline_data'; do
        truncate -s 64K image
        mke2fs -q -F -t $kind -b 1024 -N 16 -O ^has_journal,^resize_inode $options -d content image 2>/dev/null
        seeds disk image
        rm image
    done
done
truncate -s 64K image
mke2fs -q -F -t ext2 -b 1024 -N 16 -d content image 2>/dev/null
truncate -s 128K gpt mbr
printf 'label: gpt\nfirst-lba: 34\nstart=34, size=64, name=root\nstart=98, size=16\n' | sfdisk -q gpt
dd if=image of=gpt bs=512 seek=34 conv=notrunc status=none count=64
printf 'label: dos\nstart=1, size=63, bootable\nstart=64, size=128, type=5\nstart=66, size=20\nstart=90, size=20\n' | sfdisk -q mbr
seeds disk gpt mbr
truncate -s 64K swap
mkswap -q swap
printf 'LUKS\272\276\0\1aes\0' | dd of=luks bs=512 conv=sync status=none
seeds disk swap luks

# Certificates, alone and as a variable of the firmware.
for key in rsa:1024 ec:prime256v1 ed25519; do
    case $key in
        ec:*) options="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1" ;;
        *) options="-newkey $key" ;;
    esac
    openssl req -x509 $options -nodes -keyout key.pem -out certificate.pem -days 9 -subj '/C=US/O=A "b", c/CN=Name' \
        -addext keyUsage=keyCertSign,cRLSign -addext subjectAltName=DNS:example.org 2>/dev/null
    openssl x509 -in certificate.pem -outform DER -out certificate.der
    size=$(wc -c <certificate.der)
    {
        printf '\47\0\0\0\241\131\300\245\344\224\247\112\207\265\253\025\134\053\360\162'
        le $((28 + 16 + size))
        le 0
        le $((16 + size))
        printf '0123456789abcdef'
        cat certificate.der
    } >variable
    seeds certificates certificate.pem certificate.der
    seeds efi variable
done
seeds certificates "$host/etc/ssl/certs/ca-certificates.crt"
seeds efi "$host"/sys/firmware/efi/efivars/*

# Jars.
mkdir -p META-INF/maven/g/a lib
printf '<idea-plugin><id>a</id><name>A &amp; b</name><version>1</version><vendor url="x"><![CDATA[V]]></vendor></idea-plugin>' >META-INF/plugin.xml
printf 'Manifest-Version: 1.0\nImplementation-Title: a\nImplementation-Version: 1\nBundle-SymbolicName: b;x=y\n' >META-INF/MANIFEST.MF
printf '# note\ngroupId=g\nartifactId=a\nversion=1\n' >META-INF/maven/g/a/pom.properties
zip -q -r inner.jar META-INF
zip -q -0 -r outer.war META-INF/MANIFEST.MF inner.jar
zip -q -r small.jar META-INF/plugin.xml
seeds jar inner.jar outer.war small.jar

# Keys of SSH.
for options in '-t rsa -b 1024' '-t rsa -b 1024 -m PEM' '-t rsa -b 1024 -m PKCS8' '-t ecdsa' '-t ecdsa -m PEM' '-t ed25519'; do
    for phrase in '' phrase; do
        rm -f id id.pub
        ssh-keygen -q $options -N "$phrase" -f id
        seeds ssh-keys id id.pub
    done
done
{
    printf '@cert-authority *.example.org,[1.2.3.4]:22 '
    cat id.pub
    printf 'command="a \\" b",no-pty,from="1.2.3.4" '
    cat id.pub
} | seed ssh-keys
seeds ssh-keys "$host/root/.ssh/known_hosts" "$host/root/.ssh/authorized_keys" "$host/home/ada/.ssh/authorized_keys"
seeds ssh-configs "$host/root/.ssh/config" "$host/etc/ssh/sshd_config" "$host"/etc/ssh/sshd_config.d/*
printf 'Include d/*.conf "/etc/a b"\nMatch user ada, host x exec "a b"\n X11Forwarding=yes\nHost * !a\n IdentityFile ~/x\n' | seed ssh-configs

# Texts.
seeds smbios "$host/sys/firmware/dmi/tables/DMI" /sys/firmware/dmi/tables/DMI
seeds utmp "$host"/var/log/wtmp* "$host/run/utmp"
seeds logins "$host/run/utmp"
printf 'UID=1000\nUSER=ada\nACTIVE=1\nTTY=tty1\nLEADER=7\nREALTIME=1700000000000000\nREMOTE_HOST=h\n' | seed logins
chrome="$host/root/.config/google-chrome/Default"
seeds chrome "$chrome"/*Preferences "$chrome"/Extensions/*/*/manifest.json "$chrome"/Extensions/*/*/_locales/en/messages.json
seeds extensions "$host/root/.mozilla/firefox/x1.default/extensions.json" "$host/root/.vscode/extensions/extensions.json"
seeds dpkg "$host/var/lib/dpkg/status" "$host"/var/lib/dpkg/info/*
printf 'C:Q1abc=\nP:musl\nV:1.2-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:a\n\nP:b\nV:2\n' | seed apk
seeds modules "$host/usr/lib/node_modules/npm/package.json" "$host"/usr/lib/python3/dist-packages/*/METADATA \
    "$host"/usr/lib/python3/dist-packages/*egg-info
printf '{"name":"@s/a","version":"1","license":{"type":"MIT"},"licenses":[{"type":"a"},"b"],"author":{"name":"x"}}' | seed modules
seeds repositories "$host/etc/apt/sources.list" "$host"/etc/apt/sources.list.d/* "$host"/var/lib/apt/lists/* "$host/var/lib/cb/sensorsettings.ini"
printf 'deb [arch=amd64,i386 signed-by=/k.gpg] https://u:p@h:8/x y main\n# x\ndeb cdrom:[a b]/ x y\n' | seed repositories
printf '[main]\ngpgcheck=1\n[a]\nname=A $releasever\nbaseurl=http://a\n  http://b\nenabled=0\nmirrorlist: x\n' | seed repositories
printf '=app/vim-9.1-r1 ~amd64 -x\n>=a/b-1:2\n*/*::r **\n' | seed repositories
seeds sudoers "$host/etc/sudoers" "$host"/etc/sudoers.d/*
printf 'Defaults:ada !x,y="a # b"\nUser_Alias A = a, b : C = d\nA,%%g ALL=(root:x) NOPASSWD: /bin/a, \\\n /bin/b \\, c\n@include /etc/sudoers.d/a\n#includedir /etc/sudoers.d\n' | seed sudoers
seeds cron "$host/etc/crontab" "$host"/etc/cron.d/* "$host"/var/spool/cron/crontabs/*
printf 'A=b\n@reboot root a%%b\n*/5 1-3 * jan mon root "x"\n1 5 cron.daily nice run\nid:2345:respawn:/sbin/getty\n' | seed cron
printf '#!/bin/sh\n# atrun uid=0 gid=0\n# mail root 0\numask 22\ncd /root || {\n\t exit 1\n}\n${SHELL:-/bin/sh} << "marcin0"\nid\n\nmarcin0\n' | seed cron
printf '[Unit]\nDescription=A %%i\nAfter=a.service b.target\n[Service]\nUser=x\nExecStart=-/bin/a \\\n --b "c d"\nExecStart=\nEnvironment="LD_PRELOAD=/a.so"\n[Install]\nWantedBy=multi-user.target\nAlias=c.service\n' | seed units
printf '[Timer]\nOnCalendar=*-*-* 06:00\nOnBootSec=5min 2s\nUnit=b.service\nPersistent=yes\n[Socket]\nListenStream=/run/a\n' | seed units
seeds units "$host/etc/xdg/autostart/agent.desktop" "$host/etc/init.d/web"
seeds devices "$host"/usr/share/misc/*.ids "$host"/sys/bus/*/devices/*/*
printf '# x\nACTION=="add", SUBSYSTEM=="usb", \\\n RUN+="/bin/sh -c '"'x \\\\\"y\\\\\"'"'"\nPROGRAM="/bin/id", IMPORT{program}="/bin/p %%k"\n' | seed devices
printf 'install a /bin/b c\noptions x y=z\nalias a b\nloop\n' | seed devices
seeds pam "$host"/etc/pam.d/*
printf 'login auth [success=1 default=ignore] pam_unix.so nullok \\\n x # y\n-session required x\n@include a\n' | seed pam
seeds shell "$host/root/.bash_history" "$host/etc/ld.so.preload" "$host/etc/ld.so.conf"
printf '#1700000000\nls\n: 1700000000:12;for i in 1\\\ndo\nexport LD_PRELOAD="/a b.so"; x\nsetenv LD_LIBRARY_PATH /opt\nLD_PRELOAD DEFAULT= OVERRIDE=/x.so\ninclude ld.so.conf.d/*.conf\n' | seed shell
for file in passwd group shadow; do seeds accounts "$host/etc/$file" "$hostile/etc/$file"; done
printf 'passwd: files sss [NOTFOUND=return] winbind\n[domain/a]\nenumerate = True\n' | seed accounts
for file in hosts protocols services resolv.conf hostname; do seeds network "$host/etc/$file"; done
seeds augeas "$host"/etc/* "$host"/etc/*/*
printf '/dev/sda1 / ext4 defaults,a=b 0 1\nUMASK 022 # x\nPATH="a b"\nnet.ipv4.ip_forward = 1\n/bin/sh\n' | seed augeas
seeds processes "$host"/proc/*/* "$host"/proc/*/net/* "$host"/proc/*/fdinfo/* "$host"/proc/*/task/*/* "$hostile"/proc/*/* "$hostile"/proc/*/net/*
seeds kernel "$host"/proc/* "$host/proc/self/limits" "$host/proc/self/net/arp" "$host/proc/sysvipc/shm" "$host/usr/lib/os-release" \
    "$host"/etc/sysctl.d/* "$host"/usr/lib/sysctl.d/* "$host"/lib/modules/*/modules.dep "$host"/sys/firmware/memmap/0/* \
    "$host"/sys/kernel/security/apparmor/policy/profiles/*/* "$host/etc/machine-id"
printf 'Iface\tDestination\tGateway\tFlags\neth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n' | seed kernel
printf 'rule a : t { meta: x = "y" strings: $a = "evil" nocase wide $b = /ev[a-i]l{2,3}/i $c = { 01 ?? [2-4] (02|03) } condition: #a > 1 or any of ($b,$c) and filesize < 1MB }' | seed yara
printf 'import "pe"\nprivate rule b { condition: for all i in (1..3) : (uint32(i) == 7) }\nrule c { condition: b and pe.is_pe }' | seed yara
