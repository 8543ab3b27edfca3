//! `ebpf_maps`: one row per descriptor of an eBPF map.

use indago_table::prelude::*;

use crate::source::bpf::{self, Held};

/// Maps of eBPF programs, by the processes that hold them open.
///
/// A map that no process holds, because it is pinned to a file or only used by a program, has no row.
#[derive(Debug, Default, Table)]
#[table(name = "ebpf_maps", platforms("linux"), rows = 20, needs("CAP_SYS_PTRACE"), identity(pid, fd, id))]
#[example(
    "Memory of eBPF maps by program.",
    "SELECT name, sum(memory) AS bytes FROM ebpf_maps JOIN processes USING (pid) GROUP BY name"
)]
pub struct EbpfMap {
    /// Process that holds it.
    #[column(index)]
    pid: i64,
    /// Number of the descriptor.
    fd: i64,
    /// ID of the map.
    id: Option<i64>,
    /// Type of the map, such as `hash` or `ringbuf`.
    r#type: Option<String>,
    /// Bytes of a key.
    key_size: Option<i64>,
    /// Bytes of a value.
    value_size: Option<i64>,
    /// Most entries.
    max_entries: Option<i64>,
    /// Flags, as a number.
    flags: Option<i64>,
    /// Memory that it uses, in bytes.
    #[column(volatile)]
    memory: Option<i64>,
    /// Whether programs outside of the kernel can no longer change it.
    is_frozen: Option<bool>,
}

impl Rows for EbpfMap {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        Ok(bpf::held(scan.sys(), scan.keys(Self::PID), &["bpf-map"], report)?.map(row))
    }
}

/// Types by number, from the kernel's `include/uapi/linux/bpf.h`.
const TYPES: [&str; 34] = [
    "unspec",
    "hash",
    "array",
    "prog_array",
    "perf_event_array",
    "percpu_hash",
    "percpu_array",
    "stack_trace",
    "cgroup_array",
    "lru_hash",
    "lru_percpu_hash",
    "lpm_trie",
    "array_of_maps",
    "hash_of_maps",
    "devmap",
    "sockmap",
    "cpumap",
    "xskmap",
    "sockhash",
    "cgroup_storage",
    "reuseport_sockarray",
    "percpu_cgroup_storage",
    "queue",
    "stack",
    "sk_storage",
    "devmap_hash",
    "struct_ops",
    "ringbuf",
    "inode_storage",
    "task_storage",
    "bloom_filter",
    "user_ringbuf",
    "cgrp_storage",
    "arena",
];

fn row(held: Held) -> EbpfMap {
    EbpfMap {
        pid: held.pid,
        fd: held.fd,
        id: held.number("map_id"),
        r#type: held.name("map_type", &TYPES),
        key_size: held.number("key_size"),
        value_size: held.number("value_size"),
        max_entries: held.number("max_entries"),
        flags: held.number("map_flags"),
        memory: held.number("memlock"),
        is_frozen: held.number("frozen").map(|is_frozen| is_frozen != 0),
    }
}
