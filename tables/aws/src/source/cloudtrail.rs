//! Events of CloudTrail: from `LookupEvents`, or from the log files in directories.

use std::fmt;
use std::path::{Path, PathBuf};

use async_stream::try_stream;
use futures::stream::{BoxStream, StreamExt};
use indago_table::Part;
use indago_table::json::{Shape, size};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site, is_region_name};
use crate::api::{List, Request};
use crate::call::distinct;
use crate::gzip::gunzip;
use crate::services::CLOUD_TRAIL;

/// The list of events.
pub(crate) static EVENTS: List = List {
    service: &CLOUD_TRAIL,
    action: "cloudtrail:LookupEvents",
    items: "Events",
    tokens: ("NextToken", "NextToken"),
};

/// Largest log file, packed. CloudTrail begins a new one long before.
const LARGEST: u64 = 64 << 20;
/// Largest content of a log file.
const LARGEST_CONTENT: usize = 256 << 20;
/// Levels of directories that are searched.
const DEEPEST: usize = 24;
/// How much later than an event its file may be written, in microseconds. CloudTrail needs five minutes on average.
const LATEST: i64 = 2 * 86_400_000_000;
/// How much clocks may differ, in microseconds.
const SLACK: i64 = 300_000_000;

/// Members of requests and responses whose values are credentials. CloudTrail itself hides most of them.
const SECRETS: [&str; 5] = ["sessiontoken", "secretaccesskey", "password", "secretstring", "secretbinary"];
/// CloudTrail's own text for a hidden value.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// A slice of a scan: an account and its regions, or a directory of log files.
#[derive(Debug)]
pub enum Source {
    /// `LookupEvents` of an account.
    Place(Place),
    /// Log files in a directory.
    Directory(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Place(place) => place.fmt(f),
            Source::Directory(path) => path.display().fmt(f),
        }
    }
}

impl Source {
    /// The directory, if it is one.
    pub(crate) fn directory(&self) -> Option<String> {
        match self {
            Source::Place(_) => None,
            Source::Directory(path) => Some(path.display().to_string()),
        }
    }
}

impl Part for Source {
    fn known(&self, column: &str) -> Option<String> {
        match self {
            Source::Place(place) => place.known(column),
            Source::Directory(_) => None,
        }
    }
}

/// The slices of a table of events: the configured directories, otherwise the accounts in their regions.
pub(crate) fn sources<T: Row<Env = Aws>>(scan: &Scan<T>) -> Result<Vec<Source>> {
    match scan.env().cloudtrail_logs() {
        [] => Ok(Place::regional(scan, EVENTS.action)?.into_iter().map(Source::Place).collect()),
        directories => Ok(directories.iter().cloned().map(Source::Directory).collect()),
    }
}

/// The events that a scan wants. What files and `LookupEvents` cannot select is included.
#[derive(Debug, Default, Clone)]
pub(crate) struct Wanted {
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    /// Attributes of `LookupEvents` with their values, the most selective first.
    pub(crate) attributes: Vec<(&'static str, Vec<String>)>,
    pub(crate) accounts: Option<Vec<String>>,
    pub(crate) regions: Option<Vec<String>>,
    /// Which members of events are needed.
    pub(crate) shape: Shape,
}

/// An event, and the file that it was read from.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) document: Value,
    pub(crate) path: Option<String>,
    pub(crate) profile: Option<String>,
}

/// A table that is made of events.
pub(crate) trait OfEvents: Row<Env = Aws> {
    /// Which events a scan wants.
    fn wanted(scan: &Scan<Self>) -> Wanted;

    /// The rows of the events of a slice.
    fn of_events<'a>(scan: &'a Scan<Self>, events: BoxStream<'a, Result<Event>>) -> BoxStream<'a, Result<Self>>;
}

/// The rows of a slice.
pub(crate) fn rows<'a, T: OfEvents>(scan: &'a Scan<T>, source: &'a Source) -> BoxStream<'a, Result<T>> {
    match source {
        Source::Place(place) => {
            place.rows(scan, |scan, site| T::of_events(scan, looked_up(scan, site, T::wanted(scan)))).boxed()
        }
        Source::Directory(path) => T::of_events(scan, in_files(scan, path, T::wanted(scan))),
    }
}

