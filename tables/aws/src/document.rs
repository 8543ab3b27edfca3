//! From the SDK's types to columns: JSON documents with the names that AWS's API uses, tags, times.
//!
//! The SDK's types cannot be serialised, so [`documents!`] lists the fields that a document has; a
//! field that AWS left out is left out.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use indago_table::prelude::*;
use serde_json::Value;

/// What can stand in a JSON document.
pub(crate) trait Document {
    /// The value as JSON.
    fn document(&self) -> Value;
}

/// Structures of the SDK as JSON documents.
///
/// `Tag: key, value;` makes `{"Key": .., "Value": ..}` of a `Tag`.
macro_rules! documents {
    ($($module:ident)::+ { $($name:ident: $($field:ident),+;)* }) => {
        const _: () = {
            use $($module)::+ as types;
            $(impl $crate::document::Document for types::$name {
                fn document(&self) -> ::serde_json::Value {
                    $crate::document::object([
                        $((stringify!($field), $crate::document::Document::document(&self.$field))),+
                    ])
                }
            })*
        };
    };
}

/// Enumerations of the SDK as JSON texts.
macro_rules! names {
    ($($module:ident)::+ { $($name:ident)* }) => {
        const _: () = {
            use $($module)::+ as types;
            $(impl $crate::document::Document for types::$name {
                fn document(&self) -> ::serde_json::Value {
                    self.as_str().into()
                }
            })*
        };
    };
}

pub(crate) use {documents, names};

/// An object of the fields that are there, under the names of AWS's API.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let present = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(present.map(|(name, value)| (api_name(name), value)).collect())
}

/// The name that AWS's API has for a field of the SDK: `ipv6_cidr` is `Ipv6Cidr`.
fn api_name(field: &str) -> String {
    let word = |word: &str| match word {
        // Units and a record type keep their capitals.
        "mib" => "MiB".to_owned(),
        "gib" => "GiB".to_owned(),
        "gb" => "GB".to_owned(),
        "aaaa" => "AAAA".to_owned(),
        _ => {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
        }
    };
    field.trim_start_matches("r#").split('_').map(word).collect()
}

macro_rules! plain {
    ($($rust:ty),*) => {
        $(impl Document for $rust {
            fn document(&self) -> Value {
                self.clone().into()
            }
        })*
    };
}

plain!(String, bool, i32, i64, f64);

impl Document for DateTime {
    fn document(&self) -> Value {
        self.fmt(Format::DateTime).ok().into()
    }
}

impl Document for Value {
    fn document(&self) -> Value {
        self.clone()
    }
}

impl<T: Document> Document for Option<T> {
    fn document(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::document)
    }
}

impl<T: Document> Document for Vec<T> {
    fn document(&self) -> Value {
        self.iter().map(T::document).collect()
    }
}

/// A column of type JSON; NULL where AWS left the field out.
pub(crate) fn json(field: &impl Document) -> Option<Json> {
    match field.document() {
        Value::Null => None,
        document => Some(Json::new(&document)),
    }
}

/// A point in time as a column.
pub(crate) fn time(time: DateTime) -> Timestamp {
    let micros = i64::from(time.subsec_nanos() / 1_000);
    Timestamp(time.secs().saturating_mul(1_000_000).saturating_add(micros))
}

/// The name of an enumeration's value as a column.
pub(crate) fn name(value: Option<impl AsRef<str>>) -> Option<String> {
    value.map(|value| value.as_ref().to_owned())
}

/// A tag of any service.
pub(crate) trait Tag: Document {
    /// Its key and value.
    fn pair(&self) -> (String, String);
}

macro_rules! tags {
    ($($tag:ty: $text:expr;)*) => {
        $(impl Tag for $tag {
            fn pair(&self) -> (String, String) {
                let text = $text;
                (text(&self.key), text(&self.value))
            }
        })*
    };
}

tags! {
    aws_sdk_ec2::types::Tag: |text: &Option<String>| text.clone().unwrap_or_default();
    aws_sdk_iam::types::Tag: String::clone;
}

/// The `tags` column.
pub(crate) fn tags(tags: Option<&[impl Tag]>) -> Map {
    tags.unwrap_or_default().iter().map(Tag::pair).collect()
}

/// The value of the tag `Name`, which consoles show as a resource's title.
pub(crate) fn name_tag(tags: Option<&[impl Tag]>) -> Option<String> {
    let mut pairs = tags.unwrap_or_default().iter().map(Tag::pair);
    pairs.find(|(key, value)| key == "Name" && !value.is_empty()).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_names_of_the_api() {
        for (field, expected) in [
            ("group_id", "GroupId"),
            ("cidr_ipv6", "CidrIpv6"),
            ("r#type", "Type"),
            ("memory_mib", "MemoryMiB"),
            ("memory_gib_per_v_cpu", "MemoryGiBPerVCpu"),
            ("enable_resource_name_dns_aaaa_record", "EnableResourceNameDnsAAAARecord"),
        ] {
            assert_eq!(api_name(field), expected);
        }
    }

    #[test]
    fn what_aws_left_out_is_left_out() {
        let tag = aws_sdk_ec2::types::Tag::builder().key("a").build();
        assert_eq!(json(&tag).map(|json| json.0).as_deref(), Some("{\"Key\":\"a\"}"));
        assert_eq!(json(&None::<String>), None);
        assert_eq!(json(&Vec::<String>::new()).map(|json| json.0).as_deref(), Some("[]"));
    }

    #[test]
    fn times_keep_their_microseconds() {
        assert_eq!(time(DateTime::from_secs_and_nanos(1, 500_000)), Timestamp(1_000_500));
        assert_eq!(time(DateTime::from_secs(i64::MAX)), Timestamp(i64::MAX));
    }
}
