//! Reads the objects of clusters through their tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use futures::future::try_join_all;
use indago_engine::{Engine, QueryOptions};
use indago_reach::input::{
    Account, Binding, Cluster, Container, ContainerKind, Endpoint, Input, Mount, Namespace, Node, Pod, Port,
    Requirement, Role, Rule, Selector, Source, Subject, TokenSecret, Volume,
};
use indago_reach::{EdgeKind, Kinds};
use indago_table::{CallCount, Error, Outcome, Result, Timestamp, Warning};
use serde_json::Value as Document;

use super::cells::{Flags, Numbers, TextLists, TextMaps, Texts};

/// Start of the names of sets of manifests.
const MANIFESTS: &str = "manifests:";

/// What is read.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The clusters; `None` for all.
    pub(super) clusters: Option<Vec<String>>,
    /// The kinds of edges. Lists that none of them needs are not read.
    pub(super) kinds: Kinds,
    pub(super) as_of: Option<Timestamp>,
}

/// The tables of clusters, and the query that reads them.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    pub(super) engine: &'a Engine,
    /// The API calls of the query.
    pub(super) calls: &'a Arc<CallCount>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) clusters: Vec<Cluster>,
    pub(super) warnings: Vec<Warning>,
    /// Bytes of the results.
    pub(super) bytes: usize,
}

/// The lists that a kind of edge depends on.
fn inputs(kind: EdgeKind) -> &'static [Input] {
    use Input::{
        ClusterRoleBindings, ClusterRoles, Containers, EndpointSlices, Namespaces, Nodes, Pods, RoleBindings, Roles,
        Secrets, ServiceAccounts, Version, Volumes,
    };
    match kind {
        EdgeKind::ContainerAttach | EdgeKind::PodAttach | EdgeKind::SharePsNamespace => &[Containers, Nodes, Pods],
        EdgeKind::EndpointExploit => &[Containers, EndpointSlices, Nodes, Pods],
        EdgeKind::CeModuleLoad | EdgeKind::CeNsenter | EdgeKind::CePrivMount => &[Containers, Nodes, Pods],
        EdgeKind::CeSysPtrace => &[Containers, Nodes, Pods, Version],
        EdgeKind::CeUmhCorePattern | EdgeKind::ExploitContainerdSock => &[Containers, Nodes, Pods, Volumes],
        EdgeKind::CeVarLogSymlink => {
            &[ClusterRoleBindings, ClusterRoles, Containers, Nodes, Pods, RoleBindings, Roles, ServiceAccounts, Volumes]
        }
        EdgeKind::ExploitHostRead
        | EdgeKind::ExploitHostTraverse
        | EdgeKind::ExploitHostWrite
        | EdgeKind::TokenSteal
        | EdgeKind::VolumeAccess
        | EdgeKind::VolumeDiscover => {
            &[ClusterRoleBindings, Containers, Nodes, Pods, RoleBindings, Secrets, ServiceAccounts, Volumes]
        }
        EdgeKind::IdentityAssume => {
            &[ClusterRoleBindings, Containers, Nodes, Pods, RoleBindings, ServiceAccounts, Volumes]
        }
        EdgeKind::IdentityImpersonate | EdgeKind::PermissionDiscover => {
            &[ClusterRoleBindings, ClusterRoles, Nodes, Pods, RoleBindings, Roles, ServiceAccounts]
        }
        EdgeKind::PodCreate => &[ClusterRoleBindings, ClusterRoles, Namespaces, Nodes, Pods, RoleBindings, Roles],
        EdgeKind::PodExec | EdgeKind::PodPatch => {
            &[ClusterRoleBindings, ClusterRoles, Nodes, Pods, RoleBindings, Roles, Version]
        }
        EdgeKind::RoleBind => &[ClusterRoleBindings, ClusterRoles, RoleBindings, Roles],
        EdgeKind::TokenBruteforce | EdgeKind::TokenList => {
            &[ClusterRoleBindings, ClusterRoles, Pods, RoleBindings, Roles, Secrets, ServiceAccounts]
        }
    }
}

