// Counts how a source's sender was answered: in this isolate, and, told by it, in the source's vault. Its shape is
// `tidegate_source::status::Tally`.

// A success is told at most so often per token: it is the time of the last one that counts.
const TELL_EACH_MS = 10_000;

// How long the vault may take to be told.
const TELL_MS_MAX = 5_000;

export function empty() {
  return {
    failures_in_row: 0,
    failures: 0,
    last_success_ms: null,
    last_failure_ms: null,
    last_failure: null,
    tokens_used_ms: [],
  };
}

// What was counted before and what was counted since, together.
export function merge(before, since) {
  const tokens = [];
  for (let at = 0; at < Math.max(before.tokens_used_ms.length, since.tokens_used_ms.length); at += 1) {
    tokens.push(Math.max(before.tokens_used_ms[at] ?? 0, since.tokens_used_ms[at] ?? 0));
  }
  const failedLast = (since.last_failure_ms ?? 0) >= (before.last_failure_ms ?? 0) ? since : before;
  return {
    failures_in_row: since.failures_in_row + (since.last_success_ms === null ? before.failures_in_row : 0),
    failures: before.failures + since.failures,
    last_success_ms: latest(before.last_success_ms, since.last_success_ms),
    last_failure_ms: failedLast.last_failure_ms,
    last_failure: failedLast.last_failure,
    tokens_used_ms: tokens,
  };
}

function latest(one, other) {
  return one === null ? other : other === null ? one : Math.max(one, other);
}

function use(tally, token, now) {
  while (tally.tokens_used_ms.length < token) tally.tokens_used_ms.push(0);
  tally.tokens_used_ms[token - 1] = now;
}

// What this isolate counted of one source.
export class Counter {
  constructor() {
    this.seen = empty(); // all of it
    this.untold = empty(); // what the vault was not told yet
    this.quietUntil = []; // per token: until when a success need not be told
    this.tellingUntil = 0; // while the vault is being told, until when at most
  }

  // Counts a 2xx. Gives whether the vault is to be told.
  succeeded(token, now) {
    if (now < this.quietUntil[token]) {
      this.seen.last_success_ms = now;
      this.seen.tokens_used_ms[token - 1] = now;
      return false;
    }
    this.quietUntil[token] = now + TELL_EACH_MS;
    for (const tally of [this.seen, this.untold]) {
      tally.failures_in_row = 0;
      tally.last_success_ms = now;
      use(tally, token, now);
    }
    return true;
  }

  // Counts any other answer, of which the vault is always to be told.
  failed(token, now, why) {
    this.quietUntil = []; // the next success is told at once
    for (const tally of [this.seen, this.untold]) {
      tally.failures_in_row += 1;
      tally.failures += 1;
      tally.last_failure_ms = now;
      tally.last_failure = why;
      use(tally, token, now);
    }
  }

  // Tells the vault what it was not told yet, one call at a time. What it does not take is told with the next.
  async tell(vault) {
    if (Date.now() < this.tellingUntil) return;
    try {
      while (this.untold.tokens_used_ms.length > 0) {
        this.tellingUntil = Date.now() + TELL_MS_MAX;
        const telling = this.untold;
        this.untold = empty();
        try {
          await within(vault().tell(telling), TELL_MS_MAX);
        } catch (error) {
          this.untold = merge(telling, this.untold);
          throw error;
        }
      }
    } catch (error) {
      console.error(`failed to tell a vault how its sender was answered: ${error}`);
    }
    this.tellingUntil = 0;
  }

  // All that is known: what the vault has, or did not say (null), and what this isolate saw.
  with(told) {
    if (told === null) return this.seen;
    const all = merge(told, this.untold);
    all.last_success_ms = latest(all.last_success_ms, this.seen.last_success_ms);
    return all;
  }
}

// The promise's result, or an error when it takes longer.
export function within(promise, ms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
