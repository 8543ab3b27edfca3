//! `ec2_instance_tags`: one row per tag of the EC2 instance that the program runs on.

use async_stream::try_stream;
use futures::stream::Stream;
use indago_table::prelude::*;

use crate::source::cloud::Ec2;

/// Tags of this EC2 instance.
///
/// The metadata service shows them if the instance allows it (`InstanceMetadataTags=enabled`). No credentials are used.
/// On a machine that is not an EC2 instance there are no rows, with a note, and nothing is sent.
#[derive(Debug, Default, Table)]
#[table(name = "ec2_instance_tags", platforms("linux"), stream, rows = 5, identity(instance_id, key))]
#[example("All tags.", "SELECT key, value FROM ec2_instance_tags")]
pub struct Ec2InstanceTag {
    /// ID of the instance.
    instance_id: String,
    /// Key of the tag.
    key: String,
    /// Value of the tag.
    value: String,
}

const TAGS: &str = "meta-data/tags/instance";

impl RowStream for Ec2InstanceTag {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec!["EC2"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        try_stream! {
            let service = Ec2::connect(scan).await?;
            let keys = service.text(scan, TAGS).await?.ok_or_else(|| {
                let advice = "allow tags in its instance metadata (`InstanceMetadataTags=enabled`)";
                Error::Unsupported(format!("the metadata service does not show tags of this instance: {advice}"))
            })?;
            let instance_id = service.text(scan, "meta-data/instance-id").await?.unwrap_or_default();
            // Keys that the service shows consist of letters, digits and `+-=.,_:@`, without a comma in practice.
            for key in keys.split(',').filter(|key| !key.is_empty()) {
                // The tag was removed since, if it is missing.
                if let Some(value) = service.text(scan, &format!("{TAGS}/{key}")).await? {
                    yield Ec2InstanceTag { instance_id: instance_id.clone(), key: key.to_owned(), value };
                }
            }
        }
    }
}
