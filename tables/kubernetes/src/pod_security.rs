//! The Pod Security Standards: which level a pod meets, and which controls it violates.
//!
//! Sources: the page "Pod Security Standards" of the Kubernetes documentation, and for its traps the checks of the
//! admission plug-in. The rules are those of the newest version, 1.35.

use std::collections::HashSet;

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::derived::text;
use crate::resource::elements;

/// Columns about where a pod runs, and as whom.
#[derive(Debug, Default, Columns)]
pub(crate) struct Running {
    /// Phase of the pod: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    #[column(slice(field), path = "status.phase")]
    phase: Option<String>,
    /// Node of the pod.
    #[column(slice(field), path = "spec.nodeName")]
    node_name: Option<String>,
    /// Service account of the pod.
    #[column(slice(field), path = "spec.serviceAccountName")]
    service_account_name: Option<String>,
}

/// The standards, from the most permissive on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        }
    }
}

/// A control of a standard that a pod violates.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The standard that has the control.
    pub(crate) level: Level,
    /// Name of the control in the standard.
    pub(crate) control: &'static str,
    /// The field of the pod that violates it.
    pub(crate) field: String,
    /// Name of the container that has the field.
    pub(crate) container: Option<String>,
    /// Value of the field; `None` if the field is missing and must not be.
    pub(crate) value: Option<String>,
}

/// The parts of a pod that [`violations`] needs.
pub(crate) const PATHS: &[&str] = &[
    "metadata.annotations",
    "spec.hostNetwork",
    "spec.hostPID",
    "spec.hostIPC",
    "spec.hostUsers",
    "spec.os.name",
    "spec.securityContext",
    "spec.volumes",
    "spec.containers",
    "spec.initContainers",
    "spec.ephemeralContainers",
];

/// The strictest standard that a pod with these violations meets.
pub(crate) fn level(violations: &[Violation]) -> Level {
    match violations.iter().map(|violation| violation.level).min() {
        None => Level::Restricted,
        Some(Level::Restricted) => Level::Baseline,
        Some(_) => Level::Privileged,
    }
}

/// The violated controls of a standard, each once.
pub(crate) fn controls(violations: &[Violation], level: Level) -> Vec<String> {
    let of_level = violations.iter().filter(|violation| violation.level == level);
    let mut controls: Vec<String> = of_level.map(|violation| violation.control.to_owned()).collect();
    controls.dedup();
    controls
}

/// The fields that violate a control, each once.
pub(crate) fn fields(violations: &[Violation]) -> Vec<String> {
    let mut seen = HashSet::new();
    violations.iter().map(|violation| &violation.field).filter(|field| seen.insert(*field)).cloned().collect()
}

/// Capabilities that the baseline allows to add.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Kernel parameters that belong to the pod alone.
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

const SELINUX_TYPES: [&str; 5] = ["", "container_engine_t", "container_init_t", "container_kvm_t", "container_t"];

/// Types of volumes that the restricted standard allows.
const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

const PROFILES: [&str; 2] = ["RuntimeDefault", "Localhost"];
const APPARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

/// A part of a pod with a security context: the pod itself, or one of its containers.
struct Holder<'a> {
    /// Its path in the pod.
    path: String,
    /// `None` for the pod.
    container: Option<String>,
    document: &'a Document,
}

impl Holder<'_> {
    fn context(&self) -> &Document {
        &self.document["securityContext"]
    }

    /// A violation at a field below its path; a value of null is missing.
    fn violation(&self, level: Level, control: &'static str, field: &str, value: &Document) -> Violation {
        let value = match value {
            Document::Null => None,
            Document::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        Violation { level, control, field: format!("{}.{field}", self.path), container: self.container.clone(), value }
    }
}

