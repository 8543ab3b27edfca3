//! Containers in pods and in pod templates: their columns, with the settings that they have from their pods.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::computed::{Bytes, Millicores, SecretVariables};
use crate::resource::misfits;

/// The specification of a container.
///
/// Its security context is the effective one: settings that the container lacks come from its pod, as for the kubelet.
#[derive(Debug, Default, Columns)]
pub(crate) struct ContainerSpec {
    /// SELinux user.
    #[column(path = "securityContext.seLinuxOptions.user")]
    se_linux_options_user: Option<String>,
    /// SELinux role.
    #[column(path = "securityContext.seLinuxOptions.role")]
    se_linux_options_role: Option<String>,
    /// SELinux type.
    #[column(path = "securityContext.seLinuxOptions.type")]
    se_linux_options_type: Option<String>,
    /// SELinux level.
    #[column(path = "securityContext.seLinuxOptions.level")]
    se_linux_options_level: Option<String>,
    /// Name of the Windows service account (GMSA) specification.
    #[column(path = "securityContext.windowsOptions.gmsaCredentialSpecName")]
    windows_options_gmsa_credential_spec_name: Option<String>,
    /// Content of the Windows service account (GMSA) specification.
    #[column(path = "securityContext.windowsOptions.gmsaCredentialSpec")]
    windows_options_gmsa_credential_spec: Option<String>,
    /// Windows user.
    #[column(path = "securityContext.windowsOptions.runAsUserName")]
    windows_options_run_as_user_name: Option<String>,
    /// Seccomp profile: `RuntimeDefault`, `Localhost` or `Unconfined`.
    #[column(path = "securityContext.seccompProfile.type")]
    seccomp_profile_type: Option<String>,
    /// Path of the `Localhost` seccomp profile on the node.
    #[column(path = "securityContext.seccompProfile.localhostProfile")]
    seccomp_profile_localhost_profile: Option<String>,
    /// User ID of the process; NULL for the image's default.
    #[column(path = "securityContext.runAsUser")]
    run_as_user: Option<i64>,
    /// Group ID of the process; NULL for the runtime's default.
    #[column(path = "securityContext.runAsGroup")]
    run_as_group: Option<i64>,
    /// Whether the kubelet refuses to start it as root.
    #[column(path = "securityContext.runAsNonRoot")]
    run_as_non_root: Option<bool>,
    /// Added capabilities without `CAP_`, such as `SYS_ADMIN`.
    #[column(path = "securityContext.capabilities.add")]
    capabilities_add: Vec<String>,
    /// Dropped capabilities; `ALL` means all of them.
    #[column(path = "securityContext.capabilities.drop")]
    capabilities_drop: Vec<String>,
    /// Whether it is privileged: root in it has the rights of root on the node.
    #[column(path = "securityContext.privileged")]
    privileged: bool,
    /// Whether its root file system is read-only.
    #[column(path = "securityContext.readOnlyRootFilesystem")]
    read_only_root_filesystem: bool,
    /// Whether a process may gain more privileges than its parent; NULL means yes.
    #[column(path = "securityContext.allowPrivilegeEscalation")]
    allow_privilege_escalation: Option<bool>,
    /// How `/proc` is mounted: `Default` or `Unmasked`.
    #[column(path = "securityContext.procMount")]
    proc_mount: Option<String>,
    /// Container whose processes an ephemeral container sees.
    #[column(path = "targetContainerName")]
    target_container_name: Option<String>,
    /// Image in the specification.
    #[column(path = "image")]
    image: Option<String>,
    /// Command, which replaces the image's entry point; empty for the image's.
    #[column(path = "command")]
    command: Vec<String>,
    /// Arguments; empty for the image's.
    #[column(path = "args")]
    args: Vec<String>,
    /// Working directory; NULL for the image's.
    #[column(path = "workingDir")]
    working_dir: Option<String>,
    /// Declared ports.
    #[column(path = "ports")]
    ports: Option<Json>,
    /// Config maps and secrets whose entries become environment variables.
    #[column(path = "envFrom")]
    env_from: Option<Json>,
    /// Environment variables, as a list of name and value, or of name and source of the value.
    #[column(path = "env")]
    env: Option<Json>,
    /// Resource limits, as quantities: `resource_limits['memory']`.
    #[column(path = "resources.limits")]
    resource_limits: Map,
    /// Resource requests, as quantities.
    #[column(path = "resources.requests")]
    resource_requests: Map,
    /// Mounted volumes, as a list of name, path and whether the mount is read-only.
    #[column(path = "volumeMounts")]
    volume_mounts: Option<Json>,
    /// Volumes used as block devices.
    #[column(path = "volumeDevices")]
    volume_devices: Option<Json>,
    /// Liveness probe: the container is restarted if it fails.
    #[column(path = "livenessProbe")]
    liveness_probe: Option<Json>,
    /// Readiness probe: whether the container can serve.
    #[column(path = "readinessProbe")]
    readiness_probe: Option<Json>,
    /// Startup probe: whether the container has started.
    #[column(path = "startupProbe")]
    startup_probe: Option<Json>,
    /// Hooks that run after its start and before its end.
    #[column(path = "lifecycle")]
    lifecycle: Option<Json>,
    /// Path in the container of the file with its termination message.
    #[column(path = "terminationMessagePath")]
    termination_message_path: Option<String>,
    /// Source of the termination message: `File` or `FallbackToLogsOnError`.
    #[column(path = "terminationMessagePolicy")]
    termination_message_policy: Option<String>,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[column(path = "imagePullPolicy")]
    image_pull_policy: Option<String>,
    /// Whether its standard input stays open.
    #[column(path = "stdin")]
    stdin: bool,
    /// Whether its standard input is closed after the first client disconnects.
    #[column(path = "stdinOnce")]
    stdin_once: bool,
    /// Whether it has a terminal.
    #[column(path = "tty")]
    tty: bool,
    /// `init`, `container` or `ephemeral`.
    #[column(path = "kind")]
    container_type: String,
    /// AppArmor profile: `RuntimeDefault`, `Localhost` or `Unconfined`; from the container, its annotation
    /// `container.apparmor.security.beta.kubernetes.io/<name>`, or the pod. NULL for the runtime's default.
    #[column(path = "securityContext.appArmorProfile.type")]
    app_armor_profile_type: Option<String>,
    /// Name of the `Localhost` AppArmor profile on the node.
    #[column(path = "securityContext.appArmorProfile.localhostProfile")]
    app_armor_profile_localhost_profile: Option<String>,
    /// Whether it is a Windows host process container.
    #[column(path = "securityContext.windowsOptions.hostProcess")]
    windows_options_host_process: Option<bool>,
    /// Requested processor time, in thousandths of a core.
    #[column(path = "resources.requests.cpu")]
    cpu_request_millicores: Option<Millicores>,
    /// Limit of its processor time, in thousandths of a core; NULL for no limit.
    #[column(path = "resources.limits.cpu")]
    cpu_limit_millicores: Option<Millicores>,
    /// Requested memory, in bytes.
    #[column(path = "resources.requests.memory")]
    memory_request_bytes: Option<Bytes>,
    /// Limit of its memory, in bytes; NULL for no limit.
    #[column(path = "resources.limits.memory")]
    memory_limit_bytes: Option<Bytes>,
    /// Requested local storage, in bytes.
    #[column(path = "resources.requests.ephemeral-storage")]
    ephemeral_storage_request_bytes: Option<Bytes>,
    /// Limit of its local storage, in bytes; NULL for no limit.
    #[column(path = "resources.limits.ephemeral-storage")]
    ephemeral_storage_limit_bytes: Option<Bytes>,
    /// Names of its environment variables, without those of `env_from`.
    #[column(path = "env.*.name")]
    env_names: Vec<String>,
    /// Environment variables with a value from a secret, each with the names of secret and key: `db/password`.
    #[column(path = "env")]
    env_secrets: SecretVariables,
    /// Names of the secrets whose entries all become environment variables.
    #[column(path = "envFrom.*.secretRef.name")]
    env_from_secrets: Vec<String>,
    /// Names of the config maps whose entries all become environment variables.
    #[column(path = "envFrom.*.configMapRef.name")]
    env_from_config_maps: Vec<String>,
    /// Ports of the node that it uses.
    #[column(path = "ports.*.hostPort")]
    used_host_ports: Vec<i64>,
    /// Names of its mounted volumes.
    #[column(path = "volumeMounts.*.name")]
    mounted_volumes: Vec<String>,
    /// Restart policy of an init container: `Always` for a sidecar.
    #[column(path = "restartPolicy")]
    container_restart_policy: Option<String>,
}

