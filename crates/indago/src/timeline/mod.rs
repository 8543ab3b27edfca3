//! `timeline(entity [, from, to])`: the trail of an entity through the recorded tables, in order of time.

mod event;
mod sql;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock};

use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use indago_engine::{Engine, EngineBuilder, TableFunction, TableFunctions, TableSpec, point_in_time};
use indago_table::prelude::*;
use indago_table::{Period, Streaming, Warning};
use indago_tables_registry::links::{self, Entity};

use self::walk::Walk;
use crate::open::every_table;

const NAME: &str = "timeline";

/// The tables of all environments, by name. Built when the first timeline is read.
static SPECS: LazyLock<BTreeMap<String, TableSpec>> = LazyLock::new(|| {
    let tables = every_table();
    tables.iter().map(|table| (table.spec().name.to_string(), table.spec().clone())).collect()
});

/// What happened to an entity and to its neighbours, as far as it is recorded: one row per change, event and API call.
///
/// `timeline('cb9cd7ae-7ac2-4c4f-a2c7-2b1c1b8e7d11')` is the trail of a pod. An entity is the UID of a pod, the ID of
/// a container or instance, the number of a process, an ARN, a commit, the digest of an image,
/// `system:serviceaccount:shop:web`, `shop/web`, or a name; or `kind:value` with the kind `pod`, `workload`,
/// `service_account`, `role`, `node`, `container`, `process`, `instance`, `instance_profile`, `user`, `image` or
/// `commit`. The trail follows the declared joins between tables: from a pod to its containers and their processes,
/// to its service account, the bindings and roles of that, to its node and its cloud role. A neighbour belongs to the
/// trail if it existed at the same time.
#[derive(Debug, Default, Clone, Table)]
#[table(name = "timeline", env = Trail, stream, rows = 1000)]
pub(crate) struct Moment {
    /// When it happened, or when the recorder first saw it.
    at: Timestamp,
    /// The environment of the table: `host`, `containers`, `kubernetes`, `aws` or `git`.
    environment: String,
    /// `added`, `modified` or `removed` for an object, `started` or `ended` for a process, container or login,
    /// `event`, or `call` for a call of an API.
    kind: String,
    /// What it was: the name of the object, and the values of its columns or those that changed.
    what: String,
    /// The table of the row.
    table: String,
    /// A condition that finds the row in the table, in `history.<table>` and in `changes.<table>`.
    key: String,
    /// The entity that the row is about, as `timeline` takes it.
    entity: String,
}

/// The function `timeline`.
pub(crate) struct Timelines {
    engine: Shared<BoxFuture<'static, indago_engine::Result<Engine>>>,
    clock: Sys,
}

impl Timelines {
    /// The function over the tables of a builder: `history.*`, `changes.*`, and live tables of events.
    pub(crate) fn new(builder: EngineBuilder, clock: Sys) -> Self {
        Timelines { engine: builder.build().boxed().shared(), clock }
    }
}

impl fmt::Debug for Timelines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timelines").finish_non_exhaustive()
    }
}

impl TableFunctions for Timelines {
    fn functions(&self) -> Vec<TableFunction> {
        vec![TableFunction {
            name: NAME,
            signature: "timeline(entity [, from [, to]])",
            description: "The recorded changes, events and API calls of an entity and its neighbours.",
        }]
    }

    fn table(&self, _function: &str, arguments: &[String]) -> Result<TableRef> {
        let (entity, from, to) = match arguments {
            [entity] => (entity, "", ""),
            [entity, from] => (entity, from.as_str(), ""),
            [entity, from, to] => (entity, from.as_str(), to.as_str()),
            _ => return Err(Error::Unsupported("write timeline(entity), or timeline(entity, from, to)".to_owned())),
        };
        let now = self.clock.now();
        let time = |text: &str| match text.trim() {
            "" => Ok(None),
            text => point_in_time(text, now).map(Some).map_err(|error| Error::Unsupported(error.to_string())),
        };
        let window = Period { from: time(from)?, to: time(to)? };
        if let Period { from: Some(from), to: Some(to) } = window
            && from >= to
        {
            return Err(Error::Unsupported(format!("{from} is not before {to}")));
        }
        let entities = links::entities(entity);
        if entities.is_empty() {
            let kinds: BTreeSet<&str> = links::KINDS.iter().map(|kind| kind.prefix).collect();
            let kinds: Vec<&str> = kinds.into_iter().collect();
            let message = format!(
                "'{entity}' does not have the form of an entity; write kind:value, with one of the kinds {}",
                kinds.join(", ")
            );
            return Err(Error::Unsupported(message));
        }
        let trail =
            Trail { engine: self.engine.clone(), name: entity.as_str().into(), entities: entities.into(), window };
        Ok(Arc::new(Streaming::<Moment>::new(&trail)))
    }
}

/// One call of the function.
#[derive(Clone)]
pub(crate) struct Trail {
    engine: Shared<BoxFuture<'static, indago_engine::Result<Engine>>>,
    name: Arc<str>,
    entities: Arc<[Entity]>,
    window: Period,
}

impl Environment for Trail {
    const NAME: &'static str = NAME;
}

impl RowStream for Moment {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec![""])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        let read = async move {
            let trail = scan.env();
            let engine = trail.engine.clone().await.map_err(|error| Error::Unsupported(error.to_string()))?;
            let walk = Walk::new(&engine, trail.window);
            let found = walk.run(&trail.entities).await?;
            found.warnings.into_iter().for_each(|warning| scan.context().query.diagnostics().add(warning));
            if found.moments.is_empty() {
                let searched = match found.searched.is_empty() {
                    true => "no table that names such an entity is recorded".to_owned(),
                    false => format!("no rows in {}", found.searched.into_iter().collect::<Vec<_>>().join(", ")),
                };
                scan.report(&*trail.name, &Error::Absent(searched));
            }
            let bytes: usize = found.moments.iter().map(Row::bytes).sum();
            let held = scan.context().hold(bytes)?;
            Ok::<_, Error>(stream::iter(found.moments).map(move |moment| {
                let _ = &held;
                Ok(moment)
            }))
        };
        stream::once(read).try_flatten()
    }
}

/// What a walk found.
#[derive(Debug, Default)]
struct Found {
    moments: Vec<Moment>,
    warnings: Vec<Warning>,
    /// The tables that were read.
    searched: BTreeSet<String>,
}
