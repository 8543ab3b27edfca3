//! `.output`

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::pager::Out;
use crate::render::Style;

pub(super) const COMMAND: Command = Command {
    name: ".output",
    aliases: &[".o", "\\o"],
    usage: "[FILE]",
    about: "Writes rows to a file; without FILE or with `-`, to the screen again.",
    argument: Argument::Path,
    run: |shell, file| {
        if matches!(file, "" | "-") {
            shell.out.flush()?;
            shell.out = Out::new(Box::new(std::io::stdout()));
            shell.style = shell.style.again();
            shell.redirected = false;
        } else {
            match File::create(file) {
                Ok(created) => {
                    shell.out.flush()?;
                    shell.out = Out::new(Box::new(BufWriter::new(created)));
                    shell.style = Style { separated: shell.style.separated, ..Style::default() };
                    shell.redirected = true;
                }
                Err(error) => shell.complain(format_args!("cannot write {}: {error}", crate::text::visible(file))),
            }
        }
        Ok(ControlFlow::Continue(()))
    },
};
