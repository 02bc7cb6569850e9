// A stream as a vendor's Node SDK tells it, through the SDK's own streaming helper; python/read_*.py do the same with the Python SDKs.
//
//   const { text, calls, completed, finish, failure } = await readers.claude({ base, key })("provider.model");
//
// - `text`, `refusal`: the words of the final message;
// - `calls`: those of the final message, as { name, arguments } with the arguments as JSON text (or a custom tool's own text);
// - `completed`: the same, as the helper said that each was whole, also where the stream failed later;
// - `finish`: the vendor's word; `failure`: what the helper threw, if it did: { name, message, own } (`own`: a class of the SDK's).
import Anthropic from "@anthropic-ai/sdk";
import { ApiError, GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

const QUESTION = "What is the weather?";
const join = (list) => list.join("");

/** Runs a helper; what it throws is part of the answer. */
async function told(read, isOwn) {
  const seen = { text: "", refusal: "", calls: [], completed: [], finish: null };
  try {
    await read(seen);
    return seen;
  } catch (error) {
    return { ...seen, failure: { name: error.constructor.name, message: error.message, own: isOwn(error) } };
  }
}

function chat({ base, key }) {
  const sdk = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0, logLevel: "off" });
  const call = ({ function: made, custom }) => (custom ? { name: custom.name, arguments: custom.input } : { name: made.name, arguments: made.arguments });
  return (model) =>
    told(async (seen) => {
      const stream = sdk.chat.completions.stream({ model, messages: [{ role: "user", content: QUESTION }], stream_options: { include_usage: true } });
      stream.on("tool_calls.function.arguments.done", ({ name, arguments: text }) => seen.completed.push({ name, arguments: text }));
      const { choices } = await stream.finalChatCompletion();
      const [{ message, finish_reason }] = choices;
      const calls = message.tool_calls ?? [];
      // The helper has no such event for custom tools: theirs are whole when the message is.
      for (const custom of calls.filter((made) => made.custom)) seen.completed.push(call(custom));
      Object.assign(seen, { text: message.content ?? "", refusal: message.refusal ?? "", calls: calls.map(call), finish: finish_reason });
    }, (error) => error instanceof OpenAI.APIError);
}

function responses({ base, key }) {
  const sdk = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0, logLevel: "off" });
  const ofItem = (item) => ({ name: item.name, arguments: item.type === "custom_tool_call" ? item.input : item.arguments });
  const isCall = (item) => item.type === "function_call" || item.type === "custom_tool_call";
  return (model) =>
    told(async (seen) => {
      const stream = sdk.responses.stream({ model, input: QUESTION, store: false });
      stream.on("response.output_item.done", ({ item }) => isCall(item) && item.status === "completed" && seen.completed.push(ofItem(item)));
      const final = await stream.finalResponse();
      const parts = final.output.flatMap((item) => (item.type === "message" ? item.content : []));
      seen.text = final.output_text;
      seen.refusal = join(parts.filter((part) => part.type === "refusal").map((part) => part.refusal));
      seen.calls = final.output.filter(isCall).map(ofItem);
      seen.finish = final.incomplete_details?.reason ?? final.status;
      // To the SDK a failed response is an answer; its application has to look at the status.
      if (final.status === "failed") seen.failure = { name: "failed", message: final.error.message, own: true };
    }, (error) => error instanceof OpenAI.APIError);
}

function claude({ base, key }) {
  const sdk = new Anthropic({ baseURL: base, apiKey: key, authToken: null, maxRetries: 0, logLevel: "off" });
  const call = ({ name, input }) => ({ name, arguments: JSON.stringify(input) });
  return (model) =>
    told(async (seen) => {
      const stream = sdk.messages.stream({ model, max_tokens: 4096, messages: [{ role: "user", content: QUESTION }] });
      stream.on("contentBlock", (block) => block.type === "tool_use" && seen.completed.push(call(block)));
      const final = await stream.finalMessage();
      seen.text = join(final.content.filter((block) => block.type === "text").map((block) => block.text));
      seen.calls = final.content.filter((block) => block.type === "tool_use").map(call);
      seen.finish = final.stop_reason;
    }, (error) => error instanceof Anthropic.APIError);
}

function gemini({ base, key }) {
  const sdk = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: base } });
  return (model) =>
    told(async (seen) => {
      for await (const chunk of await sdk.models.generateContentStream({ model, contents: QUESTION })) {
        const candidate = chunk.candidates?.[0];
        const parts = candidate?.content?.parts ?? [];
        seen.text += join(parts.filter((part) => !part.thought).map((part) => part.text ?? ""));
        seen.calls.push(...parts.flatMap(({ functionCall: made }) => (made ? { name: made.name, arguments: JSON.stringify(made.args ?? {}) } : [])));
        seen.completed = seen.calls;
        seen.finish = candidate?.finishReason ?? chunk.promptFeedback?.blockReason ?? seen.finish;
      }
    }, (error) => error instanceof ApiError);
}

export const readers = { chat, responses, claude, gemini };
