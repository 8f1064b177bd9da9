//! The program around a plugin: the contract's export, which calls the plugin's `handle`. Knows nothing of what it does.

const std = @import("std");
const c = @import("contract");
const convert = @import("tidegate").convert;
const plugin = @import("plugin");

/// True: `decisions` holds them. False: `refusal` says why not.
export fn exports_tidegate_plugin_handler_handle(
    event: *const c.exports_tidegate_plugin_handler_event_t,
    decisions: *c.exports_tidegate_plugin_handler_list_decision_t,
    refusal: *c.exports_tidegate_plugin_handler_refusal_t,
) bool {
    const told = convert.eventOf(event) catch |failure| fail(failure);
    const answer = plugin.handle(told) catch |failure| fail(failure);
    switch (answer) {
        .decisions => |decided| decisions.* = decided,
        .refusal => |refused| refusal.* = refused,
    }
    return answer == .decisions;
}

/// A fault, whose reason is in the plugin's log. A plugin that only ever runs out of memory writes no log, and so
/// imports nothing to write it with.
fn fail(failure: anytype) noreturn {
    if (comptime isMemoryAlone(@TypeOf(failure))) @trap();
    @panic(@errorName(failure));
}

fn isMemoryAlone(comptime Failure: type) bool {
    const names = @typeInfo(Failure).error_set.error_names orelse return false;
    for (names) |name| {
        if (!std.mem.eql(u8, name, "OutOfMemory")) return false;
    }
    return true;
}
