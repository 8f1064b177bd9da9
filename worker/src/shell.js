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
    let call;
    try {
      const here = edge !== undefined && edge.env === env ? edge : open(env);
      const to = here.routes.get(request.url) ?? find(here, request.url);
      call = { request, to, here, ctx };
      if (to.kind === "say") return say(to.answer);
      if (to.kind !== "source") return await answerHost(call);
      // The usual case first, and without touching `request.body`: that alone makes a stream object.
      const length = request.headers.get("content-length");
      if (length !== null && Number(length) <= to.whole_bytes_max) return await keep(call, await request.bytes());
      if (request.body === null) return await keep(call, NO_BYTES);
      return await keepStream(call, length !== null);
    } catch (error) {
      return broken(error, env, call);
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

// Keeps an event whose body is large, or does not say how large it is.
async function keepStream(call, isLarge) {
  const reading = new Reading(call.request.body, Date.now());
  try {
    return await keep(call, isLarge ? undefined : await reading.whole(call.to.whole_bytes_max), reading);
  } finally {
    reading.close();
  }
}

// Asks what to do with a request, and does it: an event is made durable, then acknowledged. Without `body`, its bytes
// are still in `reading`.
async function keep(call, body, reading) {
  const { to, here, ctx } = call;
  const head = headOf(call.request, to.headers);
  let now = Date.now();
  let said = accept(to.place, head, body, now);
  if (said[0] === "V") {
    said = await putAside(call, head, said.slice(1), body === undefined ? reading : new Remembered(body));
    now = Date.now();
  }
  if (said[0] !== "K") return answer(call, JSON.parse(said.slice(1)));
  // The digit of its queue, its receipt, the message.
  const shard = Number(said[1]);
  const receipt = said.slice(2, 28);
  const message = said.slice(28);
  const home = here.shards[shard];
  const first = home.comesFirst(now) ? home.send(message) : undefined;
  const whether = first === undefined ? undefined : await confirmed(first);
  if (whether === true) home.late = 0;
  else {
    const vault = () => here.vault(to.name);
    const failed = whether === false;
    const rest = { first, failed, started: now, shards: here.shards, shard, vault, receipt, message, ctx };
    if (!(await climb(rest))) return answer(call, ANSWERS.undelivered);
  }
  if (to.counter.succeeded(to.token, now)) tell(call);
  return new Response(to.accepted === 204 ? null : `{"receipt":"${receipt}"}`, to.response);
}

// Puts a body into the vault, then asks what to do: as `accept` says it.
async function putAside({ to, here }, head, receipt, body) {
  const kept = await putInVault(body, here.vault(to.name), receipt, here.bodyBytesMax);
  if (kept === undefined) return `S${JSON.stringify(ANSWERS.undelivered)}`;
  return seal(to.place, head, receipt, kept.bytes, kept.total, kept.sha256);
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
function answer(call, said) {
  const { to } = call;
  const failed = said.status >= 300;
  if (failed) to.counter.failed(to.token, Date.now(), said.why);
  if (failed || to.counter.succeeded(to.token, Date.now())) tell(call);
  return say(said);
}

// Tells the source's vault how its sender was answered, after the answer.
function tell({ to, here, ctx }) {
  ctx.waitUntil(to.counter.tell(() => here.vault(to.name)));
}

// A wasm trap (out of memory, a panic in a dependency) leaves the instance in an unknown state: a new one is made.
// Requests in flight hold nothing in wasm, so they are not disturbed, and the vault uses none. What else ends here is
// a sender that hung up while its body was read. Either way nobody was told that the event is kept.
function broken(error, env, call) {
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
  return call?.to.kind === "source" ? answer(call, ANSWERS.broken) : say(ANSWERS.broken);
}
