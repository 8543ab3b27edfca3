//! The beds. Each is a value that owns its servers; dropping it stops them.

mod browser;
mod cluster;
mod containerd;
mod custom;
mod docker;
mod estate;
mod fault;
pub mod generated;
pub mod git;
mod kube_api;
mod moto;
mod podman;
mod server;
mod systemd;
#[cfg(test)]
mod tests;

pub use browser::Browser;
pub use cluster::{Cluster, ClusterOptions};
pub use containerd::Containerd;
pub use custom::{CustomGroup, CustomResources};
pub use docker::Docker;
pub use estate::Estate;
pub use fault::{Effect, Fault, Request, Rule, Upstream};
pub use kube_api::{KubeApi, KubeApiOptions, USERS};
pub use moto::{Moto, MotoOptions};
pub use podman::Podman;
pub use systemd::Systemd;
