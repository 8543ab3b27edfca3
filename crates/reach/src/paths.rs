//! Paths through the graph, and what can be reached.
//!
//! A list of a fan is expanded once per search, however many fans have it. So a search takes time in the number of nodes,
//! fans and list members, not in the number of edges.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use crate::graph::{Fan, Graph, NodeId};
use crate::kind::EdgeKind;

/// No distance.
const FAR: u32 = u32::MAX;

/// Limits of a search for paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most steps of a path.
    pub length: u32,
    /// The most paths between two nodes.
    pub per_pair: usize,
    /// The most paths.
    pub paths: usize,
    /// The most edges that are tried.
    pub work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { length: 10, per_pair: 100, paths: 10_000, work: 50_000_000 }
    }
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it starts.
    pub from: NodeId,
    /// Where it ends.
    pub to: NodeId,
    /// Position of the fan with its cheapest edge.
    pub fan: usize,
    /// Other kinds of edges between the two nodes.
    pub others: Vec<EdgeKind>,
}

/// A simple path: it visits no node twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Its steps.
    pub steps: Vec<Step>,
    /// The sum of the costs of its steps.
    pub cost: u32,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// The paths: for each pair of nodes, the shortest first, and of these the cheapest.
    pub paths: Vec<Path>,
    /// Limits that were reached, in words.
    pub cut: Vec<String>,
}

/// A node that can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The node.
    pub node: NodeId,
    /// Steps of the shortest path.
    pub distance: u32,
    /// Cost of the cheapest path.
    pub cost: u32,
    /// The last step of a shortest path: the node before it, and the position of the fan. `None` for a start.
    pub via: Option<(NodeId, usize)>,
}

/// The lists of one end of all fans.
#[derive(Debug, Default)]
struct Side {
    /// For each fan, its list.
    of_fan: Vec<usize>,
    /// For each list, a fan that has it.
    sample: Vec<usize>,
    /// For each list, the fans that have it.
    fans: Vec<Vec<usize>>,
    /// For each node, the lists that it is in.
    of_node: Vec<Vec<usize>>,
}

impl Side {
    fn new(graph: &Graph, end: impl Fn(&Fan) -> &[NodeId]) -> Self {
        let mut side = Side { of_node: vec![Vec::new(); graph.vertices.len()], ..Side::default() };
        // A list of one node is the same wherever it is stored.
        let mut ones: HashMap<NodeId, usize> = HashMap::new();
        let mut shared: HashMap<(*const NodeId, usize), usize> = HashMap::new();
        for (position, fan) in graph.fans.iter().enumerate() {
            let members = end(fan);
            let new = side.fans.len();
            let list = match members {
                [one] => *ones.entry(*one).or_insert(new),
                members => *shared.entry((members.as_ptr(), members.len())).or_insert(new),
            };
            if list == new {
                side.fans.push(Vec::new());
                side.sample.push(position);
                for node in members {
                    side.of_node[node.index()].push(new);
                }
            }
            side.fans[list].push(position);
            side.of_fan.push(list);
        }
        // Of several edges between two nodes, a search meets the cheapest first.
        side.fans.iter_mut().for_each(|fans| fans.sort_by_key(|fan| graph.fans[*fan].kind.cost()));
        side
    }
}

/// A graph, indexed for searches.
#[derive(Debug)]
pub struct Search<'a> {
    graph: &'a Graph,
    from: Side,
    to: Side,
}

impl Graph {
    /// The graph, indexed for searches.
    pub fn search(&self) -> Search<'_> {
        Search { graph: self, from: Side::new(self, |fan| &fan.from), to: Side::new(self, |fan| &fan.to) }
    }
}

