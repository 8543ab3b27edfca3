//! `prometheus_metrics`: one row per sample that a Prometheus endpoint exposes.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;

use crate::source::cloud::WEB_TIMEOUT;
use crate::source::held::HeldLines;
use crate::source::web::{self, Ask};

/// Samples of Prometheus endpoints.
///
/// The query names the endpoints: `target_name = 'http://127.0.0.1:9100/metrics'`, `IN`, or a join. Without such a
/// constraint there are no rows, with a warning. Requests have the limits of the table `curl`. A malformed line is
/// reported, and the other lines have rows.
#[derive(Debug, Default, Table)]
#[table(name = "prometheus_metrics", platforms("linux"), stream, rows = 500, identity(target_name, metric_name))]
#[example(
    "Samples of a node exporter on this machine.",
    "SELECT metric_name, metric_value FROM prometheus_metrics WHERE target_name = 'http://127.0.0.1:9/metrics'"
)]
pub struct PrometheusMetric {
    /// URL of the endpoint.
    #[column(index, selects)]
    target_name: String,
    /// Name of the metric with its labels, as the endpoint writes it.
    metric_name: String,
    /// Value of the sample; NULL for NaN.
    #[column(volatile)]
    metric_value: Option<f64>,
    /// Time of the request, in milliseconds since 1970.
    #[column(volatile)]
    timestamp_ms: i64,
}

impl RowStream for PrometheusMetric {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec!["web"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        let live = scan.sys().require_live("metrics of servers");
        let mut targets = scan.keys(Self::TARGET_NAME).filter(|_| live.is_ok()).unwrap_or_default();
        if live.is_ok() && scan.keys(Self::TARGET_NAME).is_none() {
            let advice = "no endpoint is named; add `target_name = 'http://HOST:PORT/metrics'`";
            scan.report("target_name", &Error::Unsupported(advice.to_owned()));
        }
        targets.sort_unstable();
        targets.dedup();
        let rows = scan.in_rounds(targets, move |target| samples(scan, target)).flat_map(stream::iter);
        stream::iter(live.err().map(Err)).chain(rows).boxed()
    }
}

/// Samples that are parsed when they are needed.
type Samples<'a> = Box<dyn Iterator<Item = Result<PrometheusMetric>> + Send + 'a>;

/// The samples of one endpoint. An endpoint that fails does not affect the others.
async fn samples(scan: &Scan<PrometheusMetric>, target: String) -> Samples<'_> {
    let ask = Ask { follows_redirects: true, ..Ask::get(&target, WEB_TIMEOUT) };
    let attempt = || async { Ok(web::send(scan.sys(), &ask).await) };
    let text = match scan.call("prometheus", &target, attempt).await.flatten() {
        Ok(answer) if answer.status == 200 => scan.sys().text(&answer.body),
        Ok(answer) => {
            scan.report(&target, &Error::Malformed(format!("{target}: status {}", answer.status)));
            return Box::new(std::iter::empty());
        }
        Err(error) if error.ends_query() => return Box::new(std::iter::once(Err(error))),
        Err(error) => {
            scan.report(&target, &error);
            return Box::new(std::iter::empty());
        }
    };
    let lines = match HeldLines::new(scan.sys(), text) {
        Ok(lines) => lines,
        Err(error) => return Box::new(std::iter::once(Err(error))),
    };
    let timestamp_ms = scan.sys().now().0.div_euclid(1000);
    let mut bad_lines = 0;
    let sample = move |number: usize, line: &str| {
        let (metric_name, metric_value) = match parse(line)? {
            Ok((name, value)) => (name.to_owned(), Some(value).filter(|value| !value.is_nan())),
            Err(what) => {
                bad_lines += 1;
                if let Some(error) = bad_line(&target, number as u64, what, bad_lines) {
                    scan.report(&target, &error);
                }
                return None;
            }
        };
        Some(Ok(PrometheusMetric { target_name: target.clone(), metric_name, metric_value, timestamp_ms }))
    };
    Box::new(lines.filter_map(sample))
}

/// Most malformed lines of an endpoint that are reported.
const MOST_BAD_LINES: usize = 100;

/// The report of a malformed line, if it is one of the first; `count` includes it.
fn bad_line(target: &str, line: u64, what: &str, count: usize) -> Option<Error> {
    let file = target.to_owned();
    match count {
        ..=MOST_BAD_LINES => Some(Error::BadLine { file, line, what: what.to_owned() }),
        _ if count == MOST_BAD_LINES + 1 => {
            let others = format!("{file}: more than {MOST_BAD_LINES} malformed lines; the others are not reported");
            Some(Error::Malformed(others))
        }
        _ => None,
    }
}

/// The metric with its labels, and the value of a line; `None` for blank lines and comments.
fn parse(line: &str) -> Option<Result<(&str, f64), &'static str>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = match line.find('{') {
        Some(start) if !line[..start].contains([' ', '\t']) => match end_of_labels(&line[start..]) {
            Some(length) => start + length,
            None => return Some(Err("the labels have no end")),
        },
        _ => line.find([' ', '\t']).unwrap_or(line.len()),
    };
    let (name, rest) = line.split_at(end);
    // A timestamp of the endpoint may follow.
    let value = rest.split_ascii_whitespace().next().unwrap_or_default();
    Some(value.parse().map(|value| (name, value)).map_err(|_| "not a metric and a number"))
}

/// The length of `{..}`. A label's value is quoted and may contain `}`.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (position, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(position + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_malformed_lines_have_a_limit() {
        let reports: Vec<_> = (1..1000).filter_map(|count| bad_line("x", count as u64, "bad", count)).collect();
        assert_eq!(reports.len(), MOST_BAD_LINES + 1);
        assert_eq!(reports[0].to_string(), "x, line 1: bad");
        assert_eq!(reports[100].to_string(), "x: more than 100 malformed lines; the others are not reported");
    }

    #[test]
    fn lines_have_a_metric_and_a_number() {
        for (line, expected) in [
            ("up 1", ("up", 1.0)),
            ("  a{b=\"c d\"}\t2.5 1395066363000", ("a{b=\"c d\"}", 2.5)),
            (r#"m{p="C:\\x\"}",q="é"} 1e3"#, (r#"m{p="C:\\x\"}",q="é"}"#, 1000.0)),
            ("inf +Inf", ("inf", f64::INFINITY)),
        ] {
            assert_eq!(parse(line), Some(Ok(expected)), "{line}");
        }
        assert!(parse("nan NaN").is_some_and(|parsed| parsed.is_ok_and(|(_, value)| value.is_nan())));
        assert!(parse("# HELP up x").is_none() && parse(" ").is_none());
        let whole = r#"m{p="C:\\x\"}",q="é"} 1e3"#;
        for line in (0..whole.len()).filter_map(|end| whole.get(..end)) {
            assert!(parse(line).is_none_or(|parsed| parsed.is_err()) || line.contains("} 1"), "{line}");
        }
        for line in ["up", "up one", "m{a=\"b\" 1", "{", "m}{ x"] {
            assert!(parse(line).is_some_and(|parsed| parsed.is_err()), "{line}");
        }
    }
}
