//! Tables over documents of AWS's API. Such a table is a struct whose columns are paths into the document, and an `impl
//! Resource` for the parts that paths cannot express:
//!
//! ```ignore
//! impl Resource for SecurityGroup {
//!     const ARN_FORM: &'static str =
//!         "{SecurityGroupArn}|arn:{@partition}:ec2:{@region}:{OwnerId}:security-group/{GroupId}";
//!     const TITLE_FORM: &'static str = "{Tags.Name}|{GroupId}";
//! }
//! ```
//!
//! The document also has added members. Their names begin with `@`, unlike AWS's: `@arn` and `@title` (made by the
//! forms), `@akas`, `@tags` as a map, and the origin: `@partition`, `@region`, `@account_id` and `@profile`.

use std::borrow::Cow;
use std::marker::PhantomData;

use indago_table::json::{self, Shape, at, steps};
use indago_table::prelude::*;
use indago_table::row::LoadAsync;
use serde_json::{Value, json};

use crate::account::{Aws, Site};
use crate::document::Document;

/// A table over documents of AWS's API.
pub(crate) trait Resource: LoadAsync + Row<Env = Aws> {
    /// How `arn` is made; see [`Form`].
    const ARN_FORM: &'static str = "{Arn}";
    /// How `title` is made.
    const TITLE_FORM: &'static str;
    /// The member of the response that holds the list of tags.
    const TAGS: &'static str = "Tags";
    /// Additional members of the document, derived from others.
    const DERIVED: &'static [Derived] = &[];
    /// Indexes of the columns that the table's own code uses: they are filled even if the query does not need them.
    const KEPT: &'static [usize] = &[];
}

/// Where a row comes from.
#[derive(Debug, Default, Columns)]
pub(crate) struct Origin {
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    #[column(path = "@partition")]
    partition: String,
    /// Region; `global` for global services.
    #[column(slice, path = "@region")]
    pub(crate) region: String,
    /// ID of the account.
    #[column(slice, path = "@account_id")]
    pub(crate) account_id: String,
    /// Profile of the credentials.
    #[column(slice, path = "@profile")]
    pub(crate) profile: String,
}

impl Origin {
    /// The site that the row came from, for sources.
    pub(crate) async fn site<T: Row<Env = Aws>>(&self, scan: &Scan<T>) -> Result<Site> {
        scan.env().site(&self.profile, &self.region, scan.moment()).await
    }
}

/// What [`Origin::site`] needs, whatever the query needs.
const WAY_BACK: [&str; 2] = ["profile", "region"];

/// A value that is derived from the value at a path of the document and stored in it under a separate name.
pub(crate) struct Derived {
    name: &'static str,
    from: &'static str,
    make: fn(&Value) -> Value,
}

impl Derived {
    /// `make` gets null if the path has no value. It returns a value of a wrong type unchanged: the column reports it.
    pub(crate) const fn new(name: &'static str, from: &'static str, make: fn(&Value) -> Value) -> Self {
        Derived { name, from, make }
    }
}

/// A list; empty if AWS left it out.
fn listed(list: &Value) -> Value {
    if list.is_null() { json!([]) } else { list.clone() }
}

/// Tags by key, from a list of objects with `Key` and `Value` (some services: `key` and `value`). A list of anything
/// else is unchanged.
fn by_key(tags: &Value) -> Value {
    let Value::Array(list) = tags else { return tags.clone() };
    let text = |value: &Value| if value.is_null() { Some(String::new()) } else { value.as_str().map(str::to_owned) };
    let part =
        |tag: &Value, names: [&str; 2]| text(names.iter().find_map(|name| tag.get(name)).unwrap_or(&Value::Null));
    let pair = |tag: &Value| Some((part(tag, ["Key", "key"])?, Value::String(part(tag, ["Value", "value"])?)));
    let pairs = list.iter().map(|tag| if tag.is_object() { pair(tag) } else { None });
    pairs.collect::<Option<serde_json::Map<_, _>>>().map_or_else(|| tags.clone(), Value::Object)
}

/// A non-empty text, or null.
pub(crate) fn filled(text: &Value) -> Value {
    if text == "" { Value::Null } else { text.clone() }
}

