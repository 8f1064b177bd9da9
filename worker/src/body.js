// Reads a request's body that is not small: up to a limit into memory, or on into the vault. Knows nothing of sources.

import { within } from "./tally.js";

// Bytes per read, and per part in the vault.
const READ_BYTES = 64 << 10;
const CHUNK_BYTES = 1 << 20;
// How long the vault may take for one part.
const CHUNK_MS_MAX = 1_000;
// Once no more is kept, the rest is read and counted until this long after the request came: a client that cannot
// finish writing takes that for a failure, and one that waits 3 seconds must have its answer.
const REST_MS_MAX = 2_000;
// How long a body may take at all; what has come by then is kept as the first part of it.
const BODY_MS_MAX = 25_000;

// The body of one request, while it is read.
export class Reading {
  constructor(stream, arrived) {
    this.reader = stream.getReader({ mode: "byob" });
    this.arrived = arrived;
    this.parts = []; // read, and not taken yet
    this.bytes = 0; // in `parts`
    this.ended = false;
    this.limit = undefined; // a promise of the time when no more is read
    this.limitTimer = undefined;
    this.readUntil(BODY_MS_MAX);
  }

  // From now on no byte is read later than so long after the request came.
  readUntil(ms) {
    clearTimeout(this.limitTimer);
    this.limit = new Promise((resolve) => {
      this.limitTimer = setTimeout(resolve, Math.max(0, this.arrived + ms - Date.now()));
    });
  }

  // Reads on: the bytes that came, or undefined at the end, or null when the time is up.
  async read() {
    const read = this.reader.read(new Uint8Array(READ_BYTES));
    const came = await Promise.race([read, this.limit]);
    if (came === undefined) {
      read.catch(() => {}); // nobody waits for it any more
      return null;
    }
    if (came.done) this.ended = true;
    return came.done ? undefined : came.value;
  }

  // The whole body, or undefined when it is larger: then what was read is still there to be taken.
  async whole(bytesMax) {
    while (this.bytes <= bytesMax) {
      const part = await this.read();
      if (part === undefined) return this.take(this.bytes);
      if (part === null) return undefined;
      this.parts.push(part);
      this.bytes += part.byteLength;
    }
    return undefined;
  }

  // The first bytes of what was read, at most so many.
  take(bytesMax) {
    const taken = new Uint8Array(Math.min(bytesMax, this.bytes));
    let at = 0;
    while (at < taken.byteLength) {
      const part = this.parts[0];
      const fits = part.subarray(0, taken.byteLength - at);
      taken.set(fits, at);
      at += fits.byteLength;
      if (fits.byteLength === part.byteLength) this.parts.shift();
      else this.parts[0] = part.subarray(fits.byteLength);
    }
    this.bytes -= at;
    return taken;
  }

  // The next part for the vault, at most so many bytes; empty at the end of the body or of the time.
  async chunk(bytesMax) {
    const bytes = Math.min(bytesMax, CHUNK_BYTES);
    while (this.bytes < bytes && !this.ended) {
      const part = await this.read();
      if (part === undefined || part === null) break;
      this.parts.push(part);
      this.bytes += part.byteLength;
    }
    return this.take(bytes);
  }

  // Counts what is left, as long as there is time for it.
  async rest() {
    let bytes = this.bytes;
    this.parts = [];
    this.bytes = 0;
    this.readUntil(REST_MS_MAX);
    while (!this.ended) {
      const part = await this.read();
      if (part === null) break;
      bytes += part?.byteLength ?? 0;
    }
    return bytes;
  }

  // Ends it: what was not read will not be.
  close() {
    clearTimeout(this.limitTimer);
    if (!this.ended) this.reader.cancel().catch(() => {});
  }
}

// A body that is in memory already, read as if it were not.
export class Remembered {
  constructor(bytes) {
    this.left = bytes;
    this.ended = true;
  }

  async chunk(bytesMax) {
    // A copy: a view would go to the vault with all that it is a view of.
    const chunk = this.left.slice(0, Math.min(bytesMax, CHUNK_BYTES));
    this.left = this.left.subarray(chunk.byteLength);
    return chunk;
  }

  async rest() {
    return this.left.byteLength;
  }
}

// Puts a body into the vault: the first `bytesMax` bytes of it. Gives how many those are, how many there were
// (undefined when that is not known) and the hash of those kept; or undefined when the vault does not confirm a part in
// time. Fails when the sender hangs up.
export async function putInVault(body, vault, receipt, bytesMax) {
  const digest = new crypto.DigestStream("SHA-256");
  const hashing = digest.getWriter();
  let bytes = 0;
  let confirmed = Promise.resolve(true); // for the part before: it is written while the next one is read
  for (let number = 0; ; number += 1) {
    const chunk = await body.chunk(bytesMax - bytes);
    if (!(await confirmed)) return undefined;
    if (chunk.byteLength === 0 && number > 0) break;
    bytes += chunk.byteLength;
    await hashing.write(chunk);
    confirmed = isConfirmed(vault.keepChunk(receipt, number, chunk), receipt);
  }
  if (!(await isConfirmed(vault.completeBody(receipt, bytes), receipt))) return undefined;
  const rest = await body.rest();
  await hashing.close();
  return { bytes, total: body.ended ? bytes + rest : undefined, sha256: new Uint8Array(await digest.digest) };
}

async function isConfirmed(put, receipt) {
  try {
    await within(put, CHUNK_MS_MAX);
    return true;
  } catch (error) {
    console.error(`failed to put the body of ${receipt} into a vault: ${error}`);
    return false;
  }
}
