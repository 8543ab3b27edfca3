//! Groups of columns and sources: the rows of their tables, and the reads that these took. Each table exists once as a
//! blocking and once as a streaming table.

use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch};
use futures_util::FutureExt;
use futures_util::stream::{self, Stream};
use indago_table::prelude::*;
use indago_table::scan::BoxFuture;
use indago_table::{
    AnyScan, Collation, ColumnConstraint, Constraints, Reading, RowFilter, Scalar, ScanContext, Sink, TableSpec,
};

/// A stock of things that records the reads.
#[derive(Debug, Clone, Default)]
struct Stock(Arc<Mutex<Vec<String>>>);

impl Environment for Stock {
    const NAME: &'static str = "stock";
}

impl Stock {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("nobody panics").push(what.into());
    }

    fn country(&self, place: &str) -> Result<Option<String>> {
        self.note(format!("country of {place}"));
        Ok(Some(format!("{place}land")))
    }

    fn price(&self, n: i64, currency: &str) -> Result<Option<String>> {
        self.note(format!("price of {n} in {currency}"));
        match n {
            2 => Err(Error::denied("price of 2")),
            _ => Ok(Some(format!("{n} {currency}"))),
        }
    }

    /// Things 4 are gone, and things 5 are denied. A call for a thing 13 fails.
    fn count(&self, what: &str, numbers: &[i64]) -> Result<Vec<Result<i64>>> {
        self.note(format!("{what} of {numbers:?}"));
        if numbers.contains(&13) {
            return Err(Error::denied("a batch with 13"));
        }
        let count = |n: &i64| match n {
            4 => Err(Error::Gone("4".to_owned())),
            5 => Err(Error::denied("count of 5")),
            n => Ok(n * 100),
        };
        Ok(numbers.iter().map(count).collect())
    }
}

/// Sets the outcome of each row of a batch.
fn counted<R>(
    rows: &mut [Loading<'_, R>],
    counts: Vec<Result<i64>>,
    field: impl Fn(&mut R) -> &mut Option<i64>,
) -> Result<()> {
    for (row, count) in rows.iter_mut().zip(counts) {
        match count {
            Ok(count) => *field(row) = Some(count),
            Err(error) => row.fail(error),
        }
    }
    Ok(())
}

/// A table and its groups, with the code that makes it blocking or streaming.
macro_rules! things {
    ($module:ident, [$($stream:ident)?], [$($async:ident)?], $asked:ident: $scan:ty, $of_group:ty, $stock:expr) => {
        mod $module {
            use super::*;

            /// Where a thing is.
            #[derive(Debug, Default, Columns)]
            #[columns(env = Stock $(, $stream)?)]
            pub(super) struct Place {
                /// Name of the place.
                #[column(slice, collate = nocase)]
                pub(super) place: String,
                /// Country that the place is in.
                #[column(source = country, needs = "atlas")]
                pub(super) country: Option<String>,
                /// Number of the room.
                #[column(hidden, volatile, path = "room")]
                pub(super) room: Option<i64>,
            }

            impl Place {
                $($async)? fn country(&mut self, $asked: &$of_group) -> Result<()> {
                    self.country = $stock.country(&self.place)?;
                    Ok(())
                }
            }

            /// How many there are.
            #[derive(Debug, Default, Columns)]
            #[columns(env = Stock, cost(count = 50), batch(count = 4) $(, $stream)?)]
            pub(super) struct Amount {
                #[column(skip)]
                pub(super) of: i64,
                /// How many there are.
                #[column(source = count)]
                pub(super) count: Option<i64>,
            }

            impl Amount {
                $($async)? fn count(rows: &mut [Loading<'_, Self>], $asked: &$of_group) -> Result<()> {
                    let numbers: Vec<i64> = rows.iter().map(|row| row.of).collect();
                    counted(rows, $stock.count("count", &numbers)?, |row| &mut row.count)
                }
            }

            /// Things.
            #[derive(Debug, Default, Table)]
            #[table(
                name = "things", env = Stock, require_any(n, place), identity(n, place),
                cost(price = 5, weight = 9), batch(weight = 3) $(, $stream)?
            )]
            #[example("All.", "SELECT n FROM things")]
            pub(super) struct Thing {
                /// Number of the thing.
                #[column(index)]
                pub(super) n: i64,
                #[column(flatten, path = "at")]
                pub(super) place: Place,
                /// Price in euros.
                #[column(source = price("EUR"))]
                price_eur: Option<String>,
                /// Price in dollars.
                #[column(source = price("USD"))]
                price_usd: Option<String>,
                #[column(flatten)]
                pub(super) amount: Amount,
                /// What it weighs.
                #[column(source = weight)]
                weight: Option<i64>,
            }

            impl Thing {
                $($async)? fn price(&self, $asked: &$scan, currency: &str) -> Result<Option<String>> {
                    $stock.price(self.n, currency)
                }

                $($async)? fn weight(rows: &mut [Loading<'_, Self>], $asked: &$scan) -> Result<()> {
                    let numbers: Vec<i64> = rows.iter().map(|row| row.n).collect();
                    counted(rows, $stock.count("weight", &numbers)?, |row| &mut row.weight)
                }

                pub(super) fn all(scan: &Scan<Self>) -> impl Iterator<Item = Self> + use<> {
                    let places = scan.keys(Self::PLACE.at(Place::PLACE));
                    let numbers = scan.keys(Self::N).unwrap_or_else(|| (0..10).collect());
                    let stock = scan.env().clone();
                    let thing = move |n| {
                        stock.note(format!("{n}"));
                        let place = if n % 2 == 0 { "here" } else { "there" };
                        Thing {
                            n,
                            place: Place { place: place.to_owned(), ..Place::default() },
                            amount: Amount { of: n, ..Amount::default() },
                            ..Thing::default()
                        }
                    };
                    let is_there = move |thing: &Thing| {
                        places.as_ref().is_none_or(|keys| keys.iter().any(|key| key.matches(&thing.place.place)))
                    };
                    numbers.into_iter().map(thing).filter(is_there)
                }
            }
        }
    };
}

things!(blocking, [], [], stock: Stock, Stock, stock);
things!(streaming, [stream], [async], scan: Scan<Self>, AnyScan<Stock>, scan.env());

impl Rows for blocking::Thing {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(Self::all(scan))
    }
}

