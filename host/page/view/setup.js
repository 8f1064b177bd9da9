// How a sender is set up, profile by profile: what is typed where. The words of source/README.md.

import { h } from "../dom.js";
import { command } from "../parts.js";

/// The steps at the sender; an unknown profile has the usual ones.
const STEPS = {
  amj: ["In Jira, open Apps › Asset Management for Jira › Settings › Events.", "Enter the request URL.", "Tick the kinds of event that you want, enable events and save."],
  github: ["Open the repository’s or organisation’s Settings › Webhooks › Add webhook.", "Enter the URL as the payload URL, application/json as the content type, and the source’s secret.", "Choose the events, tick Active and save: the ping appears under Events."],
  jira: ["Open Settings › System › WebHooks › Create a WebHook.", "Enter the URL and the source’s secret, choose the events and save."],
  slack: ["Open your app’s Event Subscriptions and enable events.", "Enter the request URL: Slack asks it a question, which the edge answers.", "Choose the events and save; the signing secret stands under Basic Information."],
  stripe: ["Open Developers › Webhooks › Add endpoint.", "Enter the URL, choose the events and save.", "Put the endpoint’s signing secret (whsec_…) into sources.json."],
  shopify: ["Subscribe to the topics with the URL as the callback, in your app’s configuration or by the Admin API.", "The secret in sources.json is the app’s client secret."],
  "standard-webhooks": ["Enter the URL where the sender asks for an endpoint.", "Put the secret that it shows (whsec_…, or whpk_… for a public key) into sources.json."],
  cloudevents: ["Enter the URL as the sink, or as the subscription’s endpoint.", "A sender that asks by OPTIONS whether it is welcome is answered."],
  hmac: ["Enter the URL in the sender’s settings.", "Put the secret, and which header the signature stands in, into sources.json."],
};
const USUAL = ["Enter the URL in the sender’s settings, as it stands: the token is its only secret."];

/// The shape of its URL.
export const requestUrl = (source) => `https://<your domain>/in/${source}/<token>`;

/// The URL's shape, the steps for the sender, and how the edge is told.
export function setup({ source, profile }) {
  const steps = STEPS[profile] ?? USUAL;
  return h("div",
    h("h3", "Its URL"), command(requestUrl(source)),
    h("h3", "At the sender"), h("ol", steps.map((step) => h("li", step))),
    h("h3", "At the edge"),
    h("p", "A new token beside the old one, then the file to the edge; both are live until the old one is taken away:"),
    command(`tidegate source rotate ${source} --file sources.json`),
    command("npx wrangler secret put SOURCES < sources.json"),
    command(`tidegate source rotate ${source} --file sources.json --finish`));
}
