//! Calls of D-Bus methods over a unix socket: the system bus, or systemd's own socket.
//!
//! The client only calls methods and reads their results. Its connection is bounded in time and size, and every length
//! in a message is checked.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use indago_table::prelude::*;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Interval at which a wait checks whether the query was cancelled.
const STEP: Duration = Duration::from_millis(100);

/// Timeout of one read or write.
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest message. The specification allows more, for services that send files.
const MOST_BYTES: u32 = 8 << 20;

/// Deepest nesting of a value.
const DEEPEST: usize = 16;

/// A value in a message. All numbers are integers; other types do not occur in the results that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Text(String),
    /// An array or a struct.
    List(Vec<Value>),
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn number(&self) -> Option<u64> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn list(&self) -> &[Value] {
        if let Value::List(items) = self { items } else { &[] }
    }
}

/// A method call; its arguments are strings.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) destination: &'a str,
    pub(crate) path: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) member: &'a str,
    pub(crate) arguments: &'a [&'a str],
}

/// Why a call failed: the service's own error, as a name and a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sys: Sys,
    name: String,
    stream: UnixStream,
    serial: u32,
    early: HashMap<u32, Reply>,
}

type Reply = std::result::Result<Vec<Value>, Refusal>;

impl Connection {
    /// Connects to a socket. A socket of a bus needs the greeting `Hello`; a service's own socket does not know it.
    pub(crate) fn open(sys: &Sys, path: &str, is_bus: bool) -> Result<Connection> {
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::ConnectionRefused => Error::Unavailable(format!("{path}: connection refused")),
            _ => Error::io(path, &error),
        };
        let held = sys.unix_socket(path)?;
        sys.meter().add_calls(1);
        // A full queue of a stuck service must not block the connect.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let open = || -> io::Result<UnixStream> {
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            connect(&socket, &SocketAddrUnix::new(held.path())?)?;
            let stream = UnixStream::from(socket);
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(STEP))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        let stream = open().map_err(failed)?;
        let mut connection =
            Connection { sys: sys.clone(), name: path.to_owned(), stream, serial: 0, early: HashMap::new() };
        connection.authenticate()?;
        if is_bus {
            let service = "org.freedesktop.DBus";
            let path = "/org/freedesktop/DBus";
            let hello = Call { destination: service, path, interface: service, member: "Hello", arguments: &[] };
            let serial = connection.send(&hello)?;
            connection.reply(serial)?.map_err(|refusal| connection.malformed(&refusal.0))?;
        }
        Ok(connection)
    }

    fn malformed(&self, what: &str) -> Error {
        Error::Malformed(format!("{}: {what}", self.name))
    }

    /// Proves the user's identity through the socket itself.
    fn authenticate(&mut self) -> Result<()> {
        let uid: String = self.sys.uid().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        // `BEGIN` comes with the request, as systemd's own clients send it: if systemd reads `BEGIN` and a message at once,
        // it leaves the message unread until another one arrives.
        self.write(format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() > 1000 {
                return Err(self.malformed("the response to the authentication is too long"));
            }
            line.extend(self.read(1)?);
        }
        if line.starts_with(b"OK ") {
            return Ok(());
        }
        Err(Error::denied(format!("{} (it refuses this user)", self.name)))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.sys.check_cancelled()?;
        self.stream.write_all(bytes).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => self.timed_out(),
            _ => Error::io(&self.name, &error),
        })
    }

    fn timed_out(&self) -> Error {
        Error::TimedOut { what: self.name.clone(), limit: PATIENCE }
    }

    /// Exactly this many bytes. Memory grows with what arrives, not with what a message announces.
    fn read(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut waited = Duration::ZERO;
        while bytes.len() < length {
            self.sys.check_cancelled()?;
            let missing = (length - bytes.len()) as u64;
            let before = bytes.len();
            match (&self.stream).take(missing).read_to_end(&mut bytes) {
                Ok(_) if bytes.len() < length => return Err(self.malformed("the connection was closed")),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    waited = if bytes.len() > before { Duration::ZERO } else { waited + STEP };
                    if waited >= PATIENCE {
                        return Err(self.timed_out());
                    }
                }
                Err(error) => return Err(Error::io(&self.name, &error)),
            }
        }
        self.sys.meter().add_bytes(length as u64);
        Ok(bytes)
    }

    /// Sends a call, and returns the number that its reply will have.
    pub(crate) fn send(&mut self, call: &Call<'_>) -> Result<u32> {
        self.sys.meter().add_calls(1);
        self.serial += 1;
        self.write(&message(self.serial, call))?;
        Ok(self.serial)
    }

    /// The reply to a call that was sent.
    pub(crate) fn reply(&mut self, serial: u32) -> Result<Reply> {
        if let Some(reply) = self.early.remove(&serial) {
            return Ok(reply);
        }
        loop {
            let Some((to, reply)) = self.next()? else { continue };
            if to == serial {
                return Ok(reply);
            }
            if to > self.serial {
                return Err(self.malformed("a reply to a call that was not made"));
            }
            self.early.insert(to, reply);
        }
    }

    /// The next message; `None` if it is not a reply.
    fn next(&mut self) -> Result<Option<(u32, Reply)>> {
        let mut bytes = self.read(16)?;
        let lengths = lengths(&bytes).filter(|(fields, body)| fields.saturating_add(*body) <= MOST_BYTES);
        let Some((fields, body)) = lengths else { return Err(self.malformed("not a D-Bus message")) };
        let _held = self.sys.meter().hold((fields + body) as usize)?;
        bytes.extend(self.read((fields + body) as usize)?);
        parse(&bytes, 16 + fields as usize).ok_or_else(|| self.malformed("a D-Bus message is malformed"))
    }
}

