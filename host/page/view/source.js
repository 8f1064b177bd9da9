// What views share about one source.

import { h } from "../dom.js";
import { number } from "../words.js";

/// Whether nothing is known against it. Without an edge that can be asked, nothing is.
export const isWell = (source) => source.state === "ok" || source.state === "unknown";

/// How many failures in a row its sender still takes: a box for each.
export function budget(source) {
  if (source.cutoff === null || source.cutoff === undefined) {
    const failures = source.tally?.failures_in_row;
    return h("span.dim", failures ? `${number(failures)} failed in a row; no limit is known` : "no limit is known");
  }
  const boxes = Array.from({ length: source.cutoff }, (_, at) => h(`span.pip${at < source.left ? "" : ".used"}`));
  return h("span.budget", { class: source.left < source.cutoff ? "bad" : "" },
    h("span.pips", { "aria-hidden": "true" }, boxes), `${source.left} of ${source.cutoff}`);
}
