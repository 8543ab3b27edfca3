//! Parses, rewrites and plans any text, or refuses it. It never panics, hangs or overflows the stack.
#![no_main]

use std::{collections::HashMap, sync::Arc, sync::LazyLock};

use datafusion::{
    arrow::datatypes::{DataType, Field, Schema},
    datasource::empty::EmptyTable,
    execution::session_state::SessionStateBuilder,
    prelude::{SessionConfig, SessionContext},
};
use indago_dialect::{Collation, Dialect, NamedColumn, Names, install, parse, rewrite};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

/// A small catalog: numbers, texts, a hidden column, a collation.
struct Catalog(HashMap<&'static str, Vec<NamedColumn>>);

impl Names for Catalog {
    fn columns(&self, table: &str) -> Option<Vec<NamedColumn>> {
        self.0.get(table).cloned()
    }
}

struct World {
    catalog: Catalog,
    context: SessionContext,
    runtime: Runtime,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let int = |name: &str| NamedColumn::new(name, DataType::Int64);
    let real = |name: &str| NamedColumn::new(name, DataType::Float64);
    let text = |name: &str| NamedColumn::new(name, DataType::Utf8View);
    let version = NamedColumn { collation: Collation::Version, ..text("version") };
    let hidden = NamedColumn { hidden: true, ..int("pid_with_namespace") };
    let catalog = Catalog(HashMap::from([
        ("t", vec![int("id"), int("a"), int("b"), real("r"), text("s"), text("n"), text("g")]),
        ("u", vec![int("id"), int("t_id"), int("v"), text("s"), text("key")]),
        ("processes", vec![int("pid"), int("parent"), int("uid"), text("name"), text("path"), text("cmdline")]),
        ("file", vec![text("path"), text("directory"), int("size"), int("mtime"), version, hidden]),
    ]));
    let config = SessionConfig::new().with_target_partitions(1).with_information_schema(true);
    let builder = SessionStateBuilder::new().with_config(config).with_default_features();
    let context = SessionContext::new_with_state(install(builder).build());
    for (name, columns) in &catalog.0 {
        let field = |column: &NamedColumn| {
            Field::new(&column.name, column.data_type.clone().expect("every column of the catalog has a type"), true)
        };
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        context.register_table(*name, Arc::new(EmptyTable::new(schema))).expect("the name is new");
    }
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    World { catalog, context, runtime }
});

fuzz_target!(|sql: &str| {
    let World { catalog, context, runtime } = &*WORLD;
    let Ok(statements) = parse(sql, Dialect::Osquery) else { return };
    for parsed in statements {
        assert!(sql.get(parsed.span.clone()).is_some(), "the span lies within the text");
        let Ok(statement) = rewrite(parsed, catalog).map(|own| own.statement) else { continue };
        let state = context.state();
        // Planning only: effects of statements on the session are not applied.
        if let Ok(plan) = runtime.block_on(state.statement_to_plan(statement)) {
            let _ = state.optimize(&plan);
        }
    }
});
