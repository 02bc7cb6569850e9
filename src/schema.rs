//! JSON Schema and Gemini's older subset of OpenAPI's: between the two, and into what Gemini takes of the former.

use serde_json::{Map, Value};

use crate::ir::{Json, Schema, SchemaLanguage};

/// Deeper schemas than this stay as they are: the vendors refuse them anyway.
const MAX_DEPTH: usize = 64;

/// The schema as JSON Schema: as it stands, or translated from OpenAPI's subset (types in capitals or as numbers,
/// `nullable`, `propertyOrdering`).
#[must_use]
pub fn json_schema(schema: &Schema) -> Json {
    match schema.language {
        SchemaLanguage::JsonSchema => schema.json.clone(),
        SchemaLanguage::OpenApi => {
            let before = schema.json.value();
            let mut value = before.clone();
            of_open_api(&mut value, 0);
            // Clients write plain JSON Schema in the older field, too: then its bytes stay.
            if value == before { schema.json.clone() } else { Json::of(&value) }
        }
    }
}

/// The language of a schema by the look of it: some clients write types in capitals in the field for JSON Schema.
#[must_use]
pub fn language(json: &Json) -> SchemaLanguage {
    const CAPITALS: [&str; 6] = ["\"OBJECT\"", "\"STRING\"", "\"ARRAY\"", "\"INTEGER\"", "\"NUMBER\"", "\"BOOLEAN\""];
    let text = json.as_str();
    if CAPITALS.iter().any(|name| text.contains(name)) && has_capital_type(&json.value(), 0) {
        SchemaLanguage::OpenApi
    } else {
        SchemaLanguage::JsonSchema
    }
}

fn has_capital_type(value: &Value, depth: usize) -> bool {
    let Value::Object(schema) = value else { return false };
    let is_capital = |kind: &str| kind.starts_with(|first: char| first.is_ascii_uppercase());
    if schema.get("type").and_then(Value::as_str).is_some_and(is_capital) {
        return true;
    }
    depth < MAX_DEPTH && subschemas(schema).into_iter().any(|inner| has_capital_type(inner, depth + 1))
}

/// Whether a schema is of the subset that OpenAI wants of a strict one: each object says all of its properties, needs them all, and
/// takes no others.
#[must_use]
pub fn is_strict(schema: &Schema) -> bool {
    is_strict_value(&json_schema(schema).value(), 0)
}

fn is_strict_value(value: &Value, depth: usize) -> bool {
    let Value::Object(schema) = value else { return true };
    if schema.get("type").is_some_and(|kind| kind == "object") || schema.contains_key("properties") {
        let needed = schema.get("required").and_then(Value::as_array);
        let is_needed = |name: &String| needed.is_some_and(|names| names.iter().any(|other| other == name));
        let all = schema.get("properties").and_then(Value::as_object);
        let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        if !is_closed || !all.is_none_or(|all| all.keys().all(is_needed)) {
            return false;
        }
    }
    depth >= MAX_DEPTH || subschemas(schema).into_iter().all(|inner| is_strict_value(inner, depth + 1))
}

/// The schemas right inside a schema of OpenAPI's subset.
fn subschemas(schema: &Map<String, Value>) -> Vec<&Value> {
    let mut out = Vec::new();
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("properties" | "$defs" | "defs", Value::Object(inner)) => out.extend(inner.values()),
            ("items" | "additionalProperties" | "additional_properties", inner) => out.push(inner),
            ("anyOf" | "any_of" | "prefixItems" | "prefix_items", Value::Array(inner)) => out.extend(inner),
            _ => {}
        }
    }
    out
}

fn of_open_api(value: &mut Value, depth: usize) {
    let Value::Object(schema) = value else { return };
    if depth > MAX_DEPTH {
        return;
    }
    rename(schema);
    set_type(schema);
    order_properties(schema);
    // OpenAPI says with a format that a text is one of an enum.
    if schema.get("format").and_then(Value::as_str) == Some("enum") {
        schema.shift_remove("format");
    }
    if let Some(example) = schema.shift_remove("example") {
        schema.insert("examples".to_owned(), Value::Array(vec![example]));
    }
    for (key, inner) in schema.iter_mut() {
        match (key.as_str(), inner) {
            ("properties" | "$defs", Value::Object(inner)) => {
                inner.values_mut().for_each(|one| of_open_api(one, depth + 1));
            }
            ("items" | "additionalProperties", inner) => of_open_api(inner, depth + 1),
            ("anyOf" | "prefixItems", Value::Array(inner)) => {
                inner.iter_mut().for_each(|one| of_open_api(one, depth + 1));
            }
            _ => {}
        }
    }
}

