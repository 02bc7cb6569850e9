// What clients name and upstreams want the content of: the gateway fetches it, where its configuration lets it, and nothing else.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { hostsOr, KEY, provider, startGateway } from "./gateway.mjs";
import { startUpstream } from "./upstream.mjs";

const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=", "base64");
const SEEN = `I see image/png of ${PIXEL.length} bytes.`;
const PATIENCE = 1_500;
const MAX_BYTES = 100_000;

/** Serves files, as well and as badly as one can. */
async function startFiles() {
  const asked = [];
  const files = {
    "/pixel.png": (_, answer) => answer.writeHead(200, { "content-type": "image/png", "set-cookie": "a=b" }).end(PIXEL),
    "/untyped": (_, answer) => answer.writeHead(200, { "content-type": "application/octet-stream" }).end(PIXEL),
    "/page.png": (_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end("<html>There is no picture.</html>"),
    "/empty.png": (_, answer) => answer.writeHead(200, { "content-type": "image/png" }).end(),
    "/to": (url, answer) => answer.writeHead(302, { location: url.searchParams.get("url") }).end("elsewhere"),
    "/large.png": (_, answer) => answer.writeHead(200, { "content-type": "image/png", "content-length": MAX_BYTES + 1 }).end(Buffer.alloc(MAX_BYTES + 1)),
    "/endless.png": (_, answer) => {
      answer.writeHead(200, { "content-type": "image/png" });
      const pour = () => !answer.destroyed && answer.write(Buffer.alloc(10_000), () => setImmediate(pour));
      pour();
    },
    "/slow.png": () => {},
    "/dribble.png": (_, answer) => {
      answer.writeHead(200, { "content-type": "image/png" }).write(PIXEL.subarray(0, 10));
    },
    "/broken.png": (_, answer) => {
      answer.writeHead(200, { "content-type": "image/png", "content-length": PIXEL.length }).write(PIXEL.subarray(0, 10));
      setTimeout(() => answer.destroy(), 50);
    },
  };
  const server = createServer((request, answer) => {
    const url = new URL(request.url, "http://files");
    asked.push({ path: url.pathname, headers: request.headers });
    const file = files[url.pathname];
    if (file) file(url, answer);
    else answer.writeHead(404, { "content-type": "text/html" }).end("no such file");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${server.address().port}`;
  const stop = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  return { asked, host, url: `http://${host}`, stop };
}

for (const host of hostsOr("workerd", "native")) {
  describe(`what is fetched, ${host}`, () => {
    let upstream, files, secret, gateway, off;
    before(async () => {
      [upstream, files, secret] = await Promise.all([startUpstream(), startFiles(), startFiles()]);
      const gemini = provider(upstream, "gemini", { models: { main: { upstreamModel: "gemini-2.5-flash", capabilities: { mediaUrls: false } } } });
      const config = { version: 1, providers: { gemini } };
      const fetchMedia = { maxBytes: MAX_BYTES, maxUrls: 3, timeoutMs: PATIENCE, allowHosts: [files.host] };
      [gateway, off] = await Promise.all([startGateway(host, { config: { ...config, fetchMedia } }), startGateway(host, { config })]);
    });
    after(async () => {
      await Promise.all([gateway?.stop(), off?.stop()]);
      await Promise.all([upstream, files, secret].map((server) => server.stop()));
    });

    const ask = async (urls, { at = gateway } = {}) => {
      const content = [{ type: "text", text: "What is this?" }, ...[urls].flat().map((url) => ({ type: "image_url", image_url: { url } }))];
      const body = JSON.stringify({ model: "gemini.main", messages: [{ role: "user", content }] });
      const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json", cookie: "c=d" };
      const response = await fetch(`${at.url}/v1/chat/completions`, { method: "POST", headers, body });
      return { status: response.status, losses: response.headers.get("x-any-api-diagnostics"), body: await response.json() };
    };
    const seen = async (url) => {
      const { status, losses, body } = await ask(url);
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(body.choices[0].message.content, SEEN);
      assert.match(losses, /media-fetch-emulated at messages\[0\]\.content\[1\]/);
    };
    /** Nothing goes up, and the client is told what it is and where; of what is inside, nothing. */
    const refused = async (url, words, { index = 1, ...options } = {}) => {
      const from = upstream.requests.length;
      const { status, body } = await ask(url, options);
      assert.equal(status, 400, JSON.stringify(body));
      assert.equal(body.error.code, "media_fetch_failed");
      assert.equal(body.error.param, `messages[0].content[${index}]`);
      assert.equal(body.error.message, `messages[0].content[${index}]: the file at this address was not fetched: ${words}`);
      assert.equal(upstream.requests.length, from);
      assert.deepEqual(secret.asked, []);
    };

    test("a picture is fetched, and neither keys nor cookies go along", async () => {
      await seen(`${files.url}/pixel.png#part`);
      const { path, headers } = files.asked.at(-1);
      assert.equal(path, "/pixel.png");
      for (const name of ["authorization", "cookie", "x-api-key", "x-goog-api-key", "referer"]) assert.equal(headers[name], undefined, name);
    });
    test("what the server says nothing of is known by its first bytes", () => seen(`${files.url}/untyped`));
    test("one address is fetched once, and several at once", async () => {
      const before = files.asked.length;
      const { status, body } = await ask([1, 1, 2, 3].map((number) => `${files.url}/pixel.png?${number}`));
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(files.asked.length - before, 3);
    });
    const to = (url) => `${files.url}/to?url=${encodeURIComponent(url)}`;
    test("redirects are followed three times", async () => {
      await seen(to("/pixel.png"));
      await seen(to(to(to("/pixel.png"))));
      await refused(to(to(to(to("/pixel.png")))), "it is redirected more than 3 times");
    });

    test("private addresses are not asked, however they are written", async () => {
      const { host: inside } = secret;
      const port = inside.split(":")[1];
      for (const address of [inside, `0x7f.1:${port}`, `2130706433:${port}`, `[::1]:${port}`, `[::ffff:127.0.0.1]:${port}`, `localhost:${port}`, "169.254.169.254", "10.0.0.1", "metadata.google.internal"]) {
        await refused(`https://${address}/latest`, "it leads to a host that is not public");
      }
      await refused(`http://${inside}/`, "only https is fetched");
      await refused(`http://files.example/`, "only https is fetched");
      await refused(`${files.url.replace("://", "://user:secret@")}/pixel.png`, "it names a user or a password");
    });
    test("nor when a redirect leads there", async () => {
      await refused(to(`https://${secret.host}/latest`), "it leads to a host that is not public");
      await refused(to("https://169.254.169.254/latest"), "it leads to a host that is not public");
      await refused(to(`http://${secret.host}/latest`), "only https is fetched");
      await refused(to("file:///etc/passwd"), "only https is fetched");
    });
    test("what is too large is not read to its end", async () => {
      const words = `what is fetched for a request may have ${MAX_BYTES} bytes in all`;
      await refused(`${files.url}/large.png`, words);
      await refused(`${files.url}/endless.png`, words);
    });
    test("what is not there, or is something else", async () => {
      await refused(`${files.url}/none.png`, "the answer was status 404");
      await refused(`${files.url}/page.png`, "text/html has no place here");
      await refused(`${files.url}/empty.png`, "there is nothing in it");
      await refused(`${files.url}/broken.png`, "the answer broke off, or cannot be read");
      await refused([`${files.url}/pixel.png`, `${files.url}/none.png`], "the answer was status 404", { index: 2 });
    });
    test("what does not come in time", async () => {
      for (const path of ["slow.png", "dribble.png"]) {
        const since = performance.now();
        await refused(`${files.url}/${path}`, `it did not come within ${PATIENCE} ms`);
        const took = performance.now() - since;
        assert.ok(took >= PATIENCE - 50 && took < PATIENCE + 3_000, `${took} ms`);
      }
    });
    test("too many addresses", () =>
      refused([1, 2, 3, 4].map((number) => `${files.url}/pixel.png?${number}`), "no more than 3 addresses of a request are fetched", { index: 4 }));

    test("nothing is fetched unless the configuration says so", async () => {
      const before = files.asked.length;
      const { status, body } = await ask(`${files.url}/pixel.png`, { at: off });
      assert.deepEqual([status, body.error.code, body.error.param], [400, "media-url-unsupported", "messages[0].content[1]"]);
      assert.match(body.error.message, /`fetchMedia` in its configuration/);
      assert.equal(files.asked.length, before);
    });
  });
}
