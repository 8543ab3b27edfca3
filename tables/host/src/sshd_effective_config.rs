//! `sshd_effective_config`: one row per setting of the SSH server.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use indago_table::prelude::*;

use crate::source::procfs::required;
use crate::source::ssh_config::{self, Block, Kind, Setting};
use crate::source::texts::Texts;

/// Settings of the SSH server, from `/etc/ssh/sshd_config` and the files that it includes, and the defaults of settings
/// that are not in any file.
///
/// For most keywords the first setting counts. `effective` shows which one does; a setting in a `Match` block counts
/// for the connections that match.
#[derive(Debug, Default, PartialEq, Table)]
#[table(
    name = "sshd_effective_config",
    platforms("linux"),
    rows = 60,
    identity(keyword, file, line, value),
    namespaces
)]
#[example(
    "Whether root can log in with a password.",
    "SELECT keyword, value, match_criteria FROM sshd_effective_config WHERE effective AND keyword IN ('permitrootlogin', 'passwordauthentication')"
)]
pub struct SshdEffectiveConfig {
    /// Keyword, in lowercase.
    #[column(index)]
    keyword: String,
    /// Value, as written; of a default, as `sshd -T` shows it.
    value: String,
    /// Criteria of the `Match` block with the setting; NULL for one that applies to all connections.
    match_criteria: Option<String>,
    /// Whether the setting counts: it is the first one, the keyword collects all, or it is a default.
    effective: bool,
    /// File with the setting; NULL for a default.
    file: Option<String>,
    /// Line in the file, from 1; NULL for a default.
    line: Option<i64>,
}

const FILE: &str = "/etc/ssh/sshd_config";

/// Keywords that collect the values of all their lines.
const COLLECTING: &[&str] = &[
    "acceptenv",
    "allowgroups",
    "allowusers",
    "denygroups",
    "denyusers",
    "hostcertificate",
    "hostkey",
    "listenaddress",
    "port",
    "subsystem",
];

/// Keywords with another name. The others are read as the first.
const ALIASES: &[(&str, &str)] = &[
    ("challengeresponseauthentication", "kbdinteractiveauthentication"),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("dsaauthentication", "pubkeyauthentication"),
    ("hostdsakey", "hostkey"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    ("hostbasedacceptedkeytypes", "hostbasedacceptedalgorithms"),
];

/// Defaults that are the same since OpenSSH 8.0, as `sshd -T` of 9.2 prints them.
const DEFAULTS: &[(&str, &str)] = &[
    ("addressfamily", "any"),
    ("allowagentforwarding", "yes"),
    ("allowstreamlocalforwarding", "yes"),
    ("allowtcpforwarding", "yes"),
    ("authorizedkeyscommand", "none"),
    ("authorizedkeysfile", ".ssh/authorized_keys .ssh/authorized_keys2"),
    ("authorizedprincipalsfile", "none"),
    ("banner", "none"),
    ("chrootdirectory", "none"),
    ("clientalivecountmax", "3"),
    ("clientaliveinterval", "0"),
    ("disableforwarding", "no"),
    ("exposeauthinfo", "no"),
    ("forcecommand", "none"),
    ("gatewayports", "no"),
    ("hostbasedauthentication", "no"),
    ("ignorerhosts", "yes"),
    ("ignoreuserknownhosts", "no"),
    ("kbdinteractiveauthentication", "yes"),
    ("loglevel", "INFO"),
    ("logingracetime", "120"),
    ("maxauthtries", "6"),
    ("maxsessions", "10"),
    ("passwordauthentication", "yes"),
    ("permitemptypasswords", "no"),
    ("permitopen", "any"),
    ("permitrootlogin", "prohibit-password"),
    ("permittty", "yes"),
    ("permittunnel", "no"),
    ("permituserenvironment", "no"),
    ("permituserrc", "yes"),
    ("port", "22"),
    ("pubkeyauthentication", "yes"),
    ("strictmodes", "yes"),
    ("syslogfacility", "AUTH"),
    ("tcpkeepalive", "yes"),
    ("trustedusercakeys", "none"),
    ("usedns", "no"),
    ("usepam", "no"),
    ("x11forwarding", "no"),
    ("x11uselocalhost", "yes"),
];

impl Rows for SshdEffectiveConfig {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        required(scan.sys().metadata(FILE))?;
        let report = |error: &Error| scan.report("settings", error);
        let kind = Kind { directory: "/etc/ssh".into(), home: None, blocks: &["match"] };
        let settings = ssh_config::read(&Texts::new(scan.sys(), &report), Path::new(FILE), &kind)?;
        Ok(rows(settings))
    }
}

