//! A table of files, read as a process sees them: inside the mount namespace of a container's process, say.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorContext, Result};
use crate::row::{Environment, Row};
use crate::scan::{Scalar, ScanContext};
use crate::spec::{ColumnSpec, KeyEffect, Kind, TableSpec, Text};
use crate::stamp::{Constant, Stamp};
use crate::sys::Sys;
use crate::table::{Reading, Slice, Table, TableRef};

/// The capability that entering another process's root takes.
const PTRACE: &str = "CAP_SYS_PTRACE";

/// osquery's tables with the column `pid_with_namespace`. On other tables it is an addition.
const OSQUERYS: [&str; 19] = [
    "apt_sources",
    "authorized_keys",
    "crontab",
    "deb_packages",
    "dns_resolvers",
    "etc_hosts",
    "file",
    "groups",
    "hash",
    "npm_packages",
    "os_version",
    "python_packages",
    "rpm_packages",
    "suid_bin",
    "user_ssh_keys",
    "users",
    "yara_file",
    "yara_process",
    "yum_sources",
];

/// A table with a hidden key column `pid_with_namespace`: the host's rows, or those that the table has where a process
/// looks. The table itself reads one machine and knows nothing of this. `#[table(namespaces)]` makes a table one;
/// `#[table(namespaces(mount_namespace_id))]` adds the namespace's inode number.
#[derive(Clone)]
pub struct InNamespaces {
    host: Sys,
    spec: Arc<TableSpec>,
    /// Position of `pid_with_namespace`.
    pid: usize,
    of: fn(&Sys) -> TableRef,
}

impl fmt::Debug for InNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InNamespaces").field(&self.spec.name).finish()
    }
}

impl InNamespaces {
    /// The table that `of` makes of a machine, over the host and whatever its processes see.
    pub fn new<T: Row>(host: &Sys, has_id: bool, of: fn(&Sys) -> TableRef) -> Self {
        let mut spec = TableSpec::clone(T::SPEC);
        let pid = spec.columns.len();
        let description = "Process whose mount namespace is looked into; 0 is the host.";
        let mut column = ColumnSpec::new("pid_with_namespace", Kind::BigInt, description);
        (column.nullable, column.index, column.slice, column.hidden) = (false, true, true, true);
        column.key_effect = KeyEffect::Selects;
        column.added = !OSQUERYS.contains(&&*spec.name);
        column.needs = (&[PTRACE]).into();
        spec.columns.to_mut().push(column);
        if has_id {
            let description = "Inode number of the mount namespace that was looked into.";
            let mut column = ColumnSpec::new("mount_namespace_id", Kind::Text, description);
            column.hidden = true;
            spec.columns.to_mut().push(column);
        }
        if !spec.identity.is_empty() {
            spec.identity.to_mut().push(Text::Borrowed("pid_with_namespace"));
        }
        InNamespaces { host: host.clone(), spec: Arc::new(spec), pid, of }
    }

    fn needs_id(&self, context: &ScanContext) -> bool {
        let id = self.pid + 1;
        context.columns.contains(&id) || context.filters.iter().any(|filter| filter.columns().contains(&id))
    }

    /// The slices of the table as a process sees them; of the host itself for 0.
    fn slices_of(&self, context: &ScanContext, host: &Sys, pid: i64) -> Result<Vec<Slice>> {
        let folder = if pid == 0 { host.own_process().to_owned() } else { format!("/proc/{pid}") };
        let namespace = || match host.read_link(format!("{folder}/ns/mnt")).needs(PTRACE).if_present()? {
            Some(link) => Ok(namespace_inode(&link)),
            None => Ok(None),
        };
        let id = match self.needs_id(context).then(namespace).transpose()?.flatten() {
            Some(id) => Constant::Text(id.into()),
            None => Constant::Null(Kind::Text),
        };
        let values = [Constant::Integer(pid), id];
        let stamp = Stamp::new(&self.spec, &values[..self.spec.columns.len() - self.pid]);
        let mut inner = stamp.inner(context);
        let sys = if pid == 0 {
            self.host.clone()
        } else {
            inner.within = Some(context.slice_name(&label(pid)).into());
            let root = format!("{folder}/root");
            // Only the kernel that runs the process can follow the link into its namespace.
            let entered = match host.has_live_kernel() {
                true => host.below(&root),
                false => host.read_link(&root).and_then(|target| host.below(target)),
            };
            entered.needs(PTRACE)?
        };
        let slices = (self.of)(&sys).slices(&inner)?;
        Ok(slices.into_iter().map(|slice| stamp.on_slice(slice, &context.columns)).collect())
    }
}

