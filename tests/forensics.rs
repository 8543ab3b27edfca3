//! The eight forensic queries on the live estate: a real cluster, two AWS accounts, git, this machine's processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use indago_testkit::beds::Estate;
use serde_json::Value;

use crate::cli::indago;
use crate::support::{kubernetes_guide, root, sql_blocks};

/// A query's rows; it must have no warnings.
fn ask(estate: &Estate, file: &Path) -> Vec<Value> {
    let path = file.display().to_string();
    let (rows, errors) = run(estate, &["query", "--strict", "-f", &path]);
    let rows = rows.unwrap_or_else(|| panic!("{path}: {errors}"));
    assert!(errors.is_empty(), "{path}: {errors}");
    assert!(!rows.is_empty(), "{path} has no rows");
    rows
}

/// The rows of a command that succeeded, and what it printed to standard error.
fn run(estate: &Estate, arguments: &[&str]) -> (Option<Vec<Value>>, String) {
    let program = indago();
    let mut command = estate.command(program.get_program());
    command.args(arguments).args(["--format", "ndjson"]).stdin(Stdio::null());
    let output = command.output().expect("the estate runs programs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = std::str::from_utf8(&output.stdout).expect("rows are UTF-8");
    let rows = text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    (output.status.success().then_some(rows), errors)
}

/// The forensic queries, in order.
fn queries() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("queries/forensics")).expect("the queries").flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    files
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_else(|| panic!("no text {column} in {row}"))
}

/// The distinct texts of a column.
fn texts<'a>(rows: &'a [Value], column: &str) -> BTreeSet<&'a str> {
    rows.iter().map(|row| text(row, column)).collect()
}

#[test]
fn each_query_shows_its_part_of_the_trail() {
    let estate = Estate::start().expect("the estate");
    let answers: Vec<Vec<Value>> = queries().iter().map(|file| ask(&estate, file)).collect();
    let [shells, trail, reach, bindings, nodes, roles, commits, blast] = answers.as_slice() else {
        panic!("eight queries, not {}", answers.len())
    };

    // A shell in a web container, connected to the intruder.
    assert_eq!(texts(shells, "namespace"), ["shop"].into());
    assert!(
        shells.iter().any(|row| row["talks_to"] == "203.0.113.66:4444" && row["cmdline"] == "/bin/sh"),
        "{shells:?}"
    );
    let pods = texts(shells, "pod");
    assert!(pods.len() == 1 && pods.iter().all(|pod| pod.starts_with("storefront-")), "{pods:?}");

    // From these processes to their permissions, their nodes and the commits of their images.
    let pids = |rows: &[Value]| rows.iter().map(|row| row["pid"].as_i64()).collect::<BTreeSet<_>>();
    assert_eq!(pids(trail), pids(shells));
    for (column, expected) in [
        ("service_account", "storefront"),
        ("cluster_role", "probe-operator"),
        ("node_role", "acme-node"),
        ("committer", "root@build-7.local"),
    ] {
        assert_eq!(texts(trail, column), [expected].into(), "{column}");
    }
    let may = text(&trail[0], "may");
    assert!(may.contains("secrets") && may.contains("escalate|bind"), "{may}");

    // Its pods read secrets, start pods and bind roles; the intruder's binding allows this.
    assert!(reach.iter().any(|row| row["resources"] == "secrets" && row["verbs"] == "get, list"), "{reach:?}");
    assert_eq!((texts(reach, "binding"), texts(reach, "namespace")), (["storefront-probe"].into(), ["shop"].into()));
    assert_eq!(texts(bindings, "binding"), ["storefront-probe"].into());
    assert_eq!(text(&bindings[0], "revision"), text(&trail[0], "built_from"));

    // The node is an instance whose role may pass an administrator role.
    assert_eq!((nodes.len(), text(&nodes[0], "role")), (1, "acme-node"));
    assert_eq!(text(&nodes[0], "instance_id"), text(&trail[0], "node_instance"));
    assert!(nodes[0]["pods"].as_i64() >= Some(13), "{nodes:?}");
    let passable = |row: &Value| row["role"] == "acme-node" && row["passable_role"] == "acme-break-glass";
    assert!(roles.iter().any(passable), "{roles:?}");
    assert!(texts(roles, "passable_policies").contains("arn:aws:iam::aws:policy/AdministratorAccess"), "{roles:?}");

    // The commit that planted it, under its author's name.
    let planted = |row: &Value| {
        row["path"] == "bin/probe" && row["status"] == "added" && row["committer"] == "root@build-7.local"
    };
    assert!(commits.iter().any(planted), "{commits:?}");
    assert_eq!(texts(commits, "commit"), texts(trail, "built_from"));
    assert_eq!(texts(commits, "workload"), ["shop/storefront"].into());

    // The links of the guide to AWS, containers and git.
    let links = kubernetes_guide(false);
    assert_eq!(links.len(), 5);
    for link in links {
        let (rows, errors) = run(&estate, &["query", "--strict", &link]);
        assert!(rows.is_some_and(|rows| !rows.is_empty()), "{link}: {errors}");
    }

    // Related findings.
    let steps: BTreeSet<_> = blast.iter().filter_map(|row| row["step"].as_i64()).collect();
    assert_eq!(steps, [1, 2, 3, 4].into(), "{blast:?}");
    assert!(blast.iter().any(|row| text(row, "what").starts_with("bastion")), "{blast:?}");
}

