//! `ANY_API_CONFIG`: what is read, what is refused and in which words, and which upstream a name stands for.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may fail so")]

use any_api::config::{Config, Problem, Store, Timeouts};
use any_api::diagnostics::{Level, codes};
use any_api::error::Kind;
use any_api::fetch::Rules;
use any_api::ir::{Delivery, Effort};

const DIALECTS: &[&str] = &["openai-responses", "openai-chat-completions", "claude", "gemini", "echo"];

/// A key that must never be seen.
const CANARY: &str = "sk-canary-3f9a";

fn read_with(variables: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let settings =
        |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
    Config::read(&settings, DIALECTS)
}

fn read(text: &str) -> Config {
    let config = read_with(&[("ANY_API_CONFIG", text)]).unwrap();
    assert_eq!(told(&config.problems), [""; 0], "in {text}");
    config
}

fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// Everything that is wrong with a text.
fn problems(text: &str) -> Vec<String> {
    match read_with(&[("ANY_API_CONFIG", text)]) {
        Ok(config) => told(&config.problems),
        Err(problems) => told(&problems),
    }
}

/// A text with one provider `up` whose fields are `fields`, besides what every provider needs.
fn provider(fields: &str) -> String {
    format!(
        r#"{{ "version": 1, "providers": {{ "up": {{
            "type": "claude", "baseURL": "https://up.example", "models": {{ "main": {{}} }}, {fields}
        }} }} }}"#
    )
}

/// The same, without what every provider needs.
fn bare(fields: &str) -> String {
    format!(r#"{{ "version": 1, "providers": {{ "up": {{ {fields} }} }} }}"#)
}

#[test]
fn the_first_example_of_the_mission_is_read() {
    let config = read(
        r#"{ "version": 1, "providers": { "rightcode": { "type": "openai-responses",
            "baseURL": "https://www.right.codes/codex", "apiKey": "REPLACE_ME",
            "quirks": { "noInstructions": true, "noPreviousResponseId": true },
            "models": { "main": { "upstreamModel": "gpt-5.2",
                "options": { "reasoningEffort": "high", "maxInstructionsChars": 12000 } } } } } }"#,
    );
    let resolved = config.resolve("rightcode.main").unwrap();
    assert_eq!(resolved.dialect, "openai-responses");
    assert!(resolved.quirks.no_instructions);
    assert!(resolved.quirks.no_previous_response_id);
    assert_eq!(resolved.quirks.max_instructions_chars, Some(12_000));
    assert_eq!(resolved.options.reasoning_effort, Some(Effort::High));
    assert_eq!(resolved.options.max_tokens, None);
    assert_eq!(resolved.targets.len(), 1);
    let target = &resolved.targets[0];
    assert_eq!(target.provider, "rightcode");
    assert_eq!(target.model, "gpt-5.2");
    assert_eq!(target.base_url, "https://www.right.codes/codex");
    assert_eq!(target.url("v1", "/responses"), "https://www.right.codes/codex/v1/responses");
    assert_eq!(target.api_key.as_ref().unwrap().expose(), "REPLACE_ME");
    assert_eq!(told(&config.hints), ["providers.rightcode.apiKey: is still the placeholder of the example"]);
}

#[test]
fn the_second_example_of_the_mission_is_read() {
    let config = read(
        r#"{
        "version": 1,
        "providers": {
        "rightcode": {
        "type": "openai-responses",
        "baseURL": "https://www.right.codes/codex",
        "apiKey": "REPLACE_ME",
        "quirks": { "noInstructions": true, "noPreviousResponseId": true },
        "models": { "main": { "upstreamModel": "gpt-5.2" } }
        },
        "google": {
        "type": "gemini",
        "baseURL": "https://generativelanguage.googleapis.com",
        "apiKey": "REPLACE_ME",
        "models": { "main": { "upstreamModel": "gemini-3-pro-preview" } }
        }
        }
        }"#,
    );
    assert_eq!(config.resolve("rightcode.main").unwrap().targets[0].model, "gpt-5.2");
    let google = config.resolve("google.main").unwrap();
    assert_eq!(google.dialect, "gemini");
    assert_eq!(google.targets[0].model, "gemini-3-pro-preview");
    assert!(!google.quirks.no_instructions);
    let ids: Vec<_> = config.listed().map(|listed| listed.id).collect();
    assert_eq!(ids, ["rightcode.main", "google.main"]);
}

#[test]
fn comments_trailing_commas_and_bare_keys_are_taken() {
    let config = read(
        "\u{feff}{ // the version
            version: 1, /* and */ providers: { 'up': { type: \"echo\", models: { echo: {}, }, }, },
        }",
    );
    let resolved = config.resolve("up.echo").unwrap();
    assert_eq!(resolved.dialect, "echo");
    assert_eq!(resolved.targets.len(), 1);
    assert_eq!(resolved.targets[0].model, "echo");
    assert_eq!(resolved.targets[0].base_url, "");
}

#[test]
fn every_key_reaches_the_target() {
    let config = read(
        r#"{ "version": 1, "providers": { "up": {
            "type": "openai-chat-completions",
            "baseURL": "HTTP://localhost:8080/base//",
            "apiKey": "  key  ",
            "headers": { "X-Team": "a" },
            "endpoints": { "responsesPath": "/r", "chatCompletionsPath": "/c?api-version=2", "messagesPath": "/m" },
            "settings": { "region": "eu" },
            "options": { "maxTokens": 4096.0 },
            "models": { "gpt-5.2": {} }
        } },
        "diagnostics": { "default": "note", "sampling-dropped": "deny" },
        "debug": { "dumpIr": false } }"#,
    );
    let resolved = config.resolve("up.gpt-5.2").unwrap();
    let target = &resolved.targets[0];
    assert_eq!(target.model, "gpt-5.2");
    assert_eq!(target.base_url, "HTTP://localhost:8080/base");
    assert_eq!(target.api_key.as_ref().unwrap().expose(), "key");
    assert_eq!(target.headers, [("x-team".to_owned(), "a".to_owned())]);
    assert_eq!(target.endpoints.responses_path.as_deref(), Some("/r"));
    assert_eq!(target.endpoints.chat_completions_path.as_deref(), Some("/c?api-version=2"));
    assert_eq!(target.endpoints.messages_path.as_deref(), Some("/m"));
    assert_eq!(target.settings["region"], "eu");
    assert_eq!(target.max_tokens, Some(4096));
    assert_eq!(resolved.options.max_tokens, Some(4096));
    assert_eq!(config.levels.level(&codes::SAMPLING_DROPPED), Level::Deny);
    assert_eq!(config.levels.level(&codes::STOP_UNSUPPORTED), Level::Note);
    assert!(!config.debug.dump_ir);
    assert!(read(&provider("")).debug.dump_ir);
}

