//! Object stores that fail, at every operation of a recorder's life.

use super::fault::{Fault, Faulty};
use super::*;
use crate::{Result, Retention};
use std::time::Duration;

const READINGS: usize = 24;

/// The world at a reading: pods come, change and go.
fn world(number: usize) -> BTreeMap<String, Pod> {
    let pods = (number / 2..number / 2 + 6).map(|own| pod(own, "Running", (number / 3) as i64));
    pods.map(|pod| (pod.uid.clone(), pod)).collect()
}

fn at(number: usize) -> i64 {
    START + number as i64 * HOUR
}

/// Records from a reading on, until something fails. Returns the reading that was acknowledged last.
async fn live(store: Arc<dyn ObjectStore>, first: usize) -> (Option<usize>, Result<()>) {
    let mut acknowledged = None;
    let run = async {
        let archive = open_at(store).await?;
        let mut recorder = Recorder::start(&archive, "node-1").await?;
        for number in first..READINGS {
            recorder.record(&world(number), at(number)).await?;
            acknowledged = Some(number);
            if number % 9 == 8 {
                recorder.writer.compact(Timestamp(at(number))).await?;
            }
            if number % 12 == 11 {
                let keep = Retention { age: None, bytes: None, grace: Duration::ZERO };
                recorder.writer.retain(&keep, Timestamp(at(number))).await?;
            }
        }
        Ok(())
    };
    let outcome = run.await;
    (acknowledged, outcome)
}

/// The versions that the first readings find.
fn expected(readings: usize) -> Vec<Version> {
    let mut open: BTreeMap<String, Version> = BTreeMap::new();
    let mut all = Vec::new();
    for number in 0..readings {
        let world = world(number);
        let (still, ended): (Vec<Version>, Vec<Version>) =
            open.into_values().partition(|version| world.get(&version.pod.uid) == Some(&version.pod));
        all.extend(ended.into_iter().map(|version| Version { to: Some(at(number)), ..version }));
        open = still.into_iter().map(|version| (version.pod.uid.clone(), version)).collect();
        for (uid, pod) in world {
            open.entry(uid).or_insert(Version { pod, from: at(number), to: None });
        }
    }
    all.extend(open.into_values());
    all.sort();
    all
}

/// Checks that everything up to a reading is there once, and as it was written.
async fn check(store: &Arc<dyn ObjectStore>, readings: usize, what: &str) {
    let archive = open_at(store.clone()).await.expect("the store can be opened");
    let mut all = read(&archive, Span::Between { from: None, to: None }).await;
    // A reading that was not acknowledged may be there, too.
    let last = at(readings) - HOUR;
    all.retain(|version| version.from <= last);
    all.iter_mut().for_each(|version| version.to = version.to.filter(|to| *to <= last));
    all.sort();
    assert_eq!(all, expected(readings), "{what}");
    let verified = archive.verify().await.expect("everything can be read");
    assert_eq!(verified.breaks, [], "{what}");
}

/// The data files that are not in the log.
async fn orphans(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    let archive = open_at(store.clone()).await.expect("the store can be opened");
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let known = |path: &str| {
        let own = path.strip_prefix(&format!("{TABLE}/")).unwrap_or_default();
        snapshot.state.contents.files.contains_key(own) || snapshot.state.contents.removed.contains_key(own)
    };
    let objects: Vec<_> = store.list(None).collect().await;
    let paths = objects.into_iter().map(|object| object.expect("a listing").location.to_string());
    paths.filter(|path| path.ends_with(".parquet") && !path.contains("_delta_log") && !known(path)).collect()
}

fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(object_store::memory::InMemory::new())
}

/// The number of operations of an undisturbed life.
async fn operations() -> u64 {
    let store = Faulty::new(memory(), Fault::None, 0);
    let (acknowledged, outcome) = live(store.clone(), 0).await;
    outcome.expect("nothing fails");
    assert_eq!(acknowledged, Some(READINGS - 1));
    let archive = open_at(store.clone()).await.expect("the store can be opened");
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let mut roles = snapshot.state.contents.files.values().map(|file| file.role);
    assert!(roles.any(|role| role == super::super::file::Role::Sealed), "there was something to compact");
    store.count.load(std::sync::atomic::Ordering::SeqCst)
}

