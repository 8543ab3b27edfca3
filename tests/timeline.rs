//! `timeline` and its page, on a host whose processes change between two readings.

use std::fs;
use std::path::{Path, PathBuf};

use indago_testkit::beds::Browser;
use serde_json::Value;

use crate::cli::indago;

/// A text that would run as a script if the page took it for HTML.
const HOSTILE: &str = "</script><img src=x onerror=\"document.title='taken'\">";

/// A host with a recorder's configuration.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let folder = tempfile::tempdir().expect("a directory");
        let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts/plain");
        let status = std::process::Command::new("cp").arg("-a").arg(plain).arg(folder.path().join("root")).status();
        assert!(status.expect("cp runs").success());
        let host = Host { folder };
        let others =
            ["containers", "kubernetes", "aws", "git"].map(|name| format!("[{name}]\nenabled = false\n")).concat();
        let record = "[record]\ndir = \"recorded\"\nwriter = \"web-1\"\n\
                      [recording.all]\n\
                      tables = [\"processes\", \"users\", \"process_open_sockets\", \"authorized_keys\"]\n";
        fs::write(host.path("indago.toml"), others + record).expect("written");
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a command printed to standard output and to standard error, and whether it succeeded.
    fn run(&self, arguments: &[&str]) -> (String, String, bool) {
        let mut command = indago();
        command.arg("--config").arg(self.path("indago.toml")).arg("--root").arg(self.path("root")).args(arguments);
        let output = command.output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        (text(&output.stdout), text(&output.stderr), output.status.success())
    }

    fn record(&self) {
        let (_, errors, ok) = self.run(&["record", "--once"]);
        assert!(ok, "{errors}");
    }

    fn timeline(&self, entity: &str, more: &[&str]) -> Vec<Value> {
        let arguments: Vec<&str> = ["timeline", entity, "--format", "ndjson"].iter().chain(more).copied().collect();
        let (rows, errors, ok) = self.run(&arguments);
        assert!(ok, "{errors}");
        rows.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    }

    /// Two readings: between them a process ends, a user gets another shell, and a process with a hostile name starts.
    fn with_changes() -> Host {
        let host = Host::new();
        host.record();
        let proc = host.path("root/proc");
        let status = std::process::Command::new("cp").arg("-a").arg(proc.join("412")).arg(proc.join("413")).status();
        assert!(status.expect("cp runs").success());
        let stat = fs::read_to_string(proc.join("412/stat")).expect("there");
        fs::write(proc.join("413/stat"), stat.replacen("412", "413", 1)).expect("written");
        fs::write(proc.join("413/cmdline"), format!("{HOSTILE}\0")).expect("written");
        fs::remove_dir_all(proc.join("845")).expect("removed");
        let users = fs::read_to_string(host.path("root/etc/passwd")).expect("there");
        let changed: String = users
            .lines()
            .map(|line| match line.starts_with("ada:") {
                true => format!("{}:/bin/evil\n", line.rsplit_once(':').expect("a field").0),
                false => format!("{line}\n"),
            })
            .collect();
        assert!(changed.contains("/bin/evil"), "{users}");
        fs::write(host.path("root/etc/passwd"), changed).expect("written");
        host.record();
        host
    }
}

fn find<'a>(rows: &'a [Value], table: &str, kind: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["table"] == table && row["kind"] == kind).collect()
}

#[test]
fn a_trail_has_what_changed_and_where_to_look_further() {
    let host = Host::with_changes();
    let rows = host.timeline("user:ada", &[]);
    let [modified] = find(&rows, "users", "modified")[..] else { panic!("{rows:?}") };
    let what = modified["what"].as_str().expect("a text");
    assert!(what.starts_with("ada: shell ") && what.ends_with(" → /bin/evil"), "{what}");
    assert_eq!(modified["environment"], "host");
    // The key finds the row again.
    let key = modified["key"].as_str().expect("a condition");
    let (again, errors, ok) =
        host.run(&["query", "--format", "csv", &format!("SELECT count(*) AS n FROM history.users WHERE {key}")]);
    assert!(ok && again.trim().ends_with('2'), "{again}{errors}");
    let mut sorted = rows.clone();
    sorted.sort_by_key(|row| row["at"].as_str().map(str::to_owned));
    assert_eq!(rows, sorted);
    assert_eq!(rows, host.timeline("user:ada", &[]));

    // The process that ended, by its number alone and with the recorder that saw it.
    for entity in ["845", "process:845", "process:web-1/845"] {
        let rows = host.timeline(entity, &[]);
        let ended = find(&rows, "processes", "ended");
        assert_eq!(ended.len(), 1, "{entity}: {rows:?}");
        assert!(ended[0]["what"].as_str().is_some_and(|what| what.starts_with("845/")), "{ended:?}");
        assert_eq!(ended[0]["entity"], "process:web-1/845");
    }
    assert!(find(&host.timeline("process:other/845", &[]), "processes", "ended").is_empty());
    // The end is not in a time before it.
    let at = find(&host.timeline("845", &[]), "processes", "ended")[0]["at"].as_str().expect("a time").to_owned();
    assert!(find(&host.timeline("845", &["--to", &at]), "processes", "ended").is_empty());
    assert_eq!(find(&host.timeline("845", &["--from", &at]), "processes", "ended").len(), 1);
}

