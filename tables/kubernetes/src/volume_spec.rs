//! Volumes of pods and of pod templates, and persistent volumes: columns of their sources.

use indago_table::prelude::*;
use serde_json::{Value as Document, json};

use crate::resource::misfits;

/// The source of a volume, in a pod or persistent.
#[derive(Debug, Default, Columns)]
pub(crate) struct VolumeSource {
    /// Name of its source in the API: `hostPath`, `secret`, `configMap`, `csi`.
    #[column(path = "derived.type")]
    volume_type: Option<String>,
    /// Type of its file system; NULL if the source has none or decides.
    #[column(path = "derived.fsType")]
    fs_type: Option<String>,
    /// Whether its mounts are read-only; NULL if the source has no such setting.
    #[column(path = "derived.readOnly")]
    read_only: Option<bool>,
    /// Name of the secret in it, or with which it is mounted.
    #[column(path = "derived.secretName")]
    secret_name: Option<String>,
    /// Path of the directory or file on the node.
    #[column(path = "hostPath.path")]
    host_path_path: Option<String>,
    /// What must exist at the path on the node: `Directory`, `FileOrCreate` and so on; empty for no check.
    #[column(path = "hostPath.type")]
    host_path_type: Option<String>,
    /// Name of the Google Compute Engine disk.
    #[column(path = "gcePersistentDisk.pdName")]
    gce_persistent_disk_pd_name: Option<String>,
    /// Partition of the Google Compute Engine disk.
    #[column(path = "gcePersistentDisk.partition")]
    gce_persistent_disk_partition: Option<i64>,
    /// ID of the EBS volume on AWS.
    #[column(path = "awsElasticBlockStore.volumeID")]
    aws_elastic_block_store_volume_id: Option<String>,
    /// Partition of the EBS volume on AWS.
    #[column(path = "awsElasticBlockStore.partition")]
    aws_elastic_block_store_partition: Option<i64>,
    /// Address of the NFS server.
    #[column(path = "nfs.server")]
    nfs_server: Option<String>,
    /// Path that the NFS server exports.
    #[column(path = "nfs.path")]
    nfs_path: Option<String>,
    /// Address of the iSCSI target.
    #[column(path = "iscsi.targetPortal")]
    iscsi_target_portal: Option<String>,
    /// Qualified name of the iSCSI target.
    #[column(path = "iscsi.iqn")]
    iscsi_iqn: Option<String>,
    /// Logical unit number at the iSCSI target.
    #[column(path = "iscsi.lun")]
    iscsi_lun: Option<i64>,
    /// Name of the iSCSI interface.
    #[column(path = "iscsi.iscsiInterface")]
    iscsi_interface: Option<String>,
    /// Further addresses of the iSCSI target.
    #[column(path = "iscsi.portals")]
    iscsi_portals: Vec<String>,
    /// Whether iSCSI discovery uses CHAP authentication.
    #[column(path = "iscsi.chapAuthDiscovery")]
    iscsi_discovery_chap_auth: Option<bool>,
    /// Whether iSCSI sessions use CHAP authentication.
    #[column(path = "iscsi.chapAuthSession")]
    iscsi_session_chap_auth: Option<bool>,
    /// Name of the iSCSI initiator.
    #[column(path = "iscsi.initiatorName")]
    iscsi_initiator_name: Option<String>,
    /// Name of the endpoints of the Glusterfs servers.
    #[column(path = "glusterfs.endpoints")]
    glusterfs_endpoints_name: Option<String>,
    /// Path of the Glusterfs volume.
    #[column(path = "glusterfs.path")]
    glusterfs_path: Option<String>,
    /// Addresses of the Ceph monitors of the RBD image.
    #[column(path = "rbd.monitors")]
    rbd_ceph_monitors: Vec<String>,
    /// Name of the RBD image.
    #[column(path = "rbd.image")]
    rbd_image: Option<String>,
    /// Pool of the RBD image.
    #[column(path = "rbd.pool")]
    rbd_pool: Option<String>,
    /// RADOS user of the RBD image.
    #[column(path = "rbd.user")]
    rbd_rados_user: Option<String>,
    /// Path of the keyring of the RADOS user on the node.
    #[column(path = "rbd.keyring")]
    rbd_keyring: Option<String>,
    /// Name of the FlexVolume driver.
    #[column(path = "flexVolume.driver")]
    flex_volume_driver: Option<String>,
    /// Options of the FlexVolume driver.
    #[column(path = "flexVolume.options")]
    flex_volume_options: Map,
    /// ID of the OpenStack Cinder volume.
    #[column(path = "cinder.volumeID")]
    cinder_volume_id: Option<String>,
    /// Addresses of the Ceph monitors of the CephFS volume.
    #[column(path = "cephfs.monitors")]
    ceph_fs_monitors: Vec<String>,
    /// Path in the CephFS volume.
    #[column(path = "cephfs.path")]
    ceph_fs_path: Option<String>,
    /// RADOS user of the CephFS volume.
    #[column(path = "cephfs.user")]
    ceph_fs_user: Option<String>,
    /// Path of the keyring of the CephFS user on the node.
    #[column(path = "cephfs.secretFile")]
    ceph_fs_secret_file: Option<String>,
    /// Name of the Flocker dataset.
    #[column(path = "flocker.datasetName")]
    flocker_dataset_name: Option<String>,
    /// UUID of the Flocker dataset.
    #[column(path = "flocker.datasetUUID")]
    flocker_dataset_uuid: Option<String>,
    /// World wide names of the Fibre Channel target.
    #[column(path = "fc.targetWWNs")]
    fc_target_ww_ns: Vec<String>,
    /// Logical unit number at the Fibre Channel target.
    #[column(path = "fc.lun")]
    fc_lun: Option<i64>,
    /// World wide identifiers of the Fibre Channel volume.
    #[column(path = "fc.wwids")]
    fc_ww_ids: Vec<String>,
    /// Name of the Azure file share.
    #[column(path = "azureFile.shareName")]
    azure_file_share_name: Option<String>,
    /// Path of the vSphere volume.
    #[column(path = "vsphereVolume.volumePath")]
    vsphere_volume_volume_path: Option<String>,
    /// Name of the storage policy of the vSphere volume.
    #[column(path = "vsphereVolume.storagePolicyName")]
    vsphere_volume_storage_policy_name: Option<String>,
    /// ID of the storage policy of the vSphere volume.
    #[column(path = "vsphereVolume.storagePolicyID")]
    vsphere_volume_storage_policy_id: Option<String>,
    /// Addresses of the Quobyte registries.
    #[column(path = "quobyte.registry")]
    quobyte_registry: Option<String>,
    /// Name of the Quobyte volume.
    #[column(path = "quobyte.volume")]
    quobyte_volume: Option<String>,
    /// User of the Quobyte volume.
    #[column(path = "quobyte.user")]
    quobyte_user: Option<String>,
    /// Group of the Quobyte volume.
    #[column(path = "quobyte.group")]
    quobyte_group: Option<String>,
    /// Tenant of the Quobyte volume.
    #[column(path = "quobyte.tenant")]
    quobyte_tenant: Option<String>,
    /// Name of the Azure disk.
    #[column(path = "azureDisk.diskName")]
    azure_disk_disk_name: Option<String>,
    /// URI of the Azure disk.
    #[column(path = "azureDisk.diskURI")]
    azure_disk_data_disk_uri: Option<String>,
    /// Cache of the Azure disk: `None`, `ReadOnly` or `ReadWrite`.
    #[column(path = "azureDisk.cachingMode")]
    azure_disk_caching_mode: Option<String>,
    /// Kind of the Azure disk: `Shared`, `Dedicated` or `Managed`.
    #[column(path = "azureDisk.kind")]
    azure_disk_kind: Option<String>,
    /// ID of the Photon Controller disk.
    #[column(path = "photonPersistentDisk.pdID")]
    photon_persistent_disk_pd_id: Option<String>,
    /// ID of the Portworx volume.
    #[column(path = "portworxVolume.volumeID")]
    portworx_volume_id: Option<String>,
    /// Address of the ScaleIO gateway.
    #[column(path = "scaleIO.gateway")]
    scale_io_gateway: Option<String>,
    /// Name of the ScaleIO storage system.
    #[column(path = "scaleIO.system")]
    scale_io_system: Option<String>,
    /// Whether the ScaleIO gateway is called with TLS.
    #[column(path = "scaleIO.sslEnabled")]
    scale_iossl_enabled: Option<bool>,
    /// Protection domain of the ScaleIO volume.
    #[column(path = "scaleIO.protectionDomain")]
    scale_io_protection_domain: Option<String>,
    /// Storage pool of the ScaleIO volume.
    #[column(path = "scaleIO.storagePool")]
    scale_io_storage_pool: Option<String>,
    /// Provisioning of the ScaleIO volume: `ThickProvisioned` or `ThinProvisioned`.
    #[column(path = "scaleIO.storageMode")]
    scale_io_storage_mode: Option<String>,
    /// Name of the ScaleIO volume.
    #[column(path = "scaleIO.volumeName")]
    scale_io_volume_name: Option<String>,
    /// Name of the StorageOS volume.
    #[column(path = "storageos.volumeName")]
    storage_os_volume_name: Option<String>,
    /// Namespace of the StorageOS volume.
    #[column(path = "storageos.volumeNamespace")]
    storage_os_volume_namespace: Option<String>,
    /// Name of the CSI driver; joins `kubernetes_csi_drivers.name`.
    #[column(path = "csi.driver")]
    csi_driver: Option<String>,
    /// Attributes that the CSI driver gets.
    #[column(path = "csi.volumeAttributes")]
    csi_volume_attributes: Map,
}