/// A list, and the statement that reads it.
fn statement(input: Input, with_controllers: bool) -> String {
    let text = match input {
        Input::ClusterRoleBindings => {
            "SELECT cluster, NULL AS namespace, name, role_kind, role_name, subject_kind, subject_name, subject_namespace
             FROM kubernetes_cluster_role_binding_subjects"
        }
        Input::RoleBindings => {
            "SELECT cluster, namespace, name, role_kind, role_name, subject_kind, subject_name, subject_namespace
             FROM kubernetes_role_binding_subjects"
        }
        Input::ClusterRoles => {
            "SELECT cluster, NULL AS namespace, name, verbs, api_groups, resources, resource_names
             FROM kubernetes_cluster_role_policy_rules"
        }
        Input::Roles => {
            "SELECT cluster, namespace, name, verbs, api_groups, resources, resource_names
             FROM kubernetes_role_policy_rules"
        }
        Input::Containers => {
            "SELECT cluster, namespace, pod_name, name, container_type, status, privileged, capabilities_add,
             capabilities_drop, run_as_user, run_as_non_root, allow_privilege_escalation, app_armor_profile_type,
             volume_mounts, ports FROM kubernetes_pod_containers"
        }
        Input::EndpointSlices => "kubernetes_endpointslices",
        Input::Namespaces => {
            "SELECT cluster, name, labels['pod-security.kubernetes.io/enforce'] AS enforce FROM kubernetes_namespaces"
        }
        Input::Nodes => "SELECT cluster, name, node_roles FROM kubernetes_nodes",
        Input::Pods if with_controllers => {
            "SELECT cluster, namespace, name, uid, kubelet_uid, node_name, phase, service_account_name,
             automount_service_account_token, host_pid, share_process_namespace, run_as_user, owner_kind, owner_name,
             top_controller_kind, top_controller_name FROM kubernetes_pods"
        }
        Input::Pods => {
            "SELECT cluster, namespace, name, uid, kubelet_uid, node_name, phase, service_account_name,
             automount_service_account_token, host_pid, share_process_namespace, run_as_user, owner_kind, owner_name,
             NULL AS top_controller_kind, NULL AS top_controller_name FROM kubernetes_pods"
        }
        Input::Secrets => {
            "SELECT cluster, namespace, name, service_account_name FROM kubernetes_secrets
             WHERE type = 'kubernetes.io/service-account-token'"
        }
        Input::ServiceAccounts => {
            "SELECT cluster, namespace, name, automount_service_account_token FROM kubernetes_service_accounts"
        }
        Input::Version => "SELECT cluster, major, minor FROM kubernetes_info",
        Input::Volumes => {
            "SELECT cluster, namespace, pod_name, name, volume_type, host_path_path, secret_name, projected_sources
             FROM kubernetes_pod_volumes"
        }
    };
    text.to_owned()
}

/// The condition for the wanted clusters.
fn of_clusters(clusters: Option<&[String]>) -> Option<String> {
    let quoted = clusters?.iter().map(|cluster| format!("'{}'", cluster.replace('\'', "''")));
    Some(format!("cluster IN ({})", quoted.collect::<Vec<_>>().join(", ")))
}

/// The rows of a list, or why it could not be read.
struct List {
    input: Input,
    batches: Vec<RecordBatch>,
    warnings: Vec<Warning>,
    failure: Option<String>,
}

/// Reads the objects of clusters.
pub(super) async fn read(tables: Tables<'_>, wanted: &Wanted) -> Result<World> {
    let mut needed: BTreeSet<Input> = BTreeSet::new();
    for kind in EdgeKind::ALL.iter().filter(|kind| wanted.kinds.has(**kind)) {
        needed.extend(inputs(*kind));
    }
    let lists = try_join_all(needed.into_iter().map(|input| list(tables, input, wanted))).await?;
    let mut world = Making::default();
    for list in &lists {
        for batch in &list.batches {
            world.add(list.input, batch)?;
        }
    }
    let found = lists.iter().flat_map(|list| list.batches.iter().map(RecordBatch::get_array_memory_size)).sum();
    let mut world = World { clusters: world.finish(), warnings: Vec::new(), bytes: found };
    let has_files_only = world.clusters.iter().all(|cluster| cluster.is_manifests);
    for list in lists {
        // Manifests have no server whose version could be missing.
        if list.input == Input::Version && has_files_only {
            continue;
        }
        for cluster in &mut world.clusters {
            let concerns = |warning: &&Warning| !warning.is_note() && is_about(&warning.origin, &cluster.name);
            let why = list.warnings.iter().find(concerns).map(|warning| warning.message.clone());
            if let Some(why) = list.failure.clone().or(why) {
                cluster.unread.insert(list.input, why);
            }
        }
        world.warnings.extend(list.warnings);
        world.warnings.extend(list.failure.map(|message| Warning {
            table: super::EDGES.to_owned(),
            origin: list.input.name().to_owned(),
            outcome: Outcome::Unsupported,
            message,
            needs: None,
            count: 1,
            lines: None,
        }));
    }
    Ok(world)
}

