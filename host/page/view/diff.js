// What a version would have decided about events of the past, against what was decided: asked page by page, so that it can be
// watched and stopped. Nothing is performed.

import { get, post, step } from "../api.js";
import { fill, h } from "../dom.js";
import { action, actions, choice, empty, row, say, section, table, trouble } from "../parts.js";
import { count, number, percent, short, size, took } from "../words.js";
import { differences } from "./difference.js";
import { events, merge, none, OUTCOMES, p99_us } from "./tally.js";

const PAGE_EVENTS = 256;
const TOLD_MAX = 25;
const FIELDS_SHOWN = 12;
const HOW_MANY = [["1000", "the last 1,000"], ["10000", "the last 10,000"], ["100000", "the last 100,000"]];

export async function diff(place) {
  const [name] = place.given;
  place.title(`What would ${name} change?`);
  const detail = await get(`/api/v1/plugins/of/${step(name)}`, {}, place.signal);
  const label = (one) => `${short(one.version)}${word(one.version, detail.roles)}`;
  const versions = detail.versions.map((one) => [one.version, label(one)]);
  const form = h("form.filter.wide", { "aria-label": "What is compared" },
    choice("Version that is tried", "candidate", versions, place.query.candidate),
    choice("Against", "against", [["", "what was decided"], ["active", "the active version, asked now"], ...versions], place.query.against),
    choice("Events", "events", HOW_MANY, place.query.events ?? "10000"));
  const view = { place, name, form, found: h("div"), areShown: false, tally: none(), stopping: null };
  view.run = action("Compare", { needs: "operate", kind: "primary", run: () => start(view) });
  form.addEventListener("submit", (event) => (event.preventDefault(), view.run.click()));
  fill(place.root,
    h("p.up", h("a", { href: `#/plugins/${step(name)}`, "data-up": true }, `← ${name}`)),
    h("h1", "What would it change?"),
    h("p.dim", "Each event is asked about twice, beside the host’s other work. Nothing is performed, and nothing that is at work changes."),
    form, actions(view.run), view.found);
}

const word = (version, { active, canary, shadow }) => (version === active ? " – active" : version === canary?.version ? " – canary" : version === shadow ? " – shadow" : "");

async function start(view) {
  const { candidate, against, events: most } = Object.fromEntries(new FormData(view.form));
  view.place.remember({ candidate, against, events: most });
  view.stopping = new AbortController();
  view.tally = none();
  const signal = AbortSignal.any([view.place.signal, view.stopping.signal]);
  const progress = h("progress", { max: most, value: 0, "aria-label": "Progress" });
  const said = h("span");
  const head = h("div.notice", h("div.progress-line", progress, said, h("button", { type: "button", onclick: () => view.stopping.abort() }, "Stop")));
  const below = h("div");
  fill(view.found, head, below);
  const told = (isEnd) => {
    const many = events(view.tally);
    progress.value = many;
    fill(said, `${count(many, "event")}, ${number(many - (view.tally.outcomes.same ?? 0))} differ`);
    if (isEnd) head.remove();
    fill(below, report(view, isEnd));
  };
  try {
    const isWhole = await pages(view, { candidate, against: against || null, told_max: TOLD_MAX }, Number(most), signal, told);
    say(isWhole ? "The comparison is finished" : "The comparison was stopped");
    told(true);
  } catch (error) {
    if (view.place.signal.aborted) return;
    if (!view.stopping.signal.aborted) return void fill(view.found, trouble(error, () => start(view)), below);
    told(true);
    below.prepend(h("p.notice", `Stopped after ${count(events(view.tally), "event")}.`));
  }
}

async function pages(view, asked, most, signal, told) {
  let before = null;
  for (;;) {
    const events_max = Math.min(PAGE_EVENTS, most - events(view.tally));
    const page = await post(`/api/v1/plugins/of/${step(view.name)}/dry-run`, { ...asked, before, events_max }, signal);
    view.tally = merge(view.tally, page.tally, TOLD_MAX);
    told(false);
    if (page.is_end || events(view.tally) >= most) return true;
    before = page.cursor;
  }
}

function report(view, isEnd) {
  const { tally } = view;
  const all = events(tally);
  if (all === 0) return isEnd ? empty("There is no event that it was or would be asked about") : null;
  const isSame = (tally.outcomes.same ?? 0) === all;
  return [
    isEnd && h("p.verdict", { class: isSame ? "good" : "" }, isSame ? `Nothing differs in ${count(all, "event")}.` : `${number(all - (tally.outcomes.same ?? 0))} of ${count(all, "event")} differ.`),
    section("Outcomes", outcomes(tally, all)),
    isEnd && details(view),
    isEnd && section("What it takes", costs(tally)),
  ];
}

function outcomes({ outcomes: found }, all) {
  const rows = OUTCOMES.filter(([name]) => found[name] > 0).map(([name, words]) => h("li",
    h("span.outcome", words), h("svg.bar", { viewBox: "0 0 1000 6", preserveAspectRatio: "none", "aria-hidden": "true" },
      h("rect", { class: name === "same" ? "bar-done" : "bar-canary", x: 0, y: 0, width: Math.max(4, (found[name] / all) * 1000), height: 6 })),
    h("span.outcome-count", `${number(found[name])} · ${percent(found[name], all)}`)));
  return h("ul.outcomes", rows);
}

/// Examples of each outcome.
function details(view) {
  const { tally } = view;
  if (tally.differences.length === 0) return null;
  const place = h("div");
  const show = () => {
    const groups = OUTCOMES.map(([name, words]) => [words, tally.outcomes[name], tally.differences.filter((one) => one.outcome === name)]).filter(([, , some]) => some.length > 0);
    const toggle = action(view.areShown ? "Hide values" : "Show values", { needs: "operate", run: async () => ((view.areShown = !view.areShown), show()) });
    fill(place,
      h("p.dim", "Values may name people; they are shown when you ask for them. ", toggle),
      groups.map(([words, many, some]) => [h("h3", `${words}: ${some.length} of ${number(many)}`), fields(some), differences(some, view.areShown)]));
  };
  show();
  return section("Differences", place);
}

/// Which fields differ, and how often among those that are shown.
function fields(some) {
  const counts = new Map();
  for (const one of some) for (const { pointer } of one.drift?.fields ?? []) counts.set(pointer, (counts.get(pointer) ?? 0) + 1);
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, FIELDS_SHOWN);
  return most.length > 0 && h("p.tags", most.map(([pointer, many]) => h("span", h("code", pointer), ` ${many}`)));
}

function costs({ candidate, base }) {
  const heads = ["", "Asked", "Mean", "p99", "Slowest", "Memory"];
  const one = (name, cost) => row(heads, [name, number(cost.calls), ...(cost.calls > 0 ?
    [took(cost.wall_us / cost.calls), took(p99_us(cost)), took(cost.wall_us_max), size(cost.memory_bytes_max)] : ["–", "–", "–", "–"])]);
  return table("Costs", heads, [one("tried", candidate), one("before", base)]).element;
}
