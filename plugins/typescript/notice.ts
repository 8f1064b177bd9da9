// Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
// notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

import type { Asset, Decision, Event, Refusal } from './contract';

export const handler = {
  // An event in, a list of decisions out. What is thrown is the refusal.
  handle(event: Event): Decision[] {
    const { asset } = event;
    const loanee = event.kind === 'asset.update' ? loaneeOf(asset) : null;
    if (!asset || !loanee) return [];
    const url = setting(event, 'notice_url');
    if (!url) {
      throw { tag: 'park', val: 'the setting `notice_url` is missing: say where notices go' } satisfies Refusal;
    }
    // The order of the fields is the order in the JSON.
    const notice = {
      text: `${title(asset)} is on loan to ${loanee}`,
      asset: asset.id ?? event.subject,
      receipt: event.receipt,
    };
    return [post(url, JSON.stringify(notice))];
  },
};

// The name of who has it, when this event says that somebody has.
function loaneeOf(asset: Asset | null): string | null {
  const loanee = asset?.loanee;
  if (loanee?.name) return loanee.name;
  return loanee?.id ? `person ${loanee.id}` : null;
}

// `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
function title(asset: Asset): string {
  const name = asset.name || 'An asset';
  const kind = asset.assetType?.name;
  return kind ? `${name} (${kind})` : name;
}

function setting(event: Event, name: string): string | undefined {
  return event.settings.find((setting) => setting.name === name)?.value;
}

function post(url: string, text: string): Decision {
  return {
    tag: 'http',
    val: {
      method: 'POST',
      url,
      headers: [{ name: 'content-type', value: 'application/json' }],
      body: utf8(text),
      timeoutMs: null,
      replyTag: null,
    },
  };
}

// The text's bytes. QuickJS has no TextEncoder; escape sequences of a URI are the bytes of UTF-8.
function utf8(text: string): Uint8Array {
  const bytes: number[] = [];
  const encoded = encodeURIComponent(text);
  for (let at = 0; at < encoded.length; at += 1) {
    if (encoded[at] === '%') {
      bytes.push(parseInt(encoded.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      bytes.push(encoded.charCodeAt(at));
    }
  }
  return new Uint8Array(bytes);
}
