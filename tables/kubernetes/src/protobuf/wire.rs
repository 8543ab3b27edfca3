//! Protobuf's wire format: the fields of a message, each with its number and its value.

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

const BEYOND: Fault = Fault("a field of it is longer than what holds it");

/// The fields of a message that is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'a>(pub(super) &'a [u8]);

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(i64),
    /// A text, bytes, or a message.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Fault> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Number(_) => Err(Fault("a field of it holds a number instead of bytes")),
        }
    }

    pub(super) fn number(self) -> Result<i64, Fault> {
        match self {
            Value::Number(number) => Ok(number),
            Value::Bytes(_) => Err(Fault("a field of it holds bytes instead of a number")),
        }
    }

    pub(super) fn is_zero(self) -> bool {
        matches!(self, Value::Number(0) | Value::Bytes(&[]))
    }
}

/// What precedes a field's value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) number: u32,
    /// Its own bytes.
    pub(super) size: usize,
    /// Bytes of the value.
    pub(super) length: usize,
    pub(super) form: WireType,
}

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    Fixed,
    Bytes,
}

impl Head {
    /// The head at the start of some bytes; `None` if they end before it, or before a varint that follows it.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let Some((tag, size)) = varint(bytes)? else { return Ok(None) };
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let number = number.ok_or(Fault("it has a field with an invalid number"))?;
        let of = |size, length, form| Ok(Some(Head { number, size, length, form }));
        match tag & 7 {
            0 => match varint(&bytes[size..])? {
                Some((_, length)) => of(size, length, WireType::Varint),
                None => Ok(None),
            },
            1 => of(size, 8, WireType::Fixed),
            2 => match varint(&bytes[size..])? {
                Some((length, more)) => of(size + more, usize::try_from(length).map_err(|_| BEYOND)?, WireType::Bytes),
                None => Ok(None),
            },
            5 => of(size, 4, WireType::Fixed),
            _ => Err(Fault("it has a field of an unknown wire type")),
        }
    }
}

impl<'a> Wire<'a> {
    /// The next field.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Fault> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let Head { number, size, length, form } = Head::read(self.0)?.ok_or(BEYOND)?;
        let (value, rest) = self.0[size..].split_at_checked(length).ok_or(BEYOND)?;
        self.0 = rest;
        let value = match form {
            WireType::Bytes => Value::Bytes(value),
            WireType::Varint => Value::Number(varint(value)?.ok_or(BEYOND)?.0.cast_signed()),
            WireType::Fixed => {
                let mut bytes = [0; 8];
                bytes[..length].copy_from_slice(value);
                Value::Number(i64::from_le_bytes(bytes))
            }
        };
        Ok(Some((number, value)))
    }

    /// The bytes of a field; empty if it is missing. Of several, the last one counts.
    pub(super) fn bytes_of(mut self, number: u32) -> Result<&'a [u8], Fault> {
        let mut found = &[][..];
        while let Some((of, value)) = self.next()? {
            if of == number {
                found = value.bytes()?;
            }
        }
        Ok(found)
    }
}

/// The number at the start of some bytes, and its length; `None` if they end before it does.
pub(super) fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, Fault> {
    let mut number = 0;
    for (position, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Ok(Some((number, position + 1)));
        }
    }
    if bytes.len() < 10 { Ok(None) } else { Err(Fault("it has a number of more than 10 bytes")) }
}