#[test]
fn the_models_quirks_and_options_win_over_the_providers() {
    let config = read(&bare(
        r#""type": "claude", "baseURL": "https://up.example",
        "quirks": { "noInstructions": true, "noPreviousResponseId": true, "maxInstructionsChars": 100 },
        "options": { "reasoningEffort": "low", "maxTokens": 10 },
        "models": { "plain": {}, "own": {
            "quirks": { "noInstructions": false },
            "options": { "maxInstructionsChars": 200, "reasoningEffort": "none" } } }"#,
    ));
    let plain = config.resolve("up.plain").unwrap();
    assert!(plain.quirks.no_instructions && plain.quirks.no_previous_response_id);
    assert_eq!(plain.quirks.max_instructions_chars, Some(100));
    assert_eq!(plain.options.reasoning_effort, Some(Effort::Low));
    let own = config.resolve("up.own").unwrap();
    assert!(!own.quirks.no_instructions && own.quirks.no_previous_response_id);
    assert_eq!(own.quirks.max_instructions_chars, Some(200));
    assert_eq!(own.options.reasoning_effort, Some(Effort::None));
    assert_eq!(own.options.max_tokens, Some(10));
}

#[test]
fn a_limit_given_twice_must_be_one() {
    let text = |other: u32| {
        provider(&format!(
            r#""quirks": {{ "maxInstructionsChars": 7 }}, "options": {{ "maxInstructionsChars": {other} }}"#
        ))
    };
    assert_eq!(read(&text(7)).resolve("up.main").unwrap().quirks.max_instructions_chars, Some(7));
    assert_eq!(
        problems(&text(8)),
        ["providers.up.options.maxInstructionsChars: differs from the one in `quirks` beside it"]
    );
}

#[test]
fn every_base_url_is_a_target_with_every_key() {
    let config = read_with(&[
        (
            "ANY_API_CONFIG",
            &bare(
                r#""type": "claude", "baseURL": ["https://a.example", "https://b.example/"],
                "apiKeyEnv": ["ONE", "TWO"], "models": { "main": {} }"#,
            ),
        ),
        ("ONE", "1\n"),
        ("TWO", "2"),
    ])
    .unwrap();
    let targets = config.resolve("up.main").unwrap().targets;
    let targets: Vec<_> =
        targets.iter().map(|target| (target.base_url.as_str(), target.api_key.as_ref().unwrap().expose())).collect();
    assert_eq!(
        targets,
        [
            ("https://a.example", "1"),
            ("https://a.example", "2"),
            ("https://b.example", "1"),
            ("https://b.example", "2")
        ]
    );
}

#[test]
fn without_a_key_none_is_sent() {
    assert!(read(&provider("")).resolve("up.main").unwrap().targets[0].api_key.is_none());
}

// Pieces.

