//! The attack graph as tables, `graph_nodes` and `graph_edges`, and its paths: `attack_paths` and `attack_reach`.

mod cells;
mod paths;
mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use indago_engine::{Engine, EngineBuilder};
use indago_reach::{EdgeKind, Graph, Kinds, Model, Proof};
use indago_table::prelude::*;
use indago_table::{AnyScan, Past, with_spec};

pub(crate) use self::paths::Attacks;
use self::read::Wanted;

const EDGES: &str = "graph_edges";

/// Where the graph comes from: an engine over the tables of clusters.
#[derive(Clone)]
pub(crate) struct Estate {
    engine: Shared<BoxFuture<'static, indago_engine::Result<Engine>>>,
}

impl Environment for Estate {
    const NAME: &'static str = "reach";
}

impl std::fmt::Debug for Estate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Estate").finish_non_exhaustive()
    }
}

impl Estate {
    /// The estate of a builder's tables.
    pub(crate) fn new(builder: EngineBuilder) -> Self {
        Estate { engine: builder.build().boxed().shared() }
    }

    /// The tables of the graph.
    pub(crate) fn tables(&self) -> Vec<TableRef> {
        [GraphNode::table(self), GraphEdge::table(self)].into_iter().map(with_past).collect()
    }

    /// The graphs of some models. One query reads the objects and applies the rules once.
    async fn graphs<E: Environment>(
        &self,
        scan: &AnyScan<E>,
        models: &[Model],
        wanted: Wanted,
    ) -> Result<Arc<Vec<Graph>>> {
        let engine = self.engine.clone().await.map_err(|error| Error::Unsupported(error.to_string()))?;
        let key = format!("reach world {wanted:?}");
        let world = scan.cached(&key, async {
            let tables = read::Tables { engine: &engine, calls: scan.context().query.calls() };
            let world = read::read(tables, &wanted).await?;
            let bytes = world.bytes;
            Ok((world, bytes))
        });
        let world = world.await?;
        let first = scan.context().query.is_first(&key);
        for warning in world.warnings.iter().filter(|_| first) {
            scan.context().query.diagnostics().add(warning.clone());
        }
        let key = format!("reach graphs {models:?} {wanted:?}");
        scan.cached(&key, async {
            let build = |model: &Model| Graph::build(*model, &world.clusters, wanted.kinds);
            let graphs: Vec<Graph> = models.iter().map(build).collect();
            let bytes = graphs.iter().map(Graph::bytes).sum();
            Ok((graphs, bytes))
        })
        .await
    }
}

/// A table that computes its rows from what was recorded of others, if a query reads a past time.
fn with_past(table: TableRef) -> TableRef {
    let spec = table.spec().clone().with_past(Past::Kept);
    with_spec(table, spec)
}

/// Nodes of the attack graph: what an attacker can have.
///
/// The graph is computed from the tables of Kubernetes when a query reads it. So it is that of the live clusters, of sets
/// of manifests, or of a past time. Cloud accounts, hosts and repositories are not in it yet.
///
/// A node has the kind that KubeHound gives it: `Node`, `Pod`, `Container`, `Volume` (a mount of a container), `Identity`
/// (a user, group or service account), `PermissionSet` (a role as one binding grants it) or `Endpoint` (a port on which a
/// container can be reached).
#[derive(Debug, Default, Clone, Table)]
#[table(name = "graph_nodes", env = Estate, stream, rows = 5000, identity(key))]
#[example(
    "Nodes with which an attacker has a cluster.",
    "SELECT kind, key, critical_reason FROM graph_nodes WHERE critical"
)]
#[example("Size of the graph.", "SELECT cluster, kind, count(*) AS nodes FROM graph_nodes GROUP BY cluster, kind")]
struct GraphNode {
    /// Kind of the node, as KubeHound names it.
    kind: String,
    /// Identifies the node among all nodes of all clusters.
    key: String,
    /// Name. A volume has the name of the volume, a permission set those of its role and of its binding.
    name: String,
    /// Namespace; NULL for nodes, users, groups and permission sets of the entire cluster.
    namespace: Option<String>,
    /// Environment of the object: `kubernetes`.
    environment: String,
    /// Context in the kubeconfig, or the set of manifests.
    #[column(index)]
    cluster: String,
    /// Account of the cloud; NULL for nodes of clusters.
    account: Option<String>,
    /// Whether an attacker who has it has the entire cluster, by the model `correct`.
    critical: bool,
    /// Why it is critical. KubeHound's own reason is the name of a role, and does not count for `critical`.
    critical_reason: Option<String>,
    /// The models that have it: `correct`, `kubehound` or both.
    models: Vec<String>,
}

