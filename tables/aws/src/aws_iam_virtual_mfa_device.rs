//! `aws_iam_virtual_mfa_device`: one row per virtual MFA device, from `iam:ListVirtualMFADevices`.

use aws_sdk_iam::types::{AssignmentStatusType, VirtualMfaDevice as Answer};
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::call::{Next, all};
use crate::document::Document;
use crate::resource::{Origin, Reader, Resource};

/// Virtual MFA devices of each account, with their users. Seeds are never read.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_virtual_mfa_device", env = Aws, stream, rows = 20, needs("iam:ListVirtualMFADevices"), identity(serial_number))]
#[example(
    "Devices without a user.",
    "SELECT serial_number FROM aws_iam_virtual_mfa_device WHERE assignment_status = 'Unassigned'"
)]
pub struct VirtualMfaDevice {
    /// ARN of the device.
    #[column(path = "SerialNumber")]
    serial_number: String,
    /// When it was enabled; NULL if it has no user.
    #[column(path = "EnableDate")]
    enable_date: Option<Timestamp>,
    /// `Assigned` if the device has a user, otherwise `Unassigned`.
    #[column(index, path = "status")]
    assignment_status: String,
    /// Unique ID of the user; NULL if there is none.
    #[column(path = "User.UserId")]
    user_id: Option<String>,
    /// Name of the user; NULL if there is none.
    #[column(path = "User.UserName")]
    user_name: Option<String>,
    /// User with all details; NULL if there is none.
    #[column(path = "User")]
    user: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = tagging, needs = "iam:ListMFADeviceTags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "iam:ListMFADeviceTags")]
    tags: Option<Map>,
    /// The same as the serial number.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

const LIST: &str = "iam:ListVirtualMFADevices";

impl RowStream for VirtualMfaDevice {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, LIST)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, VirtualMfaDevice::list)
    }
}

impl Resource for VirtualMfaDevice {
    const ARN_FORM: &'static str = "{SerialNumber}";
    const TITLE_FORM: &'static str = "{SerialNumber}";
    const KEPT: &'static [usize] = &[Self::SERIAL_NUMBER.position()];
}

impl VirtualMfaDevice {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let status = scan.key(Self::ASSIGNMENT_STATUS).map(|status| AssignmentStatusType::from(status.as_str()));
        let status = status.filter(|status| AssignmentStatusType::values().contains(&status.as_str()));
        let asked = format!("{status:?}");
        let request = site.iam().list_virtual_mfa_devices().set_assignment_status(status);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let devices = site.pages(scan, LIST, &asked, fetch, |page| {
            (page.virtual_mfa_devices, Next::marker(page.is_truncated, page.marker))
        });
        let rows = site.rows(scan, devices.map_ok(|device| document(&device)).boxed());
        let admits = |row: &Self| std::future::ready(scan.admits(Self::ASSIGNMENT_STATUS, &row.assignment_status));
        rows.try_filter(admits).boxed()
    }

    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = site.iam().list_mfa_device_tags().serial_number(&self.serial_number);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let tags = site.pages(scan, "iam:ListMFADeviceTags", &self.serial_number, fetch, |page| {
            (page.tags, Next::marker(page.is_truncated, page.marker))
        });
        let tags: Vec<_> = all(tags).await?.iter().map(|tag| tag.document(&Shape::whole())).collect();
        Reader::of_sources(&site, &["tagging"]).fill(scan, self, &json!({"Tags": tags}))
    }
}

/// The device without its seed.
fn document(device: &Answer) -> Value {
    let user = device.user.as_ref().map(|user| user.document(&Shape::whole()));
    json!({
        "SerialNumber": device.serial_number,
        "EnableDate": device.enable_date.document(&Shape::whole()),
        "status": if user.is_some() { "Assigned" } else { "Unassigned" },
        "User": user,
    })
}
