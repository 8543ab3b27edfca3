//! The fields of a resource, from the OpenAPI document of its API server.
//!
//! The fields of `spec` and `status` and the other fields of an object become columns. A field with fields of its own
//! is JSON, so a schema that refers to itself ends there. Of a document with megabytes, only the schemas that are
//! needed are parsed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indago_table::json::Shape;
use indago_table::{Error, Kind, Result};
use serde::Deserialize;
use serde_json::Value as Document;

use super::api::Served;
use crate::resource::elements;

/// A field of an object that becomes a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Its path in the object; empty for the entire object.
    pub(crate) path: Vec<String>,
    pub(crate) kind: Kind,
    pub(crate) description: String,
    /// Whether the API server can select objects by it.
    pub(crate) is_selectable: bool,
}

/// What the schema of a resource says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Described {
    pub(crate) description: String,
    pub(crate) fields: Vec<Field>,
}

/// Most fields of an object, or of its `spec` or `status`, that become columns. If there are more, all of them are one
/// JSON column.
const MOST_FIELDS: usize = 500;
/// Rounds in which the schemas that others refer to are loaded.
const MOST_ROUNDS: usize = 8;
/// Most schemas between a field and its type.
const MOST_REFERENCES: usize = 16;
/// Longest description of a column, in characters.
const LONGEST_DESCRIPTION: usize = 400;
/// Longest name of a field that becomes a column.
const LONGEST_NAME: usize = 256;

/// The schemas of one document, each parsed when it is needed.
struct Schemas<'a> {
    text: &'a [u8],
    /// Where the document has them.
    place: &'static [&'static str],
    loaded: HashMap<String, Document>,
    /// Those that are needed and not loaded.
    missing: BTreeSet<String>,
}

static NOTHING: Document = Document::Null;

/// The places of schemas in documents of OpenAPI 3 and 2.
const V3: &[&str] = &["components", "schemas"];
const V2: &[&str] = &["definitions"];