fn set_type(schema: &mut Map<String, Value>) {
    let nullable = schema.shift_remove("nullable") == Some(Value::Bool(true));
    let Some(kind) = schema.get_mut("type") else {
        if let (true, Some(Value::Array(any))) = (nullable, schema.get_mut("anyOf")) {
            any.push(serde_json::json!({ "type": "null" }));
        }
        return;
    };
    match type_name(kind) {
        Some(name) if name == "type_unspecified" => {
            schema.shift_remove("type");
            return;
        }
        Some(name) => *kind = Value::String(name),
        None => {}
    }
    if nullable && kind.is_string() {
        *kind = Value::Array(vec![kind.take(), Value::String("null".to_owned())]);
        if let Some(Value::Array(values)) = schema.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
    }
}

/// JSON Schema has no `propertyOrdering`: the properties themselves are put in that order, which models follow.
fn order_properties(schema: &mut Map<String, Value>) {
    let Some(Value::Array(order)) = schema.shift_remove("propertyOrdering") else { return };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    let mut ordered = Map::new();
    for name in order.iter().filter_map(Value::as_str) {
        if let Some(property) = properties.shift_remove(name) {
            ordered.insert(name.to_owned(), property);
        }
    }
    ordered.append(properties);
    *properties = ordered;
}

/// Proto3's JSON takes both spellings of a name, and writes 64-bit numbers as strings.
fn rename(schema: &mut Map<String, Value>) {
    const NAMES: [(&str, &str); 12] = [
        ("any_of", "anyOf"),
        ("min_items", "minItems"),
        ("max_items", "maxItems"),
        ("prefix_items", "prefixItems"),
        ("min_length", "minLength"),
        ("max_length", "maxLength"),
        ("min_properties", "minProperties"),
        ("max_properties", "maxProperties"),
        ("property_ordering", "propertyOrdering"),
        ("additional_properties", "additionalProperties"),
        ("defs", "$defs"),
        ("ref", "$ref"),
    ];
    for (snake, camel) in NAMES {
        if let Some(value) = schema.shift_remove(snake) {
            schema.insert(camel.to_owned(), value);
        }
    }
    for key in ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"] {
        if let Some(number) = schema.get(key).and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok()) {
            schema.insert(key.to_owned(), Value::from(number));
        }
    }
}

/// JSON Schema's name of a type that Gemini writes in capitals, or its older clients as a number.
fn type_name(kind: &Value) -> Option<String> {
    const NUMBERED: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];
    match kind {
        Value::String(name) => Some(name.to_ascii_lowercase()),
        Value::Number(number) => {
            let index = usize::try_from(number.as_u64()?.checked_sub(1)?).ok()?;
            NUMBERED.get(index).map(|name| (*name).to_owned())
        }
        _ => None,
    }
}

/// What Gemini takes of JSON Schema in `parametersJsonSchema` and `responseJsonSchema`.
///
/// Its documentation names these, and `default` is no constraint. An allow-list, since it refuses a whole request for a keyword
/// that it doesn't know, and vendors of tools think of new ones.
const GEMINI_KEYWORDS: [&str; 21] = [
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "default",
];

/// What it takes beside those: its documentation is silent about them, but public traffic with them was answered, in
/// `parametersJsonSchema` with all four and in `responseJsonSchema` with `pattern`. So they are sent, for the model to read;
/// nobody promises that an answer keeps to them.
const GEMINI_UNPROMISED: [&str; 4] = ["minLength", "maxLength", "pattern", "uniqueItems"];

