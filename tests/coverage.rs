//! Coverage: how much of each slice a query has read.

use std::collections::BTreeMap;
use std::fmt;

use indago_engine::{Completeness, Coverage, Engine, Outcome};
use indago_table::prelude::*;
use indago_table::{Part, Several, TableRef, tables};

use crate::support::rows;

#[derive(Debug, Clone, Default)]
struct Sites;

impl Environment for Sites {
    const NAME: &'static str = "sites";
}

/// Rows of sites; the scan of each site ends differently.
#[derive(Debug, Default, Table)]
#[table(name = "visits", env = Sites, stream)]
struct Visit {
    /// The site.
    #[column(slice)]
    site: String,
    /// The row's number.
    n: i64,
    /// A value that some sites lack.
    #[column(source = detail)]
    detail: Option<i64>,
}

#[derive(Debug)]
struct Site(&'static str);

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "site={}", self.0)
    }
}

impl Part for Site {
    fn known(&self, column: &str) -> Option<String> {
        (column == "site").then(|| self.0.to_owned())
    }
}

impl RowStream for Visit {
    type Part = Site;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Site>> {
        for site in scan.named_keys(Self::SITE).into_iter().flatten().filter(|site| site == "nowhere") {
            scan.report(format!("site={site}"), &Error::Unsupported("the site does not exist".to_owned()));
        }
        let all = ["whole", "broken", "denied", "secret", "lost"].map(Site);
        Ok(all.into_iter().filter(|site| scan.admits(Self::SITE, &site.0.to_owned())).collect())
    }

    fn rows<'a>(_scan: &'a Scan<Self>, site: &'a Site) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
        let row = |n| Ok(Visit { site: site.0.to_owned(), n, detail: None });
        let rows = match site.0 {
            "broken" => vec![row(1), Err(Error::Unavailable("no answer".to_owned()))],
            "denied" => vec![Err(Error::denied("the site")).needs("sites:List")],
            "lost" => vec![Err(Error::Gone("the site's folder".to_owned()))],
            _ => vec![row(1), row(2)],
        };
        futures::stream::iter(rows)
    }
}

impl Visit {
    async fn detail(&mut self, _scan: &Scan<Self>) -> Result<()> {
        if self.site == "secret" {
            return Err(Error::denied("the detail"));
        }
        self.detail = Some(self.n);
        Ok(())
    }
}

async fn engine(tables: Vec<TableRef>) -> Engine {
    Engine::builder().tables(tables).build().await.expect("the engine builds")
}

async fn coverage(engine: &Engine, sql: &str) -> Vec<Coverage> {
    let query = engine.query(sql).await.expect("it plans");
    query.collect().await.expect("it runs");
    let mut coverage = query.coverage();
    coverage.sort_by(|one, other| one.slice.cmp(&other.slice));
    coverage
}

fn told(coverage: &[Coverage]) -> Vec<(&str, Completeness, u64, Option<Outcome>)> {
    let told = |slice: &'_ Coverage| slice.problem.as_ref().map(|problem| problem.outcome);
    coverage.iter().map(|slice| (slice.slice.as_str(), slice.completeness, slice.rows, told(slice))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_slice_ends_complete_partial_or_failed() {
    use Completeness::{Complete, Failed, Partial};
    let engine = engine(tables![&Sites; Visit]).await;
    let all = coverage(&engine, "SELECT * FROM visits").await;
    let expected = [
        ("site=broken", Failed, 1, Some(Outcome::Io)),
        ("site=denied", Failed, 0, Some(Outcome::Denied)),
        ("site=lost", Failed, 0, Some(Outcome::Missing)),
        ("site=secret", Partial, 2, Some(Outcome::Denied)),
        ("site=whole", Complete, 2, None),
    ];
    assert_eq!(told(&all), expected);
    assert_eq!(all[4].known, BTreeMap::from([("site".to_owned(), "whole".to_owned())]));
    assert_eq!(all[1].problem.as_ref().and_then(|problem| problem.needs.as_deref()), Some("sites:List"));
    let may_change: Vec<bool> = all.iter().map(Coverage::may_change).collect();
    assert_eq!(may_change, [true, true, true, false, false]);
    // Columns that the query does not want are not missing.
    let cheap = coverage(&engine, "SELECT n FROM visits WHERE site = 'secret'").await;
    assert_eq!(told(&cheap), [("site=secret", Complete, 2, None)]);

    let sql = "SELECT slice, known['site'], completeness, rows, outcome, message, needs FROM engine_coverage";
    rows(&engine, "SELECT * FROM visits WHERE site IN ('denied', 'nowhere')").await;
    let expected = [
        [
            "site=denied",
            "denied",
            "failed",
            "0",
            "denied",
            "the site: permission denied (needs sites:List)",
            "sites:List",
        ],
        ["site=nowhere", "NULL", "failed", "0", "unsupported", "the site does not exist", "NULL"],
    ];
    assert_eq!(rows(&engine, sql).await, expected);
}

/// A missing source is reported; a gone row is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_source_is_a_warning() {
    let engine = engine(tables![&Sites; Visit]).await;
    let query = engine.query("SELECT n FROM visits WHERE site = 'lost'").await.expect("it plans");
    assert_eq!(query.collect().await.expect("it runs").iter().map(|batch| batch.num_rows()).sum::<usize>(), 0);
    let warnings: Vec<String> = query.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["visits (site=lost): the site's folder does not exist"]);
    let strict = indago_engine::QueryOptions { strict: true, ..Default::default() };
    let query = engine.query_with("SELECT n FROM visits WHERE site = 'lost'", strict).await.expect("it plans");
    assert_eq!(query.collect().await.expect_err("the slice failed").code(), indago_engine::Code::Incomplete);
}

/// A slice is partial if the query did not need its remaining rows, without a warning.
#[tokio::test(flavor = "multi_thread")]
async fn a_slice_that_a_limit_cuts_is_partial_without_a_problem() {
    let engine = engine(tables![&Sites; Visit]).await;
    for sql in ["SELECT n FROM visits WHERE site = 'whole' LIMIT 1", "SELECT n FROM visits WHERE site = 'whole'"] {
        let query = engine.query(sql).await.expect("it plans");
        let rows: usize = query.collect().await.expect("it runs").iter().map(|batch| batch.num_rows()).sum();
        let [slice] = &query.coverage()[..] else { panic!("one slice: {:?}", query.coverage()) };
        let how = if rows == 1 { Completeness::Partial } else { Completeness::Complete };
        assert_eq!(
            (slice.completeness, slice.rows, &slice.problem, slice.may_change()),
            (how, rows as u64, &None, false)
        );
    }
}

/// Tables over several origins name the origin in their slices, and warnings name the origin that failed.
#[tokio::test(flavor = "multi_thread")]
async fn slices_of_several_hosts_say_whose_they_are() {
    let part = |name: &str| (name.into(), Visit::table(&Sites));
    let several = Several::of("origin", "Where the row comes from.", vec![part("/a"), part("/b")]).expect("two parts");
    let engine = engine(vec![std::sync::Arc::new(several)]).await;
    let all = coverage(&engine, "SELECT detail FROM visits WHERE site = 'secret' AND origin = '/b'").await;
    assert_eq!(told(&all), [("/b site=secret", Completeness::Partial, 2, Some(Outcome::Denied))]);
    let known = [("origin", "/b"), ("site", "secret")].map(|(column, value)| (column.to_owned(), value.to_owned()));
    assert_eq!(all[0].known, BTreeMap::from(known));
}
