//! `interface_details`: one row per network interface.

use indago_table::prelude::*;

use crate::source::netlink::{self, Link};

/// Network interfaces with their properties and counters, in the host's network namespace.
#[derive(Debug, Default, Table)]
#[table(name = "interface_details", platforms("linux"), rows = 5, identity(interface))]
#[example(
    "Interfaces in promiscuous mode: a program reads all packets.",
    "SELECT interface FROM interface_details WHERE flags & 256 <> 0"
)]
pub struct InterfaceDetail {
    /// Name of the interface.
    interface: String,
    /// Hardware address; empty if it has none.
    #[column(collate = nocase)]
    mac: String,
    /// Type of the hardware, as in ARP: 1 Ethernet, 772 loopback. osquery shows its lowest 8 bits.
    r#type: i64,
    /// Largest packet, in bytes.
    mtu: i64,
    /// Always 0: Linux interfaces have no metric.
    metric: i64,
    /// Flags of the kernel: 1 up, 2 broadcast, 8 loopback, 16 point-to-point, 64 running, 256 promiscuous, 512 all
    /// multicast, 4096 multicast.
    flags: i64,
    /// Received packets.
    #[column(volatile)]
    ipackets: i64,
    /// Sent packets.
    #[column(volatile)]
    opackets: i64,
    /// Received bytes.
    #[column(volatile)]
    ibytes: i64,
    /// Sent bytes.
    #[column(volatile)]
    obytes: i64,
    /// Errors while receiving.
    #[column(volatile)]
    ierrors: i64,
    /// Errors while sending.
    #[column(volatile)]
    oerrors: i64,
    /// Received packets that were dropped.
    #[column(volatile)]
    idrops: i64,
    /// Packets to send that were dropped.
    #[column(volatile)]
    odrops: i64,
    /// Collisions.
    #[column(volatile)]
    collisions: i64,
    /// Always -1: Linux does not record it.
    last_change: i64,
    /// Speed of the link in megabits per second; 0 if it is not known.
    #[column(source = link_speed)]
    link_speed: i64,
    /// PCI address of the device; -1 if it is not a PCI device.
    #[column(source = pci_slot)]
    pci_slot: String,
}

impl Rows for InterfaceDetail {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(netlink::links(scan.sys())?.into_iter().map(row))
    }
}

fn row(link: Link) -> InterfaceDetail {
    let bytes: Vec<String> = link.address.iter().map(|byte| format!("{byte:02x}")).collect();
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let statistics = link.statistics;
    InterfaceDetail {
        interface: link.name,
        mac: bytes.join(":"),
        r#type: link.kind.into(),
        mtu: link.mtu.into(),
        metric: 0,
        flags: link.flags.into(),
        ipackets: number(statistics.received_packets),
        opackets: number(statistics.sent_packets),
        ibytes: number(statistics.received_bytes),
        obytes: number(statistics.sent_bytes),
        ierrors: number(statistics.receive_errors),
        oerrors: number(statistics.send_errors),
        idrops: number(statistics.receive_drops),
        odrops: number(statistics.send_drops),
        collisions: number(statistics.collisions),
        last_change: -1,
        ..InterfaceDetail::default()
    }
}

impl InterfaceDetail {
    fn link_speed(&mut self, sys: &Sys) -> Result<()> {
        // The read fails if the driver does not know it, and the number is -1 if the link is down.
        let speed = sys.read_text(format!("/sys/class/net/{}/speed", self.interface)).ok();
        self.link_speed = speed.and_then(|text| text.trim().parse().ok()).filter(|speed| *speed > 0).unwrap_or(0);
        Ok(())
    }

    fn pci_slot(&mut self, sys: &Sys) -> Result<()> {
        let device = sys.canonicalize(format!("/sys/class/net/{}/device", self.interface)).if_present()?;
        // A virtio device is the child of a PCI device.
        let ancestors = device.iter().flat_map(|device| device.ancestors());
        let mut names = ancestors.filter_map(|folder| folder.file_name()?.to_str());
        self.pci_slot = names.find(|name| is_pci_address(name)).unwrap_or("-1").to_owned();
        Ok(())
    }
}

/// Whether a name has the form `0000:00:1f.6`.
fn is_pci_address(name: &str) -> bool {
    let is_hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut parts = name.split([':', '.']);
    parts.clone().count() == 4 && name.matches(':').count() == 2 && parts.all(is_hexadecimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pci_addresses_have_four_parts() {
        for (name, is_address) in
            [("0000:00:1f.6", true), ("virtio1", false), ("pci0000:00", false), ("1-1:1.0", false), ("0:0:0:0", false)]
        {
            assert_eq!(is_pci_address(name), is_address, "{name}");
        }
    }
}