#[test]
fn a_text_can_be_cut_anywhere() {
    let text = provider(r#""apiKey": "abc" "#);
    for cut in 1..text.len() {
        let (first, second) = text.split_at(cut);
        let config = read_with(&[("ANY_API_CONFIG", first), ("ANY_API_CONFIG_1", second)]).unwrap();
        assert!(config.resolve("up.main").is_ok(), "cut at {cut}");
    }
}

#[test]
fn many_pieces_are_joined_in_order_and_a_gap_ends_them() {
    let text = provider("");
    let names: Vec<String> = (0..12)
        .map(|number| if number == 0 { "ANY_API_CONFIG".to_owned() } else { format!("ANY_API_CONFIG_{number}") })
        .collect();
    let size = text.len().div_ceil(names.len());
    let mut variables: Vec<(&str, &str)> = Vec::new();
    for (name, start) in names.iter().zip((0..text.len()).step_by(size)) {
        variables.push((name, &text[start..(start + size).min(text.len())]));
    }
    assert_eq!(variables.len(), 12);
    assert!(read_with(&variables).unwrap().resolve("up.main").is_ok());

    let config = read_with(&[("ANY_API_CONFIG", &text), ("ANY_API_CONFIG_2", "never read")]).unwrap();
    assert_eq!(told(&config.problems), ["ANY_API_CONFIG_2: is left out, since ANY_API_CONFIG_1 is not set"]);
    assert!(config.resolve("up.main").is_ok());
}

#[test]
fn the_pieces_may_be_numbered_from_one() {
    assert!(read_with(&[("ANY_API_CONFIG_1", &provider(""))]).unwrap().resolve("up.main").is_ok());
}

#[test]
fn a_piece_too_long_for_a_worker_is_a_hint() {
    let text = format!("{}{}", provider(""), " ".repeat(5_000));
    let hints = told(&read(&text).hints);
    assert_eq!(hints.len(), 1);
    assert!(hints[0].starts_with("ANY_API_CONFIG: has 51"), "{hints:?}");
    assert!(hints[0].ends_with("a Worker variable holds 5000: let the text go on in ANY_API_CONFIG_1"), "{hints:?}");
}

// What makes everything unusable.

fn fatal(variables: &[(&str, &str)]) -> Vec<String> {
    told(&read_with(variables).unwrap_err())
}

#[test]
fn a_missing_configuration_says_which_variable_to_set() {
    let expected = ["ANY_API_CONFIG: is not set; it has to hold the configuration, as .dev.vars.example shows"];
    assert_eq!(fatal(&[]), expected);
    assert_eq!(fatal(&[("ANY_API_CONFIG", " \n")]), expected);
}

#[test]
fn a_syntax_error_tells_variable_line_and_column() {
    let told = |text: &str| fatal(&[("ANY_API_CONFIG", text)]);
    assert_eq!(told("{\n  version: 1\n  providers: {} }"), ["ANY_API_CONFIG: line 3, column 3: expected comma"]);
    assert_eq!(
        told("{ version: 1, providers: {"),
        ["ANY_API_CONFIG: line 1, column 26, in providers: the text ends before the object does"]
    );
    assert_eq!(
        told("{ providers: { a: { models: { b: { upstreamModel 'c' } } } } }"),
        ["ANY_API_CONFIG: line 1, column 50, in providers.a.models.b: expected colon"]
    );
    assert_eq!(told("{} {}"), ["ANY_API_CONFIG: line 1, column 4: trailing characters"]);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(told(&deep)[0].contains("the nesting is too deep"), "{:?}", told(&deep));
    assert!(told("{ version: Infinity }")[0].contains("Infinity and NaN mean nothing here"));
    let pieces = [("ANY_API_CONFIG", "{ version: 1,\n prov"), ("ANY_API_CONFIG_1", "iders: {\n  up ! {} } }")];
    assert_eq!(fatal(&pieces), ["ANY_API_CONFIG_1: line 2, column 6, in providers: expected colon"]);
    let pieces = [("ANY_API_CONFIG", "{ version: 1,\n prov"), ("ANY_API_CONFIG_1", "iders ! {} }")];
    assert_eq!(fatal(&pieces), ["ANY_API_CONFIG_1: line 1, column 7: expected colon"]);
}

#[test]
fn the_name_of_a_file_stands_for_the_variable() {
    let problems = Config::read_text("any-api.jsonc", "[]", &|_| None, DIALECTS).unwrap_err();
    assert_eq!(told(&problems), ["any-api.jsonc: expected an object, found a list"]);
    let quoted = fatal(&[("ANY_API_CONFIG", "'{ \"version\": 1 }'")]);
    assert_eq!(quoted, ["ANY_API_CONFIG: expected an object, found a string; are there quotes round the whole text?"]);
}

#[test]
fn without_version_or_providers_nothing_can_be_used_and_the_rest_is_told_too() {
    assert_eq!(
        fatal(&[("ANY_API_CONFIG", "{ providers: {}, debug: 1 }")]),
        [
            "version: is missing; it must be 1",
            "providers: is empty; at least one provider is needed",
            "debug: expected an object, found a number",
        ]
    );
    assert_eq!(
        fatal(&[("ANY_API_CONFIG", "{ version: '1' }")]),
        [
            "version: must be the number 1, the only version that there is",
            "providers: is missing; at least one provider is needed",
        ]
    );
    assert_eq!(
        fatal(&[("ANY_API_CONFIG", "{ version: 2, providers: [] }")]),
        [
            "version: must be the number 1, the only version that there is",
            "providers: expected an object, found a list",
        ]
    );
}

// Single mistakes.

#[test]
fn mistakes_of_a_provider() {
    let needed = "at least one model is needed; `\"*\": {}` lets any name through";
    let types = "the types are `openai-responses`, `openai-chat-completions`, `claude`, `gemini` and `echo`";
    assert_eq!(
        problems(&bare("")),
        [
            format!("providers.up.type: is missing; {types}"),
            "providers.up.baseURL: is missing; it is the address of the upstream".to_owned(),
            format!("providers.up.models: is missing; {needed}"),
        ]
    );
    assert_eq!(
        problems(&bare("type: 'openai', baseURL: [], models: {}")),
        [
            format!("providers.up.type: there is no such type (did you mean `openai-responses`?); {types}"),
            "providers.up.baseURL: the list is empty".to_owned(),
            format!("providers.up.models: is empty; {needed}"),
        ]
    );
    assert_eq!(
        problems(&bare("type: 5, baseURL: {}, models: []")),
        [
            "providers.up.type: expected a string, found a number",
            "providers.up.baseURL: expected a string, found an object",
            "providers.up.models: expected an object, found a list",
        ]
    );
    assert_eq!(problems("{ version: 1, providers: { up: null } }"), ["providers.up: expected an object, found null"]);
    assert_eq!(
        problems(&bare("type: 'bedrock', baseURL: 'https://a.example', models: { main: {} }")),
        [format!("providers.up.type: there is no such type; {types}")]
    );
}

#[test]
fn ids_of_providers() {
    let told = |id: &str| {
        problems(&format!("{{ version: 1, providers: {{ '{id}': {{ type: 'echo', models: {{ a: {{}} }} }} }} }}"))
    };
    assert_eq!(told("a.b"), ["providers[\"a.b\"]: a provider's id must hold no `.` and no `/`"]);
    assert_eq!(told("a/b"), ["providers[\"a/b\"]: a provider's id must hold no `.` and no `/`"]);
    assert_eq!(told(""), ["providers[\"\"]: a provider's id must not be empty"]);
    assert_eq!(told("a b"), ["providers[\"a b\"]: a provider's id must hold no space"]);
    assert_eq!(told("provider-id_2"), [""; 0]);
}

#[test]
fn base_urls() {
    let wrong = |url: &str| problems(&bare(&format!("type: 'claude', models: {{ a: {{}} }}, baseURL: '{url}'")));
    let place = "providers.up.baseURL: ";
    for (url, message) in [
        ("", "must begin with `https://` or `http://`"),
        ("up.example", "must begin with `https://` or `http://`"),
        ("ftp://up.example", "must begin with `https://` or `http://`"),
        ("https://", "must begin with `https://` or `http://`"),
        ("https:///path", "names no host"),
        ("https://up.example/?key=1", "must hold no `?` and no `#`"),
        ("https://up.example/#a", "must hold no `?` and no `#`"),
        ("https://me:word@up.example", "must hold no user name or password; use `apiKey` or `headers`"),
        ("https://up.example/{account}", "holds a character that no URL can have"),
        ("https://up.example/a b", "holds a character that no URL can have"),
    ] {
        assert_eq!(wrong(url), [format!("{place}{message}")], "{url}");
    }
    for url in ["http://127.0.0.1:8080", "https://up.example/v1/", "HTTPS://up.example", " https://[::1]:80 "] {
        assert_eq!(wrong(url), [""; 0], "{url}");
    }
    let text = bare("type: 'claude', models: { a: {} }, baseURL: ['https://a.example', 'b.example', 5]");
    assert_eq!(
        problems(&text),
        [
            "providers.up.baseURL[1]: must begin with `https://` or `http://`",
            "providers.up.baseURL[2]: expected a string, found a number",
        ]
    );
    let hints = read(&bare("type: 'claude', models: { a: {} }, baseURL: 'https://a.example/v1/messages'")).hints;
    assert_eq!(
        told(&hints),
        ["providers.up.baseURL: the gateway adds `/messages` itself; it should likely be left off here"]
    );
}

#[test]
fn keys_of_upstreams() {
    for (fields, message) in [
        ("apiKey: ''", "apiKey: is empty; leave it out if the upstream wants no key"),
        ("apiKey: 5", "apiKey: expected a string, found a number"),
        ("apiKey: []", "apiKey: the list is empty"),
        ("apiKey: ['a', null]", "apiKey[1]: expected a string, found null"),
        ("apiKey: 'schlüssel'", "apiKey: the key holds a character that no key can have"),
        ("apiKeyEnv: 'NONE'", "apiKeyEnv: no variable of this name is set"),
        ("apiKeyEnv: ['FILLED', 'EMPTY']", "apiKeyEnv[1]: the variable of this name is empty"),
        ("apiKeyEnv: true", "apiKeyEnv: expected a string, found true or false"),
        ("apiKey: 'a', apiKeyEnv: 'FILLED'", "apiKeyEnv: stands beside `apiKey`; only one of them can be given"),
    ] {
        let config = read_with(&[("ANY_API_CONFIG", &provider(fields)), ("FILLED", "key"), ("EMPTY", " ")]).unwrap();
        assert_eq!(told(&config.problems), [format!("providers.up.{message}")], "{fields}");
    }
}

#[test]
fn headers_and_endpoints() {
    for (fields, message) in [
        ("headers: []", "headers: expected an object, found a list"),
        ("headers: { 'x-team': 5 }", "headers.x-team: expected a string, found a number"),
        ("headers: { 'x team': 'a' }", "headers[\"x team\"]: this is no name of a header"),
        ("headers: { '': 'a' }", "headers[\"\"]: this is no name of a header"),
        ("headers: { 'Content-Length': '5' }", "headers.Content-Length: this header is not to be set"),
        ("headers: { a: 'b\\nc' }", "headers.a: the value holds a character that no header can carry"),
        ("endpoints: { responsesPath: 'v1' }", "endpoints.responsesPath: must begin with `/`"),
        ("endpoints: { messagesPath: '/a b' }", "endpoints.messagesPath: holds a character that no URL can have"),
        (
            "endpoints: { completionsPath: '/a' }",
            "endpoints.completionsPath: there is no such key; did you mean `chatCompletionsPath`?",
        ),
        ("settings: 'a'", "settings: expected an object, found a string"),
    ] {
        assert_eq!(problems(&provider(fields)), [format!("providers.up.{message}")], "{fields}");
    }
}

#[test]
fn quirks_options_and_models() {
    let count = "expected a whole number of at least 1, found";
    for (fields, message) in [
        (
            "quirks: { noInstructions: 'yes' }",
            "quirks.noInstructions: expected true or false, found a string".to_owned(),
        ),
        ("quirks: { maxInstructionsChars: 0 }", format!("quirks.maxInstructionsChars: {count} another number")),
        ("options: { maxTokens: -1 }", format!("options.maxTokens: {count} another number")),
        ("options: { maxTokens: 1.5 }", format!("options.maxTokens: {count} another number")),
        ("options: { maxTokens: '1' }", format!("options.maxTokens: {count} a string")),
        (
            "options: { reasoningEffort: 'extreme' }",
            "options.reasoningEffort: there is no such effort; expected `none`, `minimal`, `low`, `medium`, `high`, \
             `xhigh` or `max`"
                .to_owned(),
        ),
    ] {
        assert_eq!(problems(&provider(fields)), [format!("providers.up.{message}")], "{fields}");
    }
    for (models, message) in [
        ("main: null", ".main: expected an object, found null"),
        ("main: { upstreamModel: 5 }", ".main.upstreamModel: expected a string, found a number"),
        ("main: { upstreamModel: ' ' }", ".main.upstreamModel: must not be empty, and be of one line"),
        ("'gpt-5.2': { quirks: [] }", "[\"gpt-5.2\"].quirks: expected an object, found a list"),
        ("'gpt-*': {}", "[\"gpt-*\"]: a `*` must stand alone; patterns are for `aliases`"),
        ("'': {}", "[\"\"]: a model's name must not be empty, and be of one line"),
    ] {
        let text = bare(&format!("type: 'echo', models: {{ {models} }}"));
        assert_eq!(problems(&text), [format!("providers.up.models{message}")], "{models}");
    }
}

#[test]
fn unknown_keys_are_told_with_what_was_meant() {
    for (key, message) in [
        ("baseUrl", "there is no such key; did you mean `baseURL`?"),
        ("base_url", "there is no such key; did you mean `baseURL`?"),
        ("url", "there is no such key; did you mean `baseURL`?"),
        ("api_key", "there is no such key; did you mean `apiKey`?"),
        ("apikeyenv", "there is no such key; did you mean `apiKeyEnv`?"),
        ("header", "there is no such key; did you mean `headers`?"),
        ("model", "there is no such key; did you mean `models`?"),
        ("noInstructions", "there is no such key here; it belongs in `quirks`"),
        ("reasoningEffort", "there is no such key here; it belongs in `options`"),
        ("upstreamModel", "there is no such key here; it belongs in an entry of `models`"),
        ("responsesPath", "there is no such key here; it belongs in `endpoints`"),
        ("aliases", "there is no such key here; it belongs in the top of the configuration"),
        (
            "colour",
            "there is no such key; the keys are `type`, `baseURL`, `apiKey`, `apiKeyEnv`, `headers`, `endpoints`, \
             `settings`, `quirks`, `options`, `capabilities`, `timeouts`, `upstreamDelivery` and `models`",
        ),
    ] {
        let text = provider(&format!("{key}: {{}}"));
        assert_eq!(problems(&text), [format!("providers.up.{key}: {message}")]);
    }
    let text = provider("quirks: { noInstruction: true, noPreviousResponse: true }, options: { maxToken: 1 }");
    assert_eq!(
        problems(&text),
        [
            "providers.up.quirks.noInstruction: there is no such key; did you mean `noInstructions`?",
            "providers.up.quirks.noPreviousResponse: there is no such key; did you mean `noPreviousResponseId`?",
            "providers.up.options.maxToken: there is no such key; did you mean `maxTokens`?",
        ]
    );
    let text = bare("type: 'echo', models: { main: { upstreamModle: 'a', headers: {} } }");
    assert_eq!(
        problems(&text),
        [
            "providers.up.models.main.upstreamModle: there is no such key; did you mean `upstreamModel`?",
            "providers.up.models.main.headers: there is no such key here; it belongs in a provider",
        ]
    );
}

#[test]
fn keys_of_later_versions_are_not_taken_in_silence() {
    for key in ["retries", "strategy", "fallbacks", "preset"] {
        let text = provider(&format!("{key}: {{}}"));
        assert_eq!(problems(&text), [format!("providers.up.{key}: is not supported yet by this version")]);
    }
    for key in ["keys", "limits", "explorer"] {
        let text = provider("").replacen('{', &format!("{{ {key}: {{}}, "), 1);
        assert_eq!(problems(&text), [format!("{key}: is not supported yet by this version")]);
    }
}

#[test]
fn what_may_be_fetched_is_off_unless_it_is_said() {
    let with = |fetch: &str| provider("").replacen('{', &format!("{{ fetchMedia: {fetch}, "), 1);
    assert_eq!(read(&provider("")).fetch_media, None);
    assert_eq!(read(&with("false")).fetch_media, None);
    assert_eq!(read(&with("true")).fetch_media, Some(Rules::default()));
    assert_eq!(read(&with("{}")).fetch_media, Some(Rules::default()));
    let given = read(&with("{ maxBytes: 5, maxUrls: 2, timeoutMs: 3, allowHosts: ['Files.Example', '[::1]:9'] }"));
    let allow_hosts = vec!["files.example".to_owned(), "[::1]:9".to_owned()];
    assert_eq!(given.fetch_media, Some(Rules { max_bytes: 5, max_urls: 2, timeout_ms: 3, allow_hosts }));
    for (fetch, message) in [
        ("5", "fetchMedia: expected true, false or an object, found a number"),
        ("{ maxByte: 5 }", "fetchMedia.maxByte: there is no such key; did you mean `maxBytes`?"),
        ("{ timeoutMs: 0 }", "fetchMedia.timeoutMs: expected a whole number of at least 1, found another number"),
        (
            "{ allowHosts: ['https://a.example'] }",
            "fetchMedia.allowHosts[0]: expected a host, perhaps with a port: `files.example`, `127.0.0.1:9000`",
        ),
    ] {
        assert_eq!(problems(&with(fetch)), [message], "{fetch}");
    }
}

#[test]
fn how_conversations_are_kept_is_read() {
    let with = |store: &str| provider("").replacen('{', &format!("{{ store: {store}, "), 1);
    assert_eq!(read(&provider("")).store, None);
    assert_eq!(read(&with("{}")).store, Some(Store::default()));
    let given = read(&with("{ ttlSeconds: 60, maxBytes: 2, maxTotalBytes: 3, path: ' kept.sqlite ' }"));
    let path = Some("kept.sqlite".to_owned());
    assert_eq!(given.store, Some(Store { ttl_seconds: 60, max_bytes: 2, max_total_bytes: 3, path }));
    for (store, message) in [
        ("5", "store: expected an object, found a number"),
        ("{ ttlSecond: 60 }", "store.ttlSecond: there is no such key; did you mean `ttlSeconds`?"),
        ("{ ttlSeconds: 59 }", "store.ttlSeconds: must be at least 60, which Workers KV insists on"),
        ("{ maxBytes: 26214401 }", "store.maxBytes: must be at most 26214400, which is what Workers KV takes"),
        ("{ maxTotalBytes: 0 }", "store.maxTotalBytes: expected a whole number of at least 1, found another number"),
        ("{ path: '' }", "store.path: is empty; leave it out to keep conversations in memory"),
    ] {
        assert_eq!(problems(&with(store)), [message]);
    }
}

#[test]
fn time_limits_are_read() {
    let usual = read(&provider("headers: {}")).resolve("up.main").unwrap().timeouts;
    assert_eq!(usual, Timeouts::default());
    let given = read(&provider("timeouts: { connectMs: 1, firstByteMs: 2, idleMs: 3, totalMs: 4 }"));
    let all = Timeouts { connect_ms: 1, first_byte_ms: 2, idle_ms: 3, total_ms: Some(4) };
    assert_eq!(given.resolve("up.main").unwrap().timeouts, all);
    let some = read(&provider("timeouts: { idleMs: 5 }")).resolve("up.main").unwrap().timeouts;
    assert_eq!(some, Timeouts { idle_ms: 5, ..Timeouts::default() });
    for (fields, message) in [
        ("timeouts: 5", "timeouts: expected an object, found a number"),
        ("timeouts: { idleMs: 0 }", "timeouts.idleMs: expected a whole number of at least 1, found another number"),
        ("timeouts: { idleMs: '5s' }", "timeouts.idleMs: expected a whole number of at least 1, found a string"),
        ("timeouts: { idle: 5 }", "timeouts.idle: there is no such key; did you mean `idleMs`?"),
        ("idleMs: 5", "idleMs: there is no such key here; it belongs in `timeouts`"),
    ] {
        assert_eq!(problems(&provider(fields)), [format!("providers.up.{message}")]);
    }
    let idle = read(&provider("timeouts: { idleMs: 500, totalMs: 400 }"));
    assert_eq!(told(&idle.hints), ["providers.up.timeouts.idleMs: never takes effect: it is longer than `totalMs`"]);
}

#[test]
fn an_upstream_is_asked_as_the_configuration_says() {
    let text = r#"{ version: 1, providers: { up: { type: 'claude', baseURL: 'https://up.example', upstreamDelivery: 'stream',
        models: { main: {}, auto: { upstreamDelivery: 'auto' }, whole: { upstreamDelivery: 'whole' } } } } }"#;
    let config = read(text);
    let delivery = |model: &str| config.resolve(model).unwrap().delivery;
    assert_eq!(delivery("up.main"), Some(Delivery::Stream));
    assert_eq!(delivery("up.auto"), None);
    assert_eq!(delivery("up.whole"), Some(Delivery::Whole));
    assert_eq!(read(&provider("headers: {}")).resolve("up.main").unwrap().delivery, None);
    let problem = "providers.up.upstreamDelivery: there is no such delivery; expected `auto`, `stream` or `whole`";
    assert_eq!(problems(&provider("upstreamDelivery: 'sse'")), [problem]);
    assert_eq!(
        problems(&provider("upstreamDelivery: true")),
        ["providers.up.upstreamDelivery: expected a string, found true or false"]
    );
}