/// Sources that only volumes of pods have.
#[derive(Debug, Default, Columns)]
pub(crate) struct PodVolumeSource {
    /// Medium of the `emptyDir`: `Memory`, huge pages, or empty for the node's storage.
    #[column(path = "emptyDir.medium")]
    empty_dir_medium: Option<String>,
    /// Size limit of the `emptyDir`, as a quantity.
    #[column(path = "emptyDir.sizeLimit")]
    empty_dir_size_limit: Option<String>,
    /// URL of the git repository that is cloned into it.
    #[column(path = "gitRepo.repository")]
    git_repo_repository: Option<String>,
    /// Commit that is checked out.
    #[column(path = "gitRepo.revision")]
    git_repo_revision: Option<String>,
    /// Directory of the clone.
    #[column(path = "gitRepo.directory")]
    git_repo_directory: Option<String>,
    /// Keys of the secret that become files, with paths and modes; NULL for all.
    #[column(path = "secret.items")]
    secret_items: Option<Json>,
    /// Mode bits of the secret's files.
    #[column(path = "secret.defaultMode")]
    secret_default_mode: Option<i64>,
    /// Whether the secret may be absent.
    #[column(path = "secret.optional")]
    secret_optional: Option<bool>,
    /// Name of the persistent volume claim; joins `kubernetes_persistent_volume_claims.name` in the same namespace.
    #[column(path = "persistentVolumeClaim.claimName")]
    persistent_volume_claim_name: Option<String>,
    /// Fields of the pod that become files.
    #[column(path = "downwardAPI.items")]
    downward_api_items: Option<Json>,
    /// Mode bits of the files of the downward API.
    #[column(path = "downwardAPI.defaultMode")]
    downward_api_default_mode: Option<i64>,
    /// Name of the config map; joins `kubernetes_config_maps.name` in the same namespace.
    #[column(path = "configMap.name")]
    config_map_name: Option<String>,
    /// Keys of the config map that become files, with paths and modes; NULL for all.
    #[column(path = "configMap.items")]
    config_map_items: Option<Json>,
    /// Mode bits of the config map's files.
    #[column(path = "configMap.defaultMode")]
    config_map_default_mode: Option<i64>,
    /// Whether the config map may be absent.
    #[column(path = "configMap.optional")]
    config_map_optional: Option<bool>,
    /// Sources of a projected volume: service account tokens, secrets, config maps and the downward API.
    #[column(path = "projected.sources")]
    projected_sources: Option<Json>,
    /// Mode bits of the files of a projected volume.
    #[column(path = "projected.defaultMode")]
    projected_default_mode: Option<i64>,
    /// Template of the claim of an ephemeral volume.
    #[column(path = "ephemeral.volumeClaimTemplate")]
    ephemeral_volume_claim_template: Option<Json>,
    /// Image that is mounted, from Kubernetes 1.31 on.
    #[column(path = "image.reference")]
    image_reference: Option<String>,
    /// When the mounted image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[column(path = "image.pullPolicy")]
    image_pull_policy: Option<String>,
}

