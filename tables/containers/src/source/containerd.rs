//! The calls of containerd's API that the tables make.
//!
//! The messages are written by hand with only the fields that are read, so that the build needs no protobuf compiler.
//! Field numbers are those of containerd's `api/services/*/v1` and `api/types`.

use std::collections::{BTreeMap, HashMap};

use futures::TryStreamExt;
use hyper_util::rt::TokioIo;
use indago_table::{Error, Result, Row, Scan, Timestamp};
use prost::Message;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Uri};
use tonic::{Code, Status};

use crate::runtime::{Containers, Runtime};
use crate::source::docker;

/// A container as containerd stores it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Record {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(btree_map = "string, string", tag = "2")]
    pub(crate) labels: BTreeMap<String, String>,
    #[prost(string, tag = "3")]
    pub(crate) image: String,
    #[prost(message, optional, tag = "5")]
    pub(crate) spec: Option<Any>,
    #[prost(message, optional, tag = "8")]
    pub(crate) created_at: Option<Time>,
    #[prost(map = "string, message", tag = "10")]
    pub(crate) extensions: HashMap<String, Any>,
}

/// A message whose text names its type; containerd stores JSON in it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Time {
    /// The point in time; `None` for Go's zero time.
    pub(crate) fn moment(self) -> Option<Timestamp> {
        let micros = self.seconds.checked_mul(1_000_000)?.checked_add(i64::from(self.nanos) / 1000)?;
        (self.seconds > docker::NEVER).then_some(Timestamp(micros))
    }
}

/// The running part of a container.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Task {
    /// The container's ID: a task has the ID of its container.
    #[prost(string, tag = "2")]
    pub(crate) id: String,
    #[prost(uint32, tag = "3")]
    pub(crate) pid: u32,
    #[prost(int32, tag = "4")]
    status: i32,
    #[prost(uint32, tag = "9")]
    pub(crate) exit_status: u32,
}

/// A container without a task: it was never started, or it ended and was cleaned up. containerd does not distinguish
/// these.
pub(crate) const STOPPED: &str = "stopped";

impl Task {
    pub(crate) fn state(&self) -> &'static str {
        match self.status {
            1 => "created",
            2 => "running",
            3 => STOPPED,
            4 => "paused",
            5 => "pausing",
            _ => "unknown",
        }
    }
}

#[derive(Clone, PartialEq, Message)]
struct NamespaceList {
    #[prost(message, repeated, tag = "1")]
    namespaces: Vec<Namespace>,
}

#[derive(Clone, PartialEq, Message)]
struct Namespace {
    #[prost(string, tag = "1")]
    name: String,
}

/// The request of every list call: one filter for namespaces and tasks, several for containers and images.
#[derive(Clone, PartialEq, Message)]
struct ListRequest {
    #[prost(string, repeated, tag = "1")]
    filters: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct RecordList {
    #[prost(message, repeated, tag = "1")]
    containers: Vec<Record>,
}

#[derive(Clone, PartialEq, Message)]
struct RecordMessage {
    #[prost(message, optional, tag = "1")]
    container: Option<Record>,
}

#[derive(Clone, PartialEq, Message)]
struct TaskList {
    #[prost(message, repeated, tag = "1")]
    tasks: Vec<Task>,
}

#[derive(Clone, PartialEq, Message)]
struct ImageList {
    #[prost(message, repeated, tag = "1")]
    images: Vec<Image>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "3")]
    target: Option<Descriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(string, tag = "2")]
    digest: String,
}

const NAMESPACES: &str = "/containerd.services.namespaces.v1.Namespaces/List";
const CONTAINERS: &str = "/containerd.services.containers.v1.Containers/List";
const CONTAINERS_STREAM: &str = "/containerd.services.containers.v1.Containers/ListStream";
const TASKS: &str = "/containerd.services.tasks.v1.Tasks/List";
const IMAGES: &str = "/containerd.services.images.v1.Images/List";

/// Limit in bytes of a response; containerd itself sends at most 16 MiB.
const MOST_BYTES: usize = 64 << 20;

