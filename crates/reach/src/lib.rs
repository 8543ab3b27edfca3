//! The attack graph of Kubernetes clusters: what an attacker on one object can get to, and why.
//!
//! [`input`] has the objects that the rules need. [`Graph::build`] applies the rules of a [`Model`] to them: `kubehound.rs`
//! has KubeHound's own, with their known mistakes, so that its users can compare; `correct.rs` has those of Kubernetes.
//! `rights.rs` decides what roles allow, `host.rs` what a path of a node gives. [`change`] describes how an edge is
//! removed. `paths.rs` finds paths.
//!
//! The crate reads nothing. It has no client, no SQL, no clock and no dependency.
//!
//! Edges are stored as [`Fan`]s: every node of one list has an edge to every node of another. Lists are shared. So a
//! permission set that reaches 10,000 pods is one fan, and memory grows with the number of objects, not of edges.

#![warn(missing_docs)]

pub mod change;
mod correct;
mod graph;
mod host;
pub mod input;
mod kind;
mod kubehound;
mod objects;
mod paths;
mod rights;
#[cfg(test)]
mod tests;

pub use change::Change;
pub use graph::{Edge, Fan, Graph, NodeId, Proof, Vertex, Why};
pub use input::{Cluster, Input};
pub use kind::{EdgeKind, Kinds, Model, NodeKind};
pub use paths::{Limits, Path, Paths, Reached, Search, Step};
