//! `aws_ebs_snapshot`: one row per snapshot, from `ec2:DescribeSnapshots`.

use aws_sdk_ec2::types::SnapshotAttributeName;
use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::document::json;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// EBS snapshots: backups of volumes. Without a key on `snapshot_id` or `owner_id`, those of the account itself.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ebs_snapshot", env = Aws, stream, rows = 500, needs("ec2:DescribeSnapshots"),
    identity(account_id, region, snapshot_id)
)]
#[example(
    "Snapshots that anyone can copy.",
    "SELECT snapshot_id FROM aws_ebs_snapshot WHERE create_volume_permissions LIKE '%\\\"Group\\\":\\\"all\\\"%'"
)]
pub struct Snapshot {
    /// ID of the snapshot.
    #[column(index, selects, path = "SnapshotId")]
    snapshot_id: String,
    /// ARN of the snapshot.
    #[column(path = "@arn")]
    arn: String,
    /// `pending`, `completed`, `error`, `recoverable` or `recovering`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Size of the volume in GiB.
    #[column(path = "VolumeSize")]
    volume_size: Option<i64>,
    /// ID of the volume that it was created from.
    #[column(index, path = "VolumeId")]
    volume_id: Option<String>,
    /// Size of all of its blocks that have data, in bytes.
    #[column(path = "FullSnapshotSizeInBytes")]
    full_snapshot_size_in_bytes: Option<i64>,
    /// Whether it is encrypted.
    #[column(path = "Encrypted")]
    encrypted: Option<bool>,
    /// Time when it was started. It contains the volume's data of that time.
    #[column(path = "StartTime")]
    start_time: Option<Timestamp>,
    /// Time until which a temporarily restored archived snapshot is available.
    #[column(path = "RestoreExpiryTime")]
    restore_expiry_time: Option<Timestamp>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// ARN of the Outpost that it is on.
    #[column(path = "OutpostArn")]
    outpost_arn: Option<String>,
    /// `standard` or `archive`.
    #[column(slice, path = "StorageTier")]
    storage_tier: Option<String>,
    /// ARN of the KMS key that encrypts it; NULL if it is not encrypted.
    #[column(path = "KmsKeyId")]
    kms_key_id: Option<String>,
    /// ID of the data key. Snapshots with the same data key share their blocks.
    #[column(path = "DataEncryptionKeyId")]
    data_encryption_key_id: Option<String>,
    /// Progress, such as `100%`.
    #[column(volatile, path = "Progress")]
    progress: Option<String>,
    /// Reason of an error.
    #[column(path = "StateMessage")]
    state_message: Option<String>,
    /// `amazon`, `aws-marketplace` or `aws-backup-vault`; NULL for others.
    #[column(path = "OwnerAlias")]
    owner_alias: Option<String>,
    /// ID of the account that owns it.
    #[column(slice, extends, path = "OwnerId")]
    owner_id: Option<String>,
    /// Accounts that may create volumes from it. `{"Group":"all"}` stands for everyone.
    #[column(source = permissions, needs = "ec2:DescribeSnapshotAttribute")]
    create_volume_permissions: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Snapshot {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeSnapshots")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("snapshot-id", scan.keys(Self::SNAPSHOT_ID)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
                ("volume-id", scan.keys(Self::VOLUME_ID)),
                ("status", scan.keys(Self::STATE)),
                ("storage-tier", scan.keys(Self::STORAGE_TIER)),
            ];
            let is_any = keys[..2].iter().any(|(_, keys)| keys.is_some());
            let owners = (!is_any).then(|| vec!["self".to_owned()]);
            let request = site.ec2().describe_snapshots().set_owner_ids(owners).max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeSnapshots", &keys, fetch, |page| {
                (page.snapshots.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for Snapshot {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}::snapshot/{SnapshotId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{SnapshotId}";
    const KEPT: &'static [usize] = &[Self::SNAPSHOT_ID.position()];
}

impl Snapshot {
    async fn permissions(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let attribute = SnapshotAttributeName::CreateVolumePermission;
        let request = site.ec2().describe_snapshot_attribute().snapshot_id(&self.snapshot_id).attribute(attribute);
        let answer = site.call(scan, "ec2:DescribeSnapshotAttribute", || request.clone().send()).await?;
        self.create_volume_permissions = json(&answer.create_volume_permissions.unwrap_or_default());
        Ok(())
    }
}
