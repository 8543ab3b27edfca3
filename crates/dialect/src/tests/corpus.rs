//! The corpus in `corpus/`: each statement runs on SQLite and on the dialect.
//!
//! A statement ends with a semicolon at the end of a line. If SQLite does not have a function, a line `-- answer: a|b`
//! above the statement gives its rows (`~` between rows, `NULL` for NULL).

use std::{collections::BTreeMap, fs, path::Path};

use super::harness::{Both, Row, tables};

pub(super) struct Case {
    pub(super) file: String,
    pub(super) sql: String,
    pub(super) answer: Option<Vec<Row>>,
}

pub(super) fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("corpus").filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.sort();
    let only = std::env::var("INDAGO_CORPUS_FILE").ok();
    let mut cases = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("corpus file");
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let mut sql = String::new();
        let mut answer = None;
        for line in text.lines() {
            if sql.is_empty() {
                if let Some(rows) = line.strip_prefix("-- answer: ") {
                    let cell = |cell: &str| if cell == "NULL" { None } else { Some(cell.to_owned()) };
                    answer = Some(rows.split('~').map(|row| row.split('|').map(cell).collect()).collect());
                    continue;
                }
                if line.starts_with("-- ") || line.trim().is_empty() {
                    continue;
                }
            }
            sql.push_str(line);
            if line.ends_with(';') {
                cases.push(Case { file: name.clone(), sql: std::mem::take(&mut sql), answer: answer.take() });
            } else {
                sql.push('\n');
            }
        }
        assert!(sql.trim().is_empty(), "{name}: a statement without a semicolon: {sql}");
    }
    cases
}

/// The differences listed in the reference: statement to reason.
fn known() -> BTreeMap<String, String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/dialect.md");
    let text = fs::read_to_string(page).unwrap_or_default();
    let mut known = BTreeMap::new();
    let mut reason = String::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            reason = title.to_owned();
        } else if line.starts_with("```sql differs") {
            inside = true;
        } else if line.starts_with("```") {
            inside = false;
        } else if inside && !line.trim().is_empty() {
            known.insert(line.trim().to_owned(), reason.clone());
        }
    }
    known
}

/// Rows in a fixed order, unless the statement sorts them.
pub(super) fn arranged(sql: &str, mut rows: Vec<Row>) -> Vec<Row> {
    let upper = sql.to_uppercase();
    let sorted = upper.rfind("ORDER BY").is_some_and(|at| !upper[at..].contains(')'));
    if !sorted {
        rows.sort();
    }
    rows
}

#[tokio::test(flavor = "current_thread")]
async fn corpus_gives_sqlites_answers() {
    let both = Both::new(&tables());
    let mut known = known();
    let mut passed = 0;
    let mut superset = 0;
    let mut both_fail = 0;
    let mut listed = 0;
    let mut wrong = Vec::new();
    let cases = cases();
    let count = cases.len();
    for case in cases {
        let sql = case.sql.trim_end_matches(';');
        let expected = match case.answer {
            Some(answer) => Ok(answer),
            None => both.ask_sqlite(sql),
        };
        let began = std::time::Instant::now();
        let given = both.ask(sql).await;
        if began.elapsed().as_millis() > 1000 {
            println!("slow: {:?} {sql:.120}", began.elapsed());
        }
        let same = match (&expected, &given) {
            (Ok(expected), Ok(given)) => arranged(sql, expected.clone()) == arranged(sql, given.clone()),
            (Err(reason), Err(ours)) => {
                both_fail += 1;
                if std::env::var_os("INDAGO_CORPUS_ERRORS").is_some() {
                    println!("both fail: {sql}\n  SQLite: {reason}\n  here:   {ours}");
                }
                true
            }
            (Err(_), Ok(_)) => {
                superset += 1;
                true
            }
            (Ok(_), Err(_)) => false,
        };
        let is_known = known.remove(sql).is_some();
        match (same, is_known) {
            (true, false) => passed += 1,
            (false, true) => listed += 1,
            (true, true) => wrong
                .push(format!("{}: {sql}\n  no longer differs: remove it from docs/reference/dialect.md", case.file)),
            (false, false) => wrong.push(format!(
                "{}: {sql}\n  SQLite: {expected:?}\n  here:   {given:?}\n  as:     {}",
                case.file,
                both.plan_text(sql).unwrap_or_else(|error| error)
            )),
        }
    }
    if std::env::var_os("INDAGO_CORPUS_FILE").is_some() {
        known.clear();
    }
    for sql in known.keys() {
        wrong.push(format!("listed as differing but not in the corpus: {sql}"));
    }
    println!(
        "corpus: {count} statements, {passed} as SQLite ({superset} of them rejected by SQLite alone, {both_fail} by both), {listed} differ as listed, {} wrong",
        wrong.len()
    );
    if !wrong.is_empty() {
        let shown: Vec<_> = wrong.iter().take(env_number("INDAGO_CORPUS_SHOWN", 40)).cloned().collect();
        panic!("{} statements differ from SQLite:\n{}", wrong.len(), shown.join("\n"));
    }
}

pub(super) fn env_number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
