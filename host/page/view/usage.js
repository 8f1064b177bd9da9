// What each version cost, sampled while the page is open: the host keeps sums, the difference of two is what happened between.

import { get } from "../api.js";

const SAMPLES_MAX = 240;

/// By `plugin version`: the moments that were looked at, with the sums of then.
const samples = new Map();

/// Reads the sums and keeps them. Gives the rows as the host has them.
export async function look(signal) {
  const rows = await get("/api/v1/usage", {}, signal);
  const at_ms = Date.now();
  for (const row of rows) {
    const key = `${row.plugin} ${row.version}`;
    const known = samples.get(key) ?? [];
    // The host started anew: its sums did, too.
    if (known.at(-1)?.calls > row.calls) known.length = 0;
    known.push({ at_ms, calls: row.calls, wall_us: row.wall_us, faults: faultsOf(row) });
    if (known.length > SAMPLES_MAX) known.shift();
    samples.set(key, known);
  }
  return rows;
}

/// All faults of a version together.
export const faultsOf = (row) => Object.values(row.faults).reduce((sum, many) => sum + many, 0);

/// What happened between the looks: calls a second, the mean time of one in microseconds (null where there was none), faults a
/// second.
export function between(plugin, version) {
  const known = samples.get(`${plugin} ${version}`) ?? [];
  const steps = known.slice(1).map((now, at) => {
    const before = known[at];
    const [calls, s] = [now.calls - before.calls, (now.at_ms - before.at_ms) / 1000];
    return { calls: calls / s, mean_us: calls > 0 ? (now.wall_us - before.wall_us) / calls : null, faults: (now.faults - before.faults) / s };
  });
  const step_ms = known.length > 1 ? (known.at(-1).at_ms - known[0].at_ms) / (known.length - 1) : 1000;
  return { from_ms: known[1]?.at_ms ?? Date.now(), step_ms, steps };
}
