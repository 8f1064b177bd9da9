// The I/O around the Worker's Rust: reads a request, asks `accept` once, makes the event durable, answers.
// Decides nothing: every status and every word of an answer comes from Rust.

import { accept, configure, route, seal, __wbg_reset_state } from "./tidegate_worker.js";
import { Reading, Remembered, putInVault } from "./body.js";
import { answerHost } from "./host.js";
import { Shard, climb, confirmed } from "./ladder.js";
import { ANSWERS, say } from "./say.js";
import { Counter } from "./tally.js";
import { queuesOf } from "./vault.js";

export { Vault } from "./vault.js";

const NO_BYTES = new Uint8Array(0);

// URLs of live sources that are remembered at most: one per token, and some that differ in their query.
const ROUTES_MAX = 256;

// How each source's sender was answered. Outlives everything else that is known.
const counters = new Map();

let edge; // what is known of the bindings

export default {
  async fetch(request, env, ctx) {
    let here;
    let to;
    try {
      here = edge !== undefined && edge.env === env ? edge : open(env);
      to = here.routes.get(request.url) ?? find(here, request.url);
      if (to.kind === "source") return await take(request, here, to, ctx);
      return to.kind === "say" ? say(to.answer) : await answerHost(to, request, here, ctx);
    } catch (error) {
      return broken(error, env, here, to, ctx);
    }
  },
};

// Reads the bindings.
function open(env) {
  const queues = queuesOf(env);
  const bodyBytesMax = configure(env, queues.length, env.VAULT !== undefined);
  edge = {
    env,
    routes: new Map(),
    shards: queues.map((queue) => new Shard(queue)),
    bodyBytesMax,
    vault: (name) => env.VAULT.getByName(name),
    counterOf,
  };
  return edge;
}

function counterOf(name) {
  let counter = counters.get(name);
  if (counter === undefined) counters.set(name, counter = new Counter());
  return counter;
}

// What a URL asks for. Live ones are remembered: the rest of their requests spare the comparison with every token.
// (Finding one here tells a guesser nothing: who presents a live token is told so anyway.)
function find(here, url) {
  const to = JSON.parse(route(url));
  if (to.kind !== "source") return to;
  to.counter = counterOf(to.name);
  to.response = { status: to.accepted, headers: { "Content-Type": "application/json" } };
  if (here.routes.size >= ROUTES_MAX) here.routes.clear();
  here.routes.set(url, to);
  return to;
}

// Takes an event of a live source.
async function take(request, here, to, ctx) {
  // The usual case first, and without touching `request.body`: that alone makes a stream object.
  const length = request.headers.get("content-length");
  if (length === null || Number(length) > to.whole_bytes_max) {
    return request.body === null ? keep(request, here, to, ctx, NO_BYTES)
      : takeStream(request, here, to, ctx, length !== null);
  }
  return keep(request, here, to, ctx, await request.bytes());
}

// Takes an event whose body is large, or does not say how large it is.
async function takeStream(request, here, to, ctx, isLarge) {
  const reading = new Reading(request.body, Date.now());
  try {
    const body = isLarge ? undefined : await reading.whole(to.whole_bytes_max);
    return await keep(request, here, to, ctx, body, reading);
  } finally {
    reading.close();
  }
}

// Asks what to do with a request, and does it. Without `body`, its bytes are still in `reading`.
async function keep(request, here, to, ctx, body, reading) {
  const head = headOf(request, to.headers);
  let now = Date.now();
  let said = accept(to.place, head, body, now);
  if (said[0] === "V") {
    const receipt = said.slice(1);
    const kept = await putInVault(body === undefined ? reading : new Remembered(body), here.vault(to.name), receipt, here.bodyBytesMax);
    if (kept === undefined) return answer(ANSWERS.undelivered, to, here, ctx);
    said = seal(to.place, head, receipt, kept.bytes, kept.total, kept.sha256);
    now = Date.now();
  }
  if (said[0] !== "K") return answer(JSON.parse(said.slice(1)), to, here, ctx);
  const receipt = said.slice(2, 28);
  if (!(await store(here, to, ctx, now, Number(said[1]), receipt, said.slice(28)))) {
    return answer(ANSWERS.undelivered, to, here, ctx);
  }
  if (to.counter.succeeded(to.token, now)) tell(here, to, ctx);
  return new Response(to.accepted === 204 ? null : `{"receipt":"${receipt}"}`, to.response);
}

// Makes a message durable. Gives whether a store confirmed it.
async function store(here, to, ctx, started, shard, receipt, message) {
  const home = here.shards[shard];
  let first;
  let failed = false;
  if (home.comesFirst(started)) {
    first = home.send(message);
    const whether = await confirmed(first);
    if (whether === true) {
      home.late = 0;
      return true;
    }
    failed = whether === false;
  }
  const vault = () => here.vault(to.name);
  return climb({ first, failed, started, shards: here.shards, shard, vault, receipt, message, ctx });
}

// Method and headers in one text, for `Head::read`.
function headOf(request, names) {
  let head = request.method;
  const headers = request.headers;
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) head += `\n${name}:${value}`;
  }
  return head;
}

// Gives an answer to a source's sender that is not the usual one, and counts it.
function answer(said, to, here, ctx) {
  if (said.status >= 300) to.counter.failed(to.token, Date.now(), said.why);
  if (said.status >= 300 || to.counter.succeeded(to.token, Date.now())) tell(here, to, ctx);
  return say(said);
}

// Tells the source's vault how its sender was answered, after the answer.
function tell(here, to, ctx) {
  ctx.waitUntil(to.counter.tell(() => here.vault(to.name)));
}

// A wasm trap (out of memory, a panic in a dependency) leaves the instance in an unknown state: a new one is made.
// Requests in flight hold nothing in wasm, so they are not disturbed, and the vault uses none. What else ends here is
// a sender that hung up while its body was read. Either way nobody was told that the event is kept.
function broken(error, env, here, to, ctx) {
  console.error(`failed to handle a request: ${error}`);
  if (error instanceof WebAssembly.RuntimeError) {
    __wbg_reset_state();
    edge = undefined;
    try {
      open(env);
    } catch (again) {
      console.error(`failed to start again: ${again}`);
    }
  }
  return to?.kind === "source" ? answer(ANSWERS.broken, to, here, ctx) : say(ANSWERS.broken);
}
