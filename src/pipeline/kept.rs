//! What the gateway's memory has to do with a request: what is to be fetched for it, what is to be kept of it, and the
//! requests that are about nothing else.

use crate::conversations::{self, Caller, Page, Turn, Wish};
use crate::error::{Error, Kind, Result};
use crate::frontends::{Frontend, KeptAsk};
use crate::http;
use crate::ir;

use super::{dress, refuse};

/// How many turns are fetched at most for the items that one request names.
const MOST_TURNS: usize = 16;

/// What a store was found to hold.
pub type Found = Result<Option<Vec<u8>>>;

/// A request about an answer that the gateway keeps. A host fetches [`Lookup::name`], where there is one, and hands what it
/// found to [`Lookup::answer`]; if [`Lookup::deletes`], it deletes what was there first.
#[derive(Debug)]
pub struct Lookup {
    pub(super) frontend: &'static dyn Frontend,
    pub(super) request_id: ir::Text,
    pub(super) id: String,
    pub(super) ask: KeptAsk,
    pub(super) query: String,
    /// `None` where nothing is kept, or the id is none of ours.
    pub(super) name: Option<String>,
}

impl Lookup {
    /// The record to fetch.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the record is to be deleted, if it is there.
    #[must_use]
    pub fn deletes(&self) -> bool {
        self.ask == KeptAsk::Removal
    }

    /// The answer to the client.
    #[must_use]
    pub fn answer(self, found: Found) -> http::Response {
        match self.told(found) {
            Ok(response) => dress(response, &self.request_id),
            Err(error) => refuse(self.frontend, &error, &self.request_id),
        }
    }

    fn told(&self, found: Found) -> Result<http::Response> {
        let unknown = || {
            let message = format!("Response with id '{}' not found.", self.id);
            Error::new(Kind::NotFound, message).with_code("response_not_found")
        };
        let json = |body| http::Response::json(200, body);
        let turn = found?.and_then(Turn::read).ok_or_else(unknown)?;
        match self.ask {
            KeptAsk::Answer => {
                let value = |name: &str| http::parameters(&self.query).find(|pair| pair.0 == name).map(|pair| pair.1);
                if value("stream").as_deref() != Some("true") {
                    return Ok(json(turn.response.as_str().as_bytes().to_vec()));
                }
                let after = value("starting_after").map(|number| number.parse()).transpose();
                let after = after.map_err(|_| Error::invalid("starting_after", "expected a number"))?;
                let body = conversations::replay(&turn.response.value(), after);
                let mut response = json(body);
                response.headers.set("content-type", "text/event-stream; charset=utf-8");
                response.headers.set("cache-control", "no-cache");
                Ok(response)
            }
            KeptAsk::Input => conversations::list(&turn, &Page::of(&self.query)?).map(json),
            KeptAsk::Removal => Ok(json(conversations::removed(&self.id))),
            // What is kept is whole.
            KeptAsk::Cancel => Err(Error::invalid("", "Cannot cancel a synchronous response.")),
        }
    }
}

/// A request that cannot be read before the turns it leans on are there.
#[derive(Debug)]
pub(super) struct Waiting {
    body: ir::Body,
    wish: Wish,
    /// What is or was to be fetched: each answer's id, and its turn once that is there. The first is the answer that the
    /// request goes on from, if it does.
    fetched: Vec<(ir::Text, Option<Turn>)>,
    /// The answer that it goes on from is still to be fetched.
    waits_for_previous: bool,
}

impl Waiting {
    /// What `body` waits for, if its caller may have something in a store. Ids that are none of ours are nothing to wait
    /// for.
    pub(super) fn new(body: ir::Body, caller: Option<&Caller>) -> Self {
        let wish = caller.map(|_| Wish::of(&body)).unwrap_or_default();
        let is_ours = |id: &ir::Text| caller.is_some_and(|caller| caller.record(id).is_some());
        let waits_for_previous = wish.previous.as_ref().is_some_and(is_ours);
        Self { body, wish, fetched: Vec::new(), waits_for_previous }
    }

    /// The id of the next turn to fetch. A turn holds all that came before it, so most references are found in the latest.
    pub(super) fn next(&self) -> Option<ir::Text> {
        if self.waits_for_previous {
            return self.wish.previous.clone();
        }
        if self.fetched.len() >= MOST_TURNS {
            return None;
        }
        let unknown = self.wish.references.iter().filter(|id| self.find(id).is_none());
        let answers = unknown.filter_map(|id| conversations::answer_of(id));
        answers.map(ir::Text::from).find(|id| !self.fetched.iter().any(|(other, _)| other == id))
    }

    /// Takes the turn that was fetched, if it was there.
    pub(super) fn meet(&mut self, turn: Option<Turn>) {
        if let Some(id) = self.next() {
            self.waits_for_previous = false;
            self.fetched.push((id, turn));
        }
    }

    fn find(&self, id: &str) -> Option<&ir::Json> {
        self.fetched.iter().filter_map(|(_, turn)| turn.as_ref()).find_map(|turn| turn.item(id))
    }

    fn previous(&self) -> Option<&Turn> {
        let previous = self.wish.previous.as_ref()?;
        self.fetched.iter().find(|(id, _)| id == previous)?.1.as_ref()
    }

    /// Whether the history is put back.
    pub(super) fn has_previous(&self) -> bool {
        self.previous().is_some()
    }

    /// Whether anything of what was fetched goes into the request.
    pub(super) fn has_found(&self) -> bool {
        self.has_previous() || self.wish.references.iter().any(|id| self.find(id).is_some())
    }

    /// Whether the client does not mind that its turn is kept.
    pub(super) fn may_be_kept(&self) -> bool {
        self.wish.store != Some(false)
    }

    /// The request as the client wrote it.
    pub(super) fn body(&self) -> &ir::Body {
        &self.body
    }

    /// All items of the request, as a JSON list.
    pub(super) fn input(&self) -> String {
        conversations::input(self.body.as_str(), self.previous(), &|id| self.find(id)).0
    }

    /// The request as it would have been without a memory, and how many of its items the client did not send.
    pub(super) fn continued(&self) -> (ir::Body, usize) {
        if !self.has_found() {
            return (self.body.clone(), 0);
        }
        let (input, kept_items) = conversations::input(self.body.as_str(), self.previous(), &|id| self.find(id));
        (ir::Body::new(conversations::with_input(self.body.as_str(), &input)), kept_items)
    }
}

/// The refusal of OpenAI itself, and what can be done.
pub(super) fn previous_not_found(id: &str) -> Error {
    let message =
        format!("Previous response with id '{id}' not found. Without previous_response_id, send the whole history.");
    Error::invalid("previous_response_id", message).with_code("previous_response_not_found")
}