/// The inputs of the lookups that find the wanted events: `LookupEvents` selects by a period and one attribute.
pub(crate) fn inputs(wanted: &Wanted) -> Vec<Value> {
    let mut input = json!({"MaxResults": 50});
    if let Some(from) = wanted.from {
        input["StartTime"] = from.seconds().into();
    }
    if let Some(to) = wanted.to {
        input["EndTime"] = to.seconds().saturating_add(1).into();
    }
    let Some((name, values)) = wanted.attributes.first() else { return vec![input] };
    let with = |value: String| {
        let mut input = input.clone();
        input["LookupAttributes"] = json!([{"AttributeKey": name, "AttributeValue": value}]);
        input
    };
    distinct(values.clone()).into_iter().map(with).collect()
}

/// The events of a region by `LookupEvents`, newest first.
fn looked_up<T: Row<Env = Aws>>(scan: &Scan<T>, site: Site, wanted: Wanted) -> BoxStream<'_, Result<Event>> {
    try_stream! {
        for input in inputs(&wanted) {
            let mut events = site.list(scan, &EVENTS, Request::input(input));
            while let Some(event) = events.next().await {
                let event = event?;
                match wanted.shape.parse(event["CloudTrailEvent"].as_str().unwrap_or_default().as_bytes()) {
                    Ok(document) => yield Event { document, path: None, profile: Some(site.profile()) },
                    Err(error) => {
                        let id = event["EventId"].as_str().unwrap_or_default();
                        let what = format!("{} as {site}: event {id}: {error}", EVENTS.action);
                        scan.report(site.to_string(), &Error::Malformed(what));
                    }
                }
            }
        }
    }
    .boxed()
}

/// What the path of a directory or file states.
#[derive(Debug, Clone, Default, PartialEq)]
struct Named {
    account: Option<String>,
    region: Option<String>,
    /// Year, month and day, as far as they are known.
    date: Vec<u16>,
}

impl Named {
    /// With the name of a directory below: `.../AWSLogs/123456789012/CloudTrail/eu-west-1/2026/11/30`.
    fn below(&self, name: &str) -> Named {
        let mut named = self.clone();
        let number = |length: usize| (name.len() == length).then(|| name.parse().ok()).flatten();
        if name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit()) {
            named.account = Some(name.to_owned());
        } else if named.account.is_some() && is_region_name(name) {
            (named.region, named.date) = (Some(name.to_owned()), Vec::new());
        } else if named.region.is_some() {
            match (named.date.len(), number(4), number(2)) {
                (0, Some(part), _) | (1 | 2, _, Some(part)) => named.date.push(part),
                _ => {}
            }
        }
        named
    }

    /// Whether a file in such a directory can have wanted events. Files are written after their events, into the
    /// directory of that day.
    fn can_have(&self, wanted: &Wanted) -> bool {
        let is_among = |keys: &Option<Vec<String>>, value: &Option<String>| match (keys, value) {
            (Some(keys), Some(value)) => keys.contains(value),
            _ => true,
        };
        is_among(&wanted.accounts, &self.account) && is_among(&wanted.regions, &self.region) && {
            let part = |at: usize, default: u16| self.date.get(at).copied().unwrap_or(default);
            match self.date.as_slice() {
                [] => true,
                _ => {
                    let first = day(part(0, 0), part(1, 1), part(2, 1));
                    let last = day(part(0, 0), part(1, 12), part(2, 31));
                    first
                        .zip(last)
                        .is_none_or(|(first, last)| wanted.touches(first, last.saturating_add(86_400_000_000)))
                }
            }
        }
    }
}

impl Wanted {
    /// Whether files that were written in a period can have wanted events.
    fn touches(&self, first: i64, last: i64) -> bool {
        self.from.is_none_or(|from| last >= from.0.saturating_sub(SLACK))
            && self.to.is_none_or(|to| first <= to.0.saturating_add(LATEST))
    }

    /// Whether a file can have wanted events, by its name:
    /// `123456789012_CloudTrail_eu-west-1_20261130T2255Z_Mu0xs2Hb7OZmvPbk.json.gz`.
    fn is_file(&self, name: &str) -> bool {
        let parts: Vec<_> = name.split('_').collect();
        let written = parts.iter().find_map(|part| minute(part));
        written.is_none_or(|minute| self.touches(minute, minute.saturating_add(60_000_000)))
    }
}

/// The start of a day, in microseconds. A day after the month's end is in the next month, which is close enough.
fn day(year: u16, month: u16, day: u16) -> Option<i64> {
    let days = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let before = days.get(usize::from(month).checked_sub(1)?)?;
    let years = i64::from(year).checked_sub(1970)?;
    // Leap days of earlier years, and that of this year from March on.
    let y = i64::from(year) - i64::from(month <= 2);
    let leaps = y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) - 477;
    (year >= 1970).then_some((years * 365 + leaps + before + i64::from(day) - 1) * 86_400_000_000)
}

