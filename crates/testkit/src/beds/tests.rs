//! Starts every bed. A bed that cannot start fails its test.

use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;
use crate::install;

fn curl(args: &[&str]) -> (String, String) {
    let output =
        Command::new("curl").args(["-s", "-m", "20", "-w", "\n%{http_code}"]).args(args).output().expect("curl runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, code) = text.rsplit_once('\n').expect("curl writes the status last");
    (body.to_owned(), code.to_owned())
}

fn within<T>(seconds: u64, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn kube_api_answers_and_refuses() {
    let api = KubeApi::start().expect("the API server starts");
    let get = |user: &str, path: &str| {
        let (url, token) = (format!("{}{path}", api.url()), format!("Authorization: Bearer {}", api.token(user)));
        curl(&["--cacert", &api.ca().display().to_string(), "-H", &token, &url]).1
    };
    assert_eq!(get("admin", "/api/v1/secrets"), "200");
    assert_eq!(get("viewer", "/api/v1/pods"), "200");
    assert_eq!(get("viewer", "/api/v1/secrets"), "403");
    assert_eq!(get("viewer", "/apis/rbac.authorization.k8s.io/v1/clusterroles"), "403");
    assert_eq!(get("auditor", "/apis/rbac.authorization.k8s.io/v1/clusterroles"), "200");
    assert_eq!(get("tenant", "/api/v1/namespaces/shop/pods"), "200");
    assert_eq!(get("tenant", "/api/v1/pods"), "403");
    assert_eq!(get("nobody", "/api/v1/pods"), "403");

    api.apply(include_str!("../../beds/apps.yaml")).expect("the workloads are accepted");
    api.load_pods(60).expect("pods are created");
    let running = api
        .kubectl(&["get", "pods", "-A", "--field-selector=status.phase=Running", "-o", "name"])
        .expect("kubectl succeeds");
    assert_eq!(running.lines().count(), 58, "every 50th failed");

    // The same server behind the proxy, with its own authentication.
    let proxy = Fault::kube(&api).expect("the proxy starts");
    proxy.rule(Rule::new(Effect::kube_status(410, "Expired", "too old")).query("continue=").first(1));
    let page = |user: &str, query: &str| {
        let token = format!("Authorization: Bearer {}", api.token(user));
        let url = format!("{}/api/v1/pods?{query}", proxy.url());
        curl(&["--cacert", &api.ca().display().to_string(), "-H", &token, &url])
    };
    let (body, code) = page("viewer", "limit=10");
    assert_eq!(code, "200", "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).expect("a list is JSON");
    let next = format!("limit=10&continue={}", body["metadata"]["continue"].as_str().expect("there are more"));
    assert_eq!(page("viewer", &next).1, "410");
    assert_eq!(page("viewer", &next).1, "200");
    assert_eq!(page("nobody", "limit=1").1, "403");
    assert_eq!((proxy.requests().len(), proxy.count("continue=")), (4, 2));
    let through =
        std::fs::read_to_string(proxy.kubeconfig("viewer").expect("a kubeconfig is written")).expect("it exists");
    assert!(through.contains(&proxy.url()) && through.contains("viewer-token"), "{through}");
}

#[test]
fn kube_api_with_controllers_makes_pods() {
    let api = KubeApi::with(KubeApiOptions { controllers: true, ..KubeApiOptions::default() })
        .expect("the API server starts");
    api.apply(include_str!("../../beds/apps.yaml")).expect("the workloads are accepted");
    within(30, "the Deployment's pods", || {
        let pods =
            api.kubectl(&["get", "pods", "-n", "shop", "-l", "app=web", "-o", "name"]).expect("kubectl succeeds");
        (pods.lines().count() == 3).then_some(())
    });
}

#[test]
fn moto_enforces_signatures_and_policies() {
    let moto = Moto::start().expect("moto starts");
    moto.seed("import boto3\nboto3.client('ec2').run_instances(ImageId='ami-12c6146b', MinCount=2, MaxCount=2)")
        .expect("the seed runs");
    moto.enforce_auth().expect("authentication is checked");
    let instances = "import boto3\nprint(sum(len(r['Instances']) for r in boto3.client('ec2').describe_instances()['Reservations']))";
    let users = "import boto3\nprint(len(boto3.client('iam').list_users()['Users']))";
    let who = "import boto3\nprint(boto3.client('sts').get_caller_identity()['Account'])";
    assert_eq!(moto.seed_as("default", instances).expect("admin may").trim(), "2");
    assert_eq!(moto.seed_as("readonly", instances).expect("readonly may").trim(), "2");
    assert_eq!(moto.seed_as("default", users).expect("admin may").trim(), "3");
    let refused = |profile: &str, script: &str| moto.seed_as(profile, script).expect_err("this is refused").to_string();
    assert!(refused("readonly", users).contains("AccessDenied"), "{}", refused("readonly", users));
    assert!(refused("nobody", instances).contains("AccessDenied"), "{}", refused("nobody", instances));
    assert!(refused("badsecret", users).contains("SignatureDoesNotMatch"), "{}", refused("badsecret", users));
    assert!(refused("unknownkey", users).contains("InvalidClientTokenId"), "{}", refused("unknownkey", users));
    assert_eq!(moto.seed_as("prod", who).expect("the role may be assumed").trim(), "222222222222");
    assert_eq!(moto.seed_as("staging", who).expect("the role may be assumed").trim(), "333333333333");
    assert!(refused("forbidden", who).contains("AccessDenied"), "{}", refused("forbidden", who));
}

#[test]
fn moto_behind_throttling() {
    let moto = Moto::start().expect("moto starts");
    moto.enforce_auth().expect("authentication is checked");
    let proxy = Fault::http(moto.url()).expect("the proxy starts");
    proxy.rule(Rule::new(Effect::aws_throttling()).body("Action=ListUsers").first(2));
    let script =
        format!("import boto3\nprint(len(boto3.client('iam', endpoint_url='{}').list_users()['Users']))", proxy.url());
    assert_eq!(moto.seed_as("default", &script).expect("boto3 retries").trim(), "3");
    assert_eq!(proxy.count("Action=ListUsers"), 3);
}

#[test]
fn docker_lists_a_running_container() {
    let docker = Docker::start().expect("dockerd starts");
    let id = docker.run(&["--name", "web", "localhost/bb:1", "/bin/sleep", "1000"]).expect("a container runs");
    assert!(
        docker.docker(&["ps", "--format", "{{.Names}} {{.Status}}"]).expect("docker succeeds").starts_with("web Up")
    );
    let pid = docker.docker(&["inspect", "-f", "{{.State.Pid}}", "web"]).expect("docker succeeds");
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its process is visible");
    assert!(cgroup.contains(&id), "{cgroup}");
    assert_eq!(docker.docker(&["exec", "web", "/bin/echo", "hi"]).expect("exec works"), "hi");
    drop(docker);
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the container outlived its bed");
}

#[test]
fn podman_lists_a_running_container() {
    let podman = Podman::start().expect("podman starts");
    let id = podman.run(&["--name", "web", "localhost/bb:1", "/bin/sleep", "1000"]).expect("a container runs");
    let socket = podman.socket().display().to_string();
    let (body, code) = curl(&["--unix-socket", &socket, "http://d/v1.41/containers/json"]);
    assert!(code == "200" && body.contains(&id) && body.contains("running"), "{code} {body}");
    let pid = podman.podman(&["inspect", "-f", "{{.State.Pid}}", "web"]).expect("podman succeeds");
    drop(podman);
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the container outlived its bed");
}

#[test]
fn containerd_runs_tasks() {
    let containerd = Containerd::start().expect("containerd starts");
    containerd.run_ctr("one").expect("a container runs");
    let tasks = containerd.ctr(&["tasks", "ls"]).expect("ctr succeeds");
    assert!(tasks.contains("one") && tasks.contains("RUNNING"), "{tasks}");
    let socket = containerd.socket().display().to_string();
    let outside = install::output(Command::new("ctr").args(["-a", &socket, "containers", "ls", "-q"]))
        .expect("ctr succeeds outside");
    assert_eq!(outside.trim(), "one");
    let pid =
        tasks.lines().find_map(|line| line.strip_prefix("one")?.split_whitespace().next()).expect("a pid").to_owned();
    drop(containerd);
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the task outlived its bed");
}

#[test]
fn cluster_runs_pods() {
    let cluster = Cluster::start().expect("the cluster starts");
    cluster.wait_ready().expect("the pods run");
    let pods = cluster.kubectl(&["get", "pods", "-n", "shop", "--no-headers"]).expect("kubectl succeeds");
    assert_eq!(pods.lines().filter(|line| line.contains("Running")).count(), 4, "{pods}");
    let pid = cluster.namespace_pid();
    let inside = install::output(cluster.command("kubectl").args([
        "exec",
        "-n",
        "shop",
        "priv",
        "--",
        "/bin/sh",
        "-c",
        "cat /proc/self/cgroup",
    ]));
    let inside = inside.expect("exec works inside");
    assert!(inside.contains("/kubepods/"), "{inside}");
    let containers = install::output(
        Command::new("ctr").arg("-a").arg(cluster.containerd_socket()).args(["-n", "k8s.io", "tasks", "ls"]),
    );
    let containers = containers.expect("containerd responds outside");
    assert!(containers.matches("RUNNING").count() >= 8, "{containers}");
    let page = cluster
        .kubectl(&["get", "--raw", "/api/v1/namespaces/shop/pods?fieldSelector=metadata.name=priv"])
        .expect("kubectl succeeds");
    assert!(page.contains("containerd://"), "{page}");
    drop(cluster);
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the cluster outlived its owner");
}

#[test]
fn two_beds_at_once() {
    let first = Docker::start().expect("dockerd starts");
    let second = Docker::start().expect("another dockerd starts next to it");
    first.run(&["--name", "one", "localhost/bb:1"]).expect("a container runs");
    assert_eq!(second.docker(&["ps", "-q"]).expect("docker succeeds"), "");
    drop(second);
    assert_ne!(first.docker(&["ps", "-q"]).expect("the first is unaffected"), "");
}

/// Runs this test a second time, as a process that holds a bed and is killed without warning.
#[test]
fn a_killed_owner_leaves_nothing() {
    use std::io::{BufRead as _, BufReader};
    const HOLD: &str = "INDAGO_TESTKIT_HOLD";
    if std::env::var_os(HOLD).is_some() {
        let docker = Docker::start().expect("dockerd starts");
        docker.run(&["--name", "one", "localhost/bb:1"]).expect("a container runs");
        println!(
            "\nheld {} {}",
            docker.docker(&["inspect", "-f", "{{.State.Pid}}", "one"]).expect("docker succeeds"),
            docker.socket().display()
        );
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let name = std::thread::current().name().expect("a test's thread has a name").to_owned();
    let mut owner = Command::new(std::env::current_exe().expect("this program is a file"))
        .args(["--exact", &name, "--nocapture"])
        .env(HOLD, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("this test runs again");
    let said = BufReader::new(owner.stdout.take().expect("its output is piped"));
    let held = said.lines().map_while(Result::ok).find(|line| line.starts_with("held ")).expect("it holds a bed");
    let mut words = held.split(' ').skip(1).map(str::to_owned);
    let (pid, socket) = (words.next().expect("a pid"), words.next().expect("a path"));
    assert!(Path::new(&format!("/proc/{pid}")).exists() && Path::new(&socket).exists());
    owner.kill().expect("it can be killed");
    owner.wait().expect("it is gone");
    let folder = Path::new(&socket).parent().expect("a socket has a directory");
    within(10, "the bed ends", || (!Path::new(&format!("/proc/{pid}")).exists() && !folder.exists()).then_some(()));
}

#[test]
fn faults_happen() {
    let server = generated::KubeServer::start(100).expect("the server starts");
    let proxy = Fault::http(server.url()).expect("the proxy starts");
    let url = |path: &str| format!("{}{path}", proxy.url());
    let exit = |path: &str| {
        Command::new("curl").args(["-s", "-m", "2", "-o", "/dev/null", &url(path)]).status().expect("curl runs").code()
    };

    assert_eq!(curl(&[&url("/version")]).1, "200");
    proxy.rule(Rule::new(Effect::too_many_requests(7)).path("/version").skip(1).first(1));
    assert_eq!(curl(&[&url("/version")]).1, "200");
    let (headers, _) = curl(&["-i", &url("/version")]);
    assert!(headers.starts_with("HTTP/1.1 429") && headers.contains("retry-after: 7"), "{headers}");
    assert_eq!(curl(&[&url("/version")]).1, "200");

    proxy.rule(Rule::new(Effect::Truncate(1000)).path("/pods").query("limit=5"));
    proxy.rule(Rule::new(Effect::Reset).path("/pods").query("limit=6"));
    proxy.rule(Rule::new(Effect::Hang).path("/pods").query("limit=7"));
    proxy.rule(Rule::new(Effect::Garbage(b"\xff\xfe<html>".to_vec())).path("/pods").query("limit=8"));
    proxy.rule(Rule::new(Effect::Delay(Duration::from_millis(300))).path("/pods").query("limit=9"));
    proxy.rule(Rule::new(Effect::status(503)).method("POST"));
    assert_eq!(exit("/api/v1/pods?limit=5"), Some(18), "partial file");
    assert_eq!(exit("/api/v1/pods?limit=6"), Some(56), "receive failure");
    assert_eq!(exit("/api/v1/pods?limit=7"), Some(28), "timeout");
    assert!(curl(&[&url("/api/v1/pods?limit=8")]).0.contains("<html>"));
    let start = Instant::now();
    assert_eq!(curl(&[&url("/api/v1/pods?limit=9")]).1, "200");
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(curl(&["-d", "x=1", &url("/anything")]).1, "503");
    let requests = proxy.requests();
    let last = requests.last().expect("there were requests");
    assert_eq!(
        (last.method.as_str(), last.path.as_str(), last.body.as_str(), last.hit),
        ("POST", "/anything", "x=1", true)
    );
    proxy.clear_rules();
    assert_eq!(exit("/api/v1/pods?limit=6"), Some(0));

    let raw = Fault::tcp(proxy.address()).expect("the raw proxy starts");
    assert_eq!(curl(&[&format!("http://{}/version", raw.address())]).1, "200");
    raw.rule(Rule::new(Effect::Truncate(10)).first(1)).rule(Rule::new(Effect::Reset).first(1));
    assert_eq!(curl(&[&format!("http://{}/version", raw.address())]).1, "000");
    let mut text = String::new();
    let reset = TcpStream::connect(raw.address()).expect("it accepts").read_to_string(&mut text);
    assert!(reset.is_err() || text.is_empty());
    assert_eq!(curl(&[&format!("http://{}/version", raw.address())]).1, "200");
    assert_eq!(raw.requests().len(), 4);
}

#[test]
fn repositories_of_every_kind() {
    let repositories = git::Repositories::new().expect("the repositories are created");
    let ask = |path: &Path, args: &[&str]| install::output(git::git().arg("-C").arg(path).args(args));
    let log = ask(&repositories.normal(), &["log", "--format=%an %s"]).expect("git succeeds");
    assert_eq!(log.lines().count(), 11, "{log}");
    assert_eq!(ask(&repositories.bare(), &["rev-list", "--count", "main"]).expect("git succeeds").trim(), "11");
    assert_eq!(
        ask(&repositories.shallow(), &["rev-parse", "--is-shallow-repository"]).expect("git succeeds").trim(),
        "true"
    );
    assert!(ask(&repositories.empty(), &["rev-parse", "--verify", "HEAD"]).is_err());
    assert!(ask(&repositories.corrupt(), &["fsck", "--full"]).is_err());
    assert!(ask(&repositories.detached(), &["symbolic-ref", "HEAD"]).is_err());
    assert_eq!(ask(&repositories.worktree(), &["branch", "--show-current"]).expect("git succeeds").trim(), "side");
    assert!(ask(&repositories.names(), &["ls-files"]).expect("git succeeds").contains(r"caf\351.txt"));
    let again = git::Repositories::new().expect("the repositories are created again");
    let head = |path: &Path| ask(path, &["rev-parse", "HEAD"]).expect("git succeeds");
    assert_eq!(head(&repositories.normal()), head(&again.normal()), "ids are the same on every run");
    assert_eq!(head(&repositories.names()), head(&again.names()));

    let big = repositories.root().join("big");
    git::big(&big, 2000).expect("the big repository is created");
    assert_eq!(ask(&big, &["rev-list", "--count", "HEAD"]).expect("git succeeds").trim(), "2000");
}

#[test]
fn systemd_runs_its_units() {
    let bed = Systemd::start().expect("systemd starts");
    let state = |unit: &str| {
        let output = bed.command("systemctl").args(["is-active", unit]).output().expect("nsenter runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(["indago-a.service", "dbus.service", "indago-b.timer"].map(state), ["active", "active", "active"]);
}