/// Tables without rows that join in the estate: it has no jobs, no Docker, no audit log, and a host without keys and
/// logins.
const WITHOUT_ROWS: &[&str] = &[
    "authorized_keys",
    "docker_containers",
    "kubernetes_audit_events",
    "kubernetes_cron_jobs",
    "kubernetes_jobs",
    "logged_in_users",
    "user_ssh_keys",
];

/// Each declared join has rows.
fn joins_have_rows(estate: &Estate, folder: &Path) {
    use indago_tables_registry::links::{MENTIONS, Mention, Relation};
    let rows = |mention: &Mention| {
        // `writer` is a column of recorded tables only.
        let value = |column: &&str| if *column == "writer" { "NULL".to_owned() } else { (*column).to_owned() };
        let columns = mention.columns.iter().enumerate().map(|(at, column)| format!("{} AS v{at}", value(column)));
        let when = if mention.when.is_empty() { String::new() } else { format!(" WHERE {}", mention.when) };
        format!("(SELECT {} FROM {}{when})", columns.collect::<Vec<_>>().join(", "), mention.table)
    };
    let mut statements = Vec::new();
    for (number, mention) in MENTIONS.iter().enumerate() {
        let is_home =
            |home: &&Mention| home.kind == mention.kind && home.relation == Relation::Is && home.table != mention.table;
        for home in MENTIONS.iter().filter(is_home) {
            let is_value =
                |at: &usize| [mention, home].iter().all(|side| !["NULL", "writer"].contains(&side.columns[*at]));
            let on = (0..mention.columns.len()).filter(is_value).map(|at| format!("a.v{at} = b.v{at}"));
            let on = on.collect::<Vec<_>>().join(" AND ");
            let (left, right) = (rows(mention), rows(home));
            statements
                .push(format!("SELECT {number} AS link, count(*) AS n FROM {left} AS a JOIN {right} AS b ON {on}"));
        }
    }
    let file = folder.join("joins.sql");
    fs::write(&file, statements.join(";\n")).expect("written");
    let (counts, errors) = run(estate, &["query", "-f", &file.display().to_string()]);
    let counts = counts.unwrap_or_else(|| panic!("{errors}"));
    assert_eq!(counts.len(), statements.len());
    let with_home: BTreeSet<u64> = counts.iter().filter_map(|row| row["link"].as_u64()).collect();
    let joined: BTreeSet<u64> =
        counts.iter().filter(|row| row["n"] != 0).filter_map(|row| row["link"].as_u64()).collect();
    let missing = with_home.difference(&joined).map(|number| &MENTIONS[*number as usize]);
    // Workloads of different kinds do not all join: a deployment does not control a stateful set.
    let missing = missing.filter(|mention| mention.kind != "workload" || mention.relation != Relation::Is);
    let missing: Vec<&Mention> = missing.filter(|mention| !WITHOUT_ROWS.contains(&mention.table)).collect();
    let expected = |mention: &&Mention| {
        // The estate binds no cluster role in a namespace.
        (mention.kind, mention.table) == ("cluster_role", "kubernetes_role_binding_subjects")
    };
    assert!(missing.iter().all(expected), "{missing:?}");
}

/// The tables of the forensic queries and of the trail.
const RECORDED: &str = r#"
[recording.state]
every = "10s"
tables = ["processes", "container_processes", "containers", "process_open_sockets", "kubernetes_pods",
    "kubernetes_pod_containers", "kubernetes_nodes", "kubernetes_events", "kubernetes_service_accounts",
    "kubernetes_replica_sets", "kubernetes_deployments", "kubernetes_cluster_role_binding_subjects",
    "kubernetes_role_binding_subjects", "kubernetes_cluster_role_policy_rules", "kubernetes_role_policy_rules"]
