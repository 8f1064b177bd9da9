// A plugin that does what it should not, as an ordinary JavaScript program would do it: the event's kind says what.

// What an earlier call left here would be found by a later one.
const seen = [];

export const handler = {
  handle(event) {
    if (seen.length > 0) throw { tag: 'other', val: `found ${seen}` };
    seen.push(event.kind);
    switch (event.kind) {
      case 'spin':
        for (;;);
      case 'allocate': {
        const kept = [];
        for (let count = 0; count < 4096; count += 1) kept.push(new Uint8Array(1 << 20));
        return [{ tag: 'note', val: `${kept.length}` }];
      }
      case 'recurse':
        return [{ tag: 'note', val: `${recurse(0)}` }];
      case 'throw':
        throw new Error('nobody handles this');
      case 'clock':
        return [{ tag: 'note', val: `${Date.now()}` }];
      case 'flood-result':
        return [{ tag: 'note', val: 'x'.repeat(8 << 20) }];
      case 'answer-nonsense':
        return 'not a list of decisions';
      default:
        return [];
    }
  },
};

function recurse(depth) {
  return recurse(depth + 1) + 1;
}
