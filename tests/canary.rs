//! Every leaf of the IR arrives, or is reported: each is set alone, and what a backend or a frontend makes of it is
//! compared with what it makes of the same thing without it.
#![expect(clippy::unwrap_used, clippy::print_stderr, clippy::unreachable, reason = "a test may fail so")]

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "each test takes what it needs")]
mod support;

use any_api::diagnostics::{Level, codes};
use any_api::ir;
use smallvec::smallvec;
use support::fixtures::DIALECTS;
use support::ways;

/// What a leaf that holds a text is set to.
const CANARY: &str = "canaryQ7";
/// The same for numbers.
const NUMBER: u64 = 7_919;
/// A dialect that nobody speaks.
const NOBODY: &str = "nobody";

fn canary() -> ir::Text {
    CANARY.into()
}

fn json() -> ir::Json {
    ir::Json::constant(r#"{"description":"canaryQ7"}"#)
}

/// Fails to compile when the IR of requests has a new field or a new kind: then add its leaf to [`request_leaves`].
#[expect(dead_code, clippy::too_many_lines, reason = "only compiled, and as long as the IR")]
fn requests_have_no_other_leaves(request: ir::Request) {
    let ir::Request {
        model: _,
        instructions,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: _,
        sampling,
        max_output_tokens: _,
        prewarm: _,
        output,
        reasoning,
        session,
        delivery,
        caller,
        headers,
        extensions: _,
    } = request;
    for ir::Instruction { role, text: _, meta } in instructions {
        no_other_role(role);
        no_other_meta(meta);
    }
    for ir::Message { place: _, role, name: _, parts, extensions: _ } in messages {
        no_other_role(role);
        parts.into_iter().for_each(no_other_part);
    }
    for tool in tools {
        match tool {
            ir::Tool::Function(ir::Function { name: _, namespace: _, description: _, parameters, strict: _, meta }) => {
                no_other_meta(meta);
                parameters.into_iter().for_each(no_other_schema);
            }
            ir::Tool::Custom(ir::Custom { name: _, namespace: _, description: _, grammar, meta }) => {
                no_other_meta(meta);
                if let Some(ir::Grammar { syntax: _, definition: _ }) = grammar {}
            }
            ir::Tool::Hosted(ir::Hosted { dialect: _, kind: _, value: _, ability, loss: _, meta }) => {
                no_other_meta(meta);
                match ability {
                    ir::Ability::WebSearch(ir::WebSearch {
                        allowed_domains: _,
                        blocked_domains: _,
                        location,
                        max_uses: _,
                        context_size: _,
                    }) => if let Some(ir::Location { city: _, region: _, country: _, timezone: _ }) = location {},
                    ir::Ability::Mcp(servers) => {
                        for ir::McpServer {
                            name: _,
                            url: _,
                            token: _,
                            headers: _,
                            allowed: _,
                            approval: _,
                            unsaid: _,
                        } in servers
                        {}
                    }
                    ir::Ability::UrlContext | ir::Ability::CodeExecution | ir::Ability::Other => {}
                }
            }
        }
    }
    match tool_choice {
        None | Some(ir::ToolChoice::Auto | ir::ToolChoice::None | ir::ToolChoice::Required) => {}
        Some(ir::ToolChoice::Tool { name: _, kind }) => no_other_kind(kind),
        Some(ir::ToolChoice::Allowed { required: _, names: _ }) => {}
        Some(ir::ToolChoice::Opaque { dialect: _, value: _, hosted: _ }) => {}
    }
    let ir::Sampling {
        temperature: _,
        top_p: _,
        top_k: _,
        seed: _,
        presence_penalty: _,
        frequency_penalty: _,
        stop: _,
        logprobs: _,
    } = sampling;
    let ir::Output { format, verbosity: _ } = output;
    match format {
        ir::Format::Text | ir::Format::Json => {}
        ir::Format::Schema(ir::OutputSchema { name: _, description: _, schema, strict: _ }) => no_other_schema(schema),
    }
    let ir::ReasoningConfig { mode, effort, budget: _, visibility } = reasoning;
    match mode {
        None
        | Some(
            ir::ReasoningMode::On
            | ir::ReasoningMode::Adaptive
            | ir::ReasoningMode::BetweenTools
            | ir::ReasoningMode::Off,
        ) => {}
    }
    match effort {
        None
        | Some(
            ir::Effort::None
            | ir::Effort::Minimal
            | ir::Effort::Low
            | ir::Effort::Medium
            | ir::Effort::High
            | ir::Effort::Xhigh
            | ir::Effort::Max,
        ) => {}
    }
    match visibility {
        None
        | Some(ir::Visibility::Hidden | ir::Visibility::Auto | ir::Visibility::Concise | ir::Visibility::Detailed) => {}
    }
    let ir::Session { previous_response_id: _, conversation: _, store: _ } = session;
    match delivery {
        ir::Delivery::Whole | ir::Delivery::Stream => {}
    }
    let ir::Caller { user: _, metadata: _, tier, cache_key: _ } = caller;
    match tier {
        None
        | Some(
            ir::Tier::Auto
            | ir::Tier::Standard
            | ir::Tier::Flex
            | ir::Tier::Scale
            | ir::Tier::Priority
            | ir::Tier::Fast
            | ir::Tier::Ultrafast,
        ) => {}
    }
    for ir::DialectHeader { dialect: _, name: _, value: _ } in headers {}
}

fn no_other_role(role: ir::Role) {
    match role {
        ir::Role::User | ir::Role::Assistant | ir::Role::System | ir::Role::Developer => {}
    }
}

fn no_other_kind(kind: ir::CallKind) {
    match kind {
        ir::CallKind::Function | ir::CallKind::Custom => {}
    }
}

fn no_other_schema(schema: ir::Schema) {
    let ir::Schema { language, json: _ } = schema;
    match language {
        ir::SchemaLanguage::JsonSchema | ir::SchemaLanguage::OpenApi => {}
    }
}

fn no_other_meta(meta: ir::Meta) {
    let ir::Meta { place: _, item, seal, cache, extensions: _ } = meta;
    for ir::Item { id: _, phase: _ } in item.into_iter().map(|item| *item) {}
    for ir::Sealed { issuer, payload: _, note: _ } in seal.into_iter().map(|seal| *seal) {
        let ir::Issuer { dialect: _, provider: _, model: _ } = issuer;
    }
    match cache {
        None | Some(ir::CacheMark { ttl: None }) => {}
        Some(ir::CacheMark {
            ttl:
                Some(
                    ir::CacheTtl::FiveMinutes
                    | ir::CacheTtl::ThirtyMinutes
                    | ir::CacheTtl::OneHour
                    | ir::CacheTtl::TwelveHours,
                ),
        }) => {}
    }
}

fn no_other_part(part: ir::Part) {
    match part {
        ir::Part::Text(ir::TextPart { text: _, citations, logprobs, meta }) => {
            no_other_meta(meta);
            for ir::Citation { span: _, url: _, title: _, quote: _, native: _ } in citations {}
            for ir::TokenLogprob { token: _, logprob: _, top: _ } in logprobs {}
        }
        ir::Part::Media(ir::Media { kind, source, mime: _, name: _, detail, meta }) => {
            no_other_meta(meta);
            match kind {
                ir::MediaKind::Image | ir::MediaKind::Audio | ir::MediaKind::Video | ir::MediaKind::Document => {}
            }
            match source {
                ir::MediaSource::Inline(_) | ir::MediaSource::Url(_) | ir::MediaSource::Text(_) => {}
                ir::MediaSource::File { dialect: _, id: _ } => {}
            }
            match detail {
                None
                | Some(
                    ir::Detail::Auto | ir::Detail::Low | ir::Detail::Medium | ir::Detail::High | ir::Detail::Original,
                ) => {}
            }
        }
        ir::Part::ToolCall(ir::ToolCall { id: _, name: _, namespace: _, kind, arguments: _, meta }) => {
            no_other_meta(meta);
            no_other_kind(kind);
        }
        ir::Part::ToolResult(ir::ToolResult { call_id: _, name: _, kind, content, error: _, meta }) => {
            no_other_meta(meta);
            no_other_kind(kind);
            content.into_iter().for_each(no_other_part);
        }
        ir::Part::Reasoning(ir::Reasoning { text: _, form, meta }) => {
            no_other_meta(meta);
            match form {
                ir::ReasoningForm::Summary | ir::ReasoningForm::Raw | ir::ReasoningForm::Redacted => {}
            }
        }
        ir::Part::Refusal(ir::Refusal { text: _, meta }) => no_other_meta(meta),
        ir::Part::Opaque(ir::Opaque { dialect: _, kind: _, value: _, words: _, trace: _, loss: _, meta }) => {
            no_other_meta(meta)
        }
    }
}

/// A leaf: what it is set in, with and without.
struct Leaf<T> {
    name: String,
    with: T,
    without: T,
    /// A text that has to be found; without, that anything differs is enough.
    canary: Option<&'static str>,
}

struct Leaves<T>(Vec<Leaf<T>>);

impl<T: Clone> Leaves<T> {
    /// A leaf that holds [`CANARY`] or [`NUMBER`].
    fn text(&mut self, name: impl Into<String>, base: &T, set: impl FnOnce(&mut T)) {
        self.add(name, base, Some(CANARY), set);
    }

    fn number(&mut self, name: impl Into<String>, base: &T, set: impl FnOnce(&mut T)) {
        self.add(name, base, Some("7919"), set);
    }

    /// A leaf that is one of few.
    fn word(&mut self, name: impl Into<String>, base: &T, set: impl FnOnce(&mut T)) {
        self.add(name, base, None, set);
    }

    fn add(&mut self, name: impl Into<String>, base: &T, canary: Option<&'static str>, set: impl FnOnce(&mut T)) {
        let mut with = base.clone();
        set(&mut with);
        self.0.push(Leaf { name: name.into(), with, without: base.clone(), canary });
    }
}

fn message(role: ir::Role, part: ir::Part) -> ir::Message {
    let (place, extensions) = (ir::Place::default(), ir::Extensions::default());
    ir::Message { place, role, name: None, parts: smallvec![part], extensions }
}

fn text(words: &str) -> ir::Part {
    ir::Part::Text(ir::TextPart { text: words.into(), ..ir::TextPart::default() })
}

/// A conversation of the user's word and these.
fn request(messages: Vec<ir::Message>) -> ir::Request {
    let mut all = vec![message(ir::Role::User, text("hi"))];
    all.extend(messages);
    if all.last().unwrap().role == ir::Role::Assistant {
        all.push(message(ir::Role::User, text("go on")));
    }
    ir::Request { model: "provider.model".into(), messages: all, ..ir::Request::default() }
}

/// The part under test, which is the first of the second message.
fn part(request: &mut ir::Request) -> &mut ir::Part {
    request.messages.get_mut(1).unwrap().parts.first_mut().unwrap()
}

fn extensions() -> ir::Extensions {
    let mut out = ir::Extensions::default();
    let field = ir::Extension { name: "field".into(), value: json(), loss: &codes::UNKNOWN_FIELD };
    out.push(NOBODY, field);
    out
}

fn meta_leaves(
    name: &str,
    base: &ir::Request,
    out: &mut Leaves<ir::Request>,
    at: impl Fn(&mut ir::Request) -> &mut ir::Meta,
) {
    out.text(format!("{name}.extensions"), base, |request| at(request).extensions = extensions());
    for ttl in [
        None,
        Some(ir::CacheTtl::FiveMinutes),
        Some(ir::CacheTtl::ThirtyMinutes),
        Some(ir::CacheTtl::OneHour),
        Some(ir::CacheTtl::TwelveHours),
    ] {
        let cache = Some(ir::CacheMark { ttl });
        out.word(format!("{name}.cache {ttl:?}"), base, |request| at(request).cache = cache);
    }
    let issuer = ir::Issuer { dialect: NOBODY.into(), provider: None, model: None };
    let seal = ir::Sealed { issuer, payload: canary(), note: None };
    out.text(format!("{name}.seal"), base, |request| at(request).seal = Some(Box::new(seal)));
}

fn media(kind: ir::MediaKind, source: ir::MediaSource, mime: &'static str) -> ir::Part {
    let mime = (!mime.is_empty()).then(|| mime.into());
    ir::Part::Media(ir::Media { kind, source, mime, name: None, detail: None, meta: ir::Meta::default() })
}

fn medias() -> Vec<(&'static str, ir::Part)> {
    use ir::{MediaKind, MediaSource};
    let inline = || MediaSource::Inline(canary());
    let url = || MediaSource::Url("https://vendor.example/canaryQ7".into());
    vec![
        ("inline image", media(MediaKind::Image, inline(), "image/png")),
        ("inline audio", media(MediaKind::Audio, inline(), "audio/wav")),
        ("inline video", media(MediaKind::Video, inline(), "video/mp4")),
        ("inline document", media(MediaKind::Document, inline(), "application/pdf")),
        ("image of an odd kind", media(MediaKind::Image, inline(), "image/x-odd")),
        ("image at an address", media(MediaKind::Image, url(), "")),
        ("audio at an address", media(MediaKind::Audio, url(), "audio/wav")),
        ("video at an address", media(MediaKind::Video, url(), "video/mp4")),
        ("document at an address", media(MediaKind::Document, url(), "application/pdf")),
        ("uploaded image", media(MediaKind::Image, MediaSource::File { dialect: NOBODY, id: canary() }, "image/png")),
        ("uploaded document", media(MediaKind::Document, MediaSource::File { dialect: NOBODY, id: canary() }, "")),
        ("document in words", media(MediaKind::Document, MediaSource::Text(canary()), "text/plain")),
    ]
}

fn opaque(words: Option<ir::Text>) -> ir::Part {
    let (value, meta) = (json(), ir::Meta::default());
    ir::Part::Opaque(ir::Opaque {
        dialect: NOBODY,
        kind: "odd".into(),
        value,
        words,
        trace: None,
        loss: &codes::CONTENT_DROPPED,
        meta,
    })
}

fn call(kind: ir::CallKind) -> ir::ToolCall {
    let arguments = if kind == ir::CallKind::Custom { "words" } else { "{}" };
    ir::ToolCall { id: "call_1".into(), name: "f".into(), kind, arguments: arguments.into(), ..ir::ToolCall::default() }
}

#[expect(clippy::too_many_lines, reason = "as long as the IR")]
fn request_leaves() -> Vec<Leaf<ir::Request>> {
    use ir::{Part, Role};
    let mut out = Leaves(Vec::new());
    let base = request(Vec::new());
    for role in [Role::System, Role::Developer] {
        let mut said = base.clone();
        said.instructions = vec![ir::Instruction { role, text: "be".into(), meta: ir::Meta::default() }];
        out.text(format!("instructions {role:?}"), &said, |request| {
            request.instructions.first_mut().unwrap().text = canary();
        });
        meta_leaves(&format!("instructions {role:?}"), &said, &mut out, |request| {
            &mut request.instructions.first_mut().unwrap().meta
        });
    }
    for role in [Role::User, Role::Assistant, Role::System, Role::Developer] {
        let said = request(vec![message(role, text("words"))]);
        out.text(format!("{role:?} text"), &said, |request| *part(request) = text(CANARY));
        out.text(format!("{role:?} name"), &said, |request| {
            request.messages.get_mut(1).unwrap().name = Some(canary());
        });
        out.text(format!("{role:?} extensions"), &said, |request| {
            request.messages.get_mut(1).unwrap().extensions = extensions();
        });
        meta_leaves(&format!("{role:?} text"), &said, &mut out, |request| part(request).meta_mut());
        let citations = [
            ("url", ir::Citation { url: Some("https://vendor.example/canaryQ7".into()), ..ir::Citation::default() }),
            ("title", ir::Citation { title: Some(canary()), ..ir::Citation::default() }),
            ("quote", ir::Citation { quote: Some(canary()), ..ir::Citation::default() }),
            (
                "native",
                ir::Citation { native: Some(ir::Native { dialect: NOBODY, value: json() }), ..ir::Citation::default() },
            ),
            ("span", ir::Citation { span: Some((0, 3)), ..ir::Citation::default() }),
        ];
        for (name, citation) in citations {
            out.text(format!("{role:?} text.citations.{name}"), &said, |request| {
                if let Part::Text(text) = part(request) {
                    text.citations = vec![citation];
                }
            });
        }
        for (name, media) in medias() {
            out.text(format!("{role:?} {name}"), &said, |request| *part(request) = media);
        }
        out.text(format!("{role:?} opaque"), &said, |request| *part(request) = opaque(None));
        out.text(format!("{role:?} opaque in words"), &said, |request| *part(request) = opaque(Some(canary())));
        out.text(format!("{role:?} refusal"), &said, |request| {
            *part(request) = Part::Refusal(ir::Refusal { text: canary(), meta: ir::Meta::default() });
        });
    }
    let pictured = |media: Part| request(vec![message(Role::User, media)]);
    for (name, media) in medias() {
        let base = pictured(media);
        out.text(format!("{name}.name"), &without_canary(&base), |request| media_of(request).name = Some(canary()));
        use ir::Detail;
        for detail in [Detail::Low, Detail::Medium, Detail::High, Detail::Original] {
            out.word(format!("{name}.detail {detail:?}"), &base, |request| media_of(request).detail = Some(detail));
        }
        meta_leaves(name, &without_canary(&base), &mut out, |request| &mut media_of(request).meta);
    }
    for kind in [ir::CallKind::Function, ir::CallKind::Custom] {
        let result = ir::ToolResult {
            call_id: "call_1".into(),
            kind,
            content: vec![text("result")],
            ..ir::ToolResult::default()
        };
        let called = request(vec![
            message(Role::Assistant, Part::ToolCall(call(kind))),
            message(Role::User, Part::ToolResult(result)),
        ]);
        let name = format!("{kind:?} call");
        out.text(format!("{name}.name"), &called, |request| call_of(request).name = canary());
        out.text(format!("{name}.namespace"), &called, |request| call_of(request).namespace = Some(canary()));
        out.text(format!("{name}.arguments"), &called, |request| {
            call_of(request).arguments = if kind == ir::CallKind::Custom { canary() } else { json().text().clone() };
        });
        out.text(format!("{name} with broken arguments"), &called, |request| call_of(request).arguments = canary());
        out.text(format!("{name}.id"), &called, |request| {
            call_of(request).id = canary();
            result_of(request).call_id = canary();
        });
        meta_leaves(&name, &called, &mut out, |request| &mut call_of(request).meta);
        out.text(format!("{name}: result"), &called, |request| result_of(request).content = vec![text(CANARY)]);
        out.word(format!("{name}: error"), &called, |request| result_of(request).error = true);
        out.text(format!("{name}: result for no call"), &called, |request| result_of(request).call_id = canary());
        for (what, media) in medias() {
            out.text(format!("{name}: result {what}"), &called, |request| result_of(request).content = vec![media]);
        }
        out.text(format!("{name}: result opaque"), &called, |request| result_of(request).content = vec![opaque(None)]);
        out.text(format!("{name}: result opaque in words"), &called, |request| {
            result_of(request).content = vec![opaque(Some(canary()))];
        });
        meta_leaves(&format!("{name}: result"), &called, &mut out, |request| &mut result_of(request).meta);
        meta_leaves(&format!("{name}: result's text"), &called, &mut out, |request| {
            result_of(request).content.first_mut().unwrap().meta_mut()
        });
    }
    for form in [ir::ReasoningForm::Summary, ir::ReasoningForm::Raw, ir::ReasoningForm::Redacted] {
        let spoken = request(vec![message(Role::Assistant, text("so"))]);
        let mut thought = request(vec![message(
            Role::Assistant,
            Part::Reasoning(ir::Reasoning { text: "".into(), form, meta: ir::Meta::default() }),
        )]);
        thought.messages.get_mut(1).unwrap().parts.push(text("so"));
        out.text(format!("{form:?} thought"), &spoken, |request| {
            let thought = ir::Reasoning { text: canary(), form, meta: ir::Meta::default() };
            request.messages.get_mut(1).unwrap().parts.insert(0, Part::Reasoning(thought));
        });
        out.text(format!("{form:?} thought.extensions"), &thought, |request| {
            part(request).meta_mut().extensions = extensions()
        });
        let issuer = ir::Issuer { dialect: NOBODY.into(), provider: None, model: None };
        out.text(format!("{form:?} thought.seal"), &thought, |request| {
            part(request).meta_mut().seal = Some(Box::new(ir::Sealed { issuer, payload: canary(), note: None }));
        });
    }
    tool_leaves(&base, &mut out);
    option_leaves(&base, &mut out);
    out.0
}

fn without_canary(request: &ir::Request) -> ir::Request {
    let mut out = request.clone();
    let media = media_of(&mut out);
    media.source = match &media.source {
        ir::MediaSource::Inline(_) => ir::MediaSource::Inline("AAAA".into()),
        ir::MediaSource::Url(_) => ir::MediaSource::Url("https://vendor.example/a".into()),
        ir::MediaSource::File { dialect, .. } => ir::MediaSource::File { dialect, id: "id".into() },
        ir::MediaSource::Text(_) => ir::MediaSource::Text("words".into()),
    };
    out
}

fn media_of(request: &mut ir::Request) -> &mut ir::Media {
    match part(request) {
        ir::Part::Media(media) => media,
        other => unreachable!("{other:?}"),
    }
}

fn call_of(request: &mut ir::Request) -> &mut ir::ToolCall {
    match part(request) {
        ir::Part::ToolCall(call) => call,
        other => unreachable!("{other:?}"),
    }
}

fn result_of(request: &mut ir::Request) -> &mut ir::ToolResult {
    match request.messages.get_mut(2).unwrap().parts.first_mut().unwrap() {
        ir::Part::ToolResult(result) => result,
        other => unreachable!("{other:?}"),
    }
}

fn tool_leaves(base: &ir::Request, out: &mut Leaves<ir::Request>) {
    let function = |set: &dyn Fn(&mut ir::Function)| {
        let mut function = ir::Function { name: "f".into(), ..ir::Function::default() };
        set(&mut function);
        vec![ir::Tool::Function(function)]
    };
    let mut offered = base.clone();
    offered.tools = function(&|_| {});
    out.text("function.name", &offered, |request| request.tools = function(&|tool| tool.name = canary()));
    out.text("function.namespace", &offered, |request| {
        request.tools = function(&|tool| tool.namespace = Some(canary()))
    });
    out.text("function.description", &offered, |request| {
        request.tools = function(&|tool| tool.description = Some(canary()))
    });
    for language in [ir::SchemaLanguage::JsonSchema, ir::SchemaLanguage::OpenApi] {
        out.text(format!("function.parameters {language:?}"), &offered, |request| {
            request.tools = function(&|tool| tool.parameters = Some(ir::Schema { language, json: json() }));
        });
    }
    out.word("function.strict", &offered, |request| request.tools = function(&|tool| tool.strict = Some(true)));
    out.text("function.extensions", &offered, |request| {
        request.tools = function(&|tool| tool.meta.extensions = extensions())
    });
    out.word("function.cache", &offered, |request| {
        request.tools = function(&|tool| tool.meta.cache = Some(ir::CacheMark { ttl: None }))
    });
    let custom = |set: &dyn Fn(&mut ir::Custom)| {
        let mut custom = ir::Custom {
            name: "f".into(),
            namespace: None,
            description: None,
            grammar: None,
            meta: ir::Meta::default(),
        };
        set(&mut custom);
        vec![ir::Tool::Custom(custom)]
    };
    let mut offered_custom = base.clone();
    offered_custom.tools = custom(&|_| {});
    out.text("custom.name", &offered_custom, |request| request.tools = custom(&|tool| tool.name = canary()));
    out.text("custom.namespace", &offered_custom, |request| {
        request.tools = custom(&|tool| tool.namespace = Some(canary()))
    });
    out.text("custom.description", &offered_custom, |request| {
        request.tools = custom(&|tool| tool.description = Some(canary()))
    });
    out.text("custom.grammar", &offered_custom, |request| {
        request.tools =
            custom(&|tool| tool.grammar = Some(ir::Grammar { syntax: "lark".into(), definition: canary() }));
    });
    out.text("custom.extensions", &offered_custom, |request| {
        request.tools = custom(&|tool| tool.meta.extensions = extensions())
    });
    out.word("custom.cache", &offered_custom, |request| {
        request.tools = custom(&|tool| tool.meta.cache = Some(ir::CacheMark { ttl: None }))
    });
    let hosted = |ability: ir::Ability, value: ir::Json| {
        let meta = ir::Meta::default();
        let loss = &codes::BUILTIN_TOOL_UNSUPPORTED;
        vec![ir::Tool::Hosted(ir::Hosted { dialect: NOBODY, kind: "odd".into(), value, ability, loss, meta })]
    };
    for ability in [
        ir::Ability::UrlContext,
        ir::Ability::CodeExecution,
        ir::Ability::Other,
        ir::Ability::WebSearch(ir::WebSearch::default()),
    ] {
        out.word(format!("hosted {ability:?}"), base, |request| {
            request.tools = hosted(ability.clone(), ir::Json::EMPTY_OBJECT)
        });
        let mut offered = base.clone();
        offered.tools = hosted(ability.clone(), ir::Json::EMPTY_OBJECT);
        out.text(format!("hosted {ability:?}: its value"), &offered, |request| {
            request.tools = hosted(ability.clone(), json())
        });
        out.text(format!("hosted {ability:?}: extensions"), &offered, |request| {
            request.tools = hosted(ability.clone(), ir::Json::EMPTY_OBJECT);
            if let Some(ir::Tool::Hosted(tool)) = request.tools.first_mut() {
                tool.meta.extensions = extensions();
            }
        });
    }
    let mut searching = base.clone();
    searching.tools = hosted(ir::Ability::WebSearch(ir::WebSearch::default()), ir::Json::EMPTY_OBJECT);
    let located = |location: ir::Location| ir::WebSearch { location: Some(location), ..ir::WebSearch::default() };
    let searches = [
        ("allowed_domains", ir::WebSearch { allowed_domains: vec![canary()], ..ir::WebSearch::default() }),
        ("blocked_domains", ir::WebSearch { blocked_domains: vec![canary()], ..ir::WebSearch::default() }),
        ("context_size", ir::WebSearch { context_size: Some(canary()), ..ir::WebSearch::default() }),
        ("city", located(ir::Location { city: Some(canary()), ..ir::Location::default() })),
        ("region", located(ir::Location { region: Some(canary()), ..ir::Location::default() })),
        ("country", located(ir::Location { country: Some(canary()), ..ir::Location::default() })),
        ("timezone", located(ir::Location { timezone: Some(canary()), ..ir::Location::default() })),
    ];
    for (name, search) in searches {
        out.text(format!("web search.{name}"), &searching, |request| {
            request.tools = hosted(ir::Ability::WebSearch(search), ir::Json::EMPTY_OBJECT);
        });
    }
    out.number("web search.max_uses", &searching, |request| {
        let search = ir::WebSearch { max_uses: Some(NUMBER), ..ir::WebSearch::default() };
        request.tools = hosted(ir::Ability::WebSearch(search), ir::Json::EMPTY_OBJECT);
    });
    let server = || ir::McpServer { name: "docs".into(), url: "https://m.example".into(), ..ir::McpServer::default() };
    let served = |server: ir::McpServer| hosted(ir::Ability::Mcp(vec![server]), ir::Json::EMPTY_OBJECT);
    out.word("hosted mcp", base, |request| request.tools = served(server()));
    let mut served_base = base.clone();
    served_base.tools = served(server());
    let servers = [
        ("name", ir::McpServer { name: canary(), ..server() }),
        ("url", ir::McpServer { url: canary(), ..server() }),
        ("token", ir::McpServer { token: Some(canary()), ..server() }),
        ("headers", ir::McpServer { headers: vec![("x-canary".into(), canary())], ..server() }),
        ("allowed", ir::McpServer { allowed: Some(vec![canary()]), ..server() }),
        ("unsaid", ir::McpServer { unsaid: vec![canary()], ..server() }),
    ];
    for (name, server) in servers {
        out.text(format!("mcp.{name}"), &served_base, |request| request.tools = served(server));
    }
    out.word("mcp.approval", &served_base, |request| {
        request.tools = served(ir::McpServer { approval: true, ..server() })
    });
    let choices = [
        ("auto", ir::ToolChoice::Auto),
        ("none", ir::ToolChoice::None),
        ("required", ir::ToolChoice::Required),
        ("tool", ir::ToolChoice::Tool { name: "f".into(), kind: ir::CallKind::Function }),
        ("allowed", ir::ToolChoice::Allowed { required: false, names: vec!["f".into()] }),
        ("allowed and required", ir::ToolChoice::Allowed { required: true, names: vec!["f".into()] }),
        ("opaque", ir::ToolChoice::Opaque { dialect: NOBODY, value: json(), hosted: None }),
    ];
    for (name, choice) in choices {
        let alone = choice.clone();
        out.word(format!("tool_choice {name}"), &offered, |request| request.tool_choice = Some(choice));
        if !matches!(alone, ir::ToolChoice::Auto | ir::ToolChoice::None) {
            out.word(format!("tool_choice {name} without tools"), base, |request| request.tool_choice = Some(alone));
        }
    }
    out.word("parallel_tool_calls", &offered, |request| request.parallel_tool_calls = Some(false));
}

fn option_leaves(base: &ir::Request, out: &mut Leaves<ir::Request>) {
    out.word("temperature", base, |request| request.sampling.temperature = Some(0.25));
    out.word("temperature out of range", base, |request| request.sampling.temperature = Some(1.5));
    out.word("top_p", base, |request| request.sampling.top_p = Some(0.25));
    out.number("top_k", base, |request| request.sampling.top_k = Some(7919.0));
    out.number("seed", base, |request| request.sampling.seed = Some(7919));
    out.word("presence_penalty", base, |request| request.sampling.presence_penalty = Some(0.25));
    out.word("frequency_penalty", base, |request| request.sampling.frequency_penalty = Some(0.25));
    out.text("stop", base, |request| request.sampling.stop = vec![canary()]);
    out.text("the last of many stops", base, |request| {
        request.sampling.stop = (0..9).map(|index| format!("stop{index}").into()).chain([canary()]).collect();
    });
    out.word("logprobs", base, |request| request.sampling.logprobs = Some(3));
    out.number("max_output_tokens", base, |request| request.max_output_tokens = Some(NUMBER));
    out.word("prewarm", base, |request| request.prewarm = true);
    out.word("format json", base, |request| request.output.format = ir::Format::Json);
    let schema = |set: &dyn Fn(&mut ir::OutputSchema)| {
        let schema = ir::Schema::json_schema(ir::Json::constant(r#"{"type":"object"}"#));
        let mut out = ir::OutputSchema { name: None, description: None, schema, strict: None };
        set(&mut out);
        ir::Format::Schema(out)
    };
    out.word("format schema", base, |request| request.output.format = schema(&|_| {}));
    let mut shaped = base.clone();
    shaped.output.format = schema(&|_| {});
    for language in [ir::SchemaLanguage::JsonSchema, ir::SchemaLanguage::OpenApi] {
        out.text(format!("format schema {language:?}"), &shaped, |request| {
            request.output.format = schema(&|out| out.schema = ir::Schema { language, json: json() });
        });
    }
    out.text("format schema.name", &shaped, |request| request.output.format = schema(&|out| out.name = Some(canary())));
    out.text("format schema.description", &shaped, |request| {
        request.output.format = schema(&|out| out.description = Some(canary()))
    });
    out.word("format schema.strict", &shaped, |request| request.output.format = schema(&|out| out.strict = Some(true)));
    out.text("verbosity", base, |request| request.output.verbosity = Some(canary()));
    for mode in
        [ir::ReasoningMode::On, ir::ReasoningMode::Adaptive, ir::ReasoningMode::BetweenTools, ir::ReasoningMode::Off]
    {
        out.word(format!("reasoning mode {mode:?}"), base, |request| {
            request.reasoning.mode = Some(mode);
            request.reasoning.budget = (mode == ir::ReasoningMode::On).then_some(4_000);
        });
    }
    use ir::Effort;
    for effort in [Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max]
    {
        out.word(format!("effort {effort:?}"), base, |request| request.reasoning.effort = Some(effort));
    }
    out.number("budget", base, |request| request.reasoning.budget = Some(7919));
    use ir::Visibility;
    for visibility in [Visibility::Hidden, Visibility::Auto, Visibility::Concise, Visibility::Detailed] {
        out.word(format!("visibility {visibility:?}"), base, |request| request.reasoning.visibility = Some(visibility));
    }
    out.text("previous_response_id", base, |request| request.session.previous_response_id = Some(canary()));
    out.text("conversation", base, |request| request.session.conversation = Some(json()));
    out.word("store", base, |request| request.session.store = Some(true));
    out.word("delivery", base, |request| request.delivery = ir::Delivery::Stream);
    out.text("user", base, |request| request.caller.user = Some(canary()));
    out.text("metadata", base, |request| request.caller.metadata = Some(json()));
    out.text("cache_key", base, |request| request.caller.cache_key = Some(canary()));
    use ir::Tier;
    for tier in [Tier::Standard, Tier::Flex, Tier::Scale, Tier::Priority, Tier::Fast, Tier::Ultrafast] {
        out.word(format!("tier {tier:?}"), base, |request| request.caller.tier = Some(tier));
    }
    out.text("headers", base, |request| {
        request.headers = vec![ir::DialectHeader { dialect: NOBODY, name: "nobody-beta", value: canary() }];
    });
    out.text("extensions", base, |request| request.extensions = extensions());
}

/// Leaves that neither arrive nor are reported, and why that is right: beginning of the name, backend (any if empty).
const EXCUSED: &[(&str, &str, &str)] = &[
    ("instructions System.seal", "", "nobody seals the operator's words"),
    ("instructions Developer.seal", "", "nobody seals the operator's words"),
    ("System text.seal", "gemini", "nobody seals the operator's words"),
    ("Developer text.seal", "gemini", "nobody seals the operator's words"),
    ("tool_choice allowed without tools", "claude", "none of none may be called"),
    ("format schema.name", "claude", "a label that OpenAI wants"),
    ("format schema.strict", "", "Claude and Gemini always keep to the schema"),
    ("reasoning mode Adaptive", "", "as the model sees fit, which is what it does unasked"),
    ("visibility Hidden", "", "the gateway leaves thoughts out of the answer"),
];

#[test]
fn every_leaf_of_a_request_arrives_or_is_reported() {
    let leaves = request_leaves();
    let cx = ways::cx("");
    let (mut lost, mut carried, mut reported, mut excused) = (Vec::new(), 0, 0, 0);
    for leaf in &leaves {
        for target in DIALECTS {
            let Ok((with, losses)) = ways::raise(&cx, &leaf.with, target) else {
                reported += 1;
                continue;
            };
            let url = |raised: &any_api::backends::Raised| match &raised.call {
                any_api::backends::Call::Send(request) => format!("{} {}", request.url, request.query),
                any_api::backends::Call::Answered(_) => String::new(),
            };
            let body = String::from_utf8(ways::body(&with)).unwrap();
            let without = ways::raise(&cx, &leaf.without, target).ok();
            let is_carried = match leaf.canary {
                Some(canary) => body.contains(canary) || body.contains("Y2FuYXJ5UTc="),
                None => without
                    .as_ref()
                    .is_none_or(|(without, _)| ways::body(without) != body.as_bytes() || url(without) != url(&with)),
            };
            let before = without.map(|(_, losses)| losses).unwrap_or_default();
            if is_carried {
                carried += 1;
            } else if losses.iter().any(|loss| !before.contains(loss) || loss.code.level == Level::Deny) {
                reported += 1;
            } else if EXCUSED
                .iter()
                .any(|(name, of, _)| leaf.name.starts_with(name) && (of.is_empty() || *of == target))
            {
                excused += 1;
            } else {
                lost.push(format!("{} for {target}", leaf.name));
            }
        }
    }
    eprintln!("{} leaves of requests: {carried} carried, {reported} reported, {excused} excused", leaves.len());
    assert!(lost.is_empty(), "{} leaves are lost:\n{}", lost.len(), lost.join("\n"));
}

/// Fails to compile when the IR of answers has a new field: then add its leaf to [`response_leaves`].
#[expect(dead_code, reason = "only compiled")]
fn answers_have_no_other_leaves(response: ir::Response, event: ir::Event) {
    let ir::Response { id: _, model: _, created: _, parts, finish, usage, extensions: _ } = response;
    parts.into_iter().for_each(no_other_part);
    let ir::Finish { reason, raw: _, stop_sequence: _, detail: _, extensions: _ } = finish;
    match reason {
        ir::Reason::End
        | ir::Reason::StopSequence
        | ir::Reason::ToolUse
        | ir::Reason::Length
        | ir::Reason::ContextExceeded
        | ir::Reason::Refusal
        | ir::Reason::Pause
        | ir::Reason::Malformed
        | ir::Reason::Other => {}
    }
    let ir::Usage { input: _, cache_read: _, cache_write: _, output: _, reasoning: _, raw: _ } = usage;
    match event {
        ir::Event::Start(ir::Start { id: _, model: _, created: _, extensions: _, usage: _ }) => {}
        ir::Event::Open(open) => match open {
            ir::Open::Text { meta } | ir::Open::Reasoning { form: _, meta } | ir::Open::Refusal { meta } => {
                no_other_meta(meta);
            }
            ir::Open::ToolCall { id: _, name: _, namespace: _, kind: _, meta } => no_other_meta(meta),
            ir::Open::Whole(part) => no_other_part(*part),
        },
        ir::Event::Annotate(ir::Annotation::Citation(_) | ir::Annotation::Logprobs(_)) => {}
        ir::Event::Usage(_)
        | ir::Event::Idle
        | ir::Event::Delta(_)
        | ir::Event::Seal(_)
        | ir::Event::Close
        | ir::Event::Finish(_)
        | ir::Event::Failed(_) => {}
    }
}

fn response_leaves() -> Vec<Leaf<ir::Response>> {
    use ir::{Part, Reason};
    let mut out = Leaves(Vec::new());
    let answer = |part: Part| ir::Response { parts: vec![part], ..ir::Response::default() };
    let base = answer(text("words"));
    out.text("id", &base, |answer| answer.id = Some(canary()));
    out.text("model", &base, |answer| answer.model = Some(canary()));
    out.number("created", &base, |answer| answer.created = Some(NUMBER));
    out.text("extensions", &base, |answer| answer.extensions = extensions());
    for reason in [
        Reason::StopSequence,
        Reason::Length,
        Reason::ContextExceeded,
        Reason::Refusal,
        Reason::Pause,
        Reason::Malformed,
        Reason::Other,
    ] {
        out.word(format!("finish {reason:?}"), &base, |answer| answer.finish.reason = reason);
    }
    out.text("finish.raw", &base, |answer| answer.finish.raw = Some(canary()));
    out.text("finish.stop_sequence", &base, |answer| {
        answer.finish =
            ir::Finish { reason: Reason::StopSequence, stop_sequence: Some(canary()), ..ir::Finish::default() };
    });
    out.text("finish.detail", &base, |answer| {
        answer.finish = ir::Finish { reason: Reason::Refusal, detail: Some(canary()), ..ir::Finish::default() };
    });
    out.text("finish.extensions", &base, |answer| answer.finish.extensions = extensions());
    type SetCount = fn(&mut ir::Usage);
    let counts: [(&str, SetCount); 5] = [
        ("input", |usage| usage.input = Some(NUMBER)),
        ("output", |usage| usage.output = Some(NUMBER)),
        ("cache_read", |usage| (usage.input, usage.cache_read) = (Some(9_000), Some(NUMBER))),
        ("cache_write", |usage| (usage.input, usage.cache_write) = (Some(9_000), Some(NUMBER))),
        ("reasoning", |usage| (usage.output, usage.reasoning) = (Some(9_000), Some(NUMBER))),
    ];
    for (name, set) in counts {
        out.number(format!("usage.{name}"), &base, |answer| set(&mut answer.usage));
    }
    out.text("usage.raw", &base, |answer| answer.usage.raw = Some(ir::Native { dialect: NOBODY, value: json() }));
    out.text("text", &base, |answer| answer.parts = vec![text(CANARY)]);
    let citations = [
        ("url", ir::Citation { url: Some("https://vendor.example/canaryQ7".into()), ..ir::Citation::default() }),
        ("title", ir::Citation { url: Some("https://a".into()), title: Some(canary()), ..ir::Citation::default() }),
        ("quote", ir::Citation { url: Some("https://a".into()), quote: Some(canary()), ..ir::Citation::default() }),
        ("title alone", ir::Citation { title: Some(canary()), ..ir::Citation::default() }),
        (
            "native",
            ir::Citation { native: Some(ir::Native { dialect: NOBODY, value: json() }), ..ir::Citation::default() },
        ),
    ];
    for (name, citation) in citations {
        out.text(format!("citation.{name}"), &base, |answer| {
            answer.parts = vec![Part::Text(ir::TextPart {
                text: "words".into(),
                citations: vec![citation],
                ..ir::TextPart::default()
            })];
        });
    }
    let logprob = |token: ir::Text, top| ir::TokenLogprob { token, logprob: -0.25, top };
    for (name, logprob) in
        [("token", logprob(canary(), Vec::new())), ("top", logprob("words".into(), vec![(canary(), -0.5)]))]
    {
        out.text(format!("logprobs.{name}"), &base, |answer| {
            answer.parts = vec![Part::Text(ir::TextPart {
                text: "words".into(),
                logprobs: vec![logprob],
                ..ir::TextPart::default()
            })];
        });
    }
    out.text("refusal", &base, |answer| {
        answer.parts = vec![Part::Refusal(ir::Refusal { text: canary(), meta: ir::Meta::default() })];
    });
    for form in [ir::ReasoningForm::Summary, ir::ReasoningForm::Raw] {
        out.text(format!("{form:?} thought"), &base, |answer| {
            let thought = ir::Reasoning { text: canary(), form, meta: ir::Meta::default() };
            answer.parts.insert(0, Part::Reasoning(thought));
        });
    }
    for kind in [ir::CallKind::Function, ir::CallKind::Custom] {
        let base = answer(Part::ToolCall(call(kind)));
        let call = |answer: &mut ir::Response, set: &dyn Fn(&mut ir::ToolCall)| {
            if let Some(Part::ToolCall(call)) = answer.parts.first_mut() {
                set(call);
            }
        };
        out.text(format!("{kind:?} call.id"), &base, |answer| call(answer, &|call| call.id = canary()));
        out.text(format!("{kind:?} call.name"), &base, |answer| call(answer, &|call| call.name = canary()));
        out.text(format!("{kind:?} call.namespace"), &base, |answer| {
            call(answer, &|call| call.namespace = Some(canary()));
        });
        out.text(format!("{kind:?} call.arguments"), &base, |answer| {
            call(answer, &|call| {
                call.arguments = if kind == ir::CallKind::Custom { canary() } else { json().text().clone() };
            });
        });
        out.text(format!("{kind:?} call with broken arguments"), &base, |answer| {
            call(answer, &|call| call.arguments = canary());
        });
    }
    for (name, media) in medias() {
        out.text(name, &base, |answer| answer.parts.push(media));
    }
    out.text("opaque", &base, |answer| answer.parts.push(opaque(None)));
    out.text("opaque in words", &base, |answer| answer.parts.push(opaque(Some(canary()))));
    out.text("item.id", &base, |answer| {
        let item = ir::Item { id: Some(canary()), phase: None };
        answer.parts.iter_mut().for_each(|part| part.meta_mut().item = Some(Box::new(item.clone())));
    });
    out.text("item.phase", &base, |answer| {
        let item = ir::Item { id: None, phase: Some(canary()) };
        answer.parts.iter_mut().for_each(|part| part.meta_mut().item = Some(Box::new(item.clone())));
    });
    out.text("part.extensions", &base, |answer| {
        answer.parts.iter_mut().for_each(|part| part.meta_mut().extensions = extensions());
    });
    // Seals are held to a law of their own (`laws/seals.rs`); wishes to cache stand in requests alone.
    out.0
}

/// Leaves of answers that neither arrive nor are reported: beginning of the name, client (any if empty), whether in a
/// stream alone, reason.
const UNTOLD: &[(&str, &str, bool, &str)] = &[
    ("id", "openai-responses", false, "ids of answers are the gateway's own, as they are looked up by it"),
    ("model", "", false, "the client's own name of the model is told"),
    ("created", "claude", false, "the dialect tells no time"),
    ("created", "gemini", false, "the dialect tells no time"),
    ("finish StopSequence", "", false, "an ordinary end; which sequence it was is reported by itself"),
    ("finish.raw", "", false, "the upstream's word for what the reason says already"),
    ("usage.cache_write", "gemini", false, "the dialect does not count it apart; it is part of the prompt's count"),
    ("usage.raw", "", false, "the counts are told in the client's words"),
    ("citation.native", "gemini", false, "a citation without an address or words says nothing elsewhere"),
    ("Function call.namespace", "", false, "only who declared one, in Responses, is told one"),
    ("Custom call.namespace", "", false, "only who declared one, in Responses, is told one"),
    ("item.id", "", false, "the dialect has no items"),
    ("item.phase", "", false, "the dialect has no phases; the next request lacks it, as it is told then"),
    ("part.extensions", "openai-chat-completions", false, "fields of answers are lost at the level `allow` anyway"),
    ("part.extensions", "claude", false, "fields of answers are lost at the level `allow` anyway"),
    ("logprobs", "claude", false, "Claude's clients cannot ask for them, so nobody misses them"),
];

#[test]
fn every_leaf_of_an_answer_arrives_or_is_reported() {
    let leaves = response_leaves();
    let mut lost: Vec<String> = Vec::new();
    let (mut carried, mut reported, mut excused) = (0, 0, 0);
    for leaf in &leaves {
        for client in DIALECTS {
            let whole = |response: &ir::Response| ways::render(client, &ways::cx(""), response.clone());
            let stream = |response: &ir::Response| ways::encode_all(client, &response.clone().events());
            let (with, losses) = whole(&leaf.with);
            let (without, before) = whole(&leaf.without);
            let found = |with: &[u8], without: &[u8]| match leaf.canary {
                Some(canary) => {
                    let text = String::from_utf8_lossy(with);
                    text.contains(canary) || text.contains("Y2FuYXJ5UTc=")
                }
                None => with != without,
            };
            let is_untold = |is_stream: bool| {
                UNTOLD.iter().any(|(name, of, streams, _)| {
                    leaf.name.starts_with(name) && (of.is_empty() || *of == client) && (is_stream || !streams)
                })
            };
            // What the gateway does not tell by default is told all the same.
            if found(&with, &without) {
                carried += 1;
            } else if losses.iter().any(|loss| !before.contains(loss)) {
                reported += 1;
            } else if is_untold(false) {
                excused += 1;
            } else {
                lost.push(format!("{} for {client}", leaf.name));
            }
            let ((with, losses), (without, before)) = (stream(&leaf.with), stream(&leaf.without));
            if found(&with, &without) {
                carried += 1;
            } else if losses.iter().any(|loss| !before.contains(loss)) {
                reported += 1;
            } else if is_untold(true) {
                excused += 1;
            } else {
                lost.push(format!("{} for {client}, streamed", leaf.name));
            }
        }
    }
    eprintln!("{} leaves of answers: {carried} carried, {reported} reported, {excused} excused", leaves.len());
    assert!(lost.is_empty(), "{} leaves are lost:\n{}", lost.len(), lost.join("\n"));
}
