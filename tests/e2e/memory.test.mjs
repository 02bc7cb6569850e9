// Large bodies, several at once: each passes or is refused with words that say so, and nothing else that is under way suffers.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { KEY, hostsOr, setStage } from "./gateway.mjs";
import { HELLO, STORY } from "./upstream/scripts.mjs";

const LARGE = 18 << 20;
const AT_ONCE = 10;

for (const host of hostsOr("workerd", "native")) {
  suite(`memory, ${host}`, () => {
    const stage = setStage(host);

    const ask = (text, more = {}) =>
      fetch(`${stage.gateway.base("claude")}/v1/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": KEY, "anthropic-version": "2023-06-01" },
        body: JSON.stringify({ model: "chat.main", max_tokens: 99, messages: [{ role: "user", content: text }], ...more }),
      });

    test(`${AT_ONCE} bodies of ${LARGE >> 20} MB at once, beside a stream and a small request`, async () => {
      const story = ask("a long story", { stream: true }).then((response) => response.text());
      const large = Array.from({ length: AT_ONCE }, () => ask(`${"x".repeat(LARGE)} hello`));
      const small = ask("hello").then((response) => response.json());
      const answers = await Promise.all(large.map(async (answer) => [(await answer).status, (await answer).headers.get("retry-after"), await (await answer).json()]));
      for (const [status, retryAfter, body] of answers) {
        if (status === 200) {
          assert.equal(body.content[0].text, HELLO);
          continue;
        }
        assert.equal(host, "workerd", `${status}: ${JSON.stringify(body)}`);
        assert.equal(status, 529, JSON.stringify(body));
        assert.match(body.error.message, /no room/);
        assert.equal(retryAfter, "1");
      }
      assert.ok(answers.some(([status]) => status === 200), "none passes");
      assert.equal((await small).content[0].text, HELLO);
      const told = [...(await story).matchAll(/"text_delta","text":"([^"]*)"/g)].map(([, text]) => text).join("");
      assert.equal(told, STORY);
      // Room is given back.
      assert.equal((await ask(`${"x".repeat(LARGE)} hello`)).status, 200);
    });

    test("a body for which there is never room", async () => {
      const [room, size] = host === "workerd" ? [40 << 20, 41 << 20] : [100 << 20, 101 << 20];
      const response = await ask("x".repeat(size));
      assert.equal(response.status, 413);
      assert.match((await response.json()).error.message, new RegExp(`larger than ${room} bytes`));
    });
  });
}
