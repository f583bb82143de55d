//! The published contract, read as JSON Schema.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

/// The folder, or a line that says why there is none.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn contracts() -> Option<PathBuf> {
    let folder = std::env::var_os("PORTALD_CONTRACTS").map(|folder| Path::new(&folder).join("bigcommerce"));
    if folder.is_none() {
        eprintln!("SKIPPED: PORTALD_CONTRACTS is not set, the contract is not looked at");
    }
    folder
}

/// One OpenAPI file, its schemas turned into JSON Schema.
pub(crate) struct Contract {
    pub(crate) document: Value,
    /// `/stores/{store_hash}/v2`
    base: String,
}

impl Contract {
    pub(crate) fn load(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut document: Value = serde_saphyr::from_str(&text).unwrap();
        let url = document["servers"][0]["url"].as_str().unwrap();
        let base = url.strip_prefix("https://api.bigcommerce.com").unwrap().to_owned();
        modern(&mut document);
        Self { document, base }
    }

    /// The same with its `$ref` followed.
    pub(crate) fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(target) => self.resolved(self.document.pointer(target.strip_prefix('#').unwrap()).unwrap()),
            None => value,
        }
    }

    /// The path's template and what it can do.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value, &Value)> {
        let inside = path.strip_prefix(&self.base.replace("{store_hash}", "a1b2c3d4e5"))?;
        let parts: Vec<&str> = inside.split('/').collect();
        self.document["paths"].as_object()?.iter().find_map(|(template, item)| {
            let wanted: Vec<&str> = template.split('/').collect();
            let same = wanted.len() == parts.len()
                && wanted.iter().zip(&parts).all(|(wanted, part)| {
                    wanted == part || wanted.starts_with('{') && part.parse::<u64>().is_ok()
                });
            let operation = &item[method.to_ascii_lowercase()];
            (same && operation.is_object()).then_some((template.as_str(), item, operation))
        })
    }

    /// What a schema of this file says against a value.
    pub(crate) fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut whole = schema.clone();
        whole["components"] = self.document["components"].clone();
        let validator = jsonschema::validator_for(&whole).unwrap();
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// Every field that a schema names, those of its parts too.
    pub(crate) fn fields(&self, schema: &Value) -> BTreeSet<String> {
        let schema = self.resolved(schema);
        let own = schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys().cloned());
        let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| self.fields(part));
        own.chain(parts).collect()
    }
}

impl Contract {
    /// What a schema says of one field, in any of its parts.
    fn field<'a>(&'a self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        let schema = self.resolved(schema);
        let own = schema["properties"].get(name);
        own.or_else(|| schema["allOf"].as_array()?.iter().find_map(|part| self.field(part, name)))
    }

    /// The fields of a value that its schema does not name, however deep.
    pub(crate) fn strangers(&self, schema: &Value, value: &Value) -> Vec<String> {
        let schema = self.resolved(schema);
        match value {
            Value::Object(fields) => fields
                .iter()
                .flat_map(|(name, value)| match self.field(schema, name) {
                    Some(inner) => self.strangers(inner, value),
                    None => vec![name.clone()],
                })
                .collect(),
            Value::Array(entries) => {
                entries.iter().flat_map(|entry| self.strangers(&schema["items"], entry)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A schema by its name.
pub(crate) fn named(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// OpenAPI 3.0 says `nullable` where JSON Schema has the type `null`.
fn modern(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.remove("nullable") == Some(Value::Bool(true)) {
                let kinds = fields.remove("type");
                fields.extend(kinds.map(|kind| ("type".to_owned(), json!([kind, "null"]))));
                if let Some(Value::Array(words)) = fields.get_mut("enum") {
                    words.push(Value::Null);
                }
            }
            fields.values_mut().for_each(modern);
        }
        Value::Array(items) => items.iter_mut().for_each(modern),
        _ => {}
    }
}
