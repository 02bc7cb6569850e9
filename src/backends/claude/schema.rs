//! Schemas as Claude takes them: a tool's is an object at its root; what is enforced keeps to a subset.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::ir;
use crate::json::{self, wire};
use crate::schema::json_schema;

wire! {
    /// What the root of a schema can say that Claude refuses in a tool's.
    struct Root<'a> {
        "type" kind: &'a RawValue,
        "anyOf" any: &'a RawValue,
        "oneOf" one: &'a RawValue,
        "allOf" all: &'a RawValue,
    }
}

/// Deeper schemas than this stay as they are: Claude refuses them anyway.
const MAX_DEPTH: usize = 64;

/// A schema and what it cost to get it.
#[derive(Debug)]
pub(super) struct Fitted {
    pub(super) json: ir::Json,
    /// What was changed, in words; empty where nothing is lost.
    pub(super) lost: Vec<String>,
}

/// The schema of a tool's arguments. It stays byte for byte what it was where it is well formed.
pub(super) fn for_tool(schema: Option<&ir::Schema>, strict: bool) -> Fitted {
    let Some(schema) = schema else {
        return Fitted { json: no_arguments(), lost: Vec::new() };
    };
    let json = json_schema(schema);
    let is_object = json::read::<Root<'_>>(json.as_str()).is_ok_and(|root| {
        root.kind.is_some_and(|kind| kind.get() == "\"object\"") && root.any.or(root.one).or(root.all).is_none()
    });
    if is_object && !strict {
        return Fitted { json, lost: Vec::new() };
    }
    let before = json.value();
    let Value::Object(mut root) = before.clone() else {
        return Fitted { json: no_arguments(), lost: vec!["a schema that is no object".to_owned()] };
    };
    let mut lost = Vec::new();
    if !is_object {
        make_object(&mut root, &mut lost);
    }
    let mut value = Value::Object(root);
    if strict {
        enforce(&mut value, &mut lost, 0);
    }
    let json = if value == before { json } else { ir::Json::of(&value) };
    Fitted { json, lost }
}

/// The schema of an answer.
pub(super) fn for_answer(schema: &ir::Schema) -> Fitted {
    let json = json_schema(schema);
    let before = json.value();
    let mut value = before.clone();
    let mut lost = Vec::new();
    enforce(&mut value, &mut lost, 0);
    let untouched = value == before && schema.language == ir::SchemaLanguage::JsonSchema;
    let json = if untouched { json } else { ir::Json::of(&value) };
    Fitted { json, lost }
}

fn no_arguments() -> ir::Json {
    ir::Json::of(&serde_json::json!({"type": "object", "properties": {}}))
}

/// Makes the root an object of its own: what alternatives hold is gathered in it, and only what all of them require is
/// required.
fn make_object(root: &mut Map<String, Value>, lost: &mut Vec<String>) {
    for key in ["allOf", "anyOf", "oneOf"] {
        let Some(Value::Array(branches)) = root.shift_remove(key) else { continue };
        lost.push(format!("{key} at the root was flattened"));
        let mut required: Option<Vec<Value>> = None;
        for branch in branches {
            let Value::Object(mut branch) = resolve(&branch, root) else { continue };
            if let Some(Value::Object(properties)) = branch.remove("properties") {
                let all = root.entry("properties").or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(all) = all {
                    for (name, property) in properties {
                        all.entry(name).or_insert(property);
                    }
                }
            }
            let own = match branch.remove("required") {
                Some(Value::Array(own)) => own,
                _ => Vec::new(),
            };
            required = Some(match required.take() {
                None => own,
                Some(mut before) if key == "allOf" => {
                    before.extend(own);
                    before
                }
                Some(before) => before.into_iter().filter(|name| own.contains(name)).collect(),
            });
        }
        require(root, required.unwrap_or_default());
    }
    if let Value::Object(target) = resolve(&Value::Object(root.clone()), root)
        && root.contains_key("$ref")
    {
        root.shift_remove("$ref");
        for (name, value) in target {
            root.entry(name).or_insert(value);
        }
    }
    root.insert("type".to_owned(), Value::from("object"));
    root.entry("properties").or_insert_with(|| Value::Object(Map::new()));
}