/// A time whose zone some calls leave out: it is UTC.
pub(crate) fn in_utc(time: &Value) -> Value {
    let ends_in_zone =
        |text: &str| text.ends_with(['Z', 'z']) || text.get(19..).is_some_and(|end| end.contains(['+', '-']));
    match time.as_str() {
        Some(text) if !text.is_empty() && !ends_in_zone(text) => format!("{text}Z").into(),
        _ => filled(time),
    }
}

/// Whether a number is greater than 0; false if there is none.
pub(crate) fn is_positive(value: &Value) -> Value {
    match value {
        Value::Number(number) => (number.as_f64() > Some(0.0)).into(),
        Value::Null => false.into(),
        other => other.clone(),
    }
}

/// Makes rows from documents: which columns it fills, and which parts of a document they need.
#[derive(Debug)]
pub(crate) struct Reader<T> {
    site: Site,
    columns: Vec<bool>,
    shape: Shape,
    made: Vec<(&'static str, Made)>,
    row: PhantomData<fn() -> T>,
}

/// How a derived value is made.
#[derive(Debug)]
enum Made {
    By(Vec<&'static str>, fn(&Value) -> Value),
    Of(Form),
    Akas,
    Constant(Value),
}

impl<T: Resource> Reader<T> {
    /// For items of a listing: all columns that the query needs, without those of sources.
    pub(crate) fn listed(scan: &Scan<T>, site: &Site) -> Self {
        Reader::new(site, |column| T::SPEC.columns[column].source.is_none() && is_needed(scan, column))
    }

    /// For an item that was requested by itself: all columns that the query needs.
    pub(crate) fn whole(scan: &Scan<T>, site: &Site) -> Self {
        Reader::new(site, |column| is_needed(scan, column))
    }

    /// For responses that sources request: their columns.
    pub(crate) fn of_sources(site: &Site, sources: &[&str]) -> Self {
        let is_one = |source: usize| sources.contains(&T::SPEC.sources[source].name);
        Reader::new(site, |column| T::SPEC.columns[column].source.is_some_and(is_one))
    }

    fn new(site: &Site, is_filled: impl Fn(usize) -> bool) -> Self {
        let columns: Vec<bool> = (0..T::SPEC.columns.len()).map(is_filled).collect();
        let mut shape = Shape::of::<T>(&columns);
        let constants = [
            ("@partition", site.partition()),
            ("@region", site.region()),
            ("@account_id", site.account_id()),
            ("@profile", site.profile()),
        ];
        let made_by =
            |Derived { name, from, make }: &Derived| (*name, vec![*from], Made::By(from.split('.').collect(), *make));
        let made_of = |name, form| {
            let form = Form::new(form);
            (name, form.fields(), Made::Of(form))
        };
        let all = constants.into_iter().map(|(name, value)| (name, Vec::new(), Made::Constant(value.into())));
        let tags = [Derived::new(T::TAGS, T::TAGS, listed), Derived::new("@tags", T::TAGS, by_key)];
        let all = all.chain(tags.iter().map(made_by)).chain(T::DERIVED.iter().map(made_by));
        let all = all.chain([made_of("@arn", T::ARN_FORM), made_of("@title", T::TITLE_FORM)]);
        let all: Vec<_> = all.chain([("@akas", vec!["@arn"], Made::Akas)]).collect();
        // Values that are made later may use those made before.
        let mut made = Vec::new();
        for (name, from, how) in all.into_iter().rev() {
            if shape.part(name).is_some() {
                from.iter().for_each(|path| shape.add(&steps(path)));
                made.push((name, how));
            }
        }
        made.reverse();
        Reader { site: site.clone(), columns, shape, made, row: PhantomData }
    }

    /// The row of a response. Fails if the response is not an object.
    pub(crate) fn row(&self, scan: &Scan<T>, answer: &impl Document) -> Result<T> {
        let mut row = T::default();
        self.fill(scan, &mut row, answer)?;
        Ok(row)
    }

    /// The row of an item of a list. An item that is not an object is reported and skipped.
    pub(crate) fn item(&self, scan: &Scan<T>, item: &impl Document) -> Option<T> {
        self.row(scan, item).map_err(|error| scan.report(self.site.to_string(), &error)).ok()
    }

