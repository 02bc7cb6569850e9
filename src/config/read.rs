//! Checks the tree of a configuration and makes a [`Config`] of it.

mod tuning;

use serde_json::{Map, Value};

use tuning::Tuning;

use super::place::Place;
use super::words::{list, nearest, nearest_few};
use super::{Alias, Config, Debug, ECHO, Model, Problem, Provider, Store, VARIABLE, tree};
use crate::backends::Endpoints;
use crate::diagnostics::{self, Level, Levels};
use crate::ir;
use crate::secret::Secret;

/// The keys of an object of the configuration.
struct Keys {
    /// Those that are read.
    known: &'static [&'static str],
    /// Those that a later version will read.
    later: &'static [&'static str],
}

const TOP: Keys = Keys {
    known: &["version", "providers", "aliases", "diagnostics", "debug", "store", "fetchMedia"],
    later: &["keys", "limits", "explorer"],
};
const DEBUG: Keys = Keys { known: &["dumpIr"], later: &[] };
const STORE: Keys = Keys { known: &["ttlSeconds", "maxBytes", "maxTotalBytes", "path"], later: &[] };
const FETCH: Keys = Keys { known: &["maxBytes", "maxUrls", "timeoutMs", "allowHosts"], later: &[] };
const PROVIDER: Keys = Keys {
    known: &[
        "type",
        "baseURL",
        "apiKey",
        "apiKeyEnv",
        "headers",
        "endpoints",
        "settings",
        "quirks",
        "options",
        "capabilities",
        "timeouts",
        "upstreamDelivery",
        "models",
    ],
    later: &["retries", "strategy", "fallbacks", "preset"],
};
const ENDPOINTS: Keys = Keys { known: &["responsesPath", "chatCompletionsPath", "messagesPath"], later: &[] };
const QUIRKS: Keys = Keys { known: &["noInstructions", "noPreviousResponseId", "maxInstructionsChars"], later: &[] };
const OPTIONS: Keys = Keys { known: &["maxInstructionsChars", "reasoningEffort", "maxTokens"], later: &[] };
const CAPABILITIES: Keys = Keys {
    known: &[
        "efforts",
        "defaultEffort",
        "budget",
        "off",
        "adaptive",
        "betweenTools",
        "thinksUnasked",
        "showsThoughts",
        "signatures",
        "sampling",
        "temperatureWithTopP",
        "stops",
        "maxOutputTokens",
        "structuredOutputs",
        "forcedToolChoice",
        "customTools",
        "toolsWithEffort",
        "hostedWithFunctions",
        "mediaInResults",
        "mediaResolution",
        "mediaUrls",
        "prefill",
        "systemTurns",
        "developerRole",
        "cacheMarks",
        "maxCompletionTokens",
        "safetyIdentifier",
    ],
    later: &[],
};
const BUDGET: Keys = Keys { known: &["least", "most"], later: &[] };
const TIMEOUTS: Keys = Keys { known: &["connectMs", "firstByteMs", "idleMs", "totalMs"], later: &[] };
const MODEL: Keys =
    Keys { known: &["upstreamModel", "options", "quirks", "capabilities", "upstreamDelivery"], later: &[] };

/// Where a key belongs that stands in the wrong object.
const HOMES: &[(&Keys, &str)] = &[
    (&QUIRKS, "`quirks`"),
    (&OPTIONS, "`options`"),
    (&CAPABILITIES, "`capabilities`"),
    (&ENDPOINTS, "`endpoints`"),
    (&TIMEOUTS, "`timeouts`"),
    (&STORE, "`store`"),
    (&FETCH, "`fetchMedia`"),
    (&PROVIDER, "a provider"),
    (&MODEL, "an entry of `models`"),
    (&TOP, "the top of the configuration"),
];

/// All efforts.
const EFFORTS: &[ir::Effort] = &[
    ir::Effort::None,
    ir::Effort::Minimal,
    ir::Effort::Low,
    ir::Effort::Medium,
    ir::Effort::High,
    ir::Effort::Xhigh,
    ir::Effort::Max,
];

