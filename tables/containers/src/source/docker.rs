//! The calls of Docker's API that the tables make, and the documents that they return.
//!
//! Responses are JSON documents, not types. Engines differ (Podman omits lists and has other states), and one
//! unexpected value must not fail the entire list. Requests contain no API version, so each engine uses its own.

use std::sync::Arc;

use indago_table::json::{self, FromJson, Shape, at};
use indago_table::scan::Column;
use indago_table::{Error, Map, Result, Row, Scan};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Document;

use crate::runtime::{Containers, Kind, Runtime};
use crate::source::http;

/// The engine that responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Docker,
    Podman,
}

impl Engine {
    fn of(server: &str) -> Self {
        if server.starts_with("Libpod") { Engine::Podman } else { Engine::Docker }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Engine::Docker => "docker",
            Engine::Podman => "podman",
        }
    }
}

/// The containers to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    All,
    /// No key can belong to a container: no call is needed.
    Nothing,
    /// A filter's name and values; a container matches if any value does.
    Any(&'static str, Vec<String>),
}

/// With more keys, reading the entire list is cheaper.
const MOST_KEYS: usize = 200;

impl Filter {
    /// Containers with one of these IDs.
    pub(crate) fn ids(keys: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let ids = keys.into_iter().map(|id| id.as_ref().to_ascii_lowercase());
        Filter::any("id", ids.filter(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())))
    }

    /// Containers with one of these names, with or without the leading slash.
    pub(crate) fn names(keys: &[String]) -> Self {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
        let names = keys.iter().filter(|name| name.bytes().all(is_name_byte));
        // The engine matches a regular expression, in which a dot is any character; a few extra containers do no harm.
        Filter::any("name", names.map(|name| format!("^/?{}$", name.trim_start_matches('/'))))
    }

    /// Containers with one of these values of a label. Engines combine labels with "and", so only one value can be
    /// requested.
    pub(crate) fn label(label: &str, keys: &[String]) -> Self {
        match keys {
            [] => Filter::Nothing,
            [key] => Filter::Any("label", vec![format!("{label}={key}")]),
            _ => Filter::All,
        }
    }

    fn any(name: &'static str, values: impl Iterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.collect();
        values.sort();
        values.dedup();
        match values.len() {
            0 => Filter::Nothing,
            1..=MOST_KEYS => Filter::Any(name, values),
            _ => Filter::All,
        }
    }

    fn query(&self) -> String {
        match self {
            Filter::All | Filter::Nothing => "all=1".to_owned(),
            Filter::Any(name, values) => {
                let mut filters = serde_json::Map::new();
                filters.insert((*name).to_owned(), values.as_slice().into());
                format!("all=1&filters={}", escape(&Document::Object(filters).to_string()))
            }
        }
    }
}

/// Characters of a path segment or query value that are not escaped.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn escape(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The runtimes that a table over Docker's API reads.
pub(crate) fn runtimes<T: Row<Env = Containers>>(
    scan: &Scan<T>,
    endpoint: Column<T, String, true, false, false>,
) -> Vec<Runtime> {
    Containers::asked(scan, "engine with Docker's API", |runtime| runtime.kind == Kind::Docker, endpoint)
}

/// A list of containers.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) engine: Engine,
    pub(crate) containers: Vec<Document>,
}

/// The parts of a listed container that tables show.
const LISTED: [&str; 11] =
    ["Id", "Names", "Image", "ImageID", "Command", "Created", "State", "Status", "Labels", "Mounts", "Ports"];

/// The parts of a container's details that tables show.
const DETAILS: [&str; 9] = [
    "State",
    "Path",
    "Args",
    "LogPath",
    "HostConfig",
    "Config.Entrypoint",
    "Config.Env",
    "Config.Image",
    "Config.User",
];

/// Lists containers, including those that are not running. All scans of a query with the same request share one
/// response.
pub(crate) async fn list<T: Row<Env = Containers>>(
    scan: &Scan<T>,
    runtime: &Runtime,
    filter: &Filter,
) -> Result<Arc<Listing>> {
    if *filter == Filter::Nothing {
        return Ok(Arc::new(Listing { engine: Engine::Docker, containers: Vec::new() }));
    }
    let path = format!("/containers/json?{}", filter.query());
    scan.cached(&format!("{runtime}{path}"), async {
        let (engine, containers) = objects(scan, runtime, &path, &LISTED).await?;
        let size = containers.iter().map(json::size).sum();
        Ok((Listing { engine, containers }, size))
    })
    .await
}

/// The details of one container.
pub(crate) async fn inspect<T: Row<Env = Containers>>(
    scan: &Scan<T>,
    runtime: &Runtime,
    id: &str,
) -> Result<Arc<Document>> {
    let path = format!("/containers/{}/json", escape(id));
    let read = async { Ok(sized(get(scan, runtime, &path, &shape(&DETAILS)).await?.1)) };
    match scan.is_shared() {
        true => scan.cached(&format!("{runtime}{path}"), read).await,
        false => read.await.map(|(details, _)| Arc::new(details)),
    }
}