impl RowStream for streaming::Thing {
    type Part = &'static str;

    fn parts(_scan: &Scan<Self>) -> Result<Vec<Self::Part>> {
        Ok(vec![""])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _part: &'a Self::Part) -> impl Stream<Item = Result<Self>> + Send + 'a {
        stream::iter(Self::all(scan).map(Ok))
    }
}

struct Channel(std::sync::mpsc::Sender<RecordBatch>);

impl Sink for Channel {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        self.0.send(batch).is_ok()
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(self.blocking_send(batch)))
    }
}

/// The result of a scan: its rows as text, the reads, and the warnings.
#[derive(Debug, PartialEq)]
struct Answer {
    rows: Vec<String>,
    asked: Vec<String>,
    warnings: Vec<String>,
}

fn spec() -> &'static TableSpec {
    blocking::Thing::SPEC
}

fn read(is_stream: bool, context: &ScanContext) -> Answer {
    let stock = Stock::default();
    let table = if is_stream { streaming::Thing::table(&stock) } else { blocking::Thing::table(&stock) };
    let (sender, batches) = std::sync::mpsc::channel();
    for slice in table.slices(context).expect("it has one") {
        let outcome = match slice.reading {
            Reading::Blocking(read) => read(&mut Channel(sender.clone())),
            Reading::Async(read) => {
                read(Box::new(Channel(sender.clone()))).now_or_never().expect("nothing to wait for")
            }
            Reading::Finding(_) => unreachable!("its parts need no finding"),
        };
        assert_eq!(outcome, if context.limit.is_some() { Err(Error::Cancelled) } else { Ok(()) });
    }
    drop(sender);
    let text = |batch: &RecordBatch, row: usize| {
        let value = |column: &arrow_array::ArrayRef| match column.as_primitive_opt::<Int64Type>() {
            _ if column.is_null(row) => "-".to_owned(),
            Some(numbers) => numbers.value(row).to_string(),
            None => column.as_string_view().value(row).to_owned(),
        };
        batch.columns().iter().map(value).collect::<Vec<_>>().join(" ")
    };
    let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| text(&batch, row)).collect::<Vec<_>>());
    let rows = rows.collect();
    let warnings = context.query.diagnostics().warnings().iter().map(ToString::to_string).collect();
    let asked = stock.0.lock().expect("nobody panics").clone();
    Answer { rows, asked, warnings }
}