    /// Fills the columns of a row from a response.
    pub(crate) fn fill(&self, scan: &Scan<T>, row: &mut T, answer: &impl Document) -> Result<()> {
        let mut document = answer.document(&self.shape);
        if !document.is_object() {
            let found = json::kind(&document);
            return Err(Error::Malformed(format!("an item of the response is {found}, not an object")));
        }
        for (name, how) in &self.made {
            let value = match how {
                Made::By(steps, make) => make(at(&document, steps).as_deref().unwrap_or(&Value::Null)),
                Made::Of(form) => form.text(&document).into(),
                Made::Akas => json!([document["@arn"]]),
                Made::Constant(value) => value.clone(),
            };
            document[*name] = value;
        }
        scan.fill(row, &document, &self.columns, &self.site);
        Ok(())
    }
}

/// Whether a column of a row is needed: by the query, to compare it with keys, or by the table's code.
fn is_needed<T: Resource>(scan: &Scan<T>, column: usize) -> bool {
    scan.wanted()[column]
        || scan.context().constraints.0.contains_key(&column)
        || T::KEPT.contains(&column)
        || WAY_BACK.contains(&T::SPEC.columns[column].name.as_ref())
}

/// A text with fields of a document in it: `arn:{@partition}:ec2:{@region}:{OwnerId}:instance/{InstanceId}`.
/// `{Tags.Name}` is the value of the tag `Name`. The text after `|` is used if a field before it is missing or empty.
#[derive(Debug)]
struct Form(Vec<Vec<Piece>>);

#[derive(Debug)]
enum Piece {
    Text(&'static str),
    Field(&'static str),
}

impl Form {
    fn new(form: &'static str) -> Self {
        let pieces = |alternative: &'static str| {
            let mut pieces = Vec::new();
            let mut rest = alternative;
            while let Some((text, (field, after))) =
                rest.split_once('{').and_then(|(text, after)| Some((text, after.split_once('}')?)))
            {
                pieces.extend([Piece::Text(text), Piece::Field(field)]);
                rest = after;
            }
            pieces.push(Piece::Text(rest));
            pieces
        };
        Form(form.split('|').map(pieces).collect())
    }

    /// The paths of all its fields.
    fn fields(&self) -> Vec<&'static str> {
        let field = |piece: &Piece| match piece {
            Piece::Field(field) if field.starts_with("Tags.") => Some("@tags"),
            Piece::Field(field) => Some(*field),
            Piece::Text(_) => None,
        };
        self.0.iter().flatten().filter_map(field).collect()
    }

    /// The text of the first alternative with all its fields, or of the last one.
    fn text(&self, document: &Value) -> String {
        let mut text = String::new();
        for alternative in &self.0 {
            text.clear();
            let mut is_complete = true;
            for piece in alternative {
                match piece {
                    Piece::Text(plain) => text.push_str(plain),
                    Piece::Field(path) => {
                        let field = field(document, path);
                        is_complete &= !field.is_empty();
                        text.push_str(&field);
                    }
                }
            }
            if is_complete {
                break;
            }
        }
        text
    }
}

/// The text at a path; empty if there is none.
fn field<'a>(document: &'a Value, path: &str) -> Cow<'a, str> {
    if let Some(key) = path.strip_prefix("Tags.") {
        return document["@tags"][key].as_str().unwrap_or_default().into();
    }
    let steps: Vec<_> = path.split('.').collect();
    match at(document, &steps) {
        Some(Cow::Borrowed(value)) => value.as_str().unwrap_or_default().into(),
        Some(Cow::Owned(value)) => value.as_str().unwrap_or_default().to_owned().into(),
        None => Cow::Borrowed(""),
    }
}

#[cfg(test)]
mod tests {
    use indago_table::ScanContext;

    use super::*;
    use crate::account::Place;