fn label(pid: i64) -> String {
    format!("the namespace of process {pid}")
}

/// The inode number in the target of a namespace's link, `mnt:[4026531840]`.
pub fn namespace_inode(link: &Path) -> Option<String> {
    Some(link.to_str()?.split_once(":[")?.1.strip_suffix(']')?.to_owned())
}

impl Table for InNamespaces {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let integer = |key: &Scalar| if let Scalar::Integer(pid) = key { Some(*pid) } else { None };
        let mut pids: Vec<i64> = match context.constraints.keys(self.pid) {
            Some(keys) => keys.iter().filter_map(integer).collect(),
            None => vec![0],
        };
        pids.sort_unstable();
        pids.dedup();
        if pids == [0] && !self.needs_id(context) {
            return self.slices_of(context, &self.host, 0);
        }
        let (table, context) = (self.clone(), context.clone());
        let label_of_all = context.slice_name("");
        // Processes are entered on a thread where that may block, one after the other.
        let find = move |found: &mut dyn FnMut(Slice) -> bool| {
            let host = table.host.for_scan(&context.meter);
            for pid in pids {
                host.check_cancelled()?;
                match table.slices_of(&context, &host, pid) {
                    Ok(slices) => {
                        if !slices.into_iter().all(&mut *found) {
                            break;
                        }
                    }
                    Err(error) if pid == 0 => return Err(error),
                    // A process from a join may have ended; one that the query names does not exist.
                    Err(Error::Gone(what)) if !context.joined.contains(&table.pid) => {
                        let error = Error::Unsupported(format!("{what} is not there"));
                        context.report(&table.spec.name, &label(pid), &error);
                    }
                    Err(error) => context.report(&table.spec.name, &label(pid), &error),
                }
            }
            Ok(())
        };
        Ok(vec![Slice::new(label_of_all, Reading::Finding(Box::new(find)))])
    }

    fn checks_filters(&self) -> bool {
        (self.of)(&self.host).checks_filters()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{BooleanArray, RecordBatch};

    use crate::prelude::*;
    use crate::scan::{BoxFuture, ColumnConstraint, Constraints, RowFilter};
    use crate::table::Sink;

    use super::*;

    /// Names in a file.
    #[derive(Debug, Default, Table)]
    #[table(name = "names", identity(name), namespaces(mount_namespace_id))]
    #[example("All of them.", "SELECT name FROM names")]
    struct Name {
        /// Name.
        #[column(index)]
        name: String,
    }

    impl Rows for Name {
        fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
            let text = scan.sys().read_text("/names")?;
            let names: Vec<_> = text.lines().map(|name| Name { name: name.to_owned() }).collect();
            Ok(names.into_iter())
        }
    }

    #[derive(Debug)]
    struct IsProcess(i64);

    impl RowFilter for IsProcess {
        fn columns(&self) -> &[usize] {
            &[0, 1]
        }

        fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray> {
            assert_eq!(rows.num_columns(), 2);
            let pids = rows.column(1).as_primitive::<Int64Type>();
            Ok(pids.values().iter().map(|pid| Some(*pid == self.0)).collect())
        }
    }

    struct Channel(std::sync::mpsc::Sender<RecordBatch>);

    impl Sink for Channel {
        fn blocking_send(&mut self, batch: RecordBatch) -> bool {
            self.0.send(batch).is_ok()
        }

        fn send(&mut self, _batch: RecordBatch) -> BoxFuture<'_, bool> {
            unreachable!("the table blocks")
        }
    }

    /// The rows of a scan, by slice, and how the slices ended.
    fn read(table: &TableRef, context: &ScanContext) -> (Vec<String>, BTreeMap<String, Result<()>>) {
        fn all(slice: Slice, sender: &std::sync::mpsc::Sender<RecordBatch>, ended: &mut BTreeMap<String, Result<()>>) {
            let outcome = match slice.reading {
                Reading::Blocking(read) => read(&mut Channel(sender.clone())),
                Reading::Async(_) => unreachable!("the table blocks"),
                Reading::Finding(find) => {
                    let outcome = find(&mut |slice| {
                        all(slice, sender, ended);
                        true
                    });
                    return outcome.expect("a search reports what it does not find");
                }
            };
            ended.insert(slice.label, outcome);
        }
        let (sender, batches) = std::sync::mpsc::channel();
        let mut ended = BTreeMap::new();
        for slice in table.slices(context).expect("slices") {
            all(slice, &sender, &mut ended);
        }
        drop(sender);
        let mut rows = Vec::new();
        for batch in batches {
            let (names, pids) = (batch.column(0).as_string_view(), batch.column(1).as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                let id =
                    batch.columns().get(2).map(|ids| ids.as_string_view().iter().nth(row).flatten().unwrap_or("NULL"));
                rows.push(format!("{} {} {}", names.value(row), pids.value(row), id.unwrap_or("-")));
            }
        }
        (rows, ended)
    }

    #[test]
    fn a_table_is_read_where_each_process_looks() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        for inside in ["proc/self/ns", "proc/42/ns", "proc/43/ns", "proc/44", "container", "empty"] {
            std::fs::create_dir_all(at(inside)).expect("a folder");
        }
        std::fs::write(at("names"), "host\n").expect("a file");
        std::fs::write(at("container/names"), "web\nworker\n").expect("a file");
        symlink("/container", at("proc/42/root")).expect("a root");
        symlink("mnt:[4026532001]", at("proc/42/ns/mnt")).expect("a namespace");
        symlink("/empty", at("proc/43/root")).expect("a root");
        let table = Name::table(&Sys::at(folder.path()));
        assert!(table.checks_filters() && table.spec().columns[1].hidden && table.spec().columns[1].index);
        assert_eq!(table.spec().identity.join(" "), "name pid_with_namespace");
        let asked = |pids: &[i64], columns: &[usize]| {
            let keys = Arc::new(pids.iter().map(|pid| Scalar::Integer(*pid)).collect());
            let constraint = ColumnConstraint { keys: Some(keys), ..ColumnConstraint::default() };
            let constraints = Arc::new(Constraints([(1, constraint)].into()));
            ScanContext { constraints, ..ScanContext::new(columns.iter().copied()) }
        };

        let (rows, ended) = read(&table, &ScanContext::new([0, 1]));
        assert_eq!((rows.join(", ").as_str(), ended.keys().next().map(String::as_str)), ("host 0 -", Some("")));

        // 44 is not there, 43 lives where the file is not: both are reported, and the others come.
        let context = asked(&[42, 0, 43, 44, 42], &[0, 1, 2]);
        let (rows, ended) = read(&table, &context);
        assert_eq!(rows, ["host 0 NULL", "web 42 4026532001", "worker 42 4026532001"]);
        let failed: Vec<_> = ended.iter().filter(|(_, outcome)| outcome.is_err()).map(|(label, _)| &**label).collect();
        assert_eq!(failed, ["the namespace of process 43"]);
        let warnings = |context: &ScanContext| context.query.diagnostics().warnings().len();
        assert_eq!(warnings(&context), 1);
        let joined = ScanContext { joined: [1].into(), ..asked(&[44], &[0, 1]) };
        let (rows, _) = read(&table, &joined);
        assert_eq!((rows.len(), warnings(&joined)), (0, 0), "a process that a join brings may have ended");

        let filters: [Arc<dyn RowFilter>; 1] = [Arc::new(IsProcess(42))];
        let (rows, _) = read(&table, &ScanContext { filters: filters.into(), ..asked(&[0, 42], &[0, 1]) });
        assert_eq!(rows, ["web 42 -", "worker 42 -"]);
    }
}