/// A minute as in the names of files: `20261130T2255Z`.
fn minute(text: &str) -> Option<i64> {
    let is_form = text.len() == 14
        && text.bytes().zip(*b"ddddddddTddddZ").all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            form => byte == form,
        });
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u16>().ok();
    let start = day(number(0, 4)?, number(4, 6)?, number(6, 8)?).filter(|_| is_form)?;
    Some(start + (i64::from(number(9, 11)?) * 60 + i64::from(number(11, 13)?)) * 60_000_000)
}

/// A directory that is still to be read.
struct Level {
    path: PathBuf,
    named: Named,
    depth: usize,
}

/// The events of the log files below a directory.
fn in_files<'a, T: Row<Env = Aws>>(scan: &'a Scan<T>, root: &'a Path, wanted: Wanted) -> BoxStream<'a, Result<Event>> {
    try_stream! {
        let sys = scan.env().logs().for_scan(scan.meter());
        let mut open = vec![Level { path: root.to_owned(), named: Named::default(), depth: 0 }];
        let mut is_root = true;
        while let Some(level) = open.pop() {
            if scan.is_done() {
                return;
            }
            let entries = match sys.entries(&level.path) {
                Err(Error::Gone(what)) if is_root => Err(Error::Malformed(format!("there is no directory {what}")))?,
                Err(error) if error.ends_query() || is_root => Err(error)?,
                Err(error) => {
                    scan.report(level.path.display().to_string(), &error);
                    continue;
                }
                Ok(entries) => entries,
            };
            is_root = false;
            let mut files = Vec::new();
            let mut below = Vec::new();
            for (name, kind) in entries {
                let text = name.to_string_lossy();
                if kind.is_dir() {
                    let named = level.named.below(&text);
                    // Digests have the checksums of log files.
                    if text != "CloudTrail-Digest" && named.can_have(&wanted) {
                        below.push(Level { path: level.path.join(&name), named, depth: level.depth + 1 });
                    }
                } else if (text.ends_with(".json.gz") || text.ends_with(".json")) && wanted.is_file(&text) {
                    files.push(level.path.join(&name));
                }
            }
            if level.depth >= DEEPEST && !below.is_empty() {
                let what = format!("directories below {} were skipped: they are too deep", level.path.display());
                scan.report(root.display().to_string(), &Error::Malformed(what));
                below.clear();
            }
            below.sort_by(|one, other| other.path.cmp(&one.path));
            open.append(&mut below);
            files.sort();
            for file in files {
                if scan.is_done() {
                    return;
                }
                let (reader, shape) = (sys.clone(), wanted.shape.clone());
                let (path, held) = (file.clone(), scan.meter().hold(0)?);
                let read = tokio::task::spawn_blocking(move || read(&reader, &path, &shape, held)).await;
                let (events, _held, problems) = match read {
                    Ok(Ok(read)) => read,
                    Ok(Err(error)) if error.ends_query() => Err(error)?,
                    Ok(Err(error)) => {
                        scan.report(file.display().to_string(), &error);
                        continue;
                    }
                    Err(ended) => Err(failed(ended))?,
                };
                for problem in problems {
                    scan.report(file.display().to_string(), &problem);
                }
                let path = sys.path_text(&file);
                for document in events {
                    yield Event { document, path: Some(path.clone()), profile: None };
                }
            }
        }
    }
    .boxed()
}

/// Continues a panic in the caller.
fn failed(ended: tokio::task::JoinError) -> Error {
    match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::Cancelled,
    }
}

/// The events of a file, the memory that they take, and what was wrong with the file.
fn read(
    sys: &Sys,
    path: &Path,
    shape: &Shape,
    mut held: indago_table::Held,
) -> Result<(Vec<Value>, indago_table::Held, Vec<Error>)> {
    let packed = sys.read_at_most(path, LARGEST)?;
    let mut problems = Vec::new();
    let text = if packed.starts_with(&[0x1f, 0x8b]) {
        let (text, outcome) = gunzip(&packed, LARGEST_CONTENT);
        drop(packed);
        if let Err(why) = outcome {
            problems.push(Error::Malformed(format!("{}: {why}", sys.path_text(path))));
        }
        text
    } else {
        packed
    };
    held.cover(text.len())?;
    let mut events = Vec::new();
    let mut taken = text.len();
    let mut damaged = 0_u64;
    let parsed = shape.parse_list(&text, "Records", &Shape::default(), |event| match event {
        Ok(event) if event.is_object() => {
            taken += size(&event);
            events.push(event);
        }
        _ => damaged += 1,
    });
    let is_whole = problems.is_empty();
    if let Err(error) = parsed
        && is_whole
    {
        problems.push(Error::Malformed(format!("{}: {error}", sys.path_text(path))));
    }
    if damaged > 0 {
        problems.push(Error::Malformed(format!("{}: {damaged} records are malformed", sys.path_text(path))));
    }
    held.cover(taken)?;
    Ok((events, held, problems))
}

