//! `aws_ec2_regional_settings`: one row per region, from `ec2:GetEbsEncryptionByDefault`.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place};
use crate::resource::{Origin, Reader, Resource};

/// Settings of EC2 for all new resources of an account in a region.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_regional_settings", env = Aws, stream, rows = 1, needs("ec2:GetEbsEncryptionByDefault"),
    identity(account_id, region)
)]
#[example(
    "Regions in which new volumes are not encrypted.",
    "SELECT account_id, region FROM aws_ec2_regional_settings WHERE NOT default_ebs_encryption_enabled"
)]
pub struct RegionalSettings {
    /// Whether new volumes are encrypted.
    #[column(source = encryption, needs = "ec2:GetEbsEncryptionByDefault")]
    default_ebs_encryption_enabled: Option<bool>,
    /// KMS key of new volumes: an ARN or alias.
    #[column(source = key, needs = "ec2:GetEbsDefaultKmsKeyId")]
    default_ebs_encryption_key: Option<String>,
    /// Whether snapshots can be shared with everyone: `block-all-sharing`, `block-new-sharing` or `unblocked`.
    #[column(source = snapshots, needs = "ec2:GetSnapshotBlockPublicAccessState")]
    snapshot_block_public_access_state: Option<String>,
    /// The same as the region.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for RegionalSettings {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:GetEbsEncryptionByDefault")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let row = Reader::listed(scan, &site).row(scan, &json!({}));
            stream::iter([row]).boxed()
        })
    }
}

impl Resource for RegionalSettings {
    const TITLE_FORM: &'static str = "{@region}";
}

impl RegionalSettings {
    async fn encryption(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = site.ec2().get_ebs_encryption_by_default();
        let answer = site.call(scan, "ec2:GetEbsEncryptionByDefault", || request.clone().send()).await?;
        self.default_ebs_encryption_enabled = answer.ebs_encryption_by_default;
        Ok(())
    }

    async fn key(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = site.ec2().get_ebs_default_kms_key_id();
        let answer = site.call(scan, "ec2:GetEbsDefaultKmsKeyId", || request.clone().send()).await?;
        self.default_ebs_encryption_key = answer.kms_key_id;
        Ok(())
    }

    async fn snapshots(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = site.ec2().get_snapshot_block_public_access_state();
        let answer = site.call(scan, "ec2:GetSnapshotBlockPublicAccessState", || request.clone().send()).await?;
        self.snapshot_block_public_access_state = answer.state.map(|state| state.as_str().to_owned());
        Ok(())
    }
}
