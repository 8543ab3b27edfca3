//! Parses `#[table(..)]`, `#[columns(..)]`, `#[column(..)]`, `#[example(..)]` and doc comments.

use proc_macro2::{Span, TokenStream};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Ident, LitInt, LitStr, Result, Token, Type};

use crate::steps::steps;

/// `#[table(..)]`
pub(crate) struct TableAttribute {
    pub(crate) name: LitStr,
    pub(crate) loading: LoadingAttribute,
    pub(crate) parts: bool,
    pub(crate) events: bool,
    pub(crate) platforms: Vec<LitStr>,
    pub(crate) require_any: Vec<Ident>,
    pub(crate) reads: Option<LitStr>,
    pub(crate) rows: Option<LitInt>,
    pub(crate) needs: Vec<LitStr>,
    pub(crate) whole_source: bool,
    pub(crate) timeless: bool,
    pub(crate) identity: Option<Vec<Ident>>,
    pub(crate) resource: Option<ResourceAttribute>,
    pub(crate) namespaces: Option<bool>,
}

/// `#[resource("v1/pods", namespaced)]`
pub(crate) struct ResourceAttribute {
    pub(crate) group_version: String,
    pub(crate) name: String,
    pub(crate) is_namespaced: bool,
    /// Older group versions, if it is one of the resources that a server may lack.
    pub(crate) older: Option<Vec<LitStr>>,
    pub(crate) span: Span,
}

impl syn::parse::Parse for ResourceAttribute {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let resource: LitStr = input.parse()?;
        let text = resource.value();
        let parts = text.rsplit_once('/').filter(|parts| !parts.0.is_empty() && !parts.1.is_empty());
        let Some((group_version, name)) = parts else {
            let message = "write a resource as group, version and name: \"v1/pods\", \"apps/v1/deployments\"";
            return Err(Error::new(resource.span(), message));
        };
        let (mut is_namespaced, mut older) = (false, None);
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let word: Ident = input.parse()?;
            match word.to_string().as_str() {
                "namespaced" => is_namespaced = true,
                "optional" => older = Some(Vec::new()),
                "older" => {
                    let content;
                    syn::parenthesized!(content in input);
                    older = Some(content.parse_terminated(|input| input.parse(), Token![,])?.into_iter().collect());
                }
                _ => return Err(Error::new(word.span(), "expected `namespaced`, `optional` or `older(..)`")),
            }
        }
        let (group_version, name) = (group_version.to_owned(), name.to_owned());
        Ok(ResourceAttribute { group_version, name, is_namespaced, older, span: resource.span() })
    }
}

/// Attributes about sources, which tables and groups of columns share.
#[derive(Default)]
pub(crate) struct LoadingAttribute {
    pub(crate) env: Option<Type>,
    pub(crate) stream: bool,
    costs: Vec<(Ident, LitInt)>,
    batches: Vec<(Ident, LitInt)>,
}

