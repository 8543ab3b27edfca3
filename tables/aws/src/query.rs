//! Services with the Query protocol. A call is a form; its response is XML, which becomes a document.

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::ErrorMetadata;
use futures::stream::{self, BoxStream, StreamExt};
use indago_table::AnyScan;
use indago_table::prelude::*;
use percent_encoding::utf8_percent_encode;
use serde_json::{Map, Value};

use crate::account::{Aws, Site};
use crate::api::{Answer, PLAIN, Refusal, Service, call_of};
use crate::call::Next;
use crate::xml;

/// A service with the Query protocol.
///
/// XML has only texts. The lists name the members of responses that are something else, by their name, or by that of the
/// object or list around them and theirs: `Listeners.Port`.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) service: Service,
    /// Version of the API.
    pub(crate) version: &'static str,
    /// Members that are lists.
    pub(crate) lists: &'static [&'static str],
    /// Members that are numbers.
    pub(crate) numbers: &'static [&'static str],
    /// Members that are booleans.
    pub(crate) booleans: &'static [&'static str],
}

/// A call that lists items in pages.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) query: &'static Query,
    /// What a policy has to allow for it, `service:Operation`.
    pub(crate) action: &'static str,
    /// The member of the response that holds the items.
    pub(crate) items: &'static str,
    /// The parameter of the request and the member of the response that hold the token of the next page.
    pub(crate) tokens: (&'static str, &'static str),
}

/// The parameters of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Input(Vec<(String, String)>);

impl Input {
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// With a list of texts.
    #[must_use]
    pub(crate) fn with_list<V: ToString>(self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        let numbered = values.into_iter().zip(1..);
        numbered.fold(self, |input, (value, number)| input.with(&format!("{name}.member.{number}"), value))
    }

    fn form(&self, operation: &str, version: &str) -> String {
        let pair = |(name, value): (&str, &str)| format!("{name}={}", utf8_percent_encode(value, PLAIN));
        let own = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Vec<_> = [("Action", operation), ("Version", version)].into_iter().chain(own).map(pair).collect();
        pairs.join("&")
    }
}

type Client = Operation<Input, Answer, ErrorMetadata>;

impl Site {
    /// Makes one call of a service and returns its result. `action` is what a policy has to allow for it,
    /// `service:Operation`.
    pub(crate) async fn query(
        &self,
        scan: &AnyScan<Aws>,
        query: &'static Query,
        action: &'static str,
        input: Input,
    ) -> Result<Value> {
        let client = self.query_client(query, action)?;
        Ok(self.call(scan, action, || client.invoke(input.clone())).await?.0)
    }

    /// The items of all pages of a listing.
    pub(crate) fn query_all<'a>(
        &self,
        scan: &'a AnyScan<Aws>,
        listing: &'static Listing,
        input: Input,
    ) -> BoxStream<'a, Result<Value>> {
        let client = match self.query_client(listing.query, listing.action) {
            Ok(client) => client,
            Err(error) => return stream::once(std::future::ready(Err(error))).boxed(),
        };
        let (parameter, member) = listing.tokens;
        let asked = format!("{} {:?}", listing.query.version, input.0);
        let fetch = move |token: Option<String>| {
            let client = client.clone();
            let input = token.into_iter().fold(input.clone(), |input, token| input.with(parameter, token));
            async move { client.invoke(input).await }
        };
        let split = move |Answer(mut page): Answer| {
            let next = page[member].as_str().map(str::to_owned);
            let items = page.get_mut(listing.items).and_then(Value::as_array_mut).map(std::mem::take);
            (items.unwrap_or_default(), Next::Token(next))
        };
        self.pages(scan, listing.action, &asked, fetch, split)
    }

    fn query_client(&self, query: &'static Query, action: &'static str) -> Result<Client> {
        let operation = action.split_once(':').map_or(action, |(_, operation)| operation);
        let serializer = move |input: Input| request(&input.form(operation, query.version));
        let deserializer = move |response: &HttpResponse| answer(query, operation, response);
        call_of(self.config(), &query.service, operation, serializer, deserializer)
            .map_err(|why| Error::Malformed(format!("{action} as {self}: {why}")))
    }
}

fn request(form: &str) -> Result<HttpRequest, BoxError> {
    let request = http::Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", concat!("indago/", env!("CARGO_PKG_VERSION")))
        .body(SdkBody::from(form))?;
    Ok(HttpRequest::try_from(request)?)
}

/// The result in a response. The code and message of an error are read elsewhere, as for all services.
fn answer(query: &Query, operation: &str, response: &HttpResponse) -> Result<Value, Refusal> {
    if !response.status().is_success() {
        return Err(OrchestratorError::response("the response names no error".into()));
    }
    let document = xml::document(response.body().bytes().unwrap_or_default());
    let Some(mut document) = document else {
        return Err(OrchestratorError::response("the response is not XML".into()));
    };
    let member = format!("{operation}Result");
    match document.get_mut(&member) {
        Some(result) => Ok(query.typed("", &member, result.take())),
        None => Err(OrchestratorError::response(format!("the response has no `{member}`").into())),
    }
}

