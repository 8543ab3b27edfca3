//! Maps, which SQLite does not have: labels of pods and similar. The expected results were worked out by hand.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Int64Array, RecordBatch, StringViewArray,
    builder::{MapBuilder, StringBuilder},
};
use arrow_schema::{Field, Schema};
use datafusion::datasource::MemTable;

use super::harness::{Both, tables};
use crate::NamedColumn;

/// The tables of the corpus and `pods`, with labels.
pub(super) fn with_pods() -> Both {
    let mut both = Both::new(&tables());
    let mut labels = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for pairs in
        [vec![("app", "web"), ("tier", "front"), ("weight", "10")], vec![("app", "db"), ("weight", "9")], vec![]]
    {
        for (key, value) in pairs {
            labels.keys().append_value(key);
            labels.values().append_value(value);
        }
        labels.append(true).expect("labels");
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("uid", Arc::new(Int64Array::from(vec![0, 1000, 1001]))),
        ("name", Arc::new(StringViewArray::from(vec!["web-1", "db-1", "bare"]))),
        ("labels", Arc::new(labels.finish())),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let named = fields.iter().map(|field| NamedColumn::new(field.name(), field.data_type().clone())).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).expect("batch");
    let provider = MemTable::try_new(schema, vec![vec![batch]]).expect("table");
    both.context.register_table("pods", Arc::new(provider)).expect("register");
    both.names.0.insert("pods".to_owned(), named);
    both
}

/// Statements and their rows.
pub(super) const ANSWERS: &[(&str, &str)] = &[
    ("SELECT labels['app'] FROM pods ORDER BY name", "NULL~db~web"),
    ("SELECT name FROM pods WHERE labels['app'] = 'web'", "web-1"),
    ("SELECT name FROM pods WHERE labels[\"app\"] = \"web\"", "web-1"),
    ("SELECT p.name FROM pods p WHERE p.labels['app'] IN ('web', 'x')", "web-1"),
    ("SELECT p.name FROM pods p WHERE P.Labels['app'] != 'web'", "db-1"),
    ("SELECT pods.name FROM pods WHERE pods.labels['app'] LIKE 'W%'", "web-1"),
    ("SELECT name FROM pods WHERE labels['app'] IS NULL", "bare"),
    ("SELECT name FROM pods WHERE labels['none'] IS NOT NULL", ""),
    ("SELECT labels['app'] AS app FROM pods WHERE app = 'db'", "db"),
    ("SELECT labels['app'] AS app, count(*) FROM pods GROUP BY app ORDER BY app", "NULL|1~db|1~web|1"),
    ("SELECT labels['app'], name FROM pods GROUP BY labels['app'] ORDER BY name DESC", "web|web-1~db|db-1~NULL|bare"),
    (
        "SELECT p.labels['app'], max(p.name) FROM pods p GROUP BY p.labels['app'] ORDER BY 2",
        "NULL|bare~db|db-1~web|web-1",
    ),
    ("SELECT max(labels['app']) FROM pods", "web"),
    ("SELECT name FROM pods ORDER BY labels['app'] DESC, name", "web-1~db-1~bare"),
    ("SELECT coalesce(labels['tier'], 'none') FROM pods ORDER BY name", "none~none~front"),
    ("SELECT labels['app'] || '/' || name FROM pods WHERE labels['app'] IS NOT NULL ORDER BY 1", "db/db-1~web/web-1"),
    ("SELECT CAST(labels['weight'] AS INTEGER) + 1 FROM pods WHERE uid = 0", "11"),
    ("SELECT labels['weight'] + 1 FROM pods WHERE uid = 0", "11"),
    ("SELECT name FROM pods WHERE labels['weight'] = 10", "web-1"),
    ("SELECT name FROM pods WHERE CAST(labels['weight'] AS INTEGER) > 9", "web-1"),
    ("SELECT name FROM pods WHERE labels['app'] COLLATE NOCASE = 'WEB'", "web-1"),
    // An output column with the alias's name does not replace the relation.
    (
        "SELECT p.name AS p, u.username FROM pods p JOIN users u ON u.uid = p.uid AND p.labels['app'] = 'web'",
        "web-1|root",
    ),
    ("SELECT p.labels['app'] AS p FROM pods p WHERE p.labels['app'] = 'db'", "db"),
    ("SELECT a.name FROM pods a JOIN pods b ON a.labels['app'] = b.labels['app'] ORDER BY 1", "db-1~web-1"),
    (
        "SELECT name FROM pods p WHERE EXISTS (SELECT 1 FROM users u WHERE u.uid = p.uid AND p.labels['app'] = 'db')",
        "db-1",
    ),
    ("SELECT (SELECT p.labels['app']) FROM pods p ORDER BY p.uid", "web~db~NULL"),
    ("SELECT x.labels['app'] FROM (SELECT * FROM pods) x WHERE x.uid = 0", "web"),
    ("WITH x AS (SELECT labels FROM pods) SELECT labels['app'] FROM x WHERE labels['tier'] = 'front'", "web"),
    ("SELECT count(DISTINCT labels['app']) FROM pods", "2"),
    ("SELECT CASE WHEN labels['app'] = 'web' THEN 1 ELSE 0 END FROM pods ORDER BY uid", "1~0~0"),
    ("SELECT name FROM pods WHERE labels['app'] BETWEEN 'a' AND 'e'", "db-1"),
    ("SELECT name FROM pods WHERE labels['app'] IN (SELECT 'web')", "web-1"),
    ("SELECT name, labels['app'] IN (SELECT 'web') FROM pods ORDER BY uid", "web-1|1~db-1|0~bare|NULL"),
    ("SELECT DISTINCT labels['app'] IS NULL FROM pods ORDER BY 1", "0~1"),
    ("SELECT upper(labels['app']) FROM pods WHERE labels['app'] GLOB 'w*'", "WEB"),
    ("SELECT json_extract(labels, '$.app') FROM pods ORDER BY uid", "web~db~NULL"),
    ("SELECT p.labels ->> 'tier' FROM pods p WHERE p.uid = 0", "front"),
    ("SELECT e.key, e.value FROM pods, json_each(pods.labels) AS e WHERE uid = 1000", "app|db~weight|9"),
    ("SELECT json_array_length(make_array(1, NULL, 3)), json_extract(make_array('a', 'b'), '$[1]')", "3|b"),
    ("SELECT json_valid(labels), json_type(labels) FROM pods WHERE uid = 1001", "1|object"),
    ("SELECT length(labels), 'is ' || labels FROM pods WHERE uid = 1001", "2|is {}"),
    ("SELECT name FROM pods WHERE labels LIKE '%\"app\":\"w%'", "web-1"),
    (
        "SELECT count(DISTINCT labels), group_concat(labels) FROM pods WHERE uid > 0",
        "2|{\"app\":\"db\",\"weight\":\"9\"},{}",
    ),
    ("SELECT CAST(labels AS TEXT) FROM pods WHERE uid = 1001", "{}"),
    ("SELECT row_number() OVER (PARTITION BY labels['app'] ORDER BY labels['weight']) FROM pods", "1~1~1"),
];

#[tokio::test(flavor = "current_thread")]
async fn maps_are_indexed_anywhere() {
    let both = with_pods();
    for (sql, answer) in ANSWERS {
        let cell = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
        let given = both.ask(sql).await.map(|rows| {
            let rows: Vec<String> =
                rows.into_iter().map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join("|")).collect();
            rows.join("~")
        });
        assert_eq!(given.as_deref(), Ok(*answer), "{sql}\n  as {:?}", both.plan_text(sql));
    }
}