fn rows(settings: impl IntoIterator<Item = Setting>) -> impl Iterator<Item = SshdEffectiveConfig> {
    let mut settings = settings.into_iter().filter(|setting| setting.keyword != "include");
    let mut defaults = DEFAULTS.iter();
    let mut seen = HashSet::new();
    let mut blocks = Blocks::default();
    std::iter::from_fn(move || {
        let Some(setting) = settings.next() else {
            let (keyword, value) = defaults.find(|(keyword, _)| !seen.contains(&((*keyword).to_owned(), 0)))?;
            return Some(SshdEffectiveConfig {
                keyword: (*keyword).to_owned(),
                value: (*value).to_owned(),
                effective: true,
                ..SshdEffectiveConfig::default()
            });
        };
        let alias = ALIASES.iter().find(|(alias, _)| *alias == setting.keyword);
        let keyword = alias.map_or(setting.keyword, |(_, keyword)| (*keyword).to_owned());
        let is_first = seen.insert((keyword.clone(), blocks.number(setting.block.as_ref())));
        // The first word after `Match` names what is compared.
        let criteria = setting.block.map(|block| {
            let block = block.to_string();
            block.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).to_owned()
        });
        Some(SshdEffectiveConfig {
            effective: is_first || COLLECTING.contains(&keyword.as_str()),
            keyword,
            value: setting.value,
            match_criteria: criteria,
            file: Some(setting.file.display().to_string()),
            line: Some(setting.line as i64),
        })
    })
}

/// Numbers of blocks, from 1. Blocks with the same criteria have the same number; 0 is that of no block.
#[derive(Default)]
struct Blocks {
    numbers: HashMap<Arc<Block>, usize>,
    /// The last block: the settings of a block follow each other.
    last: Option<(Arc<Block>, usize)>,
}

impl Blocks {
    fn number(&mut self, block: Option<&Arc<Block>>) -> usize {
        let Some(block) = block else { return 0 };
        match &self.last {
            Some((last, number)) if Arc::ptr_eq(last, block) => *number,
            _ => {
                let next = self.numbers.len() + 1;
                let number = *self.numbers.entry(block.clone()).or_insert(next);
                self.last = Some((block.clone(), number));
                number
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_setting_counts_and_blocks_are_separate() {
        let setting = |keyword: &str, value: &str, block: Option<&str>| Setting {
            keyword: keyword.to_owned(),
            value: value.to_owned(),
            text: String::new(),
            block: block.map(|criteria| Arc::new(Block { outer: None, criteria: criteria.to_owned() })),
            file: Path::new(FILE).into(),
            line: 1,
        };
        let all: Vec<_> = rows([
            setting("permitrootlogin", "no", None),
            setting("permitrootlogin", "yes", None),
            setting("port", "22", None),
            setting("port", "2222", None),
            setting("challengeresponseauthentication", "no", None),
            setting("permitrootlogin", "yes", Some("Match user ada")),
            setting("permittty", "no", Some("Match user ada")),
            setting("permitrootlogin", "no", Some("Match user ada")),
        ])
        .collect();
        let of = |keyword: &str| -> Vec<(String, Option<String>, bool)> {
            let rows = all.iter().filter(|row| row.keyword == keyword);
            rows.map(|row| (row.value.clone(), row.match_criteria.clone(), row.effective)).collect()
        };
        let of_ada = || Some("user ada".to_owned());
        assert_eq!(
            of("permitrootlogin"),
            [
                ("no".into(), None, true),
                ("yes".into(), None, false),
                ("yes".into(), of_ada(), true),
                ("no".into(), of_ada(), false)
            ]
        );
        assert_eq!(of("port"), [("22".into(), None, true), ("2222".into(), None, true)]);
        assert_eq!(of("kbdinteractiveauthentication"), [("no".into(), None, true)]);
        assert_eq!(of("permittty"), [("no".into(), of_ada(), true), ("yes".into(), None, true)]);
    }
}
