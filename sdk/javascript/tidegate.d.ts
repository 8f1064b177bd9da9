// The types of tidegate.js. What an event and a decision are is in contract.d.ts, which is made from the contract.

import type { Asset, Decision, Event, NameValue, Refusal } from './contract';

export type * from './contract';

/** What a body may be: text, bytes, or anything else, which is sent as JSON. */
export type Body = string | Uint8Array | object | number | boolean;

export interface RequestOptions {
  /** By name, or as a list where a name repeats. JSON has its `content-type` without being told. */
  headers?: Record<string, string> | [string, string][] | NameValue[];
  /** The total time one attempt may take, in milliseconds. The operator's limit holds when it is shorter. */
  timeoutMs?: number | null;
  /** When given, the response comes back as an event of kind `tidegate.reply` with this tag. */
  replyTag?: string | null;
}

/** Asks the host to GET this URL. */
export function get(url: string, options?: RequestOptions): Decision;
/** Asks the host to POST a body to this URL. */
export function post(url: string, body?: Body | null, options?: RequestOptions): Decision;
/** Asks the host to PUT a body to this URL. */
export function put(url: string, body?: Body | null, options?: RequestOptions): Decision;
/** Asks the host to PATCH what is at this URL. */
export function patch(url: string, body?: Body | null, options?: RequestOptions): Decision;
/** Asks the host to DELETE what is at this URL. */
export function del(url: string, options?: RequestOptions): Decision;
/** Asks the host to make any request. */
export function request(method: string, url: string, body?: Body | null, options?: RequestOptions): Decision;

/** A new event for other plugins. */
export function emit(
  kind: string,
  body?: Body,
  options?: { subject?: string; contentType?: string | null },
): Decision;
/** Asks to be told again later, as an event of kind `tidegate.wake`. */
export function wake(afterMs: number, tag?: string, body?: Body): Decision;
/** Replaces this plugin's memory of the event's subject. */
export function remember(body: Body): Decision;
/** Forgets what this plugin remembered of the event's subject. */
export function forget(): Decision;
/** A line on the event's timeline, for people. */
export function note(text: string): Decision;
/** A decision of a kind that a later host knows. */
export function other(kind: string, body?: Body): Decision;

/** To be thrown: this event is none of this plugin's business. */
export function skip(): Refusal;
/** To be thrown: ask again after this many milliseconds. */
export function retry(afterMs: number): Refusal;
/** To be thrown: put the event out of the way, for this reason, until a person looks. */
export function park(reason: string): Refusal;
/** To be thrown: a refusal that a later contract names; treated as `park`. */
export function refuse(reason: string): Refusal;

/** A setting of this plugin's deployment; `null` when it is not there or empty. */
export function setting(event: Event, name: string): string | null;
/** The event's body, parsed. Throws when it is no JSON. */
export function json(event: Event): any;
/** `Spare-02 (2 in 3 Laptop)`, as far as the sender said; `An asset` when it did not. */
export function title(asset: Asset): string;
/** Who has the asset on loan: their name, or `person 142` when there is an id alone; `null` when nobody has. */
export function loaneeName(asset: Asset | null): string | null;
/** The value of the custom field of this name; `null` when there is none. */
export function field(asset: Asset | null, name: string): any;

/** The bytes of a text. Half a surrogate pair becomes U+FFFD. */
export function utf8(text: string): Uint8Array;
/** The text of bytes. Throws when they are not UTF-8. */
export function text(bytes: Uint8Array): string;

declare global {
  /** The plugin's log: `debug`, `log` and `info` are information, `warn` and `error` are errors. */
  var console: Record<'debug' | 'log' | 'info' | 'warn' | 'error', (...values: unknown[]) => void>;
}