impl LoadingAttribute {
    /// Parses an attribute about sources; returns `false` for any other.
    fn take(&mut self, key: &str, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        match key {
            "env" => self.env = Some(meta.value()?.parse()?),
            "stream" => self.stream = true,
            "cost" => self.costs = numbers(meta)?,
            "batch" => {
                self.batches = numbers(meta)?;
                for (_, rows) in &self.batches {
                    if rows.base10_parse::<usize>()? == 0 {
                        return Err(Error::new(rows.span(), "a batch must have at least one row"));
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `#[column(source = method)]` or `#[column(source = method("argument"))]`
pub(crate) struct SourceAttribute {
    pub(crate) method: Ident,
    pub(crate) arguments: Option<TokenStream>,
}

impl SourceAttribute {
    fn is_same(&self, other: &Self) -> bool {
        let text = |source: &Self| source.arguments.as_ref().map(ToString::to_string);
        self.method == other.method && text(self) == text(other)
    }
}

impl syn::parse::Parse for SourceAttribute {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let method = input.parse()?;
        if !input.peek(syn::token::Paren) {
            return Ok(SourceAttribute { method, arguments: None });
        }
        let content;
        syn::parenthesized!(content in input);
        let arguments: TokenStream = content.parse()?;
        if arguments.is_empty() {
            return Err(Error::new(method.span(), "a source without arguments has no parentheses"));
        }
        Ok(SourceAttribute { method, arguments: Some(arguments) })
    }
}

/// A source of columns.
pub(crate) struct Source {
    pub(crate) method: Ident,
    /// For a source that returns the value of its column: the arguments and the column's field.
    pub(crate) value: Option<(TokenStream, Ident)>,
    pub(crate) name: String,
    pub(crate) cost: Option<LitInt>,
    pub(crate) batch: Option<LitInt>,
}

/// A field of a table or of a group of columns.
pub(crate) enum Member {
    Column(ColumnAttribute),
    Group(GroupAttribute),
}

/// A field with its `#[column(..)]`
pub(crate) struct ColumnAttribute {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) description: String,
    pub(crate) index: bool,
    pub(crate) slice: bool,
    pub(crate) key_effect: Ident,
    pub(crate) required: bool,
    pub(crate) pattern: bool,
    pub(crate) range: bool,
    pub(crate) hidden: bool,
    pub(crate) secret: bool,
    pub(crate) added: bool,
    pub(crate) volatile: bool,
    pub(crate) volatile_prefix: Option<LitStr>,
    /// Position among the struct's own sources.
    pub(crate) source: Option<usize>,
    pub(crate) needs: Vec<LitStr>,
    pub(crate) path: Option<LitStr>,
    pub(crate) field: bool,
    pub(crate) collation: Ident,
}

/// A field whose type is a group of columns: `#[column(flatten, path = "..")]`
pub(crate) struct GroupAttribute {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) path: Option<LitStr>,
}

/// The fields of a struct that are columns or groups of columns, and the sources of the columns in order of first use.
pub(crate) fn members(input: &DeriveInput, loading: &LoadingAttribute) -> Result<(Vec<Member>, Vec<Source>)> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.span(), "a table must be a struct with one field per column"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(input.span(), "a table must have named fields; they are its columns"));
    };
    let mut members: Vec<Member> = Vec::new();
    let mut sources: Vec<SourceAttribute> = Vec::new();
    let mut values = Vec::new();
    for field in fields.named.iter().filter(|field| !is_alone(field, "skip")) {
        if let Some(group) = group_attribute(field)? {
            members.push(Member::Group(group));
            continue;
        }
        let (mut column, source) = column_attribute(field)?;
        for other in members.iter().filter_map(Member::column) {
            // SQL ignores the case of names, and a column's constant has its name in uppercase.
            if other.name.eq_ignore_ascii_case(&column.name) {
                return Err(Error::new(
                    column.ident.span(),
                    format!("the table already has a column `{}`", column.name),
                ));
            }
        }
        if let Some(source) = source {
            let known = sources.iter().position(|other| other.is_same(&source));
            if known.is_some() && source.arguments.is_some() {
                let message = "a source with arguments fills one column; another column already has this one";
                return Err(Error::new(source.method.span(), message));
            }
            column.source = Some(known.unwrap_or(sources.len()));
            if known.is_none() {
                values.push(source.arguments.clone().map(|arguments| (arguments, column.ident.clone())));
                sources.push(source);
            }
        }
        members.push(Member::Column(column));
    }
    if members.is_empty() {
        return Err(Error::new(input.span(), "a table must have at least one column"));
    }
    for (unknown, _) in loading.costs.iter().chain(&loading.batches) {
        if !sources.iter().any(|source| source.method == *unknown) {
            return Err(Error::new(unknown.span(), format!("no column has the source `{unknown}`")));
        }
    }
    let number = |numbers: &[(Ident, LitInt)], method: &Ident| {
        numbers.iter().find(|(other, _)| other == method).map(|(_, number)| number.clone())
    };
    let source = |(SourceAttribute { method, .. }, value): (SourceAttribute, Option<(TokenStream, Ident)>)| {
        let batch = number(&loading.batches, &method);
        if let (Some(batch), Some(_)) = (&batch, &value) {
            return Err(Error::new(batch.span(), "a source with arguments loads one row, so it cannot have batches"));
        }
        let name = value.as_ref().map_or(&method, |(_, column)| column).unraw().to_string();
        Ok(Source { name, cost: number(&loading.costs, &method), batch, method, value })
    };
    let sources = sources.into_iter().zip(values).map(source).collect::<Result<_>>()?;
    Ok((members, sources))
}

