//! `ycloud_instance_metadata`: one row about the Yandex Cloud virtual machine that the program runs on.

use async_stream::try_stream;
use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::Value;

use crate::source::cloud::{YANDEX, field, google, last_part};

/// What Yandex Cloud's metadata service tells about this virtual machine.
///
/// On a machine that is not in Yandex Cloud there are no rows, with a note, and nothing is sent, unless the query
/// names a `metadata_endpoint`.
#[derive(Debug, Default, Table)]
#[table(
    name = "ycloud_instance_metadata",
    platforms("linux"),
    stream,
    rows = 1,
    identity(instance_id, metadata_endpoint)
)]
#[example("Where this virtual machine runs.", "SELECT instance_id, zone, folder_id FROM ycloud_instance_metadata")]
pub struct YcloudInstanceMetadata {
    /// ID of the virtual machine.
    #[column(index)]
    instance_id: Option<String>,
    /// ID of its folder.
    folder_id: Option<String>,
    /// ID of its cloud.
    cloud_id: Option<String>,
    /// Name.
    name: Option<String>,
    /// Description.
    description: Option<String>,
    /// Host name.
    hostname: Option<String>,
    /// Availability zone.
    zone: Option<String>,
    /// SSH key that it was created with.
    ssh_public_key: Option<String>,
    /// Whether its serial console is enabled: `true` or `false`.
    serial_port_enabled: Option<String>,
    /// Address of the metadata service; set `= ` to use another one.
    #[column(index, selects)]
    metadata_endpoint: String,
}

impl RowStream for YcloudInstanceMetadata {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec!["Yandex Cloud"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        try_stream! {
            let addresses = match scan.keys(Self::METADATA_ENDPOINT) {
                Some(keys) => keys,
                None => {
                    let address = YANDEX.address(scan.sys())?;
                    vec![address]
                }
            };
            for address in addresses {
                match google(scan, &address, "instance").await {
                    Ok(document) => {
                        let row = row(&document, address);
                        if row.instance_id.as_ref().is_none_or(|id| scan.admits(Self::INSTANCE_ID, id)) {
                            yield row;
                        }
                    }
                    Err(error) if error.ends_query() => Err(error)?,
                    Err(error) => scan.report(&address, &error),
                }
            }
        }
    }
}

fn row(document: &Value, metadata_endpoint: String) -> YcloudInstanceMetadata {
    let known = |path: &[&str]| field(document, path);
    YcloudInstanceMetadata {
        instance_id: known(&["id"]),
        folder_id: known(&["vendor", "folderId"]),
        cloud_id: known(&["vendor", "cloudId"]),
        name: known(&["name"]),
        description: known(&["description"]),
        hostname: known(&["hostname"]),
        zone: known(&["zone"]).map(last_part),
        // `user:key`, where the user may be missing.
        ssh_public_key: known(&["attributes", "ssh-keys"])
            .map(|keys| keys.split_once(':').map_or(keys.clone(), |(_, key)| key.to_owned())),
        serial_port_enabled: known(&["attributes", "serial-port-enable"])
            .map(|value| ["1", "true", "TRUE", "True"].contains(&&*value).to_string()),
        metadata_endpoint,
    }
}