/// The lengths of a message's rest from its first 16 bytes: of its header, with padding, and of its body.
fn lengths(start: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader::new(start)?;
    reader.at = 4;
    let body = reader.u32()?;
    reader.at = 12;
    let fields = reader.u32()?;
    Some((fields.checked_next_multiple_of(8)?, body))
}

/// The reply in a message; `Some(None)` if it is another kind of message.
fn parse(bytes: &[u8], body_at: usize) -> Option<Option<(u32, Reply)>> {
    const RESULT: u8 = 2;
    const FAILURE: u8 = 3;
    let kind = *bytes.get(1)?;
    if !matches!(kind, RESULT | FAILURE) {
        return Some(None);
    }
    let mut reader = Reader::new(bytes)?;
    reader.at = 12;
    let end = 16 + reader.u32()? as usize;
    let (mut to, mut signature, mut error) = (None, String::new(), String::new());
    while reader.at < end {
        reader.align(8)?;
        let code = reader.u8()?;
        let value = reader.variant(0)?;
        match (code, value) {
            (4, Value::Text(name)) => error = name,
            (5, Value::Number(serial)) => to = u32::try_from(serial).ok(),
            (8, Value::Text(types)) => signature = types,
            _ => {}
        }
    }
    reader.at = body_at;
    let mut types = signature.as_bytes();
    let mut values = Vec::new();
    while !types.is_empty() {
        values.push(reader.value(&mut types, 0)?);
    }
    let reply = if kind == RESULT {
        Ok(values)
    } else {
        let text = values.first().and_then(Value::text).unwrap_or_default();
        Err(Refusal(format!("{error}: {text}")))
    };
    Some(Some((to?, reply)))
}

/// Reads values. Every value is aligned relative to the message's start.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    is_little: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let is_little = match bytes.first()? {
            b'l' => true,
            b'B' => false,
            _ => return None,
        };
        Some(Reader { bytes, at: 0, is_little })
    }

    fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(to)?;
        (self.at <= self.bytes.len()).then_some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A number of 1, 2, 4 or 8 bytes.
    fn number(&mut self, size: usize) -> Option<u64> {
        self.align(size)?;
        let bytes = self.take(size)?;
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
    }

    fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.number(4)?).ok()
    }

    fn text(&mut self, length: usize) -> Option<String> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        (self.u8()? == 0).then_some(text)
    }

    fn variant(&mut self, depth: usize) -> Option<Value> {
        let length = usize::from(self.u8()?);
        let types = self.take(length)?;
        self.u8()?;
        let mut rest = types;
        let value = self.value(&mut rest, depth)?;
        rest.is_empty().then_some(value)
    }

    /// A value of the first type of a signature; the type is removed from it.
    fn value(&mut self, types: &mut &[u8], depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        let (kind, rest) = types.split_first()?;
        *types = rest;
        Some(match kind {
            b'y' => Value::Number(self.number(1)?),
            b'n' | b'q' => Value::Number(self.number(2)?),
            b'b' | b'u' | b'i' | b'h' => Value::Number(self.number(4)?),
            b't' | b'x' | b'd' => Value::Number(self.number(8)?),
            b's' | b'o' => {
                let length = self.u32()? as usize;
                Value::Text(self.text(length)?)
            }
            b'g' => {
                let length = usize::from(self.u8()?);
                Value::Text(self.text(length)?)
            }
            b'v' => self.variant(depth + 1)?,
            b'(' | b'{' => {
                let close = if *kind == b'(' { b')' } else { b'}' };
                self.align(8)?;
                let mut items = Vec::new();
                while *types.first()? != close {
                    items.push(self.value(types, depth + 1)?);
                }
                *types = &types[1..];
                Value::List(items)
            }
            b'a' => {
                let length = self.u32()? as usize;
                self.align(alignment(*types.first()?))?;
                let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
                let (item, rest) = types.split_at(type_length(types, depth)?);
                if item == b"y" {
                    *types = rest;
                    return Some(Value::Text(String::from_utf8_lossy(self.take(length)?).into_owned()));
                }
                let mut items = Vec::new();
                while self.at < end {
                    let before = self.at;
                    let mut types = item;
                    items.push(self.value(&mut types, depth + 1)?);
                    // An item without bytes would be repeated forever.
                    if self.at == before {
                        return None;
                    }
                }
                *types = rest;
                (self.at == end).then_some(Value::List(items))?
            }
            _ => return None,
        })
    }
}

