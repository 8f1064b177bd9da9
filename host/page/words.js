// Numbers, times and sizes as people read them: in the reader's own locale. Pure, but for the locale.

const whole = new Intl.NumberFormat();
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dated = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const days = new Intl.DateTimeFormat(undefined, { dateStyle: "short" });

/// A count.
export const number = (value) => whole.format(value ?? 0);

/// A number that has a part after the point while it is small.
export const rate = (value) => (value === null || value === undefined ? "–" : (value < 100 ? tenths : whole).format(value));

/// A time of day, with the date where that is not today's.
export function moment(ms, now = Date.now()) {
  return days.format(ms) === days.format(now) ? clock.format(ms) : dated.format(ms);
}

/// In UTC, to the millisecond: what logs and colleagues elsewhere say.
export const utc = (ms) => new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC");

/// A length of time, in the two units that matter.
export function span(ms) {
  if (ms < 0) return span(0);
  if (ms < 1000) return `${whole.format(Math.round(ms))}\u00a0ms`;
  if (ms < 10_000) return `${tenths.format(ms / 1000)}\u00a0s`;
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s}\u00a0s`;
  if (s < 3600) return `${Math.floor(s / 60)}\u00a0min ${s % 60}\u00a0s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}\u00a0h ${Math.floor((s % 3600) / 60)}\u00a0min`;
  return `${Math.floor(s / 86_400)}\u00a0d ${Math.floor((s % 86_400) / 3600)}\u00a0h`;
}

/// How long ago.
export const ago = (ms, now) => (now - ms < 1000 ? "just now" : `${span(now - ms)} ago`);

/// Microseconds.
export function took(us) {
  if (us < 1000) return `${whole.format(Math.round(us))}\u00a0µs`;
  return us < 1e6 ? `${tenths.format(us / 1000)}\u00a0ms` : `${tenths.format(us / 1e6)}\u00a0s`;
}

/// A size.
export function size(bytes) {
  if (bytes < 1024) return `${whole.format(bytes)}\u00a0B`;
  if (bytes < 1048576) return `${whole.format(Math.floor(bytes / 1024))}\u00a0KiB`;
  return `${tenths.format(bytes / 1048576)}\u00a0MiB`;
}

/// A version's first characters: what the command line shows, too.
export const short = (version) => (version ? String(version).slice(0, 12) : "–");

/// `1 event`, `2 events`.
export const count = (many, one, more = `${one}s`) => `${number(many)} ${many === 1 ? one : more}`;

/// The first so many characters.
export const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

/// Part of a whole in percent.
export const percent = (part, of) => (of > 0 ? `${tenths.format((part / of) * 100)}\u00a0%` : "–");
