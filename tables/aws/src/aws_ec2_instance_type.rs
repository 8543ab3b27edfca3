//! `aws_ec2_instance_type`: one row per instance type, from `ec2:DescribeInstanceTypes`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource};
use crate::source::ec2;

/// Instance types that EC2 has in each region, with their processors, memory, storage and network.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_instance_type", env = Aws, stream, rows = 800, needs("ec2:DescribeInstanceTypes"),
    identity(account_id, region, instance_type)
)]
#[example(
    "Current types with 8 GiB of memory.",
    "SELECT instance_type FROM aws_ec2_instance_type WHERE region = 'eu-west-1' AND current_generation AND \
     json_extract(memory_info, '$.SizeInMiB') = 8192"
)]
pub struct InstanceType {
    /// Name of the type, such as `t3.micro`.
    #[column(index, path = "InstanceType")]
    instance_type: String,
    /// Whether instances can recover automatically from hardware failures.
    #[column(path = "AutoRecoverySupported")]
    auto_recovery_supported: Option<bool>,
    /// Whether it is a complete machine without a hypervisor.
    #[column(path = "BareMetal")]
    bare_metal: Option<bool>,
    /// Whether its performance is a baseline that can be exceeded for some time.
    #[column(path = "BurstablePerformanceSupported")]
    burstable_performance_supported: Option<bool>,
    /// Whether it belongs to the current generation.
    #[column(path = "CurrentGeneration")]
    current_generation: Option<bool>,
    /// Whether it runs on dedicated hosts.
    #[column(path = "DedicatedHostsSupported")]
    dedicated_hosts_supported: Option<bool>,
    /// Whether the free tier covers it.
    #[column(path = "FreeTierEligible")]
    free_tier_eligible: Option<bool>,
    /// Whether it can run Nitro enclaves: `supported` or `unsupported`.
    #[column(path = "NitroEnclavesSupport")]
    nitro_enclaves_support: Option<String>,
    /// Whether it has a virtual TPM: `supported` or `unsupported`.
    #[column(path = "NitroTpmSupport")]
    nitro_tpm_support: Option<String>,
    /// Whether instances can hibernate.
    #[column(path = "HibernationSupported")]
    hibernation_supported: Option<bool>,
    /// `nitro` or `xen`; NULL for bare metal.
    #[column(slice, path = "Hypervisor")]
    hypervisor: Option<String>,
    /// Whether it has local disks.
    #[column(path = "InstanceStorageSupported")]
    instance_storage_supported: Option<bool>,
    /// Volumes: encryption, bandwidth, NVMe.
    #[column(path = "EbsInfo")]
    ebs_info: Option<Json>,
    /// Kind of location: always `region`. `aws_ec2_instance_availability` has the zones.
    #[column(path = "locationType")]
    location_type: Option<String>,
    /// Memory: `SizeInMiB`.
    #[column(path = "MemoryInfo")]
    memory_info: Option<Json>,
    /// Network: performance, interfaces, addresses per interface.
    #[column(path = "NetworkInfo")]
    network_info: Option<Json>,
    /// Strategies of placement groups that it can be in.
    #[column(path = "PlacementGroupInfo")]
    placement_group_info: Option<Json>,
    /// Processor: architectures, clock speed, manufacturer.
    #[column(path = "ProcessorInfo")]
    processor_info: Option<Json>,
    /// `ebs`, `instance-store`.
    #[column(path = "SupportedRootDeviceTypes")]
    supported_root_device_types: Vec<String>,
    /// `on-demand`, `spot`, `capacity-block`.
    #[column(path = "SupportedUsageClasses")]
    supported_usage_classes: Vec<String>,
    /// `hvm`, `paravirtual`.
    #[column(path = "SupportedVirtualizationTypes")]
    supported_virtualization_types: Vec<String>,
    /// Virtual processors: cores, threads per core.
    #[column(path = "VCpuInfo")]
    v_cpu_info: Option<Json>,
    /// Graphics processors; NULL if it has none.
    #[column(path = "GpuInfo")]
    gpu_info: Option<Json>,
    /// FPGAs; NULL if it has none.
    #[column(path = "FpgaInfo")]
    fpga_info: Option<Json>,
    /// Inference accelerators; NULL if it has none.
    #[column(path = "InferenceAcceleratorInfo")]
    inference_accelerator_info: Option<Json>,
    /// Local disks; NULL if it has none.
    #[column(path = "InstanceStorageInfo")]
    instance_storage_info: Option<Json>,
    /// Media accelerators; NULL if it has none.
    #[column(path = "MediaAcceleratorInfo")]
    media_accelerator_info: Option<Json>,
    /// Neuron accelerators; NULL if it has none.
    #[column(path = "NeuronInfo")]
    neuron_info: Option<Json>,
    /// Versions of the virtual TPM.
    #[column(path = "NitroTpmInfo")]
    nitro_tpm_info: Option<Json>,
    /// `legacy-bios`, `uefi`.
    #[column(path = "SupportedBootModes")]
    supported_boot_modes: Vec<String>,
    /// The same as the type.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for InstanceType {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeInstanceTypes")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [("instance-type", scan.keys(Self::INSTANCE_TYPE)), ("hypervisor", scan.keys(Self::HYPERVISOR))];
            let request = site.ec2().describe_instance_types().max_results(page_size(scan, 5..=100));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeInstanceTypes", &keys, fetch, |page| {
                (page.instance_types.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for InstanceType {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}::instance-type/{InstanceType}";
    const TITLE_FORM: &'static str = "{InstanceType}";
    const DERIVED: &'static [Derived] = &[Derived::new("locationType", "@region", |_| "region".into())];
}
