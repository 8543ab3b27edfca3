//! The decoder compared with a real API server, and its behaviour on malformed answers.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use indago_table::Error;
use indago_table::json::Shape;
use indago_testkit::beds::{KubeApi, KubeApiOptions};
use serde_json::{Value as Document, json};

use super::*;
use crate::pages::plural;

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The server's response in a form, if it serves the path.
fn response(api: &KubeApi, path: &str, accept: &str) -> Option<Vec<u8>> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--write-out", "%{http_code}", "--cacert"]).arg(api.ca());
    curl.args(["-H", &format!("Authorization: Bearer {}", api.token("admin")), "-H", &format!("Accept: {accept}")]);
    let mut body = output(curl.arg(format!("{}{path}", api.url())));
    let code = body.split_off(body.len() - 3);
    assert!([&b"200"[..], b"404"].contains(&&*code), "{path}: {}", String::from_utf8_lossy(&code));
    (code == b"200").then_some(body)
}

/// A list's JSON text, decoded from pieces of some size, and its errors.
fn decoded(object: ObjectKind, shape: &Shape, body: &[u8], piece: usize) -> Result<(Document, Vec<Error>), Error> {
    let mut decoder = Decoder::new(object, Arc::new(shape.clone()));
    for piece in body.chunks(piece) {
        decoder.push(piece)?;
    }
    let (text, Decoded { skipped, .. }) = decoder.finish()?;
    Ok((
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text))),
        skipped,
    ))
}

/// Without what servers differ in: JSON of older ones has a null `creationTimestamp` in an object of an object.
fn without_null_times(document: &mut Document) {
    match document {
        Document::Object(members) => {
            members.retain(|name, value| name != "creationTimestamp" || !value.is_null());
            members.values_mut().for_each(without_null_times);
        }
        Document::Array(elements) => elements.iter_mut().for_each(without_null_times),
        _ => {}
    }
}

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const METADATA: &str = "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Objects of every kind that this server serves are equal in both forms.
#[test]
fn objects_are_those_of_the_servers_json() {
    let api = KubeApi::with(KubeApiOptions { controllers: true, ..KubeApiOptions::default() }).expect("an API server");
    let folder = tempfile::tempdir().unwrap();
    let request = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "/dev/null", "-out"];
    output(Command::new("openssl").args(request).arg(folder.path().join("csr")));
    let request = STANDARD.encode(std::fs::read(folder.path().join("csr")).unwrap());
    api.apply(&include_str!("objects.yaml").replace("REQUEST", &request)).expect("the objects fit");
    // The controllers make what belongs to these.
    let made = |resource: &str| !api.kubectl(&["get", resource, "-n", "forms", "-o", "name"]).unwrap().is_empty();
    for resource in ["replicasets", "endpointslices", "controllerrevisions"] {
        let mut tries = (0..600).take_while(|_| !made(resource));
        assert!(tries.by_ref().inspect(|_| std::thread::sleep(Duration::from_millis(100))).count() < 600, "{resource}");
    }
    let sorted = |list: &Document| -> Vec<Document> {
        let mut items = list["items"].as_array().unwrap().clone();
        items.sort_by_key(|item| (item["metadata"]["namespace"].to_string(), item["metadata"]["name"].to_string()));
        items
    };
    let (mut served, mut filled, mut differences) = (0, 0, Vec::new());
    for (group_version, kind, _) in schema::RESOURCES {
        let resource = plural(kind);
        let root = if group_version.contains('/') { "/apis" } else { "/api" };
        let path = format!("{root}/{group_version}/{resource}");
        let object = ObjectKind::of_resource(group_version, &resource).unwrap();
        // Objects can change between the two requests.
        let both = || {
            let mut json: Document = serde_json::from_slice(&response(&api, &path, "application/json")?).unwrap();
            let protobuf = response(&api, &path, PROTOBUF).expect("both forms are served");
            let (mut list, skipped) = decoded(object, &Shape::whole(), &protobuf, 4000).unwrap();
            assert_eq!((&list["kind"], skipped), (&json["kind"], vec![]), "{path}");
            without_null_times(&mut json);
            without_null_times(&mut list);
            Some((json, list, protobuf))
        };
        let Some(mut lists) = both() else { continue };
        for _ in 0..20 {
            if sorted(&lists.0) != sorted(&lists.1) {
                lists = both().unwrap();
            }
        }
        let (json, list, protobuf) = lists;
        let (items, found) = (sorted(&json), sorted(&list));
        let pairs = items.iter().zip(&found).find(|(item, found)| item != found);
        differences.extend(pairs.map(|(item, found)| format!("{path}:\n{item}\n{found}")));
        assert_eq!(items.len(), found.len(), "{path}");
        served += 1;
        filled += usize::from(!items.is_empty());

        // Pieces of any size and any shape give the same.
        let paths =
            ["metadata.name", "spec.containers.*.ports.0", "metadata.labels.app", "status.x", "data", "spec.volumes"];
        let shape = paths.iter().fold(Shape::default(), |shape, path| shape.with(path));
        let (mut of_shape, _) = decoded(object, &shape, &protobuf, 7).unwrap();
        without_null_times(&mut of_shape);
        let in_shape = |list: &Document| {
            let mut items = Vec::new();
            let text = serde_json::to_vec(list).unwrap();
            shape.parse_list(&text, "items", &Shape::default(), |item| items.push(item.unwrap())).unwrap();
            items
        };
        assert_eq!(in_shape(&of_shape), in_shape(&list), "{path}");

        let metadata = response(&api, &path, &format!("{PROTOBUF};{METADATA}")).unwrap();
        let (metadata, skipped) = decoded(ObjectKind::METADATA, &Shape::whole(), &metadata, 999).unwrap();
        assert_eq!((&metadata["kind"], skipped), (&json!("PartialObjectMetadataList"), vec![]));
        let uids = |items: &[Document]| items.iter().map(|item| item["metadata"]["uid"].clone()).collect::<Vec<_>>();
        assert_eq!(uids(&sorted(&metadata)), uids(&items), "{path}");
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(served > 30 && filled > 28, "{filled} of {served}");
}

