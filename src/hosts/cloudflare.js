// The Worker's entry point: moves the bytes between the client, the WebAssembly and the upstream. What to do with them is
// the WebAssembly's to say, by an `Exchange` for each request (cloudflare.rs).
//
// A panic, an overflowing stack or exhausted memory ends the WebAssembly instance with everything in it. wasm-bindgen's
// glue starts a new one for the next request; exchanges of the old one then throw whatever they are asked, so their clients
// are told at once, or their streams cut.
import { Exchange, Step } from "any-api-wasm";

/** How long the end of an answer waits for its turn to be kept, in milliseconds. */
const KEEPING = 2_000;

/** Says something in the log, in the form of the WebAssembly's own lines. */
const log = (level, fields) => console[level](JSON.stringify({ level, ...fields }));

/**
 * The KV namespace for conversations. KV tells other places of a change late only where they have read the name before; a
 * record is written once, under a name that was never read, so whoever reads it later gets it from where it was written.
 */
function namespace(env) {
  // There being none is told at every request: otherwise conversations would be forgotten without a word.
  if (!env.ANY_API_STORE) log("warn", { message: "`store` is configured, but the Worker has no KV namespace ANY_API_STORE: nothing is kept" });
  return env.ANY_API_STORE;
}

/** Looks a record up, and forgets it if that is what the client asked for. */
async function recall(exchange, env) {
  const name = exchange.recordName();
  const kept = name && namespace(env);
  let value;
  let why;
  try {
    value = await kept?.get(name, "arrayBuffer");
    if (value && exchange.forgets()) await kept.delete(name);
  } catch (error) {
    why = String(error);
  }
  exchange.recalled(value && new Uint8Array(value), why);
}

/** The refusal in the client's dialect. */
function failure(request) {
  const path = new URL(request.url).pathname;
  const message = "The gateway failed while it handled this request.";
  const body = path.startsWith("/claude/")
    ? { type: "error", error: { type: "api_error", message } }
    : path.startsWith("/gemini/")
      ? { error: { code: 500, message, status: "INTERNAL" } }
      : { error: { message, type: "server_error", param: null, code: null } };
  return Response.json(body, { status: 500 });
}

/** Headers as lines: a name, its value, the next name. One string crosses over for a tenth of what they cost one by one. */
function lines(headers) {
  let out = "";
  headers.forEach((value, name) => (out += `${name}\n${value}\n`));
  return out;
}

/**
 * The beginning of a message as the WebAssembly writes it: so many lines of their own, then its headers. The runtime takes headers
 * as an object in half the time that a list of pairs costs.
 */
function headOf(text, count) {
  const all = text.split("\n");
  const headers = Object.create(null);
  for (let at = count; at + 1 < all.length; at += 2) {
    const name = all[at];
    headers[name] = name in headers ? `${headers[name]}, ${all[at + 1]}` : all[at + 1];
  }
  return { own: all, headers };
}

/** Status and headers of the answer. */
function head(exchange) {
  const { own, headers } = headOf(exchange.answer(), 1);
  return { status: Number(own[0]), headers };
}

/** The answer that an exchange has come to. */
function whole(exchange) {
  const response = new Response(exchange.body(), head(exchange));
  exchange.free();
  return response;
}

async function put(kept, name, value, seconds) {
  try {
    await kept?.put(name, value, { expirationTtl: seconds });
  } catch (error) {
    log("error", { message: "a conversation is not kept", error: String(error) });
  }
}

/** Keeps a turn, also if the client leaves in between; waits for it a little. */
async function keep(exchange, env, context) {
  const [name, seconds] = [exchange.recordName(), exchange.recordSeconds()];
  const kept = put(namespace(env), name, exchange.record(), seconds);
  context.waitUntil(kept);
  let timer;
  await Promise.race([kept, new Promise((resolve) => (timer = setTimeout(resolve, KEEPING)))]);
  clearTimeout(timer);
}

/** Goes off when something is due. It is set anew then, and not at every chunk: what is due may have moved meanwhile. */
class Alarm {
  constructor(exchange) {
    this.exchange = exchange;
    this.rang = new Promise((resolve) => (this.wake = resolve));
    this.set();
  }

  set() {
    this.timer = setTimeout(() => this.ring(), this.exchange.wait(Date.now()));
  }

  ring() {
    const told = this.exchange.ring(Date.now());
    const goesOn = [Step.Hear, Step.Stream].includes(this.exchange.step());
    if (goesOn) this.set();
    if (told || !goesOn) (this.tell ?? this.wake)(told, goesOn);
  }

  stop() {
    clearTimeout(this.timer);
  }
}

/** Reads a whole body as if it were a stream of one piece. */
function wholeReader(response) {
  let read = false;
  return {
    async read() {
      if (read) return { done: true };
      read = true;
      return { done: false, value: new Uint8Array(await response.arrayBuffer()) };
    },
    cancel: async () => {},
  };
}

/** What an address of a file fails at, as `fetchFail` has it. */
const ADDRESS = 0, ANSWER = 1, BODY = 2;

