// One source's vault: bodies too large for the queue, messages that the queue did not take, and how its sender was
// answered. A Durable Object on SQLite, and plain JavaScript on purpose: should the Worker's wasm ever trap, an alarm
// that waits for a send would never wake again.

import { DurableObject } from "cloudflare:workers";
import { empty, merge, within } from "./tally.js";

// A message is sent again when it is so old: a queue that was only late has said so by then. The alarm comes for the
// oldest a little later, so that what came soon after it goes with it.
const SETTLE_MS = 4_000;
const WAKE_MS = 5_000;
// A send that takes longer is given up. One send is under way at a time.
const SEND_MS_MAX = 5_000;
// Waits between two failures: doubled each time, up to this.
const BACK_OFF_MS = 1_000;
const BACK_OFF_MS_MAX = 15_000;
// How long what is to be written waits for company.
const GATHER_MS = 5;
// One batch, within what Cloudflare takes (https://developers.cloudflare.com/queues/platform/limits/), and one run.
const BATCH_MESSAGES_MAX = 100;
const BATCH_BYTES_MAX = 200_000;
const RUN_MS_MAX = 20_000;
// How many of the oldest messages are tried alone, in turn.
const PROBES_MAX = 8;
// How long a body is kept: a day longer than the queue keeps its message.
const BODY_MS_MAX = 15 * 24 * 3_600_000;
// How long an upload may take; what is left of one after that is removed.
const UPLOAD_MS_MAX = 3_600_000;
// Bytes of the largest row. Cloudflare refuses 2 MB, plain workerd does not.
const ROW_BYTES_MAX = 1 << 20;
// How long after a run that went wrong itself the next one comes.
const AGAIN_MS = 5_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY,
    receipt TEXT NOT NULL UNIQUE,
    shard INTEGER NOT NULL,
    text TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    refused INTEGER NOT NULL DEFAULT 0 -- how often it was, alone, while the queue took others
  );
  CREATE TABLE IF NOT EXISTS body (
    receipt TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    bytes INTEGER -- NULL until all of it is there
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS chunk (
    receipt TEXT NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (receipt, number)
  );
  CREATE TABLE IF NOT EXISTS tally (one INTEGER PRIMARY KEY CHECK (one = 1), json TEXT NOT NULL);
`;

export class Vault extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.failures = 0; // sends that failed, one after another
    this.probe = 0; // after a failure: how many of the oldest messages to pass over
    this.notBefore = 0; // when the next send may be tried
    this.coming = []; // messages that are not written yet
    this.leaving = []; // receipts of messages that are not removed yet
    ctx.blockConcurrencyWhile(async () => {
      this.sql.exec(SCHEMA);
      await this.arm();
    });
  }

  // Keeps a message until the queue takes it.
  async keep(receipt, shard, text) {
    this.coming.push({ receipt, shard, text });
    await this.together();
  }

  // The queue has this message after all.
  async forget(receipt) {
    this.leaving.push(receipt);
    await this.together();
  }

  // Writes what comes within a moment in one commit, which costs the disk the same as one message does: at full rate
  // one commit each is more than a disk takes. Whoever asked is answered once it is written.
  together() {
    this.gathering ??= (async () => {
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
      const { coming, leaving } = this;
      this.coming = [];
      this.leaving = [];
      this.gathering = undefined;
      const now = Date.now();
      for (const { receipt, shard, text } of coming) {
        this.sql.exec("INSERT OR IGNORE INTO message (receipt, shard, text, at_ms) VALUES (?, ?, ?, ?)", receipt, shard,
          text, now);
      }
      for (const receipt of leaving) this.sql.exec("DELETE FROM message WHERE receipt = ?", receipt);
      if (coming.length > 0) await this.wakeBy(now + WAKE_MS);
    })();
    return this.gathering;
  }

  // Keeps a part of a body. Parts are numbered from 0; nobody sees them before the body is complete.
  async keepChunk(receipt, number, bytes) {
    if (bytes.byteLength > ROW_BYTES_MAX) throw new RangeError("a part is too large for a row");
    const now = Date.now();
    if (number === 0) this.sql.exec("INSERT INTO body (receipt, at_ms) VALUES (?, ?)", receipt, now);
    this.sql.exec("INSERT INTO chunk (receipt, number, bytes) VALUES (?, ?, ?)", receipt, number, bytes);
    await this.wakeBy(now + UPLOAD_MS_MAX);
  }

  // The body is complete.
  completeBody(receipt, bytes) {
    this.sql.exec("UPDATE body SET bytes = ? WHERE receipt = ?", bytes, receipt);
  }

  // Bytes of a complete body; null when there is none.
  bodyBytes(receipt) {
    return first(this.sql.exec("SELECT bytes FROM body WHERE receipt = ?", receipt))?.bytes ?? null;
  }

  // A part of a body; null after the last.
  chunk(receipt, number) {
    const row = first(this.sql.exec("SELECT bytes FROM chunk WHERE receipt = ? AND number = ?", receipt, number));
    return row === undefined ? null : new Uint8Array(row.bytes);
  }

  dropBody(receipt) {
    this.sql.exec("DELETE FROM body WHERE receipt = ?", receipt);
    this.sql.exec("DELETE FROM chunk WHERE receipt = ?", receipt);
  }

  // Adds what an isolate counted of the answers to this source's sender.
  tell(since) {
    const json = JSON.stringify(merge(this.tally(), since));
    this.sql.exec("INSERT INTO tally (one, json) VALUES (1, ?) ON CONFLICT DO UPDATE SET json = excluded.json", json);
  }

  tally() {
    const row = first(this.sql.exec("SELECT json FROM tally"));
    return row === undefined ? empty() : JSON.parse(row.json);
  }

  // What it holds and what it was told: `tidegate_source::status::VaultStatus` and `Tally`.
  status() {
    const messages = this.sql.exec("SELECT count(*) AS messages, min(at_ms) AS oldest_ms FROM message").one();
    const bodies = this.sql.exec("SELECT count(*) AS bodies, total(bytes) AS body_bytes FROM body").one();
    return { tally: this.tally(), vault: { ...messages, ...bodies } };
  }

  // Sends what is due, removes what is too old, and comes again when there is more to do. Never fails: a handler that
  // does is run again a few times only, and then nothing would be sent any more.
  async alarm() {
    try {
      this.sweep(Date.now());
      await this.sendDue();
      await this.arm();
    } catch (error) {
      console.error(`failed to look after a vault: ${error}`);
      try {
        await this.ctx.storage.setAlarm(Date.now() + AGAIN_MS);
      } catch (later) {
        console.error(`failed to set a vault's alarm; the next request does: ${later}`);
      }
    }
  }

  // Sends what is old enough, the oldest first, until nothing is left, a send fails or the run has lasted long enough.
  // After a failure one message at a time is tried, and each time another: is it the queue, or the message?
  async sendDue() {
    const until = Date.now() + RUN_MS_MAX;
    let proven = false; // the queue has just taken a younger message than the oldest
    for (let now = Date.now(); now >= this.notBefore && now < until; now = Date.now()) {
      const alone = this.failures > 0 || proven;
      const skip = proven ? 0 : this.probe;
      const batch = this.due(now, skip, alone ? 1 : BATCH_MESSAGES_MAX);
      if (batch.length === 0) {
        if (skip === 0) return;
        this.probe = 0; // there are fewer messages than probes: the oldest again
      } else if (await this.sendAnywhere(batch)) {
        for (const { number } of batch) this.sql.exec("DELETE FROM message WHERE number = ?", number);
        proven = skip > 0;
        this.failures = 0;
        this.probe = 0;
      } else {
        if (proven) this.putBack(batch[0]);
        proven = false;
        this.probe = this.failures === 0 ? 0 : (this.probe + 1) % PROBES_MAX;
        this.notBefore = Date.now() + Math.min(BACK_OFF_MS * 2 ** this.failures, BACK_OFF_MS_MAX);
        this.failures += 1;
      }
    }
  }

  // Messages to send together: of one shard, and not with one that was refused before.
  due(now, skip, count) {
    const rows = this.sql.exec(
      "SELECT number, shard, text, length(CAST(text AS BLOB)) AS bytes, refused FROM message WHERE at_ms <= ? " +
      "ORDER BY refused, number LIMIT ? OFFSET ?", now - SETTLE_MS, count, skip);
    const batch = [];
    let bytes = 0;
    for (const row of rows) {
      bytes += row.bytes;
      const alike = batch.length === 0 || (row.shard === batch[0].shard && row.refused === batch[0].refused);
      if (batch.length > 0 && (!alike || bytes > BATCH_BYTES_MAX)) break;
      batch.push(row);
    }
    return batch;
  }

  // The queue refuses this message and takes others: it comes after all of them from now on.
  putBack({ number }) {
    this.sql.exec("UPDATE message SET refused = refused + 1 WHERE number = ?", number);
  }

  // Sends a batch to its own queue, or else to another. Gives whether one took it.
  async sendAnywhere(batch) {
    const queues = queuesOf(this.env);
    for (let step = 0; step < queues.length; step += 1) {
      const queue = queues[(batch[0].shard + step) % queues.length];
      try {
        await within(queue.sendBatch(batch.map(({ text }) => ({ body: text, contentType: "text" }))), SEND_MS_MAX);
        return true;
      } catch (error) {
        console.error(`failed to send ${batch.length} messages from a vault: ${error}`);
      }
    }
    return false;
  }

  // Removes bodies that are too old, and uploads that were never completed.
  sweep(now) {
    const old = this.sql.exec("SELECT receipt FROM body WHERE at_ms <= ? OR (bytes IS NULL AND at_ms <= ?) LIMIT 100",
      now - BODY_MS_MAX, now - UPLOAD_MS_MAX).toArray();
    for (const { receipt } of old) this.dropBody(receipt);
  }

  // Sets the alarm for what is to be done next.
  async arm() {
    const now = Date.now();
    const { oldest } = this.sql.exec("SELECT min(at_ms) AS oldest FROM message").one();
    if (oldest !== null) await this.wakeBy(Math.max(oldest + WAKE_MS, this.notBefore, now + 1));
    const { body, upload } = this.sql.exec("SELECT min(at_ms) AS body, " +
      "min(CASE WHEN bytes IS NULL THEN at_ms END) AS upload FROM body").one();
    if (body !== null) await this.wakeBy(Math.max(body + BODY_MS_MAX, now + AGAIN_MS));
    if (upload !== null) await this.wakeBy(Math.max(upload + UPLOAD_MS_MAX, now + AGAIN_MS));
  }

  // Sees to it that the alarm comes by then.
  async wakeBy(time) {
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > time) await this.ctx.storage.setAlarm(time);
  }
}

// The first row, if there is one.
function first(rows) {
  return rows.toArray()[0];
}

// The queues that are bound: QUEUE, QUEUE_1, QUEUE_2, ...
export function queuesOf(env) {
  const queues = [];
  for (let name = "QUEUE"; env[name] !== undefined; name = `QUEUE_${queues.length}`) queues.push(env[name]);
  return queues.slice(0, 10);
}
