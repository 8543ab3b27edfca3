//! Makes the Debian package and the container image from one release program.
//!
//! Uses only tools that every Debian has (`dpkg-deb`, `tar`, `gzip`), so that tasks build quickly.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{cargo, output, root, run as step};

/// User and group of the image, as in other images without a shell.
const NONROOT: &str = "65532:65532";

const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Builds the release program, unless one is given, and packages it.
pub(crate) fn run(program: Option<&Path>) -> Result<()> {
    let out = root().join("target/package");
    let program = match program {
        Some(program) => program.to_owned(),
        None => {
            step("release build", cargo().args(["build", "--release", "--bin", "indago"]))?;
            release_program()?
        }
    };
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    let manual = out.join("manual");
    fs::create_dir_all(&manual)?;
    step("manual", cargo().args(["run", "--quiet", "--example", "manual", "--"]).arg(&manual))?;
    let version = version(&program)?;
    let architecture = architecture(&program)?;
    let packages =
        [debian(&program, &manual, &out, &version, architecture)?, image(&program, &out, &version, architecture)?];
    for name in ["kubernetes-node.yaml", "kubernetes-cluster.yaml"] {
        let text = fs::read_to_string(install(name))?;
        fs::write(out.join(name), text.replace("image: indago:0.1.0", &format!("image: indago:{version}")))?;
    }
    for package in packages {
        println!("{} ({} MB)", package.display(), package.metadata()?.len() / 1_000_000);
    }
    Ok(())
}

fn install(name: &str) -> PathBuf {
    root().join("docs/install").join(name)
}

fn release_program() -> Result<PathBuf> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let target = metadata.split("\"target_directory\":\"").nth(1).and_then(|rest| rest.split('"').next());
    Ok(Path::new(target.context("cargo metadata names the target directory")?).join("release/indago"))
}

/// The version that a program prints: `indago 0.1.0`.
fn version(program: &Path) -> Result<String> {
    let printed = output(Command::new(program).arg("--version"))?;
    let version = printed.trim().strip_prefix("indago ").map(str::to_owned);
    version.with_context(|| format!("{} --version printed `{}`", program.display(), printed.trim()))
}

/// Debian's and OCI's name of a program's architecture; they agree on these two.
fn architecture(program: &Path) -> Result<&'static str> {
    use std::io::Read;
    let mut header = [0; 20];
    fs::File::open(program).and_then(|mut file| file.read_exact(&mut header)).context("cannot read the program")?;
    match (&header[..4], u16::from_le_bytes([header[18], header[19]])) {
        (b"\x7fELF", 62) => Ok("amd64"),
        (b"\x7fELF", 183) => Ok("arm64"),
        (_, machine) => bail!("{} is not an ELF program for x86-64 or AArch64 ({machine})", program.display()),
    }
}

/// A directory tree that becomes an archive.
struct Tree(PathBuf);

impl Tree {
    fn new(directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        Ok(Self(directory))
    }

    fn directory(&self, path: &str, mode: u32) -> Result<()> {
        let mut at = self.0.clone();
        for part in Path::new(path.trim_start_matches('/')) {
            at.push(part);
            if !at.exists() {
                fs::create_dir(&at)?;
                fs::set_permissions(&at, fs::Permissions::from_mode(0o755))?;
            }
        }
        Ok(fs::set_permissions(&at, fs::Permissions::from_mode(mode))?)
    }

    /// The place of a file; its directory exists.
    fn place(&self, path: &str) -> Result<PathBuf> {
        let path = path.trim_start_matches('/');
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.directory(directory, 0o755)?;
        }
        Ok(self.0.join(path))
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>, mode: u32) -> Result<()> {
        let place = self.place(path)?;
        fs::write(&place, text)?;
        Ok(fs::set_permissions(&place, fs::Permissions::from_mode(mode))?)
    }

    fn copy(&self, from: &Path, path: &str, mode: u32) -> Result<()> {
        let place = self.place(path)?;
        fs::copy(from, &place).with_context(|| format!("cannot copy {}", from.display()))?;
        Ok(fs::set_permissions(&place, fs::Permissions::from_mode(mode))?)
    }

    fn gzip(&self, path: &str) -> Result<()> {
        output(Command::new("gzip").args(["-9n"]).arg(self.0.join(path.trim_start_matches('/')))).map(drop)
    }
}

const POSTINST: &str = r#"#!/bin/sh
set -e
if [ "$1" = configure ]; then
    if ! getent passwd indago >/dev/null; then
        adduser --system --group --no-create-home --home /var/lib/indago --quiet indago
    fi
    chown indago:indago /var/lib/indago /var/log/indago
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        # After an update only: the administrator starts the service.
        if [ -n "$2" ]; then
            systemctl try-restart indago.service || true
        fi
    fi
