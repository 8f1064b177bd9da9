// Makes one message durable within the sender's patience: a ladder of stores, the next one tried when the one before
// fails or is late. The first that confirms is enough. Decides nothing about what is kept, or what is answered.

// How long the first store may take before the second is tried, each further one, and all of them.
const FIRST_MS = 600;
const NEXT_MS = 250;
const ALL_MS = 1_100;

// A queue that was late so often, and not once in time since, is not asked first but by one event at a time: each late
// send keeps a connection open until it ends, and a sender waiting for nothing.
const LATE_MAX = 64;

const TEXT = { contentType: "text" };

// One of the queues.
export class Shard {
  constructor(queue) {
    this.queue = queue;
    this.late = 0; // sends that were not confirmed in time, since the last that was
    this.triedAt = 0; // when it was asked first the last time, while it is late
  }

  // Whether to ask this queue first.
  comesFirst(now) {
    if (this.late < LATE_MAX) return true;
    if (now < this.triedAt + FIRST_MS) return false;
    this.triedAt = now;
    return true;
  }

  // Starts a send. A binding that throws is a send that fails.
  send(message) {
    try {
      return this.queue.send(message, TEXT);
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

// Whether a send is confirmed in time: true, false when it failed, undefined when it is still under way.
export function confirmed(send) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, FIRST_MS);
    send.then(() => {
      clearTimeout(timer);
      resolve(true);
    }, (error) => {
      clearTimeout(timer);
      console.error(`failed to send to the queue: ${error}`);
      resolve(false);
    });
  });
}

// Tries the other stores. `first` is the send that was not confirmed in time, `failed` says whether it failed; without
// one, its queue is asked last. `vault` gives the source's vault. Gives whether any store confirmed.
export function climb({ first, failed, started, shards, shard, vault, receipt, message, ctx }) {
  const home = shards[shard];
  const sends = first === undefined ? [] : [first];
  const rungs = [];
  if (shards.length > 1) rungs.push(() => sent(shards[(shard + 1) % shards.length].send(message)));
  rungs.push(() => {
    const stub = vault();
    const kept = stub.keep(receipt, shard, message);
    ctx.waitUntil(forgetWhenSent(sends, kept, stub, receipt));
    return kept;
  });
  if (first === undefined) rungs.push(() => sent(home.send(message)));
  else if (!failed) home.late += 1;

  function sent(send) {
    sends.push(send);
    return send;
  }

  return new Promise((resolve) => {
    let running = 0;
    let next = 0;
    let timer;
    let over = false;
    const end = (whether) => {
      over = true;
      clearTimeout(timer);
      clearTimeout(last);
      resolve(whether);
    };
    const wait = (store) => {
      running += 1;
      store.then(() => end(true), (error) => {
        running -= 1;
        console.error(`failed to keep ${receipt} in a store: ${error}`);
        if (!over) step();
      });
    };
    const step = () => {
      clearTimeout(timer);
      const rung = rungs[next];
      next += 1;
      if (rung !== undefined) {
        timer = setTimeout(step, NEXT_MS);
        wait(attempt(rung));
      } else if (running === 0) {
        end(false);
      }
    };
    // When the machine stood still, the first store's time may be long over: what it confirmed meanwhile is still to
    // be read, so there is always time for that.
    const left = Math.max(ALL_MS - FIRST_MS, ALL_MS - (Date.now() - started));
    const last = setTimeout(() => end(false), left);
    if (first !== undefined && !failed) wait(first);
    step();
  });
}

// Calls a function that gives a promise; what it throws is a failure like any other.
async function attempt(start) {
  return start();
}

// Once a queue has the message after all, the vault need not send it again. (It may have done so before: duplicates
// are removed by the host.)
async function forgetWhenSent(sends, kept, vault, receipt) {
  try {
    await settled(kept);
    await Promise.any(sends);
    await vault.forget(receipt);
  } catch {
    // No queue took it: the vault will go on trying.
  }
}

async function settled(promise) {
  try {
    await promise;
  } catch {
    // Whether it was kept is not known; forgetting it does no harm.
  }
}