/// The paths that are read for each container of a pod specification.
macro_rules! container_names {
    ($spec:literal) => {
        &[
            concat!($spec, ".initContainers.*.name"),
            concat!($spec, ".containers.*.name"),
            concat!($spec, ".ephemeralContainers.*.name"),
        ]
    };
}
pub(crate) use container_names;

/// Places of the names that [`take_containers`] adds, for the specification and annotations of a pod.
macro_rules! container_places {
    ($spec:literal, $annotations:literal $(, $more:expr)* $(,)?) => {
        &[
            (
                "container",
                &[
                    concat!($spec, ".initContainers.*.{}"),
                    concat!($spec, ".containers.*.{}"),
                    concat!($spec, ".ephemeralContainers.*.{}"),
                ],
            ),
            ("container.securityContext", &[concat!($spec, ".securityContext.{}")]),
            ("container.securityContext.appArmorProfile", &[$annotations]),
            $($more,)*
        ]
    };
}
pub(crate) use container_places;

/// A table of the containers in a pod template at a place of the object.
macro_rules! template_containers {
    ($row:ident in $spec:literal, $annotations:literal) => {
        impl $crate::resource::Resource for $row {
            const ALWAYS: &'static [&'static str] = $crate::container_spec::container_names!($spec);
            const DERIVED: $crate::resource::Derived = $crate::container_spec::container_places!($spec, $annotations);

            fn documents(object: serde_json::Value) -> Vec<indago_table::Result<serde_json::Value>> {
                $crate::container_spec::documents(object, $spec, $annotations)
            }
        }

        $crate::resource::listed!($row);
    };
}
pub(crate) use template_containers;

