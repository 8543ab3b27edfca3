//! Statements from a seeded grammar, on SQLite and here. `INDAGO_FUZZ_STATEMENTS` and `INDAGO_FUZZ_SEED` make a longer run.
//!
//! Numbers are compared by value: the kind of number that arithmetic on text gives is one of the listed differences.

use super::{
    corpus::env_number,
    harness::{Both, Row, tables},
};

/// A small generator of its own, so that a seed gives the same statements for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound.max(1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

struct Grammar<'d> {
    dice: &'d mut Dice,
    ints: Vec<&'static str>,
    reals: Vec<&'static str>,
    texts: Vec<&'static str>,
}

impl Grammar<'_> {
    fn int(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.chance(35) {
            return if self.dice.chance(65) {
                let ints = self.ints.clone();
                self.dice.one(&ints).to_owned()
            } else {
                self.dice.one(&["0", "1", "2", "-3", "5", "10", "42", "NULL"]).to_owned()
            };
        }
        match self.dice.below(11) {
            0 => format!("({} + {})", self.int(depth - 1), self.int(depth - 1)),
            1 => format!("({} - {})", self.int(depth - 1), self.int(depth - 1)),
            2 => format!("({} / {})", self.int(depth - 1), self.int(depth - 1)),
            3 => format!("({} % {})", self.int(depth - 1), self.int(depth - 1)),
            4 => format!("length({})", self.text(depth - 1)),
            5 => format!("abs({})", self.int(depth - 1)),
            6 => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.condition(depth - 1),
                self.int(depth - 1),
                self.int(depth - 1)
            ),
            7 => format!("coalesce({}, {})", self.int(depth - 1), self.int(depth - 1)),
            8 => format!("instr({}, {})", self.text(depth - 1), self.text(0)),
            9 => format!("CAST({} AS INTEGER)", self.text(depth - 1)),
            _ => format!("{}({}, {})", self.dice.one(&["max", "min"]), self.int(depth - 1), self.int(depth - 1)),
        }
    }

    fn real(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.chance(50) {
            return if self.dice.chance(60) && !self.reals.is_empty() {
                let reals = self.reals.clone();
                self.dice.one(&reals).to_owned()
            } else {
                self.dice.one(&["0.5", "2.5", "-1.25", "3.0"]).to_owned()
            };
        }
        match self.dice.below(4) {
            0 => format!("({} + {})", self.real(depth - 1), self.int(depth - 1)),
            1 => format!("({} * {})", self.real(depth - 1), self.real(depth - 1)),
            2 => format!("round({}, 1)", self.real(depth - 1)),
            _ => format!("({} / {})", self.int(depth - 1), self.real(depth - 1)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.chance(45) {
            return if self.dice.chance(65) {
                let texts = self.texts.clone();
                self.dice.one(&texts).to_owned()
            } else {
                self.dice.one(&["'abc'", "'x'", "''", "'10'", "'a'", "\"abc\"", "NULL", "'Zed'"]).to_owned()
            };
        }
        match self.dice.below(9) {
            0 => format!("({} || {})", self.text(depth - 1), self.text(depth - 1)),
            1 => format!("upper({})", self.text(depth - 1)),
            2 => format!("substr({}, {}, {})", self.text(depth - 1), self.int(0), self.int(0)),
            3 => format!("replace({}, 'a', {})", self.text(depth - 1), self.text(0)),
            4 => format!("trim({}, 'abx')", self.text(depth - 1)),
            5 => format!("coalesce({}, {})", self.text(depth - 1), self.text(depth - 1)),
            6 => format!(
                "CASE {} WHEN {} THEN {} ELSE {} END",
                self.text(depth - 1),
                self.text(0),
                self.text(0),
                self.text(depth - 1)
            ),
            7 => format!("iif({}, {}, {})", self.condition(depth - 1), self.text(depth - 1), self.text(0)),
            _ => format!("({} || {})", self.text(depth - 1), self.int(depth - 1)),
        }
    }

    fn value(&mut self, depth: usize) -> String {
        match self.dice.below(4) {
            0 | 1 => self.int(depth),
            2 => self.text(depth),
            _ => self.real(depth),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let deeper = depth.saturating_sub(1);
        if depth > 0 && self.dice.chance(35) {
            return match self.dice.below(4) {
                0 => format!("({} AND {})", self.condition(deeper), self.condition(deeper)),
                1 => format!("({} OR {})", self.condition(deeper), self.condition(deeper)),
                2 => format!("NOT ({})", self.condition(deeper)),
                _ => format!("({}) IS NOT {}", self.condition(deeper), self.dice.one(&["TRUE", "FALSE", "NULL"])),
            };
        }
        let comparison = self.dice.one(&["=", "!=", "<", "<=", ">", ">=", "IS", "IS NOT", "==", "<>"]);
        match self.dice.below(12) {
            0 | 1 => format!("{} {comparison} {}", self.int(deeper), self.int(deeper)),
            2 => format!("{} {comparison} {}", self.text(deeper), self.text(deeper)),
            3 => format!("{} {comparison} {}", self.real(deeper), self.int(deeper)),
            4 => {
                let ints = self.ints.clone();
                let column = self.dice.one(&ints);
                format!("{column} {comparison} {}", self.dice.one(&["'10'", "''", "'abc'", "'5'", "'1.5'"]))
            }
            5 => {
                let texts = self.texts.clone();
                let column = self.dice.one(&texts);
                format!("{column} {comparison} {}", self.dice.one(&["10", "5", "0", "1.5"]))
            }
            6 => format!(
                "{} LIKE {}",
                self.text(deeper),
                self.dice.one(&["'a%'", "'%B%'", "'_b_'", "'%'", "\"%c\"", "'%1%'"])
            ),
            7 => {
                let not = self.dice.one(&["", "NOT "]);
                format!(
                    "{} {not}IN ({}, {}, {})",
                    self.int(deeper),
                    self.int(0),
                    self.int(0),
                    self.dice.one(&["5", "'10'", "NULL", "'abc'"])
                )
            }
            8 => {
                let not = self.dice.one(&["", "NOT "]);
                format!(
                    "{} {not}IN ({}, {}, {})",
                    self.text(deeper),
                    self.text(0),
                    self.text(0),
                    self.dice.one(&["5", "'10'", "'abc'", "''"])
                )
            }
            9 => format!("{} BETWEEN {} AND {}", self.int(deeper), self.int(0), self.int(0)),
            10 => format!("{} {}", self.value(deeper), self.dice.one(&["IS NULL", "IS NOT NULL", "ISNULL", "NOTNULL"])),
            _ => self.value(deeper),
        }
    }

    fn aggregate(&mut self) -> String {
        match self.dice.below(9) {
            0 => "count(*)".to_owned(),
            1 => format!("count({})", self.value(1)),
            2 => format!("sum({})", self.int(1)),
            3 => format!("max({})", self.text(1)),
            4 => format!("min({})", self.int(1)),
            5 => format!("avg({})", self.int(1)),
            6 => format!("total({})", self.real(1)),
            7 => format!("count(DISTINCT {})", self.int(0)),
            _ => format!("sum({})", self.condition(1)),
        }
    }
}

fn statement(dice: &mut Dice) -> String {
    let mut single = Grammar { dice, ints: vec!["id", "a", "b"], reals: vec!["r"], texts: vec!["s", "n", "g"] };
    let g = &mut single;
    match g.dice.below(12) {
        0..4 => format!("SELECT id, {}, {} FROM t WHERE {}", g.value(3), g.value(2), g.condition(3)),
        4 => format!(
            "SELECT {} AS x, {} AS y FROM t WHERE x IS NOT {} AND {}",
            g.value(2),
            g.value(1),
            g.value(0),
            g.condition(2)
        ),
        5 => format!("SELECT g, {}, {} FROM t WHERE {} GROUP BY g", g.aggregate(), g.aggregate(), g.condition(2)),
        6 => format!(
            "SELECT {} AS k, {} FROM t GROUP BY k HAVING {} > {}",
            g.value(1),
            g.aggregate(),
            "count(*)",
            g.dice.one(&["0", "1", "2"])
        ),
        7 => format!("SELECT g, {}, {}, max(id) FROM t WHERE {} GROUP BY g", g.text(1), g.int(1), g.condition(1)),
        8 => {
            let mut g = Grammar {
                dice: g.dice,
                ints: vec!["t.id", "t.a", "u.v", "u.id"],
                reals: vec!["t.r"],
                texts: vec!["t.s", "u.s", "u.key", "t.n"],
            };
            let kind = g.dice.one(&["JOIN", "LEFT JOIN", "INNER JOIN"]);
            format!(
                "SELECT t.id, u.id, {} FROM t {kind} u ON t.id = u.t_id AND {} WHERE {}",
                g.value(2),
                g.condition(1),
                g.condition(2)
            )
        }
        9 => format!("SELECT {} FROM t WHERE {} UNION SELECT {} FROM t", g.int(2), g.condition(2), g.int(1)),
        10 => match g.dice.below(3) {
            0 => format!("SELECT id FROM t WHERE {} AND id IN (SELECT t_id FROM u WHERE v > 100)", g.condition(2)),
            1 => format!("SELECT id FROM t WHERE {} OR EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id)", g.condition(2)),
            _ => {
                format!("SELECT id, {} FROM t WHERE a > (SELECT min(v) - 200 FROM u) OR {}", g.value(2), g.condition(1))
            }
        },
        _ => {
            let limit = g.dice.below(6);
            format!("SELECT id, {} FROM t WHERE {} ORDER BY id LIMIT {limit}", g.value(2), g.condition(2))
        }
    }
}

fn alike(left: &Option<String>, right: &Option<String>) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => {
            left == right
                || match (left.parse::<f64>(), right.parse::<f64>()) {
                    (Ok(left), Ok(right)) => (left - right).abs() <= 1e-9 * left.abs().max(1.0),
                    _ => false,
                }
        }
        _ => false,
    }
}

