//! The objects of one resource in memory: of each, a JSON text of the wanted parts.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago_table::json::{self, Shape};
use indago_table::{Error, Result};
use serde_json::Value as Document;

use super::change::{Op, difference};
use super::selector::Selector;

/// The memory that all watched objects may take.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    most: usize,
}

impl Budget {
    pub(super) fn new(most: usize) -> Self {
        Budget { used: AtomicUsize::new(0), most }
    }
}

/// Parts of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Wanted {
    shape: Shape,
    /// Whether `metadata.managedFields`, which is often the largest part of an object, is among the parts.
    with_managers: bool,
}

impl Wanted {
    /// All parts but the managed fields.
    pub(super) fn whole() -> Self {
        Wanted { shape: Shape::whole(), with_managers: false }
    }

    pub(super) fn of(mut shape: Shape) -> Self {
        for name in ["name", "namespace", "uid", "resourceVersion"] {
            shape.add(&["metadata", name]);
        }
        shape.add(&["kind"]);
        let with_managers = shape.part("metadata").is_some_and(|metadata| metadata.part("managedFields").is_some());
        Wanted { shape, with_managers }
    }

    pub(super) fn covers(&self, other: &Wanted) -> bool {
        self.shape.covers(&other.shape) && (self.with_managers || !other.with_managers)
    }

    pub(super) fn extend(&mut self, other: &Wanted) {
        self.shape.extend(&other.shape);
        self.with_managers |= other.with_managers;
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// Namespace and name.
type Key = (Box<str>, Box<str>);

#[derive(Debug)]
struct Entry {
    text: Arc<[u8]>,
    /// The version as a number; 0 if it is none.
    version: u64,
    /// The list that it was last seen in.
    list: u32,
}

/// Memory of an entry of the map apart from its texts: about two words of overhead per allocation.
const OVERHEAD: usize = size_of::<Key>() + size_of::<Entry>() + 64;

#[derive(Debug)]
pub(super) struct Store {
    /// The parts that every object has.
    held: Wanted,
    kind: Arc<str>,
    objects: BTreeMap<Key, Entry>,
    list: u32,
    bytes: usize,
    budget: Arc<Budget>,
    /// Objects that have not all parts of `held` yet, because the list with these parts had a later version than the
    /// watch.
    pending: HashSet<Key>,
    /// Changes with the objects. It starts at random, so that a new store does not repeat the number of an earlier one.
    state: u64,
    /// For the values of secrets, of which only the hash is held.
    secrets: Option<RandomState>,
}

/// A change of the store.
pub(super) struct Applied {
    pub(super) op: Op,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) version: String,
    pub(super) changed: Vec<String>,
    pub(super) before: Option<Document>,
    pub(super) after: Option<Document>,
}

/// The objects of a scan, as they were at one point in time.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) kind: Arc<str>,
    pub(super) texts: Vec<Arc<[u8]>>,
}

impl Store {
    pub(super) fn new(budget: Arc<Budget>, is_secret: bool) -> Self {
        Store {
            held: Wanted::default(),
            kind: Arc::default(),
            objects: BTreeMap::new(),
            list: 0,
            bytes: 0,
            budget,
            pending: HashSet::new(),
            state: rand::random(),
            secrets: is_secret.then(RandomState::new),
        }
    }

    pub(super) fn kind(&self) -> &Arc<str> {
        &self.kind
    }

    /// Sets the kind of the objects.
    pub(super) fn set_kind(&mut self, kind: &str) {
        if &*self.kind != kind {
            self.kind = kind.into();
        }
    }

    /// A number that changes with the objects.
    pub(super) fn state(&self) -> u64 {
        self.state
    }

    fn alter(&mut self) {
        self.state = self.state.wrapping_add(1);
    }

    /// The parts that are held.
    pub(super) fn held(&self) -> &Wanted {
        &self.held
    }

    /// Whether each object has these parts.
    pub(super) fn has(&self, wanted: &Wanted) -> bool {
        self.pending.is_empty() && self.held.covers(wanted)
    }

    /// Begins a list with these parts. It replaces the objects: those that it does not have are removed at its end.
    pub(super) fn begin(&mut self, wanted: Wanted) {
        self.held = wanted;
        self.list += 1;
        self.pending.clear();
    }

