//! What hosted tools of other dialects did, told as items of this one.

use serde_json::{Value, json};

use super::{Data, Stream};
use crate::diagnostics::codes;
use crate::dialects::hosted::other_language;
use crate::dialects::openai_responses as words;
use crate::ir;

/// A run of code, and what it wrote.
pub(super) struct Run {
    id: Option<ir::Text>,
    code: ir::Text,
    outputs: Vec<ir::Text>,
}

/// Whether what begins belongs to runs of code, which wait for their output.
pub(super) fn is_of_run(open: &ir::Open) -> bool {
    let ir::Open::Whole(part) = open else { return false };
    let ir::Part::Opaque(ir::Opaque { trace: Some(trace), .. }) = &**part else { return false };
    match trace {
        ir::Trace::Code { .. } | ir::Trace::Output { .. } => true,
        ir::Trace::Search { .. } | ir::Trace::Open { .. } => false,
    }
}

impl Stream {
    /// Tells what a hosted tool did, if there is an item for it.
    pub(super) fn trace(&mut self, part: &ir::Opaque, out: &mut Vec<u8>) -> bool {
        match &part.trace {
            Some(ir::Trace::Search { query }) => self.search(&json!({ "type": "search", "query": query }), out),
            Some(ir::Trace::Open { url }) => self.search(&json!({ "type": "open_page", "url": url }), out),
            Some(trace @ ir::Trace::Code { id, language: _, code, output }) => {
                if let Some(language) = other_language(trace) {
                    let what = format!("that the code is {language}, not Python, cannot be said");
                    self.losses.add(&codes::ANSWER_DETAIL_LOST, "", what);
                }
                let outputs = output.iter().map(|output| output.text.clone()).collect();
                self.runs.push(Run { id: id.clone(), code: code.clone(), outputs });
            }
            Some(ir::Trace::Output { of, output }) => {
                let is_it = |run: &&mut Run| of.is_none() || run.id == *of;
                let Some(run) = self.runs.iter_mut().rev().find(is_it) else { return false };
                run.outputs.push(output.text.clone());
                if output.failed {
                    self.losses.add(&codes::ANSWER_DETAIL_LOST, "", "that the code failed cannot be said");
                }
            }
            None => return false,
        }
        true
    }

    /// The search is over when it is told of: its action is known then.
    fn search(&mut self, action: &Value, out: &mut Vec<u8>) {
        self.close_item("completed", out);
        let id = self.ids.make(words::MADE_UP_SEARCH);
        let item = |status: &str| {
            ir::Json::of(&json!({ "id": id, "type": "web_search_call", "status": status, "action": action }))
        };
        self.write_item("response.output_item.added", &item("in_progress"), out);
        self.write_stage("response.web_search_call.in_progress", &id, out);
        self.write_stage("response.web_search_call.searching", &id, out);
        self.write_stage("response.web_search_call.completed", &id, out);
        self.done(item("completed"), out);
    }

    /// Tells the runs of code that wait.
    pub(super) fn tell_runs(&mut self, out: &mut Vec<u8>) {
        for run in std::mem::take(&mut self.runs) {
            self.run(&run, out);
        }
    }

    fn run(&mut self, run: &Run, out: &mut Vec<u8>) {
        self.close_item("completed", out);
        let what = "the name of the container that the code ran in is made up";
        self.losses.add(&codes::ANSWER_DETAIL_LOST, "", what);
        let Run { id: _, code, outputs } = run;
        let id = self.ids.make(words::MADE_UP_CODE);
        let container = self.ids.make("cntr_any_");
        let item = |status: &str, code: &str, outputs: Option<Vec<Value>>| {
            ir::Json::of(&json!({
                "id": id,
                "type": "code_interpreter_call",
                "status": status,
                "code": code,
                "container_id": container,
                "outputs": outputs,
            }))
        };
        self.write_item("response.output_item.added", &item("in_progress", "", None), out);
        self.write_stage("response.code_interpreter_call.in_progress", &id, out);
        let (item_id, output_index) = (Some(id.as_str()), Some(self.index()));
        let data = Data { item_id, output_index, ..Data::default() };
        let name = "response.code_interpreter_call_code.delta";
        self.write(Data { r#type: name, delta: Some(code), ..data.clone() }, out);
        let name = "response.code_interpreter_call_code.done";
        self.write(Data { r#type: name, code: Some(code), ..data }, out);
        self.write_stage("response.code_interpreter_call.interpreting", &id, out);
        // A turn may be paused while the code runs.
        if outputs.is_empty() {
            return self.done(item("incomplete", code, None), out);
        }
        self.write_stage("response.code_interpreter_call.completed", &id, out);
        let logs = outputs.iter().map(|text| json!({ "type": "logs", "logs": text })).collect();
        self.done(item("completed", code, Some(logs)), out);
    }

    fn write_stage(&mut self, name: &'static str, id: &ir::Text, out: &mut Vec<u8>) {
        let (item_id, output_index) = (Some(id.as_str()), Some(self.index()));
        self.write(Data { r#type: name, item_id, output_index, ..Data::default() }, out);
    }
}