/// Whether a warning with this origin is about a cluster.
fn is_about(origin: &str, cluster: &str) -> bool {
    let rest = origin.strip_prefix("cluster=").unwrap_or(origin).strip_prefix(cluster);
    origin.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',', ':']))
}

/// Reads one list. A list without which the graph is only less exact does not fail.
async fn list(tables: Tables<'_>, input: Input, wanted: &Wanted) -> Result<List> {
    let mut list = List { input, batches: Vec::new(), warnings: Vec::new(), failure: None };
    let clusters = of_clusters(wanted.clusters.as_deref());
    let discovered = match input {
        Input::EndpointSlices => Some("kubernetes_endpointslices"),
        // Roles that have no rules yet have no row in the tables of rules. Those tables can have a past.
        Input::ClusterRoles if wanted.as_of.is_none() => Some("kubernetes_clusterroles"),
        Input::Roles if wanted.as_of.is_none() => Some("kubernetes_roles"),
        _ => None,
    };
    if let Some(name) = discovered {
        if let Ok(Some(table)) = tables.engine.find_table(name).await {
            let has = |column: &&str| table.spec().columns.iter().any(|known| known.name == **column);
            let columns: Vec<&str> =
                ["cluster", "namespace", "name", "labels", "rules", "aggregation_rule", "endpoints", "ports", "object"]
                    .into_iter()
                    .filter(|column| has(column))
                    .collect();
            let conditions = clusters.iter().map(|clusters| format!(" WHERE {clusters}"));
            let statement = format!("SELECT {} FROM {name}{}", columns.join(", "), conditions.collect::<String>());
            if run(tables, &statement, wanted, &mut list).await.is_ok() {
                return Ok(list);
            }
            (list.batches, list.warnings) = (Vec::new(), Vec::new());
        }
        if input == Input::EndpointSlices {
            return Ok(list);
        }
    }
    let mut statement = statement(input, wanted.kinds.has(EdgeKind::PodPatch));
    if let Some(clusters) = clusters {
        let word = if statement.contains("WHERE") { "AND" } else { "WHERE" };
        statement = format!("{statement} {word} {clusters}");
    }
    let is_optional = matches!(input, Input::Namespaces | Input::Secrets | Input::Version);
    match run(tables, &statement, wanted, &mut list).await {
        Err(Error::Io { message, .. }) if is_optional => list.failure = Some(message),
        result => result?,
    }
    Ok(list)
}

async fn run(tables: Tables<'_>, statement: &str, wanted: &Wanted, list: &mut List) -> Result<()> {
    let what = list.input.name();
    let failed = |error: indago_engine::Error| Error::Io { what: what.to_owned(), message: error.to_string() };
    let options = QueryOptions { as_of: wanted.as_of, calls: Some(tables.calls.clone()), ..QueryOptions::default() };
    let query = tables.engine.query_with(statement, options).await.map_err(failed)?;
    list.batches = query.collect().await.map_err(failed)?;
    list.warnings.extend(query.warnings());
    Ok(())
}

/// Identifies a role: its namespace, if it has one, and its name.
type RoleKey = (Option<String>, String);
/// Identifies a pod: namespace and name.
type PodKey = (String, String);

/// A cluster while its lists are read, in any order.
#[derive(Debug, Default)]
struct Draft {
    cluster: Cluster,
    roles: BTreeMap<RoleKey, Role>,
    bindings: BTreeMap<RoleKey, Binding>,
    containers: BTreeMap<PodKey, Vec<Container>>,
    volumes: BTreeMap<PodKey, Vec<Volume>>,
    /// The user ID of pods, which their containers inherit.
    users: BTreeMap<PodKey, i64>,
}

#[derive(Debug, Default)]
struct Making(BTreeMap<String, Draft>);

