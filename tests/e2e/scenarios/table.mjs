// tests/out/CLIENTS.md: which client plays which scenario on which upstream. The suite holds it to what it sees; with BLESS=1 it
// writes it.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../scripts/setup.mjs";

const path = join(root, "tests", "out", "CLIENTS.md");

const HEAD = `# Clients

Real clients, unmodified, each playing each scenario on each upstream through the gateway, in workerd and natively (tests/e2e).
The upstream is a scripted one that refuses what the vendors refuse. \`yes\`: it ran to its end as it should; \`–\`: the client
cannot say it. "Own items" tells what the upstream is given back of its own answers (signatures, encrypted content, ids,
order): all of them, turn for turn, or what the client keeps.
`;

const sections = ["SDKs", "Codex", "Claude Code"];

function read() {
  const text = existsSync(path) ? readFileSync(path, "utf8").replaceAll("\r\n", "\n") : "";
  return Object.fromEntries(sections.map((name) => [name, new RegExp(`^## ${name}\\n\\n([^]*?)(?=\\n## |$(?![^]))`, "m").exec(text)?.[1].trimEnd() ?? ""]));
}

/** Holds a section's rows, lists of cells of which the first is the head, to the file. */
export function hold(section, rows) {
  const lines = rows.map((cells) => `| ${cells.join(" | ")} |`);
  lines.splice(1, 0, `|${rows[0].map(() => "---|").join("")}`);
  const table = lines.join("\n");
  const all = read();
  if (process.env.BLESS) {
    all[section] = table;
    const text = sections.filter((name) => all[name]).map((name) => `\n## ${name}\n\n${all[name]}\n`);
    return writeFileSync(path, HEAD + text.join(""));
  }
  assert.equal(all[section], table, "tests/out/CLIENTS.md is another: BLESS=1 writes it");
}
