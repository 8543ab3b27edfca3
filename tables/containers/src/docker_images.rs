//! `docker_images`: one row per image of an engine with Docker's API.

use futures::Stream;
use indago_table::prelude::*;

use crate::runtime::{Containers, Runtime};
use crate::source::docker;

/// Images of engines with Docker's API.
///
/// Images of containerd are not included.
#[derive(Debug, Default, Table)]
#[table(name = "docker_images", env = Containers, stream, reads = "docker", rows = 50, identity(endpoint, id))]
#[example("The largest images.", "SELECT tags, size_bytes FROM docker_images ORDER BY size_bytes DESC LIMIT 5")]
pub struct DockerImage {
    /// Image ID: the SHA-256 digest of its configuration, in hexadecimal.
    #[column(path = "Id", collate = nocase)]
    id: String,
    /// Time at which the image was built, in seconds since 1970; NULL if the image does not have it.
    created: Option<i64>,
    /// Size of the image's layers, in bytes.
    #[column(path = "Size")]
    size_bytes: Option<i64>,
    /// Names and tags of the image, separated by commas; empty if there are none.
    tags: String,
    /// Address of the engine that has it.
    #[column(added, slice)]
    endpoint: String,
}

impl RowStream for DockerImage {
    type Part = Runtime;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Runtime>> {
        Ok(docker::runtimes(scan, Self::ENDPOINT))
    }

    fn rows<'a>(scan: &'a Scan<Self>, runtime: &'a Runtime) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            for image in docker::images(scan, runtime).await?.iter() {
                let mut row = DockerImage { endpoint: runtime.name(), ..DockerImage::default() };
                scan.fill(&mut row, image, scan.wanted(), runtime);
                row.id = docker::bare_id(&row.id).to_owned();
                row.created = docker::created(image);
                // An image without a name has the tag `<none>:<none>` up to version 1.42 of the API, and no tag from
                // 1.43 on.
                let mut tags: Vec<String> = docker::value(image, &["RepoTags"]).unwrap_or_default();
                tags.retain(|tag| tag != "<none>:<none>");
                row.tags = tags.join(",");
                yield row;
            }
        }
    }
}