/// Headers that belong to the connection, or promise what the gateway does not do with answers.
const NOT_TO_BE_SET: &[&str] =
    &["accept-encoding", "connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Ends of addresses that the gateway adds by itself.
const ENDPOINT_ENDS: &[&str] = &["/chat/completions", "/responses", "/messages"];

/// What examples write in the place of a key.
const PLACEHOLDER: &str = "REPLACE_ME";

/// The shortest time that Workers KV keeps a value for.
const LEAST_TTL_SECONDS: u64 = 60;

/// The largest value that Workers KV keeps.
const MOST_RECORD_BYTES: usize = 25 << 20;

/// A Worker variable holds 5 KB; `wrangler dev` does not mind, `wrangler deploy` does.
const WORKER_VARIABLE_BYTES: usize = 5_000;

impl Config {
    /// Reads the configuration from the variable `ANY_API_CONFIG`. A text that is too long for one variable goes on in
    /// `ANY_API_CONFIG_1`, `ANY_API_CONFIG_2` and so on; the pieces are joined as they are.
    ///
    /// `settings` looks a variable up; `apiKeyEnv` reads keys through it too. `dialects` are the types of provider that
    /// there are backends for.
    ///
    /// # Errors
    /// Nothing can be used: there is no configuration, it is no JSON5, or has no version 1 or no providers. Whatever
    /// else was found to be wrong is told with it.
    pub fn read(settings: &dyn Fn(&str) -> Option<String>, dialects: &[&str]) -> Result<Self, Vec<Problem>> {
        let filled = |name: &str| settings(name).filter(|text| !text.is_empty());
        let numbered = |number: usize| format!("{VARIABLE}_{number}");
        let mut pieces: Vec<(String, String)> = Vec::new();
        pieces.extend(filled(VARIABLE).map(|text| (VARIABLE.to_owned(), text)));
        let mut number = 1;
        while let Some(text) = filled(&numbered(number)) {
            pieces.push((numbered(number), text));
            number += 1;
        }
        let mut findings = Findings::default();
        let behind_gap = numbered(number + 1);
        if filled(&behind_gap).is_some() {
            let message = format!("is left out, since {} is not set", numbered(number));
            findings.problems.push(Place::whole(&behind_gap).problem(message));
        }
        for (name, text) in &pieces {
            if text.len() > WORKER_VARIABLE_BYTES {
                let message = format!(
                    "has {} bytes, and a Worker variable holds {WORKER_VARIABLE_BYTES}: let the text go on in {}",
                    text.len(),
                    numbered(number)
                );
                findings.hints.push(Place::whole(name).problem(message));
            }
        }
        read_pieces(&pieces, settings, dialects, findings)
    }

    /// Reads the configuration from `text`; `name` is what problems of the text as a whole call it.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn read_text(
        name: &str,
        text: &str,
        settings: &dyn Fn(&str) -> Option<String>,
        dialects: &[&str],
    ) -> Result<Self, Vec<Problem>> {
        read_pieces(&[(name.to_owned(), text.to_owned())], settings, dialects, Findings::default())
    }
}

/// What was found while reading.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    hints: Vec<Problem>,
    /// Nothing can be used.
    fatal: bool,
}

/// What reading needs to know, and what it has found.
struct Reader<'a> {
    settings: &'a dyn Fn(&str) -> Option<String>,
    dialects: &'a [&'a str],
    findings: Findings,
}

fn read_pieces(
    pieces: &tree::Pieces,
    settings: &dyn Fn(&str) -> Option<String>,
    dialects: &[&str],
    mut findings: Findings,
) -> Result<Config, Vec<Problem>> {
    let Some((name, _)) = pieces.first().filter(|_| pieces.iter().any(|(_, text)| !text.trim().is_empty())) else {
        let message = "is not set; it has to hold the configuration, as .dev.vars.example shows";
        findings.problems.push(Place::whole(VARIABLE).problem(message));
        return Err(findings.problems);
    };
    let value = match tree::read(pieces) {
        Ok((value, twice)) => {
            findings.problems.extend(twice);
            value
        }
        Err(problem) => {
            findings.problems.push(problem);
            return Err(findings.problems);
        }
    };
    let mut reader = Reader { settings, dialects, findings };
    let config = reader.config(&Node { value: &value, place: Place::default() }, name);
    let Findings { problems, hints, fatal } = reader.findings;
    if fatal {
        return Err(problems);
    }
    Ok(Config { problems, hints, ..config })
}

/// A value of the tree, and where it stands.
struct Node<'a> {
    value: &'a Value,
    place: Place,
}

/// An object of the tree, and where it stands.
struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: Place,
}

impl<'a> Fields<'a> {
    fn get(&self, key: &str) -> Option<Node<'a>> {
        self.map.get(key).map(|value| Node { value, place: self.place.key(key) })
    }

    fn iter(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        self.map.iter().map(|(key, value)| (key.as_str(), Node { value, place: self.place.key(key) }))
    }
}

