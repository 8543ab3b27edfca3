//! `EXPLAIN` of queries over the real tables: the constraints of each table, the lookup joins, the calls.
//!
//! EXPLAIN reads and calls nothing, so the clusters and accounts need not exist. `INSTA_UPDATE=always` writes the
//! snapshots again.

use std::fmt::Write as _;
use std::fs;

use indago_engine::{Engine, Limits};
use indago_tables_kubernetes::{Kubernetes, Settings};
use indago_tables_registry::{Aws, AwsSettings, Environments, Git, GitRoot, all};

use crate::support::{fixture_host, texts};

const KUBECONFIG: &str =
    "{contexts: [{name: east, context: {cluster: e, user: u}}, {name: west, context: {cluster: w, user: u}}],
    clusters: [{name: e, cluster: {server: 'http://127.0.0.1:1'}}, {name: w, cluster: {server: 'http://127.0.0.1:1'}}],
    users: [{name: u, user: {}}]}";

const PROFILES: &str = "[profile prod]\nregion = eu-west-1\n[profile staging]\nregion = us-east-1\n";

/// Physical plans of queries over the fixture host, two clusters, and two accounts in the given regions or their own.
fn plans(regions: &[&str], queries: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (kubeconfig, profiles) = (folder.path().join("kubeconfig"), folder.path().join("aws"));
    fs::write(&kubeconfig, KUBECONFIG).and_then(|()| fs::write(&profiles, PROFILES)).expect("there is room");
    let sys = fixture_host("plain");
    let environments = Environments {
        hosts: vec![sys.clone()],
        kubernetes: Some(Kubernetes::new(
            &indago_table::Sys::live(),
            Settings { kubeconfig: Some(kubeconfig), contexts: vec!["*".to_owned()], ..Settings::default() },
        )),
        aws: Some(Aws::new(&AwsSettings {
            profiles: vec!["prod".to_owned(), "staging".to_owned()],
            regions: regions.iter().map(ToString::to_string).collect(),
            config_file: Some(profiles),
            ..AwsSettings::default()
        })),
        git: Some(Git::with_roots(&sys, [GitRoot { path: "/srv".into(), depth: 3 }])),
        ..Environments::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let engine =
            Engine::builder().tables(all(&environments)).limits(Limits::default()).build().await.expect("an engine");
        let mut shown = String::new();
        for sql in queries {
            writeln!(shown, "{sql}\n{}", physical_plan(&engine, sql).await).expect("writing to a String does not fail");
        }
        shown
    })
}

async fn physical_plan(engine: &Engine, sql: &str) -> String {
    let query = engine.query(&format!("EXPLAIN {sql}")).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = texts(&query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}")));
    assert!(query.warnings().is_empty(), "EXPLAIN reads nothing: {:?}", query.warnings());
    let plan = rows.into_iter().find(|row| row[0] == "physical_plan").expect("a physical plan");
    // DataFusion nodes without information about constraints.
    let told = plan[1].lines().filter(|line| !line.trim_start().starts_with("CooperativeExec"));
    told.map(|line| format!("    {line}\n")).collect()
}

macro_rules! shows {
    ($($name:ident in $regions:expr => [$($sql:literal,)*];)*) => {
        $(#[test]
        fn $name() {
            let plans = plans(&$regions, &[$($sql),*]);
            insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
                insta::assert_snapshot!(concat!("explain_", stringify!($name)), plans);
            });
        })*
    };
}