/// The result of both tables. They differ in when they read rows, so only the other reads are compared.
fn both(context: impl Fn() -> ScanContext) -> Answer {
    let [blocking, streaming] = [false, true].map(|is_stream| {
        let mut answer = read(is_stream, &context());
        answer.asked.retain(|asked| asked.contains(' '));
        answer
    });
    assert_eq!((&blocking.rows, &blocking.warnings), (&streaming.rows, &streaming.warnings));
    blocking
}

fn wanted(names: &[&str]) -> ScanContext {
    ScanContext::new(names.iter().map(|name| spec().column(name).expect("a column")))
}

fn with_keys(context: ScanContext, column: &str, keys: Vec<Scalar>) -> ScanContext {
    let constraint = ColumnConstraint { keys: Some(Arc::new(keys)), ..ColumnConstraint::default() };
    let constraints = Constraints([(spec().column(column).expect("a column"), constraint)].into());
    ScanContext { constraints: Arc::new(constraints), ..context }
}

/// Keeps rows in which a column is not NULL.
#[derive(Debug)]
struct IsThere(usize);

impl RowFilter for IsThere {
    fn columns(&self) -> &[usize] {
        std::slice::from_ref(&self.0)
    }

    fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        Ok((0..rows.num_rows()).map(|row| Some(rows.column(0).is_valid(row))).collect())
    }
}

fn where_there(context: ScanContext, columns: &[&str]) -> ScanContext {
    let filter = |name: &&str| Arc::new(IsThere(spec().column(name).expect("a column"))) as Arc<dyn RowFilter>;
    ScanContext { filters: columns.iter().map(filter).collect(), ..context }
}

#[test]
fn a_group_brings_its_columns_keys_and_sources_where_its_field_stands() {
    let spec = spec();
    let names: Vec<&str> = spec.columns.iter().map(|column| column.name.as_ref()).collect();
    assert_eq!(names, ["n", "place", "country", "room", "price_eur", "price_usd", "count", "weight"]);
    let sources: Vec<_> = spec.sources.iter().map(|source| (source.name, source.cost, source.batch)).collect();
    let expected = [
        ("price_eur", 5, None),
        ("price_usd", 5, None),
        ("weight", 9, Some(3)),
        ("country", 1, None),
        ("count", 50, Some(4)),
    ];
    assert_eq!(sources, expected);
    let of: Vec<_> = spec.columns.iter().map(|column| column.source).collect();
    assert_eq!(of, [None, None, Some(3), None, Some(0), Some(1), Some(4), Some(2)]);
    assert_eq!((&*spec.require_any, &*spec.identity), (&[0, 1][..], &["n".into(), "place".into()][..]));
    let [_, place, country, room, ..] = &*spec.columns else { unreachable!("there are eight") };
    assert!(place.index && place.slice && place.collation == Collation::NoCase);
    assert!(room.hidden && room.volatile && room.path.as_deref() == Some("at.room"));
    assert_eq!(*country.needs, ["atlas"]);
    assert_eq!(streaming::Thing::SPEC.columns, spec.columns);
}

#[test]
fn keys_of_a_group_reach_the_table_and_rows_are_checked_against_them() {
    let keys = |place: &str| vec![Scalar::Text(place.to_owned())];
    let answer = both(|| with_keys(wanted(&["n", "place", "country"]), "place", keys("HERE")));
    assert_eq!(
        answer.rows,
        ["0 here hereland", "2 here hereland", "4 here hereland", "6 here hereland", "8 here hereland"]
    );
    assert_eq!(answer.asked, ["country of here"; 5]);
    assert!(both(|| with_keys(wanted(&["n"]), "place", keys("nowhere"))).rows.is_empty());
}

#[test]
fn documents_fill_the_columns_of_a_group() {
    let mut thing = blocking::Thing::default();
    let document = serde_json::json!({"at": {"room": 7}});
    assert_eq!(thing.fill(&document, &[true; 8]), []);
    assert_eq!(thing.place.room, Some(7));
    let misfits = thing.fill(&serde_json::json!({"at": "home"}), &[true; 8]);
    assert_eq!(misfits, [indago_table::Misfit { column: 3, found: "a text" }], "only the path does not fit");
}

#[test]
fn a_source_with_arguments_gives_its_column_the_value() {
    let one = || with_keys(wanted(&["n", "price_eur"]), "n", vec![Scalar::Integer(3)]);
    let answer = both(one);
    assert_eq!((answer.rows, answer.asked), (vec!["3 3 EUR".to_owned()], vec!["price of 3 in EUR".to_owned()]));
    let two = || with_keys(wanted(&["n", "price_eur", "price_usd"]), "n", vec![Scalar::Integer(2)]);
    let answer = both(two);
    assert_eq!(answer.rows, ["2 - -"]);
    assert_eq!(answer.asked, ["price of 2 in EUR", "price of 2 in USD"]);
    let expected =
        ["things (price_eur): price of 2: permission denied", "things (price_usd): price of 2: permission denied"];
    assert_eq!(answer.warnings, expected);
}