impl Making {
    fn draft(&mut self, cluster: &str) -> &mut Draft {
        if !self.0.contains_key(cluster) {
            let mut draft = Draft::default();
            draft.cluster.name = Arc::from(cluster);
            draft.cluster.is_manifests = cluster.starts_with(MANIFESTS);
            self.0.insert(cluster.to_owned(), draft);
        }
        self.0.get_mut(cluster).expect("it was just added")
    }

    fn add(&mut self, input: Input, batch: &RecordBatch) -> Result<()> {
        let clusters = Texts::of(batch, "cluster")?;
        let text = |name: &str| Texts::of(batch, name);
        let rows = 0..batch.num_rows();
        match input {
            Input::Nodes => {
                let (names, roles) = (text("name")?, TextLists::of(batch, "node_roles")?);
                for row in rows {
                    let is_control = |role: &String| ["control-plane", "master"].contains(&role.as_str());
                    let is_control_plane = roles.get(row).iter().any(is_control);
                    let node = Node { name: names.text(row), is_control_plane };
                    self.draft(&clusters.text(row)).cluster.nodes.push(node);
                }
            }
            Input::Namespaces => {
                let (names, enforce) = (text("name")?, text("enforce")?);
                for row in rows {
                    let enforce = enforce.get(row).map(str::to_owned);
                    let namespace = Namespace { name: names.text(row), enforce };
                    self.draft(&clusters.text(row)).cluster.namespaces.push(namespace);
                }
            }
            Input::ServiceAccounts => {
                let (namespaces, names) = (text("namespace")?, text("name")?);
                let automount = Flags::of(batch, "automount_service_account_token")?;
                for row in rows {
                    let (namespace, name) = (namespaces.text(row), names.text(row));
                    let account = Account { namespace, name, automount: automount.get(row) };
                    self.draft(&clusters.text(row)).cluster.accounts.push(account);
                }
            }
            Input::Secrets => {
                let (namespaces, names, accounts) = (text("namespace")?, text("name")?, text("service_account_name")?);
                for row in rows {
                    let (namespace, name, account) = (namespaces.text(row), names.text(row), accounts.text(row));
                    let secret = TokenSecret { namespace, name, account };
                    self.draft(&clusters.text(row)).cluster.tokens.push(secret);
                }
            }
            Input::Version => {
                let (majors, minors) = (text("major")?, text("minor")?);
                for row in rows {
                    let number = |texts: &Texts| {
                        let digits: String = texts.text(row).chars().take_while(char::is_ascii_digit).collect();
                        digits.parse::<u32>().ok()
                    };
                    let version = number(&majors).zip(number(&minors));
                    self.draft(&clusters.text(row)).cluster.version = version;
                }
            }
            Input::Pods => self.pods(batch, &clusters)?,
            Input::Containers => self.containers(batch, &clusters)?,
            Input::Volumes => self.volumes(batch, &clusters)?,
            Input::ClusterRoles | Input::Roles => self.roles(batch, &clusters)?,
            Input::ClusterRoleBindings | Input::RoleBindings => self.bindings(batch, &clusters)?,
            Input::EndpointSlices => self.slices(batch, &clusters)?,
        }
        Ok(())
    }

    fn pods(&mut self, batch: &RecordBatch, clusters: &Texts) -> Result<()> {
        let text = |name: &str| Texts::of(batch, name);
        let (namespaces, names, uids, kubelet_uids) =
            (text("namespace")?, text("name")?, text("uid")?, text("kubelet_uid")?);
        let (nodes, phases, accounts) = (text("node_name")?, text("phase")?, text("service_account_name")?);
        let automount = Flags::of(batch, "automount_service_account_token")?;
        let (host_pid, shares) = (Flags::of(batch, "host_pid")?, Flags::of(batch, "share_process_namespace")?);
        let users = Numbers::of(batch, "run_as_user")?;
        let (owner_kinds, owner_names) = (text("owner_kind")?, text("owner_name")?);
        let (top_kinds, top_names) = (text("top_controller_kind")?, text("top_controller_name")?);
        for row in 0..batch.num_rows() {
            let draft = self.draft(&clusters.text(row));
            let mut controllers: Vec<(String, String)> = Vec::new();
            for (kinds, names) in [(&owner_kinds, &owner_names), (&top_kinds, &top_names)] {
                let controller = kinds.get(row).zip(names.get(row));
                let controller = controller.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
                controllers.extend(controller.filter(|controller| !controllers.contains(controller)));
            }
            let kubelet_uid = kubelet_uids.text(row);
            let is_static = owner_kinds.get(row) == Some("Node") || kubelet_uid != uids.text(row);
            let account = match accounts.text(row) {
                // The API server adds it when the pod is created.
                account if account.is_empty() && draft.cluster.is_manifests && !is_static => "default".to_owned(),
                account => account,
            };
            let pod = Pod {
                namespace: namespaces.text(row),
                name: names.text(row),
                kubelet_uid,
                node: nodes.text(row),
                phase: phases.text(row),
                account,
                automount: automount.get(row),
                host_pid: host_pid.get(row) == Some(true),
                shares_processes: shares.get(row) == Some(true),
                is_static,
                controllers,
                containers: Vec::new(),
                volumes: Vec::new(),
            };
            if let Some(user) = users.get(row) {
                draft.users.insert((pod.namespace.clone(), pod.name.clone()), user);
            }
            draft.cluster.pods.push(pod);
        }
        Ok(())
    }

