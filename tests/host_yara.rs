//! YARA rules on files and processes.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use indago_table::Sys;

use crate::support::{host_engine, texts};

#[tokio::test]
async fn rules_find_files_and_processes() {
    let engine = host_engine(&Sys::live()).build().await.expect("an engine");
    let folder = tempfile::tempdir().expect("a directory");
    let at = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(at("bad"), "an evil text, and an evil end").expect("written");
    std::fs::write(at("good"), "nothing").expect("written");
    std::os::unix::fs::symlink("bad", folder.path().join("link")).expect("a link");
    std::fs::write(
        at("rules.yar"),
        "rule evil : a b { strings: $e = \"evil\" condition: $e } rule any { condition: true }",
    )
    .expect("written");
    assert!(Command::new("mkfifo").arg(at("fifo")).status().expect("mkfifo runs").success());
    let rows = async |sql: &str| {
        let query = engine.query(sql).await.expect(sql);
        let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        (texts(&batches), query.warnings().len())
    };
    let rules = at("rules.yar");
    for table in ["yara_file", "yara"] {
        let sql = format!(
            "SELECT path, matches, count, strings, tags, sigfile FROM {table} \
             WHERE path LIKE '{}/%' AND path NOT LIKE '%.yar' AND sigfile = '{rules}' ORDER BY path",
            folder.path().display()
        );
        let found = [
            [at("bad"), "evil,any".into(), "2".into(), "$e:3,$e:15".into(), "a,b".into(), rules.clone()],
            [at("good"), "any".into(), "1".into(), String::new(), String::new(), rules.clone()],
            [at("link"), "evil,any".into(), "2".into(), "$e:3,$e:15".into(), "a,b".into(), rules.clone()],
        ];
        assert_eq!(rows(&sql).await, (found.map(Vec::from).to_vec(), 0));
    }
    // Rules in the query, and rules that cannot be used.
    let sql = format!(
        "SELECT matches FROM yara_file WHERE path = '{}' \
         AND sigrule = 'rule x {{ strings: $a = /ev[a-i]l/ condition: #a == 2 }}'",
        at("bad")
    );
    assert_eq!(rows(&sql).await, (vec![vec!["x".to_owned()]], 0));
    let sql = format!("SELECT matches FROM yara_file WHERE path = '{}' AND sigrule = 'rule x {{'", at("bad"));
    assert_eq!(rows(&sql).await, (Vec::new(), 1));
    let sql = format!("SELECT matches FROM yara_file WHERE path = '{}'", at("bad"));
    assert_eq!(rows(&sql).await, (Vec::new(), 1));

    // A file that is too large to scan, unless its size alone decides.
    let large = std::fs::File::create(at("large")).expect("a file");
    large.set_len(300 << 20).expect("a sparse file");
    let sql = |condition: &str| {
        format!(
            "SELECT matches, count FROM yara_file WHERE path = '{}' AND sigrule = 'rule x {{ {condition} }}'",
            at("large")
        )
    };
    let nothing = vec![vec![String::new(), "0".to_owned()]];
    assert_eq!(rows(&sql("strings: $a = \"evil\" condition: filesize < 1MB and $a")).await, (nothing, 0));
    let unknown = vec![vec!["NULL".to_owned(), "NULL".to_owned()]];
    assert_eq!(rows(&sql("strings: $a = \"evil\" condition: $a")).await, (unknown, 1));

    // A shell with a text in its memory that is in no file.
    let script = "a=sec; b=ret-of; x=$a$b-the-process; echo ready; read -r _";
    let mut child =
        Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it started");
    let pid = child.id();
    let sql = |text: &str| {
        format!(
            "SELECT pid, matches, count FROM yara_process WHERE pid = {pid} \
             AND sigrule = 'rule secret {{ strings: $a = \"{text}\" condition: $a }}'"
        )
    };
    let expected = vec![vec![pid.to_string(), "secret".to_owned(), "1".to_owned()]];
    assert_eq!(rows(&sql("secret-of-the-process")).await, (expected, 0));
    let none = vec![vec![pid.to_string(), String::new(), "0".to_owned()]];
    assert_eq!(rows(&sql("secret-of-another-process")).await, (none, 0));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}