/// The name of the image when a listed container was created. If the name now refers to another image, the list has the
/// image's ID instead; the details still have the name.
pub(crate) async fn image<T: Row<Env = Containers>>(
    scan: &Scan<T>,
    runtime: &Runtime,
    container: &Document,
) -> Option<String> {
    let listed = text(container, &["Image"])?;
    let (Some(id), Some(image_id)) = (text(container, &["Id"]), text(container, &["ImageID"])) else {
        return Some(listed);
    };
    // Docker may truncate it to 12 digits.
    if bare_id(&listed).len() < 12 || !bare_id(&image_id).starts_with(bare_id(&listed)) {
        return Some(listed);
    }
    match inspect(scan, runtime, &id).await {
        Ok(details) => text(&details, &["Config", "Image"]).or(Some(listed)),
        Err(error) => {
            scan.report(format!("{runtime} container {id}"), &error);
            Some(listed)
        }
    }
}

/// The name of a listed container. Names from links of other containers, `/other/alias`, may precede it.
pub(crate) fn name(container: &Document) -> String {
    let names: Vec<String> = value(container, &["Names"]).unwrap_or_default();
    let own = names.iter().find(|name| !name.trim_start_matches('/').contains('/'));
    own.or(names.first()).cloned().unwrap_or_default()
}

/// Go's zero time, in year 1, in seconds since 1970.
pub(crate) const NEVER: i64 = -62_135_596_800;

/// Creation time of a listed container or image, in seconds since 1970.
pub(crate) fn created(document: &Document) -> Option<i64> {
    value(document, &["Created"]).filter(|seconds| *seconds > NEVER)
}

/// A volume of an engine; containers that share it share the response.
pub(crate) async fn volume<T: Row<Env = Containers>>(
    scan: &Scan<T>,
    runtime: &Runtime,
    name: &str,
) -> Result<Arc<Document>> {
    let path = format!("/volumes/{}", escape(name));
    let read = async { Ok(sized(get(scan, runtime, &path, &shape(&["Options"])).await?.1)) };
    scan.cached(&format!("{runtime}{path}"), read).await
}

/// The images of an engine.
pub(crate) async fn images<T: Row<Env = Containers>>(scan: &Scan<T>, runtime: &Runtime) -> Result<Arc<Vec<Document>>> {
    scan.cached(&format!("{runtime}/images/json"), async {
        let parts = ["Id", "Created", "Size", "RepoTags", "RepoDigests"];
        let images = objects(scan, runtime, "/images/json", &parts).await?.1;
        let size = images.iter().map(json::size).sum();
        Ok((images, size))
    })
    .await
}

/// A document and its size.
fn sized(document: Document) -> (Document, usize) {
    let size = json::size(&document);
    (document, size)
}

/// The processes of a running container, as one list of fields per process.
pub(crate) async fn top<T: Row<Env = Containers>>(
    scan: &Scan<T>,
    runtime: &Runtime,
    id: &str,
    arguments: &str,
) -> Result<Vec<Vec<String>>> {
    let path = format!("/containers/{}/top?ps_args={}", escape(id), escape(arguments));
    let answer = ask(scan, runtime, &path).await?;
    // Podman returns an empty body for a container that has ended.
    if answer.body.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let document = parse(runtime, &answer, &shape(&["Processes"]))?;
    match at(&document, &["Processes"]).as_deref() {
        None | Some(Document::Null) => Ok(Vec::new()),
        Some(Document::Array(processes)) => {
            Ok(processes.iter().map(|fields| FromJson::from_json(fields).unwrap_or_default()).collect())
        }
        Some(other) => Err(Error::Malformed(format!("{runtime}: `Processes` holds {}, not a list", json::kind(other)))),
    }
}

fn shape(paths: &[&str]) -> Shape {
    paths.iter().fold(Shape::default(), |shape, path| shape.with(path))
}

async fn get<T: Row<Env = Containers>>(
    scan: &Scan<T>,
    runtime: &Runtime,
    path: &str,
    shape: &Shape,
) -> Result<(Engine, Document)> {
    let answer = ask(scan, runtime, path).await?;
    Ok((Engine::of(&answer.server), parse(runtime, &answer, shape)?))
}

async fn ask<T: Row<Env = Containers>>(scan: &Scan<T>, runtime: &Runtime, path: &str) -> Result<http::Answer> {
    let sys = scan.env().sys();
    scan.call(&runtime.name(), path, || http::get(sys, &runtime.endpoint, path)).await
}

fn parse(runtime: &Runtime, answer: &http::Answer, shape: &Shape) -> Result<Document> {
    shape.parse(&answer.body).map_err(|error| Error::Malformed(format!("{runtime}: {error}")))
}