#[test]
fn a_key_that_stands_twice_is_told() {
    assert_eq!(problems(&provider("type: 'claude'")), ["providers.up.type: stands here twice"]);
    let text = "{ version: 1, providers: { up: { type: 'echo', models: { a: {} } }, up: { type: 'echo', models: { b: {} } } } }";
    assert_eq!(problems(text), ["providers.up: stands here twice"]);
}

#[test]
fn diagnostics_and_debug() {
    let text = |fields: &str| provider("").replacen('{', &format!("{{ {fields}, "), 1);
    for (fields, message) in [
        ("diagnostics: 'warn'", "diagnostics: expected an object, found a string"),
        (
            "diagnostics: { 'sampling-drop': 'deny' }",
            "diagnostics.sampling-drop: there is no such code (did you mean `sampling-dropped`?); `any-api codes` lists them",
        ),
        (
            "diagnostics: { default: 'error' }",
            "diagnostics.default: there is no such level; expected `allow`, `note`, `warn` or `deny`",
        ),
        ("diagnostics: { 'n-unsupported': 1 }", "diagnostics.n-unsupported: expected a string, found a number"),
        ("debug: { dumpIR: true }", "debug.dumpIR: there is no such key; did you mean `dumpIr`?"),
        ("debug: { dumpIr: 1 }", "debug.dumpIr: expected true or false, found a number"),
        ("provider: {}", "provider: there is no such key; did you mean `providers`?"),
    ] {
        assert_eq!(problems(&text(fields)), [message], "{fields}");
        // None of them keeps a provider from serving.
        let config = read_with(&[("ANY_API_CONFIG", &text(fields))]).unwrap();
        assert!(config.resolve("up.main").is_ok(), "{fields}");
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = "{ version: 1, surprise: 1,
        providers: {
            good: { type: 'echo', models: { a: {} } },
            bad: { type: 'gemini', baseURL: 'nowhere', apiKey: 5, models: { a: { upstreamModel: 1 }, b: { quirks: 2 } } },
            worse: 7,
        },
        aliases: { x: 'good.z', y: 'good.a' },
    }";
    let config = read_with(&[("ANY_API_CONFIG", text)]).unwrap();
    assert_eq!(
        told(&config.problems),
        [
            "surprise: there is no such key; the keys are `version`, `providers`, `aliases`, `diagnostics`, `debug`, `store` and `fetchMedia`",
            "providers.bad.baseURL: must begin with `https://` or `http://`",
            "providers.bad.apiKey: expected a string, found a number",
            "providers.bad.models.a.upstreamModel: expected a string, found a number",
            "providers.bad.models.b.quirks: expected an object, found a number",
            "providers.worse: expected an object, found a number",
            "aliases.x: names no model (did you mean `good.a`?); it has to be a `provider.modelName` of this configuration",
        ]
    );
    let owners: Vec<_> = config.problems.iter().map(|problem| problem.provider.as_deref()).collect();
    assert_eq!(owners, [None, Some("bad"), Some("bad"), Some("bad"), Some("bad"), Some("worse"), None]);
    assert_eq!(config.problems_of("bad").count(), 4);
}