/// The part of an object that describes its source, whatever the source.
pub(crate) fn source(volume: &Document, others: &[&str]) -> Document {
    let members = volume.as_object().into_iter().flatten();
    let source = members
        .filter(|(name, value)| value.is_object() && !others.contains(&name.as_str()))
        .min_by_key(|(name, _)| *name);
    let Some((name, source)) = source else { return Document::Null };
    let secret_name = ["secretName", "secretRef", "nodePublishSecretRef"].iter().find_map(|place| {
        let secret = &source[*place];
        secret.as_str().or_else(|| secret["name"].as_str())
    });
    json!({"type": name, "fsType": source["fsType"], "readOnly": source["readOnly"], "secretName": secret_name})
}

/// A table of the volumes in a pod specification at a place of the object.
macro_rules! volumes {
    ($row:ident in $spec:literal) => {
        impl $crate::resource::Resource for $row {
            const ALWAYS: &'static [&'static str] = &[concat!($spec, ".volumes.*.name")];
            const DERIVED: $crate::resource::Derived =
                &[("volume", &[concat!($spec, ".volumes.*.{}")]), ("volume.derived", &[concat!($spec, ".volumes.*")])];

            fn documents(object: serde_json::Value) -> Vec<indago_table::Result<serde_json::Value>> {
                $crate::volume_spec::documents(object, $spec)
            }
        }

        $crate::resource::listed!($row);
    };
}
pub(crate) use volumes;