/// Edges of the attack graph: how an attacker gets from one node to another.
///
/// The model `correct` has the rules of Kubernetes. The model `kubehound` has those of KubeHound, including known
/// mistakes, for comparison. A condition on `model`, `cluster` or `kind` saves the work for the others: lists that no
/// wanted kind of edge needs are not read.
///
/// Roles with many rights have an edge to each pod or node that they reach. These rows are made while they are read, and
/// take no memory before. `attack_paths` and `attack_reach` search the graph without making them.
#[derive(Debug, Default, Clone, Table)]
#[table(name = "graph_edges", env = Estate, stream, rows = 100000, identity(model, kind, from_key, to_key))]
#[example(
    "Containers that can get to their node, and what stops them.",
    "SELECT from_key, to_key, kind, allowed_by, breaks FROM graph_edges WHERE model = 'correct' AND kind LIKE 'CE_%'"
)]
#[example(
    "What only one of the models finds.",
    "SELECT kind, from_key, to_key, min(model) AS model FROM graph_edges GROUP BY 1, 2, 3 HAVING count(DISTINCT model) = 1"
)]
struct GraphEdge {
    /// Kind of the node where it starts.
    from_kind: String,
    /// Key of that node; joins `graph_nodes.key`.
    from_key: String,
    /// Kind of the node where it ends.
    to_kind: String,
    /// Key of that node; joins `graph_nodes.key`.
    to_key: String,
    /// Kind of the edge, as KubeHound names it.
    #[column(index)]
    kind: String,
    /// Whose rules find it: `correct` or `kubehound`.
    #[column(index)]
    model: String,
    /// ID of the technique in MITRE ATT&CK; NULL for a step that is only a position.
    technique: Option<String>,
    /// Field or rule that allows it.
    allowed_by: String,
    /// Rows that prove it, as a list of `table` and `key`; a key is a condition that finds the row.
    proof: Json,
    /// Smallest change that removes it.
    breaks: String,
    /// What could not be read, and could add or remove it; NULL if nothing is missing.
    unread: Option<String>,
    /// Context in the kubeconfig, or the set of manifests.
    #[column(index)]
    cluster: String,
}

/// The proof of an edge as JSON.
fn proof_json(proof: &[Proof]) -> Json {
    let rows = proof.iter().map(|row| BTreeMap::from([("table", row.table), ("key", row.key.as_str())]));
    Json::new(&rows.collect::<Vec<_>>())
}

fn joined(texts: impl IntoIterator<Item = String>, between: &str) -> String {
    texts.into_iter().collect::<Vec<_>>().join(between)
}

