//! A plan as a tree for people: its tables, the estimated rows, and the calls that it would make.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, displayable};

use crate::condition::{self, Condition};
use crate::estimate;
use crate::exec::ScanExec;
use crate::lookup_join::exec::LookupJoinExec;
use crate::query::Query;

/// Slices of a scan that are listed one by one.
const LISTED: usize = 5;

impl Query {
    /// Estimated API calls of the query. Reads and calls nothing.
    pub fn estimated_calls(&self) -> usize {
        let mut tree = Tree::default();
        tree.node(self.plan(), "", "", None);
        tree.calls
    }

    /// The plan as a tree, with estimated rows and calls; the text ends in a newline. Reads and calls nothing.
    pub fn plan_tree(&self) -> String {
        let mut tree = Tree::default();
        tree.node(self.plan(), "", "", None);
        let rows = estimated_rows(self.plan()).map(|rows| format!("about {}", counted(rows, "row")));
        let calls = match tree.calls {
            0 => "no calls".to_owned(),
            calls => format!("about {}", counted(calls, "call")),
        };
        let estimate = rows.into_iter().chain([calls]).collect::<Vec<_>>().join(", ");
        let _ = writeln!(tree.text, "\nEstimate: {estimate}");
        tree.text
    }
}

/// The calls that a scan would make.
pub(crate) struct Calls {
    /// Labels of its slices, which name the calls of each.
    pub(crate) slices: Vec<String>,
    /// The calls for each row, by source of its expensive columns.
    pub(crate) per_row: Vec<String>,
    /// Estimated rows that these calls are made for.
    pub(crate) rows: usize,
}

impl Calls {
    /// The calls on one line, with the first few slices.
    pub(crate) fn line(&self) -> String {
        let mut shown: Vec<String> = self.slices.iter().take(LISTED).cloned().collect();
        if self.slices.len() > LISTED {
            shown.push(format!("+{} more", self.slices.len() - LISTED));
        }
        shown.extend(self.each_row());
        shown.join("; ")
    }

    /// The calls for each row, with their estimated number.
    fn each_row(&self) -> impl Iterator<Item = String> {
        // Several sources may make the same call.
        let mut distinct: Vec<(&String, usize)> = Vec::new();
        for calls in &self.per_row {
            match distinct.iter_mut().find(|(known, _)| *known == calls) {
                Some((_, times)) => *times += 1,
                None => distinct.push((calls, 1)),
            }
        }
        distinct.into_iter().map(|(calls, times)| {
            let many = calls.split(", ").count().saturating_mul(self.rows).saturating_mul(times);
            let times = if times > 1 { format!("{times} times ") } else { String::new() };
            format!("+ {calls} {times}for each row (about {})", counted(many, "call"))
        })
    }

    /// Estimated number of calls.
    fn estimate(&self, keys: Option<usize>) -> usize {
        // A label is the slice's name and its calls: `prod/global sts:GetCallerIdentity, iam:ListUsers`.
        let of_slices: usize = self.slices.iter().map(|label| label.split(", ").count()).sum();
        let of_rows: usize = self.per_row.iter().map(|calls| calls.split(", ").count()).sum();
        of_slices.saturating_mul(keys.unwrap_or(1)).saturating_add(of_rows.saturating_mul(self.rows))
    }
}

impl ScanExec {
    /// The calls that the scan would make, in slices and for each row.
    pub(crate) fn calls(&self) -> Calls {
        let spec = self.table().spec();
        let slices = self.reader.slices(&self.request);
        let mut per_row = Vec::new();
        // Sources of tables without named slices read local files.
        if !slices.is_empty() {
            let mut sources = HashSet::new();
            for column in self.request.needs() {
                let column = &spec.columns[column];
                if let Some(source) = column.source.filter(|source| !column.slice && sources.insert(*source)) {
                    let name = spec.sources[source].name;
                    per_row.push(if column.needs.is_empty() { name.to_owned() } else { column.needs.join(", ") });
                }
            }
        }
        Calls { slices, per_row, rows: rows_with_sources(self, self.estimated_rows()) }
    }
}

/// Estimated rows of a plan; `None` if nothing is known.
fn estimated_rows(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    if let Some(join) = plan.downcast_ref::<LookupJoinExec>() {
        return estimated_rows(join.driving());
    }
    match StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?.num_rows {
        Precision::Exact(rows) | Precision::Inexact(rows) => Some(rows),
        Precision::Absent => match plan.children().as_slice() {
            [child] => estimated_rows(child),
            _ => None,
        },
    }
}