    /// Adds an object, or replaces it. An earlier version than the held one changes nothing.
    pub(super) fn put(&mut self, object: Document, compare: bool) -> Result<Vec<Applied>> {
        let (key, mut object) = self.prepared(object)?;
        let version = number(&object);
        let text = self.text_of(&mut object);
        let old = self.objects.get_mut(&key);
        let Some(old) = old else {
            self.charge(text.len() + key.0.len() + key.1.len() + OVERHEAD, 0)?;
            self.alter();
            let applied = compare.then(|| applied(Op::Added, None, Some(object))).flatten();
            self.objects.insert(key, Entry { text, version, list: self.list });
            return Ok(applied.into_iter().collect());
        };
        let is_first_of_list = std::mem::replace(&mut old.list, self.list) != self.list;
        // A list is right even if it is older: the server's data may have been restored.
        if version != 0 && version < old.version && !is_first_of_list {
            return Ok(Vec::new());
        }
        let is_same = version != 0 && version == old.version;
        let before = std::mem::replace(&mut old.text, text);
        old.version = version;
        let (more, less) = (old.text.len(), before.len());
        let is_altered = old.text != before;
        self.pending.remove(&key);
        if is_altered {
            self.alter();
        }
        self.charge(more, less)?;
        if is_same || !compare {
            return Ok(Vec::new());
        }
        let before: Document = serde_json::from_slice(&before).unwrap_or_default();
        if before["metadata"]["uid"] == object["metadata"]["uid"] {
            return Ok(applied(Op::Modified, Some(before), Some(object)).into_iter().collect());
        }
        // Another object of the same name: the deletion of the earlier one was not seen.
        let both = [applied(Op::Deleted, Some(before), None), applied(Op::Added, None, Some(object))];
        Ok(both.into_iter().flatten().collect())
    }

    /// Replaces the text of an object whose version is the held one. Objects of other versions follow in the watch.
    pub(super) fn refill(&mut self, object: Document) -> Result<()> {
        let (key, mut object) = self.prepared(object)?;
        let version = number(&object);
        let text = self.text_of(&mut object);
        match self.objects.get_mut(&key) {
            Some(old) if old.version == version && version != 0 => {
                let before = std::mem::replace(&mut old.text, text);
                let more = old.text.len();
                self.alter();
                self.pending.remove(&key);
                self.charge(more, before.len())
            }
            _ => Ok(()),
        }
    }

    /// Begins a list that only adds parts to the held objects.
    pub(super) fn begin_refill(&mut self, wanted: Wanted) {
        self.held = wanted;
        self.pending = self.objects.keys().cloned().collect();
    }

    /// Removes an object.
    pub(super) fn remove(&mut self, object: Document, compare: bool) -> Result<Vec<Applied>> {
        let (key, object) = self.prepared(object)?;
        let version = number(&object);
        match self.objects.get(&key) {
            Some(held) if version == 0 || version >= held.version => {}
            // It was already removed, or the list had a later object of that name.
            _ => return Ok(Vec::new()),
        }
        self.pending.remove(&key);
        let Some(old) = self.taken(&key) else { return Ok(Vec::new()) };
        let before = compare.then(|| serde_json::from_slice::<Document>(&old.text).unwrap_or_default());
        let mut applied = before.and_then(|before| applied(Op::Deleted, Some(before), None));
        if let Some(applied) = &mut applied {
            applied.version = text(&object["metadata"]["resourceVersion"]);
        }
        Ok(applied.into_iter().collect())
    }

    /// Ends a list: removes the objects that it did not have.
    pub(super) fn sweep(&mut self, compare: bool) -> Vec<Applied> {
        let gone: Vec<Key> =
            self.objects.iter().filter(|(_, entry)| entry.list != self.list).map(|(key, _)| key.clone()).collect();
        let mut removed = Vec::new();
        for key in gone {
            if let Some(old) = self.taken(&key).filter(|_| compare) {
                let before = serde_json::from_slice(&old.text).unwrap_or_default();
                removed.extend(applied(Op::Deleted, Some(before), None));
            }
        }
        removed
    }

    fn taken(&mut self, key: &Key) -> Option<Entry> {
        let old = self.objects.remove(key)?;
        self.alter();
        let less = old.text.len() + key.0.len() + key.1.len() + OVERHEAD;
        self.bytes -= less;
        self.budget.used.fetch_sub(less, Ordering::Relaxed);
        Some(old)
    }

    pub(super) fn clear(&mut self) {
        self.alter();
        self.objects.clear();
        self.pending.clear();
        self.held = Wanted::default();
        self.budget.used.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }

    /// Number of objects and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.objects.len(), self.bytes)
    }

    /// The objects of a namespace, or of all, that a selector selects.
    pub(super) fn select(&self, namespace: Option<&str>, selector: &Selector) -> Snapshot {
        let from: Key = (namespace.unwrap_or_default().into(), Box::default());
        let range = self.objects.range::<Key, _>((Bound::Included(from), Bound::Unbounded));
        let wanted = range.take_while(|((of, _), _)| namespace.is_none_or(|namespace| **of == *namespace));
        let texts = wanted.filter(|(_, entry)| selector.matches(&entry.text)).map(|(_, entry)| entry.text.clone());
        Snapshot { kind: self.kind.clone(), texts: texts.collect() }
    }

    fn charge(&mut self, more: usize, less: usize) -> Result<()> {
        self.bytes = self.bytes + more - less;
        let used = self.budget.used.fetch_add(more, Ordering::Relaxed) + more;
        self.budget.used.fetch_sub(less, Ordering::Relaxed);
        if used - less > self.budget.most {
            let most = self.budget.most >> 20;
            return Err(Error::OutOfMemory(format!("the watched objects exceed {most} MiB (`watch_memory`)")));
        }
        Ok(())
    }

    /// The key of an object. Drops what is not held.
    fn prepared(&self, mut object: Document) -> Result<(Key, Document)> {
        let Some(metadata) = object.get_mut("metadata").and_then(Document::as_object_mut) else {
            return Err(Error::Malformed("an object has no metadata".to_owned()));
        };
        if !self.held.with_managers {
            metadata.shift_remove("managedFields");
        }
        let key = |name: &str| metadata.get(name).and_then(Document::as_str).unwrap_or_default();
        let key: Key = (key("namespace").into(), key("name").into());
        if key.1.is_empty() {
            return Err(Error::Malformed("an object has no name".to_owned()));
        }
        if let Some(hasher) = &self.secrets {
            redact(&mut object, hasher);
        }
        Ok((key, object))
    }

    /// The text that is held of an object. Its kind is the list's.
    fn text_of(&mut self, object: &mut Document) -> Arc<[u8]> {
        if self.kind.is_empty()
            && let Some(kind) = object["kind"].as_str()
        {
            self.kind = kind.into();
        }
        if object["kind"].as_str() == Some(&*self.kind)
            && let Some(object) = object.as_object_mut()
        {
            object.shift_remove("kind");
        }
        serde_json::to_vec(object).expect("writing to memory does not fail").into()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Replaces the values of a secret by hashes with a key of this process, which show that a value changed and nothing
/// else.
fn redact(object: &mut Document, hasher: &RandomState) {
    let uid = text(&object["metadata"]["uid"]);
    for part in ["data", "stringData"] {
        for (name, value) in object.get_mut(part).and_then(Document::as_object_mut).into_iter().flatten() {
            let hash = hasher.hash_one((&uid, name, value.to_string()));
            *value = format!("redacted:{hash:016x}").into();
        }
    }
    if let Some(annotations) = object["metadata"].get_mut("annotations").and_then(Document::as_object_mut) {
        annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// The version of an object as a number; 0 if it is none.
fn number(object: &Document) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn text(value: &Document) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn applied(op: Op, before: Option<Document>, after: Option<Document>) -> Option<Applied> {
    let metadata = &after.as_ref().or(before.as_ref())?["metadata"];
    let of = |name: &str| text(&metadata[name]);
    let (namespace, name, uid, version) = (of("namespace"), of("name"), of("uid"), of("resourceVersion"));
    let (changed, before, after) = match (before, after) {
        (Some(before), Some(after)) => {
            let (changed, before, after) = difference(&before, &after);
            (changed, Some(before), Some(after))
        }
        (before, after) => (Vec::new(), before, after),
    };
    Some(Applied { op, namespace, name, uid, version, changed, before, after })
}

/// The kind of the objects of a list.
pub(super) fn kind_of_list(page: &[u8]) -> Option<String> {
    Some(json::find(page, &["kind"])?.as_str()?.strip_suffix("List")?.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, uid: &str, version: u64, image: &str) -> Document {
        json!({
            "kind": "Pod", "spec": {"image": image},
            "metadata": {"namespace": "a", "name": name, "uid": uid, "resourceVersion": version.to_string()},
        })
    }

    fn store(most: usize) -> Store {
        let mut store = Store::new(Arc::new(Budget::new(most)), false);
        store.begin(Wanted::of(Shape::default().with("spec.image")));
        store
    }

    fn ops(applied: Result<Vec<Applied>>) -> Vec<String> {
        let told = |one: Applied| format!("{} {} {} {:?}", one.op.name(), one.uid, one.version, one.changed);
        applied.expect("it fits").into_iter().map(told).collect()
    }

    #[test]
    fn the_store_tells_what_changed_and_nothing_twice() {
        let mut store = store(1 << 20);
        assert_eq!(ops(store.put(pod("p", "u", 5, "x"), true)), ["added u 5 []"]);
        assert_eq!(ops(store.put(pod("p", "u", 5, "x"), true)), [""; 0]);
        assert_eq!(ops(store.put(pod("p", "u", 4, "w"), true)), [""; 0], "an earlier version");
        assert_eq!(ops(store.put(pod("p", "u", 6, "y"), true)), [r#"modified u 6 ["spec.image"]"#]);
        assert_eq!(ops(store.put(pod("p", "v", 9, "y"), true)), ["deleted u 6 []", "added v 9 []"]);
        assert_eq!(ops(store.remove(pod("p", "u", 8, "y"), true)), [""; 0], "the deletion of the earlier object");
        assert_eq!(ops(store.remove(pod("p", "v", 10, "y"), true)), ["deleted v 10 []"]);
        assert_eq!(ops(store.remove(pod("p", "v", 10, "y"), true)), [""; 0]);
        assert_eq!((store.size(), store.budget.used.load(Ordering::Relaxed)), ((0, 0), 0));

        ops(store.put(pod("p", "u", 11, "x"), true));
        ops(store.put(pod("q", "w", 12, "x"), true));
        store.begin(Wanted::of(Shape::default().with("spec.image")));
        assert_eq!(ops(store.put(pod("q", "w", 12, "x"), true)), [""; 0]);
        assert_eq!(ops(Ok(store.sweep(true))), ["deleted u 11 []"]);
        assert!(ops(store.put(json!({"metadata": {"name": "c", "uid": "d"}}), true)).len() == 1, "no version");
        assert!(store.put(json!({"metadata": {}}), true).is_err());
        assert!(store.put(json!(7), true).is_err());
    }

    #[test]
    fn more_parts_are_added_to_objects_of_the_same_version() {
        let mut store = Store::new(Arc::new(Budget::new(1 << 20)), false);
        let (few, more) = (Wanted::of(Shape::default()), Wanted::of(Shape::default().with("spec.image")));
        store.begin(few.clone());
        for name in ["p", "q", "r"] {
            ops(store
                .put(json!({"metadata": {"namespace": "a", "name": name, "uid": name, "resourceVersion": "1"}}), true));
        }
        assert!(store.has(&few) && !store.has(&more));
        store.begin_refill(more.clone());
        store.refill(pod("p", "p", 1, "x")).expect("it fits");
        store.refill(pod("q", "q", 2, "x")).expect("it fits");
        store.refill(pod("s", "s", 3, "x")).expect("it fits");
        assert!(!store.has(&more), "events of q and r must follow");
        assert_eq!(ops(store.put(pod("q", "q", 2, "x"), true)), [r#"modified q 2 ["spec"]"#]);
        ops(store.remove(pod("r", "r", 3, "x"), true));
        assert!(store.has(&more) && store.has(&few));
        let texts = store.select(Some("a"), &Selector::default()).texts;
        let images: Vec<_> = texts.iter().map(|text| json::find(text, &["spec", "image"])).collect();
        assert_eq!(images, [Some("x".into()), Some("x".into())]);
        assert!(store.select(Some("b"), &Selector::default()).texts.is_empty());
    }

    #[test]
    fn a_store_is_bounded_and_holds_no_values_of_secrets() {
        let mut small = store(2000);
        let all: Result<Vec<_>> = (0..20).map(|i| small.put(pod(&format!("p{i}"), "u", 1, "x"), false)).collect();
        assert!(matches!(all, Err(Error::OutOfMemory(_))));
        small.clear();
        assert_eq!(small.budget.used.load(Ordering::Relaxed), 0);

        let mut secrets = Store::new(Arc::new(Budget::new(1 << 20)), true);
        secrets.begin(Wanted::whole());
        let secret = |version: &str, value: &str| {
            json!({
                "metadata": {"name": "s", "uid": "u", "resourceVersion": version, "managedFields": [1],
                    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": value}},
                "data": {"password": value, "same": "constant"},
            })
        };
        let first = secrets.put(secret("1", "hunter2"), true).expect("it fits");
        assert!(!format!("{:?}", first[0].after).contains("hunter2"));
        let second = secrets.put(secret("2", "hunter3"), true).expect("it fits");
        assert_eq!(second[0].changed, ["data.password"]);
        let held = format!("{:?} {:?}", second[0].before, secrets.select(None, &Selector::default()).texts);
        let text = String::from_utf8_lossy(&secrets.select(None, &Selector::default()).texts[0]).into_owned();
        assert!(!held.contains("hunter") && !text.contains("hunter") && !text.contains("managed"), "{text}");
    }
}