shows! {
    projection in [] => [
        "SELECT pid FROM processes",
        "SELECT name FROM processes",
        "SELECT count(*) FROM processes",
        "SELECT name FROM processes WHERE uid > 0",
    ];
    pushdown in [] => [
        "SELECT name FROM processes WHERE pid = 7",
        "SELECT name FROM processes WHERE pid IN (7, 8, 7)",
        "SELECT name FROM processes WHERE pid = 7 OR pid = 8",
        "SELECT name FROM processes WHERE pid = 7 AND pid = 8",
        "SELECT name FROM processes WHERE pid = '7'",
        "SELECT name FROM processes WHERE pid = 7 AND name LIKE 'x%'",
        "SELECT name FROM processes WHERE pid <> 7",
        "SELECT name FROM processes WHERE pid = 7 OR uid = 0",
        "SELECT size FROM file WHERE path LIKE '/etc/%.conf'",
        "SELECT size FROM file WHERE path LIKE '/etc/%%.conf'",
        "SELECT size FROM file WHERE directory = '/etc' AND size > 100",
        "SELECT hash FROM git_commits WHERE committer_date >= '2026-01-01' AND committer_date < '2026-02-01'",
    ];
    required_keys in [] => [
        "SELECT md5 FROM hash WHERE path = '/etc/passwd'",
        "SELECT md5 FROM hash WHERE path IN ('/etc/passwd', '/etc/group')",
        "SELECT md5 FROM hash WHERE path IN (SELECT path FROM processes)",
        "SELECT md5 FROM hash WHERE directory = '/etc'",
    ];
    lookup_joins in [] => [
        "SELECT p.pid, h.md5 FROM processes p JOIN hash h ON h.path = p.path",
        "SELECT p.pid, h.md5 FROM hash h JOIN processes p ON h.path = p.path WHERE p.pid < 100",
        "SELECT p.pid, h.md5 FROM processes p LEFT JOIN hash h ON h.path = p.path",
        "SELECT p.pid, h.md5 FROM hash h RIGHT JOIN processes p ON h.path = p.path",
        "SELECT p.pid FROM processes p LEFT JOIN hash h ON h.path = p.path AND h.md5 > p.name",
        "SELECT pid FROM processes WHERE path IN (SELECT path FROM hash)",
        "SELECT pid FROM processes p WHERE NOT EXISTS (SELECT 1 FROM hash h WHERE h.path = p.path)",
    ];
    nested_lookup_joins in [] => [
        "WITH digests AS (SELECT path, md5 FROM hash) SELECT pid, md5 FROM processes JOIN digests USING (path)",
        "SELECT p.pid, a.md5, b.md5 FROM processes p JOIN processes q ON q.pid = p.parent \
         LEFT JOIN hash a ON a.path = p.path LEFT JOIN hash b ON b.path = q.path",
        "SELECT f.path, h.md5 FROM processes p JOIN file f ON f.directory = p.cwd JOIN hash h ON h.path = f.path",
        "SELECT d.n FROM processes p JOIN (SELECT path, count(*) AS n FROM hash GROUP BY path) d ON d.path = p.path",
    ];
    limit in [] => [
        "SELECT pid FROM processes LIMIT 3",
        "SELECT pid FROM processes WHERE name = 'x' LIMIT 3",
        "SELECT pid FROM processes ORDER BY pid LIMIT 3",
        "SELECT name FROM kubernetes_pods LIMIT 3",
    ];
    shared_readings in [] => [
        "SELECT a.name FROM processes a JOIN processes b ON b.parent = a.uid",
        "SELECT a.name FROM processes a JOIN processes b ON b.parent = a.uid WHERE a.pid = 1",
        "SELECT p.name, c.name FROM kubernetes_pods p JOIN kubernetes_pod_containers c ON c.image = p.pod_ip",
    ];
    calls_to_kubernetes in [] => [
        "SELECT name FROM kubernetes_pods",
        "SELECT name FROM kubernetes_pods WHERE cluster = 'west'",
        "SELECT name FROM kubernetes_pods WHERE cluster = 'nowhere'",
        "SELECT name FROM kubernetes_pods WHERE cluster = 'west' AND namespace = 'shop'",
        "SELECT name FROM kubernetes_pods WHERE cluster = 'west' AND namespace IN ('shop', 'back')",
        "SELECT name FROM kubernetes_pods WHERE cluster = 'west' AND phase = 'Running' AND node_name = 'a'",
        "SELECT name FROM kubernetes_pods WHERE cluster = 'west' AND label_selector = 'app=web'",
        "SELECT name FROM kubernetes_deployments WHERE cluster = 'west' AND namespace = 'shop' AND name = 'web'",
        "SELECT subject_name FROM kubernetes_cluster_role_binding_subjects WHERE cluster = 'west'",
    ];
    joins_of_kubernetes in [] => [
        "SELECT p.name FROM kubernetes_pods p JOIN kubernetes_nodes n ON n.name = p.node_name \
         WHERE p.cluster = 'west' AND n.cluster = 'west'",
        "SELECT r.verbs FROM kubernetes_cluster_role_binding_subjects b \
         JOIN kubernetes_cluster_role_policy_rules r ON r.name = b.role_name \
         WHERE b.cluster = 'west' AND r.cluster = 'west' AND b.subject_name = 'web'",
        "SELECT p.name FROM kubernetes_nodes n JOIN kubernetes_pods p ON p.node_name = n.name AND p.cluster = n.cluster \
         WHERE n.name = 'a'",
    ];
    calls_to_aws_by_default in [] => [
        "SELECT name FROM aws_iam_user",
        "SELECT name, account_id FROM aws_iam_user",
        "SELECT arn FROM aws_iam_role WHERE name IN ('web', 'node')",
        "SELECT name FROM aws_iam_role WHERE region = 'eu-west-1'",
        "SELECT instance_id FROM aws_ec2_instance",
        "SELECT instance_id FROM aws_ec2_instance WHERE account_id = '123456789012'",
        "SELECT instance_id FROM aws_ec2_instance WHERE region = 'eu-west-1'",
        "SELECT instance_id FROM aws_ec2_instance WHERE profile = 'prod'",
        "SELECT account_id FROM aws_sts_caller_identity",
    ];
    calls_to_aws_in_regions in ["eu-west-1", "us-east-1"] => [
        "SELECT instance_id FROM aws_ec2_instance",
        "SELECT instance_id FROM aws_ec2_instance WHERE region = 'us-east-1'",
        "SELECT instance_id FROM aws_ec2_instance WHERE region = 'ap-south-1'",
        "SELECT instance_id FROM aws_ec2_instance WHERE region <> 'us-east-1'",
        "SELECT instance_id FROM aws_ec2_instance WHERE instance_id = 'i-1' AND region = 'us-east-1' LIMIT 5",
        "SELECT group_id FROM aws_vpc_security_group_rule WHERE region = 'us-east-1' AND group_id = 'sg-1'",
    ];
    calls_to_aws_in_all_regions in ["*"] => [
        "SELECT instance_id FROM aws_ec2_instance",
        "SELECT instance_id FROM aws_ec2_instance WHERE region = 'us-east-1'",
        "SELECT name FROM aws_iam_user",
    ];
    joins_of_aws in ["us-east-1"] => [
        "SELECT i.instance_id, r.name FROM aws_ec2_instance i \
         LEFT JOIN aws_iam_instance_profile p ON p.arn = i.iam_instance_profile_arn \
         LEFT JOIN aws_iam_role r ON r.arn = p.role_arn",
        "SELECT r.name FROM aws_iam_instance_profile p JOIN aws_iam_role r ON r.arn = p.role_arn WHERE p.arn = 'arn:x'",
    ];
}
