// Tries a source: the sender's sample to the edge, and what became of it.

import { get, post, step } from "../api.js";
import { ask, tell } from "../dialog.js";
import { fill, h, pause } from "../dom.js";
import { action, actions, badge, command, field, say, trouble } from "../parts.js";
import { span } from "../words.js";
import { requestUrl } from "./setup.js";

/// The pause between two looks at what became of it, and how many there are.
const LOOK_MS = 250;
const LOOKS_MAX = 120;
const UNPROCESSABLE = 422;

export function tryIt(place, { source }) {
  const gave = h("p", { role: "status" });
  return h("div", h("h3", "Try it"),
    h("p", "Posts the sender’s sample to the edge and follows it until it is decided. Your plugins are asked about it like about any other event."),
    actions(action("Send a test event", { needs: "operate", kind: "primary", run: () => send(place, source, gave) })), gave,
    h("p.dim", "Or where the URL is known:"), command(`tidegate source test ${source} --url '${requestUrl(source)}'`));
}

async function send(place, source, gave) {
  fill(gave, "Sending …");
  try {
    const tested = await posted(source, place.signal);
    if (!tested) return fill(gave);
    const link = h("a", { href: `#/events/${tested.receipt}` }, "its timeline");
    fill(gave, `The edge took it in ${span(tested.ack_ms)}; it is waiting to be decided: `, link);
    const event = await decided(tested.receipt, place.signal);
    if (event) fill(gave, `The edge took it in ${span(tested.ack_ms)}; it is `, badge(event.state), " after ", span(event.decided_at_ms - event.received_at_ms), ": ", link);
    say(event ? `${source}: the test event is ${event.state}` : `${source}: the test event waits still`);
  } catch (error) {
    if (place.signal.aborted) return;
    fill(gave);
    await tell("The test did not work", trouble(error));
  }
}

/// Where the host does not know the URL, it is asked for: its token is between the edge and the sender.
async function posted(source, signal) {
  const to = `/api/v1/sources/${step(source)}/test`;
  try {
    return await post(to, {}, signal);
  } catch (error) {
    if (error.status !== UNPROCESSABLE) throw error;
    const url = field("Request URL", { name: "url", type: "password", required: true, autocomplete: "off", spellcheck: "false", placeholder: requestUrl(source) });
    const body = h("p", "The host does not know the URL, as its token is a secret between the edge and the sender. It is used once and kept nowhere.");
    const given = await ask({ title: `Where does ${source} take events?`, body, fields: [url], yes: "Send" });
    return given && post(to, { url: given.url.trim() }, signal);
  }
}

/// The event when it is decided or parked; nothing while it still waits.
async function decided(receipt, signal) {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    await pause(LOOK_MS, signal);
    const event = await get(`/api/v1/events/${receipt}`, {}, signal).catch((error) => {
      if (error.status === 404) return null;
      throw error;
    });
    if (event && event.state !== "waiting") return event;
  }
  return null;
}
