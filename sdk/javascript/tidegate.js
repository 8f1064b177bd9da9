// What an author of a plugin writes instead of the contract's own words: decisions and refusals, a view of the event,
// and a console. Knows nothing of the host.

import { write } from './log.js';

const U32_MAX = 0xffff_ffff;

// --- Decisions ---

export function get(url, options) {
  return request('GET', url, null, options);
}

export function post(url, body, options) {
  return request('POST', url, body, options);
}

export function put(url, body, options) {
  return request('PUT', url, body, options);
}

export function patch(url, body, options) {
  return request('PATCH', url, body, options);
}

export function del(url, options) {
  return request('DELETE', url, null, options);
}

export function request(method, url, body, options = {}) {
  const headers = pairs(options.headers);
  if (isJson(body) && !headers.some(({ name }) => name.toLowerCase() === 'content-type')) {
    headers.unshift({ name: 'content-type', value: 'application/json' });
  }
  const { timeoutMs = null, replyTag = null } = options;
  return {
    tag: 'http',
    val: {
      method,
      url,
      headers,
      body: body == null ? null : bytes(body),
      // QuickJS takes a number of 32 bits for a signed one, and cuts off what is above.
      timeoutMs: timeoutMs == null ? null : Math.min(timeoutMs, U32_MAX) | 0,
      replyTag,
    },
  };
}

export function emit(kind, body = '', { subject = '', contentType } = {}) {
  const said = contentType === undefined && isJson(body) ? 'application/json' : (contentType ?? null);
  return { tag: 'emit', val: { kind, subject, contentType: said, body: bytes(body) } };
}

export function wake(afterMs, tag = '', body = '') {
  return { tag: 'wake', val: { afterMs, tag, body: bytes(body) } };
}

export function remember(body) {
  return { tag: 'remember', val: bytes(body) };
}

export function forget() {
  return { tag: 'remember', val: null };
}

export function note(text) {
  return { tag: 'note', val: text };
}

export function other(kind, body = '') {
  return { tag: 'other', val: { kind, body: bytes(body) } };
}

// --- Refusals: they are thrown ---

export function skip() {
  return { tag: 'skip' };
}

export function retry(afterMs) {
  return { tag: 'retry-after-ms', val: afterMs };
}

export function park(reason) {
  return { tag: 'park', val: reason };
}

export function refuse(reason) {
  return { tag: 'other', val: reason };
}

// --- The event ---

export function setting(event, name) {
  return event.settings.find((setting) => setting.name === name)?.value || null;
}

export function json(event) {
  return JSON.parse(text(event.body));
}

export function title(asset) {
  const name = asset.name || 'An asset';
  const kind = asset.assetType?.name;
  return kind ? `${name} (${kind})` : name;
}

export function loaneeName(asset) {
  const loanee = asset?.loanee;
  return loanee?.name || (loanee?.id ? `person ${loanee.id}` : null);
}

export function field(asset, name) {
  const fields = asset?.fieldValues == null ? [] : JSON.parse(asset.fieldValues);
  return Array.isArray(fields) ? (fields.find((field) => field?.name === name)?.value ?? null) : null;
}

// --- Text and bytes: QuickJS has no TextEncoder ---

export function utf8(text) {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (let index = 0; index < text.length; index += 1) {
    let code = text.charCodeAt(index);
    if (code < 0x80) {
      bytes[at++] = code;
      continue;
    }
    if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6);
    } else {
      if (code >= 0xd800 && code < 0xe000) {
        code = text.codePointAt(index);
        // Half a pair is no character.
        if (code < 0xe000) code = 0xfffd;
        else index += 1;
      }
      if (code < 0x10000) {
        bytes[at++] = 0xe0 | (code >> 12);
      } else {
        bytes[at++] = 0xf0 | (code >> 18);
        bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
      }
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
    }
    bytes[at++] = 0x80 | (code & 0x3f);
  }
  return bytes.slice(0, at);
}

export function text(bytes) {
  const parts = [];
  let from = 0;
  let escaped = '';
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    escaped += byte === 0x25 || byte >= 0x80 ? `%${byte.toString(16)}` : String.fromCharCode(byte);
    // The escapes of a URI are the bytes of UTF-8. A part at a time, so that no text is held twice.
    const isEnd = at + 1 === bytes.length || (at - from > 4096 && (bytes[at + 1] & 0xc0) !== 0x80);
    if (isEnd) {
      parts.push(decodeURIComponent(escaped));
      escaped = '';
      from = at;
    }
  }
  return parts.join('');
}

function isJson(body) {
  return body != null && typeof body !== 'string' && !(body instanceof Uint8Array);
}

function bytes(body) {
  if (body instanceof Uint8Array) return body;
  return utf8(typeof body === 'string' ? body : JSON.stringify(body));
}

function pairs(headers = []) {
  const list = Array.isArray(headers) ? headers : Object.entries(headers);
  return list.map((pair) => (Array.isArray(pair) ? { name: pair[0], value: pair[1] } : pair));
}

// --- The log ---

const said = (value) => {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return `${value}\n${value.stack ?? ''}`.trimEnd();
  return (typeof value === 'object' && value !== null ? JSON.stringify(value) : undefined) ?? String(value);
};
const line = (isError) => (...values) => write(isError, utf8(`${values.map(said).join(' ')}\n`));

globalThis.console = {
  debug: line(false),
  log: line(false),
  info: line(false),
  warn: line(true),
  error: line(true),
};

// --- What the build calls: an author does not ---

export function handler(plugin, name) {
  // An interface of the contract may be exported under its own name as well.
  const handle = plugin.handle ?? plugin.handler?.handle;
  if (typeof handle !== 'function') throw new Error(`${name} exports no function \`handle\``);
  return {
    handle(event) {
      // QuickJS hands a number of 32 bits over as a signed one.
      event.attempt >>>= 0;
      let decisions;
      try {
        decisions = handle(event);
      } catch (thrown) {
        if (REFUSALS.includes(thrown?.tag)) throw thrown;
        // A mistake, not a refusal: its text is the log's, and the call ends as a fault.
        const error = thrown instanceof Error ? thrown : new Error(`handle threw ${said(thrown)}`);
        console.error(error);
        throw error;
      }
      if (Array.isArray(decisions)) return decisions;
      const error = new TypeError(`handle returned ${said(decisions)}, which is no list of decisions`);
      console.error(error);
      throw error;
    },
  };
}

const REFUSALS = ['skip', 'retry-after-ms', 'park', 'other'];
