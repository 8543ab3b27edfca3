//! `#[derive(Table)]`: a struct's fields, doc comments and attributes as the constant data that a table is; and
//! `#[derive(Columns)]`: those of a group of columns that several tables have.
//!
//! The macro writes data and `match`es, nothing else. `indago_table` documents the attributes.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Ident, LitInt, LitStr, Result, Type, parse_macro_input};

/// Makes a struct a table.
///
/// On the struct: `#[table(name = "..", env = Type, stream, parts, platforms(".."), require_any(a, b), reads = "..",
/// rows = 100, needs(".."), whole_source, identity(a, b), cost(method = 10), namespaces)]` and any number of `#[example("What it answers.", "SELECT ..")]`.
///
/// On a field: `#[column(index, slice, required, pattern, range, hidden, added, volatile, source = method, needs = "..", path =
/// "a.b", collate = nocase)]`; `#[column(skip)]` marks a field that is no column: what a row carries for its own sources;
/// `#[column(flatten, path = "a.b")]` one whose type is a group of columns, with where their paths start. They come
/// after the table's own.
#[proc_macro_derive(Table, attributes(table, column, example))]
pub fn derive_table(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct a group of columns, which a table takes in by `#[column(flatten)]`.
///
/// On a field: `#[column(hidden, added, needs = "..", path = "a.b", collate = nocase)]`.
#[proc_macro_derive(Columns, attributes(column))]
pub fn derive_columns(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand_group(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// `#[table(..)]`
struct TableAttribute {
    name: LitStr,
    env: Option<Type>,
    stream: bool,
    parts: bool,
    platforms: Vec<LitStr>,
    require_any: Vec<Ident>,
    reads: Option<LitStr>,
    rows: Option<LitInt>,
    needs: Vec<LitStr>,
    whole_source: bool,
    identity: Vec<Ident>,
    costs: Vec<(Ident, LitInt)>,
    namespaces: Option<bool>,
}

/// A field with its `#[column(..)]`
struct ColumnAttribute {
    ident: Ident,
    name: String,
    ty: Type,
    description: String,
    index: bool,
    slice: bool,
    required: bool,
    pattern: bool,
    range: bool,
    hidden: bool,
    added: bool,
    volatile: bool,
    source: Option<Ident>,
    needs: Vec<LitStr>,
    path: Option<LitStr>,
    collation: Ident,
}

/// A field whose type is a group of columns: `#[column(flatten, path = "..")]`
struct GroupAttribute {
    ident: Ident,
    ty: Type,
    path: Option<LitStr>,
}

fn named_fields(input: &DeriveInput) -> Result<impl Iterator<Item = &Field>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.span(), "a table is a struct: one field a column"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(input.span(), "a table needs named fields: they are its columns"));
    };
    Ok(fields.named.iter())
}

fn expand_group(input: &DeriveInput) -> Result<TokenStream> {
    let columns = named_fields(input)?.map(column_attribute).collect::<Result<Vec<_>>>()?;
    unique(&columns)?;
    if let Some(column) =
        columns.iter().find(|column| column.index || column.pattern || column.range || column.source.is_some())
    {
        let message = "a group's column is no key and has no source: give it to the tables themselves";
        return Err(Error::new(column.ident.span(), message));
    }
    let group = &input.ident;
    let specs = columns.iter().map(|column| column_spec(column, &[]));
    let (append, fill) = (append(&columns), fill(&columns));
    Ok(quote! {
        #[automatically_derived]
        #[allow(clippy::all)]
        impl ::indago_table::Columns for #group {
            const COLUMNS: &'static [::indago_table::derive::ColumnSpec] = &[#(#specs),*];

            fn append(&self, column: usize, builder: &mut dyn ::indago_table::derive::ArrayBuilder) {
                match column {
                    #(#append)*
                    other => unreachable!("column {other} of a group of {}", Self::COLUMNS.len()),
                }
            }

            fn fill(
                &mut self,
                document: &::indago_table::derive::Document,
                wanted: &[bool],
            ) -> ::std::vec::Vec<::indago_table::derive::Misfit> {
                let _ = (document, wanted);
                #[allow(unused_mut)]
                let mut misfits = ::std::vec::Vec::new();
                #(#fill)*
                misfits
            }
        }
    })
}

fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let table = table_attribute(input)?;
    let description = documentation(&input.attrs, input.ident.span(), "the table")?;
    let (mut columns, mut groups) = (Vec::new(), Vec::new());
    for field in named_fields(input)?.filter(|field| !is_alone(field, "skip")) {
        match group_attribute(field)? {
            Some(group) => groups.push(group),
            None => columns.push(column_attribute(field)?),
        }
    }
    if columns.is_empty() {
        return Err(Error::new(input.span(), "a table needs at least one column"));
    }
    unique(&columns)?;
    let examples = examples(&input.attrs)?;
    let sources = sources(&columns);
    let row = &input.ident;
    let env = table.env.as_ref().map_or_else(|| quote!(::indago_table::Sys), |env| quote!(#env));
    let spec = spec(&table, &description, &columns, &groups, &sources, &examples, &env)?;
    let constants = constants(row, &columns);
    let load = load(row, &table, &sources);
    let driver = match (table.stream, table.parts) {
        (false, false) => quote!(Blocking),
        (false, true) => quote!(Parted),
        (true, false) => quote!(Streaming),
        (true, true) => {
            return Err(Error::new(input.span(), "a table that streams always has parts: leave out `parts`"));
        }
    };

    let over = match table.namespaces {
        None => quote!(::std::sync::Arc::new(::indago_table::derive::#driver::<#row>::new(env))),
        Some(_) if table.stream => {
            let message = "`namespaces` is for tables of files, which do not stream";
            return Err(Error::new(input.span(), message));
        }
        Some(has_id) => quote! {
            ::std::sync::Arc::new(::indago_table::derive::InNamespaces::new::<#row>(env, #has_id, |sys| {
                ::std::sync::Arc::new(::indago_table::derive::#driver::<#row>::new(sys))
            }))
        },
    };

    let keys = columns.iter().enumerate().filter(|(_, column)| column.index).map(|(position, column)| {
        let ident = &column.ident;
        quote_spanned!(column.ty.span()=> #position => ::indago_table::derive::Value::scalar(&self.#ident),)
    });
    let (append, fill) = (append(&columns), fill(&columns));
    let own = columns.len();
    let group_append = groups.iter().map(|GroupAttribute { ident, ty, .. }| {
        quote_spanned! {ty.span()=>
            if column < <#ty as ::indago_table::Columns>::COLUMNS.len() {
                return ::indago_table::Columns::append(&self.#ident, column, builder);
            }
            let column = column - <#ty as ::indago_table::Columns>::COLUMNS.len();
        }
    });
    let group_fill = groups.iter().map(|GroupAttribute { ident, ty, path }| {
        let steps = path.iter().flat_map(|path| steps(&path.value()));
        quote_spanned! {ty.span()=>
            let columns = <#ty as ::indago_table::Columns>::COLUMNS.len();
            let (group, wanted) = wanted.split_at(columns);
            let of_group = ::indago_table::derive::fill_group(&mut self.#ident, document, &[#(#steps),*], group);
            let in_table = |misfit: ::indago_table::derive::Misfit| ::indago_table::derive::Misfit { column: before + misfit.column, ..misfit };
            misfits.extend(of_group.into_iter().map(in_table));
            let before = before + columns;
        }
    });

    Ok(quote! {
        #[automatically_derived]
        #[allow(dead_code, unreachable_pub, missing_docs, clippy::all)]
        impl #row {
            #(#constants)*

            /// The table over an environment.
            pub fn table(env: &#env) -> ::indago_table::derive::TableRef {
                #over
            }
        }

        #[automatically_derived]
        #[allow(clippy::all)]
        impl ::indago_table::derive::Row for #row {
            type Env = #env;
            const SPEC: &'static ::indago_table::Spec = {
                #spec
                &TABLE
            };

            fn append(&self, column: usize, builder: &mut dyn ::indago_table::derive::ArrayBuilder) {
                match column {
                    #(#append)*
                    other => {
                        let column = other - #own;
                        #(#group_append)*
                        unreachable!("column {column} after the last of {}", Self::SPEC.name)
                    }
                }
            }

            fn key(&self, column: usize) -> ::std::option::Option<::indago_table::derive::Scalar> {
                match column {
                    #(#keys)*
                    _ => None,
                }
            }

            fn fill(
                &mut self,
                document: &::indago_table::derive::Document,
                wanted: &[bool],
            ) -> ::std::vec::Vec<::indago_table::derive::Misfit> {
                let _ = document;
                #[allow(unused_mut)]
                let mut misfits = ::std::vec::Vec::new();
                #(#fill)*
                let before = #own;
                let (_, wanted) = wanted.split_at(before);
                #(#group_fill)*
                let _ = (before, wanted);
                misfits
            }
        }

        #load
    })
}

/// Arms that append each column to its builder.
fn append(columns: &[ColumnAttribute]) -> Vec<TokenStream> {
    let arm = |(position, column): (usize, &ColumnAttribute)| {
        let ident = &column.ident;
        quote_spanned!(column.ty.span()=> #position => ::indago_table::derive::Value::append(&self.#ident, builder),)
    };
    columns.iter().enumerate().map(arm).collect()
}

/// Statements that fill the wanted ones of the columns that are paths.
fn fill(columns: &[ColumnAttribute]) -> Vec<TokenStream> {
    let statement = |(position, column): (usize, &ColumnAttribute)| {
        let steps = steps(&column.path.as_ref()?.value());
        let ident = &column.ident;
        Some(quote_spanned! {column.ty.span()=>
            if wanted[#position] {
                if let Some(found) = ::indago_table::derive::assign(&mut self.#ident, document, &[#(#steps),*]) {
                    misfits.push(::indago_table::derive::Misfit { column: #position, found });
                }
            }
        })
    };
    columns.iter().enumerate().filter_map(statement).collect()
}

fn table_attribute(input: &DeriveInput) -> Result<TableAttribute> {
    let mut table = TableAttribute {
        name: LitStr::new("", Span::call_site()),
        env: None,
        stream: false,
        parts: false,
        platforms: Vec::new(),
        require_any: Vec::new(),
        reads: None,
        rows: None,
        needs: Vec::new(),
        whole_source: false,
        identity: Vec::new(),
        costs: Vec::new(),
        namespaces: None,
    };
    let mut given = Vec::new();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("table")) {
        attribute.parse_nested_meta(|meta| {
            let key = once(&meta, &mut given)?;
            match key.as_str() {
                "name" => table.name = meta.value()?.parse()?,
                "env" => table.env = Some(meta.value()?.parse()?),
                "stream" => table.stream = true,
                "parts" => table.parts = true,
                "whole_source" => table.whole_source = true,
                "reads" => table.reads = Some(meta.value()?.parse()?),
                "rows" => table.rows = Some(meta.value()?.parse()?),
                "platforms" => table.platforms = strings(&meta)?,
                "needs" => table.needs = strings(&meta)?,
                "require_any" => table.require_any = idents(&meta)?,
                "identity" => table.identity = idents(&meta)?,
                "namespaces" => table.namespaces = Some(has_namespace_id(&meta)?),
                "cost" => {
                    meta.parse_nested_meta(|inner| {
                        table.costs.push((inner.path.require_ident()?.clone(), inner.value()?.parse()?));
                        Ok(())
                    })?;
                }
                _ => {
                    return Err(meta.error(
                        "unknown table attribute; there are: name, env, stream, parts, platforms, require_any, reads, \
                         rows, needs, whole_source, identity, cost, namespaces",
                    ));
                }
            }
            Ok(())
        })?;
    }
    if table.name.value().is_empty() {
        return Err(Error::new(input.ident.span(), "name the table: #[table(name = \"..\")]"));
    }
    Ok(table)
}

/// `namespaces` or `namespaces(mount_namespace_id)`
fn has_namespace_id(meta: &syn::meta::ParseNestedMeta) -> Result<bool> {
    if !meta.input.peek(syn::token::Paren) {
        return Ok(false);
    }
    let columns = idents(meta)?;
    match columns.iter().find(|column| *column != "mount_namespace_id") {
        Some(column) => Err(Error::new(column.span(), "a column about the namespace is: mount_namespace_id")),
        None => Ok(!columns.is_empty()),
    }
}

/// The name of an attribute's part, which may be given only once.
fn once(meta: &syn::meta::ParseNestedMeta, given: &mut Vec<String>) -> Result<String> {
    let Some(key) = meta.path.get_ident().map(ToString::to_string) else {
        return Err(meta.error("expected a name"));
    };
    if given.contains(&key) {
        return Err(meta.error(format!("`{key}` is given twice")));
    }
    given.push(key.clone());
    Ok(key)
}

/// `key(a, b)`
fn idents(meta: &syn::meta::ParseNestedMeta) -> Result<Vec<Ident>> {
    let mut all = Vec::new();
    meta.parse_nested_meta(|inner| {
        all.push(inner.path.require_ident()?.clone());
        Ok(())
    })?;
    Ok(all)
}

/// `key = "a"` or `key("a", "b")`
fn strings(meta: &syn::meta::ParseNestedMeta) -> Result<Vec<LitStr>> {
    if meta.input.peek(syn::Token![=]) {
        return Ok(vec![meta.value()?.parse()?]);
    }
    let content;
    syn::parenthesized!(content in meta.input);
    Ok(content.parse_terminated(|input| input.parse::<LitStr>(), syn::Token![,])?.into_iter().collect())
}

/// Whether a field's attribute is this word alone: `#[column(skip)]`, the row's own business.
fn is_alone(field: &Field, word: &str) -> bool {
    let is_it = |attribute: &Attribute| attribute.parse_args::<Ident>().is_ok_and(|ident| ident == word);
    field.attrs.iter().any(|attribute| attribute.path().is_ident("column") && is_it(attribute))
}

/// `#[column(flatten, ..)]`, or nothing for a field that is a column.
fn group_attribute(field: &Field) -> Result<Option<GroupAttribute>> {
    let starts_a_group = |input: syn::parse::ParseStream| {
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
                _ => return Err(meta.error("a group of columns has `flatten` and `path`, nothing else")),
            }
            Ok(())
        })?;
    }
    Ok(Some(group))
}

