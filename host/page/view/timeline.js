// An event's way as steps in order of time, the words of `tidegate events show`. Pure, but for the elements it makes.

import { h } from "../dom.js";
import { cut, span, took, utc } from "../words.js";

const CHANGED_MAX = 12;

/// The list of steps.
export function timeline(event) {
  const steps = [...arrival(event), ...event.plans.flatMap((plan) => ofPlan(event, plan)), ...event.effects.flatMap((effect) => ofEffect(event, effect)), ...ofStory(event)];
  steps.sort((a, b) => a.at_ms - b.at_ms);
  return h("ol.timeline", steps.map(({ at_ms, word, what }) => h("li", { class: TONES[word] ?? "" },
    h("time", { datetime: new Date(at_ms).toISOString(), title: utc(at_ms) }, `+${span(Math.max(0, at_ms - event.received_at_ms))}`),
    h("strong", word), h("span", what))));
}

const TONES = { parked: "bad", tried: "warn", waiting: "warn", held: "warn", odd: "warn", decided: "good", performed: "good" };

const at = (at_ms, word, what = "") => ({ at_ms, word, what });

function arrival(event) {
  const { received_at_ms, queued_at_ms, pulled_at_ms, decided_at_ms } = event;
  const steps = [event.cause ? at(received_at_ms, "due", ["an event of the host’s own, from ", link(event.cause)]) : at(received_at_ms, "accepted", "at the edge")];
  for (const finding of event.findings ?? []) steps.push(at(received_at_ms, "odd", `${finding.code}: ${finding.detail}`));
  steps.push(at(queued_at_ms, "queued"), at(pulled_at_ms, "pulled", "by the host"));
  steps.push(at(pulled_at_ms, "class", [event.class, event.duplicate_of ? [" of ", link(event.duplicate_of)] :
    event.previous ? ["; the snapshot before was ", link(event.previous)] : ""]));
  const changed = event.story?.changed ?? [];
  if (changed.length > 0) {
    const more = changed.length > CHANGED_MAX ? ` and ${changed.length - CHANGED_MAX} more` : "";
    steps.push(at(pulled_at_ms, "changed", changed.slice(0, CHANGED_MAX).join(" ") + more));
  }
  if (event.duplicate_of) steps.push(at(decided_at_ms, "decided", "a duplicate: nobody was asked"));
  else if (event.plans.length === 0) steps.push(at(decided_at_ms, "decided", "no plugin is asked about it"));
  return steps;
}

function ofPlan(event, plan) {
  const at_ms = plan.at_ms > 0 ? plan.at_ms : event.decided_at_ms;
  const asked = plan.attempt === 0 ? "not asked yet" : plan.attempt === 1 ? `asked for ${took(plan.asked_us)}` : `asked ${plan.attempt} times, the last for ${took(plan.asked_us)}`;
  const due = plan.due_at_ms ? `, due ${span(Math.max(0, plan.due_at_ms - at_ms))} later` : "";
  return [at(at_ms, plan.state, `${plan.plugin} ${plan.version.slice(0, 12)}, ${asked}${due}${plan.why ? `: ${plan.why.split("\n")[0]}` : ""}`)];
}

function ofEffect(event, effect) {
  const before = (effect.tries ?? []).filter((tried) => tried.attempt < effect.attempts);
  const steps = before.map((tried) => at(tried.at_ms, "tried", `${cut(effect.request, 120)} (attempt ${tried.attempt}) → ${tried.what}`));
  const what = [cut(effect.request, 120), effect.what ? ` → ${effect.what}` : "", effect.attempts > 1 ? ` (${effect.attempts} attempts)` : ""];
  return [...steps, at(effect.at_ms ?? event.decided_at_ms, effect.state === "done" ? "performed" : effect.state, what)];
}

function ofStory(event) {
  const caused = (event.story?.caused ?? []).map((it) => at(it.at_ms, "led to", [`${it.kind} ${it.subject} `, link(it.receipt), ` (${it.state})`]));
  const people = (event.story?.interventions ?? []).map((it) => at(it.at_ms, it.action, `${it.id} by a person${it.reason ? `: ${it.reason}` : ""}`));
  return [...caused, ...people];
}

const link = (receipt) => h("a", { href: `#/events/${receipt}` }, receipt);
