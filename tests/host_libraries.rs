//! Host tables that use larger libraries or programs, compared with the system's own tools.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use indago_engine::Engine;
use indago_table::Sys;

use crate::support::{host_engine, texts};

async fn live() -> Engine {
    host_engine(&Sys::live()).build().await.expect("an engine")
}

/// Rows of a query without warnings.
async fn rows(engine: &Engine, sql: &str) -> Vec<Vec<String>> {
    let query = engine.query(sql).await.expect(sql);
    let batches = query.collect().await.expect(sql);
    let warnings = query.warnings();
    assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    texts(&batches)
}

/// The output of a shell script in a directory.
fn sh(folder: &Path, script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().expect("sh runs");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What OpenSSL prints about a certificate in PEM.
fn openssl(pem: &str, options: &str) -> String {
    use std::io::Write as _;
    let options = options.split(' ').filter(|option| !option.is_empty());
    let mut command = Command::new("openssl");
    command.args(["x509", "-noout"]).args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("openssl starts");
    child.stdin.take().expect("a pipe").write_all(pem.as_bytes()).expect("written");
    String::from_utf8_lossy(&child.wait_with_output().expect("it ends").stdout).into_owned()
}

/// The rest of the first line that has a text, and the line after it.
fn after<'a>(printed: &'a str, text: &str) -> Option<(&'a str, &'a str)> {
    let mut lines = printed.lines();
    let found = lines.by_ref().find_map(|line| Some(line.split_once(text)?.1))?;
    Some((found.trim_start(), lines.next().unwrap_or_default().trim()))
}

/// The columns of a certificate that OpenSSL prints too, as it prints them.
fn expected(pem: &str) -> BTreeMap<&'static str, String> {
    let text = openssl(pem, "-text -subject -issuer -nameopt compat -fingerprint -sha1 -serial");
    let spaced = openssl(pem, "-subject -issuer -nameopt oneline");
    let line = |printed: &str, text: &str| after(printed, text).map(|(line, _)| line.to_owned()).unwrap_or_default();
    let next = |text_: &str| after(&text, text_).map(|(_, next)| next.to_owned()).unwrap_or_default();
    let id = |text: String| text.trim_start_matches("keyid:").replace(':', "").to_lowercase();
    let names = next("X509v3 Key Usage:").replace("Certificate Sign", "Key Cert Sign");
    let mut uses: Vec<String> = names.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    uses.sort();
    let constraints = next("X509v3 Basic Constraints:");
    let signs = names.is_empty() || names.contains("Key Cert Sign");
    BTreeMap::from([
        ("subject", line(&text, "subject=")),
        ("issuer", line(&text, "issuer=")),
        ("subject2", line(&spaced, "subject=")),
        ("issuer2", line(&spaced, "issuer=")),
        ("sha1", line(&text, "Fingerprint=").replace(':', "").to_lowercase()),
        // As a number, 0 has one digit.
        ("serial", Some(line(&text, "serial=")).filter(|serial| serial != "00").unwrap_or_else(|| "0".to_owned())),
        ("signing_algorithm", line(&text, "Signature Algorithm: ")),
        ("key_algorithm", line(&text, "Public Key Algorithm: ")),
        ("subject_key_id", id(next("X509v3 Subject Key Identifier:"))),
        ("authority_key_id", id(next("X509v3 Authority Key Identifier:"))),
        ("key_usage", uses.join(", ")),
        ("ca", i32::from(constraints.contains("CA:TRUE") && signs).to_string()),
    ])
}

const COMPARED: &str = "subject, issuer, subject2, issuer2, sha1, serial, signing_algorithm, key_algorithm, \
                        subject_key_id, authority_key_id, key_usage, ca";

