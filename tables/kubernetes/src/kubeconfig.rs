//! Kubeconfig files, read entry by entry: an error in an entry affects only that entry.
//!
//! Like kubectl: an empty text means that a field is not set, unknown fields are ignored, the first file with a name
//! wins. Unlike kubectl, a value of the wrong type or a duplicate name does not invalidate the entire file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_table::{Error, Result};
use serde_json::{Map, Value};

/// A file that is part of a kubeconfig.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    pub(crate) path: PathBuf,
    /// Why it must not name programs to run and credential files to read; `None` if it may.
    pub(crate) distrust: Option<String>,
}

/// The entries of all files.
#[derive(Debug, Default)]
pub(crate) struct Kubeconfig {
    pub(crate) current_context: Option<String>,
    pub(crate) contexts: Vec<Entry<Context>>,
    pub(crate) clusters: Vec<Entry<Cluster>>,
    pub(crate) users: Vec<Entry<User>>,
    /// Entries of `contexts` without a usable name, and why.
    pub(crate) nameless: Vec<(Arc<Origin>, String)>,
}

/// A named entry, or what is wrong with it.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) name: String,
    pub(crate) origin: Arc<Origin>,
    pub(crate) value: Result<T, String>,
    /// Whether the file has another entry of the same name with a different value.
    pub(crate) has_rival: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Context {
    pub(crate) cluster: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) namespace: Option<String>,
}

/// How to reach a server. Paths are those of the machine with the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cluster {
    pub(crate) server: Option<String>,
    pub(crate) tls_server_name: Option<String>,
    pub(crate) insecure: bool,
    pub(crate) authority: Material,
    pub(crate) proxy_url: Option<String>,
    pub(crate) disable_compression: bool,
    /// The content of the extension for credentials plug-ins.
    pub(crate) plugin_config: Option<Value>,
}

/// A value in a file or, in base64, in the kubeconfig itself, which takes precedence.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Material {
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) file: Option<PathBuf>,
}

/// The credentials of requests.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct User {
    pub(crate) certificate: Material,
    pub(crate) key: Material,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) exec: Option<Exec>,
    pub(crate) auth_provider: Option<AuthProvider>,
    pub(crate) impersonation: Impersonation,
}

/// A plug-in that prints credentials.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Exec {
    pub(crate) api_version: String,
    pub(crate) command: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) install_hint: Option<String>,
    pub(crate) always_interactive: bool,
    pub(crate) provide_cluster_info: bool,
}

#[derive(Clone, PartialEq)]
pub(crate) struct AuthProvider {
    pub(crate) name: String,
    pub(crate) id_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Impersonation {
    pub(crate) user: Option<String>,
    pub(crate) uid: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) extra: Vec<(String, Vec<String>)>,
}

impl Material {
    pub(crate) fn is_set(&self) -> bool {
        self.data.is_some() || self.file.is_some()
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Secrets must not appear in logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("token_file", &self.token_file).field("exec", &self.exec).finish_non_exhaustive()
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exec").field("command", &self.command).finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthProvider").field("name", &self.name).finish_non_exhaustive()
    }
}