#[test]
fn a_batch_has_as_many_rows_as_its_source_takes_and_each_row_its_outcome() {
    let answer = both(|| wanted(&["n", "count"]));
    // The count of thing 5 is denied, and thing 4 is gone.
    assert_eq!(answer.rows, ["0 0", "1 100", "2 200", "3 300", "5 -", "6 600", "7 700", "8 800", "9 900"]);
    assert_eq!(answer.asked, ["count of [0, 1, 2, 3]", "count of [4, 5, 6, 7]", "count of [8, 9]"]);
    assert_eq!(answer.warnings, ["things (count): count of 5: permission denied"]);
}

#[test]
fn an_error_of_a_whole_batch_is_that_of_each_of_its_rows_and_of_no_other() {
    let numbers = [1, 2, 3, 13, 14, 6, 7].map(Scalar::Integer);
    let answer = both(|| with_keys(wanted(&["n", "weight"]), "n", numbers.to_vec()));
    assert_eq!(answer.rows, ["1 100", "2 200", "3 300", "13 -", "14 -", "6 -", "7 700"]);
    assert_eq!(answer.asked, ["weight of [1, 2, 3]", "weight of [13, 14, 6]", "weight of [7]"]);
    assert_eq!(answer.warnings, ["things (weight): a batch with 13: permission denied [3 times]"]);
}

#[test]
fn a_limit_asks_for_no_row_more() {
    let asked = |is_stream| read(is_stream, &ScanContext { limit: Some(3), ..wanted(&["n", "count"]) });
    for is_stream in [false, true] {
        let answer = asked(is_stream);
        assert_eq!(answer.rows, ["0 0", "1 100", "2 200"]);
        assert_eq!(answer.asked, ["0", "1", "2", "count of [0, 1, 2]"], "{is_stream}");
    }
    // Gone rows are replaced one by one.
    let limited = |is_stream| read(is_stream, &ScanContext { limit: Some(5), ..wanted(&["n", "count"]) });
    let answer = limited(false);
    assert_eq!(answer.rows, ["0 0", "1 100", "2 200", "3 300", "5 -"]);
    let asked: Vec<_> = answer.asked.iter().filter(|asked| asked.contains("count")).collect();
    assert_eq!(asked, ["count of [0, 1, 2, 3]", "count of [4]", "count of [5]"]);
    assert_eq!(limited(true).rows, answer.rows);
}

#[test]
fn conditions_run_cheap_sources_first_and_batches_have_only_rows_that_are_left() {
    // `count` costs more than `price_eur`, which is denied for thing 2, and `weight` is read last.
    let answer = both(|| where_there(wanted(&["n", "weight"]), &["count", "price_eur"]));
    assert_eq!(answer.rows, ["0 0", "1 100", "3 300", "6 600", "7 700", "8 800", "9 900"]);
    let batches: Vec<_> = answer.asked.iter().filter(|asked| !asked.starts_with("price")).collect();
    let expected = [
        "count of [0, 1, 3, 4]",
        "count of [5, 6, 7, 8]",
        "count of [9]",
        "weight of [0, 1, 3]",
        "weight of [6, 7, 8]",
        "weight of [9]",
    ];
    assert_eq!(batches, expected);
}

#[test]
fn a_query_that_is_cancelled_loads_no_batch() {
    let context = wanted(&["n", "count"]);
    context.meter.cancel();
    for is_stream in [false, true] {
        let stock = Stock::default();
        let table = if is_stream { streaming::Thing::table(&stock) } else { blocking::Thing::table(&stock) };
        let (sender, _batches) = std::sync::mpsc::channel();
        let slice = table.slices(&context).expect("it has one").pop().expect("it has one");
        let outcome = match slice.reading {
            Reading::Blocking(read) => read(&mut Channel(sender)),
            Reading::Async(read) => read(Box::new(Channel(sender))).now_or_never().expect("nothing to wait for"),
            Reading::Finding(_) => unreachable!("it has no parts to find"),
        };
        assert_eq!(outcome, Err(Error::Cancelled));
        assert!(stock.0.lock().expect("nobody panics").iter().all(|asked| !asked.contains("count")));
    }
}
