//! What every spoke is handed first: the document at hand, where we are in it, what was lost so far, the time, and ids.

use serde_json::value::RawValue;

use crate::diagnostics::{Code, Diagnostic, codes};
use crate::error::{Error, Result};
use crate::ir::{
    AROUND, Body, Citation, DialectHeader, Extensions, Json, Media, Opaque, Place, Places, Session, Setting, Text,
    field_path,
};
use crate::json::{Str, Unknown};

/// One step of a path.
#[derive(Clone, Debug)]
enum Step {
    Key(&'static str),
    Name(Text),
    Index(usize),
}

/// Makes ids that differ between requests. The core has no randomness: the host gives a seed.
#[derive(Clone, Debug)]
pub struct Ids {
    seed: u64,
    made: u64,
    /// What all ids of an answer that is kept have in common.
    stem: Option<Text>,
}

impl Ids {
    /// A maker of ids; `seed` has to differ from request to request.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, made: 0, stem: None }
    }

    /// A maker of ids that all begin with a prefix and `stem`, which has to differ from answer to answer, so that an id
    /// tells whose it is. Its forks have no stem.
    #[must_use]
    pub fn with_stem(self, stem: &str) -> Self {
        Self { stem: Some(stem.into()), ..self }
    }

    /// A new id: `prefix` and 24 letters and digits; or prefix, stem and a number.
    pub fn make(&mut self, prefix: &str) -> Text {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        self.made += 1;
        if let Some(stem) = &self.stem {
            // The mark of what the gateway made up is a part of the stem.
            let prefix = prefix.strip_suffix("any_").unwrap_or(prefix);
            return format!("{prefix}{stem}_{}", self.made).into();
        }
        let mut out = String::with_capacity(prefix.len() + 24);
        out.push_str(prefix);
        for half in 0..2 {
            let mut bits = spread(self.seed, self.made.wrapping_mul(2).wrapping_add(half));
            for _ in 0..12 {
                out.push(char::from(DIGITS.get((bits % 36) as usize).copied().unwrap_or(b'0')));
                bits /= 36;
            }
        }
        out.into()
    }

    /// A maker whose ids differ from this one's, and from those of its other forks and theirs.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        self.made += 1;
        Self { seed: spread(self.seed, self.made.wrapping_neg()), made: 0, stem: None }
    }
}