/// What the names of schemas are found by.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    definitions: BTreeMap<String, Name>,
    components: Components,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Components {
    schemas: BTreeMap<String, Name>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Name {
    #[serde(rename = "x-kubernetes-group-version-kind")]
    kinds: Document,
}

/// The description of a resource in a document of OpenAPI 3 or 2; `None` if the document has no schema of it.
pub(crate) fn described(text: &[u8], resource: &Served) -> Result<Option<Described>> {
    let malformed = |error: serde_json::Error| Error::Malformed(format!("not the OpenAPI that was expected: {error}"));
    let names: Names = serde_json::from_slice(text).map_err(malformed)?;
    let is_of = |kind: &Document| {
        kind["group"] == resource.group.as_str()
            && kind["version"] == resource.version.as_str()
            && kind["kind"] == resource.kind.as_str()
    };
    let find = |names: BTreeMap<String, Name>| {
        let of = |name: &Name| name.kinds.as_array().is_some_and(|kinds| kinds.iter().any(is_of));
        names.into_iter().find(|(_, name)| of(name)).map(|(name, _)| name)
    };
    let (place, name) = match (find(names.components.schemas), find(names.definitions)) {
        (Some(name), _) => (V3, name),
        (None, Some(name)) => (V2, name),
        (None, None) => return Ok(None),
    };
    let mut schemas = Schemas { text, place, loaded: HashMap::new(), missing: BTreeSet::from([name.clone()]) };
    for _ in 0..MOST_ROUNDS {
        schemas.load()?;
        let Some(root) = schemas.loaded.get(&name).cloned() else { return Ok(None) };
        let described = schemas.describe(&root);
        if schemas.missing.is_empty() {
            if schemas.resolve(&root, &mut BTreeSet::new()).is_none() {
                break;
            }
            return Ok(Some(described));
        }
    }
    Err(Error::Malformed(format!("the OpenAPI schema of {} is not usable: its references are too long", resource.kind)))
}

/// The description of a custom resource by the schema in its definition.
pub(crate) fn of_schema(schema: &Document) -> Described {
    Schemas { text: b"{}", place: V3, loaded: HashMap::new(), missing: BTreeSet::new() }.describe(schema)
}

impl Schemas<'_> {
    fn load(&mut self) -> Result<()> {
        let missing = std::mem::take(&mut self.missing);
        let mut shape = Shape::default();
        for name in &missing {
            shape.add(&[self.place, &[name.as_str()]].concat());
        }
        let mut document = shape.parse(self.text)?;
        let mut schemas = self.place.iter().fold(&mut document, |place, step| &mut place[*step]).take();
        for name in missing {
            // A schema that does not exist is loaded as nothing.
            let schema = schemas.as_object_mut().and_then(|schemas| schemas.swap_remove(&name)).unwrap_or_default();
            self.loaded.insert(name, schema);
        }
        Ok(())
    }

    /// The schema behind references, with the description that is closest to the field. `None` if it is not known, or
    /// not yet.
    fn resolve<'d>(&'d self, mut schema: &'d Document, missing: &mut BTreeSet<String>) -> Option<&'d Document> {
        for _ in 0..MOST_REFERENCES {
            let next = match (schema["$ref"].as_str(), schema["allOf"].as_array().map(Vec::as_slice)) {
                (Some(reference), _) => {
                    let name = reference.rsplit('/').next()?.replace("~1", "/").replace("~0", "~");
                    match self.loaded.get(&name) {
                        Some(schema) => schema,
                        None => {
                            missing.insert(name);
                            return None;
                        }
                    }
                }
                (None, Some([only])) if schema["type"].is_null() => only,
                _ => return Some(schema),
            };
            schema = next;
        }
        None
    }

    fn describe(&mut self, root: &Document) -> Described {
        let mut missing = BTreeSet::new();
        let described = self.fields(root, &mut missing);
        self.missing = missing;
        described
    }

    fn fields(&self, root: &Document, missing: &mut BTreeSet<String>) -> Described {
        let mut fields = Vec::new();
        let resolved = self.resolve(root, missing).unwrap_or(&NOTHING);
        let own = properties(resolved);
        for (name, schema) in &own {
            let path = vec![(*name).to_owned()];
            match *name {
                "apiVersion" | "kind" | "metadata" => {}
                "spec" | "status" => {
                    let inner = self.resolve(schema, missing);
                    let inner_fields = inner.map(properties).unwrap_or_default();
                    if inner_fields.is_empty() || inner.is_some_and(is_open) {
                        fields.push(self.field(path.clone(), schema, missing));
                    }
                    for (inner, schema) in inner_fields {
                        fields.push(self.field(vec![path[0].clone(), inner.to_owned()], schema, missing));
                    }
                }
                _ => fields.push(self.field(path, schema, missing)),
            }
        }
        if own.is_empty() {
            for name in ["spec", "status"] {
                let path = vec![name.to_owned()];
                let description = format!("Field `{name}`.");
                fields.push(Field { path, kind: Kind::Json, description, is_selectable: false });
            }
        }
        if own.is_empty() || is_open(resolved) {
            let description = "The entire object. The API server does not publish all of its fields.".to_owned();
            fields.push(Field { path: Vec::new(), kind: Kind::Json, description, is_selectable: false });
        }
        let selectable = elements(&resolved["x-kubernetes-selectable-fields"]);
        let selectable: BTreeSet<&str> = selectable.filter_map(|field| field["fieldPath"].as_str()).collect();
        // Only texts are compared with a selector as they are.
        for field in fields.iter_mut().filter(|field| field.kind == Kind::Text) {
            field.is_selectable = selectable.contains(field.path.join(".").as_str());
        }
        Described { description: words(resolved), fields }
    }

    fn field(&self, path: Vec<String>, schema: &Document, missing: &mut BTreeSet<String>) -> Field {
        let resolved = self.resolve(schema, missing);
        let kind = resolved.map_or(Kind::Json, |resolved| self.kind(resolved, missing));
        let (own, of_type) = (words(schema), resolved.map(words).unwrap_or_default());
        let mut description = if own.is_empty() { of_type } else { own };
        if description.is_empty() {
            description = format!("Field `{}`.", path.join("."));
        }
        Field { path, kind, description, is_selectable: false }
    }

    fn kind(&self, schema: &Document, missing: &mut BTreeSet<String>) -> Kind {
        if let Some(kind) = scalar(schema) {
            return kind;
        }
        match type_of(schema) {
            Some("array") => match self.resolve(&schema["items"], missing).and_then(scalar) {
                Some(Kind::Text | Kind::Timestamp) => Kind::TextList,
                Some(Kind::BigInt) => Kind::BigIntList,
                _ => Kind::Json,
            },
            Some("object") if properties(schema).is_empty() => {
                match self.resolve(&schema["additionalProperties"], missing).and_then(scalar) {
                    Some(Kind::Text | Kind::Timestamp) => Kind::TextMap,
                    _ => Kind::Json,
                }
            }
            _ => Kind::Json,
        }
    }
}

