// Which version of a plugin has which role, as a bar of shares and in words.

import { h } from "../dom.js";
import { version } from "../parts.js";

/// A share such as `12.5%` as a number.
const percent = (share) => Number.parseFloat(share);

/// The bar and the words.
export function roles({ active, canary, shadow }) {
  const share = canary ? percent(canary.share) : 0;
  const bar = h("svg.bar", { viewBox: "0 0 1000 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    active && h("rect.bar-done", { x: 0, y: 0, width: (100 - share) * 10, height: 6 }),
    canary && h("rect.bar-canary", { x: (100 - share) * 10, y: 0, width: Math.max(share * 10, 4), height: 6 }));
  return h("div.roles", bar, h("ul.role-list",
    active ? h("li", h("span.dot.done"), version(active), ` decides${canary ? ` for ${100 - share}%` : ""}`) : h("li", "no version decides"),
    canary && h("li", h("span.dot.canary"), version(canary.version), ` canary, ${canary.share} of the assets${canary.steps?.length ? `, then ${canary.steps.join(", ")}` : ""}`),
    shadow && h("li", h("span.dot.shadow"), version(shadow), " shadow: compared, nothing comes of it")));
}

/// What is on trial, if anything is.
export const onTrial = ({ canary, shadow }) => canary?.version ?? shadow ?? null;