    fn containers(&mut self, batch: &RecordBatch, clusters: &Texts) -> Result<()> {
        let text = |name: &str| Texts::of(batch, name);
        let (namespaces, pods, names) = (text("namespace")?, text("pod_name")?, text("name")?);
        let (kinds, statuses, profiles) = (text("container_type")?, text("status")?, text("app_armor_profile_type")?);
        let (added, dropped) = (TextLists::of(batch, "capabilities_add")?, TextLists::of(batch, "capabilities_drop")?);
        let users = Numbers::of(batch, "run_as_user")?;
        let (privileged, non_root) = (Flags::of(batch, "privileged")?, Flags::of(batch, "run_as_non_root")?);
        let escalates = Flags::of(batch, "allow_privilege_escalation")?;
        let (mounts, ports) = (text("volume_mounts")?, text("ports")?);
        for row in 0..batch.num_rows() {
            let kind = match kinds.get(row) {
                Some("init") => ContainerKind::Init,
                Some("ephemeral") => ContainerKind::Ephemeral,
                _ => ContainerKind::Regular,
            };
            let container = Container {
                name: names.text(row),
                kind,
                is_running: statuses.get(row) == Some("running"),
                privileged: privileged.get(row) == Some(true),
                added: added.get(row),
                dropped: dropped.get(row),
                own_user: users.get(row),
                user: users.get(row),
                non_root: non_root.get(row) == Some(true),
                escalates: escalates.get(row),
                apparmor: profiles.get(row).map(str::to_owned),
                mounts: list_of(&mounts.json(row)).map(mount).collect(),
                ports: list_of(&ports.json(row)).filter_map(port).collect(),
            };
            let pod = (namespaces.text(row), pods.text(row));
            self.draft(&clusters.text(row)).containers.entry(pod).or_default().push(container);
        }
        Ok(())
    }

    fn volumes(&mut self, batch: &RecordBatch, clusters: &Texts) -> Result<()> {
        let text = |name: &str| Texts::of(batch, name);
        let (namespaces, pods, names) = (text("namespace")?, text("pod_name")?, text("name")?);
        let (kinds, paths) = (text("volume_type")?, text("host_path_path")?);
        let (secrets, projected) = (text("secret_name")?, text("projected_sources")?);
        for row in 0..batch.num_rows() {
            let source = match kinds.get(row) {
                Some("hostPath") => Source::HostPath(paths.text(row)),
                Some("secret") => Source::Secret(secrets.text(row)),
                Some("projected") => Source::Projected { has_token: has_token(&projected.json(row)) },
                _ => Source::Other,
            };
            let pod = (namespaces.text(row), pods.text(row));
            let volume = Volume { name: names.text(row), source };
            self.draft(&clusters.text(row)).volumes.entry(pod).or_default().push(volume);
        }
        Ok(())
    }

