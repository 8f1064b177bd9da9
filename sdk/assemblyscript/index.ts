// What a plugin in AssemblyScript is written with. A plugin is a file with one function:
//
//   import { Answer, Event } from 'tidegate';
//   export function handle(event: Event): Answer { ... }
//
// What each field means, and what its absence means, is said in wit/v1/plugin.wit. What may be absent is null where it
// is. Nothing is freed: each call has an instance of its own, whose memory goes with it.

export { Arrival, ArrivalClass, Asset, Event, NameValue, Reference } from './event';
export {
  Answer,
  Decision,
  Emit,
  Http,
  Note,
  OtherDecision,
  Remember,
  Wake,
  decide,
  nothing,
  park,
  postJson,
  refuse,
  retryAfterMs,
  skip,
} from './answer';
export { Some, bytes, json } from './value';