fi
"#;

const PRERM: &str = r#"#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now indago.service || true
fi
"#;

const POSTRM: &str = r#"#!/bin/sh
set -e
if [ "$1" = purge ]; then
    rm -rf /var/lib/indago /var/log/indago
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi
"#;

const COPYRIGHT: &str = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: indago

Files: *
Copyright: the Indago authors
License: Apache-2.0
 On Debian systems, the full text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
";

fn debian(program: &Path, manual: &Path, out: &Path, version: &str, architecture: &str) -> Result<PathBuf> {
    let tree = Tree::new(out.join("deb"))?;
    tree.copy(program, "/usr/bin/indago", 0o755)?;
    tree.copy(&install("indago.service"), "/usr/lib/systemd/system/indago.service", 0o644)?;
    tree.copy(&install("indago.toml"), "/etc/indago/indago.toml", 0o644)?;
    tree.copy(&install("logrotate"), "/etc/logrotate.d/indago", 0o644)?;
    tree.directory("/etc/indago/packs", 0o755)?;
    tree.directory("/var/lib/indago", 0o700)?;
    tree.directory("/var/log/indago", 0o750)?;
    for name in ["kubernetes-node.yaml", "kubernetes-cluster.yaml"] {
        tree.copy(&install(name), &format!("/usr/share/doc/indago/examples/{name}"), 0o644)?;
    }
    tree.write("/usr/share/doc/indago/copyright", COPYRIGHT, 0o644)?;
    tree.copy(&root().join("docs/CHANGELOG.md"), "/usr/share/doc/indago/changelog", 0o644)?;
    tree.gzip("/usr/share/doc/indago/changelog")?;
    let mut pages = 0;
    for entry in fs::read_dir(manual)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = match name.as_str() {
            "indago.bash" => "/usr/share/bash-completion/completions/indago".to_owned(),
            "_indago" => "/usr/share/zsh/vendor-completions/_indago".to_owned(),
            "indago.fish" => "/usr/share/fish/vendor_completions.d/indago.fish".to_owned(),
            page if page.ends_with(".1") => format!("/usr/share/man/man1/{page}"),
            other => bail!("the manual has an unexpected file {other}"),
        };
        tree.copy(&path, &place, 0o644)?;
        if name.ends_with(".1") {
            tree.gzip(&place)?;
            pages += 1;
        }
    }
    if pages == 0 {
        bail!("the manual has no pages");
    }
    let sums = "find etc usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum";
    let sums = output(Command::new("sh").args(["-c", sums]).current_dir(&tree.0))?;
    let kilobytes = output(Command::new("du").args(["-sk"]).arg(&tree.0))?;
    let kilobytes = kilobytes.split_whitespace().next().unwrap_or("0");
    let libc = libc_version(program)?;
    let control = format!(
        "Package: indago
Version: {version}
Architecture: {architecture}
Maintainer: The Indago authors <indago@localhost>
Installed-Size: {kilobytes}
Depends: libc6 (>= {libc}), libgcc-s1, adduser
Recommends: ca-certificates
Section: admin
Priority: optional
Description: SQL over hosts, containers, Kubernetes, AWS and git
 Indago runs SQL on systems: a machine, container runtimes, Kubernetes clusters,
 AWS accounts, git repositories. Each kind of object there is a virtual table.
 .
 This package has the command indago and a service that runs scheduled queries.
"
    );
    tree.directory("DEBIAN", 0o755)?;
    tree.write("DEBIAN/control", control, 0o644)?;
    tree.write("DEBIAN/conffiles", "/etc/indago/indago.toml\n/etc/logrotate.d/indago\n", 0o644)?;
    tree.write("DEBIAN/md5sums", sums, 0o644)?;
    for (name, script) in [("postinst", POSTINST), ("prerm", PRERM), ("postrm", POSTRM)] {
        tree.write(&format!("DEBIAN/{name}"), script, 0o755)?;
    }
    let package = out.join(format!("indago_{version}_{architecture}.deb"));
    step(
        "deb",
        Command::new("dpkg-deb").args(["--root-owner-group", "-Zzstd", "-z12", "--build"]).args([&tree.0, &package]),
    )?;
    Ok(package)
}

