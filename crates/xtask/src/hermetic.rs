//! Which tests need a bed or root. Their sources show it, so there is no list to maintain.
//!
//! A test needs what it calls: an associated function of a bed (a type of the testkit that reaches [`KEEPER`]), the
//! function [`ROOT`], or a definition of its crate that needs one of them. Names are resolved without types, so a test can
//! be left out because of a definition with the same name; a test that is missed fails, because [`VARIABLE`] forbids
//! beds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item};

/// The type that starts the processes of beds.
const KEEPER: &str = "Keeper";

/// The crate of the beds.
const TESTKIT: &str = "indago_testkit";

/// The function that a test calls if it needs root.
const ROOT: &str = "needs_root";

/// The variable that makes the testkit refuse to start beds.
pub(crate) const VARIABLE: &str = "INDAGO_HERMETIC";

/// A function, type, constant or macro entry.
#[derive(Debug, Default)]
struct Definition {
    /// Path of its module in its crate; empty for the root.
    module: String,
    name: String,
    is_test: bool,
    /// All names in it.
    names: BTreeSet<String>,
    /// All names that its file imports.
    imports: Rc<BTreeSet<String>>,
    /// Types whose associated functions it calls.
    types: BTreeSet<String>,
    /// Whether it can mean the testkit's types by their names.
    sees_testkit: bool,
}

/// Tests by path, with the beds that they need, or `root`.
pub(crate) type Needs = BTreeMap<String, BTreeSet<String>>;

/// The tests of the workspace that need a bed or root.
pub(crate) fn needs(root: &Path) -> Result<Needs> {
    let mut testkit = definitions(&root.join("crates/testkit/src"))?;
    testkit.iter_mut().for_each(|definition| definition.sees_testkit = true);
    let keeper = BTreeSet::from([KEEPER.to_owned()]);
    let is_type = |name: &str| name.starts_with(char::is_uppercase);
    let beds = reach(&testkit, &keeper).into_keys().map(|at| testkit[at].name.clone());
    let beds: BTreeSet<String> = beds.filter(|name| is_type(name) && name != KEEPER).collect();
    let mut folders = vec![root.join("tests")];
    for group in ["crates", "tables"] {
        for entry in fs::read_dir(root.join(group)).with_context(|| group.to_owned())? {
            folders.push(entry?.path().join("src"));
        }
    }
    let mut needs = needs_of(&testkit, &beds);
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        needs.extend(needs_of(&definitions(folder)?, &beds));
    }
    Ok(needs)
}

fn needs_of(all: &[Definition], beds: &BTreeSet<String>) -> Needs {
    let tests = reach(all, beds).into_iter().filter(|(at, _)| all[*at].is_test);
    tests
        .map(|(at, needs)| match all[at].module.as_str() {
            "" => (all[at].name.clone(), needs),
            module => (format!("{module}::{}", all[at].name), needs),
        })
        .collect()
}

/// The definitions of a crate that reach one of some types, or [`ROOT`], with what they reach.
fn reach(all: &[Definition], beds: &BTreeSet<String>) -> BTreeMap<usize, BTreeSet<String>> {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, definition) in all.iter().enumerate().filter(|(_, definition)| !definition.is_test) {
        by_name.entry(&definition.name).or_default().push(at);
    }
    let callees = |definition: &Definition| -> Vec<usize> {
        let known = definition.names.iter().filter_map(|name| by_name.get(name.as_str())).flatten().copied();
        known.filter(|at| definition.means(&all[*at])).collect()
    };
    let callees: Vec<Vec<usize>> = all.iter().map(callees).collect();
    let direct = |definition: &Definition| {
        let types = definition.types.intersection(beds).filter(|_| definition.sees_testkit);
        let mut needs: BTreeSet<String> = types.cloned().collect();
        needs.extend(definition.names.contains(ROOT).then(|| "root".to_owned()));
        needs
    };
    let mut found: Vec<BTreeSet<String>> = all.iter().map(direct).collect();
    loop {
        let mut is_done = true;
        for (at, callees) in callees.iter().enumerate() {
            let needs: BTreeSet<String> = callees.iter().flat_map(|callee| found[*callee].clone()).collect();
            if !needs.is_subset(&found[at]) {
                found[at].extend(needs);
                is_done = false;
            }
        }
        if is_done {
            return found.into_iter().enumerate().filter(|(_, needs)| !needs.is_empty()).collect();
        }
    }
}

impl Definition {
    /// Whether one of its names can be this definition: a type whose function it calls; otherwise one of its own module or
    /// of the module around that, or one whose module it names, too.
    fn means(&self, other: &Definition) -> bool {
        if other.name.starts_with(char::is_uppercase) {
            return self.types.contains(&other.name);
        }
        let (around, _) = self.module.rsplit_once("::").unwrap_or_default();
        let module = other.module.rsplit("::").next().unwrap_or_default();
        [self.module.as_str(), around].contains(&other.module.as_str())
            || self.names.contains(module)
            || self.imports.contains(module)
    }
}

/// The definitions of a crate's files.
fn definitions(folder: &Path) -> Result<Vec<Definition>> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                // Programs are crates of their own.
                folders.extend(Some(path).filter(|path| !path.ends_with("src/bin")));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                let file = syn::parse_file(&text).with_context(|| path.display().to_string())?;
                collect(&module(path.strip_prefix(folder).unwrap_or(&path)), file.items, &mut all);
            }
        }
    }
    Ok(all)
}

/// The module of a file, by its path in a crate.
fn module(path: &Path) -> String {
    let path = path.with_extension("");
    let mut names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    if names.last().is_some_and(|last| ["lib", "main", "mod"].contains(&&**last)) {
        names.pop();
    }
    names.join("::")
}