/// Whether containerd accepts a text as a namespace's name. It refuses others with an error.
pub(crate) fn is_namespace(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    name.len() <= 76 && name.split(['.', '_', '-']).all(is_word)
}

/// The containers to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter(Option<Vec<String>>);

impl Filter {
    pub(crate) fn all() -> Self {
        Filter(None)
    }

    /// Containers whose field is one of these; the field is `id` or `labels."name"`.
    pub(crate) fn field(field: &str, keys: &[String]) -> Self {
        // A quote would end the value; containerd's names have none.
        let keys = keys.iter().filter(|key| !key.is_empty() && !key.contains(['"', '\\']));
        Filter(Some(keys.map(|key| format!("{field}==\"{key}\"")).collect()))
    }

    fn is_nothing(&self) -> bool {
        self.0.as_ref().is_some_and(Vec::is_empty)
    }
}

/// A connection to a containerd, shared by calls.
#[derive(Debug)]
pub(crate) struct Client<'a, T: Row<Env = Containers>> {
    scan: &'a Scan<T>,
    runtime: &'a Runtime,
    channel: Channel,
}

impl<'a, T: Row<Env = Containers>> Client<'a, T> {
    pub(crate) async fn connect(scan: &'a Scan<T>, runtime: &'a Runtime) -> Result<Self> {
        let sys = scan.env().sys();
        let open = || async {
            let mut stream = Some(runtime.endpoint.connect(sys).await?);
            // The first stream is already open, so a failure to connect is reported with the system's error.
            let (sys, endpoint) = (sys.clone(), runtime.endpoint.clone());
            let connector = tower::service_fn(move |_: Uri| {
                let (first, sys, endpoint) = (stream.take(), sys.clone(), endpoint.clone());
                async move {
                    match first {
                        Some(stream) => Ok(TokioIo::new(stream)),
                        None => endpoint.connect(&sys).await.map(TokioIo::new).map_err(std::io::Error::other),
                    }
                }
            });
            let transport = tonic::transport::Endpoint::from_static("http://containerd");
            let broken = |error| Error::Malformed(format!("{runtime} does not speak gRPC: {}", causes(&error)));
            transport.connect_with_connector(connector).await.map_err(broken)
        };
        let channel = scan.call(&runtime.name(), "connect", open).await?;
        Ok(Client { scan, runtime, channel })
    }

    /// The names of all namespaces.
    pub(crate) async fn namespaces(&self) -> Result<Vec<String>> {
        let list: NamespaceList = self.unary(NAMESPACES, None, Vec::new()).await?;
        let mut names: Vec<String> = list.namespaces.into_iter().map(|namespace| namespace.name).collect();
        names.sort();
        Ok(names)
    }

    /// A namespace's containers. Each record is converted as it arrives, so at most one specification is in memory.
    pub(crate) async fn containers<R>(
        &self,
        namespace: &str,
        filter: &Filter,
        convert: impl Fn(Record) -> R,
    ) -> Result<Vec<R>> {
        if filter.is_nothing() {
            return Ok(Vec::new());
        }
        let filters = filter.0.clone().unwrap_or_default();
        let convert = &convert;
        let read = || async {
            let request = self.request(Some(namespace), filters.clone())?;
            let codec = tonic_prost::ProstCodec::<ListRequest, RecordMessage>::default();
            let path = PathAndQuery::from_static(CONTAINERS_STREAM);
            let mut grpc = self.grpc().await?;
            let stream = grpc.server_streaming(request, path, codec).await.map_err(|status| self.error(&status))?;
            let records = stream.into_inner().map_err(|status| self.error(&status));
            let rows = records.try_filter_map(|message| async move { Ok(message.container.map(convert)) });
            rows.try_collect().await
        };
        match self.scan.call(&self.runtime.name(), CONTAINERS_STREAM, read).await {
            // containerd before version 1.3.
            Err(Error::Unsupported(_)) => {
                let list: RecordList = self.unary(CONTAINERS, Some(namespace), filters.clone()).await?;
                Ok(list.containers.into_iter().map(convert).collect())
            }
            other => other,
        }
    }

