//! Names in nested queries: every combination of where an alias is used, its expression and which names are hidden in
//! between, on SQLite and on the dialect.

use super::{
    corpus::arranged,
    harness::{Both, Table, tables},
};

/// Where a name is used: `{}` is the use, `{from}` the inner relation.
const PLACES: [&str; 19] = [
    "SELECT {items} FROM {outer} WHERE EXISTS (SELECT 1 FROM {from} WHERE v > {})",
    "SELECT {items} FROM {outer} WHERE {} IN (SELECT v FROM {from})",
    "SELECT {items} FROM {outer} WHERE 100 IN (SELECT v + {} - {} FROM {from})",
    "SELECT {items} FROM {outer} WHERE (SELECT count(*) FROM {from} WHERE v > {}) > 0",
    "SELECT {items} FROM {outer} WHERE (SELECT max(v + {}) FROM {from}) > 210",
    "SELECT {items} FROM {outer} WHERE EXISTS (SELECT 1 FROM (SELECT v FROM {from} WHERE v > {}) AS d WHERE d.v > 0)",
    "SELECT {items} FROM {outer} WHERE EXISTS (WITH d AS (SELECT v FROM {from} WHERE v > {}) SELECT 1 FROM d)",
    "SELECT {items} FROM {outer} WHERE EXISTS (SELECT 1 FROM {from} WHERE v IN (SELECT v FROM u AS w WHERE w.v > {}))",
    "SELECT {items} FROM {outer} WHERE EXISTS (SELECT 1 FROM {from} GROUP BY t_id HAVING max(v) > {})",
    "SELECT {items} FROM {outer} ORDER BY (SELECT count(*) FROM {from} WHERE v > {}), 1",
    "SELECT {items} FROM {outer} GROUP BY 1 HAVING EXISTS (SELECT 1 FROM {from} WHERE v > {})",
    "SELECT {items} FROM {outer} GROUP BY (SELECT count(*) FROM {from} WHERE v > {}), 1",
    "SELECT {items} FROM {outer} JOIN empty ON EXISTS (SELECT 1 FROM {from} WHERE v > {}) OR 1",
    "SELECT {items} FROM {outer} WHERE EXISTS (SELECT 1 FROM json_each('[1,100,200]') AS j WHERE j.value > {})",
    "SELECT {items} FROM {outer} WHERE EXISTS (SELECT 1 FROM {from} WHERE EXISTS (SELECT 1 FROM t AS w WHERE w.id = t_id AND EXISTS (SELECT 1 FROM u AS q WHERE q.v > {})))",
    "SELECT {items} FROM {outer} WHERE (SELECT t_id FROM {from} ORDER BY abs(v - {}) DESC, id LIMIT 1) = 1",
    "SELECT {items} FROM {outer} WHERE (SELECT count(*) FROM (SELECT 1 FROM {from} GROUP BY v > {}) AS d) > 2",
    "SELECT {items} FROM {outer} WHERE EXISTS (WITH t AS (SELECT 7 AS a, 1 AS id), d AS (SELECT * FROM {from}) SELECT 1 FROM t, d WHERE t.a < {})",
    "SELECT {items} FROM {outer} WHERE (SELECT sum(j.value) FROM {from}, json_each('[' || coalesce({}, 0) || ']') AS j) > 20",
];

/// The expression of the alias, over the outer relation.
const MEANINGS: [&str; 6] = [
    "a",
    "a * 2",
    "{o}.a + {o}.id",
    "(SELECT max(v) FROM u WHERE t_id = {o}.id)",
    "(SELECT count(*) FROM u WHERE v > a)",
    "coalesce((SELECT v FROM u WHERE id = a LIMIT 1), (SELECT min(a) FROM t))",
];

/// Its name: a new one, or that of an outer column, an inner column, or both.
const NAMES: [&str; 4] = ["x", "b", "v", "id"];

/// Outer and inner relations: with different names, and with an inner one that hides the outer one's.
const RELATIONS: [(&str, &str, &str); 4] =
    [("t", "t", "u"), ("t AS o", "o", "u AS i"), ("t AS u", "u", "u"), ("t AS o", "o", "(SELECT * FROM u) AS o")];

fn statements() -> Vec<String> {
    let mut all = Vec::new();
    for place in PLACES {
        for meaning in MEANINGS {
            for name in NAMES {
                for (outer, own, from) in RELATIONS {
                    let meaning = meaning.replace("{o}", own);
                    let sql = place
                        .replace("{items}", &format!("{own}.s, {meaning} AS {name}"))
                        .replace("{outer}", outer)
                        .replace("{from}", from)
                        .replace("{}", name);
                    all.push(sql);
                }
            }
        }
    }
    all
}

fn small_tables() -> Vec<Table> {
    tables().into_iter().filter(|table| matches!(table.name.as_str(), "t" | "u" | "empty" | "j")).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn names_in_nested_queries_mean_what_they_mean_in_sqlite() {
    let both = Both::new(&small_tables());
    let mut wrong = Vec::new();
    let (mut same, mut refused) = (0, 0);
    // One in eleven: all of them would take minutes.
    let step = super::corpus::env_number("INDAGO_NAMES_STEP", 11);
    for sql in statements().iter().step_by(step) {
        let Ok(expected) = both.ask_sqlite(sql) else { continue };
        match both.ask(sql).await {
            Ok(given) if arranged(sql, given.clone()) == arranged(sql, expected.clone()) => same += 1,
            Ok(given) => wrong.push(format!(
                "{sql}\n  SQLite: {expected:?}\n  here:   {given:?}\n  as:     {:?}",
                both.plan_text(sql)
            )),
            Err(error) => {
                refused += 1;
                if std::env::var_os("INDAGO_CORPUS_ERRORS").is_some() {
                    println!("refused: {sql}\n  {error}\n  as:     {:?}", both.plan_text(sql));
                }
            }
        }
    }
    println!("names: {same} as SQLite, {refused} refused, {} wrong", wrong.len());
    let count = wrong.len();
    wrong.truncate(15);
    assert!(wrong.is_empty(), "{count} differ:\n{}", wrong.join("\n"));
    assert_eq!(refused, 0, "some are refused; INDAGO_CORPUS_ERRORS=1 shows them");
}
