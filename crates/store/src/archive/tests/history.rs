//! Random worlds, recorded and compacted, are read back at every moment.

use super::*;
use crate::Retention;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// A world that changes a little at each reading.
fn change(world: &mut BTreeMap<String, Pod>, random: &mut SmallRng, most: usize) {
    for _ in 0..random.random_range(0..12) {
        let one = pod(random.random_range(0..most), "Running", 0);
        match random.random_range(0..4) {
            0 => drop(world.remove(&one.uid)),
            1 => drop(world.insert(one.uid.clone(), one)),
            _ => drop(world.entry(one.uid.clone()).and_modify(|pod| pod.restarts += 1).or_insert(one)),
        }
    }
}

async fn history(seed: u64) {
    let (_, archive) = in_memory().await;
    let mut random = SmallRng::seed_from_u64(seed);
    let mut world = BTreeMap::new();
    let mut worlds = Vec::new();
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("the first start");
    let (mut at, mut folded, mut replaced) = (START, 0, 0);
    for number in 0..120 {
        at += random.random_range(1..6 * HOUR);
        change(&mut world, &mut random, 40);
        recorder.record(&world, at).await.expect("a reading");
        worlds.push((at, world.clone()));
        if random.random_range(0..10) == 0 {
            let done = recorder.writer.compact(Timestamp(at)).await.expect("compaction");
            (folded, replaced) = (folded + done.folded, replaced + done.before);
        }
        if number % 40 == 39 {
            let known = recorder.open.clone();
            recorder = Recorder::start(&archive, "node-1").await.expect("a restart");
            assert_eq!(recorder.open, known, "what is open after a restart");
            recorder.last = Some(at);
        }
    }
    assert!(folded > 100 && replaced > 50, "{folded} ends folded, {replaced} files replaced");
    for (at, world) in &worlds {
        let expected: Vec<Pod> = world.values().cloned().collect();
        assert_eq!(as_of(&archive, *at).await, expected, "seed {seed}, as of {at}");
        assert_eq!(as_of(&archive, *at + 1).await, expected, "seed {seed}, just after {at}");
    }
    assert_eq!(as_of(&archive, START).await, [], "before the first reading");
    // Every version once: the same set however it is stored, and each is within a period only if it lived in it.
    let all = read(&archive, Span::Between { from: None, to: None }).await;
    let mut keys: Vec<(String, i64)> = all.iter().map(|version| (version.pod.uid.clone(), version.from)).collect();
    keys.dedup();
    assert_eq!(keys.len(), all.len());
    let (from, to) = (worlds[30].0, worlds[60].0);
    let lived = |version: &&Version| version.from <= to && version.to.is_none_or(|end| end > from);
    let expected: Vec<Version> = all.iter().filter(lived).cloned().collect();
    assert_eq!(read(&archive, Span::Between { from: Some(Timestamp(from)), to: Some(Timestamp(to)) }).await, expected);
    // Without version columns: the same rows.
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let bare = Read { version_columns: Some(Vec::new()), ..Read::new(Span::AsOf(Timestamp(to)), vec![]) };
    let count = |piece: &Piece| if let Piece::Rows(batch) = piece { batch.num_rows() } else { 0 };
    assert_eq!(pieces(&snapshot, bare).await.iter().map(count).sum::<usize>(), worlds[60].1.len());
    let verified = archive.verify().await.expect("everything can be read");
    assert_eq!(verified.breaks, []);
    assert!(verified.files > 0 && verified.entries > 100, "{verified:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_history_is_read_back_at_every_moment() {
    for seed in [1, 2, 3] {
        history(seed).await;
    }
}

#[tokio::test]
async fn an_unchanged_reading_writes_nothing() {
    let (store, archive) = in_memory().await;
    let world = BTreeMap::from([pod(1, "Running", 0)].map(|pod| (pod.uid.clone(), pod)));
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("a start");
    recorder.record(&world, START).await.expect("a reading");
    let before: Vec<_> = store.list(None).collect::<Vec<_>>().await;
    recorder.record(&world, START + SECOND).await.expect("a reading");
    assert_eq!(store.list(None).collect::<Vec<_>>().await.len(), before.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_share_a_location_without_losing_a_reading() {
    let scratch = Scratch::new();
    let record = |name: String| {
        let location = scratch.location();
        async move {
            let archive = Archive::open(&location).await.expect("the location can be opened");
            let mut recorder = Recorder::start(&archive, &name).await.expect("a start");
            for number in 0..25 {
                let one = pod(number, &name, 0);
                let world = BTreeMap::from([(one.uid.clone(), one)]);
                recorder.record(&world, START + number as i64 * SECOND).await.expect("a reading");
            }
            recorder.writer.compact(Timestamp(START + HOUR)).await.expect("compaction");
        }
    };
    futures::future::join_all((0..4).map(|number| record(format!("node-{number}")))).await;
    let archive = Archive::open(&scratch.location()).await.expect("the location can be opened");
    let all = read(&archive, Span::Between { from: None, to: None }).await;
    assert_eq!(all.len(), 100);
    assert_eq!(all.iter().filter(|version| version.to.is_none()).count(), 4);
    assert_eq!(archive.verify().await.expect("everything can be read").breaks, []);
    assert_eq!(archive.tables().await.expect("the directory can be listed"), [TABLE]);
}

#[tokio::test]
async fn the_second_writer_of_a_name_ends_the_first() {
    let (_, archive) = in_memory().await;
    let mut first = Recorder::start(&archive, "node-1").await.expect("a start");
    let other = Recorder::start(&archive, "node-2").await.expect("a start");
    let world = BTreeMap::from([pod(1, "Running", 0)].map(|pod| (pod.uid.clone(), pod)));
    first.record(&world, START).await.expect("a writer of another name is no matter");
    let mut second = Recorder::start(&archive, "node-1").await.expect("a start");
    assert_eq!(second.open.len(), 1);
    let error = first.record(&BTreeMap::new(), START + SECOND).await.expect_err("the name is taken");
    assert!(matches!(&error, crate::Error::OtherWriter { writer, .. } if writer == "node-1"), "{error}");
    second.record(&BTreeMap::new(), START + SECOND).await.expect("a reading");
    drop(other);
    assert_eq!(as_of(&archive, START + SECOND).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_removes_what_is_old_and_deletes_it_after_the_grace_period() {
    let scratch = Scratch::new();
    let archive = Archive::open(&scratch.location()).await.expect("the location can be opened");
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("a start");
    let day = 24 * HOUR;
    for number in 0..60 {
        let stays = pod(0, "Running", 0);
        let goes = pod(1 + number, "Running", 0);
        let world = BTreeMap::from([stays, goes].map(|pod| (pod.uid.clone(), pod)));
        recorder.record(&world, START + number as i64 * day).await.expect("a reading");
        recorder.writer.compact(Timestamp(START + number as i64 * day)).await.expect("compaction");
    }
    let now = Timestamp(START + 59 * day);
    let before = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let count = || async { files(&scratch, ".parquet").len() };
    let keep = Retention { age: Some(Duration::from_secs(10 * 86400)), bytes: None, grace: Duration::from_secs(3600) };
    let retained = recorder.writer.retain(&keep, now).await.expect("retention");
    assert!(retained.removed > 0 && retained.deleted == 0, "{retained:?}");
    // What is younger is there, what is open too, and a reader that started before still has everything.
    let all = read(&archive, Span::Between { from: None, to: None }).await;
    assert!(all.iter().any(|version| version.pod.uid == pod(0, "", 0).uid && version.to.is_none()));
    let young = |at: i64| as_of(&archive, START + at * day);
    assert_eq!(young(55).await.len(), 2);
    assert!(all.len() < 60, "{} versions", all.len());
    assert_eq!(
        of_pieces(pieces(&before, Read::new(Span::Between { from: None, to: None }, names(&spec()))).await).len(),
        61
    );
    let had = count().await;
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    for entry in files(&scratch, ".json").iter().filter(|entry| entry.to_string_lossy().contains("_delta_log")) {
        let entry = std::fs::File::options().append(true).open(entry).expect("it can be opened");
        entry.set_modified(long_ago).expect("it can be dated back");
    }
    let keep = Retention { age: None, bytes: Some(1), grace: Duration::ZERO };
    let retained = recorder.writer.retain(&keep, now).await.expect("retention");
    assert!(retained.removed > 0 && retained.deleted > 0, "{retained:?}");
    assert!(count().await < had);
    let left = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let checkpoints = files(&scratch, ".checkpoint.parquet").len();
    assert_eq!(count().await, left.size().0 + checkpoints, "only used files are left");
    // Open versions stay, and the chain is complete from the newest checkpoint on.
    assert_eq!(as_of(&archive, now.0).await.len(), 2);
    let reopened = Archive::open(&scratch.location()).await.expect("the location can be opened");
    assert_eq!(as_of(&reopened, now.0).await.len(), 2);
    assert_eq!(reopened.verify().await.expect("everything can be read").breaks, []);
    assert!(!log_entry(&scratch, 0).exists(), "the log's first entries are deleted");
}

fn log_entry(scratch: &Scratch, version: u64) -> PathBuf {
    scratch.store().join(format!("{TABLE}/_delta_log/{version:020}.json"))
}

/// A writer that was idle while the entries after its state were deleted must not write over them.
#[tokio::test]
async fn an_idle_writer_finds_the_log_where_it_is_now() {
    let (store, archive) = in_memory().await;
    let mut idle = Recorder::start(&archive, "idle").await.expect("a start");
    let other = open_at(store.clone()).await.expect("the store");
    let mut busy = Recorder::start(&other, "busy").await.expect("a start");
    for number in 0..120 {
        let one = pod(number, "Running", 0);
        busy.record(&BTreeMap::from([(one.uid.clone(), one)]), START + number as i64 * SECOND)
            .await
            .expect("a reading");
        busy.writer.compact(Timestamp(START)).await.expect("compaction");
    }
    let deleted = busy.writer.log.clean(std::time::SystemTime::now()).await.expect("clean-up");
    assert!(deleted > 100, "{deleted}");
    idle.writer.log.age().await;
    let one = pod(777, "Running", 0);
    idle.record(&BTreeMap::from([(one.uid.clone(), one.clone())]), START + HOUR).await.expect("a reading");
    let anew = open_at(store).await.expect("the store");
    let now = as_of(&anew, START + HOUR).await;
    assert_eq!(now.len(), 2);
    assert!(now.contains(&one));
    assert_eq!(anew.verify().await.expect("everything can be read").breaks, []);
}

/// All files below the store whose names end so.
pub(super) fn files(scratch: &Scratch, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![scratch.store()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the store can be listed").flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => folders.push(entry.path()),
                false if entry.file_name().to_string_lossy().ends_with(end) => found.push(entry.path()),
                false => {}
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let archive = Archive::open(&scratch.location()).await.expect("the location can be opened");
    assert!(!scratch.store().exists(), "opening creates nothing");
    // What a process left behind that was killed while it wrote a file.
    std::fs::create_dir_all(scratch.store().join(".staged")).expect("a directory");
    std::fs::write(scratch.store().join(".staged/killed"), "half").expect("a file");
    std::fs::set_permissions(scratch.store(), std::fs::Permissions::from_mode(0o700)).expect("its owner's");
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("a start");
    let world = BTreeMap::from([pod(1, "Running", 0)].map(|pod| (pod.uid.clone(), pod)));
    recorder.record(&world, START).await.expect("a reading");
    archive.put_state("heartbeat/node 1", "alive".into()).await.expect("a state");
    archive.put_state("heartbeat/node 1", "still alive".into()).await.expect("a state");
    let states = archive.states("heartbeat/").await.expect("the states");
    assert_eq!(states, [("heartbeat/node 1".to_owned(), bytes::Bytes::from("still alive"))]);
    assert!(!scratch.store().join(".staged/killed").exists());
    let mode = |path: &std::path::Path| path.metadata().expect("it exists").permissions().mode() & 0o777;
    let all = files(&scratch, "");
    assert!(all.len() >= 5, "{all:?}");
    for file in &all {
        assert_eq!(mode(file), 0o600, "{}", file.display());
        assert_eq!(mode(file.parent().expect("it has a directory")), 0o700, "the directory of {}", file.display());
    }
    assert!(!all.iter().any(|file| file.to_string_lossy().contains(".staged")));
}

#[tokio::test]
async fn verification_names_the_first_break() {
    let scratch = Scratch::new();
    let archive = Archive::open(&scratch.location()).await.expect("the location can be opened");
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("a start");
    for number in 0..70 {
        let one = pod(number, "Running", 0);
        recorder
            .record(&BTreeMap::from([(one.uid.clone(), one)]), START + number as i64 * SECOND)
            .await
            .expect("a reading");
    }
    recorder
        .writer
        .retain(&Retention { age: None, bytes: None, grace: Duration::from_secs(3600) }, Timestamp(START))
        .await
        .expect("a checkpoint");
    let one = pod(99, "Running", 0);
    recorder.record(&BTreeMap::from([(one.uid.clone(), one)]), START + HOUR).await.expect("a reading");
    let check = || async {
        let archive = Archive::open(&scratch.location()).await.expect("the location can be opened");
        let breaks = archive.verify().await.expect("everything can be read").breaks;
        breaks.into_iter().map(|found| found.path.replace(&scratch.location(), "")).collect::<Vec<_>>()
    };
    assert_eq!(check().await, [] as [String; 0]);
    let name = |path: &std::path::Path| path.display().to_string().replace(&scratch.location(), "");
    let changed = |path: PathBuf, change: fn(&mut Vec<u8>)| {
        let original = std::fs::read(&path).expect("it can be read");
        let mut bytes = original.clone();
        change(&mut bytes);
        std::fs::write(&path, bytes).expect("it can be written");
        move || std::fs::write(&path, original).expect("it can be written")
    };
    // A log entry, an entry that is missing, a checkpoint, and a data file.
    let entry = log_entry(&scratch, 20);
    let undo = changed(entry.clone(), |bytes| {
        let text = String::from_utf8_lossy(bytes).replace("\"timestamp\":1", "\"timestamp\":2");
        *bytes = text.into_bytes();
    });
    assert_eq!(check().await, [name(&entry)]);
    undo();
    let kept = std::fs::read(&entry).expect("it can be read");
    std::fs::remove_file(&entry).expect("it can be removed");
    assert_eq!(check().await[0], name(&entry));
    std::fs::write(&entry, kept).expect("it can be written");
    let checkpoint = files(&scratch, ".checkpoint.parquet").remove(0);
    let undo = changed(checkpoint.clone(), |bytes| bytes[100] ^= 1);
    assert_eq!(check().await[0], name(&checkpoint));
    undo();
    let data = files(&scratch, ".parquet").into_iter().find(|path| path.to_string_lossy().contains("reading-"));
    let data = data.expect("a reading was written");
    let undo = changed(data.clone(), |bytes| bytes[50] ^= 1);
    assert_eq!(check().await, [name(&data)]);
    undo();
    assert_eq!(check().await, [] as [String; 0]);
}
