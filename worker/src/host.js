// What the host asks the edge: how the senders were answered, and the bodies that the vaults keep.

import { is_host, status_text } from "./tidegate_worker.js";
import { ANSWERS, say } from "./say.js";
import { within } from "./tally.js";

// How long a vault may take to say what it holds, or to give one part of a body.
const SAY_MS_MAX = 1_000;
const CHUNK_MS_MAX = 5_000;

const OK_JSON = { headers: { "Content-Type": "application/json" } };
const OK_BYTES = { headers: { "Content-Type": "application/octet-stream" } };

// Answers a request on one of the host's paths.
export async function answerHost(to, request, here, ctx) {
  if (!is_host(request.headers.get("authorization") ?? "")) return say(ANSWERS.unauthorized);
  const reads = request.method === "GET" || request.method === "HEAD";
  if (to.kind === "status") return reads ? status(to, here) : say(ANSWERS.status_method);
  if (!reads && request.method !== "DELETE") return say(ANSWERS.body_method);
  try {
    return reads ? await body(to, here, ctx) : await drop(to, here);
  } catch (error) {
    console.error(`failed to ask the vault of ${to.name}: ${error}`);
    return say(ANSWERS.vault_silent);
  }
}

// What is known of each source: by its vault, or, while that does not answer, by this isolate.
async function status(to, here) {
  const gathered = {};
  await Promise.all(to.names.map(async (name) => {
    let told = { tally: null, vault: null };
    try {
      told = await within(here.vault(name).status(), SAY_MS_MAX);
    } catch (error) {
      console.error(`failed to ask the vault of ${name}: ${error}`);
    }
    gathered[name] = { tally: here.counterOf(name).with(told.tally), vault: told.vault };
  }));
  return new Response(status_text(Date.now(), JSON.stringify(gathered)), OK_JSON);
}

// A body, part by part. Its length is said first, so that an answer which ends early is not taken for the whole.
async function body(to, here, ctx) {
  const vault = here.vault(to.name);
  const bytes = await within(vault.bodyBytes(to.receipt), CHUNK_MS_MAX);
  if (bytes === null) return say(ANSWERS.no_body);
  const { readable, writable } = new FixedLengthStream(bytes);
  ctx.waitUntil(copy(vault, to.receipt, writable));
  return new Response(readable, OK_BYTES);
}

async function copy(vault, receipt, writable) {
  const writer = writable.getWriter();
  try {
    for (let number = 0; ; number += 1) {
      const chunk = await within(vault.chunk(receipt, number), CHUNK_MS_MAX);
      if (chunk === null) break;
      await writer.write(chunk);
    }
    await writer.close();
  } catch (error) {
    console.error(`failed to give the body of ${receipt}: ${error}`);
    writer.abort(error).catch(() => {});
  }
}

async function drop(to, here) {
  await within(here.vault(to.name).dropBody(to.receipt), CHUNK_MS_MAX);
  return new Response(null, { status: 204 });
}
