// The contract as it lies in memory. There is no generator of bindings for AssemblyScript, so this is the canonical
// ABI by hand (https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md): offsets count
// from the start of a record, text is UTF-16, and an absent value has a zero where its tag is.
//
// Nothing is freed: each call has an instance of its own, whose memory goes with it.

export class Reference {
  constructor(private at: usize) {}

  get id(): string | null { return optionalText(this.at); }
  get name(): string | null { return optionalText(this.at + 12); }
}

export class Asset {
  constructor(private at: usize) {}

  get id(): string | null { return optionalText(this.at); }
  get name(): string | null { return optionalText(this.at + 12); }
  get assetType(): Reference | null { return optionalReference(this.at + 24); }
  get location(): Reference | null { return optionalReference(this.at + 52); }
  get loanee(): Reference | null { return optionalReference(this.at + 80); }
  get createdAt(): string | null { return optionalText(this.at + 108); }
  get updatedAt(): string | null { return optionalText(this.at + 120); }
  get fieldValues(): string | null { return optionalText(this.at + 132); }
}

export class Event {
  constructor(private at: usize) {}

  get receipt(): string { return text(this.at); }
  get source(): string { return text(this.at + 8); }
  get kind(): string { return text(this.at + 16); }
  get subject(): string { return text(this.at + 24); }
  get receivedAtMs(): u64 { return load<u64>(this.at + 32); }
  get attempt(): u32 { return load<u32>(this.at + 68); }
  get contentType(): string | null { return optionalText(this.at + 72); }
  get asset(): Asset | null { return load<u8>(this.at + 92) ? new Asset(this.at + 96) : null; }

  // The setting of this name, empty when there is none.
  setting(name: string): string {
    let one = load<usize>(this.at + 272);
    const end = one + load<usize>(this.at + 276) * 16;
    for (; one < end; one += 16) {
      if (text(one) == name) return text(one + 8);
    }
    return '';
  }
}

function text(at: usize): string {
  return String.UTF16.decodeUnsafe(load<usize>(at), load<usize>(at + 4) << 1);
}

function optionalText(at: usize): string | null {
  return load<u8>(at) ? text(at + 4) : null;
}

function optionalReference(at: usize): Reference | null {
  return load<u8>(at) ? new Reference(at + 4) : null;
}

// Bytes of an answer, and of a decision in its list.
const ANSWER: usize = 24;
const DECISION: usize = 64;

// No decisions.
export function nothing(): usize {
  return zeroed(ANSWER);
}

// The refusal `park`.
export function park(reason: string): usize {
  const answer = zeroed(ANSWER);
  store<u8>(answer, 1);
  store<u8>(answer + 8, 2);
  storeText(answer + 16, reason);
  return answer;
}

// One decision: an HTTP request with one header.
export function http(method: string, url: string, header: string, value: string, body: ArrayBuffer): usize {
  const headers = zeroed(16);
  storeText(headers, header);
  storeText(headers + 8, value);
  const decision = zeroed(DECISION);
  storeText(decision + 8, method);
  storeText(decision + 16, url);
  storeList(decision + 24, headers, 1);
  store<u8>(decision + 32, 1);
  storeList(decision + 36, changetype<usize>(body), body.byteLength);
  const answer = zeroed(ANSWER);
  storeList(answer + 8, decision, 1);
  return answer;
}

function zeroed(bytes: usize): usize {
  const at = heap.alloc(bytes);
  memory.fill(at, 0, bytes);
  return at;
}

function storeText(at: usize, text: string): void {
  storeList(at, changetype<usize>(text), text.length);
}

function storeList(at: usize, start: usize, length: usize): void {
  store<usize>(at, start);
  store<usize>(at + 4, length);
}

// What the host gets memory with, for the event.
export function cabi_realloc(old: usize, oldBytes: usize, align: usize, bytes: usize): usize {
  const at = heap.alloc(bytes);
  memory.copy(at, old, min(oldBytes, bytes));
  return at;
}