/// The controls that a pod violates, those of the baseline first.
pub(crate) fn violations(pod: &Document) -> Vec<Violation> {
    let spec = &pod["spec"];
    let whole = Holder { path: "spec".to_owned(), container: None, document: spec };
    let containers: Vec<Holder<'_>> = ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|list| {
            elements(&spec[list]).enumerate().map(move |(position, container)| Holder {
                path: format!("spec.{list}[{position}]"),
                container: Some(text(&container["name"])),
                document: container,
            })
        })
        .collect();
    let mut found = Vec::new();
    baseline(pod, &whole, &containers, &mut found);
    restricted(&whole, &containers, &mut found);
    found
}

fn baseline(pod: &Document, whole: &Holder<'_>, containers: &[Holder<'_>], found: &mut Vec<Violation>) {
    let spec = whole.document;
    let holders = || std::iter::once(whole).chain(containers);
    let mut add = |holder: &Holder<'_>, control, field: &str, value: &Document| {
        found.push(holder.violation(Level::Baseline, control, field, value));
    };
    for holder in holders() {
        let value = &holder.context()["windowsOptions"]["hostProcess"];
        if *value == true {
            add(holder, "HostProcess", "securityContext.windowsOptions.hostProcess", value);
        }
    }
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if spec[field] == true {
            add(whole, "Host Namespaces", field, &spec[field]);
        }
    }
    for container in containers {
        let value = &container.context()["privileged"];
        if *value == true {
            add(container, "Privileged Containers", "securityContext.privileged", value);
        }
    }
    for container in containers {
        for (position, capability) in elements(&container.context()["capabilities"]["add"]).enumerate() {
            if !is_one_of(capability, &CAPABILITIES) {
                add(container, "Capabilities", &format!("securityContext.capabilities.add[{position}]"), capability);
            }
        }
    }
    for (position, volume) in elements(&spec["volumes"]).enumerate() {
        if !volume["hostPath"].is_null() {
            add(whole, "HostPath Volumes", &format!("volumes[{position}].hostPath"), &volume["hostPath"]["path"]);
        }
    }
    for container in containers {
        for (position, port) in elements(&container.document["ports"]).enumerate() {
            if port["hostPort"].as_i64().is_some_and(|port| port != 0) {
                add(container, "Host Ports", &format!("ports[{position}].hostPort"), &port["hostPort"]);
            }
        }
    }
    for container in containers {
        for handler in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle/postStart", "lifecycle/preStop"] {
            for action in ["httpGet", "tcpSocket"] {
                let host = container.document.pointer(&format!("/{handler}/{action}/host")).and_then(Document::as_str);
                if let Some(host) = host.filter(|host| !host.is_empty()) {
                    let field = format!("{}.{action}.host", handler.replace('/', "."));
                    add(container, "Host Probes / Lifecycle Hooks", &field, &host.into());
                }
            }
        }
    }
    for holder in holders() {
        let value = &holder.context()["appArmorProfile"]["type"];
        if !value.is_null() && !is_one_of(value, &PROFILES) {
            add(holder, "AppArmor", "securityContext.appArmorProfile.type", value);
        }
    }
    for (name, value) in pod["metadata"]["annotations"].as_object().into_iter().flatten() {
        let profile = value.as_str().unwrap_or_default();
        let is_allowed = profile.is_empty() || profile == "runtime/default" || profile.starts_with("localhost/");
        if let Some(container) = name.strip_prefix(APPARMOR_ANNOTATION).filter(|_| !is_allowed) {
            found.push(Violation {
                level: Level::Baseline,
                control: "AppArmor",
                field: format!("metadata.annotations['{name}']"),
                container: Some(container.to_owned()),
                value: Some(profile.to_owned()),
            });
        }
    }
    let mut add = |holder: &Holder<'_>, control, field: &str, value: &Document| {
        found.push(holder.violation(Level::Baseline, control, field, value));
    };
    for holder in holders() {
        let options = &holder.context()["seLinuxOptions"];
        for field in ["type", "user", "role"] {
            let value = options[field].as_str().unwrap_or_default();
            let is_allowed = if field == "type" { SELINUX_TYPES.contains(&value) } else { value.is_empty() };
            if !is_allowed {
                add(holder, "SELinux", &format!("securityContext.seLinuxOptions.{field}"), &options[field]);
            }
        }
    }
    // In a user namespace, the unmasked /proc shows no more than the container's own.
    for container in containers.iter().filter(|_| !is_in_user_namespace(spec)) {
        proc_mount(container, &mut |field, value| add(container, "/proc Mount Type", field, value));
    }
    for holder in holders() {
        let profile = &holder.context()["seccompProfile"];
        if !profile.is_null() && !is_one_of(&profile["type"], &PROFILES) {
            add(holder, "Seccomp", "securityContext.seccompProfile.type", &profile["type"]);
        }
    }
    for (position, sysctl) in elements(&whole.context()["sysctls"]).enumerate() {
        if !is_one_of(&sysctl["name"], &SYSCTLS) {
            add(whole, "Sysctls", &format!("securityContext.sysctls[{position}].name"), &sysctl["name"]);
        }
    }
}