async fn compare_certificates(engine: &Engine, path: &str) -> usize {
    let text = std::fs::read_to_string(path).expect("a bundle");
    let found = rows(engine, &format!("SELECT {COMPARED} FROM certificates WHERE path = '{path}'")).await;
    let entries: Vec<&str> =
        text.split_inclusive("-----END CERTIFICATE-----").filter(|text| text.contains("BEGIN")).collect();
    assert_eq!(found.len(), entries.len(), "{path}");
    for (row, pem) in found.iter().zip(&entries) {
        let expected = expected(pem);
        for (name, value) in COMPARED.split(", ").zip(row) {
            let value = match name {
                "key_usage" => {
                    let mut uses: Vec<&str> = value.split(", ").collect();
                    uses.sort_unstable();
                    uses.join(", ")
                }
                _ => value.clone(),
            };
            assert_eq!(value, expected[name], "{name} of {}", row[0]);
        }
    }
    entries.len()
}

#[tokio::test]
async fn certificates_are_as_openssl_prints_them() {
    let engine = live().await;
    let bundle = "/etc/ssl/certs/ca-certificates.crt";
    let trusted = compare_certificates(&engine, bundle).await;
    assert!(trusted > 50, "{trusted} certificates in {bundle}");
    assert_eq!(rows(&engine, "SELECT count(*) FROM certificates").await, [[trusted.to_string()]]);

    // Unusual keys, names and extensions.
    let folder = tempfile::tempdir().expect("a directory");
    let make = |name: &str, key: &str, rest: &str| {
        sh(
            folder.path(),
            &format!("openssl req -x509 -nodes -days 2 -utf8 {key} -keyout /dev/null -out {name} {rest}"),
        );
    };
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:secp384r1";
    make("rsa", "-newkey rsa:2048", r#"-subj '/C=US/O=A, "B" \\ C/OU=x\+y/CN=a\/b <c>;#'"#);
    make(
        "ec",
        ec,
        "-subj '/CN=Jürgen ✓/emailAddress=a@b/serialNumber=5/DC=org' -addext keyUsage=digitalSignature,cRLSign",
    );
    make("multi", ec, "-multivalue-rdn -subj '/O=one+OU=two/CN= spaces ' -set_serial -129");
    make("ed", "-newkey ed25519", "-subj '/CN=#first/2.5.4.97=VAT/1.2.3.4=unknown' -addext basicConstraints=CA:FALSE");
    sh(folder.path(), "openssl dsaparam -out p 1024 2>/dev/null");
    make("dsa", "-newkey dsa:p", "-subj / -set_serial 0x00ff");
    sh(folder.path(), "cat rsa ec multi ed dsa > all");
    let all = folder.path().join("all");
    let all = all.to_str().expect("UTF-8");
    assert_eq!(compare_certificates(&engine, all).await, 5);
    let sql = format!(
        "SELECT common_name, self_signed, key_strength, \
         CAST(not_valid_after AS INTEGER) - CAST(not_valid_before AS INTEGER) FROM certificates WHERE path = '{all}'"
    );
    let days = "172800";
    assert_eq!(
        rows(&engine, &sql).await,
        [
            ["a/b <c>;#", "1", "2048", days],
            ["Jürgen ✓", "0", "secp384r1", days],
            [" spaces ", "1", "secp384r1", days],
            ["#first", "1", "", days],
            ["", "1", "1024", days],
        ]
    );
    // One certificate in DER.
    sh(folder.path(), "openssl x509 -in ec -outform DER -out der");
    let der = folder.path().join("der");
    let sql = format!("SELECT common_name FROM certificates WHERE path = '{}'", der.display());
    assert_eq!(rows(&engine, &sql).await, [["Jürgen ✓"]]);
}

/// The descriptions of `file`, in each of its three forms.
fn file_of(path: &str) -> [String; 3] {
    ["--brief", "--mime-type", "--mime-encoding"].map(|option| {
        let mut command = Command::new("file");
        command.env("LC_ALL", "C.UTF-8").args(["--brief", "--dereference", option, "--", path]);
        let output = command.output().expect("file runs");
        String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
    })
}

#[tokio::test]
async fn magic_is_what_file_prints() {
    let engine = live().await;
    let folder = tempfile::tempdir().expect("a directory");
    let script = r#"
        echo plain > text; printf 'caf\303\251\n' > utf-8; printf 'caf\351\n' > latin; : > empty
        printf '\377\376a\000\n\000' > utf-16; printf '{"a": [1, 2]}\n' > json; printf '#!/bin/sh\necho\n' > script
        printf 'a,b,c\n1,2,3\n4,5,6\n7,8,9\n' > csv; printf '%%PDF-1.4\n' > pdf; echo x | gzip -n > gz
        printf '\211PNG\r\n\032\n\0\0\0\015IHDR\0\0\0\001\0\0\0\002\010\002\0\0\0' > png; printf 'GIF89a\1\0\1\0' > gif
        tar cf tar text json; cp /bin/true 'two
lines'; mkfifo fifo; mkdir folder; ln -s text link; ln -s /bin/sh shell; head -c 3000 /dev/zero > zeros
        chmod 4755 script; chmod 1777 folder; printf 'one\r\ntwo\r\n' > crlf; printf 'x%.0s' $(seq 1 9000) > long
    "#;
    sh(folder.path(), script);
    let below = folder.path().to_str().expect("UTF-8");
    for pattern in [format!("{below}/%"), "/usr/bin/a%".to_owned(), "/etc/p%".to_owned(), "/dev/n%".to_owned()] {
        let sql = format!("SELECT path, data, mime_type, mime_encoding FROM magic WHERE path LIKE '{pattern}'");
        let found = rows(&engine, &sql).await;
        assert!(!found.is_empty(), "{pattern}");
        for row in found {
            assert_eq!(row[1..], file_of(&row[0]), "{}", row[0]);
        }
    }
    let sql = format!("SELECT count(*), min(magic_db_files) FROM magic WHERE path LIKE '{below}/%'");
    assert_eq!(rows(&engine, &sql).await, [["21", "/usr/share/misc/magic"]]);
    // Another database.
    std::fs::write(folder.path().join("own.magic"), "0 string plain own kind\n!:mime text/x-own\n").expect("written");
    let sql = format!(
        "SELECT data, mime_type FROM magic WHERE path = '{below}/text' AND magic_db_files = '{below}/own.magic'"
    );
    assert_eq!(rows(&engine, &sql).await, [["own kind", "text/x-own"]]);
}

#[tokio::test]
async fn magic_stays_below_its_root() {
    let folder = tempfile::tempdir().expect("a directory");
    sh(
        folder.path(),
        "mkdir host; echo inner > host/inner; ln -s ../secret host/up; ln -s /inner host/own; echo x > secret",
    );
    let engine = host_engine(&Sys::at(folder.path().join("host"))).build().await.expect("an engine");
    let found = rows(&engine, "SELECT path, data FROM magic WHERE path LIKE '/%' ORDER BY path").await;
    assert_eq!(found, [["/inner", "ASCII text"], ["/own", "ASCII text"]]);
}

/// The value of a line of `readelf -h`.
fn header(printed: &str, name: &str) -> String {
    after(printed, name).map(|(value, _)| value.trim_start_matches(':').trim().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn elf_files_are_as_readelf_prints_them() {
    let engine = live().await;
    let sql = "SELECT path, bits, type, machine, entry_point, interpreter, soname, needed, build_id, dynamic, stripped, \
               relro, executable_stack, pie FROM elf_info WHERE path LIKE '/usr/bin/s%' \
               OR path LIKE '/usr/lib/x86_64-linux-gnu/libc%'";
    let found = rows(&engine, sql).await;
    assert!(found.len() > 30, "{} files", found.len());
    let folder = Path::new("/");
    for row in found {
        let path = &row[0];
        let printed = sh(
            folder,
            &format!("readelf -h -W '{path}'; readelf -l -d -n -W '{path}' 2>/dev/null; readelf -S -W '{path}'"),
        );
        let bits = if header(&printed, "Class:") == "ELF64" { "64" } else { "32" };
        let kind = header(&printed, "Type:").split(' ').next().unwrap_or_default().to_lowercase();
        let entry = header(&printed, "Entry point address:");
        let entry = i64::from_str_radix(entry.trim_start_matches("0x"), 16).expect("a number").to_string();
        let between = |text: &str, start: &str, end: char| {
            let found = text.split(start).nth(1).and_then(|rest| rest.split(end).next());
            found.map_or("NULL".to_owned(), str::to_owned)
        };
        let needed: Vec<String> = printed
            .lines()
            .filter(|line| line.contains("(NEEDED)"))
            .map(|line| between(line, "Shared library: [", ']'))
            .collect();
        let build_id = printed.lines().find(|line| line.contains("Build ID: "));
        let build_id =
            build_id.map_or("NULL".to_owned(), |line| line.split("Build ID: ").nth(1).expect("an ID").to_owned());
        let has = |text: &str| printed.contains(text);
        let now = has("(BIND_NOW)") || printed.lines().any(|line| line.contains("(FLAGS") && line.contains("NOW"));
        let relro = match (has("GNU_RELRO"), now) {
            (false, _) => "none",
            (true, false) => "partial",
            (true, true) => "full",
        };
        let stack = printed.lines().find(|line| line.contains("GNU_STACK") && line.contains("0x"));
        let stack = stack.map_or("NULL", |line| if line.contains("RWE") { "1" } else { "0" });
        let interpreter = between(&printed, "[Requesting program interpreter: ", ']');
        let pie = kind == "dyn" && (interpreter != "NULL" || has(" PIE"));
        let flag = |is_set: bool| i32::from(is_set).to_string();
        let expected = [
            bits.to_owned(),
            kind,
            "x86_64".to_owned(),
            entry,
            interpreter,
            between(&printed, "Library soname: [", ']'),
            format!("[{}]", needed.join(", ")),
            build_id,
            flag(has("Dynamic section at offset")),
            flag(!has(" SYMTAB ")),
            relro.to_owned(),
            stack.to_owned(),
            flag(pie),
        ];
        assert_eq!(row[1..], expected, "{path}");
    }
    // Other files have no rows.
    assert_eq!(
        rows(&engine, "SELECT path FROM elf_info WHERE path IN ('/etc/passwd', '/etc', '/none')").await,
        [[""; 0]; 0]
    );
}

#[tokio::test]
async fn symbols_are_as_readelf_prints_them() {
    let engine = live().await;
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(
        folder.path().join("a.c"),
        "int shared = 1; static int own; int f(void) { return own; } extern int g(void); int h(void) { return g(); }",
    )
    .expect("written");
    sh(folder.path(), "cc -c -o a.o a.c; cc -shared -fPIC -o a.so a.c");
    for path in ["/bin/true".into(), folder.path().join("a.o"), folder.path().join("a.so")] {
        let path = path.to_str().expect("UTF-8");
        let sql = format!(
            "SELECT \"table\", addr, size, lower(type), lower(binding), lower(visibility), section_index, name FROM elf_symbols \
             WHERE path = '{path}'"
        );
        let mut found: Vec<String> = rows(&engine, &sql).await.into_iter().map(|row| row.join("|")).collect();
        let printed = sh(folder.path(), &format!("readelf --symbols -W '{path}'"));
        let mut table = "";
        let mut expected = Vec::new();
        for line in printed.lines() {
            if let Some(rest) = line.strip_prefix("Symbol table '") {
                table = if rest.starts_with(".symtab") { ".symtab" } else { ".dynsym" };
                continue;
            }
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [number, address, size, kind, binding, visibility, section, ..] = fields[..] else { continue };
            if !number.ends_with(':') || number == "0:" || number == "Num:" {
                continue;
            }
            let section = match section {
                "UND" => "0",
                "ABS" => "65521",
                "COM" => "65522",
                number => number,
            };
            let size = size
                .strip_prefix("0x")
                .map_or(size.to_owned(), |hex| i64::from_str_radix(hex, 16).expect("a number").to_string());
            let address = u64::from_str_radix(address, 16).expect("an address");
            // readelf appends the version, and shows the name of a section for its symbol.
            let name = fields.get(7).map_or("", |name| name.split('@').next().unwrap_or_default());
            let name = if kind == "SECTION" { "" } else { name };
            let kind = kind.to_lowercase();
            expected.push(format!(
                "{table}|{address}|{size}|{kind}|{}|{}|{section}|{name}",
                binding.to_lowercase(),
                visibility.to_lowercase()
            ));
        }
        assert!(expected.len() > 5, "{path}: {printed}");
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{path}");
    }
}
