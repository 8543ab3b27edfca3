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
    vendor: String,
    /// Number of the maker, as four hexadecimal digits.
    #[column(collate = nocase)]
    vendor_id: String,
    /// Version of the device, as four digits.
    #[column(collate = version)]
    version: String,
    /// Name of the model.
    model: String,
    /// Number of the model, as four hexadecimal digits.
    #[column(collate = nocase)]
    model_id: String,
    /// Serial number.
    serial: String,
    /// Class, as two hexadecimal digits; `00` if each interface has its own.
    class: String,
    /// Subclass, as two hexadecimal digits.
    subclass: String,
    /// Protocol, as two hexadecimal digits.
    protocol: String,
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
            let (vendor, model) = (name(row.vendor_id()), name(row.model_id()));
            row.vendor = vendor.unwrap_or_else(|| std::mem::take(&mut row.vendor));
            row.model = model.unwrap_or_else(|| std::mem::take(&mut row.model));
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
        vendor: device.text("manufacturer").unwrap_or_default(),
        vendor_id: device.hex("idVendor").unwrap_or_default(),
        version: device.hex("bcdDevice").unwrap_or_default(),
        model: device.text("product").unwrap_or_default(),
        model_id: device.hex("idProduct").unwrap_or_default(),
        serial: device.text("serial").unwrap_or_default(),
        class: device.hex("bDeviceClass").unwrap_or_default(),
        subclass: device.hex("bDeviceSubClass").unwrap_or_default(),
        protocol: device.hex("bDeviceProtocol").unwrap_or_default(),
        removable,
    }
}

impl UsbDevice {
    fn vendor_id(&self) -> Option<Id> {
        Some(Id::Vendor(hexadecimal(&self.vendor_id)?))
    }

    fn model_id(&self) -> Option<Id> {
        Some(Id::Model(hexadecimal(&self.vendor_id)?, hexadecimal(&self.model_id)?))
    }
}
