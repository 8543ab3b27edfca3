//! Reads all rows and columns of host tables over a host with one arbitrary file, whose kind is `INDAGO_FUZZ_KIND`. A scan
//! never panics, hangs or ignores its cancellation, and its rows and its memory are limited by the size of the file.
#![no_main]

mod kinds;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex},
    thread,
    time::{Duration, Instant},
};

use arrow_array::{Array, RecordBatch};
use indago_table::{
    Budget, Constraints, Error, Kind as Type, Meter, Reading, Scalar, ScanContext, Sink, Slice, Sys, TableRef,
    scan::BoxFuture,
};
use libfuzzer_sys::fuzz_target;

use kinds::{KINDS, Kind};

/// Each table may return this many rows and bytes, and as many times the size of the file.
const ROWS: (usize, usize) = (4096, 4);
const BYTES: (usize, usize) = (32 << 20, 1024);

/// Limit of what a scan may charge to its query. `-rss_limit_mb` limits what it does not charge.
const MEMORY: usize = 256 << 20;

/// A scan is cancelled after this time. If it does not stop, libFuzzer's timeout ends it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Files and links that a host has besides the input.
const FILES: &[(&str, &str)] =
    &[("etc/passwd", "root:x:0:0::/root:/bin/sh\n"), ("proc/sys/kernel/osrelease", "6.1\n"), ("proc/7/comm", "a\n")];
const LINKS: &[(&str, &str)] = &[
    ("proc/7/exe", "/bin/program"),
    ("proc/7/root", "/"),
    ("proc/7/fd/3", "anon_inode:bpf-prog"),
    ("proc/7/fd/4", "socket:[1]"),
    ("proc/7/fd/5", "pipe:[2]"),
    ("proc/7/ns/net", "net:[3]"),
    ("proc/self/ns/net", "net:[3]"),
];

struct World {
    input: PathBuf,
    /// Tables with the constraints of their scans.
    tables: Vec<(TableRef, Arc<Constraints>)>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let name = std::env::var("INDAGO_FUZZ_KIND").unwrap_or_default();
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        panic!("INDAGO_FUZZ_KIND is none of {}", names.join(", "));
    };
    thread::spawn(|| {
        loop {
            thread::sleep(PATIENCE / 10);
            let running = RUNNING.lock().expect("no thread panics with the lock");
            if let Some((since, meter)) = &*running
                && since.elapsed() > PATIENCE
            {
                meter.cancel();
            }
        }
    });
    World::new(kind)
});

/// The running scan and its start.
static RUNNING: Mutex<Option<(Instant, Arc<Meter>)>> = Mutex::new(None);

impl World {
    fn new(kind: &Kind) -> World {
        let root = PathBuf::from(format!("/dev/shm/indago-fuzz-{}", std::process::id()));
        let place = |path: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("it is below the root")).expect("a directory");
            path
        };
        let input = place(kind.files[0]);
        fs::write(&input, "").expect("a file");
        fs::set_permissions(&input, fs::Permissions::from_mode(0o755)).expect("our own file");
        for file in &kind.files[1..] {
            fs::hard_link(&input, place(file)).expect("a new file");
        }
        for (file, text) in FILES.iter().filter(|(file, _)| !kind.files.contains(file)) {
            fs::write(place(file), text).expect("a file");
        }
        for (link, target) in LINKS {
            symlink(target, place(link)).expect("a new link");
        }
        let tables = indago_tables_host::tables(&[Sys::at(&root)]);
        let of_kind = |name: &&str| {
            let table = tables.iter().find(|table| table.spec().name == **name).expect("a table of this name").clone();
            let mut constraints = Constraints::default();
            for (position, column) in table.spec().columns.iter().enumerate().filter(|(_, column)| column.index) {
                let keys = kind.keys.iter().filter(|(name, _)| column.name == *name);
                let keys = keys.map(|(_, key)| match column.kind {
                    Type::BigInt => Scalar::Integer(key.parse().expect("a number")),
                    _ => Scalar::Text(key.replace("{root}", root.to_str().expect("UTF-8"))),
                });
                let keys: Vec<_> = keys.collect();
                if !keys.is_empty() {
                    constraints.0.entry(position).or_default().keys = Some(Arc::new(keys));
                }
            }
            (table, Arc::new(constraints))
        };
        let tables = kind.tables.iter().map(of_kind).collect();
        World { input, tables }
    }
}

/// Counts the rows and bytes of batches.
#[derive(Default)]
struct Count {
    rows: usize,
    bytes: usize,
}

impl Sink for Count {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        self.rows += batch.num_rows();
        self.bytes += batch.columns().iter().map(|column| column.get_buffer_memory_size()).sum::<usize>();
        true
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        let goes_on = self.blocking_send(batch);
        Box::pin(async move { goes_on })
    }
}

/// Memory that is left to a scan.
struct Left(usize);

impl Budget for Left {
    fn take(&mut self, bytes: usize) -> Result<(), Error> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| Error::OutOfMemory("the limit of the target".to_owned()))?;
        Ok(())
    }

    fn give_back(&mut self, bytes: usize) {
        self.0 += bytes;
    }
}

fn read(slice: Slice, count: &mut Count) -> Result<(), Error> {
    match slice.reading {
        Reading::Blocking(read) => read(count),
        Reading::Async(_) => unreachable!("tables of files are blocking"),
        Reading::Finding(find) => {
            let mut outcome = Ok(());
            find(&mut |slice| {
                outcome = read(slice, count);
                outcome.is_ok()
            })?;
            outcome
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let world = &*WORLD;
    fs::write(&world.input, input).expect("our own file");
    for (table, constraints) in &world.tables {
        let spec = table.spec();
        let context = ScanContext { constraints: constraints.clone(), ..ScanContext::new(0..spec.columns.len()) };
        context.query.charge(Left(MEMORY));
        *RUNNING.lock().expect("no thread panics with the lock") = Some((Instant::now(), context.meter.clone()));
        let mut count = Count::default();
        // An error is a good outcome for such a file.
        let _ =
            table.slices(&context).and_then(|slices| slices.into_iter().try_for_each(|slice| read(slice, &mut count)));
        *RUNNING.lock().expect("no thread panics with the lock") = None;
        let texts = context.query.diagnostics().warnings();
        count.bytes += texts.iter().map(|warning| warning.message.len()).sum::<usize>();
        let is_within = |found: usize, (constant, factor): (usize, usize)| found <= constant + factor * input.len();
        assert!(is_within(count.rows, ROWS), "{}: {} rows", spec.name, count.rows);
        assert!(is_within(count.bytes, BYTES), "{}: {} bytes", spec.name, count.bytes);
    }
});
