//! `usb_devices`: one row per device on a USB bus.

use std::collections::HashSet;

use indago_table::prelude::*;

use crate::source::hardware_ids::{Id, Names, hexadecimal};
use crate::source::sysfs::{Object, names};

/// Devices on USB buses, hubs included.
///
/// Names come from the file `usb.ids`, which the package of the same name installs, else from the device itself.
#[derive(Debug, Default, Table)]
#[table(name = "usb_devices", platforms("linux"), rows = 10, identity(usb_port, usb_address))]
#[example(
    "Mass storage on USB that can be removed.",
    "SELECT vendor, model, serial FROM usb_devices WHERE class IN ('00', '08') AND removable = 1"
)]
pub struct UsbDevice {
    /// Number of the device on its bus.
    usb_address: Option<i64>,
    /// Number of the bus.
    usb_port: Option<i64>,
    /// Name of the maker.
    vendor: Option<String>,
    /// Number of the maker, as four hexadecimal digits.
    #[column(collate = nocase)]
    vendor_id: Option<String>,
    /// Version of the device, as four digits.
    #[column(collate = version)]
    version: Option<String>,
    /// Name of the model.
    model: Option<String>,
    /// Number of the model, as four hexadecimal digits.
    #[column(collate = nocase)]
    model_id: Option<String>,
    /// Serial number.
    serial: Option<String>,
    /// Class, as two hexadecimal digits; `00` if each interface has its own.
    class: Option<String>,
    /// Subclass, as two hexadecimal digits.
    subclass: Option<String>,
    /// Protocol, as two hexadecimal digits.
    protocol: Option<String>,
    /// Whether the port is for devices that are plugged in and out: 1 or 0; -1 if the firmware does not tell.
    removable: Option<i64>,
}

const FOLDER: &str = "/sys/bus/usb/devices";

/// Where distributions install the names.
const NAMES: [&str; 3] = ["/usr/share/misc/usb.ids", "/usr/share/hwdata/usb.ids", "/var/lib/usbutils/usb.ids"];

impl Rows for UsbDevice {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let names = names(sys, FOLDER)?;
        if names.is_empty() && !sys.exists(FOLDER) {
            return Err(sys.absent(format!("no USB bus ({FOLDER} is missing)")));
        }
        // An interface of a device has a colon in its name.
        let devices = names.into_iter().filter(|name| !name.contains(':'));
        let rows = devices.map(|name| row(&Object { sys, path: format!("{FOLDER}/{name}"), report: &report }));
        let mut rows: Vec<UsbDevice> = rows.collect();
        let wanted: HashSet<Id> = rows.iter().flat_map(|row| [row.vendor_id(), row.model_id()]).flatten().collect();
        let names = Names::read(sys, &NAMES, &wanted).unwrap_or_else(|error| {
            scan.report("usb.ids", &error);
            Names::default()
        });
        for row in &mut rows {
            let name = |id: Option<Id>| id.and_then(|id| names.get(&id));
            (row.vendor, row.model) =
                (name(row.vendor_id()).or(row.vendor.take()), name(row.model_id()).or(row.model.take()));
        }
        Ok(rows.into_iter())
    }
}

fn row(device: &Object<'_>) -> UsbDevice {
    let removable = device.text("removable").map(|text| match &*text {
        "removable" => 1,
        "fixed" => 0,
        _ => -1,
    });
    UsbDevice {
        usb_address: device.number("devnum"),
        usb_port: device.number("busnum"),
        vendor: device.text("manufacturer"),
        vendor_id: device.hex("idVendor"),
        version: device.hex("bcdDevice"),
        model: device.text("product"),
        model_id: device.hex("idProduct"),
        serial: device.text("serial"),
        class: device.hex("bDeviceClass"),
        subclass: device.hex("bDeviceSubClass"),
        protocol: device.hex("bDeviceProtocol"),
        removable,
    }
}

impl UsbDevice {
    fn vendor_id(&self) -> Option<Id> {
        Some(Id::Vendor(hexadecimal(self.vendor_id.as_deref()?)?))
    }

    fn model_id(&self) -> Option<Id> {
        Some(Id::Model(hexadecimal(self.vendor_id.as_deref()?)?, hexadecimal(self.model_id.as_deref()?)?))
    }
}
