//! SQLite's storage classes, and which class holds the values of several.

use arrow_schema::DataType;

/// SQLite's storage classes by Arrow's types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Null,
    Int,
    Real,
    Text,
    Blob,
    Bool,
    /// Timestamps, lists, structs and others: DataFusion's own rules apply.
    Other,
}

impl Class {
    pub(crate) fn of(kind: &DataType) -> Self {
        match kind {
            DataType::Null => Self::Null,
            kind if kind.is_integer() => Self::Int,
            kind if kind.is_floating() || kind.is_decimal() => Self::Real,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Blob
            }
            DataType::Boolean => Self::Bool,
            DataType::Dictionary(_, values) => Self::of(values),
            _ => Self::Other,
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Real | Self::Bool)
    }

    /// The type of the class's values; `None` for other types.
    pub(crate) fn data_type(self) -> Option<DataType> {
        Some(match self {
            Self::Null => DataType::Null,
            Self::Int => DataType::Int64,
            Self::Real => DataType::Float64,
            Self::Text => DataType::Utf8View,
            Self::Blob => DataType::Binary,
            Self::Bool => DataType::Boolean,
            Self::Other => return None,
        })
    }

    /// The class that holds values of both; `None` if it is unknown.
    pub(crate) fn together(left: Option<Self>, right: Option<Self>) -> Option<Self> {
        // Text holds every value, so the other class need not be known.
        if left == Some(Self::Text) || right == Some(Self::Text) {
            return Some(Self::Text);
        }
        Some(match (left?, right?) {
            (Self::Null, other) | (other, Self::Null) => other,
            (Self::Other, _) | (_, Self::Other) => return None,
            (left, right) if left == right => left,
            (Self::Int | Self::Bool, Self::Int | Self::Bool) => Self::Int,
            (left, right) if left.is_number() && right.is_number() => Self::Real,
            _ => Self::Text,
        })
    }
}
