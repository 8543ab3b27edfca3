//! From an entity over the declared joins to its neighbours, and what was recorded of their rows.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::RecordBatch;
use indago_engine::{Engine, TableSpec};
use indago_table::{Error, Outcome, Period, Result, Timestamp, Warning};
use indago_tables_registry::links::{self, Change, Entity, Linked, Mention, Relation};

use super::event::Cells;
use super::{Found, Moment, NAME, SPECS, sql};

/// Joins between the entity and the farthest neighbours.
const STEPS: usize = 8;
/// The most entities that are followed.
const MOST_ENTITIES: usize = 2_000;
/// The most rows that one step reads from a table, and that a trail has.
const MOST_ROWS: usize = 20_000;
/// Keys in one statement.
const KEYS: usize = 200;

/// A walk from one entity.
pub(super) struct Walk<'a> {
    engine: &'a Engine,
    window: Period,
    /// The recorded tables.
    recorded: BTreeSet<String>,
    /// For each table, and host if it is a host's table, the conditions that find the rows of the trail.
    rows: BTreeMap<(&'static str, Option<String>), BTreeSet<String>>,
    seen: BTreeSet<Entity>,
    /// The entity where the walk starts, by all its names.
    starts: BTreeSet<Entity>,
    found: Found,
}

impl<'a> Walk<'a> {
    pub(super) fn new(engine: &'a Engine, window: Period) -> Self {
        Walk {
            engine,
            window,
            recorded: BTreeSet::new(),
            rows: BTreeMap::new(),
            seen: BTreeSet::new(),
            starts: BTreeSet::new(),
            found: Found::default(),
        }
    }

    pub(super) async fn run(mut self, start: &[Entity]) -> Result<Found> {
        let (names, warnings) = self.engine.found_names().await;
        warnings.into_iter().for_each(|warning| self.warn(warning));
        self.recorded =
            names.into_iter().filter_map(|found| Some(found.name.strip_prefix("history.")?.to_owned())).collect();
        let mut frontier: BTreeMap<Entity, Period> = start.iter().map(|entity| (entity.clone(), self.window)).collect();
        self.starts.extend(start.iter().cloned());
        for step in 0..=STEPS {
            if step == STEPS && !frontier.is_empty() {
                self.cut(&format!("neighbours that are more than {STEPS} joins away are left out"));
                break;
            }
            self.seen.extend(frontier.keys().cloned());
            let mut next = BTreeMap::new();
            for mention in links::MENTIONS {
                let is_followed = |entity: &Entity| {
                    entity.kind == mention.kind && (mention.relation != Relation::Uses || self.starts.contains(entity))
                };
                let entities: Vec<(&Entity, &Period)> =
                    frontier.iter().filter(|(entity, _)| is_followed(entity)).collect();
                if !entities.is_empty() {
                    self.follow(mention, &entities, &mut next).await?;
                }
            }
            next.retain(|entity, _| !self.seen.contains(entity));
            let room = MOST_ENTITIES.saturating_sub(self.seen.len());
            if next.len() > room {
                self.cut(&format!("only {MOST_ENTITIES} neighbours are followed; limit the time with `from` and `to`"));
                next = next.into_iter().take(room).collect();
            }
            frontier = next;
        }
        for ((table, host), keys) in std::mem::take(&mut self.rows) {
            self.changes(linked(table), host.as_deref(), &keys.into_iter().collect::<Vec<_>>()).await?;
        }
        let found = &mut self.found;
        found.moments.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        found.moments.dedup_by(|a, b| order(a) == order(b));
        if found.moments.len() > MOST_ROWS {
            found.moments.truncate(MOST_ROWS);
            self.cut(&format!("only the first {MOST_ROWS} rows are shown; limit the time with `from` and `to`"));
        }
        Ok(self.found)
    }

