//! `curl`: one row per URL that a query names, with the response to a GET request.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;

use crate::source::cloud::WEB_TIMEOUT;
use crate::source::web::{self, Answer, Ask};

/// Responses to HTTP GET requests.
///
/// Each URL is requested once, directly (no proxy), without cookies or credentials; user name and password in the URL
/// are sent as basic authentication. The scheme is `http` or `https`; servers must have a certificate that the machine
/// trusts. Up to 10 redirects are followed, but not from a public address to one of a private network. The limits are
/// 16 seconds and 8 MiB. If a request fails, the row's response is NULL, with a warning.
#[derive(Debug, Default, Table)]
#[table(name = "curl", platforms("linux"), stream, identity(url, user_agent))]
#[example(
    "Whether a service on this machine responds.",
    "SELECT response_code, round_trip_time FROM curl WHERE url = 'http://127.0.0.1:9/'"
)]
pub struct Curl {
    /// URL.
    #[column(required)]
    url: String,
    /// HTTP method: always `GET`.
    method: String,
    /// User agent that is sent; `indago` unless the query names another.
    #[column(index, selects)]
    user_agent: String,
    /// Status of the response, such as 200; NULL if the request failed.
    #[column(volatile)]
    response_code: Option<i64>,
    /// Time from the request to the end of the response, in microseconds.
    #[column(volatile)]
    round_trip_time: Option<i64>,
    /// Size of the response's body, in bytes.
    #[column(volatile)]
    bytes: Option<i64>,
    /// Body of the response.
    #[column(volatile)]
    result: Option<String>,
}

impl RowStream for Curl {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec!["web"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        let distinct = |mut keys: Vec<String>| {
            keys.sort_unstable();
            keys.dedup();
            keys
        };
        let live = scan.sys().require_live("web servers");
        let urls = distinct(scan.keys(Self::URL).filter(|_| live.is_ok()).unwrap_or_default());
        let agents = distinct(scan.keys(Self::USER_AGENT).unwrap_or_else(|| vec![web::AGENT.to_owned()]));
        let pairs = urls.iter().flat_map(|url| agents.iter().map(|agent| (url.clone(), agent.clone()))).collect();
        let answers = scan.in_rounds(pairs, move |(url, agent)| async move {
            let header: String = agent.chars().filter(|letter| !letter.is_control()).collect();
            let ask = Ask { follows_redirects: true, ..Ask::get(&url, WEB_TIMEOUT).with("user-agent", header) };
            let attempt = || async { Ok(web::send(scan.sys(), &ask).await) };
            let answer = match scan.call("curl", &url, attempt).await? {
                Ok(answer) => Some(answer),
                Err(error) if error.ends_query() => return Err(error),
                Err(error) => {
                    scan.report(&url, &error);
                    None
                }
            };
            Ok(row(scan.sys(), url, agent, answer))
        });
        stream::iter(live.err().map(Err)).chain(answers).boxed()
    }
}

fn row(sys: &Sys, url: String, user_agent: String, answer: Option<Answer>) -> Curl {
    let start = Curl { url, method: "GET".to_owned(), user_agent, ..Curl::default() };
    let Some(answer) = answer else { return start };
    Curl {
        response_code: Some(answer.status.into()),
        round_trip_time: Some(answer.microseconds),
        bytes: i64::try_from(answer.body.len()).ok(),
        result: Some(sys.text(&answer.body)),
        ..start
    }
}