impl Member {
    pub(crate) fn column(&self) -> Option<&ColumnAttribute> {
        match self {
            Member::Column(column) => Some(column),
            Member::Group(_) => None,
        }
    }

    pub(crate) fn group(&self) -> Option<&GroupAttribute> {
        match self {
            Member::Column(_) => None,
            Member::Group(group) => Some(group),
        }
    }
}

pub(crate) fn table_attribute(input: &DeriveInput) -> Result<TableAttribute> {
    let mut table = TableAttribute {
        name: LitStr::new("", Span::call_site()),
        loading: LoadingAttribute::default(),
        parts: false,
        events: false,
        platforms: Vec::new(),
        require_any: Vec::new(),
        reads: None,
        rows: None,
        needs: Vec::new(),
        whole_source: false,
        timeless: false,
        identity: None,
        resource: None,
        namespaces: None,
    };
    let mut given = Vec::new();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("table")) {
        attribute.parse_nested_meta(|meta| {
            let key = once(&meta, &mut given)?;
            match key.as_str() {
                "name" => table.name = meta.value()?.parse()?,
                "parts" => table.parts = true,
                "events" => table.events = true,
                "whole_source" => table.whole_source = true,
                "timeless" => table.timeless = true,
                "reads" => table.reads = Some(meta.value()?.parse()?),
                "rows" => table.rows = Some(meta.value()?.parse()?),
                "platforms" => table.platforms = strings(&meta)?,
                "needs" => table.needs = strings(&meta)?,
                "require_any" => table.require_any = idents(&meta)?,
                "identity" => table.identity = Some(idents(&meta)?),
                "namespaces" => table.namespaces = Some(has_namespace_id(&meta)?),
                key if table.loading.take(key, &meta)? => {}
                _ => {
                    return Err(meta.error(
                        "unknown table attribute; expected one of: name, env, stream, parts, events, platforms, \
                         require_any, reads, rows, needs, whole_source, timeless, identity, cost, batch, namespaces",
                    ));
                }
            }
            Ok(())
        })?;
    }
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("resource")) {
        if table.resource.is_some() {
            return Err(Error::new(attribute.span(), "a table can have only one resource"));
        }
        let resource: ResourceAttribute = attribute.parse_args()?;
        let of_resource = |text: &str| LitStr::new(text, resource.span);
        table.reads.get_or_insert_with(|| of_resource(&resource.name));
        if table.needs.is_empty() {
            table.needs.push(of_resource(&format!("list {}", resource.name)));
        }
        table.identity.get_or_insert_with(|| vec![Ident::new("uid", resource.span)]);
        table.resource = Some(resource);
    }
    if table.name.value().is_empty() {
        return Err(Error::new(input.ident.span(), "a table must have a name: #[table(name = \"..\")]"));
    }
    Ok(table)
}

/// `namespaces` or `namespaces(mount_namespace_id)`
fn has_namespace_id(meta: &ParseNestedMeta<'_>) -> Result<bool> {
    if !meta.input.peek(syn::token::Paren) {
        return Ok(false);
    }
    let columns = idents(meta)?;
    match columns.iter().find(|column| *column != "mount_namespace_id") {
        Some(column) => Err(Error::new(column.span(), "unknown namespace column; expected mount_namespace_id")),
        None => Ok(!columns.is_empty()),
    }
}

/// `#[columns(..)]`
pub(crate) fn columns_attribute(input: &DeriveInput) -> Result<LoadingAttribute> {
    let mut loading = LoadingAttribute::default();
    let mut given = Vec::new();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("columns")) {
        attribute.parse_nested_meta(|meta| {
            let key = once(&meta, &mut given)?;
            if loading.take(&key, &meta)? {
                return Ok(());
            }
            Err(meta.error("unknown attribute of a group of columns; expected one of: env, stream, cost, batch"))
        })?;
    }
    Ok(loading)
}