/// Seed and counter spread over all bits: `SplitMix64`.
fn spread(seed: u64, counter: u64) -> u64 {
    let bits = seed ^ counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The context of one translation.
#[derive(Clone, Debug)]
pub struct Cx {
    body: Body,
    /// Every place that was named so far: its parent and the last step. The first is the document itself.
    places: Vec<(Place, Step)>,
    here: Place,
    /// Where the client's dialect says its settings, and what the document has at such places: looked up when the first
    /// of them is reported.
    settings: Places,
    said: Option<Vec<String>>,
    /// Names in camel case, and whether the document writes them in snake case.
    snakes: Vec<(String, bool)>,
    diagnostics: Vec<Diagnostic>,
    /// Stop sequences that the upstream does not take.
    cuts: Vec<Text>,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// Makes ids.
    pub ids: Ids,
}

impl Cx {
    /// A context for the document `body`.
    #[must_use]
    pub fn new(body: Body, now: u64, ids: Ids) -> Self {
        let places = vec![(Place(0), Step::Key(""))];
        Self {
            body,
            places,
            here: Place(0),
            settings: Setting::places,
            said: None,
            snakes: Vec::new(),
            diagnostics: Vec::new(),
            cuts: Vec::new(),
            now,
            ids,
        }
    }

    /// Tells where the document says its settings. A frontend begins with it.
    pub fn settings_at(&mut self, places: Places) {
        self.settings = places;
    }

    /// The document.
    #[must_use]
    pub fn body(&self) -> Body {
        self.body.clone()
    }

    /// Room in bytes for a document that says the same. A body that grows as it is written is copied again and again, and takes up
    /// to three times its size while it is, which for pictures is more memory than a Worker has.
    #[must_use]
    pub fn room(&self) -> usize {
        let length = self.body.as_str().len();
        length + length / 16 + 512
    }

    /// A handle to text read from the document.
    #[must_use]
    pub fn text(&self, text: &Str<'_>) -> Text {
        text.text(&self.body)
    }

    /// The same, for a field that may be missing.
    #[must_use]
    pub fn optional_text(&self, text: Option<&Str<'_>>) -> Option<Text> {
        text.map(|text| self.text(text))
    }

    /// A handle to raw JSON read from the document.
    #[must_use]
    pub fn json(&self, raw: &RawValue) -> Json {
        self.body.json(raw)
    }

    /// The same, for a field that may be missing; `null` is missing.
    #[must_use]
    pub fn optional_json(&self, raw: Option<&RawValue>) -> Option<Json> {
        raw.filter(|raw| raw.get() != "null").map(|raw| self.json(raw))
    }

    /// Does `work` inside the field `key` of where we are.
    pub fn at<T>(&mut self, key: &'static str, work: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(Step::Key(key), work)
    }

    /// Does `work` inside the element `index` of the list where we are.
    pub fn at_index<T>(&mut self, index: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(Step::Index(index), work)
    }

    /// Does `work` inside the element `index` of the list `key` of where we are.
    pub fn at_item<T>(&mut self, key: &'static str, index: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        self.at(key, |cx| cx.at_index(index, work))
    }

    fn inside<T>(&mut self, step: Step, work: impl FnOnce(&mut Self) -> T) -> T {
        let outside = self.here;
        self.here = self.place_under(outside, step);
        let out = work(self);
        self.here = outside;
        out
    }

    fn place_under(&mut self, parent: Place, step: Step) -> Place {
        self.places.push((parent, step));
        Place(u32::try_from(self.places.len() - 1).unwrap_or_default())
    }

    /// Where we are in the document.
    #[must_use]
    pub fn here(&self) -> Place {
        self.here
    }

    /// The place of the object around a node: of the message of `messages[3].content[0]`.
    #[must_use]
    pub fn around(&self, place: Place) -> Place {
        let step = |place: Place| self.places.get(place.0 as usize).filter(|_| place.0 != 0);
        match step(place) {
            Some((parent, Step::Index(_))) => step(*parent).map_or(*parent, |(around, _)| *around),
            Some((parent, Step::Key(_) | Step::Name(_))) => *parent,
            None => place,
        }
    }

    /// The path of a place: `messages[3].content[0]`.
    #[must_use]
    pub fn path(&self, place: Place) -> String {
        let mut steps = Vec::new();
        let mut at = place;
        while let Some((parent, step)) = (at.0 != 0).then(|| self.places.get(at.0 as usize)).flatten() {
            steps.push(step);
            at = *parent;
        }
        let mut out = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Key(key) => push_key(key, &mut out),
                Step::Name(name) => push_key(name, &mut out),
                Step::Index(index) => {
                    out.push('[');
                    out.push_str(&index.to_string());
                    out.push(']');
                }
            }
        }
        out
    }

    /// Reports a loss at the field `key` (may be empty, or a path) of `place`.
    pub fn report(&mut self, code: &'static Code, place: Place, key: &str, message: impl Into<String>) {
        let mut path = self.path(place);
        if !key.is_empty() {
            push_key(key, &mut path);
        }
        let place = self.spelled(path);
        self.diagnostics.push(Diagnostic { code, place, message: message.into() });
    }

    /// A path with its names as the document writes them: Gemini's clients write `functionDeclarations` or
    /// `function_declarations`, as they please, and few write both.
    fn spelled(&mut self, path: String) -> String {
        if !path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return path;
        }
        let mut out = String::with_capacity(path.len() + 8);
        for (index, step) in path.split('.').enumerate() {
            if index > 0 {
                out.push('.');
            }
            let name = step.split('[').next().unwrap_or_default();
            if self.is_snake(name) {
                out.push_str(&snake_case(name));
                out.push_str(step.get(name.len()..).unwrap_or_default());
            } else {
                out.push_str(step);
            }
        }
        out
    }

    fn is_snake(&mut self, name: &str) -> bool {
        if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return false;
        }
        if let Some((_, is_snake)) = self.snakes.iter().find(|(other, _)| other == name) {
            return *is_snake;
        }
        let body = self.body.as_str();
        let is_snake = body.contains(&format!("\"{}\"", snake_case(name))) && !body.contains(&format!("\"{name}\""));
        self.snakes.push((name.to_owned(), is_snake));
        is_snake
    }

    /// Reports losses that were found elsewhere.
    pub fn report_all(&mut self, losses: Vec<Diagnostic>) {
        self.diagnostics.extend(losses);
    }

    /// Reports a loss at the field `key` of where we are.
    pub fn report_here(&mut self, code: &'static Code, key: &str, message: impl Into<String>) {
        self.report(code, self.here, key, message);
    }

    /// Reports the loss of a setting, at the place where the client said it, or would have.
    pub fn report_setting(&mut self, code: &'static Code, setting: Setting, message: impl Into<String>) {
        let places = (self.settings)(setting);
        let place = places.iter().find_map(|path| self.said(path).map(ToOwned::to_owned));
        let place = place.unwrap_or_else(|| places.first().copied().unwrap_or_default().to_owned());
        self.diagnostics.push(Diagnostic { code, place, message: message.into() });
    }

    /// Reports stop sequences that the upstream does not take, and has the gateway cut the answer at them.
    pub fn cut_at<'a>(
        &mut self,
        stops: impl IntoIterator<Item = &'a Text>,
        code: &'static Code,
        message: impl Into<String>,
    ) {
        self.cuts.extend(stops.into_iter().cloned());
        self.report_setting(code, Setting::Stop, message);
    }

    /// Takes the stop sequences that the upstream is not told.
    pub fn take_cuts(&mut self) -> Vec<Text> {
        std::mem::take(&mut self.cuts)
    }

    /// Reports the loss of a setting of the node at `place`.
    pub fn report_at(&mut self, code: &'static Code, place: Place, setting: Setting, message: impl Into<String>) {
        let keys = (self.settings)(setting);
        let key = match keys {
            [] => "",
            [key] => key,
            [first, ..] => keys.iter().find(|key| self.has(place, key)).unwrap_or(first),
        };
        self.report(code, place, key, message);
    }

    /// Reports that an upstream of `dialect` cannot be told to cache a prompt and answer nothing. It is asked to answer as
    /// little as can be: the limit that is given back.
    pub fn report_prewarm(&mut self, dialect: &str) -> u64 {
        let what = format!("{dialect} cannot cache a prompt without an answer; one of a single token is asked for");
        self.report_setting(&codes::CACHE_HINT_LOST, Setting::Prewarm, what);
        1
    }

    /// Reports that an upstream of `dialect` goes on from no earlier answer and no conversation, as all but Responses; and
    /// where it keeps no answers either, that.
    pub fn report_session(&mut self, session: &Session, keeps_answers: bool, dialect: &str) {
        let Session { previous_response_id, conversation, store } = session;
        if previous_response_id.is_some() {
            let what = format!("{dialect} keeps no answers to go on from");
            self.report_setting(&codes::SERVER_STATE_UNSUPPORTED, Setting::PreviousResponse, what);
        }
        if conversation.is_some() {
            let what = format!("{dialect} keeps no conversations");
            self.report_setting(&codes::SERVER_STATE_UNSUPPORTED, Setting::Conversation, what);
        }
        if *store == Some(true) && !keeps_answers {
            self.report_setting(&codes::STORE_LOST, Setting::Store, format!("{dialect} keeps no answers"));
        }
    }

    /// Whether the document has the field `key`, which may be a path, of the node at `place`.
    fn has(&self, place: Place, key: &str) -> bool {
        let mut path = self.path(place);
        push_key(key, &mut path);
        let steps = path.split(['.', '[']).filter(|step| !step.is_empty());
        crate::json::has(self.body.as_str(), steps.map(|step| step.trim_end_matches(']')))
    }

    /// The path of a field near the root as the client spelled it; `None` where there is none.
    fn said(&mut self, path: &str) -> Option<&str> {
        const DEEPEST: usize = 3;
        let said = self.said.get_or_insert_with(|| crate::json::paths(self.body.as_str(), DEEPEST));
        let exact = said.iter().find(|said| *said == path);
        exact.or_else(|| said.iter().find(|said| reads_alike(said, path))).map(String::as_str)
    }

    /// Reports each extension that an upstream of `dialect` cannot be told. A backend calls it for every node.
    pub fn report_extensions(&mut self, extensions: &Extensions, place: Place, dialect: &str) {
        if extensions.dialect() == Some(dialect) {
            return;
        }
        for field in extensions.fields() {
            let path = field.path();
            let what = format!("{dialect} has no such field");
            if let Some(path) = path.strip_prefix(AROUND) {
                self.report(field.loss, self.around(place), path.trim_start_matches('.'), what);
                continue;
            }
            self.report(field.loss, place, path, what);
        }
    }

    /// Reports that an opaque part of another dialect is told in words, or left out.
    pub fn report_opaque(&mut self, part: &Opaque, dialect: &str) {
        let what = if part.words.is_some() { "is told in words" } else { "is left out" };
        self.report(part.loss, part.meta.place, "", format!("{} of {} {what} for {dialect}", part.kind, part.dialect));
    }

    /// Reports that OpenAI would refuse the schema of a strict tool, which is therefore sent as one that is not.
    pub fn report_loose(&mut self, place: Place) {
        let what = "OpenAI is strict only with schemas whose objects need all of their properties and take no others";
        self.report_at(&codes::STRICT_NOT_ENFORCED, place, Setting::Strict, what);
    }

    /// Reports that an upstream keeps to the schema of the answer in any case.
    pub fn report_enforced(&mut self, strict: Option<bool>) {
        if strict == Some(false) {
            let what = "the upstream keeps to the schema in any case";
            self.report_setting(&codes::STRICT_ENFORCED, Setting::Format, what);
        }
    }

    /// Reports that an upstream takes media by their content alone, and these stand at an address. One of the web would have been
    /// fetched by now, if the configuration let it.
    pub fn report_media_url(&mut self, media: &Media) {
        let what = if media.is_on_web() {
            "the upstream takes no address here: send the file itself, or let the gateway fetch it (`fetchMedia` in its configuration)"
        } else {
            "the upstream takes no address like this one: send the file itself"
        };
        self.report(&codes::MEDIA_URL_UNSUPPORTED, media.meta.place, "", what);
    }

    /// Reports headers that belong to another dialect than the upstream's: they are not sent.
    pub fn report_headers(&mut self, headers: &[DialectHeader], dialect: &str) {
        for header in headers.iter().filter(|header| header.dialect != dialect) {
            self.report(&codes::OPTION_LOST, Place::default(), header.name, "the header is not sent");
        }
    }

    /// Reports that the sources of a text in the history are left out.
    pub fn report_sources(&mut self, citations: &[Citation], place: Place, dialect: &str) {
        if !citations.is_empty() {
            self.report_at(
                &codes::CITATIONS_LOST,
                place,
                Setting::Citations,
                format!("{dialect} takes no sources of this text back"),
            );
        }
    }

    /// What was lost so far.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Takes what was lost so far.
    pub fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.diagnostics)
    }

    /// Keeps unknown fields of the client's document, read where we are, as extensions of `dialect`.
    pub fn keep_unknown(&self, dialect: &'static str, unknown: &Unknown<'_>, out: &mut Extensions) {
        self.keep_unknown_under(dialect, "", unknown, out);
    }

    /// The same, for unknown fields of the inner object `under` of the node.
    pub fn keep_unknown_under(&self, dialect: &'static str, under: &str, unknown: &Unknown<'_>, out: &mut Extensions) {
        for (name, raw) in unknown.iter() {
            self.keep(dialect, field_path(under, name), self.json(raw), &codes::UNKNOWN_FIELD, out);
        }
    }

    /// Keeps a field that `dialect` alone understands; `loss` is what another backend reports. `null` says nothing and
    /// is not kept.
    pub fn keep(
        &self,
        dialect: &'static str,
        name: impl Into<Text>,
        value: Json,
        loss: &'static Code,
        out: &mut Extensions,
    ) {
        if value.is_null() {
            return;
        }
        out.push(dialect, crate::ir::Extension { name: name.into(), value, loss });
    }

    /// The client's document is wrong at the field `key` (may be empty) of where we are.
    #[must_use]
    pub fn invalid(&self, key: &str, message: impl Into<String>) -> Error {
        let mut path = self.path(self.here);
        if !key.is_empty() {
            push_key(key, &mut path);
        }
        Error::invalid(path, message)
    }

    /// The client's document cannot be served for what stands at `place`.
    #[must_use]
    pub fn invalid_at(&mut self, place: Place, message: impl Into<String>) -> Error {
        let path = self.path(place);
        Error::invalid(self.spelled(path), message)
    }

    /// The value of the field `key` of where we are.
    ///
    /// # Errors
    /// It is missing, or null.
    pub fn required<T>(&self, value: Option<T>, key: &str) -> Result<T> {
        value.ok_or_else(|| self.invalid(key, "this field is required"))
    }

    /// Reads a piece of raw JSON of the document, which stands at the field `key` of where we are.
    ///
    /// # Errors
    /// It is not what `T` wants; the error names the place.
    pub fn read<'a, T: crate::json::Wire<'a>>(&mut self, key: &'static str, raw: &'a RawValue) -> Result<T> {
        self.at(key, |cx| {
            crate::json::part(&cx.body, raw.get()).map_err(|mut error| {
                let mut path = cx.path(cx.here);
                if let Some(inner) = error.place.take() {
                    push_key(&inner, &mut path);
                }
                error.place = Some(path);
                error
            })
        })
    }

    /// The same for what stands where we are.
    ///
    /// # Errors
    /// It is not what `T` wants; the error names the place.
    pub fn read_here<'a, T: crate::json::Wire<'a>>(&self, raw: &'a RawValue) -> Result<T> {
        crate::json::part(&self.body, raw.get())
            .map_err(|error| self.invalid(error.place.as_deref().unwrap_or_default(), &error.message))
    }

    /// The type of the object `raw`, if it can be told without reading all of it.
    #[must_use]
    pub fn kind<'a>(&self, raw: &'a RawValue) -> Option<Str<'a>> {
        crate::json::kind(&self.body, raw)
    }

    /// The place of the field `name` of where we are, for a name that is not known before.
    pub fn named_place(&mut self, name: Text) -> Place {
        self.place_under(self.here, Step::Name(name))
    }
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Whether two paths are one: Gemini's clients write `top_k` or `topK`, as they please.
fn reads_alike(one: &str, other: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> {
        text.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
    }
    letters(one).eq(letters(other))
}