#[test]
fn a_wrong_provider_takes_down_only_its_own_models() {
    let text = "{ version: 1,
        providers: {
            good: { type: 'echo', models: { a: {} } },
            bad: { type: 'gemini', baseURL: 'nowhere', models: { a: {}, b: {} } },
            blank: 7,
        },
        aliases: { short: 'bad.a', '*': 'good.a', lost: 'blank.x' },
    }";
    let config = read_with(&[("ANY_API_CONFIG", text)]).unwrap();
    assert_eq!(config.resolve("good.a").unwrap().dialect, "echo");
    let ids: Vec<_> = config.listed().map(|listed| listed.id).collect();
    assert_eq!(ids, ["good.a"]);
    // Neither its own names nor its aliases wander off to the pattern that fits everything.
    for name in ["bad.a", "bad.b", "short"] {
        let error = config.resolve(name).unwrap_err();
        assert_eq!(error.kind, Kind::Server);
        assert_eq!(error.code.as_deref(), Some("gateway_misconfigured"));
        assert_eq!(
            error.message,
            "the gateway's configuration is wrong: providers.bad.baseURL: must begin with `https://` or `http://`"
        );
    }
    for name in ["blank.x", "blank.y", "lost"] {
        let error = config.resolve(name).unwrap_err();
        assert!(error.message.contains("providers.blank: expected an object, found a number"), "{error}");
    }
}

