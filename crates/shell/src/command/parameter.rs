//! `.param`

use std::io::Write;
use std::ops::ControlFlow;

use indago::Parameter;

use super::{Argument, Command};
use crate::text::visible;

const USAGE: &str = "use `.param set NAME VALUE`, `.param unset NAME`, `.param list` or `.param clear`";

pub(super) const COMMAND: Command = Command {
    name: ".param",
    aliases: &[".parameter"],
    usage: "set|unset|list|clear",
    about: "Sets the values of parameters, which SQL names as `$name`.",
    argument: Argument::Text,
    run: |shell, argument| {
        let (verb, rest) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
        let (name, value) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
        let options = &mut shell.settings.options;
        match verb {
            "set" if !name.is_empty() && !value.is_empty() => {
                *options = std::mem::take(options).bind(name, unquoted(value.trim()));
            }
            "unset" if !name.is_empty() => {
                let name = name.trim_start_matches(['$', ':', '?']);
                if options.parameters.remove(name).is_none() {
                    shell.complain(format_args!("parameter `{}` is not set; `.param list` lists them", visible(name)));
                }
            }
            "list" | "" => {
                for (name, value) in &options.parameters {
                    let Parameter::Text(text) = value else { continue };
                    writeln!(shell.out, "${} {}", visible(name), visible(&quoted(text)))?;
                }
            }
            "clear" => options.parameters.clear(),
            // SQLite's shell needs this first.
            "init" => {}
            _ => shell.complain(USAGE),
        }
        Ok(ControlFlow::Continue(()))
    },
};

/// The text of a value, which may stand in quotes as in SQL.
fn unquoted(value: &str) -> String {
    for quote in ['\'', '"'] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote)) {
            return inner.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    value.to_owned()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_quoted() {
        for (given, value) in [("a b", "a b"), ("'it''s'", "it's"), ("\"x\"", "x"), ("'", "'"), ("''", "")] {
            assert_eq!(unquoted(given), value, "{given}");
        }
        assert_eq!(unquoted(&quoted("it's")), "it's");
    }
}