    fn roles(&mut self, batch: &RecordBatch, clusters: &Texts) -> Result<()> {
        let has = |name: &str| batch.column_by_name(name).is_some();
        let names = Texts::of(batch, "name")?;
        let namespaces = if has("namespace") { Some(Texts::of(batch, "namespace")?) } else { None };
        let namespace = |row: usize| namespaces.as_ref().and_then(|texts| texts.get(row)).map(str::to_owned);
        if has("verbs") {
            let lists = |name: &str| TextLists::of(batch, name);
            let (verbs, groups) = (lists("verbs")?, lists("api_groups")?);
            let (resources, limits) = (lists("resources")?, lists("resource_names")?);
            for row in 0..batch.num_rows() {
                let key = (namespace(row), names.text(row));
                let rule = Rule {
                    verbs: verbs.get(row),
                    groups: groups.get(row),
                    resources: resources.get(row),
                    names: limits.get(row),
                };
                let role = self.draft(&clusters.text(row)).roles.entry(key.clone()).or_default();
                (role.namespace, role.name) = key;
                role.rules.push(rule);
            }
            return Ok(());
        }
        let optional = |name: &str| if has(name) { Texts::of(batch, name).map(Some) } else { Ok(None) };
        let (rules, aggregation, objects) = (optional("rules")?, optional("aggregation_rule")?, optional("object")?);
        let labels = TextMaps::of(batch, "labels");
        for row in 0..batch.num_rows() {
            let object = objects.as_ref().map(|objects| objects.json(row)).unwrap_or_default();
            let part = |texts: &Option<Texts>, name: &str| match texts.as_ref().map(|texts| texts.json(row)) {
                Some(part) if !part.is_null() => part,
                _ => object[name].clone(),
            };
            let aggregation = part(&aggregation, "aggregationRule");
            let role = Role {
                namespace: namespace(row),
                name: names.text(row),
                labels: labels.get(row),
                rules: list_of(&part(&rules, "rules")).map(rule).collect(),
                aggregates: list_of(&aggregation["clusterRoleSelectors"]).map(selector).collect(),
            };
            let key = (role.namespace.clone(), role.name.clone());
            self.draft(&clusters.text(row)).roles.insert(key, role);
        }
        Ok(())
    }

    fn bindings(&mut self, batch: &RecordBatch, clusters: &Texts) -> Result<()> {
        let text = |name: &str| Texts::of(batch, name);
        let (namespaces, names) = (text("namespace")?, text("name")?);
        let (role_kinds, roles) = (text("role_kind")?, text("role_name")?);
        let (kinds, subjects, places) = (text("subject_kind")?, text("subject_name")?, text("subject_namespace")?);
        for row in 0..batch.num_rows() {
            let key = (namespaces.get(row).map(str::to_owned), names.text(row));
            let binding = self.draft(&clusters.text(row)).bindings.entry(key.clone()).or_default();
            (binding.namespace, binding.name) = key;
            (binding.role_kind, binding.role) = (role_kinds.text(row), roles.text(row));
            let subject = Subject { kind: kinds.text(row), namespace: places.text(row), name: subjects.text(row) };
            binding.subjects.push(subject);
        }
        Ok(())
    }