/// YAML (JSON included) as documents. A text that is too large or nested too deeply is an error.
pub(crate) fn parse_yaml(text: &str) -> Result<Vec<Value>, String> {
    let options = serde_saphyr::options! {
        // Like kubectl.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        with_snippet: false,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let message = match (&error, error.location()) {
            (serde_saphyr::Error::Budget { .. }, Some(at)) => {
                format!("line {}: the file is larger or more deeply nested than Indago reads", at.line())
            }
            _ => error.to_string(),
        };
        message.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

impl Kubeconfig {
    /// Adds the entries of another file. Entries of earlier files are not replaced.
    pub(crate) fn add(&mut self, origin: Origin, text: &str) -> Result<()> {
        let not_one = |why: String| Error::Malformed(format!("not a kubeconfig: {why}"));
        let origin = Arc::new(origin);
        for document in parse_yaml(text).map_err(not_one)? {
            let fields = match &document {
                Value::Null => continue,
                Value::Object(fields) => Fields { fields, folder: folder(&origin.path) },
                other => return Err(not_one(format!("it is {}, not a mapping", kind(other)))),
            };
            // Check all lists first: if one of them is not a list, the file gives no entries.
            let [contexts, clusters, users] = [fields.list("contexts"), fields.list("clusters"), fields.list("users")];
            let (contexts, clusters, users) =
                (contexts.map_err(not_one)?, clusters.map_err(not_one)?, users.map_err(not_one)?);
            let is_there = |entry: &&Value| !entry.is_null();
            for (position, entry) in contexts.iter().enumerate().filter(|(_, entry)| is_there(entry)) {
                match named(entry) {
                    Ok("") => self.nameless.push((origin.clone(), format!("contexts[{position}] has no name"))),
                    Ok(name) => add(&mut self.contexts, name, &origin, entry, "context", Context::read),
                    Err(why) => self.nameless.push((origin.clone(), format!("contexts[{position}]: {why}"))),
                }
            }
            // The name of a cluster or user may be empty. A context that names none refers to it.
            for (entry, name) in clusters.iter().filter(is_there).map(|entry| (entry, named(entry))) {
                match name {
                    Ok(name) => add(&mut self.clusters, name, &origin, entry, "cluster", Cluster::read),
                    Err(why) => tracing::warn!(file = %origin.path.display(), why, "an entry of `clusters` is ignored"),
                }
            }
            for (entry, name) in users.iter().filter(is_there).map(|entry| (entry, named(entry))) {
                match name {
                    Ok(name) => add(&mut self.users, name, &origin, entry, "user", User::read),
                    Err(why) => tracing::warn!(file = %origin.path.display(), why, "an entry of `users` is ignored"),
                }
            }
            if self.current_context.is_none() {
                self.current_context = fields.text("current-context").map_err(not_one)?;
            }
        }
        Ok(())
    }
}

/// Adds an entry, unless an earlier file has one of its name. Of two in one file, the first readable one wins.
fn add<T: PartialEq>(
    entries: &mut Vec<Entry<T>>,
    name: &str,
    origin: &Arc<Origin>,
    entry: &Value,
    field: &str,
    read: impl Fn(&Fields<'_>) -> Result<T, String>,
) {
    let known = entries.iter_mut().find(|known| known.name == name);
    if known.as_ref().is_some_and(|known| !Arc::ptr_eq(&known.origin, origin)) {
        return;
    }
    let outer = entry.as_object().map(|fields| Fields { fields, folder: folder(&origin.path) });
    let value = match outer.map(|outer| outer.mapping(field)) {
        Some(Ok(Some(fields))) => read(&fields),
        Some(Ok(None)) | None => read(&Fields { fields: &Map::new(), folder: folder(&origin.path) }),
        Some(Err(why)) => Err(why),
    };
    let value = value.map_err(|why| format!("{}: {why}", origin.path.display()));
    match known {
        None => entries.push(Entry { name: name.to_owned(), origin: origin.clone(), value, has_rival: false }),
        Some(known) if known.value != value => {
            known.has_rival = true;
            if known.value.is_err() {
                known.value = value;
            }
        }
        Some(_) => {}
    }
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

fn named(entry: &Value) -> Result<&str, String> {
    match entry {
        Value::Object(fields) => match fields.get("name") {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(name)) => Ok(name),
            Some(other) => Err(not_text("name", other)),
        },
        other => Err(format!("it is {}, not a mapping", kind(other))),
    }
}

/// The fields of a mapping. Errors describe what is wrong with them.
struct Fields<'a> {
    fields: &'a Map<String, Value>,
    /// The file's directory. Paths are relative to it.
    folder: &'a Path,
}

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<String>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(other) => Err(not_text(name, other)),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(format!("`{name}` is {}, not true or false", kind(other))),
        }
    }

    fn path(&self, name: &str) -> Result<Option<PathBuf>, String> {
        Ok(self.text(name)?.map(|path| self.folder.join(path)))
    }

    fn material(&self, name: &str) -> Result<Material, String> {
        let data_name = format!("{name}-data");
        let data = self.text(&data_name)?.map(|text| crate::expiry::decoded(&text));
        let data = match data {
            Some(None) => return Err(format!("`{data_name}` is not base64")),
            data => data.flatten(),
        };
        Ok(Material { data, file: self.path(name)? })
    }

    fn list(&self, name: &str) -> Result<&'a [Value], String> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(format!("`{name}` is {}, not a list", kind(other))),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| not_text(name, value));
        self.list(name)?.iter().map(text).collect()
    }

    fn mapping(&self, name: &str) -> Result<Option<Fields<'a>>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Fields { fields, folder: self.folder })),
            Some(other) => Err(format!("`{name}` is {}, not a mapping", kind(other))),
        }
    }

    /// The mappings in a list, without null elements.
    fn mappings(&self, name: &str) -> Result<Vec<Fields<'a>>, String> {
        let entries = self.list(name)?.iter().filter(|entry| !entry.is_null());
        entries
            .map(|entry| match entry {
                Value::Object(fields) => Ok(Fields { fields, folder: self.folder }),
                other => Err(format!("`{name}` holds {}, not a mapping", kind(other))),
            })
            .collect()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn not_text(name: &str, value: &Value) -> String {
    let hint = if value.is_number() || value.is_boolean() { ": put it in quotes" } else { "" };
    format!("`{name}` is {}, not a text{hint}", kind(value))
}