/// One document per volume: the object, with the volume under a separate name.
pub(crate) fn documents(mut object: Document, spec: &str) -> Vec<Result<Document>> {
    let path = format!("{spec}.volumes");
    let volumes = object.pointer_mut(&format!("/{}", path.replace('.', "/"))).map(Document::take).unwrap_or_default();
    let errors = misfits(&volumes, &path);
    let Document::Array(volumes) = volumes else { return errors };
    let document = |mut volume: Document| {
        volume["derived"] = source(&volume, &[]);
        let mut document = object.clone();
        document["volume"] = volume;
        Ok(document)
    };
    volumes.into_iter().filter(Document::is_object).map(document).chain(errors).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_has_one_source() {
        let of = |volume: Document| source(&volume, &["capacity"]);
        let reference = json!({"name": "s"});
        let csi = json!({"driver": "d", "fsType": "ext4", "readOnly": true, "nodePublishSecretRef": reference});
        assert_eq!(
            of(json!({"name": "v", "capacity": {}, "csi": csi})),
            json!({"type": "csi", "fsType": "ext4", "readOnly": true, "secretName": "s"})
        );
        let secret = of(json!({"secret": {"secretName": "s"}}));
        assert_eq!(
            (&secret["type"], &secret["secretName"], &secret["fsType"]),
            (&json!("secret"), &json!("s"), &json!(null))
        );
        assert_eq!(of(json!({"emptyDir": {}}))["type"], "emptyDir");
        for volume in [json!({}), json!({"name": "v"}), json!({"hostPath": 7}), json!(null)] {
            assert_eq!(of(volume.clone()), json!(null), "{volume}");
        }
    }

    #[test]
    fn each_volume_is_a_document_and_malformed_ones_are_errors() {
        let documents =
            documents(json!({"spec": {"volumes": [{"name": "a", "hostPath": {"path": "/"}}, "x"]}}), "spec");
        let [Ok(volume), Err(error)] = documents.as_slice() else { panic!("{documents:?}") };
        assert_eq!(
            (&volume["volume"]["derived"]["type"], &volume["spec"]["volumes"]),
            (&json!("hostPath"), &json!(null))
        );
        assert_eq!(error.to_string(), "`spec.volumes` holds a text instead of an object");
        for object in [json!({}), json!({"spec": {"volumes": null}}), json!({"spec": 7})] {
            assert!(super::documents(object, "spec").is_empty());
        }
    }
}