    /// Reads the rows of a table that mention entities.
    async fn follow(
        &mut self,
        mention: &'static Mention,
        entities: &[(&Entity, &Period)],
        next: &mut BTreeMap<Entity, Period>,
    ) -> Result<()> {
        let linked = linked(mention.table);
        let Some(spec) = SPECS.get(mention.table) else { return Ok(()) };
        let is_recorded = self.recorded.contains(mention.table);
        if !is_recorded && self.engine.table(mention.table).is_none() {
            return Ok(());
        }
        self.found.searched.insert(mention.table.to_owned());
        for some in entities.chunks(KEYS) {
            let conditions: Vec<String> =
                some.iter().filter_map(|(entity, _)| sql::mentions(spec, mention, entity)).collect();
            if conditions.is_empty() {
                continue;
            }
            let mut condition = format!("({})", sql::any(&conditions));
            if !mention.when.is_empty() {
                condition = format!("{condition} AND {}", mention.when);
            }
            match linked.change {
                Change::Event(time) => self.events(linked, is_recorded, &condition, time, "event").await?,
                Change::Call(time) => self.events(linked, is_recorded, &condition, time, "call").await?,
                Change::Object | Change::Life(_) => self.neighbours(mention, spec, &condition, some, next).await?,
            }
        }
        Ok(())
    }

