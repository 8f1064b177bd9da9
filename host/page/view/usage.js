// How versions did, step by step, as the host remembers the last hour of them.

import { get } from "../api.js";

/// All faults of a version together.
export const faultsOf = (row) => Object.values(row.faults).reduce((sum, many) => sum + many, 0);

/// The steps of one plugin, or the last so many of all.
export const series = (query, signal) => get("/api/v1/usage/series", query, signal);

/// What one version did in them: calls a second, the mean time of one in microseconds (null where there was none), faults a
/// second.
export function lines({ from_ms, step_ms, versions }, plugin, version) {
  const one = versions.find((line) => line.plugin === plugin && line.version === version);
  const perSecond = (values) => values.map((value) => (value * 1000) / step_ms);
  return { from_ms, step_ms, calls: perSecond(one?.calls ?? []), mean_us: one?.mean_us ?? [], faults: perSecond(one?.faults ?? []) };
}
