// A plugin that looks around with all that QuickJS has, and says what it saw: the event's kind says where it looks. It
// is built with WASI, so that the runtime asks it.

const looks = {
  clocks: () => [`${Date.now()} ${new Date().toISOString()} ${new Date().getTimezoneOffset()}`],
  // Drawn when the component was built, and since then.
  chance: () => [`${Math.random()} ${Math.random()}`],
  machine: () => ['process', 'std', 'os', 'fetch', 'require', 'scriptArgs'].map((name) => `${name}: ${typeof globalThis[name]}`),
};

// What an earlier call left here would be found by a later one.
let calls = 0;

export const handler = {
  handle(event) {
    calls += 1;
    if (calls > 1) throw { tag: 'other', val: 'an earlier call left something' };
    const seen = looks[event.kind]?.() ?? [];
    return seen.map((val) => ({ tag: 'note', val }));
  },
};