/// Rows by number where they are numbers: an order in which 8 and 8.0 stand at the same place.
fn normal(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        for text in row.iter_mut().flatten() {
            if text.contains('.')
                && let Ok(number) = text.parse::<f64>()
                && number.fract() == 0.0
                && number.abs() < 1e15
            {
                *text = format!("{}", number as i64);
            }
        }
    }
    rows.sort();
    rows
}

#[tokio::test(flavor = "current_thread")]
async fn generated_statements_give_sqlites_answers() {
    let count = env_number("INDAGO_FUZZ_STATEMENTS", 2000);
    let seed = env_number("INDAGO_FUZZ_SEED", 1);
    let both = Both::new(&tables());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (seed as u64).wrapping_mul(0xff51_afd7_ed55_8ccd));
    let mut wrong = Vec::new();
    let mut rejected = 0;
    for _ in 0..count {
        let sql = statement(&mut dice);
        let expected = both.ask_sqlite(&sql);
        let given = both.ask(&sql).await;
        let same = match (&expected, &given) {
            (Ok(expected), Ok(given)) => {
                let (expected, given) = (normal(expected.clone()), normal(given.clone()));
                expected.len() == given.len()
                    && expected.iter().zip(&given).all(|(left, right)| {
                        left.len() == right.len() && left.iter().zip(right).all(|(left, right)| alike(left, right))
                    })
            }
            (Err(_), _) => {
                rejected += 1;
                true
            }
            (Ok(_), Err(_)) => false,
        };
        if !same {
            wrong.push(format!(
                "{sql}\n  SQLite: {expected:?}\n  here:   {given:?}\n  as:     {}",
                both.plan_text(&sql).unwrap_or_else(|error| error)
            ));
        }
    }
    println!(
        "generated: {count} statements, {} as SQLite, {rejected} rejected by SQLite, {} wrong",
        count - rejected - wrong.len(),
        wrong.len()
    );
    let shown: Vec<_> = wrong.iter().take(env_number("INDAGO_CORPUS_SHOWN", 40)).cloned().collect();
    assert!(wrong.is_empty(), "{} of {count} generated statements differ:\n{}", wrong.len(), shown.join("\n"));
}
