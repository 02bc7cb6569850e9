// An upstream that fails in every way that upstreams, proxies and networks do: bare TCP, since an HTTP library would not let
// an answer be that wrong. The model's name says which fault a request gets.
import { createServer } from "node:net";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { root } from "../../scripts/setup.mjs";

export const TYPES = { chat: "openai-chat-completions", responses: "openai-responses", claude: "claude", gemini: "gemini" };
export const names = Object.keys(TYPES);

/** What the upstream answers when nothing is wrong. */
export const TEXT = "Hello!";
/** The same in letters of two, three and four bytes, for streams that are cut anywhere. */
export const LETTERS = "Hé你🙂lo!";
export const GIANT = "x".repeat(5 << 20);
export const RETRY_AFTER = "7";
export const REFUSED = "The engine failed";

const fixture = (...path) => readFileSync(join(root, "tests", "in", ...path), "utf8").trimStart().replaceAll("\r\n", "\n");
const whole = (name) => fixture("response", TYPES[name], "text.json");
const streamed = (name) => fixture("stream", TYPES[name], "text.sse");
const sane = (name, stream) => (stream ? streamed(name) : whole(name));

/** A stream up to and with its first piece of text. */
const begun = (name) => {
  const text = streamed(name);
  return text.slice(0, text.indexOf("\n\n", text.indexOf('Hel"')) + 2);
};

/** The body of an error in each dialect. */
const failureOf = (name, status) => (name === "gemini" ? { error: { ...failure.gemini.error, code: status } } : failure[name]);
const failure = {
  chat: { error: { message: REFUSED, type: "server_error", param: null, code: null } },
  responses: { error: { message: REFUSED, type: "server_error", param: null, code: null } },
  claude: { type: "error", error: { type: "api_error", message: REFUSED } },
  gemini: { error: { code: 500, message: REFUSED, status: "INTERNAL" } },
};
const failureEvent = {
  chat: `data: ${JSON.stringify(failure.chat)}\n\n`,
  responses: `event: error\ndata: ${JSON.stringify({ type: "error", sequence_number: 9, code: "server_error", message: REFUSED, param: null })}\n\n`,
  claude: `event: error\ndata: ${JSON.stringify(failure.claude)}\n\n`,
  gemini: `data: ${JSON.stringify(failure.gemini)}\n\n`,
};

const media = (stream) => (stream ? "text/event-stream" : "application/json");
const PAGE = "<!doctype html>\n<html><head><title>Sorry</title></head><body>Sorry, you have been blocked</body></html>\n";

