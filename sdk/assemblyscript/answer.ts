// What a plugin answers: decisions or a refusal, each class writing its record. Offsets count from the record's start
// and hold for wit/v1 alone. Knows nothing of events.

import { NameValue } from './event';
import { Some, bytes, storeBytes, storeList, storeOptionalBytes, storeOptionalText, storeText, zeroed } from './value';

// Bytes of an answer, of a decision in its list, and of a header in its.
const ANSWER: usize = 24;
const DECISION: usize = 64;
const HEADER: usize = 16;

// What a plugin wants done: one of the classes below.
export abstract class Decision {
  // Writes it into memory that is all zeros.
  abstract write(at: usize): void;
}

// An HTTP request.
export class Http extends Decision {
  headers: NameValue[] = [];
  // Null sends none.
  body: Uint8Array | null = null;
  timeoutMs: Some<u32> | null = null;
  replyTag: string | null = null;

  constructor(public method: string, public url: string) { super(); }

  write(at: usize): void {
    const headers = zeroed(HEADER * this.headers.length);
    for (let one = 0; one < this.headers.length; one += 1) {
      storeText(headers + HEADER * one, this.headers[one].name);
      storeText(headers + HEADER * one + 8, this.headers[one].value);
    }
    storeText(at + 8, this.method);
    storeText(at + 16, this.url);
    storeList(at + 24, headers, this.headers.length);
    storeOptionalBytes(at + 32, this.body);
    const timeoutMs = this.timeoutMs;
    if (timeoutMs) {
      store<u8>(at + 44, 1);
      store<u32>(at + 48, timeoutMs.value);
    }
    storeOptionalText(at + 52, this.replyTag);
  }
}

// A POST of JSON text.
export function postJson(url: string, json: string): Http {
  const http = new Http('POST', url);
  http.headers.push(new NameValue('content-type', 'application/json'));
  http.body = bytes(json);
  return http;
}

// A new event for other plugins.
export class Emit extends Decision {
  constructor(public kind: string, public subject: string, public contentType: string | null, public body: Uint8Array) {
    super();
  }

  write(at: usize): void {
    store<u8>(at, 1);
    storeText(at + 8, this.kind);
    storeText(at + 16, this.subject);
    storeOptionalText(at + 24, this.contentType);
    storeBytes(at + 36, this.body);
  }
}

// Ask to be told again later.
export class Wake extends Decision {
  constructor(public afterMs: u64, public tag: string, public body: Uint8Array) { super(); }

  write(at: usize): void {
    store<u8>(at, 2);
    store<u64>(at + 8, this.afterMs);
    storeText(at + 16, this.tag);
    storeBytes(at + 24, this.body);
  }
}

// Replace this plugin's memory of the subject; null forgets it.
export class Remember extends Decision {
  constructor(public memory: Uint8Array | null) { super(); }

  write(at: usize): void {
    store<u8>(at, 3);
    storeOptionalBytes(at + 8, this.memory);
  }
}

// A line on the event's timeline, for people.
export class Note extends Decision {
  constructor(public line: string) { super(); }

  write(at: usize): void {
    store<u8>(at, 4);
    storeText(at + 8, this.line);
  }
}

// A kind of decision that the contract does not name.
export class OtherDecision extends Decision {
  constructor(public kind: string, public body: Uint8Array) { super(); }

  write(at: usize): void {
    store<u8>(at, 5);
    storeText(at + 8, this.kind);
    storeBytes(at + 16, this.body);
  }
}

// Decisions or a refusal, as the functions below make them.
export class Answer {
  // Where it is written.
  constructor(public at: usize) {}
}

// These decisions.
export function decide(decisions: Decision[]): Answer {
  const list = zeroed(DECISION * decisions.length);
  for (let at = 0; at < decisions.length; at += 1) decisions[at].write(list + DECISION * at);
  const answer = zeroed(ANSWER);
  storeList(answer + 8, list, decisions.length);
  return new Answer(answer);
}

// No decisions.
export function nothing(): Answer {
  return new Answer(zeroed(ANSWER));
}

// The refusal: this event is none of this plugin's business.
export function skip(): Answer {
  return refusal(0);
}

// The refusal: ask again after so many milliseconds.
export function retryAfterMs(ms: u64): Answer {
  const answer = refusal(1);
  store<u64>(answer.at + 16, ms);
  return answer;
}

// The refusal: out of the way, for this reason, until a person looks.
export function park(reason: string): Answer {
  const answer = refusal(2);
  storeText(answer.at + 16, reason);
  return answer;
}

// A refusal that the contract does not name.
export function refuse(reason: string): Answer {
  const answer = refusal(3);
  storeText(answer.at + 16, reason);
  return answer;
}

function refusal(tag: u8): Answer {
  const at = zeroed(ANSWER);
  store<u8>(at, 1);
  store<u8>(at + 8, tag);
  return new Answer(at);
}