/// The version of glibc that a program needs.
fn libc_version(program: &Path) -> Result<String> {
    let headers = output(Command::new("objdump").arg("-p").arg(program))?;
    let versions = headers.split_whitespace().filter_map(|word| word.strip_prefix("GLIBC_"));
    let number = |version: &str| version.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>().ok();
    let highest = versions.filter_map(number).max().context("the program does not need glibc")?;
    Ok(highest.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

/// The image as an OCI archive, which `podman load` and `ctr images import` read. `manifest.json` is for `docker load`.
fn image(program: &Path, out: &Path, version: &str, architecture: &str) -> Result<PathBuf> {
    let tree = Tree::new(out.join("rootfs"))?;
    tree.copy(program, "/usr/bin/indago", 0o755)?;
    for library in libraries(program)? {
        tree.copy(&library.canonicalize()?, &library.to_string_lossy(), 0o755)?;
    }
    tree.copy(Path::new(CERTIFICATES), CERTIFICATES, 0o644)?;
    let users = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n";
    tree.write("/etc/passwd", users, 0o644)?;
    tree.write("/etc/group", "root:x:0:\nnonroot:x:65532:\n", 0o644)?;
    tree.write("/etc/nsswitch.conf", "hosts: files dns\n", 0o644)?;
    for directory in ["/etc/indago", "/host", "/proc", "/sys", "/dev", "/run/indago", "/var/lib/indago"] {
        tree.directory(directory, 0o755)?;
    }
    tree.directory("/tmp", 0o1777)?;

    let layout = Tree::new(out.join("oci"))?;
    let layer = out.join("layer.tar");
    let archive = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-cf"];
    output(Command::new("tar").args(archive).arg(&layer).arg("-C").arg(&tree.0).arg("."))?;
    let diff = sha256(&layer)?;
    step("compress the image", Command::new("gzip").arg("-n").arg(&layer))?;
    let layer = blob(&layout, &fs::read(out.join("layer.tar.gz"))?)?;
    fs::remove_file(out.join("layer.tar.gz"))?;
    let config = blob(
        &layout,
        format!(
            r#"{{"architecture":"{architecture}","os":"linux","created":"1970-01-01T00:00:00Z",
"config":{{"User":"{NONROOT}","Entrypoint":["/usr/bin/indago"],"Env":["PATH=/usr/bin"],"WorkingDir":"/"}},
"rootfs":{{"type":"layers","diff_ids":["sha256:{diff}"]}},
"history":[{{"created":"1970-01-01T00:00:00Z","created_by":"cargo xtask package"}}]}}"#
        )
        .as_bytes(),
    )?;
    let descriptor = |kind: &str, (digest, size): &(String, u64)| {
        format!(r#""mediaType":"application/vnd.oci.image.{kind}","digest":"sha256:{digest}","size":{size}"#)
    };
    let manifest = blob(
        &layout,
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
"config":{{{}}},"layers":[{{{}}}]}}"#,
            descriptor("config.v1+json", &config),
            descriptor("layer.v1.tar+gzip", &layer)
        )
        .as_bytes(),
    )?;
    let names = format!(
        r#"{{"org.opencontainers.image.ref.name":"{version}",
"io.containerd.image.name":"docker.io/library/indago:{version}"}}"#
    );
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",
"manifests":[{{{},"annotations":{names}}}]}}"#,
        descriptor("manifest.v1+json", &manifest)
    );
    layout.write("index.json", index, 0o644)?;
    layout.write("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
    let docker = format!(
        r#"[{{"Config":"blobs/sha256/{}","RepoTags":["indago:{version}"],"Layers":["blobs/sha256/{}"]}}]"#,
        config.0, layer.0
    );
    layout.write("manifest.json", docker, 0o644)?;
    let package = out.join(format!("indago-{version}-{architecture}.oci.tar"));
    output(Command::new("tar").args(archive).arg(&package).arg("-C").arg(&layout.0).args([
        "oci-layout",
        "index.json",
        "manifest.json",
        "blobs",
    ]))?;
    Ok(package)
}

/// The shared libraries of a program and their loader.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let listed = output(Command::new("ldd").arg(program))?;
    if let Some(missing) = listed.lines().find(|line| line.contains("not found")) {
        bail!("a library of the program is missing: {}", missing.trim());
    }
    // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x..)`, and the loader without an arrow.
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    Ok(listed.lines().filter_map(path).collect())
}

/// Writes a blob under its digest; returns digest and size.
fn blob(layout: &Tree, bytes: &[u8]) -> Result<(String, u64)> {
    layout.write("blobs/sha256/new", bytes, 0o644)?;
    let new = layout.0.join("blobs/sha256/new");
    let digest = sha256(&new)?;
    fs::rename(&new, new.with_file_name(&digest))?;
    Ok((digest, bytes.len() as u64))
}

fn sha256(file: &Path) -> Result<String> {
    let printed = output(Command::new("sha256sum").arg(file))?;
    Ok(printed.split_whitespace().next().context("sha256sum prints a digest")?.to_owned())
}
