// The program around a plugin: what the contract exports. `./plugin` is written when a component is made, and gives on
// the plugin's `handle`. Knows nothing of what it does.

import { Event } from 'tidegate';
import { handle } from './plugin';

// `exports.mjs` gives it the name that the contract has for it.
export function answer(at: usize): usize {
  return handle(new Event(at)).at;
}

// What the host gets memory with, for the event.
export function cabi_realloc(old: usize, oldBytes: usize, align: usize, bytes: usize): usize {
  const at = heap.alloc(bytes);
  memory.copy(at, old, min(oldBytes, bytes));
  return at;
}
