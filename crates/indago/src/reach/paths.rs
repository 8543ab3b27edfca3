//! `attack_paths(from, to [, max_length])` and `attack_reach(from)`.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use indago_engine::{TableFunction, TableFunctions};
use indago_reach::{Graph, Kinds, Limits, Model, NodeId, NodeKind, Path};
use indago_table::prelude::*;
use indago_table::{AnyScan, Outcome, Streaming, Warning};

use super::read::Wanted;
use super::{Estate, joined, with_past};

const PATHS: &str = "attack_paths";
const REACH: &str = "attack_reach";
/// All nodes with which an attacker has a cluster.
const CRITICAL: &str = "critical";
/// The longest path that can be asked for.
const LONGEST: u32 = 32;

/// Steps of the shortest paths from one node of the attack graph to another, by the rules of Kubernetes.
///
/// `attack_paths('Endpoint', 'critical')` has the paths from all ports to all critical nodes. `from` and `to` are the key of a
/// node (`graph_nodes.key`), a kind such as `Pod`, the word `critical`, or several of these with a comma between them. A
/// path visits no node twice and has at most `max_length` steps, by default 10. At most 100 paths are shown per pair of
/// nodes, the shortest first.
#[derive(Debug, Default, Clone, Table)]
#[table(name = "attack_paths", env = Search, stream, rows = 1000)]
struct PathStep {
    /// Number of the path, from 1.
    path: i64,
    /// Number of the step in its path, from 1.
    step: i64,
    /// Kind of the node where the step starts.
    from_kind: String,
    /// Key of that node.
    from_key: String,
    /// Kind of the node where it ends.
    to_kind: String,
    /// Key of that node.
    to_key: String,
    /// Kind of the cheapest edge between the two.
    kind: String,
    /// Kinds of other edges between the two: a change must remove all of them.
    other_kinds: Vec<String>,
    /// ID of the technique in MITRE ATT&CK.
    technique: Option<String>,
    /// Field or rule that allows the step.
    allowed_by: String,
    /// Smallest change that removes the edge.
    breaks: String,
    /// What could not be read, and could add or remove the edge; NULL if nothing is missing.
    unread: Option<String>,
    /// Effort of the step: 0 for a position, 1 for one request or command, 2 for more, 5 if it needs luck or a
    /// vulnerability.
    cost: i64,
    /// Effort of the path up to this step.
    total_cost: i64,
    /// Number of steps of the path.
    distance: i64,
    /// Key of the node where the path starts.
    start_key: String,
    /// Key of the node where the path ends.
    end_key: String,
    /// Cluster of the step.
    cluster: String,
}

/// Everything that can be reached from some nodes of the attack graph, by the rules of Kubernetes.
///
/// `from` is as for `attack_paths`. The nodes themselves have the distance 0.
#[derive(Debug, Default, Clone, Table)]
#[table(name = "attack_reach", env = Search, stream, rows = 1000)]
struct ReachedNode {
    /// Kind of the node.
    kind: String,
    /// Key of the node.
    key: String,
    /// Steps of the shortest path.
    distance: i64,
    /// Effort of the cheapest path, which can be longer.
    cost: i64,
    /// Key of the node before it on a shortest path; NULL for a start.
    via_key: Option<String>,
    /// Kind of the edge from that node.
    via_kind: Option<String>,
    /// Whether an attacker who has it has the entire cluster.
    critical: bool,
    /// Cluster of the node.
    cluster: String,
}

/// The functions over the attack graph.
#[derive(Debug)]
pub(crate) struct Attacks(pub(crate) Estate);

impl TableFunctions for Attacks {
    fn functions(&self) -> Vec<TableFunction> {
        vec![
            TableFunction {
                name: PATHS,
                signature: "attack_paths(from, to [, max_length])",
                description: "Steps of the shortest paths from one node of the attack graph to another.",
            },
            TableFunction {
                name: REACH,
                signature: "attack_reach(from)",
                description: "Everything that can be reached from a node of the attack graph.",
            },
        ]
    }

