// Where the scripted upstream is as strict as the vendors are.
import { createHmac, randomBytes } from "node:crypto";

/** How the gateway's envelopes begin (src/envelope.rs): they are for clients, and must never come here. */
const ENVELOPE = "YW55LWFwaTox";

/** A request that the upstream does not take. `details` goes to the dialect's error shape. */
export class Refusal extends Error {
  constructor(status, message, details = {}) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

export function demand(condition, message, details) {
  if (!condition) throw new Refusal(400, message, details);
}

/** Unknown fields are refused, as the vendors do: what the gateway keeps for itself must not travel. */
export function knownOnly(object, known, where, message) {
  for (const name of Object.keys(object)) demand(known.has(name), message(where ? `${where}.${name}` : name), { param: name });
}

/** A set of names, written as one string. */
export const names = (text) => new Set(text.trim().split(/\s+/));

export const newTurn = (role) => ({ role, texts: [], images: [], calls: [], results: [], thoughts: [], seals: [] });

/** The turn to go on with: a new one, where the role changes. */
export function turnOf(turns, role) {
  if (turns.at(-1)?.role !== role) turns.push(newTurn(role));
  return turns.at(-1);
}

/** OpenAI's schemas of tools: an object says what it holds, be it nothing. */
export function checkProperties(schema, name) {
  demand(schema?.type !== "object" || schema.properties, `Invalid schema for function '${name}': In context=(), object schema missing properties.`, { code: "invalid_function_parameters" });
}

/** Names stand once in a list of tools. */
export function checkUnique(tools, message) {
  const seen = new Set();
  for (const { name } of tools) {
    demand(!seen.has(name), message(name));
    seen.add(name);
  }
}

/** Every call is answered in the next turn, and every result answers a call of the turn before it. */
export function checkConversation(turns) {
  turns.forEach((turn, index) => {
    const asked = index > 0 ? turns[index - 1].calls : [];
    const answered = new Set(turn.results.map((result) => result.id));
    for (const result of turn.results) demand(asked.some((call) => call.id === result.id), `the tool result for ${result.id} answers no call of the turn before it`);
    for (const call of asked) demand(answered.has(call.id), `the call ${call.id} was not answered`);
    demand(answered.size === turn.results.length, "a call was answered twice");
  });
  demand(!turns.at(-1)?.calls.length, "the conversation ends with calls that nobody answered");
}

export function checkNoEnvelope(raw) {
  demand(!raw.includes(ENVELOPE), "one of the gateway's envelopes came upstream");
}

/**
 * Opaque state: what was issued here is known again where it belongs, and anything else is refused. A value is bound to what
 * it stands beside, as a vendor's is: `covers` is that (the words of a thought, a call), as the dialect's file says it.
 */
export class Seals {
  #key = randomBytes(32);
  #count = 0;

  /** A new value, in standard base64 with padding, as a vendor's: opaque bytes. */
  issue(dialect, covers = "") {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(++this.#count);
    return this.#value(dialect, count, covers);
  }

  /** Whether this very value was issued for that very thing. */
  knows(value, dialect, covers = "") {
    if (typeof value !== "string") return false;
    const count = Buffer.from(value, "base64").subarray(0, 4);
    return count.length === 4 && count.readUInt32BE() <= this.#count && this.#value(dialect, count, covers) === value;
  }

  #value(dialect, count, covers) {
    const mac = createHmac("sha384", this.#key).update(`${dialect}\n${count.toString("hex")}\n${covers}`).digest();
    return Buffer.concat([count, mac]).toString("base64");
  }
}

/** JSON whose keys are in order, to compare values that were read and written again. */
export const canonical = (value) =>
  JSON.stringify(value, (_, inner) => (inner && typeof inner === "object" && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1))) : inner));