/// One document per container: the object, with the container under a separate name.
pub(crate) fn documents(mut object: Document, spec: &str, annotations: &str) -> Vec<Result<Document>> {
    let (containers, errors) = take_containers(&mut object, spec, annotations);
    let document = |container: Document| {
        let mut document = object.clone();
        document["container"] = container;
        Ok(document)
    };
    containers.into_iter().map(document).chain(errors.into_iter().map(Err)).collect()
}

/// Takes the containers from a pod specification, with their kinds and effective security contexts. Also returns an
/// error for each malformed one.
pub(crate) fn take_containers(object: &mut Document, spec: &str, annotations: &str) -> (Vec<Document>, Vec<Error>) {
    let pointer = |path: &str| format!("/{}", path.replace('.', "/"));
    let annotations = object.pointer(&pointer(annotations)).cloned().unwrap_or_default();
    let mut take = |path: &str| object.pointer_mut(&pointer(path)).map(Document::take).unwrap_or_default();
    let pod = take(&format!("{spec}.securityContext"));
    let (mut containers, mut errors) = (Vec::new(), Vec::new());
    for (list, kind) in KINDS {
        let path = format!("{spec}.{list}");
        let list = take(&path);
        errors.extend(misfits::<()>(&list, &path).into_iter().filter_map(Result::err));
        let Document::Array(list) = list else { continue };
        for mut container in list.into_iter().filter(Document::is_object) {
            let name = container["name"].as_str().unwrap_or_default().to_owned();
            set_effective(&mut container["securityContext"], &pod, &annotations, &name);
            container["kind"] = kind.into();
            containers.push(container);
        }
    }
    (containers, errors)
}