impl Context {
    fn read(fields: &Fields<'_>) -> Result<Self, String> {
        Ok(Context {
            cluster: fields.text("cluster")?,
            user: fields.text("user")?,
            namespace: fields.text("namespace")?,
        })
    }
}

/// Name of the extension for credentials plug-ins.
const PLUGIN_EXTENSION: &str = "client.authentication.k8s.io/exec";

impl Cluster {
    fn read(fields: &Fields<'_>) -> Result<Self, String> {
        let extensions = fields.mappings("extensions").unwrap_or_default();
        let extension =
            extensions.iter().find(|extension| extension.get("name").and_then(Value::as_str) == Some(PLUGIN_EXTENSION));
        Ok(Cluster {
            server: fields.text("server")?,
            tls_server_name: fields.text("tls-server-name")?,
            insecure: fields.flag("insecure-skip-tls-verify")?,
            authority: fields.material("certificate-authority")?,
            proxy_url: fields.text("proxy-url")?,
            disable_compression: fields.flag("disable-compression")?,
            plugin_config: extension.and_then(|extension| extension.get("extension")).cloned(),
        })
    }
}

impl User {
    fn read(fields: &Fields<'_>) -> Result<Self, String> {
        Ok(User {
            certificate: fields.material("client-certificate")?,
            key: fields.material("client-key")?,
            token: fields.text("token")?,
            token_file: fields.path("tokenFile")?,
            username: fields.text("username")?,
            password: fields.text("password")?,
            exec: fields.mapping("exec")?.map(|exec| Exec::read(&exec)).transpose()?,
            auth_provider: fields
                .mapping("auth-provider")?
                .map(|provider| AuthProvider::read(&provider))
                .transpose()?,
            impersonation: Impersonation {
                user: fields.text("as")?,
                uid: fields.text("as-uid")?,
                groups: fields.texts("as-groups")?,
                extra: match fields.mapping("as-user-extra")? {
                    Some(extra) => {
                        let names = extra.fields.keys();
                        names.map(|name| Ok((name.clone(), extra.texts(name)?))).collect::<Result<_, String>>()?
                    }
                    None => Vec::new(),
                },
            },
        })
    }
}

impl Exec {
    fn read(fields: &Fields<'_>) -> Result<Self, String> {
        let needed = |name: &str| fields.text(name)?.ok_or_else(|| format!("`exec` has no `{name}`"));
        let mut command = needed("command")?;
        if command.contains('/') {
            command = fields.folder.join(command).to_string_lossy().into_owned();
        }
        let variable = |variable: Fields<'_>| {
            let name = variable.text("name")?.ok_or("`env` has a variable without a name")?;
            Ok((name, variable.text("value")?.unwrap_or_default()))
        };
        Ok(Exec {
            api_version: needed("apiVersion")?,
            command,
            arguments: fields.texts("args")?,
            variables: fields.mappings("env")?.into_iter().map(variable).collect::<Result<_, String>>()?,
            install_hint: fields.text("installHint")?,
            always_interactive: fields.text("interactiveMode")?.as_deref() == Some("Always"),
            provide_cluster_info: fields.flag("provideClusterInfo")?,
        })
    }
}

