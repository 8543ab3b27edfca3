//! Limits of a statement: text beyond SQLite's limit is never built, and statements that run long can be cancelled.

use std::time::{Duration, Instant};

use datafusion::prelude::SessionContext;

use super::harness::{Both, tables};
use crate::Interrupt;

#[tokio::test(flavor = "current_thread")]
async fn text_that_is_too_big_is_not_built() {
    let both = Both::new(&tables());
    let begin = Instant::now();
    let mut wrong = Vec::new();
    for sql in [
        "SELECT length(repeat('a', 1000000001))",
        "SELECT length(repeat(path, 9223372036854775807)) FROM processes",
        "SELECT max(length(repeat(path, 100000000))) FROM processes",
        "SELECT length(replace(repeat('a', 100000), 'a', repeat('b', 100000)))",
        "SELECT length(lpad('a', 2000000000)) + length(rpad('a', 2000000000, 'xy'))",
        "SELECT length(rpad(name, 300000000)) FROM processes",
        "SELECT length(printf('%1500000000d', 1))",
        "SELECT length(printf('%.1500000000d', 1))",
        "SELECT length(printf('%0*d', 1500000000, 1))",
        "SELECT length(printf('%.*c', 1500000000, 'x'))",
        "SELECT length(printf('%900000000d%900000000d', pid, pid)) FROM processes",
        "SELECT length(zeroblob(1000000001))",
        "SELECT length(randomblob(1000000001))",
        "SELECT length(zeroblob(200000000 + pid)) FROM processes",
        "SELECT length(hex(zeroblob(200000000)))",
        "SELECT length(to_base64(zeroblob(250000000)))",
        "SELECT length(repeat('a', 200000000) || repeat('a', 200000000))",
        "SELECT length(concat(repeat('a', 200000000), repeat('a', 200000000)))",
        "SELECT length(concat_ws(repeat('a', 100000000), 1, 2, 3, 4))",
        "SELECT length(json_array(repeat('a', 200000000), repeat('a', 200000000)))",
        "SELECT length(json_object('a', repeat('a', 200000000), 'b', repeat('a', 200000000)))",
        "SELECT length(json_set('{}', '$.a', repeat('a', 200000000), '$.b', repeat('a', 200000000)))",
        "WITH RECURSIVE grown(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM grown) SELECT count(x) FROM grown",
    ] {
        let given = both.ask(sql).await;
        if !given.as_ref().is_err_and(|error| error.contains("string or blob too big")) {
            wrong.push(format!("{sql} gives {:?}", given.map(|rows| rows.len())));
        }
    }
    let many = format!("[{}1]", "1,".repeat(400));
    for group in ["", "GROUP BY key % 2"] {
        let sql = format!("SELECT length(group_concat(value, repeat('a', 1000000))) FROM json_each('{many}') {group}");
        wrong.extend(both.ask(&sql).await.is_ok().then_some(sql));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "current_thread")]
async fn functions_end_with_their_query() {
    let session = || {
        let interrupt = Interrupt::default();
        let mut state = super::harness::session(1).state();
        interrupt.begin(&mut state);
        (SessionContext::new_with_state(state), interrupt)
    };
    for sql in ["SELECT sleep(30)", "SELECT sleep(column1) FROM (VALUES (20), (20), (20))"] {
        let begin = Instant::now();
        let (context, interrupt) = session();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            interrupt.stop();
        });
        let error =
            context.sql(sql).await.expect("the statement plans").collect().await.expect_err("the query was cancelled");
        assert!(error.to_string().contains("interrupted"), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
    let (context, interrupt) = session();
    interrupt.stop();
    let frame = context.sql("SELECT random() + column1 FROM (VALUES (1), (2))").await.expect("the statement plans");
    assert!(frame.collect().await.expect_err("the query was cancelled").to_string().contains("interrupted"));
    let (context, _) = session();
    assert!(context.sql("SELECT sleep(0.01)").await.expect("the statement plans").collect().await.is_ok());
}
