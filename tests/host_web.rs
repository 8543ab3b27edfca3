//! Host tables that make requests, against servers on 127.0.0.1.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use indago_engine::Engine;
use indago_table::Sys;

use crate::support::{host_engine, texts};

/// Requests that a server received: the first line, and the headers in lowercase.
type Received = Arc<Mutex<Vec<String>>>;

/// A server that responds by the first line of a request, `GET /path`. It runs until the test's process ends.
struct Server {
    address: String,
    received: Received,
}

impl Server {
    fn new(respond: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Received::default();
        let (log, respond) = (received.clone(), Arc::new(respond));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, respond) = (log.clone(), respond.clone());
                std::thread::spawn(move || serve(stream, &log, &*respond));
            }
        });
        Server { address, received }
    }

    /// The requests so far.
    fn requests(&self) -> Vec<String> {
        self.received.lock().expect("no panic").clone()
    }
}

fn serve(mut stream: TcpStream, log: &Received, respond: &dyn Fn(&str, &str) -> String) {
    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if !reader.read_line(&mut head).is_ok_and(|count| count > 0) {
            return;
        }
    }
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let headers = head.to_lowercase();
    log.lock().expect("no panic").push(line.clone());
    let _ = stream.write_all(respond(&line, &headers).as_bytes());
}

fn ok(body: &str) -> String {
    status("200 OK", body)
}

fn status(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

async fn engine(variables: &[(&str, &str)]) -> Engine {
    let sys = Sys::live().with_variables(variables.iter().copied());
    host_engine(&sys).build().await.expect("an engine")
}

/// Rows of a query, and its warnings.
async fn rows(engine: &Engine, sql: &str) -> (Vec<Vec<String>>, String) {
    let query = engine.query(sql).await.expect(sql);
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    (texts(&batches), format!("{:?}", query.warnings()))
}

#[tokio::test]
async fn curl_requests_each_url_once_within_limits() {
    let server = Server::new(|line, headers| match line {
        "GET /a" => ok(if headers.contains("user-agent: indago\r\n") { "hello" } else { "other agent" }),
        "GET /missing" => status("404 Not Found", "no"),
        "GET /to" => "HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
        "GET /loop" => {
            "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
        }
        "GET /secret" => ok(if headers.contains("authorization: basic am9lonb3") { "joe" } else { "nobody" }),
        "GET /large" => format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat((8 << 20) + 1)),
        _ => "garbage\r\n\r\n".to_owned(),
    });
    let engine = engine(&[]).await;
    let address = &server.address;
    let get = |path: &str| {
        format!("SELECT method, user_agent, response_code, bytes, result FROM curl WHERE url = '{address}{path}'")
    };
    let (found, warnings) = rows(&engine, &get("/a")).await;
    assert_eq!((found, &*warnings), (vec![["GET", "indago", "200", "5", "hello"].map(str::to_owned).to_vec()], "[]"));
    assert_eq!(server.requests(), ["GET /a"], "one request");
    let (found, _) = rows(&engine, &get("/missing")).await;
    assert_eq!(found[0][2..], ["404", "2", "no"]);
    let (found, _) = rows(&engine, &get("/to")).await;
    assert_eq!(found[0][2..], ["200", "5", "hello"]);
    let (found, _) = rows(&engine, &format!("{} AND user_agent = 'me\r\nx: y'", get("/a"))).await;
    assert_eq!(found[0][4], "other agent");
    let with_user = get("/secret").replace("http://", "http://joe:pw@");
    assert_eq!(rows(&engine, &with_user).await.0[0][4], "joe");
    for (path, reason) in
        [("/loop", "more than 10 redirects"), ("/large", "larger than the limit"), ("/garbage", "garbage")]
    {
        let (found, warnings) = rows(&engine, &get(path)).await;
        assert_eq!(found[0][2..], ["NULL", "NULL", "NULL"], "{path}");
        assert!(warnings.contains(reason), "{path}: {warnings}");
    }
    let sql =
        format!("SELECT url, round_trip_time > 0 FROM curl WHERE url IN ('{address}/a', 'file:///etc/passwd', 'x')");
    let (found, warnings) = rows(&engine, &sql).await;
    assert_eq!(found.len(), 3);
    assert!(warnings.contains("must be http or https") && warnings.contains("x is not a URL"), "{warnings}");
}

