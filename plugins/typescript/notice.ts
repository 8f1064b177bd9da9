// Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
// notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

import { type Decision, type Event, loaneeName, park, post, setting, title } from 'tidegate';

// An event in, a list of decisions out. What is thrown is the refusal.
export function handle(event: Event): Decision[] {
  const { asset } = event;
  const loanee = event.kind === 'asset.update' ? loaneeName(asset) : null;
  if (!asset || !loanee) return [];
  const url = setting(event, 'notice_url');
  if (!url) throw park('the setting `notice_url` is missing: say where notices go');
  // An object is posted as JSON, its fields in this order.
  const notice = {
    text: `${title(asset)} is on loan to ${loanee}`,
    asset: asset.id ?? event.subject,
    receipt: event.receipt,
  };
  return [post(url, notice)];
}