fn alignment(kind: u8) -> usize {
    match kind {
        b'n' | b'q' => 2,
        b'b' | b'u' | b'i' | b'h' | b's' | b'o' | b'a' => 4,
        b't' | b'x' | b'd' | b'(' | b'{' => 8,
        _ => 1,
    }
}

/// Number of characters of the first type of a signature.
fn type_length(types: &[u8], depth: usize) -> Option<usize> {
    if depth > DEEPEST {
        return None;
    }
    match types.first()? {
        b'a' => Some(1 + type_length(types.get(1..)?, depth + 1)?),
        open @ (b'(' | b'{') => {
            let close = if *open == b'(' { b')' } else { b'}' };
            let mut length = 1;
            while *types.get(length)? != close {
                length += type_length(&types[length..], depth + 1)?;
            }
            Some(length + 1)
        }
        _ => Some(1),
    }
}

/// The bytes of a call.
fn message(serial: u32, call: &Call<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    for argument in call.arguments {
        add_text(&mut body, argument);
    }
    let mut bytes = vec![b'l', 1, 0, 1];
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(serial.to_le_bytes());
    bytes.extend([0; 4]);
    let mut field = |code: u8, kind: u8, text: &str| {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend([code, 1, kind, 0]);
        add_text(&mut bytes, text);
    };
    field(1, b'o', call.path);
    field(2, b's', call.interface);
    field(3, b's', call.member);
    field(6, b's', call.destination);
    if !call.arguments.is_empty() {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend([8, 1, b'g', 0, call.arguments.len() as u8]);
        bytes.extend(call.arguments.iter().map(|_| b's'));
        bytes.push(0);
    }
    let fields = (bytes.len() - 16) as u32;
    bytes[12..16].copy_from_slice(&fields.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(body);
    bytes
}

fn add_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply with a body of `a(su)` and a variant.
    fn reply() -> Vec<u8> {
        let mut body = vec![0; 8];
        for (text, number) in [("ab", 7u32), ("cde", 8)] {
            body.resize(body.len().next_multiple_of(8), 0);
            add_text(&mut body, text);
            body.resize(body.len().next_multiple_of(4), 0);
            body.extend(number.to_le_bytes());
        }
        let length = body.len() as u32 - 8;
        body[..4].copy_from_slice(&length.to_le_bytes());
        body.extend([1, b's', 0]);
        add_text(&mut body, "in a variant");
        let mut bytes = vec![b'l', 2, 1, 1];
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(9u32.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend([5, 1, b'u', 0]);
        bytes.extend(3u32.to_le_bytes());
        bytes.extend([8, 1, b'g', 0, 6]);
        bytes.extend(b"a(su)v\0");
        let fields = (bytes.len() - 16) as u32;
        bytes[12..16].copy_from_slice(&fields.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(body);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Option<(u32, Reply)>> {
        let (fields, body) = lengths(bytes.get(..16)?)?;
        let end = 16usize.checked_add(fields as usize)?.checked_add(body as usize)?;
        parse(bytes.get(..end)?, 16 + fields as usize)
    }

    #[test]
    fn replies_become_values() {
        let text = |text: &str| Value::Text(text.to_owned());
        let item = |name: &str, number| Value::List(vec![text(name), Value::Number(number)]);
        let expected = vec![Value::List(vec![item("ab", 7), item("cde", 8)]), text("in a variant")];
        assert_eq!(read(&reply()), Some(Some((3, Ok(expected)))));
    }

    #[test]
    fn damaged_replies_are_refused_or_read_within_bounds() {
        let whole = reply();
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "cut at {end}");
        }
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= change;
                let _ = read(&changed);
            }
        }
        let deep = "(".repeat(200);
        for types in ["a()", "a", "(", "a{", "aaaaaaaaaaaaaaaaaaaaaaaaay", &deep] {
            let mut bytes = vec![b'l'];
            bytes.resize(64, 1);
            let mut reader = Reader { at: 4, ..Reader::new(&bytes).expect("little-endian") };
            assert_eq!(reader.value(&mut types.as_bytes(), 0), None, "{types}");
        }
    }
}
