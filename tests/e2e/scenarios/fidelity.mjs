// What an upstream is given back of its own answers. A native client sends the items of earlier answers as they came: signatures,
// ids, encrypted content, order. `losses` compares that with what a request really holds.
import { canonical } from "../upstream/strict.mjs";

const only = (object, ...names) => Object.fromEntries(names.filter((name) => object[name] !== undefined).map((name) => [name, object[name]]));

/** Texts that stand next to each other, with nothing between, are one to the vendors: streams hand them out in pieces. */
function joined(items) {
  const out = [];
  for (const item of items) {
    const before = out.at(-1);
    if (before && Object.keys(before).join() === "text" && Object.keys(item).join() === "text") out[out.length - 1] = { text: before.text + item.text };
    else out.push(item);
  }
  return out;
}

/** Entries of one kind and index are one: that is how a stream of them is told. */
function details(list) {
  const out = [];
  for (const entry of list ?? []) {
    const before = out.at(-1);
    if (before?.type === entry.type && before.index === entry.index && entry.text) out[out.length - 1] = { ...before, text: before.text + entry.text };
    else out.push(entry);
  }
  return out.length ? { reasoning_details: out } : {};
}

/** An answer's items, or a history's, with what counts of them: what no native client would have to send is left out. */
const essence = {
  chat: (messages) =>
    messages.map((message) => ({
      ...only(message, "reasoning_content"),
      ...details(message.reasoning_details),
      content: (typeof message.content === "string" ? message.content : (message.content ?? []).map((part) => part.text).join("")) || "",
      calls: (message.tool_calls ?? []).map((call) => [call.id, (call.custom ?? call.function).name, call.custom?.input ?? call.function.arguments]),
    })),
  responses: (items) =>
    items.map((item) => {
      const { type = "message" } = item;
      if (type === "message") return { ...only(item, "id", "phase"), type, text: typeof item.content === "string" ? item.content : item.content.map((part) => part.text ?? part.refusal).join("") };
      if (type === "reasoning") return only(item, "type", "id", "summary", "encrypted_content");
      const told = only(item, "type", "id", "call_id", "name", "namespace", "arguments", "input", "action", "operation", "encrypted_content");
      // What a shell's action leaves open it may say as null, or not at all.
      return told.action ? { ...told, action: Object.fromEntries(Object.entries(told.action).filter(([, value]) => value !== null)) } : told;
    }),
  claude: (blocks) => blocks.map((block) => only(block, "type", "text", "thinking", "signature", "data", "id", "name", "input")),
  gemini: (parts) => {
    const standard = (signature) => (signature === undefined ? {} : { thoughtSignature: Buffer.from(signature, "base64").toString("base64") });
    // Google wants signatures back; words of thoughts it does not, and an empty text is nothing.
    const kept = parts.filter((part) => part.thoughtSignature || !(part.thought || part.text === ""));
    return joined(kept.map((part) => ({ ...only(part, "text"), ...(part.functionCall ? { functionCall: only(part.functionCall, "id", "name", "args") } : {}), ...standard(part.thoughtSignature) })));
  },
};


/** The answers that a conversation had so far: each one's items, by the request that they answered. */
const answered = (records) => records.filter((record) => record.status === 200 && !record.broken);

/** What an answer's item may have lost on its way, by the client: see `forgets` in clients.mjs. */
const reduced = {
  ids: ({ id, ...item }) => (item.type === "reasoning" ? { id, ...item } : item),
  unthought: ({ id, phase, ...item }, answer) => (answer.some(({ type }) => type === "reasoning") ? { id, phase, ...item } : item),
};

/**
 * What a request lacks of the earlier answers, or has beside them: none, where a native client could not have done better.
 * `records` are the conversation's requests, all to one dialect; `forgets` names what may be lost.
 */
export function losses(records, dialect, forgets) {
  const reduce = (dialect === "responses" && reduced[forgets]) || ((item) => item);
  const out = [];
  records.forEach((record, index) => {
    if (!record.heard) return;
    const answers = answered(records.slice(0, index)).map(({ issued }) => essence[dialect](issued));
    const issued = answers.flatMap((answer) => answer.map((item) => [item, reduce(item, answer)]));
    const sent = essence[dialect](record.heard.own);
    issued.forEach(([item, least], at) => {
      if (![item, least].some((item) => canonical(item) === canonical(sent[at] ?? null))) out.push(`request ${index + 1}, item ${at + 1}: issued ${canonical(item)}, sent ${canonical(sent[at] ?? null)}`);
    });
    if (sent.length > issued.length) out.push(`request ${index + 1}: ${sent.length - issued.length} items too many`);
  });
  return out;
}

/** Seals that were issued for this conversation and are not in its last request, in their order. */
export function lostSeals(records) {
  const last = records.at(-1);
  const sent = last.heard.turns.flatMap((turn) => turn.seals);
  return answered(records.slice(0, -1)).flatMap((record) => record.seals).filter((seal) => !sent.includes(seal));
}
