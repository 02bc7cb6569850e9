// serde_json in raw WebAssembly (benches/rig/floor): parse and write, both ways.
import module from "./index_bg.wasm";

const { exports: wasm } = new WebAssembly.Instance(module);

function roundTrip(bytes) {
  const at = wasm.input(bytes.length);
  new Uint8Array(wasm.memory.buffer, at, bytes.length).set(bytes);
  const length = wasm.round_trip();
  return new Uint8Array(wasm.memory.buffer, wasm.output(), length).slice();
}

export default {
  async fetch(request, { UPSTREAM }) {
    const body = roundTrip(new Uint8Array(await request.arrayBuffer()));
    const answer = await fetch(UPSTREAM + new URL(request.url).pathname, { method: "POST", headers: { "content-type": "application/json" }, body });
    const type = answer.headers.get("content-type");
    if (type.startsWith("text/event-stream")) return new Response(answer.body, { headers: { "content-type": type } });
    return new Response(roundTrip(new Uint8Array(await answer.arrayBuffer())), { headers: { "content-type": type } });
  },
};