    /// A thing.
    #[derive(Debug, Default, Table)]
    #[table(name = "aws_thing", env = Aws, stream)]
    struct Thing {
        /// Id.
        #[column(index, path = "Id")]
        id: String,
        /// Size.
        #[column(path = "Size")]
        size: Option<i64>,
        /// Whether it has a size.
        #[column(path = "hasSize")]
        has_size: bool,
        /// Note.
        #[column(path = "Note", source = details)]
        note: Option<String>,
        /// Title.
        #[column(path = "@title")]
        title: String,
        /// Tags.
        #[column(path = "@tags")]
        tags: Map,
        /// Tags as listed.
        #[column(path = "Tags")]
        tags_src: Option<Json>,
        /// ARNs.
        #[column(path = "@akas")]
        akas: Vec<String>,
        #[column(flatten)]
        origin: Origin,
    }

    impl Resource for Thing {
        const ARN_FORM: &'static str = "{Arn}|arn:{@partition}:thing:{@region}:{Owner.Id}:{Id}";
        const TITLE_FORM: &'static str = "{Tags.Name}|{Id}";
        const DERIVED: &'static [Derived] = &[Derived::new("hasSize", "Size", is_positive)];
    }

    impl RowStream for Thing {
        type Part = Place;

        fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
            Place::regional(scan, "thing:List")
        }