/// The lists of containers in a pod specification, and the names of their kinds.
const KINDS: [(&str, &str); 3] =
    [("initContainers", "init"), ("containers", "container"), ("ephemeralContainers", "ephemeral")];

/// Settings of a pod's security context that apply to containers without these settings.
const INHERITED: [&str; 5] = ["seLinuxOptions", "seccompProfile", "runAsUser", "runAsGroup", "runAsNonRoot"];

/// Windows settings that apply together: each one that the container lacks comes from its pod, if it lacks all of them.
const WINDOWS: [&[&str]; 3] = [&["gmsaCredentialSpecName", "gmsaCredentialSpec"], &["runAsUserName"], &["hostProcess"]];

/// Makes the security context of a container effective, by the rules of the kubelet
/// (`DetermineEffectiveSecurityContext` in `pkg/securitycontext`, `getAppArmorProfile` in `pkg/security/apparmor`).
fn set_effective(context: &mut Document, pod: &Document, annotations: &Document, name: &str) {
    if !context.is_object() && !context.is_null() {
        return;
    }
    for setting in INHERITED {
        inherit(context, pod, setting);
    }
    let windows = &pod["windowsOptions"];
    for together in WINDOWS {
        let of_container = &context["windowsOptions"];
        if together.iter().all(|setting| of_container[*setting].is_null())
            && (of_container.is_object() || of_container.is_null())
        {
            together.iter().for_each(|setting| inherit_into(context, "windowsOptions", windows, setting));
        }
    }
    let annotation = annotations.as_object().and_then(|all| {
        let key = format!("container.apparmor.security.beta.kubernetes.io/{name}");
        all.get(&key)?.as_str()
    });
    if let (Some(profile), true) = (annotation, context["appArmorProfile"].is_null()) {
        context["appArmorProfile"] = match profile.split_once('/') {
            Some(("localhost", name)) => serde_json::json!({"type": "Localhost", "localhostProfile": name}),
            _ if profile == "runtime/default" => serde_json::json!({"type": "RuntimeDefault"}),
            _ if profile == "unconfined" => serde_json::json!({"type": "Unconfined"}),
            // No kubelet runs a container with another one.
            _ => serde_json::json!({"type": profile}),
        };
    }
    inherit(context, pod, "appArmorProfile");
}

fn inherit(context: &mut Document, pod: &Document, setting: &str) {
    if let Some(value) = pod.get(setting).filter(|value| !value.is_null())
        && context.get(setting).is_none_or(Document::is_null)
    {
        context[setting] = value.clone();
    }
}

