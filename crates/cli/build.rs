//! Linker options of the program.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A position-independent program of this size has 8 MB of relocations, and each start reads all of them. The packed
    // form (glibc 2.36, binutils 2.38, any lld) needs a hundredth of that.
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
