//! Truth values that can be unknown.

/// Whether something holds. Ordered: of several that must all hold, the least counts; of alternatives, the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    No,
    /// It depends on context keys that the request does not state.
    Unknown,
    Yes,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Truth::Yes } else { Truth::No }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::No => Truth::Yes,
            Truth::Unknown => Truth::Unknown,
            Truth::Yes => Truth::No,
        }
    }
}

/// The greatest of some alternatives. It stops at the first that holds.
pub(crate) fn any(all: impl IntoIterator<Item = Truth>) -> Truth {
    let mut greatest = Truth::No;
    for truth in all {
        greatest = greatest.max(truth);
        if greatest == Truth::Yes {
            break;
        }
    }
    greatest
}

/// The least of some requirements. It stops at the first that does not hold.
pub(crate) fn all(all: impl IntoIterator<Item = Truth>) -> Truth {
    let mut least = Truth::Yes;
    for truth in all {
        least = least.min(truth);
        if least == Truth::No {
            break;
        }
    }
    least
}