fn inherit_into(context: &mut Document, options: &str, pod: &Document, setting: &str) {
    if pod.get(setting).is_some_and(|value| !value.is_null()) {
        inherit(&mut context[options], pod, setting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn effective(container: Document, pod: Document, annotations: Document) -> Document {
        let mut context = container;
        set_effective(&mut context, &pod, &annotations, "c");
        context
    }

    #[test]
    fn a_container_has_the_settings_of_its_pod_that_it_lacks() {
        let pod = json!({
            "runAsUser": 7, "runAsGroup": 8, "runAsNonRoot": true, "fsGroup": 9,
            "seccompProfile": {"type": "RuntimeDefault"}, "seLinuxOptions": {"user": "u", "level": "s0"},
        });
        assert_eq!(
            effective(
                json!({"runAsUser": 0, "privileged": true, "seLinuxOptions": {"type": "t"}}),
                pod.clone(),
                json!({})
            ),
            json!({
                "runAsUser": 0, "privileged": true, "runAsGroup": 8, "runAsNonRoot": true,
                // All of the container's SELinux options replace the pod's.
                "seccompProfile": {"type": "RuntimeDefault"}, "seLinuxOptions": {"type": "t"},
            })
        );
        let mut inherited = pod.clone();
        inherited.as_object_mut().unwrap().remove("fsGroup");
        assert_eq!(effective(json!(null), pod, json!({})), inherited);
        assert_eq!(
            effective(json!({"runAsUser": null}), json!({"runAsUser": 5}), json!(null)),
            json!({"runAsUser": 5})
        );
        for odd in [json!(7), json!("x"), json!([1])] {
            assert_eq!(effective(odd.clone(), json!({"runAsUser": 5}), json!({})), odd);
        }
    }

    #[test]
    fn windows_settings_are_merged_one_by_one() {
        let pod =
            json!({"windowsOptions": {"gmsaCredentialSpecName": "n", "gmsaCredentialSpec": "s", "runAsUserName": "u"}});
        let of = |container| effective(container, pod.clone(), json!({}))["windowsOptions"].clone();
        assert_eq!(of(json!({})), pod["windowsOptions"]);
        assert_eq!(
            of(json!({"windowsOptions": {"gmsaCredentialSpecName": "x"}})),
            json!({"gmsaCredentialSpecName": "x", "runAsUserName": "u"})
        );
        assert_eq!(
            of(json!({"windowsOptions": {"hostProcess": true, "runAsUserName": "v"}})),
            json!({"gmsaCredentialSpecName": "n", "gmsaCredentialSpec": "s", "runAsUserName": "v", "hostProcess": true})
        );
        assert_eq!(of(json!({"windowsOptions": 7})), json!(7));
    }

    #[test]
    fn an_app_armor_profile_is_a_field_or_an_annotation() {
        let annotated = |profile: &str| json!({"container.apparmor.security.beta.kubernetes.io/c": profile});
        let pod = json!({"appArmorProfile": {"type": "Unconfined"}});
        let of = |container, pod, annotations| effective(container, pod, annotations)["appArmorProfile"].clone();
        let local = json!({"type": "Localhost", "localhostProfile": "k8s/nginx"});
        assert_eq!(of(json!({}), pod.clone(), annotated("localhost/k8s/nginx")), local);
        assert_eq!(of(json!({}), json!({}), annotated("runtime/default")), json!({"type": "RuntimeDefault"}));
        assert_eq!(of(json!({}), json!({}), annotated("unconfined")), json!({"type": "Unconfined"}));
        assert_eq!(of(json!({}), pod.clone(), json!({})), json!({"type": "Unconfined"}));
        let field = json!({"appArmorProfile": {"type": "RuntimeDefault"}});
        assert_eq!(of(field.clone(), pod, annotated("unconfined")), field["appArmorProfile"]);
        let other = json!({"container.apparmor.security.beta.kubernetes.io/d": "unconfined"});
        assert_eq!(of(json!({}), json!({}), other), json!(null));
    }

    #[test]
    fn containers_of_a_template_keep_their_kinds_and_malformed_ones_are_errors() {
        let object = json!({
            "metadata": {"name": "web"},
            "spec": {"template": {
                "metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}},
                "spec": {"containers": [{"name": "a"}, 7], "initContainers": {}, "securityContext": {"runAsUser": 1}},
            }},
        });
        let documents = documents(object, "spec.template.spec", "spec.template.metadata.annotations");
        let told: Vec<_> = documents
            .into_iter()
            .map(|document| match document {
                Ok(document) => document["container"].to_string(),
                Err(error) => error.to_string(),
            })
            .collect();
        assert_eq!(
            told,
            [
                r#"{"name":"a","securityContext":{"runAsUser":1,"appArmorProfile":{"type":"Unconfined"}},"kind":"container"}"#,
                "`spec.template.spec.initContainers` holds an object instead of a list",
                "`spec.template.spec.containers` holds a number instead of an object",
            ]
        );
        for object in ["{}", "null", r#"{"spec": 7}"#, r#"{"spec": {"template": []}}"#] {
            let object = serde_json::from_str(object).unwrap();
            assert!(super::documents(object, "spec.template.spec", "metadata.annotations").is_empty());
        }
    }
}
