// What differs between an event and the snapshot before: where; and what it was and is, once the payloads are shown.

import { h } from "../dom.js";

const SHOWN_MAX = 100;

/// The fields that changed.
export function changes(event, isRevealed) {
  const pointers = event.story?.changed ?? [];
  if (pointers.length === 0) return h("p.dim", event.previous ? "Nothing that was there before." : "There was no snapshot before it.");
  const [before, after] = isRevealed ? [json(event.previous_payload), json(event.payload)] : [undefined, undefined];
  const shown = pointers.slice(0, SHOWN_MAX);
  return [
    h("ul.changes", shown.map((pointer) => change(pointer, isRevealed && field(pointer, value(before, pointer), value(after, pointer))))),
    pointers.length > shown.length && h("p.dim", `and ${pointers.length - shown.length} more`),
  ];
}

/// One field: its place, and what stands under it.
export const change = (pointer, values) => h("li", h("code.pointer", pointer || "(all of it)"), values);

/// What a field was and is; nothing on the side where there was none.
export function field(pointer, before, after) {
  return h("span.was-is", before !== undefined && h("del", h("span.unseen", "was "), before), after !== undefined && h("ins", h("span.unseen", "is "), after));
}

function json(payload) {
  try {
    return payload?.encoding === "text" ? JSON.parse(payload.content) : undefined;
  } catch {
    return undefined;
  }
}

/// The value that a JSON pointer (RFC 6901) names, as JSON.
function value(document, pointer) {
  let at = document;
  for (const key of pointer.split("/").slice(1)) {
    const name = key.replaceAll("~1", "/").replaceAll("~0", "~");
    if (at === null || typeof at !== "object" || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at === undefined ? undefined : JSON.stringify(at);
}
