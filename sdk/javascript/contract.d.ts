// Made from wit/v1/plugin.wit; a test of the toolchain compares.

/**
 * Any named text. Names are unique within their list unless the list says otherwise; upper and lower case are
 * different names.
 */
export interface NameValue {
  name: string;
  /** May be empty. */
  value: string;
}

/** A thing the asset points at: its type, its location, its loanee. Both fields may be empty text, too. */
export interface Reference {
  /** The sender's id as text, all its digits, whatever JSON type it had. Absent when the sender gave none. */
  id: string | null;
  /** Absent when the sender gave none. */
  name: string | null;
}

/**
 * A typed view of the body of an asset event. Every field may be absent: the sender promises none, and what is
 * `null`, a list or an object where text belongs is absent as well. What is not here is in the event's `body`.
 */
export interface Asset {
  /** The asset's id as text, all its digits, whatever JSON type it had. */
  id: string | null;
  /** May be empty, as the sender may write it so. */
  name: string | null;
  /** What kind of thing it is. */
  assetType: Reference | null;
  /** Where it is. */
  location: Reference | null;
  /** Who has the asset on loan. Absent when nobody has. */
  loanee: Reference | null;
  /** As the sender wrote it. */
  createdAt: string | null;
  /** As the sender wrote it. */
  updatedAt: string | null;
  /** The sender's custom fields: their JSON text, untouched. */
  fieldValues: string | null;
}

/** How this delivery stands to those before it, from the same source. */
export type Arrival =
  /** Not seen before. */
  | { tag: 'first' }
  /** The same bytes as an earlier one. */
  | { tag: 'duplicate' }
  /** Older than what is known of the subject. */
  | { tag: 'stale' }
  /** Claims to be a known event, with other bytes. */
  | { tag: 'conflict' }
  /** About a subject that was deleted. */
  | { tag: 'after-delete' }
  /** A class this contract does not name. */
  | { tag: 'other'; val: string };

/** What a plugin is told. The same event gives the same bytes, whenever and wherever it is asked about. */
export interface Event {
  /** The id of what was accepted, a ULID: 26 characters, one request each, ordered by the time of their making. */
  receipt: string;
  /**
   * Which sender it came from, as the operator named it. Never empty. An event that a plugin caused has the source
   * of the event it was caused by.
   */
  source: string;
  /**
   * What happened, in the sender's words: `asset.create`, `asset.update`, `asset.delete` or any other. Kinds that
   * start with `tidegate.` are the host's own. A plugin is asked about the kinds in its manifest alone. Empty when
   * the sender did not say.
   */
  kind: string;
  /** What the event is about: the asset's id as text. Empty when the sender did not say. */
  subject: string;
  /** When the edge accepted it, in milliseconds since the Unix epoch. */
  receivedAtMs: number;
  /**
   * When the sender says it happened, in milliseconds since the Unix epoch; UTC where it names no zone. Absent
   * when it does not say, or not in words that the host can read.
   */
  occurredAtMs: number | null;
  arrival: Arrival;
  /**
   * Which time this plugin is asked about this event, from 1: more after `retry-after-ms`, and whenever the host
   * has to ask again. Each answer stands alone: what an earlier attempt decided was not done.
   */
  attempt: number;
  /** As the sender sent it. Absent when the request had none. */
  contentType: string | null;
  /** The raw bytes, exactly as sent: any bytes, maybe none, as many as the edge accepts. */
  body: Uint8Array;
  /** Absent when the body is not a JSON object. An object that is about something else gives one with all absent. */
  asset: Asset | null;
  /** The subject's last known body, as JSON text. Absent when none is kept. */
  previous: string | null;
  /** JSON pointers (RFC 6901) to what differs from `previous`. Empty when none is kept. */
  changed: string[];
  /** What this plugin last remembered about the subject. Absent when it remembered nothing. */
  memory: Uint8Array | null;
  /** The settings of this plugin's deployment, in order of their names. May be none. */
  settings: NameValue[];
  /** Anything more the host has to say; `wit/README.md` lists the names. Ignore those you do not know. */
  attributes: NameValue[];
}

/**
 * Ask the host to make an HTTP request. Its host must be one the operator granted. `{{secret:` in the URL, in a
 * header's value or in the body is reserved: a host puts in a secret that the operator named, or grants nothing.
 */
export interface Http {
  /** `GET`, `POST`, `PUT`, `PATCH` or `DELETE`. */
  method: string;
  /** An absolute `http` or `https` URL without user information. */
  url: string;
  /**
   * Names may repeat here, and case does not count. `host`, `content-length`, `transfer-encoding`, `connection`
   * and `idempotency-key` are the host's own, and so is whatever else governs a connection.
   */
  headers: NameValue[];
  /** The bytes to send. Absent sends none. */
  body: Uint8Array | null;
  /**
   * The total time one attempt may take, in milliseconds. The operator's limit holds when it is shorter, and
   * when this is absent.
   */
  timeoutMs: number | null;
  /**
   * When present, the response comes back as an event of kind `tidegate.reply` with this tag. Absent when nobody
   * waits for it.
   */
  replyTag: string | null;
}

/** A new event for other plugins. */
export interface Emit {
  /** The new event's kind, in the plugin's own words; not one of the host's own. */
  kind: string;
  /** What it is about. May be empty. */
  subject: string;
  /** What its body is. Absent when nobody needs to know. */
  contentType: string | null;
  /** Its body, any bytes. */
  body: Uint8Array;
}

/**
 * Ask to be told again later: an event of kind `tidegate.wake` about the same subject, for this plugin alone. Each
 * stands for itself: a second one with the same tag does not replace the first.
 */
export interface Wake {
  /**
   * From when the answer is written down, in milliseconds; never earlier, maybe later. What is longer than the
   * operator allows is as long as that.
   */
  afterMs: number;
  /** Comes back with the wake-up. */
  tag: string;
  /** Comes back with the wake-up, any bytes. */
  body: Uint8Array;
}

/** A decision this contract does not name. */
export interface OtherDecision {
  /** Which kind: a name that a later host knows. */
  kind: string;
  /** What that kind says they are. */
  body: Uint8Array;
}

/**
 * What a plugin wants done. A wish: the host checks it against what the operator granted, records it,
 * and only then carries it out. Order within the list is kept in keys, not in time.
 */
export type Decision =
  /** Make an HTTP request. */
  | { tag: 'http'; val: Http }
  /** Tell other plugins. */
  | { tag: 'emit'; val: Emit }
  /** Be told again later. */
  | { tag: 'wake'; val: Wake }
  /** Replace this plugin's memory of the subject; absent forgets it. */
  | { tag: 'remember'; val: Uint8Array | null }
  /** A line on the event's timeline, for people. */
  | { tag: 'note'; val: string }
  /** A kind that this contract does not name. */
  | { tag: 'other'; val: OtherDecision };

/** The plugin's own "no": nothing is done, whatever it had in mind. */
export type Refusal =
  /**
   * This event is none of this plugin's business. An empty list of decisions says nearly the same: that there
   * was nothing to do.
   */
  | { tag: 'skip' }
  /**
   * Ask again after this many milliseconds; what is longer than the operator allows is as long as that. The
   * operator also bounds how often; after that the event is parked.
   */
  | { tag: 'retry-after-ms'; val: number }
  /** Out of the way, kept whole, for this reason, until a person looks. */
  | { tag: 'park'; val: string }
  /** A refusal this contract does not name; treated as `park`. */
  | { tag: 'other'; val: string };