fn restricted(whole: &Holder<'_>, containers: &[Holder<'_>], found: &mut Vec<Violation>) {
    let spec = whole.document;
    let mut add = |holder: &Holder<'_>, control, field: &str, value: &Document| {
        found.push(holder.violation(Level::Restricted, control, field, value));
    };
    for (position, volume) in elements(&spec["volumes"]).enumerate() {
        let types =
            || volume.as_object().into_iter().flatten().filter(|(name, value)| *name != "name" && !value.is_null());
        if !types().any(|(name, _)| VOLUMES.contains(&name.as_str())) {
            let kind = types().next().map_or("", |(name, _)| name.as_str());
            let field = format!("volumes[{position}]{}{kind}", if kind.is_empty() { "" } else { "." });
            add(whole, "Volume Types", &field, &volume["name"]);
        }
    }
    // The kernel of Windows has none of these.
    let is_windows = spec["os"]["name"] == "windows";
    for container in containers.iter().filter(|_| !is_windows) {
        let value = &container.context()["allowPrivilegeEscalation"];
        if *value != false {
            add(container, "Privilege Escalation", "securityContext.allowPrivilegeEscalation", value);
        }
    }
    let is_user_namespace = is_in_user_namespace(spec);
    if !is_user_namespace {
        let field = "securityContext.runAsNonRoot";
        let of_pod = &whole.context()["runAsNonRoot"];
        if *of_pod == false {
            add(whole, "Running as Non-root", field, of_pod);
        }
        for container in containers {
            let own = &container.context()["runAsNonRoot"];
            if *own == false || own.is_null() && of_pod.is_null() {
                add(container, "Running as Non-root", field, own);
            }
        }
        for holder in std::iter::once(whole).chain(containers) {
            let value = &holder.context()["runAsUser"];
            if value.as_i64() == Some(0) {
                add(holder, "Running as Non-root user", "securityContext.runAsUser", value);
            }
        }
    }
    for container in containers {
        proc_mount(container, &mut |field, value| add(container, "/proc Mount Type", field, value));
    }
    if is_windows {
        return;
    }
    let field = "securityContext.seccompProfile.type";
    let of_pod = &whole.context()["seccompProfile"];
    if !of_pod.is_null() && !is_one_of(&of_pod["type"], &PROFILES) {
        add(whole, "Seccomp", field, &of_pod["type"]);
    }
    for container in containers {
        let own = &container.context()["seccompProfile"];
        let is_allowed = if own.is_null() { !of_pod.is_null() } else { is_one_of(&own["type"], &PROFILES) };
        if !is_allowed {
            add(container, "Seccomp", field, &own["type"]);
        }
    }
    for container in containers {
        let capabilities = &container.context()["capabilities"];
        if !elements(&capabilities["drop"]).any(|capability| capability == "ALL") {
            add(container, "Capabilities", "securityContext.capabilities.drop", &capabilities["drop"]);
        }
        for (position, capability) in elements(&capabilities["add"]).enumerate() {
            if capability != "NET_BIND_SERVICE" {
                add(container, "Capabilities", &format!("securityContext.capabilities.add[{position}]"), capability);
            }
        }
    }
}

