//! Conversion of the SDK's types to JSON documents with the names of AWS's API.
//!
//! The SDK's types cannot be serialised, so [`documents!`] lists their fields; a test compares each list with the type.
//! Fields that AWS left out, or that no query needs, are absent.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use indago_table::json::{EACH, Shape};
use indago_table::prelude::*;
use serde_json::Value;

/// A value that can be part of a JSON document.
pub(crate) trait Document {
    /// The parts of the value that the shape has, as JSON.
    fn document(&self, shape: &Shape) -> Value;
}

/// Structures of the SDK as JSON documents.
///
/// `Tag: key, value;` makes `{"Key": .., "Value": ..}` of a `Tag`. Use it once per module: it generates the test of its
/// lists.
macro_rules! documents {
    ($($module:ident)::+ { $($name:ident: $($field:ident),+;)* }) => {
        const _: () = {
            use $($module)::+ as types;
            $(impl $crate::document::Document for types::$name {
                // Older endpoints still fill deprecated fields.
                #[allow(deprecated)]
                fn document(&self, shape: &::indago_table::json::Shape) -> ::serde_json::Value {
                    static NAMES: ::std::sync::LazyLock<Vec<String>> =
                        ::std::sync::LazyLock::new(|| $crate::document::api_names(&[$(stringify!($field)),+]));
                    $crate::document::object(shape, &NAMES, &[$(&self.$field),+])
                }
            })*
        };

        #[cfg(test)]
        mod lists {
            use $($module)::+ as types;

            #[test]
            fn have_all_fields() {
                $($crate::document::assert_complete(&types::$name::builder(), &[$(stringify!($field)),+]);)*
            }
        }
    };
}

/// Enumerations of the SDK as JSON strings.
macro_rules! names {
    ($($module:ident)::+ { $($name:ident)* }) => {
        const _: () = {
            use $($module)::+ as types;
            $(impl $crate::document::Document for types::$name {
                fn document(&self, _shape: &::indago_table::json::Shape) -> ::serde_json::Value {
                    self.as_str().into()
                }
            })*
        };
    };
}

pub(crate) use {documents, names};

/// An object of the fields that are present and in the shape.
pub(crate) fn object(shape: &Shape, names: &[String], fields: &[&dyn Document]) -> Value {
    let mut object = serde_json::Map::new();
    for (name, field) in names.iter().zip(fields) {
        let value = shape.part(name).map_or(Value::Null, |part| field.document(part));
        if !value.is_null() {
            object.insert(name.clone(), value);
        }
    }
    Value::Object(object)
}

/// The API's names for fields of the SDK: `ipv6_cidr` is `Ipv6Cidr`.
pub(crate) fn api_names(fields: &[&str]) -> Vec<String> {
    let word = |word: &str| match word {
        // Units, a record type and Diffie-Hellman keep their capitals.
        "mib" => "MiB".to_owned(),
        "gib" => "GiB".to_owned(),
        "gb" => "GB".to_owned(),
        "aaaa" => "AAAA".to_owned(),
        "dh" => "DH".to_owned(),
        _ => {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
        }
    };
    fields.iter().map(|field| field.trim_start_matches("r#").split('_').map(word).collect()).collect()
}

macro_rules! plain {
    ($($rust:ty),*) => {
        $(impl Document for $rust {
            fn document(&self, _shape: &Shape) -> Value {
                self.clone().into()
            }
        })*
    };
}

plain!(String, bool, i32, i64, f64);

impl Document for f32 {
    fn document(&self, _shape: &Shape) -> Value {
        // The shortest decimal number, as AWS sent it: the nearest f64 has other digits.
        self.to_string().parse::<f64>().map_or(Value::Null, Value::from)
    }
}

impl Document for DateTime {
    fn document(&self, _shape: &Shape) -> Value {
        // The SDK's default for a required time that is missing in the response. Nothing in AWS is that old.
        if *self == DateTime::from_secs(0) {
            return Value::Null;
        }
        // A five-digit year has no text form: the column reports that the number does not fit.
        self.fmt(Format::DateTime).map_or_else(|_| self.secs().into(), Value::from)
    }
}

impl Document for Value {
    fn document(&self, _shape: &Shape) -> Value {
        self.clone()
    }
}

