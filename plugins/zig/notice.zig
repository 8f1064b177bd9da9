//! Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
//! notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.
//!
//! Nothing of the event is freed: each call has an instance of its own, whose memory goes with it. What is
//! returned must come from C's malloc, as the bindings free it.

const std = @import("std");
const c = @import("plugin");

// The generated names are complete; these are short.
const Event = c.exports_tidegate_plugin_handler_event_t;
const Asset = c.exports_tidegate_plugin_handler_asset_t;
const NameValue = c.exports_tidegate_plugin_handler_name_value_t;
const Decision = c.exports_tidegate_plugin_handler_decision_t;
const Decisions = c.exports_tidegate_plugin_handler_list_decision_t;
const Refusal = c.exports_tidegate_plugin_handler_refusal_t;

const memory = std.heap.c_allocator;

/// True: `decisions` holds them. False: `refusal` says why not.
export fn exports_tidegate_plugin_handler_handle(event: *Event, decisions: *Decisions, refusal: *Refusal) bool {
    if (handle(event, refusal)) |decided| {
        decisions.* = .{ .ptr = decided.ptr, .len = decided.len };
        return true;
    } else |failure| switch (failure) {
        error.Refused => return false,
        error.OutOfMemory => @trap(),
    }
}

fn handle(event: *const Event, refusal: *Refusal) error{ Refused, OutOfMemory }![]Decision {
    if (!std.mem.eql(u8, text(event.kind), "asset.update") or !event.asset.is_some) return &.{};
    const asset = &event.asset.val;
    const loanee = try loaneeOf(asset) orelse return &.{};
    const url = setting(event, "notice_url") orelse {
        refusal.tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_PARK;
        refusal.val.park = try owned("the setting `notice_url` is missing: say where notices go");
        return error.Refused;
    };
    // The order of the fields is the order in the JSON.
    const notice = .{
        .text = try std.mem.concat(memory, u8, &.{ try title(asset), " is on loan to ", loanee }),
        .asset = text(if (asset.id.is_some) asset.id.val else event.subject),
        .receipt = text(event.receipt),
    };
    const decisions = try memory.alloc(Decision, 1);
    decisions[0] = try post(url, try std.json.Stringify.valueAlloc(memory, notice, .{}));
    return decisions;
}

/// The name of who has the asset, when this event says that somebody has.
fn loaneeOf(asset: *const Asset) !?[]const u8 {
    if (!asset.loanee.is_some) return null;
    if (given(asset.loanee.val.name)) |name| return name;
    const id = given(asset.loanee.val.id) orelse return null;
    return try std.mem.concat(memory, u8, &.{ "person ", id });
}

/// `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
fn title(asset: *const Asset) ![]const u8 {
    const name = given(asset.name) orelse "An asset";
    if (!asset.asset_type.is_some) return name;
    const kind = given(asset.asset_type.val.name) orelse return name;
    return std.mem.concat(memory, u8, &.{ name, " (", kind, ")" });
}

fn setting(event: *const Event, name: []const u8) ?[]const u8 {
    for (event.settings.ptr[0..event.settings.len]) |one| {
        if (std.mem.eql(u8, text(one.name), name)) return if (one.value.len > 0) text(one.value) else null;
    }
    return null;
}

fn post(url: []const u8, body: []u8) !Decision {
    const headers = try memory.alloc(NameValue, 1);
    headers[0] = .{ .name = try owned("content-type"), .value = try owned("application/json") };
    var decision = std.mem.zeroes(Decision);
    decision.tag = c.EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_HTTP;
    const http = &decision.val.http;
    http.method = try owned("POST");
    http.url = try owned(url);
    http.headers = .{ .ptr = headers.ptr, .len = headers.len };
    http.body = .{ .is_some = true, .val = .{ .ptr = body.ptr, .len = body.len } };
    return decision;
}

fn text(string: c.plugin_string_t) []const u8 {
    return string.ptr[0..string.len];
}

/// Text that is there and not empty.
fn given(string: c.plugin_option_string_t) ?[]const u8 {
    return if (string.is_some and string.val.len > 0) text(string.val) else null;
}

/// A copy that the bindings may free.
fn owned(words: []const u8) !c.plugin_string_t {
    const copy = try memory.dupe(u8, words);
    return .{ .ptr = copy.ptr, .len = copy.len };
}