fn require(root: &mut Map<String, Value>, names: Vec<Value>) {
    if names.is_empty() {
        return;
    }
    if let Value::Array(required) = root.entry("required").or_insert_with(|| Value::Array(Vec::new())) {
        for name in names {
            if !required.contains(&name) {
                required.push(name);
            }
        }
    }
}

/// What a `$ref` into the same document points to; anything else is itself.
fn resolve(value: &Value, root: &Map<String, Value>) -> Value {
    let Some(path) = value.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/")) else {
        return value.clone();
    };
    let mut steps = path.split('/');
    let first = steps.next().and_then(|step| root.get(step));
    let found = steps.fold(first, |at, step| at.and_then(|at| at.get(step)));
    found.cloned().unwrap_or_else(|| value.clone())
}

/// Keeps a schema to what Claude enforces: objects say that they have no other properties; bounds go into the
/// description, where the model reads them.
fn enforce(value: &mut Value, lost: &mut Vec<String>, depth: usize) {
    let Value::Object(schema) = value else { return };
    if depth > MAX_DEPTH {
        return;
    }
    if let Some(alternatives) = schema.shift_remove("oneOf") {
        schema.entry("anyOf").or_insert(alternatives);
    }
    close(schema, lost);
    let told = take_unenforced(schema);
    if !told.is_empty() {
        lost.push(told.join(", "));
        let told = format!("{{{}}}", told.join(", "));
        let description = match schema.get("description").and_then(Value::as_str) {
            Some(before) if !before.is_empty() => format!("{before}\n\n{told}"),
            _ => told,
        };
        schema.insert("description".to_owned(), Value::from(description));
    }
    for key in ["properties", "$defs", "definitions"] {
        if let Some(Value::Object(inner)) = schema.get_mut(key) {
            inner.values_mut().for_each(|inner| enforce(inner, lost, depth + 1));
        }
    }
    for key in ["anyOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(inner)) = schema.get_mut(key) {
            inner.iter_mut().for_each(|inner| enforce(inner, lost, depth + 1));
        }
    }
    if let Some(items) = schema.get_mut("items") {
        enforce(items, lost, depth + 1);
    }
}

fn close(schema: &mut Map<String, Value>, lost: &mut Vec<String>) {
    let is_object = match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => schema.contains_key("properties"),
    };
    if !is_object {
        return;
    }
    match schema.insert("additionalProperties".to_owned(), Value::Bool(false)) {
        None | Some(Value::Bool(false)) => {}
        Some(_) => lost.push("additionalProperties".to_owned()),
    }
}

/// Takes out the keywords that are not enforced, as `keyword: value`.
fn take_unenforced(schema: &mut Map<String, Value>) -> Vec<String> {
    const FORMATS: [&str; 10] =
        ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];
    /// What may stand beside those that are enforced. An allow-list, since an unknown keyword is a refusal.
    const TAKEN: [&str; 24] = [
        "$schema",
        "$id",
        "$anchor",
        "$comment",
        "$ref",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "prefixItems",
        "minItems",
        "anyOf",
        "allOf",
        "format",
        "pattern",
    ];
    let mut told = Vec::new();
    let mut take = |schema: &mut Map<String, Value>, key: &str| {
        if let Some(value) = schema.shift_remove(key) {
            told.push(format!("{key}: {value}"));
        }
    };
    let others: Vec<String> = schema.keys().filter(|key| !TAKEN.contains(&key.as_str())).cloned().collect();
    for key in others {
        take(schema, &key);
    }
    if schema.get("minItems").and_then(Value::as_u64).is_some_and(|least| least > 1) {
        take(schema, "minItems");
    }
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        take(schema, "format");
    }
    told
}