impl Search<'_> {
    fn starts(&self, list: usize) -> &[NodeId] {
        &self.graph.fans[self.from.sample[list]].from
    }

    fn ends(&self, list: usize) -> &[NodeId] {
        &self.graph.fans[self.to.sample[list]].to
    }

    fn cost_of(&self, fan: usize) -> u32 {
        self.graph.fans[fan].kind.cost()
    }

    /// Everything that can be reached from some nodes, the nearest first. The nodes themselves have the distance 0.
    pub fn reach(&self, from: &[NodeId]) -> Vec<Reached> {
        let nodes = self.graph.vertices.len();
        let mut found: Vec<Option<Reached>> = vec![None; nodes];
        let mut order: Vec<NodeId> = Vec::new();
        let (mut left, mut entered) = (vec![false; self.from.fans.len()], vec![false; self.to.fans.len()]);
        let mut queue: VecDeque<NodeId> = VecDeque::new();
        for start in from {
            if found[start.index()].is_none() {
                found[start.index()] = Some(Reached { node: *start, distance: 0, cost: 0, via: None });
                order.push(*start);
                queue.push_back(*start);
            }
        }
        while let Some(node) = queue.pop_front() {
            let distance = found[node.index()].map_or(0, |reached| reached.distance);
            for list in &self.from.of_node[node.index()] {
                if std::mem::replace(&mut left[*list], true) {
                    continue;
                }
                for fan in &self.from.fans[*list] {
                    let to = self.to.of_fan[*fan];
                    if std::mem::replace(&mut entered[to], true) {
                        continue;
                    }
                    for next in self.ends(to) {
                        if found[next.index()].is_some() {
                            continue;
                        }
                        let via = Some((node, *fan));
                        let reached = Reached { node: *next, distance: distance + 1, cost: 0, via };
                        found[next.index()] = Some(reached);
                        order.push(*next);
                        queue.push_back(*next);
                    }
                }
            }
        }
        let costs = self.costs(from);
        let with_cost = |node: NodeId| Some(Reached { cost: costs[node.index()], ..found[node.index()]? });
        order.into_iter().filter_map(with_cost).collect()
    }

    /// The cost of the cheapest path from some nodes to each node.
    fn costs(&self, from: &[NodeId]) -> Vec<u32> {
        let mut costs = vec![FAR; self.graph.vertices.len()];
        let (mut left, mut entered) = (vec![false; self.from.fans.len()], vec![false; self.to.fans.len()]);
        // A place is a node, or a list of ends that is entered as one.
        let mut heap: BinaryHeap<Reverse<(u32, bool, usize)>> = BinaryHeap::new();
        for start in from {
            costs[start.index()] = 0;
            heap.push(Reverse((0, false, start.index())));
        }
        while let Some(Reverse((cost, is_list, place))) = heap.pop() {
            if is_list {
                if std::mem::replace(&mut entered[place], true) {
                    continue;
                }
                for next in self.ends(place) {
                    if cost < costs[next.index()] {
                        costs[next.index()] = cost;
                        heap.push(Reverse((cost, false, next.index())));
                    }
                }
                continue;
            }
            if cost > costs[place] {
                continue;
            }
            for list in &self.from.of_node[place] {
                if std::mem::replace(&mut left[*list], true) {
                    continue;
                }
                for fan in &self.from.fans[*list] {
                    let to = self.to.of_fan[*fan];
                    if !entered[to] {
                        heap.push(Reverse((cost.saturating_add(self.cost_of(*fan)), true, to)));
                    }
                }
            }
        }
        costs
    }

    /// The number of steps from each node to a target, if it is not more than the limit.
    fn distances_to(&self, target: NodeId, limit: u32, work: &mut u64) -> Vec<u32> {
        let mut distances = vec![FAR; self.graph.vertices.len()];
        let (mut left, mut entered) = (vec![false; self.from.fans.len()], vec![false; self.to.fans.len()]);
        let mut queue = VecDeque::from([target]);
        distances[target.index()] = 0;
        while let Some(node) = queue.pop_front() {
            let distance = distances[node.index()];
            if distance >= limit {
                break;
            }
            for list in &self.to.of_node[node.index()] {
                if std::mem::replace(&mut entered[*list], true) {
                    continue;
                }
                for fan in &self.to.fans[*list] {
                    let from = self.from.of_fan[*fan];
                    if std::mem::replace(&mut left[from], true) {
                        continue;
                    }
                    let starts = self.starts(from);
                    *work = work.saturating_sub(starts.len() as u64);
                    for before in starts {
                        if distances[before.index()] == FAR {
                            distances[before.index()] = distance + 1;
                            queue.push_back(*before);
                        }
                    }
                }
            }
        }
        distances
    }

    /// The shortest simple paths from each start to each end.
    pub fn paths(&self, from: &[NodeId], to: &[NodeId], limits: Limits) -> Paths {
        let mut found = Paths::default();
        let (mut pairs_cut, mut work) = (0_usize, limits.work);
        let mut is_complete = true;
        'all: for target in to {
            let distances = self.distances_to(*target, limits.length, &mut work);
            for start in from.iter().filter(|start| *start != target && distances[start.index()] != FAR) {
                let mut walk = Walk {
                    search: self,
                    distances: &distances,
                    target: *target,
                    on_path: vec![*start],
                    steps: Vec::new(),
                    found: Vec::new(),
                    most: limits.per_pair,
                    work: &mut work,
                };
                for length in distances[start.index()]..=limits.length {
                    let before = walk.found.len();
                    walk.extend(*start, length);
                    walk.found[before..].sort_by_key(|path| path.cost);
                    if walk.found.len() > limits.per_pair || *walk.work == 0 {
                        break;
                    }
                }
                if walk.found.len() > limits.per_pair {
                    walk.found.truncate(limits.per_pair);
                    pairs_cut += 1;
                }
                found.paths.append(&mut walk.found);
                if found.paths.len() > limits.paths || work == 0 {
                    is_complete = false;
                    break 'all;
                }
            }
        }
        if pairs_cut > 0 {
            found.cut.push(format!(
                "{pairs_cut} pairs of nodes have more than {} paths; only the shortest are shown",
                limits.per_pair
            ));
        }
        if !is_complete {
            found.paths.truncate(limits.paths);
            let message = match work {
                0 => "the search was stopped after its limit of tried edges".to_owned(),
                _ => format!("only {} paths are shown", limits.paths),
            };
            found.cut.push(format!("{message}; name fewer nodes or a smaller max_length"));
        }
        found
    }
}

