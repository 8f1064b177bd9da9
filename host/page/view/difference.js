// Where two versions decide otherwise about an event, field by field. Values may name people: they are shown when somebody asks.

import { h } from "../dom.js";
import { time } from "../parts.js";
import { change, field } from "./changes.js";

const SHOWN_MAX = 100;

/// The list of events, with what differs about each; `areShown` says whether values are.
export function differences(all, areShown = false) {
  const shown = all.slice(0, SHOWN_MAX);
  return h("ul.differences", shown.map((one) => difference(one, areShown)), all.length > shown.length && h("li.dim", `and ${all.length - shown.length} more`));
}

function difference({ receipt, event_kind, subject, received_at_ms, drift }, areShown) {
  return h("li",
    h("p", h("a", { href: `#/events/${receipt}`, "data-stop": true }, event_kind || "event", " ", subject || ""), " ", h("span.dim", time(received_at_ms))),
    drift?.fault && h("p.bad.wrap", `${drift.fault.name}: ${drift.fault.text}`),
    drift?.fields && h("ul.changes", drift.fields.map((one) => change(one.pointer, values(one, areShown)))),
    drift?.fields_left_out > 0 && h("p.dim", `and ${drift.fields_left_out} fields more`));
}

function values({ pointer, before, after }, areShown) {
  if (areShown) return field(pointer, before, after);
  const word = before === undefined ? "added" : after === undefined ? "removed" : "changed";
  return h("span.dim", ` ${word}`);
}