/// Keywords that ask for nothing: they go without a word. `strict` is none of JSON Schema's; a client library (`ruby_llm`) puts
/// its option of tools a level too deep, where no vendor reads it.
const SILENT: [&str; 5] = ["$schema", "$comment", "$vocabulary", "definitions", "strict"];

/// Keywords that can be said in the description.
const TELLABLE: [&str; 9] = [
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minProperties",
    "maxProperties",
    "minContains",
    "maxContains",
    "examples",
    "contentEncoding",
];

/// Inlining stops at so many nodes: references that fan out would grow without bound.
const MAX_NODES: usize = 20_000;

/// A schema as a target takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Narrowed {
    /// The schema: the same bytes where nothing had to change.
    pub json: Json,
    /// What was removed or moved into a description: `properties.age: exclusiveMinimum`.
    pub lost: Vec<String>,
    /// Keywords that are sent, and that the target does not promise to keep to.
    pub unpromised: Vec<&'static str>,
}

/// A JSON Schema as Gemini takes it. References are inlined (those that go in circles stay, which Gemini takes as
/// `$ref` into `$defs`), `allOf` is merged, `const` is an `enum` of one; other keywords that Gemini doesn't know move into
/// the description, or go.
#[must_use]
pub fn for_gemini(schema: &Json) -> Narrowed {
    let root = schema.value();
    let mut unpromised = Vec::new();
    if fits_gemini(&root, 0) {
        find_unpromised(&root, 0, &mut unpromised);
        return Narrowed { json: schema.clone(), lost: Vec::new(), unpromised };
    }
    let mut narrowing = Narrowing {
        root: &root,
        lost: Vec::new(),
        path: Vec::new(),
        stack: vec!["#".to_owned()],
        circles: Vec::new(),
        definitions: Map::new(),
        nodes: 0,
    };
    let mut out = narrowing.schema(&root);
    let circles_to_root = narrowing.circles.iter().any(|(pointer, _)| pointer == "#");
    if let Value::Object(out) = &mut out {
        if out.contains_key("properties") && !out.contains_key("type") {
            out.insert("type".to_owned(), Value::String("object".to_owned()));
        }
        let mut definitions = std::mem::take(&mut narrowing.definitions);
        if circles_to_root {
            definitions.insert("root".to_owned(), Value::Object(out.clone()));
        }
        if !definitions.is_empty() {
            out.insert("$defs".to_owned(), Value::Object(definitions));
        }
    }
    find_unpromised(&out, 0, &mut unpromised);
    Narrowed { json: Json::of(&out), lost: narrowing.lost, unpromised }
}

fn find_unpromised(value: &Value, depth: usize, out: &mut Vec<&'static str>) {
    let Value::Object(schema) = value else { return };
    let named = GEMINI_UNPROMISED.into_iter().filter(|name| schema.contains_key(*name) && !out.contains(name));
    let named: Vec<_> = named.collect();
    out.extend(named);
    if depth > MAX_DEPTH {
        return;
    }
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("properties" | "$defs", Value::Object(inner)) => {
                inner.values().for_each(|one| find_unpromised(one, depth + 1, out));
            }
            ("items" | "additionalProperties", inner) => find_unpromised(inner, depth + 1, out),
            ("anyOf" | "oneOf" | "prefixItems", Value::Array(inner)) => {
                inner.iter().for_each(|one| find_unpromised(one, depth + 1, out));
            }
            _ => {}
        }
    }
}

fn is_taken(keyword: &str) -> bool {
    GEMINI_KEYWORDS.contains(&keyword) || GEMINI_UNPROMISED.contains(&keyword)
}

fn fits_gemini(value: &Value, depth: usize) -> bool {
    let Value::Object(schema) = value else { return false };
    if depth > MAX_DEPTH {
        return true;
    }
    let inner_fits = |inner: &Value| fits_gemini(inner, depth + 1);
    schema.iter().all(|(key, value)| match (key.as_str(), value) {
        ("$ref", Value::String(target)) => {
            target.starts_with("#/$defs/") && schema.keys().all(|sibling| sibling.starts_with('$'))
        }
        ("properties" | "$defs", Value::Object(inner)) => inner.values().all(inner_fits),
        ("items", inner) => inner_fits(inner),
        ("additionalProperties", Value::Bool(_)) => true,
        ("additionalProperties", inner) => inner_fits(inner),
        ("anyOf" | "oneOf" | "prefixItems", Value::Array(inner)) => inner.iter().all(inner_fits),
        ("$ref" | "properties" | "$defs" | "anyOf" | "oneOf" | "prefixItems", _) => false,
        ("propertyOrdering", _) => true,
        (key, _) => is_taken(key),
    })
}