impl Reader<'_> {
    fn problem(&mut self, place: &Place, message: impl Into<String>) {
        self.findings.problems.push(place.problem(message));
    }

    fn hint(&mut self, place: &Place, message: impl Into<String>) {
        self.findings.hints.push(place.problem(message));
    }

    fn config(&mut self, node: &Node<'_>, name: &str) -> Config {
        let Some(map) = node.value.as_object() else {
            let quotes = if node.value.is_string() { "; are there quotes round the whole text?" } else { "" };
            self.problem(&Place::whole(name), format!("expected an object, found {}{quotes}", kind(node.value)));
            self.findings.fatal = true;
            return Config::default();
        };
        let top = Fields { map, place: Place::default() };
        self.keys(&top, &TOP);
        self.version(&top);
        let providers = self.providers(&top);
        let levels = top.get("diagnostics").map(|node| self.levels(&node)).unwrap_or_default();
        let debug = top.get("debug").map(|node| self.debug(&node)).unwrap_or_default();
        let store = top.get("store").map(|node| self.store(&node));
        let fetch_media = top.get("fetchMedia").and_then(|node| self.fetch_media(&node));
        let mut config = Config { providers, levels, debug, store, fetch_media, ..Config::default() };
        if let Some(node) = top.get("aliases") {
            config.aliases = self.aliases(&node, &config);
        }
        config
    }

    fn version(&mut self, top: &Fields<'_>) {
        let place = top.place.key("version");
        let message = match top.map.get("version") {
            Some(version) if version.as_f64() == Some(1.0) => return,
            Some(_) => "must be the number 1, the only version that there is",
            None => "is missing; it must be 1",
        };
        self.problem(&place, message);
        self.findings.fatal = true;
    }

    fn providers(&mut self, top: &Fields<'_>) -> Vec<Provider> {
        let Some(node) = top.get("providers") else {
            self.problem(&top.place.key("providers"), "is missing; at least one provider is needed");
            self.findings.fatal = true;
            return Vec::new();
        };
        let Some(fields) = self.any_object(&node) else {
            self.findings.fatal = true;
            return Vec::new();
        };
        if fields.map.is_empty() {
            self.problem(&fields.place, "is empty; at least one provider is needed");
            self.findings.fatal = true;
        }
        fields.iter().map(|(id, node)| self.provider(id, &node)).collect()
    }

    fn provider(&mut self, id: &str, node: &Node<'_>) -> Provider {
        if id.is_empty() {
            self.problem(&node.place, "a provider's id must not be empty");
        } else if id.contains(['.', '/']) {
            self.problem(&node.place, "a provider's id must hold no `.` and no `/`");
        } else if id.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.problem(&node.place, "a provider's id must hold no space");
        }
        let mut out = Provider { id: id.to_owned(), ..Provider::default() };
        let Some(fields) = self.object(node, &PROVIDER) else {
            return out;
        };
        out.dialect = self.dialect(&fields);
        out.base_urls = self.base_urls(&fields, &out.dialect);
        out.api_keys = self.api_keys(&fields);
        if let Some(node) = fields.get("headers") {
            out.headers = self.headers(&node);
        }
        if let Some(node) = fields.get("endpoints") {
            out.endpoints = self.endpoints(&node);
        }
        if let Some(fields) = fields.get("settings").and_then(|node| self.any_object(&node)) {
            out.settings = fields.map.clone();
        }
        if let Some(node) = fields.get("timeouts") {
            out.timeouts = self.timeouts(&node);
        }
        let tuning = self.tuning(&fields);
        out.models = self.models(&fields, &tuning);
        out
    }

    fn dialect(&mut self, provider: &Fields<'_>) -> String {
        let known = format!("the types are {}", list(self.dialects.iter().copied(), "and"));
        let Some(node) = provider.get("type") else {
            self.problem(&provider.place.key("type"), format!("is missing; {known}"));
            return String::new();
        };
        let Some(dialect) = self.text(&node) else {
            return String::new();
        };
        if !self.dialects.contains(&dialect) {
            let meant = meant(nearest(dialect, self.dialects.iter().copied()));
            self.problem(&node.place, format!("there is no such type{meant}; {known}"));
        }
        dialect.to_owned()
    }

    fn base_urls(&mut self, provider: &Fields<'_>, dialect: &str) -> Vec<String> {
        let Some(node) = provider.get("baseURL") else {
            if dialect != ECHO {
                self.problem(&provider.place.key("baseURL"), "is missing; it is the address of the upstream");
            }
            return Vec::new();
        };
        let mut out = Vec::new();
        for node in self.one_or_more(&node) {
            let Some(url) = self.text(&node) else { continue };
            let url = url.trim().trim_end_matches('/');
            if let Some(fault) = fault_of_url(url) {
                self.problem(&node.place, fault);
                continue;
            }
            if let Some(end) = ENDPOINT_ENDS.iter().find(|end| url.ends_with(**end)) {
                self.hint(&node.place, format!("the gateway adds `{end}` itself; it should likely be left off here"));
            }
            out.push(url.to_owned());
        }
        out
    }

    fn api_keys(&mut self, provider: &Fields<'_>) -> Vec<Secret> {
        let mut out = Vec::new();
        if let (Some(_), Some(node)) = (provider.get("apiKey"), provider.get("apiKeyEnv")) {
            self.problem(&node.place, "stands beside `apiKey`; only one of them can be given");
        }
        if let Some(node) = provider.get("apiKey") {
            for node in self.one_or_more(&node) {
                let Some(key) = self.text(&node) else { continue };
                out.extend(self.api_key(&node.place, key));
            }
        }
        if let Some(node) = provider.get("apiKeyEnv") {
            for node in self.one_or_more(&node) {
                let Some(name) = self.text(&node) else { continue };
                // The name is not repeated: it may be the key itself, put into the wrong field.
                match (self.settings)(name.trim()) {
                    Some(key) if !key.trim().is_empty() => out.extend(self.api_key(&node.place, &key)),
                    Some(_) => self.problem(&node.place, "the variable of this name is empty"),
                    None => self.problem(&node.place, "no variable of this name is set"),
                }
            }
        }
        out
    }

    fn api_key(&mut self, place: &Place, key: &str) -> Option<Secret> {
        let key = key.trim();
        if key.is_empty() {
            self.problem(place, "is empty; leave it out if the upstream wants no key");
            return None;
        }
        if !key.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.problem(place, "the key holds a character that no key can have");
            return None;
        }
        if key.contains(PLACEHOLDER) {
            self.hint(place, "is still the placeholder of the example");
        }
        Some(key.into())
    }

    fn headers(&mut self, node: &Node<'_>) -> Vec<(String, Secret)> {
        let Some(fields) = self.any_object(node) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for (name, node) in fields.iter() {
            let lower = name.to_ascii_lowercase();
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(token) {
                self.problem(&node.place, "this is no name of a header");
                continue;
            }
            if NOT_TO_BE_SET.contains(&lower.as_str()) {
                self.problem(&node.place, "this header is not to be set");
                continue;
            }
            let Some(value) = self.text(&node) else { continue };
            if !value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
                self.problem(&node.place, "the value holds a character that no header can carry");
                continue;
            }
            out.push((lower, value.trim().into()));
        }
        out
    }

    fn endpoints(&mut self, node: &Node<'_>) -> Endpoints {
        let Some(fields) = self.object(node, &ENDPOINTS) else {
            return Endpoints::default();
        };
        let mut path = |key: &str| {
            let node = fields.get(key)?;
            let path = self.text(&node)?;
            if !path.starts_with('/') {
                self.problem(&node.place, "must begin with `/`");
                return None;
            }
            if !is_of_url(path) {
                self.problem(&node.place, "holds a character that no URL can have");
                return None;
            }
            Some(path.to_owned())
        };
        Endpoints {
            responses_path: path("responsesPath"),
            chat_completions_path: path("chatCompletionsPath"),
            messages_path: path("messagesPath"),
        }
    }

    fn models(&mut self, provider: &Fields<'_>, tuning: &Tuning) -> Vec<Model> {
        let needed = "at least one model is needed; `\"*\": {}` lets any name through";
        let Some(node) = provider.get("models") else {
            self.problem(&provider.place.key("models"), format!("is missing; {needed}"));
            return Vec::new();
        };
        let Some(fields) = self.any_object(&node) else {
            return Vec::new();
        };
        if fields.map.is_empty() {
            self.problem(&fields.place, format!("is empty; {needed}"));
        }
        fields.iter().map(|(name, node)| self.model(name, &node, tuning)).collect()
    }

    fn model(&mut self, name: &str, node: &Node<'_>, provider: &Tuning) -> Model {
        if name.is_empty() || name.chars().any(char::is_control) {
            self.problem(&node.place, "a model's name must not be empty, and be of one line");
        } else if name != "*" && name.contains('*') {
            self.problem(&node.place, "a `*` must stand alone; patterns are for `aliases`");
        }
        let mut out = Model { name: name.to_owned(), ..Model::default() };
        let Some(fields) = self.object(node, &MODEL) else {
            return out;
        };
        if let Some(node) = fields.get("upstreamModel") {
            let upstream = self.text(&node).map(str::trim);
            if upstream.is_some_and(|name| name.is_empty() || name.chars().any(char::is_control)) {
                self.problem(&node.place, "must not be empty, and be of one line");
            }
            out.upstream = upstream.map(ToOwned::to_owned);
        }
        (out.quirks, out.options, out.capabilities, out.delivery) = self.tuning(&fields).over(provider);
        out
    }

    fn aliases(&mut self, node: &Node<'_>, config: &Config) -> Vec<Alias> {
        let Some(fields) = self.any_object(node) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for (name, node) in fields.iter() {
            if name.is_empty() || name.chars().any(char::is_control) {
                self.problem(&node.place, "an alias must not be empty, and be of one line");
                continue;
            }
            let Some(target) = self.text(&node) else { continue };
            if config.find(target).is_none() {
                let fault = match target {
                    _ if fields.map.contains_key(target) => "names another alias".to_owned(),
                    _ => {
                        let known: Vec<_> = config.listed().map(|listed| listed.id).collect();
                        let few = nearest_few(target, known.iter().map(String::as_str), 1);
                        format!("names no model{}", meant(few.first().copied()))
                    }
                };
                self.problem(
                    &node.place,
                    format!("{fault}; it has to be a `provider.modelName` of this configuration"),
                );
                continue;
            }
            if config.exact(name).is_some() {
                self.hint(&node.place, "is never used: a model of this very name comes first");
            }
            out.push(Alias { name: name.to_owned(), target: target.to_owned() });
        }
        out
    }

    fn levels(&mut self, node: &Node<'_>) -> Levels {
        let mut out = Levels::default();
        let Some(fields) = self.any_object(node) else {
            return out;
        };
        for (name, node) in fields.iter() {
            let code = diagnostics::named(name);
            if code.is_none() && name != "default" {
                let known = diagnostics::codes::ALL.iter().map(|code| code.name).chain(["default"]);
                let meant = meant(nearest(name, known));
                self.problem(&node.place, format!("there is no such code{meant}; `any-api codes` lists them"));
            }
            let Some(text) = self.text(&node) else { continue };
            let Some(level) = Level::named(text) else {
                let names = [Level::Allow, Level::Note, Level::Warn, Level::Deny].map(Level::name);
                self.problem(&node.place, format!("there is no such level; expected {}", list(names, "or")));
                continue;
            };
            match code {
                Some(code) => out.codes.push((code, level)),
                None if name == "default" => out.default = Some(level),
                None => {}
            }
        }
        out
    }

    fn debug(&mut self, node: &Node<'_>) -> Debug {
        let dump_ir = self
            .object(node, &DEBUG)
            .and_then(|fields| fields.get("dumpIr"))
            .and_then(|node| self.flag(&node))
            .unwrap_or(Debug::default().dump_ir);
        Debug { dump_ir }
    }

    fn store(&mut self, node: &Node<'_>) -> Store {
        let mut out = Store::default();
        let Some(fields) = self.object(node, &STORE) else {
            return out;
        };
        if let Some(node) = fields.get("ttlSeconds") {
            let seconds = self.count(&node);
            if seconds.is_some_and(|seconds| seconds < LEAST_TTL_SECONDS) {
                self.problem(&node.place, format!("must be at least {LEAST_TTL_SECONDS}, which Workers KV insists on"));
            }
            out.ttl_seconds = seconds.unwrap_or(out.ttl_seconds).max(LEAST_TTL_SECONDS);
        }
        if let Some(node) = fields.get("maxBytes") {
            let bytes = self.count(&node).and_then(|bytes| usize::try_from(bytes).ok());
            if bytes.is_some_and(|bytes| bytes > MOST_RECORD_BYTES) {
                self.problem(
                    &node.place,
                    format!("must be at most {MOST_RECORD_BYTES}, which is what Workers KV takes"),
                );
            }
            out.max_bytes = bytes.unwrap_or(out.max_bytes).min(MOST_RECORD_BYTES);
        }
        if let Some(bytes) = fields.get("maxTotalBytes").and_then(|node| self.count(&node)) {
            out.max_total_bytes = bytes;
        }
        if let Some(node) = fields.get("path") {
            out.path = self.text(&node).map(|path| path.trim().to_owned());
            if out.path.as_ref().is_some_and(String::is_empty) {
                self.problem(&node.place, "is empty; leave it out to keep conversations in memory");
                out.path = None;
            }
        }
        out
    }

    /// An object whose keys are `keys`.
    fn object<'a>(&mut self, node: &Node<'a>, keys: &Keys) -> Option<Fields<'a>> {
        let fields = self.any_object(node)?;
        self.keys(&fields, keys);
        Some(fields)
    }

    /// An object whose keys are the user's.
    fn any_object<'a>(&mut self, node: &Node<'a>) -> Option<Fields<'a>> {
        let map = node.value.as_object();
        if map.is_none() {
            self.problem(&node.place, format!("expected an object, found {}", kind(node.value)));
        }
        Some(Fields { map: map?, place: node.place.clone() })
    }

    /// Reports keys that are not among `keys`.
    fn keys(&mut self, fields: &Fields<'_>, keys: &Keys) {
        for (key, node) in fields.iter() {
            if keys.known.contains(&key) {
                continue;
            }
            if keys.later.contains(&key) {
                self.problem(&node.place, "is not supported yet by this version");
                continue;
            }
            let home = HOMES.iter().find(|(home, _)| home.known.contains(&key)).map(|(_, home)| *home);
            let message = match (nearest(key, keys.known.iter().copied()), home) {
                (_, Some(home)) => format!("there is no such key here; it belongs in {home}"),
                (Some(meant), None) => format!("there is no such key; did you mean `{meant}`?"),
                (None, None) => {
                    format!("there is no such key; the keys are {}", list(keys.known.iter().copied(), "and"))
                }
            };
            self.problem(&node.place, message);
        }
    }

    fn text<'a>(&mut self, node: &Node<'a>) -> Option<&'a str> {
        let text = node.value.as_str();
        if text.is_none() {
            self.problem(&node.place, format!("expected a string, found {}", kind(node.value)));
        }
        text
    }

    fn flag(&mut self, node: &Node<'_>) -> Option<bool> {
        let flag = node.value.as_bool();
        if flag.is_none() {
            self.problem(&node.place, format!("expected true or false, found {}", kind(node.value)));
        }
        flag
    }

    /// A whole number of at least 1.
    fn count(&mut self, node: &Node<'_>) -> Option<u64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
        let whole = |number: f64| (number.fract() == 0.0 && (0.0..9.0e15).contains(&number)).then_some(number as u64);
        let number = node.value.as_u64().or_else(|| node.value.as_f64().and_then(whole));
        if number.is_none_or(|number| number == 0) {
            let found = if node.value.is_number() { "another number" } else { kind(node.value) };
            self.problem(&node.place, format!("expected a whole number of at least 1, found {found}"));
            return None;
        }
        number
    }

    /// The elements of a list, or the one value that stands in its place.
    fn one_or_more<'a>(&mut self, node: &Node<'a>) -> Vec<Node<'a>> {
        let Some(values) = node.value.as_array() else {
            return vec![Node { value: node.value, place: node.place.clone() }];
        };
        if values.is_empty() {
            self.problem(&node.place, "the list is empty");
        }
        values.iter().enumerate().map(|(index, value)| Node { value, place: node.place.index(index) }).collect()
    }
}

/// What a value is, in words that do not tell the value.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn meant(word: Option<&str>) -> String {
    word.map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default()
}

/// What is wrong with a base URL.
fn fault_of_url(url: &str) -> Option<&'static str> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let Some(rest) = scheme.and_then(|scheme| url.get(scheme.len()..)) else {
        return Some("must begin with `https://` or `http://`");
    };
    let host = rest.split('/').next().unwrap_or_default();
    let faults = [
        (rest.contains(['?', '#']), "must hold no `?` and no `#`"),
        (host.is_empty(), "names no host"),
        (host.contains('@'), "must hold no user name or password; use `apiKey` or `headers`"),
        (!is_of_url(rest), "holds a character that no URL can have"),
    ];
    faults.into_iter().find(|(is_so, _)| *is_so).map(|(_, fault)| fault)
}

/// Whether all characters may stand in a URL.
fn is_of_url(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte))
}