fn proc_mount(container: &Holder<'_>, add: &mut impl FnMut(&str, &Document)) {
    let value = &container.context()["procMount"];
    if !value.is_null() && value != "Default" {
        add("securityContext.procMount", value);
    }
}

fn is_one_of(value: &Document, allowed: &[&str]) -> bool {
    value.as_str().is_some_and(|value| allowed.contains(&value))
}

/// Whether root in the pod is not root on the node.
fn is_in_user_namespace(spec: &Document) -> bool {
    spec["hostUsers"] == false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A pod that meets the restricted standard, with changes: paths of JSON pointers and values.
    fn pod(changes: &[(&str, Document)]) -> Document {
        let container = json!({
            "name": "c",
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        });
        let mut pod = json!({
            "metadata": {"annotations": {}},
            "spec": {
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [container], "initContainers": [], "ephemeralContainers": [], "volumes": [],
            },
        });
        for (path, value) in changes {
            let (parent, name) = path.rsplit_once('/').unwrap();
            let mut at = &mut pod;
            for step in parent.split('/').skip(1) {
                at = match step.parse::<usize>() {
                    Ok(position) => &mut at[position],
                    Err(_) => &mut at[step],
                };
            }
            match at {
                Document::Array(list) => list.push(value.clone()),
                object => object[name.replace("~1", "/")] = value.clone(),
            }
        }
        pod
    }

    fn told(changes: &[(&str, Document)]) -> Vec<String> {
        let violations = violations(&pod(changes));
        let told = |violation: &Violation| {
            let Violation { level, control, field, .. } = violation;
            format!("{} {control}: {field}", level.name())
        };
        violations.iter().map(told).collect()
    }

    const CONTEXT: &str = "/spec/containers/0/securityContext";

    #[test]
    fn a_pod_that_sets_all_it_should_is_restricted_and_one_that_sets_nothing_is_baseline() {
        assert_eq!((told(&[]), level(&violations(&pod(&[])))), (Vec::new(), Level::Restricted));
        let plain = json!({"metadata": {}, "spec": {"containers": [{"name": "c"}]}});
        let controls: Vec<_> = violations(&plain).iter().map(|violation| violation.control).collect();
        assert_eq!(controls, ["Privilege Escalation", "Running as Non-root", "Seccomp", "Capabilities"]);
        assert_eq!(level(&violations(&plain)), Level::Baseline);
        assert_eq!(level(&violations(&pod(&[("/spec/hostPID", json!(true))]))), Level::Privileged);
    }

    #[test]
    fn each_control_names_its_field() {
        let context = |field: &str| format!("{CONTEXT}/{field}");
        let cases: Vec<(String, Document, &[&str])> = vec![
            ("/spec/hostNetwork".into(), json!(true), &["baseline Host Namespaces: spec.hostNetwork"]),
            ("/spec/hostIPC".into(), json!(true), &["baseline Host Namespaces: spec.hostIPC"]),
            ("/spec/hostPID".into(), json!(false), &[]),
            (
                "/spec/securityContext/windowsOptions".into(),
                json!({"hostProcess": true}),
                &["baseline HostProcess: spec.securityContext.windowsOptions.hostProcess"],
            ),
            (
                context("windowsOptions"),
                json!({"hostProcess": true}),
                &["baseline HostProcess: spec.containers[0].securityContext.windowsOptions.hostProcess"],
            ),
            (
                context("privileged"),
                json!(true),
                &["baseline Privileged Containers: spec.containers[0].securityContext.privileged"],
            ),
            (context("capabilities"), json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}), &[]),
            (
                context("capabilities"),
                json!({"drop": ["ALL"], "add": ["CHOWN"]}),
                &["restricted Capabilities: spec.containers[0].securityContext.capabilities.add[0]"],
            ),
            (
                context("capabilities"),
                json!({"drop": ["ALL"], "add": ["NET_RAW"]}),
                &[
                    "baseline Capabilities: spec.containers[0].securityContext.capabilities.add[0]",
                    "restricted Capabilities: spec.containers[0].securityContext.capabilities.add[0]",
                ],
            ),
            // The names are compared as they are written.
            (
                context("capabilities"),
                json!({"drop": ["all"]}),
                &["restricted Capabilities: spec.containers[0].securityContext.capabilities.drop"],
            ),
            (
                "/spec/volumes/-".into(),
                json!({"name": "v", "hostPath": {"path": "/"}}),
                &[
                    "baseline HostPath Volumes: spec.volumes[0].hostPath",
                    "restricted Volume Types: spec.volumes[0].hostPath",
                ],
            ),
            (
                "/spec/volumes/-".into(),
                json!({"name": "v", "nfs": {}}),
                &["restricted Volume Types: spec.volumes[0].nfs"],
            ),
            ("/spec/volumes/-".into(), json!({"name": "v", "emptyDir": {}}), &[]),
            ("/spec/volumes/-".into(), json!({"name": "v", "emptyDir": {}, "hostPath": null}), &[]),
            ("/spec/volumes/-".into(), json!({"name": "v"}), &["restricted Volume Types: spec.volumes[0]"]),
            (
                "/spec/containers/0/ports".into(),
                json!([{"containerPort": 1}, {"hostPort": 0}, {"hostPort": 80}]),
                &["baseline Host Ports: spec.containers[0].ports[2].hostPort"],
            ),
            (
                "/spec/containers/0/livenessProbe".into(),
                json!({"httpGet": {"host": "169.254.169.254"}}),
                &["baseline Host Probes / Lifecycle Hooks: spec.containers[0].livenessProbe.httpGet.host"],
            ),
            (
                "/spec/containers/0/lifecycle".into(),
                json!({"preStop": {"tcpSocket": {"host": "h"}}, "postStart": {"httpGet": {"host": ""}}}),
                &["baseline Host Probes / Lifecycle Hooks: spec.containers[0].lifecycle.preStop.tcpSocket.host"],
            ),
            (
                context("appArmorProfile"),
                json!({"type": "Unconfined"}),
                &["baseline AppArmor: spec.containers[0].securityContext.appArmorProfile.type"],
            ),
            ("/spec/securityContext/appArmorProfile".into(), json!({"type": "Localhost"}), &[]),
            (
                "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1c".into(),
                json!("unconfined"),
                &["baseline AppArmor: metadata.annotations['container.apparmor.security.beta.kubernetes.io/c']"],
            ),
            (
                "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1c".into(),
                json!("localhost/mine"),
                &[],
            ),
            (
                context("seLinuxOptions"),
                json!({"type": "spc_t", "user": "u", "role": "", "level": "s0"}),
                &[
                    "baseline SELinux: spec.containers[0].securityContext.seLinuxOptions.type",
                    "baseline SELinux: spec.containers[0].securityContext.seLinuxOptions.user",
                ],
            ),
            ("/spec/securityContext/seLinuxOptions".into(), json!({"type": "container_engine_t"}), &[]),
            (
                context("procMount"),
                json!("Unmasked"),
                &[
                    "baseline /proc Mount Type: spec.containers[0].securityContext.procMount",
                    "restricted /proc Mount Type: spec.containers[0].securityContext.procMount",
                ],
            ),
            (context("procMount"), json!("Default"), &[]),
            (
                context("seccompProfile"),
                json!({"type": "Unconfined"}),
                &[
                    "baseline Seccomp: spec.containers[0].securityContext.seccompProfile.type",
                    "restricted Seccomp: spec.containers[0].securityContext.seccompProfile.type",
                ],
            ),
            ("/spec/securityContext/sysctls".into(), json!([{"name": "net.ipv4.tcp_rmem"}]), &[]),
            (
                "/spec/securityContext/sysctls".into(),
                json!([{"name": "net.ipv4.tcp_syncookies"}, {"name": "kernel.msgmax"}]),
                &["baseline Sysctls: spec.securityContext.sysctls[1].name"],
            ),
            (
                context("allowPrivilegeEscalation"),
                json!(null),
                &["restricted Privilege Escalation: spec.containers[0].securityContext.allowPrivilegeEscalation"],
            ),
            (
                context("runAsUser"),
                json!(0),
                &["restricted Running as Non-root user: spec.containers[0].securityContext.runAsUser"],
            ),
            ("/spec/securityContext/runAsUser".into(), json!(1000), &[]),
            (
                context("runAsNonRoot"),
                json!(false),
                &["restricted Running as Non-root: spec.containers[0].securityContext.runAsNonRoot"],
            ),
            // Also if each container says otherwise.
            (
                "/spec/securityContext/runAsNonRoot".into(),
                json!(false),
                &["restricted Running as Non-root: spec.securityContext.runAsNonRoot"],
            ),
        ];
        for (path, value, expected) in cases {
            assert_eq!(told(&[(&path, value.clone())]), expected, "{path} {value}");
        }
    }

    #[test]
    fn containers_of_every_kind_count() {
        for list in ["initContainers", "ephemeralContainers"] {
            let path = format!("/spec/{list}/-");
            let container = json!({"name": "x", "securityContext": {"privileged": true}});
            let told = told(&[(&path, container)]);
            let prefix = format!("spec.{list}[0].securityContext");
            assert_eq!(
                told,
                [
                    format!("baseline Privileged Containers: {prefix}.privileged"),
                    format!("restricted Privilege Escalation: {prefix}.allowPrivilegeEscalation"),
                    format!("restricted Capabilities: {prefix}.capabilities.drop"),
                ]
            );
        }
    }

    #[test]
    fn settings_of_the_pod_count_for_containers_without_them() {
        let none = ("/spec/securityContext", json!({}));
        let own = (
            CONTEXT,
            json!({
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": true, "seccompProfile": {"type": "Localhost"},
            }),
        );
        assert_eq!(told(&[none.clone(), own]), Vec::<String>::new());
        assert_eq!(
            told(&[none]),
            [
                "restricted Running as Non-root: spec.containers[0].securityContext.runAsNonRoot",
                "restricted Seccomp: spec.containers[0].securityContext.seccompProfile.type",
            ]
        );
    }

    #[test]
    fn windows_and_user_namespaces_are_exempt_from_what_they_lack() {
        let loose = (CONTEXT, json!({"runAsUser": 0, "runAsNonRoot": false, "procMount": "Unmasked"}));
        let windows =
            told(&[loose.clone(), ("/spec/os", json!({"name": "windows"})), ("/spec/securityContext", json!({}))]);
        assert_eq!(
            windows,
            [
                "baseline /proc Mount Type: spec.containers[0].securityContext.procMount",
                "restricted Running as Non-root: spec.containers[0].securityContext.runAsNonRoot",
                "restricted Running as Non-root user: spec.containers[0].securityContext.runAsUser",
                "restricted /proc Mount Type: spec.containers[0].securityContext.procMount",
            ]
        );
        let users = told(&[loose, ("/spec/hostUsers", json!(false))]);
        assert_eq!(
            users,
            [
                "restricted Privilege Escalation: spec.containers[0].securityContext.allowPrivilegeEscalation",
                "restricted /proc Mount Type: spec.containers[0].securityContext.procMount",
                "restricted Capabilities: spec.containers[0].securityContext.capabilities.drop",
            ]
        );
    }

    #[test]
    fn a_malformed_pod_is_no_panic() {
        for spec in
            [json!(null), json!([]), json!({"containers": {}}), json!({"containers": [1, null], "volumes": ["x"]})]
        {
            violations(&json!({"spec": spec, "metadata": 7}));
        }
    }
}
