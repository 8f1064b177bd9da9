// Values as they lie in memory, by the canonical ABI
// (https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md), which has no generator of
// bindings for AssemblyScript: text is UTF-16, and an absent value has a zero where its tag is. Knows nothing of records.

// A number that might have been absent.
export class Some<T> {
  constructor(public value: T) {}
}

// Text as bytes of UTF-8.
export function bytes(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

// Text as a string of JSON, in quotes, with as few escapes as JSON allows.
export function json(text: string): string {
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

export function loadText(at: usize): string {
  return String.UTF16.decodeUnsafe(load<usize>(at), load<usize>(at + 4) << 1);
}

export function loadOptionalText(at: usize): string | null {
  return load<u8>(at) ? loadText(at + 4) : null;
}

export function loadBytes(at: usize): Uint8Array {
  const bytes = new Uint8Array(load<i32>(at + 4));
  memory.copy(bytes.dataStart, load<usize>(at), bytes.length);
  return bytes;
}

export function loadOptionalBytes(at: usize): Uint8Array | null {
  return load<u8>(at) ? loadBytes(at + 4) : null;
}

// Memory that is all zeros.
export function zeroed(bytes: usize): usize {
  const at = heap.alloc(bytes);
  memory.fill(at, 0, bytes);
  return at;
}

export function storeList(at: usize, start: usize, length: usize): void {
  store<usize>(at, start);
  store<usize>(at + 4, length);
}

export function storeText(at: usize, text: string): void {
  storeList(at, changetype<usize>(text), text.length);
}

export function storeOptionalText(at: usize, text: string | null): void {
  if (text === null) return;
  store<u8>(at, 1);
  storeText(at + 4, text);
}

export function storeBytes(at: usize, bytes: Uint8Array): void {
  storeList(at, bytes.dataStart, bytes.length);
}

export function storeOptionalBytes(at: usize, bytes: Uint8Array | null): void {
  if (bytes === null) return;
  store<u8>(at, 1);
  storeBytes(at + 4, bytes);
}