struct Narrowing<'a> {
    root: &'a Value,
    lost: Vec<String>,
    path: Vec<String>,
    /// The references that we are inside of.
    stack: Vec<String>,
    /// References that go in circles, and the names of their definitions.
    circles: Vec<(String, String)>,
    definitions: Map<String, Value>,
    nodes: usize,
}

impl Narrowing<'_> {
    fn lose(&mut self, keyword: &str) {
        let place = self.path.join(".");
        self.lost.push(if place.is_empty() { keyword.to_owned() } else { format!("{place}: {keyword}") });
    }

    fn inside(&mut self, step: &str, value: &Value) -> Value {
        self.path.push(step.to_owned());
        let out = self.schema(value);
        self.path.pop();
        out
    }

    fn schema(&mut self, value: &Value) -> Value {
        self.nodes += 1;
        let Value::Object(schema) = value else {
            // `true` is any value; a place where nothing may stand cannot be said.
            if value == &Value::Bool(false) {
                self.lose("false");
            }
            return Value::Object(Map::new());
        };
        if self.path.len() > MAX_DEPTH || self.nodes > MAX_NODES {
            self.lose("depth");
            return Value::Object(Map::new());
        }
        match schema.get("$ref").and_then(Value::as_str) {
            Some(target) => self.reference(target, schema),
            None => self.object(schema),
        }
    }

    fn reference(&mut self, target: &str, schema: &Map<String, Value>) -> Value {
        if let Some((_, name)) = self.circles.iter().find(|(pointer, _)| pointer == target) {
            let name = name.clone();
            return self.pointer_to(&name, schema);
        }
        if self.stack.iter().any(|other| other == target) {
            let name = self.name_of(target);
            self.circles.push((target.to_owned(), name.clone()));
            return self.pointer_to(&name, schema);
        }
        let Some(Value::Object(found)) = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) else {
            self.lose("$ref");
            let mut rest = schema.clone();
            rest.shift_remove("$ref");
            return self.object(&rest);
        };
        // What stands beside a reference adds to what it points at.
        let mut merged = found.clone();
        for (key, value) in schema.iter().filter(|(key, _)| !key.starts_with('$')) {
            merged.insert(key.clone(), value.clone());
        }
        self.stack.push(target.to_owned());
        let out = self.schema(&Value::Object(merged));
        self.stack.pop();
        let Some((_, name)) = self.circles.iter().find(|(pointer, _)| pointer == target) else { return out };
        let name = name.clone();
        self.definitions.insert(name.clone(), out);
        self.pointer_to(&name, &Map::new())
    }

    fn pointer_to(&mut self, name: &str, schema: &Map<String, Value>) -> Value {
        if schema.keys().any(|key| !key.starts_with('$')) {
            self.lose("what stands beside a $ref in a circle");
        }
        serde_json::json!({ "$ref": format!("#/$defs/{name}") })
    }

    fn name_of(&self, target: &str) -> String {
        let last = target.rsplit('/').next().filter(|name| !name.is_empty() && *name != "#").unwrap_or("root");
        let is_taken = |name: &str| self.circles.iter().any(|(_, other)| other == name);
        let mut name = last.to_owned();
        while is_taken(&name) {
            name.push('_');
        }
        name
    }

    fn object(&mut self, schema: &Map<String, Value>) -> Value {
        let mut out = Map::new();
        let mut told = Vec::new();
        for (key, value) in schema {
            match (key.as_str(), value) {
                ("$defs" | "$ref", _) => {}
                ("properties", Value::Object(properties)) => {
                    let inner = properties.iter().map(|(name, property)| (name.clone(), self.inside(name, property)));
                    let inner = inner.collect();
                    out.insert(key.clone(), Value::Object(inner));
                }
                // Older drafts list the items of a tuple here.
                ("items", Value::Array(items)) => {
                    let items = items.iter().map(|item| self.inside("items", item)).collect();
                    out.insert("prefixItems".to_owned(), Value::Array(items));
                }
                ("items", items) => {
                    let items = self.inside("items", items);
                    out.insert(key.clone(), items);
                }
                ("additionalProperties", Value::Bool(_)) => {
                    out.insert(key.clone(), value.clone());
                }
                ("additionalProperties", value) => {
                    let value = self.inside("additionalProperties", value);
                    out.insert(key.clone(), value);
                }
                ("anyOf" | "oneOf" | "prefixItems", Value::Array(list)) => {
                    let list = list.iter().map(|one| self.inside(key, one)).collect();
                    out.insert(key.clone(), Value::Array(list));
                }
                ("const", value) => {
                    out.entry("enum").or_insert_with(|| Value::Array(vec![value.clone()]));
                    if let (false, Some(kind)) = (schema.contains_key("type"), type_of(value)) {
                        out.insert("type".to_owned(), Value::String(kind.to_owned()));
                    }
                }
                ("exclusiveMinimum", Value::Number(bound)) if is_integer(schema) && bound.as_i64().is_some() => {
                    out.entry("minimum").or_insert_with(|| Value::from(bound.as_i64().unwrap_or(0).saturating_add(1)));
                }
                ("exclusiveMaximum", Value::Number(bound)) if is_integer(schema) && bound.as_i64().is_some() => {
                    out.entry("maximum").or_insert_with(|| Value::from(bound.as_i64().unwrap_or(0).saturating_sub(1)));
                }
                ("nullable" | "allOf", _) => {}
                ("propertyOrdering", _) => {
                    out.insert(key.clone(), value.clone());
                }
                (known, _) if is_taken(known) => {
                    out.insert(key.clone(), value.clone());
                }
                (silent, _) if SILENT.contains(&silent) => {}
                (tellable, value) if TELLABLE.contains(&tellable) => {
                    told.push(format!("{key}: {value}"));
                    self.lose(key);
                }
                _ => self.lose(key),
            }
        }
        if schema.get("nullable") == Some(&Value::Bool(true)) {
            allow_null(&mut out);
        }
        if let Some(Value::Array(all)) = schema.get("allOf") {
            for one in all {
                let one = self.schema(one);
                self.merge(one, &mut out);
            }
        }
        if !told.is_empty() {
            let mut description = out.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !description.is_empty() {
                description.push(' ');
            }
            description.push_str(&format!("({})", told.join(", ")));
            out.insert("description".to_owned(), Value::String(description));
        }
        Value::Object(out)
    }

    /// Adds what one schema of an `allOf` asks for.
    fn merge(&mut self, one: Value, out: &mut Map<String, Value>) {
        let Value::Object(one) = one else { return };
        for (key, value) in one {
            match (key.as_str(), out.get_mut(&key), value) {
                ("properties", Some(Value::Object(mine)), Value::Object(more)) => {
                    for (name, property) in more {
                        mine.entry(name).or_insert(property);
                    }
                }
                ("required", Some(Value::Array(mine)), Value::Array(more)) => {
                    for name in more {
                        if !mine.contains(&name) {
                            mine.push(name);
                        }
                    }
                }
                (_, None, value) => {
                    out.insert(key, value);
                }
                (_, Some(mine), value) if *mine == value => {}
                ("title" | "description" | "default", ..) => {}
                _ => self.lose(&format!("allOf.{key}")),
            }
        }
    }
}