/// The name of an attribute's part. It may be given only once.
fn once(meta: &ParseNestedMeta<'_>, given: &mut Vec<String>) -> Result<String> {
    let Some(key) = meta.path.get_ident().map(ToString::to_string) else {
        return Err(meta.error("expected a name"));
    };
    if given.contains(&key) {
        return Err(meta.error(format!("duplicate attribute `{key}`")));
    }
    given.push(key.clone());
    Ok(key)
}

/// `key(a, b)`, or `key()`
fn idents(meta: &ParseNestedMeta<'_>) -> Result<Vec<Ident>> {
    let content;
    syn::parenthesized!(content in meta.input);
    Ok(content.parse_terminated(Ident::parse_any, Token![,])?.into_iter().collect())
}

/// `key(a = 1, b = 2)`
fn numbers(meta: &ParseNestedMeta<'_>) -> Result<Vec<(Ident, LitInt)>> {
    let mut all = Vec::new();
    meta.parse_nested_meta(|inner| {
        all.push((inner.path.require_ident()?.clone(), inner.value()?.parse()?));
        Ok(())
    })?;
    Ok(all)
}

/// `key = "a"` or `key("a", "b")`
fn strings(meta: &ParseNestedMeta<'_>) -> Result<Vec<LitStr>> {
    if meta.input.peek(Token![=]) {
        return Ok(vec![meta.value()?.parse()?]);
    }
    let content;
    syn::parenthesized!(content in meta.input);
    Ok(content.parse_terminated(|input| input.parse::<LitStr>(), Token![,])?.into_iter().collect())
}

/// Whether a field's attribute is just this word: `#[column(skip)]`, a field that is not a column.
fn is_alone(field: &Field, word: &str) -> bool {
    let is_it = |attribute: &Attribute| attribute.parse_args::<Ident>().is_ok_and(|ident| ident == word);
    field.attrs.iter().any(|attribute| attribute.path().is_ident("column") && is_it(attribute))
}

/// `#[column(flatten, ..)]`; `None` for a field that is a column.
fn group_attribute(field: &Field) -> Result<Option<GroupAttribute>> {
    let starts_a_group = |input: ParseStream<'_>| {
        let word: Option<Ident> = input.parse().ok();
        input.parse::<TokenStream>()?;
        Ok(word.is_some_and(|word| word == "flatten"))
    };
    let columns = || field.attrs.iter().filter(|attribute| attribute.path().is_ident("column"));
    if !columns().any(|attribute| attribute.parse_args_with(starts_a_group).is_ok_and(|starts| starts)) {
        return Ok(None);
    }
    let ident = field.ident.clone().expect("fields are named");
    let mut group = GroupAttribute { ident, ty: field.ty.clone(), path: None };
    let mut given = Vec::new();
    for attribute in columns() {
        attribute.parse_nested_meta(|meta| {
            match once(&meta, &mut given)?.as_str() {
                "flatten" => {}
                "path" => group.path = Some(path(&meta)?),
                _ => return Err(meta.error("a group of columns can have only `flatten` and `path`")),
            }
            Ok(())
        })?;
    }
    Ok(Some(group))
}

/// `index` or `index(field)`
fn is_field(meta: &ParseNestedMeta<'_>) -> Result<bool> {
    if !meta.input.peek(syn::token::Paren) {
        return Ok(false);
    }
    let words = idents(meta)?;
    match words.iter().find(|word| *word != "field") {
        Some(word) => Err(Error::new(word.span(), "expected `field` or nothing")),
        None => Ok(!words.is_empty()),
    }
}

/// `path = "a.b"`
fn path(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let path: LitStr = meta.value()?.parse()?;
    if steps(&path.value()).contains(&String::new()) {
        let message = "a path consists of names separated by dots: \"spec.nodeName\"; `\\\\.` is a dot in a name";
        return Err(Error::new(path.span(), message));
    }
    Ok(path)
}

