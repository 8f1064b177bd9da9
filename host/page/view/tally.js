// What a dry run found, added up page by page as `tidegate plugin diff` does. Pure.

/// Every outcome, in the order in which they are told, with its words.
export const OUTCOMES = [
  ["same", "same"], ["changed", "changed"], ["added", "added"], ["removed", "removed"], ["new-fault", "new faults"],
  ["other-fault", "other faults"], ["fault-gone", "faults gone"], ["not-asked-before", "not asked before"],
  ["not-asked-now", "not asked any more"], ["not-reproduced", "not reproduced"], ["impure", "impure"],
];

/// Nothing yet.
export const none = () => ({ outcomes: {}, differences: [], candidate: cost(), base: cost() });

const cost = () => ({ calls: 0, wall_us: 0, wall_us_max: 0, memory_bytes_max: 0, classes: {} });

/// Both together; of the differences of one outcome at most so many.
export function merge(one, other, told_max) {
  const outcomes = { ...one.outcomes };
  for (const [name, many] of Object.entries(other.outcomes)) outcomes[name] = (outcomes[name] ?? 0) + many;
  const differences = [...one.differences];
  for (const difference of other.differences) {
    if (differences.filter((known) => known.outcome === difference.outcome).length < told_max) differences.push(difference);
  }
  return { outcomes, differences, candidate: both(one.candidate, other.candidate), base: both(one.base, other.base) };
}

function both(one, other) {
  const classes = { ...one.classes };
  for (const [name, many] of Object.entries(other.classes)) classes[name] = (classes[name] ?? 0) + many;
  return {
    calls: one.calls + other.calls,
    wall_us: one.wall_us + other.wall_us,
    wall_us_max: Math.max(one.wall_us_max, other.wall_us_max),
    memory_bytes_max: Math.max(one.memory_bytes_max, other.memory_bytes_max),
    classes,
  };
}

/// How many events were looked at.
export const events = ({ outcomes }) => Object.values(outcomes).reduce((sum, many) => sum + many, 0);

/// The time that 99 calls of a hundred stay under, in microseconds. Times are counted in classes an eighth wide.
export function p99_us({ calls, wall_us_max, classes }) {
  let left = Math.ceil((calls * 99) / 100);
  for (const name of Object.keys(classes).map(Number).sort((a, b) => a - b)) {
    left -= classes[name];
    if (left <= 0) return Math.min(most(name), wall_us_max);
  }
  return wall_us_max;
}

/// The longest time of a class: up to 15 its own, then eight to each doubling.
function most(name) {
  if (name < 16) return name;
  return ((name % 8) + 9) * 2 ** (Math.floor(name / 8) - 1) - 1;
}