/// A server that sends interim responses only is cut off after a number of bytes, in less than the timeout.
#[tokio::test]
async fn interim_responses_have_a_limit() {
    let interim = |count| "HTTP/1.1 100 Continue\r\n\r\n".repeat(count);
    let server = Server::new(move |line, _| match line {
        "GET /few" => format!("{}{}", interim(100), ok("hello")),
        _ => interim(200_000),
    });
    let engine = engine(&[]).await;
    let get = |path: &str| format!("SELECT result FROM curl WHERE url = '{}{path}'", server.address);
    assert_eq!(rows(&engine, &get("/few")).await, (vec![vec!["hello".to_owned()]], "[]".to_owned()));
    let (found, warnings) = rows(&engine, &get("/many")).await;
    assert_eq!(found, [["NULL"]]);
    assert!(warnings.contains("too many bytes before its response"), "{warnings}");
}

#[tokio::test]
async fn prometheus_metrics_are_the_samples_of_an_endpoint() {
    let server = Server::new(|line, _| match line {
        "GET /metrics" => {
            ok("# HELP up x\nup 1\nhttp{code=\"200\",path=\"/a b\"} 1.5e3 1700000000000\nbroken\nnan NaN\n")
        }
        _ => status("500 Oops", ""),
    });
    let engine = engine(&[]).await;
    let address = &server.address;
    let sql = format!(
        "SELECT metric_name, metric_value FROM prometheus_metrics \
         WHERE target_name IN ('{address}/metrics', '{address}/other') AND timestamp_ms > 1700000000000"
    );
    let (found, warnings) = rows(&engine, &sql).await;
    assert_eq!(found, [["up", "1.0"], ["http{code=\"200\",path=\"/a b\"}", "1500.0"], ["nan", "NULL"]]);
    assert!(warnings.contains("line 4") && warnings.contains("status 500"), "{warnings}");
    let (found, warnings) = rows(&engine, "SELECT * FROM prometheus_metrics").await;
    assert!(found.is_empty() && warnings.contains("no endpoint is named"), "{warnings}");
}

#[tokio::test]
async fn the_metadata_of_ec2_is_read_with_a_token() {
    let server = Server::new(|line, headers| {
        if line == "PUT /latest/api/token" {
            return ok(if headers.contains("x-aws-ec2-metadata-token-ttl-seconds: 60\r\n") { "tok" } else { "" });
        }
        if !headers.contains("x-aws-ec2-metadata-token: tok\r\n") {
            return status("401 Unauthorized", "");
        }
        match line.strip_prefix("GET /latest/").unwrap_or_default() {
            "dynamic/instance-identity/document" => {
                ok(r#"{"instanceId": "i-1", "instanceType": "t3.micro", "privateIp": "10.0.0.5",
                    "availabilityZone": "eu-west-1a",
                    "region": "eu-west-1", "accountId": "123456789012", "architecture": "x86_64", "imageId": "ami-1"}"#)
            }
            "meta-data/security-groups" => ok("one\ntwo\n"),
            "meta-data/mac" => ok("0e:49:61:0f:c3:11"),
            "meta-data/instance-id" => ok("i-1"),
            "meta-data/tags/instance" => ok("Name\nteam"),
            "meta-data/tags/instance/Name" => ok("web, 1"),
            "meta-data/tags/instance/team" => ok("a"),
            _ => status("404 Not Found", ""),
        }
    });
    let engine = engine(&[("INDAGO_METADATA_ADDRESS", &server.address)]).await;
    let (found, warnings) = rows(&engine, "SELECT * FROM ec2_instance_metadata").await;
    let expected = [
        "i-1",
        "t3.micro",
        "x86_64",
        "eu-west-1",
        "eu-west-1a",
        "NULL",
        "10.0.0.5",
        "0e:49:61:0f:c3:11",
        "one,two",
        "NULL",
        "ami-1",
        "NULL",
        "123456789012",
        "NULL",
    ];
    assert_eq!((found, &*warnings), (vec![expected.map(str::to_owned).to_vec()], "[]"));
    assert_eq!(server.requests()[0], "PUT /latest/api/token");
    let (found, _) = rows(&engine, "SELECT * FROM ec2_instance_tags").await;
    assert_eq!(found, [["i-1", "Name", "web, 1"], ["i-1", "team", "a"]]);
}

