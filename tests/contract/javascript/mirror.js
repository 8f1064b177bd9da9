// The mirror of the contract in JavaScript: tells every field it was given, and gives every case there is.

import {
  emit,
  forget,
  note,
  other,
  park,
  put,
  refuse,
  remember,
  retry,
  skip,
  utf8,
  wake,
} from 'tidegate';

export function handle(event) {
  if (event.kind === 'refuse.skip') throw skip();
  if (event.kind === 'refuse.retry') throw retry(event.receivedAtMs);
  if (event.kind === 'refuse.park') throw park(event.subject);
  if (event.kind === 'refuse.other') throw refuse(event.subject);
  const { subject, contentType, memory } = event;
  return [
    other('mirror', utf8(dump(event))),
    put(`https://a.example/${subject}`, event.body.length === 0 ? null : event.body, {
      headers: event.settings,
      timeoutMs: event.attempt === 1 ? null : event.attempt,
      replyTag: contentType,
    }),
    emit('mirror.emitted', event.body, { subject, contentType }),
    wake(event.occurredAtMs ?? 0, event.receipt, memory ?? new Uint8Array()),
    memory === null ? forget() : remember(memory),
    note(event.kind),
  ];
}

function dump(event) {
  return [
    line('receipt', event.receipt),
    line('source', event.source),
    line('kind', event.kind),
    line('subject', event.subject),
    line('received-at-ms', event.receivedAtMs),
    optional('occurred-at-ms', event.occurredAtMs),
    line('arrival', arrival(event.arrival)),
    line('attempt', event.attempt),
    optional('content-type', event.contentType),
    line('body', hex(event.body)),
    event.asset === null ? line('asset', '-') : asset(event.asset),
    optional('previous', event.previous),
    ...event.changed.map((pointer) => line('changed', pointer)),
    optional('memory', event.memory && hex(event.memory)),
    ...event.settings.map((pair) => named('setting', pair)),
    ...event.attributes.map((pair) => named('attribute', pair)),
  ].join('');
}

function arrival(arrival) {
  return arrival.tag === 'other' ? `other:${arrival.val}` : arrival.tag;
}

function asset(asset) {
  return [
    optional('asset.id', asset.id),
    optional('asset.name', asset.name),
    reference('asset.asset-type', asset.assetType),
    reference('asset.location', asset.location),
    reference('asset.loanee', asset.loanee),
    optional('asset.created-at', asset.createdAt),
    optional('asset.updated-at', asset.updatedAt),
    optional('asset.field-values', asset.fieldValues),
  ].join('');
}

function reference(name, reference) {
  if (reference === null) return line(name, '-');
  return optional(`${name}.id`, reference.id) + optional(`${name}.name`, reference.name);
}

function named(name, pair) {
  return line(name, `${pair.name}=${pair.value}`);
}

function line(name, value) {
  return `${name}=${value}\n`;
}

function optional(name, value) {
  return line(name, value === null ? '-' : `+${value}`);
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
