// All about one thing that is or was parked.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { action, actions, badge, box, command, facts, section, time } from "../parts.js";
import { size } from "../words.js";
import { dropOne, redriveOne } from "./redrive.js";
import { timeline } from "./timeline.js";

/// Faults that the command line explains; a reason starts with the fault's name.
const FAULTS = ["wall_time_ms", "fuel", "memory_bytes", "memory_growths", "table_elements", "stack_bytes", "result_bytes", "hostcall_bytes",
  "decisions", "log_bytes", "trap", "contract", "not_granted", "host"];

export async function parkedOne(place) {
  const [id] = place.given;
  place.title(`Parked ${id}`);
  let drawn = "";
  await place.keep(
    async () => {
      const detail = await get(`/api/v1/parked/of/${id.split("/").map(encodeURIComponent).join("/")}`, {}, place.signal);
      const text = JSON.stringify(detail);
      if (text !== drawn) draw(place, detail);
      drawn = text;
    },
    { lists: ["parked"], every_ms: 3000 },
  );
}

function draw(place, detail) {
  const { id, state, why, event, request, body, interventions } = detail;
  const isParked = state === "parked";
  const plugin = !request && event ? id.split("/")[1] : null;
  const fault = FAULTS.find((name) => (why ?? "").startsWith(`${name.replaceAll("_", " ")}: `) || (why ?? "").startsWith(`${name}: `));
  fill(place.root,
    h("p.up", h("a", { href: "#/parked", "data-up": true }, "← Parked")),
    h("h1", h("code.wrap", id)),
    h("p.badges", badge(state)),
    why && h("div.notice", { class: isParked ? "bad" : "" }, h("p.why-text", why)),
    isParked && actions(
      action("Redrive …", { needs: "operate", kind: "primary", run: () => redriveOne(id, { plugin }, place.again) }),
      action("Drop …", { needs: "operate", run: () => dropOne(id, place.again) })),
    fault && command(`tidegate plugin explain ${fault}`),
    request && section("Request", facts([
      ["method", request.method], ["url", h("code.wrap", request.url)], ["body", request.body_bytes ? size(request.body_bytes) : "none"],
      ["may take", request.timeout_ms ? `${request.timeout_ms} ms` : null],
    ]), h("ul.log", { "aria-label": "Headers" }, request.headers.map(([name, value]) => h("li", h("span.when", name), value)))),
    event && section("Its event", h("p", h("a", { href: `#/events/${event.receipt}` }, event.kind || "event", " ", event.subject, " of ", event.source)), timeline(event)),
    interventions.length > 0 && section("What people did", h("ul.lines", interventions.map((it) => h("li", time(it.at_ms), ` ${it.action}${it.reason ? `: ${it.reason}` : ""}`)))),
    body && stray(body));
}

/// A text that nobody could read as an event may name people, too.
function stray(body) {
  const place = h("div");
  const show = () => fill(place, box(body, "Text"));
  fill(place, h("p.dim", `${size(new Blob([body]).size)}. It may name people.`), actions(action("Show what it says", { needs: "operate", run: async () => show() })));
  return section("Text", place);
}
