//! Types that Delta and Parquet do not have, and columns that change.

use super::*;
use arrow_array::builder::{MapBuilder, StringBuilder};
use arrow_array::{BinaryArray, Float64Array, StringArray, TimestampNanosecondArray, UInt64Array};
use arrow_schema::{DataType, TimeUnit};

fn table(columns: Vec<ColumnSpec>, identity: &'static str) -> TableSpec {
    let mut spec = TableSpec::new(TABLE, "host", "", columns);
    spec.identity = vec![identity.into()].into();
    spec
}

async fn write(archive: &Archive, spec: &TableSpec, columns: Vec<(&str, ArrayRef)>, at: i64) {
    let mut writer = archive.writer(spec, &names(spec), "node-1").await.expect("a writer");
    let rows = columns[0].1.len();
    let opened = with_columns((0..rows as i64).map(|row| at + row).collect(), at, None, columns);
    writer.append(Changes { read_at: Timestamp(at), opened: vec![opened], ended: vec![] }).await.expect("a reading");
}

/// All versions in one batch, in the order of their numbers; and what does not fit.
async fn all(archive: &Archive, spec: &TableSpec) -> (RecordBatch, Vec<(String, u64)>) {
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let read = Read { schema: Some(spec.schema()), ..Read::new(Span::Between { from: None, to: None }, names(spec)) };
    let (mut batches, mut misfits) = (Vec::new(), Vec::new());
    for piece in pieces(&snapshot, read).await {
        match piece {
            Piece::Rows(batch) => batches.push(batch),
            Piece::Misfit { column, rows, .. } => misfits.push((column, rows)),
            Piece::Damaged { file, error, .. } => panic!("{file}: {error}"),
        }
    }
    let rows = arrow_select::concat::concat_batches(&batches[0].schema(), &batches).expect("one schema");
    let ids = rows.column(5).as_primitive::<Int64Type>();
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by_key(|row| ids.value(*row as usize));
    let order = arrow_array::UInt32Array::from(order);
    (arrow_select::take::take_record_batch(&rows, &order).expect("rows of the batch"), misfits)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_that_delta_lacks_come_back_as_they_were() {
    let (_, archive) = in_memory().await;
    let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let mut token = ColumnSpec::new("token", Kind::Text, "");
    token.secret = true;
    let spec = table(
        vec![
            token,
            ColumnSpec::new("id", Kind::UnsignedBigInt, ""),
            ColumnSpec::new("ID", Kind::BigInt, ""),
            ColumnSpec::new("load", Kind::Double, ""),
            ColumnSpec::new("at", Kind::Timestamp, ""),
            ColumnSpec::new("exact", Kind::Other(nanoseconds), ""),
            ColumnSpec::new("origin", Kind::Text, ""),
            ColumnSpec::new("a, b", Kind::Blob, ""),
            ColumnSpec::new("tags", Kind::TextList, ""),
            ColumnSpec::new("labels", Kind::TextMap, ""),
            ColumnSpec::new("port", Kind::Other(DataType::UInt16), ""),
        ],
        "id",
    );
    // The last microsecond of the year 9999, and a time after it.
    let times = vec![Some(253_402_300_799_999_999), Some(253_402_300_800_000_000), None];
    let mut labels = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in 0..3 {
        labels.keys().append_value("app");
        labels.values().append_option((row > 0).then_some("web"));
        labels.append(true).expect("keys and values of one length");
    }
    let tags = arrow_array::builder::ListBuilder::new(StringBuilder::new());
    let mut tags = tags;
    for row in 0..3 {
        (0..row).for_each(|tag| tags.values().append_value(format!("tag-{tag}")));
        tags.append(row != 1);
    }
    let port: ArrayRef = Arc::new(arrow_array::UInt16Array::from(vec![40_000, 1, 65_535]));
    write(
        &archive,
        &spec,
        vec![
            ("token", Arc::new(StringArray::from(vec!["s3cret"; 3]))),
            ("id", Arc::new(UInt64Array::from(vec![u64::MAX, 1, 0]))),
            ("ID", Arc::new(Int64Array::from(vec![7, 8, 9]))),
            ("load", Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY, 0.5]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(times.clone()).with_timezone("UTC"))),
            (
                "exact",
                Arc::new(TimestampNanosecondArray::from(vec![1_793_491_200_123_456_789, 1, -1]).with_timezone("UTC")),
            ),
            ("origin", Arc::new(StringArray::from(vec!["a", "", "c"]))),
            ("a, b", Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b"", b"x"]))),
            ("tags", Arc::new(tags.finish())),
            ("labels", Arc::new(labels.finish())),
            ("port", port.clone()),
        ],
        START,
    )
    .await;
    let (rows, misfits) = all(&archive, &spec).await;
    assert_eq!(misfits, []);
    let own = |position: usize| rows.column(7 + position);
    assert_eq!(rows.column(6).null_count(), 3, "what holds credentials is not stored");
    assert_eq!(own(0).as_primitive::<arrow_array::types::UInt64Type>().values(), &[u64::MAX, 1, 0]);
    assert_eq!(own(1).as_primitive::<Int64Type>().values(), &[7, 8, 9]);
    let load = own(2).as_primitive::<arrow_array::types::Float64Type>();
    assert!(load.is_null(0), "NaN is stored as NULL");
    assert_eq!((load.value(1), load.value(2)), (f64::INFINITY, 0.5));
    assert_eq!(own(3).as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<_>>(), times);
    let exact = own(4).as_primitive::<arrow_array::types::TimestampNanosecondType>();
    assert_eq!(exact.values(), &[1_793_491_200_123_456_789, 1, -1]);
    assert_eq!(own(5).as_string_view().iter().collect::<Vec<_>>(), [Some("a"), Some(""), Some("c")]);
    // The version's own origin is another column.
    assert_eq!(rows.column(3).as_string_view().value(0), "prod");
    assert_eq!(own(6).as_binary::<i32>().value(0), b"\x00\xff");
    assert!(own(7).is_null(1) && own(7).as_list::<i32>().value(2).len() == 2);
    assert_eq!(*own(7).data_type(), Kind::TextList.data_type());
    assert_eq!(*own(8).data_type(), Kind::TextMap.data_type());
    assert!(own(8).as_map().value(0).column(1).is_null(0));
    assert_eq!(own(9), &port);
    // In the log: names that differ in more than case, no statistics of floats, and none of times that readers cannot
    // parse.
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let stored: Vec<&str> = snapshot.state.columns.list.iter().map(|column| column.stored.as_str()).collect();
    assert_eq!(stored, ["id", "ID_2", "load", "at", "exact", "origin_2", "a__b", "tags", "labels", "port"]);
    assert_eq!(snapshot.schema().field(1).name(), "ID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_are_of_the_keys_wherever_they_stand() {
    let (_, archive) = in_memory().await;
    let mut columns: Vec<ColumnSpec> =
        (0..40).map(|number| ColumnSpec::new(format!("c{number}"), Kind::Double, "")).collect();
    columns.push(ColumnSpec::new("uid", Kind::Text, ""));
    let spec = table(columns, "uid");
    let long = "ä".repeat(100);
    write(
        &archive,
        &spec,
        vec![
            ("c0", Arc::new(Float64Array::from(vec![f64::NAN, 1.0]))),
            ("uid", Arc::new(StringViewArray::from_iter_values(["a", long.as_str()]))),
        ],
        START,
    )
    .await;
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let file = snapshot.state.contents.files.values().next().expect("one file");
    let stats: serde_json::Value = serde_json::from_str(file.add.stats.as_deref().unwrap_or_default()).expect("JSON");
    assert_eq!(stats["minValues"]["uid"], "a");
    let upper = stats["maxValues"]["uid"].as_str().expect("an upper bound");
    assert!(upper > long.as_str() && upper.len() < 80, "{upper}");
    assert!(stats["minValues"].get("c0").is_none(), "{stats}");
    assert_eq!(stats["nullCount"]["valid_to"], 2);
    assert_eq!(stats["minValues"]["valid_from"], "2026-11-01T00:00:00.000000Z");
    let parquet = snapshot.log.place.get(&snapshot.log.path(&file.add.path), u64::MAX).await.expect("a read");
    let metadata =
        parquet::arrow::arrow_reader::ArrowReaderMetadata::load(&parquet.expect("the file"), Default::default());
    let metadata = metadata.expect("a Parquet file");
    let of = |name: &str| {
        let mut columns = metadata.metadata().row_group(0).columns().iter();
        columns.find(|column| column.column_path().string() == name).and_then(|column| column.statistics()).is_some()
    };
    assert!(of("uid") && of("valid_from") && !of("c0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_come_change_and_go() {
    let (_, archive) = in_memory().await;
    let text = |values: Vec<&'static str>| -> ArrayRef { Arc::new(StringViewArray::from_iter_values(values)) };
    let first = table(vec![ColumnSpec::new("uid", Kind::Text, ""), ColumnSpec::new("size", Kind::Text, "")], "uid");
    write(&archive, &first, vec![("uid", text(vec!["a", "b"])), ("size", text(vec!["12", "large"]))], START).await;
    // A later version of the program: `size` is a number, and there is another column.
    let second = table(
        vec![
            ColumnSpec::new("uid", Kind::Text, ""),
            ColumnSpec::new("size", Kind::BigInt, ""),
            ColumnSpec::new("node", Kind::Text, ""),
        ],
        "uid",
    );
    let size: ArrayRef = Arc::new(Int64Array::from(vec![34]));
    write(&archive, &second, vec![("uid", text(vec!["c"])), ("size", size), ("node", text(vec!["n"]))], START + HOUR)
        .await;
    let check = |rows: RecordBatch, misfits: Vec<(String, u64)>| {
        let size = rows.column_by_name("size").expect("it was read").as_primitive::<Int64Type>();
        assert_eq!(size.iter().collect::<Vec<_>>(), [Some(12), None, Some(34)]);
        let node = rows.column_by_name("node").expect("it was read").as_string_view();
        assert_eq!(node.iter().collect::<Vec<_>>(), [None, None, Some("n")]);
        assert_eq!(misfits, [("size".to_owned(), 1)]);
    };
    let (rows, misfits) = all(&archive, &second).await;
    check(rows, misfits);
    // The same after compaction, and a writer of the first version still works: it adds no column.
    for number in 0..8 {
        let size: ArrayRef = Arc::new(StringViewArray::from_iter_values(["5"]));
        write(&archive, &first, vec![("uid", text(vec!["z"])), ("size", size)], START + (2 + number) * HOUR).await;
    }
    let mut writer = archive.writer(&second, &names(&second), "node-1").await.expect("a writer");
    let compacted = writer.compact(Timestamp(START + 10 * HOUR)).await.expect("compaction");
    assert!(compacted.before >= 10 && compacted.after == 1, "{compacted:?}");
    let (rows, misfits) = all(&archive, &second).await;
    assert_eq!(rows.num_rows(), 11);
    let mut sorted: Vec<_> =
        rows.column_by_name("size").expect("it was read").as_primitive::<Int64Type>().iter().collect();
    sorted.sort();
    assert_eq!(sorted[..2], [None, Some(5)]);
    assert_eq!(misfits, [("size".to_owned(), 1)]);
}

#[tokio::test]
async fn what_is_newer_or_foreign_is_refused_with_what_to_do() {
    let (store, archive) = in_memory().await;
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("a start");
    let one = pod(1, "Running", 0);
    recorder.record(&BTreeMap::from([(one.uid.clone(), one)]), START).await.expect("a reading");
    let place = recorder.writer.log.place.clone();
    let entry = recorder.writer.log.entry(0);
    let bytes = place.get(&entry, u64::MAX).await.expect("a read").expect("the first entry");
    let text = String::from_utf8(bytes.to_vec()).expect("JSON");
    let with = |from: &str, to: &str| text.replace(from, to);
    assert_ne!(with("\"indago.format\":\"1\"", ""), text);
    for (text, expected) in [
        (with("\"indago.format\":\"1\"", "\"indago.format\":\"2\""), "update it"),
        (with("\"minReaderVersion\":1", "\"minReaderVersion\":3"), "restore the table"),
        (with("\"indago.format\":\"1\",", ""), "a Delta table that Indago did not record"),
        ("{".to_owned(), "00000000000000000000.json"),
    ] {
        place.put(&entry, text.into()).await.expect("a write");
        let anew = open_at(store.clone()).await.expect("the store");
        let error = anew.snapshot(TABLE).await.expect_err("it is refused").to_string();
        assert!(error.contains(expected) && error.contains(TABLE), "{error}");
    }
    place.put(&super::super::Path::from("_indago.json"), "{\"format\":2}".into()).await.expect("a write");
    let error = open_at(store).await.expect_err("it is refused").to_string();
    assert!(error.contains("format 2") && error.contains("update it"), "{error}");
}

#[tokio::test]
async fn locations_are_paths_and_urls() {
    for (location, expected) in [
        ("ftp://example.org/x", "`ftp`"),
        ("s3://user:secret@bucket/x", "environment variables"),
        ("/proc/version", "not a directory"),
    ] {
        let error = Archive::open(location).await.expect_err("it is refused").to_string();
        assert!(error.contains(expected) && error.starts_with(location), "{error}");
    }
    let options = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let azure = options(&[("azure_storage_account_name", "account"), ("azure_storage_account_key", "a2V5")]);
    for (location, options, expected) in [
        ("gs://bucket/some/where", options(&[("google_skip_signature", "true")]), "GoogleCloudStorage"),
        ("az://container/some/where", azure.clone(), "MicrosoftAzure"),
        ("abfss://container@account.dfs.core.windows.net/x", azure, "MicrosoftAzure"),
        ("s3://bucket/some/where", options(&[("aws_region", "eu-west-1")]), "AmazonS3"),
    ] {
        let place = Place::with(location, &options).expect("it can be used");
        let store = format!("{:?}", place.store);
        assert!(store.contains(expected), "{store}");
        assert_eq!(&*place.location, location);
    }
}

#[tokio::test]
async fn names_become_directories_and_come_back() {
    for name in ["kubernetes_pods", "custom.Kubernetes-x", "..", "_state", ".staged", "a/b c", "ä@=%", "x"] {
        let directory = super::super::place::as_directory(name);
        assert!(!directory.starts_with(['.', '_']) && !directory.contains('/'), "{directory}");
        assert_eq!(super::super::place::of_directory(&directory).as_deref(), Some(name));
    }
    assert_eq!(super::super::place::of_directory("@zz"), None);
}