/// The fields of a schema that can be columns, by name; none if there are too many of them.
fn properties(schema: &Document) -> Vec<(&str, &Document)> {
    let all = schema["properties"].as_object().filter(|all| all.len() <= MOST_FIELDS);
    let mut all: Vec<_> = all.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)).collect();
    all.retain(|(name, _)| is_name(name));
    all.sort_unstable_by_key(|(name, _)| *name);
    all
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_NAME
}

/// Whether an object may have fields for which there is no column.
fn is_open(schema: &Document) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema["properties"].as_object().is_some_and(|all| !all.keys().all(|name| is_name(name)))
        || matches!(&schema["additionalProperties"], Document::Bool(true) | Document::Object(_))
}

/// The type of a schema. `null` next to another type only says that the field can be null.
fn type_of(schema: &Document) -> Option<&str> {
    match &schema["type"] {
        Document::String(name) => Some(name),
        Document::Array(names) => {
            let mut names = names.iter().filter_map(Document::as_str).filter(|name| *name != "null");
            names.next().filter(|_| names.next().is_none())
        }
        _ => None,
    }
}

/// The kind of a schema without parts. Whole numbers or text (ports, quantities) are text.
fn scalar(schema: &Document) -> Option<Kind> {
    let format = schema["format"].as_str().unwrap_or_default();
    if schema["x-kubernetes-int-or-string"] == true || format == "int-or-string" {
        return Some(Kind::Text);
    }
    match type_of(schema) {
        Some("string") if format == "date-time" => Some(Kind::Timestamp),
        Some("string") => Some(Kind::Text),
        Some("integer") => Some(Kind::BigInt),
        Some("number") => Some(Kind::Double),
        Some("boolean") => Some(Kind::Boolean),
        Some(_) => None,
        None => {
            let choices = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
            let is_plain = |choice: &Document| matches!(type_of(choice), Some("string" | "integer" | "number"));
            (!choices.is_empty() && choices.iter().all(is_plain)).then_some(Kind::Text)
        }
    }
}