/// A search for the paths from one node to another.
struct Walk<'a, 's> {
    search: &'a Search<'s>,
    /// Steps from each node to the target.
    distances: &'a [u32],
    target: NodeId,
    on_path: Vec<NodeId>,
    steps: Vec<Step>,
    found: Vec<Path>,
    most: usize,
    work: &'a mut u64,
}

impl Walk<'_, '_> {
    /// Finds the paths that go on from a node to the target with exactly this number of steps. Its depth is the limit of
    /// the length.
    fn extend(&mut self, node: NodeId, remaining: u32) {
        if remaining == 0 {
            return;
        }
        for step in self.next(node, remaining - 1) {
            if self.found.len() > self.most || *self.work == 0 {
                return;
            }
            let to = step.to;
            self.steps.push(step);
            if to == self.target {
                let steps = self.steps.clone();
                let cost = steps.iter().map(|step| self.search.cost_of(step.fan)).sum();
                self.found.push(Path { steps, cost });
            } else {
                self.on_path.push(to);
                self.extend(to, remaining - 1);
                self.on_path.pop();
            }
            self.steps.pop();
        }
    }

    /// The steps from a node after which the target is still in reach.
    fn next(&mut self, node: NodeId, remaining: u32) -> Vec<Step> {
        let (graph, search) = (self.search.graph, self.search);
        let mut edges: Vec<(NodeId, u32, usize)> = Vec::new();
        for list in &search.from.of_node[node.index()] {
            for fan in &search.from.fans[*list] {
                let ends = &graph.fans[*fan].to;
                *self.work = self.work.saturating_sub(ends.len() as u64);
                let cost = search.cost_of(*fan);
                let is_near = |to: &&NodeId| {
                    let distance = self.distances[to.index()];
                    // The target ends a path.
                    distance <= remaining && (distance > 0 || remaining == 0) && !self.on_path.contains(to)
                };
                edges.extend(ends.iter().filter(is_near).map(|to| (*to, cost, *fan)));
            }
        }
        edges.sort_unstable();
        let mut steps: Vec<Step> = Vec::new();
        for (to, _, fan) in edges {
            let kind = graph.fans[fan].kind;
            match steps.last_mut().filter(|step| step.to == to) {
                Some(step) if graph.fans[step.fan].kind == kind || step.others.contains(&kind) => {}
                Some(step) => step.others.push(kind),
                None => steps.push(Step { from: node, to, fan, others: Vec::new() }),
            }
        }
        steps
    }
}
