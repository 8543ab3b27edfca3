//! Sections of keys, each declared once.

use std::path::Path;

/// One key, as the reference page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDoc {
    /// Section of the key, such as `limits`; `schedule.<name>` for one that is repeated.
    pub section: String,
    /// Name of the key; `<name>` if the user chooses it.
    pub key: String,
    /// Type of its value.
    pub kind: String,
    /// Default, in TOML; `None` if the key is not set.
    pub default: Option<String>,
    /// What it does.
    pub description: String,
}

/// A section of the configuration.
pub(crate) trait Section {
    /// Its keys, in the order they are declared.
    fn keys(path: &str) -> Vec<KeyDoc>;
    /// The values of its keys, in the same order, in TOML; `None` for a key that is not set.
    fn values(&self) -> Vec<Option<String>>;
    /// Makes relative paths relative to a folder.
    fn rebase(&mut self, folder: &Path);
}

/// Doc comments as one text.
pub(crate) fn prose(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Declares a section: a struct with documented, typed keys and defaults, and the same as data.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl crate::section::Section for $name {
            fn keys(path: &str) -> Vec<crate::KeyDoc> {
                let default = Self::default();
                vec![$(crate::KeyDoc {
                    section: path.to_owned(),
                    key: stringify!($key).trim_start_matches("r#").to_owned(),
                    kind: <$type as crate::value::Value>::type_name(),
                    default: crate::value::Value::show(&default.$key),
                    description: crate::section::prose(&[$($doc),+]),
                }),+]
            }

            fn values(&self) -> Vec<Option<String>> {
                vec![$(crate::value::Value::show(&self.$key)),+]
            }

            fn rebase(&mut self, folder: &std::path::Path) {
                $(crate::value::Value::rebase(&mut self.$key, folder);)+
            }
        }
    };
}

pub(crate) use section;