    fn slices(&mut self, batch: &RecordBatch, clusters: &Texts) -> Result<()> {
        let optional = |name: &str| match batch.column_by_name(name) {
            Some(_) => Texts::of(batch, name).map(Some),
            None => Ok(None),
        };
        let (namespaces, names) = (Texts::of(batch, "namespace")?, Texts::of(batch, "name")?);
        let (endpoints, ports, objects) = (optional("endpoints")?, optional("ports")?, optional("object")?);
        for row in 0..batch.num_rows() {
            let object = objects.as_ref().map(|objects| objects.json(row)).unwrap_or_default();
            let part = |texts: &Option<Texts>, name: &str| match texts.as_ref().map(|texts| texts.json(row)) {
                Some(part) if !part.is_null() => part,
                _ => object[name].clone(),
            };
            let (endpoints, ports) = (part(&endpoints, "endpoints"), part(&ports, "ports"));
            let draft = self.draft(&clusters.text(row));
            for endpoint in list_of(&endpoints) {
                let target = &endpoint["targetRef"];
                let Some(pod) = target["name"].as_str().filter(|_| target["kind"] == "Pod") else { continue };
                for port in list_of(&ports) {
                    let Some(number) = port["port"].as_u64().and_then(|number| u16::try_from(number).ok()) else {
                        continue;
                    };
                    draft.cluster.endpoints.push(Endpoint {
                        namespace: namespaces.text(row),
                        slice: names.text(row),
                        pod: pod.to_owned(),
                        port: number,
                        protocol: port["protocol"].as_str().unwrap_or("TCP").to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Vec<Cluster> {
        let finish = |mut draft: Draft| {
            for pod in &mut draft.cluster.pods {
                let key = (pod.namespace.clone(), pod.name.clone());
                pod.containers = draft.containers.remove(&key).unwrap_or_default();
                pod.volumes = draft.volumes.remove(&key).unwrap_or_default();
                // The table has the effective user. One that equals the pod's is taken for inherited.
                if let Some(user) = draft.users.get(&key) {
                    for container in pod.containers.iter_mut().filter(|container| container.user == Some(*user)) {
                        container.own_user = None;
                    }
                }
            }
            draft.cluster.roles = draft.roles.into_values().collect();
            draft.cluster.bindings = draft.bindings.into_values().collect();
            draft.cluster
        };
        self.0.into_values().map(finish).collect()
    }
}

/// The elements of a list in JSON.
fn list_of(document: &Document) -> impl Iterator<Item = &Document> {
    document.as_array().into_iter().flatten()
}

fn text_of(document: &Document) -> String {
    document.as_str().unwrap_or_default().to_owned()
}

fn texts_of(document: &Document) -> Vec<String> {
    list_of(document).map(text_of).collect()
}

fn rule(document: &Document) -> Rule {
    Rule {
        verbs: texts_of(&document["verbs"]),
        groups: texts_of(&document["apiGroups"]),
        resources: texts_of(&document["resources"]),
        names: texts_of(&document["resourceNames"]),
    }
}

fn selector(document: &Document) -> Selector {
    let labels = document["matchLabels"].as_object().into_iter().flatten().map(|(key, value)| Requirement {
        key: key.clone(),
        operator: "In".to_owned(),
        values: vec![text_of(value)],
    });
    let expressions = list_of(&document["matchExpressions"]).map(|expression| Requirement {
        key: text_of(&expression["key"]),
        operator: text_of(&expression["operator"]),
        values: texts_of(&expression["values"]),
    });
    labels.chain(expressions).collect()
}

fn mount(document: &Document) -> Mount {
    Mount {
        volume: text_of(&document["name"]),
        path: text_of(&document["mountPath"]),
        sub_path: text_of(&document["subPath"]),
        read_only: document["readOnly"] == true,
    }
}

fn port(document: &Document) -> Option<Port> {
    let number = |name: &str| document[name].as_u64().and_then(|number| u16::try_from(number).ok());
    Some(Port {
        number: number("containerPort")?,
        protocol: document["protocol"].as_str().unwrap_or("TCP").to_owned(),
        host: number("hostPort"),
    })
}

/// Whether a projected volume has a token for the API server: one without an audience, or with one that names Kubernetes.
fn has_token(sources: &Document) -> bool {
    let is_for_api = |audience: &Document| audience.as_str().is_none_or(|audience| audience.contains("kubernetes"));
    list_of(sources).any(|source| {
        let token = &source["serviceAccountToken"];
        token.is_object() && is_for_api(&token["audience"])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_about_the_cluster_of_its_origin() {
        for (origin, expected) in [
            ("", true),
            ("cluster=prod", true),
            ("cluster=prod GET /api/v1/pods", true),
            ("cluster=prod, namespace=a", true),
            ("cluster=prod-2 GET /api/v1/pods", false),
            ("/etc/kubeconfig", false),
            ("prod: GET", true),
        ] {
            assert_eq!(is_about(origin, "prod"), expected, "{origin}");
        }
    }

    #[test]
    fn tokens_for_other_audiences_are_not_tokens_of_the_api() {
        let sources = |audience: &str| -> Document {
            serde_json::from_str(&format!(
                r#"[{{"configMap":{{}}}},{{"serviceAccountToken":{{"path":"t"{audience}}}}}]"#
            ))
            .expect("JSON")
        };
        assert!(has_token(&sources("")));
        assert!(has_token(&sources(r#","audience":"https://kubernetes.default.svc""#)));
        assert!(!has_token(&sources(r#","audience":"sts.amazonaws.com""#)));
        assert!(!has_token(&Document::Null));
    }

    #[test]
    fn each_kind_of_edge_has_its_lists() {
        for kind in EdgeKind::ALL {
            let inputs = inputs(*kind);
            assert!(inputs.is_sorted() && !inputs.is_empty(), "{kind}");
            for input in inputs {
                assert!(statement(*input, true).contains("kubernetes_"), "{kind}");
            }
        }
    }
}
