//! Programs of the system administrator, which are outside of an ordinary user's `PATH`.

use std::process::Output;

use indago_table::prelude::*;
use indago_table::sys::Program;

/// Directories of such programs.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Most characters of a program's message in an error.
const LONGEST_COMPLAINT: usize = 300;

/// The program of a name; `None` if it is not installed.
pub(crate) fn find(sys: &Sys, name: &str, arguments: &[&str]) -> Option<Program> {
    let path = FOLDERS.iter().map(|folder| format!("{folder}/{name}")).find(|path| sys.metadata(path).is_ok())?;
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    // Messages are searched for words.
    let variables = vec![("LC_ALL".to_owned(), "C".to_owned())];
    Some(Program { arguments, variables, ..Program::new(format!("`{name}`"), path) })
}

/// The output of a program that needs a capability. A failure of a user without it is `Denied`.
pub(crate) fn print(sys: &Sys, program: &Program, needs: &str) -> Result<Vec<u8>> {
    let Output { status, stdout, stderr } = sys.run(program)?;
    if status.success() {
        return Ok(stdout);
    }
    let complaint: String =
        String::from_utf8_lossy(&stderr).trim().replace('\n', "; ").chars().take(LONGEST_COMPLAINT).collect();
    let what = format!("{} failed ({status}): {complaint}", program.name);
    if complaint.contains("Permission denied") || complaint.contains("not permitted") || complaint.contains("be root") {
        return Err(Error::Denied { what, needs: Some(needs.to_owned()) });
    }
    // The kernel lacks the subsystem.
    if complaint.contains("Protocol not supported") || complaint.contains("Protocol not available") {
        return Err(Error::Unsupported(what));
    }
    Err(Error::Io { what: program.name.clone(), message: format!("failed ({status}): {complaint}") })
}
