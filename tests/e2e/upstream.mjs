// The scripted upstream: one HTTP server on a loopback port that speaks all four dialects, as the vendors' documentation
// has them (not as anybody's recordings do), and refuses what the vendors refuse. What it answers is chosen by words in the
// user's last text: upstream/scripts.mjs.
//
//   const upstream = await startUpstream();
//   upstream.base.claude       // http://127.0.0.1:PORT/claude
//   upstream.last().heard      // what the last request said, in neutral terms
//   await upstream.stop();
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { chat } from "./upstream/chat.mjs";
import { claude } from "./upstream/claude.mjs";
import { gemini } from "./upstream/gemini.mjs";
import { responses } from "./upstream/responses.mjs";
import { REFUSED, RETRY_AFTER, scriptFor } from "./upstream/scripts.mjs";
import { checkNoEnvelope, Refusal, Seals } from "./upstream/strict.mjs";

export const dialects = { chat, responses, claude, gemini };
export const names = Object.keys(dialects);

/** The key that the upstream of a dialect takes. */
export const upstreamKey = (name) => `upstream-key-of-${name}`;

/** How every key of a gateway's client begins; none may come here. */
export const CLIENT_KEY = "client-key";

/** Headers that are between a client and its gateway. */
const PRIVATE_HEADERS = /^(--dump-ir|x-any-api-.*|cookie|x-forwarded-.*|cf-(?!worker$).*)$/;

/** A response to a refusal, in the dialect's shape. */
function refused(dialect, { status, message, details }) {
  const limit = status === 429 ? dialect.rateLimit : undefined;
  const { body, status: code } = dialect.refuse(status, message, { ...details, ...limit?.details?.(RETRY_AFTER) });
  return { status: code, headers: limit?.headers(RETRY_AFTER), body };
}

/** Reads a request strictly. */
function listen(dialect, record, route, seals) {
  const { headers, url, raw } = record;
  for (const name of Object.keys(headers)) {
    if (PRIVATE_HEADERS.test(name)) throw new Refusal(400, `the header ${name} is none of the upstream's business`);
  }
  if (`${record.path}\n${JSON.stringify(headers)}\n${raw}`.includes(CLIENT_KEY)) throw new Refusal(400, "a client's key came upstream");
  const foreign = ["authorization", "x-api-key", "x-goog-api-key"].filter((name) => headers[name] && !dialect.keyHeaders.includes(name));
  if (foreign.length) throw new Refusal(400, `${foreign} is not this dialect's way to send a key`);
  if (dialect.keyOf(headers, url) !== upstreamKey(dialect.name)) throw dialect.badKey?.() ?? new Refusal(401, "Incorrect API key provided.");
  if (!/^application\/json\b/.test(headers["content-type"] ?? "")) throw new Refusal(400, `the content-type is ${headers["content-type"]}`);
  checkNoEnvelope(raw);
  let body;
  try {
    body = JSON.parse(raw);
  } catch {
    throw new Refusal(400, "We could not parse the JSON body of your request.");
  }
  return dialect.read(body, { headers, route, knows: (value, covers) => seals.knows(value, dialect.name, covers), counting: route.count !== undefined });
}

/** Writes the frames of a stream; gives whether it came to its end. */
async function play(frames, script, response, record) {
  for (const frame of frames) {
    if (record.left) return false;
    if (frame.then === "break") return void response.destroy();
    // Nothing more comes, and the connection stays open.
    if (frame.then === "stall") return false;
    if (frame.then) continue;
    const bytes = Buffer.from(frame);
    const size = script.slice ?? bytes.length;
    for (let at = 0; at < bytes.length; at += size) {
      response.write(bytes.subarray(at, at + size));
      record.wroteAt = performance.now();
      // A turn of the event loop, so that the pieces are written one by one.
      await (script.pause ? sleep(script.pause) : new Promise(setImmediate));
    }
  }
  response.end();
  return true;
}

/** Starts the upstream on a free port of 127.0.0.1. */
export async function startUpstream() {
  const requests = [];
  const seals = new Seals();
  const open = new Set();
  const memory = new Set();
  let ids = 0;

  async function answer(dialect, route, record, response) {
    const head = { "content-type": dialect.type ?? "application/json", [dialect.requestIdHeader]: `req_scripted_${requests.length}` };
    const send = ({ status, headers, body, type }) => {
      record.status = status;
      response.writeHead(status, { ...head, ...(type ? { "content-type": type } : {}), ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    };
    let heard;
    try {
      heard = record.heard = listen(dialect, record, route, seals);
    } catch (error) {
      // Whatever the reading stumbles over is wrong with the request; a test that expects none of it shows the words.
      const refusal = error instanceof Refusal ? error : new Refusal(400, `unreadable: ${error.stack}`);
      record.complaint = refusal.message;
      return send(refused(dialect, refusal));
    }
    if (route.count) return send({ status: 200, body: route.count });
    const script = { message: `${REFUSED}: in the middle`, ...scriptFor(heard, memory) };
    if (script.hang) return;
    if (script.body !== undefined) return send(script);
    if (script.status) return send(refused(dialect, { ...script, message: `${REFUSED}: ${script.status}`, details: dialect.scripted?.[script.status] }));

    const seal = (covers) => {
      const value = seals.issue(dialect.name, covers);
      record.seals.push(value);
      return value;
    };
    const note = (item) => record.issued.push(structuredClone(item));
    record.broken = script.then !== undefined;
    const tools = { id: () => `scripted${++ids}`, created: Math.floor(Date.now() / 1000), seal, note };
    record.status = 200;
    if (!heard.stream) {
      const text = script.then === "error" ? JSON.stringify(dialect.refuse(500, script.message).body) : JSON.stringify(dialect.whole(script, heard, tools));
      const cut = ["break", "stall"].includes(script.then);
      response.writeHead(200, { ...head, "content-length": Buffer.byteLength(text) });
      response.write(cut ? text.slice(0, text.length / 2) : text);
      if (script.then === "break") setImmediate(() => response.destroy());
      else if (!cut) response.end();
      return;
    }
    response.writeHead(200, { ...head, "content-type": heard.array ? head["content-type"] : "text/event-stream", "cache-control": "no-cache" });
    const frames = dialect.stream(script, heard, tools);
    record.finished = await play(dialect.frame?.(frames, heard) ?? frames, script, response, record);
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://upstream");
    const [, name, path] = /^\/(\w+)(\/.*)$/.exec(url.pathname) ?? [];
    const dialect = dialects[name];
    const record = { dialect: name, method: request.method, path: request.url, url, headers: request.headers, raw: "", seals: [], issued: [], left: false };
    record.closed = new Promise((resolve) => {
      response.on("close", () => {
        record.left = !response.writableEnded;
        resolve();
      });
    });
    requests.push(record);
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("error", () => {});
    response.on("error", () => {});
    request.on("end", () => {
      record.raw = Buffer.concat(chunks).toString();
      const route = dialect?.route(path, url);
      if (route && request.method === "POST") return void answer(dialect, route, record, response);
      record.complaint = `no such route: ${request.method} ${request.url}`;
      response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify({ error: { message: record.complaint } }));
    });
  });
  server.on("connection", (socket) => {
    open.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => open.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;

  return {
    url,
    port: server.address().port,
    /** What a provider's `baseURL` is, by dialect. */
    base: Object.fromEntries(names.map((name) => [name, `${url}/${name}`])),
    requests,
    last: () => requests.at(-1),
    /** What was refused as a vendor would refuse it, since `from`. */
    complaints: (from = 0) => requests.slice(from).flatMap((record) => record.complaint ?? []),
    stop: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
