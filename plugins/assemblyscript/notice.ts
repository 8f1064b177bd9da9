// Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
// notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

import { Asset, Event, http, nothing, park } from './contract';

export { cabi_realloc } from './contract';

// An event in, decisions or the refusal out. `exports.mjs` gives it the name that the contract has for it.
export function handle(at: usize): usize {
  const event = new Event(at);
  const asset = event.kind == 'asset.update' ? event.asset : null;
  if (!asset) return nothing();
  const loanee = loaneeOf(asset);
  if (!loanee.length) return nothing();
  const url = event.setting('notice_url');
  if (!url.length) return park('the setting `notice_url` is missing: say where notices go');
  const id = asset.id;
  // The order of the fields is the order in the JSON.
  const notice =
    '{"text":' + quoted(title(asset) + ' is on loan to ' + loanee) +
    ',"asset":' + quoted(id === null ? event.subject : id) +
    ',"receipt":' + quoted(event.receipt) + '}';
  return http('POST', url, 'content-type', 'application/json', String.UTF8.encode(notice));
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

// A string of JSON, with as few escapes as JSON allows.
function quoted(text: string): string {
  let json = '"';
  let plain = 0;
  for (let at = 0; at < text.length; at += 1) {
    const escape = escapeOf(text.charCodeAt(at));
    if (!escape.length) continue;
    json += text.substring(plain, at) + escape;
    plain = at + 1;
  }
  return json + text.substring(plain) + '"';
}

function escapeOf(unit: i32): string {
  switch (unit) {
    case 0x22: return '\\"';
    case 0x5c: return '\\\\';
    case 0x08: return '\\b';
    case 0x09: return '\\t';
    case 0x0a: return '\\n';
    case 0x0c: return '\\f';
    case 0x0d: return '\\r';
    default: return unit < 0x20 ? '\\u' + unit.toString(16).padStart(4, '0') : '';
  }
}
