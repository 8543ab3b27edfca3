//! A table of files, read as a process sees them: inside the mount namespace of a container's process, say.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::cgroup;
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

/// A table of files with the hidden keys `pid_with_namespace` and `container_id`: the host's rows, or those that the
/// table has where a process or a container looks. The table itself reads one machine and knows nothing of this.
/// `#[table(namespaces)]` makes a table one; `#[table(namespaces(mount_namespace_id))]` adds the namespace's inode
/// number.
#[derive(Clone)]
pub struct InNamespaces {
    host: Sys,
    spec: Arc<TableSpec>,
    /// Position of `pid_with_namespace`.
    pid: usize,
    /// Position of `mount_namespace_id`.
    namespace: Option<usize>,
    /// Position of `container_id`.
    container: usize,
    of: fn(&Sys) -> TableRef,
}

impl fmt::Debug for InNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InNamespaces").field(&self.spec.name).finish()
    }
}

/// Whose view of the files is read.
enum View {
    Host,
    Process {
        pid: i64,
        /// Its container, if that is known already.
        container: Option<Arc<str>>,
    },
}

impl View {
    fn label(&self) -> String {
        match self {
            View::Host => String::new(),
            View::Process { pid, container: None } => format!("the namespace of process {pid}"),
            View::Process { container: Some(id), .. } => label_of_container(id),
        }
    }
}

fn label_of_container(id: &str) -> String {
    format!("container {id}")
}

