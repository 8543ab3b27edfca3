//! Tables that are found when a query names them: here one for each list of processes in this program.
//!
//! `cargo run --example own_catalog`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use indago::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use indago::table::scan::BoxFuture;
use indago::table::{
    Catalog, CatalogContext, ColumnSpec, Kind, Reading, Result, ScanContext, Sink, Slice, Table, TableRef, TableSpec,
};
use indago::{Code, Defaults, Engine};

/// Lists of processes that this program watches, by name. They are added and removed while it runs.
#[derive(Debug, Default)]
struct Watchlists(Mutex<BTreeMap<String, Vec<i64>>>);

impl Catalog for Watchlists {
    fn name(&self) -> &str {
        "watchlists"
    }

    fn table<'a>(&'a self, name: &'a str, _context: &'a CatalogContext) -> BoxFuture<'a, Result<Option<TableRef>>> {
        Box::pin(async move {
            let lists = self.0.lock().expect("not poisoned");
            Ok(lists.get(name).map(|pids| Arc::new(Watchlist::new(name, pids.clone())) as TableRef))
        })
    }

    fn names<'a>(&'a self, _context: &'a CatalogContext) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move { Ok(self.0.lock().expect("not poisoned").keys().cloned().collect()) })
    }
}

/// A list as a table; its columns are known only at run time.
#[derive(Debug)]
struct Watchlist {
    spec: TableSpec,
    pids: Vec<i64>,
}

impl Watchlist {
    fn new(name: &str, pids: Vec<i64>) -> Self {
        let pid = ColumnSpec::new("pid", Kind::BigInt, "The process.");
        Watchlist { spec: TableSpec::new(name.to_owned(), "watchlists", "Processes to watch.", vec![pid]), pids }
    }
}

impl Table for Watchlist {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let schema = Arc::new(self.spec.schema().project(&context.columns).expect("columns of the table"));
        let pids: ArrayRef = Arc::new(Int64Array::from(self.pids.clone()));
        let read = move |sink: &mut dyn Sink| {
            // A query may want no column, only the number of rows.
            let rows = RecordBatchOptions::new().with_row_count(Some(pids.len()));
            let columns = vec![pids; schema.fields().len()];
            sink.blocking_send(RecordBatch::try_new_with_options(schema, columns, &rows).expect("one type of column"));
            Ok(())
        };
        Ok(vec![Slice::new("", Reading::Blocking(Box::new(read)))])
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let lists = Arc::new(Watchlists::default());
    let engine = Engine::builder().with_defaults()?.catalog(lists.clone()).build().await?;
    let sql = "SELECT p.pid, p.name FROM suspects s JOIN processes p ON p.pid = s.pid";

    let error = engine.query(sql).await.expect_err("the list does not exist yet");
    assert_eq!(error.code(), Code::UnknownTable);

    lists.0.lock().expect("not poisoned").insert("suspects".to_owned(), vec![i64::from(std::process::id())]);
    let batches = engine.query(sql).await?.collect().await?;
    let name = batches[0].column(1).as_string_view().value(0).to_owned();
    assert!(name.starts_with("own_catalog"));

    let error = engine.query("SELECT * FROM suspect").await.expect_err("the name is misspelt");
    assert_eq!(error.help(), Some("did you mean `suspects`?"));

    println!("{name} is watched");
    Ok(())
}
