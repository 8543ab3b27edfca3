//! `docker_container_ports`: one row per port of a container and host address that it is published on.

use futures::Stream;
use indago_table::prelude::*;

use crate::runtime::{Containers, Runtime, report_short_ids};
use crate::source::docker::{self, Filter};

/// Ports of the containers of engines with Docker's API. A port that is published on several addresses has a row for
/// each.
///
/// Containers in the host's network namespace have no rows: see `listening_ports`.
#[derive(Debug, Default, Table)]
#[table(
    name = "docker_container_ports", env = Containers, stream, reads = "docker", rows = 100,
    identity(endpoint, id, r#type, port, host_ip, host_port)
)]
#[example(
    "Ports that are published on every address of the host.",
    "SELECT id, port, host_port FROM docker_container_ports WHERE host_ip = '0.0.0.0'"
)]
pub struct DockerContainerPort {
    /// Container ID.
    #[column(index, collate = nocase)]
    id: String,
    /// Protocol: `tcp`, `udp`, `sctp`.
    #[column(path = "Type")]
    r#type: String,
    /// Port inside the container.
    #[column(path = "PrivatePort")]
    port: i64,
    /// Host address on which it is published; empty if it is not published.
    #[column(path = "IP")]
    host_ip: String,
    /// Host port on which it is published; 0 if it is not published.
    #[column(path = "PublicPort")]
    host_port: i64,
    /// Address of the engine that the container belongs to.
    #[column(added, slice)]
    endpoint: String,
}

impl RowStream for DockerContainerPort {
    type Part = Runtime;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Runtime>> {
        report_short_ids(scan, Self::ID.position());
        Ok(docker::runtimes(scan, Self::ENDPOINT))
    }

    fn rows<'a>(scan: &'a Scan<Self>, runtime: &'a Runtime) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            let filter = scan.keys(Self::ID).map_or(Filter::All, Filter::ids);
            for container in &docker::list(scan, runtime, &filter).await?.containers {
                let Some(id) = docker::text(container, &["Id"]) else { continue };
                for port in docker::elements(scan, runtime, container, "Ports") {
                    let endpoint = runtime.name();
                    let mut row = DockerContainerPort { id: id.clone(), endpoint, ..DockerContainerPort::default() };
                    scan.fill(&mut row, port, scan.wanted(), runtime);
                    yield row;
                }
            }
        }
    }
}