[recording.accounts]
every = "10s"
tables = ["aws_account", "aws_ec2_instance", "aws_iam_instance_profile", "aws_iam_role", "git_commits",
    "git_commit_files"]
"#;

/// A recorder of the estate; dropping it stops it.
struct Recorder(Child);

impl Recorder {
    fn start(estate: &Estate) -> Recorder {
        let program = indago();
        let mut command = estate.command(program.get_program());
        command.args(["record"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        Recorder(command.spawn().expect("the recorder starts"))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // It runs in place of the programs that started it.
        Command::new("kill").arg(self.0.id().to_string()).status().expect("kill runs");
        self.0.wait().expect("it ends");
    }
}

/// Waits until a query has a row that is true.
fn until(estate: &Estate, sql: &str) {
    let end = Instant::now() + Duration::from_secs(240);
    loop {
        let (rows, errors) = run(estate, &["query", sql]);
        let is_true =
            |row: &Value| row.as_object().is_some_and(|row| row.values().all(|value| *value == 1 || *value == true));
        if rows.as_ref().is_some_and(|rows| rows.first().is_some_and(is_true)) {
            return;
        }
        assert!(Instant::now() < end, "{sql}: {rows:?} {errors}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Waits until all tables were read after now, and returns a time after that.
fn read_again(estate: &Estate) -> String {
    let began = now();
    until(
        estate,
        &format!(
            "SELECT count(*) = 21 FROM (SELECT table_name FROM coverage \
             WHERE gap IS NULL OR gap LIKE '%CAP_SYS_PTRACE%' GROUP BY table_name \
             HAVING max(end_time) > TIMESTAMP '{began}')"
        ),
    );
    now()
}

fn kubectl(estate: &Estate, arguments: &[&str]) {
    let output = Command::new("kubectl").args(arguments).envs(estate.environment()).output().expect("kubectl runs");
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The intruder's pod runs a shell, is deleted, its node is drained, its role is changed back. In between, the
/// cluster cannot be read for a time, and the recorder is restarted.
#[test]
fn an_incident_is_as_it_was() {
    let estate = Estate::start().expect("the estate");
    let config = estate.command("sh").args(["-c", "echo $INDAGO_CONFIG"]).output().expect("it runs").stdout;
    let config = PathBuf::from(String::from_utf8(config).expect("UTF-8").trim());
    let folder = config.parent().expect("a directory").to_owned();
    let settings = fs::read_to_string(&config).expect("there");
    fs::write(&config, format!("{settings}[record]\ndir = \"recorded\"\nwriter = \"estate\"\n{RECORDED}"))
        .expect("written");

    joins_have_rows(&estate, &folder);
    let recorder = Recorder::start(&estate);
    read_again(&estate);
    let live: Vec<Vec<Value>> = queries().iter().map(|file| ask(&estate, file)).collect();
    let incident = read_again(&estate);
    // A time counts as recorded if there are readings before and after it.
    read_again(&estate);
    let (pods, _) = run(&estate, &["query", &fs::read_to_string(&queries()[0]).expect("there")]);
    let pod = text(&pods.expect("rows")[0], "pod").to_owned();
    let sql = format!("SELECT uid, node_name FROM kubernetes_pods WHERE namespace = 'shop' AND name = '{pod}'");
    let (rows, errors) = run(&estate, &["query", &sql]);
    let row = rows.and_then(|rows| rows.into_iter().next()).unwrap_or_else(|| panic!("{errors}"));
    let (uid, node) = (text(&row, "uid").to_owned(), text(&row, "node_name").to_owned());

    // The cluster does not answer for a time.
    let kubeconfig = folder.join("outside.conf");
    let reachable = fs::read_to_string(&kubeconfig).expect("there");
    let mut cut: Value = serde_json::from_str(&reachable).expect("JSON");
    cut["clusters"][0]["cluster"]["server"] = Value::from("https://127.0.0.1:9");
    drop(recorder);
    fs::write(&kubeconfig, cut.to_string()).expect("written");
    let recorder = Recorder::start(&estate);
    until(&estate, "SELECT count(*) > 0 FROM coverage WHERE table_name = 'kubernetes_pods' AND gap LIKE '%refused%'");
    let outage = now();
    drop(recorder);
    fs::write(&kubeconfig, reachable).expect("written");
    let recorder = Recorder::start(&estate);
    read_again(&estate);

    kubectl(&estate, &["delete", "pod", "-n", "shop", &pod, "--wait"]);
    read_again(&estate);
    kubectl(
        &estate,
        &["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--disable-eviction"],
    );
    read_again(&estate);
    let rule = r#"{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}"#;
    let rules = &format!(r#"[{{"op": "replace", "path": "/rules", "value": [{rule}]}}]"#);
    kubectl(&estate, &["patch", "clusterrole", "probe-operator", "--type", "json", "-p", rules]);
    read_again(&estate);
    drop(recorder);

    // Now the pod is gone, and as of the incident it is as it was.
    let (rows, _) = run(&estate, &["query", "-f", &queries()[0].display().to_string()]);
    assert!(rows.expect("rows").iter().all(|row| row["pod"] != *pod));
    for (file, live) in queries().iter().zip(&live) {
        let path = file.display().to_string();
        let (then, errors) = run(&estate, &["query", "--as-of", &incident, "-f", &path]);
        assert_eq!(then.as_ref(), Some(live), "{path}: {errors}");
        // Files of the machine's first process may be closed to the recorder. Everything else was read.
        assert!(errors.lines().all(|line| line.contains("CAP_SYS_PTRACE")), "{path}: {errors}");
    }

    // The trail, in order.
    let page = folder.join("incident.html").display().to_string();
    let (trail, errors) = run(&estate, &["timeline", &uid]);
    let trail = trail.unwrap_or_else(|| panic!("{errors}"));
    let story = trail
        .iter()
        .map(|row| format!("{} {} {} {}", text(row, "at"), text(row, "kind"), text(row, "table"), text(row, "what")));
    let story: Vec<String> = story.collect();
    println!("{}", story.join("\n"));
    let at = |kind: &str, table: &str, what: &str| {
        let is_it = |row: &&Value| row["kind"] == kind && row["table"] == table && text(row, "what").contains(what);
        let row =
            trail.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {table} {what} in\n{}", story.join("\n")));
        text(row, "at").to_owned()
    };
    let steps = [
        at("event", "git_commits", "root@build-7.local"),
        at("started", "processes", "cmdline /bin/sh"),
        at("removed", "kubernetes_pods", &pod),
        at("modified", "kubernetes_nodes", "unschedulable false → true"),
        at("removed", "kubernetes_cluster_role_policy_rules", "escalate"),
    ];
    assert!(steps.is_sorted(), "{steps:?}");
    assert!(at("ended", "processes", "/bin/sh") > steps[1]);
    at("added", "process_open_sockets", "remote_address 203.0.113.66");
    at("added", "kubernetes_cluster_role_binding_subjects", "role_name probe-operator");
    at("added", "aws_iam_role", "acme-node");
    at("event", "kubernetes_events", "Killing");
    let environments: BTreeSet<&str> = texts(&trail, "environment");
    assert_eq!(environments, ["aws", "containers", "git", "host", "kubernetes"].into());
    let (none, errors) = run(&estate, &["timeline", &uid, "--html", &page]);
    assert!(none.is_some() && fs::metadata(&page).is_ok_and(|file| file.len() > 10_000), "{errors}");

    // The guide tells it with these queries.
    let guide = fs::read_to_string(root().join("docs/guide/time.md")).expect("the page");
    let (_, incident_of_guide) = guide.split_once("## An incident").expect("its section");
    let (pod_is, incident_is) = (format!("pod={uid}"), format!("incident={incident}"));
    let mut many = 0;
    for sql in sql_blocks(incident_of_guide) {
        let mut arguments = vec!["query", sql];
        for (name, value) in [("$pod", &pod_is), ("$incident", &incident_is)] {
            if sql.contains(&format!("{name})")) || sql.contains(&format!("{name} ")) {
                arguments.extend(["--param", value]);
            }
        }
        let (rows, errors) = run(&estate, &arguments);
        assert!(rows.is_some_and(|rows| !rows.is_empty()), "{sql}: {errors}");
        many += 1;
    }
    assert_eq!(many, 5);

    // The outage.
    let gaps = "SELECT DISTINCT gap FROM coverage WHERE table_name = 'kubernetes_pods' AND gap LIKE '%refused%'";
    let (rows, errors) = run(&estate, &["query", gaps]);
    assert_eq!(rows.map(|rows| rows.len()), Some(1), "{errors}");
    let (_, errors) = run(&estate, &["query", "--strict", "--as-of", &outage, "SELECT count(*) FROM kubernetes_pods"]);
    assert!(errors.contains("kubernetes_pods"), "{errors}");
}
