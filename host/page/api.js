// Speaks to the host: JSON over fetch, with the token. Knows nothing of what is shown.

import { pause } from "./dom.js";
import { token } from "./session.js";

/// How often a request is tried that the host asked to send later.
const PATIENCE = 3;

/// The host answered, and said no.
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/// The host did not answer.
export class Away extends Error {
  constructor() {
    super("The host does not answer. It is asked again by itself.");
  }
}

/// Told when a token is not known (any more).
export const doors = new EventTarget();

/// A path with a query of all that is given.
export function path(base, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given).toString();
  return text ? `${base}?${text}` : base;
}

/// One step of a path.
export const step = encodeURIComponent;

/// Reads.
export const get = (where, query, signal) => ask(path(where, query), { signal });

/// Changes something.
export const post = (where, body, signal) =>
  ask(where, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" }, signal });

/// The answer as it comes, for who reads it piece by piece.
export async function open(where, { headers, ...options } = {}) {
  let response;
  try {
    const all = { ...headers, authorization: `Bearer ${token() ?? ""}` };
    response = await fetch(where, { ...options, headers: all, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Away();
  }
  if (response.ok) return response;
  if (response.status === 401) doors.dispatchEvent(new Event("closed"));
  const refused = new Refused(response.status, await reason(response));
  refused.after = Number(response.headers.get("retry-after")) || null;
  throw refused;
}

async function ask(where, options) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await (await open(where, options)).json();
    } catch (error) {
      if (error.status !== 429 || attempt >= PATIENCE) throw error;
      await pause((error.after ?? 1) * 1000, options.signal);
    }
  }
}

async function reason(response) {
  const text = await response.text().catch(() => "");
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return text || `The host answered ${response.status}.`;
  }
}
