// An event as lists show it.

import { h } from "../dom.js";
import { badge, row, time } from "../parts.js";
import { span } from "../words.js";

/// What the columns are called.
export const HEADS = ["Accepted", "Kind", "Subject", "Source", "Class", "State", "Plugins", "Effects", "Took"];

/// One row. It leads to the event.
export function eventRow(event) {
  const href = `#/events/${event.receipt}`;
  const cells = [
    h("a", { href, "data-stop": true }, time(event.received_at_ms), h("span.unseen", ` ${event.kind || "event"} ${event.subject}`)),
    event.kind || h("span.dim", "–"),
    h("span.subject", event.subject || "–"),
    event.source,
    event.class === "first" ? h("span.dim", "first") : badge(event.class),
    badge(event.state),
    plugins(event.plans),
    effects(event.effects),
    h("span.dim", event.decided_at_ms > 0 ? span(event.decided_at_ms - event.received_at_ms) : "–"),
  ];
  const element = row(HEADS, cells, { href, key: event.cursor });
  const isOpen = event.state === "waiting" || event.effects.some((effect) => effect.state === "waiting");
  if (isOpen) element.dataset.open = "";
  return element;
}

function plugins(plans) {
  if (plans.length === 0) return h("span.dim", "none");
  return plans.map((plan, at) => [at > 0 ? ", " : "", plan.plugin, plan.state === "decided" ? "" : [" ", badge(plan.state)]]);
}

function effects(all) {
  if (all.length === 0) return h("span.dim", "–");
  const others = all.filter((effect) => effect.state !== "done");
  return others.length === 0 ? `${all.length} done` : [`${all.length - others.length} of ${all.length} `, badge(others[0].state)];
}