fn is_integer(schema: &Map<String, Value>) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("integer")
}

fn type_of(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(_) => Some("string"),
        Value::Bool(_) => Some("boolean"),
        Value::Number(number) if number.is_f64() => Some("number"),
        Value::Number(_) => Some("integer"),
        Value::Null => Some("null"),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn allow_null(schema: &mut Map<String, Value>) {
    let null = Value::String("null".to_owned());
    match schema.get_mut("type") {
        Some(Value::Array(kinds)) if !kinds.contains(&null) => kinds.push(null),
        Some(kind @ Value::String(_)) => *kind = Value::Array(vec![kind.take(), null]),
        _ => {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail so")]
mod tests {
    use super::*;

    fn json(value: &Value) -> Json {
        Json::of(value)
    }

    #[test]
    fn open_api_becomes_json_schema() {
        let schema = Schema {
            language: SchemaLanguage::OpenApi,
            json: json(&serde_json::json!({
                "type": "OBJECT",
                "property_ordering": ["b", "a"],
                "properties": {
                    "a": {"type": "STRING", "nullable": true, "enum": ["x"], "format": "enum"},
                    "b": {"type": 5, "min_items": "2", "items": {"any_of": [{"type": "INTEGER"}, {"type": "string"}]}},
                },
            })),
        };
        let expected = serde_json::json!({
            "type": "object",
            "properties": {
                "b": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}, "minItems": 2},
                "a": {"type": ["string", "null"], "enum": ["x", null]},
            },
        });
        assert_eq!(json_schema(&schema).as_str(), expected.to_string());
        let plain =
            Schema { language: SchemaLanguage::OpenApi, json: Json::parse(&r#"{"type" : "object"}"#.into()).unwrap() };
        assert_eq!(json_schema(&plain).as_str(), r#"{"type" : "object"}"#);
    }

    #[test]
    fn what_gemini_takes_keeps_its_bytes() {
        let text = r##"{"type" : "object", "properties":{"pattern":{"type":"string","pattern":"a"},"n":{"$ref":"#/$defs/N"}},
            "$defs":{"N":{"type":"object","properties":{"n":{"$ref":"#/$defs/N"}}}}}"##;
        let narrowed = for_gemini(&Json::parse(&text.into()).unwrap());
        assert_eq!(narrowed.json.as_str(), text);
        assert!(narrowed.lost.is_empty());
    }

    #[test]
    fn what_gemini_does_not_take_is_rewritten() {
        let schema = json(&serde_json::json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {
                "kind": {"const": "a"},
                "age": {"type": "integer", "exclusiveMinimum": 0},
                "share": {"type": "number", "exclusiveMaximum": 1, "description": "A share."},
                "point": {"type": "array", "items": [{"type": "number"}, true]},
                "name": {"$ref": "#/definitions/Name", "description": "Its own."},
                "both": {"allOf": [{"$ref": "#/definitions/Name"}, {"minLength": 1}]},
                "tree": {"$ref": "#/definitions/Tree"},
                "odd": {"type": "object", "patternProperties": {"^a": {}}, "if": {}},
            },
            "definitions": {
                "Name": {"type": "string", "description": "A name."},
                "Tree": {"type": "object", "properties": {"left": {"$ref": "#/definitions/Tree"}}},
            },
        }));
        let narrowed = for_gemini(&schema);
        let expected = serde_json::json!({
            "properties": {
                "kind": {"enum": ["a"], "type": "string"},
                "age": {"type": "integer", "minimum": 1},
                "share": {"type": "number", "description": "A share. (exclusiveMaximum: 1)"},
                "point": {"type": "array", "prefixItems": [{"type": "number"}, {}]},
                "name": {"type": "string", "description": "Its own."},
                "both": {"type": "string", "description": "A name.", "minLength": 1},
                "tree": {"$ref": "#/$defs/Tree"},
                "odd": {"type": "object"},
            },
            "type": "object",
            "$defs": {"Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}}},
        });
        assert_eq!(narrowed.json.value(), expected);
        assert_eq!(narrowed.lost, ["share: exclusiveMaximum", "odd: patternProperties", "odd: if"]);
        assert!(fits_gemini(&narrowed.json.value(), 0));
    }

    #[test]
    fn references_that_fan_out_end() {
        let mut definitions = Map::new();
        for level in 0..40 {
            let next = serde_json::json!({"$ref": format!("#/definitions/L{}", level + 1)});
            definitions.insert(format!("L{level}"), serde_json::json!({"properties": {"a": next, "b": next}}));
        }
        let schema = json(&serde_json::json!({"$ref": "#/definitions/L0", "definitions": definitions}));
        assert!(!for_gemini(&schema).lost.is_empty());
    }
}