#[test]
fn where_no_provider_can_be_used_that_is_said() {
    let text = "{ version: 1, providers: { 'my.own': { type: 'echo', models: { a: {} } } } }";
    let config = read_with(&[("ANY_API_CONFIG", text)]).unwrap();
    let error = config.resolve("my.own.a").unwrap_err();
    assert!(error.message.ends_with("providers[\"my.own\"]: a provider's id must hold no `.` and no `/`"), "{error}");
    let error = config.resolve("other").unwrap_err();
    assert_eq!(error.message, "there is no model `other`; no provider of the configuration can be used");
}

#[test]
fn an_answer_tells_the_first_problems_and_counts_the_others() {
    let config = read_with(&[("ANY_API_CONFIG", &provider("a1: 1, b2: 1, c3: 1, d4: 1, e5: 1"))]).unwrap();
    let error = config.resolve("up.main").unwrap_err();
    assert!(error.message.contains("providers.up.c3"), "{error}");
    assert!(!error.message.contains("providers.up.d4"), "{error}");
    assert!(error.message.ends_with("; and 2 more"), "{error}");
}

// Names.

const NAMES: &str = "{ version: 1,
    providers: {
        up: { type: 'echo', models: { main: { upstreamModel: 'gpt-5.2' }, 'gpt-5.2': {}, 'a/b:c': {} } },
        open: { type: 'echo', models: { '*': {}, fixed: { upstreamModel: 'other' } } },
        'gemini-3': { type: 'echo', models: { '*': {} } },
    },
    aliases: {
        'gemini-3.5-flash': 'up.main',
        'up.main': 'open.fixed',
        'claude-*': 'up.main',
        'claude-opus-*': 'open.fixed',
        'claude-*-mini': 'open.claude-mini',
        'claude-opus-5': 'open.exact',
        'gemini-3.*-pro': 'up.gpt-5.2',
    },
}";

