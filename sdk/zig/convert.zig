//! From the bindings' types to those of `tidegate.zig` and back. What goes back comes from C's malloc, as the bindings
//! free it after the answer.

const c = @import("contract");
const tidegate = @import("tidegate.zig");

const Failure = error{OutOfMemory};

/// An answer as the bindings have it.
pub const Answer = union(enum) {
    decisions: c.exports_tidegate_plugin_handler_list_decision_t,
    refusal: c.exports_tidegate_plugin_handler_refusal_t,
};

/// What an event says; its text stays where it is.
pub fn eventOf(from: *const c.exports_tidegate_plugin_handler_event_t) Failure!tidegate.Event {
    const changed = try tidegate.memory.alloc(tidegate.Text, from.changed.len);
    for (changed, 0..) |*one, at| one.* = text(from.changed.ptr[at]);
    return .{
        .receipt = text(from.receipt),
        .source = text(from.source),
        .kind = text(from.kind),
        .subject = text(from.subject),
        .received_at_ms = from.received_at_ms,
        .occurred_at_ms = if (from.occurred_at_ms.is_some) from.occurred_at_ms.val else null,
        .arrival = arrivalOf(from.arrival),
        .attempt = from.attempt,
        .content_type = optional(from.content_type),
        .body = text(from.body),
        .asset = if (from.asset.is_some) assetOf(from.asset.val) else null,
        .previous = optional(from.previous),
        .changed = changed,
        .memory = optional(from.memory),
        .settings = try namesOf(from.settings),
        .attributes = try namesOf(from.attributes),
    };
}

fn arrivalOf(from: c.exports_tidegate_plugin_handler_arrival_t) tidegate.Arrival {
    return switch (from.tag) {
        c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_FIRST => .first,
        c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_DUPLICATE => .duplicate,
        c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_STALE => .stale,
        c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_CONFLICT => .conflict,
        c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_AFTER_DELETE => .after_delete,
        else => .{ .other = text(from.val.other) },
    };
}

fn assetOf(from: c.exports_tidegate_plugin_handler_asset_t) tidegate.Asset {
    return .{
        .id = optional(from.id),
        .name = optional(from.name),
        .asset_type = referenceOf(from.asset_type),
        .location = referenceOf(from.location),
        .loanee = referenceOf(from.loanee),
        .created_at = optional(from.created_at),
        .updated_at = optional(from.updated_at),
        .field_values = optional(from.field_values),
    };
}

fn referenceOf(from: c.exports_tidegate_plugin_handler_option_reference_t) ?tidegate.Reference {
    if (!from.is_some) return null;
    return .{ .id = optional(from.val.id), .name = optional(from.val.name) };
}

fn namesOf(from: c.exports_tidegate_plugin_handler_list_name_value_t) Failure![]const tidegate.NameValue {
    const list = try tidegate.memory.alloc(tidegate.NameValue, from.len);
    for (list, 0..) |*one, at| one.* = .{ .name = text(from.ptr[at].name), .value = text(from.ptr[at].value) };
    return list;
}

/// Text, or bytes. Where they are empty, they may be nowhere.
fn text(from: anytype) []const u8 {
    return if (from.len > 0) from.ptr[0..from.len] else "";
}

fn optional(from: anytype) ?[]const u8 {
    return if (from.is_some) text(from.val) else null;
}

/// Copies of decisions.
pub fn decisionsOf(from: []const tidegate.Decision) Failure!c.exports_tidegate_plugin_handler_list_decision_t {
    const list = try tidegate.memory.alloc(c.exports_tidegate_plugin_handler_decision_t, from.len);
    for (list, from) |*to, one| to.* = try decisionOf(one);
    return .{ .ptr = start(list), .len = list.len };
}

fn decisionOf(from: tidegate.Decision) Failure!c.exports_tidegate_plugin_handler_decision_t {
    return switch (from) {
        .http => |http| .{
            .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_HTTP,
            .val = .{ .http = try httpOf(http) },
        },
        .emit => |emit| .{
            .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_EMIT,
            .val = .{ .emit = .{
                .kind = try ownText(emit.kind),
                .subject = try ownText(emit.subject),
                .content_type = try ownOptionalText(emit.content_type),
                .body = try ownBytes(emit.body),
            } },
        },
        .wake => |wake| .{
            .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_WAKE,
            .val = .{ .wake = .{
                .after_ms = wake.after_ms,
                .tag = try ownText(wake.tag),
                .body = try ownBytes(wake.body),
            } },
        },
        .remember => |memory| .{
            .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_REMEMBER,
            .val = .{ .remember = try ownOptionalBytes(memory) },
        },
        .note => |line| .{
            .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_NOTE,
            .val = .{ .note = try ownText(line) },
        },
        .other => |other| .{
            .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_OTHER,
            .val = .{ .other = .{ .kind = try ownText(other.kind), .body = try ownBytes(other.body) } },
        },
    };
}

fn httpOf(from: tidegate.Http) Failure!c.exports_tidegate_plugin_handler_http_t {
    const headers = try tidegate.memory.alloc(c.exports_tidegate_plugin_handler_name_value_t, from.headers.len);
    for (headers, from.headers) |*to, header| {
        to.* = .{ .name = try ownText(header.name), .value = try ownText(header.value) };
    }
    return .{
        .method = try ownText(from.method),
        .url = try ownText(from.url),
        .headers = .{ .ptr = start(headers), .len = headers.len },
        .body = try ownOptionalBytes(from.body),
        .timeout_ms = .{ .is_some = from.timeout_ms != null, .val = from.timeout_ms orelse 0 },
        .reply_tag = try ownOptionalText(from.reply_tag),
    };
}

/// A copy of a refusal.
pub fn refusalOf(from: tidegate.Refusal) Failure!c.exports_tidegate_plugin_handler_refusal_t {
    return switch (from) {
        .skip => .{ .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_SKIP, .val = .{ .retry_after_ms = 0 } },
        .retry_after_ms => |ms| .{
            .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_RETRY_AFTER_MS,
            .val = .{ .retry_after_ms = ms },
        },
        .park => |reason| .{
            .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_PARK,
            .val = .{ .park = try ownText(reason) },
        },
        .other => |reason| .{
            .tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_OTHER,
            .val = .{ .other = try ownText(reason) },
        },
    };
}

/// Where a list starts. An empty one is nowhere in Zig, but must be somewhere for the host.
fn start(list: anytype) ?@TypeOf(list.ptr) {
    return if (list.len > 0) list.ptr else null;
}

fn ownText(from: []const u8) Failure!c.plugin_string_t {
    const copy = try tidegate.memory.dupe(u8, from);
    return .{ .ptr = start(copy), .len = copy.len };
}

fn ownBytes(from: []const u8) Failure!c.plugin_list_u8_t {
    const copy = try tidegate.memory.dupe(u8, from);
    return .{ .ptr = start(copy), .len = copy.len };
}

fn ownOptionalText(from: ?[]const u8) Failure!c.plugin_option_string_t {
    return .{ .is_some = from != null, .val = try ownText(from orelse "") };
}

fn ownOptionalBytes(from: ?[]const u8) Failure!c.plugin_option_list_u8_t {
    return .{ .is_some = from != null, .val = try ownBytes(from orelse "") };
}
