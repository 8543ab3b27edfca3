//! `ebpf_programs`: one row per descriptor of an eBPF program.

use indago_table::prelude::*;

use crate::source::bpf::{self, Held};

/// eBPF programs in the kernel, by the processes that hold them open, directly or through a link.
///
/// A program that no process holds, because it is pinned to a file or only attached, has no row.
#[derive(Debug, Default, Table)]
#[table(name = "ebpf_programs", platforms("linux"), rows = 20, needs("CAP_SYS_PTRACE"), identity(pid, fd, id))]
#[example(
    "Which programs have eBPF programs in the kernel.",
    "SELECT e.id, e.type, e.tag, p.name, p.path FROM ebpf_programs AS e JOIN processes AS p USING (pid)"
)]
pub struct EbpfProgram {
    /// Process that holds it.
    #[column(index)]
    pid: i64,
    /// Number of the descriptor.
    fd: i64,
    /// ID of the program.
    id: Option<i64>,
    /// Type of the program, such as `kprobe`, `xdp` or `lsm`; NULL for a link, which does not show it.
    r#type: Option<String>,
    /// Start of the checksum of its instructions, in hexadecimal.
    tag: Option<String>,
    /// How it is attached, such as `tracing` or `cgroup`, if the descriptor is a link; otherwise NULL.
    link_type: Option<String>,
    /// Whether it is compiled to instructions of the processor; NULL for a link.
    is_compiled: Option<bool>,
    /// Memory that it uses, in bytes; NULL for a link.
    memory: Option<i64>,
    /// Number of runs; 0 unless the kernel counts them.
    #[column(volatile)]
    run_count: Option<i64>,
    /// Time of all runs, in nanoseconds; 0 unless the kernel counts them.
    #[column(volatile)]
    run_time: Option<i64>,
}

impl Rows for EbpfProgram {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let held = bpf::held(scan.sys(), scan.keys(Self::PID), &["bpf-prog", "bpf_link"], report)?;
        // A link may be attached to something that is not a program.
        Ok(held.filter(|held| held.number("prog_id").is_some()).map(row))
    }
}

/// Types by number, from the kernel's `include/uapi/linux/bpf.h`.
const TYPES: [&str; 33] = [
    "unspec",
    "socket_filter",
    "kprobe",
    "sched_cls",
    "sched_act",
    "tracepoint",
    "xdp",
    "perf_event",
    "cgroup_skb",
    "cgroup_sock",
    "lwt_in",
    "lwt_out",
    "lwt_xmit",
    "sock_ops",
    "sk_skb",
    "cgroup_device",
    "sk_msg",
    "raw_tracepoint",
    "cgroup_sock_addr",
    "lwt_seg6local",
    "lirc_mode2",
    "sk_reuseport",
    "flow_dissector",
    "cgroup_sysctl",
    "raw_tracepoint_writable",
    "cgroup_sockopt",
    "tracing",
    "struct_ops",
    "ext",
    "lsm",
    "sk_lookup",
    "syscall",
    "netfilter",
];

fn row(held: Held) -> EbpfProgram {
    EbpfProgram {
        pid: held.pid,
        fd: held.fd,
        id: held.number("prog_id"),
        r#type: held.name("prog_type", &TYPES),
        tag: held.text("prog_tag"),
        link_type: held.text("link_type"),
        is_compiled: held.number("prog_jited").map(|is_compiled| is_compiled != 0),
        memory: held.number("memlock"),
        run_count: held.number("run_cnt"),
        run_time: held.number("run_time_ns"),
    }
}