    /// Reads the versions of rows that mention entities, and finds the other entities that these mention.
    async fn neighbours(
        &mut self,
        mention: &'static Mention,
        spec: &TableSpec,
        condition: &str,
        entities: &[(&Entity, &Period)],
        next: &mut BTreeMap<Entity, Period>,
    ) -> Result<()> {
        let mentions: Vec<&Mention> = links::MENTIONS.iter().filter(|other| other.table == mention.table).collect();
        let is_of_host = mentions.iter().any(|other| other.columns.contains(&sql::WRITER));
        let mut columns = ["valid_from", "valid_to", sql::WRITER].map(str::to_owned).to_vec();
        for (at, other) in mentions.iter().enumerate() {
            for (value, expression) in other.columns.iter().enumerate() {
                columns.push(match other.when {
                    "" => format!("{expression} AS m{at}_{value}"),
                    when => format!("CASE WHEN {when} THEN {expression} END AS m{at}_{value}"),
                });
            }
        }
        let identity: Vec<String> = spec.identity.iter().map(|column| sql::name(column)).collect();
        let identity: Vec<&str> = identity.iter().map(String::as_str).collect();
        columns.extend(identity.iter().enumerate().map(|(at, column)| format!("{column} AS i{at}")));
        let own_at = mentions.iter().position(|other| **other == *mention).unwrap_or_default();
        let hull = entities.iter().map(|(_, span)| **span).reduce(Period::around).unwrap_or(self.window);
        let mut statement = format!(
            "SELECT DISTINCT {} FROM history.{} WHERE {condition}",
            columns.join(", "),
            sql::name(mention.table)
        );
        if let Some(to) = hull.to {
            statement.push_str(&format!(" AND valid_from <= {}", sql::time(to)));
        }
        if let Some(from) = hull.from {
            statement.push_str(&format!(" AND (valid_to IS NULL OR valid_to >= {})", sql::time(from)));
        }
        let batches = self.read(mention.table, &statement).await?;
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let cells = Cells { batch, row };
                let span = Period { from: cells.time("valid_from"), to: cells.time("valid_to") };
                let values = |at: usize, other: &Mention| -> Vec<Option<String>> {
                    (0..other.columns.len()).map(|value| cells.text(&format!("m{at}_{value}"))).collect()
                };
                let own = values(own_at, mention);
                let is_of = |(entity, alive): &&(&Entity, &Period)| is_like(entity, &own) && alive.touches(span);
                let Some((entity, _)) = entities.iter().find(is_of) else { continue };
                let key = match spec.identity.is_empty() {
                    true => {
                        // Only with all values of the row is it the same object.
                        let whole = Entity { kind: entity.kind, values: own.clone() };
                        sql::mentions(spec, mention, &whole)
                    }
                    false => {
                        let values: Vec<Option<String>> =
                            (0..identity.len()).map(|at| cells.text(&format!("i{at}"))).collect();
                        sql::equal(spec, &identity, &values)
                    }
                };
                // The same number or name is another thing on another host.
                let host = cells.text(sql::WRITER).filter(|_| is_of_host);
                self.rows.entry((mention.table, host)).or_default().extend(key);
                let leads_on =
                    |other: &Mention| matches!(other.relation, Relation::Is | Relation::PartOf | Relation::Uses);
                for (at, other) in mentions.iter().enumerate().filter(|(_, other)| leads_on(other)) {
                    let values = values(at, other);
                    let is_whole = other.columns.iter().zip(&values).all(|(column, value)| {
                        *column == sql::NOTHING || value.as_ref().is_some_and(|value| !value.is_empty())
                    });
                    if is_whole {
                        let found = Entity { kind: other.kind, values };
                        // The same row, so another name of the entity.
                        if [mention.relation, other.relation] == [Relation::Is; 2] && self.starts.contains(*entity) {
                            self.starts.insert(found.clone());
                        }
                        next.entry(found).and_modify(|known| *known = known.around(span)).or_insert(span);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds events and calls.
    async fn events(
        &mut self,
        linked: &'static Linked,
        is_recorded: bool,
        condition: &str,
        time: &str,
        kind: &str,
    ) -> Result<()> {
        let table = sql::name(linked.table);
        let from = if is_recorded { format!("history.{table}") } else { table };
        let window = sql::within(&sql::name(time), self.window);
        let batches = self.read(linked.table, &format!("SELECT * FROM {from} WHERE {condition}{window}")).await?;
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let cells = Cells { batch, row };
                if let Some(at) = cells.time(time) {
                    let what = [cells.label(linked), cells.facts(linked)].join(": ");
                    self.add(linked, cells, at, kind, what);
                }
            }
        }
        Ok(())
    }

    /// Adds the changes of rows.
    async fn changes(&mut self, linked: &'static Linked, host: Option<&str>, keys: &[String]) -> Result<()> {
        let of_host = host.map(|host| format!(" AND {} = {}", sql::WRITER, sql::text(host))).unwrap_or_default();
        for some in keys.chunks(KEYS) {
            let statement = format!(
                "SELECT *, {} FROM changes.{} WHERE ({}){of_host}{}",
                sql::WRITER,
                sql::name(linked.table),
                sql::any(some),
                sql::within("at", self.window)
            );
            for batch in &self.read(linked.table, &statement).await? {
                for row in 0..batch.num_rows() {
                    self.change(linked, Cells { batch, row });
                }
            }
        }
        Ok(())
    }

    fn change(&mut self, linked: &'static Linked, cells: Cells<'_>) {
        let (Some(at), Some(op)) = (cells.time("at"), cells.text("op")) else { return };
        let first = match op == "added" && cells.time("not_before").is_none() {
            true => ["in the first reading, ", &cells.facts(linked)].concat(),
            false => cells.facts(linked),
        };
        let (kind, at, facts) = match (op.as_str(), linked.change) {
            ("added", Change::Life(start)) => match cells.time(start) {
                // The time is exact, and can be before the first reading.
                Some(start) if self.window.contains(start) => ("started", start, cells.facts(linked)),
                Some(_) => return,
                None => ("started", at, first),
            },
            ("removed", Change::Life(_)) => ("ended", at, cells.facts(linked)),
            ("modified", _) => ("modified", at, cells.differences()),
            (kind, _) => (kind, at, first),
        };
        let what = [cells.label(linked), facts].join(": ");
        self.add(linked, cells, at, kind, what);
    }

    fn add(&mut self, linked: &'static Linked, cells: Cells<'_>, at: Timestamp, kind: &str, what: String) {
        let Some(spec) = SPECS.get(linked.table) else { return };
        let names: Vec<&str> = match spec.identity.is_empty() {
            true => linked.names.to_vec(),
            false => spec.identity.iter().map(|name| &**name).collect(),
        };
        let of_row: Vec<Option<String>> = names.iter().map(|name| cells.text(name)).collect();
        // Hidden columns without a value, such as the root of another host, only lengthen the condition.
        let is_shown = |name: &str| spec.columns.iter().any(|column| column.name == name && !column.hidden);
        let known = names.iter().zip(&of_row).filter(|(name, value)| value.is_some() || is_shown(name));
        let (known, values): (Vec<&str>, Vec<Option<String>>) =
            known.map(|(name, value)| (*name, value.clone())).unzip();
        let seen = |mention: &&Mention| {
            let values: Vec<Option<String>> = mention.columns.iter().map(|column| cells.text(column)).collect();
            let is_it = |seen: &&Entity| seen.kind == mention.kind && is_like(seen, &values);
            // The last one is the one with most values.
            let found = values.iter().any(Option::is_some).then(|| self.seen.iter().rfind(is_it));
            found.flatten().map(Entity::text)
        };
        let mentions = links::MENTIONS.iter().filter(|mention| mention.table == linked.table);
        let (is, names_it): (Vec<&Mention>, Vec<&Mention>) = mentions.partition(|one| one.relation == Relation::Is);
        let entity = is.iter().chain(&names_it).find_map(seen);
        self.found.moments.push(Moment {
            at,
            environment: spec.environment.to_string(),
            kind: kind.to_owned(),
            what: what.trim_end_matches([':', ' ', ',']).to_owned(),
            table: linked.table.to_owned(),
            key: sql::equal(spec, &known, &values).unwrap_or_default(),
            entity: entity.unwrap_or_default(),
        });
    }

    async fn read(&mut self, table: &str, statement: &str) -> Result<Vec<RecordBatch>> {
        let failed = |error: indago_engine::Error| Error::Io { what: table.to_owned(), message: error.to_string() };
        let statement = format!("{statement} LIMIT {}", MOST_ROWS + 1);
        let query = self.engine.query(&statement).await.map_err(failed)?;
        let batches = query.collect().await.map_err(failed)?;
        query.warnings().into_iter().for_each(|warning| self.warn(warning));
        if batches.iter().map(RecordBatch::num_rows).sum::<usize>() > MOST_ROWS {
            self.cut(&format!("only {MOST_ROWS} rows of {table} were read; limit the time with `from` and `to`"));
        }
        Ok(batches)
    }

    fn cut(&mut self, message: &str) {
        self.warn(Warning {
            table: NAME.to_owned(),
            origin: String::new(),
            outcome: Outcome::Unsupported,
            message: message.to_owned(),
            needs: None,
            count: 1,
            lines: None,
        });
    }

    fn warn(&mut self, mut warning: Warning) {
        // Versions and changes of a table have the same gaps.
        let table = ["history.", "changes."].iter().find_map(|schema| warning.table.strip_prefix(schema));
        if let Some(table) = table {
            warning.table = table.to_owned();
        }
        let is_known =
            |known: &Warning| known.is_like(&warning) && (known.table != NAME || known.message == warning.message);
        if !self.found.warnings.iter().any(is_known) {
            self.found.warnings.push(warning);
        }
    }
}

fn linked(table: &str) -> &'static Linked {
    links::LINKED.iter().find(|linked| linked.table == table).expect("a test of the list finds each table once")
}

/// Whether an entity has these values, as far as it has any.
fn is_like(entity: &Entity, values: &[Option<String>]) -> bool {
    entity.values.iter().zip(values).all(|(known, value)| known.is_none() || value.is_none() || known == value)
}

fn order(moment: &Moment) -> (Timestamp, &str, &str, &str, &str, &str) {
    (moment.at, &moment.environment, &moment.table, &moment.key, &moment.kind, &moment.what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_the_user_left_out_is_any_value() {
        let some = |text: &str| Some(text.to_owned());
        let entity = Entity { kind: "node", values: vec![None, some("worker-1")] };
        assert!(is_like(&entity, &[some("prod"), some("worker-1")]));
        assert!(!is_like(&entity, &[some("prod"), some("worker-2")]));
    }
}
