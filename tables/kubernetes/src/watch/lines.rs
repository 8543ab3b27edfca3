//! The events of one watch: a response of JSON texts, one per line.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use futures::FutureExt;
use http_body_util::BodyExt;
use hyper::body::Body;
use indago_table::json::{self, Shape};
use indago_table::{Error, Result};
use serde_json::Value as Document;

/// Largest event. etcd stores objects of some megabytes at most.
const MOST_BYTES: usize = 64 << 20;

/// An event of a watch.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// An object was added or modified.
    Put(Document),
    Deleted(Document),
    /// The watch has sent everything up to a version.
    Bookmark {
        version: String,
        ends_list: bool,
    },
    /// The watch ended with an error: its code and message.
    Failed {
        code: u64,
        message: String,
    },
}

/// The lines of a response.
pub(super) struct Lines<B> {
    body: B,
    buffer: BytesMut,
    /// The start of the buffer that has no line break.
    seen: usize,
}

impl<B> Lines<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: fmt::Display,
{
    pub(super) fn new(body: B) -> Self {
        Lines { body, buffer: BytesMut::new(), seen: 0 }
    }

    /// The next line; `None` at the end of the response. Can be cancelled without loss.
    pub(super) async fn next(&mut self) -> Result<Option<BytesMut>> {
        loop {
            if let Some(line) = self.buffered() {
                return Ok(Some(line));
            }
            if self.buffer.len() > MOST_BYTES {
                return Err(Error::Malformed(format!("an event of the watch exceeds {} MiB", MOST_BYTES >> 20)));
            }
            match self.body.frame().await {
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(Error::Unavailable("the watch was cut off within an event".to_owned())),
                Some(Err(error)) => return Err(Error::Unavailable(format!("the watch was cut off: {error}"))),
                Some(Ok(frame)) => self.buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            }
        }
    }

    /// The next line, if it has already arrived.
    pub(super) fn ready(&mut self) -> Option<Result<Option<BytesMut>>> {
        self.next().now_or_never()
    }

    fn buffered(&mut self) -> Option<BytesMut> {
        loop {
            let Some(end) = self.buffer[self.seen..].iter().position(|byte| *byte == b'\n') else {
                self.seen = self.buffer.len();
                return None;
            };
            let line = self.buffer.split_to(self.seen + end);
            self.buffer.advance(1);
            self.seen = 0;
            if !line.trim_ascii().is_empty() {
                return Some(line);
            }
        }
    }
}

impl Event {
    /// Reads an event, and the wanted parts of its object.
    pub(super) fn parse(line: &[u8], wanted: &Shape) -> Result<Option<Self>> {
        let kind = json::find(line, &["type"]);
        let object = |shape: &Shape| {
            let mut event = shape.clone().under("object").parse(line)?;
            Ok::<_, Error>(event.get_mut("object").map(Document::take).unwrap_or_default())
        };
        Ok(Some(match kind.as_ref().and_then(Document::as_str) {
            Some("ADDED" | "MODIFIED") => Event::Put(object(wanted)?),
            Some("DELETED") => Event::Deleted(object(wanted)?),
            Some("BOOKMARK") => {
                let mut shape = Shape::default().with("metadata.resourceVersion");
                shape.add(&["metadata", "annotations", "k8s.io/initial-events-end"]);
                let object = object(&shape)?;
                let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
                let ends_list = object["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true";
                Event::Bookmark { version, ends_list }
            }
            Some("ERROR") => {
                let object = object(&Shape::default().with("code").with("message"))?;
                let message = object["message"].as_str().unwrap_or_default().to_owned();
                Event::Failed { code: object["code"].as_u64().unwrap_or(0), message }
            }
            // A type of a later version of the API.
            Some(_) => return Ok(None),
            None => return Err(Error::Malformed("an event of the watch has no type".to_owned())),
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn lines_are_read_however_they_arrive() {
        let text = b"one\n\n two\r\nthree\nfo".to_vec();
        for size in 1..text.len() {
            let frame = |chunk: &[u8]| Ok::<_, std::io::Error>(hyper::body::Frame::data(Bytes::copy_from_slice(chunk)));
            let frames: Vec<_> = text.chunks(size).map(frame).collect();
            let mut lines = Lines::new(http_body_util::StreamBody::new(futures::stream::iter(frames)));
            for expected in ["one", " two\r", "three"] {
                assert_eq!(lines.next().await.unwrap().unwrap(), expected.as_bytes());
            }
            assert!(lines.next().await.is_err(), "cut off");
        }
    }

    #[test]
    fn events_are_told_apart() {
        let wanted = Shape::default().with("metadata.name");
        let parse = |event: Document| Event::parse(event.to_string().as_bytes(), &wanted);
        let object = json!({"metadata": {"name": "a", "uid": "u"}, "reason": "x"});
        let kept = json!({"metadata": {"name": "a"}});
        for kind in ["ADDED", "MODIFIED"] {
            assert_eq!(parse(json!({"type": kind, "object": object})), Ok(Some(Event::Put(kept.clone()))));
        }
        assert_eq!(parse(json!({"object": object, "type": "DELETED"})), Ok(Some(Event::Deleted(kept))));
        let bookmark = |annotations| json!({"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "7", "annotations": annotations}}});
        for (annotations, ends_list) in [(json!({"k8s.io/initial-events-end": "true"}), true), (Document::Null, false)]
        {
            let expected = Event::Bookmark { version: "7".to_owned(), ends_list };
            assert_eq!(parse(bookmark(annotations)), Ok(Some(expected)));
        }
        let status =
            json!({"kind": "Status", "code": 410, "message": "too old resource version: 1 (9)", "reason": "Expired"});
        let failed = Event::Failed { code: 410, message: "too old resource version: 1 (9)".to_owned() };
        assert_eq!(parse(json!({"type": "ERROR", "object": status})), Ok(Some(failed)));
        assert_eq!(parse(json!({"type": "NEW", "object": 1})), Ok(None));
        assert_eq!(parse(json!({"type": "ADDED"})), Ok(Some(Event::Put(Document::Null))));
        assert!(parse(json!({"object": {}})).is_err());
        assert!(Event::parse(b"{\"type\":\"ADDED\",\"object\":{", &wanted).is_err());
    }
}
