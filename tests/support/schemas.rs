//! Every field of the vendors' types, by the schemas of their SDKs: for each field a document that is as small as can be,
//! with that field set.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// The words that a field is set to. They are base64, too.
pub(crate) const CANARY: &str = "canaryQ7";
/// The whole number that a field is set to.
pub(crate) const CANARY_INTEGER: u64 = 7_919;
/// The number that a field is set to.
pub(crate) const CANARY_NUMBER: f64 = 0.617_31;
/// What every other required text is.
pub(crate) const WORD: &str = "word";

/// A field for objects that may hold any: schemas have it, too.
const OPEN: &str = "description";

/// How often the inside of one definition is enumerated, under different parents.
const TIMES: usize = 8;
/// Definitions that stand inside themselves are entered so often.
const RECURSIONS: usize = 1;

/// A step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// A field, set.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) steps: Vec<Step>,
    pub(crate) document: Value,
    /// The value that it is set to.
    pub(crate) value: Value,
    /// Values that the schema takes in its place, where they are few.
    pub(crate) others: Vec<Value>,
    /// The only value that the schema takes: a word that tells kinds apart.
    pub(crate) is_constant: bool,
    /// Without indexes, and with the kinds of the objects on the way: `messages.content(text).cache_control.ttl`.
    pub(crate) name: String,
}

impl Case {
    /// The path as errors and diagnostics write it.
    pub(crate) fn path(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            match step {
                Step::Key(key) if out.is_empty() => out.push_str(key),
                Step::Key(key) => write!(out, ".{key}").unwrap(),
                Step::Index(index) => write!(out, "[{index}]").unwrap(),
            }
        }
        out
    }

    /// The document with something else in the field's place; `None` leaves it out.
    pub(crate) fn with(&self, value: Option<Value>) -> Value {
        let mut document = self.document.clone();
        let (last, way) = self.steps.split_last().unwrap();
        let holder = way.iter().fold(&mut document, |at, step| match step {
            Step::Key(key) => &mut at[key.as_str()],
            Step::Index(index) => &mut at[*index],
        });
        match (last, value) {
            (Step::Key(key), Some(value)) => holder[key.as_str()] = value,
            (Step::Key(key), None) => drop(holder.as_object_mut().unwrap().shift_remove(key)),
            (Step::Index(index), Some(value)) => holder[*index] = value,
            (Step::Index(_), None) => {
                // The list goes, and what holds nothing else.
                let mut case = self.clone();
                case.steps.pop();
                return case.with(None);
            }
        }
        document
    }
}

/// All cases of a dialect; none where there are no schemas (`SCHEMAS_DIR`, `../shared/protocols/schemas` unless set).
pub(crate) fn cases(dialect: &str) -> Vec<Case> {
    let Some(schema) = root(dialect) else {
        eprintln!("no schemas in {}: {dialect} is not held to them", folder().display());
        return Vec::new();
    };
    let mut out = cases_of(&schema);
    for case in &mut out {
        dress(dialect, case);
    }
    out
}

/// All cases of a type.
pub(crate) fn cases_of(schema: &Value) -> Vec<Case> {
    let mut walk = Walk { defs: &schema["$defs"], entered: Vec::new(), seen: HashMap::new() };
    let found = walk.cases(schema).into_iter().map(Found::case);
    found.filter(|case| !case.steps.is_empty()).collect()
}

/// Where the schemas are, if they are.
pub(crate) fn folder() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/protocols/schemas");
    std::env::var_os("SCHEMAS_DIR").map_or_else(default, PathBuf::from)
}

