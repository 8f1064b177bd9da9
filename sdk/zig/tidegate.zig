//! What a plugin in Zig is written with: the contract in slices and optionals. Knows nothing of any one plugin. What
//! each field means, and what its absence means, is said in wit/v1/plugin.wit.
//!
//! A plugin is a file with one function, `pub fn handle(event: tidegate.Event) !tidegate.Answer`. Nothing needs to be
//! freed: each call has an instance of its own, whose memory goes with it.

const std = @import("std");
/// What the program around a plugin needs; a plugin does not.
pub const convert = @import("convert.zig");

/// Where memory comes from.
pub const memory = std.heap.c_allocator;

/// UTF-8 of any length.
pub const Text = []const u8;
/// Any bytes.
pub const Bytes = []const u8;

/// A setting, an attribute or a header.
pub const NameValue = struct { name: Text, value: Text };

/// A thing the asset points at.
pub const Reference = struct { id: ?Text, name: ?Text };

/// A typed view of the body of an asset event.
pub const Asset = struct {
    id: ?Text,
    name: ?Text,
    asset_type: ?Reference,
    location: ?Reference,
    loanee: ?Reference,
    created_at: ?Text,
    updated_at: ?Text,
    field_values: ?Text,
};

/// How this delivery stands to those before it.
pub const Arrival = union(enum) { first, duplicate, stale, conflict, after_delete, other: Text };

/// What a plugin is told.
pub const Event = struct {
    receipt: Text,
    source: Text,
    kind: Text,
    subject: Text,
    received_at_ms: u64,
    occurred_at_ms: ?u64,
    arrival: Arrival,
    attempt: u32,
    content_type: ?Text,
    body: Bytes,
    asset: ?Asset,
    previous: ?Text,
    changed: []const Text,
    memory: ?Bytes,
    settings: []const NameValue,
    attributes: []const NameValue,

    /// Whether it is of this kind.
    pub fn is(event: Event, kind: Text) bool {
        return std.mem.eql(u8, event.kind, kind);
    }

    /// The setting of this name; null when there is none, or an empty one.
    pub fn setting(event: Event, name: Text) ?Text {
        return find(event.settings, name);
    }

    /// The attribute of this name; null when there is none, or an empty one.
    pub fn attribute(event: Event, name: Text) ?Text {
        return find(event.attributes, name);
    }
};

fn find(list: []const NameValue, name: Text) ?Text {
    for (list) |one| {
        if (std.mem.eql(u8, one.name, name)) return given(one.value);
    }
    return null;
}

/// Text that is there and not empty.
pub fn given(text: ?Text) ?Text {
    const there = text orelse return null;
    return if (there.len > 0) there else null;
}

/// An HTTP request.
pub const Http = struct {
    method: Text,
    url: Text,
    headers: []const NameValue = &.{},
    body: ?Bytes = null,
    timeout_ms: ?u32 = null,
    reply_tag: ?Text = null,
};

/// A new event for other plugins.
pub const Emit = struct { kind: Text, subject: Text, content_type: ?Text = null, body: Bytes };

/// Ask to be told again later.
pub const Wake = struct { after_ms: u64, tag: Text, body: Bytes = "" };

/// A kind of decision that the contract does not name.
pub const OtherDecision = struct { kind: Text, body: Bytes };

/// What a plugin wants done.
pub const Decision = union(enum) {
    http: Http,
    emit: Emit,
    wake: Wake,
    /// Replaces this plugin's memory of the subject; null forgets it.
    remember: ?Bytes,
    /// A line on the event's timeline, for people.
    note: Text,
    other: OtherDecision,
};

/// The plugin's own "no".
pub const Refusal = union(enum) {
    /// This event is none of this plugin's business.
    skip,
    /// Ask again after so many milliseconds.
    retry_after_ms: u64,
    /// Out of the way, for this reason, until a person looks.
    park: Text,
    /// A refusal that the contract does not name.
    other: Text,
};

/// Decisions or a refusal, as `decide` and `refuse` make them.
pub const Answer = convert.Answer;

/// The answer of these decisions, all of them copied.
pub fn decide(decisions: []const Decision) error{OutOfMemory}!Answer {
    return .{ .decisions = try convert.decisionsOf(decisions) };
}

/// The answer that there is nothing to do.
pub const nothing = Answer{ .decisions = .{ .ptr = null, .len = 0 } };

/// The answer of this refusal, copied.
pub fn refuse(refusal: Refusal) error{OutOfMemory}!Answer {
    return .{ .refusal = try convert.refusalOf(refusal) };
}

/// A POST of a value as JSON, its fields in the order of their writing.
pub fn postJson(url: Text, value: anytype) error{OutOfMemory}!Decision {
    return .{ .http = .{
        .method = "POST",
        .url = url,
        .headers = &.{.{ .name = "content-type", .value = "application/json" }},
        .body = try std.json.Stringify.valueAlloc(memory, value, .{}),
    } };
}