impl AuthProvider {
    fn read(fields: &Fields<'_>) -> Result<Self, String> {
        let config = fields.mapping("config")?;
        Ok(AuthProvider {
            name: fields.text("name")?.unwrap_or_default(),
            id_token: config.map(|config| config.text("id-token")).transpose()?.flatten(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Kubeconfig {
        let mut kubeconfig = Kubeconfig::default();
        for (path, text) in files {
            kubeconfig.add(Origin { path: PathBuf::from(path), distrust: None }, text).unwrap();
        }
        kubeconfig
    }

    fn users(text: &str) -> Vec<(String, Result<User, String>)> {
        read(&[("/k/a", text)]).users.into_iter().map(|entry| (entry.name, entry.value)).collect()
    }

    /// Each of these files has an entry `b` that is unusual or wrong. kubectl 1.32 reads those marked true, and refuses
    /// the entire file for the others.
    #[test]
    fn one_bad_entry_costs_itself_alone() {
        let cases = [
            ("users", "{name: b, user: {exec: {apiVersion: v1, command: x, provideClusterInfo: null}}}", true, ""),
            ("users", "{name: b, user: {auth-provider: {config: null, name: gcp}}}", true, ""),
            ("users", "{name: b, user: }", true, ""),
            ("users", "{name: b, other: 1, user: {other: [1]}}", true, ""),
            ("users", "null", true, ""),
            ("users", "{user: {token: t}}", true, ""),
            ("users", "{name: b, user: {exec: {apiVersion: v1, command: x, env: null, args: null}}}", true, ""),
            ("users", "{name: b, user: {as-groups: null, as-user-extra: null, extensions: null}}", true, ""),
            ("users", "{name: b, user: {token: 5}}", false, "`token` is a number, not a text: put it in quotes"),
            ("users", "{name: b, user: {token: [x]}}", false, "`token` is a list, not a text"),
            ("users", "{name: b, user: 7}", false, "`user` is a number, not a mapping"),
            ("users", "{name: b, user: {exec: {apiVersion: v1}}}", false, "`exec` has no `command`"),
            ("users", "{name: b, user: {client-key-data: '%'}}", false, "`client-key-data` is not base64"),
            ("users", "{name: b, user: {exec: {apiVersion: v1, command: x, args: [1]}}}", false, "`args` is a number"),
            ("users", "7", false, ""),
            ("users", "{name: 5, user: {token: t}}", false, ""),
            ("clusters", "{name: b, cluster: {insecure-skip-tls-verify: 'yes'}}", false, "not true or false"),
            ("clusters", "{name: b, cluster: {server: 1}}", false, "`server` is a number"),
            ("clusters", "{name: b, cluster: {extensions: [{name: e, extension: null}]}}", true, ""),
            ("contexts", "{name: b, context: {user: u}}", true, ""),
            ("contexts", "{name: b, context: {cluster: , user: }}", true, ""),
            ("contexts", "{name: b, context: }", true, ""),
            ("contexts", "{name: b, context: {cluster: [c]}}", false, "`cluster` is a list"),
        ];
        for (list, entry, kubectl_reads_it, why) in cases {
            for entries in [format!("{entry}, GOOD"), format!("GOOD, {entry}")] {
                let good = |name: &str, good: &str| match name == list {
                    true => entries.replace("GOOD", good),
                    false => good.to_owned(),
                };
                let text = format!(
                    "{{current-context: good, preferences: null, extensions: null, contexts: [{}], clusters: [{}], users: [{}]}}",
                    good("contexts", "{name: good, context: {cluster: c, user: u}}"),
                    good("clusters", "{name: c, cluster: {server: s}}"),
                    good("users", "{name: u, user: {token: t}}"),
                );
                let read = read(&[("/k/a", &text)]);
                let at = |name: &str, names: Vec<&str>| names.iter().position(|known| *known == name).expect("there");
                let context = at("good", read.contexts.iter().map(|entry| &*entry.name).collect());
                let wanted = Context { cluster: Some("c".into()), user: Some("u".into()), namespace: None };
                assert_eq!(read.contexts[context].value, Ok(wanted), "{text}");
                let cluster = at("c", read.clusters.iter().map(|entry| &*entry.name).collect());
                assert_eq!(read.clusters[cluster].value.as_ref().unwrap().server.as_deref(), Some("s"), "{text}");
                let user = at("u", read.users.iter().map(|entry| &*entry.name).collect());
                assert_eq!(read.users[user].value.as_ref().unwrap().token.as_deref(), Some("t"), "{text}");
                let bad = |name: &str, error: Option<&String>| (name == "b").then(|| error.cloned()).flatten();
                let errors = (read.contexts.iter().filter_map(|entry| bad(&entry.name, entry.value.as_ref().err())))
                    .chain(read.clusters.iter().filter_map(|entry| bad(&entry.name, entry.value.as_ref().err())))
                    .chain(read.users.iter().filter_map(|entry| bad(&entry.name, entry.value.as_ref().err())));
                let errors: Vec<String> = errors.collect();
                assert_eq!(errors.is_empty(), kubectl_reads_it || why.is_empty(), "{text}: {errors:?}");
                assert!(errors.iter().all(|error| error.starts_with("/k/a: ") && error.contains(why)), "{errors:?}");
            }
        }
    }

    #[test]
    fn an_empty_text_is_no_value() {
        let names = "client-certificate client-key client-certificate-data client-key-data tokenFile username password as as-uid";
        let empty: Vec<String> = names.split(' ').map(|name| format!("{name}: ''")).collect();
        let (_, user) = users(&format!("users: [{{name: u, user: {{token: t, {}}}}}]", empty.join(", "))).remove(0);
        assert!(
            user.as_ref().is_ok_and(|user| *user == User { token: Some("t".into()), ..User::default() }),
            "{user:?}"
        );
        let names = "tls-server-name certificate-authority certificate-authority-data proxy-url";
        let empty: Vec<String> = names.split(' ').map(|name| format!("{name}: ''")).collect();
        let mut read =
            read(&[("a", &format!("clusters: [{{name: c, cluster: {{server: s, {}}}}}]", empty.join(", ")))]);
        let cluster = read.clusters.remove(0).value;
        assert_eq!(cluster, Ok(Cluster { server: Some("s".into()), ..Cluster::default() }));
    }

    #[test]
    fn of_two_entries_of_a_name_the_first_good_one_counts() {
        let text = "users: [{name: u, user: {token: a}}, {name: u, user: {token: b}}, {name: v, user: {token: c}},
            {name: v, user: {token: c}}, {name: w, user: {token: 7}}, {name: w, user: {token: d}}]";
        let told: Vec<_> = read(&[("/k/a", text)])
            .users
            .into_iter()
            .map(|user| (user.name, user.value.unwrap().token.unwrap(), user.has_rival))
            .collect();
        let expected = [("u", "a", true), ("v", "c", false), ("w", "d", true)];
        assert_eq!(told, expected.map(|(name, token, has_rival)| (name.to_owned(), token.to_owned(), has_rival)));
    }

    #[test]
    fn the_first_file_that_has_a_name_wins() {
        let first = "{users: [{name: u, user: {token: a}}], current-context: ''}";
        let second = "{users: [{name: u, user: {token: b, as: x}}, {name: v}], current-context: c}";
        let read = read(&[("/k/a", first), ("/l/b", second), ("/m/c", "current-context: d"), ("/m/empty", "")]);
        let tokens: Vec<_> = read.users.iter().map(|entry| entry.value.clone().unwrap().token).collect();
        assert_eq!(tokens, [Some("a".to_owned()), None]);
        assert_eq!(read.current_context.as_deref(), Some("c"));
    }

    #[test]
    fn yaml_is_read_as_kubectls() {
        let text = "{clusters: [{name: a, cluster: &c {insecure-skip-tls-verify: yes, server: s}}, {name: b, cluster: {<<: *c, server: t}},
            {name: c, cluster: {server: u, server: v, insecure-skip-tls-verify: Off}}]}";
        let told: Vec<_> = read(&[("a", text)]).clusters.into_iter().map(|cluster| cluster.value.unwrap()).collect();
        let told: Vec<_> = told.iter().map(|cluster| (cluster.server.as_deref().unwrap(), cluster.insecure)).collect();
        assert_eq!(told, [("s", true), ("t", true), ("v", false)]);
    }

    #[test]
    fn paths_are_relative_to_their_file() {
        let user = "{tokenFile: /abs/token, client-key: pki/key, exec: {apiVersion: v1, command: ./bin/login}}";
        let (_, user) = users(&format!("users: [{{name: u, user: {user}}}]")).remove(0);
        let user = user.unwrap();
        assert_eq!(user.token_file.as_deref(), Some(Path::new("/abs/token")));
        assert_eq!(user.key.file.as_deref(), Some(Path::new("/k/pki/key")));
        assert_eq!(user.exec.unwrap().command, "/k/./bin/login");
    }

    #[test]
    fn what_is_no_kubeconfig_is_said_on_one_line() {
        let mut kubeconfig = Kubeconfig::default();
        for text in [
            "contexts: [{name",
            "\u{0}\u{1}",
            "[1, 2]",
            "contexts: 7",
            "users: {a: 1}",
            "7",
            "a: &a [*a]",
            "current-context: 5",
        ] {
            let error = kubeconfig.add(Origin { path: "/k/a".into(), distrust: None }, text).unwrap_err().to_string();
            assert!(error.starts_with("not a kubeconfig: ") && !error.contains('\n'), "{text}: {error}");
        }
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let bomb = format!(
            "a0: &a0 x\n{}",
            (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)).collect::<String>()
        );
        for text in [deep, bomb] {
            assert!(kubeconfig.add(Origin { path: "/k/a".into(), distrust: None }, &text).is_err());
        }
    }
}
