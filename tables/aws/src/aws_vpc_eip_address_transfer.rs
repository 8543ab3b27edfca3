//! `aws_vpc_eip_address_transfer`: one row per transfer, from `ec2:DescribeAddressTransfers`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};

/// Transfers of Elastic IP addresses to other accounts.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_eip_address_transfer", env = Aws, stream, rows = 1, needs("ec2:DescribeAddressTransfers"),
    identity(account_id, region, allocation_id)
)]
#[example(
    "Transfers that are not yet accepted.",
    "SELECT public_ip, transfer_account_id FROM aws_vpc_eip_address_transfer WHERE address_transfer_status = \
     'pending'"
)]
pub struct AddressTransfer {
    /// ID of the address.
    #[column(path = "AllocationId")]
    allocation_id: String,
    /// `pending`, `disabled` or `accepted`.
    #[column(path = "AddressTransferStatus")]
    address_transfer_status: Option<String>,
    /// The address.
    #[column(path = "PublicIp")]
    public_ip: Option<String>,
    /// ID of the account that gets it.
    #[column(path = "TransferAccountId")]
    transfer_account_id: Option<String>,
    /// Time when the other account accepted it.
    #[column(path = "TransferOfferAcceptedTimestamp")]
    transfer_offer_accepted_timestamp: Option<Timestamp>,
    /// Time until which it can be accepted.
    #[column(path = "TransferOfferExpirationTimestamp")]
    transfer_offer_expiration_timestamp: Option<Timestamp>,
    /// The same as the id.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for AddressTransfer {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeAddressTransfers")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let request = site.ec2().describe_address_transfers().max_results(page_size(scan, 5..=1000));
            let fetch = move |token| request.clone().set_next_token(token).send();
            site.rows(
                scan,
                site.pages(scan, "ec2:DescribeAddressTransfers", "", fetch, |page| {
                    (page.address_transfers.unwrap_or_default(), Next::Token(page.next_token))
                }),
            )
        })
    }
}

impl Resource for AddressTransfer {
    const TITLE_FORM: &'static str = "{AllocationId}";
}