    fn table(&self, function: &str, arguments: &[String]) -> Result<TableRef> {
        let usage = |usage: &str| Error::Unsupported(format!("write {usage}"));
        let search = |from: &str, to: &str, length: u32| {
            let nodes = |text: &str| -> Arc<[Named]> { named(text).into() };
            Search { estate: self.0.clone(), from: nodes(from), to: nodes(to), length }
        };
        let table: TableRef = match (function, arguments) {
            (REACH, [from]) => Arc::new(Streaming::<ReachedNode>::new(&search(from, "", 0))),
            (REACH, _) => return Err(usage("attack_reach(from)")),
            (_, [from, to]) => Arc::new(Streaming::<PathStep>::new(&search(from, to, Limits::default().length))),
            (_, [from, to, length]) => match length.trim().parse::<u32>() {
                Ok(length @ 1..=LONGEST) => Arc::new(Streaming::<PathStep>::new(&search(from, to, length))),
                _ => {
                    let message = format!("max_length is '{length}'; write a number from 1 to {LONGEST}");
                    return Err(Error::Unsupported(message));
                }
            },
            _ => return Err(usage("attack_paths(from, to), or attack_paths(from, to, max_length)")),
        };
        Ok(with_past(table))
    }
}

/// What a text stands for. A key can contain commas, so the entire text is tried as a key, too.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Kind(NodeKind),
    Critical,
    Key(String),
    /// The entire text, if its parts are not known.
    Whole(String),
}

fn named(text: &str) -> Vec<Named> {
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let part = |part: &&str| match NodeKind::of(part) {
        Some(kind) => Named::Kind(kind),
        None if part.eq_ignore_ascii_case(CRITICAL) => Named::Critical,
        None => Named::Key((*part).to_owned()),
    };
    let whole = (parts.len() > 1).then(|| Named::Whole(text.trim().to_owned()));
    whole.into_iter().chain(parts.iter().map(part)).collect()
}

/// One call of a function.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    estate: Estate,
    from: Arc<[Named]>,
    to: Arc<[Named]>,
    length: u32,
}

impl Environment for Search {
    const NAME: &'static str = "reach";
}

/// The nodes that some texts stand for. Texts that are unknown become warnings.
fn resolve(graph: &Graph, names: &[Named], unknown: &mut Vec<String>) -> Vec<NodeId> {
    let mut nodes: BTreeSet<NodeId> = BTreeSet::new();
    for name in names {
        match name {
            Named::Kind(kind) => nodes.extend(graph.nodes_where(|vertex| vertex.kind == *kind)),
            Named::Critical => nodes.extend(graph.nodes_where(|vertex| vertex.critical.is_some())),
            Named::Whole(key) => {
                if let Some(node) = graph.find(key) {
                    return vec![node];
                }
            }
            Named::Key(key) => match graph.find(key) {
                Some(node) => _ = nodes.insert(node),
                None => unknown.push(key.clone()),
            },
        }
    }
    nodes.into_iter().collect()
}