        fn rows<'a>(_: &'a Scan<Self>, _: &'a Place) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
            futures::stream::empty()
        }
    }

    impl Thing {
        async fn details(&mut self, _: &Scan<Self>) -> Result<()> {
            Ok(())
        }
    }

    async fn site() -> (Aws, Site) {
        let aws = Aws::empty().with_config("prod", aws_types::SdkConfig::builder().build());
        let site = aws.site("prod", "eu-west-1", Timestamp(1)).await.expect("a site").of_account("123456789012");
        (aws, site)
    }

    fn scan(aws: &Aws, columns: impl IntoIterator<Item = usize>) -> Scan<Thing> {
        Scan::new(ScanContext::new(columns), aws)
    }

    #[test]
    fn times_without_a_zone_are_in_utc() {
        for (time, expected) in [
            (json!("2026-01-02T03:04:05"), json!("2026-01-02T03:04:05Z")),
            (json!("2026-01-02T03:04:05.123Z"), json!("2026-01-02T03:04:05.123Z")),
            (json!("2026-01-02T03:04:05+01:00"), json!("2026-01-02T03:04:05+01:00")),
            (json!("soon"), json!("soonZ")),
            (json!(""), Value::Null),
            (Value::Null, Value::Null),
            (json!([1]), json!([1])),
        ] {
            assert_eq!(in_utc(&time), expected);
        }
    }

    #[tokio::test]
    async fn columns_are_filled_from_documents_and_what_is_made_of_them() {
        let (aws, site) = site().await;
        let scan = scan(&aws, 0..12);
        let reader = Reader::listed(&scan, &site);
        let tags = json!([{"Key": "Name", "Value": "web"}, {"Key": "a", "Value": ""}]);
        let answer = json!({"Id": "1", "Size": 2, "Note": "n", "Tags": tags, "Owner": {"Id": "7"}});
        let named = reader.row(&scan, &answer).expect("an object");
        assert_eq!((named.id.as_str(), named.size, named.has_size, named.title.as_str()), ("1", Some(2), true, "web"));
        assert_eq!(named.akas, ["arn:aws:thing:eu-west-1:7:1"]);
        assert_eq!(named.tags, [("Name", "web"), ("a", "")].into_iter().collect());
        assert_eq!((named.origin.region.as_str(), named.origin.profile.as_str()), ("eu-west-1", "prod"));
        assert_eq!((named.origin.partition.as_str(), named.origin.account_id.as_str()), ("aws", "123456789012"));
        assert_eq!(named.note, None, "it is for its source");
        let bare = reader.row(&scan, &json!({"Id": "2", "Arn": "arn:x", "@profile": "forged"})).expect("an object");
        let profile = bare.origin.profile.as_str();
        assert_eq!((bare.title.as_str(), &*bare.akas, profile), ("2", &["arn:x".to_owned()][..], "prod"));
        assert_eq!((bare.has_size, bare.tags, bare.tags_src), (false, Map::default(), Some(Json("[]".into()))));
        assert!(scan.context().query.diagnostics().warnings().is_empty());

        let mut row = Thing::default();
        let details = json!({"Note": "n", "Id": "3"});
        Reader::of_sources(&site, &["details"]).fill(&scan, &mut row, &details).expect("an object");
        assert_eq!((row.note.as_deref(), row.id.as_str()), (Some("n"), ""));
        let whole = Reader::whole(&scan, &site).row(&scan, &json!({"Note": "n"})).expect("an object");
        assert_eq!(whole.note.as_deref(), Some("n"));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_reported_and_costs_its_column_alone() {
        let (aws, site) = site().await;
        let scan = scan(&aws, 0..12);
        let reader = Reader::listed(&scan, &site);
        let row = reader.row(&scan, &json!({"Id": "1", "Size": [3], "Tags": "none"})).expect("an object");
        assert_eq!((row.id.as_str(), row.size, row.title.as_str()), ("1", None, "1"));
        assert!(reader.item(&scan, &json!("text")).is_none(), "it is not a row of defaults");
        let mut warnings: Vec<_> =
            scan.context().query.diagnostics().warnings().iter().map(ToString::to_string).collect();
        warnings.sort();
        assert_eq!(
            warnings,
            [
                "aws_thing (prod/eu-west-1): an item of the response is a text, not an object",
                "aws_thing (prod/eu-west-1, has_size): `hasSize` holds a list, which does not fit the column",
                "aws_thing (prod/eu-west-1, size): `Size` holds a list, which does not fit the column",
                "aws_thing (prod/eu-west-1, tags): `@tags` holds a text, which does not fit the column",
            ]
        );
    }

    /// A row of a JSON service whose member names are in lower case.
    #[derive(Debug, Default, Table)]
    #[table(name = "aws_lower", env = Aws, stream)]
    struct Lower {
        /// ARN of the response.
        #[column(path = "arn")]
        arn: String,
        /// Tags as listed.
        #[column(path = "tags")]
        tags_src: Option<Json>,
        /// Region of the response.
        #[column(path = "region")]
        place: String,
        /// Tags.
        #[column(path = "@tags")]
        tags: Map,
        /// Title.
        #[column(path = "@title")]
        title: String,
        /// ARNs.
        #[column(path = "@akas")]
        akas: Vec<String>,
        #[column(flatten)]
        origin: Origin,
    }

    impl Resource for Lower {
        const ARN_FORM: &'static str = "{arn}";
        const TITLE_FORM: &'static str = "{Tags.Name}";
        const TAGS: &'static str = "tags";
    }

    impl RowStream for Lower {
        type Part = Place;

        fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
            Place::regional(scan, "lower:List")
        }

        fn rows<'a>(_: &'a Scan<Self>, _: &'a Place) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
            futures::stream::empty()
        }
    }

    #[tokio::test]
    async fn names_of_the_service_in_lower_case_are_readable() {
        let (aws, site) = site().await;
        let scan = Scan::<Lower>::new(ScanContext::new(0..10), &aws);
        let answer = json!({"arn": "arn:x", "region": "moon", "tags": [{"key": "Name", "value": "web"}]});
        let row = Reader::listed(&scan, &site).row(&scan, &answer).expect("an object");
        assert_eq!((row.arn.as_str(), row.place.as_str(), row.title.as_str()), ("arn:x", "moon", "web"));
        assert_eq!((row.akas.as_slice(), row.origin.region.as_str()), (&["arn:x".to_owned()][..], "eu-west-1"));
        assert_eq!(row.tags, [("Name", "web")].into_iter().collect());
        assert_eq!(row.tags_src, Some(Json(r#"[{"key":"Name","value":"web"}]"#.to_owned())));
    }

    #[tokio::test]
    async fn only_what_the_query_needs_is_taken_from_an_answer() {
        let (aws, site) = site().await;
        let shape = |column: usize| Reader::listed(&scan(&aws, [column]), &site).shape;
        assert_eq!(shape(1), Shape::default().with("Size").with("@region").with("@profile"));
        let akas = ["@akas", "@region", "@profile", "@arn", "Arn", "@partition", "Owner.Id", "Id"];
        assert_eq!(shape(7), akas.iter().fold(Shape::default(), |shape, path| shape.with(path)));
    }
}