#[test]
fn an_entity_that_nothing_names_is_a_note_and_bad_input_an_error() {
    let host = Host::new();
    host.record();
    let (rows, errors, ok) = host.run(&["timeline", "user:nobody-of-this-name", "--format", "csv"]);
    assert!(ok, "{errors}");
    assert_eq!(rows.lines().count(), 1, "{rows}");
    assert!(errors.contains("note") && errors.contains("no rows in") && errors.contains("users"), "{errors}");
    for (arguments, expected) in [
        (vec!["timeline", "two words"], "write kind:value"),
        (vec!["timeline", "ada", "--from", "soon"], "soon"),
        (vec!["timeline", "ada", "--from", "-1 hour", "--to", "-2 hours"], "is not before"),
        (vec!["query", "SELECT * FROM timeline('a', 'b', 'c', 'd')"], "write timeline(entity)"),
        (vec!["query", "SELECT * FROM timeline(1 + 1)"], "quoted"),
    ] {
        let (_, errors, ok) = host.run(&arguments);
        assert!(!ok && errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn the_page_works_in_a_browser_and_shows_hostile_text_as_text() {
    let host = Host::with_changes();
    let page = host.path("page.html");
    let entity = "process:web-1/413";
    let rows = host.timeline("413", &[]);
    let (_, errors, ok) = host.run(&["timeline", "413", "--html", &page.display().to_string()]);
    assert!(ok, "{errors}");
    let mut browser = Browser::start().expect("the browser");
    let requests = browser.open(&page).expect("it opens");
    assert_eq!(requests, [format!("file://{}", page.display())]);
    assert_eq!(browser.errors().expect("errors"), Vec::<String>::new());
    let mut text = |expression: &str| browser.evaluate(expression).expect("a value");
    assert_eq!(text("document.title"), "Timeline of 413");
    assert_eq!(text("document.querySelectorAll('img').length"), 0);
    assert_eq!(text("document.querySelectorAll('#rows li').length"), rows.len());
    let shown = text("document.getElementById('rows').textContent");
    assert!(shown.as_str().is_some_and(|shown| shown.contains(HOSTILE) && shown.contains(entity)), "{shown}");
    let visible = "[...document.querySelectorAll('#rows li')].filter(row => row.offsetParent !== null).length";
    assert_eq!(text(visible), rows.len());

    // Search, from the keyboard.
    browser.press(&["/", "o", "n", "e", "r", "r", "o", "r"]).expect("typed");
    let count = browser.evaluate(visible).expect("a number").as_u64().expect("a number");
    let with_it = rows.iter().filter(|row| row.to_string().contains("onerror")).count() as u64;
    assert!(count == with_it && count > 0 && (count as usize) < rows.len(), "{count} of {rows:?}");
    browser.press(&["Escape"]).expect("typed");
    assert_eq!(browser.evaluate(visible).expect("a number"), rows.len());
    // Zoom: the first and the last row are not in the middle half.
    browser.press(&["+"]).expect("typed");
    let zoomed = browser.evaluate(visible).expect("a number").as_u64().expect("a number");
    assert!((zoomed as usize) < rows.len(), "{zoomed}");
    browser.press(&["0"]).expect("typed");
    assert_eq!(browser.evaluate(visible).expect("a number"), rows.len());
    // Rows by keyboard.
    browser.press(&["j", "j"]).expect("typed");
    let second = "document.activeElement === document.querySelectorAll('#rows li')[1]";
    assert_eq!(browser.evaluate(second).expect("a value"), true);
    // Environments.
    browser.evaluate("document.querySelector('#environments input').click()").expect("clicked");
    assert_eq!(browser.evaluate(visible).expect("a number"), 0);
    browser.evaluate("document.querySelector('#environments input').click()").expect("clicked");

    // Light and dark, with enough contrast to read the text.
    for (scheme, is_dark) in [("light", false), ("dark", true)] {
        browser.prefer(scheme).expect("set");
        let colors = "['backgroundColor', 'color'].map(name => \
                      getComputedStyle(document.body)[name].match(/\\d+/g).map(Number).reduce((a, b) => a + b))";
        let colors = browser.evaluate(colors).expect("two numbers");
        let (back, front) = (colors[0].as_i64().expect("a number"), colors[1].as_i64().expect("a number"));
        assert!(is_dark == (back < front) && (back - front).abs() > 400, "{scheme}: {colors}");
        let picture = browser.screenshot().expect("a picture");
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{} bytes", picture.len());
    }
    assert_eq!(browser.errors().expect("errors"), Vec::<String>::new());
}
