// The senders: how each is answered, how near it is to giving up, when it speaks; and how one is set up and tried.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { badge, empty, facts, row, section, table, time } from "../parts.js";
import { ago, count, number, size, span } from "../words.js";
import { alertRows } from "./overview.js";
import { budget } from "./source.js";
import { setup } from "./setup.js";
import { tryIt } from "./try.js";

const EVERY_MS = 5000;
const GAPS_SHOWN = 20;
const ALERTS_SHOWN = 20;

export async function sources(place) {
  place.title("Sources");
  const opened = new Set([place.query.source]);
  let isFirst = true;
  await place.keep(
    async () => {
      const [report, gaps, alerts] = await Promise.all(["sources", "gaps", "alerts"].map((name) => get(`/api/v1/${name}`, {}, place.signal)));
      // Somebody reads or copies: what they see stays.
      const isRead = place.root.contains(document.activeElement) && document.activeElement !== place.root;
      if (!isFirst && (isRead || String(getSelection()))) return;
      for (const details of place.root.querySelectorAll("details[data-source]")) {
        opened[details.open ? "add" : "delete"](details.dataset.source);
      }
      draw(place, report, gaps, alerts, opened);
      if (isFirst && place.query.source) document.getElementById(`source-${place.query.source}`)?.scrollIntoView();
      isFirst = false;
    },
    { lists: ["sources", "alerts"], every_ms: EVERY_MS },
  );
}

function draw(place, report, gaps, alerts, opened) {
  const cards = report.sources.map((source) => card(place, source, report, opened));
  fill(place.root, h("h1", "Sources"), edge(report.edge),
    cards.length > 0 ? cards : empty("No source is known yet", "A source is a sender with a URL of its own. How the edge is told of one stands in source/README.md; whether the file is right:", "tidegate source check --file sources.json"),
    section("Times in which events may have been lost", gapRows(gaps)),
    section("What was told", alertRows(alerts, report.now_ms, ALERTS_SHOWN)));
}

function edge(report) {
  if (!report) return h("p.notice", "No edge.url is set: nobody asks the edge how senders are answered. Set it in tidegate.toml.");
  if (report.failure) return h("p.notice.bad", `The edge cannot be asked: ${report.failure}`);
  return report.faults.length > 0 ? h("div.notice.bad", h("p", "Sources that are configured and not live:"), h("ul", report.faults.map((fault) => h("li", fault)))) : null;
}

function card(place, source, { now_ms }, opened) {
  const { tally, vault, rhythm } = source;
  return h("section.panel", { id: `source-${source.source}`, "aria-label": `Source ${source.source}` },
    h("h2", source.source, " ", badge(source.state), source.since_ms ? h("span.dim", " since ", time(source.since_ms)) : null),
    source.steps.length > 0 && h("div.notice.bad", h("p", "To have it deliver again:"), h("ol", source.steps.map((step) => h("li", step)))),
    facts([
      ["profile", source.profile ?? "not known: the edge does not list it"],
      ["failures left", budget(source)],
      ["failures", tally ? `${number(tally.failures)}, ${number(tally.failures_in_row)} in a row` : null],
      ["last failure", tally?.last_failure ? h("span", time(tally.last_failure_ms), ` ${tally.last_failure}`) : null],
      ["last answered well", tally?.last_success_ms ? time(tally.last_success_ms) : null],
      ["last event", source.last_event_ms ? h("span", ago(source.last_event_ms, now_ms), " – ", h("a", { href: `#/events?source=${source.source}` }, "its events")) : "never"],
      ["tokens last used", tally?.tokens_used_ms?.length > 0 ? tally.tokens_used_ms.map((ms, at) => [at > 0 ? ", " : "", ms > 0 ? time(ms) : "never"]) : null],
      ["vault", vault ? `${count(vault.messages, "message")} waiting, ${count(vault.bodies, "body", "bodies")} (${size(vault.body_bytes)})` : null],
      ["rhythm", rhythm ? rhythmWords(rhythm) : null],
    ]),
    h("details", { "data-source": source.source, open: opened.has(source.source) || source.last_event_ms === null },
      h("summary", "Set it up and try it"), setup(source), tryIt(place, source)));
}

function rhythmWords({ known, active_slots_per_week, surprise, surprise_max }) {
  const often = `speaks in about ${number(Math.round(active_slots_per_week))} of the week’s 2,016 five minutes`;
  if (!known) return `${often}; a week of history is needed before its silence surprises`;
  return `${often}; its silence now: ${surprise.toFixed(1)} of ${surprise_max.toFixed(1)}`;
}

function gapRows(gaps) {
  if (gaps.length === 0) return empty("No gap is known", "When a sender was cut off or fell silent, the time in which its events may be lost would stand here.");
  const heads = ["Source", "From", "To", "Length", "After"];
  const latest = [...gaps].sort((a, b) => b.from_ms - a.from_ms).slice(0, GAPS_SHOWN);
  return table("Gaps", heads, latest.map((gap) => row(heads, [gap.source, time(gap.from_ms), time(gap.to_ms), span(gap.to_ms - gap.from_ms), gap.after]))).element;
}