#[tokio::test]
async fn the_metadata_of_other_clouds_is_read_from_their_services() {
    let server = Server::new(|line, headers| {
        let path = line.strip_prefix("GET ").unwrap_or_default();
        match path {
            "/metadata/instance/compute?api-version=2021-02-01" if headers.contains("metadata: true\r\n") => {
                ok(r#"{"vmId": "vm", "name": "web", "location": "westeurope", "zone": "1", "osType": "Linux",
                    "vmSize": "B1s",
                    "tags": "a:b;c:d", "tagsList": [{"name": "a", "value": "b;c:d"}, {"name": "e", "value": ""}]}"#)
            }
            "/computeMetadata/v1/instance/?recursive=true" if headers.contains("metadata-flavor: google\r\n") => {
                ok(r#"{"id": 18446744073709551615, "name": "vm", "zone": "projects/1/zones/ru-a", "description": "",
                    "hostname": "vm.internal", "vendor": {"folderId": "f", "cloudId": "c"}, "tags": ["web"],
                    "attributes": {"ssh-keys": "joe:ssh-ed25519 AAAA", "serial-port-enable": "1"},
                    "serviceAccounts": {"default": {"email": "a@x"}, "a@x": {"email": "a@x"}},
                    "networkInterfaces": [{"ip": "10.0.0.2", "mac": "42:01", "network": "projects/1/networks/default",
                        "accessConfigs": [{"externalIp": "1.2.3.4"}]}], "scheduling": {"preemptible": "FALSE"}}"#)
            }
            "/computeMetadata/v1/project/?recursive=true" => ok(r#"{"projectId": "p", "numericProjectId": 1}"#),
            _ => status("404 Not Found", ""),
        }
    });
    let engine = engine(&[("INDAGO_METADATA_ADDRESS", &server.address)]).await;
    let (found, _) =
        rows(&engine, "SELECT vm_id, name, location, zone, os_type, vm_size, sku FROM azure_instance_metadata").await;
    assert_eq!(found, [["vm", "web", "westeurope", "1", "Linux", "B1s", "NULL"]]);
    let (found, _) = rows(&engine, "SELECT * FROM azure_instance_tags").await;
    assert_eq!(found, [["vm", "a", "b;c:d"], ["vm", "e", ""]]);
    let (found, _) = rows(
        &engine,
        "SELECT instance_id, zone, project_id, project_number, internal_ip, external_ip, network, network_tags, \
         service_accounts,          preemptible, ssh_keys FROM gcp_instance_metadata",
    )
    .await;
    let expected = [
        "18446744073709551615",
        "ru-a",
        "p",
        "1",
        "10.0.0.2",
        "1.2.3.4",
        "default",
        "[web]",
        "[a@x]",
        "0",
        "joe:ssh-ed25519 AAAA",
    ];
    assert_eq!(found, [expected]);
    // The endpoint of a query needs no firmware that names the cloud.
    let plain = self::engine(&[]).await;
    let sql = format!(
        "SELECT instance_id, folder_id, cloud_id, name, description, hostname, zone, ssh_public_key, \
         serial_port_enabled          FROM ycloud_instance_metadata WHERE metadata_endpoint = '{}'",
        server.address
    );
    let (found, _) = rows(&plain, &sql).await;
    let expected = ["18446744073709551615", "f", "c", "vm", "NULL", "vm.internal", "ru-a", "ssh-ed25519 AAAA", "true"];
    assert_eq!(found, [expected]);
}

#[tokio::test]
async fn a_machine_outside_of_clouds_has_one_warning_and_sends_nothing() {
    let engine = engine(&[]).await;
    for (table, name) in [
        ("ec2_instance_metadata", "an EC2 instance"),
        ("ec2_instance_tags", "an EC2 instance"),
        ("azure_instance_metadata", "an Azure virtual machine"),
        ("azure_instance_tags", "an Azure virtual machine"),
        ("ycloud_instance_metadata", "a Yandex Cloud virtual machine"),
        ("gcp_instance_metadata", "a Google Compute Engine instance"),
    ] {
        let vendor = std::fs::read_to_string("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
        if ["Amazon", "Google", "Yandex", "Microsoft"].iter().any(|cloud| vendor.starts_with(cloud)) {
            assert!(!vendor.is_empty());
            continue;
        }
        let query = engine.query(&format!("SELECT * FROM {table}")).await.expect(table);
        let text = match query.collect().await {
            Ok(batches) => {
                assert!(texts(&batches).is_empty(), "{table}");
                assert_eq!(query.warnings().len(), 1, "{table}");
                format!("{:?}", query.warnings())
            }
            Err(error) => error.to_string(),
        };
        assert!(text.contains(&format!("this machine is not {name}")), "{table}: {text}");
    }
}

/// A TLS server of OpenSSL.
struct TlsServer {
    child: Child,
    port: String,
}

impl TlsServer {
    fn new(folder: &Path, certificate: &str) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "8", "-cert", certificate, "-key", "key"]);
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let accept = lines.find_map(|line| Some(line.ok()?.strip_prefix("ACCEPT ")?.to_owned())).expect("it listens");
        std::thread::spawn(move || lines.for_each(drop));
        TlsServer { child, port: accept.rsplit(':').next().expect("a port").to_owned() }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openssl(folder: &Path, arguments: &str) -> String {
    let output = Command::new("sh").args(["-ec", &format!("openssl {arguments}")]).current_dir(folder).output();
    let output = output.expect("sh runs");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The extensions that OpenSSL prints, in osquery's form: lines without their common indent, joined by `;`.
fn extensions(folder: &Path, certificate: &str) -> BTreeMap<String, String> {
    let printed = openssl(folder, &format!("x509 -in {certificate} -noout -text"));
    let mut all = BTreeMap::new();
    let mut name = None;
    let mut lines: Vec<String> = Vec::new();
    for line in printed.lines().skip_while(|line| !line.contains("X509v3 extensions:")).skip(1) {
        let depth = line.len() - line.trim_start().len();
        if depth <= 12 {
            if let Some(name) = name.take() {
                all.insert(name, std::mem::take(&mut lines).join(";"));
            }
            if depth < 12 {
                break;
            }
            name = Some(line.trim().split(':').next().unwrap_or_default().to_owned());
        } else {
            lines.push(line[16.min(depth)..].trim_end().to_owned());
        }
    }
    all
}

#[tokio::test]
async fn certificates_of_servers_are_as_openssl_prints_them() {
    let folder = tempfile::tempdir().expect("a directory");
    let at = folder.path();
    std::fs::write(
        at.join("conf"),
        "[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=ext\n[dn]\nC=US\nO=Example, Inc\nOU=Unit\n\
         CN=a.example\n\
         [ext]\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always,issuer:always\n\
         basicConstraints=critical,CA:TRUE,pathlen:3\nkeyUsage=digitalSignature,keyCertSign,decipherOnly,keyAgreement\n\
         extendedKeyUsage=serverAuth,clientAuth,1.2.3.4\n\
         subjectAltName=DNS:a.example,IP:10.0.0.1,IP:2001:db8::1,email:a@b.example,URI:http://a/,RID:1.2.3.4,\
         dirName:dir,\
         otherName:1.3.6.1.4.1.311.20.2.3;UTF8:joe@example,otherName:1.2.3.4;UTF8:x\n\
         issuerAltName=DNS:issuer.example\nauthorityInfoAccess=OCSP;URI:http://ocsp/,caIssuers;URI:http://ca/\n\
         subjectInfoAccess=caRepository;URI:http://repo/\ncertificatePolicies=1.3.5.8,@policy\n\
         policyConstraints=requireExplicitPolicy:3,inhibitPolicyMapping:0\npolicyMappings=1.2.3.4:1.2.3.5\n\
         nameConstraints=permitted;DNS:example,permitted;IP:10.0.0.0/255.0.0.0,excluded;email:evil.example\n\
         [policy]\npolicyIdentifier=2.23.140.1.2.1\nCPS.1=http://cps/\nuserNotice.1=@notice\n\
         [notice]\nexplicitText=UTF8:Hello\norganization=Org\nnoticeNumbers=1,2\n[dir]\nC=US\nO=Dir\n",
    )
    .expect("written");
    openssl(at, "req -x509 -newkey rsa:2048 -nodes -days 30 -config conf -keyout key -out all 2>/dev/null");
    openssl(at, "req -x509 -key key -days 1 -subj /CN=plain -out plain");
    let engine = engine(&[]).await;
    for certificate in ["all", "plain"] {
        let server = TlsServer::new(at, certificate);
        let host = format!("127.0.0.1:{}", server.port);
        let sql = format!("SELECT * FROM curl_certificate WHERE hostname = '{host}' AND dump_certificate = 1");
        let query = engine.query(&sql).await.expect("planned");
        let batches = query.collect().await.expect("read");
        assert_eq!(format!("{:?}", query.warnings()), "[]");
        let names: Vec<String> = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
        let row: BTreeMap<String, String> = names.into_iter().zip(texts(&batches).remove(0)).collect();
        let printed = extensions(at, certificate);
        for (column, title) in [
            ("subject_key_identifier", "X509v3 Subject Key Identifier"),
            ("authority_key_identifier", "X509v3 Authority Key Identifier"),
            ("key_usage", "X509v3 Key Usage"),
            ("extended_key_usage", "X509v3 Extended Key Usage"),
            ("policies", "X509v3 Certificate Policies"),
            ("subject_alternative_names", "X509v3 Subject Alternative Name"),
            ("issuer_alternative_names", "X509v3 Issuer Alternative Name"),
            ("info_access", "Authority Information Access"),
            ("subject_info_access", "Subject Information Access"),
            ("policy_mappings", "X509v3 Policy Mappings"),
            ("basic_constraint", "X509v3 Basic Constraints"),
            ("name_constraints", "X509v3 Name Constraints"),
            ("policy_constraints", "X509v3 Policy Constraints"),
        ] {
            assert_eq!(row[column], printed.get(title).cloned().unwrap_or_default(), "{column} of {certificate}");
        }
        let line = |options: &str| {
            let printed = openssl(at, &format!("x509 -in {certificate} -noout {options}"));
            printed.trim().split_once('=').expect("a value").1.to_owned()
        };
        assert_eq!(row["valid_from"], line("-startdate"));
        assert_eq!(row["valid_to"], line("-enddate"));
        assert_eq!(row["serial_number"], line("-serial"));
        assert_eq!(row["sha256_fingerprint"], line("-fingerprint -sha256").replace(':', "").to_lowercase());
        assert_eq!(row["sha1_fingerprint"], line("-fingerprint -sha1").replace(':', "").to_lowercase());
        assert_eq!((&*row["version"], &*row["signature_algorithm"], &*row["has_expired"]), ("3", "RSA-SHA256", "0"));
        assert_eq!(row["pem"], openssl(at, &format!("x509 -in {certificate}")));
        let text = openssl(
            at,
            &format!(
                "x509 -in {certificate} -noout -text -certopt no_header,no_version,no_serial,no_signame,no_validity,\
                 no_subject,no_issuer,no_pubkey,no_extensions"
            ),
        );
        let signature: String =
            text.lines().filter(|line| line.contains(':') && !line.contains("Signature")).map(str::trim).collect();
        assert_eq!(row["signature"], signature);
        let (common_name, organization) =
            if certificate == "all" { ("a.example", "Example, Inc") } else { ("plain", "NULL") };
        assert_eq!((&*row["common_name"], &*row["issuer_organization"]), (common_name, organization));
    }
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (found, warnings) =
        rows(&engine, &format!("SELECT hostname FROM curl_certificate WHERE hostname = '{free}'")).await;
    assert!(found.is_empty() && warnings.contains("refused"), "{warnings}");
}

/// A server that accepts and says nothing does not hold a query.
#[tokio::test]
async fn a_silent_server_ends_by_its_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let kept: Vec<TcpStream> = listener.incoming().flatten().collect();
        kept.into_iter().for_each(|mut stream| drop(stream.read(&mut [0])));
    });
    let engine = engine(&[]).await;
    let sql = format!("SELECT hostname FROM curl_certificate WHERE hostname = '{address}' AND timeout = 1");
    let (found, warnings) = rows(&engine, &sql).await;
    assert!(found.is_empty() && warnings.contains("no TLS connection within 1s"), "{warnings}");
}