/// `path = "a.b"`
fn path(meta: &syn::meta::ParseNestedMeta) -> Result<LitStr> {
    let path: LitStr = meta.value()?.parse()?;
    if steps(&path.value()).contains(&String::new()) {
        let message = "a path is names with dots between: \"spec.nodeName\"; `\\\\.` is a dot in a name";
        return Err(Error::new(path.span(), message));
    }
    Ok(path)
}

fn column_attribute(field: &Field) -> Result<ColumnAttribute> {
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
        required: false,
        pattern: false,
        range: false,
        hidden: false,
        added: false,
        volatile: false,
        source: None,
        needs: Vec::new(),
        path: None,
        collation: format_ident!("Binary"),
    };
    let mut given = Vec::new();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("column")) {
        attribute.parse_nested_meta(|meta| {
            let key = once(&meta, &mut given)?;
            match key.as_str() {
                "index" => column.index = true,
                "slice" => (column.slice, column.index) = (true, true),
                "required" => (column.required, column.index) = (true, true),
                "pattern" => column.pattern = true,
                "range" => column.range = true,
                "hidden" => column.hidden = true,
                "added" => column.added = true,
                "volatile" => column.volatile = true,
                "source" => column.source = Some(meta.value()?.parse()?),
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
                                "unknown collation; there are: nocase, version, version_dpkg, version_rhel",
                            ));
                        }
                    };
                }
                _ => {
                    return Err(meta.error(
                        "unknown column attribute; there are: index, slice, required, pattern, range, hidden, added, \
                         volatile, source, needs, path, collate; `skip` alone; and flatten first",
                    ));
                }
            }
            Ok(())
        })?;
    }
    if let (true, Some(source)) = (column.index, &column.source) {
        return Err(Error::new(source.span(), "an indexed column comes with the row: it can't wait for a source"));
    }
    if column.index && column.collation != "Binary" && column.collation != "NoCase" {
        return Err(Error::new(column.collation.span(), "keys compare byte by byte or without case, not as versions"));
    }
    if let (Some(path), Some(_)) = (&column.path, &column.source) {
        return Err(Error::new(path.span(), "a column is a path or comes from a source, not both"));
    }
    Ok(column)
}

