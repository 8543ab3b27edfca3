//! Metadata services of clouds, which tell a virtual machine about itself.

use std::time::Duration;

use http::Method;
use indago_table::prelude::*;
use serde_json::Value;

use super::web::{self, Ask};

/// Timeout of a request that a query names. osquery has the same.
pub(crate) const WEB_TIMEOUT: Duration = Duration::from_secs(16);

/// Timeout of a request to a metadata service, which is on the same physical machine.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The address of metadata services. The variable replaces it in tests.
const ADDRESS: &str = "http://169.254.169.254";
const ADDRESS_VARIABLE: &str = "INDAGO_METADATA_ADDRESS";

/// A cloud, and how its firmware names it.
#[derive(Debug)]
pub(crate) struct Cloud {
    name: &'static str,
    /// Files with a text that begin with one of these.
    signs: &'static [(&'static str, &'static str)],
}

pub(crate) const EC2: Cloud = Cloud {
    name: "an EC2 instance",
    signs: &[
        ("/sys/class/dmi/id/sys_vendor", "Amazon EC2"),
        ("/sys/class/dmi/id/bios_vendor", "Amazon EC2"),
        ("/sys/class/dmi/id/bios_version", "amazon"),
        ("/sys/class/dmi/id/bios_version", "4.11.amazon"),
        ("/sys/hypervisor/uuid", "ec2"),
        ("/sys/class/dmi/id/product_uuid", "ec2"),
        ("/sys/class/dmi/id/product_uuid", "EC2"),
    ],
};
pub(crate) const AZURE: Cloud = Cloud {
    name: "an Azure virtual machine",
    signs: &[
        ("/sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"),
        ("/var/lib/waagent/ovf-env.xml", "<"),
    ],
};
pub(crate) const YANDEX: Cloud = Cloud {
    name: "a Yandex Cloud virtual machine",
    signs: &[("/sys/class/dmi/id/sys_vendor", "Yandex"), ("/sys/class/dmi/id/board_vendor", "Yandex")],
};
pub(crate) const GOOGLE: Cloud = Cloud {
    name: "a Google Compute Engine instance",
    signs: &[("/sys/class/dmi/id/product_name", "Google Compute Engine"), ("/sys/class/dmi/id/bios_vendor", "Google")],
};

impl Cloud {
    /// The address of its metadata service. On another machine nothing is sent.
    pub(crate) fn address(&self, sys: &Sys) -> Result<String> {
        if let Some(address) = sys.variable(ADDRESS_VARIABLE) {
            return Ok(address);
        }
        sys.require_live("metadata of a cloud")?;
        let shows = |(file, start): &(&str, &str)| sys.read(file).is_ok_and(|text| text.starts_with(start.as_bytes()));
        if self.signs.iter().any(shows) {
            return Ok(ADDRESS.to_owned());
        }
        Err(Error::Absent(format!("this machine is not {}: its firmware does not name that cloud", self.name)))
    }
}

/// The body of a successful response; `None` if the service does not have it.
pub(crate) async fn get<T: Row<Env = Sys>>(scan: &Scan<T>, ask: Ask) -> Result<Option<String>> {
    let attempt = || async {
        let answer = web::send(scan.sys(), &ask).await?;
        let what = ask.url.clone();
        match answer.status {
            200 => Ok(Some(scan.sys().text(&answer.body))),
            404 => Ok(None),
            401 | 403 => Err(Error::denied(what)),
            429 => Err(Error::Throttled { what, retry_after: None }),
            500.. => Err(Error::Unavailable(format!("{what}: status {}", answer.status))),
            status => Err(Error::Malformed(format!("{what}: status {status}"))),
        }
    };
    scan.call("metadata", &ask.url, attempt).await
}

/// A JSON document of a service.
pub(crate) async fn document<T: Row<Env = Sys>>(scan: &Scan<T>, ask: Ask) -> Result<Option<Value>> {
    let url = ask.url.clone();
    let Some(body) = get(scan, ask).await? else { return Ok(None) };
    let parsed =
        serde_json::from_str(&body).map_err(|error| Error::Malformed(format!("{url} is not JSON: {error}")))?;
    Ok(Some(parsed))
}

pub(crate) fn request(url: String) -> Ask {
    Ask::get(url, TIMEOUT)
}

/// A text or number at a path of keys; `None` if it is missing or empty.
pub(crate) fn field(document: &Value, path: &[&str]) -> Option<String> {
    match path.iter().try_fold(document, |value, key| value.get(key))? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// The last part of a resource name such as `projects/1/zones/a`.
pub(crate) fn last_part(name: String) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

/// EC2's metadata service, version 2: each request has a token.
#[derive(Debug)]
pub(crate) struct Ec2 {
    address: String,
    /// `None` if the service only has version 1.
    token: Option<String>,
}

impl Ec2 {
    pub(crate) async fn connect<T: Row<Env = Sys>>(scan: &Scan<T>) -> Result<Self> {
        let address = EC2.address(scan.sys())?;
        let ask = request(format!("{address}/latest/api/token")).with("x-aws-ec2-metadata-token-ttl-seconds", "60");
        let token = match get(scan, Ask { method: Method::PUT, ..ask }).await {
            Ok(token) => token,
            // Without version 2, the method is not allowed or the path is forbidden.
            Err(Error::Malformed(_) | Error::Denied { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Ec2 { address, token })
    }

    fn request(&self, path: &str) -> Ask {
        let ask = request(format!("{}/latest/{path}", self.address));
        match &self.token {
            Some(token) => ask.with("x-aws-ec2-metadata-token", token),
            None => ask,
        }
    }

    /// The lines of a text, separated by commas as osquery has them; `None` if the service does not have it.
    pub(crate) async fn text<T: Row<Env = Sys>>(&self, scan: &Scan<T>, path: &str) -> Result<Option<String>> {
        let text = get(scan, self.request(path)).await?;
        Ok(text.map(|text| text.trim_end().lines().collect::<Vec<_>>().join(",")))
    }

    pub(crate) async fn document<T: Row<Env = Sys>>(&self, scan: &Scan<T>, path: &str) -> Result<Option<Value>> {
        document(scan, self.request(path)).await
    }
}

/// Azure's document about the virtual machine.
pub(crate) async fn azure<T: Row<Env = Sys>>(scan: &Scan<T>) -> Result<Value> {
    let address = AZURE.address(scan.sys())?;
    let url = format!("{address}/metadata/instance/compute?api-version=2021-02-01");
    let document = document(scan, request(url.clone()).with("metadata", "true")).await?;
    document.ok_or_else(|| Error::Unavailable(format!("{url}: status 404")))
}

/// Google's document about the instance or the project; Yandex Cloud has the same service.
pub(crate) async fn google<T: Row<Env = Sys>>(scan: &Scan<T>, address: &str, what: &str) -> Result<Value> {
    let url = format!("{address}/computeMetadata/v1/{what}/?recursive=true");
    let document = document(scan, request(url.clone()).with("metadata-flavor", "Google")).await?;
    document.ok_or_else(|| Error::Unavailable(format!("{url}: status 404")))
}