impl Query {
    /// A member of a response with its type. A value that does not fit the type is unchanged: the column reports it.
    fn typed(&self, around: &str, name: &str, value: Value) -> Value {
        let is_in = |list: &[&str]| {
            list.iter().any(|entry| match entry.split_once('.') {
                Some(pair) => pair == (around, name),
                None => *entry == name,
            })
        };
        match value {
            Value::Object(mut members) if is_in(self.lists) => match members.remove("member") {
                Some(items) => xml::list(&items).into_iter().map(|item| self.content(name, item)).collect(),
                None => Value::Object(members),
            },
            Value::String(text) if is_in(self.lists) && text.trim().is_empty() => Value::Array(Vec::new()),
            Value::Object(_) => self.content(name, value),
            Value::String(text) if is_in(self.numbers) => number(text),
            Value::String(text) if is_in(self.booleans) => match text.as_str() {
                "true" => true.into(),
                "false" => false.into(),
                _ => text.into(),
            },
            other => other,
        }
    }

    /// The same for the members of an object.
    fn content(&self, around: &str, value: Value) -> Value {
        let Value::Object(members) = value else { return value };
        let typed = members.into_iter().map(|(name, value)| {
            let value = self.typed(around, &name, value);
            (name, value)
        });
        Value::Object(typed.collect::<Map<_, _>>())
    }
}

fn number(text: String) -> Value {
    let whole = text.parse::<i64>().map(Value::from);
    whole.or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use indago_table::ScanContext;
    use serde_json::json;

    use super::*;
    use crate::aws_account::Account;
    use crate::call::all;
    use crate::testing::{config, response};

    static THINGS: Query = Query {
        service: Service { name: "thing", id: "Things", target: "", json: "", is_global: false, always_fips: &[] },
        version: "2011-01-01",
        lists: &["Things", "Zones"],
        numbers: &["Size", "Things.Port"],
        booleans: &["On"],
    };

    static LISTING: Listing =
        Listing { query: &THINGS, action: "thing:DescribeThings", items: "Things", tokens: ("Marker", "NextMarker") };

    async fn list<F>(server: F) -> Result<Vec<Value>>
    where
        F: Fn(&HttpRequest) -> http::Response<SdkBody> + Clone + Send + Sync + 'static,
    {
        let aws = Aws::empty().with_config("prod", config(server));
        let scan = Scan::<Account>::new(ScanContext::new([0]), &aws);
        let site = aws.site("prod", "eu-west-1", scan.moment()).await?;
        let input = Input::default().with_list("Names", ["a", "b & c"]).with("PageSize", 400);
        all(site.query_all(&scan, &LISTING, input)).await
    }

    fn page(inside: &str) -> String {
        format!(
            "<DescribeThingsResponse xmlns=\"http://x/\"><DescribeThingsResult>{inside}</DescribeThingsResult>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeThingsResponse>"
        )
    }

    #[tokio::test]
    async fn pages_are_forms_and_items_have_types() {
        let first = "<Things><member><Name>a</Name><Size>7</Size><On>true</On><Port>80</Port><Zones><member>x</member>\
                     </Zones><Target><Port>traffic</Port><On>maybe</On></Target></member></Things><NextMarker>n=2</NextMarker>";
        let second = "<Things><member><Size>0.5</Size><Zones/></member><member>text</member></Things>";
        let items = list(move |request| {
            assert_eq!((request.method(), request.uri()), ("POST", "https://thing.eu-west-1.amazonaws.com/"));
            let signature = request.headers().get("authorization").unwrap_or_default();
            assert!(signature.contains("/eu-west-1/thing/aws4_request, SignedHeaders=content-type;"), "{signature}");
            let form = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
            let asked =
                "Action=DescribeThings&Version=2011-01-01&Names.member.1=a&Names.member.2=b%20%26%20c&PageSize=400";
            match form.strip_prefix(asked) {
                Some("") => response(200, page(first)),
                Some("&Marker=n%3D2") => response(200, page(second)),
                _ => panic!("{form}"),
            }
        });
        let expected = [
            json!({"Name": "a", "Size": 7, "On": true, "Port": 80, "Zones": ["x"], "Target": {"Port": "traffic", "On": "maybe"}}),
            json!({"Size": 0.5, "Zones": []}),
            json!("text"),
        ];
        assert_eq!(items.await, Ok(expected.to_vec()));
        assert_eq!(list(|_| response(200, page("<Things/>"))).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn failures_are_those_of_other_services() {
        let error = |code: &str| {
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
            )
        };
        let what = "thing:DescribeThings as prod/eu-west-1";
        let denied = list(move |_| response(403, error("AccessDenied"))).await;
        let needs = Some("thing:DescribeThings".to_owned());
        assert_eq!(denied, Err(Error::Denied { what: what.to_owned(), needs }));
        assert_eq!(list(move |_| response(400, error("ThingNotFound"))).await, Err(Error::Gone(what.to_owned())));
        assert!(matches!(list(move |_| response(400, error("Throttling"))).await, Err(Error::Throttled { .. })));
        for (status, body, expected) in [
            (400, error("ValidationError"), "no (ValidationError)"),
            (200, "<a/>".to_owned(), "the response has no `DescribeThingsResult`"),
            (200, "{}".to_owned(), "the response is not XML"),
            (500, "<!doctype html>".to_owned(), "the response is a web page (HTTP 500)"),
        ] {
            let error = list(move |_| response(status, body.clone())).await;
            assert!(matches!(&error, Err(Error::Malformed(text)) if text.contains(expected)), "{error:?}");
        }
        let cut = page("<Things><member>");
        let error = list(move |_| response(200, &cut[..cut.len() - 90])).await.expect_err("it is cut off");
        assert!(error.is_transient(), "{error}");
    }
}