impl RowStream for GraphNode {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec![""])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        let read = async move {
            // Nodes do not depend on the kinds of edges that are wanted, but on all lists.
            let wanted = Wanted { clusters: scan.keys(GraphNode::CLUSTER), kinds: Kinds::ALL, as_of: scan.as_of() };
            let graphs = scan.env().graphs(scan, &Model::ALL, wanted).await?;
            let mut nodes: BTreeMap<String, GraphNode> = BTreeMap::new();
            for graph in graphs.iter() {
                for vertex in graph.vertices() {
                    let node = nodes.entry(vertex.key.clone()).or_insert_with(|| GraphNode {
                        kind: vertex.kind.name().to_owned(),
                        key: vertex.key.clone(),
                        name: vertex.name.clone(),
                        namespace: vertex.namespace.clone(),
                        environment: "kubernetes".to_owned(),
                        cluster: vertex.cluster.to_string(),
                        ..GraphNode::default()
                    });
                    node.critical |= graph.model == Model::Correct && vertex.critical.is_some();
                    if node.critical_reason.is_none() {
                        node.critical_reason = vertex.critical.clone();
                    }
                    node.models.push(graph.model.name().to_owned());
                }
            }
            let held = scan.context().hold(nodes.values().map(Row::bytes).sum())?;
            Ok::<_, Error>(stream::iter(nodes.into_values()).map(move |node| {
                let _ = &held;
                Ok(node)
            }))
        };
        stream::once(read).try_flatten()
    }
}

impl RowStream for GraphEdge {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec![""])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        let read = async move {
            let kinds = match scan.keys(GraphEdge::KIND) {
                Some(names) => names.iter().filter_map(|name| EdgeKind::of(name)).collect(),
                None => Kinds::ALL,
            };
            let names = scan.keys(GraphEdge::MODEL);
            let is_wanted =
                |model: &Model| names.as_ref().is_none_or(|names| names.iter().any(|name| name == model.name()));
            let models: Vec<Model> = Model::ALL.into_iter().filter(is_wanted).collect();
            let wanted = Wanted { clusters: scan.keys(GraphEdge::CLUSTER), kinds, as_of: scan.as_of() };
            let graphs = match models.is_empty() || kinds == Kinds::NONE {
                true => Arc::default(),
                false => scan.env().graphs(scan, &models, wanted).await?,
            };
            let wants_proof = scan.wants(GraphEdge::PROOF);
            Ok::<_, Error>(stream::iter(Rows { graphs, graph: 0, fan: 0, from: 0, to: 0, wants_proof, texts: None }))
        };
        stream::once(read).try_flatten()
    }
}

/// The rows of edges, made one by one.
struct Rows {
    graphs: Arc<Vec<Graph>>,
    graph: usize,
    fan: usize,
    from: usize,
    to: usize,
    wants_proof: bool,
    /// The texts of the current fan.
    texts: Option<GraphEdge>,
}

impl Iterator for Rows {
    type Item = Result<GraphEdge>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let graph = self.graphs.get(self.graph)?;
            let Some(fan) = graph.fans().get(self.fan) else {
                (self.graph, self.fan, self.from, self.to) = (self.graph + 1, 0, 0, 0);
                continue;
            };
            let Some(from) = fan.from.get(self.from) else {
                (self.fan, self.from, self.to, self.texts) = (self.fan + 1, 0, 0, None);
                continue;
            };
            let Some(to) = fan.to.get(self.to) else {
                (self.from, self.to) = (self.from + 1, 0);
                continue;
            };
            self.to += 1;
            if from == to && !fan.has_loops {
                continue;
            }
            let wants_proof = self.wants_proof;
            let texts = self.texts.get_or_insert_with(|| GraphEdge {
                kind: fan.kind.name().to_owned(),
                model: graph.model.name().to_owned(),
                technique: fan.kind.technique().map(str::to_owned),
                allowed_by: fan.why.allowed_by.clone(),
                proof: if wants_proof { proof_json(&fan.why.proof) } else { Json::default() },
                breaks: joined(fan.why.breaks.iter().map(ToString::to_string), " and "),
                unread: (!fan.why.unread.is_empty()).then(|| fan.why.unread.join("; ")),
                ..GraphEdge::default()
            });
            let (from, to) = (graph.vertex(*from), graph.vertex(*to));
            return Some(Ok(GraphEdge {
                from_kind: from.kind.name().to_owned(),
                from_key: from.key.clone(),
                to_kind: to.kind.name().to_owned(),
                to_key: to.key.clone(),
                cluster: from.cluster.to_string(),
                ..texts.clone()
            }));
        }
    }
}
