//! `azure_instance_tags`: one row per tag of the Azure virtual machine that the program runs on.

use async_stream::try_stream;
use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::Value;

use crate::source::cloud::{azure, field};

/// Tags of this Azure virtual machine.
///
/// On a machine that is not in Azure there are no rows, with a note, and nothing is sent.
#[derive(Debug, Default, Table)]
#[table(name = "azure_instance_tags", platforms("linux"), stream, rows = 5, identity(vm_id, key))]
#[example("All tags.", "SELECT key, value FROM azure_instance_tags")]
pub struct AzureInstanceTag {
    /// ID of the virtual machine.
    vm_id: Option<String>,
    /// Name of the tag.
    key: String,
    /// Value of the tag.
    value: String,
}

impl RowStream for AzureInstanceTag {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec!["Azure"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        try_stream! {
            let document = azure(scan).await?;
            let vm_id = field(&document, &["vmId"]);
            // The text `tags` joins the same tags, so a `;` in a value would forge one.
            let tags = document.get("tagsList").and_then(Value::as_array).into_iter().flatten();
            for tag in tags {
                let part = |name: &str| field(tag, &[name]).unwrap_or_default();
                yield AzureInstanceTag { vm_id: vm_id.clone(), key: part("name"), value: part("value") };
            }
        }
    }
}
