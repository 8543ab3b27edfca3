//! `aws_ec2_key_pair`: one row per key pair, from `ec2:DescribeKeyPairs`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::Next;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Key pairs: public keys that instances can be started with.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_key_pair", env = Aws, stream, rows = 5, needs("ec2:DescribeKeyPairs"),
    identity(account_id, region, key_pair_id)
)]
#[example(
    "Instances and the keys that they were started with.",
    "SELECT i.instance_id, k.key_name, k.create_time FROM aws_ec2_instance i JOIN aws_ec2_key_pair k ON k.key_name = \
     i.key_name"
)]
pub struct KeyPair {
    /// Name of the key pair.
    #[column(index, path = "KeyName")]
    key_name: String,
    /// ID of the key pair.
    #[column(index, path = "KeyPairId")]
    key_pair_id: Option<String>,
    /// `rsa` or `ed25519`.
    #[column(path = "KeyType")]
    key_type: Option<String>,
    /// Public key in the format of OpenSSH.
    #[column(path = "PublicKey")]
    public_key: Option<String>,
    /// Time of creation or import.
    #[column(path = "CreateTime")]
    create_time: Option<Timestamp>,
    /// Fingerprint. Its form depends on the type, and on whether AWS made the key.
    #[column(index, path = "KeyFingerprint")]
    key_fingerprint: Option<String>,
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

impl RowStream for KeyPair {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeKeyPairs")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("key-name", scan.keys(Self::KEY_NAME)),
                ("key-pair-id", scan.keys(Self::KEY_PAIR_ID)),
                ("fingerprint", scan.keys(Self::KEY_FINGERPRINT)),
            ];
            let request = site.ec2().describe_key_pairs().include_public_key(true);
            let fetch = move |filters, _| request.clone().set_filters(Some(filters)).send();
            ec2::rows(scan, site, "ec2:DescribeKeyPairs", &keys, fetch, |page| {
                (page.key_pairs.unwrap_or_default(), Next::Token(None))
            })
        })
    }
}

impl Resource for KeyPair {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:key-pair/{KeyPairId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{KeyName}";
}
