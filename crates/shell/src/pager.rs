//! Output of the shell: standard output, a file, or a pager for results that are longer than the screen.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Environment variable that names the pager.
const VARIABLE: &str = "PAGER";
/// The pager if the user named none and it exists: long lines are cut, colours pass, a single screen stays as it is.
const DEFAULT: &str = "less -SRFX";

/// The command of the pager, or why there is none.
pub(crate) fn command() -> Result<String, String> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err("this is not a terminal".to_owned());
    }
    chosen(std::env::var(VARIABLE).ok().as_deref(), exists)
}

/// The pager that the user named, or the default one.
fn chosen(named: Option<&str>, exists: impl Fn(&str) -> bool) -> Result<String, String> {
    let Some(named) = named.map(str::trim) else {
        return match exists("less") {
            true => Ok(DEFAULT.to_owned()),
            false => Err(format!("less is not installed, and ${VARIABLE} names no other pager")),
        };
    };
    let program = named.split_whitespace().find(|word| !word.contains('=')).unwrap_or_default();
    match program {
        "" => Err(format!("${VARIABLE} is empty")),
        "cat" => Err(format!("${VARIABLE} is `{named}`")),
        program if is_plain(program) && !exists(program) => {
            Err(format!("${VARIABLE} is `{named}`, which is not installed"))
        }
        _ => Ok(named.to_owned()),
    }
}

fn exists(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether a text means the same to a shell as to us.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || " -_./=+,:".contains(c))
}

/// Where rows and listings go.
pub(crate) struct Out {
    inner: Box<dyn Write + Send>,
    state: State,
    /// Whether a pager has the screen.
    is_paging: Arc<AtomicBool>,
}

enum State {
    /// Text is written as it comes.
    Direct,
    /// Text waits until it is longer than the screen, or ends.
    Waiting { pager: String, text: Vec<u8>, left: usize },
    /// Text goes to the pager.
    Paging(Child),
}

impl Out {
    pub(crate) fn new(inner: Box<dyn Write + Send>) -> Self {
        Out { inner, state: State::Direct, is_paging: Arc::default() }
    }

    /// From now on, text that is longer than so many lines goes to a pager.
    pub(crate) fn begin(&mut self, pager: Option<String>, lines: usize) {
        if let (State::Direct, Some(pager)) = (&self.state, pager) {
            self.state = State::Waiting { pager, text: Vec::new(), left: lines };
        }
    }

    /// Whether a pager has the screen, for other threads and later.
    pub(crate) fn paging(&self) -> Arc<AtomicBool> {
        self.is_paging.clone()
    }

    /// Writes text that still waits, or waits until the user leaves the pager. Returns whether there was a pager.
    pub(crate) fn end(&mut self) -> io::Result<bool> {
        match std::mem::replace(&mut self.state, State::Direct) {
            State::Direct => self.inner.flush().map(|()| false),
            State::Waiting { text, .. } => {
                self.inner.write_all(&text)?;
                self.inner.flush().map(|()| false)
            }
            State::Paging(mut pager) => {
                drop(pager.stdin.take());
                let ended = pager.wait();
                self.is_paging.store(false, Ordering::Relaxed);
                ended.map(|_| true)
            }
        }
    }

    /// Starts the pager with the text that waits. If there is no such program, the text is written directly.
    fn start(&mut self, pager: &str, text: &[u8]) -> io::Result<()> {
        match spawn(pager) {
            Ok(child) => {
                self.state = State::Paging(child);
                self.is_paging.store(true, Ordering::Relaxed);
            }
            Err(error) => {
                self.state = State::Direct;
                crate::report::say(format_args!("warning: cannot run the pager `{pager}`: {error}"));
            }
        }
        self.write_all(text)
    }
}

fn spawn(pager: &str) -> io::Result<Child> {
    let mut command = if is_plain(pager) && !pager.split_whitespace().next().unwrap_or_default().contains('=') {
        let mut words = pager.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", pager]);
        command
    };
    command.stdin(Stdio::piped()).spawn()
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Direct => self.inner.write(bytes),
            State::Paging(pager) => match &mut pager.stdin {
                Some(stdin) => stdin.write(bytes),
                None => Err(io::ErrorKind::BrokenPipe.into()),
            },
            State::Waiting { pager, text, left } => {
                text.extend_from_slice(bytes);
                let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
                *left = left.saturating_sub(lines);
                if *left == 0 {
                    let (pager, text) = (std::mem::take(pager), std::mem::take(text));
                    self.start(&pager, &text)?;
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Direct => self.inner.flush(),
            State::Waiting { .. } => Ok(()),
            State::Paging(pager) => pager.stdin.as_mut().map_or(Ok(()), Write::flush),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(pager: Option<&str>, text: &str) -> (String, bool) {
        let screen = Screen::default();
        let mut out = Out::new(Box::new(screen.clone()));
        out.begin(pager.map(ToOwned::to_owned), 3);
        for line in text.split_inclusive('\n') {
            out.write_all(line.as_bytes()).expect("written");
        }
        let paged = out.end().expect("ended");
        let text = String::from_utf8(screen.0.lock().expect("no panic").clone()).expect("UTF-8");
        (text, paged)
    }

    #[test]
    fn only_long_output_goes_to_the_pager() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("paged");
        let pager = format!("cat > '{}'", file.display());
        assert_eq!(shown(Some(&pager), "1\n2\n"), ("1\n2\n".to_owned(), false));
        assert!(!file.exists());
        assert_eq!(shown(Some(&pager), "1\n2\n3\n4\n"), (String::new(), true));
        assert_eq!(std::fs::read_to_string(&file).expect("written"), "1\n2\n3\n4\n");
        assert_eq!(shown(None, "1\n2\n3\n4\n"), ("1\n2\n3\n4\n".to_owned(), false));
        // A pager that does not exist costs no output.
        assert_eq!(shown(Some("indago-no-such-pager"), "1\n2\n3\n4\n"), ("1\n2\n3\n4\n".to_owned(), false));
    }

    #[test]
    fn the_pager_in_force_or_why_there_is_none() {
        let exists = |program: &str| ["less", "most", "/bin/more"].contains(&program);
        for (named, expected) in [
            (None, Ok("less -SRFX")),
            (Some("most -s"), Ok("most -s")),
            (Some("LESS=-R less"), Ok("LESS=-R less")),
            (Some("/bin/more"), Ok("/bin/more")),
            (Some("(less; true)"), Ok("(less; true)")),
            (Some(" "), Err("$PAGER is empty")),
            (Some("cat -v"), Err("$PAGER is `cat -v`")),
            (Some("moar --fast"), Err("$PAGER is `moar --fast`, which is not installed")),
            (Some("X=1 moar"), Err("$PAGER is `X=1 moar`, which is not installed")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(chosen(named, exists), expected, "{named:?}");
        }
        let none = Err("less is not installed, and $PAGER names no other pager".to_owned());
        assert_eq!(chosen(None, |_| false), none);
    }

    #[test]
    fn a_pager_that_ends_early_closes_the_output() {
        let mut out = Out::new(Box::new(io::sink()));
        out.begin(Some("true".to_owned()), 1);
        let line = [b'\n'; 4096];
        let failed = std::iter::repeat_with(|| out.write_all(&line)).find_map(Result::err).expect("a closed pipe");
        assert_eq!(failed.kind(), io::ErrorKind::BrokenPipe);
        assert!(out.end().expect("ended"));
    }
}