impl<T: Document> Document for Option<T> {
    fn document(&self, shape: &Shape) -> Value {
        self.as_ref().map_or(Value::Null, |value| value.document(shape))
    }
}

impl<T: Document> Document for Vec<T> {
    fn document(&self, shape: &Shape) -> Value {
        let element = |(position, element): (usize, &T)| {
            let part = shape.part(EACH).or_else(|| shape.part(&position.to_string()));
            part.map_or(Value::Null, |part| element.document(part))
        };
        self.iter().enumerate().map(element).collect()
    }
}

/// A column of type JSON; NULL if AWS left the field out.
pub(crate) fn json(field: &impl Document) -> Option<Json> {
    match field.document(&Shape::whole()) {
        Value::Null => None,
        document => Some(Json::new(&document)),
    }
}

/// Fails if lists lack fields of a type; its builder shows them all.
#[cfg(test)]
pub(crate) fn assert_complete(builder: &impl std::fmt::Debug, listed: &[&str]) {
    let shown = format!("{builder:?}");
    let (name, fields) = shown.split_once(" { ").expect("a struct with fields");
    // A type with secrets shows keywords as Rust writes them.
    let fields = fields.split(", ").filter_map(|field| field.split_once(": "));
    let fields = fields.map(|(field, _)| field.trim_start_matches("r#"));
    let listed: Vec<_> = listed.iter().map(|field| field.trim_start_matches("r#")).collect();
    let missing: Vec<_> = fields.filter(|field| !field.starts_with('_') && !listed.contains(field)).collect();
    assert!(missing.is_empty(), "{name}: {missing:?} are not listed");
}

#[cfg(test)]
mod tests {
    use indago_table::json::FromJson;

    use super::*;

    #[test]
    fn fields_have_the_names_of_the_api() {
        for (field, expected) in [
            ("group_id", "GroupId"),
            ("cidr_ipv6", "CidrIpv6"),
            ("r#type", "Type"),
            ("memory_mib", "MemoryMiB"),
            ("phase1_dh_group_numbers", "Phase1DHGroupNumbers"),
            ("memory_gib_per_v_cpu", "MemoryGiBPerVCpu"),
            ("enable_resource_name_dns_aaaa_record", "EnableResourceNameDnsAAAARecord"),
        ] {
            assert_eq!(api_names(&[field]), [expected]);
        }
    }

    #[test]
    fn fields_that_aws_left_out_are_left_out() {
        let tag = aws_sdk_ec2::types::Tag::builder().key("a").build();
        assert_eq!(json(&tag).map(|json| json.0).as_deref(), Some("{\"Key\":\"a\"}"));
        assert_eq!(json(&None::<String>), None);
        assert_eq!(json(&Vec::<String>::new()).map(|json| json.0).as_deref(), Some("[]"));
    }

    #[test]
    fn only_wanted_fields_are_in_a_document() {
        use aws_sdk_ec2::types::{Instance, InstanceState, InstanceStateName, Tag};
        let tag = |key: &str| Tag::builder().key(key).value("v").build();
        let state = InstanceState::builder().code(16).name(InstanceStateName::Running).build();
        let instance =
            Instance::builder().instance_id("i-1").image_id("ami-1").state(state).tags(tag("a")).tags(tag("b"));
        let shape = Shape::default().with("InstanceId").with("State.Name").with("Tags.*.Key").with("KeyName");
        assert_eq!(
            instance.build().document(&shape).to_string(),
            r#"{"Tags":[{"Key":"a"},{"Key":"b"}],"InstanceId":"i-1","State":{"Name":"running"}}"#
        );
    }

    #[test]
    fn times_keep_their_microseconds() {
        let read = |time: DateTime| Timestamp::from_json(&time.document(&Shape::whole()));
        assert_eq!(read(DateTime::from_secs_and_nanos(1, 500_000)), Some(Timestamp(1_000_500)));
        assert_eq!(read(DateTime::from_secs(i64::MAX)), None);
        assert_eq!(read(DateTime::from_secs(0)), None);
        assert!(DateTime::from_secs(i64::MAX).document(&Shape::whole()).is_number());
    }
}