/** Sends a head. */
function head(socket, status, headers) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${status} Whatever\r\n${lines.join("")}\r\n`);
}

/** Sends a whole answer with its length, and ends. */
function send(socket, status, body, headers = {}) {
  head(socket, status, { "content-length": Buffer.byteLength(body), connection: "close", ...headers });
  socket.end(body);
}

const chunk = (bytes) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), Buffer.from(bytes), Buffer.from("\r\n")]);
const CHUNKED = { "transfer-encoding": "chunked", connection: "close" };

/** Sends an answer in chunks, each on its own, and ends. */
async function drip(socket, pieces, headers) {
  head(socket, 200, { ...CHUNKED, ...headers });
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(chunk(piece));
    await turn();
  }
  socket.end("0\r\n\r\n");
}

const coded = (encode, encoding) => (socket, { name, stream }) => send(socket, 200, encode(Buffer.from(sane(name, stream))), { "content-type": media(stream), "content-encoding": encoding });
const refusal = (status) => (socket, { name }) => send(socket, status, JSON.stringify(failureOf(name, status)), { "content-type": "application/json", "retry-after": RETRY_AFTER });
const page = (status) => (socket) => send(socket, status, PAGE, { "content-type": "text/html; charset=UTF-8" });
const bare = (status) => (socket) => head(socket, status, status === 204 ? { connection: "close" } : { "content-length": 0, connection: "close" });
const streamOf = (text) => (socket, { name }) => drip(socket, [Buffer.from(text(name))], { "content-type": "text/event-stream" });

/**
 * The faults. `what`: in words, for docs/errors.md. `answer(socket, { name, stream })` commits it. What a client gets of it:
 * `whole` and `streamed` where the gateway translates, `relayWhole` and `relayStreamed` where it hands on (else the same).
 * Each is a word of `outcome` in faults.test.mjs, or a list of them; `undefined` where the fault cannot be.
 */
export const FAULTS = {
  fine: { what: "nothing is wrong", answer: (socket, { name, stream }) => send(socket, 200, sane(name, stream), { "content-type": media(stream) }), whole: "answer" },
  refused: { what: "nobody listens there", whole: "502" },
  reset: { what: "the connection is reset before the headers", answer: (socket) => socket.resetAndDestroy(), whole: "502" },
  closed: { what: "the connection is closed before the headers", answer: (socket) => socket.end(), whole: "502" },
  halfhead: { what: "the connection is closed in the middle of the headers", answer: (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-ty"), whole: "502" },
  garbage: { what: "what comes is not HTTP", answer: (socket) => socket.end("SSH-2.0-OpenSSH_9.9\r\n"), whole: "502" },
  mute: { what: "nothing comes at all (`firstByteMs`)", answer: () => {}, whole: "504" },
  late: {
    what: "the headers come slowly, byte by byte",
    async answer(socket, { name, stream }) {
      const body = sane(name, stream);
      const text = `HTTP/1.1 200 OK\r\ncontent-type: ${media(stream)}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
      for (const letter of text) {
        if (socket.destroyed) return;
        socket.write(letter);
        await sleep(2);
      }
      socket.end(body);
    },
    whole: "answer",
  },
  headers: { what: "the headers come, and no body (`firstByteMs`)", answer: (socket, { stream }) => head(socket, 200, { "content-type": media(stream), ...CHUNKED }), whole: "504", relayWhole: "broken or open", patient: true },
  stall: {
    what: "the body stands still in the middle (`idleMs`)",
    answer(socket, { name, stream }) {
      head(socket, 200, { "content-type": media(stream), ...CHUNKED });
      socket.write(chunk(Buffer.from(stream ? begun(name) : whole(name).slice(0, 40))));
    },
    whole: "504",
    streamed: "error event",
    relayWhole: "broken or open",
    patient: true,
  },
  short: {
    what: "the body is shorter than its content-length",
    answer(socket, { name, stream }) {
      head(socket, 200, { "content-type": media(stream), "content-length": Buffer.byteLength(sane(name, stream)) });
      socket.end(stream ? begun(name) : whole(name).slice(0, 40));
    },
    whole: "502",
    streamed: "error event",
    relayWhole: "broken",
  },
  midchunk: {
    what: "the connection is closed inside of a chunk",
    answer(socket, { name, stream }) {
      head(socket, 200, { "content-type": media(stream), "transfer-encoding": "chunked" });
      const bytes = Buffer.from(stream ? begun(name) : whole(name).slice(0, 40));
      socket.end(Buffer.concat([Buffer.from(`${(bytes.length + 99).toString(16)}\r\n`), bytes]));
    },
    whole: "502",
    streamed: "error event",
    relayWhole: "broken",
  },
  resetmid: {
    what: "the connection is reset in the middle of the body",
    async answer(socket, { name, stream }) {
      head(socket, 200, { "content-type": media(stream), "transfer-encoding": "chunked" });
      socket.write(chunk(Buffer.from(stream ? begun(name) : whole(name).slice(0, 40))));
      await sleep(100);
      socket.resetAndDestroy();
    },
    whole: "502",
    streamed: "error event",
    relayWhole: "broken",
  },
  bytes: {
    what: "a stream comes byte by byte, with CRLF and letters of several bytes",
    answer: (socket, { name }) => drip(socket, [...Buffer.from(streamed(name).replace('Hel"', 'Hé你🙂"').replaceAll("\n", "\r\n"))].map((byte) => [byte]), { "content-type": "text/event-stream" }),
    streamed: "answer",
    text: LETTERS,
  },
  giant: { what: "one event of 5 MB", answer: (socket, { name }) => send(socket, 200, streamed(name).replace('Hel"', `${GIANT}"`), { "content-type": "text/event-stream" }), streamed: "answer", text: `${GIANT}lo!`, heavy: true },
  gzip: { what: "the body is compressed with gzip, although it was asked not to be", answer: coded(gzipSync, "gzip"), whole: "answer" },
  deflate: { what: "the same with deflate", answer: coded(deflateSync, "deflate"), whole: ["answer", "502"], relayWhole: "answer" },
  brotli: { what: "the same with br", answer: coded(brotliCompressSync, "br"), whole: "answer" },
  notgzip: { what: "the body is said to be gzip, and is not", answer: coded((body) => body, "gzip"), whole: "502", relayWhole: "as it came", poison: true },
  page403: { what: "403 with a page of HTML", answer: page(403), whole: "403" },
  page502: { what: "502 with a page of HTML", answer: page(502), whole: "502" },
  page200: { what: "200 with a page of HTML", answer: page(200), whole: "502" },
  empty: { what: "200 with an empty body", answer: (socket, { stream }) => send(socket, 200, "", { "content-type": media(stream) }), whole: "502" },
  emptychunked: { what: "200 with an empty body of unknown length", answer: (socket, { stream }) => drip(socket, [], { "content-type": media(stream) }), whole: "502", relayWhole: "as it came" },
  error200: { what: "200 with an error as its body", answer: (socket, { name }) => send(socket, 200, JSON.stringify(failure[name]), { "content-type": "application/json" }), whole: ["500", "502"], relayWhole: "as it came" },
  plain: { what: "a wrong content type", answer: (socket, { name, stream }) => send(socket, 200, sane(name, stream), { "content-type": "text/plain" }), whole: "answer" },
  json: { what: "a whole answer, although a stream was asked for", answer: (socket, { name }) => send(socket, 200, whole(name), { "content-type": "application/json" }), streamed: "answer", relayStreamed: "as it came" },
  sse: { what: "a stream, although a whole answer was asked for", answer: (socket, { name }) => send(socket, 200, streamed(name), { "content-type": "text/event-stream" }), whole: "answer", relayWhole: "as it came" },
  status429: { what: "429 with retry-after", answer: refusal(429), whole: "429", retryAfter: true },
  status503: { what: "503 with retry-after", answer: refusal(503), whole: ["503", "529"], retryAfter: true },
  status529: { what: "529 with retry-after", answer: refusal(529), whole: ["503", "529"], retryAfter: true },
  redirect: { what: "302: it is not followed, since the key would go along", answer: (socket) => send(socket, 302, "", { location: "http://127.0.0.1:1/elsewhere" }), whole: "502" },
  status999: { what: "the status 999", answer: bare(999), whole: "502" },
  status101: { what: "the status 101", answer: bare(101), whole: "502" },
  status204: { what: "the status 204", answer: bare(204), whole: "502" },
  errorlate: { what: "an error event in the middle of a stream", answer: streamOf((name) => begun(name) + failureEvent[name]), streamed: "error event" },
  errorfirst: { what: "an error event before the first word of a stream", answer: streamOf((name) => failureEvent[name]), streamed: ["500", "502"], relayStreamed: "error event" },
  unended: { what: "a stream ends without its end", answer: streamOf(begun), streamed: "error event", relayStreamed: "as it came" },
  comments: { what: "a stream with nothing but comments", answer: streamOf(() => ": hello\n\n: are you there?\n\n"), streamed: "502", relayStreamed: "as it came" },
};