/// A schema, if it is there.
pub(crate) fn file(name: &str) -> Option<Value> {
    let text = std::fs::read_to_string(folder().join(name)).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn root(dialect: &str) -> Option<Value> {
    match dialect {
        "openai-chat-completions" => file("request.openai.ChatCompletion.json").map(|mut schema| {
            let defs = &mut schema["$defs"];
            defs["ChatCompletionAssistantMessageParam"]["required"] = json!(["role", "content"]);
            defs["FileFile"]["required"] = json!(["file_data"]);
            schema
        }),
        "openai-responses" => file("request.openai.Response.json").map(|mut schema| {
            // The SDK's type leaves the model to its server; the gateway cannot.
            schema["required"] = json!(["model", "input"]);
            let defs = schema["$defs"].as_object_mut().unwrap();
            for (name, def) in defs.iter_mut() {
                // The types leave open what the wire wants one of.
                let one_of = match name.as_str() {
                    "ResponseInputFileParam" | "ResponseInputFileContentParam" => "file_data",
                    "ResponseInputImageParam" | "ResponseInputImageContentParam" => "image_url",
                    "ImageGenerationCall" => "result",
                    "FunctionCallOutput" | "ResponseCustomToolCallOutputParam" => "call_id",
                    _ => continue,
                };
                let required = def["required"].as_array_mut().unwrap();
                if !required.contains(&json!(one_of)) {
                    required.push(json!(one_of));
                }
            }
            schema
        }),
        "claude" => file("request.anthropic.Message.json").map(|mut schema| {
            // Its older place, which the type leaves open.
            schema["properties"]["output_format"] = json!({"$ref": "#/$defs/JSONOutputFormatParam"});
            schema
        }),
        _ => google(),
    }
}

/// The SDK's types are not what stands on the wire, so this one is put together.
fn google() -> Option<Value> {
    let content = file("google.Content.json")?;
    let tool = file("google.Tool.json")?;
    let fields = file("request.google.GenerateContent.fields.json")?;
    let mut defs = tool["$defs"].as_object().cloned().unwrap_or_default();
    defs.extend(content["$defs"].as_object().cloned().unwrap_or_default());
    let (number, integer, word, boolean) =
        (json!({"type": "number"}), json!({"type": "integer"}), json!({"type": "string"}), json!({"type": "boolean"}));
    let words = json!({"type": "array", "items": word});
    let of_name = |name: &str| match name {
        "temperature" | "topP" | "topK" | "presencePenalty" | "frequencyPenalty" => number.clone(),
        "maxOutputTokens" | "seed" | "candidateCount" | "logprobs" => integer.clone(),
        "stopSequences" | "responseModalities" => words.clone(),
        "audioTimestamp" | "enableAffectiveDialog" | "enableEnhancedCivicAnswers" | "responseLogprobs" | "store" => {
            boolean.clone()
        }
        "responseMimeType" => json!({"enum": ["text/plain", "application/json", "text/x.enum"]}),
        "mediaResolution" => {
            json!({"enum": ["MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"]})
        }
        "serviceTier" => json!({"enum": ["flex", "standard", "priority"]}),
        "cachedContent" | "continuationToken" => word.clone(),
        "labels" => json!({"type": "object", "additionalProperties": word}),
        "responseSchema" => json!({"$ref": "#/$defs/Schema"}),
        "responseJsonSchema" => json!({"type": "object", "properties": {"type": {"const": "object"},
            "description": word, "properties": {"type": "object"}}, "required": ["type"]}),
        "thinkingConfig" => json!({"type": "object", "properties": {"includeThoughts": boolean,
            "thinkingBudget": integer, "thinkingLevel": {"enum": ["MINIMAL", "LOW", "MEDIUM", "HIGH"]}}}),
        "safetySettings" => json!({"type": "array", "items": {"type": "object", "required": ["category", "threshold"],
            "properties": {"category": word, "threshold": word, "method": word}}}),
        "toolConfig" => json!({"type": "object", "properties": {
            "functionCallingConfig": {"type": "object", "required": ["mode"], "properties": {
                "mode": {"enum": ["AUTO", "ANY", "NONE", "VALIDATED"]}, "allowedFunctionNames": words,
                "streamFunctionCallArguments": boolean}},
            "retrievalConfig": {"type": "object", "properties": {"languageCode": word,
                "latLng": {"type": "object", "properties": {"latitude": number, "longitude": number}}}},
            "includeServerSideToolInvocations": boolean}}),
        "speechConfig" => json!({"type": "object", "properties": {"languageCode": word, "voiceConfig": {"type":
            "object", "properties": {"prebuiltVoiceConfig": {"type": "object", "properties": {"voiceName": word}}}}}}),
        _ => json!({"type": "object"}),
    };
    // On the wire these stand at the top, not in the SDK's config.
    let outside = [
        "systemInstruction",
        "tools",
        "toolConfig",
        "safetySettings",
        "cachedContent",
        "continuationToken",
        "labels",
        "serviceTier",
        "store",
        "httpOptions",
        "automaticFunctionCalling",
        "shouldReturnHttpResponse",
        "automaticContinuation",
        "modelSelectionConfig",
    ];
    let names = |key: &str| -> Vec<String> {
        fields[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let config: Map<String, Value> = names("generationConfig keys")
        .into_iter()
        .filter(|name| !outside.contains(&name.as_str()))
        .map(|name| (name.clone(), of_name(&name)))
        .collect();
    let mut content_type = content.clone();
    content_type.as_object_mut().unwrap().shift_remove("$defs");
    content_type["required"] = json!(["role", "parts"]);
    content_type["properties"]["role"] = json!({"enum": ["user", "model"]});
    let mut tool_type = tool.clone();
    tool_type.as_object_mut().unwrap().shift_remove("$defs");
    defs.insert("Content".to_owned(), content_type);
    defs.insert("Tool".to_owned(), tool_type);
    // What the SDK leaves open and the wire wants.
    for (name, required) in [
        ("FunctionCall", vec!["name"]),
        ("FunctionResponse", vec!["name", "response"]),
        ("FunctionDeclaration", vec!["name"]),
        ("Blob", vec!["mimeType", "data"]),
        ("FileData", vec!["fileUri"]),
        ("FunctionResponseBlob", vec!["mimeType", "data"]),
        ("FunctionResponseFileData", vec!["fileUri"]),
        ("FunctionResponsePart", vec!["inlineData"]),
    ] {
        if let Some(def) = defs.get_mut(name) {
            def["required"] = json!(required);
        }
    }
    let top: Map<String, Value> = names("top")
        .into_iter()
        .filter(|name| name != "model")
        .map(|name| {
            let schema = match name.as_str() {
                "contents" => json!({"type": "array", "items": {"$ref": "#/$defs/Content"}}),
                "systemInstruction" => json!({"type": "object", "required": ["parts"], "properties":
                    {"role": word, "parts": {"type": "array", "items": {"type": "object", "required": ["text"],
                    "properties": {"text": word}}}}}),
                "tools" => json!({"type": "array", "items": {"$ref": "#/$defs/Tool"}}),
                "generationConfig" => json!({"type": "object", "properties": config}),
                other => of_name(other),
            };
            (name, schema)
        })
        .collect();
    Some(json!({"type": "object", "properties": top, "required": ["contents"], "$defs": defs}))
}

/// A value with a canary in it, on the way up from the leaf.
#[derive(Clone, Debug)]
struct Found {
    /// From the leaf to the root.
    steps: Vec<Step>,
    /// Of the steps that are names, with kinds.
    names: Vec<String>,
    document: Value,
    value: Value,
    others: Vec<Value>,
    is_constant: bool,
}

impl Found {
    fn leaf(value: Value, others: Vec<Value>, is_constant: bool) -> Self {
        Self { steps: Vec::new(), names: Vec::new(), document: value.clone(), value, others, is_constant }
    }

    fn case(self) -> Case {
        let Self { mut steps, mut names, document, value, others, is_constant } = self;
        steps.reverse();
        names.reverse();
        Case { steps, document, value, others, is_constant, name: names.join(".") }
    }
}

struct Walk<'a> {
    defs: &'a Value,
    /// Definitions that we are inside of.
    entered: Vec<&'a str>,
    /// How often the inside of a definition was enumerated.
    seen: HashMap<&'a str, usize>,
}

impl<'a> Walk<'a> {
    fn def(&self, reference: &'a str) -> (&'a str, &'a Value) {
        let name = reference.rsplit('/').next().unwrap();
        (name, &self.defs[name])
    }

    fn variants(schema: &'a Value) -> Option<&'a Vec<Value>> {
        schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
    }

    fn cases(&mut self, schema: &'a Value) -> Vec<Found> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let (name, schema) = self.def(reference);
            let depth = self.entered.iter().filter(|entered| **entered == name).count();
            let times = self.seen.entry(name).or_default();
            *times += 1;
            if depth > RECURSIONS || *times > TIMES {
                return Vec::new();
            }
            self.entered.push(name);
            let out = self.cases(schema);
            self.entered.pop();
            return out;
        }
        if let Some(variants) = Self::variants(schema) {
            return variants.iter().flat_map(|variant| self.cases(variant)).collect();
        }
        if let Some(constant) = schema.get("const") {
            return vec![Found::leaf(constant.clone(), Vec::new(), true)];
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            // The names of models are an enum, too.
            let few: Vec<&Value> = values.iter().filter(|value| !value.is_null()).take(12).collect();
            let others = |of: &Value| values.iter().filter(|value| *value != of).cloned().collect();
            return few.into_iter().map(|value| Found::leaf(value.clone(), others(value), values.len() == 1)).collect();
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => self.object(schema),
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                let wrap = |mut found: Found| {
                    found.steps.push(Step::Index(0));
                    found.document = json!([found.document]);
                    found
                };
                self.cases(items).into_iter().map(wrap).collect()
            }
            Some("boolean") => vec![
                Found::leaf(json!(true), vec![json!(false)], false),
                Found::leaf(json!(false), vec![json!(true)], false),
            ],
            Some("integer") => vec![Found::leaf(json!(CANARY_INTEGER), Vec::new(), false)],
            Some("number") => vec![Found::leaf(json!(CANARY_NUMBER), Vec::new(), false)],
            Some("null") => Vec::new(),
            Some(_) => vec![Found::leaf(json!(CANARY), Vec::new(), false)],
            // What the types leave open is an object nearly always, and often a schema.
            None => {
                let mut leaf = Found::leaf(json!(CANARY), Vec::new(), false);
                leaf.document = json!({ OPEN: CANARY });
                leaf.steps.push(Step::Key(OPEN.to_owned()));
                leaf.names.push(OPEN.to_owned());
                vec![leaf]
            }
        }
    }

    fn object(&mut self, schema: &'a Value) -> Vec<Found> {
        let mut out = Vec::new();
        let base = self.least(schema, 0);
        let kind = base.get("type").or_else(|| base.get("role")).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut add = |name: &str, found: Vec<Found>| {
            for mut found in found {
                let mut document = base.clone();
                // A part of Gemini's is told by its one field.
                let is_bare_text = document.as_object().is_some_and(|fields| fields.len() == 1)
                    && document.get("text").is_some_and(Value::is_string);
                if is_bare_text && is_data(name) {
                    document = json!({});
                }
                // Where a file is, is said in one way.
                const SOURCES: [&str; 6] = ["file_data", "file_id", "file_url", "image_url", "inlineData", "fileData"];
                if SOURCES.contains(&name) && found.value == json!(CANARY) {
                    let fields = document.as_object_mut().unwrap();
                    fields.retain(|other, _| !SOURCES.contains(&other.as_str()));
                }
                let is_url = matches!(name, "url" | "image_url" | "file_url" | "fileUri");
                document[name] = match found.document {
                    Value::String(text) if is_url => json!(format!("https://vendor.example/{text}.png")),
                    document => document,
                };
                found.document = document;
                found.steps.push(Step::Key(name.to_owned()));
                found.names.push(if kind.is_empty() { name.to_owned() } else { format!("({kind}){name}") });
                out.push(found);
            }
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let is_word = matches!(name.as_str(), "reasoning" | "reasoning_content") && property.get("$ref").is_none();
            let found = if is_word && property.as_object().is_some_and(Map::is_empty) {
                vec![Found::leaf(json!(CANARY), Vec::new(), false)]
            } else {
                self.cases(property)
            };
            add(name, found);
        }
        match schema.get("additionalProperties") {
            Some(Value::Object(inner)) if inner.is_empty() => {
                add(OPEN, vec![Found::leaf(json!(CANARY), Vec::new(), false)]);
            }
            Some(inner @ Value::Object(_)) => {
                let found = self.cases(inner);
                add("key", found);
            }
            Some(Value::Bool(false)) => {}
            _ if properties.is_none() => add(OPEN, vec![Found::leaf(json!(CANARY), Vec::new(), false)]),
            _ => {}
        }
        out
    }

    /// The least value that the schema takes.
    fn least(&self, schema: &'a Value, depth: usize) -> Value {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return if depth > 12 { Value::Null } else { self.least(self.def(reference).1, depth + 1) };
        }
        if let Some(variants) = Self::variants(schema) {
            return variants.first().map_or(Value::Null, |first| self.least(first, depth + 1));
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values.first().cloned().unwrap_or_default();
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => {
                let mut out = Map::new();
                for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                    let name = name.as_str().unwrap();
                    let least = match name {
                        "url" | "image_url" | "file_url" | "fileUri"
                            if schema["properties"][name]["type"] == "string" =>
                        {
                            json!("https://vendor.example/file.png")
                        }
                        _ => self.least(&schema["properties"][name], depth + 1),
                    };
                    out.insert(name.to_owned(), least);
                }
                let is_part = schema.get("properties").is_some_and(|all| all.get("functionResponse").is_some());
                if is_part {
                    out.insert("text".to_owned(), json!(WORD));
                }
                Value::Object(out)
            }
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                if depth > 8 { json!([]) } else { json!([self.least(items, depth + 1)]) }
            }
            Some("boolean") => json!(true),
            Some("integer" | "number") => json!(1),
            Some("null") => Value::Null,
            _ => json!(WORD),
        }
    }
}

