//! Tables about container runtimes.
//!
//! The tables read [`Containers`]: the sockets of the runtimes on a machine (engines with Docker's API, and
//! containerd), and its `/proc` for facts that only the kernel has.
//!
//! The tables never start a runtime, change a container or run a program in one.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests create the files that tables read"))]

mod runtime;
mod source;

pub mod container_processes;
pub mod containers;
pub mod docker_container_labels;
pub mod docker_container_mounts;
pub mod docker_container_ports;
pub mod docker_container_processes;
pub mod docker_containers;
pub mod docker_images;

use indago_table::TableRef;

pub use runtime::{Containers, Endpoint, Kind, Runtime};

pub fn tables(env: &Containers) -> Vec<TableRef> {
    indago_table::tables![
        env;
        container_processes::ContainerProcess,
        containers::Container,
        docker_container_labels::DockerContainerLabel,
        docker_container_mounts::DockerContainerMount,
        docker_container_ports::DockerContainerPort,
        docker_container_processes::DockerContainerProcess,
        docker_containers::DockerContainer,
        docker_images::DockerImage,
    ]
}
