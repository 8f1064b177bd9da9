// One event, from the edge to its effects: when what happened, what was decided and why. What may name people is fetched when
// somebody asks for it.

import { get, step } from "../api.js";
import { fill, h } from "../dom.js";
import { action, actions, badge, box, command, facts, row, section, table, time, trouble, version } from "../parts.js";
import { count, size, span, took } from "../words.js";
import { changes } from "./changes.js";
import { redriveOne } from "./redrive.js";
import { timeline } from "./timeline.js";

/// How often it is read again while something is under way.
const EVERY_MS = 1000;

export async function event(place) {
  const [receipt] = place.given;
  place.title(`Event ${receipt}`);
  const view = { place, receipt, isRevealed: false, event: null };
  let drawn = "";
  await place.keep(
    async () => {
      if (view.event && isSettled(view.event)) return;
      view.event = await read(view);
      // What did not change is not drawn anew: somebody may be reading or have selected it.
      const text = JSON.stringify(view.event);
      if (text !== drawn) draw(view);
      drawn = text;
    },
    { every_ms: EVERY_MS, lists: ["parked"] },
  );
}

const isSettled = (event) => event.state === "decided" && event.effects.every((effect) => ["done", "dropped"].includes(effect.state));

const read = (view) => get(`/api/v1/events/${step(view.receipt)}`, view.isRevealed ? { payload: true } : {}, view.place.signal);

async function reveal(view) {
  view.isRevealed = true;
  try {
    view.event = await read(view);
    draw(view);
    document.getElementById("payload")?.focus();
  } catch (error) {
    view.isRevealed = false;
    draw(view);
    view.place.root.append(trouble(error));
  }
}

function draw(view) {
  const { event, place } = view;
  fill(place.root,
    h("p.up", h("a", { href: "#/events", "data-up": true }, "← Events")),
    h("h1", event.kind || "An event", " ", h("span.subject", event.subject)),
    h("p.badges", badge(event.state), event.class === "first" ? null : badge(event.class)),
    way(event),
    h("div.columns",
      h("div", section("Timeline", timeline(event)), effects(event), hidden(view)),
      h("div", section("What it is", about(event)), section("What differs", changes(event, view.isRevealed)), plans(view))));
}

/// How long each part of the way took.
function way(event) {
  const performed = event.performed_at_ms;
  const stops = [["edge", event.received_at_ms], ["queue", event.queued_at_ms], ["host", event.pulled_at_ms],
    ["decided", event.decided_at_ms || null], ["performed", performed ?? null]];
  const shown = stops.filter(([, ms]) => ms);
  return h("ol.way", { "aria-label": "The way it went" }, shown.map(([name, ms], at) => h("li", { class: at === 0 ? "" : "after" },
    at > 0 && h("span.way-took", `+${span(Math.max(0, ms - shown[at - 1][1]))}`), h("span.way-name", name))));
}

function about(event) {
  const link = (receipt) => receipt && h("a", { href: `#/events/${receipt}` }, h("code", receipt));
  return [
    facts([
      ["receipt", command(event.receipt)],
      ["source", h("a", { href: `#/events?source=${event.source}` }, event.source)],
      ["subject", event.subject ? h("a", { href: `#/events?subject=${step(event.subject)}` }, event.subject, " – all of its events") : null],
      ["accepted", time(event.received_at_ms)],
      ["repeats", link(event.duplicate_of)],
      ["snapshot before", link(event.previous)],
      ["led to by", link(event.cause)],
    ]),
    (event.findings ?? []).length > 0 && h("ul.lines", event.findings.map((finding) => h("li", badge("odd"), " ", h("strong", finding.code), ` ${finding.detail}`))),
  ];
}

function plans(view) {
  const { event } = view;
  if (event.plans.length === 0) return section("Plugins", h("p.dim", event.duplicate_of ? "It repeats another: nobody was asked." : "No plugin is asked about events like this."));
  return section("Plugins", event.plans.map((plan) => plan_of(view, plan)));
}