/// Bytes, a text or a message as a field.
fn bytes(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&varint(u64::from(number) << 3 | 2)[..], &varint(value.len() as u64), value].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn integer(number: u8, value: i64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(value as u64)].concat()
}

/// An answer with this list.
fn answer(kind: &str, list: &[Vec<u8>]) -> Vec<u8> {
    [MAGIC.to_vec(), bytes(1, [bytes(1, "v1"), bytes(2, kind)].concat()), bytes(2, list.concat())].concat()
}

/// A list's metadata, with a token.
fn metadata(token: &str) -> Vec<u8> {
    bytes(1, [bytes(2, "7"), bytes(3, token)].concat())
}

/// An object with metadata and more fields.
fn object(name: &str, rest: &[Vec<u8>]) -> Vec<u8> {
    bytes(2, [bytes(1, [bytes(1, name), bytes(3, "ns")].concat()), rest.concat()].concat())
}

const MAGIC: [u8; 4] = *b"k8s\0";

fn of(group_version: &str, resource: &str) -> ObjectKind {
    ObjectKind::of_resource(group_version, resource).unwrap()
}

/// The items of a list, and the errors, of an answer that is decoded in one piece and byte by byte.
fn read(resource: &str, body: &[u8]) -> (Document, Vec<String>) {
    let object = of("v1", resource);
    let (list, skipped) = decoded(object, &Shape::whole(), body, usize::MAX).unwrap();
    assert_eq!(decoded(object, &Shape::whole(), body, 1).unwrap(), (list.clone(), skipped.clone()));
    (list["items"].clone(), skipped.iter().map(ToString::to_string).collect())
}