impl InNamespaces {
    /// The table that `of` makes of a machine, over the host and whatever its processes see.
    pub fn new<T: Row>(host: &Sys, has_id: bool, of: fn(&Sys) -> TableRef) -> Self {
        let mut spec = TableSpec::clone(T::SPEC);
        let key = |name: &'static str, kind, description| {
            let mut column = ColumnSpec::new(name, kind, description);
            (column.index, column.slice, column.hidden) = (true, true, true);
            column.key_effect = KeyEffect::Selects;
            column.needs = (&[PTRACE]).into();
            column
        };
        let description = "Process whose mount namespace is looked into; 0 is the host.";
        let mut column = key("pid_with_namespace", Kind::BigInt, description);
        column.nullable = false;
        column.added = !OSQUERYS.contains(&&*spec.name);
        let pid = spec.columns.len();
        let mut added = vec![column];
        if has_id {
            let description = "Inode number of the mount namespace that was looked into.";
            let mut column = ColumnSpec::new("mount_namespace_id", Kind::Text, description);
            column.hidden = true;
            added.push(column);
        }
        let description = "Container whose files are looked into, by its full ID: through the root of its first process. \
                           NULL is the host.";
        let mut column = key("container_id", Kind::Text, description);
        column.added = true;
        added.push(column);
        let container = pid + added.len() - 1;
        spec.columns.to_mut().extend(added);
        if !spec.identity.is_empty() {
            spec.identity.to_mut().push(Text::Borrowed("pid_with_namespace"));
        }
        InNamespaces {
            host: host.clone(),
            spec: Arc::new(spec),
            pid,
            namespace: has_id.then_some(pid + 1),
            container,
            of,
        }
    }

    /// Whether a query needs the value of a column.
    fn needs(&self, context: &ScanContext, column: usize) -> bool {
        context.columns.contains(&column) || context.filters.iter().any(|filter| filter.columns().contains(&column))
    }

    /// The slices of the table in one view.
    fn slices_of(&self, context: &ScanContext, host: &Sys, view: &View) -> Result<Vec<Slice>> {
        let (pid, folder) = match view {
            View::Host => (0, host.own_process().to_owned()),
            View::Process { pid, .. } => (*pid, format!("/proc/{pid}")),
        };
        let namespace = match self.namespace.filter(|column| self.needs(context, *column)) {
            Some(_) => mount_namespace(host, &folder)?,
            None => None,
        };
        let container = match view {
            View::Host => None,
            View::Process { container: Some(id), .. } => Some(id.clone()),
            View::Process { .. } if self.needs(context, self.container) => container_of(host, pid)?,
            View::Process { .. } => None,
        };
        let text = |text: Option<Arc<str>>| text.map_or(Constant::Null(Kind::Text), Constant::Text);
        let mut values = vec![Constant::Integer(pid)];
        values.extend(self.namespace.map(|_| text(namespace)));
        values.push(text(container));
        let stamp = Stamp::new(&self.spec, values);
        let mut inner = stamp.inner(context);
        let sys = match view {
            View::Host => self.host.clone(),
            View::Process { .. } => {
                inner.within = Some(context.slice_name(&view.label()).into());
                let root = format!("{folder}/root");
                // Only the kernel that runs the process can follow the link into its namespace.
                let entered = match host.has_live_kernel() {
                    true => host.below(&root),
                    false => host.read_link(&root).and_then(|target| host.below(target)),
                };
                entered.needs(PTRACE)?
            }
        };
        let slices = (self.of)(&sys).slices(&inner)?;
        Ok(slices.into_iter().map(|slice| stamp.on_slice(slice, &context.columns)).collect())
    }

    /// The views that a query's keys name. A container without a process of its own is reported.
    fn views(&self, context: &ScanContext, host: &Sys) -> Result<Vec<View>> {
        let keys = |column: usize| context.constraints.keys(column);
        let pids = keys(self.pid).map(|keys| {
            let integer = |key: &Scalar| if let Scalar::Integer(pid) = key { Some(*pid) } else { None };
            let mut pids: Vec<i64> = keys.iter().filter_map(integer).collect();
            pids.sort_unstable();
            pids.dedup();
            pids
        });
        let Some(containers) = keys(self.container) else {
            let pids = pids.unwrap_or_else(|| vec![0]);
            let view = |pid| if pid == 0 { View::Host } else { View::Process { pid, container: None } };
            return Ok(pids.into_iter().map(view).collect());
        };
        let text = |key: &Scalar| if let Scalar::Text(id) = key { Some(Arc::from(id.as_str())) } else { None };
        let mut missing: BTreeSet<Arc<str>> = containers.iter().filter_map(text).collect();
        let has_pids = pids.is_some();
        let wanted = missing.clone();
        let mut views = Vec::new();
        let host_namespace = mount_namespace(host, "/proc/1").ok().flatten();
        for pid in pids.map_or_else(|| all_processes(host), Ok)? {
            host.check_cancelled()?;
            if missing.is_empty() && !has_pids {
                break;
            }
            // A process that cannot be read here is in no container that could be entered.
            let Some(id) = container_of(host, pid).ok().flatten().filter(|id| wanted.contains(id)) else { continue };
            // The runtime itself passes through a container's cgroup in the host's namespace. A container that was
            // just found is entered once; the others of its processes see the same files.
            let own = mount_namespace(host, &format!("/proc/{pid}"));
            let is_of_host = own.is_ok_and(|own| own.is_some() && own == host_namespace);
            if !is_of_host && (missing.remove(&id) || has_pids) {
                views.push(View::Process { pid, container: Some(id) });
            }
        }
        if !has_pids {
            for id in missing {
                let is_short = id.len() < 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
                let hint = if is_short { "; a container is named by its full ID of 64 digits" } else { "" };
                let what = format!("no process of container {id} runs, so its files cannot be reached{hint}");
                context.report(&self.spec.name, &label_of_container(&id), &Error::Unsupported(what));
            }
        }
        Ok(views)
    }
}