/// Whether a field of a Gemini part is its data, and not something said about it.
fn is_data(name: &str) -> bool {
    [
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    ]
    .contains(&name)
}

/// Puts what makes sense of a case around it: the call that a result answers, tools where one is chosen.
fn dress(dialect: &str, case: &mut Case) {
    let Step::Key(top) = case.steps[0].clone() else { return };
    let document = case.document.as_object_mut().unwrap();
    match dialect {
        "openai-chat-completions" => {
            document.insert("model".to_owned(), document.get("model").cloned().unwrap_or_else(|| json!(WORD)));
            let call = json!({"role": "assistant", "tool_calls": [{"id": WORD, "type": "function",
                "function": {"name": WORD, "arguments": "{}"}}]});
            surround(case, "messages", &top, json!({"role": "user", "content": "hi"}), &call, |message| {
                let role = message["role"].as_str().unwrap_or_default();
                (matches!(role, "tool" | "function"), role == "assistant")
            });
            let tool = json!({"type": "function", "function": {"name": WORD}});
            if top == "function_call" {
                case.document["functions"] = json!([{"name": WORD}]);
            }
            tools(case, &top, &["tool_choice", "parallel_tool_calls"], tool);
            if top == "top_logprobs" {
                case.document["logprobs"] = json!(true);
            }
        }
        "openai-responses" => {
            let call = json!({"type": "function_call", "call_id": WORD, "name": WORD, "arguments": "{}"});
            surround(case, "input", &top, json!({"role": "user", "content": "hi"}), &call, |item| {
                let kind = item["type"].as_str().unwrap_or_default();
                (
                    kind == "function_call_output",
                    item["role"] == "assistant" || kind != "message" && item["role"].is_null(),
                )
            });
            tools(
                case,
                &top,
                &["tool_choice", "parallel_tool_calls"],
                json!({"type": "function", "name": WORD,
                "parameters": {"type": "object", "properties": {}}, "strict": false}),
            );
        }
        "claude" => {
            if top != "max_tokens" {
                case.document["max_tokens"] = json!(16_000);
            }
            let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": WORD, "name": WORD,
                "input": {}}]});
            surround(case, "messages", &top, json!({"role": "user", "content": "hi"}), &call, |message| {
                let has_result = message["content"][0]["type"] == "tool_result";
                (has_result, message["role"] == "assistant")
            });
            tools(case, &top, &["tool_choice"], json!({"name": WORD, "input_schema": {"type": "object"}}));
        }
        _ => {
            if case.document["contents"][0]["parts"][0].get("functionCall").is_some() {
                case.document["contents"][0]["role"] = json!("model");
            }
            let call = json!({"role": "model", "parts": [{"functionCall": {"name": WORD, "args": {}}}]});
            let user = json!({"role": "user", "parts": [{"text": "hi"}]});
            surround(case, "contents", &top, user, &call, |content| {
                (content["parts"][0].get("functionResponse").is_some(), content["role"] == "model")
            });
            tools(case, &top, &["toolConfig"], json!({"functionDeclarations": [{"name": WORD}]}));
            if top == "generationConfig" {
                let config = &mut case.document["generationConfig"];
                if config.get("logprobs").is_some() {
                    config["responseLogprobs"] = json!(true);
                }
                if config.get("responseSchema").is_some() || config.get("responseJsonSchema").is_some() {
                    config["responseMimeType"] = json!("application/json");
                }
            }
        }
    }
}

/// A conversation around the message of the case: `is` tells whether it is a result, and whether it is the model's.
fn surround(case: &mut Case, key: &str, top: &str, user: Value, call: &Value, is: impl Fn(&Value) -> (bool, bool)) {
    let Some(Value::Array(list)) = case.document.get_mut(key) else {
        if case.document.get(key).is_none_or(|value| !value.is_string()) {
            case.document[key] = json!([user]);
        }
        return;
    };
    if top != key {
        *list = vec![user];
        return;
    }
    let (is_result, is_model) = is(&list[0]);
    let before = if is_result { vec![user.clone(), call.clone()] } else { vec![user.clone()] };
    let added = before.len();
    let message = list.pop().unwrap();
    *list = before;
    list.push(message);
    if is_model {
        list.push(user);
    }
    case.steps[1] = Step::Index(added);
}

fn tools(case: &mut Case, top: &str, wants: &[&str], tool: Value) {
    if wants.contains(&top) {
        case.document["tools"] = json!([tool]);
    }
}
