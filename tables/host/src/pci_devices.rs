//! `pci_devices`: one row per device on a PCI bus.

use std::collections::HashSet;

use indago_table::prelude::*;

use crate::source::hardware_ids::{Id, Names, hexadecimal};
use crate::source::sysfs::{Object, link_name, names};

/// Devices on PCI buses.
///
/// Names come from the file `pci.ids`, which the package of the same name installs. Without it, they are NULL.
#[derive(Debug, Default, Table)]
#[table(name = "pci_devices", platforms("linux"), rows = 30, identity(pci_slot))]
#[example(
    "Network cards and their drivers.",
    "SELECT pci_slot, vendor, model, driver FROM pci_devices WHERE pci_class_id = '0x02'"
)]
pub struct PciDevice {
    /// Place of the device: domain, bus, device and function, as in `0000:00:1f.2`.
    pci_slot: String,
    /// Name of the class; empty if it is not known.
    pci_class: String,
    /// Driver of the kernel that uses the device; empty if none does.
    driver: String,
    /// Name of the maker; empty if it is not known.
    vendor: String,
    /// Number of the maker, in hexadecimal with `0x`.
    #[column(collate = nocase)]
    vendor_id: Option<String>,
    /// Name of the model; empty if it is not known.
    model: String,
    /// Number of the model, in hexadecimal with `0x`.
    #[column(collate = nocase)]
    model_id: Option<String>,
    /// Number of the class, in hexadecimal with `0x`.
    #[column(collate = nocase)]
    pci_class_id: Option<String>,
    /// Number of the subclass, in hexadecimal with `0x`.
    #[column(collate = nocase)]
    pci_subclass_id: Option<String>,
    /// Name of the subclass; empty if it is not known.
    pci_subclass: String,
    /// Number of the maker of the complete product, in hexadecimal with `0x`.
    #[column(collate = nocase)]
    subsystem_vendor_id: Option<String>,
    /// Name of the maker of the complete product.
    subsystem_vendor: Option<String>,
    /// Number of the complete product, in hexadecimal with `0x`.
    #[column(collate = nocase)]
    subsystem_model_id: Option<String>,
    /// Name of the complete product.
    subsystem_model: Option<String>,
}

const FOLDER: &str = "/sys/bus/pci/devices";

/// Where distributions install the names.
const NAMES: [&str; 3] = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids"];

/// The numbers of a device.
#[derive(Debug, Default)]
struct Device {
    slot: String,
    driver: String,
    vendor: Option<u16>,
    model: Option<u16>,
    class: Option<u32>,
    subsystem_vendor: Option<u16>,
    subsystem_model: Option<u16>,
}

impl Rows for PciDevice {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let slots = names(sys, FOLDER)?;
        if slots.is_empty() && !sys.exists(FOLDER) {
            return Err(sys.absent(format!("no PCI bus ({FOLDER} is missing)")));
        }
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let device = |slot: String| {
            let object = Object { sys, path: format!("{FOLDER}/{slot}"), report: &report };
            let driver = link_name(sys, &format!("{FOLDER}/{slot}/driver")).unwrap_or_else(|error| {
                scan.report("driver", &error);
                None
            });
            let number = |name: &str| object.hex(name).and_then(|digits| hexadecimal(&digits));
            Device {
                driver: driver.unwrap_or_default(),
                vendor: number("vendor"),
                model: number("device"),
                class: object.hex("class").and_then(|digits| hexadecimal(&digits)),
                subsystem_vendor: number("subsystem_vendor"),
                subsystem_model: number("subsystem_device"),
                slot,
            }
        };
        let devices: Vec<Device> = slots.into_iter().map(device).collect();
        let wanted: HashSet<Id> = devices.iter().flat_map(Device::ids).collect();
        let names = match scan.wants(Self::PCI_CLASS)
            || scan.wants(Self::VENDOR)
            || scan.wants(Self::MODEL)
            || scan.wants(Self::PCI_SUBCLASS)
            || scan.wants(Self::SUBSYSTEM_VENDOR)
            || scan.wants(Self::SUBSYSTEM_MODEL)
        {
            true => Names::read(sys, &NAMES, &wanted).unwrap_or_else(|error| {
                scan.report("pci.ids", &error);
                Names::default()
            }),
            false => Names::default(),
        };
        Ok(devices.into_iter().map(move |device| device.row(&names)))
    }
}

impl Device {
    /// Class and subclass. A third byte is the programming interface.
    fn class(&self) -> Option<(u8, u8)> {
        let [_, class, subclass, _interface] = self.class?.to_be_bytes();
        Some((class, subclass))
    }

    fn variant(&self) -> Option<Id> {
        Some(Id::Variant(self.vendor?, self.model?, self.subsystem_vendor?, self.subsystem_model?))
    }

    fn ids(&self) -> Vec<Id> {
        let ids = [
            self.vendor.map(Id::Vendor),
            self.vendor.zip(self.model).map(|(vendor, model)| Id::Model(vendor, model)),
            self.class().map(|(class, _)| Id::Class(class)),
            self.class().map(|(class, subclass)| Id::Subclass(class, subclass)),
            self.subsystem_vendor.map(Id::Vendor),
            self.variant(),
        ];
        ids.into_iter().flatten().collect()
    }

    fn row(self, names: &Names) -> PciDevice {
        let word = |number: Option<u16>| number.map(|number| format!("{number:#06x}"));
        let byte = |number: u8| format!("{number:#04x}");
        let name = |id: Option<Id>| id.and_then(|id| names.get(&id));
        let class = self.class();
        // Zero means that the maker left it out.
        let subsystem_vendor = self.subsystem_vendor.filter(|number| *number != 0);
        PciDevice {
            pci_class: name(class.map(|(class, _)| Id::Class(class))).unwrap_or_default(),
            vendor: name(self.vendor.map(Id::Vendor)).unwrap_or_default(),
            vendor_id: word(self.vendor),
            model: name(self.vendor.zip(self.model).map(|(vendor, model)| Id::Model(vendor, model)))
                .unwrap_or_default(),
            model_id: word(self.model),
            pci_class_id: class.map(|(class, _)| byte(class)),
            pci_subclass_id: class.map(|(_, subclass)| byte(subclass)),
            pci_subclass: name(class.map(|(class, subclass)| Id::Subclass(class, subclass))).unwrap_or_default(),
            subsystem_vendor_id: word(subsystem_vendor),
            subsystem_vendor: name(subsystem_vendor.map(Id::Vendor)),
            subsystem_model_id: word(self.subsystem_model.filter(|_| subsystem_vendor.is_some())),
            subsystem_model: name(self.variant()),
            driver: self.driver,
            pci_slot: self.slot,
        }
    }
}
