// The host's live stream: Server-Sent Events read with fetch, as they take a header. Opens it again, later each time, when
// it ends; goes on after the last event that was told. Knows nothing of what is shown.

import { open, path, Refused } from "./api.js";
import { pause } from "./dom.js";

const FIRST_MS = 400;
const LONGEST_MS = 15_000;
/// Nothing at all for so long means that the connection is dead: the host says how things are every second.
const SILENCE_MS = 20_000;

/// One open stream. Tells `state` (its `detail` is `live`, `opening`, or `{ again_ms }`), `recorded`, `overview` and
/// `changed` (its `detail` is what the host told).
export class Stream extends EventTarget {
  #ending = new AbortController();
  #after = null;

  constructor(query = {}) {
    super();
    this.query = query;
    this.#run();
  }

  /// Ends it for good.
  close() {
    this.#ending.abort();
  }

  async #run() {
    const signal = this.#ending.signal;
    let wait_ms = FIRST_MS;
    while (!signal.aborted) {
      this.#tell("state", "opening");
      try {
        await this.#read(signal, () => (wait_ms = FIRST_MS));
      } catch (error) {
        if (signal.aborted || error.status === 401) return;
        if (error instanceof Refused && error.status < 500 && error.status !== 429) console.warn(error.message);
      }
      if (signal.aborted) return;
      const again_ms = Math.round(wait_ms * (0.75 + Math.random() / 2));
      this.#tell("state", { again_ms });
      wait_ms = Math.min(wait_ms * 2, LONGEST_MS);
      await pause(again_ms, signal).catch(() => null);
    }
  }

  async #read(signal, onLive) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const both = AbortSignal.any([signal, silence.signal]);
      const headers = this.#after === null ? {} : { "last-event-id": String(this.#after) };
      const response = await open(path("/api/v1/stream", this.query), { signal: both, headers });
      onLive();
      this.#tell("state", "live");
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        const blocks = (rest + value).split(/\r?\n\r?\n/);
        rest = blocks.pop();
        for (const block of blocks) this.#block(block);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #block(block) {
    const fields = { event: "message", data: [] };
    for (const line of block.split(/\r?\n/)) {
      const [, name, value] = /^([a-z]+): ?(.*)$/s.exec(line) ?? [];
      if (name === "data") fields.data.push(value);
      else if (name) fields[name] = value;
    }
    if (fields.id !== undefined) this.#after = fields.id;
    if (fields.data.length > 0) this.#tell(fields.event, JSON.parse(fields.data.join("\n")));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
