//! `gcp_instance_metadata`: one row about the Google Compute Engine instance that the program runs on.

use futures::stream::{self, Stream};
use indago_table::prelude::*;
use serde_json::Value;

use crate::source::cloud::{GOOGLE, field, google, last_part};

/// What Google Cloud's metadata service tells about this instance.
///
/// On a machine that is not in Google Cloud there are no rows, with a note, and nothing is sent. Tokens of service
/// accounts are not read.
#[derive(Debug, Default, Table)]
#[table(name = "gcp_instance_metadata", platforms("linux"), stream, rows = 1, identity(instance_id))]
#[example("Where this instance runs.", "SELECT instance_id, name, zone, project_id FROM gcp_instance_metadata")]
pub struct GcpInstanceMetadata {
    /// ID of the instance.
    instance_id: Option<String>,
    /// Name of the instance.
    name: Option<String>,
    /// Host name.
    hostname: Option<String>,
    /// Zone, such as `europe-west3-a`.
    zone: Option<String>,
    /// Machine type, such as `e2-small`.
    machine_type: Option<String>,
    /// Image that the instance was created from.
    image: Option<String>,
    /// Platform of the processor, such as `Intel Broadwell`.
    cpu_platform: Option<String>,
    /// ID of the project.
    project_id: Option<String>,
    /// Number of the project.
    project_number: Option<String>,
    /// IPv4 address of the first interface.
    internal_ip: Option<String>,
    /// External IPv4 address of the first interface; NULL if it has none.
    external_ip: Option<String>,
    /// MAC address of the first interface.
    #[column(collate = nocase)]
    mac: Option<String>,
    /// Network of the first interface.
    network: Option<String>,
    /// Network tags.
    network_tags: Vec<String>,
    /// Service accounts of the instance, by their e-mail addresses.
    service_accounts: Vec<String>,
    /// Whether the instance can be preempted: 1 or 0.
    preemptible: Option<i64>,
    /// SSH keys of the instance, one per line; NULL if it has none.
    ssh_keys: Option<String>,
    /// Whether SSH keys of the project are refused: 1 or 0.
    block_project_ssh_keys: i64,
}

impl RowStream for GcpInstanceMetadata {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec!["Google Cloud"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        stream::once(instance(scan))
    }
}

async fn instance(scan: &Scan<GcpInstanceMetadata>) -> Result<GcpInstanceMetadata> {
    let address = GOOGLE.address(scan.sys())?;
    let instance = google(scan, &address, "instance").await?;
    let project = google(scan, &address, "project").await?;
    let known = |path: &[&str]| field(&instance, path);
    let interface = instance.pointer("/networkInterfaces/0").cloned().unwrap_or_default();
    let accounts = instance.get("serviceAccounts").and_then(Value::as_object).into_iter().flatten();
    // Each account also has its alias `default`.
    let mut accounts: Vec<String> = accounts.filter_map(|(_, account)| field(account, &["email"])).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let is_true = |value: String| value.eq_ignore_ascii_case("true");
    Ok(GcpInstanceMetadata {
        instance_id: known(&["id"]),
        name: known(&["name"]),
        hostname: known(&["hostname"]),
        zone: known(&["zone"]).map(last_part),
        machine_type: known(&["machineType"]).map(last_part),
        image: known(&["image"]),
        cpu_platform: known(&["cpuPlatform"]),
        project_id: field(&project, &["projectId"]),
        project_number: field(&project, &["numericProjectId"]),
        internal_ip: field(&interface, &["ip"]),
        external_ip: interface.pointer("/accessConfigs/0").and_then(|access| field(access, &["externalIp"])),
        mac: field(&interface, &["mac"]),
        network: field(&interface, &["network"]).map(last_part),
        network_tags: instance
            .get("tags")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        service_accounts: accounts,
        preemptible: known(&["scheduling", "preemptible"]).map(|value| is_true(value).into()),
        ssh_keys: known(&["attributes", "ssh-keys"]),
        block_project_ssh_keys: known(&["attributes", "block-project-ssh-keys"]).is_some_and(is_true).into(),
    })
}
