//! The graph: nodes, and fans of edges.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::change::Change;
use crate::input::Cluster;
use crate::kind::{EdgeKind, Kinds, Model, NodeKind};
use crate::{correct, kubehound};

/// Position of a node in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vertex {
    /// Its kind.
    pub kind: NodeKind,
    /// Identifies it among all nodes of all clusters.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its namespace, if it is in one.
    pub namespace: Option<String>,
    /// Its cluster.
    pub cluster: Arc<str>,
    /// Why an attacker who has it has the cluster; `None` if it is not critical.
    pub critical: Option<String>,
}

/// The row of a table that proves an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The table.
    pub table: &'static str,
    /// A condition that finds the row.
    pub key: String,
}

/// Why there is an edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Why {
    /// The field or rule that allows it.
    pub allowed_by: String,
    /// The rows that prove it.
    pub proof: Vec<Proof>,
    /// The smallest change that removes it: all of these.
    pub breaks: Vec<Change>,
    /// What could not be read, and could add or remove it.
    pub unread: Vec<String>,
}

/// Edges of one kind from every node of one list to every node of another.
#[derive(Debug, Clone)]
pub struct Fan {
    /// Their kind.
    pub kind: EdgeKind,
    /// Where they start. Nodes are in it once.
    pub from: Arc<[NodeId]>,
    /// Where they end. Nodes are in it once.
    pub to: Arc<[NodeId]>,
    /// Whether a node in both lists has an edge to itself.
    pub has_loops: bool,
    /// Why they exist.
    pub why: Arc<Why>,
}

impl Fan {
    /// The number of its edges.
    pub fn len(&self) -> usize {
        let loops = match self.has_loops {
            true => 0,
            false => {
                let (short, long) = match self.from.len() < self.to.len() {
                    true => (&self.from, &self.to),
                    false => (&self.to, &self.from),
                };
                let short: BTreeSet<NodeId> = short.iter().copied().collect();
                long.iter().filter(|id| short.contains(id)).count()
            }
        };
        self.from.len() * self.to.len() - loops
    }

    /// Whether it has no edge.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One edge.
#[derive(Debug, Clone, Copy)]
pub struct Edge<'a> {
    /// Where it starts.
    pub from: NodeId,
    /// Where it ends.
    pub to: NodeId,
    /// Its kind, and why it exists.
    pub fan: &'a Fan,
}

/// The graph of some clusters, by the rules of one model.
#[derive(Debug)]
pub struct Graph {
    /// Its model.
    pub model: Model,
    pub(crate) vertices: Vec<Vertex>,
    pub(crate) fans: Vec<Fan>,
    by_key: HashMap<String, NodeId>,
}

impl Graph {
    /// The graph of some clusters, with the edges of some kinds. The nodes do not depend on the kinds.
    pub fn build(model: Model, clusters: &[Cluster], kinds: Kinds) -> Self {
        let mut graph = Graph { model, vertices: Vec::new(), fans: Vec::new(), by_key: HashMap::new() };
        for cluster in clusters {
            match model {
                Model::Correct => correct::add(&mut graph, cluster, kinds),
                Model::Kubehound => kubehound::add(&mut graph, cluster, kinds),
            }
        }
        graph
    }

    /// The nodes.
    pub fn vertices(&self) -> &[Vertex] {
        &self.vertices
    }

    /// A node.
    pub fn vertex(&self, id: NodeId) -> &Vertex {
        &self.vertices[id.index()]
    }

    /// The node with a key.
    pub fn find(&self, key: &str) -> Option<NodeId> {
        self.by_key.get(key).copied()
    }

    /// The nodes that meet a condition.
    pub fn nodes_where(&self, condition: impl Fn(&Vertex) -> bool) -> Vec<NodeId> {
        (0..).map(NodeId).zip(&self.vertices).filter(|(_, vertex)| condition(vertex)).map(|(id, _)| id).collect()
    }

    /// An estimate of its size in memory.
    pub fn bytes(&self) -> usize {
        let of_vertex = |vertex: &Vertex| size_of::<Vertex>() + 2 * vertex.key.len() + vertex.name.len() + 48;
        let of_fan = |fan: &Fan| {
            let lists = if fan.from.len() + fan.to.len() > 2 { fan.from.len() * size_of::<NodeId>() } else { 0 };
            size_of::<Fan>() + size_of::<Why>() + fan.why.allowed_by.len() + 3 * 128 + lists
        };
        self.vertices.iter().map(of_vertex).sum::<usize>() + self.fans.iter().map(of_fan).sum::<usize>()
    }