    /// A namespace's tasks, by container.
    pub(crate) async fn tasks(&self, namespace: &str) -> Result<HashMap<String, Task>> {
        let list: TaskList = self.unary(TASKS, Some(namespace), Vec::new()).await?;
        Ok(list.tasks.into_iter().map(|task| (task.id.clone(), task)).collect())
    }

    /// The digests of a namespace's images, by name.
    pub(crate) async fn image_digests(&self, namespace: &str) -> Result<HashMap<String, String>> {
        let list: ImageList = self.unary(IMAGES, Some(namespace), Vec::new()).await?;
        Ok(list.images.into_iter().filter_map(|image| Some((image.name, image.target?.digest))).collect())
    }

    async fn unary<A: Message + Default + 'static>(
        &self,
        method: &'static str,
        namespace: Option<&str>,
        filters: Vec<String>,
    ) -> Result<A> {
        let call = || async {
            let request = self.request(namespace, filters.clone())?;
            let codec = tonic_prost::ProstCodec::<ListRequest, A>::default();
            let mut grpc = self.grpc().await?;
            let answer = grpc.unary(request, PathAndQuery::from_static(method), codec).await;
            answer.map(tonic::Response::into_inner).map_err(|status| self.error(&status))
        };
        self.scan.call(&self.runtime.name(), method, call).await
    }

    fn request(&self, namespace: Option<&str>, filters: Vec<String>) -> Result<tonic::Request<ListRequest>> {
        let mut request = tonic::Request::new(ListRequest { filters });
        if let Some(namespace) = namespace {
            let value = namespace.parse().map_err(|_| Error::Gone(format!("namespace {namespace:?}")))?;
            request.metadata_mut().insert("containerd-namespace", value);
        }
        Ok(request)
    }

    async fn grpc(&self) -> Result<tonic::client::Grpc<Channel>> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(MOST_BYTES);
        let broken = |error| Error::Unavailable(format!("{}: {}", self.runtime, causes(&error)));
        grpc.ready().await.map_err(broken)?;
        Ok(grpc)
    }

    fn error(&self, status: &Status) -> Error {
        let said = format!("{}: {}", self.runtime, status.message());
        match status.code() {
            Code::NotFound => Error::Gone(said),
            Code::PermissionDenied | Code::Unauthenticated => Error::denied(said),
            Code::Unimplemented => Error::Unsupported(said),
            Code::Unavailable | Code::Aborted | Code::DeadlineExceeded => Error::Unavailable(said),
            // Transport failures have no code of their own, but they have a cause.
            Code::Unknown | Code::Internal => match std::error::Error::source(status) {
                Some(cause) => Error::Malformed(format!("{} does not speak gRPC: {}", self.runtime, causes(cause))),
                None => Error::Malformed(said),
            },
            _ => Error::Malformed(said),
        }
    }
}

/// An error and its causes, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_filters_that_no_value_can_break_out_of() {
        let Filter(filters) = Filter::field("id", &["web".into(), "a\" || x==\"".into(), String::new()]);
        assert_eq!(filters, Some(vec!["id==\"web\"".to_owned()]));
        assert!(Filter::field("id", &[]).is_nothing() && !Filter::all().is_nothing());
        assert!(is_namespace("k8s.io") && !is_namespace("a b") && !is_namespace("") && !is_namespace("a..b"));
    }

    #[test]
    fn fields_that_are_not_read_are_passed_over() {
        // container { id: "a", 4: { 1: "x" }, created_at: { seconds: 3, nanos: 2000 } }
        let bytes = [0x0a, 1, b'a', 0x22, 3, 0x0a, 1, b'x', 0x42, 5, 0x08, 3, 0x10, 0xd0, 0x0f];
        let record = Record::decode(&bytes[..]).expect("a record");
        assert_eq!(record.id, "a");
        assert_eq!(record.created_at.and_then(Time::moment), Some(Timestamp(3_000_002)));
        for seconds in [docker::NEVER, i64::MIN, i64::MAX] {
            assert_eq!(Time { seconds, nanos: 0 }.moment(), None, "{seconds}");
        }
    }
}