fn collect(module: &str, items: Vec<Item>, all: &mut Vec<Definition>) {
    let imports: TokenStream =
        items.iter().filter(|item| matches!(item, Item::Use(_))).map(Item::to_token_stream).collect();
    let imports = Rc::new(read(imports).names);
    let mut add = |name: String, is_test: bool, body: TokenStream| {
        let read = read(body);
        let sees_testkit = [&read.names, &*imports].into_iter().any(|names| names.contains(TESTKIT));
        let (module, imports) = (module.to_owned(), imports.clone());
        all.push(Definition { module, name, is_test, imports, sees_testkit, ..read });
    };
    let mut modules = Vec::new();
    for item in items {
        let body = item.to_token_stream();
        match item {
            Item::Fn(function) => add(function.sig.ident.to_string(), is_test(&function.attrs), body),
            Item::Static(item) => add(item.ident.to_string(), false, body),
            Item::Const(item) => add(item.ident.to_string(), false, body),
            Item::Impl(block) => {
                let name = block.self_ty.to_token_stream().into_iter().filter_map(|token| match token {
                    TokenTree::Ident(name) => Some(name.to_string()),
                    _ => None,
                });
                add(name.last().unwrap_or_default(), false, body);
            }
            // Entries of a macro that makes tests: `name: ..;`.
            Item::Macro(item) if item.ident.is_none() => {
                let tokens: Vec<TokenTree> = item.mac.tokens.into_iter().collect();
                let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ';');
                for entry in tokens.split(is_end) {
                    if let Some(TokenTree::Ident(name)) = entry.first() {
                        add(name.to_string(), true, entry.iter().skip(1).cloned().collect());
                    }
                }
            }
            Item::Mod(inner) => modules.extend(inner.content.map(|(_, items)| (inner.ident.to_string(), items))),
            _ => {}
        }
    }
    for (name, items) in modules {
        let path = if module.is_empty() { name } else { format!("{module}::{name}") };
        collect(&path, items, all);
    }
}

/// `#[test]`, `#[tokio::test(..)]`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().segments.last().is_some_and(|last| last.ident == "test"))
}

/// The names in some tokens, and the types whose functions they call: `Moto::start`, not `Kind::Docker`.
fn read(tokens: TokenStream) -> Definition {
    let mut definition = Definition::default();
    // The last name, and the colons after it.
    let mut last: Option<String> = None;
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                let name = name.to_string();
                if colons == 2 && name.starts_with(char::is_lowercase) {
                    definition.types.extend(last.filter(|last| last.starts_with(char::is_uppercase)));
                }
                last = Some(name.clone());
                colons = 0;
                definition.names.insert(name);
            }
            TokenTree::Group(group) => {
                let inner = read(group.stream());
                definition.names.extend(inner.names);
                definition.types.extend(inner.types);
                last = None;
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
            _ => last = None,
        }
    }
    definition
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = Vec::new();
        for (module, text) in files {
            collect(module, syn::parse_file(text).expect("Rust").items, &mut all);
        }
        let needs = needs_of(&all, &["Moto".to_owned(), "Docker".to_owned()].into());
        needs.into_iter().map(|(test, needs)| format!("{test}: {}", Vec::from_iter(needs).join(" "))).collect()
    }

    #[test]
    fn a_test_needs_what_it_reaches() {
        let aws = "
            use indago_testkit::beds::{Docker, Moto};
            struct Bed(Moto);
            impl Bed { fn start() -> Bed { Bed(Moto::start()) } }
            fn ready() -> bool { Bed::start(); true }
            #[test] fn direct() { let bed = indago_testkit::beds::Moto::start(); }
            #[tokio::test(flavor = \"multi_thread\")] async fn through_a_type() { assert!(Bed::start().is_up()); }
            #[test] fn through_a_function() { assert!(ready()); }
            #[test] fn of_a_kind() { ask(Kind::Docker, 1); }
            #[test] fn alone() {}
        ";
        let other = "
            use crate::support::{needs_root, rows};
            struct Docker;
            fn ready() {}
            #[test] fn of_its_own() { Docker::start(); }
            #[test] fn alone() { ready(); }
            #[test] fn in_another_module() { crate::aws::ready(); }
            folders! { plain: \"x\" on |run| run(1); bed: \"y\" on |run| { crate::aws::Bed::start(); }; }
            mod tests { use super::*; #[test] fn as_root() { needs_root(); } }
        ";
        assert_eq!(
            found(&[("aws", aws), ("other", other)]),
            [
                "aws::direct: Moto",
                "aws::through_a_function: Moto",
                "aws::through_a_type: Moto",
                "other::bed: Moto",
                "other::in_another_module: Moto",
                "other::tests::as_root: root",
            ]
        );
    }

    /// The rule on the project's own tests: one of each kind.
    #[test]
    fn tests_of_beds_are_left_out_and_others_are_not() {
        let needs = needs(&crate::root()).expect("sources");
        for test in ["forensics::", "slt::aws_tables", "slt::kubernetes_tables", "beds::tests::cluster_runs_pods"] {
            assert!(needs.keys().any(|name| name.starts_with(test)), "{test}: {needs:#?}");
        }
        for test in [
            "packs::",
            "clusters::",
            "slt::host_tables",
            "slt::git_tables",
            "slt::container_tables",
            "engine::",
            "cli::",
            "sql::",
        ] {
            assert!(!needs.keys().any(|name| name.starts_with(test)), "{test}: {needs:#?}");
        }
        assert!(needs.values().any(|needs| needs.contains("root")));
    }
}
