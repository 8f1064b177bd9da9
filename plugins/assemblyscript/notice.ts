// Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
// notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

import { Answer, Asset, Event, decide, json, nothing, park, postJson } from 'tidegate';

export function handle(event: Event): Answer {
  const asset = event.kind == 'asset.update' ? event.asset : null;
  if (!asset) return nothing();
  const loanee = loaneeOf(asset);
  if (!loanee.length) return nothing();
  const url = event.setting('notice_url');
  if (!url.length) return park('the setting `notice_url` is missing: say where notices go');
  const id = asset.id;
  // The order of the fields is the order in the JSON.
  const notice =
    '{"text":' + json(title(asset) + ' is on loan to ' + loanee) +
    ',"asset":' + json(id === null ? event.subject : id) +
    ',"receipt":' + json(event.receipt) + '}';
  return decide([postJson(url, notice)]);
}

// The name of who has it, empty when this event does not say that somebody has.
function loaneeOf(asset: Asset): string {
  const loanee = asset.loanee;
  if (!loanee) return '';
  const name = loanee.name;
  if (name !== null && name.length) return name;
  const id = loanee.id;
  return id !== null && id.length ? 'person ' + id : '';
}

// `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
function title(asset: Asset): string {
  const given = asset.name;
  const name = given !== null && given.length ? given : 'An asset';
  const type = asset.assetType;
  const kind = type ? type.name : null;
  return kind !== null && kind.length ? name + ' (' + kind + ')' : name;
}
