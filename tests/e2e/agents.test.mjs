// Agents' scenarios: every client × every upstream × both hosts. What came of it is tests/out/CLIENTS.md.
import { after, describe, test } from "node:test";
import { hostsOr, setStage } from "./gateway.mjs";
import { startClients } from "./scenarios/clients.mjs";
import { scenarios } from "./scenarios/play.mjs";
import { hold } from "./scenarios/table.mjs";
import { names } from "./upstream.mjs";

const { all, stop } = await startClients();
after(stop);

/** What the other model of a switch is: that of the next dialect. */
const next = (dialect) => names[(names.indexOf(dialect) + 1) % names.length];

for (const host of hostsOr("workerd", "native")) {
  describe(`agents, ${host}`, () => {
    const stage = setStage(host);
    const seen = {};
    for (const [name, client] of Object.entries(all)) {
      for (const dialect of names) {
        describe(`${name} → ${dialect}`, () => {
          for (const [scenario, play] of Object.entries(scenarios)) {
            test(scenario, async () => {
              const player = client.connect(stage.gateway);
              const world = { upstream: stage.upstream, dialect, model: `${dialect}.sealing`, other: `${next(dialect)}.sealing` };
              if (scenario.includes("image") && !player.canShow) return void ((seen[name] ??= {})[`${dialect} ${scenario}`] = "–");
              await play(player, world);
              (seen[name] ??= {})[`${dialect} ${scenario}`] = "yes";
            });
          }
        });
      }
    }
    test("the table is as before", () => {
      const head = ["client", "upstream", ...Object.keys(scenarios), "own items"];
      const rows = Object.entries(all).flatMap(([name, client]) =>
        names.map((dialect) => {
          const cells = Object.keys(scenarios).map((scenario) => seen[name]?.[`${dialect} ${scenario}`] ?? "NO");
          return [name, dialect, ...cells, client.connect(stage.gateway).keeps ? "all" : "what it keeps"];
        }),
      );
      hold("SDKs", [head, ...rows]);
    });
  });
}
