//! Partitions of AWS: groups of regions with separate accounts and host names.

/// A partition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Its name in ARNs.
    pub(crate) name: &'static str,
    /// Prefix of its regions' names.
    prefix: &'static str,
    /// Suffix of host names.
    pub(crate) suffix: &'static str,
    /// Suffix of the host names of dual-stack endpoints.
    pub(crate) dual_stack: &'static str,
    /// Region of the services that have one endpoint for the partition.
    pub(crate) global_region: &'static str,
}

const fn partition([name, prefix, suffix, dual_stack, global_region]: [&'static str; 5]) -> Partition {
    Partition { name, prefix, suffix, dual_stack, global_region }
}

/// As in the endpoint rules of AWS's SDKs, 2026. The last one covers all regions that no other one has.
static PARTITIONS: [Partition; 8] = [
    partition(["aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-northwest-1"]),
    partition(["aws-us-gov", "us-gov-", "amazonaws.com", "api.aws", "us-gov-west-1"]),
    partition(["aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1"]),
    partition(["aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1"]),
    partition(["aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1"]),
    partition(["aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1"]),
    partition(["aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1"]),
    partition(["aws", "", "amazonaws.com", "api.aws", "us-east-1"]),
];

impl Partition {
    /// The partition that a region belongs to.
    pub(crate) fn of(region: &str) -> &'static Partition {
        let [.., last] = &PARTITIONS;
        PARTITIONS.iter().find(|partition| region.starts_with(partition.prefix)).unwrap_or(last)
    }

    /// The names that a service (`ec2.amazonaws.com`) has as a principal in the partition of a name. Where host names have another
    /// suffix, some services use that one.
    pub(crate) fn principals(name: &str, service: &str) -> Vec<String> {
        let suffix = PARTITIONS.iter().find(|partition| partition.name == name).map(|partition| partition.suffix);
        let other = suffix.zip(service.strip_suffix(".amazonaws.com")).map(|(suffix, host)| format!("{host}.{suffix}"));
        let mut names = vec![service.to_owned()];
        names.extend(other.filter(|other| other != service));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_follow_the_region() {
        for (region, expected) in [
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
            ("", "aws"),
        ] {
            assert_eq!(Partition::of(region).name, expected, "{region}");
        }
        assert_eq!(Partition::principals("aws", "ec2.amazonaws.com"), ["ec2.amazonaws.com"]);
        let in_china = Partition::principals("aws-cn", "ec2.amazonaws.com");
        assert_eq!(in_china, ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]);
        for partition in &PARTITIONS {
            assert_eq!(Partition::of(partition.global_region), partition);
        }
    }
}