/// Every engine has lists. If the path is unknown, something else speaks HTTP here.
fn no_engine(runtime: &Runtime, error: Error) -> Error {
    match error {
        Error::Gone(_) => Error::Malformed(format!("{runtime} does not speak Docker's API")),
        other => other,
    }
}

/// The objects of a list, each with these parts. An item that is not an object with an ID is reported and skipped.
async fn objects<T: Row<Env = Containers>>(
    scan: &Scan<T>,
    runtime: &Runtime,
    path: &str,
    parts: &[&str],
) -> Result<(Engine, Vec<Document>)> {
    let answer = ask(scan, runtime, path).await.map_err(|error| no_engine(runtime, error))?;
    let mut objects = Vec::new();
    let list = shape(parts).parse_array(&answer.body, |element| {
        let why = match element {
            Ok(object) if object["Id"].is_string() => return objects.push(object),
            Ok(Document::Object(_)) => "it has no ID".to_owned(),
            Ok(other) => format!("it is {}", json::kind(&other)),
            Err(error) => error.to_string(),
        };
        scan.report(runtime.name(), &Error::Malformed(format!("skipped an item of the list: {why}")));
    });
    list.map_err(|error| Error::Malformed(format!("{runtime}: the response is not a list: {error}")))?;
    Ok((Engine::of(&answer.server), objects))
}

/// The labels of a listed container. Labels of another type are reported.
pub(crate) fn labels<T: Row<Env = Containers>>(scan: &Scan<T>, runtime: &Runtime, container: &Document) -> Map {
    let found = &container["Labels"];
    let labels = Map::from_json(found);
    let misfit = if labels.is_none() && !found.is_null() { Some(json::kind(found)) } else { Map::misfit(found) };
    if let Some(misfit) = misfit {
        let id = text(container, &["Id"]).unwrap_or_default();
        let error = Error::Malformed(format!("`Labels` holds {misfit}, which is not a label"));
        scan.report(format!("{runtime} container {id}"), &error);
    }
    labels.unwrap_or_default()
}

/// The objects in a list of a container. Other elements are reported and skipped.
pub(crate) fn elements<'a, T: Row<Env = Containers>>(
    scan: &Scan<T>,
    runtime: &Runtime,
    container: &'a Document,
    list: &str,
) -> Vec<&'a Document> {
    let report = |found: &Document, wanted: &str| {
        let id = text(container, &["Id"]).unwrap_or_default();
        let message = format!("`{list}` holds {} instead of {wanted}", json::kind(found));
        scan.report(format!("{runtime} container {id}"), &Error::Malformed(message));
    };
    match &container[list] {
        Document::Null => Vec::new(),
        Document::Array(elements) => {
            let (objects, others): (Vec<_>, Vec<_>) = elements.iter().partition(|element| element.is_object());
            others.into_iter().for_each(|other| report(other, "an object"));
            objects
        }
        other => {
            report(other, "a list");
            Vec::new()
        }
    }
}

/// The value at a path of a document, if it exists and has that type.
pub(crate) fn value<V: FromJson>(document: &Document, path: &[&str]) -> Option<V> {
    V::from_json(at(document, path)?.as_ref())
}

/// A text that exists and is not empty.
pub(crate) fn text(document: &Document, path: &[&str]) -> Option<String> {
    value::<String>(document, path).filter(|text| !text.is_empty())
}

/// The ID of an image or container, without the name of the hash.
pub(crate) fn bare_id(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_s_own_name_is_taken_before_those_of_links() {
        for (names, name) in [
            (serde_json::json!(["/web/db", "/db"]), "/db"),
            (serde_json::json!(["/db", "/web/db"]), "/db"),
            (serde_json::json!(["db"]), "db"),
            (serde_json::json!(null), ""),
            (serde_json::json!([]), ""),
        ] {
            assert_eq!(super::name(&serde_json::json!({"Names": names})), name);
        }
    }

    #[test]
    fn keys_become_filters_where_the_engine_can_use_them() {
        let id = "acdb5d7cdf1c0690e5079cd9931a9aa07873ae3f49181ac2472fa0596289f3a3".to_owned();
        assert_eq!(Filter::ids([id.to_uppercase(), id.clone()]), Filter::Any("id", vec![id.clone()]));
        assert_eq!(Filter::ids(["acdb5d7cdf1c", "x\"}"]), Filter::Nothing);
        assert_eq!(Filter::ids((0..201).map(|n| format!("{n:064x}"))), Filter::All);
        assert_eq!(Filter::names(&["/web".into(), "a b".into()]), Filter::Any("name", vec!["^/?web$".into()]));
        assert_eq!(Filter::label("a", &["1".into(), "2".into()]), Filter::All);
        assert_eq!(
            Filter::names(&["web".into()]).query(),
            "all=1&filters=%7B%22name%22%3A%5B%22%5E%2F%3Fweb%24%22%5D%7D"
        );
    }
}