/** The bytes of an answer in which nothing is wrong. */
export const bytesOf = (name, stream) => Buffer.from(sane(name, stream));

/** What a client gets of a fault. */
export function expected({ whole, streamed = whole, relayWhole = whole, relayStreamed }, { stream, relay }) {
  if (whole === undefined && !stream) return undefined;
  if (!stream) return relay ? relayWhole : whole;
  return relay ? (relayStreamed ?? (whole === undefined ? streamed : relayWhole)) : streamed;
}

/** Faults of streams alone have no whole side, and the other way round. */
export const possible = (fault, stream) => (fault.whole === undefined ? stream : fault !== FAULTS.sse || !stream);

/** Starts it on 127.0.0.1. `open()`: the connections it has, each by its last fault; `asked`: the faults asked for, in order. */
export function startFaulty() {
  const sockets = new Map();
  const asked = [];
  const server = createServer((socket) => {
    sockets.set(socket, "nothing asked");
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    let got = "";
    socket.on("data", async (data) => {
      got += data.toString("latin1");
      const end = got.indexOf("\r\n\r\n");
      const length = Number(/^content-length: *(\d+)/im.exec(got)?.[1] ?? 0);
      if (end < 0 || got.length < end + 4 + length) return;
      const [, path] = got.split(" ", 2);
      const [head, body] = [got.slice(0, end), got.slice(end + 4)];
      got = "";
      const inPath = /\/models\/([^:]+):(\w+)/.exec(path);
      const name = inPath ? "gemini" : path.endsWith("/chat/completions") ? "chat" : path.endsWith("/responses") ? "responses" : "claude";
      const { model, stream } = inPath ? { model: inPath[1], stream: inPath[2] === "streamGenerateContent" } : JSON.parse(body);
      sockets.set(socket, model);
      asked.push({ name, model, stream: stream === true, head });
      await FAULTS[model].answer(socket, { name, stream: stream === true });
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      const stop = () => {
        for (const socket of sockets.keys()) socket.destroy();
        return new Promise((done) => server.close(done));
      };
      resolve({ url: `http://127.0.0.1:${port}`, port, asked, open: () => [...sockets.values()], stop });
    });
  });
}