/// IDs of all processes, ascending: the first of a container is usually its own first process.
fn all_processes(host: &Sys) -> Result<Vec<i64>> {
    let names = host.read_dir("/proc")?;
    let mut pids: Vec<i64> = names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// The innermost container of a process.
fn container_of(host: &Sys, pid: i64) -> Result<Option<Arc<str>>> {
    let text = host.read_text(format!("/proc/{pid}/cgroup"))?;
    Ok(cgroup::place(&text).map(|place| place.container_id.into()))
}

/// The mount namespace of a process.
fn mount_namespace(host: &Sys, folder: &str) -> Result<Option<Arc<str>>> {
    let link = host.read_link(format!("{folder}/ns/mnt")).needs(PTRACE).if_present()?;
    Ok(link.and_then(|link| namespace_inode(&link)).map(Arc::from))
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
        let is_asked = |column: usize| context.constraints.keys(column).is_some();
        let needs_id = self.namespace.is_some_and(|column| self.needs(context, column));
        if !is_asked(self.pid) && !is_asked(self.container) && !needs_id {
            return self.slices_of(context, &self.host, &View::Host);
        }
        let (table, context) = (self.clone(), context.clone());
        let label_of_all = context.slice_name("");
        // Processes are entered on a thread where that may block, one after the other.
        let find = move |found: &mut dyn FnMut(Slice) -> bool| {
            let host = table.host.for_scan(&context.meter);
            for view in table.views(&context, &host)? {
                host.check_cancelled()?;
                match table.slices_of(&context, &host, &view) {
                    Ok(slices) => {
                        if !slices.into_iter().all(&mut *found) {
                            break;
                        }
                    }
                    Err(error) if matches!(view, View::Host) => return Err(error),
                    // A process from a join may have ended; one that the query names does not exist.
                    Err(Error::Gone(what)) if !context.joined.contains(&table.pid) => {
                        let error = Error::Unsupported(format!("{what} is not there"));
                        context.report(&table.spec.name, &view.label(), &error);
                    }
                    Err(error) => context.report(&table.spec.name, &view.label(), &error),
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

    #[test]
    fn a_table_is_read_inside_each_container_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let (web, gone, early) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
        std::fs::create_dir_all(at("web")).expect("a folder");
        std::fs::write(at("names"), "host\n").expect("a file");
        std::fs::write(at("web/names"), "inside\n").expect("a file");
        for (pid, container, namespace, root) in [
            ("1", None, 1, "/"),
            // The runtime on its way into the container still sees the host's files.
            ("40", Some(&web), 1, "/"),
            ("41", Some(&early), 1, "/"),
            ("42", Some(&web), 2, "/web"),
            ("43", Some(&web), 2, "/web"),
        ] {
            let process = at("proc").join(pid);
            std::fs::create_dir_all(process.join("ns")).expect("a folder");
            let path = container.map_or("/init.scope".to_owned(), |id| format!("/system.slice/docker-{id}.scope"));
            std::fs::write(process.join("cgroup"), format!("0::{path}\n")).expect("a file");
            symlink(root, process.join("root")).expect("a root");
            symlink(format!("mnt:[{namespace}]"), process.join("ns/mnt")).expect("a namespace");
        }
        let table = Name::table(&Sys::at(folder.path()));
        let column = &table.spec().columns[3];
        assert_eq!((&*column.name, column.hidden, column.index, column.added), ("container_id", true, true, true));
        let keyed = |keys: &[(usize, Vec<Scalar>)]| {
            let constraint = |keys: &Vec<Scalar>| ColumnConstraint {
                keys: Some(Arc::new(keys.clone())),
                ..ColumnConstraint::default()
            };
            let constraints = keys.iter().map(|(column, keys)| (*column, constraint(keys))).collect();
            ScanContext { constraints: Arc::new(Constraints(constraints)), ..ScanContext::new([0, 1, 3]) }
        };
        let text = |id: &String| Scalar::Text(id.clone());

        let context = keyed(&[(3, vec![text(&web), text(&gone), text(&early)])]);
        let (rows, ended) = read(&table, &context);
        assert_eq!(rows, [format!("inside 42 {web}")]);
        assert_eq!(ended.keys().collect::<Vec<_>>(), [&format!("container {web}")]);
        let warnings: Vec<_> = context.query.diagnostics().warnings().iter().map(ToString::to_string).collect();
        let missing =
            |id| format!("names (container {id}): no process of container {id} runs, so its files cannot be reached");
        assert_eq!(warnings, [missing(&gone), missing(&early)]);

        let (rows, _) = read(&table, &keyed(&[(1, vec![Scalar::Integer(43)]), (3, vec![text(&web)])]));
        assert_eq!(rows, [format!("inside 43 {web}")]);
        let (rows, _) = read(&table, &keyed(&[(1, vec![Scalar::Integer(0)]), (3, vec![text(&web)])]));
        assert_eq!(rows, [""; 0], "the host is in no container");
        let (rows, _) = read(&table, &keyed(&[(1, vec![Scalar::Integer(0), Scalar::Integer(42)])]));
        assert_eq!(rows, ["host 0 NULL".to_owned(), format!("inside 42 {web}")]);
    }
}
