//! Statements of a seeded grammar, on SQLite and on the dialect. `INDAGO_FUZZ_STATEMENTS` and `INDAGO_FUZZ_SEED` select
//! a longer run.
//!
//! Numbers compare by value: the kind of number that arithmetic on text returns is one of the listed differences.

use super::{
    corpus::env_number,
    harness::{Both, Row, tables},
};

/// A small random generator of our own, so that a seed always produces the same statements.
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

/// Expressions over some columns.
struct Grammar<'d> {
    dice: &'d mut Dice,
    ints: Vec<&'static str>,
    reals: Vec<&'static str>,
    texts: Vec<&'static str>,
    /// Whether numbers and texts are compared. Not over the columns of subqueries: their affinity is a listed
    /// difference.
    mixes: bool,
}

impl<'d> Grammar<'d> {
    /// Over the columns of `t`.
    fn of_t(dice: &'d mut Dice) -> Self {
        Grammar { dice, ints: vec!["id", "a", "b"], reals: vec!["r"], texts: vec!["s", "n", "g"], mixes: true }
    }

    /// Over the columns of `t` and `u`.
    fn of_both(dice: &'d mut Dice) -> Self {
        Grammar {
            dice,
            ints: vec!["t.id", "t.a", "u.v", "u.id"],
            reals: vec!["t.r"],
            texts: vec!["t.s", "u.s", "u.key", "t.n"],
            mixes: true,
        }
    }

    /// Over a subquery's `x` and `y`.
    fn of_subquery(dice: &'d mut Dice) -> Self {
        Grammar { dice, ints: vec!["c.id", "c.x"], reals: vec![], texts: vec!["c.y"], mixes: false }
    }