#[derive(Default)]
struct Tree {
    text: String,
    /// Estimated calls of all scans.
    calls: usize,
    /// Shared scans that were counted.
    counted: HashSet<usize>,
}

impl Tree {
    /// A node and what is below it: `first` is written before its first line and `rest` before the others. `keys` is the
    /// number of keys that a lookup join is estimated to bring.
    fn node(&mut self, plan: &Arc<dyn ExecutionPlan>, first: &str, rest: &str, keys: Option<usize>) {
        if plan.downcast_ref::<CooperativeExec>().is_some() {
            return plan.children().into_iter().for_each(|child| self.node(child, first, rest, keys));
        }
        if let Some(scan) = plan.downcast_ref::<ScanExec>() {
            return self.scan(scan, first, rest, keys);
        }
        let line = displayable(plan.as_ref()).one_line().to_string();
        let _ = writeln!(self.text, "{first}{}", line.trim_end());
        let children = plan.children();
        let join = plan.downcast_ref::<LookupJoinExec>();
        for (position, child) in children.iter().enumerate() {
            let is_looked_up = join.filter(|join| Arc::ptr_eq(child, join.looked_up()));
            let keys = is_looked_up.and_then(|join| estimated_rows(join.driving())).or(keys);
            let (branch, below) =
                if position + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.node(child, &format!("{rest}{branch}"), &format!("{rest}{below}"), keys);
        }
    }

    fn scan(&mut self, scan: &ScanExec, first: &str, rest: &str, keys: Option<usize>) {
        let spec = scan.table().spec();
        let request = &scan.request;
        let keys = keys.filter(|_| scan.binding.is_some());
        let names = |columns: &[usize]| -> String {
            columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect::<Vec<_>>().join(", ")
        };
        let rows = scan.estimated_rows();
        let rows = keys.map_or(rows, |keys| keys.min(rows));
        let calls = Calls { rows: rows_with_sources(scan, rows), ..scan.calls() };
        let mut lines = vec![("columns", names(&request.columns))];
        let mut line = |label: &'static str, text: String| {
            if !text.is_empty() {
                lines.push((label, text));
            }
        };
        line("as of", request.as_of.map(|moment| moment.to_string()).unwrap_or_default());
        line("period", scan.table().period().map(|period| period.to_string()).unwrap_or_default());
        line("constraints", request.constraints_of(spec));
        line("filter", condition::describe(&request.conditions));
        line("limit", request.limit.map(|limit| limit.to_string()).unwrap_or_default());
        if let Some(binding) = &scan.binding {
            let many = keys.map(|keys| format!(" (about {keys})")).unwrap_or_default();
            line("keys from the join", format!("{}{many}", names(&binding.columns)));
        }
        for label in calls.slices.iter().take(LISTED) {
            line("call", if keys.is_some() { format!("{label} for each key") } else { label.clone() });
        }
        if calls.slices.len() > LISTED {
            line("call", format!("+{} more", calls.slices.len() - LISTED));
        }
        calls.each_row().for_each(|each| line("call", each));
        // Conditions on cheap columns are checked before expensive columns are read.
        let is_counted = match scan.shared_request() {
            (Some(shared), _) => self.counted.insert(shared),
            (None, _) => true,
        };
        if is_counted {
            self.calls = self.calls.saturating_add(calls.estimate(keys));
        }
        let shared = if scan.shared.is_some() { ", one scan for several places of the plan" } else { "" };
        let _ = writeln!(self.text, "{first}scan {}: about {}{shared}", spec.name, counted(rows, "row"));
        for (label, text) in lines {
            let _ = writeln!(self.text, "{rest}     {label}: {text}");
        }
    }
}

/// Rows whose expensive columns are read: all that the constraints leave, if a condition needs such a column.
fn rows_with_sources(scan: &ScanExec, rows: usize) -> usize {
    let spec = scan.table().spec();
    let mut checked = scan.request.conditions.iter().flat_map(Condition::columns);
    match checked.any(|column| spec.columns[*column].source.is_some()) {
        true => (estimate::rows_under(spec, &scan.request.constraints) as usize).max(rows),
        false => rows,
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
