// What a plugin is told: each class reads its record where the host put it. Offsets count from the record's start and
// hold for wit/v1 alone. Knows nothing of answers.

import { Some, loadBytes, loadOptionalBytes, loadOptionalText, loadText } from './value';

// What a plugin is told.
export class Event {
  constructor(private at: usize) {}

  get receipt(): string { return loadText(this.at); }
  get source(): string { return loadText(this.at + 8); }
  get kind(): string { return loadText(this.at + 16); }
  get subject(): string { return loadText(this.at + 24); }
  get receivedAtMs(): u64 { return load<u64>(this.at + 32); }
  get occurredAtMs(): Some<u64> | null {
    return load<u8>(this.at + 40) ? new Some<u64>(load<u64>(this.at + 48)) : null;
  }
  get arrival(): Arrival { return new Arrival(this.at + 56); }
  get attempt(): u32 { return load<u32>(this.at + 68); }
  get contentType(): string | null { return loadOptionalText(this.at + 72); }
  get body(): Uint8Array { return loadBytes(this.at + 84); }
  get asset(): Asset | null { return load<u8>(this.at + 92) ? new Asset(this.at + 96) : null; }
  get previous(): string | null { return loadOptionalText(this.at + 240); }
  get changed(): string[] {
    const changed: string[] = [];
    const start = load<usize>(this.at + 252);
    for (let one = start; one < start + load<usize>(this.at + 256) * 8; one += 8) changed.push(loadText(one));
    return changed;
  }
  get memory(): Uint8Array | null { return loadOptionalBytes(this.at + 260); }
  get settings(): NameValue[] { return loadNameValues(this.at + 272); }
  get attributes(): NameValue[] { return loadNameValues(this.at + 280); }

  // The setting of this name, empty when there is none.
  setting(name: string): string { return find(this.settings, name); }

  // The attribute of this name, empty when there is none.
  attribute(name: string): string { return find(this.attributes, name); }
}

// A setting, an attribute or a header.
export class NameValue {
  constructor(public name: string, public value: string) {}
}

function loadNameValues(at: usize): NameValue[] {
  const list: NameValue[] = [];
  const start = load<usize>(at);
  for (let one = start; one < start + load<usize>(at + 4) * 16; one += 16) {
    list.push(new NameValue(loadText(one), loadText(one + 8)));
  }
  return list;
}

function find(list: NameValue[], name: string): string {
  for (let at = 0; at < list.length; at += 1) {
    if (list[at].name == name) return list[at].value;
  }
  return '';
}

// A typed view of the body of an asset event.
export class Asset {
  constructor(private at: usize) {}

  get id(): string | null { return loadOptionalText(this.at); }
  get name(): string | null { return loadOptionalText(this.at + 12); }
  get assetType(): Reference | null { return loadReference(this.at + 24); }
  get location(): Reference | null { return loadReference(this.at + 52); }
  get loanee(): Reference | null { return loadReference(this.at + 80); }
  get createdAt(): string | null { return loadOptionalText(this.at + 108); }
  get updatedAt(): string | null { return loadOptionalText(this.at + 120); }
  get fieldValues(): string | null { return loadOptionalText(this.at + 132); }
}

// A thing the asset points at.
export class Reference {
  constructor(private at: usize) {}

  get id(): string | null { return loadOptionalText(this.at); }
  get name(): string | null { return loadOptionalText(this.at + 12); }
}

function loadReference(at: usize): Reference | null {
  return load<u8>(at) ? new Reference(at + 4) : null;
}

// The classes of arrival, in the contract's order.
export enum ArrivalClass { First, Duplicate, Stale, Conflict, AfterDelete, Other }

// How this delivery stands to those before it.
export class Arrival {
  constructor(private at: usize) {}

  get is(): ArrivalClass { return load<u8>(this.at) as ArrivalClass; }
  // The class in words when it is `Other`, else empty.
  get words(): string { return this.is == ArrivalClass.Other ? loadText(this.at + 4) : ''; }
}