/** Fetches a file. Which addresses, and how much of them, is the exchange's to say, at every step. */
async function fetchFile(exchange, index, signal, patience) {
  let step = ADDRESS;
  try {
    let url = exchange.fetchUrl(index);
    if (url === undefined) return;
    url = new URL(url);
    for (;;) {
      const { protocol, hostname, port, username, password } = url;
      if (!exchange.mayFetch(index, protocol.slice(0, -1), hostname, Number(port), `${username}${password}` !== "")) return;
      step = ANSWER;
      const headers = { accept: exchange.fetchAccept(index), "user-agent": "any-api" };
      const response = await fetch(url, { headers, redirect: "manual", signal });
      const next = exchange.fetchHead(index, response.status, lines(response.headers));
      step = BODY;
      if (next === "") {
        for await (const chunk of response.body ?? []) if (!exchange.fetchChunk(index, chunk)) return;
        return exchange.fetchEnd(index);
      }
      await response.body?.cancel();
      if (next === undefined) return;
      step = ADDRESS;
      url = new URL(next, url);
    }
  } catch {
    if (patience.aborted) exchange.fetchExpire();
    else exchange.fetchFail(index, step);
  }
}

/** Fetches the files that an exchange needs, all at once. */
async function fetchFiles(exchange, request) {
  const patience = AbortSignal.timeout(exchange.fetchPatience());
  const signal = AbortSignal.any([patience, request.signal]);
  await Promise.all(Array.from({ length: exchange.fetchCount() }, (_, index) => fetchFile(exchange, index, signal, patience)));
  exchange.fetched();
}

/** Sends the request of an exchange, and answers with what comes of it. */
async function send(exchange, request, env, context) {
  const { own: [method, url], headers } = headOf(exchange.request(), 2);
  // Redirects are not followed: a key must not go where the configuration does not say.
  const init = { method, headers, body: exchange.body(), redirect: "manual", signal: request.signal };
  exchange.sent(Date.now());
  const alarm = new Alarm(exchange);
  let response;
  try {
    response = await Promise.race([fetch(url, init), alarm.rang]);
    if (response) {
      exchange.head(response.status, lines(response.headers), Date.now());
    }
  } catch (error) {
    exchange.fail(String(error), Date.now());
  }
  if (exchange.step() === Step.PassThrough) {
    alarm.stop();
    // Handed through untouched the runtime moves the bytes by itself, which costs a tenth; it also means that its body is
    // out of our sight, and of the time limits.
    const answer = new Response(response.body, head(exchange));
    exchange.free();
    return answer;
  }
  const body = response?.body;

  // What is known to be whole is read at once, for a third of the price.
  const reader = body && (exchange.takesWhole() ? wholeReader(response) : body.getReader());
  let over = false;
  const finish = () => {
    over = true;
    alarm.stop();
  };
  const read = () => (reader ? reader.read() : Promise.resolve({ done: true }));
  /** What the client is to read when a piece of the upstream's body has come, if anything. */
  const hear = ({ done, value }) => (done ? exchange.end(Date.now()) : exchange.hear(value, Date.now()));
  const broken = (error) => exchange.fail(String(error), Date.now());

  let pending = null;
  let first;
  while (exchange.step() === Step.Hear) {
    pending ??= read();
    try {
      const piece = await Promise.race([pending, alarm.rang]);
      if (exchange.step() !== Step.Hear) {
        first = piece;
        break;
      }
      pending = null;
      first = hear(piece);
    } catch (error) {
      pending = null;
      broken(error);
    }
  }
  if (exchange.step() !== Step.Stream) {
    finish();
    if (pending) void reader.cancel().catch(() => {});
    if (exchange.step() === Step.Keep) await keep(exchange, env, context);
    return whole(exchange);
  }
  const stream = new ReadableStream({
    start(controller) {
      if (first) controller.enqueue(first);
      alarm.tell = (told, goesOn) => {
        if (told) controller.enqueue(told);
        // What waits for the next piece then gets none.
        if (!goesOn) void reader?.cancel().catch(() => {});
      };
    },
    // One chunk for the client for each of the upstream that has something to say: chunks are what costs here.
    async pull(controller) {
      let told;
      do {
        try {
          const piece = await (pending ?? read());
          if (over) return;
          told = hear(piece);
        } catch (error) {
          if (over) return;
          told = broken(error);
        }
        pending = null;
      } while (!told && exchange.step() === Step.Stream);
      const goesOn = exchange.step() === Step.Stream;
      if (!goesOn) finish();
      if (exchange.step() === Step.Keep) await keep(exchange, env, context);
      if (told) controller.enqueue(told);
      if (goesOn) return;
      controller.close();
      exchange.free();
    },
    // The client has left.
    async cancel() {
      finish();
      await reader?.cancel();
      exchange.free();
    },
  });
  return new Response(stream, head(exchange));
}

export default {
  async fetch(request, env, context) {
    try {
      const exchange = new Exchange(env, request.method, request.url, lines(request.headers), crypto.randomUUID(), Date.now());
      for (;;) {
        switch (exchange.step()) {
          case Step.Read: {
            const body = await request.arrayBuffer();
            exchange.read(new Uint8Array(body));
            // It is in the WebAssembly now. Until the collector came by it would take its room twice.
            body.transfer(0);
            break;
          }
          case Step.Recall:
            await recall(exchange, env);
            break;
          case Step.Fetch:
            await fetchFiles(exchange, request);
            break;
          case Step.Keep:
            await keep(exchange, env, context);
            break;
          case Step.Send:
            return await send(exchange, request, env, context);
          default:
            // A client that is still writing when the connection ends does not hear why.
            if (request.body && !request.bodyUsed) await request.body.pipeTo(new WritableStream());
            return whole(exchange);
        }
      }
    } catch (error) {
      console.error("the gateway failed:", error);
      return failure(request);
    }
  },
};
