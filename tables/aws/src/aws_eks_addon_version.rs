//! `aws_eks_addon_version`: one row per version of an add-on that EKS offers.

use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request};
use crate::call::distinct;
use crate::resource::{Origin, Reader, Resource};
use crate::services::EKS;
use crate::source::eks;

/// Versions of the add-ons that EKS offers in a region, with the versions of Kubernetes that they run on.
#[derive(Debug, Default, Table)]
#[table(name = "aws_eks_addon_version", env = Aws, stream, rows = 500, needs("eks:DescribeAddonVersions"), identity(account_id, region, addon_name, addon_version))]
#[example(
    "Versions of the network add-on.",
    "SELECT addon_version, compatibilities FROM aws_eks_addon_version WHERE addon_name = 'vpc-cni' AND region = 'us-east-1'"
)]
pub struct AddonVersion {
    /// Name of the add-on.
    #[column(index, path = "addonName")]
    addon_name: String,
    /// Version of the add-on.
    #[column(path = "version.addonVersion")]
    addon_version: String,
    /// Type of the add-on.
    #[column(path = "type")]
    r#type: Option<String>,
    /// JSON schema of the configuration.
    #[column(source = configuration, needs = "eks:DescribeAddonConfiguration")]
    addon_configuration: Option<String>,
    /// Processor architectures.
    #[column(path = "version.architecture")]
    architecture: Vec<String>,
    /// Versions of Kubernetes and of the platform.
    #[column(path = "version.compatibilities")]
    compatibilities: Option<Json>,
    /// The same as the version.
    #[column(path = "@title")]
    title: String,
    /// An ARN-like name, as a list: Steampipe's.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = eks::list("eks:DescribeAddonVersions", "addons");

impl RowStream for AddonVersion {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::ADDON_NAME) {
            Some(names) => {
                let lists = distinct(names).into_iter().map(move |name| AddonVersion::list(scan, &site, Some(&name)));
                futures::stream::iter(lists).flatten().boxed()
            }
            None => AddonVersion::list(scan, &site, None),
        })
    }
}

impl Resource for AddonVersion {
    const ARN_FORM: &'static str =
        "arn:{@partition}:eks:{@region}:{@account_id}:addonversion/{addonName}/{version.addonVersion}";
    const TITLE_FORM: &'static str = "{version.addonVersion}";
    const KEPT: &'static [usize] = &[Self::ADDON_NAME.position(), Self::ADDON_VERSION.position()];
}

impl AddonVersion {
    fn list<'a>(scan: &'a Scan<Self>, site: &Site, name: Option<&str>) -> BoxStream<'a, Result<Self>> {
        let request = Request::get(&["addons", "supported-versions"]);
        let request = name.into_iter().fold(request, |request, name| request.with("addonName", name));
        let reader = Reader::listed(scan, site);
        let rows = site.list(scan, &LIST, request).map_ok(move |addon| {
            let versions = addon["addonVersions"].as_array().cloned().unwrap_or_default();
            let row = |version: Value| {
                let document = json!({"addonName": addon["addonName"], "type": addon["type"], "version": version});
                reader.item(scan, &document).map(Ok)
            };
            futures::stream::iter(versions.into_iter().filter_map(row).collect::<Vec<_>>())
        });
        rows.try_flatten().boxed()
    }

    async fn configuration(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = Request::get(&["addons", "configuration-schemas"]).with("addonName", self.addon_name.as_str());
        let request = request.with("addonVersion", self.addon_version.as_str());
        let answer = site.send(scan, &EKS, "eks:DescribeAddonConfiguration", request).await?;
        self.addon_configuration = answer["configurationSchema"].as_str().map(str::to_owned);
        Ok(())
    }
}
