//! Tables about users, logins and settings, compared with the system's own tools.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use indago_engine::Engine;
use indago_table::Sys;
use indago_testkit::install;

use crate::support::{host_engine, needs_root, output as output_of, rows};

async fn engine(sys: &Sys) -> Engine {
    host_engine(sys).build().await.expect("the engine builds")
}

/// The output of a program that succeeds.
fn output(program: &str, arguments: &[&str]) -> String {
    output_of(Command::new(program).args(arguments))
}

fn write(root: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a directory above")).expect("a directory");
    fs::write(path, content).expect("a file");
}

/// Rows as lines, with blanks between the columns.
async fn lines(engine: &Engine, sql: &str) -> Vec<String> {
    rows(engine, sql).await.into_iter().map(|row| row.join(" ")).collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_those_of_getent() {
    needs_root();
    install::apt(&["netbase"]).expect("the files are installed");
    let engine = engine(&Sys::live()).await;
    let getent = |database: &str| sorted(output("getent", &["-s", "files", database]).lines().map(words).collect());
    let trimmed = |lines: Vec<String>| lines.iter().map(|line| words(line)).collect::<Vec<_>>();
    let services = "SELECT name, port || '/' || protocol, aliases FROM etc_services";
    assert_eq!(sorted(trimmed(lines(&engine, services).await)), getent("services"));
    let protocols = "SELECT name, number, alias FROM etc_protocols";
    assert_eq!(sorted(trimmed(lines(&engine, protocols).await)), getent("protocols"));
    // Entries with an IPv6 address appear as `127.0.0.1` in this database of glibc if they name the loopback address.
    let of_ipv4 = |line: &String| !line.contains("::") && line.starts_with(|first: char| first.is_ascii_digit());
    let hosts: Vec<_> = lines(&engine, "SELECT address, hostnames FROM etc_hosts").await;
    let hosts: Vec<_> = hosts.into_iter().filter(of_ipv4).collect();
    let known = getent("hosts");
    assert!(!hosts.is_empty() && hosts.iter().all(|line| known.contains(line)), "{hosts:?} {known:?}");
    let shadow = "SELECT username, last_change, min, max, warning, inactive, expire, flag FROM shadow";
    let getent_shadow = output("getent", &["-s", "files", "shadow"]);
    let expected = getent_shadow.lines().map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let days = fields[2..].iter().map(|field| if field.is_empty() { "-1" } else { field });
        [fields[0]].into_iter().chain(days).collect::<Vec<_>>().join(" ")
    });
    assert_eq!(sorted(lines(&engine, shadow).await), sorted(expected.collect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_users_are_those_of_id() {
    let engine = engine(&Sys::live()).await;
    let users = rows(&engine, "SELECT DISTINCT uid, username FROM users").await;
    let mut expected = Vec::new();
    for user in &users {
        let groups = output("id", &["-G", &user[1]]);
        expected.extend(groups.split_whitespace().map(|gid| format!("{} {gid}", user[0])));
    }
    expected.sort();
    expected.dedup();
    assert_eq!(sorted(lines(&engine, "SELECT uid, gid FROM user_groups").await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_are_those_of_utmpdump() {
    let root = tempfile::tempdir().expect("a directory");
    let text = "[2] [00000] [~~  ] [reboot  ] [~           ] [6.1.0-1-amd64       ] [0.0.0.0        ] \
                [2024-03-01T10:00:00,000000+00:00]\n\
                [7] [00845] [ts/0] [ada     ] [pts/0       ] [192.0.2.10          ] [192.0.2.10     ] \
                [2024-03-01T10:05:00,000000+00:00]\n\
                [8] [00845] [ts/0] [        ] [pts/0       ] [                    ] [0.0.0.0        ] \
                [2024-03-01T11:05:00,000000+00:00]\n\
                [6] [00600] [tty1] [LOGIN   ] [tty1        ] [                    ] [0.0.0.0        ] \
                [2024-03-01T10:00:05,000000+00:00]\n";
    let mut child = Command::new("utmpdump")
        .args(["-r", "-o", root.path().join("records").to_str().expect("UTF-8")])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("utmpdump starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
    let records = fs::read(root.path().join("records")).expect("it was written");
    write(root.path(), "var/log/wtmp", &records);
    write(root.path(), "run/utmp", &records);
    let engine = engine(&Sys::at(root.path())).await;
    let all = "SELECT type, pid, username, tty, host, time FROM last WHERE type IN (2, 6, 7, 8)";
    assert_eq!(
        lines(&engine, all).await,
        [
            "2 0 reboot ~ 6.1.0-1-amd64 1709287200",
            "6 600 LOGIN tty1  1709287205",
            "7 845 ada pts/0 192.0.2.10 1709287500",
            "8 845  pts/0  1709291100",
        ]
    );
    assert_eq!(lines(&engine, "SELECT type FROM last").await, ["7", "8"]);
    let file = root.path().join("run/utmp");
    let who = Command::new("who").arg(&file).env("TZ", "UTC").env("LC_ALL", "C").output().expect("who runs");
    let who = String::from_utf8_lossy(&who.stdout).into_owned();
    assert_eq!(who.split_whitespace().collect::<Vec<_>>(), ["ada", "pts/0", "Mar", "1", "10:05", "(192.0.2.10)"]);
    let of_user = "SELECT user, tty, host, time FROM logged_in_users WHERE type = 'user'";
    assert_eq!(lines(&engine, of_user).await, ["ada pts/0 192.0.2.10 1709287500"]);
}

/// Restores the table of cron that a user had.
struct Table(&'static str, Option<Vec<u8>>);

impl Table {
    fn set(user: &'static str, text: &str) -> Self {
        let before = Command::new("crontab").args(["-l", "-u", user]).output().expect("crontab runs");
        let before = before.status.success().then_some(before.stdout);
        Table::put(user, text.as_bytes());
        Table(user, before)
    }

    fn put(user: &str, text: &[u8]) {
        let mut child =
            Command::new("crontab").args(["-u", user, "-"]).stdin(Stdio::piped()).spawn().expect("crontab starts");
        child.stdin.take().expect("a pipe").write_all(text).expect("it reads");
        assert!(child.wait().expect("it ends").success());
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        match &self.1 {
            Some(text) => Table::put(self.0, text),
            None => drop(Command::new("crontab").args(["-r", "-u", self.0]).status()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_user_are_those_of_crontab() {
    needs_root();
    install::apt(&["cron"]).expect("cron is installed");
    let text = "# note\nMAILTO=ada\n*/5 1-3 * jan mon-fri  /bin/echo  a  b\n@daily /bin/date +\\%s\n";
    let _table = Table::set("nobody", text);
    let listed = output("crontab", &["-l", "-u", "nobody"]);
    let expected: Vec<_> =
        listed.lines().filter(|line| !line.starts_with('#') && !line.contains('=')).map(words).collect();
    let engine = engine(&Sys::live()).await;
    let found = "SELECT coalesce(event, minute || ' ' || hour || ' ' || day_of_month || ' ' || month || ' ' || day_of_week), \
                 command FROM crontab WHERE username = 'nobody' AND path LIKE '/var/spool/cron/%'";
    let found: Vec<_> = lines(&engine, found).await.iter().map(|line| words(line)).collect();
    assert_eq!(sorted(found), sorted(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_those_of_ssh_keygen() {
    install::apt(&["openssh-client"]).expect("ssh-keygen is installed");
    let root = tempfile::tempdir().expect("a directory");
    write(root.path(), "etc/passwd", "ada:x:1000:1000::/home/ada:/bin/sh\n");
    write(root.path(), "home/ada/.ssh/config", "Host *\n");
    let ssh = root.path().join("home/ada/.ssh");
    let mut expected = Vec::new();
    let mut authorized = String::new();
    for (kind, bits) in
        [("rsa", "2048"), ("rsa", "3072"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("ed25519", "256")]
    {
        for format in ["RFC4716", "PEM", "PKCS8"] {
            for passphrase in ["", "secret"] {
                // ssh-keygen has no other format of this kind.
                if kind == "ed25519" && format != "RFC4716" {
                    continue;
                }
                let name = format!("{kind}-{bits}-{format}-{}", passphrase.len());
                let path = ssh.join(&name);
                let mut command = Command::new("ssh-keygen");
                command.args(["-q", "-t", kind, "-b", bits, "-N", passphrase, "-C", &name, "-f"]).arg(&path);
                if format != "RFC4716" {
                    command.args(["-m", format]);
                }
                output_of(&mut command);
                let public = format!("{}.pub", path.display());
                let listed = output("ssh-keygen", &["-l", "-f", &public]);
                let mut fields = listed.split_whitespace();
                let (length, fingerprint) = (fields.next().expect("bits"), fields.next().expect("a fingerprint"));
                // Only the format of OpenSSH has the public half in plain text next to an encrypted key.
                let is_known = passphrase.is_empty() || format == "RFC4716";
                let encrypted = i64::from(!passphrase.is_empty());
                let shown = match kind {
                    "ecdsa" => "ec",
                    other => other,
                };
                let shown = if format == "PKCS8" && !is_known { "" } else { shown };
                let (length, of_private) = if is_known { (length, fingerprint) } else { ("-1", "NULL") };
                expected.push(format!("1000 /home/ada/.ssh/{name} {encrypted} {shown} {length} {of_private}"));
                authorized.push_str(&fs::read_to_string(&public).expect("a public key"));
                assert!(authorized.contains(&name), "the comment is the name");
                if format == "RFC4716" && passphrase.is_empty() {
                    let line = lines(
                        &engine(&host_with_key(&public)).await,
                        "SELECT fingerprint, bits, comment FROM authorized_keys",
                    )
                    .await;
                    assert_eq!(line, [format!("{fingerprint} {bits} {name}")]);
                }
            }
        }
    }
    let engine = engine(&Sys::at(root.path())).await;
    let sql = "SELECT uid, path, encrypted, key_type, key_length, fingerprint FROM user_ssh_keys";
    assert_eq!(sorted(lines(&engine, sql).await), sorted(expected));
    // The strength, and the name of the curve.
    let sql = "SELECT DISTINCT key_type, key_length, key_group_name, key_security_bits FROM user_ssh_keys WHERE key_length > 0";
    let expected = [
        "ec 256 prime256v1 128",
        "ec 384 secp384r1 192",
        "ec 521 secp521r1 256",
        "ed25519 256  128",
        "rsa 2048  112",
        "rsa 3072  128",
    ];
    assert_eq!(sorted(lines(&engine, sql).await), expected);
    // A certificate has the fingerprint of its key.
    let (authority, key) = (ssh.join("ed25519-256-RFC4716-0"), ssh.join("rsa-2048-PEM-0.pub"));
    output_of(Command::new("ssh-keygen").args(["-q", "-s"]).arg(&authority).args(["-I", "x"]).arg(&key));
    let certificate = ssh.join("rsa-2048-PEM-0-cert.pub");
    let listed = output("ssh-keygen", &["-l", "-f", certificate.to_str().expect("UTF-8")]);
    let host = host_with_key(certificate.to_str().expect("UTF-8"));
    let found = lines(&self::engine(&host).await, "SELECT bits, fingerprint FROM authorized_keys").await;
    assert_eq!(found, [listed.split_whitespace().take(2).collect::<Vec<_>>().join(" ")]);
}

/// A host whose only user has a key.
fn host_with_key(public: &str) -> Sys {
    let root = tempfile::tempdir().expect("a directory").keep();
    write(&root, "etc/passwd", "ada:x:1000:1000::/home/ada:/bin/sh\n");
    write(&root, "home/ada/.ssh/authorized_keys", fs::read(public).expect("a public key"));
    Sys::at(root)
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_and_capabilities_are_those_of_getfattr_and_getcap() {
    needs_root();
    install::apt(&["attr", "libcap2-bin"]).expect("the tools are installed");
    let folder = tempfile::tempdir().expect("a directory");
    let directory = folder.path().to_str().expect("UTF-8");
    let sets = [
        "cap_net_raw=ep",
        "cap_net_admin,cap_net_raw=p",
        "cap_chown=eip cap_net_raw=ep",
        "cap_chown=p cap_net_raw=i",
        "=eip cap_chown,cap_kill-i",
        "=ep",
        "=ep cap_chown-ep",
        "=p",
        "cap_sys_admin=i",
        "=eip",
    ];
    for (number, set) in sets.iter().enumerate() {
        let path = format!("{directory}/program{number}");
        fs::write(&path, "").expect("a file");
        output("setcap", &[set, &path]);
    }
    let expected = output("getcap", &["-r", directory]);
    let engine = engine(&Sys::live()).await;
    let sql = format!("SELECT path, capabilities FROM file_capabilities WHERE path LIKE '{directory}/%%'");
    assert_eq!(sorted(lines(&engine, &sql).await), sorted(expected.lines().map(str::to_owned).collect()));
    let path = format!("{directory}/program0");
    for (name, value) in [("user.text", "plain"), ("user.bytes", "0x00ff"), ("user.empty", "")] {
        output("setfattr", &["-n", name, "-v", value, &path]);
    }
    let listed = output("getfattr", &["-d", "-m", "^user", "-e", "base64", "--absolute-names", &path]);
    let expected = listed.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| {
        let value = value.trim_start_matches("0s");
        // Text is shown as it is.
        if name == "user.text" { format!("{name} plain 0") } else { format!("{name} {value} 1") }
    });
    let sql = format!("SELECT key, value, base64 FROM extended_attributes WHERE path = '{path}' AND key LIKE 'user.%'");
    assert_eq!(sorted(lines(&engine, &sql).await), sorted(expected.collect()));
    let sql =
        format!("SELECT value, base64 FROM extended_attributes WHERE path = '{path}' AND key = 'security.capability'");
    assert_eq!(lines(&engine, &sql).await, ["cap_net_raw=ep 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_those_of_cvtsudoers() {
    needs_root();
    install::apt(&["sudo"]).expect("sudo is installed");
    let root = tempfile::tempdir().expect("a directory");
    let folder = root.path().join("etc/sudoers.d");
    let main = format!(
        "Defaults env_reset\nroot ALL=(ALL:ALL) ALL # all\n%sudo ALL=ALL\n#1000 ALL = \\\n  /bin/id\n@includedir {}\n",
        folder.display()
    );
    write(root.path(), "etc/sudoers", &main);
    write(root.path(), "etc/sudoers.d/b", "ada ALL=(root) NOPASSWD: /usr/bin/id\n");
    write(root.path(), "etc/sudoers.d/a", "bob ALL=ALL\n@include more\n");
    write(root.path(), "etc/sudoers.d/more", "eve ALL=ALL\n");
    write(root.path(), "etc/sudoers.d/no.conf", "mallory ALL=ALL\n");
    let file = root.path().join("etc/sudoers");
    let rules = output("cvtsudoers", &["-f", "csv", file.to_str().expect("UTF-8")]);
    let rules = rules.lines().filter_map(|line| line.strip_prefix("rule,")?.split(',').next());
    // The first line names the columns.
    let expected: Vec<_> = rules.filter(|user| *user != "user").collect();
    // The table's host has its own root, so the directory has another name there.
    write(root.path(), "etc/sudoers", main.replace(folder.to_str().expect("UTF-8"), "/etc/sudoers.d"));
    let engine = engine(&Sys::at(root.path())).await;
    let query = engine
        .query("SELECT header FROM sudoers WHERE header NOT IN ('Defaults', 'include', 'includedir')")
        .await
        .expect("it is planned");
    let found = crate::support::texts(&query.collect().await.expect("it runs")).concat();
    assert_eq!(found, expected, "in the order of sudo");
    let sources = lines(&engine, "SELECT DISTINCT source FROM sudoers").await;
    assert_eq!(sources, ["/etc/sudoers", "/etc/sudoers.d/a", "/etc/sudoers.d/b", "/etc/sudoers.d/more"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_kernel_are_those_of_keyctl() {
    install::apt(&["keyutils"]).expect("keyctl is installed");
    let engine = engine(&Sys::live()).await;
    let found = rows(&engine, "SELECT serial_number, type, uid, gid, permissions, description FROM kernel_keys").await;
    let mut described = 0;
    for key in &found {
        let id = i64::from_str_radix(&key[0], 16).expect("hexadecimal").to_string();
        let output = Command::new("keyctl").args(["rdescribe", &id]).output().expect("keyctl runs");
        // A key may be viewed by others only, or may have expired since.
        if !output.status.success() {
            continue;
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let fields: Vec<&str> = text.trim_end().splitn(5, ';').collect();
        // The kernel's file has at most nine characters of the type, and a summary after the description.
        assert!(fields[0].starts_with(&key[1]), "{key:?} {text}");
        assert_eq!([&key[2], &key[3], &key[4]], [fields[1], fields[2], fields[3]], "{text}");
        assert!(key[5].starts_with(fields[4]), "{key:?} {text}");
        described += 1;
    }
    assert!(described > 0, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_ssh_server_are_those_of_sshd() {
    needs_root();
    install::apt(&["openssh-server"]).expect("sshd is installed");
    fs::create_dir_all("/run/sshd").expect("sshd needs it");
    let root = tempfile::tempdir().expect("a directory");
    let key = root.path().join("key");
    output_of(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    let included = root.path().join("etc/ssh/sshd_config.d");
    let main = format!(
        "Include {}/*.conf\nPermitRootLogin yes\nPort 2222\nport=2200\nChallengeResponseAuthentication no\nAllowUsers \
         ada bob\nX11Forwarding yes # note\nMatch User ada\n  PermitTTY no\n  X11Forwarding no\n",
        included.display()
    );
    write(root.path(), "etc/ssh/sshd_config", &main);
    write(root.path(), "etc/ssh/sshd_config.d/a.conf", "PermitRootLogin no\nMatch User eve\n  PermitTTY no\n");
    write(root.path(), "etc/ssh/sshd_config.d/b.conf", "MaxAuthTries 3\n");
    let file = root.path().join("etc/ssh/sshd_config");
    let sshd = |criteria: &[&str]| {
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-T", "-h"]).arg(&key).arg("-f").arg(&file).args(criteria);
        output_of(&mut command)
    };
    let all = sshd(&[]);
    let of_ada = sshd(&["-C", "user=ada,host=x,addr=192.0.2.1"]);
    write(
        root.path(),
        "etc/ssh/sshd_config",
        main.replace(included.to_str().expect("UTF-8"), "/etc/ssh/sshd_config.d"),
    );
    let engine = engine(&Sys::at(root.path())).await;
    let rows = rows(&engine, "SELECT keyword, value, match_criteria FROM sshd_effective_config WHERE effective").await;
    let (global, of_matches): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row[2] == "NULL");
    assert!(global.len() > 40);
    for row in &global {
        let values: Vec<&str> = match row[0].as_str() {
            // One line per word.
            "allowusers" => row[1].split(' ').collect(),
            // The name that it had before.
            "permitrootlogin" if row[1] == "prohibit-password" => vec!["without-password"],
            _ => vec![&row[1]],
        };
        for value in values {
            let line = format!("{} {value}", row[0]);
            assert!(all.lines().any(|known| known == line), "{line}\n{all}");
        }
    }
    let matched = of_matches.iter().map(|row| format!("{} {} {}", row[2], row[0], row[1])).collect();
    let expected = ["User ada permittty no", "User ada x11forwarding no", "User eve permittty no"];
    assert_eq!(sorted(matched), expected);
    for line in ["permittty no", "x11forwarding no"] {
        assert!(of_ada.lines().any(|known| known == line), "{of_ada}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_with_special_rights_are_those_of_find() {
    needs_root();
    let folder = tempfile::Builder::new().prefix("indago-suid-").tempdir_in("/tmp").expect("a directory");
    let path = folder.path().join("a/b/shell");
    write(folder.path(), "a/b/shell", "");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).expect("it is ours");
    let engine = engine(&Sys::live()).await;
    // Other tests may have such files in /tmp.
    let own = folder.path().display();
    let found = lines(&engine, &format!("SELECT path, permissions FROM suid_bin WHERE path LIKE '{own}/%'")).await;
    assert_eq!(found, [format!("{} SG", path.display())]);
    let directories = ["/bin/", "/sbin/", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    let links = ["-perm", "/6000", "-type", "f", "-printf", "%p %u %g\n"];
    let listed = output_of(Command::new("find").args(directories).args(links));
    let expected = listed.lines().map(|line| line.replace("//", "/")).collect();
    let sql = "SELECT path, username, groupname FROM suid_bin WHERE path NOT LIKE '/tmp/%'";
    // `find` does not follow links to programs; the table does, as the system.
    let is_link = |line: &String| {
        fs::symlink_metadata(words(line).split(' ').next().unwrap_or_default()).is_ok_and(|m| m.is_symlink())
    };
    let found: Vec<_> = lines(&engine, sql).await.into_iter().filter(|line| !is_link(line)).collect();
    assert_eq!(sorted(found), sorted(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_resolver_has_the_options_of_the_c_library() {
    needs_root();
    let root = tempfile::tempdir().expect("a directory");
    let text = "search a.test b.test\nnameserver 192.0.2.1\noptions rotate edns0 no-aaaa use-vc ndots:2\n";
    write(root.path(), "etc/resolv.conf", text);
    let file = root.path().join("etc/resolv.conf");
    let script = "mount --bind \"$1\" /etc/resolv.conf && exec python3 -c '\
                  import ctypes\n\
                  c = ctypes.CDLL(\"libc.so.6\")\n\
                  c.__res_init()\n\
                  c.__res_state.restype = ctypes.c_void_p\n\
                  print(ctypes.c_ulong.from_address(c.__res_state() + 8).value)'";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(&file);
    let options = output_of(&mut command);
    let engine = engine(&Sys::at(root.path())).await;
    let found = lines(&engine, "SELECT DISTINCT options FROM dns_resolvers").await;
    assert_eq!(found, [options.trim()]);
}

/// A host with one trace of each kind, and one without any.
#[tokio::test(flavor = "multi_thread")]
async fn what_starts_by_itself_is_found() {
    let root = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n"),
        ("etc/crontab", "* * * * * root /tmp/a\n"),
        ("etc/cron.daily/evil", "#!/bin/sh\n"),
        ("etc/anacrontab", "SHELL=/bin/sh\n7 5 weekly /tmp/b\n"),
        (
            "var/spool/cron/atjobs/a0000101c4a9a8",
            "#!/bin/sh\n# atrun uid=0 gid=0\n# mail root 0\ncd / || {\n}\n/tmp/c\n",
        ),
        (
            "etc/systemd/system/evil.service",
            "[Service]\nExecStart=/tmp/d\nUser=ada\n[Install]\nWantedBy=multi-user.target\n",
        ),
        ("etc/systemd/system/evil.timer", "[Timer]\nOnCalendar=daily\n"),
        ("home/ada/.config/systemd/user/own.service", "[Service]\nExecStart=/tmp/e\n"),
        ("etc/profile.d/evil.sh", "/tmp/f\n"),
        ("home/ada/.bashrc", "/tmp/g\n"),
        ("etc/ld.so.preload", "/tmp/h.so\n"),
        ("home/ada/.config/autostart/x.desktop", "[Desktop Entry]\nName=X\nExec=/tmp/i\n"),
        ("etc/udev/rules.d/99-x.rules", "ACTION==\"add\", RUN+=\"/tmp/j\"\n"),
        ("etc/pam.d/login", "auth optional pam_exec.so /tmp/k\n"),
        ("etc/modprobe.d/x.conf", "install usb_storage /tmp/l\n"),
        ("etc/modules-load.d/x.conf", "rootkit\n"),
        ("etc/inittab", "x:2345:respawn:/tmp/m\n"),
        ("etc/init.d/evil", "#!/bin/sh\n"),
        ("etc/rc.local", "#!/bin/sh\n"),
    ] {
        write(root.path(), name, text);
    }
    fs::set_permissions(root.path().join("etc/rc.local"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let engine = engine(&Sys::at(root.path())).await;
    let found = lines(&engine, "SELECT kind, name, command, username, event FROM persistence").await;
    assert_eq!(
        found,
        [
            "anacron weekly /tmp/b NULL every 7 days",
            "at a0000101c4a9a8 /tmp/c root 2026-05-28T04:24:00Z",
            "autostart X /tmp/i ada login",
            "cron crontab /tmp/a root * * * * *",
            "cron evil /etc/cron.daily/evil NULL daily",
            "init evil /etc/init.d/evil NULL boot",
            "inittab x /tmp/m NULL respawn 2345",
            "ld.so.preload ld.so.preload /tmp/h.so NULL start of any program",
            "modprobe usb_storage /tmp/l NULL load of the module",
            "module rootkit rootkit NULL boot",
            "pam login /tmp/k NULL auth",
            "rc.local rc.local /etc/rc.local NULL boot",
            "shell .bashrc /home/ada/.bashrc ada shell",
            "shell evil.sh /etc/profile.d/evil.sh NULL login",
            "systemd evil.service /tmp/d ada multi-user.target",
            "systemd evil.timer evil.service NULL OnCalendar=daily",
            "systemd-user own.service /tmp/e ada ",
            "udev 99-x.rules /tmp/j NULL ACTION==\"add\"",
        ]
    );
}

/// A process with a preloaded library is found, and nothing is reported of those that have none.
#[tokio::test(flavor = "multi_thread")]
async fn a_preloaded_library_of_a_process_is_found() {
    let mut child = Command::new("sleep")
        .arg("600")
        .env("LD_PRELOAD", "/tmp/none.so:relative.so")
        // Cargo sets it for tests.
        .env_remove("LD_LIBRARY_PATH")
        .stderr(Stdio::null())
        .spawn()
        .expect("sleep starts");
    let engine = engine(&Sys::live()).await;
    let sql = format!("SELECT variable, value, path_exists FROM ld_preload WHERE pid = {}", child.id());
    let found = lines(&engine, &sql).await;
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(found, ["LD_PRELOAD /tmp/none.so false", "LD_PRELOAD relative.so NULL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn trees_of_settings_are_those_of_augtool() {
    install::apt(&["augeas-tools"]).expect("augtool is installed");
    let root = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("passwd", "root:x:0:0:root:/root:/bin/bash\nd:x:1:1::/usr/sbin:/usr/sbin/nologin\n"),
        ("group", "root:x:0:\nsudo:x:27:ada,bob\ndocker:x:9:eve\n"),
        ("shadow", "root:*:20228:0:99999:7:::\nada:$y$j:1:::::3:\n"),
        ("hosts", "# c\n#\n  # d  \n127.0.0.1 localhost a b # note\n::1 ip6\n"),
        ("fstab", "# <fs>\nUUID=1 / ext4 errors=remount-ro,noatime 0 1\nproc\t/proc proc defaults\n"),
        ("sysctl.conf", "# c\nkernel.sysrq=1\nnet.ipv4.ip_forward = 1 \n-net.x=2\n"),
        ("sysctl.d/x.conf", "a.b=1\n"),
        (
            "ssh/sshd_config",
            "# c\nPort 22\nPermitRootLogin no\nAcceptEnv LANG LC_*\nAllowUsers ada bob\nAllowUsers eve\nSubsystem sftp \
             /usr/lib/sftp\nCiphers a,b\nHostKey /a\nHostKey /b\nMatch User ada\n  X11Forwarding no\n  \
             AllowTcpForwarding yes\nMatch Group x Address 1.2.3.4\n  PermitTTY no\n",
        ),
        (
            "resolv.conf",
            "domain a.test\nsearch a.test b.test\nnameserver 1.2.3.4\nnameserver ::1\noptions edns0 ndots:2\n\
             sortlist 1.2.3.0/255.255.255.0 4.5.6.7\n",
        ),
        ("nsswitch.conf", "# c\npasswd: files systemd\nhosts:  files [!NOTFOUND=return] dns\n"),
        ("crontab", "SHELL=/bin/sh\n17 * * * * root run  x\n@daily ada id\n"),
        ("cron.d/x", "# c\n*/5 1-3 * jan mon root id\n"),
        (
            "pam.d/sshd",
            "auth required pam_env.so a [b c]\n@include common\n\
            auth [success=1 default=ignore] pam_unix.so # c\nsession \
             include other\n-session optional x.so\n",
        ),
        ("ld.so.conf", "/etc/x\n/usr/local/lib\ninclude /etc/ld.so.conf.d/*.conf\n"),
        ("shells", "# c\n/bin/sh\n/bin/bash\n"),
        ("hostname", "vm\n"),
        ("login.defs", "UMASK 022\nPASS_MAX_DAYS\t99999\n"),
        ("os-release", "NAME=\"x y\"\nID=debian\n"),
        ("environment", "PATH=\"/a:/b\"\nexport X=1\nLANG=C\nY='a b'\n"),
        ("services", "tcpmux 1/tcp # x\nhttp 80/tcp www w2\n"),
        ("protocols", "ip 0 IP # pseudo\ntcp 6 TCP T2\n"),
        (
            "sudoers",
            "# c\n#\nDefaults\tenv_reset # note\nDefaults mail_badpass, !insults, !!log_year\nDefaults \
             secure_path=\"/a:/b\", passwd_tries=3, umask=\"077\"\nDefaults:ada !requiretty\nDefaults@web \
             logfile=/var/log/s\nDefaults>root !syslog\nDefaults env_keep += \"A B\"\nDefaults env_keep=\"C\", \
             !env_check\nDefaults env_delete -= \"X\"\nHost_Alias\tSERVERS = a, b : OTHERS = 10.0.0.0/8\nUser_Alias \
             ADMINS = ada, %wheel\nCmnd_Alias KILL = /usr/bin/kill, \\\n  !/usr/bin/pkill -9\nRunas_Alias OP = root, \
             op\nroot\tALL=(ALL:ALL) ALL\nada, bob ALL = NOPASSWD: /bin/a, PASSWD: /bin/b, !/bin/c\nADMINS ALL=ALL # \
             why\neve SERVERS,x = (root, op : grp) KILL : OTHERS = ALL\nmia ALL=(:games) NOEXEC: SETENV: /bin/x \
             --flag a\\,b\n@includedir /etc/sudoers.d\n#includedir /etc/x\n#include /etc/y\n@include /etc/z\n",
        ),
        ("sudoers.d/x", "%admin ALL=(ALL) ALL\n"),
    ] {
        let path = format!("etc/{name}");
        write(root.path(), &path, text);
        let mut command = Command::new("augtool");
        command.arg("-r").arg(root.path()).args(["print", &format!("/files/{path}")]);
        let mut expected: Vec<String> = Vec::new();
        for line in output_of(&mut command).lines() {
            expected.push(line.replace("\\\"", "\"").replace("\\\\", "\\").trim_end_matches(" = \"\"").to_owned());
        }
        assert!(expected.len() > 1, "augtool does not read {path}");
        let engine = engine(&Sys::at(root.path())).await;
        let sql = format!("SELECT node, value, label FROM augeas WHERE path = '/{path}'");
        let batches = engine.query(&sql).await.expect("it is planned").collect().await.expect("it runs");
        let found: Vec<String> = crate::support::texts(&batches)
            .into_iter()
            .map(|row| if row[1].is_empty() { row[0].clone() } else { format!("{} = \"{}\"", row[0], row[1]) })
            .collect();
        assert_eq!(found, expected, "{path}");
    }
    // As by the file's path, and by a node's.
    let engine = engine(&Sys::at(root.path())).await;
    let node = "SELECT value, path FROM augeas WHERE node = '/files/etc/group/sudo/user[2]'";
    assert_eq!(lines(&engine, node).await, ["bob /etc/group"]);
    // Other files are reported.
    write(root.path(), "etc/other/file", "x\n");
    for (sql, expected) in [
        ("SELECT node FROM augeas WHERE path = '/etc/other/file'", "/etc/other/file is not read"),
        ("SELECT node FROM augeas WHERE node = '/files/etc/other/file/1'", "/etc/other/file is not read"),
        ("SELECT count(*) FROM augeas", "files in other formats have no rows; of /etc these files are read: cron.d/*"),
    ] {
        let query = engine.query(sql).await.expect("it is planned");
        query.collect().await.expect("it runs");
        let warnings: Vec<_> = query.warnings().iter().map(ToString::to_string).collect();
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{sql}: {warnings:?}");
    }
    for silent in ["/etc/other", "/etc/none", "/etc/hosts", "/etc/sudoers.d/none"] {
        let sql = format!("SELECT node FROM augeas WHERE path = '{silent}'");
        let query = engine.query(&sql).await.expect("it is planned");
        query.collect().await.expect("it runs");
        assert!(query.warnings().is_empty(), "{silent}: {:?}", query.warnings());
    }
    write(root.path(), "etc/fstab", "one\n");
    assert_eq!(lines(&engine, "SELECT node FROM augeas WHERE path = '/etc/fstab'").await, [""; 0]);
}