fn push_key(key: &str, out: &mut String) {
    if !out.is_empty() && !key.starts_with('[') {
        out.push('.');
    }
    out.push_str(key);
}

/// Losses of an answer, each once: what an encoder gathers, which has no [`Cx`].
#[derive(Clone, Debug, Default)]
pub struct Losses(Vec<Diagnostic>);

impl Losses {
    /// Notes a loss.
    pub fn add(&mut self, code: &'static Code, place: &str, message: impl Into<String>) {
        let loss = Diagnostic { code, place: place.to_owned(), message: message.into() };
        if !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    /// Notes each extension that a client of `dialect` cannot be told.
    pub fn extensions(&mut self, extensions: &Extensions, dialect: &str) {
        if extensions.dialect() == Some(dialect) {
            return;
        }
        for field in extensions.fields() {
            self.add(field.loss, &field.name, format!("{dialect} has no such field"));
        }
    }

    /// Notes that an opaque part of another dialect is told in words, or left out.
    pub fn opaque(&mut self, part: &Opaque, dialect: &str) {
        let what = if part.words.is_some() { "is told in words" } else { "is left out" };
        self.add(part.loss, "", format!("{} of {} {what} for {dialect}", part.kind, part.dialect));
    }

    /// Takes what was noted.
    #[must_use]
    pub fn take(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.0)
    }
}