#[test]
fn names_find_their_upstream_in_order() {
    let config = read(NAMES);
    for (name, provider, upstream) in [
        // A model of the configuration comes before an alias of its name.
        ("up.main", "up", "gpt-5.2"),
        ("up.gpt-5.2", "up", "gpt-5.2"),
        ("up.a/b:c", "up", "a/b:c"),
        ("open.fixed", "open", "other"),
        ("open.anything.at-all", "open", "anything.at-all"),
        // An exact alias comes before a pattern, a longer pattern before a shorter one, an alias before `*`.
        ("gemini-3.5-flash", "up", "gpt-5.2"),
        ("gemini-3.1-pro", "up", "gpt-5.2"),
        ("gemini-3.1-flash", "gemini-3", "1-flash"),
        ("claude-opus-5", "open", "exact"),
        ("claude-opus-4", "open", "other"),
        ("claude-sonnet-5", "up", "gpt-5.2"),
        ("claude-", "up", "gpt-5.2"),
        ("claude-x-mini", "open", "claude-mini"),
    ] {
        let target = config.resolve(name).unwrap().targets.remove(0);
        assert_eq!((target.provider.as_str(), target.model.as_str()), (provider, upstream), "{name}");
    }
    assert_eq!(told(&config.hints), ["aliases[\"up.main\"]: is never used: a model of this very name comes first"]);
}

#[test]
fn of_patterns_of_one_length_the_first_counts() {
    let text = provider("")
        .replacen('{', "{ aliases: { 'a*c': 'up.main', 'ac*': 'up.gone' }, ", 1)
        .replace("\"main\": {}", "main: {}, gone: {}");
    assert_eq!(read(&text).resolve("ac").unwrap().targets[0].model, "main");
    assert_eq!(read(&text).resolve("acd").unwrap().targets[0].model, "gone");
}

#[test]
fn patterns_fit_whole_names() {
    let text = provider("").replacen('{', "{ aliases: { 'a*b*c': 'up.main' }, ", 1);
    let config = read(&text);
    for name in ["abc", "axbyc", "abbc", "abcbc"] {
        assert!(config.resolve(name).is_ok(), "{name}");
    }
    for name in ["ac", "acb", "xabc", "abcx", "ab", "", "a", "äabc"] {
        assert!(config.resolve(name).is_err(), "{name}");
    }
}

#[test]
fn aliases_that_lead_nowhere_are_told() {
    let text = |aliases: &str| provider("").replacen('{', &format!("{{ aliases: {aliases}, "), 1);
    let demand = "it has to be a `provider.modelName` of this configuration";
    for (aliases, message) in [
        ("{ a: 'up.mian' }", format!("aliases.a: names no model (did you mean `up.main`?); {demand}")),
        ("{ a: 'main' }", format!("aliases.a: names no model (did you mean `up.main`?); {demand}")),
        ("{ a: 'elsewhere.x' }", format!("aliases.a: names no model; {demand}")),
        ("{ a: 'b', b: 'up.main' }", format!("aliases.a: names another alias; {demand}")),
        ("{ a: 'up.*' }", format!("aliases.a: names no model; {demand}")),
        ("{ a: 5 }", "aliases.a: expected a string, found a number".to_owned()),
        ("{ '': 'up.main' }", "aliases[\"\"]: an alias must not be empty, and be of one line".to_owned()),
        ("[]", "aliases: expected an object, found a list".to_owned()),
    ] {
        assert_eq!(problems(&text(aliases)), [message], "{aliases}");
    }
}

#[test]
fn unknown_names_are_told_with_the_nearest() {
    let config = read(
        "{ version: 1, providers: {
            rightcode: { type: 'echo', models: { main: { upstreamModel: 'gpt-5.2' }, small: { upstreamModel: 'gpt-5-mini' } } },
            google: { type: 'echo', models: { main: {} } },
        }, aliases: { 'gemini-3.5-flash-lite': 'google.main' } }",
    );
    for (name, message) in [
        ("rightcode.mian", "there is no model `rightcode.mian`; did you mean `rightcode.main` or `rightcode.small`?"),
        ("RightCode.Main", "there is no model `RightCode.Main`; did you mean `rightcode.main` or `rightcode.small`?"),
        ("main", "there is no model `main`; did you mean `rightcode.main` or `google.main`?"),
        ("gpt-5.2", "there is no model `gpt-5.2`; did you mean `rightcode.main`?"),
        ("gemini-3.5-flash", "there is no model `gemini-3.5-flash`; did you mean `gemini-3.5-flash-lite`?"),
        (
            "zzzzzzzz",
            "there is no model `zzzzzzzz`; the models are `rightcode.main`, `rightcode.small` and `google.main` \
             (and 1 more: GET /v1/models)",
        ),
    ] {
        let error = config.resolve(name).unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
        assert_eq!(error.code.as_deref(), Some("model_not_found"));
        assert_eq!(error.message, message);
    }
    for name in ["", ".", "rightcode", "rightcode.", ".main", "rightcode.*", "*"] {
        assert_eq!(config.resolve(name).unwrap_err().kind, Kind::NotFound, "{name}");
    }
    let error = config.resolve(&"x".repeat(100_000)).unwrap_err();
    assert!(error.message.len() < 500, "{}", error.message.len());
}