fn documentation(attributes: &[Attribute], span: Span, what: &str) -> Result<String> {
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
        return Err(Error::new(span, format!("document {what} with a `///` comment: it becomes the reference page")));
    }
    Ok(text)
}

fn examples(attributes: &[Attribute]) -> Result<Vec<(LitStr, LitStr)>> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("example"))
        .map(|attribute| {
            attribute.parse_args_with(|input: syn::parse::ParseStream| {
                let title = input.parse()?;
                input.parse::<syn::Token![,]>()?;
                let sql = input.parse()?;
                input.parse::<Option<syn::Token![,]>>()?;
                Ok((title, sql))
            })
        })
        .collect()
}

/// SQL's names are the same in either case, and a column's constant has its name in upper case.
fn unique(columns: &[ColumnAttribute]) -> Result<()> {
    for (position, column) in columns.iter().enumerate() {
        if columns[..position].iter().any(|other| other.name.eq_ignore_ascii_case(&column.name)) {
            return Err(Error::new(column.ident.span(), format!("the table already has a column `{}`", column.name)));
        }
    }
    Ok(())
}

/// Names of sources, in the order in which columns first mention them.
fn sources(columns: &[ColumnAttribute]) -> Vec<Ident> {
    let mut sources: Vec<Ident> = Vec::new();
    for source in columns.iter().filter_map(|column| column.source.as_ref()) {
        if !sources.contains(source) {
            sources.push(source.clone());
        }
    }
    sources
}

