//! Answers with everything it was told, so that a test sees that Zig reads every field and gives every case.

const std = @import("std");
const tidegate = @import("tidegate");

const Text = tidegate.Text;

pub fn handle(event: tidegate.Event) !tidegate.Answer {
    if (event.is("refuse.skip")) return tidegate.refuse(.skip);
    if (event.is("refuse.retry")) return tidegate.refuse(.{ .retry_after_ms = event.received_at_ms });
    if (event.is("refuse.park")) return tidegate.refuse(.{ .park = event.subject });
    if (event.is("refuse.other")) return tidegate.refuse(.{ .other = event.subject });
    return tidegate.decide(&.{
        .{ .other = .{ .kind = "mirror", .body = try dump(event) } },
        .{ .http = .{
            .method = "PUT",
            .url = try print("https://a.example/{s}", .{event.subject}),
            .headers = event.settings,
            .body = tidegate.given(event.body),
            .timeout_ms = if (event.attempt == 1) null else event.attempt,
            .reply_tag = event.content_type,
        } },
        .{ .emit = .{
            .kind = "mirror.emitted",
            .subject = event.subject,
            .content_type = event.content_type,
            .body = event.body,
        } },
        .{ .wake = .{
            .after_ms = event.occurred_at_ms orelse 0,
            .tag = event.receipt,
            .body = event.memory orelse "",
        } },
        .{ .remember = event.memory },
        .{ .note = event.kind },
    });
}

fn dump(event: tidegate.Event) !Text {
    var all = std.array_list.Managed(Text).init(tidegate.memory);
    try line(&all, "receipt", event.receipt);
    try line(&all, "source", event.source);
    try line(&all, "kind", event.kind);
    try line(&all, "subject", event.subject);
    try line(&all, "received-at-ms", try print("{d}", .{event.received_at_ms}));
    const occurred = if (event.occurred_at_ms) |ms| try print("{d}", .{ms}) else null;
    try optional(&all, "occurred-at-ms", occurred);
    try line(&all, "arrival", switch (event.arrival) {
        .first => "first",
        .duplicate => "duplicate",
        .stale => "stale",
        .conflict => "conflict",
        .after_delete => "after-delete",
        .other => |words| try print("other:{s}", .{words}),
    });
    try line(&all, "attempt", try print("{d}", .{event.attempt}));
    try optional(&all, "content-type", event.content_type);
    try line(&all, "body", try print("{x}", .{event.body}));
    if (event.asset) |asset| try assetLines(&all, asset) else try line(&all, "asset", "-");
    try optional(&all, "previous", event.previous);
    for (event.changed) |pointer| try line(&all, "changed", pointer);
    try optional(&all, "memory", if (event.memory) |bytes| try print("{x}", .{bytes}) else null);
    for (event.settings) |one| try line(&all, "setting", try print("{s}={s}", .{ one.name, one.value }));
    for (event.attributes) |one| try line(&all, "attribute", try print("{s}={s}", .{ one.name, one.value }));
    return std.mem.concat(tidegate.memory, u8, all.items);
}

const Lines = std.array_list.Managed(Text);

fn assetLines(all: *Lines, asset: tidegate.Asset) !void {
    try optional(all, "asset.id", asset.id);
    try optional(all, "asset.name", asset.name);
    try referenceLines(all, "asset.asset-type", asset.asset_type);
    try referenceLines(all, "asset.location", asset.location);
    try referenceLines(all, "asset.loanee", asset.loanee);
    try optional(all, "asset.created-at", asset.created_at);
    try optional(all, "asset.updated-at", asset.updated_at);
    try optional(all, "asset.field-values", asset.field_values);
}

fn referenceLines(all: *Lines, name: Text, reference: ?tidegate.Reference) !void {
    const there = reference orelse return line(all, name, "-");
    try optional(all, try print("{s}.id", .{name}), there.id);
    try optional(all, try print("{s}.name", .{name}), there.name);
}

fn optional(all: *Lines, name: Text, value: ?Text) !void {
    try line(all, name, if (value) |there| try print("+{s}", .{there}) else "-");
}

fn line(all: *Lines, name: Text, value: Text) !void {
    try all.append(try print("{s}={s}\n", .{ name, value }));
}

fn print(comptime format: []const u8, values: anytype) !Text {
    return std.fmt.allocPrint(tidegate.memory, format, values);
}