fn column_attribute(field: &Field) -> Result<(ColumnAttribute, Option<SourceAttribute>)> {
    let ident = field.ident.clone().expect("fields are named");
    let name = ident.unraw().to_string();
    let description = documentation(&field.attrs, ident.span(), &format!("the column `{name}`"))?;
    let mut column = ColumnAttribute {
        ident,
        name,
        ty: field.ty.clone(),
        description,
        index: false,
        slice: false,
        key_effect: format_ident!("Filters"),
        required: false,
        pattern: false,
        range: false,
        hidden: false,
        secret: false,
        added: false,
        volatile: false,
        volatile_prefix: None,
        source: None,
        needs: Vec::new(),
        path: None,
        field: false,
        collation: format_ident!("Binary"),
    };
    let (mut source, mut given) = (None, Vec::new());
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("column")) {
        attribute.parse_nested_meta(|meta| {
            let key = once(&meta, &mut given)?;
            match key.as_str() {
                "index" => (column.index, column.field) = (true, is_field(&meta)?),
                "slice" => (column.slice, column.index, column.field) = (true, true, is_field(&meta)?),
                "extends" => column.key_effect = Ident::new("Extends", meta.path.span()),
                "selects" => column.key_effect = Ident::new("Selects", meta.path.span()),
                "required" => (column.required, column.index) = (true, true),
                "pattern" => column.pattern = true,
                "range" => column.range = true,
                "hidden" => column.hidden = true,
                "secret" => (column.secret, column.hidden) = (true, true),
                "added" => column.added = true,
                "volatile" if meta.input.peek(Token![=]) => column.volatile_prefix = Some(meta.value()?.parse()?),
                "volatile" => column.volatile = true,
                "source" => source = Some(meta.value()?.parse::<SourceAttribute>()?),
                "needs" => column.needs = strings(&meta)?,
                "path" => column.path = Some(path(&meta)?),
                "collate" => {
                    let collation: Ident = meta.value()?.parse()?;
                    column.collation = match collation.to_string().as_str() {
                        "nocase" => Ident::new("NoCase", collation.span()),
                        "version" => Ident::new("Version", collation.span()),
                        "version_dpkg" => Ident::new("VersionDpkg", collation.span()),
                        "version_rhel" => Ident::new("VersionRhel", collation.span()),
                        _ => {
                            return Err(Error::new(
                                collation.span(),
                                "unknown collation; expected one of: nocase, version, version_dpkg, version_rhel",
                            ));
                        }
                    };
                }
                _ => {
                    return Err(meta.error(
                        "unknown column attribute; expected one of: index, slice, extends, selects, required, \
                         pattern, range, hidden, secret, added, volatile, source, needs, path, collate; `skip` alone; or \
                         `flatten` first",
                    ));
                }
            }
            Ok(())
        })?;
    }
    if let (true, Some(source)) = (column.index, &source) {
        return Err(Error::new(source.method.span(), "an indexed column must be filled with the row, not by a source"));
    }
    if column.key_effect != "Filters" && !column.index {
        return Err(Error::new(column.key_effect.span(), "a key effect needs `index` or `slice`"));
    }
    if column.field && column.path.is_none() {
        return Err(Error::new(column.ident.span(), "a field selector needs a path: add `path`"));
    }
    if column.index && column.collation != "Binary" && column.collation != "NoCase" {
        return Err(Error::new(column.collation.span(), "an indexed column cannot have a version collation"));
    }
    if let (Some(path), Some(SourceAttribute { arguments: Some(_), .. })) = (&column.path, &source) {
        let message = "a source with arguments returns the column's value, so the column cannot have a path";
        return Err(Error::new(path.span(), message));
    }
    Ok((column, source))
}

pub(crate) fn documentation(attributes: &[Attribute], span: Span, what: &str) -> Result<String> {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let syn::Meta::NameValue(pair) = &attribute.meta
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value
        {
            let line = text.value();
            lines.push(line.strip_prefix(' ').unwrap_or(&line).to_owned());
        }
    }
    let text = lines.join("\n").trim().to_owned();
    if text.is_empty() {
        return Err(Error::new(span, format!("document {what} with a `///` comment; it becomes the reference page")));
    }
    Ok(text)
}

pub(crate) fn examples(attributes: &[Attribute]) -> Result<Vec<(LitStr, LitStr)>> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("example"))
        .map(|attribute| {
            attribute.parse_args_with(|input: ParseStream<'_>| {
                let title = input.parse()?;
                input.parse::<Token![,]>()?;
                let sql = input.parse()?;
                input.parse::<Option<Token![,]>>()?;
                Ok((title, sql))
            })
        })
        .collect()
}
