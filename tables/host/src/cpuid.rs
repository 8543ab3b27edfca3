//! `cpuid`: one row per feature of the processor.

use indago_table::prelude::*;

/// Features that an x86 processor reports with its instruction `CPUID`.
#[derive(Debug, Default, Table)]
#[table(name = "cpuid", platforms("linux"), rows = 150, identity(feature))]
#[example("Features that the processor has.", "SELECT feature FROM cpuid WHERE value = '1'")]
#[example("Whether this is a virtual machine.", "SELECT value FROM cpuid WHERE feature = 'hypervisor'")]
pub struct Cpuid {
    /// Name of the feature, as in Intel's and AMD's manuals; or `vendor`, `hypervisor_vendor`.
    feature: String,
    /// `1` if the processor has the feature, else `0`; or the text of the maker.
    value: String,
    /// Register with the feature; several ones, separated by commas, for a text.
    output_register: String,
    /// Bit of the register, from 0.
    output_bit: i64,
    /// Number of the question, in hexadecimal without `0x`.
    input_eax: String,
}

impl Rows for Cpuid {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        scan.sys().require_live("features of the processor")?;
        features().map(Vec::into_iter)
    }
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn features() -> Result<Vec<Cpuid>> {
    Err(Error::Unsupported("only x86 processors have the instruction CPUID".to_owned()))
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn features() -> Result<Vec<Cpuid>> {
    #[cfg(target_arch = "x86")]
    use std::arch::x86::__cpuid_count;
    #[cfg(target_arch = "x86_64")]
    use std::arch::x86_64::__cpuid_count;
    let registers = |leaf: u32| {
        let found = __cpuid_count(leaf, 0);
        [found.eax, found.ebx, found.ecx, found.edx]
    };
    Ok(rows(registers))
}

const REGISTERS: [&str; 4] = ["eax", "ebx", "ecx", "edx"];
const EBX: usize = 1;
const ECX: usize = 2;
const EDX: usize = 3;

/// The rows of a processor that responds to a question with four registers.
fn rows(ask: impl Fn(u32) -> [u32; 4]) -> Vec<Cpuid> {
    let mut rows = Vec::new();
    let first = ask(0);
    let text = |registers: [u32; 3]| {
        let bytes: Vec<u8> = registers.into_iter().flat_map(u32::to_le_bytes).collect();
        String::from_utf8_lossy(&bytes).trim_end_matches(['\0', ' ']).to_owned()
    };
    let row = |feature: &str, value: String, register: &str, bit: usize, leaf: u32| Cpuid {
        feature: feature.to_owned(),
        value,
        output_register: register.to_owned(),
        output_bit: bit as i64,
        input_eax: format!("{leaf:x}"),
    };
    rows.push(row("vendor", text([first[EBX], first[EDX], first[ECX]]), "ebx,edx,ecx", 0, 0));
    const HYPERVISOR: u32 = 0x4000_0000;
    if first[0] >= 1 && ask(1)[ECX] >> 31 == 1 {
        let found = ask(HYPERVISOR);
        let vendor = text([found[EBX], found[ECX], found[EDX]]);
        rows.push(row("hypervisor_vendor", vendor, "ebx,ecx,edx", 0, HYPERVISOR));
    }
    for (leaf, register, names) in FEATURES {
        // The first question of each range tells the last one.
        let last = ask(leaf & 0xffff_0000)[0];
        let bits = if last >= leaf { ask(leaf)[register] } else { 0 };
        for (bit, name) in names.split_ascii_whitespace().enumerate().filter(|(_, name)| *name != "-") {
            rows.push(row(name, (bits >> bit & 1).to_string(), REGISTERS[register], bit, leaf));
        }
    }
    rows
}

/// Question, register, and names of its 32 bits; `-` is a reserved one. Names are those of Intel's "Software
/// Developer's Manual", volume 2A, and AMD's "Architecture Programmer's Manual", volume 3, in lowercase.
const FEATURES: [(u32, usize, &str); 8] = [
    (
        1,
        ECX,
        "sse3 pclmulqdq dtes64 monitor ds-cpl vmx smx eist tm2 ssse3 cnxt-id sdbg fma cx16 xtpr pdcm - pcid \
         dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aesni xsave osxsave avx f16c rdrnd hypervisor",
    ),
    (
        1,
        EDX,
        "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse-36 psn clfsh - ds acpi mmx \
         fxsr sse sse2 ss htt tm ia64 pbe",
    ),
    (
        7,
        EBX,
        "fsgsbase tsc_adjust sgx bmi1 hle avx2 fdp_excptn_only smep bmi2 erms invpcid rtm rdt-m \
         no_fpu_cs_ds mpx rdt-a avx512f avx512dq rdseed adx smap avx512_ifma - clflushopt clwb intel_pt \
         avx512pf avx512er avx512cd sha avx512bw avx512vl",
    ),
    (
        7,
        ECX,
        "prefetchwt1 avx512_vbmi umip pku ospke waitpkg avx512_vbmi2 cet_ss gfni vaes vpclmulqdq \
         avx512_vnni avx512_bitalg tme_en avx512_vpopcntdq - la57 - - - - - rdpid kl bus_lock_detect \
         cldemote - movdiri movdir64b enqcmd sgx_lc pks",
    ),
    (
        7,
        EDX,
        "- sgx-keys avx512_4vnniw avx512_4fmaps fsrm uintr - - avx512_vp2intersect srbds_ctrl md_clear \
         rtm_always_abort - rtm_force_abort serialize hybrid tsxldtrk - pconfig arch_lbr cet_ibt - amx-bf16 \
         avx512_fp16 amx-tile amx-int8 spec_ctrl stibp l1d_flush arch_capabilities core_capabilities ssbd",
    ),
    (
        0x8000_0001,
        ECX,
        "lahf cmp_legacy svm extapic cr8_legacy lzcnt sse4a misalignsse prefetchw osvw ibs xop skinit wdt - \
         lwp fma4 tce - - - tbm topoext perfctr_core perfctr_nb - dbx perftsc pcx_l2i monitorx \
         addr_mask_ext -",
    ),
    (
        0x8000_0001,
        EDX,
        "- - - - - - - - - - - syscall - - - - - - - - nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm \
         3dnowext 3dnow",
    ),
    (
        0x8000_0007,
        EDX,
        "ts fid vid ttp tm_amd - 100mhzsteps hwpstate invariant_tsc cpb - - - - - - - - - - - - - - - - - - \
         - - - -",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let rows = rows(|_| [u32::MAX; 4]);
        let names: HashSet<&str> = rows.iter().map(|row| &*row.feature).collect();
        assert_eq!(names.len(), rows.len());
        assert!(FEATURES.iter().all(|(.., names)| names.split_ascii_whitespace().count() == 32));
    }

    #[test]
    fn a_processor_that_lacks_a_question_lacks_its_features() {
        // An old one: `GenuineIntel`, whose last question is 1, with only the lowest bit of each register.
        let rows = rows(|leaf| match leaf {
            0 => [1, 0x756e_6547, 0x6c65_746e, 0x4965_6e69],
            1 => [0, 0, 1, 1],
            _ => [0, u32::MAX, u32::MAX, u32::MAX],
        });
        assert_eq!((&*rows[0].feature, &*rows[0].value), ("vendor", "GenuineIntel"));
        let set: Vec<_> = rows.iter().filter(|row| row.value == "1").map(|row| &*row.feature).collect();
        assert_eq!(set, ["sse3", "fpu"]);
    }
}