    fn int(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.chance(35) {
            return if self.dice.chance(65) {
                let ints = self.ints.clone();
                self.dice.one(&ints).to_owned()
            } else {
                self.dice.one(&["0", "1", "2", "-3", "5", "10", "42", "NULL"]).to_owned()
            };
        }
        match self.dice.below(17) {
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
            11 => format!("({} {} {})", self.int(depth - 1), self.dice.one(&["&", "|"]), self.int(0)),
            12 => format!("({} {} {})", self.int(0), self.dice.one(&["<<", ">>"]), self.dice.one(&["1", "3", "-2"])),
            13 => format!("unicode({})", self.text(depth - 1)),
            14 => format!("nullif({}, {})", self.int(depth - 1), self.int(0)),
            15 => format!("({} * {})", self.int(0), self.int(0)),
            16 => format!("-{}", self.int(0).trim_start_matches('-')),
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
        match self.dice.below(17) {
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
            9 => format!("lower({})", self.text(depth - 1)),
            10 => format!("substr({}, {})", self.text(depth - 1), self.int(0)),
            11 => format!("ltrim({})", self.text(depth - 1)),
            12 => format!("rtrim({}, {})", self.text(depth - 1), self.dice.one(&["'c'", "'0 '", "s"])),
            13 => format!("nullif({}, {})", self.text(depth - 1), self.text(0)),
            14 => format!("CAST({} AS TEXT)", self.int(depth - 1)),
            15 => format!("printf('%d/%s', {}, {})", self.int(0), self.text(depth - 1)),
            16 => format!("hex({})", self.text(depth - 1)),
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
        match self.dice.below(17) {
            0 | 1 => format!("{} {comparison} {}", self.int(deeper), self.int(deeper)),
            2 => format!("{} {comparison} {}", self.text(deeper), self.text(deeper)),
            3 => format!("{} {comparison} {}", self.real(deeper), self.int(deeper)),
            4 if self.mixes => {
                let ints = self.ints.clone();
                let column = self.dice.one(&ints);
                format!("{column} {comparison} {}", self.dice.one(&["'10'", "''", "'abc'", "'5'", "'1.5'"]))
            }
            5 if self.mixes => {
                let texts = self.texts.clone();
                let column = self.dice.one(&texts);
                format!("{column} {comparison} {}", self.dice.one(&["10", "5", "0", "1.5"]))
            }
            6 => format!(
                "{} LIKE {}",
                self.text(deeper),
                self.dice.one(&["'a%'", "'%B%'", "'_b_'", "'%'", "\"%c\"", "'%1%'"])
            ),
            7 if self.mixes => {
                let not = self.dice.one(&["", "NOT "]);
                format!(
                    "{} {not}IN ({}, {}, {})",
                    self.int(deeper),
                    self.int(0),
                    self.int(0),
                    self.dice.one(&["5", "'10'", "NULL", "'abc'"])
                )
            }
            8 if self.mixes => {
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
            12 => {
                let texts = self.texts.clone();
                let column = self.dice.one(&texts);
                let comparison = self.dice.one(&["=", "!=", "<", ">=", "IS"]);
                let collation = self.dice.one(&["NOCASE", "RTRIM", "BINARY"]);
                format!("{} {comparison} {column} COLLATE {collation}", self.text(deeper))
            }
            13 => format!(
                "{} GLOB {}",
                self.text(deeper),
                self.dice.one(&["'a*'", "'?b?'", "'[A-Z]*'", "'*'", "'*[^0-9]'"])
            ),
            14 => format!(
                "{} NOT LIKE {} ESCAPE '!'",
                self.text(deeper),
                self.dice.one(&["'a!_%'", "'%!%%'", "'!!%'", "'%c'"])
            ),
            15 => format!("{} NOT BETWEEN {} AND {}", self.text(deeper), self.text(0), self.text(0)),
            16 => format!("{} IN ({}, {})", self.text(deeper), self.text(0), self.text(0)),
            10 => format!("{} {}", self.value(deeper), self.dice.one(&["IS NULL", "IS NOT NULL", "ISNULL", "NOTNULL"])),
            _ => self.value(deeper),
        }
    }

    fn aggregate(&mut self) -> String {
        match self.dice.below(16) {
            0 => "count(*)".to_owned(),
            1 => format!("count({})", self.value(1)),
            2 => format!("sum({})", self.int(1)),
            3 => format!("max({})", self.text(1)),
            4 => format!("min({})", self.int(1)),
            5 => format!("avg({})", self.int(1)),
            6 => format!("total({})", self.real(1)),
            7 => format!("count(DISTINCT {})", self.int(0)),
            9 => format!("count(*) FILTER (WHERE {})", self.condition(1)),
            10 => format!("sum({}) FILTER (WHERE {})", self.int(0), self.condition(1)),
            11 => format!("max({})", self.int(1)),
            12 => format!("min({})", self.text(1)),
            13 => format!("coalesce(sum({}), -1)", self.int(1)),
            14 => format!("max({}) - min({})", self.int(1), self.int(0)),
            15 => format!("count(DISTINCT {})", self.text(0)),
            _ => format!("sum({})", self.condition(1)),
        }
    }
}

/// One statement over `t`, `u` and `j`.
fn statement(dice: &mut Dice) -> String {
    match dice.below(24) {
        0..4 => {
            let g = &mut Grammar::of_t(dice);
            format!("SELECT id, {}, {} FROM t WHERE {}", g.value(3), g.value(2), g.condition(3))
        }
        4 => {
            let g = &mut Grammar::of_t(dice);
            let (x, y) = (g.value(2), g.value(1));
            format!("SELECT {x} AS x, {y} AS y FROM t WHERE x IS NOT {} AND {}", g.value(0), g.condition(2))
        }
        5..9 => grouped(dice),
        9..12 => joined(dice),
        12 => compound(dice),
        13..16 => nested(dice),
        16 => {
            let g = &mut Grammar::of_t(dice);
            let limit = g.dice.below(6);
            format!("SELECT id, {} FROM t WHERE {} ORDER BY id LIMIT {limit}", g.value(2), g.condition(2))
        }
        17 => sorted(dice),
        18..20 => windowed(dice),
        20..22 => common_table(dice),
        22 => json(dice),
        _ => dated(dice),
    }
}

fn grouped(dice: &mut Dice) -> String {
    let g = &mut Grammar::of_t(dice);
    match g.dice.below(7) {
        0 => format!("SELECT g, {}, {} FROM t WHERE {} GROUP BY g", g.aggregate(), g.aggregate(), g.condition(2)),
        1 => {
            let bound = g.dice.one(&["0", "1", "2"]);
            format!("SELECT {} AS k, {} FROM t GROUP BY k HAVING count(*) > {bound}", g.value(1), g.aggregate())
        }
        // Bare columns come from the row that holds the only minimum or maximum.
        2 => format!("SELECT g, {}, {}, max(id) FROM t WHERE {} GROUP BY g", g.text(1), g.int(1), g.condition(1)),
        3 => {
            let extreme = g.dice.one(&["min(id)", "max(id)", "min(id * 2)", "max(-id)"]);
            let (text, real) = (g.text(1), g.real(1));
            format!("SELECT {text} AS x, {real}, s, {extreme}, count(*) FROM t GROUP BY {}", g.text(1))
        }
        4 => format!("SELECT {}, max(id), s, a FROM t WHERE {}", g.text(1), g.condition(2)),
        5 => {
            let (key, other) = (g.int(1), g.text(0));
            format!(
                "SELECT {key} AS k, count(*) AS number, {} FROM t GROUP BY k, {other} HAVING number < 3 OR k > 0",
                g.aggregate()
            )
        }
        _ => format!("SELECT {}, {} FROM t WHERE {}", g.aggregate(), g.aggregate(), g.condition(2)),
    }
}

fn joined(dice: &mut Dice) -> String {
    let g = &mut Grammar::of_both(dice);
    match g.dice.below(7) {
        0 | 1 => {
            let kind = g.dice.one(&["JOIN", "LEFT JOIN", "INNER JOIN"]);
            let (value, on, condition) = (g.value(2), g.condition(1), g.condition(2));
            format!("SELECT t.id, u.id, {value} FROM t {kind} u ON t.id = u.t_id AND {on} WHERE {condition}")
        }
        2 => format!("SELECT t.id, u.id, {} FROM t, u WHERE u.t_id = t.id AND {}", g.value(2), g.condition(2)),
        3 => {
            let kind = g.dice.one(&["JOIN", "LEFT JOIN"]);
            let columns = g.dice.one(&["id", "id, s", "s"]);
            format!("SELECT id, s, {} FROM t {kind} u USING ({columns}) WHERE {}", g.value(1), g.condition(2))
        }
        4 => {
            let kind = g.dice.one(&["JOIN", "LEFT JOIN"]);
            let (value, on) = (g.value(1), g.condition(1));
            format!(
                "SELECT t.id, u.id, w.id, {value} FROM t LEFT JOIN u ON u.t_id = t.id {kind} u w ON w.id = u.id AND {on}"
            )
        }
        5 => {
            let kind = g.dice.one(&["RIGHT JOIN", "FULL JOIN"]);
            format!("SELECT t.id, u.id, {} FROM t {kind} u ON t.id = u.t_id WHERE {}", g.value(1), g.condition(1))
        }
        _ => {
            let kind = g.dice.one(&["JOIN", "LEFT JOIN"]);
            let of_groups = "(SELECT t_id AS id, count(*) AS x, max(s) AS y FROM u GROUP BY t_id) c";
            let condition = g.dice.one(&["c.x > 1", "c.y IS NOT NULL", "c.x IS NULL", "1"]);
            format!("SELECT t.id, c.x, c.y FROM t {kind} {of_groups} ON c.id = t.id WHERE {condition}")
        }
    }
}

fn compound(dice: &mut Dice) -> String {
    let g = &mut Grammar::of_t(dice);
    let operator = g.dice.one(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
    if g.dice.chance(50) {
        format!("SELECT {} FROM t WHERE {} {operator} SELECT {} FROM t", g.int(2), g.condition(2), g.int(1))
    } else {
        let (left, right) = (g.text(2), g.text(1));
        format!(
            "SELECT {left}, {} FROM t {operator} SELECT {right}, {} FROM t WHERE {}",
            g.int(0),
            g.int(0),
            g.condition(1)
        )
    }
}

fn nested(dice: &mut Dice) -> String {
    let g = &mut Grammar::of_t(dice);
    match g.dice.below(9) {
        0 => format!("SELECT id FROM t WHERE {} AND id IN (SELECT t_id FROM u WHERE v > 100)", g.condition(2)),
        1 => format!("SELECT id FROM t WHERE {} OR EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id)", g.condition(2)),
        2 => format!("SELECT id, {} FROM t WHERE a > (SELECT min(v) - 200 FROM u) OR {}", g.value(2), g.condition(1)),
        3 => format!("SELECT id FROM t WHERE {} AND NOT EXISTS (SELECT 1 FROM u WHERE u.s = t.s)", g.condition(2)),
        4 => {
            let of = g.dice.one(&["max(v)", "count(*)", "min(key)", "sum(v)", "total(v)"]);
            format!("SELECT id, (SELECT {of} FROM u WHERE u.t_id = t.id) FROM t WHERE {}", g.condition(2))
        }
        5 => {
            let column = g.dice.one(&["t_id", "id", "v"]);
            format!("SELECT id FROM t WHERE {} NOT IN (SELECT {column} FROM u) OR {}", g.int(1), g.condition(1))
        }
        6 => format!("SELECT id FROM t WHERE {} NOT IN (SELECT v FROM u WHERE v IS NOT NULL)", g.int(1)),
        7 => format!("SELECT id FROM t WHERE {} IN (SELECT s FROM u) AND {}", g.text(1), g.condition(1)),
        _ => {
            let inner = format!("SELECT id, {} AS x, {} AS y FROM t WHERE {}", g.int(2), g.text(2), g.condition(1));
            let g = &mut Grammar::of_subquery(dice);
            format!("SELECT c.id, {}, {} FROM ({inner}) c WHERE {}", g.int(2), g.text(1), g.condition(2))
        }
    }
}

fn sorted(dice: &mut Dice) -> String {
    let g = &mut Grammar::of_t(dice);
    let (value, condition) = (g.value(1), g.condition(1));
    let direction = g.dice.one(&["", " DESC", " ASC NULLS LAST", " DESC NULLS FIRST"]);
    let key = match g.dice.below(4) {
        0 => g.int(1),
        1 => g.text(1),
        2 => format!("{} COLLATE NOCASE", g.text(0)),
        _ => "x".to_owned(),
    };
    // A lone integer would be an ordinal.
    let key = if key.parse::<i64>().is_ok() { format!("{key} + 0") } else { key };
    let (limit, offset) = (g.dice.below(6) + 1, g.dice.below(3));
    format!(
        "SELECT {value} AS x, id FROM t WHERE {condition} ORDER BY {key}{direction}, id LIMIT {limit} OFFSET {offset}"
    )
}

fn windowed(dice: &mut Dice) -> String {
    let g = &mut Grammar::of_t(dice);
    let function = match g.dice.below(13) {
        0 => "row_number()".to_owned(),
        1 => "rank()".to_owned(),
        2 => "dense_rank()".to_owned(),
        3 => "ntile(3)".to_owned(),
        4 => format!("lag({})", g.int(1)),
        5 => format!("lead({}, 2, {})", g.int(0), g.dice.one(&["0", "-1", "NULL"])),
        6 => format!("first_value({})", g.text(1)),
        7 => format!("last_value({})", g.int(1)),
        8 => format!("sum({})", g.int(1)),
        9 => format!("max({})", g.text(0)),
        10 => format!("nth_value({}, 2)", g.text(0)),
        11 => format!("avg({})", g.int(1)),
        _ => "count(*)".to_owned(),
    };
    let partition = match g.dice.below(3) {
        0 => String::new(),
        1 => "PARTITION BY g ".to_owned(),
        _ => format!("PARTITION BY {} ", g.int(1)),
    };
    let order = g.dice.one(&["id", "a, id", "s DESC, id", "r, id", "coalesce(b, -1), id DESC"]);
    // Ranking functions have no frame.
    let ranking = function.ends_with("()") && function != "count(*)" || function.starts_with("ntile");
    let frames = [
        "",
        " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
        " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
        " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING",
        " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    ];
    let frame =
        if ranking || function.starts_with('l') && !function.starts_with("last") { "" } else { g.dice.one(&frames) };
    format!("SELECT id, {function} OVER ({partition}ORDER BY {order}{frame}) FROM t WHERE {}", g.condition(1))
}

fn common_table(dice: &mut Dice) -> String {
    if dice.chance(30) {
        let start = dice.below(5);
        let (step, end) = (dice.below(3) + 1, dice.below(15) + 5);
        let of = dice.one(&["i, i * 2", "i % 3, count(*)", "max(i)", "i, (SELECT s FROM t WHERE t.id = i)"]);
        let tail = if of.contains("count") { " GROUP BY i % 3" } else { "" };
        return format!(
            "WITH RECURSIVE numbers(i) AS (SELECT {start} UNION ALL SELECT i + {step} FROM numbers WHERE i < {end}) SELECT {of} FROM numbers{tail}"
        );
    }
    let g = &mut Grammar::of_t(dice);
    let inner = format!("SELECT id, {} AS x, {} AS y FROM t WHERE {}", g.int(2), g.text(2), g.condition(1));
    let g = &mut Grammar::of_subquery(dice);
    match g.dice.below(4) {
        0 => format!("WITH c AS ({inner}) SELECT c.id, {}, {} FROM c WHERE {}", g.int(1), g.text(1), g.condition(2)),
        1 => format!("WITH c AS ({inner}) SELECT c.id, o.x, {} FROM c JOIN c o ON o.id = c.id + 1", g.int(1)),
        2 => format!("WITH c AS ({inner}) SELECT y, count(*), max(x) FROM c WHERE {} GROUP BY y", g.condition(1)),
        _ => format!(
            "WITH c AS ({inner}), d AS (SELECT x, max(id) AS id, y FROM c GROUP BY x) SELECT * FROM d WHERE y IS NOT NULL"
        ),
    }
}

fn json(dice: &mut Dice) -> String {
    let path = |dice: &mut Dice| {
        dice.one(&["$.a", "$.b", "$.b[0]", "$.b[#-1].c", "$.d.e", "$.d.f", "$.t", "$[1]", "$", "$.missing"]).to_owned()
    };
    let document =
        dice.one(&[r#"[1,"x",null,2.5,{"k":[]}]"#, r#"{"a":1,"b":{"c":[true]},"d":"x"}"#, "[]", "7", r#""s""#]);
    match dice.below(7) {
        0 => format!("SELECT id, json_extract(doc, '{}') FROM j WHERE id < 4", path(dice)),
        1 => format!("SELECT id, doc -> '{}', doc ->> '{}' FROM j WHERE id < 4", path(dice), path(dice)),
        2 => format!(
            "SELECT id, json_type(doc, '{}'), json_array_length(doc, '{}') FROM j WHERE id < 4",
            path(dice),
            path(dice)
        ),
        3 => format!(
            "SELECT id, json_valid(doc) FROM j WHERE json_extract(doc, '{}') IS NOT NULL AND id < 4",
            path(dice)
        ),
        4 => format!(
            "SELECT key, type, atom, fullkey, path FROM {}('{document}')",
            dice.one(&["json_each", "json_tree"])
        ),
        5 => format!(
            "SELECT json_set('{document}', '{}', {}), json_quote(s), json_array(id, s) FROM t",
            path(dice),
            dice.one(&["1", "'x'", "NULL"])
        ),
        _ => {
            let g = &mut Grammar::of_t(dice);
            format!("SELECT json_object('i', {}, 't', {}), json_array({}, NULL) FROM t", g.int(1), g.text(1), g.text(0))
        }
    }
}

fn dated(dice: &mut Dice) -> String {
    let modifier = |dice: &mut Dice| {
        dice.one(&[
            "+1 day",
            "-3 months",
            "start of month",
            "+10 years",
            "weekday 1",
            "-90 minutes",
            "start of day",
            "+1.5 hours",
        ])
        .to_owned()
    };
    let moment = dice.one(&[
        "'2024-02-29 12:34:56'",
        "'2023-12-31'",
        "id * 86400 * 400, 'unixepoch'",
        "'1999-01-01T00:00'",
        "a",
        "s",
    ]);
    let function = dice.one(&["datetime", "date", "time", "unixepoch", "julianday"]);
    match dice.below(3) {
        0 => format!("SELECT id, {function}({moment}, '{}') FROM t", modifier(dice)),
        1 => format!("SELECT id, {function}({moment}, '{}', '{}') FROM t", modifier(dice), modifier(dice)),
        _ => {
            let format = dice.one(&["%Y-%m-%d", "%H:%M:%S", "%s", "%j %w", "%W", "%d/%m"]);
            format!("SELECT id, strftime('{format}', {moment}) FROM t WHERE {}", Grammar::of_t(dice).condition(1))
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

/// Sorts rows by number if they are numbers, so that 8 and 8.0 have the same position.
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