#[test]
fn where_any_name_goes_through_there_is_none_to_propose() {
    let config = read("{ version: 1, providers: { open: { type: 'echo', models: { '*': {} } } } }");
    assert_eq!(
        config.resolve("gpt-5").unwrap_err().message,
        "there is no model `gpt-5`; a model is called `provider.modelName`, and the providers are `open`"
    );
    assert_eq!(config.resolve("open.gpt-5").unwrap().targets[0].model, "gpt-5");
    assert!(config.resolve("open.").is_err());
    assert!(config.resolve("open.*").is_err());
}

#[test]
fn a_wildcard_may_have_one_upstream_model() {
    let config =
        read("{ version: 1, providers: { open: { type: 'echo', models: { '*': { upstreamModel: 'one' } } } } }");
    assert_eq!(config.resolve("open.whatever").unwrap().targets[0].model, "one");
}

// Secrets.

#[test]
fn no_message_holds_a_key() {
    // The canary in every place of the configuration that takes a value, right and wrong ones.
    for fields in [
        "apiKey: 'CANARY\\u0000'",
        "apiKey: ['CANARY', 5]",
        "apiKey: 'CANARY', apiKeyEnv: 'CANARY'",
        "apiKeyEnv: 'CANARY'",
        "apiKeyEnv: ['CANARY', 'HOLDER']",
        "headers: { authorization: 'Bearer CANARY\\n' }",
        "headers: { authorization: ['CANARY'] }",
        "headers: 'CANARY'",
        "settings: 'CANARY'",
        "endpoints: { responsesPath: 'CANARY' }",
        "quirks: { noInstructions: 'CANARY' }",
        "options: { reasoningEffort: 'CANARY', maxTokens: 'CANARY' }",
        "api_key: 'CANARY'",
        "timeouts: 'CANARY'",
        "timeouts: { idleMs: 'CANARY' }, upstreamDelivery: 'CANARY'",
        "models: { main: { upstreamModel: ['CANARY'], options: 'CANARY' } }",
        "baseURL: 'https://CANARY@up.example'",
        "type: 'CANARY'",
        "apiKey: 'CANARY' oops: 1",
        "apiKey: 'CANARY",
        "apiKey: 'CANARY\\x'",
        "apiKey: CANARY",
    ] {
        let text = provider(fields).replace("CANARY", CANARY);
        let holder = format!("{CANARY}\u{7f}");
        let variables = [("ANY_API_CONFIG", text.as_str()), ("HOLDER", holder.as_str())];
        let (seen, problems) = match read_with(&variables) {
            Ok(config) => {
                let answer = config
                    .resolve("up.main")
                    .map_or_else(|error| format!("{error:?} {error}"), |found| format!("{found:?}"));
                (format!("{config:?} {answer} {:?}", config.hints), config.problems)
            }
            Err(problems) => (format!("{problems:?}"), problems),
        };
        assert!(!problems.is_empty(), "{fields}");
        let told = told(&problems).join("\n");
        assert!(!told.contains(CANARY), "{fields}: {told}");
        // `Debug` shows a type; it is no place for secrets.
        if !fields.starts_with("type") {
            assert!(!seen.contains(CANARY), "{fields}: {seen}");
        }
    }
}

#[test]
fn debugging_shows_no_key() {
    let text = provider("apiKey: 'CANARY', headers: { 'x-own': 'CANARY' }, settings: { secret: 'CANARY' }")
        .replace("CANARY", CANARY);
    let config = read(&text);
    let resolved = config.resolve("up.main").unwrap();
    let target = &resolved.targets[0];
    assert_eq!(target.api_key.as_ref().unwrap().expose(), CANARY);
    assert_eq!(target.headers[0].1, CANARY);
    assert_eq!(target.settings["secret"], CANARY);
    let shown = format!("{config:?} {config:#?} {resolved:?} {target:#?}");
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("***"));
    let mut request = target.post("https://up.example/v1/messages".to_owned());
    request.headers.set("x-api-key", CANARY);
    request.headers.set("x-own", "shown");
    assert!(!format!("{request:?}").contains(CANARY));
}

// What the repository shows its users.

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_example_file_is_read_as_it_stands_and_with_its_providers() {
    let example = file(".dev.vars.example");
    let text = example.split_once("ANY_API_CONFIG='").unwrap().1.rsplit_once('\'').unwrap().0;
    assert_eq!(read(text).resolve("demo.echo").unwrap().dialect, "echo");

    let uncommented: Vec<_> = text
        .lines()
        .map(|line| match line.trim_start().strip_prefix("// ") {
            Some(code) if code.starts_with(['"', ' ', '}']) => code,
            _ => line,
        })
        .collect();
    let config = read(&uncommented.join("\n"));
    assert!(config.resolve("rightcode.main").unwrap().quirks.no_instructions);
    assert_eq!(config.resolve("google.main").unwrap().dialect, "gemini");
}

#[test]
fn the_configurations_in_the_pages_are_read() {
    for page in ["README.md", "README.zh-CN.md"] {
        let text = file(page);
        let blocks = text.split("```json").skip(1).filter_map(|rest| rest.split_once('\n')?.1.split_once("```"));
        let configurations: Vec<_> =
            blocks.map(|(block, _)| block).filter(|block| block.contains("\"providers\"")).collect();
        assert!(!configurations.is_empty(), "{page}");
        for configuration in configurations {
            read(configuration);
        }
    }
}