    /// The fans of edges.
    pub fn fans(&self) -> &[Fan] {
        &self.fans
    }

    /// The edges.
    pub fn edges(&self) -> impl Iterator<Item = Edge<'_>> {
        self.fans.iter().flat_map(|fan| {
            let pairs = fan.from.iter().flat_map(move |from| fan.to.iter().map(move |to| (*from, *to)));
            pairs.filter(move |(from, to)| fan.has_loops || from != to).map(move |(from, to)| Edge { from, to, fan })
        })
    }

    /// The position of a node, which is added if its key is new.
    pub(crate) fn add(&mut self, vertex: Vertex) -> NodeId {
        if let Some(known) = self.by_key.get(&vertex.key) {
            return *known;
        }
        let id = NodeId(u32::try_from(self.vertices.len()).expect("memory ends before 2^32 nodes"));
        self.by_key.insert(vertex.key.clone(), id);
        self.vertices.push(vertex);
        id
    }

    /// Adds a fan, unless it has no edge.
    pub(crate) fn connect(&mut self, kind: EdgeKind, from: &Arc<[NodeId]>, to: &Arc<[NodeId]>, why: Why) {
        self.push(Fan { kind, from: from.clone(), to: to.clone(), has_loops: false, why: Arc::new(why) });
    }

    /// Adds one edge.
    pub(crate) fn edge(&mut self, kind: EdgeKind, from: NodeId, to: NodeId, why: Why) {
        self.connect(kind, &[from].into(), &[to].into(), why);
    }

    pub(crate) fn push(&mut self, fan: Fan) {
        let is_loop = !fan.has_loops && fan.from.len() == 1 && fan.from == fan.to;
        if !fan.from.is_empty() && !fan.to.is_empty() && !is_loop {
            self.fans.push(fan);
        }
    }
}

/// The keys of nodes.
pub(crate) mod key {
    pub(crate) fn node(cluster: &str, name: &str) -> String {
        format!("node/{cluster}/{name}")
    }

    pub(crate) fn pod(cluster: &str, namespace: &str, name: &str) -> String {
        format!("pod/{cluster}/{namespace}/{name}")
    }

    pub(crate) fn container(cluster: &str, namespace: &str, pod: &str, name: &str) -> String {
        format!("container/{cluster}/{namespace}/{pod}/{name}")
    }

    pub(crate) fn volume(cluster: &str, namespace: &str, pod: &str, container: &str, path: &str) -> String {
        format!("volume/{cluster}/{namespace}/{pod}/{container}:{path}")
    }

    pub(crate) fn identity(cluster: &str, kind: &str, namespace: &str, name: &str) -> String {
        match namespace {
            "" => format!("identity/{cluster}/{kind}/{name}"),
            namespace => format!("identity/{cluster}/{kind}/{namespace}/{name}"),
        }
    }

    pub(crate) fn permission_set(cluster: &str, namespace: Option<&str>, role: &str, binding: &str) -> String {
        match namespace {
            None => format!("permission_set/{cluster}/{role}::{binding}"),
            Some(namespace) => format!("permission_set/{cluster}/{namespace}/{role}::{binding}"),
        }
    }

    pub(crate) fn endpoint(
        cluster: &str,
        namespace: &str,
        source: &str,
        pod: &str,
        protocol: &str,
        port: u16,
    ) -> String {
        format!("endpoint/{cluster}/{namespace}/{source}/{pod}/{protocol}/{port}")
    }
}

/// Texts of SQL conditions.
pub(crate) mod sql {
    use std::fmt::Write as _;

    /// The condition that columns have these values. NULL stands for no value.
    pub(crate) fn equal(columns: &[(&str, Option<&str>)]) -> String {
        let mut text = String::new();
        for (column, value) in columns {
            let and = if text.is_empty() { "" } else { " AND " };
            // Writing to a text cannot fail.
            let _ = match value {
                Some(value) => write!(text, "{and}{column} = '{}'", value.replace('\'', "''")),
                None => write!(text, "{and}{column} IS NULL"),
            };
        }
        text
    }
}
