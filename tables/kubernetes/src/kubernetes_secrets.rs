//! `kubernetes_secrets`: one row per secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::call::get_object;
use crate::clusters::Kubernetes;
use crate::computed::{DecodedLengths, Keys};
use crate::metadata::ObjectMeta;
use crate::resource::{Inputs, Resource, listed};

/// Secrets of Kubernetes clusters: their types, keys and sizes.
///
/// Their values are in the hidden column `data`. It is read only if a query names it and the setting
/// `kubernetes.secret_values` is true. The annotation `kubectl.kubernetes.io/last-applied-configuration`, which
/// contains the values, is left out.
///
/// Constraints on `cluster`, `namespace`, `name` and `type` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_secrets", env = Kubernetes, stream, rows = 200)]
#[resource("v1/secrets", namespaced)]
#[example(
    "Tokens of service accounts that do not expire.",
    "SELECT namespace, name, service_account_name FROM kubernetes_secrets WHERE type = 'kubernetes.io/service-account-token'"
)]
pub struct Secret {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Whether its data cannot be changed.
    #[column(path = "immutable")]
    immutable: bool,
    /// Type, such as `Opaque` and `kubernetes.io/tls`.
    #[column(slice(field), path = "type")]
    r#type: Option<String>,
    /// Keys of its data.
    #[column(path = "data")]
    keys: Keys,
    /// Size of each value, in bytes.
    #[column(path = "data")]
    sizes: DecodedLengths,
    /// Service account whose token it holds.
    #[column(path = "metadata.annotations.kubernetes\\.io/service-account\\.name")]
    service_account_name: Option<String>,
    /// Values by key, decoded; NULL for values that are not text. NULL unless the setting `kubernetes.secret_values` is
    /// true.
    #[column(secret, source = values("data"), needs = "get secrets")]
    data: Option<Map>,
}

/// Annotation with the values as they were applied.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl Resource for Secret {
    const INPUTS: Inputs = &[("data", &["name", "namespace"])];

    fn documents(mut object: Document) -> Vec<Result<Document>> {
        if let Some(annotations) = object["metadata"].get_mut("annotations").and_then(Document::as_object_mut) {
            annotations.remove(APPLIED);
        }
        vec![Ok(object)]
    }
}

listed!(Secret);

impl Secret {
    /// The values, which are not in the list of secrets that is cached for the query.
    async fn values(&self, scan: &Scan<Self>, data: &str) -> Result<Option<Map>> {
        let ObjectMeta { cluster, namespace, name, .. } = &self.meta;
        if !scan.env().has_secret_values() {
            let needs = Some("the setting kubernetes.secret_values".to_owned());
            return Err(Error::Denied { what: "values of secrets".to_owned(), needs });
        }
        let Some(cluster) = scan.env().cluster(cluster) else {
            return Err(Error::Unsupported(format!("cluster `{cluster}` is no longer configured")));
        };
        let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '?', '#', '%']);
        if !is_plain(namespace) || !is_plain(name) {
            return Err(Error::Malformed("a secret has no valid name".to_owned()));
        }
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let secret = get_object(scan, &cluster, &path, "get secrets", &Shape::default().with(data)).await?;
        let values = secret[data].as_object().into_iter().flatten();
        Ok(Some(Map(values.map(|(key, value)| (key.clone(), decoded(value))).collect())))
    }
}

/// A value in base64 as text; NULL for one that is not text.
fn decoded(value: &Document) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use serde_json::json;

    fn list() -> testing::Answer {
        let annotations = json!({APPLIED: "data: aHVudGVyMg==", "x": "y"});
        let secret = json!({
            "metadata": {"name": "s", "namespace": "a", "uid": "u", "annotations": annotations},
            "type": "Opaque", "data": {"password": "aHVudGVyMg==", "empty": "", "odd": 7},
        });
        testing::json(200, json!({"kind": "SecretList", "metadata": {}, "items": [secret]}))
    }

    #[tokio::test]
    async fn a_secret_shows_keys_and_sizes_and_no_values() {
        let (env, asked) = testing::cluster(|_| list());
        let scan = testing::scan::<Secret>(&env, &[], None);
        let (rows, _) = testing::rows(&scan).await;
        let shown = format!("{rows:?}");
        assert!(!shown.contains("aHVudGVyMg") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(rows[0].keys, Keys(vec!["empty".to_owned(), "odd".to_owned(), "password".to_owned()]));
        assert_eq!(rows[0].sizes.0.0["password"].as_deref(), Some("7"));
        assert_eq!(rows[0].sizes.0.0["odd"], None);
        // No client of an embedder has the setting.
        let refused = rows[0].values(&scan, "data").await.unwrap_err();
        assert!(
            matches!(&refused, Error::Denied { needs: Some(needs), .. } if needs.contains("secret_values")),
            "{refused}"
        );
        assert_eq!(asked.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_value_that_is_not_text_is_null() {
        assert_eq!(decoded(&json!("aHVudGVyMg==")).as_deref(), Some("hunter2"));
        assert_eq!((decoded(&json!("/w==")), decoded(&json!("!")), decoded(&json!(7))), (None, None, None));
    }
}
