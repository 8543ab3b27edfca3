//! Shared by EC2's tables: filters for keys, and documents of its types.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;

use aws_sdk_ec2::types::{Filter, Instance, Reservation, Route, RouteTable};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::stream::{self, BoxStream, StreamExt};
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::Site;
use crate::call::{Answer, Page, distinct};
use crate::document::Document;
use crate::resource::Resource;

/// Number of values that one filter takes.
const MOST_VALUES: usize = 200;

/// The requests for keys on columns: a filter per column with keys, and several requests if one column has more keys
/// than a filter takes. Without keys it is one request without filters.
///
/// A filter that matches nothing is not an error, unlike a request for an unknown ID. The engine checks the rows again.
pub(crate) fn requests(keys: &[(&str, Option<Vec<String>>)]) -> Vec<Vec<Filter>> {
    let mut requests = vec![Vec::new()];
    let mut is_split = false;
    for (name, keys) in keys {
        let Some(keys) = keys else { continue };
        let values: Vec<_> = distinct(keys.clone()).iter().map(|key| literally(key)).collect();
        if values.is_empty() {
            return Vec::new();
        }
        let filter = |values: &[String]| Filter::builder().name(*name).set_values(Some(values.to_vec())).build();
        if values.len() <= MOST_VALUES {
            requests.iter_mut().for_each(|request| request.push(filter(&values)));
        } else if !is_split {
            is_split = true;
            let split = |request: &Vec<Filter>| {
                let with = |values: &[String]| request.iter().cloned().chain([filter(values)]).collect();
                values.chunks(MOST_VALUES).map(with).collect::<Vec<Vec<Filter>>>()
            };
            requests = requests.iter().flat_map(split).collect();
        }
    }
    requests
}

/// The rows of a listing, for keys on columns; see [`requests`].
pub(crate) fn rows<'a, T, I, O, E, Fut>(
    scan: &'a Scan<T>,
    site: Site,
    action: &'static str,
    keys: &[(&str, Option<Vec<String>>)],
    fetch: impl Fn(Vec<Filter>, Option<String>) -> Fut + Clone + Send + Sync + 'a,
    split: impl Fn(O) -> Page<I> + Copy + Send + Sync + 'a,
) -> BoxStream<'a, Result<T>>
where
    T: Resource,
    I: Document + Clone + Send + Sync + 'static,
    O: Send + 'a,
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    Fut: Future<Output = Answer<O, E>> + Send + 'a,
{
    rows_of(scan, site, action, "", keys, fetch, split)
}

/// Like [`rows`]. `asked` distinguishes listings with other parameters or items than those of the same action and keys.
pub(crate) fn rows_of<'a, T, I, O, E, Fut>(
    scan: &'a Scan<T>,
    site: Site,
    action: &'static str,
    asked: &str,
    keys: &[(&str, Option<Vec<String>>)],
    fetch: impl Fn(Vec<Filter>, Option<String>) -> Fut + Clone + Send + Sync + 'a,
    split: impl Fn(O) -> Page<I> + Copy + Send + Sync + 'a,
) -> BoxStream<'a, Result<T>>
where
    T: Resource,
    I: Document + Clone + Send + Sync + 'static,
    O: Send + 'a,
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    Fut: Future<Output = Answer<O, E>> + Send + 'a,
{
    let asked = asked.to_owned();
    let rows = move |filters: Vec<Filter>| {
        let (fetch, asked) = (fetch.clone(), format!("{asked}{filters:?}"));
        site.rows(scan, site.pages(scan, action, &asked, move |token| fetch(filters.clone(), token), split))
    };
    stream::iter(requests(keys)).flat_map(rows).boxed()
}

/// An item with members of the object that contains it.
#[derive(Debug, Clone)]
pub(crate) struct In<I> {
    outer: Arc<[(&'static str, Option<String>)]>,
    item: I,
}

impl<I> In<I> {
    /// An item with one member.
    pub(crate) fn new(name: &'static str, value: &str, item: I) -> Self {
        In { outer: Arc::new([(name, Some(value.to_owned()))]), item }
    }
}

impl<I: Document> Document for In<I> {
    fn document(&self, shape: &Shape) -> Value {
        let mut document = self.item.document(shape);
        for (name, value) in self.outer.iter() {
            if shape.part(name).is_some() {
                document[*name] = value.clone().into();
            }
        }
        document
    }
}

/// The instances of a reservation, with their account, which AWS states in the reservation that started them.
pub(crate) fn instances(reservation: Reservation) -> impl Iterator<Item = In<Instance>> {
    let outer: Arc<[_]> = Arc::new([("OwnerId", reservation.owner_id)]);
    reservation.instances.into_iter().flatten().map(move |item| In { outer: outer.clone(), item })
}

/// The routes of a route table.
pub(crate) fn routes(table: RouteTable) -> impl Iterator<Item = In<Route>> {
    let outer: Arc<[_]> =
        Arc::new([("RouteTableId", table.route_table_id), ("VpcId", table.vpc_id), ("OwnerId", table.owner_id)]);
    table.routes.into_iter().flatten().map(move |item| In { outer: outer.clone(), item })
}

/// A value that a filter takes literally: `*` and `?` stand for any text in filters.
fn literally(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_filters() {
        let ids = |count: usize| Some((0..count).map(|n| format!("i-{n}")).collect::<Vec<_>>());
        let sizes = |keys: &[(&str, Option<Vec<String>>)]| {
            let filters = |request: Vec<Filter>| request.iter().map(|filter| filter.values().len()).collect::<Vec<_>>();
            requests(keys).into_iter().map(filters).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[("a", None)]), [Vec::<usize>::new()]);
        assert_eq!(sizes(&[("a", ids(2)), ("b", None), ("c", ids(1))]), [[2, 1]]);
        assert_eq!(sizes(&[("a", ids(401)), ("b", ids(3))]), [[200, 3], [200, 3], [1, 3]]);
        assert_eq!(sizes(&[("a", ids(201)), ("b", ids(999))]), [[200], [1]]);
        assert!(sizes(&[("a", ids(2)), ("b", ids(0))]).is_empty());
        assert!(sizes(&[("a", Some(vec![String::new()]))]).is_empty());
    }

    #[test]
    fn a_key_is_no_pattern() {
        assert_eq!(literally(r"a*b?c\d"), r"a\*b\?c\\d");
    }
}