/// The event with credentials hidden.
pub(crate) fn without_secrets(mut event: Value) -> Value {
    for part in ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"] {
        if let Some(part) = event.get_mut(part) {
            hide(part, 0);
        }
    }
    event
}

/// The event with credentials hidden, and with members that columns need: `action`, `identity`, `userName`, `mfa` and
/// `complete`.
pub(crate) fn prepare(event: Value, with_complete: bool) -> Value {
    let mut event = without_secrets(event);
    let complete = with_complete.then(|| event.clone());
    let user = &event["userIdentity"];
    let issuer = user.pointer("/sessionContext/sessionIssuer/arn").filter(|arn| arn.is_string());
    let identity = issuer.or_else(|| user.get("arn")).cloned().unwrap_or_default();
    let action = action(&event);
    // The name of a role's session is the end of its ARN.
    let session = || user["arn"].as_str().filter(|arn| arn.contains(":assumed-role/"))?.rsplit('/').next();
    let root = || (user["type"] == "Root").then_some("root");
    let name = user["userName"].as_str().or_else(session).or_else(root).map(str::to_owned);
    // CloudTrail states sign-ins to the console elsewhere, in other words.
    let mfa =
        match (&user["sessionContext"]["attributes"]["mfaAuthenticated"], &event["additionalEventData"]["MFAUsed"]) {
            (Value::String(text), _) => Some(text == "true"),
            (Value::Bool(mfa), _) => Some(*mfa),
            (_, Value::String(text)) => Some(text == "Yes"),
            _ => None,
        };
    if let Value::Object(members) = &mut event {
        members.insert("identity".to_owned(), identity);
        members.insert("action".to_owned(), json!(action));
        members.insert("userName".to_owned(), json!(name));
        members.insert("mfa".to_owned(), json!(mfa));
        members.extend(complete.map(|complete| ("complete".to_owned(), complete)));
    }
    event
}

fn hide(value: &mut Value, depth: usize) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) && !value.is_null() {
                    *value = HIDDEN.into();
                } else if depth < 64 {
                    hide(value, depth + 1);
                }
            }
        }
        Value::Array(elements) if depth < 64 => elements.iter_mut().for_each(|element| hide(element, depth + 1)),
        _ => {}
    }
}

/// The action of an event: service and operation, `s3:GetObject`. Policies may have another name for it, which a
/// refusal states.
fn action(event: &Value) -> Option<String> {
    let message = event["errorMessage"].as_str();
    let stated = message.and_then(|message| word_after(message, "not authorized to perform: "));
    stated.filter(|action| action.contains(':')).map(str::to_owned).or_else(|| {
        let service = event["eventSource"].as_str()?.split('.').next()?;
        Some(format!("{service}:{}", event["eventName"].as_str()?))
    })
}

