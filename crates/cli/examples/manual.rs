//! Writes the manual pages and shell completions of the command line to a directory.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

#[path = "../src/arguments.rs"]
#[allow(dead_code, reason = "only the description of the command line is used")]
mod arguments;

fn main() -> std::io::Result<()> {
    let out = std::env::args_os().nth(1).map(PathBuf::from);
    let out = out.ok_or_else(|| std::io::Error::other("name a directory"))?;
    let mut command = arguments::Arguments::command();
    clap_mangen::generate_to(command.clone(), &out)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "indago", &out)?;
    }
    Ok(())
}