function plan_of(view, plan) {
  const id = `${view.receipt}/${plan.plugin}`;
  const again = () => redriveOne(id, { plugin: plan.plugin }, () => ((view.event = null), view.place.again()));
  return h("div.plan",
    h("h3", h("a", { href: `#/plugins/${step(plan.plugin)}` }, plan.plugin), " ", badge(plan.state)),
    facts([
      ["version", version(plan.version)],
      ["asked", plan.attempt === 0 ? "not yet" : `${plan.attempt === 1 ? "once" : `${plan.attempt} times`}, ${took(plan.asked_us)}`],
      ["due", plan.due_at_ms ? time(plan.due_at_ms) : null],
      ["why", plan.why],
    ]),
    view.isRevealed ? [notes(plan), log(plan)] : unseen(plan),
    plan.state === "parked" && actions(action("Redrive …", { needs: "operate", run: again }), h("a", { href: `#/parked/${id}` }, "Why it is parked")));
}

/// How much a plugin said, where it is not shown.
function unseen(plan) {
  const [notes, lines] = [(plan.notes ?? []).length, plan.log?.lines?.length ?? 0];
  if (notes + lines === 0) return null;
  return h("p.dim", [notes > 0 && count(notes, "note"), lines > 0 && count(lines, "line of log", "lines of log")].filter(Boolean).join(" and "), ": shown with the payload");
}

function notes(plan) {
  if ((plan.notes ?? []).length === 0) return null;
  return h("ul.lines", { "aria-label": "Notes" }, plan.notes.map((note) => h("li", h("span.when", "note"), note)));
}

function log(plan) {
  const lines = plan.log?.lines ?? [];
  if (lines.length === 0) return null;
  return h("ul.log", { "aria-label": "Log" }, lines.map((line) => h(`li.${line.level === "error" ? "error" : "info"}`, h("span.when", line.level), line.text)));
}

function effects(event) {
  if (event.effects.length === 0) return null;
  const heads = ["Request", "State", "Attempts", "Last", "When"];
  const shown = table("Effects", heads, event.effects.map((effect) => row(heads, [
    h("span", h("code.wrap", effect.request), h("span.key", effect.key)),
    effect.state === "parked" ? h("a", { href: `#/parked/${effect.key}`, title: effect.key }, badge("parked")) : badge(effect.state), String(effect.attempts), effect.what ?? "–",
    [time(effect.at_ms), effect.paused && h("p.dim", "its target is left alone until ", time(effect.paused.until_ms), `: ${effect.paused.why}`)],
  ])));
  return section("Effects", shown.element);
}

/// What may name people.
function hidden(view) {
  const { event } = view;
  if (!view.isRevealed) {
    return section("Payload", h("p.dim", "Payload, notes and log may name people, so they are shown when you ask for them; that you did is kept in the audit log."),
      actions(action("Show what it says", { needs: "operate", run: () => reveal(view) })));
  }
  const shown = (title, payload) => payload && [h("h3", title, " ", h("span.dim", [payload.content_type, size(new Blob([payload.content]).size)].filter(Boolean).join(", "))), box(pretty(payload), title)];
  return h("section.panel", { id: "payload", tabindex: "-1", "aria-label": "Payload" }, h("h2", "Payload"),
    event.payload ? shown("As the sender wrote it", event.payload) : h("p.dim", "Its body is not here any more."),
    shown("The snapshot before", event.previous_payload));
}

/// JSON with line breaks; anything else as it is.
function pretty(payload) {
  if (payload.encoding !== "text") return `base64: ${payload.content}`;
  // Numbers must stay as they are written: JSON that would not come out the same is shown as it came.
  try {
    const value = JSON.parse(payload.content);
    const isExact = JSON.stringify(value) === payload.content.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
    return isExact ? JSON.stringify(value, null, 2) : payload.content;
  } catch {
    return payload.content;
  }
}