/// Every third operation, because a debug build takes minutes for all; each with `INDAGO_ALL_OPERATIONS`.
fn operations_to_stop(all: u64) -> impl Iterator<Item = u64> {
    (0..all).step_by(if std::env::var_os("INDAGO_ALL_OPERATIONS").is_some() { 1 } else { 3 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_operation_it_loses_and_doubles_nothing_and_leaves_no_orphan() {
    let all = operations().await;
    assert!(all > 100, "{all} operations");
    for fault in [Fault::Killed, Fault::KilledAfter] {
        for stop in operations_to_stop(all) {
            let what = format!("{fault:?} at operation {stop}");
            let store = memory();
            let (acknowledged, _) = live(Faulty::new(store.clone(), fault, stop), 0).await;
            let readings = acknowledged.map_or(0, |number| number + 1);
            check(&store, readings, &what).await;
            // The next process finds what is open, and continues.
            let (_, outcome) = live(store.clone(), readings).await;
            outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
            check(&store, READINGS, &what).await;
            assert_eq!(orphans(&store).await, [] as [String; 0], "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_failure_at_any_operation_is_an_error_that_the_recorder_survives() {
    for fault in [Fault::Once, Fault::LostOnce] {
        let mut failures = 0;
        for stop in operations_to_stop(operations().await) {
            let store = memory();
            let faulty: Arc<dyn ObjectStore> = Faulty::new(store.clone(), fault, stop);
            let mut next = 0;
            let mut recorder: Option<Recorder> = None;
            let archive = loop {
                match open_at(faulty.clone()).await {
                    Ok(archive) => break archive,
                    Err(_) => failures += 1,
                }
            };
            // The same process goes on: with what it knows, or with what it reads after an error.
            while next < READINGS {
                let outcome = async {
                    if recorder.is_none() {
                        recorder = Some(Recorder::start(&archive, "node-1").await?);
                    }
                    let own = recorder.as_mut().expect("it was started");
                    own.record(&world(next), at(next)).await?;
                    next += 1;
                    if next % 9 == 0 {
                        own.writer.compact(Timestamp(at(next))).await?;
                    }
                    Ok::<_, crate::Error>(())
                };
                if let Err(error) = outcome.await {
                    failures += 1;
                    if let (crate::Error::Unsettled { .. }, Some(own)) = (&error, recorder.as_mut()) {
                        own.load().await.expect("the store works again");
                    }
                }
            }
            check(&store, READINGS, &format!("{fault:?} at operation {stop}")).await;
        }
        assert!(failures > 50, "{failures} failures");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_an_error_and_what_was_recorded_stays_readable() {
    let all = operations().await;
    for stop in (0..all).step_by(7) {
        let store = memory();
        let (acknowledged, outcome) = live(Faulty::new(store.clone(), Fault::Full, stop), 0).await;
        let readings = acknowledged.map_or(0, |number| number + 1);
        // The last operations of a life may be reads.
        if let Err(error) = outcome {
            assert!(error.to_string().contains("no storage space"), "{error}");
        }
        check(&store, readings, &format!("full at operation {stop}")).await;
        let (_, outcome) = live(store.clone(), readings).await;
        outcome.expect("the disk has room again");
        check(&store, READINGS, "after the disk was full").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_store_answers_all_the_same() {
    let store = memory();
    let (acknowledged, outcome) = live(Faulty::new(store.clone(), Fault::Slow(2), 0), 0).await;
    outcome.expect("slow is no failure");
    assert_eq!(acknowledged, Some(READINGS - 1));
    check(&store, READINGS, "slow").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_costs_its_own_rows_only() {
    let store = memory();
    let archive = open_at(store.clone()).await.expect("an empty store");
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("a start");
    for number in 0..5 {
        recorder.record(&world(number), at(number)).await.expect("a reading");
    }
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let file = snapshot.state.contents.files.values().find(|file| file.from == Some((at(0), at(0))) && file.ends == 0);
    let file = file.expect("the first reading has a file").clone();
    let path = snapshot.log.path(&file.add.path);
    let whole = recorder.writer.log.place.get(&path, u64::MAX).await.expect("a read").expect("the file");
    let mut scrambled = whole.to_vec();
    scrambled.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(7).wrapping_add(13));
    for damaged in [Some(whole.slice(..whole.len() / 2).to_vec()), Some(scrambled), Some(Vec::new()), None] {
        match damaged {
            Some(bytes) => recorder.writer.log.place.put(&path, bytes.into()).await.expect("a write"),
            None => recorder.writer.log.place.delete(&path).await.expect("a deletion"),
        }
        let archive = open_at(store.clone()).await.expect("the store");
        let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
        let all = pieces(&snapshot, Read::new(Span::AsOf(Timestamp(at(2))), names(&spec()))).await;
        let mut named = Vec::new();
        let mut found = Vec::new();
        for piece in all {
            match piece {
                Piece::Rows(batch) => found.extend(of_batch(&batch).into_iter().map(|version| version.pod)),
                Piece::Damaged { file, from, .. } => named.push((file, from)),
                Piece::Misfit { column, message, .. } => panic!("{column}: {message}"),
            }
        }
        assert_eq!(named, [(snapshot.log.place.shown(&path), Some(Timestamp(at(0))))]);
        // What was written later is complete.
        let later = pieces(&snapshot, Read::new(Span::AsOf(Timestamp(at(4))), names(&spec()))).await;
        let later =
            later.into_iter().filter_map(|piece| if let Piece::Rows(batch) = piece { Some(batch) } else { None });
        let mut later: Vec<Pod> = later.flat_map(|batch| of_batch(&batch)).map(|version| version.pod).collect();
        later.sort();
        assert_eq!(later, world(4).into_values().collect::<Vec<_>>());
        // One pod came later; the others have been there since reading 0.
        assert_eq!(found, [pod(6, "Running", 0)]);
    }
    // Compaction leaves it where it is, and goes on with the others.
    for number in 5..20 {
        recorder.record(&world(number), at(number)).await.expect("a reading");
    }
    recorder.writer.compact(Timestamp(at(20))).await.expect("compaction");
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    assert!(snapshot.state.contents.files.contains_key(&file.add.path));
    assert!(snapshot.size().0 < 10, "{} files", snapshot.size().0);
}