/// The word after a text in a message.
pub(crate) fn word_after<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(before)?;
    let word = rest.split_whitespace().next()?.trim_end_matches(['.', ',']).trim_matches('"');
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        indago_table::json::FromJson::from_json(&text.into()).expect("a time")
    }

    #[test]
    fn days_and_minutes_are_counted() {
        for (year, month, number) in
            [(1970, 1, 1), (1972, 2, 29), (1972, 3, 1), (2000, 2, 29), (2026, 11, 30), (2100, 3, 1)]
        {
            let text = format!("{year:04}-{month:02}-{number:02}T00:00:00Z");
            assert_eq!(day(year, month, number), Some(time(&text).0), "{text}");
        }
        assert_eq!(minute("20261130T2255Z"), Some(time("2026-11-30T22:55:00Z").0));
        for text in ["20261330T2255Z", "20261130T2255", "2026113-T2255Z", "Mu0xs2Hb7OZmvP", "0000T"] {
            assert_eq!(minute(text), None, "{text}");
        }
    }

    #[test]
    fn paths_prune() {
        let named = |path: &str| path.split('/').fold(Named::default(), |named, name| named.below(name));
        let found = named("logs/AWSLogs/o-abc/123456789012/CloudTrail/eu-west-1/2026/11/30");
        let (account, region) = (Some("123456789012".to_owned()), Some("eu-west-1".to_owned()));
        assert_eq!(found, Named { account, region, date: vec![2026, 11, 30] });
        let keys = |key: &str| Some(vec![key.to_owned()]);
        let period = |from: &str, to: &str| Wanted { from: Some(time(from)), to: Some(time(to)), ..Wanted::default() };
        for (path, wanted, expected) in [
            ("123456789012", Wanted { accounts: keys("123456789012"), ..Wanted::default() }, true),
            ("123456789012", Wanted { accounts: keys("222222222222"), ..Wanted::default() }, false),
            ("123456789012/CloudTrail/eu-west-1", Wanted { regions: keys("us-east-1"), ..Wanted::default() }, false),
            ("123456789012/eu-west-1/2025", period("2026-01-01T00:10:00Z", "2026-01-02T00:00:00Z"), false),
            ("123456789012/eu-west-1/2026", period("2026-01-01T00:10:00Z", "2026-01-02T00:00:00Z"), true),
            ("123456789012/eu-west-1/2026/02", period("2026-01-01T00:10:00Z", "2026-01-02T00:00:00Z"), false),
            ("123456789012/eu-west-1/2026/02", period("2026-01-01T00:10:00Z", "2026-01-31T00:00:00Z"), true),
            ("123456789012/eu-west-1/2026/01/03", period("2026-01-01T00:10:00Z", "2026-01-02T00:00:00Z"), true),
            ("123456789012/eu-west-1/2026/01/05", period("2026-01-01T00:10:00Z", "2026-01-02T00:00:00Z"), false),
            ("123456789012/eu-west-1/2026/99/05", period("2026-01-01T00:10:00Z", "2026-01-02T00:00:00Z"), true),
        ] {
            assert_eq!(named(path).can_have(&wanted), expected, "{path} {wanted:?}");
        }
        let wanted = period("2026-11-30T22:00:00Z", "2026-11-30T23:00:00Z");
        for (name, expected) in [
            ("123456789012_CloudTrail_eu-west-1_20261130T2155Z_x.json.gz", true),
            ("123456789012_CloudTrail_eu-west-1_20261130T2150Z_x.json.gz", false),
            ("123456789012_CloudTrail_eu-west-1_20261201T2150Z_x.json.gz", true),
            ("123456789012_CloudTrail_eu-west-1_20261203T2150Z_x.json.gz", false),
            ("renamed.json.gz", true),
        ] {
            assert_eq!(wanted.is_file(name), expected, "{name}");
        }
    }

    #[test]
    fn lookups_have_a_period_and_one_attribute() {
        let mut wanted =
            Wanted { from: Some(Timestamp(1_500_000)), to: Some(Timestamp(2_000_000)), ..Wanted::default() };
        assert_eq!(inputs(&wanted), [json!({"MaxResults": 50, "StartTime": 1, "EndTime": 3})]);
        let values = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        wanted.attributes = vec![("EventName", values(&["A", "B", "A"])), ("Username", values(&["u"]))];
        let found: Vec<_> = inputs(&wanted).iter().map(|input| input["LookupAttributes"][0].clone()).collect();
        let of = |value: &str| json!({"AttributeKey": "EventName", "AttributeValue": value});
        assert_eq!(found, [of("A"), of("B")]);
    }

    /// The event follows the page "CloudTrail record contents" of AWS's CloudTrail guide.
    #[test]
    fn credentials_in_events_are_hidden() {
        let event = json!({
            "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
            "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/s",
                             "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/r"}}},
            "requestParameters": {"list": [{"Password": "hunter2"}]},
            "responseElements": {"credentials": {"accessKeyId": "ASIA1", "sessionToken": "TOPSECRET"}},
        });
        let prepared = prepare(event, true);
        let text = prepared.to_string();
        assert!(!text.contains("TOPSECRET") && !text.contains("hunter2"), "{text}");
        assert_eq!(prepared["complete"]["responseElements"]["credentials"]["sessionToken"], HIDDEN);
        assert_eq!((&prepared["userName"], &prepared["mfa"]), (&json!("s"), &Value::Null));
        assert_eq!(
            (&prepared["identity"], &prepared["action"]),
            (&json!("arn:aws:iam::1:role/r"), &json!("sts:AssumeRole"))
        );
        let refused = json!({"eventSource": "s3.amazonaws.com", "eventName": "ListBuckets",
            "errorMessage": "User: arn:aws:iam::1:user/u is not authorized to perform: s3:ListAllMyBuckets because no .."});
        assert_eq!(prepare(refused, false)["action"], "s3:ListAllMyBuckets");
        // What is not an event costs no panic.
        for other in [json!([]), json!("text"), json!(1), Value::Null] {
            assert_eq!(without_secrets(other.clone()), other);
            assert_eq!(prepare(other.clone(), true), other);
        }
    }
}
