//! `.output`

use std::fs::File;
use std::io::BufWriter;
use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::render::Style;

pub(super) const COMMAND: Command = Command {
    name: ".output",
    aliases: &[".o"],
    usage: "[FILE]",
    about: "Writes rows to a file; without FILE, to the screen again.",
    argument: Argument::Text,
    run: |shell, file| {
        if file.is_empty() {
            shell.out.flush()?;
            shell.out = Box::new(std::io::stdout());
            shell.style = Style::of_stdout();
            shell.redirected = false;
        } else {
            match File::create(file) {
                Ok(created) => {
                    shell.out = Box::new(BufWriter::new(created));
                    shell.style = Style::default();
                    shell.redirected = true;
                }
                Err(error) => shell.complain(format_args!("cannot write {}: {error}", crate::text::visible(file))),
            }
        }
        Ok(ControlFlow::Continue(()))
    },
};
