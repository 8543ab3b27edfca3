//! `azure_instance_metadata`: one row about the Azure virtual machine that the program runs on.

use futures::stream::{self, Stream};
use indago_table::prelude::*;

use crate::source::cloud::{azure, field};

/// What Azure's metadata service tells about this virtual machine.
///
/// On a machine that is not in Azure there are no rows, with a note, and nothing is sent.
#[derive(Debug, Default, Table)]
#[table(name = "azure_instance_metadata", platforms("linux"), stream, rows = 1, identity(vm_id), whole_source)]
#[example("Where this virtual machine runs.", "SELECT vm_id, location, zone, vm_size FROM azure_instance_metadata")]
pub struct AzureInstanceMetadata {
    /// Region.
    location: Option<String>,
    /// Name of the virtual machine.
    name: Option<String>,
    /// Offer of the image that it was created from.
    offer: Option<String>,
    /// Publisher of that image.
    publisher: Option<String>,
    /// SKU of that image.
    sku: Option<String>,
    /// Version of that image.
    version: Option<String>,
    /// `Linux` or `Windows`.
    os_type: Option<String>,
    /// Update domain that it is in.
    platform_update_domain: Option<String>,
    /// Fault domain that it is in.
    platform_fault_domain: Option<String>,
    /// ID of the virtual machine.
    #[column(index)]
    vm_id: Option<String>,
    /// Size, such as `Standard_D2s_v3`.
    vm_size: Option<String>,
    /// ID of the subscription.
    subscription_id: Option<String>,
    /// Name of the resource group.
    resource_group_name: Option<String>,
    /// ID of the placement group of its scale set.
    placement_group_id: Option<String>,
    /// Name of its scale set.
    vm_scale_set_name: Option<String>,
    /// Availability zone.
    zone: Option<String>,
}

impl RowStream for AzureInstanceMetadata {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec!["Azure"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        stream::once(machine(scan))
    }
}

async fn machine(scan: &Scan<AzureInstanceMetadata>) -> Result<AzureInstanceMetadata> {
    let document = azure(scan).await?;
    let known = |name: &str| field(&document, &[name]);
    Ok(AzureInstanceMetadata {
        location: known("location"),
        name: known("name"),
        offer: known("offer"),
        publisher: known("publisher"),
        sku: known("sku"),
        version: known("version"),
        os_type: known("osType"),
        platform_update_domain: known("platformUpdateDomain"),
        platform_fault_domain: known("platformFaultDomain"),
        vm_id: known("vmId"),
        vm_size: known("vmSize"),
        subscription_id: known("subscriptionId"),
        resource_group_name: known("resourceGroupName"),
        placement_group_id: known("placementGroupId"),
        vm_scale_set_name: known("vmScaleSetName"),
        zone: known("zone"),
    })
}
