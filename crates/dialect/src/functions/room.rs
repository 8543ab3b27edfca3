//! Limits on the text and bytes that a function may create.

use arrow_array::{Array, ArrayRef};
use datafusion::common::{Result, ScalarValue};

use crate::interrupt::Memory;

/// SQLite's limit on one text or blob, in bytes.
const LONGEST: usize = 1_000_000_000;

/// The bytes that a function may create for one batch of rows in addition to the size of its arguments.
const MADE: usize = 256 << 20;

/// The bytes that a function may create from constants: the result is part of the plan, which is copied, compared and
/// printed.
pub(crate) const CONSTANT: usize = 32 << 20;

/// Results up to this size are not charged: operators charge the batches that they hold.
const FREE: usize = 4 << 20;
/// Constants up to this size are left as they are.
pub(crate) const PLAIN: usize = 64 << 10;

/// Why a function has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments have no result.
    #[error("{0}")]
    Value(String),
    /// The query does not have enough memory left for the result.
    #[error("{0}")]
    Memory(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Value(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::Value(message.to_owned())
    }
}

/// The remaining size for one batch of rows.
pub(crate) struct Room {
    most: usize,
    left: usize,
}

impl Room {
    /// The limit for arguments of so many bytes.
    pub(crate) fn beside(given: usize) -> Self {
        Self { most: MADE, left: MADE.saturating_add(given) }
    }

    /// The limit for a function whose arguments are all constants.
    pub(crate) fn of_constants() -> Self {
        Self { most: CONSTANT, left: CONSTANT }
    }

    /// The limit within the memory that the query has left.
    pub(crate) fn within(self, memory: Option<&dyn Memory>) -> Self {
        match memory {
            Some(memory) => Self { most: self.most, left: self.left.min(memory.left()) },
            None => self,
        }
    }

    /// Checks that a value of so many bytes may be created; call it before creating the value.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), Failure> {
        if bytes > LONGEST {
            return Err("string or blob too big".into());
        }
        if bytes > self.left && self.left < self.most {
            let message = format!("string or blob too big: the query has {} MB of memory left", self.left >> 20);
            return Err(Failure::Memory(message));
        }
        if bytes > self.left {
            let what = if self.most == CONSTANT { "a constant" } else { "one batch of rows" };
            return Err(format!("string or blob too big: the limit for {what} is {} MB", self.most >> 20).into());
        }
        Ok(())
    }

    /// The same for a value that consists of these parts.
    pub(crate) fn check_sum(&self, parts: impl IntoIterator<Item = usize>) -> Result<(), Failure> {
        self.check(parts.into_iter().fold(0, usize::saturating_add))
    }

    /// Reserves what a value needs.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Failure> {
        self.check(bytes)?;
        self.left -= bytes;
        Ok(())
    }
}

/// Charges the result of a function.
pub(crate) fn charge(function: &str, memory: Option<&dyn Memory>, made: &ArrayRef) -> Result<()> {
    match memory {
        Some(memory) if made.get_array_memory_size() > FREE => memory.charge(function, made),
        _ => Ok(()),
    }
}

/// Charges a constant that functions created: it is part of the plan until the query ends.
pub(crate) fn keep(function: &str, memory: Option<&dyn Memory>, made: &ScalarValue) -> Result<()> {
    match (memory, made.size()) {
        (Some(memory), bytes) if bytes > PLAIN => memory.keep(function, bytes),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_room_for_a_bounded_sum() {
        let mut room = Room::beside(0);
        assert_eq!(room.check(LONGEST + 1), Err("string or blob too big".into()));
        assert!(room.check(MADE + 1).is_err());
        assert!(Room::beside(1).check(MADE + 1).is_ok());
        assert!(room.take(MADE - 1).is_ok());
        assert!(room.check_sum([1, 1]).is_err());
        assert!(room.check_sum([usize::MAX, usize::MAX]).is_err());
        assert!(room.take(1).is_ok());
        assert!(room.take(1).is_err());
        assert!(Room::of_constants().check(MADE).is_err());
    }
}
