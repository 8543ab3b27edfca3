//! Linker options of the program.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Identical functions become one. Generic code is compiled in each crate that uses it, so much of a release build is
/// copies.
const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A position-independent program of this size has 8 MB of relocations, and each start reads all of them. The packed
    // form (glibc 2.36, binutils 2.38, any lld) needs a hundredth of that.
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && links_with(FOLD) {
        println!("cargo::rustc-link-arg-bins={FOLD}");
    }
}

/// Whether the linker knows an option: LLD and mold fold functions, GNU's linker does not.
fn links_with(option: &str) -> bool {
    let (Ok(rustc), Ok(target), Ok(folder)) = (env::var("RUSTC"), env::var("TARGET"), env::var("OUT_DIR")) else {
        return false;
    };
    let folder = PathBuf::from(folder);
    let (source, program) = (folder.join("empty.rs"), folder.join("empty"));
    if fs::write(&source, "fn main() {}\n").is_err() {
        return false;
    }
    let mut link = Command::new(rustc);
    link.args(["--target", &target, "-C", &format!("link-arg={option}"), "-o"]).arg(program).arg(source);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        link.args(["-C", &format!("linker={linker}")]);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    link.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    link.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
