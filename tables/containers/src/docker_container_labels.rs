//! `docker_container_labels`: one row per label of a container.

use futures::Stream;
use indago_table::prelude::*;

use crate::runtime::{Containers, Runtime, report_short_ids};
use crate::source::docker::{self, Filter};

/// Labels of the containers of engines with Docker's API, including those that containers inherit from their images.
#[derive(Debug, Default, Table)]
#[table(
    name = "docker_container_labels", env = Containers, stream, reads = "docker", rows = 200,
    identity(endpoint, id, key)
)]
#[example(
    "Containers that Docker Compose started, with their project.",
    "SELECT value AS project, id FROM docker_container_labels WHERE key = 'com.docker.compose.project'"
)]
pub struct DockerContainerLabel {
    /// Container ID.
    #[column(index, collate = nocase)]
    id: String,
    /// Name of the label.
    #[column(index)]
    key: String,
    /// Value of the label; empty if it has none.
    value: String,
    /// Address of the engine that the container belongs to.
    #[column(added, slice)]
    endpoint: String,
}

impl RowStream for DockerContainerLabel {
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
                for (key, value) in docker::labels(scan, runtime, container).0 {
                    let value = value.unwrap_or_default();
                    yield DockerContainerLabel { id: id.clone(), key, value, endpoint: runtime.name() };
                }
            }
        }
    }
}