#[test]
fn a_list_is_read_in_any_pieces_and_its_token_comes_first() {
    let items = [metadata("t"), object("a", &[]), object("b", &[bytes(9, "unknown"), integer(200, 5)])];
    let body = answer("PodList", &items);
    let (list, skipped) = decoded(of("v1", "pods"), &Shape::whole(), &body, 3).unwrap();
    let item = |name| json!({"metadata": {"name": name, "namespace": "ns"}});
    let of_list = json!({"resourceVersion": "7", "continue": "t"});
    let expected = json!({"kind": "PodList", "metadata": of_list, "items": [item("a"), item("b")]});
    assert_eq!((list, skipped), (expected, vec![]));
    let mut decoder = Decoder::new(of("v1", "pods"), Arc::new(Shape::whole()));
    decoder.push(&body[..body.len() - 1]).unwrap();
    assert!(
        decoder.text().starts_with(br#"{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"t"},"items":["#)
    );
    for end in 0..body.len() {
        let error = decoded(of("v1", "pods"), &Shape::whole(), &body[..end], 9).unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{end}: {error:?}");
    }
    for empty in [answer("PodList", &[]), answer("PodList", &[metadata("")])] {
        assert_eq!(read("pods", &empty), (json!([]), vec![]));
    }
    // What follows the list says how it is encoded, and is empty.
    assert_eq!(read("pods", &[body, bytes(3, ""), bytes(4, "")].concat()).0.as_array().unwrap().len(), 2);
}

#[test]
fn an_object_that_cannot_be_decoded_is_named_and_costs_no_other() {
    let beyond = [vec![2 << 3 | 2], varint(1000), b"short".to_vec()].concat();
    let group = vec![2 << 3 | 3; 100_000];
    let long = [vec![2 << 3], vec![0xff; 11]].concat();
    let time = |seconds| bytes(3, bytes(7, integer(1, seconds)));
    let bad = [
        (object("beyond", &[beyond]), "`ns/beyond`: a field of it is longer than what holds it"),
        (object("group", &[group]), "`ns/group`: it has a field of an unknown wire type"),
        (object("long", &[long]), "`ns/long`: it has a number of more than 10 bytes"),
        (object("zero", &[vec![0, 0]]), "`ns/zero`: it has a field with an invalid number"),
        (object("number", &[integer(2, 7)]), "`ns/number`: a field of it holds a number instead of bytes"),
        (object("past", &[time(-62_135_596_801)]), "`ns/past`: a time of it is outside the years 1 to 9999"),
        (object("future", &[time(i64::MAX)]), "`ns/future`: a time of it is outside the years 1 to 9999"),
        (bytes(2, vec![0xff; 3]), "number 8 of the list: a field of it is longer than what holds it"),
    ];
    let mut list = vec![object("first", &[])];
    list.splice(0..0, bad.iter().map(|(item, _)| item.clone()));
    list.push(object("last", &[]));
    let (items, told) = read("pods", &answer("PodList", &list));
    let names: Vec<_> = items.as_array().unwrap().iter().map(|item| item["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["first", "last"]);
    let expected: Vec<_> = bad.iter().map(|(_, why)| format!("skipped the object {why}")).collect();
    assert_eq!(told, expected);
}

#[test]
fn an_answer_that_is_no_list_is_an_error() {
    let many = |count: u64| [MAGIC.to_vec(), bytes(1, bytes(2, "PodList")), vec![2 << 3 | 2], varint(count)].concat();
    let cases = [
        (b"{\"kind\":\"PodList\"}".to_vec(), "it does not start with `k8s`"),
        (answer("Status", &[]), "the response is not a list: its kind is Status"),
        (answer("", &[]), "the response is not a list: its kind is absent"),
        (answer("NodeList", &[]), "the response is a list of Node objects, not of pod"),
        ([MAGIC.to_vec(), bytes(2, "")].concat(), "its kind is absent"),
        ([many(3), vec![2 << 3 | 2, 200, 1]].concat(), "an object is longer than the list"),
        ([many(u64::MAX), vec![2 << 3 | 2], vec![0xff; 11]].concat(), "it has a number of more than 10 bytes"),
        ([many(9), vec![2 << 3 | 4]].concat(), "it has a field of an unknown wire type"),
        (answer("PodList", &[object("a", &[]), metadata("t")]), "the list's metadata follows its items"),
        (answer("PodList", &[bytes(1, [0xff])]), "a field of it is longer than what holds it"),
    ];
    for (body, why) in cases {
        for piece in [1, usize::MAX] {
            let error = decoded(of("v1", "pods"), &Shape::whole(), &body, piece).unwrap_err();
            assert!(matches!(&error, Error::Malformed(told) if told.contains(why)), "{why}: {error:?}");
        }
    }
}

/// Memory is limited by what has arrived, not by what a message states.
#[test]
fn large_and_hostile_objects_take_bounded_memory() {
    let annotation = bytes(12, [bytes(1, "large"), bytes(2, vec![b'x'; 10 << 20])].concat());
    let large = bytes(2, bytes(1, [bytes(1, "large"), annotation].concat()));
    let body = answer("PodList", &[large, object("a", &[])]);
    let shape = Arc::new(Shape::default().with("metadata.name"));
    let mut decoder = Decoder::new(of("v1", "pods"), shape.clone());
    let mut most = 0;
    for piece in body.chunks(16 << 10) {
        decoder.push(piece).unwrap();
        most = most.max(decoder.size());
    }
    let (text, _) = decoder.finish().unwrap();
    assert!(text.len() < 200 && most < 32 << 20, "{} {most}", text.len());

    // A length of an exabyte, of which nothing arrives.
    let mut decoder = Decoder::new(of("v1", "pods"), shape);
    let start = [MAGIC.to_vec(), bytes(1, bytes(2, "PodList")), vec![2 << 3 | 2], varint(1 << 60)].concat();
    decoder.push(&[start, vec![2 << 3 | 2], varint(1 << 59), vec![0; 1000]].concat()).unwrap();
    assert!(decoder.size() < 10_000, "{}", decoder.size());
    assert!(decoder.finish().is_err());

    // Two bytes for each of a million fields.
    let labels = bytes(11, "").repeat(1 << 20);
    let many = bytes(2, bytes(1, [bytes(1, "many"), labels].concat()));
    let (items, told) = read("pods", &answer("PodList", &[many, object("a", &[])]));
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert_eq!(told, ["skipped the object `many`: it has too many fields"]);
}

#[test]
fn values_have_the_form_of_json() {
    let data = |key: &[u8], value: &[u8]| bytes(2, [bytes(1, key), bytes(2, value)].concat());
    let map = object("m", &[data(b"a", b"1"), bytes(9, "x"), data(b"\xff\"", b"\xff\0"), bytes(2, bytes(1, "only"))]);
    let (items, _) = read("configmaps", &answer("ConfigMapList", &[map]));
    assert_eq!(items[0]["data"], json!({"a": "1", "\u{fffd}\"": "\u{fffd}\0", "only": ""}));

    // Fields in another order, a list in two parts, numbers in one value, and the last of two values.
    let context = bytes(14, [bytes(4, [varint(1), varint(300)].concat()), integer(4, 5), integer(2, -1)].concat());
    let container = |name: &str| bytes(2, [bytes(2, "i"), bytes(1, "x"), bytes(1, name)].concat());
    let spec = bytes(2, [container("a"), context, container("b"), integer(11, 1)].concat());
    let status = bytes(3, [bytes(7, ""), bytes(2, [bytes(1, "T"), bytes(3, "")].concat())].concat());
    let (items, _) = read("pods", &answer("PodList", &[bytes(2, [status, spec, bytes(1, "")].concat())]));
    let expected = json!({
        "metadata": {},
        "spec": {
            "containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}],
            "hostNetwork": true,
            "securityContext": {"runAsUser": -1, "supplementalGroups": [1, 300, 5]},
        },
        "status": {"conditions": [{"type": "T", "lastProbeTime": null}], "startTime": null},
    });
    assert_eq!(items[0].to_string(), expected.to_string());

    let object = of("apps/v1", "controllerrevisions");
    let revision = |raw: &[u8]| answer("ControllerRevisionList", &[bytes(2, bytes(2, bytes(1, raw)))]);
    let read = |raw: &[u8]| decoded(object, &Shape::whole(), &revision(raw), 5).unwrap();
    assert_eq!(read(br#"{"a": [1.50]}"#).0["items"][0]["data"].to_string(), r#"{"a":[1.5]}"#);
    assert_eq!(read(b"").0["items"], json!([{"data": null}]));
    for broken in [&b"{"[..], b"1,\"b\":2", b"k8s\0"] {
        let told: Vec<_> = read(broken).1.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["skipped the object number 1 of the list: a part of it that should be JSON is not"]);
    }
    let nested = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let (list, decoded) = {
        let mut decoder = Decoder::new(object, Arc::new(Shape::whole()));
        decoder.push(&revision(nested.as_bytes())).unwrap();
        decoder.finish().unwrap()
    };
    // The parser of the text reports it.
    assert!(decoded.skipped.is_empty() && list.len() > 2 << 20);
}

#[test]
fn an_error_in_protobuf_is_understood() {
    let details = bytes(5, integer(5, 7));
    let raw = [bytes(1, bytes(3, "token")), bytes(3, "too old"), details, integer(6, 410)].concat();
    let body = [MAGIC.to_vec(), bytes(1, bytes(2, "Status")), bytes(2, raw)].concat();
    let status: Document = serde_json::from_slice(&status(&body).unwrap()).unwrap();
    let (metadata, details) = (json!({"continue": "token"}), json!({"retryAfterSeconds": 7}));
    let expected = json!({"metadata": metadata, "message": "too old", "details": details, "code": 410});
    assert_eq!(status, expected);
    for other in [&b""[..], b"{}", b"k8s\0\xff", b"k8s\0\x12\x05a"] {
        assert_eq!(super::status(other), None);
    }
}