impl Search {
    /// The graph of the model `correct`, with the nodes of the call.
    async fn graph(&self, scan: &AnyScan<Search>) -> Result<(Arc<Vec<Graph>>, Vec<NodeId>, Vec<NodeId>)> {
        let wanted = Wanted { clusters: None, kinds: Kinds::ALL, as_of: scan.as_of() };
        let graphs = self.estate.graphs(scan, &[Model::Correct], wanted).await?;
        let (mut from, mut to, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(graph) = graphs.first() {
            from = resolve(graph, &self.from, &mut unknown);
            to = resolve(graph, &self.to, &mut unknown);
        }
        for key in unknown {
            let kinds: Vec<&str> = NodeKind::ALL.iter().map(|kind| kind.name()).collect();
            let message = format!(
                "the graph has no node with the key '{key}'; write a key of graph_nodes, {CRITICAL}, or one of the kinds {}",
                kinds.join(", ")
            );
            scan.report("", &Error::Absent(message));
        }
        Ok((graphs, from, to))
    }
}

fn warn(scan: &AnyScan<Search>, table: &str, message: String) {
    scan.context().query.diagnostics().add(Warning {
        table: table.to_owned(),
        origin: String::new(),
        outcome: Outcome::Unsupported,
        message,
        needs: None,
        count: 1,
        lines: None,
    });
}

/// The rows of a path.
fn rows_of(graph: &Graph, number: usize, path: &Path) -> Vec<PathStep> {
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (start, end) = match (path.steps.first(), path.steps.last()) {
        (Some(first), Some(last)) => (graph.vertex(first.from), graph.vertex(last.to)),
        _ => return Vec::new(),
    };
    let mut total = 0;
    let mut rows = Vec::new();
    for (position, step) in path.steps.iter().enumerate() {
        let (from, to, fan) = (graph.vertex(step.from), graph.vertex(step.to), &graph.fans()[step.fan]);
        let cost = i64::from(fan.kind.cost());
        total += cost;
        rows.push(PathStep {
            path: whole(number),
            step: whole(position + 1),
            from_kind: from.kind.name().to_owned(),
            from_key: from.key.clone(),
            to_kind: to.kind.name().to_owned(),
            to_key: to.key.clone(),
            kind: fan.kind.name().to_owned(),
            other_kinds: step.others.iter().map(|kind| kind.name().to_owned()).collect(),
            technique: fan.kind.technique().map(str::to_owned),
            allowed_by: fan.why.allowed_by.clone(),
            breaks: joined(fan.why.breaks.iter().map(ToString::to_string), " and "),
            unread: (!fan.why.unread.is_empty()).then(|| fan.why.unread.join("; ")),
            cost,
            total_cost: total,
            distance: whole(path.steps.len()),
            start_key: start.key.clone(),
            end_key: end.key.clone(),
            cluster: from.cluster.to_string(),
        });
    }
    rows
}

impl RowStream for PathStep {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec![""])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        let read = async move {
            let (graphs, from, to) = scan.env().graph(scan).await?;
            let limits = Limits { length: scan.env().length, ..Limits::default() };
            let mut found = indago_reach::Paths::default();
            if let Some(graph) = graphs.first() {
                found = graph.search().paths(&from, &to, limits);
            }
            std::mem::take(&mut found.cut).into_iter().for_each(|message| warn(scan, PATHS, message));
            let steps: usize = found.paths.iter().map(|path| path.steps.len()).sum();
            let held = scan.context().hold(steps * size_of::<indago_reach::Step>())?;
            let paths = stream::iter(found.paths.into_iter().enumerate());
            Ok::<_, Error>(paths.flat_map(move |(position, path)| {
                let _ = &held;
                let rows = graphs.first().map(|graph| rows_of(graph, position + 1, &path)).unwrap_or_default();
                stream::iter(rows.into_iter().map(Ok))
            }))
        };
        stream::once(read).try_flatten()
    }
}

impl RowStream for ReachedNode {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec![""])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        let read = async move {
            let (graphs, from, _) = scan.env().graph(scan).await?;
            let reached = graphs.first().map(|graph| graph.search().reach(&from)).unwrap_or_default();
            let held = scan.context().hold(size_of_val(reached.as_slice()))?;
            Ok::<_, Error>(stream::iter(reached).filter_map(move |reached| {
                let _ = &held;
                let row = graphs.first().map(|graph| {
                    let node = graph.vertex(reached.node);
                    let via = reached.via;
                    Ok(ReachedNode {
                        kind: node.kind.name().to_owned(),
                        key: node.key.clone(),
                        distance: i64::from(reached.distance),
                        cost: i64::from(reached.cost),
                        via_key: via.map(|(before, _)| graph.vertex(before).key.clone()),
                        via_kind: via.map(|(_, fan)| graph.fans()[fan].kind.name().to_owned()),
                        critical: node.critical.is_some(),
                        cluster: node.cluster.to_string(),
                    })
                });
                futures::future::ready(row)
            }))
        };
        stream::once(read).try_flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_stands_for() {
        assert_eq!(named("pod"), [Named::Kind(NodeKind::Pod)]);
        assert_eq!(named(" critical "), [Named::Critical]);
        assert_eq!(named("node/c/a"), [Named::Key("node/c/a".to_owned())]);
        let both =
            [Named::Whole("Pod, node/c/a".to_owned()), Named::Kind(NodeKind::Pod), Named::Key("node/c/a".to_owned())];
        assert_eq!(named("Pod, node/c/a"), both);
        assert_eq!(named(" , "), []);
    }
}
