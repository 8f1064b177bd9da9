// Answers with everything it was told, so that a test sees that AssemblyScript reads every field and gives every case.

import {
  Answer,
  Arrival,
  ArrivalClass,
  Asset,
  Emit,
  Event,
  Http,
  NameValue,
  Note,
  OtherDecision,
  Reference,
  Remember,
  Some,
  Wake,
  bytes,
  decide,
  park,
  refuse,
  retryAfterMs,
  skip,
} from 'tidegate';

export function handle(event: Event): Answer {
  if (event.kind == 'refuse.skip') return skip();
  if (event.kind == 'refuse.retry') return retryAfterMs(event.receivedAtMs);
  if (event.kind == 'refuse.park') return park(event.subject);
  if (event.kind == 'refuse.other') return refuse(event.subject);
  const occurredAtMs = event.occurredAtMs;
  const memory = event.memory;
  const http = new Http('PUT', 'https://a.example/' + event.subject);
  http.headers = event.settings;
  http.body = event.body.length ? event.body : null;
  http.timeoutMs = event.attempt == 1 ? null : new Some<u32>(event.attempt);
  http.replyTag = event.contentType;
  return decide([
    new OtherDecision('mirror', bytes(dump(event))),
    http,
    new Emit('mirror.emitted', event.subject, event.contentType, event.body),
    new Wake(occurredAtMs ? occurredAtMs.value : 0, event.receipt, memory ? memory : new Uint8Array(0)),
    new Remember(memory),
    new Note(event.kind),
  ]);
}

function dump(event: Event): string {
  const occurredAtMs = event.occurredAtMs;
  const memory = event.memory;
  let dump =
    line('receipt', event.receipt) +
    line('source', event.source) +
    line('kind', event.kind) +
    line('subject', event.subject) +
    line('received-at-ms', event.receivedAtMs.toString()) +
    line('occurred-at-ms', occurredAtMs ? '+' + occurredAtMs.value.toString() : '-') +
    line('arrival', words(event.arrival)) +
    line('attempt', event.attempt.toString()) +
    optional('content-type', event.contentType) +
    line('body', hex(event.body)) +
    assetLines(event.asset) +
    optional('previous', event.previous);
  const changed = event.changed;
  for (let at = 0; at < changed.length; at += 1) dump += line('changed', changed[at]);
  dump += line('memory', memory ? '+' + hex(memory) : '-');
  return dump + nameLines('setting', event.settings) + nameLines('attribute', event.attributes);
}

function words(arrival: Arrival): string {
  switch (arrival.is) {
    case ArrivalClass.First: return 'first';
    case ArrivalClass.Duplicate: return 'duplicate';
    case ArrivalClass.Stale: return 'stale';
    case ArrivalClass.Conflict: return 'conflict';
    case ArrivalClass.AfterDelete: return 'after-delete';
    default: return 'other:' + arrival.words;
  }
}

function assetLines(asset: Asset | null): string {
  if (!asset) return line('asset', '-');
  return (
    optional('asset.id', asset.id) +
    optional('asset.name', asset.name) +
    referenceLines('asset.asset-type', asset.assetType) +
    referenceLines('asset.location', asset.location) +
    referenceLines('asset.loanee', asset.loanee) +
    optional('asset.created-at', asset.createdAt) +
    optional('asset.updated-at', asset.updatedAt) +
    optional('asset.field-values', asset.fieldValues)
  );
}

function referenceLines(name: string, reference: Reference | null): string {
  if (!reference) return line(name, '-');
  return optional(name + '.id', reference.id) + optional(name + '.name', reference.name);
}

function nameLines(name: string, list: NameValue[]): string {
  let lines = '';
  for (let at = 0; at < list.length; at += 1) lines += line(name, list[at].name + '=' + list[at].value);
  return lines;
}

function optional(name: string, value: string | null): string {
  return line(name, value === null ? '-' : '+' + value);
}

function line(name: string, value: string): string {
  return name + '=' + value + '\n';
}

// Text is made once, as nothing is freed.
function hex(bytes: Uint8Array): string {
  const digits = new Uint8Array(bytes.length * 2);
  for (let at = 0; at < bytes.length; at += 1) {
    digits[at * 2] = '0123456789abcdef'.charCodeAt(bytes[at] >> 4) as u8;
    digits[at * 2 + 1] = '0123456789abcdef'.charCodeAt(bytes[at] & 15) as u8;
  }
  return String.UTF8.decodeUnsafe(digits.dataStart, digits.length);
}
