// The I/O around the Worker's Rust: reads a request, asks `accept` once, sends, answers.
// Decides nothing: every status and every word of an answer comes from Rust, but one.

import {
  accept, body_bytes_max, configure, headers_wanted, undelivered, __wbg_reset_state,
} from "./tidegate_worker.js";

const BODY_BYTES_MAX = body_bytes_max();
const HEADERS_WANTED = headers_wanted().split(" ");
const TEXT = { contentType: "text" };
const JSON_TYPE = "application/json";
const ACCEPTED = { status: 202, headers: { "Content-Type": JSON_TYPE } };
const NO_BYTES = new Uint8Array(0);

let configured; // the env that Rust has read

export default {
  async fetch(request, env) {
    try {
      // The usual case first, and without touching `request.body`: that alone makes a stream object.
      const length = request.headers.get("content-length");
      const body = length === null ? await readUnmeasured(request)
        : Number(length) <= BODY_BYTES_MAX ? await request.bytes() : undefined;
      const head = headOf(request);
      if (configured !== env) {
        configure(env);
        configured = env;
      }
      const packed = accept(head, body);
      const end = 7 + Number(packed.slice(3, 7));
      if (end < packed.length) {
        try {
          await env.QUEUE.send(packed.slice(end), TEXT);
        } catch (error) {
          return unpack(undelivered(String(error)));
        }
        return new Response(packed.slice(7, end), ACCEPTED);
      }
      return unpack(packed);
    } catch (error) {
      return broken(error);
    }
  },
};

// The bytes of a body that does not say its length, or undefined when there are more than the limit: then no
// more of it is read or kept.
async function readUnmeasured(request) {
  if (request.body === null) return NO_BYTES;
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.byteLength;
    if (bytes > BODY_BYTES_MAX) return undefined; // leaving the loop cancels the stream
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

// Method, URL and headers in one text, for `Head::read`.
function headOf(request) {
  let head = `${request.method}\n${request.url}`;
  const headers = request.headers;
  for (const name of HEADERS_WANTED) {
    const value = headers.get(name);
    if (value !== null) head += `\n${name}:${value}`;
  }
  return head;
}

// The response in `Answer::pack`'s text.
function unpack(packed) {
  const status = Number(packed.slice(0, 3));
  const headers = { "Content-Type": JSON_TYPE };
  if (status === 503) headers["Retry-After"] = "1";
  return new Response(packed.slice(7, 7 + Number(packed.slice(3, 7))), { status, headers });
}

// A wasm trap (out of memory, a panic in a dependency) leaves the instance in an unknown state: a new one is
// made for the next request. Requests in flight hold nothing in wasm, so they are not disturbed. What else
// ends here is a sender that hung up while its body was read. Either way the event was not kept: 503.
function broken(error) {
  console.error(`failed to handle a request: ${error}`);
  if (error instanceof WebAssembly.RuntimeError) {
    __wbg_reset_state();
    configured = undefined;
  }
  return new Response('{"error":"the request failed; nothing was kept"}', {
    status: 503,
    headers: { "Content-Type": JSON_TYPE, "Retry-After": "1" },
  });
}
