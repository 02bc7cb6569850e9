// All 16 pairs of a client's dialect and an upstream's, through the gateway, driven by the vendors' own SDKs.
import { describe } from "node:test";
import { hostsOr, setStage } from "./gateway.mjs";
import { pair } from "./suite.mjs";
import { names } from "./upstream.mjs";

/**
 * What runs natively too, unless GATEWAY asks for all: the host is the only difference, so every client, every upstream and
 * the relay once are enough.
 */
const FEW = { chat: ["chat", "claude"], responses: ["gemini"], claude: ["responses"], gemini: ["chat"] };

for (const host of hostsOr("workerd", "native")) {
  const takesAll = host === "workerd" || process.env.GATEWAY;
  describe(`${takesAll ? "all" : "some"} pairs, ${host}`, () => {
    const stage = setStage(host);
    const world = () => ({ upstream: stage.upstream, connection: stage.gateway.connection, model: (dialect, kind) => `${dialect}.${kind}` });
    for (const client of names) for (const dialect of takesAll ? names : FEW[client]) pair(client, dialect, world);
  });
}