/// A schema's description on one line, cut to a length.
fn words(schema: &Document) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if line.len() + word.len() > LONGEST_DESCRIPTION {
            if line.is_empty() {
                line.extend(word.chars().take(LONGEST_DESCRIPTION));
            }
            line.push_str(" ..");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource() -> Served {
        Served {
            group: "acme.io".to_owned(),
            version: "v1".to_owned(),
            plural: "things".to_owned(),
            kind: "Thing".to_owned(),
            is_namespaced: true,
        }
    }

    fn named(mut schema: Document) -> Document {
        schema["x-kubernetes-group-version-kind"] = json!([{"group": "acme.io", "version": "v1", "kind": "Thing"}]);
        schema
    }

    /// The fields of a document's resource: path and kind.
    fn fields(document: &Document) -> Vec<String> {
        let described = described(document.to_string().as_bytes(), &resource()).unwrap().unwrap();
        described.fields.iter().map(|field| format!("{} {}", field.path.join("."), field.kind.name())).collect()
    }

    /// The kind of one field of `spec`.
    fn kind_of(schema: &Document) -> String {
        let spec = json!({"type": "object", "properties": {"f": schema}});
        let root = named(json!({"type": "object", "properties": {"spec": spec}}));
        let text = json!({"definitions": {"n": root, "q": {"type": "string"}, "loop": {"$ref": "#/definitions/loop"}}});
        fields(&text).concat().replace("spec.f ", "")
    }

    #[test]
    fn each_schema_has_its_type() {
        let text = json!({"type": "string"});
        for (schema, kind) in [
            (json!({"type": "string"}), "TEXT"),
            (json!({"type": "string", "format": "byte"}), "TEXT"),
            (json!({"type": "string", "format": "date-time"}), "TIMESTAMP"),
            (json!({"type": "string", "format": "int-or-string"}), "TEXT"),
            (json!({"x-kubernetes-int-or-string": true}), "TEXT"),
            (json!({"type": ["null", "string"]}), "TEXT"),
            (json!({"type": ["integer", "string"]}), "JSON"),
            (json!({"oneOf": [{"type": "string"}, {"type": "number"}]}), "TEXT"),
            (json!({"oneOf": []}), "JSON"),
            (json!({"type": "integer", "format": "int64"}), "BIGINT"),
            (json!({"type": "number"}), "DOUBLE"),
            (json!({"type": "boolean", "nullable": true}), "BOOLEAN"),
            (json!({"type": "array", "items": text}), "TEXT[]"),
            (json!({"type": "array", "items": {"type": "integer"}}), "BIGINT[]"),
            (json!({"type": "array", "items": {"type": "object"}}), "JSON"),
            (json!({"type": "array"}), "JSON"),
            (json!({"type": "object", "additionalProperties": text}), "MAP(TEXT, TEXT)"),
            (json!({"type": "object", "additionalProperties": {"$ref": "#/definitions/q"}}), "MAP(TEXT, TEXT)"),
            (json!({"type": "object", "additionalProperties": true}), "JSON"),
            (json!({"type": "object", "additionalProperties": {"type": "integer"}}), "JSON"),
            (json!({"type": "object", "properties": {"a": text}}), "JSON"),
            (json!({"x-kubernetes-preserve-unknown-fields": true}), "JSON"),
            (json!({"$ref": "#/definitions/q"}), "TEXT"),
            (json!({"allOf": [{"$ref": "#/definitions/q"}], "default": ""}), "TEXT"),
            (json!({"$ref": "#/definitions/loop"}), "JSON"),
            (json!({"$ref": "#/definitions/absent"}), "JSON"),
            (json!({"$ref": 7}), "JSON"),
            (json!({}), "JSON"),
            (json!(null), "JSON"),
            (json!([1]), "JSON"),
            (json!({"type": "lie"}), "JSON"),
        ] {
            assert_eq!(kind_of(&schema), kind, "{schema}");
        }
    }

    #[test]
    fn spec_status_and_the_rest_become_fields() {
        let schema = |reference: &str| json!({"allOf": [{"$ref": format!("#/components/schemas/{reference}")}]});
        let root = named(json!({"properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": schema("meta"),
            "spec": schema("spec"), "status": schema("status"), "data": {"type": "object", "additionalProperties": {"type": "string"}},
        }}));
        let document = json!({"components": {"schemas": {
            "io.acme.Thing": root,
            "spec": {"type": "object", "properties": {"size": schema("quantity"), "again": schema("spec")}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"phase": {"type": "string"}}},
            "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
            "unused": 7,
        }}});
        // An entry that is not a schema makes the document unusable.
        assert!(described(document.to_string().as_bytes(), &resource()).is_err());
        let mut document = document;
        document["components"]["schemas"]["unused"] = json!({"x-kubernetes-group-version-kind": 1});
        assert_eq!(
            fields(&document),
            ["data MAP(TEXT, TEXT)", "spec.again JSON", "spec.size TEXT", "status JSON", "status.phase TEXT"]
        );
        // Without a schema, or without fields in it, the object is there as it is.
        assert_eq!(described(br#"{"definitions":{}}"#, &resource()).unwrap(), None);
        let empty = json!({"definitions": {"n": named(json!({"type": "object"}))}});
        assert_eq!(fields(&empty), ["spec JSON", "status JSON", " JSON"]);
    }

    #[test]
    fn a_schema_that_is_too_large_or_lies_is_usable() {
        let many: serde_json::Map<String, Document> = (0..2000).map(|i| (format!("f{i}"), json!({}))).collect();
        let long = "x".repeat(10_000);
        let spec = json!({"type": "object", "properties": many});
        let status = json!({"type": "object", "properties": {long: {"type": "string"}, "": {"type": "string"}, "ok": {"description": "a\n\u{1} b"}}});
        let root = named(json!({"properties": {"spec": spec, "status": status}}));
        let document = json!({"definitions": {"n": root}});
        assert_eq!(fields(&document), ["spec JSON", "status JSON", "status.ok JSON"]);
        let described = described(document.to_string().as_bytes(), &resource()).unwrap().unwrap();
        assert_eq!(described.fields[2].description, "a b");
        let deep = format!("{}{}", r#"{"definitions":{"n":{"a":"#.repeat(100), "}".repeat(300));
        for text in ["", "7", "{", r#"{"definitions":7}"#, r#"{"components":{"schemas":{"a":null}}}"#, &deep] {
            assert!(super::described(text.as_bytes(), &resource()).is_err(), "{text}");
        }
        let chain: serde_json::Map<String, Document> =
            (0..50).map(|i| (format!("s{i}"), json!({"$ref": format!("#/definitions/s{}", i + 1)}))).collect();
        let mut document = json!({"definitions": chain});
        document["definitions"]["n"] = named(json!({"properties": {"spec": {"$ref": "#/definitions/s0"}}}));
        let error = super::described(document.to_string().as_bytes(), &resource()).unwrap_err().to_string();
        assert_eq!(error, "the OpenAPI schema of Thing is not usable: its references are too long");
    }
}