fn spec(
    table: &TableAttribute,
    description: &str,
    columns: &[ColumnAttribute],
    groups: &[GroupAttribute],
    sources: &[Ident],
    examples: &[(LitStr, LitStr)],
    env: &TokenStream,
) -> Result<TokenStream> {
    let name = &table.name;
    let reads = table.reads.as_ref().unwrap_or(name);
    let rows = table.rows.as_ref().map_or_else(|| quote!(1000), |rows| quote!(#rows));
    let (platforms, needs) = (&table.platforms, &table.needs);
    let lookup = if table.whole_source { quote!(WholeSource) } else { quote!(PerKey) };
    let mut required: Vec<usize> = (0..columns.len()).filter(|position| columns[*position].required).collect();
    for ident in &table.require_any {
        let Some(position) = columns.iter().position(|column| column.ident == *ident) else {
            return Err(Error::new(ident.span(), format!("the table has no column `{ident}`")));
        };
        if !columns[position].index && !columns[position].pattern {
            return Err(Error::new(ident.span(), "a required column needs #[column(index)] or #[column(pattern)]"));
        }
        required.push(position);
    }
    let columns = columns.iter().map(|column| column_spec(column, sources));
    if let Some((unknown, _)) = table.costs.iter().find(|(source, _)| !sources.contains(source)) {
        return Err(Error::new(unknown.span(), format!("no column has the source `{unknown}`")));
    }
    let sources = sources.iter().map(|source| {
        let name = source.to_string();
        let cost = table.costs.iter().find(|(other, _)| other == source);
        let cost = cost.map_or_else(|| quote!(1), |(_, cost)| quote!(#cost));
        quote!(::indago_table::derive::SourceSpec::new(#name, #cost))
    });
    let identity = table.identity.iter().map(|column| {
        let name = column.unraw().to_string();
        quote!(::indago_table::derive::Cow::Borrowed(#name))
    });
    let examples = examples.iter().map(|(title, sql)| quote!(::indago_table::derive::Example::new(#title, #sql)));
    let all = if groups.is_empty() {
        quote!(::indago_table::derive::Cow::Borrowed(COLUMNS))
    } else {
        let parts = groups.iter().map(|GroupAttribute { ty, path, .. }| {
            let path = path.as_ref().map_or_else(String::new, LitStr::value);
            quote_spanned!(ty.span()=> (#path, <#ty as ::indago_table::Columns>::COLUMNS))
        });
        quote!(::indago_table::derive::Cow::Owned(::indago_table::derive::flattened(COLUMNS, &[#(#parts),*])))
    };
    let distinct = groups.iter().enumerate().map(|(position, GroupAttribute { ty, .. })| {
        let before = groups[..position].iter().map(|group| &group.ty);
        quote_spanned! {ty.span()=>
            const _: () = ::indago_table::derive::assert_distinct(
                &[COLUMNS, #(<#before as ::indago_table::Columns>::COLUMNS),*],
                <#ty as ::indago_table::Columns>::COLUMNS,
            );
        }
    });
    Ok(quote! {
        const COLUMNS: &[::indago_table::derive::ColumnSpec] = &[#(#columns),*];
        #(#distinct)*
        static TABLE: ::indago_table::Spec = ::indago_table::Spec::new(|| {
            ::indago_table::derive::table(::indago_table::derive::TableParts {
                name: #name,
                environment: <#env as ::indago_table::Environment>::NAME,
                description: #description,
                columns: #all,
                sources: const { &[#(#sources),*] },
                require_any: &[#(#required),*],
                examples: const { &[#(#examples),*] },
                platforms: &[#(#platforms),*],
                reads: #reads,
                typical_rows: #rows,
                needs: &[#(#needs),*],
                lookup: ::indago_table::derive::Lookup::#lookup,
                identity: const { &[#(#identity),*] },
            })
        });
    })
}

fn column_spec(column: &ColumnAttribute, sources: &[Ident]) -> TokenStream {
    let ColumnAttribute {
        name,
        ty,
        description,
        index,
        slice,
        pattern,
        range,
        hidden,
        added,
        volatile,
        needs,
        collation,
        ..
    } = column;
    let source = match &column.source {
        Some(source) => {
            let position = sources.iter().position(|other| other == source).expect("gathered from the columns");
            quote!(Some(#position))
        }
        None => quote!(None),
    };
    let path = match &column.path {
        Some(path) => quote!(Some(#path)),
        None => quote!(None),
    };
    quote_spanned! {ty.span()=>
        ::indago_table::derive::column(
            #name,
            <#ty as ::indago_table::derive::Value>::KIND,
            <#ty as ::indago_table::derive::Value>::NULLABLE,
            #description,
            #index,
            #slice,
            #pattern,
            #range,
            #hidden,
            #added,
            #volatile,
            ::indago_table::derive::Collation::#collation,
            #source,
            &[#(#needs),*],
            #path,
        )
    }
}

fn constants<'a>(row: &'a Ident, columns: &'a [ColumnAttribute]) -> impl Iterator<Item = TokenStream> + 'a {
    columns.iter().enumerate().map(move |(position, column)| {
        let ColumnAttribute { ty, index, pattern, range, collation, .. } = column;
        let key = match collation == "NoCase" {
            true => quote!(::indago_table::derive::NoCase),
            false => quote_spanned!(column.ident.span()=> <#ty as ::indago_table::derive::Value>::Key),
        };
        let constant = Ident::new(&column.name.to_uppercase(), column.ident.span());
        quote_spanned! {column.ident.span()=>
            pub const #constant: ::indago_table::derive::Column<
                #row, #key, #index, #pattern, #range
            > = ::indago_table::derive::Column::at(#position);
        }
    })
}

fn load(row: &Ident, table: &TableAttribute, sources: &[Ident]) -> TokenStream {
    let arms = sources.iter().enumerate().map(|(position, source)| {
        if table.stream {
            quote_spanned!(source.span()=> #position => ::std::boxed::Box::pin(self.#source(scan)),)
        } else {
            quote_spanned!(source.span()=> #position => self.#source(env),)
        }
    });
    if table.stream {
        quote! {
            #[automatically_derived]
            #[allow(clippy::all)]
            impl ::indago_table::derive::LoadAsync for #row {
                fn load<'a>(
                    &'a mut self,
                    source: usize,
                    scan: &'a ::indago_table::derive::Scan<Self>,
                ) -> ::indago_table::derive::BoxFuture<'a, ::indago_table::Result<()>> {
                    let _ = scan;
                    match source {
                        #(#arms)*
                        other => unreachable!("source {other} of {}", <Self as ::indago_table::derive::Row>::SPEC.name),
                    }
                }
            }
        }
    } else {
        quote! {
            #[automatically_derived]
            #[allow(clippy::all)]
            impl ::indago_table::derive::Load for #row {
                fn load(
                    &mut self,
                    source: usize,
                    env: &<Self as ::indago_table::derive::Row>::Env,
                ) -> ::indago_table::Result<()> {
                    let _ = env;
                    match source {
                        #(#arms)*
                        other => unreachable!("source {other} of {}", <Self as ::indago_table::derive::Row>::SPEC.name),
                    }
                }
            }
        }
    }
}

/// A path's steps: split at dots, where a backslash keeps the next dot.
fn steps(path: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        let last = steps.last_mut().expect("never empty");
        match character {
            '\\' => last.extend(characters.next()),
            '.' => steps.push(String::new()),
            other => last.push(other),
        }
    }
    steps
}
