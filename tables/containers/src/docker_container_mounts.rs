//! `docker_container_mounts`: one row per mount of a container.

use futures::Stream;
use indago_table::prelude::*;

use crate::runtime::{Containers, Runtime, report_short_ids};
use crate::source::docker::{self, Filter};

/// Directories, files and volumes that are mounted into the containers of engines with Docker's API.
#[derive(Debug, Default, Table)]
#[table(
    name = "docker_container_mounts", env = Containers, stream, reads = "docker", rows = 100,
    identity(endpoint, id, destination)
)]
#[example(
    "Containers that can write to the host's root directory.",
    "SELECT id, destination FROM docker_container_mounts WHERE source = '/' AND rw = 1"
)]
pub struct DockerContainerMount {
    /// Container ID.
    #[column(index, collate = nocase)]
    id: String,
    /// Kind of mount: `bind`, `volume`, `tmpfs`, `npipe`.
    #[column(path = "Type")]
    r#type: String,
    /// Name of the volume; empty for other kinds of mount.
    #[column(index, path = "Name")]
    name: String,
    /// Path on the host.
    #[column(path = "Source")]
    source: String,
    /// Path inside the container.
    #[column(path = "Destination")]
    destination: String,
    /// Volume driver; empty for other kinds of mount.
    #[column(path = "Driver")]
    driver: String,
    /// Requested options of the mount, such as `ro` or `z`; may be empty.
    #[column(path = "Mode")]
    mode: String,
    /// 1 if the container can write to it, else 0.
    rw: i64,
    /// Propagation of later mounts between host and container: `rprivate`, `rshared`, `rslave`; may be empty.
    #[column(path = "Propagation")]
    propagation: String,
    /// Address of the engine that the container belongs to.
    #[column(added, slice)]
    endpoint: String,
}

impl RowStream for DockerContainerMount {
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
                for mount in docker::elements(scan, runtime, container, "Mounts") {
                    let rw = docker::value::<bool>(mount, &["RW"]).unwrap_or(false).into();
                    let endpoint = runtime.name();
                    let mut row = DockerContainerMount { id: id.clone(), rw, endpoint, ..DockerContainerMount::default() };
                    scan.fill(&mut row, mount, scan.wanted(), runtime);
                    yield row;
                }
            }
        }
    }
}
