// Answers as Rust gives them, turned into responses.

import { answers } from "./tidegate_worker.js";

// The answers that are always the same, by name: fetched at the start, so that they are there when wasm is not.
export const ANSWERS = JSON.parse(answers());

export function say(answer) {
  return new Response(answer.body, { status: answer.status, headers: answer.headers });
}
