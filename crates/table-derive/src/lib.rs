//! `#[derive(Table)]` turns a struct's fields, doc comments and attributes into the constant data of a table.
//! `#[derive(Columns)]` does so for a group of columns that several tables share.
//!
//! The macro generates only data and `match`es.

mod attributes;
#[expect(unreachable_pub, reason = "it is public in indago-table, which has the file")]
#[path = "../../table/src/json/steps.rs"]
mod steps;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Ident, LitStr, Result, parse_macro_input};

use crate::attributes::{
    ColumnAttribute, GroupAttribute, LoadingAttribute, Member, ResourceAttribute, Source, TableAttribute,
};
use crate::steps::steps;

/// Makes a struct a table. Each field is a column, in the order of `SELECT *`; its doc comment is the column's
/// documentation.
///
/// On the struct, `#[table(..)]`:
///
/// | | |
/// |---|---|
/// | `name = ".."` | name in SQL |
/// | `env = Type` | the environment that it reads; default `Sys` |
/// | `stream` | it implements `RowStream`, not `Rows` |
/// | `parts` | it implements `RowParts`, not `Rows` |
/// | `events` | its rows are events of an `EventSource`; it implements nothing |
/// | `rows = 100` | typical number of rows of a scan |
/// | `whole_source` | keys save nothing: the source is read completely anyway |
/// | `timeless` | does not depend on time: it can be read as of any point in time |
/// | `require_any(a, b)` | it needs a constraint on one of these columns |
/// | `reads = ".."` | tables that name the same source share its responses within a query |
/// | `identity(a, b)` | the columns that together identify a row, at all times |
/// | `needs(".."), platforms("..")` | permissions without which there are no rows; operating systems that it supports |
/// | `cost(method = 100)` | cost of a source per row, relative to the table's other sources (1) |
/// | `batch(method = 100)` | the source loads up to that many rows per call |
/// | `namespaces` | its files can be read as a process sees them; `namespaces(mount_namespace_id)` adds a column with the namespace |
///
/// and any number of `#[example("Title of the query.", "SELECT ..")]`.
///
/// `#[resource("apps/v1/deployments", namespaced)]` names the resource of a Kubernetes API that the table lists. It
/// sets the defaults of `reads`, `needs("list deployments")` and `identity(uid)`; use `identity()` if an object has
/// several rows.
///
/// On a field, `#[column(..)]`:
///
/// | | |
/// |---|---|
/// | `index` | the table applies `=`, `IN` and join keys |
/// | `slice` | like `index`, for a value that many rows share |
/// | `extends` | with `index` or `slice`: a key also finds rows that a scan without it does not return |
/// | `selects` | with `index` or `slice`: each key has its own rows; a scan without it returns those of a default |
/// | `index(field)`, `slice(field)` | the server selects by it: its path is a field of Kubernetes' field selectors |
/// | `required` | like `index`; the table needs a constraint on this column or another required one |
/// | `pattern`, `range` | the table applies `LIKE`, or comparisons |
/// | `collate = nocase` | collation: `nocase`, `version`, `version_dpkg`, `version_rhel` |
/// | `hidden` | not in `SELECT *` |
/// | `secret` | hidden, and in no capture: it holds credentials |
/// | `added` | osquery's table of this name does not have the column |
/// | `volatile` | it may change although the object behind the row did not |
/// | `volatile = "p"` | the same, for values that start with `p` and change to others that do |
/// | `needs = ".."` | permission without which it is NULL |
/// | `path = "a.b"` | filled from the JSON document of the row; with `source`, from the document that the source reads |
/// | `source = method` | filled by a method when a query needs the column |
/// | `source = method("x")` | the same, with a method that takes arguments and returns the value |
/// | `skip` | alone: not a column, but data of the row for its own sources |
/// | `flatten`, `flatten, path = "a.b"` | inserts a group of columns here; the path is where their paths start |
///
/// A source is a method of the row type:
///
/// | | blocking | `stream` |
/// |---|---|---|
/// | `source = m` | `fn m(&mut self, env: &Env) -> Result<()>` | `async fn m(&mut self, scan: &Scan<Self>) -> Result<()>` |
/// | `source = m(x)` | `fn m(&self, env: &Env, x: X) -> Result<V>` | `async fn m(&self, scan: &Scan<Self>, x: X) -> Result<V>` |
/// | `source = m`, `batch(m = 100)` | `fn m(rows: &mut [Loading<'_, Self>], env: &Env) -> Result<()>` | `async fn m(rows: &mut [Loading<'_, Self>], scan: &Scan<Self>) -> Result<()>` |
///
/// `V` is the field's type. An error of a source leaves its columns NULL with a warning, or drops the row if it is `Gone`.
/// In a batch, [`Loading::fail`] does this for one row, and an error of the method does it for all rows of the call.
///
/// [`Loading::fail`]: https://docs.rs/indago-table
#[proc_macro_derive(Table, attributes(table, column, example, resource))]
pub fn derive_table(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct a group of columns. A table includes the group with a `#[column(flatten)]` field; the columns are
/// inserted at the position of that field.
///
/// A field takes the same `#[column(..)]` as in a table, except `flatten`.
///
/// If its columns have sources, the struct has `#[columns(env = Type, stream, cost(method = 100), batch(method =
/// 100))]`, as in `#[table(..)]`. Sources are methods of the group. In a group with `stream`, they get a scan without
/// its row type, `async fn m(&mut self, scan: &AnyScan<Env>) -> Result<()>`. A group without sources works in any
/// table.
///
/// A table `Row` with the field `meta` of the group `Meta` gets the keys of the group's column `name` as
/// `scan.keys(Row::META.at(Meta::NAME))`.
#[proc_macro_derive(Columns, attributes(columns, column))]
pub fn derive_columns(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand_group(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand_group(input: &DeriveInput) -> Result<TokenStream> {
    let loading = attributes::columns_attribute(input)?;
    let (members, sources) = attributes::members(input, &loading)?;
    if let Some(inner) = members.iter().find_map(Member::group) {
        let message = "a group of columns cannot contain groups; add this one to the tables";
        return Err(Error::new(inner.ident.span(), message));
    }
    let group = &input.ident;
    let columns: Vec<&ColumnAttribute> = members.iter().filter_map(Member::column).collect();
    let specs = columns.iter().map(|column| column_spec(column));
    let source_specs = source_specs(&sources);
    let required = (0..columns.len()).filter(|position| columns[*position].required);
    let constants = constants(group, &members);
    let [append, keys, fill, bytes] = arms(&members);
    let load = load_group(group, &loading, &sources);
    Ok(quote! {
        #[automatically_derived]
        #[allow(dead_code, unreachable_pub, missing_docs, private_interfaces, clippy::all)]
        impl #group {
            #(#constants)*
        }

        #[automatically_derived]
        #[allow(clippy::all)]
        impl ::indago_table::Columns for #group {
            const COLUMNS: &'static [::indago_table::derive::ColumnSpec] = &[#(#specs),*];
            const SOURCES: &'static [::indago_table::derive::SourceSpec] = &[#(#source_specs),*];
            const REQUIRED: &'static [usize] = &[#(#required),*];

            fn append(&self, column: usize, builder: &mut dyn ::indago_table::derive::ArrayBuilder) {
                match column {
                    #append
                    other => unreachable!("column {other} of a group of {}", Self::COLUMNS.len()),
                }
            }

            fn key(&self, column: usize) -> ::std::option::Option<::indago_table::derive::Scalar> {
                match column {
                    #keys
                    _ => None,
                }
            }

            fn bytes(&self) -> usize {
                0 #bytes
            }

            fn fill(
                &mut self,
                document: &::indago_table::derive::Document,
                wanted: &[bool],
            ) -> ::std::vec::Vec<::indago_table::derive::Misfit> {
                let _ = (document, wanted);
                #[allow(unused_mut)]
                let mut misfits = ::std::vec::Vec::new();
                #fill
                misfits
            }
        }

        #load
    })
}

fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let table = attributes::table_attribute(input)?;
    let description = attributes::documentation(&input.attrs, input.ident.span(), "the table")?;
    let (members, sources) = attributes::members(input, &table.loading)?;
    let examples = attributes::examples(&input.attrs)?;
    let row = &input.ident;
    let env = table.loading.env.as_ref().map_or_else(|| quote!(::indago_table::Sys), |env| quote!(#env));
    let spec = spec(&table, &description, &members, &sources, &examples, &env)?;
    let constants = constants(row, &members);
    let load = load(row, &table.loading, &members, &sources);
    let driver = match (table.loading.stream, table.parts) {
        (false, false) => quote!(Blocking),
        (false, true) => quote!(Parted),
        (true, false) => quote!(Streaming),
        (true, true) => {
            return Err(Error::new(input.span(), "a stream always has parts; remove `parts`"));
        }
    };
    let over = match table.namespaces {
        None => quote!(::std::sync::Arc::new(::indago_table::derive::#driver::<#row>::new(env))),
        Some(_) if table.loading.stream => {
            let message = "`namespaces` is only for tables of files, which cannot have `stream`";
            return Err(Error::new(input.span(), message));
        }
        Some(has_id) => quote! {
            ::std::sync::Arc::new(::indago_table::derive::InNamespaces::new::<#row>(env, #has_id, |sys| {
                ::std::sync::Arc::new(::indago_table::derive::#driver::<#row>::new(sys))
            }))
        },
    };
    let over = (!table.events).then(|| {
        quote! {
            /// The table over an environment.
            pub fn table(env: &#env) -> ::indago_table::derive::TableRef {
                #over
            }
        }
    });
    let [append, keys, fill, bytes] = arms(&members);
    let implementation = quote! {
        #[automatically_derived]
        #[allow(dead_code, unreachable_pub, missing_docs, private_interfaces, clippy::all)]
        impl #row {
            #(#constants)*

            #over
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
                    #append
                    other => unreachable!("column {other} of {}", <Self as ::indago_table::derive::Row>::SPEC.name),
                }
            }

            fn key(&self, column: usize) -> ::std::option::Option<::indago_table::derive::Scalar> {
                match column {
                    #keys
                    _ => None,
                }
            }

            fn bytes(&self) -> usize {
                0 #bytes
            }

            fn fill(
                &mut self,
                document: &::indago_table::derive::Document,
                wanted: &[bool],
            ) -> ::std::vec::Vec<::indago_table::derive::Misfit> {
                let _ = (document, wanted);
                #[allow(unused_mut)]
                let mut misfits = ::std::vec::Vec::new();
                #fill
                misfits
            }
        }

        #load
    };
    let places = places(&members, sources.len());
    // Without groups, positions are plain numbers.
    Ok(if places.is_empty() { implementation } else { quote!(const _: () = { #places #implementation };) })
}

/// Span of an error about something. Names resolve as in the derive, even if a macro wrote the struct.
fn here(what: &impl Spanned) -> Span {
    what.span().resolved_at(Span::call_site())
}

/// The position of a column, as an expression and a pattern: a number, or a constant of [`places`] for a column after a
/// group.
fn place(members: &[Member], member: usize) -> TokenStream {
    if members[..member].iter().any(|member| member.group().is_some()) {
        let place = format_ident!("__AT_{member}");
        quote!(#place)
    } else {
        quote!(#member)
    }
}

/// Constants with the first position of a group's columns and sources, and with the first position after them.
fn group_places(member: usize) -> [Ident; 4] {
    ["__FROM", "__TO", "__SOURCES_FROM", "__SOURCES_TO"].map(|name| format_ident!("{name}_{member}"))
}

/// Constants for the positions that depend on the size of groups.
fn places(members: &[Member], sources: usize) -> TokenStream {
    let mut definitions = TokenStream::new();
    let mut own = 0_usize;
    let (mut columns_before, mut sources_before) = (TokenStream::new(), TokenStream::new());
    for (position, member) in members.iter().enumerate() {
        match member {
            Member::Column(_) => {
                if !columns_before.is_empty() {
                    let place = format_ident!("__AT_{position}");
                    definitions.extend(quote!(const #place: usize = #own #columns_before;));
                }
                own += 1;
            }
            Member::Group(GroupAttribute { ty, .. }) => {
                let [from, to, sources_from, sources_to] = group_places(position);
                definitions.extend(quote_spanned! {here(ty)=>
                    const #from: usize = #own #columns_before;
                    const #to: usize = #from + <#ty as ::indago_table::Columns>::COLUMNS.len();
                    const #sources_from: usize = #sources #sources_before;
                    const #sources_to: usize = #sources_from + <#ty as ::indago_table::Columns>::SOURCES.len();
                });
                columns_before.extend(quote!(+ (#to - #from)));
                sources_before.extend(quote!(+ (#sources_to - #sources_from)));
            }
        }
    }
    definitions
}

/// Match arms that append a column to its builder, return it as a key, and fill the wanted columns that are paths; and
/// the terms of a sum of bytes.
fn arms(members: &[Member]) -> [TokenStream; 4] {
    let [mut append, mut keys, mut fill, mut bytes]: [TokenStream; 4] = Default::default();
    for (position, member) in members.iter().enumerate() {
        match member {
            Member::Column(ColumnAttribute { ident, ty, index, path, .. }) => {
                let place = place(members, position);
                append.extend(quote_spanned! {here(ty)=>
                    #place => ::indago_table::derive::Value::append(&self.#ident, builder),
                });
                bytes.extend(quote_spanned!(here(ty)=> + ::indago_table::derive::Value::bytes(&self.#ident)));
                if *index {
                    keys.extend(quote_spanned! {here(ty)=>
                        #place => ::indago_table::derive::Value::scalar(&self.#ident),
                    });
                }
                if let Some(path) = path {
                    let steps = steps(&path.value());
                    fill.extend(quote_spanned! {here(ty)=>
                        if wanted[#place] {
                            if let Some(found) = ::indago_table::derive::assign(&mut self.#ident, document, &[#(#steps),*]) {
                                misfits.push(::indago_table::derive::Misfit { column: #place, found });
                            }
                        }
                    });
                }
            }
            Member::Group(GroupAttribute { ident, ty, path }) => {
                let [from, to, ..] = group_places(position);
                append.extend(quote_spanned! {here(ty)=>
                    #from..#to => ::indago_table::Columns::append(&self.#ident, column - #from, builder),
                });
                keys.extend(quote_spanned! {here(ty)=>
                    #from..#to => ::indago_table::Columns::key(&self.#ident, column - #from),
                });
                bytes.extend(quote_spanned!(here(ty)=> + ::indago_table::Columns::bytes(&self.#ident)));
                let steps = path.iter().flat_map(|path| steps(&path.value()));
                fill.extend(quote_spanned! {here(ty)=>
                    ::indago_table::derive::fill_group(
                        &mut self.#ident, document, &[#(#steps),*], #from, &wanted[#from..#to], &mut misfits,
                    );
                });
            }
        }
    }
    [append, keys, fill, bytes]
}

fn spec(
    table: &TableAttribute,
    description: &str,
    members: &[Member],
    sources: &[Source],
    examples: &[(LitStr, LitStr)],
    env: &TokenStream,
) -> Result<TokenStream> {
    let name = &table.name;
    let reads = table.reads.as_ref().unwrap_or(name);
    let rows = table.rows.as_ref().map_or_else(|| quote!(1000), |rows| quote!(#rows));
    let (platforms, needs) = (&table.platforms, &table.needs);
    let lookup = if table.whole_source { quote!(WholeSource) } else { quote!(PerKey) };
    let past = if table.timeless { quote!(Timeless) } else { quote!(Nothing) };
    let Columns { mut definitions, all, all_sources, required_of_groups } = columns(members, sources);

    let has_groups = !required_of_groups.is_empty();
    let own = |ident: &Ident| {
        let found = members.iter().enumerate().find(|(_, member)| member.column().is_some_and(|c| c.ident == *ident));
        match found {
            None if !has_groups => Err(Error::new(ident.span(), format!("the table has no column `{ident}`"))),
            found => Ok(found.and_then(|(position, member)| Some((place(members, position), member.column()?)))),
        }
    };
    let mut required: Vec<TokenStream> = members
        .iter()
        .enumerate()
        .filter(|(_, member)| member.column().is_some_and(|column| column.required))
        .map(|(position, _)| place(members, position))
        .collect();
    for ident in &table.require_any {
        let name = ident.unraw().to_string();
        required.push(match own(ident)? {
            Some((_, column)) if !column.index && !column.pattern => {
                return Err(Error::new(ident.span(), "a required column needs #[column(index)] or #[column(pattern)]"));
            }
            Some((place, _)) => place,
            None => {
                let position = format_ident!("__REQUIRED_{}", ident);
                definitions.extend(quote_spanned! {here(ident)=>
                    #[allow(non_upper_case_globals)]
                    const #position: usize = ::indago_table::derive::key_position(COLUMNS, #name);
                });
                quote!(#position)
            }
        });
    }
    let mut identity = Vec::new();
    for ident in table.identity.iter().flatten() {
        let name = ident.unraw().to_string();
        if own(ident)?.is_none() {
            definitions.extend(quote_spanned! {here(ident)=>
                const _: usize = ::indago_table::derive::position(COLUMNS, #name);
            });
        }
        identity.push(quote!(::indago_table::derive::Cow::Borrowed(#name)));
    }
    let required = quote!(const { &[#(#required),*] });
    let required = match has_groups {
        false => quote!(::indago_table::derive::Cow::Borrowed(#required)),
        true => quote! {
            ::indago_table::derive::Cow::Owned(::indago_table::derive::required(#required, &[#(#required_of_groups),*]))
        },
    };
    let resource = match &table.resource {
        Some(ResourceAttribute { group_version, name, is_namespaced, older, .. }) => {
            let or_older = older.as_ref().map(|older| quote!(.or_older(&[#(#older),*])));
            quote!(Some(::indago_table::derive::ResourceSpec::new(#group_version, #name, #is_namespaced) #or_older))
        }
        None => quote!(None),
    };
    let examples = examples.iter().map(|(title, sql)| quote!(::indago_table::derive::Example::new(#title, #sql)));
    Ok(quote! {
        #definitions
        static TABLE: ::indago_table::Spec = ::indago_table::Spec::new(|| {
            ::indago_table::derive::table(::indago_table::derive::TableParts {
                name: #name,
                environment: <#env as ::indago_table::Environment>::NAME,
                description: #description,
                columns: #all,
                sources: #all_sources,
                require_any: #required,
                examples: const { &[#(#examples),*] },
                platforms: &[#(#platforms),*],
                reads: #reads,
                typical_rows: #rows,
                needs: &[#(#needs),*],
                lookup: ::indago_table::derive::Lookup::#lookup,
                identity: const { &[#(#identity),*] },
                past: ::indago_table::derive::Past::#past,
                resource: #resource,
            })
        });
    })
}

/// The columns and sources of a table and its groups.
struct Columns {
    /// `COLUMNS`. Without groups, the columns; with groups, pieces of columns, each with the start of its paths and the
    /// position of its first source.
    definitions: TokenStream,
    all: TokenStream,
    all_sources: TokenStream,
    /// For each group, its first position and its required columns.
    required_of_groups: Vec<TokenStream>,
}

fn columns(members: &[Member], sources: &[Source]) -> Columns {
    let source_specs = source_specs(sources);
    let own_sources = quote!(const { &[#(#source_specs),*] });
    let (mut pieces, mut piece, mut distinct) = (Vec::new(), Vec::new(), TokenStream::new());
    let (mut of_groups, mut required_of_groups) = (Vec::new(), Vec::new());
    let own = |piece: &mut Vec<TokenStream>| {
        let columns = std::mem::take(piece);
        quote!(("", &[#(#columns),*], 0))
    };
    for (position, member) in members.iter().enumerate() {
        match member {
            Member::Column(column) => piece.push(column_spec(column)),
            Member::Group(GroupAttribute { ty, path, .. }) => {
                pieces.push(own(&mut piece));
                let number = pieces.len();
                distinct.extend(quote_spanned! {here(ty)=>
                    const _: () = ::indago_table::derive::assert_distinct(COLUMNS, #number);
                });
                let [from, _, sources_from, _] = group_places(position);
                let start = path.as_ref().map_or_else(String::new, LitStr::value);
                pieces.push(quote_spanned! {here(ty)=>
                    (#start, <#ty as ::indago_table::Columns>::COLUMNS, #sources_from)
                });
                of_groups.push(quote_spanned!(here(ty)=> <#ty as ::indago_table::Columns>::SOURCES));
                required_of_groups.push(quote_spanned!(here(ty)=> (#from, <#ty as ::indago_table::Columns>::REQUIRED)));
            }
        }
    }
    if of_groups.is_empty() {
        return Columns {
            definitions: quote!(const COLUMNS: &[::indago_table::derive::ColumnSpec] = &[#(#piece),*];),
            all: quote!(::indago_table::derive::Cow::Borrowed(COLUMNS)),
            all_sources: quote!(::indago_table::derive::Cow::Borrowed(#own_sources)),
            required_of_groups,
        };
    }
    pieces.push(own(&mut piece));
    Columns {
        definitions: quote! {
            const COLUMNS: &[::indago_table::derive::Piece] = &[#(#pieces),*];
            #distinct
        },
        all: quote!(::indago_table::derive::Cow::Owned(::indago_table::derive::flattened(COLUMNS))),
        all_sources: quote! {
            ::indago_table::derive::Cow::Owned([#own_sources as &[::indago_table::derive::SourceSpec], #(#of_groups),*].concat())
        },
        required_of_groups,
    }
}

fn source_specs(sources: &[Source]) -> impl Iterator<Item = TokenStream> {
    sources.iter().map(|Source { name, cost, batch, .. }| {
        let cost = cost.as_ref().map_or_else(|| quote!(1), |cost| quote!(#cost));
        let batch = batch.as_ref().map(|rows| quote!(.in_batches(#rows)));
        quote!(::indago_table::derive::SourceSpec::new(#name, #cost) #batch)
    })
}

fn column_spec(column: &ColumnAttribute) -> TokenStream {
    let ColumnAttribute {
        name,
        ty,
        description,
        index,
        slice,
        key_effect,
        pattern,
        range,
        hidden,
        secret,
        added,
        volatile,
        needs,
        collation,
        field,
        ..
    } = column;
    let source = match column.source {
        Some(position) => quote!(Some(#position)),
        None => quote!(None),
    };
    let text = |text: &Option<LitStr>| match text {
        Some(text) => quote!(Some(#text)),
        None => quote!(None),
    };
    let (path, volatile_prefix) = (text(&column.path), text(&column.volatile_prefix));
    quote_spanned! {here(ty)=>
        ::indago_table::derive::column(
            #name,
            <#ty as ::indago_table::derive::Value>::KIND,
            <#ty as ::indago_table::derive::Value>::NULLABLE,
            #description,
            #index,
            #slice,
            ::indago_table::derive::KeyEffect::#key_effect,
            #pattern,
            #range,
            #hidden,
            #secret,
            #added,
            #volatile,
            #volatile_prefix,
            ::indago_table::derive::Collation::#collation,
            #source,
            &[#(#needs),*],
            #path,
            #field,
        )
    }
}

/// A constant for each column, with its capabilities in its type, and for each group.
fn constants<'a>(row: &'a Ident, members: &'a [Member]) -> impl Iterator<Item = TokenStream> + 'a {
    members.iter().enumerate().map(move |(position, member)| match member {
        Member::Column(ColumnAttribute { ident, name, ty, index, pattern, range, collation, .. }) => {
            let key = match collation == "NoCase" {
                true => quote!(::indago_table::derive::NoCase),
                false => quote_spanned!(here(ident)=> <#ty as ::indago_table::derive::Value>::Key),
            };
            let constant = Ident::new(&name.to_uppercase(), ident.span());
            let place = place(members, position);
            quote_spanned! {here(ident)=>
                pub const #constant: ::indago_table::derive::Column<
                    #row, #key, #index, #pattern, #range
                > = ::indago_table::derive::Column::at(#place);
            }
        }
        Member::Group(GroupAttribute { ident, ty, .. }) => {
            let constant = Ident::new(&ident.unraw().to_string().to_uppercase(), ident.span());
            let [from, ..] = group_places(position);
            quote_spanned! {here(ident)=>
                pub const #constant: ::indago_table::derive::Group<#row, #ty> = ::indago_table::derive::Group::from(#from);
            }
        }
    })
}

/// Match arms that run a source for one row, and for many rows.
fn source_arms(loading: &LoadingAttribute, sources: &[Source]) -> [TokenStream; 2] {
    let (mut one, mut many) = (TokenStream::new(), TokenStream::new());
    for (position, Source { method, value, batch, .. }) in sources.iter().enumerate() {
        let arms = if batch.is_some() { &mut many } else { &mut one };
        arms.extend(match (loading.stream, batch, value) {
            (false, Some(_), _) => quote_spanned!(here(method)=> #position => Self::#method(rows, env),),
            (true, Some(_), _) => {
                quote_spanned!(here(method)=> #position => ::std::boxed::Box::pin(Self::#method(rows, scan)),)
            }
            (false, None, None) => quote_spanned!(here(method)=> #position => self.#method(env),),
            (true, None, None) => {
                quote_spanned!(here(method)=> #position => ::std::boxed::Box::pin(self.#method(scan)),)
            }
            (false, None, Some((arguments, column))) => quote_spanned! {here(method)=>
                #position => {
                    self.#column = self.#method(env, #arguments)?;
                    ::std::result::Result::Ok(())
                }
            },
            (true, None, Some((arguments, column))) => quote_spanned! {here(method)=>
                #position => ::std::boxed::Box::pin(async move {
                    self.#column = self.#method(scan, #arguments).await?;
                    ::std::result::Result::Ok(())
                }),
            },
        });
    }
    [one, many]
}

/// Runs the sources of a table and its groups.
fn load(row: &Ident, loading: &LoadingAttribute, members: &[Member], sources: &[Source]) -> TokenStream {
    let [mut one, mut many] = source_arms(loading, sources);
    for (position, member) in members.iter().enumerate() {
        let Member::Group(GroupAttribute { ident, ty, .. }) = member else { continue };
        let [.., from, to] = group_places(position);
        let (of_one, of_many, with) = match loading.stream {
            false => (quote!(LoadGroup), quote!(load_group), quote!(env)),
            true => (quote!(LoadGroupAsync), quote!(load_group_async), quote!(scan)),
        };
        one.extend(quote_spanned! {here(ty)=>
            source if source < #to => ::indago_table::derive::#of_one::load(&mut self.#ident, source - #from, #with),
        });
        many.extend(quote_spanned! {here(ty)=>
            source if (#from..#to).contains(&source) =>
                ::indago_table::derive::#of_many(rows, |row| &mut row.#ident, source - #from, #with),
        });
    }
    let name = quote!(<Self as ::indago_table::derive::Row>::SPEC.name);
    let methods = match loading.stream {
        false => {
            let env = quote!(&<Self as ::indago_table::derive::Row>::Env);
            blocking_methods(&env, &name, &one, &many)
        }
        true => streaming_methods(&TokenStream::new(), &quote!(Self), &name, &one, &many),
    };
    let of = if loading.stream { quote!(LoadAsync) } else { quote!(Load) };
    quote! {
        #[automatically_derived]
        #[allow(clippy::all)]
        impl ::indago_table::derive::#of for #row {
            #methods
        }
    }
}

/// Runs the sources of a group. A group without sources works in any table.
fn load_group(group: &Ident, loading: &LoadingAttribute, sources: &[Source]) -> TokenStream {
    if sources.is_empty() {
        return quote! {
            #[automatically_derived]
            impl<E: ::indago_table::Environment> ::indago_table::derive::LoadGroup<E> for #group {}
            #[automatically_derived]
            impl<E: ::indago_table::Environment> ::indago_table::derive::LoadGroupAsync<E> for #group {}
        };
    }
    let env = loading.env.as_ref().map_or_else(|| quote!(::indago_table::Sys), |env| quote!(#env));
    let [one, many] = source_arms(loading, sources);
    let name = LitStr::new(&group.to_string(), group.span());
    let name = quote!(#name);
    let (of, methods) = match loading.stream {
        false => (quote!(LoadGroup), blocking_methods(&quote!(&#env), &name, &one, &many)),
        true => {
            let of_row = quote!(, __Row: ::indago_table::derive::Row<Env = #env>);
            (quote!(LoadGroupAsync), streaming_methods(&of_row, &quote!(__Row), &name, &one, &many))
        }
    };
    quote! {
        #[automatically_derived]
        #[allow(clippy::all)]
        impl ::indago_table::derive::#of<#env> for #group {
            #methods
        }
    }
}

fn blocking_methods(env: &TokenStream, name: &TokenStream, one: &TokenStream, many: &TokenStream) -> TokenStream {
    let load_many = (!many.is_empty()).then(|| {
        quote! {
            fn load_many(
                rows: &mut [::indago_table::Loading<'_, Self>],
                source: usize,
                env: #env,
            ) -> ::indago_table::Result<()> {
                match source {
                    #many
                    other => unreachable!("source {other} of {} in batches", #name),
                }
            }
        }
    });
    quote! {
        fn load(&mut self, source: usize, env: #env) -> ::indago_table::Result<()> {
            let _ = env;
            match source {
                #one
                other => unreachable!("source {other} of {}", #name),
            }
        }

        #load_many
    }
}

fn streaming_methods(
    generics: &TokenStream,
    row: &TokenStream,
    name: &TokenStream,
    one: &TokenStream,
    many: &TokenStream,
) -> TokenStream {
    let load_many = (!many.is_empty()).then(|| {
        quote! {
            fn load_many<'a #generics>(
                rows: &'a mut [::indago_table::Loading<'_, Self>],
                source: usize,
                scan: &'a ::indago_table::derive::Scan<#row>,
            ) -> ::indago_table::derive::BoxFuture<'a, ::indago_table::Result<()>> {
                match source {
                    #many
                    other => unreachable!("source {other} of {} in batches", #name),
                }
            }
        }
    });
    quote! {
        fn load<'a #generics>(
            &'a mut self,
            source: usize,
            scan: &'a ::indago_table::derive::Scan<#row>,
        ) -> ::indago_table::derive::BoxFuture<'a, ::indago_table::Result<()>> {
            let _ = scan;
            match source {
                #one
                other => unreachable!("source {other} of {}", #name),
            }
        }

        #load_many
    }
}
